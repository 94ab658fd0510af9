//! The table `flaps`.

use rusqlite::{Connection, params};

use crate::model::state::AlarmKind;
use crate::store::StoreError;
use crate::store::flap::FlapRecord;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "flaps";

/// Everything.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<FlapRecord>, StoreError> {
    const SQL: &str = "SELECT kind, subject, penalty, at FROM flaps ORDER BY kind, subject";
    all(conn, TABLE, SQL, [], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok(FlapRecord {
            kind: cells.text(AlarmKind::from_word)?,
            subject: cells.take()?,
            penalty: cells.take()?,
            at: cells.time()?,
        })
    })
}

/// Inserts or replaces one.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    flap: &FlapRecord,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT OR REPLACE INTO flaps (kind, subject, penalty, at)
        VALUES (?1, ?2, ?3, ?4)";
    let FlapRecord { kind, subject, penalty, at } = flap;
    desk.write(TABLE, SQL, params![kind.as_str(), subject, penalty, at.0])?;
    Ok(())
}

/// Deletes one.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    (kind, subject): &(AlarmKind, String),
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM flaps WHERE kind = ?1 AND subject = ?2";
    desk.write(TABLE, SQL, params![kind.as_str(), subject])?;
    Ok(())
}
