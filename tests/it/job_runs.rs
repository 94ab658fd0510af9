//! Every run of a job is in the audit: one entry a day counts them all, and a run that fails after
//! one that did not is told at once, as is the first that does not after it.

use std::collections::BTreeMap;
use std::path::Path;

use kattila::model::time::UnixSeconds;
use kattila::process::chores::Chore;
use kattila::process::handle::Command;
use serde_json::{Value, json};

use crate::support::engine::Engine;
use crate::support::manager::{START, TestManager};
use crate::support::process::run;
use crate::support::rows::Rows;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Runs by job.
type Runs = BTreeMap<String, i64>;

async fn last_runs(kattila: &TestManager) -> BTreeMap<String, Value> {
    let jobs = kattila.operator().json("/api/v1/jobs").await;
    let jobs = jobs.as_array().unwrap().iter();
    jobs.map(|job| (job["name"].as_str().unwrap().to_owned(), job["last_run"].clone())).collect()
}

/// Lets time pass and counts, by what the list of jobs says, which of them ran.
async fn advance(kattila: &TestManager, seconds: i64, seen: &mut Runs) {
    let before = last_runs(kattila).await;
    kattila.advance(seconds).await;
    for (job, at) in last_runs(kattila).await {
        if before[&job] != at {
            *seen.entry(job).or_default() += 1;
        }
    }
}

async fn found(kattila: &TestManager, act: &str) -> Vec<Value> {
    let page = kattila.operator().json(&format!("/api/v1/audit?limit=1000&act={act}")).await;
    page["entries"].as_array().unwrap().clone()
}

/// Runs by job as the entries of days tell them; whatever each sums up must fit.
fn told(days: &[Value]) -> Runs {
    let mut all = Runs::new();
    for day in days {
        let after = &day["after"];
        let mut total = 0;
        for (job, sum) in after["jobs"].as_object().unwrap() {
            let runs = sum["runs"].as_i64().unwrap();
            *all.entry(job.clone()).or_default() += runs;
            total += runs;
            let [longest, all_ms] = ["longest_ms", "total_ms"].map(|name| sum[name].as_i64());
            assert!(longest <= all_ms, "{sum}");
        }
        assert_eq!(after["runs"], total, "{day}");
        let (from, until) = (after["from"].as_i64().unwrap(), after["until"].as_i64().unwrap());
        assert!(from <= until && from.div_euclid(DAY) == until.div_euclid(DAY), "{day}");
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entries_of_six_days_count_every_run_that_there_was() {
    let kattila = TestManager::start().await;
    let mut seen = Runs::new();
    for _ in 0..60 {
        advance(&kattila, HOUR, &mut seen).await;
    }
    // Somebody asks for one, and one fails three times.
    assert_eq!(kattila.operator().post("/api/v1/jobs/vacuum/run", &json!({})).await.status, 202);
    advance(&kattila, 1, &mut seen).await;
    kattila.spoil("metric_1h");
    for _ in 0..3 {
        advance(&kattila, HOUR, &mut seen).await;
    }
    kattila.repair("metric_1h");
    advance(&kattila, HOUR, &mut seen).await;
    let kattila = kattila.restart().await;
    for _ in 0..80 {
        advance(&kattila, HOUR, &mut seen).await;
    }
    // An order to stop leaves nothing untold.
    let kattila = kattila.restart().await;

    let days = found(&kattila, "job.day").await;
    assert_eq!(told(&days), seen, "{days:?}");
    assert!(seen.values().all(|runs| *runs >= 144), "{seen:?}");
    // One a day, and two of the day with the first stop in it.
    let from = START.0.div_euclid(DAY);
    let until = kattila.clock.now().0.div_euclid(DAY);
    assert_eq!(i64::try_from(days.len()).unwrap(), until - from + 2, "{days:?}");
    let sum = |name: &str, job: &str| -> i64 {
        days.iter().filter_map(|day| day["after"]["jobs"][job][name].as_i64()).sum()
    };
    assert_eq!((sum("by_hand", "vacuum"), sum("by_hand", "sweep")), (1, 0));
    assert_eq!((sum("failed", "prune-hours"), sum("failed", "vacuum")), (3, 0));
    assert!(days.iter().all(|day| day["who"] == "manager" && day["from"].is_null()));
    turns_are_told(&kattila).await;

    // People can read it, and take it away.
    let page = kattila.operator().get("/audit?act=job.day").await.text();
    assert!(page.contains("3 of them failed: prune-hours 3;"), "{page}");
    let csv = kattila.operator().get("/api/v1/export/audit.csv?act=job.day").await.text();
    assert_eq!(csv.lines().count(), days.len() + 1);
    // It hangs together, and a year of it is half a megabyte.
    let (rows, db) = (Rows::of(&kattila.db()), kattila.db().display().to_string());
    assert!(rows.count("audit") >= days.len());
    let longest = csv.lines().map(str::len).max().unwrap();
    assert!((500..1_600).contains(&longest), "{longest}");
    let ended = run(Path::new("/"), &["verify", "--db", &db], &[]).await;
    assert!(ended.code == Some(0) && ended.said.contains("hang together"), "{ended:?}");
    kattila.stop().await;
}

/// The first of the three failures, and the first run after them.
async fn turns_are_told(kattila: &TestManager) {
    let failed = found(kattila, "job.failed").await;
    let [failed] = &failed[..] else { panic!("{failed:?}") };
    assert_eq!(
        (&failed["who"], &failed["subject"]),
        (&json!("manager"), &json!("job prune-hours"))
    );
    assert_eq!(failed["before"]["outcome"], "ok");
    assert!(failed["after"]["error"].as_str().unwrap().contains("metric_1h"), "{failed}");
    let recovered = found(kattila, "job.recovered").await;
    let [recovered] = &recovered[..] else { panic!("{recovered:?}") };
    assert_eq!(recovered["before"]["failures"], 3, "{recovered}");
    assert_eq!(recovered["at"].as_i64().unwrap() - failed["at"].as_i64().unwrap(), 3 * HOUR);
}

/// What is counted in the database at this moment and not told yet.
fn kept(db: &Path) -> Value {
    let conn = rusqlite::Connection::open(db).unwrap();
    let sql = "SELECT value FROM meta WHERE name = 'jobs.account'";
    let text: String = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_outlives_a_manager_that_was_not_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let day = START.0.div_euclid(DAY).to_string();
    let tick = || Command::Tick;
    let engine = Engine::start(&db);
    for minute in 1..=5 {
        engine.clock.set(START.plus(60 * minute));
        engine.processor().run_chore(Chore::Sweep).await;
        engine.processor().command(tick()).await.unwrap();
    }
    assert_eq!(kept(&db)[&day]["jobs"]["sweep"]["runs"], 5);
    // The next one ends, and nothing takes it any more.
    engine.clock.set(START.plus(330));
    engine.processor().run_chore(Chore::Sweep).await;
    engine.processor().command(tick()).await.unwrap();
    let copy = dir.path().join("killed.db");
    for end in ["", "-wal"] {
        let from = format!("{}{end}", db.display());
        std::fs::copy(from, format!("{}{end}", copy.display())).unwrap();
    }
    engine.stop().await;

    let again = Engine::start(&copy);
    again.clock.set(UnixSeconds((START.0.div_euclid(DAY) + 1) * DAY));
    again.processor().command(tick()).await.unwrap();
    let rows = Rows::of(&copy);
    assert_eq!(rows.count("audit"), 1);
    assert_eq!(kept(&copy), json!({}));
    let conn = rusqlite::Connection::open(&copy).unwrap();
    let after: String = conn.query_row("SELECT after FROM audit", [], |row| row.get(0)).unwrap();
    let after: Value = serde_json::from_str(&after).unwrap();
    assert_eq!(after["runs"], 5, "all but what ended in the last minute: {after}");
    again.stop().await;
}
