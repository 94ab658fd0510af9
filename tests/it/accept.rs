//! A report comes in and shows: the way of a report from the socket to the map.

use serde_json::json;

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::manager::{START, TestManager};

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_and_their_link_appear() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    let first =
        alpha.report(&Host::alpha().with_peer(BETA_KEY, 2, START.0 - 10, 1000).data()).await.json();
    assert_eq!(first["status"], "ok");
    assert_eq!(first["report_id"], 1);
    assert_eq!(first["server_time"], START.0);
    assert_eq!(first["interval"], 30);
    let operator = kattila.operator();
    kattila.advance(1).await;
    let early = operator.topology().await;
    assert_eq!(early["nodes"].as_array().unwrap().len(), 2, "beta is an external peer yet");
    assert_eq!(early["edges"][0]["state"], "up");

    beta.report(&Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 10, 1000).data()).await;
    kattila.advance(1).await;
    let map = operator.topology().await;
    let nodes = map["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2, "{map}");
    assert!(nodes.iter().all(|n| n["kind"] == "agent" && n["status"] == "online"));
    assert!(nodes.iter().all(|n| n["site"] == "fleet-a/lab"), "{map}");
    let edges = map["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1, "{map}");
    let edge = &edges[0];
    assert_eq!((&edge["state"], &edge["edge_type"]), (&json!("up"), &json!("wireguard")));
    for end in edge["ends"].as_array().unwrap() {
        assert_eq!(end["latest_handshake"], START.0 - 10);
        assert_eq!(end["interface"], "wg0");
        assert_eq!(end["state"], "up");
        assert_eq!(end["rx_bytes"], 1000);
    }
    let agents = operator.agents().await;
    assert_eq!(agents.len(), 2);
    assert_eq!(agents[0]["agent_id"], ALPHA);
    assert_eq!(agents[0]["hostname"], "alpha");
    assert_eq!(agents[0]["scheme"], "v2-hmac");
    assert_eq!(agents[0]["peers"], 1);
    assert!(operator.alarms().await.is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hides_its_key_is_found_by_its_address() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    alpha.report(&Host::alpha().with_peer(BETA_KEY, 2, START.0 - 10, 1000).data()).await;
    let shy = Host { key: None, ..Host::beta() };
    beta.report(&shy.with_peer(ALPHA_KEY, 1, START.0 - 10, 1000).data()).await;
    kattila.advance(1).await;
    let map = kattila.operator().topology().await;
    assert_eq!(map["nodes"].as_array().unwrap().len(), 2, "{map}");
    assert_eq!(map["edges"].as_array().unwrap().len(), 1, "{map}");
    assert_eq!(map["edges"][0]["state"], "up");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_an_agent_is_an_external_node_until_its_agent_comes() {
    let kattila = TestManager::start().await;
    let mut alpha = kattila.agent(ALPHA);
    for _ in 0..2 {
        alpha.report(&Host::alpha().with_peer(STRANGER_KEY, 3, START.0 - 10, 1000).data()).await;
        kattila.advance(1).await;
    }
    let operator = kattila.operator();
    let map = operator.topology().await;
    let external: Vec<_> =
        map["nodes"].as_array().unwrap().iter().filter(|n| n["kind"] == "external").collect();
    assert_eq!(external.len(), 1, "{map}");
    assert_eq!(external[0]["id"], format!("x:fleet-a:{STRANGER_KEY}"));
    let subject = format!("peer.unknown fleet-a|key:{STRANGER_KEY} active");
    assert_eq!(operator.alarms().await, [subject]);

    let gamma = Host { name: "gamma", key: Some(STRANGER_KEY), number: 3, ..Host::beta() };
    kattila.agent("3a33a000000000003a33a00000000000").report(&gamma.data()).await;
    kattila.advance(1).await;
    let map = operator.topology().await;
    assert!(map["nodes"].as_array().unwrap().iter().all(|n| n["kind"] == "agent"), "{map}");
    assert_eq!(map["edges"][0]["state"], "half_configured");
    assert!(operator.alarms().await.is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_history_with_its_report() {
    let kattila = TestManager::start().await;
    let mut alpha = kattila.agent(ALPHA);
    alpha.report(&Host::alpha().with_peer(BETA_KEY, 2, START.0 - 10, 1000).data()).await;
    kattila.advance(30).await;
    let changed = Host { boot_id: "boot-alpha-2", eth0_up: false, ..Host::alpha() };
    let mut data = changed.data();
    data["interfaces"][1]["addresses"] = json!(["10.77.0.9/24"]);
    data["routes"] = json!([{ "dst": "10.88.0.0/16", "dev": "wg0" }]);
    alpha.report(&data).await;
    let operator = kattila.operator();
    let events = operator.json("/api/v1/events?after=0&limit=1000").await;
    let list = events.as_array().or_else(|| events["events"].as_array()).unwrap().clone();
    let kinds: Vec<&str> = list.iter().map(|e| e["kind"].as_str().unwrap()).collect();
    for kind in [
        "manager.started",
        "agent.registered",
        "interface.added",
        "route.added",
        "peer.added",
        "edge.added",
        "edge.state",
        "agent.changed",
        "interface.changed",
        "address.added",
        "address.removed",
        "route.removed",
        "peer.removed",
        "edge.removed",
        "alarm.raised",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    let changed = list.iter().find(|e| e["kind"] == "interface.changed").unwrap();
    assert_eq!(changed["subject"], "eth0");
    assert_eq!(changed["agent_id"], ALPHA);
    assert_eq!(changed["report"].as_i64().or(changed["report_id"].as_i64()), Some(2));
    assert_eq!(changed["before"]["state"], "up");
    assert_eq!(changed["after"]["state"], "down");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_reports_draws_how_many_were_accepted_and_refused() {
    let kattila = TestManager::start().await;
    let mut alpha = kattila.agent(ALPHA);
    let data = Host::alpha().data();
    for _ in 0..3 {
        assert_eq!(alpha.report(&data).await.status, 200);
        kattila.advance(60).await;
    }
    assert_eq!(alpha.send("{}").await.status, 400);
    kattila.advance(60).await;
    let operator = kattila.operator();
    let page = operator.get("/reports").await.text();
    let label = "Reports per minute. Accepted: 3 in all, at most 1 per minute; refused: 1 in all";
    assert!(page.contains(label), "{page}");
    // A row for each minute since the start, newest first: this one, the refusal, the reports.
    let (_, table) = page.split_once("Reports per minute, as a table").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let cells: Vec<&str> =
        table.split("<td class=\"number\">").skip(1).map(|cell| &cell[..1]).collect();
    assert_eq!(cells, ["0", "0", "0", "1", "1", "0", "1", "0", "1", "0"]);
    let day = operator.get("/reports?range=day").await.text();
    assert!(day.contains("Reports per hour. Accepted: 3 in all, at most 3 per hour"), "{day}");
    for narrowed in [format!("/reports?agent={ALPHA}"), "/reports?before=3".to_owned()] {
        let page = operator.get(&narrowed).await.text();
        assert!(!page.contains("id=\"rate\""), "the counts are of everybody");
    }
    // A restart forgets nothing of it, and reads no report for it.
    let since = page.split_once("counted since ").unwrap().1[..8].to_owned();
    let kattila = kattila.restart().await;
    let page = kattila.operator().get("/reports").await.text();
    assert!(page.contains(label) && page.contains(&format!("counted since {since}")), "{page}");
    let day = kattila.operator().get("/reports?range=day").await.text();
    assert!(day.contains("Reports per hour. Accepted: 3 in all, at most 3 per hour"), "{day}");
    kattila.stop().await;
}
