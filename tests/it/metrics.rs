//! Counters over time in a whole manager: rows are made of stored reports when an hour is over,
//! late reports correct them, nothing is pruned before, and what is not known is told as such.

use std::path::Path;

use kattila::model::id::AgentNo;
use kattila::model::metric::Counter;
use kattila::model::time::UnixSeconds;
use kattila::process::chores::{Chore, Keep};
use kattila::process::rollup::curves::{Curve, CurvesAsked, Resolution};
use kattila::store::metrics::{Grain, MetricsAsked, Of, Which};
use kattila::store::prune::Limits;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::actors::Agent;
use crate::support::engine::{Engine, submission};
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::manager::{START, TestManager};

/// The first whole hour after the start.
const HOUR: UnixSeconds = UnixSeconds(START.0 - START.0 % 3_600 + 3_600);

const WEEK: Limits = Limits { age: Some(7 * 86_400), bytes: None };

/// An engine that makes rows.
fn keeping() -> Keep {
    Keep { slots: WEEK, hours: WEEK, ..Keep::default() }
}

/// What alpha tells after so many seconds of the hour: a thousand bytes a second over eth0, a
/// hundred from beta, a handshake every two minutes.
fn told(after: i64) -> Value {
    let seconds = u64::try_from(after + 10_000).unwrap();
    let now = HOUR.0 + after;
    let mut data =
        Host::alpha().with_peer(BETA_KEY, 2, now - now.rem_euclid(120), seconds * 100).data();
    data["collected_at"] = json!(now);
    let eth0 = &mut data["interfaces"][0];
    for (name, each) in [("rx_bytes", 1_000), ("tx_bytes", 10), ("rx_errors", 0)] {
        eth0[name] = json!(seconds * each);
    }
    data
}

async fn tell(engine: &Engine, agent: &mut Agent, received: i64, data: &Value) {
    let now = HOUR.plus(received);
    engine.clock.set(now);
    let sealed = agent.seal_v2(&data.to_string());
    engine.processor().submit(submission(sealed, now)).await.unwrap();
}

/// Reports every minute between two times after the hour began.
async fn minutes(engine: &Engine, agent: &mut Agent, from: i64, to: i64) {
    for minute in from..to {
        tell(engine, agent, minute * 60, &told(minute * 60)).await;
    }
}

/// The mean rate of alpha's eth0 in each slot, in whole bytes per second, from the hour on.
fn rates(engine: &Engine, resolution: Resolution, hours: i64) -> Vec<Option<i64>> {
    let curves = curves(engine, (Of::Interfaces, resolution), hours);
    let eth0 = curves.iter().find(|curve| format!("{:?}", curve.subject).contains("eth0"));
    let points = eth0.map(|curve| curve.points.clone()).unwrap_or_default();
    let rate = |slot: Option<kattila::model::metric::Slot>| slot?.mean(Counter::RxBytes);
    #[expect(clippy::cast_possible_truncation, reason = "the rates are small")]
    points.into_iter().map(|(_, slot)| rate(slot).map(|rate| rate.round() as i64)).collect()
}

fn curves(engine: &Engine, (of, resolution): (Of, Resolution), hours: i64) -> Vec<Curve> {
    let (from, to) = (HOUR, HOUR.plus(hours * 3_600));
    let asked = CurvesAsked { agent: ALPHA.parse().unwrap(), of, from, to, resolution };
    let rollup = engine.processor().rollup();
    rollup.curves(engine.reader.as_ref(), &asked).unwrap()
}

async fn roll(engine: &Engine) -> u64 {
    engine.processor().run_chore(Chore::RollUp).await;
    let state = engine.processor().chores().one(Chore::RollUp, engine.clock.now()).unwrap();
    assert_eq!(state.last_error, None);
    state.rows.unwrap()
}

fn number(db: &Path, sql: &str) -> i64 {
    Connection::open(db).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_rolled_up_once_and_told_alike_before_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let engine = Engine::start_keeping(&db, keeping());
    let mut alpha = engine.agent(ALPHA);
    minutes(&engine, &mut alpha, -5, 64).await;
    assert_eq!(roll(&engine).await, 1, "the minutes before the hour");
    assert_eq!(engine.processor().rollup().until(), Some(HOUR));
    let fresh = rates(&engine, Resolution::FiveMinutes, 1);
    assert_eq!(fresh, [Some(1_000); 12], "of the stored reports");
    let of_link = (Of::Everything, Resolution::FiveMinutes);
    let all = curves(&engine, of_link.clone(), 1);

    minutes(&engine, &mut alpha, 64, 70).await;
    assert_eq!(roll(&engine).await, 1);
    assert_eq!(engine.processor().rollup().until(), Some(HOUR.plus(3_600)));
    assert_eq!(roll(&engine).await, 0, "once");
    assert_eq!(rates(&engine, Resolution::FiveMinutes, 1), fresh, "of the row");
    assert_eq!(curves(&engine, of_link.clone(), 1), all);
    let peer = all.iter().find(|curve| curve.points[3].1.unwrap().age.is_some()).unwrap();
    let slot = peer.points[3].1.unwrap();
    assert_eq!((slot.age.unwrap().max, slot.samples, slot.covered_s), (60, 5, 300));
    assert_eq!(slot.mean(Counter::TxBytes), Some(100.0));
    assert_eq!(rates(&engine, Resolution::Hour, 2)[0], Some(1_000));
    assert_eq!(rates(&engine, Resolution::Raw, 1).len(), 60);

    // The rows alone say it, without the reports.
    let asked = MetricsAsked {
        agent: Which::Numbered(AgentNo(1)),
        of: Of::Interfaces,
        from: HOUR,
        to: HOUR.plus(3_600),
        grain: Grain::Hour,
    };
    let rows = engine.reader.metrics(&asked).unwrap();
    assert_eq!(rows[0].series[0].1[0].unwrap().covered_s, 3_600);

    // A clock that jumps a year ahead leaves no hour behind while nothing is reported.
    let now = engine.clock.now();
    engine.clock.set(now.plus(365 * 86_400));
    assert_eq!(roll(&engine).await, 0);
    assert_eq!(engine.processor().rollup().behind_s(engine.clock.now()), 0);
    engine.clock.set(now);
    assert_eq!(engine.processor().rollup().until(), Some(HOUR.plus(3_600)));

    // A restart goes on where it was.
    let engine = engine.restarted(&db).await;
    assert_eq!(engine.processor().rollup().until(), Some(HOUR.plus(3_600)));
    assert_eq!(roll(&engine).await, 0);
    assert_eq!(curves(&engine, of_link, 1), all);
    engine.stop().await;
    assert_eq!(number(&db, "SELECT count(*) FROM metric_5m"), 2);
    assert_eq!(number(&db, "SELECT sum(rows_5m) + sum(rows_1h) FROM metric_hours"), 4);
    let counted = number(&db, "SELECT sum(bytes_5m) FROM metric_hours");
    assert_eq!(number(&db, "SELECT sum(octet_length(slots) + 14) FROM metric_5m"), counted);
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_and_silence_are_gaps_and_late_reports_fill_them() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start_keeping(&dir.path().join("k.db"), keeping());
    let mut alpha = engine.agent(ALPHA);
    minutes(&engine, &mut alpha, 0, 10).await;
    // Nobody hears of it for a quarter of an hour, then its counters begin anew.
    for minute in 25..75 {
        let mut data = told(minute * 60);
        if minute >= 40 {
            data["interfaces"][0]["rx_bytes"] = json!((minute - 40) * 60 * 500);
        }
        tell(&engine, &mut alpha, minute * 60, &data).await;
    }
    assert_eq!(roll(&engine).await, 1);
    let all = |from: usize, to: usize, rates: &[Option<i64>]| rates[from..to].to_vec();
    let before = rates(&engine, Resolution::FiveMinutes, 1);
    assert_eq!(all(0, 2, &before), [Some(1_000); 2]);
    assert_eq!(all(2, 5, &before), [None; 3], "silence");
    assert_eq!(all(5, 7, &before), [Some(1_000); 2]);
    assert_eq!(all(8, 12, &before), [Some(500); 4], "no leap where the counter began anew");
    let reset = curves(&engine, (Of::Interfaces, Resolution::FiveMinutes), 1);
    let covered = |slot: usize| reset[0].points[slot].1.unwrap().covered_s;
    assert_eq!((covered(6), covered(7), covered(8)), (300, 240, 300));

    // What it had kept for later comes, in any order.
    for minute in (10..25).rev() {
        tell(&engine, &mut alpha, 76 * 60, &told(minute * 60)).await;
    }
    assert!(roll(&engine).await >= 1);
    let after = rates(&engine, Resolution::FiveMinutes, 1);
    assert_eq!(all(0, 7, &after), [Some(1_000); 7]);
    assert_eq!(all(8, 12, &after), all(8, 12, &before));
    assert_eq!(roll(&engine).await, 0);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_stay_until_they_are_rolled_up_and_rows_outlive_them() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let one = Limits { age: Some(2_400), bytes: None };
    let engine = Engine::start_keeping(&db, Keep { reports: one, ..keeping() });
    let mut alpha = engine.agent(ALPHA);
    minutes(&engine, &mut alpha, -10, 0).await;
    roll(&engine).await;
    minutes(&engine, &mut alpha, 0, 65).await;
    // The hour is over, but not yet rolled up: its reports stay beyond their age.
    engine.processor().run_chore(Chore::PruneReports).await;
    engine.processor().run_chore(Chore::PruneReports).await;
    assert!(number(&db, "SELECT count(*) FROM reports") >= 68);
    minutes(&engine, &mut alpha, 65, 130).await;
    for chore in Chore::ALL {
        engine.processor().run_chore(*chore).await;
    }
    assert!(number(&db, "SELECT count(*) FROM reports") < 80, "what is rolled up has gone");
    assert_eq!(rates(&engine, Resolution::FiveMinutes, 2), [Some(1_000); 24]);

    // A late report of an hour whose others are gone takes nothing away from it.
    let known = curves(&engine, (Of::Interfaces, Resolution::FiveMinutes), 1);
    tell(&engine, &mut alpha, 131 * 60, &told(20 * 60 + 7)).await;
    assert!(roll(&engine).await >= 1);
    assert_eq!(curves(&engine, (Of::Interfaces, Resolution::FiveMinutes), 1), known);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_leave_by_age_and_size_and_names_with_the_last_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let keep = Keep {
        slots: Limits { age: None, bytes: Some(10_000) },
        hours: Limits { age: Some(36 * 3_600), bytes: None },
        ..Keep::default()
    };
    let engine = Engine::start_keeping(&db, keep);
    let mut alpha = engine.agent(ALPHA);
    // Three days, a few reports in each hour; the rows of a day are larger than the limit.
    for hour in 0..72 {
        for n in 0..12 {
            let mut data = told(hour * 3_600 + n * 150);
            data["interfaces"][1]["name"] = json!(format!("wg{}", hour / 24));
            tell(&engine, &mut alpha, hour * 3_600 + n * 150, &data).await;
        }
        for chore in [Chore::RollUp, Chore::PruneSlots, Chore::PruneHours] {
            engine.processor().run_chore(chore).await;
        }
    }
    engine.stop().await;
    let bytes = number(&db, "SELECT sum(octet_length(slots) + 14) FROM metric_5m");
    assert!((8_000..=10_000).contains(&bytes), "{bytes}");
    let hours = number(&db, "SELECT count(*) FROM metric_1h");
    assert!((35..=37).contains(&hours), "{hours}");
    assert_eq!(number(&db, "SELECT count(*) FROM metric_names"), 2, "of the days that are left");
    assert_eq!(number(&db, "SELECT count(*) FROM metric_hours WHERE rows_5m + rows_1h = 0"), 0);
}

/// Numbers of an answer's points.
fn values(answer: &Value, series: usize, of: &str, which: &str) -> Vec<Option<f64>> {
    let points = answer["series"][series]["points"].as_array().unwrap();
    points.iter().map(|point| point[of][which].as_f64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_and_people_see_the_same_curves() {
    let kattila = TestManager::start_with(&[("KATTILA_REPORT_INTERVAL", "60")]).await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    for minute in 0..80 {
        let now = HOUR.plus(minute * 60);
        kattila.clock.set(now);
        alpha.report(&told(minute * 60)).await;
        beta.report(&Host::beta().with_peer(ALPHA_KEY, 1, now.0 - 7, 9).data()).await;
    }
    kattila.advance(0).await;
    let operator = kattila.operator();
    let jobs = operator.json("/api/v1/jobs").await;
    let roll_up = jobs.as_array().unwrap().iter().find(|job| job["name"] == "roll-up").unwrap();
    assert_eq!(roll_up["rows"], 2, "{roll_up}");

    let eth0 = format!("/api/v1/metrics?agent={ALPHA}&interface=eth0&from={HOUR}");
    let told = operator.json(&eth0).await;
    assert_eq!((&told["step"], &told["step_seconds"]), (&json!("raw"), &Value::Null));
    let told = operator.json(&format!("{eth0}&step=5m&to={}", HOUR.plus(3_600))).await;
    assert_eq!(told["why"], "it was asked for");
    assert_eq!(told["series"][0]["public_key"], Value::Null);
    assert_eq!(values(&told, 0, "rx_bytes_per_second", "avg"), [Some(1_000.0); 12]);
    assert_eq!(values(&told, 0, "rx_errors_per_second", "max"), [Some(0.0); 12]);
    assert_eq!(values(&told, 0, "tx_dropped_per_second", "max"), [None; 12], "not told");
    let hourly = operator.json(&format!("{eth0}&step=1h")).await;
    assert_eq!(values(&hourly, 0, "rx_bytes_per_second", "min"), [Some(1_000.0); 2]);

    let link = operator.topology().await["edges"][0]["id"].as_str().unwrap().to_owned();
    let of_link = format!("/api/v1/metrics?link={link}&step=5m&from={HOUR}");
    let told = operator.json(&of_link).await;
    assert_eq!(told["series"].as_array().unwrap().len(), 2, "both ends");
    for series in told["series"].as_array().unwrap() {
        let point = &series["points"][2];
        let wanted = if series["agent_id"] == ALPHA { 60 } else { 7 };
        assert_eq!(point["handshake_age_seconds"]["max"], wanted, "{point}");
    }
    let csv = operator.get(&format!("/api/v1/export/metrics.csv?link={link}&step=5m")).await;
    assert!(csv.text().starts_with("agent_id,interface,public_key,at,"), "{}", csv.text());
    assert!(csv.text().contains(&format!("{ALPHA},wg0,{BETA_KEY},{HOUR},5,300,100,100,100,")));

    for (query, status) in [
        ("", 400),
        ("link=0000000000000000", 404),
        ("agent=nobody", 404),
        (&format!("link={link}&agent={ALPHA}"), 400),
        (&format!("link={link}&interface=wg0"), 400),
        (&format!("agent={ALPHA}&step=2m"), 400),
        (&format!("agent={ALPHA}&step=raw&from=0"), 400),
        (&format!("agent={ALPHA}&step=1h&from=0"), 400),
        (&format!("agent={ALPHA}&from=9&to=8"), 400),
    ] {
        let answer = operator.get(&format!("/api/v1/metrics?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
    }
    kattila.stop().await;
}
