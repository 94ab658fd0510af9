//! Shelving, and acting on many alarms at once.

use serde_json::{Value, json};

use crate::support::network::Network;

/// Three hosts whose uplinks are down.
async fn with_three() -> (Network, Vec<i64>) {
    let mut net = Network::start(3, &[]).await;
    net.round().await;
    for host in 0..3 {
        net.hosts[host].eth0_up = false;
    }
    net.rounds(2).await;
    let all = net.kattila.operator().json("/status/alarms").await;
    let ids: Vec<i64> =
        all.as_array().unwrap().iter().rev().map(|a| a["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{all}");
    (net, ids)
}

fn results(answer: &Value) -> Vec<(i64, &str)> {
    let list = answer["results"].as_array().unwrap().iter();
    list.map(|r| (r["id"].as_i64().unwrap(), r["outcome"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelf_is_kept_with_who_and_why_and_left_by_itself() {
    let (mut net, ids) = with_three().await;
    let operator = net.kattila.operator();
    let path = format!("/api/v1/alarms/{}", ids[0]);
    let answer = operator
        .post(&format!("{path}/shelve"), &json!({ "for_s": 90, "reason": " cable ordered " }))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let alarm = operator.json(&path).await;
    assert_eq!(alarm["state"], "active", "shelving is no state");
    assert_eq!(
        [&alarm["shelved_by"], &alarm["shelve_reason"], &alarm["shelved_until"]],
        [&json!("admin"), &json!("cable ordered"), &json!(net.now() + 90)]
    );
    assert_eq!(operator.topology().await["alarms_open"], 2, "it does not ask for anybody");
    let page = operator.get("/alarms").await.text();
    assert!(!page.contains(&format!("/alarms/{}/ack", ids[0])));
    let page = operator.get("/alarms?state=shelved").await.text();
    assert!(page.contains("by admin: cable ordered"), "{page}");
    net = net.restarted().await;
    net.rounds(2).await;
    let operator = net.kattila.operator();
    assert_eq!(operator.json(&path).await["shelved_by"], "admin");
    net.round().await;
    let alarm = operator.json(&path).await;
    assert_eq!((&alarm["shelved_until"], &alarm["state"]), (&json!(null), &json!("active")));
    let events = operator.json("/api/v1/events?after=0&limit=1000").await;
    let shelf: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"].as_str().unwrap().contains("shelved"))
        .map(|event| (event["kind"].clone(), event["cause"].clone()))
        .collect();
    let expected =
        [(json!("alarm.shelved"), json!("admin")), (json!("alarm.unshelved"), json!(null))];
    assert_eq!(shelf, expected);
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelf_needs_an_end_within_thirty_days_and_a_reason() {
    let (net, ids) = with_three().await;
    let operator = net.kattila.operator();
    let path = format!("/api/v1/alarms/{}/shelve", ids[0]);
    for (body, why) in [
        (json!({ "for_s": 60 }), "reason"),
        (json!({ "for_s": 60, "reason": "x".repeat(501) }), "500"),
        (json!({ "reason": "x" }), "until when"),
        (json!({ "reason": "x", "for_s": 2_592_001 }), "30 days"),
        (json!({ "reason": "x", "until": net.now() }), "30 days"),
        (json!({ "reason": "x", "for_s": 60, "forever": true }), "forever"),
    ] {
        let answer = operator.post(&path, &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains(why), "{body}: {}", answer.text());
    }
    let good = json!({ "reason": "x", "until": net.now() + 60 });
    assert_eq!(operator.post("/api/v1/alarms/4711/shelve", &good).await.status, 404);
    assert_eq!(operator.post(&path, &good).await.status, 200);
    let back = format!("/api/v1/alarms/{}/unshelve", ids[0]);
    assert_eq!(operator.post(&back, &json!({})).await.status, 200);
    assert_eq!(operator.json("/status/alarms").await[2]["shelved_until"], json!(null));
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_acted_on_at_once_and_each_is_answered() {
    let (net, ids) = with_three().await;
    let operator = net.kattila.operator();
    let act = |verb: &str, body: Value| {
        let path = format!("/api/v1/alarms/{verb}");
        let operator = net.kattila.operator();
        async move { operator.post(&path, &body).await }
    };
    let named = json!({ "ids": [ids[1], 4711, ids[0], ids[1]], "note": "storm" });
    let answer = act("acknowledge", named.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["status"], &told["done"]), (&json!("ok"), &json!(2)));
    assert_eq!(results(&told), [(ids[0], "done"), (ids[1], "done"), (4711, "not_open")]);
    let again = act("acknowledge", named).await.json();
    assert_eq!(results(&again)[..2], [(ids[0], "unchanged"), (ids[1], "unchanged")]);
    let first = operator.json(&format!("/api/v1/alarms/{}", ids[0])).await;
    assert_eq!((&first["state"], &first["note"]), (&json!("acknowledged"), &json!("storm")));
    let shelve = json!({ "ids": ids, "for_s": 60, "reason": "storm" });
    assert_eq!(act("shelve", shelve).await.json()["done"], 3);
    assert_eq!(act("unshelve", json!({ "ids": [ids[2]] })).await.json()["done"], 1);
    assert_eq!(act("clear", json!({ "ids": [ids[2]] })).await.json()["done"], 1);
    for bad in [json!({}), json!({ "ids": vec![1; 501] }), json!({ "ids": "all" })] {
        assert_eq!(act("clear", bad.clone()).await.status, 400, "{bad}");
    }
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_acknowledged_whole_from_its_page() {
    // With alpha silent, that it is late follows from that it is down.
    let mut net = Network::start(1, &[]).await;
    net.round().await;
    net.kattila.advance(200).await;
    let offline = net.alarm("agent.offline").await;
    let stale = net.alarm("agent.stale").await;
    assert_eq!(stale["inhibited_by"], offline["id"]);
    let operator = net.kattila.operator();
    let fields = format!("incident={}&act=acknowledge&words=on+it&tab=open", offline["id"]);
    let answer = operator.form("/alarms/acts", &fields).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/alarms")));
    let lines = net.alarms().await;
    assert!(lines.iter().all(|line| line.ends_with(" acknowledged")) && lines.len() == 2);
    assert_eq!(net.alarm("agent.stale").await["note"], "on it");
    // One follower's own button, whatever is chosen beside it.
    let fields = format!("id={}&clear={}&tab=acknowledged", offline["id"], stale["id"]);
    let answer = operator.form("/alarms/acts", &fields).await;
    assert_eq!(answer.header("location"), Some("/alarms?state=acknowledged"));
    assert_eq!(net.alarms().await.len(), 1);
    assert_eq!(operator.form("/alarms/acts", "act=clear&tab=open").await.status, 400);
    net.kattila.stop().await;
}
