//! Alarms about reports that come through other agents, over a whole manager.

use serde_json::{Value, json};

use crate::support::manager::TestManager;
use crate::support::own::{Layer, Own, outcome};

/// A manager past its first minutes that knows these hosts by their keys.
async fn with(hosts: u8) -> (TestManager, Vec<Own>) {
    let kattila = TestManager::start().await;
    let mut all = Vec::new();
    for seed in 1..=hosts {
        let mut host = Own::new(&kattila, seed);
        assert_eq!(outcome(&host.register().await), (201, "enrolled".to_owned()));
        all.push(host);
    }
    kattila.advance(180).await;
    (kattila, all)
}

/// Names its host `host-SEED`.
fn seal(hosts: &mut [Own], which: usize) -> String {
    hosts[which].seal(&json!({ "hostname": format!("host-{which}") }).to_string())
}

/// One host reports straight.
async fn straight(hosts: &mut [Own], which: usize) {
    let body = seal(hosts, which);
    assert_eq!(outcome(&hosts[which].send(&body).await), (200, "ok".to_owned()));
}

/// One host reports through another.
async fn through(hosts: &mut [Own], which: usize, relay: usize) {
    let body = seal(hosts, which);
    let body = hosts[relay].relay(&body);
    assert_eq!(outcome(&hosts[relay].send(&body).await), (200, "ok".to_owned()));
}

/// The open alarms about relays and silence, ids replaced by the hosts' places.
async fn alarms(kattila: &TestManager, hosts: &[Own]) -> Vec<String> {
    let mut alarms = kattila.operator().alarms().await;
    alarms.retain(|alarm| alarm.starts_with("relay.") || alarm.starts_with("agent."));
    alarms.retain(|alarm| !alarm.starts_with("agent.stale"));
    for alarm in &mut alarms {
        for (place, host) in hosts.iter().enumerate() {
            *alarm = alarm.replace(&host.id, &place.to_string());
        }
    }
    alarms.sort();
    alarms
}

async fn message(kattila: &TestManager, kind: &str) -> String {
    let alarms = kattila.operator().json("/status/alarms").await;
    let found = alarms.as_array().unwrap().iter().find(|alarm| alarm["kind"] == kind);
    found.unwrap()["message"].as_str().unwrap().to_owned()
}

async fn events(kattila: &TestManager, kind: &str) -> Vec<(Value, Value, Value)> {
    let events = kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
    let of_kind = events.as_array().unwrap().iter().filter(|event| event["kind"] == kind);
    of_kind.map(|e| (e["before"].clone(), e["after"].clone(), e["cause"].clone())).collect()
}

fn moved(kattila: &TestManager, hosts: Vec<Own>) -> Vec<Own> {
    hosts.into_iter().map(|host| host.at(kattila)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_lost_its_straight_way() {
    let (kattila, mut hosts) = with(2).await;
    straight(&mut hosts, 1).await;
    straight(&mut hosts, 0).await;
    for _ in 0..2 {
        kattila.advance(30).await;
        through(&mut hosts, 0, 1).await;
    }
    assert!(alarms(&kattila, &hosts).await.is_empty());
    // What was counted is counted.
    let kattila = kattila.restart().await;
    let mut hosts = moved(&kattila, hosts);
    through(&mut hosts, 0, 1).await;
    assert_eq!(alarms(&kattila, &hosts).await, ["agent.relay_only 0 active"]);
    let told = message(&kattila, "agent.relay_only").await;
    assert!(told.starts_with("host-0 reaches the manager only through host-1:"), "{told}");
    straight(&mut hosts, 0).await;
    assert!(alarms(&kattila, &hosts).await.is_empty());

    let direct = json!({"relay_path": [], "relay_proof": null});
    let relayed = json!({"relay_path": [hosts[1].id], "relay_proof": "proven"});
    let changes = [(direct.clone(), relayed.clone(), json!(null)), (relayed, direct, json!(null))];
    assert_eq!(events(&kattila, "agent.relay_path").await, changes);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_version_1_counts_like_a_signature() {
    let kattila = TestManager::start().await;
    let mut old = kattila.agent("gw-1");
    for _ in 0..3 {
        let body = old.seal_v1("{}");
        let body = body.replace("\"data\":", "\"relay_path\":[\"r1\"],\"data\":");
        assert_eq!(old.send(&body).await.status, 200);
    }
    assert_eq!(kattila.operator().alarms().await, ["agent.relay_only gw-1 active"]);
    let agent = kattila.operator().json("/api/v1/agents/gw-1").await;
    assert_eq!((&agent["relay_path"], &agent["relay_proof"]), (&json!(["r1"]), &json!("claimed")));
    let report = kattila.operator().json("/api/v1/reports/1").await;
    assert_eq!(report["relay_proof"], "claimed");
    let page = kattila.operator().get("/reports").await.text();
    assert!(page.contains("r1</a> (claimed)"), "{page}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_relay_is_one_alarm_and_not_one_for_each_agent_behind_it() {
    let (kattila, mut hosts) = with(4).await;
    straight(&mut hosts, 3).await;
    for which in [0, 1, 2] {
        through(&mut hosts, which, 3).await;
    }
    // One comes back straight in time: the relay is to blame for the others only.
    kattila.advance(30).await;
    straight(&mut hosts, 2).await;
    let mut seen = Vec::new();
    for _ in 0..8 {
        kattila.advance(30).await;
        straight(&mut hosts, 2).await;
        straight(&mut hosts, 3).await;
        seen.push(alarms(&kattila, &hosts).await);
    }
    assert!(seen[1].is_empty(), "90 s are not late");
    assert!(seen[2..].iter().all(|now| now == &["relay.dead 3 active"]), "{seen:?}");
    let told = message(&kattila, "relay.dead").await;
    assert!(told.starts_with("host-3 passes nothing on: 2 agents"), "{told}");
    assert!(told.contains("its own reports still come"), "{told}");
    let status = |id: &str| format!("/api/v1/agents/{id}");
    let behind = kattila.operator().json(&status(&hosts[0].id)).await;
    assert_eq!(behind["status"], "offline", "its state is told all the same");

    let kattila = kattila.restart().await;
    let mut hosts = moved(&kattila, hosts);
    for _ in 0..8 {
        kattila.advance(30).await;
        straight(&mut hosts, 2).await;
        straight(&mut hosts, 3).await;
        assert_eq!(alarms(&kattila, &hosts).await, ["relay.dead 3 active"]);
    }
    // Any report through it ends it; who is still silent gets an alarm of its own.
    through(&mut hosts, 2, 3).await;
    assert!(alarms(&kattila, &hosts).await.is_empty());
    kattila.advance(1).await;
    let own = ["agent.offline 0 active", "agent.offline 1 active"];
    assert_eq!(alarms(&kattila, &hosts).await, own);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_behind_a_relay_that_reports_has_stopped_by_itself() {
    let (kattila, mut hosts) = with(2).await;
    straight(&mut hosts, 1).await;
    through(&mut hosts, 0, 1).await;
    for _ in 0..7 {
        kattila.advance(30).await;
        straight(&mut hosts, 1).await;
    }
    assert_eq!(alarms(&kattila, &hosts).await, ["agent.offline 0 active"]);
    through(&mut hosts, 0, 1).await;
    through(&mut hosts, 0, 1).await;
    // With the relay silent as well it is the relay.
    for _ in 0..7 {
        kattila.advance(30).await;
    }
    assert_eq!(
        alarms(&kattila, &hosts).await,
        ["agent.offline 1 active", "agent.relay_only 0 active", "relay.dead 1 active"]
    );
    // Who was taken out of service is not to blame any more.
    let revoke = format!("/api/v1/agents/{}/revoke", hosts[1].id);
    assert_eq!(kattila.operator().post(&revoke, &json!({})).await.status, 200);
    kattila.advance(1).await;
    let own = ["agent.offline 0 active", "agent.relay_only 0 active"];
    assert_eq!(alarms(&kattila, &hosts).await, own);
    let again = revoke.replace("revoke", "approve");
    assert_eq!(kattila.operator().post(&again, &json!({})).await.status, 200);
    kattila.advance(1).await;
    // Nobody is behind it any more.
    straight(&mut hosts, 0).await;
    straight(&mut hosts, 0).await;
    kattila.advance(1).await;
    assert_eq!(alarms(&kattila, &hosts).await, ["agent.offline 1 active"]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_break_the_rules() {
    let (kattila, mut hosts) = with(5).await;
    let good = seal(&mut hosts, 0);
    // What a relay may not do, and what is inside a sound path, say nothing of its chain.
    let mut stranger = Own::new(&kattila, 9);
    let forged = stranger.seal("{}");
    let other = hosts[1].relay(&forged);
    assert_eq!(outcome(&hosts[1].send(&other).await).0, 401);
    let fleet = Layer { fleet: "fleet-b".to_owned(), ..hosts[1].layer(&good) };
    let other = hosts[1].wrap(&fleet, &good);
    assert_eq!(outcome(&hosts[1].send(&other).await).0, 403);
    kattila.advance(1).await;
    assert!(alarms(&kattila, &hosts).await.is_empty());

    let once = hosts[1].relay(&good);
    let twice = hosts[1].relay(&once);
    assert_eq!(outcome(&hosts[1].send(&twice).await), (422, "relay_loop".to_owned()));
    // Another relay's signature, further in, does not hold: who passed it on is told of.
    let unknown = stranger.relay(&good);
    let around = hosts[2].relay(&unknown);
    assert_eq!(outcome(&hosts[2].send(&around).await).0, 401);
    let mut deep = good.clone();
    for relay in &mut hosts[1..5] {
        deep = relay.relay(&deep);
    }
    assert_eq!(outcome(&hosts[4].send(&deep).await), (422, "relay_too_deep".to_owned()));
    kattila.advance(1).await;
    let open = |state: &str| [1, 2, 4].map(|host| format!("relay.chain_bad {host} {state}"));
    assert_eq!(alarms(&kattila, &hosts).await, open("active"));
    let told = message(&kattila, "relay.chain_bad").await;
    assert!(told.contains("passed on a report whose path breaks the rules"), "{told}");

    // The half hour is the alarm's own and outlives a restart.
    kattila.advance(1_000).await;
    let kattila = kattila.restart().await;
    kattila.advance(799).await;
    assert_eq!(alarms(&kattila, &hosts).await, open("active"));
    kattila.advance(1).await;
    assert_eq!(alarms(&kattila, &hosts).await, open("returned"));
    kattila.stop().await;
}
