//! The table `shares`.

use rusqlite::{Connection, params};

use crate::store::StoreError;
use crate::store::share::ShareRecord;
use crate::store::sqlite::cells::{Cells, fleets_json};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "shares";

macro_rules! columns {
    () => {
        "token_hash, view, fleets, made_by, by_user, named, created_at, expires_at, opened, mask, \
         last_opened_at"
    };
}

/// Every shared link, those included that have ended and were not swept out yet.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<ShareRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM shares ORDER BY token_hash");
    all(conn, TABLE, SQL, [], |row| share(&mut Cells::new(TABLE, row)))
}

fn share(cells: &mut Cells<'_, '_>) -> Result<ShareRecord, StoreError> {
    Ok(ShareRecord {
        token_hash: cells.take()?,
        view: cells.take()?,
        reach: cells.reach()?,
        made_by: cells.take()?,
        by_user: cells.take()?,
        named: cells.take()?,
        created_at: cells.time()?,
        expires_at: cells.time()?,
        opened: u64::try_from(cells.take::<i64>()?).unwrap_or_default(),
        mask: cells.take()?,
        last_opened_at: cells.maybe_time()?,
    })
}

const UPSERT: &str = concat!(
    "INSERT INTO shares (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (token_hash) DO UPDATE SET
        fleets = excluded.fleets,
        opened = excluded.opened,
        last_opened_at = excluded.last_opened_at"
);

/// Inserts a shared link, or says how often it was opened and what it shows by now.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    share: &ShareRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            share.token_hash,
            share.view,
            fleets_json(&share.reach),
            share.made_by,
            share.by_user,
            share.named,
            share.created_at.0,
            share.expires_at.0,
            i64::try_from(share.opened).unwrap_or(i64::MAX),
            share.mask,
            share.last_opened_at.map(|at| at.0),
        ],
    )?;
    Ok(())
}

/// Deletes a shared link, if it is there.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    token_hash: &[u8; 32],
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM shares WHERE token_hash = ?1";
    desk.write(TABLE, SQL, params![token_hash])?;
    Ok(())
}
