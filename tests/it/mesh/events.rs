//! What happens to a mesh within minutes.

use std::collections::BTreeSet;

use kattila::clock::Clock;
use serde_json::{Value, json};

use super::network::{FAR, HOSTS, HUB, Mesh, dns, publish};
use super::watch::{SOON, Watch, end_at, is_up, list, tell};
use crate::support::actors::Agent;
use crate::support::dns::TestDns;
use crate::support::manager::PSK;
use crate::support::script::{BROWSER, Script};

/// The pre-shared keys that take the first one's place.
const NEXT: [&str; 2] = ["kattila-mesh-psk-1-0000000000000", "kattila-mesh-psk-2-0000000000000"];

/// Two hosts join after everybody else, each under another pre-shared key.
const LATECOMERS: [&str; 2] = ["spoke2", FAR];

#[test]
fn a_mesh_event_by_event() {
    let mesh = Mesh::build();
    tell(&mesh, || async {
        let dns = dns().await;
        let watch = Watch::start(&mesh, &dns).await;
        everybody_appears_while_the_key_rotates_twice(&watch, &dns).await;
        what_is_meant_is_acknowledged(&watch).await;
        the_map_shows_them().await;
        an_endpoint_roams(&watch).await;
        a_peer_is_removed_from_one_end(&watch).await;
        an_interface_goes_down_and_returns(&watch).await;
        a_wireguard_process_is_killed_and_started(&watch).await;
        nothing_was_refused(&watch).await;
        the_manager_is_restarted(&watch, &dns).await;
        keys_of_before_are_still_good(&watch).await;
        nothing_was_refused(&watch).await;
    });
}

async fn everybody_appears_while_the_key_rotates_twice(watch: &Watch<'_>, dns: &TestDns) {
    let first: Vec<_> = HOSTS.into_iter().filter(|host| !LATECOMERS.contains(host)).collect();
    watch.join(&first, dns).await;
    for (host, key) in LATECOMERS.into_iter().zip(NEXT) {
        publish(dns, &[key]).await;
        watch.knows(key).await;
        watch.mesh.hand_over(key);
        watch.join(&[host], dns).await;
    }
    watch.mesh.ping_all();
    watch.all_up().await;
    let agents = watch.operator.agents().await;
    let names: BTreeSet<_> = agents.iter().filter_map(|agent| agent["hostname"].as_str()).collect();
    assert_eq!((agents.len(), names), (HOSTS.len(), BTreeSet::from(HOSTS)));
    for agent in &agents {
        // Who never reached the manager itself could not make its key known there.
        let scheme = if agent["hostname"] == FAR { "v2-hmac" } else { "v2-ed25519" };
        assert_eq!(agent["scheme"], scheme, "{agent:#}");
        // The rights of the systemd unit suffice to read everything.
        assert_eq!(agent["problems"], 0, "{agent:#}");
    }
    watch.comes_through(FAR, &["chain1"]).await;
    nobody_is_a_stranger(watch).await;
}

/// Every host's key was taken as first seen, which somebody is to look at; for the far end of
/// the chain there is none, but it only relays, and is meant to.
async fn what_is_meant_is_acknowledged(watch: &Watch<'_>) {
    let ids = watch.ids().await;
    let alarm = watch.alarm("agent.relay_only", &ids[FAR], SOON).await;
    assert!(alarm["message"].as_str().unwrap().contains("chain1"), "{alarm:#}");
    let alarms = watch.operator.json("/status/alarms").await;
    let of_kind =
        |kind: &'static str| list(&alarms).iter().filter(move |alarm| alarm["kind"] == kind);
    let pinned: Vec<_> = of_kind("identity.pinned").collect();
    assert_eq!(pinned.len(), HOSTS.len() - 1, "{alarms:#}");
    for alarm in pinned.into_iter().chain(of_kind("agent.relay_only")) {
        let path = format!("/api/v1/alarms/{}/ack", alarm["id"]);
        let answer = watch.operator.post(&path, &json!({ "note": "looked at" })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    watch.no_alarm("identity.pinned", "").await;
}

/// In a browser on the hub. The script keeps a picture as `artifacts/mesh.png`, which the README
/// shows.
async fn the_map_shows_them() {
    let _one = BROWSER.lock().await;
    Script::start("mesh.test.mjs", "http://127.0.0.1:5086", &[]).end().await;
}

async fn an_endpoint_roams(watch: &Watch<'_>) {
    let hosts = ["mesh1", "mesh2"];
    let (before, ids) = (watch.link(hosts, SOON, is_up).await, watch.ids().await);
    watch.mesh.host("mesh2").script(
        "ip addr add 10.90.0.105/24 dev eth0
        ip addr del 10.90.0.5/24 dev eth0
        ip addr show dev eth0 | grep -q 10.90.0.105 || ip addr add 10.90.0.105/24 dev eth0",
    );
    let roamed = |link: &Value| end_at(link, &ids["mesh1"])["endpoint"] == "10.90.0.105:51820";
    // The host that roamed is not heard until it gives its old connection up: meanwhile its own
    // end may be unknown, and the other end speaks for both.
    let link = watch.link(hosts, SOON, |link| roamed(link) && is_up(link)).await;
    assert_eq!(link["since"], before["since"], "it stayed up all the time");
    let moved = |agents: &Value| {
        let mut all = list(agents).iter();
        all.any(|a| a["hostname"] == "mesh2" && a["source"] == "10.90.0.105").then_some(())
    };
    watch.until("reports from the new address", "/status/agents", SOON, moved).await;
}

async fn a_peer_is_removed_from_one_end(watch: &Watch<'_>) {
    let hosts = ["mesh1", "mesh3"];
    watch.mesh.forget_peer("mesh3", "mesh1");
    let half = |link: &Value| link["state"] == "half_configured";
    let link = watch.link(hosts, SOON, half).await;
    let reason = "half configured: mesh3 does not list mesh1's key, mesh1 lists its";
    assert_eq!(link["reason"], reason);
    let id = link["id"].as_str().unwrap();
    let alarm = watch.alarm("edge.half_configured", id, SOON).await;
    assert!(alarm["message"].as_str().unwrap().ends_with(reason), "{alarm:#}");
    watch.mesh.add_peer("mesh3", "mesh1");
    watch.mesh.ping(["mesh3", "mesh1"]);
    watch.link(hosts, SOON, is_up).await;
    watch.no_alarm("edge.half_configured", id).await;
}

async fn an_interface_goes_down_and_returns(watch: &Watch<'_>) {
    let ids = watch.ids().await;
    let spoke = ids["spoke2"].as_str();
    for (state, up) in [("down", false), ("up", true)] {
        let after = watch.newest_event().await;
        watch.mesh.host("spoke2").run(&["ip", "link", "set", "wg0", state]);
        let path = format!("/api/v1/events?after={after}&agent_id={spoke}&limit=1000");
        let told = |events: &Value| {
            let of_wg0 = |event: &&Value| {
                event["kind"] == "interface.changed" && event["subject"].to_string().contains("wg0")
            };
            let mut all = list(events).iter().filter(of_wg0);
            all.any(|event| event["after"].to_string().contains("\"UP\"") == up).then_some(())
        };
        watch.until(&format!("wg0 {state} on spoke2"), &path, SOON, told).await;
    }
    watch.mesh.ping(["spoke2", HUB]);
    watch.link(["spoke2", HUB], SOON, is_up).await;
}

async fn a_wireguard_process_is_killed_and_started(watch: &Watch<'_>) {
    let ids = watch.ids().await;
    let subject = format!("{}/wg0", ids["spoke1"]);
    watch.mesh.host("spoke1").script("kill -9 $(pidof wireguard-go)");
    // The hub lists the spoke still, and the host says itself why nobody is there.
    let down = |link: &Value| link["state"] == "down";
    let link = watch.link(["spoke1", HUB], SOON, down).await;
    assert_eq!(link["reason"], "down: wg0 is gone on spoke1", "{link:#}");
    assert_eq!(end_at(&link, &ids["spoke1"])["state"], "down", "{link:#}");
    watch.alarm("iface.gone", &subject, SOON).await;
    let alarm = watch.alarm("edge.down", link["id"].as_str().unwrap(), SOON).await;
    let told = alarm["message"].as_str().unwrap();
    assert!(told.ends_with("down: wg0 is gone on spoke1"), "{alarm:#}");
    nobody_is_a_stranger(watch).await;
    watch.mesh.tunnel("spoke1");
    watch.mesh.ping(["spoke1", HUB]);
    let back = watch.link(["spoke1", HUB], SOON, is_up).await;
    assert_eq!((&back["id"], &back["first_seen"]), (&link["id"], &link["first_seen"]));
    watch.no_alarm("iface.gone", &subject).await;
    watch.no_alarm("edge.down", link["id"].as_str().unwrap()).await;
    nobody_is_a_stranger(watch).await;
}

/// Every peer on the map has an agent, and no alarm says otherwise.
async fn nobody_is_a_stranger(watch: &Watch<'_>) {
    let map = watch.operator.topology().await;
    let strangers = list(&map["nodes"]).iter().filter(|node| node["kind"] == "external");
    assert_eq!(strangers.count(), 0, "{map:#}");
    let alarms = watch.operator.json("/status/alarms").await;
    let unknown = list(&alarms).iter().filter(|alarm| alarm["kind"] == "peer.unknown");
    assert_eq!(unknown.count(), 0, "{alarms:#}");
}

async fn the_manager_is_restarted(watch: &Watch<'_>, dns: &TestDns) {
    watch.mesh.stop(HUB, "serve", "TERM");
    // Nobody answers now; every agent goes on looking, and keeps what it sees.
    let kept = watch.until_spooled(&HOSTS).await;
    watch.mesh.serve(dns);
    watch.arrived_once(&kept).await;
    watch.all_up().await;
}

/// Whoever still signs with one of the two keys before the current one is heard.
async fn keys_of_before_are_still_good(watch: &Watch<'_>) {
    let door = ([127, 0, 0, 1], 5086).into();
    let mut agent = Agent::new("0123456789abcdef0123456789abcdef", door, Clock::system());
    for key in [PSK, NEXT[0], NEXT[1]] {
        key.clone_into(&mut agent.psk);
        let sealed = agent.seal_v2(r#"{"hostname":"old-hand","interfaces":[]}"#);
        let answer = agent.send(&sealed).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    watch.online(&["old-hand"]).await;
}

/// The manager remembers what it refused until it is stopped.
async fn nothing_was_refused(watch: &Watch<'_>) {
    let refused = watch.operator.json("/api/v1/refusals").await;
    assert_eq!(list(&refused).len(), 0, "a valid report was refused: {refused:#}");
}
