//! Channels as people ask after them, and the heartbeat.

use serde_json::json;

use super::scene::{ROUTE, Scene, secret};
use crate::support::receiver::{Mood, Receiver};

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_what_it_is_and_what_cannot_be_done_is_told() {
    let scene = Scene::start(1, ROUTE).await;
    let operator = scene.net.kattila.operator();
    assert_eq!(scene.channel("chat").await["state"], "unused");
    let answer = operator.post("/api/v1/channels/chat/test", &json!({})).await;
    assert_eq!((answer.status, answer.json()), (202, json!({"notification": 1})));
    scene.advance(0).await;
    let got = scene.receiver.take_one();
    assert_eq!(got.json()["type"], "kattila.test");
    let channel = scene.channel("chat").await;
    assert_eq!((channel["state"].as_str(), channel["sent"].as_i64()), (Some("ok"), Some(1)));
    let place = format!("http://{}", scene.receiver.addr);
    assert_eq!(channel["to"].as_str(), Some(place.as_str()));

    let page = operator.get("/notifications").await.text();
    assert!(page.contains("Test message from Kattila") && page.contains("Works"), "{page}");
    let none = operator.post("/api/v1/channels/nobody/test", &json!({})).await;
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
    let sent = operator.post("/api/v1/notifications/1/retry", &json!({})).await;
    assert_eq!((sent.status, sent.code().as_str()), (409, "conflict"));
    let none = operator.post("/api/v1/notifications/99/retry", &json!({})).await;
    assert_eq!(none.status, 404);
    let odd = operator.get("/api/v1/notifications?state=lost").await;
    assert_eq!((odd.status, odd.code().as_str()), (400, "bad_request"));
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_get_their_own_shape_and_their_token() {
    let receiver = Receiver::start().await;
    let url = |path: &str| receiver.url(path);
    let text = format!(
        "console = \"https://kattila.example.org\"\n\
         [[channel]]\nname = \"slack\"\ntype = \"webhook\"\nurl_file = \"url\"\ntemplate = \"slack\"\n\
         [[channel]]\nname = \"ntfy\"\ntype = \"webhook\"\nurl = \"{}\"\ntemplate = \"ntfy\"\n\
         topic = \"network\"\ntoken_file = \"token\"\n\
         [[channel]]\nname = \"own\"\ntype = \"webhook\"\nurl = \"{}\"\ntemplate = \"custom\"\n\
         body = '{{\"event\": \"{{status}}\", \"summary\": \"{{title}}\", \"count\": \"{{count}}\"}}'\n\
         [[route]]\nchannels = [\"slack\", \"ntfy\", \"own\"]\n",
        url("/ntfy"),
        url("/own"),
    );
    let dir = tempfile::tempdir().unwrap();
    secret(dir.path(), "url", &url("/services/T0/s3cret"));
    secret(dir.path(), "token", "tk_s3cret\n");
    let file = dir.path().join("notify.toml");
    std::fs::write(&file, text).unwrap();
    let settings = [
        ("KATTILA_NOTIFY_FILE", file.to_str().unwrap()),
        ("KATTILA_METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let mut net = crate::support::network::Network::start_with(1, &[], &settings).await;
    net.round().await;
    net.kattila.advance(180).await;
    net.kattila.advance(30).await;
    let mut got = receiver.take();
    got.sort_by(|a, b| a.path.cmp(&b.path));
    let [ntfy, own, slack] = &got[..] else { panic!("{got:?}") };
    assert_eq!(ntfy.header("authorization"), "Bearer tk_s3cret");
    let body = ntfy.json();
    assert_eq!((&body["topic"], &body["priority"]), (&json!("network"), &json!(4)));
    assert_eq!(body["click"], "https://kattila.example.org/alarms");
    assert_eq!(own.json()["event"], "firing");
    assert_eq!(own.json()["summary"], body["title"]);
    assert_eq!(slack.path, "/services/T0/s3cret");
    let said = slack.json()["text"].as_str().unwrap().to_owned();
    assert!(said.starts_with("major: agent.offline alpha"), "{said}");
    assert!(said.ends_with("https://kattila.example.org/alarms"), "{said}");
    let door = net.kattila.manager().metrics_addr().unwrap();
    let metrics = crate::support::http::get(door, "/metrics", &[]).await.text();
    assert!(metrics.contains("kattila_notifications_sent{channel=\"slack\"} 1"), "{metrics}");
    let shown = net.kattila.operator().get("/api/v1/channels").await.text();
    let page = net.kattila.operator().get("/settings").await.text();
    assert!(!shown.contains("s3cret") && !page.contains("s3cret"), "{shown}");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_outside_is_told_that_the_manager_lives() {
    let watcher = Receiver::start().await;
    let more = format!("[heartbeat]\nurl = \"{}\"\nevery = 60\n", watcher.url("/ping"));
    let scene = Scene::start(1, &more).await;
    watcher.take();
    scene.advance(60).await;
    assert_eq!(watcher.take_one().json()["status"], "ok");
    scene.advance(59).await;
    assert!(watcher.take().is_empty());
    watcher.will([Mood::Status(500, "")]);
    scene.advance(1).await;
    assert_eq!(watcher.take().len(), 1);
    let shown = scene.net.kattila.operator().json("/api/v1/channels").await;
    let beat = &shown["heartbeat"];
    assert_eq!((&beat["status"], &beat["error"]), (&json!("ok"), &json!("answered 500")));

    // People are not told of alarms any more: the watcher hears of that.
    scene.receiver.will([Mood::Status(410, "")]);
    scene.net.kattila.operator().post("/api/v1/channels/chat/test", &json!({})).await;
    scene.advance(1).await;
    scene.advance(60).await;
    let got = watcher.take_one().json();
    assert_eq!(got["status"], "warn");
    assert_eq!(got["reasons"], json!(["chat does not take notifications"]));
    scene.net.kattila.stop().await;
}
