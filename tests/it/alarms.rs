//! Alarms through the whole manager: raised after their delay, told once, ended by proof.

mod again;
mod aside;
mod chosen;
mod identity;
mod maintenance;
mod page;
mod people;
mod relays;
mod restart;
mod thresholds;
mod tuned;

use serde_json::json;

use crate::support::actors::Agent;
use crate::support::fleet::{ALPHA, STRANGER_KEY};
use crate::support::manager::{START, TestManager};
use crate::support::network::{DELTA_KEY, Network};
use kattila::clock::Clock;
use kattila::model::time::UnixSeconds;

/// Rounds after which the manager no longer is too young to blame anybody (180 s).
const GRACE: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_agent_is_late_then_down_and_back_after_two_reports() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.roles.insert(1, "gateway");
    net.rounds(GRACE).await;
    net.kattila.advance(100).await;
    assert!(net.alarms().await.is_empty());
    net.kattila.advance(1).await;
    let stale = ["agent.stale alpha warning active", "agent.stale beta warning active"];
    assert_eq!(net.alarms().await, stale);
    net.kattila.advance(78).await;
    assert_eq!(net.alarms().await, stale);
    net.kattila.advance(1).await;
    let down = [
        "agent.offline alpha major active",
        "agent.offline beta critical active",
        "agent.stale alpha warning active",
        "agent.stale beta warning active",
    ];
    assert_eq!(net.alarms().await, down);
    let edge = net.edge("alpha-beta").await;
    assert_eq!(edge["state"], "unknown", "{edge}");

    net.silent.insert(0);
    net.round().await;
    let half = [
        "agent.offline alpha major active",
        "agent.offline beta critical active",
        "agent.stale alpha warning active",
    ];
    assert_eq!(net.alarms().await, half, "late no more, and down until a second report");
    net.round().await;
    assert_eq!(net.alarms().await, [half[0], half[2]]);
    net.silent.clear();
    net.rounds(2).await;
    assert!(net.alarms().await.is_empty());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_just_started_blames_nobody() {
    let mut net = Network::start(1, &[]).await;
    let data = net.data(0);
    net.agents[0].report(&data).await;
    net.kattila.advance(179).await;
    assert!(net.alarms().await.is_empty());
    net.kattila.advance(1).await;
    let down = ["agent.offline alpha major active", "agent.stale alpha warning active"];
    assert_eq!(net.alarms().await, down);
    let agents = net.kattila.operator().agents().await;
    assert_eq!(agents[0]["status"], "offline");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_is_told_and_three_within_the_hour_are_a_warning() {
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    net.hosts[0].boot_id = "boot-alpha-2";
    net.round().await;
    assert_eq!(net.alarms().await, ["agent.rebooted alpha info active"]);
    net.hosts[0].boot_id = "boot-alpha-3";
    net.round().await;
    assert_eq!(net.alarms().await, ["agent.rebooted alpha info active"]);
    net.hosts[0].boot_id = "boot-alpha-4";
    net.round().await;
    assert_eq!(net.alarms().await, ["agent.rebooted alpha warning active"]);
    net.rounds(119).await;
    assert_eq!(net.alarms().await, ["agent.rebooted alpha warning active"]);
    net.round().await;
    assert!(net.alarms().await.is_empty(), "an hour without a boot, and a report to prove it");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_is_down_or_gone_after_two_reports() {
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    net.hosts[0].eth0_up = false;
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.round().await;
    assert_eq!(net.alarms().await, ["iface.down alpha/eth0 major active"]);
    let told = net.alarm("iface.down").await;
    assert!(told["message"].as_str().unwrap().contains("uplink"), "{told}");
    net.hosts[0].eth0_up = true;
    net.round().await;
    assert_eq!(net.alarms().await, ["iface.down alpha/eth0 major active"]);
    net.round().await;
    assert!(net.alarms().await.is_empty());

    net.without.insert((0, "wg0"));
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.round().await;
    assert_eq!(net.alarms().await, ["iface.gone alpha/wg0 major active"]);
    net.without.clear();
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_link_warns_at_t1_is_major_at_t2_and_lives_with_one_handshake() {
    // A triangle: no link of it is the only way anywhere.
    let mut net = Network::start(3, &[(0, 1), (1, 2), (0, 2)]).await;
    net.rounds(GRACE).await;
    let edge = net.edge("alpha-beta").await;
    assert_eq!(edge["state"], "up");
    assert!(edge["reason"].as_str().unwrap().starts_with("up:"), "{}", edge["reason"]);
    net.links[0].alive = false;
    // The last handshake was 5 s before the last report; T1 is 210 s.
    net.rounds(6).await;
    assert!(net.alarms().await.is_empty(), "age 185 s");
    net.round().await;
    assert!(net.alarms().await.is_empty(), "age 215 s, and both ends have said so once");
    assert_eq!(net.edge("alpha-beta").await["ends"][0]["state"], "overdue");
    net.round().await;
    assert_eq!(net.alarms().await, ["edge.down alpha-beta warning active"], "age 245 s");
    net.round().await;
    assert_eq!(net.alarms().await, ["edge.down alpha-beta warning active"], "age 275 s");
    net.round().await;
    assert_eq!(net.alarms().await, ["edge.down alpha-beta major active"], "age 305 s");
    let edge = net.edge("alpha-beta").await;
    assert_eq!(edge["state"], "down");
    let reason = edge["reason"].as_str().unwrap();
    assert!(reason.contains("305 s") || reason.contains("5 min 5 s"), "{reason}");
    net.links[0].alive = true;
    net.round().await;
    assert!(net.alarms().await.is_empty());
    assert_eq!(net.edge("alpha-beta").await["state"], "up");
    let edge = "edge.down alpha-beta";
    let told = [
        format!("alarm.raised {edge} warning"),
        format!("alarm.raised {edge} major"),
        format!("alarm.cleared {edge} major"),
    ];
    assert_eq!(net.told().await, told);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentence_with_an_age_tells_when_it_was_judged() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(GRACE).await;
    let up = net.edge("alpha-beta").await;
    let began = up["since"].as_i64().unwrap();
    assert!(net.now() - began > 60, "the sentence is not renewed while nothing changes: {up}");
    assert_eq!(up["judged_at"].as_i64(), Some(began));
    // An end that is overdue renews the sentence, and the state stays what it was.
    (net.links[0].alive, net.links[0].traffic) = (false, false);
    let mut rounds = 0;
    let late = loop {
        net.round().await;
        let edge = net.edge("alpha-beta").await;
        if edge["reason"] != up["reason"] {
            break edge;
        }
        rounds += 1;
        assert!(rounds < 20, "{edge}");
    };
    assert_eq!((&late["state"], late["since"].as_i64()), (&json!("up"), Some(began)), "{late}");
    assert_eq!(late["judged_at"], net.now(), "{late}");
    let map = net.kattila.operator().topology().await;
    assert_eq!(map["edges"][0]["judged_at"], net.now());
    let mut net = net.restarted().await;
    let stored = net.edge("alpha-beta").await;
    let kept = ["reason", "judged_at", "since"].map(|name| &stored[name]);
    assert_eq!(kept, ["reason", "judged_at", "since"].map(|name| &late[name]));
    let path = format!("/links/{}", stored["id"].as_str().unwrap());
    let page = net.kattila.operator().get(&path).await.text();
    let judged = kattila::model::time::UnixSeconds(net.now()).to_rfc3339();
    let (_, verdict) = page.split_once("class=\"verdict\"").unwrap();
    let (verdict, _) = verdict.split_once("</p>").unwrap();
    assert!(verdict.contains(&judged) && verdict.contains("judged"), "{verdict}");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_nobody_uses_is_idle_and_no_alarm() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.links[0].keepalive = 0;
    net.links[0].traffic = false;
    net.rounds(GRACE).await;
    net.links[0].alive = false;
    net.rounds(20).await;
    assert!(net.alarms().await.is_empty());
    let edge = net.edge("alpha-beta").await;
    assert_eq!(edge["state"], "idle");
    assert!(edge["reason"].as_str().unwrap().starts_with("idle"), "{edge}");
    // Somebody tries to use it: each attempt adds to what is sent, and nothing comes back.
    net.links[0].traffic = true;
    net.rounds(3).await;
    assert_eq!(net.edge("alpha-beta").await["state"], "down");
    assert_eq!(net.alarms().await.len(), 1);
    net.links[0].traffic = false;
    net.rounds(2).await;
    assert!(net.alarms().await.is_empty());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_end_that_lists_the_other_in_vain() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(2).await;
    net.links[0].mutual = false;
    net.round().await;
    let edge = net.edge("alpha-beta").await;
    assert_eq!(edge["state"], "half_configured");
    let reason = edge["reason"].as_str().unwrap();
    assert!(reason.contains("beta does not list alpha's key"), "{reason}");
    assert!(net.alarms().await.is_empty(), "one report says so");
    net.round().await;
    assert_eq!(net.alarms().await, ["edge.half_configured alpha-beta major active"]);
    net.links[0].mutual = true;
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_no_agent_is() {
    let mut net = Network::start(2, &[]).await;
    let stranger = |host: usize, net: &mut Network| {
        let host = &mut net.hosts[host];
        *host = host.clone().with_peer(DELTA_KEY, 4, START.0, 10);
    };
    stranger(0, &mut net);
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.round().await;
    let unknown = format!("peer.unknown fleet-a|key:{DELTA_KEY} warning active");
    assert_eq!(net.alarms().await, [unknown.as_str()]);
    // A second host that lists it changes nothing, and neither does one of them giving it up.
    stranger(1, &mut net);
    net.rounds(3).await;
    assert_eq!(net.alarms().await, [unknown.as_str()]);
    net.hosts[0].peers.clear();
    net.round().await;
    assert_eq!(net.alarms().await, [unknown.as_str()]);
    net.hosts[1].peers.clear();
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_for_two_reports() {
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    let clock = Clock::manual(START);
    let mut astray = Agent::new(ALPHA, net.kattila.addr(), clock.clone());
    let refused = async |astray: &mut Agent, net: &Network, off: i64| {
        clock.set(UnixSeconds(net.now() + off));
        let envelope = astray.seal_v2(&net.data(0).to_string());
        let answer = astray.send(&envelope).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "timestamp_skew"),
            "{}",
            answer.text()
        );
        net.kattila.advance(1).await;
    };
    refused(&mut astray, &net, 700).await;
    assert!(net.alarms().await.is_empty());
    // A good report in between starts the count anew.
    net.round().await;
    refused(&mut astray, &net, 700).await;
    assert!(net.alarms().await.is_empty());
    refused(&mut astray, &net, 700).await;
    assert_eq!(net.alarms().await, ["agent.clock_skew alpha major active"]);
    let told = net.alarm("agent.clock_skew").await;
    assert!(told["message"].as_str().unwrap().contains("ahead of the manager's"), "{told}");
    net.rounds(2).await;
    assert_eq!(net.alarms().await, ["agent.clock_skew alpha major active"]);
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_that_no_key_verifies_wait_for_a_person() {
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    let mut forger = net.kattila.agent(ALPHA);
    forger.psk = "another-psk-of-at-least-16-bytes".to_owned();
    let mut nobody = net.kattila.agent("ffffffffffffffffffffffffffffffff");
    nobody.psk.clone_from(&forger.psk);
    for (wait, expected) in [(0, 0), (299, 0), (1, 0), (298, 1)] {
        net.kattila.advance(wait).await;
        for agent in [&mut forger, &mut nobody] {
            let envelope = agent.seal_v2("{}");
            let answer = agent.send(&envelope).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "signature_invalid"));
        }
        net.kattila.advance(0).await;
        let all = net.alarms().await;
        let bad = all.iter().filter(|line| line.starts_with("ingest.bad_hmac")).count();
        assert_eq!(bad, expected, "{all:?}");
    }
    net.round().await;
    assert!(net.alarms().await.contains(&"ingest.bad_hmac alpha major active".to_owned()));
    net.kattila.advance(1800).await;
    assert!(net.alarms().await.contains(&"ingest.bad_hmac alpha major returned".to_owned()));
    let alarm = net.alarm("ingest.bad_hmac").await;
    let path = format!("/api/v1/alarms/{}", alarm["id"]);
    let operator = net.kattila.operator();
    assert_eq!(operator.post(&format!("{path}/ack"), &json!({})).await.status, 200);
    let alarm = operator.json(&path).await;
    assert_eq!(
        (&alarm["state"], &alarm["clear_cause"]),
        (&json!("cleared"), &json!("acknowledged"))
    );
    let told = net.told().await;
    let bad: Vec<_> = told.iter().filter(|line| line.contains("bad_hmac")).collect();
    let kinds = ["alarm.raised", "alarm.returned", "alarm.cleared"];
    assert_eq!(bad, kinds.map(|kind| format!("{kind} ingest.bad_hmac alpha major")).each_ref());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_in_two_parts_after_a_minute() {
    let mut net = Network::start(4, &[(0, 1), (1, 2), (2, 3)]).await;
    net.rounds(GRACE).await;
    net.links[1].alive = false;
    net.rounds(10).await;
    // The only way between two parts: worse than one link of several.
    let down = "edge.down beta-gamma critical active";
    assert_eq!(net.alarms().await, [down]);
    net.round().await;
    assert_eq!(net.alarms().await, [down]);
    net.round().await;
    assert_eq!(net.alarms().await, [down, "net.partition fleet-a critical active"]);
    let told = net.alarm("net.partition").await;
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("alpha, beta | delta, gamma"), "{message}");
    net.links[1].alive = true;
    net.rounds(2).await;
    assert_eq!(net.alarms().await, ["net.partition fleet-a critical active"]);
    net.round().await;
    assert!(net.alarms().await.is_empty(), "together again for a minute");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_with_a_private_key() {
    let mut net = Network::start(1, &[]).await;
    net.extra.insert(0, ("private_key", json!(STRANGER_KEY)));
    net.round().await;
    assert_eq!(net.alarms().await, ["report.secret alpha major active"]);
    net.extra.clear();
    net.rounds(2).await;
    assert_eq!(net.alarms().await, ["report.secret alpha major returned"]);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_used_twice_over_other_content() {
    let kattila = TestManager::start().await;
    let mut old = kattila.agent("host.one");
    let envelope = old.seal_v1(r#"{"hostname":"one"}"#);
    assert_eq!(old.send(&envelope).await.status, 200);
    // The same bytes again are a replay and no alarm; other content under the nonce is one.
    let again = old.send(&envelope).await;
    assert_eq!((again.status, again.code().as_str()), (409, "nonce_replayed"), "{}", again.text());
    kattila.advance(1).await;
    assert!(kattila.operator().alarms().await.is_empty());
    let mut copy = kattila.agent("host.one");
    let envelope = copy.seal_v1(r#"{"hostname":"two"}"#);
    assert_eq!(copy.send(&envelope).await.status, 409);
    assert_eq!(kattila.operator().alarms().await, ["ingest.replay host.one active"]);
    kattila.stop().await;
}
