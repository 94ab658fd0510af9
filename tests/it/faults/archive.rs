//! Mistakes and accidents that the archive is there for: the database as it was at any second.

use std::collections::BTreeMap;
use std::path::Path;

use kattila::clock::Clock;
use kattila::model::time::UnixSeconds;
use rusqlite::Connection;
use rusqlite::types::Value;
use rustix::process::Signal;
use serde_json::json;

use super::disk::{SmallDisk, noise};
use super::kill::{Journal, check_integrity, compare};
use crate::support::actors::Operator;
use crate::support::fleet::{ALPHA, BETA};
use crate::support::http::get;
use crate::support::manager::{ADMIN_TOKEN, TestManager};
use crate::support::network::GAMMA;
use crate::support::process::{Ended, Serve, run};

/// Everything in a database, table by table.
fn dump(db: &Path) -> BTreeMap<String, Vec<Vec<Value>>> {
    let conn = Connection::open(db).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = conn.prepare(sql).unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let rows = |name: &String| {
        let mut all = conn.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = all.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
        (name.clone(), all.query_map([], row).unwrap().map(Result::unwrap).collect())
    };
    names.iter().map(rows).collect()
}

async fn go_back(home: &Path, archive: &Path, at: UnixSeconds, to: &str) -> Ended {
    let (archive, at) = (archive.display().to_string(), at.to_rfc3339());
    run(home, &["restore", "--to", &at, "--archive", &archive, "--db", to], &[]).await
}

async fn job(admin: &Operator) -> serde_json::Value {
    let jobs = admin.json("/api/v1/jobs").await;
    jobs.as_array().unwrap().iter().find(|job| job["name"] == "archive").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_taken_back() {
    let home = tempfile::tempdir().unwrap();
    let archive = home.path().join("archive");
    let dir = archive.display().to_string();
    let kattila = TestManager::start_with(&[("KATTILA_ARCHIVE_DIR", &dir)]).await;
    kattila.advance(1).await;
    assert_eq!(job(&kattila.operator()).await["rows"], 1, "the first base");
    let mut agents = [kattila.agent(ALPHA), kattila.agent(BETA)];
    for round in 0..20 {
        kattila.advance(30).await;
        for agent in &mut agents {
            let data = json!({"hostname": "h", "round": round, "noise": noise(round)});
            assert_eq!(agent.report(&data).await.status, 200);
        }
    }
    let good = home.path().join("good.db");
    kattila.manager().reader().backup(&good).unwrap();
    let before = kattila.clock.now();
    kattila.advance(60).await;
    kattila.admin().reset_agent(ALPHA).await;
    assert_eq!(agents[1].report(&json!({"hostname": "h"})).await.status, 200);
    // Over a restart, and with the changes of two more hours.
    let kattila = kattila.restart().await;
    let mut gamma = kattila.agent(GAMMA);
    for _ in 0..20 {
        kattila.advance(360).await;
        assert_eq!(gamma.report(&json!({"hostname": "h"})).await.status, 200);
    }
    let db = kattila.db();
    let doctor = [("KATTILA_ARCHIVE_DIR", dir.as_str()), ("KATTILA_DB", db.to_str().unwrap())];
    let found = run(home.path(), &["doctor"], &doctor).await;
    assert!(found.said.contains("archive") && found.said.contains("goes back to"), "{found:?}");
    let made = go_back(home.path(), &archive, before, "back.db").await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.said.contains("audit: ") && made.said.contains("hang together"), "{made:?}");
    assert!(dump(&home.path().join("back.db")) == dump(&good), "another database than it was");
    let taken = go_back(home.path(), &archive, before, "back.db").await;
    assert_eq!(taken.code, Some(3), "nothing is overwritten: {taken:?}");
    let early = go_back(home.path(), &archive, before.minus(86_400), "early.db").await;
    assert!(early.complained.contains("begins at"), "{early:?}");
    assert!(!home.path().join("early.db").exists());
    let told = run(home.path(), &["restore", "--list", "--archive", &dir], &[]).await;
    assert_eq!((told.code, told.said.lines().count()), (Some(0), 2), "{told:?}");
    kattila.stop().await;
    // A manager goes on with it, and with the archive.
    let again = TestManager::start_with(&[
        ("KATTILA_ARCHIVE_DIR", &dir),
        ("KATTILA_DB", home.path().join("back.db").to_str().unwrap()),
    ])
    .await;
    assert_eq!(again.operator().agents().await.len(), 2);
    again.advance(1).await;
    let told = run(home.path(), &["restore", "--list", "--archive", &dir], &[]).await;
    assert_eq!(told.said.lines().count(), 3, "another timeline: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_still_goes_back() {
    let home = tempfile::tempdir().unwrap();
    let (db, archive) = (home.path().join("k.db"), home.path().join("archive"));
    let dir = archive.display().to_string();
    let settings = [("KATTILA_ARCHIVE_DIR", dir.as_str())];
    let mut journals = Vec::new();
    for cycle in 0..4 {
        let serve = Serve::start_with(home.path(), &db, &settings).await;
        if cycle == 0 {
            let admin = Operator::new(serve.addr(), ADMIN_TOKEN);
            while job(&admin).await["last_run"].is_null() {
                tokio::task::yield_now().await;
            }
            journals.push(Journal::new(1, serve.addr()));
        }
        for number in 0..120 {
            let envelope = journals[0].next(&noise(number));
            assert_eq!(journals[0].send(serve.addr(), envelope).await, Some(true));
        }
        if cycle < 3 {
            serve.signal(Signal::KILL);
            serve.ended().await;
        } else {
            serve.stop().await;
        }
    }
    let made = go_back(home.path(), &archive, Clock::system().now(), "back.db").await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let back = home.path().join("back.db");
    assert!(dump(&back) == dump(&db), "the last state comes back whole");
    assert!(compare(&back, &journals).is_empty());
    check_integrity(&back);
    let told = run(home.path(), &["restore", "--list", "--archive", &dir], &[]).await;
    assert_eq!(told.said.lines().count(), 2, "one unbroken row: {told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_archive_stops_no_report() {
    let disk = SmallDisk::mount();
    let home = tempfile::tempdir().unwrap();
    let (db, archive) = (home.path().join("k.db"), disk.path().join("archive"));
    let dir = archive.display().to_string();
    let settings = [("KATTILA_ARCHIVE_DIR", dir.as_str())];
    let serve = Serve::start_with(home.path(), &db, &settings).await;
    let (addr, admin) = (serve.addr(), Operator::new(serve.addr(), ADMIN_TOKEN));
    while job(&admin).await["last_run"].is_null() {
        tokio::task::yield_now().await;
    }
    let filler = disk.fill();
    let mut journals = vec![Journal::new(1, addr)];
    let mut number = 0;
    while job(&admin).await["last_error"].is_null() {
        let envelope = journals[0].next(&noise(number));
        assert_eq!(journals[0].send(addr, envelope).await, Some(true), "it takes reports");
        number += 1;
        if number % 20 == 0 {
            admin.post("/api/v1/jobs/archive/run", &json!({})).await;
        }
    }
    let why = job(&admin).await["last_error"].as_str().unwrap().to_owned();
    assert!(why.contains("has taken nothing for") && why.contains("No space left"), "{why}");
    assert_eq!(get(addr, "/readyz", &[]).await.status, 200);
    std::fs::remove_file(filler).unwrap();
    serve.stop().await;
    let made = go_back(home.path(), &archive, Clock::system().now(), "back.db").await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(dump(&home.path().join("back.db")) == dump(&db), "what waited is archived");
    assert!(compare(&db, &journals).is_empty());
}
