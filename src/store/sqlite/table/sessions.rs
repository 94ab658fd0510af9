//! The table `sessions`.

use rusqlite::{Connection, Row, params};

use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::people::{SessionFilter, SessionRecord};
use crate::store::sqlite::cells::{Cells, fleets_json};
use crate::store::sqlite::desk::{Desk, all, one};

const TABLE: &str = "sessions";

macro_rules! columns {
    () => {
        "token_hash, name, role, kind, form_token, created_at, last_used_at, expires_at, \
         generation, source, made_by, fleets, masked"
    };
}

fn from_row(row: &Row<'_>) -> Result<SessionRecord, StoreError> {
    let mut cells = Cells::new(TABLE, row);
    Ok(SessionRecord {
        token_hash: cells.take()?,
        name: cells.take()?,
        role: cells.take()?,
        kind: cells.take()?,
        form_token: cells.take()?,
        created_at: cells.time()?,
        last_used_at: cells.time()?,
        expires_at: cells.maybe_time()?,
        generation: cells.take()?,
        source: cells.take()?,
        made_by: cells.take()?,
        reach: cells.reach()?,
        masked: cells.take()?,
    })
}

/// The session or token of this SHA-256.
pub(in crate::store::sqlite) fn find(
    conn: &Connection,
    token_hash: &[u8; 32],
) -> Result<Option<SessionRecord>, StoreError> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM sessions WHERE token_hash = ?1");
    one(conn, TABLE, SQL, params![token_hash], from_row)
}

/// Those that are over, in the order of their hashes.
pub(in crate::store::sqlite) fn ended(
    conn: &Connection,
    now: UnixSeconds,
    idle: UnixSeconds,
    limit: usize,
) -> Result<Vec<SessionRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions
        WHERE expires_at <= ?1 OR (kind = 'session' AND last_used_at <= ?2)
        ORDER BY token_hash LIMIT ?3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    all(conn, TABLE, SQL, params![now.0, idle.0, limit], from_row)
}

/// Those that a filter asks for, the newest first.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
    filter: &SessionFilter,
) -> Result<Vec<SessionRecord>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM sessions
        WHERE (?1 IS NULL OR name = ?1) AND (?2 IS NULL OR kind = ?2)
        ORDER BY created_at DESC, token_hash LIMIT ?3"
    );
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    all(conn, TABLE, SQL, params![filter.name, filter.kind, limit], from_row)
}

const UPSERT: &str = concat!(
    "INSERT INTO sessions (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
    ON CONFLICT (token_hash) DO UPDATE SET
        name = excluded.name,
        role = excluded.role,
        kind = excluded.kind,
        form_token = excluded.form_token,
        created_at = excluded.created_at,
        -- Two requests of one session may be written in either order.
        last_used_at = max(sessions.last_used_at, excluded.last_used_at),
        expires_at = excluded.expires_at,
        generation = excluded.generation,
        source = excluded.source,
        made_by = excluded.made_by,
        fleets = excluded.fleets,
        masked = excluded.masked"
);

/// Inserts or updates a session or token.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    session: &SessionRecord,
) -> Result<(), StoreError> {
    desk.write(
        TABLE,
        UPSERT,
        params![
            session.token_hash,
            session.name,
            session.role,
            session.kind,
            session.form_token,
            session.created_at.0,
            session.last_used_at.0,
            session.expires_at.map(|at| at.0),
            session.generation,
            session.source,
            session.made_by,
            fleets_json(&session.reach),
            session.masked,
        ],
    )?;
    Ok(())
}

/// Notes that a session or token was used, if it is still there.
pub(in crate::store::sqlite) fn note_use(
    desk: &mut Desk<'_>,
    (token_hash, at): &([u8; 32], UnixSeconds),
) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE sessions SET last_used_at = max(last_used_at, ?2) WHERE token_hash = ?1";
    desk.write(TABLE, SQL, params![token_hash, at.0])?;
    Ok(())
}

/// Deletes all sessions of a user.
pub(in crate::store::sqlite) fn end_all(desk: &mut Desk<'_>, name: &str) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM sessions WHERE name = ?1 AND generation IS NOT NULL";
    desk.write(TABLE, SQL, params![name])?;
    Ok(())
}

/// Deletes a session or token.
pub(in crate::store::sqlite) fn remove(
    desk: &mut Desk<'_>,
    token_hash: &[u8; 32],
) -> Result<(), StoreError> {
    const SQL: &str = "DELETE FROM sessions WHERE token_hash = ?1";
    desk.write(TABLE, SQL, params![token_hash])?;
    Ok(())
}
