//! Looking at the manager until it says what is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kattila::sign::psk::kid_of_psk;
use serde_json::Value;
use tokio::time::{Instant, interval_at};

use super::network::{HOSTS, HUB, LINKS, Mesh};
use crate::support::actors::Operator;
use crate::support::dns::TestDns;
use crate::support::manager::ADMIN_TOKEN;

/// Between two looks.
const PACE: Duration = Duration::from_millis(250);

/// Looks for what a few reports must bring: two minutes' worth, on a machine with much to do.
pub(super) const SOON: usize = 480;

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

    /// Agents' ids by the names of their hosts.
    pub(super) async fn ids(&self) -> BTreeMap<String, String> {
        let agents = self.operator.agents().await;
        let text = |agent: &Value, name: &str| agent[name].as_str().unwrap().to_owned();
        agents.iter().map(|agent| (text(agent, "hostname"), text(agent, "agent_id"))).collect()
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

    /// Waits until every agent keeps two reports for later; what is kept by host.
    pub(super) async fn until_spooled(
        &self,
        look: impl Fn(&str) -> BTreeSet<i64>,
    ) -> BTreeMap<&'static str, BTreeSet<i64>> {
        let mut pace = interval_at(Instant::now(), PACE);
        for _ in 0..SOON {
            pace.tick().await;
            let kept: BTreeMap<_, _> = HOSTS.into_iter().map(|host| (host, look(host))).collect();
            if kept.values().all(|seconds| seconds.len() >= 2) {
                return kept;
            }
        }
        panic!("not every agent kept what it saw\n{}", self.mesh.logs());
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

fn find_alarm<'v>(alarms: &'v Value, kind: &str, about: &str) -> Option<&'v Value> {
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

/// What the end of a link at an agent says.
pub(super) fn end_at<'v>(link: &'v Value, agent_id: &str) -> &'v Value {
    let found = list(&link["ends"]).iter().find(|end| end["agent_id"] == agent_id);
    found.unwrap_or_else(|| panic!("{agent_id} is no end of {link}"))
}

/// A whole story: a mesh with its manager, told in the hub's network.
pub(super) fn tell<F: Future<Output = ()>>(mesh: &Mesh, story: impl FnOnce() -> F + Send) {
    mesh.host(HUB).inside(story);
}
