//! Recorded version 1 reports, sent again: what a thief of one report can and cannot do.

use serde_json::{Value, json};

use crate::support::actors::Agent;
use crate::support::fleet::Host;
use crate::support::http::Answer;
use crate::support::manager::{START, TestManager};

const GW: &str = "gw-1";

/// A report without a time inside, different from every other of this host.
fn untimed(number: u64) -> Value {
    json!({ "hostname": "alpha", "fleet_id": "fleet-a", "uptime_seconds": 1000 + number })
}

/// Reports so often, a second apart.
async fn habit(kattila: &TestManager, agent: &mut Agent, count: u64) {
    for number in 0..count {
        kattila.advance(1).await;
        agent.report_v1(&untimed(number)).await;
    }
}

/// Sends data under a new nonce, as somebody does who recorded it.
async fn again(agent: &mut Agent, data: &str) -> Answer {
    let envelope = agent.seal_v1(data);
    agent.send(&envelope).await
}

fn suspect(id: &str) -> Vec<String> {
    vec![format!("ingest.replay_suspect {id} active")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_again_is_taken_and_told() {
    let kattila = TestManager::start().await;
    let mut gw = kattila.agent(GW);
    habit(&kattila, &mut gw, 12).await;
    assert!(kattila.operator().alarms().await.is_empty());
    // Not among the last ten: only the table remembers it.
    let answer = again(&mut gw, &untimed(0).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(kattila.operator().alarms().await, suspect(GW));
    let alarms = kattila.operator().json("/status/alarms").await;
    assert!(alarms[0]["message"].as_str().unwrap().contains("data again"), "{alarms}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_no_body() {
    let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", "refuse")]).await;
    let mut gw = kattila.agent(GW);
    habit(&kattila, &mut gw, 12).await;
    let kattila = kattila.restart().await;
    let mut gw = gw.moved(kattila.addr());
    let answer = again(&mut gw, &untimed(3).to_string()).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "nonce_replayed"));
    assert_eq!(answer.json()["accepted_at"], START.0 + 4);
    assert_eq!(kattila.operator().alarms().await, suspect(GW));
    // Refused means not stored, and the host's own next report is welcome.
    let next = gw.report_v1(&untimed(50)).await.json();
    assert_eq!(next["report_id"], 13, "{next}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_spaces_make_no_new_body() {
    let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", "refuse")]).await;
    let mut gw = kattila.agent(GW);
    habit(&kattila, &mut gw, 12).await;
    let recorded = untimed(2).to_string();
    let spaced = recorded.replace(',', " ,  ");
    let envelope = gw.seal_v1(&recorded).replace(&recorded, &spaced);
    let answer = gw.send(&envelope).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "nonce_replayed"));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_repeats_itself_is_left_alone() {
    let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", "refuse")]).await;
    let mut gw = kattila.agent(GW);
    for number in 0..40 {
        kattila.advance(1).await;
        gw.report_v1(&untimed(number % 7)).await;
    }
    // A day later even the body of a host that never repeats is forgotten.
    let mut other = kattila.agent("gw-2");
    habit(&kattila, &mut other, 12).await;
    kattila.advance(86_400).await;
    other.report_v1(&untimed(0)).await;
    let alarms = kattila.operator().alarms().await;
    assert!(!alarms.iter().any(|alarm| alarm.contains("replay")), "{alarms:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_does_not_look() {
    let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", "off")]).await;
    let mut gw = kattila.agent(GW);
    habit(&kattila, &mut gw, 12).await;
    assert_eq!(again(&mut gw, &untimed(11).to_string()).await.status, 200);
    assert!(kattila.operator().alarms().await.is_empty());
    kattila.stop().await;
}

/// A report with the time of its collection inside.
fn timed(kattila: &TestManager, number: u64) -> Value {
    let mut data = untimed(number);
    data["collected_at"] = json!(kattila.clock.now());
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_time_that_followed_the_clock_must_go_on_to() {
    for (mode, status) in [("alarm", 200), ("refuse", 403)] {
        let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", mode)]).await;
        let mut gw = kattila.agent(GW);
        let recorded = timed(&kattila, 0);
        gw.report_v1(&recorded).await;
        for number in 1..12 {
            kattila.advance(70).await;
            gw.report_v1(&timed(&kattila, number)).await;
        }
        // Recorded 770 s ago: too old by its own, signed, time.
        let answer = again(&mut gw, &recorded.to_string()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if mode == "refuse" {
            assert_eq!(answer.code(), "timestamp_skew");
            assert_eq!(answer.json()["max_skew"], 600);
        }
        assert_eq!(kattila.operator().alarms().await, suspect(GW), "{mode}");
        kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timed_body_within_the_limit_is_known_again() {
    let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", "refuse")]).await;
    let mut gw = kattila.agent(GW);
    let mut recorded = Vec::new();
    for number in 0..12 {
        kattila.advance(30).await;
        recorded.push(timed(&kattila, number));
        gw.report_v1(&recorded[recorded.len() - 1]).await;
    }
    for data in [&recorded[1], &recorded[11]] {
        let answer = again(&mut gw, &data.to_string()).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "nonce_replayed"), "{data}");
    }
    // Delivered out of order for the first time: late, not recorded.
    let mut late = timed(&kattila, 99);
    late["collected_at"] = json!(kattila.clock.now().0 - 45);
    gw.report_v1(&late).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_under_another_agents_id() {
    let kattila = TestManager::start().await;
    let (mut gw, mut other) = (kattila.agent(GW), kattila.agent("gw-2"));
    let mut named = Host::alpha().data();
    named["fleet_id"] = json!("fleet-a");
    let mut beta = Host { boot_id: Host::alpha().boot_id, ..Host::beta() }.data();
    beta["fleet_id"] = json!("fleet-a");
    gw.report_v1(&named).await;
    other.report_v1(&beta).await;
    assert!(kattila.operator().alarms().await.is_empty());

    other.report_v1(&named).await;
    assert_eq!(kattila.operator().alarms().await, suspect("gw-2"));
    let alarms = kattila.operator().json("/status/alarms").await;
    let message = alarms[0]["message"].as_str().unwrap();
    assert!(message.contains("gw-2 was host beta") && message.contains("gw-1"), "{message}");

    named["agent_id"] = json!(GW);
    let answer = again(&mut other, &named.to_string()).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "data_invalid"));
    gw.report_v1(&named).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_may_say_the_same_for_ever() {
    let kattila = TestManager::start_with(&[("KATTILA_V1_BODY_DEDUP", "refuse")]).await;
    let mut agent = kattila.agent("a1fa000000000000000000000000a1fa");
    for number in 0..12 {
        kattila.advance(1).await;
        agent.report(&untimed(number)).await;
    }
    agent.report(&untimed(0)).await;
    assert!(kattila.operator().alarms().await.is_empty());
    kattila.stop().await;
}
