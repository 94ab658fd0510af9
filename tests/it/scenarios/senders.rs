//! Senders that are late, copied, forged or careless, and what the manager finds about itself.

use kattila::model::time::UnixSeconds;
use kattila::process::condition::ManagerCondition;
use kattila::process::handle::{Command, KeyState};
use serde_json::{Value, json};

use super::world::World;
use crate::support::manager::START;

impl World {
    /// A verb about senders, or about the manager's keys and database; whether it is one.
    pub(super) async fn sends(&mut self, words: &[&str]) -> bool {
        match *words {
            ["hold", host] => self.host(host).held = Some(Vec::new()),
            ["pour", host] => self.pour(host).await,
            ["copy", host] => self.host(host).copied = true,
            ["uncopy", host] => self.host(host).copied = false,
            ["leak", host] => self.host(host).leaks = true,
            ["seal", host] => self.host(host).leaks = false,
            ["borrow", host, from] => {
                let from = self.place(from);
                self.host(host).borrowed = Some(from);
            }
            ["own", host] => self.host(host).borrowed = None,
            ["unknown", host] => self.host(host).strangers = true,
            ["known", host] => self.host(host).strangers = false,
            ["forge", host, times] => self.forge(host, times.parse().unwrap()).await,
            ["reuse"] => self.reuse().await,
            ["keys", how] => self.keys(how).await,
            ["rollback"] => {
                self.found(ManagerCondition::RolledBack { database: 1, acknowledged: 2 }).await;
            }
            ["promise"] => self.kattila().manager().processor().chores().promise(),
            ["still", minutes] => self.still(minutes.parse().unwrap()).await,
            ["tampered"] => {
                self.found(ManagerCondition::AuditBroken("entry 2 is missing".into())).await;
            }
            ["agree"] => self.agree().await,
            _ => return false,
        }
        true
    }

    /// The manager's processor goes on, and nobody runs its background jobs; nobody reports.
    async fn still(&mut self, minutes: u32) {
        for _ in 0..minutes {
            let clock = &self.kattila().clock;
            clock.set(clock.now().plus(60));
            self.kattila().manager().processor().tick().await.unwrap();
        }
        self.last_round = self.now();
    }

    /// What was held comes at last, each as it was read then.
    async fn pour(&mut self, host: &str) {
        let place = self.place(host);
        let held = self.host(host).held.take().unwrap();
        for data in held {
            self.hosts[place].2.report(&data).await;
        }
    }

    /// Somebody without the key sends in a host's name.
    async fn forge(&mut self, host: &str, times: u32) {
        let place = self.place(host);
        let mut forger = self.hosts[place].2.clone();
        forger.psk = "another-psk-of-at-least-16-bytes".to_owned();
        for _ in 0..times {
            let envelope = forger.seal_v2("{}");
            assert_eq!(forger.send(&envelope).await.status, 401);
        }
    }

    /// A nonce of a host of version 1 is used once more, over something else.
    async fn reuse(&mut self) {
        let mut agent = self.kattila().agent("host.one");
        let mut copy = agent.clone();
        agent.report_v1(&json!({ "hostname": "one" })).await;
        let envelope = copy.seal_v1(r#"{"hostname":"somebody-else"}"#);
        assert_eq!(copy.send(&envelope).await.status, 409);
    }

    /// What the manager finds where it reads the keys.
    async fn keys(&self, how: &str) {
        let now = self.now() + START.0;
        let health = KeyState {
            source: "dns".to_owned(),
            since: UnixSeconds(now - if how == "unread" { 1000 } else { 0 }),
            interval: 30,
            problem: (how == "unread").then(|| "timed out".to_owned()),
            unexpected: (how == "garbage")
                .then(|| (kattila::model::state::Severity::Critical, "garbage".to_owned())),
            ..KeyState::default()
        };
        let command = Command::Keys { rows: Vec::new(), changes: Vec::new(), health };
        self.kattila().manager().processor().command(command).await.unwrap();
    }

    /// Every page tells the same: agents, the map, links one by one, the alarms and their count.
    async fn agree(&self) {
        let operator = self.kattila().operator();
        let (map, alarms) = (operator.topology().await, operator.json("/status/alarms").await);
        let alarms = alarms.as_array().unwrap();
        let open = |kind: &str, subject: &Value| {
            alarms.iter().any(|alarm| alarm["kind"] == kind && alarm["subject"] == *subject)
        };
        for agent in operator.agents().await {
            let id = &agent["agent_id"];
            let on_map = map["nodes"].as_array().unwrap().iter().find(|n| n["agent_id"] == *id);
            assert_eq!(on_map.unwrap()["status"], agent["status"], "{id}");
            assert_eq!(open("agent.offline", id), agent["status"] == "offline", "{id}");
            let page = operator.json(&format!("/api/v1/agents/{}", id.as_str().unwrap())).await;
            assert_eq!(page["status"], agent["status"], "{id}");
        }
        for edge in map["edges"].as_array().unwrap() {
            let id = &edge["id"];
            let one = operator.json(&format!("/api/v1/edges/{}", id.as_str().unwrap())).await;
            assert_eq!((&one["state"], &one["reason"]), (&edge["state"], &edge["reason"]), "{id}");
            assert_eq!(open("edge.half_configured", id), edge["state"] == "half_configured");
        }
        let active = alarms.iter().filter(|alarm| alarm["state"] == "active").count();
        assert_eq!(map["alarms_open"], active, "{alarms:?}");
    }
}
