//! What people do about alarms, and what is kept of it.

use serde_json::json;

use crate::support::actors::Operator;
use crate::support::http::post_json;
use crate::support::network::Network;

/// A network with one alarm: alpha's uplink is down.
async fn with_an_alarm() -> Network {
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    net.hosts[0].eth0_up = false;
    net.rounds(2).await;
    assert_eq!(net.alarms().await, ["iface.down alpha/eth0 major active"]);
    net
}

/// Somebody with a token of this role.
async fn someone(net: &Network, name: &str, role: &str) -> Operator {
    let wanted = json!({ "name": name, "role": role });
    let made = net.kattila.operator().post("/api/v1/tokens", &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
    Operator::new(net.kattila.addr(), made.json()["token"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_is_kept_with_its_note_until_the_alarm_ends() {
    let mut net = with_an_alarm().await;
    let kim = someone(&net, "kim", "operator").await;
    let path = format!("/api/v1/alarms/{}", net.alarm("iface.down").await["id"]);
    let answer = kim.post(&format!("{path}/ack"), &json!({ "note": "cable ordered" })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let alarm = kim.json(&path).await;
    assert_eq!(alarm["state"], "acknowledged");
    assert_eq!(
        (&alarm["acknowledged_by"], &alarm["note"]),
        (&json!("kim"), &json!("cable ordered"))
    );
    assert_eq!(alarm["acknowledged_at"], net.now());
    // It stays acknowledged while the condition holds, and dies with it.
    net.rounds(3).await;
    assert_eq!(net.alarms().await, ["iface.down alpha/eth0 major acknowledged"]);
    net.hosts[0].eth0_up = true;
    net.rounds(2).await;
    assert!(net.alarms().await.is_empty());
    net.hosts[0].eth0_up = false;
    net.rounds(2).await;
    assert_eq!(net.alarms().await, ["iface.down alpha/eth0 major active"]);
    assert_eq!(net.alarm("iface.down").await["note"], json!(null));
    let past = kim.json("/status/alarms?state=cleared").await;
    assert_eq!(past.as_array().unwrap().len(), 1, "{past}");
    assert_eq!(
        (&past[0]["note"], &past[0]["clear_cause"]),
        (&json!("cable ordered"), &json!("condition over"))
    );
    let told = ["raised", "acknowledged", "cleared", "raised"];
    assert_eq!(net.told().await, told.map(|t| format!("alarm.{t} iface.down alpha/eth0 major")));
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_cleared_by_hand_comes_back_after_its_delay() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(2).await;
    net.links[0].mutual = false;
    net.rounds(2).await;
    let half = "edge.half_configured alpha-beta major active";
    assert_eq!(net.alarms().await, [half]);
    let operator = net.kattila.operator();
    let first = net.alarm("edge.half_configured").await["id"].clone();
    let answer = operator.post(&format!("/api/v1/alarms/{first}/clear"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(net.alarms().await.is_empty());
    let cleared = operator.json(&format!("/api/v1/alarms/{first}")).await;
    let expected = (&json!("cleared"), &json!("cleared by admin"));
    assert_eq!((&cleared["state"], &cleared["clear_cause"]), expected);
    net.round().await;
    assert!(net.alarms().await.is_empty());
    net.round().await;
    assert_eq!(net.alarms().await, [half]);
    assert_ne!(net.alarm("edge.half_configured").await["id"], first);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_act_acts_and_only_on_what_is_open() {
    let mut net = with_an_alarm().await;
    let id = net.alarm("iface.down").await["id"].clone();
    let viewer = someone(&net, "visitor", "viewer").await;
    let operator = someone(&net, "kim", "operator").await;
    for verb in ["ack", "clear"] {
        let path = format!("/api/v1/alarms/{id}/{verb}");
        assert_eq!(post_json(net.kattila.addr(), &path, &[], "{}").await.status, 401);
        assert_eq!(viewer.post(&path, &json!({})).await.status, 403);
        let unknown = operator.post(&format!("/api/v1/alarms/4711/{verb}"), &json!({})).await;
        assert_eq!(
            (unknown.status, unknown.code().as_str()),
            (404, "not_found"),
            "{}",
            unknown.text()
        );
    }
    assert_eq!(operator.get("/api/v1/alarms/4711").await.status, 404);
    assert_eq!(net.alarms().await, ["iface.down alpha/eth0 major active"]);
    // Over is over: a cleared alarm cannot be acknowledged or cleared again.
    assert_eq!(operator.post(&format!("/api/v1/alarms/{id}/clear"), &json!({})).await.status, 200);
    assert_eq!(operator.post(&format!("/api/v1/alarms/{id}/clear"), &json!({})).await.status, 404);
    assert_eq!(operator.post(&format!("/api/v1/alarms/{id}/ack"), &json!({})).await.status, 404);
    // A pending one is not shown, so nobody can act on it either.
    net.hosts[0].eth0_up = true;
    net.round().await;
    net.hosts[0].eth0_up = false;
    net.round().await;
    // The first number after the cleared one went to what remembered it, and ended.
    let pending = id.as_i64().unwrap() + 2;
    let answer = operator.post(&format!("/api/v1/alarms/{pending}/ack"), &json!({})).await;
    assert_eq!(answer.status, 404);
    net.kattila.stop().await;
}
