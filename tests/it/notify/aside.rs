//! What is not told while somebody has set an alarm aside, and what is told afterwards.

use serde_json::json;

use super::scene::Scene;
use crate::support::fleet::ALPHA;

/// What is about hosts is told: in the hours that pass here no job of the manager runs.
const ROUTE: &str = "[[route]]\nchannels = \"chat\"\nkinds = [\"agent.*\"]\n";

const DOWN: &str = "raised agent.offline major";
const OVER: &str = "cleared agent.offline major";

impl Scene {
    /// Somebody shelves the one alarm about a silent agent.
    async fn shelve(&self, for_s: i64) {
        let id = self.net.alarm("agent.offline").await["id"].clone();
        let body = json!({ "for_s": for_s, "reason": "parts ordered" });
        let path = format!("/api/v1/alarms/{id}/shelve");
        let answer = self.net.kattila.operator().post(&path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Somebody puts alpha into maintenance from now on.
    async fn maintain(&self, for_s: i64) -> i64 {
        let body = json!({ "agent_id": ALPHA, "for_s": for_s, "reason": "new disks" });
        let answer = self.net.kattila.operator().post("/api/v1/maintenance", &body).await;
        assert_eq!((answer.status, &answer.json()["agents"]), (201, &json!(1)));
        answer.json()["id"].as_i64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shelved_alarm_is_told_when_its_time_is_over_also_over_a_restart() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    scene.shelve(600).await;
    scene.advance(590).await;
    assert!(scene.receiver.take().is_empty());
    assert!(!scene.net.alarm("agent.offline").await["shelved_until"].is_null());
    scene.net = scene.net.restarted().await;
    scene.advance(10).await;
    assert!(scene.net.alarm("agent.offline").await["shelved_until"].is_null());
    scene.advance(10).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN]);
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_of_a_raise_is_told_of_the_end_of_a_shelved_alarm() {
    let repeats = format!("{ROUTE}repeat_every = \"5m\"\n");
    let mut scene = Scene::start(1, &repeats).await;
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN]);
    scene.shelve(7_200).await;
    for _ in 0..3 {
        scene.advance(600).await;
    }
    assert!(scene.receiver.take().is_empty(), "no repeats while it is shelved");
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER]);
    // The next one is not shelved.
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_and_goes_in_maintenance_is_recorded_and_never_told() {
    let mut scene = Scene::start(1, ROUTE).await;
    let window = scene.maintain(3_600).await;
    scene.silence().await;
    scene.advance(300).await;
    assert_eq!(scene.net.alarm("agent.offline").await["maintenance"], window);
    scene.back().await;
    for _ in 0..3 {
        scene.advance(30).await;
        scene.net.round().await;
    }
    let past = scene.net.kattila.operator().json("/status/alarms?state=cleared").await;
    let offline = past.as_array().unwrap().iter().find(|a| a["kind"] == "agent.offline");
    assert_eq!(offline.unwrap()["maintenance"], window);
    scene.advance(3_600).await;
    let told: Vec<_> = scene.receiver.take().iter().flat_map(|got| got.told()).collect();
    assert_eq!(told, [""; 0], "what was over by the end");
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN], "it fell silent again at the end");
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_still_holds_when_maintenance_ends_is_told_then() {
    let mut scene = Scene::start(2, ROUTE).await;
    scene.maintain(900).await;
    scene.net.kattila.advance(180).await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN], "beta alone is told of");
    // A restart in between changes nothing.
    scene.net = scene.net.restarted().await;
    scene.advance(680).await;
    assert!(scene.receiver.take().is_empty());
    scene.advance(10).await;
    scene.advance(10).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN], "alpha counts for itself now");
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER; 2]);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_before_maintenance_is_told_of_the_end_in_it() {
    let mut scene = Scene::start(1, ROUTE).await;
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN]);
    let window = scene.maintain(86_400).await;
    scene.back().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [OVER]);
    // Ended by hand, it mutes no more.
    let path = format!("/api/v1/maintenance/{window}");
    assert_eq!(scene.net.kattila.operator().delete(&path).await.status, 200);
    assert_eq!(scene.net.kattila.operator().delete(&path).await.status, 404);
    scene.silence().await;
    scene.advance(30).await;
    assert_eq!(scene.receiver.take_one().told(), [DOWN]);
    scene.net.kattila.stop().await;
}
