//! The plan as it changes: read again at a hangup, wrong, and without a channel.

use serde_json::json;

use super::scene::{ROUTE, Scene, plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_wrong_leaves_the_old_one_in_force_and_is_told() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.write("[[channel]]\nname = \"chat\"\n[[rout]]\n");
    scene.net.kattila.manager().reload_notify().await;
    let shown = scene.net.kattila.operator().json("/api/v1/channels").await;
    let told: Vec<&str> =
        shown["mistakes"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    assert!(told.iter().any(|m| m.contains("line 1: channel.type is missing")), "{told:?}");
    assert!(told.iter().any(|m| m.contains("line 3: rout is not known")), "{told:?}");
    let events = scene.net.kattila.operator().get("/api/v1/events?after=0&limit=1000").await.text();
    assert!(events.contains("notify.changed") && events.contains("kept the old plan"), "{events}");
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), ["raised agent.offline major"]);

    scene.write(&plan(&scene.receiver, &ROUTE.replace("chat\"", "chat\"\nrepeat_every = 60")));
    scene.net.kattila.manager().reload_notify().await;
    let shown = scene.net.kattila.operator().json("/api/v1/channels").await;
    assert_eq!(shown["mistakes"], json!([]));
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_comes_later_tells_of_what_is_open() {
    let mut scene = Scene::start(1, "").await;
    scene.silence().await;
    scene.advance(60).await;
    assert!(scene.receiver.take().is_empty(), "no route");
    scene.write(&plan(&scene.receiver, ROUTE));
    scene.net.kattila.manager().reload_notify().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), ["raised agent.offline major"]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_channel_that_is_gone_is_given_up_with_the_reason() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    scene.receiver.will([crate::support::receiver::Mood::Cut]);
    scene.advance(30).await;
    assert_eq!(scene.log().await, ["chat waiting 1"]);
    scene.write("");
    scene.net.kattila.manager().reload_notify().await;
    assert_eq!(scene.log().await, ["chat dead 1"]);
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.log().await, ["chat dead 1", "chat dead 0"], "its end is there as well");
    let dead = scene.net.kattila.operator().json("/api/v1/notifications?state=dead").await;
    assert!(dead[0]["error"].as_str().unwrap().contains("KATTILA_NOTIFY_FILE"), "{dead}");
    let alone =
        scene.net.kattila.operator().post("/api/v1/notifications/2/retry", &json!({})).await;
    assert_eq!(alone.status, 409, "{}", alone.text());

    // It comes back, and the end can be told after all.
    scene.write(&plan(&scene.receiver, ROUTE));
    scene.net.kattila.manager().reload_notify().await;
    scene.receiver.take();
    scene.net.kattila.operator().post("/api/v1/notifications/2/retry", &json!({})).await;
    scene.advance(0).await;
    assert_eq!(scene.receiver.take_one().told(), ["cleared agent.offline major"]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_by_a_channel_that_was_away_is_told_the_end() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    scene.advance(30).await;
    scene.receiver.take_one();
    scene.write("");
    scene.net.kattila.manager().reload_notify().await;
    scene.advance(30).await;
    scene.write(&plan(&scene.receiver, ROUTE));
    scene.net.kattila.manager().reload_notify().await;
    scene.advance(90).await;
    assert!(scene.receiver.take().is_empty(), "it was told before");
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), ["cleared agent.offline major"]);
    scene.net.kattila.stop().await;
}
