//! The table `psk_keys`.

use rusqlite::{Connection, Row, params};
use zeroize::Zeroizing;

use crate::store::StoreError;
use crate::store::key::KeyRecord;
use crate::store::sqlite::cells::{Cells, kid_bytes};
use crate::store::sqlite::desk::{Desk, all};

const TABLE: &str = "psk_keys";

macro_rules! columns {
    () => {
        "kid, secret, source, first_seen, last_seen, state, seq, nbf, exp, left_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<KeyRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(KeyRecord {
        kid: cells.kid()?,
        secret: Zeroizing::new(cells.take()?),
        source: cells.take()?,
        first_seen: cells.time()?,
        last_seen: cells.time()?,
        state: cells.take()?,
        seq: cells.take()?,
        nbf: cells.maybe_time()?,
        exp: cells.maybe_time()?,
        left_at: cells.maybe_time()?,
    })
}

/// All keys, the most recently seen first.
pub(in crate::store::sqlite) fn list(conn: &Connection) -> Result<Vec<KeyRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM psk_keys ORDER BY last_seen DESC, first_seen DESC, kid"
    );
    all(conn, TABLE, SQL, [], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO psk_keys (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (kid) DO UPDATE SET
        -- The secret stays: a kid is a digest of it.
        source = excluded.source,
        -- When a key was first and last seen is not taken back by a clock that went backwards.
        first_seen = min(psk_keys.first_seen, excluded.first_seen),
        last_seen = max(psk_keys.last_seen, excluded.last_seen),
        -- Nor is a revocation taken back, whatever was decided before it was known.
        state = CASE psk_keys.state WHEN 'revoked' THEN 'revoked' ELSE excluded.state END,
        seq = excluded.seq,
        nbf = excluded.nbf,
        exp = excluded.exp,
        left_at = excluded.left_at"
);

/// Inserts or updates a key.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    key: &KeyRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            kid_bytes(&key.kid),
            key.secret.as_slice(),
            key.source,
            key.first_seen.0,
            key.last_seen.0,
            key.state,
            key.seq,
            key.nbf.map(|at| at.0),
            key.exp.map(|at| at.0),
            key.left_at.map(|at| at.0),
        ],
    )?;
    Ok(())
}
