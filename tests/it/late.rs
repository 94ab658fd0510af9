//! Reports that arrive after their time: kept as proof, counted as a sign of life, and never
//! taken for the present.

use serde_json::{Value, json};

use crate::support::manager::START;
use crate::support::network::Network;

/// What the manager holds for the present state of alpha: everything that a report may change
/// except the time it was last heard.
async fn present(net: &Network) -> Value {
    let operator = net.kattila.operator();
    let id = &net.agents[0].id;
    let mut agent = operator.json(&format!("/api/v1/agents/{id}")).await;
    for moving in ["last_seen_at", "last_tick", "kid"] {
        agent.as_object_mut().unwrap().remove(moving);
    }
    let mut map = operator.topology().await;
    for moving in ["seq", "epoch", "generated_at"] {
        map.as_object_mut().unwrap().remove(moving);
    }
    for node in map["nodes"].as_array_mut().unwrap() {
        node.as_object_mut().unwrap().remove("seen_at");
    }
    json!([agent, map["nodes"], map["edges"]])
}

/// What alpha saw so many seconds ago, when nearly everything was different.
fn history(net: &Network, ago: i64) -> Value {
    let mut data = net.data(0);
    data["collected_at"] = json!(net.now() - ago);
    data["hostname"] = json!("alpha-of-old");
    data["boot_id"] = json!("boot-alpha-0");
    data["uptime_seconds"] = json!(7);
    data["labels"] = json!({ "site": "elsewhere" });
    data["interfaces"][0]["state"] = json!("down");
    data["interfaces"][1]["addresses"] = json!(["10.99.0.1/24"]);
    data["routes"] = json!([]);
    data["wg_peers"] = json!([]);
    data
}

/// The kind of an event, which must be marked as learnt later and be about the agent's own
/// sections: no alarm, no status, no link of which the present had spoken.
fn told_later(event: &Value) -> String {
    assert_eq!(event["cause"], "learnt later", "{event}");
    assert!(event["at"].as_i64() < event["recorded_at"].as_i64(), "{event}");
    let kind = event["kind"].as_str().unwrap();
    let own = ["interface.", "address.", "route.", "peer."];
    assert!(own.iter().any(|start| kind.starts_with(start)), "{event}");
    kind.to_owned()
}

async fn stored(net: &Network) -> usize {
    let reports = net.kattila.operator().json("/api/v1/reports?limit=500").await;
    reports.as_array().or_else(|| reports["reports"].as_array()).unwrap().len()
}

async fn last_seen(net: &Network) -> Value {
    net.kattila.operator().agents().await[0]["last_seen_at"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn newest_first_then_history_with_a_restart_in_between() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(3).await;
    let (before, count) = (present(&net).await, stored(&net).await);
    let events = net.kattila.operator().events().await.len();
    // From just behind the newest report, over the limit of what is late by itself, to hours.
    for (n, ago) in [(1, 20), (2, 31), (3, 90), (4, 101), (5, 3_600), (6, 86_400)] {
        net.kattila.advance(1).await;
        let late = history(&net, ago);
        net.agents[0].report(&late).await;
        net.kattila.advance(0).await;
        assert_eq!(present(&net).await, before, "{ago} s old");
        assert_eq!(stored(&net).await, count + n, "kept as proof");
        assert_eq!(last_seen(&net).await, net.now(), "a sign of life");
        assert!(net.alarms().await.is_empty());
        if n % 2 == 0 {
            net = net.restarted().await;
            let again = present(&net).await;
            assert_eq!(again[0]["interfaces"], before[0]["interfaces"]);
        }
    }
    let path = "/api/v1/events?after=0&limit=1000";
    let all = net.kattila.operator().json(path).await;
    let new = &all.as_array().unwrap()[events..];
    let of_reports = new.iter().filter(|event| !event["report_id"].is_null());
    let mut kinds: Vec<_> = of_reports.map(told_later).collect();
    kinds.dedup();
    let there = ["address.removed", "interface.changed", "route.removed", "peer.removed"];
    assert!(there.iter().all(|kind| kinds.iter().any(|told| told == kind)), "{kinds:?}");
    let page = net.kattila.operator().get("/events").await.text();
    assert!(page.contains("Learnt later</span>"), "said in words");
    net.round().await;
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_overtaken_on_its_way_does_not_undo_the_newer_one() {
    for restart in [false, true] {
        let mut net = Network::start(1, &[]).await;
        net.round().await;
        let mut old = net.data(0);
        old["hostname"] = json!("alpha-of-old");
        let slow = net.agents[0].seal_v2(&old.to_string());
        let new = net.data(0);
        net.agents[0].report(&new).await;
        net.kattila.advance(0).await;
        let before = present(&net).await;
        if restart {
            net = net.restarted().await;
        }
        assert_eq!(net.agents[0].send(&slow).await.status, 200);
        net.kattila.advance(0).await;
        assert_eq!(present(&net).await, before, "restart: {restart}");
        assert_eq!(stored(&net).await, 3);
        net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_alone_shows_that_a_host_lives() {
    let mut net = Network::start(1, &[]).await;
    net.rounds(6).await;
    net.kattila.advance(300).await;
    let down = ["agent.offline alpha major active", "agent.stale alpha warning active"];
    assert_eq!(net.alarms().await, down);
    for expected in [vec!["agent.offline alpha major active".to_owned()], Vec::new()] {
        net.kattila.advance(1).await;
        let late = history(&net, 200);
        net.agents[0].report(&late).await;
        assert_eq!(net.alarms().await, expected);
    }
    let agents = net.kattila.operator().agents().await;
    assert_eq!((&agents[0]["status"], &agents[0]["hostname"]), (&json!("online"), &json!("alpha")));
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_set_back_is_not_history() {
    let mut net = Network::start(1, &[]).await;
    net.kattila.clock.set(START.plus(400));
    net.round().await;
    // Its clock was 400 s ahead and is right again; the manager's is what it was.
    let ahead = kattila::clock::Clock::manual(net.kattila.clock.now().plus(400));
    let mut host =
        crate::support::actors::Agent::new("b0070000000000b007", net.kattila.addr(), ahead.clone());
    host.report(&json!({ "hostname": "ahead" })).await;
    ahead.set(net.kattila.clock.now());
    for name in ["right", "right-again"] {
        host.report(&json!({ "hostname": name })).await;
        let agent = net.kattila.operator().json("/api/v1/agents/b0070000000000b007").await;
        assert_eq!(agent["hostname"], name);
    }
    net.kattila.stop().await;
}
