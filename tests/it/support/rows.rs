//! What is really in the database file, read behind the manager's back.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

/// Every row of every table, in words. `meta` is left out: it counts commits, of which a
/// refusal may well be part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows(BTreeMap<String, Vec<String>>);

impl Rows {
    /// Reads the file as committed.
    pub(crate) fn of(db: &Path) -> Self {
        let conn = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let mut names = conn
            .prepare(
                "SELECT name FROM sqlite_master
                 WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'meta'",
            )
            .unwrap();
        let names: Vec<String> =
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(names.len() >= 10, "not the manager's database: {names:?}");
        Self(names.into_iter().map(|name| (name.clone(), table(&conn, &name))).collect())
    }

    /// The rows of one table.
    pub(crate) fn table(&self, name: &str) -> &[String] {
        self.0.get(name).unwrap_or_else(|| panic!("no table {name}"))
    }

    pub(crate) fn count(&self, name: &str) -> usize {
        self.table(name).len()
    }

    /// The tables in which the two differ.
    pub(crate) fn changed(&self, after: &Self) -> Vec<&str> {
        let differs = |(name, rows): &(&String, &Vec<String>)| after.0.get(*name) != Some(*rows);
        self.0.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
    }
}

fn table(conn: &Connection, name: &str) -> Vec<String> {
    let mut select = conn.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
    let columns = select.column_count();
    let rows = select
        .query_map([], |row| {
            let values: Vec<Value> = (0..columns).map(|n| row.get(n)).collect::<Result<_, _>>()?;
            Ok(format!("{values:?}"))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}
