//! What is told, when, and how often.

use serde_json::json;

use super::scene::{ROUTE, SECRET, Scene};

const DOWN: &str = "raised agent.offline major";
const OVER: &str = "cleared agent.offline major";

#[tokio::test(flavor = "multi_thread")]
async fn a_raise_is_told_after_its_window_and_its_end_once() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    scene.advance(29).await;
    assert!(scene.receiver.take().is_empty(), "more may come within 30 s");
    scene.advance(1).await;
    let got = scene.receiver.take_one();
    assert_eq!((got.path.as_str(), got.told()), ("/in", vec![DOWN.to_owned()]));
    assert!(got.is_signed_with(SECRET), "{got:?}");
    assert!(!got.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    let now = scene.net.now();
    assert_eq!(got.header("webhook-timestamp"), now.to_string());
    let alarm = scene.net.alarm("agent.offline").await;
    let id = alarm["id"].as_i64().unwrap();
    let one = scene.net.kattila.operator().json(&format!("/api/v1/alarms/{id}")).await;
    assert_eq!(
        one["notified"],
        json!([{"channel": "chat", "telling": "raised", "notification": 1, "state": "sent",
            "at": now, "ended_at": now}])
    );
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER]);
    scene.net.round().await;
    scene.advance(0).await;
    assert!(scene.receiver.take().is_empty(), "told once");
    assert_eq!(scene.log().await, ["chat sent 1", "chat sent 1"]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_within_its_window_is_never_told() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    scene.advance(20).await;
    scene.back().await;
    scene.advance(20).await;
    assert!(scene.receiver.take().is_empty());
    assert!(scene.log().await.is_empty());
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_together_is_told_together_also_over_a_restart() {
    let mut scene = Scene::start(3, ROUTE).await;
    scene.net.kattila.advance(180).await;
    scene.advance(10).await;
    scene.net = scene.net.restarted().await;
    scene.advance(20).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN; 3]);
    scene.net = scene.net.restarted().await;
    scene.advance(10).await;
    assert!(scene.receiver.take().is_empty(), "nothing is told twice after a restart");
    scene.back().await;
    scene.net = scene.net.restarted().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER; 3]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_is_told_to_be_over_whatever_an_admin_does() {
    for (path, body) in [
        ("/status/admin/reset", json!({"agent_id": crate::support::fleet::ALPHA, "forget": true})),
        (concat!("/api/v1/agents/", "a1fa00000000000000000000000a1fa0", "/revoke"), json!({})),
    ] {
        let mut scene = Scene::start(1, ROUTE).await;
        scene.silence().await;
        scene.advance(30).await;
        assert_eq!(scene.receiver.take_one().told(), [DOWN]);
        let path = path.replace("a1fa00000000000000000000000a1fa0", crate::support::fleet::ALPHA);
        let answer = scene.net.kattila.operator().post(&path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        scene.advance(30).await;
        assert_eq!(scene.receiver.take_one().told(), [OVER], "{path}");
        scene.net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_repeated_until_somebody_acknowledges_it() {
    let more = "also = \"acknowledged\"\n[[route]]\nchannels = \"chat\"\nrepeat_every = \"1h\"\n";
    let mut scene = Scene::start(1, more).await;
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN]);
    scene.advance(3_600).await;
    assert_eq!(scene.receiver.take_one().told(), ["repeated agent.offline major"]);
    let id = scene.net.alarm("agent.offline").await["id"].clone();
    let note = json!({"note": "on it"});
    scene.net.kattila.operator().post(&format!("/api/v1/alarms/{id}/ack"), &note).await;
    scene.advance(30).await;
    let got = scene.receiver.take_one();
    assert_eq!(got.told(), ["acknowledged agent.offline major"]);
    assert!(got.body.contains("on it"), "{got:?}");
    scene.advance(7_200).await;
    assert!(scene.receiver.take().is_empty(), "acknowledged alarms are not repeated");
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_when_nobody_acknowledges_is_told_the_end_and_nobody_else() {
    let more = "[[channel]]\nname = \"boss\"\ntype = \"webhook\"\nurl = \"URL\"\n\
                [[route]]\nchannels = \"chat\"\n\
                escalate = [{ after = \"15m\", channels = \"boss\" }]\n";
    let receiver = crate::support::receiver::Receiver::start().await;
    let text = super::scene::plan(&receiver, &more.replace("URL", &receiver.url("/boss")));
    let mut scene = Scene::with(1, receiver, &text).await;
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().path, "/in");
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().path, "/in", "over before the boss was told");
    scene.advance(900).await;
    scene.receiver.take();
    scene.advance(60).await;
    let got = scene.receiver.take();
    let boss: Vec<_> = got.iter().filter(|got| got.path == "/boss").collect();
    assert_eq!(boss.len(), 0, "{got:?}");
    scene.advance(900).await;
    let got = scene.receiver.take();
    assert_eq!(got.iter().map(|got| got.path.as_str()).collect::<Vec<_>>(), ["/boss"]);
    assert_eq!(got[0].told(), ["escalated agent.offline major"]);
    scene.back().await;
    scene.advance(30).await;
    let mut over: Vec<_> = scene.receiver.take().into_iter().map(|got| got.path).collect();
    over.sort();
    assert_eq!(over, ["/boss", "/in"]);
    scene.net.kattila.stop().await;
}
