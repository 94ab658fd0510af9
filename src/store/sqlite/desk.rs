//! Where a batch is written: the write connection with a count of the work done on it.

use rusqlite::{Connection, Params};

use super::error::fault;
use crate::store::StoreError;

/// How much work the writer has done since it was opened, so that tests can hold the cost of a
/// report to a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statements run, transactions' and savepoints' own included.
    pub statements: u64,
    /// Rows written or deleted.
    pub rows: u64,
    /// Commits that wrote something.
    pub commits: u64,
    /// Checkpoints of the write-ahead log, not counting SQLite's own.
    pub checkpoints: u64,
}

/// The write connection, lent to the tables for the time of one change.
pub(super) struct Desk<'w> {
    pub(super) conn: &'w Connection,
    pub(super) counters: &'w mut Counters,
}

impl Desk<'_> {
    /// Runs one writing statement from the cache and tells how many rows it changed.
    pub(super) fn write(
        &mut self,
        table: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<usize, StoreError> {
        self.counters.statements += 1;
        let rows = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(|error| fault(table, error))?;
        self.counters.rows += u64::try_from(rows).unwrap_or(0);
        Ok(rows)
    }
}

/// Reads all rows of a query.
pub(super) fn all<T>(
    conn: &Connection,
    table: &'static str,
    sql: &str,
    params: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    those(conn, table, sql, params, |row| read(row).map(Some))
}

/// The rows of a statement that `read` takes; the others take no memory.
pub(super) fn those<T>(
    conn: &Connection,
    table: &'static str,
    sql: &str,
    params: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<Option<T>, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = conn.prepare_cached(sql).map_err(|error| fault(table, error))?;
    let mut rows = statement.query(params).map_err(|error| fault(table, error))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(|error| fault(table, error))? {
        found.extend(read(row)?);
    }
    Ok(found)
}

/// Reads the only row of a query, if there is one.
pub(super) fn one<T>(
    conn: &Connection,
    table: &'static str,
    sql: &str,
    params: impl Params,
    read: impl Fn(&rusqlite::Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    Ok(all(conn, table, sql, params, read)?.into_iter().next())
}
