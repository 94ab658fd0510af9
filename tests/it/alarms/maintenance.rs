//! Maintenance windows: whom they cover, how they are made and ended, and who may.

use serde_json::json;

use crate::support::actors::Operator;
use crate::support::fleet::ALPHA;
use crate::support::network::Network;

async fn made(net: &Network, body: &serde_json::Value) -> i64 {
    let answer = net.kattila.operator().post("/api/v1/maintenance", body).await;
    assert_eq!(answer.status, 201, "{body}: {}", answer.text());
    answer.json()["id"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_covered_by_a_window_of_either_end() {
    let mut net = Network::start(3, &[(0, 1), (1, 2)]).await;
    net.rounds(2).await;
    let body = json!({ "agent_id": ALPHA, "for_s": 86_400, "reason": "new disks" });
    let window = made(&net, &body).await;
    net.links[0].mutual = false;
    net.links[1].mutual = false;
    net.rounds(3).await;
    let all = net.kattila.operator().json("/status/alarms").await;
    let covered: Vec<_> =
        all.as_array().unwrap().iter().map(|a| a["maintenance"].clone()).collect();
    assert_eq!(covered.len(), 2, "{all}");
    assert!(covered.contains(&json!(window)) && covered.contains(&json!(null)), "{all}");
    assert_eq!(net.kattila.operator().topology().await["alarms_open"], 1);
    // The map, the agent's page and the tables say so, in words.
    let map = net.kattila.operator().topology().await;
    let until: Vec<_> = map["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| !node["maintenance_until"].is_null())
        .map(|node| node["agent_id"].clone())
        .collect();
    assert_eq!(until, [json!(ALPHA)]);
    let operator = net.kattila.operator();
    for path in [format!("/agents/{ALPHA}"), "/agents".into(), "/links".into()] {
        assert!(operator.get(&path).await.text().contains("◇ Maintenance"), "{path}");
    }
    assert!(operator.get("/maintenance").await.text().contains("new disks"));
    // Ended, it covers nothing more, and the alarm counts.
    assert_eq!(operator.delete(&format!("/api/v1/maintenance/{window}")).await.status, 200);
    net.kattila.advance(1).await;
    assert_eq!(net.kattila.operator().topology().await["alarms_open"], 2);
    assert!(!operator.get("/links").await.text().contains("◇ Maintenance"));
    let events = operator.json("/api/v1/events?after=0&limit=1000").await;
    let noted: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "admin.action")
        .filter(|event| event["subject"].as_str().unwrap().contains("aintenance"))
        .map(|event| event["cause"].clone())
        .collect();
    assert_eq!(noted, [json!("admin"), json!("admin")]);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_open_and_end_with_time_and_over_a_restart() {
    let mut net = Network::start(2, &[]).await;
    net.roles.insert(1, "gateway");
    net.round().await;
    for host in 0..2 {
        net.hosts[host].eth0_up = false;
    }
    net.rounds(2).await;
    let marks = async |net: &Network| {
        let all = net.kattila.operator().json("/status/alarms").await;
        let uplinks = all.as_array().unwrap().iter().filter(|a| a["kind"] == "iface.down");
        let mut marks: Vec<_> = uplinks.map(|a| a["maintenance"].as_i64()).collect();
        marks.sort();
        marks
    };
    let from = net.now() + 100;
    let body = json!({ "label": "role=gateway", "from": from, "for_s": 300, "reason": "updates" });
    let first = made(&net, &body).await;
    assert_eq!(marks(&net).await, [None, None], "not yet");
    net.kattila.advance(100).await;
    assert_eq!(marks(&net).await, [None, Some(first)]);
    // A longer one of the whole fleet covers both.
    let body = json!({ "fleet_id": "fleet-a", "for_s": 600, "reason": "all" });
    let all = made(&net, &body).await;
    assert_eq!(marks(&net).await, [Some(all); 2]);
    net = net.restarted().await;
    assert_eq!(marks(&net).await, [Some(all); 2]);
    net.kattila.advance(700).await;
    assert_eq!(marks(&net).await, [None, None]);
    let operator = net.kattila.operator();
    let states: Vec<_> = operator.json("/api/v1/maintenance").await.as_array().unwrap().clone();
    assert!(states.iter().all(|w| w["state"] == "past") && states.len() == 2, "{states:?}");
    // They go when cleared alarms of that age would.
    net.kattila.advance(366 * 86_400).await;
    net.kattila.operator().post("/api/v1/jobs/sweep/run", &json!({})).await;
    net.kattila.advance(60).await;
    assert_eq!(net.kattila.operator().json("/api/v1/maintenance").await, json!([]));
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_made_and_ended_by_forms_and_only_by_those_who_may() {
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    let operator = net.kattila.operator();
    let fields = format!("scope=agent&who={ALPHA}&lasts=3600&reason=disks&back=agent");
    let answer = operator.form("/maintenance", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(format!("/agents/{ALPHA}").as_str()));
    let weekly = format!(
        "scope=agent&who={ALPHA}&weekly=yes&day=sat&day=sun&start=22:30&lasts=7200\
         &utc_offset=%2B02:00&reason=updates"
    );
    assert_eq!(operator.form("/maintenance", &weekly).await.status, 303);
    let listed = operator.json("/api/v1/maintenance").await;
    assert_eq!(
        listed[1]["weekly"],
        json!({"days": ["sat", "sun"], "start": "22:30", "lasts_s": 7200, "utc_offset": "+02:00"})
    );
    assert_eq!((&listed[0]["state"], &listed[1]["state"]), (&json!("now"), &json!("coming")));
    assert_eq!(operator.form("/maintenance/1/end", "").await.status, 303);
    let now = operator.json("/api/v1/maintenance?state=now").await;
    assert_eq!(now, json!([]));
    for (body, status) in [
        (json!({ "agent_id": "nobody", "for_s": 60, "reason": "x" }), 404),
        (json!({ "label": "role=nothing", "for_s": 60, "reason": "x" }), 409),
        (json!({ "fleet_id": "elsewhere", "for_s": 60, "reason": "x" }), 409),
        (json!({ "agent_id": ALPHA, "reason": "x" }), 400),
    ] {
        assert_eq!(operator.post("/api/v1/maintenance", &body).await.status, status, "{body}");
    }
    let wanted = json!({ "name": "visitor", "role": "viewer" });
    let token = operator.post("/api/v1/tokens", &wanted).await.json()["token"].clone();
    let viewer = Operator::new(net.kattila.addr(), token.as_str().unwrap());
    assert_eq!(viewer.get("/api/v1/maintenance").await.status, 200);
    let body = json!({ "agent_id": ALPHA, "for_s": 60, "reason": "x" });
    assert_eq!(viewer.post("/api/v1/maintenance", &body).await.status, 403);
    assert_eq!(viewer.delete("/api/v1/maintenance/2").await.status, 403);
    net.kattila.stop().await;
}
