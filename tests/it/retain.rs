//! Retention in a whole manager: the database's size settles, what must stay does, and reports
//! are taken while old ones leave.

use std::collections::BTreeSet;
use std::path::Path;
use std::pin::pin;

use futures_util::future::join_all;
use kattila::model::id::ReportId;
use kattila::model::state::{EventKind, Scheme};
use kattila::process::chores::{Chore, Keep};
use kattila::store::change::{Change, NewEvent, NewReport};
use kattila::store::prune::{CHUNK_ROWS, Limits, Prunable, Prune};
use kattila::store::row::{EventFilter, ReportFilter};
use kattila::store::sqlite::{Durability, open, open_read_only};
use kattila::store::{Reader as _, Writer as _};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::store_samples::{agent, event, report};
use crate::support::actors::Agent;
use crate::support::engine::{Engine, submission, waits};
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::manager::{START, TestManager};
use crate::support::process::run;
use crate::support::rows::Rows;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const GAMMA: &str = "9a33a00000000000000000000009a33a";

fn number(db: &Path, sql: &str) -> i64 {
    let conn = Connection::open(db).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The numbers of the stored reports.
fn reports(db: &Path) -> Vec<i64> {
    let all = ReportFilter::onwards(ReportId(0), 100_000);
    let rows = open_read_only(db).unwrap().reports(&all).unwrap();
    rows.iter().map(|row| row.summary.id.0).collect()
}

async fn verify(db: &Path) -> String {
    let db = db.display().to_string();
    let ended = run(Path::new("/"), &["verify", "--db", &db], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.said
}

/// What one of three hosts sees in an hour of the month; something moves in each of them.
fn hourly(host: usize, hour: i64) -> Value {
    let now = START.0 + hour * HOUR;
    let mut data = match host {
        0 => Host::alpha().with_peer(BETA_KEY, 2, now - 5, 1).data(),
        1 => Host::beta().with_peer(ALPHA_KEY, 1, now - 5, 1).data(),
        _ => Host { name: "gamma", number: 3, key: None, ..Host::alpha() }.data(),
    };
    data["routes"] = json!([{ "dst": format!("10.{}.0.0/16", hour / 2 % 250), "dev": "wg0" }]);
    data["interfaces"][0]["addresses"] = json!([format!("192.0.2.{}/24", 1 + hour / 2 % 50)]);
    // A clock that is off at times raises alarms and clears them.
    data["boot_id"] = json!(format!("boot-{}", hour / 7));
    data["note"] = json!(format!("{:x}", hour.wrapping_mul(0x9E37_79B9_7F4A)).repeat(20));
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_settles_over_a_month() {
    let two_days = (2 * DAY).to_string();
    let kattila = TestManager::start_with(&[
        ("KATTILA_REPORT_INTERVAL", "3600"),
        ("KATTILA_DURABILITY", "normal"),
        ("KATTILA_REPORTS_AGE", &two_days),
        ("KATTILA_EVENTS_AGE", &two_days),
        ("KATTILA_ALARMS_AGE", &two_days),
        ("KATTILA_SLOTS_AGE", &two_days),
        ("KATTILA_HOURS_AGE", &two_days),
    ])
    .await;
    let mut agents: Vec<Agent> = [ALPHA, BETA, GAMMA].map(|id| kattila.agent(id)).into();
    let (mut pages, mut rows) = (Vec::new(), Vec::new());
    for hour in (2..=30 * 24).step_by(2) {
        kattila.clock.set(START.plus(hour * HOUR));
        for (host, agent) in agents.iter_mut().enumerate() {
            agent.report(&hourly(host, hour)).await;
        }
        kattila.advance(0).await;
        if hour % 24 == 0 {
            let tables = Rows::of(&kattila.db());
            let names = [
                "reports",
                "events",
                "alarms",
                "events_in_force",
                "metric_5m",
                "metric_1h",
                "metric_names",
                "metric_hours",
            ];
            rows.push(names.map(|name| tables.count(name)));
            pages.push(number(&kattila.db(), "PRAGMA page_count"));
        }
    }
    // From the fifth day on nothing gets any more, whatever comes.
    let most = |days: &[[usize; 8]], n: usize| days.iter().map(|day| day[n]).max().unwrap();
    for n in 0..8 {
        let (early, late) = (most(&rows[4..10], n), most(&rows[10..], n));
        assert!(late <= early + early / 10, "table {n}: {rows:?}");
    }
    assert!(pages[29] <= pages[5] + pages[5] / 10, "{pages:?}");
    let kept = 3 * 24;
    assert!((kept..=kept + 9).contains(&rows[29][0]), "reports of two days: {rows:?}");
    assert!(rows[29][2] > 0, "there were alarms");
    assert!(rows[29][4] > 0 && rows[29][5] > 0, "there were rows of counters");

    // What is left is whole: every report proves itself, the numbers go on, the present is told.
    let said = verify(&kattila.db()).await;
    let counts =
        format!("{} ok, 0 redacted, 0 signed with a key not kept, 0 failed\n", rows[29][0]);
    assert!(said.starts_with(&counts), "{said}");
    assert_eq!(reports(&kattila.db()).last(), Some(&(3 * 30 * 12)));
    let kattila = kattila.restart().await;
    assert_eq!(kattila.operator().agents().await.len(), 3);
    kattila.stop().await;
}

/// An engine that keeps what grows for an hour, with reports of two hosts for three hours.
async fn three_hours(db: &Path) -> (Engine, Agent) {
    let hour = Limits { age: Some(HOUR), bytes: None };
    let engine = Engine::start_keeping(
        db,
        Keep { reports: hour, events: hour, alarms: hour, ..Keep::default() },
    );
    let (mut alpha, mut beta) = (engine.agent(ALPHA), engine.agent(BETA));
    for minute in 0..180 {
        let now = START.plus(60 * minute);
        engine.clock.set(now);
        let mut told = Vec::new();
        for agent in [&mut alpha, &mut beta] {
            for n in 0..3 {
                let dst = format!("10.{}.{n}.0/24", minute % 9);
                let data = json!({ "routes": [{ "dst": dst, "dev": "eth0" }] });
                told.push(submission(agent.seal_v2(&data.to_string()), now));
            }
        }
        let taken = join_all(told.into_iter().map(|one| engine.processor().submit(one))).await;
        assert!(taken.iter().all(Result::is_ok));
    }
    (engine, alpha)
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_answered_between_chunks_and_chunks_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, mut alpha) = three_hours(&dir.path().join("k.db")).await;
    let processor = engine.processor().clone();
    let now = engine.clock.now();

    // A chunk and three hundred reports wait together: the batch goes first, the chunk comes
    // between it and the rest.
    engine.gate.close();
    let mut blocked = pin!(processor.submit(submission(alpha.seal_v2("{}"), now)));
    assert!(waits(blocked.as_mut()).await);
    engine.gate.wait_for_writer();
    let before = engine.gate.counters().commits;
    let mut chunk = pin!(processor.prune_chunk(Prunable::Reports, 0));
    assert!(waits(chunk.as_mut()).await);
    let more: Vec<_> = (0..300).map(|_| submission(alpha.seal_v2("{}"), now)).collect();
    let mut more = pin!(join_all(more.into_iter().map(|one| processor.submit(one))));
    assert!(waits(more.as_mut()).await);
    engine.gate.open();
    blocked.await.unwrap();
    let chunk = chunk.await.unwrap();
    assert!(more.await.into_iter().all(|answer| answer.is_ok_and(|taken| !taken.duplicate)));
    let first = u64::try_from(CHUNK_ROWS).unwrap();
    assert_eq!(engine.gate.chunks(), [(before + 2, first)]);
    assert_eq!(chunk.removed, first);

    // A whole run, with reports on their way all the time.
    let runs = async {
        for chore in Chore::ALL {
            processor.run_chore(*chore).await;
        }
    };
    let reports = async {
        for _ in 0..50 {
            let one = submission(alpha.seal_v2("{}"), now);
            processor.submit(one).await.unwrap();
        }
    };
    let rows_before = engine.gate.counters().rows;
    tokio::join!(runs, reports);
    let chunks = engine.gate.chunks();
    assert!(chunks.len() >= 6 && chunks.iter().all(|(_, rows)| *rows <= first), "{chunks:?}");
    let removed: u64 = chunks.iter().skip(1).map(|(_, rows)| rows).sum();
    // A report takes two rows: three with a mark, a place among the events in force, a note.
    let rows = engine.gate.counters().rows - rows_before;
    assert!(rows <= 3 * removed + 300, "{rows} rows written to remove {removed}");
    assert_eq!(reports_left(&processor), (true, true));
    engine.stop().await;
}

/// Whether the chores are over, and without a mistake.
fn reports_left(processor: &kattila::process::handle::Processor) -> (bool, bool) {
    let list = processor.chores().list(START);
    let over = list.iter().all(|job| !job.running && job.last_run.is_some());
    (over, list.iter().all(|job| job.last_error.is_none()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_between_two_chunks_loses_nothing_that_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let (engine, _) = three_hours(&db).await;
    let all = reports(&db);
    // The file as it would be found after a kill, after each chunk.
    let mut images = Vec::new();
    let mut image = || {
        let place = dir.path().join(images.len().to_string());
        std::fs::create_dir(&place).unwrap();
        for ending in ["", "-wal"] {
            let name = format!("k.db{ending}");
            std::fs::copy(dir.path().join(&name), place.join(&name)).unwrap();
        }
        images.push(place.join("k.db"));
    };
    for what in [Prunable::Reports, Prunable::Events] {
        let mut next = Some(0);
        while let Some(after) = next {
            next = engine.processor().prune_chunk(what, after).await.unwrap().next;
            image();
        }
    }
    let clock = engine.clock.now();
    engine.stop().await;
    assert!(images.len() >= 6, "{}", images.len());

    let told = |db: &Path| -> BTreeSet<i64> {
        let all = EventFilter { limit: 100_000, ..EventFilter::default() };
        open_read_only(db).unwrap().events(&all).unwrap().iter().map(|row| row.id.0).collect()
    };
    let (last, history) = (reports(&db), told(&db));
    assert!(last.len() < all.len() / 2);
    let hour = Limits { age: Some(HOUR), bytes: None };
    for image in images {
        let left: BTreeSet<i64> = reports(&image).into_iter().collect();
        assert!(last.iter().all(|id| left.contains(id)), "a kept report is gone");
        assert!(told(&image).is_superset(&history), "a kept line is gone");
        // Whoever starts on it goes on, and comes to the same end.
        let keep = Keep { reports: hour, events: hour, alarms: hour, ..Keep::default() };
        let engine = Engine::start_keeping(&image, keep);
        engine.clock.set(clock);
        for chore in Chore::ALL {
            engine.processor().run_chore(*chore).await;
        }
        engine.stop().await;
        assert_eq!(reports(&image), last);
        assert_eq!(told(&image), history);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_report_next_to_what_was_pruned_writes_no_history() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let hour = Limits { age: Some(HOUR), bytes: None };
    let engine = Engine::start_keeping(&db, Keep { reports: hour, ..Keep::default() });
    let mut host = engine.agent(ALPHA);
    let mut tell = async |now: i64, at: i64, dst: &str| {
        engine.clock.set(START.plus(now));
        let data = json!({
            "collected_at": START.0 + at,
            "routes": [{ "dst": dst, "dev": "eth0" }],
        });
        let sealed = host.seal_v2(&data.to_string());
        engine.processor().submit(submission(sealed, START.plus(now))).await.unwrap();
    };
    for minute in 0..180 {
        tell(60 * minute, 60 * minute, "10.1.0.0/16").await;
    }
    engine.processor().run_chore(Chore::PruneReports).await;
    let now = 180 * 60;
    // Measured long before what is left, and within it.
    tell(now, 1815, "10.2.0.0/16").await;
    tell(now + 1, now - 1815, "10.3.0.0/16").await;
    engine.stop().await;
    let all = EventFilter { limit: 1000, ..EventFilter::default() };
    let events = open_read_only(&db).unwrap().events(&all).unwrap();
    let late: Vec<_> = events
        .iter()
        .filter(|event| event.cause.is_some())
        .map(|event| format!("{} {}", event.kind, event.subject))
        .collect();
    let expected = [
        "route.added 10.3.0.0/16",
        "route.removed 10.1.0.0/16",
        "route.added 10.1.0.0/16",
        "route.removed 10.3.0.0/16",
    ];
    assert_eq!(late, expected);
    // Both are stored; one more stays that the first of the others are packed against.
    assert_eq!(reports(&db).len(), 60 + 1 + 2 + 1 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_run_and_remembered() {
    let kattila = TestManager::start().await;
    let jobs = async |kattila: &TestManager| {
        let list = kattila.operator().json("/api/v1/jobs").await;
        list.as_array().unwrap().clone()
    };
    let names: Vec<_> = jobs(&kattila).await.iter().map(|job| job["name"].clone()).collect();
    assert_eq!(
        names,
        [
            "sweep",
            "roll-up",
            "prune-reports",
            "prune-events",
            "prune-alarms",
            "prune-notifications",
            "prune-slots",
            "prune-hours",
            "train-dictionary",
            "vacuum",
            "archive"
        ]
    );
    let first = jobs(&kattila).await[2].clone();
    assert_eq!((&first["last_run"], &first["next_run"]), (&Value::Null, &json!(START)));

    kattila.advance(10).await;
    let ran = jobs(&kattila).await[2].clone();
    assert_eq!((&ran["last_run"], &ran["rows"]), (&json!(START.plus(10)), &json!(0)));
    assert_eq!(ran["next_run"], json!(START.plus(310)));
    kattila.advance(100).await;
    assert_eq!(jobs(&kattila).await[2], ran, "it is not due");

    // An admin has it run; the history says so.
    let asked = kattila.operator().post("/api/v1/jobs/prune-reports/run", &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert_eq!(asked.json()["next_run"], json!(START.plus(110)));
    kattila.advance(1).await;
    assert_eq!(jobs(&kattila).await[2]["last_run"], json!(START.plus(111)));
    let told = kattila.operator().events().await;
    assert!(told.contains(&"admin.action had the job prune-reports run".to_owned()), "{told:?}");
    let unknown = kattila.operator().post("/api/v1/jobs/prune/run", &json!({})).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("prune-reports"), "{}", unknown.text());
    let page = kattila.operator().get("/settings").await;
    assert!(page.text().contains("prune-events") && page.text().contains("Background jobs"));

    // What was written down is known after a restart, and what is due is done.
    let kattila = kattila.restart().await;
    let again = jobs(&kattila).await[2].clone();
    assert_eq!(again["last_run"], ran["last_run"]);
    kattila.advance(300).await;
    assert_eq!(jobs(&kattila).await[2]["last_run"], json!(START.plus(411)));
    kattila.stop().await;
}

/// Bytes that cannot be made smaller.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    bytes.flatten().take(length).collect()
}

#[test]
fn a_size_is_about_what_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    // Rows of one size and of many, smaller and larger than a page.
    for (n, sizes) in [300..301, 1000..3000, 100..9000].into_iter().enumerate() {
        let db = dir.path().join(format!("{n}.db"));
        let mut opened = open(&db, Durability::Normal).unwrap();
        let spread = u64::try_from(sizes.len()).unwrap();
        opened.writer.begin().unwrap();
        let agents = Change { agents: vec![agent(1)], ..Change::default() };
        opened.writer.record(&agents).unwrap();
        for id in 1..=2000 {
            let seed = u64::try_from(id).unwrap();
            let length = sizes.start + usize::try_from(seed * 7919 % spread).unwrap();
            let envelope = noise(seed, length).into();
            let change = Change {
                report: Some(NewReport { envelope, scheme: Scheme::V2Hmac, ..report(id, 1) }),
                events: vec![NewEvent {
                    kind: EventKind::AdminAction,
                    ..event(Some(1), &format!("{id:x}").repeat(10))
                }],
                ..Change::default()
            };
            opened.writer.record(&change).unwrap();
        }
        opened.writer.commit().unwrap();
        for (what, like, bytes) in
            [(Prunable::Reports, "reports%", 300_000), (Prunable::Events, "events%", 200_000)]
        {
            let limits = Limits { age: None, bytes: Some(bytes) };
            let (now, after) = (START, 0);
            let mut chunk = Prune { what, limits, now, replay_s: 0, replay_v1_s: 0, after };
            while let Some(next) = opened.writer.prune(&chunk).unwrap().next {
                chunk.after = next;
            }
            let sql = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE ";
            let real = number(&db, &format!("{sql}'{like}' AND name <> 'events_in_force'"));
            let share = 100 * u64::try_from(real).unwrap() / bytes;
            assert!((70..=140).contains(&share), "{n} {what:?}: {share} % of {bytes} bytes");
        }
        opened.writer.close().unwrap();
    }
}
