//! Reports that come through other agents: every rule of the path, over HTTP.

use kattila::sign::relay::RelaySigner;
use serde_json::json;

use crate::support::http::Answer;
use crate::support::manager::{ADMIN_TOKEN, PSK, TestManager};
use crate::support::own::{Layer, Own, key, outcome};
use crate::support::process::run;
use crate::support::rows::Rows;

const SHARED: &str = "0123456789abcdef0123456789abcdef";
const DATA: &str = r#"{"hostname":"far"}"#;

fn is(answer: &Answer, status: u16, word: &str) {
    assert_eq!(outcome(answer), (status, word.to_owned()), "{}", answer.text());
}

/// A manager that knows these hosts by their keys; the first is the origin.
async fn with(more: &[(&str, &str)], hosts: u8) -> (TestManager, Vec<Own>) {
    let kattila = TestManager::start_with(more).await;
    let mut all = Vec::new();
    for seed in 1..=hosts {
        let mut host = Own::new(&kattila, seed);
        is(&host.register().await, 201, "enrolled");
        all.push(host);
    }
    (kattila, all)
}

/// The body after these relays, next to the origin first.
fn through(relays: &mut [Own], body: String) -> String {
    relays.iter_mut().fold(body, |body, relay| relay.relay(&body))
}

async fn detail(kattila: &TestManager, id: &str) -> serde_json::Value {
    kattila.operator().json(&format!("/api/v1/agents/{id}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_two_and_three_relays_and_no_fourth() {
    let (kattila, mut hosts) = with(&[], 5).await;
    let (origin, relays) = hosts.split_at_mut(1);
    let origin = &mut origin[0];
    for count in 1..=3 {
        kattila.advance(1).await;
        let data = json!({"hostname": "far", "uptime_seconds": count}).to_string();
        let body = through(&mut relays[..count], origin.seal(&data));
        is(&origin.send(&body).await, 200, "ok");
        let path: Vec<_> = relays[..count].iter().map(|relay| relay.id.clone()).collect();
        let agent = detail(&kattila, &origin.id).await;
        assert_eq!(agent["relay_path"], json!(path));
        assert_eq!((&agent["hostname"], &agent["uptime_seconds"]), (&json!("far"), &json!(count)));
        // Who relays has not reported.
        let relay = detail(&kattila, &relays[0].id).await;
        assert_eq!((&relay["last_seen_at"], &relay["relay_path"]), (&json!(null), &json!([])));
    }
    let before = Rows::of(&kattila.db());
    let body = through(relays, origin.seal(DATA));
    is(&origin.send(&body).await, 422, "relay_too_deep");
    // The fourth wrap, numbered as if it were the third.
    let three = through(&mut relays[..3], origin.seal(DATA));
    let layer = Layer { hop: 3, ..relays[3].layer(&three) };
    let body = relays[3].wrap(&layer, &three);
    is(&origin.send(&body).await, 422, "relay_hop");
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    // The database proves the paths too.
    let db = kattila.db().display().to_string();
    let ended = run(std::path::Path::new("/"), &["verify", "--db", &db], &[]).await;
    let counts = "3 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n";
    assert!(ended.said.starts_with(counts), "{ended:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_every_scheme_are_relayed() {
    let (kattila, mut hosts) = with(&[], 1).await;
    let relay = &mut hosts[0];
    for (id, body) in [
        (SHARED, kattila.agent(SHARED).seal_v2(DATA)),
        ("gw-1", kattila.agent("gw-1").seal_v1(DATA)),
    ] {
        let relayed = relay.relay(&body);
        is(&relay.send(&relayed).await, 200, "ok");
        assert_eq!(detail(&kattila, id).await["relay_path"], json!([relay.id]));
    }
    let db = kattila.db().display().to_string();
    let ended = run(std::path::Path::new("/"), &["verify", "--db", &db], &[]).await;
    assert!(ended.said.starts_with("2 ok, 0 redacted"), "{}", ended.said);
    // Under a bad signature nothing is said of the origin.
    let mut stranger = kattila.agent(SHARED);
    stranger.psk = "a key that is not the fleet's at all".to_owned();
    let body = relay.relay(&stranger.seal_v2(DATA));
    is(&relay.send(&body).await, 401, "signature_invalid");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_by_two_ways_is_one_report() {
    let (kattila, mut hosts) = with(&[], 3).await;
    let body = hosts[0].seal(DATA);
    is(&hosts[0].send(&body).await, 200, "ok");
    let before = Rows::of(&kattila.db());
    for relay in [1, 2] {
        let again = hosts[relay].relay(&body);
        is(&hosts[0].send(&again).await, 200, "duplicate");
    }
    let both = through(&mut hosts[1..3], body.clone());
    is(&hosts[0].send(&both).await, 200, "duplicate");
    assert_eq!(detail(&kattila, &hosts[0].id).await["relay_path"], json!([]));
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    // The other way round: first by a relay, then directly, then version 1.
    let body = hosts[0].seal(DATA);
    let relayed = hosts[1].relay(&body);
    is(&hosts[0].send(&relayed).await, 200, "ok");
    is(&hosts[0].send(&body).await, 200, "duplicate");
    let mut old = kattila.agent("gw-1");
    let body = old.seal_v1(DATA);
    is(&old.send(&body).await, 200, "ok");
    let relayed = hosts[1].relay(&body);
    is(&old.send(&relayed).await, 409, "nonce_replayed");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_loops() {
    let (kattila, mut hosts) = with(&[], 3).await;
    let own = hosts[0].seal(DATA);
    let own = hosts[0].relay(&own);
    is(&hosts[0].send(&own).await, 422, "relay_loop");
    let body = hosts[0].seal(DATA);
    let once = hosts[1].relay(&body);
    let twice = hosts[1].relay(&once);
    is(&hosts[0].send(&twice).await, 422, "relay_loop");
    let there = hosts[2].relay(&once);
    let back = hosts[1].relay(&there);
    is(&hosts[0].send(&back).await, 422, "relay_loop");
    let home = hosts[0].relay(&there);
    is(&hosts[0].send(&home).await, 422, "relay_loop");
    is(&hosts[0].send(&there).await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hops_are_numbered_from_the_origin() {
    let (kattila, mut hosts) = with(&[], 3).await;
    let body = hosts[0].seal(DATA);
    let mut send = async |hops: &[i64], status, word| {
        let mut wrapped = body.clone();
        for (hop, relay) in hops.iter().zip(&mut hosts[1..]) {
            let layer = Layer { hop: *hop, ..relay.layer(&wrapped) };
            wrapped = relay.wrap(&layer, &wrapped);
        }
        is(&hosts[0].send(&wrapped).await, status, word);
    };
    for hops in [[0].as_slice(), &[2], &[3], &[1, 1], &[1, 3], &[2, 3], &[2, 1], &[3, 3]] {
        send(hops, 422, "relay_hop").await;
    }
    send(&[4], 422, "relay_too_deep").await;
    send(&[1, 4], 422, "relay_too_deep").await;
    send(&[1, 2], 200, "ok").await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_is_one_at_every_level() {
    let (kattila, mut hosts) = with(&[], 3).await;
    let body = hosts[0].seal(DATA);
    let other = Layer { fleet: "fleet-b".to_owned(), ..hosts[1].layer(&body) };
    let wrapped = hosts[1].wrap(&other, &body);
    is(&hosts[0].send(&wrapped).await, 403, "fleet_mismatch");
    let fine = hosts[1].relay(&body);
    let other = Layer { fleet: "fleet-b".to_owned(), ..hosts[2].layer(&fine) };
    let wrapped = hosts[2].wrap(&other, &fine);
    is(&hosts[0].send(&wrapped).await, 403, "fleet_mismatch");
    is(&hosts[0].send(&fine).await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_proves_itself_with_its_pinned_key_and_its_clock() {
    let (kattila, mut hosts) = with(&[("KATTILA_RATE_SOURCE", "off")], 3).await;
    let body = hosts[0].seal(DATA);
    let mut unknown = Own::new(&kattila, 9);
    let wrapped = unknown.relay(&body);
    is(&unknown.send(&wrapped).await, 401, "signature_invalid");
    // Another relay's key under this one's name, outermost and further in.
    hosts[1].key = key(9);
    let forged = hosts[1].relay(&body);
    is(&hosts[0].send(&forged).await, 401, "signature_invalid");
    let around = hosts[2].relay(&forged);
    is(&hosts[0].send(&around).await, 401, "signature_invalid");
    hosts[1].key = key(2);
    for off in [-601, 601] {
        let layer = hosts[1].layer(&body);
        let layer = Layer { at: layer.at + off, ..layer };
        let wrapped = hosts[1].wrap(&layer, &body);
        is(&hosts[0].send(&wrapped).await, 403, "timestamp_skew");
    }
    // A relay's time does not count as the origin's.
    let late = hosts[0].seal(DATA);
    kattila.advance(601).await;
    let wrapped = hosts[1].relay(&late);
    let answer = hosts[0].send(&wrapped).await;
    is(&answer, 403, "timestamp_skew");
    assert_eq!(answer.json()["max_skew"], 600);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_does_not_relay() {
    let (kattila, mut hosts) = with(&[], 2).await;
    let path = format!("/api/v1/agents/{}/revoke", hosts[1].id);
    is(&kattila.operator().post(&path, &json!({})).await, 200, "ok");
    let body = hosts[0].seal(DATA);
    let wrapped = hosts[1].relay(&body);
    is(&hosts[0].send(&wrapped).await, 403, "relay_not_allowed");
    let kattila = kattila.restart().await;
    let host = hosts.remove(0).at(&kattila);
    is(&host.send(&wrapped).await, 403, "relay_not_allowed");
    // What it wrapped is good by itself.
    is(&host.send(&body).await, 200, "ok");
    kattila.stop().await;
}

/// Tells an agent whether it may relay.
async fn permit(kattila: &TestManager, id: &str, body: &serde_json::Value) -> Answer {
    kattila.operator().post(&format!("/api/v1/agents/{id}/relay"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_forbids_an_agent_to_relay_and_allows_it_again() {
    let (kattila, mut hosts) = with(&[], 3).await;
    let relay = hosts[1].id.clone();
    assert_eq!(detail(&kattila, &relay).await["may_relay"], true);
    is(&permit(&kattila, "nobody", &json!({"allowed": false})).await, 404, "agent_not_found");
    let odd = permit(&kattila, &relay, &json!({"allowed": "no"})).await;
    assert_eq!(odd.status, 400, "{}", odd.text());
    for _ in 0..2 {
        is(&permit(&kattila, &relay, &json!({"allowed": false})).await, 200, "ok");
    }
    let page = kattila.operator().get(&format!("/agents/{relay}")).await.text();
    assert!(page.contains("An admin has forbidden it to relay"), "{page}");
    let body = hosts[0].seal(DATA);
    let wrapped = hosts[1].relay(&body);
    let refused = hosts[0].send(&wrapped).await;
    is(&refused, 403, "relay_not_allowed");
    assert!(refused.text().contains(&format!("{relay} may not relay")), "{}", refused.text());
    // Further in the path it is this one that is named, and not who passed it on.
    let around = hosts[2].relay(&wrapped);
    let refused = hosts[0].send(&around).await;
    is(&refused, 403, "relay_not_allowed");
    assert!(refused.text().contains(&format!("{relay} may not relay")), "{}", refused.text());
    // It outlives a restart and being forgotten; its own reports are taken.
    let forget = json!({"agent_id": relay, "forget": true});
    assert_eq!(kattila.admin().reset(&forget).await.status, 200);
    let kattila = kattila.restart().await;
    let mut hosts: Vec<Own> = hosts.into_iter().map(|host| host.at(&kattila)).collect();
    is(&hosts[1].report().await, 200, "ok");
    assert_eq!(detail(&kattila, &relay).await["may_relay"], false);
    is(&hosts[0].send(&wrapped).await, 403, "relay_not_allowed");
    let listen = kattila.addr().to_string();
    let settings = [("KATTILA_LISTEN", listen.as_str()), ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN)];
    let arguments = ["admin", "relay", "allow", "--agent", &relay];
    let ended = run(std::path::Path::new("/"), &arguments, &settings).await;
    assert_eq!(ended.said, format!("{relay} may pass on what others report.\n"), "{ended:?}");
    is(&hosts[0].send(&wrapped).await, 200, "ok");
    // The history tells both, with who did it; what changed nothing is not told.
    let events = kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
    let told = events.as_array().unwrap().iter().filter(|e| e["kind"] == "agent.may_relay");
    let told: Vec<_> = told.map(|e| (&e["before"], &e["after"], &e["cause"])).collect();
    let (yes, no, by) = (json!(true), json!(false), json!("admin"));
    assert_eq!(told, [(&yes, &no, &by), (&no, &yes, &by)]);
    kattila.stop().await;
}

/// The first host's report through the second, 3 s later, the third, 5 s later, and in after 1 s.
async fn slowly(kattila: &TestManager, hosts: &mut [Own]) {
    let mut body = hosts[0].seal(DATA);
    for (relay, after) in [(1, 3), (2, 5)] {
        kattila.advance(after).await;
        body = hosts[relay].relay(&body);
    }
    kattila.advance(1).await;
    is(&hosts[0].send(&body).await, 200, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_relays_for_whom_is_told_everywhere() {
    let (kattila, mut hosts) = with(&[], 3).await;
    slowly(&kattila, &mut hosts).await;
    is(&hosts[1].report().await, 200, "ok");
    let [far, near, last] = [0, 1, 2].map(|host| hosts[host].id.clone());
    let agent = detail(&kattila, &far).await;
    assert_eq!(agent["relay_path"], json!([near, last]));
    assert_eq!(agent["relay_delays"], json!([3, 5, 1]));
    assert_eq!(detail(&kattila, &near).await["relay_delays"], json!([]), "it came straight");
    assert_eq!((&agent["relay_proof"], &agent["relays_for"]), (&json!("proven"), &json!([])));
    for relay in [&near, &last] {
        assert_eq!(detail(&kattila, relay).await["relays_for"], json!([far]));
    }
    let agents = kattila.operator().agents().await;
    let listed = agents.iter().find(|agent| agent["agent_id"] == near.as_str()).unwrap();
    assert_eq!((&listed["relays_for"], &listed["relay_proof"]), (&json!([far]), &json!(null)));
    let report = kattila.operator().json("/api/v1/reports/1").await;
    assert_eq!(
        (&report["relay_path"], &report["relay_proof"]),
        (&agent["relay_path"], &json!("proven"))
    );
    kattila.advance(2).await;
    let map = kattila.operator().topology().await;
    let node = |id: &str| {
        let nodes = map["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["agent_id"] == id).unwrap().clone()
    };
    assert_eq!(node(&far)["relay_path"], json!([near, last]));
    assert_eq!(
        (&node(&far)["relay_proof"], &node(&near)["relay_proof"]),
        (&json!("proven"), &json!(null))
    );

    let page = async |path: String| kattila.operator().get(&path).await.text();
    let links = format!(
        "via <a href=\"/agents/{near}\">host-1</a>, <a href=\"/agents/{last}\">host-1</a> (proven)"
    );
    for path in [
        "/agents".to_owned(),
        "/reports".to_owned(),
        "/reports/1".to_owned(),
        format!("/agents/{far}"),
    ] {
        let html = page(path.clone()).await;
        assert!(html.contains(&links), "{path}: {html}");
    }
    let html = page(format!("/agents/{far}")).await;
    for told in ["<td>3 s</td>", "<td>5 s</td>", "had it 1 s after the last of them"] {
        assert!(html.contains(told), "{told}: {html}");
    }
    let html = page(format!("/agents/{near}")).await;
    assert!(html.contains(&format!("<p><a href=\"/agents/{far}\">far</a>.</p>")), "{html}");
    let html = page("/events".to_owned()).await;
    assert!(html.contains("direct → via host-1, host-1 (proven)"), "{html}");
    // Straight again: nobody relays for it.
    let body = hosts[0].seal(DATA);
    is(&hosts[0].send(&body).await, 200, "ok");
    assert_eq!(detail(&kattila, &near).await["relays_for"], json!([]));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_key_relays_only_where_it_is_told_to() {
    for (setting, expected) in [("0", (403, "relay_not_allowed")), ("1", (200, "ok"))] {
        let (kattila, mut hosts) = with(&[("KATTILA_RELAY_PSK", setting)], 2).await;
        let body = hosts[0].seal(DATA);
        let shared = |id: &str, psk: &str| {
            let layer = Layer { id: id.to_owned(), ..hosts[1].layer(&body) };
            layer.around(&body, "AAECAwQFBgcICQoLDA0ODw", &RelaySigner::Shared(psk.as_bytes()))
        };
        let wrong = shared(SHARED, "a key that is not the fleet's at all");
        let (wrapped, pinned) = (shared(SHARED, PSK), shared(&hosts[1].id, PSK));
        is(&hosts[0].send(&wrong).await, 401, "signature_invalid");
        is(&hosts[0].send(&pinned).await, 403, "identity_required");
        is(&hosts[0].send(&wrapped).await, expected.0, expected.1);
        kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_did_wrong_is_not_counted_against_a_relays_address() {
    let (kattila, mut hosts) = with(&[("KATTILA_RATE_SOURCE", "1/1")], 2).await;
    let mut stranger = kattila.agent(SHARED);
    stranger.psk = "a key that is not the fleet's at all".to_owned();
    for _ in 0..5 {
        let wrapped = hosts[1].relay(&stranger.seal_v2(DATA));
        is(&hosts[1].send(&wrapped).await, 401, "signature_invalid");
    }
    is(&hosts[0].report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_does_not_survive_in_a_relays_envelope() {
    let (kattila, mut hosts) = with(&[], 2).await;
    let secret = "YKL1ZPZ+0gLwjqCK0hE6K3GGCHGpLkT/0mIzTZPzdGI=";
    let data = json!({"interfaces": [{"name": "wg0", "private_key": secret}]}).to_string();
    let body = hosts[0].seal(&data);
    let wrapped = hosts[1].relay(&body);
    is(&hosts[0].send(&wrapped).await, 200, "ok");
    let report = kattila.operator().json("/api/v1/reports/1").await;
    assert_eq!(report["redacted"], true);
    let stored = report["envelope"].as_str().unwrap();
    assert!(stored.contains("(hidden)") && stored.contains(&hosts[0].id), "{stored}");
    assert_eq!(report["relay_path"], json!([hosts[1].id]));
    kattila.stop().await;
}
