//! A report counts once, whoever sends it again, whenever, and whatever happened in between.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::http::{Answer, post_json};
use crate::support::manager::{START, TestManager};
use crate::support::rows::Rows;
use crate::support::seal::Seal;

const OLD: &str = "gw-1";
const NEW: &str = "0123456789abcdef0123456789abcdef";

/// The tick that an unspoiled [`Seal`] made at the start has.
const TICK: i64 = START.0 * 1000;

const DATA: &str = r#"{"hostname":"gw"}"#;

async fn start(more: &[(&str, &str)]) -> TestManager {
    let mut settings = vec![("KATTILA_RATE_AGENT", "off"), ("KATTILA_RATE_SOURCE", "off")];
    settings.extend_from_slice(more);
    TestManager::start_with(&settings).await
}

fn old(nonce: &str) -> Seal {
    Seal::new(OLD, nonce, START).data(DATA)
}

fn new(nonce: &str) -> Seal {
    Seal::new(NEW, nonce, START).data(DATA)
}

async fn post(kattila: &TestManager, body: &str) -> Answer {
    post_json(kattila.addr(), "/status/updates", &[], body.to_owned()).await
}

/// Sends what must be stored; answers its number.
async fn stored(kattila: &TestManager, body: &str) -> i64 {
    let answer = post(kattila, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["status"], "ok", "{}", answer.text());
    answer.json()["report_id"].as_i64().unwrap()
}

/// Sends what must be refused without a trace.
async fn refused(kattila: &TestManager, body: &str, expected: (u16, &str)) -> Value {
    let before = Rows::of(&kattila.db());
    let answer = post(kattila, body).await;
    assert_eq!((answer.status, answer.code().as_str()), expected, "{}", answer.text());
    let after = Rows::of(&kattila.db());
    assert!(before.changed(&after).is_empty(), "{:?}", before.changed(&after));
    answer.json()
}

/// Sends the bytes of a stored report of version 2 again.
async fn duplicate(kattila: &TestManager, body: &str, first: i64) {
    let before = Rows::of(&kattila.db());
    let answer = post(kattila, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (status, id) = (&answer.json()["status"], &answer.json()["report_id"]);
    assert_eq!((status, id), (&json!("duplicate"), &json!(first)));
    let after = Rows::of(&kattila.db());
    assert!(before.changed(&after).is_empty(), "{:?}", before.changed(&after));
}

const NONCE: (u16, &str) = (409, "nonce_replayed");
const TICKED: (u16, &str) = (409, "tick_replayed");

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_of_version_1_is_good_once() {
    let kattila = start(&[]).await;
    let body = old("once").v1();
    stored(&kattila, &body).await;
    kattila.advance(7).await;
    let told = refused(&kattila, &body, NONCE).await;
    assert_eq!(told["accepted_at"], START.0, "when the first one came, not when asked");
    // The time is not signed in version 1: moving it makes no new report of an old one.
    let later = old("once").at(START.0 + 300).v1();
    refused(&kattila, &later, NONCE).await;
    let kattila = kattila.restart().await;
    let told = refused(&kattila, &body, NONCE).await;
    assert_eq!(told["accepted_at"], START.0);
    refused(&kattila, &later, NONCE).await;
    assert_eq!(kattila.operator().alarms().await, [""; 0], "a retry is no attack");
    // The last second in which its time lets it pass, and the first in which it does not.
    kattila.clock.set(START.plus(600));
    refused(&kattila, &body, NONCE).await;
    kattila.clock.set(START.plus(601));
    refused(&kattila, &body, (403, "timestamp_skew")).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_ahead_of_time_is_remembered_until_its_time_has_passed() {
    let kattila = start(&[]).await;
    // The first at the earliest moment that its time allows, again at the latest.
    let (first, second) = (old("ahead").at(START.0 + 600).v1(), new("ahead").at(START.0 + 600));
    stored(&kattila, &first).await;
    let id = stored(&kattila, &second.v2()).await;
    kattila.clock.set(START.plus(1200));
    refused(&kattila, &first, NONCE).await;
    duplicate(&kattila, &second.v2(), id).await;
    let kattila = kattila.restart().await;
    refused(&kattila, &first, NONCE).await;
    duplicate(&kattila, &second.v2(), id).await;
    kattila.clock.set(START.plus(1201));
    refused(&kattila, &first, (403, "timestamp_skew")).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_reset_nor_forgetting_the_agent_frees_what_was_spent() {
    let kattila = start(&[]).await;
    let (first, second) = (old("spent").v1(), new("spent").v2());
    stored(&kattila, &first).await;
    let id = stored(&kattila, &second).await;
    for agent in [OLD, NEW] {
        kattila.admin().reset_agent(agent).await;
    }
    refused(&kattila, &first, NONCE).await;
    duplicate(&kattila, &second, id).await;

    for agent in [OLD, NEW] {
        let answer = kattila.admin().reset(&json!({ "agent_id": agent, "forget": true })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(kattila.operator().agents().await.len(), 0);
    refused(&kattila, &first, NONCE).await;
    duplicate(&kattila, &second, id).await;
    refused(&kattila, &new("other").v2(), TICKED).await;
    let kattila = kattila.restart().await;
    refused(&kattila, &first, NONCE).await;
    duplicate(&kattila, &second, id).await;
    refused(&kattila, &new("other").v2(), TICKED).await;
    assert_eq!(kattila.operator().agents().await.len(), 0, "a replay registers nobody");

    stored(&kattila, &old("fresh").v1()).await;
    stored(&kattila, &new("fresh").tick(TICK + 1).v2()).await;
    assert_eq!(kattila.operator().agents().await.len(), 2);
    refused(&kattila, &first, NONCE).await;
    duplicate(&kattila, &second, id).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_nonce_over_other_data_is_an_alarm() {
    let kattila = start(&[]).await;
    stored(&kattila, &old("reused").v1()).await;
    stored(&kattila, &new("reused").v2()).await;
    // Same data under a new tick: a bad source of random numbers, and no more than that.
    refused(&kattila, &new("reused").tick(TICK + 1).v2(), (422, "nonce_reused")).await;
    assert_eq!(kattila.operator().alarms().await, [""; 0]);

    let other = r#"{"hostname":"evil"}"#;
    let replay = |agent: &str| format!("ingest.replay {agent} active");
    let answer = post(&kattila, &old("reused").data(other).v1()).await;
    assert_eq!((answer.status, answer.code().as_str()), NONCE);
    assert_eq!(kattila.operator().alarms().await, [replay(OLD)]);
    let answer = post(&kattila, &new("reused").tick(TICK + 1).data(other).v2()).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "nonce_reused"));
    assert_eq!(kattila.operator().alarms().await, [replay(NEW), replay(OLD)]);
    let rows = Rows::of(&kattila.db());
    assert_eq!(rows.count("reports"), 2, "the alarm is kept, the report is not");
    assert!(rows.table("agents").iter().all(|row| !row.contains("evil")));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_tick_and_nonce_over_other_data_is_an_alarm() {
    let kattila = start(&[]).await;
    stored(&kattila, &new("copied").v2()).await;
    // Another nonce: two processes of one host, or a clock set back.
    refused(&kattila, &new("another").data("{}").v2(), TICKED).await;
    assert_eq!(kattila.operator().alarms().await, [""; 0]);
    let answer = post(&kattila, &new("copied").data("{}").v2()).await;
    assert_eq!((answer.status, answer.code().as_str()), TICKED);
    assert_eq!(kattila.operator().alarms().await, [format!("ingest.replay {NEW} active")]);
    assert_eq!(Rows::of(&kattila.db()).count("reports"), 1);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_of_version_2_get_the_first_answer_for_twenty_minutes() {
    let kattila = start(&[("KATTILA_MAX_SKEW", "3600")]).await;
    let body = new("lost").v2();
    let id = stored(&kattila, &body).await;
    stored(&kattila, &new("next").tick(TICK + 1).v2()).await;
    duplicate(&kattila, &body, id).await;
    let kattila = kattila.restart().await;
    duplicate(&kattila, &body, id).await;
    // The same report in the other form is the same report: what is signed is the same.
    duplicate(&kattila, &new("lost").v2_base64(), id).await;
    kattila.clock.set(START.plus(1200));
    duplicate(&kattila, &body, id).await;
    kattila.clock.set(START.plus(1201));
    refused(&kattila, &body, TICKED).await;
    let kattila = kattila.restart().await;
    refused(&kattila, &body, TICKED).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_no_sign_of_life() {
    let kattila = start(&[]).await;
    let body = new("alive").v2();
    let id = stored(&kattila, &body).await;
    kattila.advance(200).await;
    let silent = kattila.operator().agents().await;
    assert_eq!(silent[0]["status"], "offline");
    let alarms = kattila.operator().alarms().await;
    assert_eq!(alarms.len(), 2, "{alarms:?}");
    duplicate(&kattila, &body, id).await;
    kattila.advance(1).await;
    assert_eq!(kattila.operator().agents().await, silent);
    assert_eq!(kattila.operator().alarms().await, alarms);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticks_may_overtake_each_other_within_a_window_and_count_once() {
    let kattila = start(&[]).await;
    let report = |tick: i64| new(&format!("tick{tick}")).tick(TICK + tick).v2();
    let mut ids = BTreeMap::new();
    for tick in [0, 50, 10, 127, 1, 126, 60] {
        ids.insert(tick, stored(&kattila, &report(tick)).await);
    }
    for (tick, id) in &ids {
        duplicate(&kattila, &report(*tick), *id).await;
        refused(&kattila, &new("other").tick(TICK + tick).v2(), TICKED).await;
    }
    let kattila = kattila.restart().await;
    for (tick, id) in &ids {
        duplicate(&kattila, &report(*tick), *id).await;
        refused(&kattila, &new("other").tick(TICK + tick).v2(), TICKED).await;
    }
    // 128 ticks below the highest one nothing is known, and nothing is believed.
    stored(&kattila, &report(128 + 20)).await;
    refused(&kattila, &report(20), TICKED).await;
    refused(&kattila, &report(-5), TICKED).await;
    stored(&kattila, &report(21)).await;
    duplicate(&kattila, &report(10), ids[&10]).await;
    let agent = &kattila.operator().agents().await[0];
    assert_eq!(agent["last_tick"], TICK + 148);
    assert_eq!(Rows::of(&kattila.db()).count("reports"), 9);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_at_the_same_moment_are_stored_once() {
    let kattila = start(&[]).await;
    let addr = kattila.addr();
    // The first round registers the agent, the second finds it known.
    for round in 0..2_i64 {
        for (body, again) in [
            (old(&format!("race-{round}")).v1(), None),
            (new(&format!("race-{round}")).tick(TICK + round).v2(), Some("duplicate")),
        ] {
            let mut posts = tokio::task::JoinSet::new();
            for _ in 0..24 {
                let body = body.clone();
                posts.spawn(async move { post_json(addr, "/status/updates", &[], body).await });
            }
            let mut answers: BTreeMap<String, usize> = BTreeMap::new();
            let mut ids: Vec<i64> = Vec::new();
            for answer in posts.join_all().await {
                let body = answer.json();
                let word = if answer.status == 200 { &body["status"] } else { &body["code"] };
                *answers.entry(word.as_str().unwrap().to_owned()).or_default() += 1;
                ids.extend(body["report_id"].as_i64());
            }
            ids.dedup();
            assert_eq!(ids.len(), 1, "one report: {ids:?}");
            let again = again.unwrap_or("nonce_replayed").to_owned();
            assert_eq!(answers, BTreeMap::from([("ok".to_owned(), 1), (again, 23)]));
        }
    }
    let rows = Rows::of(&kattila.db());
    assert_eq!((rows.count("reports"), rows.count("agents")), (4, 2));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_nonces_pushes_none_out() {
    // Fewer than the protocol's 120 is not possible.
    let kattila = start(&[("KATTILA_NONCE_WINDOW", "120")]).await;
    let flood = |n: usize| old(&format!("flood-{n}")).v1();
    for n in 0..120 {
        stored(&kattila, &flood(n)).await;
    }
    let full = (429, "rate_limited");
    refused(&kattila, &flood(120), full).await;
    refused(&kattila, &flood(0), NONCE).await;
    let kattila = kattila.restart().await;
    refused(&kattila, &flood(120), full).await;
    refused(&kattila, &flood(0), NONCE).await;
    // Another agent has a window of its own; version 2 is held by its ticks.
    stored(&kattila, &Seal::new("gw-2", "flood-0", START).v1()).await;
    for n in 0..130 {
        stored(&kattila, &new(&format!("flood-{n}")).tick(TICK + n).v2()).await;
    }
    duplicate(&kattila, &new("flood-129").tick(TICK + 129).v2(), 251).await;
    // Nonces leave when their time no longer lets them pass.
    kattila.clock.set(START.plus(601));
    let later = |n: usize| old(&format!("flood-{n}")).at(START.0 + 601).v1();
    stored(&kattila, &later(120)).await;
    refused(&kattila, &later(120), NONCE).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_and_forth_forgets_nothing() {
    let day = 86_400;
    let kattila = start(&[]).await;
    let (today, today2) = (old("today").v1(), new("today").v2());
    stored(&kattila, &today).await;
    let id = stored(&kattila, &today2).await;

    kattila.clock.set(START.plus(day));
    refused(&kattila, &today, (403, "timestamp_skew")).await;
    let tomorrow = old("tomorrow").at(START.0 + day).v1();
    let tomorrow2 = new("tomorrow").at(START.0 + day).tick(TICK + day * 1000).v2();
    stored(&kattila, &tomorrow).await;
    let id2 = stored(&kattila, &tomorrow2).await;

    kattila.clock.set(START.plus(5));
    refused(&kattila, &today, NONCE).await;
    duplicate(&kattila, &today2, id).await;
    refused(&kattila, &tomorrow, (403, "timestamp_skew")).await;
    let kattila = kattila.restart().await;
    refused(&kattila, &today, NONCE).await;
    duplicate(&kattila, &today2, id).await;
    stored(&kattila, &old("still today").v1()).await;

    kattila.clock.set(START.plus(day + 5));
    refused(&kattila, &tomorrow, NONCE).await;
    duplicate(&kattila, &tomorrow2, id2).await;
    let kattila = kattila.restart().await;
    refused(&kattila, &tomorrow, NONCE).await;
    duplicate(&kattila, &tomorrow2, id2).await;
    kattila.clock.set(START.plus(9));
    refused(&kattila, &today, NONCE).await;
    refused(&kattila, &old("still today").v1(), NONCE).await;
    assert_eq!(Rows::of(&kattila.db()).count("reports"), 5);
    kattila.stop().await;
}
