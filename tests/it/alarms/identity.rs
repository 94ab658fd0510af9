//! Alarms about who an agent is, over a whole manager.

use serde_json::json;

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, Host};
use crate::support::manager::{PSK, TestManager};

const NEWER: &str = "the key that is current nowadays";
const NEWEST: &str = "the key that will be used by all";

/// The open alarms that begin with this word.
async fn open(kattila: &TestManager, word: &str) -> Vec<String> {
    let mut alarms = kattila.operator().alarms().await;
    alarms.retain(|alarm| alarm.starts_with(word));
    alarms
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_an_old_key_is_told_of_before_a_rotation_locks_it_out() {
    let kattila = TestManager::start_with(&[("KATTILA_PSK", &format!("{NEWER},{PSK}"))]).await;
    let mut agent = kattila.agent(ALPHA);
    for _ in 0..120 {
        agent.report(&json!({})).await;
        kattila.advance(60).await;
    }
    assert!(
        open(&kattila, "key.").await.is_empty(),
        "for two polling periods it may not have asked yet"
    );
    agent.report(&json!({})).await;
    kattila.advance(60).await;
    assert_eq!(open(&kattila, "key.").await, [format!("key.old_in_use {ALPHA} active")]);
    let usage = kattila.operator().json("/api/v1/keys/usage").await;
    assert_eq!(usage["agents"][0]["generation"], "previous-1");
    let page = kattila.operator().get("/settings").await.text();
    for words in ["A key of the host's own", "The shared key before the current one, "] {
        let words = words.replace('\'', "&#39;");
        assert!(page.contains(&format!("<dt>{words}")), "{words}: {page}");
    }
    assert!(!page.contains("<dt>none"), "{page}");
    assert_eq!(usage["locked_out_by_rotation"], 0);

    let three = format!("{NEWEST},{NEWER},{PSK}");
    let kattila = kattila.restart_with(&[("KATTILA_PSK", &three)]).await;
    let mut agent = agent.moved(kattila.addr());
    for _ in 0..2 {
        agent.report(&json!({})).await;
        kattila.advance(60).await;
    }
    let alarms = kattila.operator().json("/status/alarms").await;
    let old = alarms.as_array().unwrap().iter().find(|alarm| alarm["kind"] == "key.old_in_use");
    assert_eq!(old.unwrap()["severity"], "major");
    let usage = kattila.operator().json("/api/v1/keys/usage").await;
    assert_eq!(
        (&usage["agents"][0]["generation"], &usage["locked_out_by_rotation"]),
        (&json!("previous-2"), &json!(1))
    );
    assert!(usage["agents"][0]["locked_out_by_rotation"] == true);
    let page = kattila.operator().get("/settings").await.text();
    assert!(page.contains("would lock out 1 agent"), "{page}");

    agent.psk = NEWEST.to_owned();
    agent.report(&json!({})).await;
    kattila.advance(60).await;
    assert!(open(&kattila, "key.").await.is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wireguard_key_on_two_hosts_that_report() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    let mut copy = Host::beta();
    copy.key = Some(ALPHA_KEY);
    let kind = "wg_key.duplicate";
    // The same host under a new name: the old name is not heard of again.
    alpha.report(&Host::alpha().data()).await;
    for _ in 0..3 {
        kattila.advance(30).await;
        beta.report(&copy.data()).await;
    }
    assert!(open(&kattila, kind).await.is_empty());
    // Both report.
    for _ in 0..2 {
        alpha.report(&Host::alpha().data()).await;
        kattila.advance(30).await;
        beta.report(&copy.data()).await;
    }
    assert_eq!(open(&kattila, kind).await, [format!("{kind} {ALPHA_KEY} active")]);
    let alarms = kattila.operator().json("/status/alarms").await;
    let alarm = alarms.as_array().unwrap().iter().find(|alarm| alarm["kind"] == kind).unwrap();
    assert_eq!(alarm["severity"], "critical");
    assert!(alarm["message"].as_str().unwrap().starts_with("alpha and beta use"));
    // One of them gets a key of its own.
    for _ in 0..3 {
        kattila.advance(30).await;
        beta.report(&Host::beta().data()).await;
        alpha.report(&Host::alpha().data()).await;
    }
    assert_eq!(open(&kattila, kind).await, [format!("{kind} {ALPHA_KEY} returned")]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_under_one_name() {
    let kattila = TestManager::start().await;
    let mut agent = kattila.agent(ALPHA);
    let kind = "identity.conflict";
    // A host that is started again and again is one host.
    for boot in 0..5 {
        agent.report(&json!({"boot_id": format!("boot-{boot}")})).await;
        kattila.advance(30).await;
    }
    assert!(open(&kattila, kind).await.is_empty());
    for boot in ["boot-4", "boot-x", "boot-4", "boot-x"] {
        agent.report(&json!({"boot_id": boot})).await;
        kattila.advance(15).await;
    }
    assert_eq!(open(&kattila, kind).await, [format!("{kind} {ALPHA} active")]);
    // Ten quiet minutes and a report, then it waits for somebody.
    for _ in 0..21 {
        kattila.advance(30).await;
        agent.report(&json!({"boot_id": "boot-x"})).await;
    }
    assert_eq!(open(&kattila, kind).await, [format!("{kind} {ALPHA} returned")]);
    kattila.stop().await;
}
