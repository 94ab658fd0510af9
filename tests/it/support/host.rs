//! An agent of the real kind on a host that is made up: what it sees is counted, its clock is
//! turned by hand, and its directory outlives it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use kattila::agent::client::Way;
use kattila::agent::door::listen::{DoorSettings, Serving};
use kattila::agent::observe::Observer;
use kattila::agent::report::About;
use kattila::agent::run::{Agent, Settings};
use kattila::agent::shape::Preference;
use kattila::agent::spool::{Bounds, Spool};
use kattila::clock::Clock;
use kattila::keys::source::SourceConfig;
use kattila::model::time::UnixSeconds;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::fleet::STRANGER_KEY;
use super::manager::PSK;

/// A host that looks different each time: `n` counts the looks.
#[derive(Clone, Default)]
pub(crate) struct MadeUp {
    looks: Arc<AtomicU64>,
    filling: usize,
    changes: Arc<Notify>,
    network: Arc<Mutex<Map<String, Value>>>,
}

impl MadeUp {
    /// Something changes on the host.
    pub(crate) fn change(&self) {
        self.changes.notify_one();
    }

    /// The host has a WireGuard interface with this address and these peers.
    pub(crate) fn wire(&self, own: IpAddr, peers: &[IpAddr]) {
        let peers: Vec<_> = peers
            .iter()
            .map(|ip| json!({ "interface": "wg0", "public_key": STRANGER_KEY, "allowed_ips": [format!("{ip}/32")] }))
            .collect();
        let interface =
            json!({ "name": "wg0", "kind": "wireguard", "addresses": [format!("{own}/24")] });
        let network = json!({ "interfaces": [interface], "wg_peers": peers });
        *self.network.lock().unwrap() = network.as_object().unwrap().clone();
    }
}

impl Observer for MadeUp {
    async fn observe(&mut self, now: UnixSeconds) -> Map<String, Value> {
        let n = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
        let seen = json!({
            "hostname": "gw-1", "collected_at": now, "n": n, "filling": "x".repeat(self.filling),
        });
        let mut seen = seen.as_object().unwrap().clone();
        seen.extend(self.network.lock().unwrap().clone());
        seen
    }

    async fn changed(&mut self) {
        self.changes.notified().await;
    }
}

/// The host with its agent.
pub(crate) struct TestHost {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    made_up: MadeUp,
    agent: Option<Agent<MadeUp>>,
    dir: TempDir,
}

impl TestHost {
    /// An agent that has not looked yet, under the usual key.
    pub(crate) fn new(manager: &str, clock: Clock) -> Self {
        Self::with(manager, clock, |_| {})
    }

    /// The same with other settings.
    pub(crate) fn with(manager: &str, clock: Clock, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings {
            way: Way { manager: manager.to_owned(), ca: None, client: None, proxy: None },
            keys: SourceConfig::Environment(vec![Zeroizing::new(PSK.to_owned())]),
            keep_keys: true,
            about: About { fleet_id: "fleet-a".parse().unwrap(), labels: [].into() },
            dir: dir.path().join("agent"),
            spool: Bounds { bytes: 1024 * 1024, age: 604_800 },
            door: DoorSettings { serving: Serving::Off, token: None },
            shape: Preference::Auto,
        };
        change(&mut settings);
        let mut host = Self { clock, settings, made_up: MadeUp::default(), agent: None, dir };
        host.begin();
        host
    }

    /// The host itself.
    pub(crate) fn made_up(&self) -> MadeUp {
        self.made_up.clone()
    }

    /// Makes every look this many bytes larger.
    pub(crate) fn fill(&mut self, bytes: usize) {
        self.made_up.filling = bytes;
        self.kill();
    }

    fn begin(&mut self) {
        let agent = Agent::open(self.settings.clone(), self.made_up.clone(), self.clock.clone());
        self.agent = Some(agent.unwrap());
    }

    pub(crate) fn agent(&mut self) -> &mut Agent<MadeUp> {
        self.agent.as_mut().unwrap()
    }

    /// Ends as `kill -9` would: nothing more is written. Starts again.
    pub(crate) fn kill(&mut self) {
        self.agent = None;
        self.begin();
    }

    /// Stops in order and starts again.
    pub(crate) fn restart(&mut self) {
        self.agent.take().unwrap().close().unwrap();
        self.begin();
    }

    /// Speaks to a manager at another address from now on.
    pub(crate) fn move_to(&mut self, manager: &str) {
        manager.clone_into(&mut self.settings.way.manager);
        let settings = self.settings.clone();
        self.agent().reload(settings).unwrap();
    }

    /// Does what is due and lets time pass until the next thing is; how many seconds that was.
    pub(crate) async fn step(&mut self) -> i64 {
        let due = self.agent().step().await;
        let now = self.clock.now();
        let next = UnixSeconds(due.div_euclid(1000) + i64::from(due.rem_euclid(1000) > 0));
        self.clock.set(next.max(now));
        self.clock.now().since(now)
    }

    /// Steps for so many seconds.
    pub(crate) async fn live(&mut self, seconds: i64) {
        let end = self.clock.now().plus(seconds);
        while self.clock.now() < end {
            self.step().await;
        }
    }

    /// How many reports wait on disk.
    pub(crate) fn waiting(&mut self) -> usize {
        self.agent().spool().len()
    }

    /// What waits on disk, read as the next run would.
    pub(crate) fn spooled(&self) -> Vec<Value> {
        let dir = self.dir_of_spool();
        let mut spool = Spool::open(&dir, self.settings.spool).unwrap();
        let numbers: Vec<_> = spool.list().map(|(number, _)| number).collect();
        let data = numbers.into_iter().map(|n| spool.read(n).unwrap().unwrap().0);
        data.map(|data| serde_json::from_slice(&data).unwrap()).collect()
    }

    pub(crate) fn dir_of_spool(&self) -> PathBuf {
        self.settings.dir.join("spool")
    }

    /// A file beside the agent's directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}
