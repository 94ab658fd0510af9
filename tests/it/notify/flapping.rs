//! What comes and goes is told once, and its end once.

use super::scene::{ROUTE, Scene};

impl Scene {
    /// Half a minute later: what was told meanwhile.
    async fn told(&self) -> Vec<String> {
        self.advance(30).await;
        self.receiver.take().iter().flat_map(|message| message.told()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flaps_is_told_once_and_its_end_once() {
    let mut scene = Scene::start(1, &ROUTE.replace("chat\"", "chat\"\nrepeat_every = 60")).await;
    for _ in 0..2 {
        scene.silence().await;
        assert_eq!(scene.told().await, ["raised agent.offline major"]);
        scene.back().await;
        assert_eq!(scene.told().await, ["cleared agent.offline major"]);
    }
    scene.silence().await;
    assert_eq!(scene.told().await, ["raised agent.offline major"]);
    scene.back().await;
    let told = scene.told().await;
    assert_eq!(told, ["flapping agent.offline major", "raised agent.flapping minor"]);
    let alarm = scene.net.alarm("agent.offline").await;
    assert_eq!((&alarm["flapping"], &alarm["state"]), (&true.into(), &"active".into()), "{alarm}");
    let id = scene.net.alarm("agent.flapping").await["id"].clone();
    let path = format!("/api/v1/alarms/{id}/ack");
    scene.net.kattila.operator().post(&path, &serde_json::json!({})).await;
    // It goes on, also over a restart, and nobody hears of it.
    scene.silence().await;
    assert_eq!(scene.told().await, [""; 0]);
    scene.net = scene.net.restarted().await;
    scene.back().await;
    assert_eq!(scene.told().await, [""; 0]);
    let alarms = scene.net.kattila.operator().events().await;
    let changes = alarms.iter().filter(|event| event.starts_with("alarm.flapping")).count();
    assert_eq!(changes, 3, "each change is recorded all the same: {alarms:?}");
    scene.net.rounds(55).await;
    assert_eq!(scene.told().await, ["cleared agent.offline major"]);
    scene.net.rounds(10).await;
    assert_eq!(scene.told().await, ["cleared agent.flapping minor"]);
    scene.net.kattila.stop().await;
}
