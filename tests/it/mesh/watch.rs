//! Looking at the manager until it says what is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kattila::sign::psk::kid_of_psk;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at};

use super::network::{HUB, LINKS, Mesh};
use crate::support::actors::Operator;
use crate::support::dns::TestDns;
use crate::support::manager::ADMIN_TOKEN;

/// Between two looks.
const PACE: Duration = Duration::from_millis(250);

/// Looks for what a few reports must bring: two minutes' worth, on a machine with much to do.
pub(super) const SOON: usize = 480;

/// Looks for what WireGuard's own timers bring: eight minutes' worth, for 210 s (T1) and 90 s
/// more (T2) after the last handshake.
pub(super) const TIMERS: usize = 1_920;

/// What agents keep for later, by host: when each of the reports was read.
pub(super) type Kept = BTreeMap<&'static str, BTreeSet<i64>>;

/// The manager as an operator on the hub sees it.
pub(super) struct Watch<'m> {
    pub(super) mesh: &'m Mesh,
    pub(super) operator: Operator,
}

impl<'m> Watch<'m> {
    /// Starts the manager. To be used in the hub's network.
    pub(super) async fn start(mesh: &'m Mesh, dns: &TestDns) -> Self {
        mesh.serve(dns);
        let operator = Operator::new(([127, 0, 0, 1], 5086).into(), ADMIN_TOKEN);
        let this = Self { mesh, operator };
        this.until("the manager", "/status/agents", SOON, |_| Some(())).await;
        this
    }

    /// Looks at an answer of the API until something is found in it, a bounded number of times.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        path: &str,
        looks: usize,
        find: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let mut pace = interval_at(Instant::now(), PACE);
        let mut last = Value::Null;
        for _ in 0..looks {
            pace.tick().await;
            let Ok(answer) = self.operator.try_json(path).await else { continue };
            last = answer;
            if let Some(found) = find(&last) {
                return found;
            }
        }
        panic!("never seen: {what}\n{path}: {last:#}\n{}", self.mesh.logs());
    }

    /// Waits until agents of these hosts are online.
    pub(super) async fn online(&self, hosts: &[&str]) {
        let online = |agents: &Value| {
            let names: Vec<_> = list(agents)
                .iter()
                .filter(|agent| agent["status"] == "online")
                .filter_map(|agent| agent["hostname"].as_str())
                .collect();
            hosts.iter().all(|host| names.contains(host)).then_some(())
        };
        self.until(&format!("{hosts:?} online"), "/status/agents", SOON, online).await;
    }

    /// Waits until a host's reports come through these others, the nearest to it first.
    pub(super) async fn comes_through(&self, host: &str, relays: &[&str]) {
        let ids = self.ids().await;
        let path: Vec<_> = relays.iter().map(|relay| ids[*relay].as_str()).collect();
        let path = json!(path);
        let find = |agents: &Value| {
            let mut all = list(agents).iter();
            all.any(|a| a["hostname"] == host && a["relay_path"] == path).then_some(())
        };
        let what = format!("{host} through {relays:?}");
        self.until(&what, "/status/agents", SOON, find).await;
    }

    /// Agents' ids by the names of their hosts.
    pub(super) async fn ids(&self) -> BTreeMap<String, String> {
        let text = |agent: &Value, name: &str| agent[name].as_str().unwrap().to_owned();
        let all = |agents: &Value| {
            let rows = list(agents).iter();
            Some(rows.map(|a| (text(a, "hostname"), text(a, "agent_id"))).collect())
        };
        self.until("the agents", "/status/agents", SOON, all).await
    }

    /// Waits until the map shows what is asked of one link; the link.
    pub(super) async fn link(
        &self,
        hosts: [&str; 2],
        looks: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let what = format!("the link {hosts:?} as wanted");
        let find = |map: &Value| links(map).remove(&sorted(hosts)).filter(&wanted);
        self.until(&what, "/api/v1/topology", looks, find).await
    }

    /// Waits until every link is there and up at both ends, and nothing else is.
    pub(super) async fn all_up(&self) {
        let whole = |map: &Value| {
            let found = links(map);
            let wanted = LINKS.map(sorted);
            let all = found.len() == wanted.len() && wanted.iter().all(|at| found.contains_key(at));
            (all && found.values().all(is_up)).then_some(())
        };
        self.until("every link up at both ends", "/api/v1/topology", SOON, whole).await;
    }

    /// Waits for an alarm of a kind whose subject has these words; the alarm.
    pub(super) async fn alarm(&self, kind: &str, about: &str, looks: usize) -> Value {
        let what = format!("{kind} about {about}");
        let find = |alarms: &Value| find_alarm(alarms, kind, about).cloned();
        self.until(&what, "/status/alarms", looks, find).await
    }

    /// Waits, as long as WireGuard's timers take, for an alarm that says what is asked.
    pub(super) async fn alarm_that(&self, kind: &str, about: &str, says: impl Fn(&Value) -> bool) {
        let what = format!("{kind} about {about} that says it");
        let find = |alarms: &Value| find_alarm(alarms, kind, about).filter(|a| says(a)).map(|_| ());
        self.until(&what, "/status/alarms", TIMERS, find).await;
    }

    /// Waits until there is none.
    pub(super) async fn no_alarm(&self, kind: &str, about: &str) {
        let what = format!("no {kind} about {about}");
        let none = |alarms: &Value| find_alarm(alarms, kind, about).is_none().then_some(());
        self.until(&what, "/status/alarms", SOON, none).await;
    }

    /// Starts these hosts' agents and waits until they are online.
    pub(super) async fn join(&self, hosts: &[&'static str], dns: &TestDns) {
        for host in hosts {
            self.mesh.agent(host, dns);
        }
        self.online(hosts).await;
    }

    /// Waits until the agent of each of these hosts keeps two reports for later; what is kept.
    pub(super) async fn until_spooled(&self, hosts: &[&'static str]) -> Kept {
        let mut pace = interval_at(Instant::now(), PACE);
        for _ in 0..SOON {
            pace.tick().await;
            let kept: Kept = hosts.iter().map(|host| (*host, self.mesh.spooled(host))).collect();
            if kept.values().all(|seconds| seconds.len() >= 2) {
                return kept;
            }
        }
        panic!("not every agent of {hosts:?} kept what it saw\n{}", self.mesh.logs());
    }

    /// Waits until everything that was kept is stored; no report of these hosts, kept or not,
    /// is stored twice. Their reports.
    pub(super) async fn arrived_once(&self, kept: &Kept) -> BTreeMap<&'static str, Vec<Value>> {
        let ids = self.ids().await;
        let mut all = BTreeMap::new();
        for (host, kept) in kept {
            let path = format!("/api/v1/reports?agent_id={}&limit=1000", ids[*host]);
            let arrived = |reports: &Value| {
                let at: Vec<_> = list(reports).iter().filter_map(collected_at).collect();
                kept.iter().all(|second| at.contains(second)).then(|| list(reports).to_vec())
            };
            let what = format!("what {host} kept: {kept:?}");
            let reports = self.until(&what, &path, SOON, arrived).await;
            let mut once = BTreeSet::new();
            for second in reports.iter().filter_map(collected_at) {
                assert!(once.insert(second), "{host}: {second} was stored twice: {reports:#?}");
            }
            all.insert(*host, reports);
        }
        all
    }

    /// Waits until the manager has read a new pre-shared key. It asks for keys at most every
    /// 30 s, and an agent that is ahead of it waits out a minute.
    pub(super) async fn knows(&self, key: &str) {
        let kid = kid_of_psk(key.as_bytes()).to_string();
        let current = |usage: &Value| {
            let all = list(&usage["generations"]);
            all.iter().any(|g| g["generation"] == "current" && g["kid"] == *kid).then_some(())
        };
        self.until("the new key", "/api/v1/keys/usage", SOON, current).await;
    }

    /// The newest event's number.
    pub(super) async fn newest_event(&self) -> i64 {
        let newest = self.operator.json("/api/v1/events?before=9223372036854775807&limit=1").await;
        list(&newest).last().unwrap()["id"].as_i64().unwrap()
    }
}

/// When a stored report was read on its host.
pub(super) fn collected_at(report: &Value) -> Option<i64> {
    report["collected_at"].as_i64()
}

pub(super) fn find_alarm<'v>(alarms: &'v Value, kind: &str, about: &str) -> Option<&'v Value> {
    let matches = |alarm: &&Value| {
        alarm["kind"] == kind && alarm["subject"].as_str().is_some_and(|text| text.contains(about))
    };
    list(alarms).iter().find(matches)
}

/// The rows of an answer.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

fn sorted([a, b]: [&str; 2]) -> [String; 2] {
    let mut both = [a.to_owned(), b.to_owned()];
    both.sort();
    both
}

/// The links of a map by the names of their ends.
fn links(map: &Value) -> BTreeMap<[String; 2], Value> {
    let labels: BTreeMap<_, _> =
        list(&map["nodes"]).iter().map(|node| (node["id"].as_str(), &node["label"])).collect();
    let name = |edge: &Value, end: &str| labels[&edge[end].as_str()].as_str().unwrap().to_owned();
    let ends = |edge: &Value| {
        let [a, b] = ["source", "target"].map(|end| name(edge, end));
        sorted([&a, &b])
    };
    list(&map["edges"]).iter().map(|edge| (ends(edge), edge.clone())).collect()
}

/// Whether a link is up, and both its ends say so.
pub(super) fn is_up(link: &Value) -> bool {
    let end = |end: &Value| end["state"] == "up" && end["agent_id"].is_string();
    link["state"] == "up" && list(&link["ends"]).iter().all(end)
}

/// Whether a reason begins so.
pub(super) fn begins(link: &Value, words: &str) -> bool {
    link["reason"].as_str().is_some_and(|reason| reason.starts_with(words))
}

/// What the end of a link at an agent says.
pub(super) fn end_at<'v>(link: &'v Value, agent_id: &str) -> &'v Value {
    let found = list(&link["ends"]).iter().find(|end| end["agent_id"] == agent_id);
    found.unwrap_or_else(|| panic!("{agent_id} is no end of {link}"))
}

/// A whole story: a mesh with its manager, told in the hub's network.
pub(super) fn tell<F: Future<Output = ()>>(mesh: &Mesh, story: impl FnOnce() -> F + Send) {
    mesh.host(HUB).inside(story);
}
