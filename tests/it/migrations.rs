//! Every step of the schema over rows, and where the steps lead.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kattila::model::id::ReportId;
use kattila::model::state::RelayProof;
use kattila::store::row::{AlarmFilter, EventFilter, ReportFilter};
use kattila::store::sqlite::{Durability, open};
use kattila::store::{Reader as _, Writer as _};
use rusqlite::Connection;

const APPLICATION_ID: i64 = 0x4B61_7474;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The steps on disk, in order: number and path.
pub(crate) fn steps() -> Vec<(usize, PathBuf)> {
    let mut files: Vec<_> = std::fs::read_dir(root().join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sql"))
        .collect();
    files.sort();
    let number = |path: &Path| path.file_name().unwrap().to_str().unwrap()[..4].parse().unwrap();
    files.into_iter().map(|path| (number(&path), path)).collect()
}

fn sample_rows(step: usize) -> String {
    let path = root().join(format!("tests/fixtures/migrations/{step:04}.sql"));
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: every step needs sample rows: {error}", path.display()))
}

/// A database as the program of version `last` left it, with the rows of every step up to it.
pub(crate) fn database_of_version(db: &Path, last: usize) {
    let conn = Connection::open(db).unwrap();
    conn.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA foreign_keys = ON").unwrap();
    for (step, path) in steps().into_iter().take(last) {
        conn.execute_batch(&std::fs::read_to_string(path).unwrap()).unwrap();
        conn.execute_batch(&sample_rows(step)).unwrap();
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    conn.pragma_update(None, "user_version", i64::try_from(last).unwrap()).unwrap();
}

/// SQL without comments, with one blank between words and none before commas and brackets, where
/// `ALTER TABLE` leaves some.
fn plain(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    text.join(" ").replace(" ,", ",").replace(" )", ")")
}

/// Everything the schema holds: the SQL of each object, and what SQLite made of the tables.
fn schema(conn: &Connection) -> BTreeMap<String, String> {
    let rows = |sql: &str| -> Vec<String> {
        let mut statement = conn.prepare(sql).unwrap();
        let width = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
            let cells: rusqlite::Result<Vec<_>> =
                (0..width).map(|i| Ok(format!("{:?}", row.get_ref(i)?))).collect();
            Ok(cells?.join(" "))
        };
        statement.query_map([], read).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    let mut statement = conn.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema").unwrap();
    let objects: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    let mut found = BTreeMap::new();
    for (name, sql) in objects.into_iter().filter(|(name, _)| !name.starts_with("sqlite_stat")) {
        for pragma in ["table_xinfo", "index_list", "foreign_key_list", "index_xinfo"] {
            let listed = rows(&format!("PRAGMA {pragma}('{name}')"));
            found.insert(format!("{name} {pragma}"), listed.join("\n"));
        }
        found.insert(name, plain(&sql));
    }
    found
}

#[test]
fn the_steps_are_numbered_without_gap() {
    let numbers: Vec<_> = steps().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    assert!(!numbers.is_empty());
}

#[test]
fn a_new_database_is_schema_sql() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("new.db");
    drop(open(&db, Durability::Full).unwrap());
    let made = Connection::open(&db).unwrap();
    let wanted = Connection::open_in_memory().unwrap();
    let text = std::fs::read_to_string(root().join("schema.sql")).unwrap();
    wanted.execute_batch(&text).unwrap();
    assert_eq!(schema(&made), schema(&wanted));
    let number = |name: &str| -> i64 { made.pragma_query_value(None, name, |r| r.get(0)).unwrap() };
    assert_eq!(number("application_id"), APPLICATION_ID);
    assert_eq!(number("user_version"), i64::try_from(steps().len()).unwrap());
    assert_eq!((number("page_size"), number("auto_vacuum")), (4096, 2));
}

#[test]
fn every_version_with_rows_grows_to_the_newest() {
    for version in 1..=steps().len() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("old.db");
        database_of_version(&db, version);
        let mut opened = open(&db, Durability::Full).unwrap();
        assert!(!opened.unclean);
        // At the newest already, there is nothing to keep a copy for.
        assert_eq!(opened.earlier.is_some(), version < steps().len(), "from version {version}");

        let fleet = opened.writer.load_fleet().unwrap();
        assert_eq!(fleet.agents.len(), 2, "from version {version}");
        assert_eq!((fleet.peers.len(), fleet.edges.len(), fleet.alarms.len()), (1, 1, 1));
        assert_eq!((fleet.keys.len(), fleet.layout.len(), fleet.meta.len()), (1, 1, 1));
        let interface = &fleet.interfaces[0];
        assert_eq!((interface.public_key.is_some(), interface.addresses.len()), (true, 1));
        let detail = opened.reader.agent(&"gw-1".parse().unwrap()).unwrap().unwrap();
        assert_eq!((detail.interfaces.len(), detail.routes.len(), detail.peers.len()), (1, 1, 1));
        let audit = opened.reader.reports(&ReportFilter::onwards(ReportId(0), 10)).unwrap();
        assert_eq!(audit[0].envelope, b"{\"hello\":\"world\"}");
        let events = EventFilter { limit: 10, ..EventFilter::default() };
        assert_eq!(opened.reader.events(&events).unwrap().len(), 1);
        let alarms = AlarmFilter { limit: 10, ..AlarmFilter::default() };
        assert_eq!(opened.reader.alarms(&alarms).unwrap().len(), 1);
        assert!(opened.reader.session(&[0; 32]).unwrap().is_some());
        opened.writer.close().unwrap();

        let conn = Connection::open(&db).unwrap();
        let wanted = Connection::open_in_memory().unwrap();
        wanted.execute_batch(&std::fs::read_to_string(root().join("schema.sql")).unwrap()).unwrap();
        assert_eq!(schema(&conn), schema(&wanted), "from version {version}");
        let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

#[test]
fn paths_from_before_relays_signed_are_claims_unless_version_2_carried_them() {
    for (scheme, proof) in [("v1", RelayProof::Claimed), ("v2-hmac", RelayProof::Proven)] {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("old.db");
        database_of_version(&db, 4);
        let conn = Connection::open(&db).unwrap();
        let path = r#"relay_path = '["relay-1"]', scheme = "#;
        conn.execute(&format!("UPDATE agents SET {path} ?1"), [scheme]).unwrap();
        conn.execute(&format!("UPDATE reports SET {path} ?1"), [scheme]).unwrap();
        drop(conn);
        let opened = open(&db, Durability::Full).unwrap();
        let agent = opened.reader.agent(&"gw-1".parse().unwrap()).unwrap().unwrap().agent;
        let report = opened.reader.reports(&ReportFilter::whole(ReportId(1))).unwrap().remove(0);
        for path in [&agent.relay_path, &report.summary.relay_path] {
            assert_eq!((path.relays().len(), path.proof()), (1, Some(proof)), "{scheme}");
        }
        assert!(agent.may_relay);
    }
}

#[test]
fn the_sample_rows_leave_no_table_empty() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("full.db");
    database_of_version(&db, steps().len());
    let conn = Connection::open(&db).unwrap();
    let mut statement = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(tables.len(), 31);
    for table in tables {
        let rows: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert!(rows > 0, "{table} has no sample row");
    }
}

#[test]
fn every_column_of_schema_sql_says_what_it_is() {
    let text = std::fs::read_to_string(root().join("schema.sql")).unwrap();
    for table in text.split("CREATE TABLE ").skip(1) {
        let body = table.split("\n)").next().unwrap();
        let name = body.split_whitespace().next().unwrap();
        // A column's definition runs to the next line that begins with four blanks and a name.
        let mut columns: Vec<String> = Vec::new();
        for line in body.lines().skip(1) {
            let begins = line.starts_with("    ") && !line.starts_with("     ");
            match columns.last_mut() {
                Some(column) if !begins => column.push_str(line),
                _ => columns.push(line.to_owned()),
            }
        }
        for column in columns.iter().filter(|column| !column.contains(" PRIMARY KEY (")) {
            assert!(column.contains("-- "), "{name}: {column}");
        }
    }
}
