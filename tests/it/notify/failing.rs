//! Receivers that fail in every way, and a manager that is killed.

use std::sync::Arc;

use tokio::sync::Notify;

use super::scene::{ROUTE, Scene};
use crate::support::receiver::Mood;

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_under_the_same_name_and_refusals_are_given_up() {
    for (mood, state, wait) in [
        (Mood::Status(500, ""), "waiting", 7),
        (Mood::Status(503, ""), "waiting", 7),
        (Mood::Status(408, ""), "waiting", 7),
        (Mood::Status(429, "retry-after: 100\r\n"), "waiting", 100),
        (Mood::Cut, "waiting", 7),
        (Mood::Half, "waiting", 7),
        (Mood::Status(400, ""), "dead", 0),
        (Mood::Status(410, ""), "dead", 0),
        (Mood::Status(302, "location: http://127.0.0.1:1/\r\n"), "dead", 0),
    ] {
        let mut scene = Scene::start(1, ROUTE).await;
        scene.silence().await;
        scene.receiver.will([mood.clone()]);
        scene.advance(30).await;
        let first = scene.receiver.take_one();
        assert_eq!(scene.log().await, [format!("chat {state} 1")], "{mood:?}");
        if wait > 8 {
            scene.advance(wait - 1).await;
            assert!(scene.receiver.take().is_empty(), "{mood:?}: the receiver said when");
        }
        scene.advance(wait.max(8)).await;
        if state == "dead" {
            assert!(scene.receiver.take().is_empty(), "{mood:?}");
            let path = "/api/v1/notifications/1/retry";
            let answer = scene.net.kattila.operator().post(path, &serde_json::json!({})).await;
            assert_eq!(answer.status, 202, "{}", answer.text());
            scene.advance(0).await;
        }
        let again = scene.receiver.take_one();
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"), "{mood:?}");
        assert_eq!(again.body, first.body);
        scene.back().await;
        scene.advance(30).await;
        assert_eq!(scene.receiver.take_one().told(), ["cleared agent.offline major"]);
        scene.net.kattila.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_sending_and_recording_sends_the_same_again() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    let never = Arc::new(Notify::new());
    scene.receiver.will([Mood::Hold(never)]);
    // The receiver has it; the manager's end of the exchange is cut off.
    tokio::select! {
        () = scene.advance(30) => panic!("the receiver holds the answer back"),
        () = scene.receiver.came() => {}
    }
    let first = scene.receiver.take_one();
    scene.net = scene.net.restarted().await;
    scene.advance(0).await;
    let again = scene.receiver.take_one();
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
    assert_eq!(first.body, again.body);
    assert_eq!(scene.log().await, ["chat sent 1"]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_fails_is_told_by_the_others_until_it_is_good_again() {
    let receiver = crate::support::receiver::Receiver::start().await;
    let broken = crate::support::receiver::Receiver::start().await;
    let text = super::scene::plan(&receiver, ROUTE)
        + &format!(
            "[[channel]]\nname = \"broken\"\ntype = \"webhook\"\nurl = \"{}\"\n\
             [[route]]\nkinds = [\"notify.failing\", \"agent.offline\"]\n\
             channels = [\"broken\", \"chat\"]\n",
            broken.url("/")
        );
    // The first route would take everything; the second is to be asked, too.
    let text = text.replacen("channels = \"chat\"\n", "channels = \"chat\"\ncontinue = true\n", 1);
    let mut scene = Scene::with(1, receiver, &text).await;
    broken.will(std::iter::repeat_n(Mood::Status(500, ""), 6));
    scene.silence().await;
    scene.advance(30).await;
    for wait in [7, 13, 25, 50] {
        scene.advance(wait).await;
    }
    assert_eq!(broken.take().len(), 5);
    let channel = scene.channel("broken").await;
    assert_eq!(
        (channel["state"].as_str(), channel["failures"].as_i64()),
        (Some("failing"), Some(5))
    );
    let alarm = scene.net.alarm("notify.failing").await;
    assert_eq!(
        (alarm["subject"].as_str(), alarm["severity"].as_str()),
        (Some("broken"), Some("major"))
    );
    scene.receiver.take();
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), ["raised notify.failing major"]);
    assert!(broken.take().is_empty(), "left alone");

    // A person's test is tried at once, and fails for the sixth time with the one before it.
    let operator = scene.net.kattila.operator();
    let test = operator.post("/api/v1/channels/broken/test", &serde_json::json!({})).await;
    assert_eq!(test.status, 202, "{}", test.text());
    scene.advance(0).await;
    assert_eq!(broken.take().len(), 1, "the first that waits goes first");
    scene.advance(1_200).await;
    assert_eq!(broken.take().len(), 2, "it is mended: what waited, then the test");
    operator.post("/api/v1/channels/broken/test", &serde_json::json!({})).await;
    scene.advance(0).await;
    assert_eq!(broken.take_one().json()["type"], "kattila.test");
    let open = scene.net.alarms().await;
    assert!(!open.iter().any(|alarm| alarm.starts_with("notify.failing")), "{open:?}");
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), ["cleared notify.failing major"]);
    scene.net.kattila.stop().await;
}
