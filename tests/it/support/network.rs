//! A small network whose hosts all report, round by round: links live and die, interfaces come
//! and go, hosts fall silent, and the manager may be started again at any point.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::actors::Agent;
use super::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use super::manager::TestManager;

/// Seconds between two rounds: the report interval that agents are told.
pub(crate) const ROUND_S: i64 = 30;

pub(crate) const GAMMA: &str = "9a33a00000000000000000000009a33a";
pub(crate) const DELTA: &str = "de17a0000000000000000000000de17a";
pub(crate) const DELTA_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

const IDS: [&str; 7] = [
    ALPHA,
    BETA,
    GAMMA,
    DELTA,
    "e95110000000000000000000000e9511",
    "2e7a00000000000000000000000002e7",
    "e7a0000000000000000000000000e7a0",
];
const NAMES: [&str; 7] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"];
const KEYS: [&str; 7] = [
    ALPHA_KEY,
    BETA_KEY,
    STRANGER_KEY,
    DELTA_KEY,
    "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=",
    "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=",
    "CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo=",
];

/// A link between two hosts, by their places in the list.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) ends: (usize, usize),
    /// Whether handshakes succeed.
    pub(crate) alive: bool,
    /// Whether the second end lists the first.
    pub(crate) mutual: bool,
    pub(crate) keepalive: u16,
    /// Whether the first end sends.
    pub(crate) traffic: bool,
    handshake: i64,
    bytes: u64,
    received: u64,
}

/// The hosts alpha, beta, gamma, delta, epsilon, zeta and eta, or the first few of them.
pub(crate) struct Network {
    pub(crate) kattila: TestManager,
    pub(crate) agents: Vec<Agent>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) links: Vec<Link>,
    /// Hosts that do not report.
    pub(crate) silent: BTreeSet<usize>,
    /// Interfaces that are not there, by host.
    pub(crate) without: BTreeSet<(usize, &'static str)>,
    /// The label `role`, by host.
    pub(crate) roles: BTreeMap<usize, &'static str>,
    /// What a host's reports say besides.
    pub(crate) extra: BTreeMap<usize, (&'static str, Value)>,
    /// What is otherwise about a host's reports, given the time.
    pub(crate) patches: BTreeMap<usize, fn(&mut Value, i64)>,
    edges: BTreeMap<String, String>,
}

impl Network {
    /// That many hosts, these links between them, and nothing reported yet.
    pub(crate) async fn start(hosts: usize, links: &[(usize, usize)]) -> Self {
        Self::start_with(hosts, links, &[]).await
    }

    /// The same with further settings of the manager.
    pub(crate) async fn start_with(
        hosts: usize,
        links: &[(usize, usize)],
        settings: &[(&str, &str)],
    ) -> Self {
        let kattila = TestManager::start_with(settings).await;
        let agents = IDS.iter().take(hosts).map(|id| kattila.agent(id)).collect();
        let host = |(name, key)| Host { name, key: Some(key), ..Host::alpha() };
        let hosts = NAMES.into_iter().zip(KEYS).take(hosts).map(host).zip(1..);
        let links = links.iter().map(|ends| Link {
            ends: *ends,
            alive: true,
            mutual: true,
            keepalive: 25,
            traffic: true,
            handshake: 0,
            bytes: 0,
            received: 0,
        });
        Self {
            kattila,
            agents,
            hosts: hosts.map(|(host, number)| Host { number, ..host }).collect(),
            links: links.collect(),
            silent: BTreeSet::new(),
            without: BTreeSet::new(),
            roles: BTreeMap::new(),
            extra: BTreeMap::new(),
            patches: BTreeMap::new(),
            edges: BTreeMap::new(),
        }
    }

    /// Stops the manager in order and starts it again.
    pub(crate) async fn restarted(self) -> Self {
        let kattila = self.kattila.restart().await;
        let addr = kattila.addr();
        let agents = self.agents.into_iter().map(|agent| agent.moved(addr)).collect();
        Self { kattila, agents, ..self }
    }

    pub(crate) fn now(&self) -> i64 {
        self.kattila.clock.now().0
    }

    /// What a host sees at the next report.
    pub(crate) fn data(&self, host: usize) -> Value {
        let mut data = self.hosts[host].data();
        for link in &self.links {
            let (first, second) = link.ends;
            let other = match host {
                _ if host == first => second,
                _ if host == second && link.mutual => first,
                _ => continue,
            };
            let n = other + 1;
            let (sent, received) = if host == first { (link.bytes, 0) } else { (0, link.received) };
            data["wg_peers"].as_array_mut().unwrap().push(json!({
                "interface": "wg0",
                "public_key": KEYS[other],
                "endpoint": format!("192.0.2.{n}:51820"),
                "allowed_ips": [format!("10.77.0.{n}/32")],
                "latest_handshake": link.handshake,
                "rx_bytes": received,
                "tx_bytes": sent,
                "persistent_keepalive": link.keepalive,
            }));
        }
        let interfaces = data["interfaces"].as_array_mut().unwrap();
        let gone = |name: &Value| self.without.iter().any(|(h, n)| *h == host && name == n);
        interfaces.retain(|interface| !gone(&interface["name"]));
        let peers = data["wg_peers"].as_array_mut().unwrap();
        peers.retain(|peer| !gone(&peer["interface"]));
        if let Some(role) = self.roles.get(&host) {
            data["labels"]["role"] = json!(role);
        }
        if let Some((name, value)) = self.extra.get(&host) {
            data[*name] = value.clone();
        }
        if let Some(patch) = self.patches.get(&host) {
            patch(&mut data, self.now());
        }
        data
    }

    /// Half a minute passes; links that live renew their session, and every host reports.
    pub(crate) async fn round(&mut self) {
        self.kattila.clock.set(self.kattila.clock.now().plus(ROUND_S));
        self.report().await;
        self.kattila.advance(0).await;
    }

    /// Time passes second by second, with a round of reports every half minute.
    pub(crate) async fn live(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.kattila.clock.set(self.kattila.clock.now().plus(1));
            if self.now() % ROUND_S == 0 {
                self.report().await;
            }
            self.kattila.advance(0).await;
        }
    }

    async fn report(&mut self) {
        let now = self.now();
        for link in &mut self.links {
            if link.alive {
                link.handshake = now - 5;
            }
            if link.traffic {
                link.bytes += 148;
                link.received += if link.alive { 148 } else { 0 };
            }
        }
        for host in 0..self.hosts.len() {
            if !self.silent.contains(&host) {
                let data = self.data(host);
                self.agents[host].report(&data).await;
            }
        }
    }

    pub(crate) async fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.round().await;
        }
    }

    /// Names things as the test does: hosts by name, links by their ends' names.
    pub(crate) async fn readable(&mut self, text: &str) -> String {
        let map = self.kattila.operator().topology().await;
        for edge in map["edges"].as_array().unwrap() {
            let end =
                |n: usize| edge["ends"][n]["agent_id"].as_str().unwrap_or("nobody").to_owned();
            let mut ends = [end(0), end(1)];
            ends.sort_by_key(|id| IDS.iter().position(|other| other == id));
            let id = edge["id"].as_str().unwrap().to_owned();
            self.edges.insert(id, ends.join("-"));
        }
        let mut text = text.to_owned();
        for (id, ends) in &self.edges {
            text = text.replace(id, ends);
        }
        for (id, name) in IDS.iter().zip(NAMES) {
            text = text.replace(id, name);
        }
        text
    }

    /// The open alarms as `kind subject severity state`, sorted. At most one per kind and
    /// subject, or the test ends here.
    pub(crate) async fn alarms(&mut self) -> Vec<String> {
        let all = self.kattila.operator().json("/status/alarms").await;
        let mut seen = BTreeSet::new();
        let mut lines = Vec::new();
        for alarm in all.as_array().unwrap() {
            let text = |name: &str| alarm[name].as_str().unwrap().to_owned();
            let (kind, subject) = (text("kind"), text("subject"));
            assert!(seen.insert((kind.clone(), subject.clone())), "twice: {kind} {subject}");
            let line = format!("{kind} {subject} {} {}", text("severity"), text("state"));
            lines.push(self.readable(&line).await);
        }
        lines.sort();
        lines
    }

    /// The one open alarm of a kind.
    pub(crate) async fn alarm(&self, kind: &str) -> Value {
        let all = self.kattila.operator().json("/status/alarms").await;
        let found: Vec<_> = all.as_array().unwrap().iter().filter(|a| a["kind"] == kind).collect();
        assert_eq!(found.len(), 1, "{kind}: {all}");
        found[0].clone()
    }

    /// Everything people were told of alarms: `event kind subject severity`, in order.
    pub(crate) async fn told(&mut self) -> Vec<String> {
        let events = self.kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
        let list = events.as_array().or_else(|| events["events"].as_array()).unwrap().clone();
        let mut lines = Vec::new();
        for event in list {
            let kind = event["kind"].as_str().unwrap();
            if !kind.starts_with("alarm.") {
                continue;
            }
            let (subject, after) = (event["subject"].as_str().unwrap(), &event["after"]);
            let line = format!("{kind} {subject} {}", after["severity"].as_str().unwrap());
            lines.push(self.readable(&line).await);
        }
        lines
    }

    /// A link's page of the API.
    pub(crate) async fn edge(&mut self, ends: &str) -> Value {
        self.readable("").await;
        let [a, b] = ends.split('-').collect::<Vec<_>>()[..] else { panic!("{ends}") };
        let id_of = |name: &str| IDS[NAMES.iter().position(|n| *n == name).unwrap()];
        let wanted = format!("{}-{}", id_of(a), id_of(b));
        let (id, _) = self.edges.iter().find(|(_, ends)| **ends == wanted).unwrap();
        self.kattila.operator().json(&format!("/api/v1/edges/{id}")).await
    }
}
