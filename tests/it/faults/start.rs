//! Starts that must not succeed, and what they say: one sentence with the way out.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::http::get;
use crate::support::manager::{PSK, TestManager};
use crate::support::process::{Ended, Serve, run};

async fn serve(home: &Path, settings: &[(&str, &str)]) -> Ended {
    run(home, &["serve"], settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_manager_on_the_same_database_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let first = Serve::start(home.path(), &db).await;
    let second = [("KATTILA_LISTEN", "127.0.0.1:0"), ("KATTILA_PSK", PSK), ("KATTILA_DB", "k.db")];
    let ended = serve(home.path(), &second).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.complained.contains("in use by another kattila manager"), "{ended:?}");
    assert!(ended.said.is_empty(), "it announced a door: {ended:?}");
    assert_eq!(get(first.addr(), "/livez", &[]).await.status, 200, "the first one goes on");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_announced_port_is_the_bound_one() {
    let home = tempfile::tempdir().unwrap();
    let serve = Serve::start(home.path(), &home.path().join("k.db")).await;
    assert_ne!(serve.addr().port(), 0);
    let answer = get(serve.addr(), "/status/healthcheck", &[]).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"ok".into()));
    serve.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_ends_nothing() {
    let home = tempfile::tempdir().unwrap();
    let serve = Serve::start(home.path(), &home.path().join("k.db")).await;
    for _ in 0..3 {
        serve.signal(Signal::HUP);
        assert_eq!(get(serve.addr(), "/readyz", &[]).await.status, 200);
    }
    serve.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_that_is_taken_is_told() {
    let home = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let ended = serve(home.path(), &[("KATTILA_PSK", PSK), ("KATTILA_LISTEN", &addr)]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.complained.contains(&addr), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_setting_is_told_with_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    let settings =
        [("KATTILA_PSK", PSK), ("KATTILA_LISTN", "127.0.0.1:0"), ("KATTILA_MAX_SKEW", "soon")];
    let ended = serve(home.path(), &settings).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for word in ["KATTILA_LISTN", "KATTILA_LISTEN", "KATTILA_MAX_SKEW", "soon"] {
        assert!(ended.complained.contains(word), "every mistake at once, {word}: {ended:?}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nothing_set_it_tells_how_to_get_going() {
    let home = tempfile::tempdir().unwrap();
    let ended = serve(home.path(), &[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for word in ["KATTILA_DNS_NAME", "KATTILA_PSK", "kattila demo"] {
        assert!(ended.complained.contains(word), "{word}: {ended:?}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_working_directorys_env_file_is_read_and_the_environment_wins() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(".env"), "KATTILA_LISTEN=nowhere\nKATTILA_PSK=short\n").unwrap();
    let ended = serve(home.path(), &[("KATTILA_PSK", PSK)]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.complained.contains("nowhere"), "{ended:?}");
    assert!(!ended.complained.contains("KATTILA_PSK "), "{ended:?}");
}

/// A database of ours, stopped in order, with a few hundred pages.
async fn good_database(db: &Path) {
    let kattila = TestManager::start().await;
    for number in 0..60 {
        let mut agent = kattila.agent(&format!("{number:032x}"));
        let noise: String =
            (0..600).map(|i| format!("{:x}", (i * 7919 + number * 31) % 65_521)).collect();
        agent.report(&serde_json::json!({ "hostname": "x", "noise": noise })).await;
    }
    let copy = db.display().to_string();
    let source = kattila.db().display().to_string();
    let ended = run(Path::new("/"), &["backup", &copy, "--db", &source], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    kattila.stop().await;
}

/// Starts on a file that cannot be used: exit 3, one sentence, nothing changed.
async fn refused(home: &Path, db: &Path, word: &str) {
    let before = fs::read(db).unwrap();
    let name = db.display().to_string();
    let settings =
        [("KATTILA_PSK", PSK), ("KATTILA_LISTEN", "127.0.0.1:0"), ("KATTILA_DB", name.as_str())];
    let ended = serve(home, &settings).await;
    assert_eq!(ended.code, Some(3), "{word}: {ended:?}");
    assert!(ended.said.is_empty(), "{ended:?}");
    assert_eq!(ended.complained.trim_end().lines().count(), 1, "one sentence: {ended:?}");
    assert!(ended.complained.contains(word), "{word}: {ended:?}");
    assert!(ended.complained.contains(&name), "{ended:?}");
    assert!(fs::read(db).unwrap() == before, "{word}: the file was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_others_are_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let text = home.path().join("text.db");
    fs::write(&text, "Dear diary,\nthis is no database at all, it is my diary.\n".repeat(50))
        .unwrap();
    refused(home.path(), &text, "not a kattila database").await;

    let other = home.path().join("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .unwrap();
    refused(home.path(), &other, "not a kattila database").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_later_version_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("later.db");
    good_database(&db).await;
    Connection::open(&db).unwrap().pragma_update(None, "user_version", 999).unwrap();
    refused(home.path(), &db, "newer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_database_is_told_and_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    good_database(&db).await;
    let whole = fs::read(&db).unwrap();
    let pages = whole.len() / 4096;
    assert!(pages > 40, "{pages} pages");
    for kept in [pages - 1, pages / 2, 3, 1] {
        let cut = home.path().join(format!("cut-{kept}.db"));
        fs::write(&cut, &whole[..kept * 4096]).unwrap();
        refused(home.path(), &cut, "damaged").await;
    }
    let header = home.path().join("header.db");
    let mut wiped = whole;
    wiped[..100].fill(0);
    fs::write(&header, &wiped).unwrap();
    refused(home.path(), &header, "not a kattila database").await;
}
