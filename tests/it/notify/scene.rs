//! A network whose alarms are told to a receiver.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::support::network::Network;
use crate::support::receiver::Receiver;

/// The key of the specification's example.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Seconds after which a manager blames silent hosts.
pub(super) const OFFLINE_S: i64 = 180;

/// A network, whom it tells, and the plan that says so.
pub(super) struct Scene {
    pub(super) net: Network,
    pub(super) receiver: Receiver,
    pub(super) dir: TempDir,
}

/// A file that only its owner reads.
pub(super) fn secret(dir: &Path, name: &str, text: &str) {
    let file = dir.join(name);
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A channel `chat` at a receiver, and whatever else the plan says.
pub(super) fn plan(receiver: &Receiver, more: &str) -> String {
    format!(
        "[[channel]]\nname = \"chat\"\ntype = \"webhook\"\nurl = \"{}\"\n\
         secret_file = \"signing\"\n{more}",
        receiver.url("/in")
    )
}

/// The route that tells the channel everything.
pub(super) const ROUTE: &str = "[[route]]\nchannels = \"chat\"\n";

impl Scene {
    /// That many hosts, all of which have reported once, and the channel `chat` with a plan.
    pub(super) async fn start(hosts: usize, more: &str) -> Self {
        let receiver = Receiver::start().await;
        let text = plan(&receiver, more);
        Self::with(hosts, receiver, &text).await
    }

    /// The same with a whole plan.
    pub(super) async fn with(hosts: usize, receiver: Receiver, text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        secret(dir.path(), "signing", SECRET);
        let file = dir.path().join("notify.toml");
        std::fs::write(&file, text).unwrap();
        let settings = [("KATTILA_NOTIFY_FILE", file.to_str().unwrap())];
        let mut net = Network::start_with(hosts, &[], &settings).await;
        net.round().await;
        Self { net, receiver, dir }
    }

    /// Everybody is silent until the alarm `agent.offline` is raised.
    pub(super) async fn silence(&mut self) {
        self.net.kattila.advance(OFFLINE_S).await;
        self.net.alarm("agent.offline").await;
    }

    /// Every host reports twice, without any time passing: what was silent is back.
    pub(super) async fn back(&mut self) {
        for _ in 0..2 {
            for host in 0..self.net.hosts.len() {
                let data = self.net.data(host);
                self.net.agents[host].report(&data).await;
            }
        }
    }

    pub(super) async fn advance(&self, seconds: i64) {
        self.net.kattila.advance(seconds).await;
    }

    pub(super) fn write(&self, text: &str) {
        std::fs::write(self.dir.path().join("notify.toml"), text).unwrap();
    }

    /// The log of notifications, oldest first, as `channel state attempts`.
    pub(super) async fn log(&self) -> Vec<String> {
        let all = self.net.kattila.operator().json("/api/v1/notifications?after=0").await;
        let line = |message: &serde_json::Value| {
            let (channel, state) = (message["channel"].as_str(), message["state"].as_str());
            format!("{} {} {}", channel.unwrap(), state.unwrap(), message["attempts"])
        };
        all.as_array().unwrap().iter().map(line).collect()
    }

    pub(super) async fn channel(&self, name: &str) -> serde_json::Value {
        let all = self.net.kattila.operator().json("/api/v1/channels").await;
        let list = all["channels"].as_array().unwrap();
        list.iter()
            .find(|channel| channel["name"] == name)
            .unwrap_or_else(|| panic!("{all}"))
            .clone()
    }
}
