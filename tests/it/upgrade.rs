//! A newer program over an earlier schema: the database is copied before it is changed, the copy and
//! backups of then come back, and without a copy nothing is changed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use kattila::model::id::ReportId;
use kattila::store::row::ReportFilter;
use kattila::store::sqlite::upgrade::Earlier;
use kattila::store::sqlite::{Durability, Opening, backup, open, open_with};
use kattila::store::{Reader as _, StoreError};
use rusqlite::Connection;
use rustix::process::Signal;

use crate::migrations::{database_of_version, steps};
use crate::support::actors::Operator;
use crate::support::manager::ADMIN_TOKEN;
use crate::support::process::{Serve, run};

fn version(db: &Path) -> usize {
    let conn = Connection::open(db).unwrap();
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    usize::try_from(version).unwrap()
}

/// The copies beside a database, by name.
fn copies(dir: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all.filter(|path| path.to_str().unwrap().contains(".schema-")).collect();
    all.sort();
    all
}

/// Numbers the commits of a database of an earlier version.
fn at_commit(db: &Path, commit: u32) {
    let conn = Connection::open(db).unwrap();
    let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('store.commit_seq', ?1)";
    conn.execute(sql, [commit.to_string()]).unwrap();
}

#[test]
fn a_database_of_every_earlier_schema_is_copied_and_the_copy_comes_back() {
    for from in 1..steps().len() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("k.db");
        database_of_version(&db, from);
        at_commit(&db, 7);
        let opened = open(&db, Durability::Full).unwrap();
        let copy = opened.earlier.clone().unwrap();
        opened.writer.close().unwrap();
        assert_eq!(version(&db), steps().len());
        assert_eq!(copies(dir.path()), std::slice::from_ref(&copy), "from schema {from}");
        assert_eq!(copy.file_name().unwrap().to_str(), Some(&*format!("k.db.schema-{from}.7")));
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(version(&copy), from);

        // Going back by it, and forth again.
        let back = dir.path().join("back.db");
        backup::restore(&copy, &back).unwrap();
        assert_eq!(version(&back), from);
        let opened = open(&back, Durability::Full).unwrap();
        let reports = opened.reader.reports(&ReportFilter::onwards(ReportId(0), 10)).unwrap();
        assert_eq!(reports[0].envelope, b"{\"hello\":\"world\"}");
        assert!(opened.rolled_back.is_none(), "what came after the copy is given up knowingly");
    }
}

#[test]
fn two_copies_stay_and_an_upgrade_that_was_broken_off_makes_no_second_one() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    // The last comes after somebody went back and reported less than before.
    for commit in [8, 11, 12, 10] {
        std::fs::remove_file(&db).unwrap_or_default();
        std::fs::remove_file(dir.path().join("k.db.ack")).unwrap_or_default();
        database_of_version(&db, 20);
        at_commit(&db, commit);
        open(&db, Durability::Full).unwrap().writer.close().unwrap();
    }
    let names: Vec<_> = copies(dir.path());
    let wanted = ["k.db.schema-20.10", "k.db.schema-20.12"].map(|name| dir.path().join(name));
    assert_eq!(names, wanted);

    // The copy was made, and half of another; then the power went.
    std::fs::remove_file(&db).unwrap();
    std::fs::remove_file(dir.path().join("k.db.ack")).unwrap();
    database_of_version(&db, 20);
    at_commit(&db, 10);
    let made = wanted[0].metadata().unwrap().modified().unwrap();
    std::fs::write(dir.path().join("k.db.schema-copying"), "half").unwrap();
    let opened = open(&db, Durability::Full).unwrap();
    assert_eq!(opened.earlier.as_ref(), Some(&wanted[0]));
    assert_eq!(wanted[0].metadata().unwrap().modified().unwrap(), made);
}

#[test]
fn another_history_that_comes_to_the_same_commit_is_copied_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let upgrade = |host: &str| {
        std::fs::remove_file(&db).unwrap_or_default();
        std::fs::remove_file(dir.path().join("k.db.ack")).unwrap_or_default();
        database_of_version(&db, 20);
        at_commit(&db, 10);
        let conn = Connection::open(&db).unwrap();
        conn.execute("UPDATE agents SET hostname = ?1", [host]).unwrap();
        drop(conn);
        let opened = open(&db, Durability::Full).unwrap();
        opened.writer.close().unwrap();
        let earlier = opened.earlier.unwrap();
        earlier.file_name().unwrap().to_str().unwrap().to_owned()
    };
    let host_in = |name: &str| -> String {
        let conn = Connection::open(dir.path().join(name)).unwrap();
        conn.query_row("SELECT hostname FROM agents", [], |row| row.get(0)).unwrap()
    };
    assert_eq!(upgrade("before"), "k.db.schema-20.10");
    // Somebody goes back and comes to the same number by another way; then the power goes.
    assert_eq!(upgrade("after"), "k.db.schema-20.10-2");
    assert_eq!(upgrade("after"), "k.db.schema-20.10-2");
    assert_eq!(
        (host_in("k.db.schema-20.10"), host_in("k.db.schema-20.10-2")),
        ("before".into(), "after".into())
    );
    assert_eq!(upgrade("third"), "k.db.schema-20.10-3");
    let names = ["k.db.schema-20.10-2", "k.db.schema-20.10-3"].map(|name| dir.path().join(name));
    assert_eq!(copies(dir.path()), names);
}

#[test]
fn without_a_copy_nothing_is_changed_unless_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    database_of_version(&db, 20);
    // Nothing can be written there.
    let in_the_way = dir.path().join("k.db.schema-copying");
    std::fs::create_dir(&in_the_way).unwrap();
    let error = open(&db, Durability::Full).unwrap_err();
    let StoreError::Refused { problem, remedy, .. } = error else { panic!("{error}") };
    assert!(problem.contains("cannot be copied before it is changed"), "{problem}");
    assert!(remedy.contains("make room for 1 MiB"), "{remedy}");
    assert!(remedy.contains("KATTILA_UPGRADE_COPY=off"), "{remedy}");
    assert_eq!(version(&db), 20);
    let opened = open_with(&db, Opening { earlier: Earlier::GivenUp, ..Opening::default() });
    opened.unwrap().writer.close().unwrap();
    assert_eq!(version(&db), steps().len());
    assert_eq!(copies(dir.path()), [in_the_way]);
}

/// The program over a database and a backup of an earlier schema, as an admin has them.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_an_earlier_schema_is_restored_and_served_by_this_program() {
    let home = tempfile::tempdir().unwrap();
    let (backup, db) = (home.path().join("backup.db"), home.path().join("k.db"));
    database_of_version(&backup, 20);
    let (from, to) = (backup.to_str().unwrap(), db.to_str().unwrap());
    let restored = run(home.path(), &["restore", from, "--db", to], &[]).await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let asked = run(home.path(), &["verify", "--db", to], &[]).await;
    assert_eq!(asked.code, Some(3), "{asked:?}");
    assert!(asked.complained.contains("start the manager once"), "{asked:?}");

    let served = Serve::start(home.path(), &db).await;
    let operator = Operator::new(served.addr(), ADMIN_TOKEN);
    assert_eq!(operator.agents().await.len(), 2);
    served.signal(Signal::TERM);
    let (status, log) = served.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("a copy is as it was before"), "{log}");
    assert_eq!(copies(home.path()).len(), 1);
    assert_eq!(version(&copies(home.path())[0]), 20);
}
