//! The table `meta`: the store's own notes, and small values that the rest of the manager keeps
//! by name.

use rusqlite::{Connection, params};

use crate::store::StoreError;
use crate::store::sqlite::cells::Cells;
use crate::store::sqlite::desk::{Desk, all, one};

const TABLE: &str = "meta";

/// Names that begin like this are the store's own.
const OWN: &str = "store.";

/// Counts the commits of the whole life of the database.
pub(in crate::store::sqlite) const COMMIT_SEQ: &str = "store.commit_seq";
/// The last report that the flushed columns contain.
pub(in crate::store::sqlite) const FLUSHED_UPTO: &str = "store.flushed_upto";
/// 1 from an orderly stop to the next start.
pub(in crate::store::sqlite) const CLEAN_STOP: &str = "store.clean_stop";

/// Retention has been over every report below this one.
pub(in crate::store::sqlite) const REPORTS_PRUNED_BELOW: &str = "store.reports_pruned_below";
/// The same of events; the table's trigger guards every event from here on.
pub(in crate::store::sqlite) const EVENTS_PRUNED_BELOW: &str = "store.events_pruned_below";

/// The number and hash of the last entry of the audit.
pub(in crate::store::sqlite) const AUDIT_HEAD: &str = "store.audit_head";

/// When the history that is kept begins.
pub(in crate::store::sqlite) const EVENTS_SINCE: &str = "store.events_since";

/// All values but the store's own.
pub(in crate::store::sqlite) fn list(
    conn: &Connection,
) -> Result<Vec<(String, String)>, StoreError> {
    let mut values = all(conn, TABLE, "SELECT name, value FROM meta ORDER BY name", [], |row| {
        let mut cells = Cells::new(TABLE, row);
        Ok((cells.take::<String>()?, cells.take::<String>()?))
    })?;
    values.retain(|(name, _)| !name.starts_with(OWN));
    Ok(values)
}

/// One of the store's own numbers; 0 if it has never been written.
pub(in crate::store::sqlite) fn number(conn: &Connection, name: &str) -> Result<i64, StoreError> {
    const SQL: &str = "SELECT value FROM meta WHERE name = ?1";
    let value = one(conn, TABLE, SQL, params![name], |row| Cells::new(TABLE, row).parse())?;
    Ok(value.unwrap_or(0))
}

/// One of the store's own texts, if it has been written and can be read.
pub(in crate::store::sqlite) fn own<T: std::str::FromStr>(
    conn: &Connection,
    name: &str,
) -> Result<Option<T>, StoreError> {
    const SQL: &str = "SELECT value FROM meta WHERE name = ?1";
    let read = |row: &rusqlite::Row<'_>| Cells::new(TABLE, row).take::<String>();
    Ok(one(conn, TABLE, SQL, params![name], read)?.and_then(|text| text.parse().ok()))
}

/// Writes one of the store's own texts.
pub(in crate::store::sqlite) fn put_own(
    desk: &mut Desk<'_>,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    upsert(desk, name, value)
}

/// Writes one of the store's own numbers.
pub(in crate::store::sqlite) fn put_number(
    desk: &mut Desk<'_>,
    name: &str,
    value: i64,
) -> Result<(), StoreError> {
    upsert(desk, name, &value.to_string())
}

/// Writes a value for the rest of the manager.
pub(in crate::store::sqlite) fn put(
    desk: &mut Desk<'_>,
    name: &str,
    value: &str,
) -> Result<(), StoreError> {
    if name.starts_with(OWN) {
        let text = format!("{TABLE}: names in {OWN} are the store's own");
        return Err(StoreError::Constraint(text));
    }
    upsert(desk, name, value)
}

fn upsert(desk: &mut Desk<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO meta (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    desk.write(TABLE, SQL, params![name, value])?;
    Ok(())
}
