//! Storage that loses what it had promised to keep: found at the next start, and told.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::kill::Journal;
use crate::support::actors::Operator;
use crate::support::http::get;
use crate::support::manager::ADMIN_TOKEN;
use crate::support::process::{Serve, run, settings};

/// Acknowledges so many reports and dies.
async fn run_and_die(home: &Path, db: &Path, reports: usize) {
    let serve = Serve::start(home, db).await;
    let mut journal = Journal::new(2, serve.addr());
    for _ in 0..reports {
        let envelope = journal.next("");
        assert_eq!(journal.send(serve.addr(), envelope).await, Some(true), "{:?}", journal.refused);
    }
    serve.signal(Signal::KILL);
    serve.ended().await;
}

/// The alarms of a manager that starts on what is left.
async fn alarms_after(home: &Path, db: &Path) -> Vec<String> {
    let serve = Serve::start(home, db).await;
    let alarms = Operator::new(serve.addr(), ADMIN_TOKEN).alarms().await;
    serve.stop().await;
    alarms
}

const LOST: &str = "storage.rolled_back";

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_alone_loses_nothing_and_says_nothing() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    run_and_die(home.path(), &db, 20).await;
    let alarms = alarms_after(home.path(), &db).await;
    assert!(!alarms.iter().any(|alarm| alarm.starts_with(LOST)), "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_is_told() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    run_and_die(home.path(), &db, 20).await;
    fs::remove_file(home.path().join("k.db-wal")).unwrap();
    let alarms = alarms_after(home.path(), &db).await;
    assert!(alarms.iter().any(|alarm| alarm.starts_with(LOST)), "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_log_is_refused_where_that_is_asked_for_and_shows_in_the_health_check_where_not() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    run_and_die(home.path(), &db, 20).await;
    fs::remove_file(home.path().join("k.db-wal")).unwrap();
    let path = db.display().to_string();
    let mut strict = settings(&path).to_vec();
    strict.push(("KATTILA_STRICT_STORAGE", "1"));
    let refused = run(home.path(), &["serve"], &strict).await;
    assert_eq!(refused.code, Some(3), "{}", refused.said);
    assert!(
        refused.complained.contains("commits that were acknowledged"),
        "{}",
        refused.complained
    );
    let serve = Serve::start(home.path(), &db).await;
    let health = get(serve.addr(), "/status/healthcheck", &[]).await.json();
    assert_eq!((&health["status"], &health["storage"]), (&"ok".into(), &"degraded".into()));
    serve.stop().await;
    let serve = Serve::start(home.path(), &db).await;
    let health = get(serve.addr(), "/status/healthcheck", &[]).await.json();
    assert_eq!(health["storage"], "ok", "told once; the alarm stays until somebody has seen it");
    serve.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flipped_bit_in_the_log_is_told() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    run_and_die(home.path(), &db, 20).await;
    let wal = home.path().join("k.db-wal");
    let mut log = fs::read(&wal).unwrap();
    // SQLite drops this frame and all after it without a word.
    let middle = log.len() / 2;
    log[middle] ^= 1;
    fs::write(&wal, log).unwrap();
    let alarms = alarms_after(home.path(), &db).await;
    assert!(alarms.iter().any(|alarm| alarm.starts_with(LOST)), "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_copied_back_is_told() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let serve = Serve::start(home.path(), &db).await;
    serve.stop().await;
    let old = fs::read(&db).unwrap();
    run_and_die(home.path(), &db, 20).await;
    let serve = Serve::start(home.path(), &db).await;
    serve.stop().await;
    fs::write(&db, old).unwrap();
    let alarms = alarms_after(home.path(), &db).await;
    assert!(alarms.iter().any(|alarm| alarm.starts_with(LOST)), "{alarms:?}");
}
