//! The rules file through the whole manager: what is changed for whom, read again at a hangup,
//! and told to whoever looks.

use serde_json::Value;
use tempfile::TempDir;

use super::GRACE;
use crate::support::network::Network;

struct Scene {
    net: Network,
    dir: TempDir,
}

impl Scene {
    async fn start(hosts: usize, links: &[(usize, usize)], rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rules.toml");
        std::fs::write(&file, rules).unwrap();
        let settings = [("KATTILA_RULES_FILE", file.to_str().unwrap())];
        Self { net: Network::start_with(hosts, links, &settings).await, dir }
    }

    fn write(&self, rules: &str) {
        std::fs::write(self.dir.path().join("rules.toml"), rules).unwrap();
    }

    /// Writes the file, and a hangup.
    async fn change(&self, rules: &str) {
        self.write(rules);
        self.net.kattila.manager().reload_rules().await;
    }

    async fn rules(&self) -> Value {
        self.net.kattila.operator().json("/api/v1/rules").await
    }

    /// The changes that are told, newest first: kind, before, after.
    async fn changes(&self) -> Vec<String> {
        let rules = self.rules().await;
        let told =
            |c: &Value| format!("{} {} {}", c["kind"].as_str().unwrap(), c["before"], c["after"]);
        rules["changes"].as_array().unwrap().iter().map(told).collect()
    }

    /// The same out of the history, oldest first: subject, cause.
    async fn history(&self) -> Vec<(String, String)> {
        let events = self.net.kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
        let all = events.as_array().unwrap().iter().filter(|e| e["kind"] == "rules.changed");
        let text = |e: &Value, name: &str| e[name].as_str().unwrap_or("").to_owned();
        all.map(|event| (text(event, "subject"), text(event, "cause"))).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_limits_and_severities_by_fleet_and_label() {
    let rules = "
        [[rule]]
        kinds = \"agent.stale\"
        limits = { intervals = 1, extra_s = 5 }
        raise_after = \"20s\"
        [[rule]]
        kinds = \"agent.offline\"
        labels = { role = \"gate*\" }
        severity = \"info\"
        limits = { intervals = 2, least_s = 60 }
        [[rule]]
        kinds = \"agent.offline\"
        fleets = \"elsewhere\"
        enabled = false";
    let mut scene = Scene::start(2, &[], rules).await;
    scene.net.roles.insert(1, "gateway");
    scene.net.rounds(GRACE).await;
    scene.net.kattila.advance(36).await;
    assert!(scene.net.alarms().await.is_empty(), "late, and that not for 20 s yet");
    scene.net.kattila.advance(20).await;
    let stale = ["agent.stale alpha warning active", "agent.stale beta warning active"];
    assert_eq!(scene.net.alarms().await, stale);
    scene.net.kattila.advance(4).await;
    let gateway = "agent.offline beta info active";
    assert_eq!(scene.net.alarms().await, [gateway, stale[0], stale[1]]);
    scene.net.kattila.advance(120).await;
    let all = ["agent.offline alpha major active", gateway, stale[0], stale[1]];
    assert_eq!(scene.net.alarms().await, all);
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_given_the_time_that_either_end_asks_for() {
    let rules = "
        [[rule]]
        kinds = \"edge.down\"
        labels = { role = \"gateway\" }
        limits = { t1_extra_s = 120, t2_extra_s = 60 }
        severity_at_most = \"minor\"";
    let mut scene = Scene::start(3, &[(0, 1), (0, 2)], rules).await;
    scene.net.roles.insert(1, "gateway");
    scene.net.rounds(GRACE).await;
    scene.net.links.iter_mut().for_each(|link| link.alive = false);
    scene.net.rounds(9).await;
    assert_eq!(scene.net.alarms().await, ["edge.down alpha-gamma warning active"]);
    scene.net.rounds(3).await;
    // T1 is 330 s there, T2 390 s.
    let down = scene.net.alarms().await;
    assert_eq!(down[0], "edge.down alpha-beta warning active", "{down:?}");
    scene.net.round().await;
    let down = scene.net.alarms().await;
    assert_eq!(down[0], "edge.down alpha-beta minor active", "{down:?}");
    scene.net.kattila.stop().await;
}

const WORSE: &str = "[[rule]]\nkinds = \"agent.*\"\nseverity = \"critical\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn open_alarms_follow_a_change_and_end_when_their_kind_is_switched_off() {
    let mut scene = Scene::start(1, &[], "").await;
    scene.net.rounds(GRACE).await;
    scene.net.kattila.advance(180).await;
    let usual = ["agent.offline alpha major active", "agent.stale alpha warning active"];
    assert_eq!(scene.net.alarms().await, usual);
    scene.change(WORSE).await;
    let worse = ["agent.offline alpha critical active", "agent.stale alpha critical active"];
    assert_eq!(scene.net.alarms().await, worse);
    scene.change("").await;
    assert_eq!(scene.net.alarms().await, usual, "what its rule says is remembered");
    scene.change("[[rule]]\nkinds = \"agent.offline\"\nenabled = false\n").await;
    assert_eq!(scene.net.alarms().await, usual[1..]);
    let old = scene.net.kattila.operator().json("/status/alarms?state=cleared").await;
    assert_eq!(old[0]["clear_cause"], "rule switched off", "{old}");
    // In steps that leave no chore overdue.
    for _ in 0..6 {
        scene.net.kattila.advance(100).await;
    }
    assert_eq!(scene.net.alarms().await, usual[1..], "it stays off");
    let agents = scene.net.kattila.operator().agents().await;
    assert_eq!(agents[0]["status"], "offline", "what is known is shown all the same");
    scene.change("").await;
    scene.net.kattila.advance(1).await;
    assert_eq!(scene.net.alarms().await, usual, "on again, and it still holds");
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_told_with_who_and_what_and_survives_a_restart() {
    let scene = Scene::start(1, &[], WORSE).await;
    let first = scene.history().await;
    assert!(first.len() > 3 && first.iter().all(|(kind, _)| kind.starts_with("agent.")));
    assert!(first[0].1.starts_with("start (rules.toml of "), "{first:?}");
    let Scene { net, dir } = scene;
    let scene = Scene { net: net.restarted().await, dir };
    assert_eq!(scene.history().await.len(), first.len(), "nothing changed");
    assert_eq!(scene.changes().await.len(), first.len());
    // A change while the manager is away is told when it starts.
    scene.write("[[rule]]\nkinds = \"edge.down\"\nenabled = false\n");
    let Scene { net, dir } = scene;
    let scene = Scene { net: net.restarted().await, dir };
    let changes = scene.changes().await;
    assert_eq!(changes.iter().filter(|c| c.ends_with(" null")).count(), first.len());
    assert!(changes.contains(&r#"edge.down null [{"enabled":false}]"#.to_owned()), "{changes:?}");
    let rules = scene.rules().await;
    let kinds = rules["kinds"].as_array().unwrap();
    let changed: Vec<&Value> =
        kinds.iter().filter(|k| k["changed"] != serde_json::json!([])).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (&changed[0]["kind"], &changed[0]["changed"][0]["line"]),
        (&"edge.down".into(), &1.into())
    );
    scene.net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_wrong_leaves_the_old_rules_in_force_and_is_told() {
    let mut scene = Scene::start(1, &[], WORSE).await;
    let before = scene.history().await.len();
    scene.change("[[rule]]\nkinds = \"agent.gone\"\nenabled = false\n").await;
    let rules = scene.rules().await;
    let mistake = rules["mistakes"][0].as_str().unwrap();
    assert!(
        mistake.contains("rules.toml: line 2: rule.kinds \"agent.gone\" fits no kind"),
        "{mistake}"
    );
    let history = scene.history().await;
    assert_eq!(history.len(), before + 1);
    assert!(history[before].0.starts_with("kept the old rules: "), "{history:?}");
    let page = scene.net.kattila.operator().get("/rules").await.text();
    assert!(page.contains("fits no kind") && page.contains("severity critical"), "{page}");
    scene.net.rounds(GRACE).await;
    scene.net.kattila.advance(101).await;
    assert_eq!(scene.net.alarms().await, ["agent.stale alpha critical active"]);
    scene.change(WORSE).await;
    assert_eq!(scene.rules().await["mistakes"], serde_json::json!([]));
    assert_eq!(scene.history().await.len(), before + 1, "nothing changed");
    scene.net.kattila.stop().await;
}
