//! The map as it was: built from what the history says of a time, where things are today.
//!
//! Pure. Positions never depend on time; a node whose place has been given up gets a free one.
//! What no event tells stays empty: counters, handshakes, endpoints, addresses. Its role, which
//! is a matter of drawing, a node has from today.

use std::collections::BTreeMap;

use serde_json::Value;

use super::layout::{Placed, place};
use super::picture::{Edge, End, Node, NodeKind, Picture, Site, SiteCounts};
use super::sites::{LayoutNode, NodeRole};
use crate::model::id::{AgentId, FleetId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EdgeState, EndState, EventKind, RelayProof};
use crate::model::time::UnixSeconds;

/// The last event of one kind about one thing, at or before the time.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Its number: of two that hold since the same second, the higher one is true.
    pub id: i64,
    /// Since when it holds.
    pub since: UnixSeconds,
    /// When it was learnt, if a late report tells it.
    pub learnt_at: Option<UnixSeconds>,
    /// What it is about.
    pub kind: EventKind,
    /// Its fleet.
    pub fleet: Option<FleetId>,
    /// The agent's or the link's id.
    pub subject: String,
    /// What the event says to be true.
    pub after: Option<Value>,
}

/// What the map is built from beside the facts.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The time.
    pub at: UnixSeconds,
    /// The map of today: names the run of the manager, and tells the roles of nodes.
    pub today: &'a Picture,
    /// Every place that is known, also of what is gone.
    pub places: &'a [Placed],
    /// Active alarms by agent.
    pub alarms: &'a BTreeMap<AgentId, u32>,
    /// Active alarms that nobody had acknowledged.
    pub alarms_open: usize,
}

/// A map as it was.
#[derive(Debug, Clone, Default)]
pub struct Then {
    /// The map.
    pub picture: Picture,
    /// Since when each agent had its status, by the name of its node.
    pub status_since: BTreeMap<String, UnixSeconds>,
    /// What was learnt only later, and when: names of nodes and links.
    pub learnt_later: BTreeMap<String, UnixSeconds>,
}

/// The order of facts about one thing.
type Rank = (UnixSeconds, i64);

impl Fact {
    fn rank(&self) -> Rank {
        (self.since, self.id)
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.after.as_ref()?.get(name)
    }
}

/// The facts about one thing, the last of each kind.
#[derive(Debug, Default)]
struct About<'a>(Vec<&'a Fact>);

impl<'a> About<'a> {
    /// The last event of a kind.
    fn last(&self, kind: EventKind) -> Option<&'a Fact> {
        self.0.iter().filter(|fact| fact.kind == kind).max_by_key(|fact| fact.rank()).copied()
    }

    /// The last event of a kind that tells a member, and the member.
    fn told(&self, kind: EventKind, name: &str) -> Option<&'a Value> {
        let telling = self.0.iter().filter(|fact| fact.kind == kind && tells(fact, name));
        telling.max_by_key(|fact| fact.rank())?.member(name)
    }
}

fn tells(fact: &Fact, name: &str) -> bool {
    fact.member(name).is_some_and(|value| !value.is_null())
}

/// Builds the map of a time.
pub fn picture(frame: &Frame<'_>, facts: &[Fact]) -> Then {
    let mut hosts: BTreeMap<&str, About<'_>> = BTreeMap::new();
    let mut links: BTreeMap<&str, About<'_>> = BTreeMap::new();
    for fact in facts {
        let of_link = [EventKind::EdgeAdded, EventKind::EdgeState, EventKind::EdgeRemoved];
        let things = if of_link.contains(&fact.kind) { &mut links } else { &mut hosts };
        things.entry(&fact.subject).or_default().0.push(fact);
    }
    let mut build = Build::new(frame);
    for (id, about) in &hosts {
        build.host(id, about);
    }
    for (id, about) in &links {
        build.link(id, about);
    }
    build.finish()
}

/// A map under construction.
struct Build<'a> {
    frame: &'a Frame<'a>,
    roles: BTreeMap<&'a str, &'a str>,
    labels: BTreeMap<String, String>,
    nodes: BTreeMap<String, Node>,
    edges: Vec<Edge>,
    then: Then,
}

impl<'a> Build<'a> {
    fn new(frame: &'a Frame<'a>) -> Self {
        let roles = frame.today.nodes.iter().map(|n| (n.id.as_str(), n.role.as_str())).collect();
        Self {
            frame,
            roles,
            labels: BTreeMap::new(),
            nodes: BTreeMap::new(),
            edges: Vec::new(),
            then: Then::default(),
        }
    }

    fn role(&self, id: &str, otherwise: &str) -> String {
        (*self.roles.get(id).unwrap_or(&otherwise)).to_owned()
    }

    fn host(&mut self, name: &str, about: &About<'_>) {
        let Ok(agent) = name.parse::<AgentId>() else { return };
        let Some((status, fact)) = status(about) else { return };
        if status == AgentStatus::Retired {
            return;
        }
        let id = format!("a:{name}");
        self.then.status_since.insert(id.clone(), fact.since);
        if let Some(learnt) = fact.learnt_at {
            self.then.learnt_later.insert(id.clone(), learnt);
        }
        let hostname = about.told(EventKind::AgentChanged, "hostname").and_then(Value::as_str);
        let labels = about.told(EventKind::AgentChanged, "labels");
        if let Some(site) = labels.and_then(|labels| labels.get("site")).and_then(Value::as_str) {
            self.labels.insert(id.clone(), site.to_owned());
        }
        let node = Node {
            kind: NodeKind::Agent,
            role: self.role(&id, "agent"),
            label: hostname.unwrap_or(name).to_owned(),
            status: Some(status),
            fleet_id: fleet(about),
            alarms: self.frame.alarms.get(&agent).copied().unwrap_or(0),
            relay_path: way(about),
            maintenance_until: None,
            agent_id: Some(agent),
            ..blank(id.clone())
        };
        self.nodes.insert(id, node);
    }

    fn link(&mut self, id: &str, about: &About<'_>) {
        let Some(added) = about.last(EventKind::EdgeAdded) else { return };
        let removed = about.last(EventKind::EdgeRemoved);
        if removed.is_some_and(|gone| gone.rank() > added.rank()) {
            return;
        }
        let Some([a, b]) = ends(added) else { return };
        let fleet = added.fleet.clone().unwrap_or_else(FleetId::unnamed);
        let (Some(source), Some(target)) = (node_of(&fleet, &a), node_of(&fleet, &b)) else {
            return;
        };
        let judged = about.last(EventKind::EdgeState).filter(|fact| fact.rank() > added.rank());
        let fact = judged.unwrap_or(added);
        if let Some(learnt) = fact.learnt_at {
            self.then.learnt_later.insert(id.to_owned(), learnt);
        }
        let (state, reason) = judged.map_or((EdgeState::Unknown, UNJUDGED), verdict);
        for (end, node) in [(&a, &source), (&b, &target)] {
            if end.agent_id.is_none() && !self.nodes.contains_key(node) {
                self.nodes.insert(node.clone(), self.external(node, &fleet, end));
            }
        }
        let shown = judged.map_or([EndState::Unknown; 2], |fact| end_states(fact, state));
        let ends = [self.end(a, shown, 0), self.end(b, shown, 1)];
        self.edges.push(Edge {
            id: id.to_owned(),
            source,
            target,
            edge_type: "wireguard",
            state,
            reason: reason.to_owned(),
            judged_at: fact.since,
            since: fact.since,
            ends,
        });
    }

    fn external(&self, id: &str, fleet: &FleetId, end: &End) -> Node {
        Node {
            role: self.role(id, "external"),
            label: end.public_key.map_or_else(|| id.to_owned(), |key| key.short()),
            fleet_id: fleet.clone(),
            ..blank(id.to_owned())
        }
    }

    /// What an end showed. An agent that was silent told nothing, whatever it had told before.
    fn end(&self, end: End, shown: [EndState; 2], side: usize) -> End {
        let agent = end.agent_id.as_ref().and_then(|id| self.nodes.get(&format!("a:{id}")));
        let silent = agent.is_some_and(|node| node.status != Some(AgentStatus::Online));
        let state = shown.get(side).copied().unwrap_or(EndState::Unknown);
        End { state: if silent { EndState::Unknown } else { state }, ..end }
    }

    fn finish(mut self) -> Then {
        let nodes = &self.nodes;
        self.edges
            .retain(|edge| nodes.contains_key(&edge.source) && nodes.contains_key(&edge.target));
        let sites = self.settle();
        let today = self.frame.today;
        self.then.picture = Picture {
            v: today.v,
            epoch: today.epoch.clone(),
            seq: today.seq,
            layout_rev: today.layout_rev,
            generated_at: self.frame.at,
            t: self.frame.at,
            sites,
            nodes: self.nodes.into_values().collect(),
            edges: self.edges,
            alarms_open: self.frame.alarms_open,
        };
        self.then
    }

    /// Gives every node its place; answers the circles with who is in them.
    fn settle(&mut self) -> Vec<Site> {
        let known = self.frame.places;
        let mut all: BTreeMap<String, Placed> =
            known.iter().map(|placed| (placed.id.clone(), placed.clone())).collect();
        if self.nodes.keys().any(|id| !all.contains_key(id)) {
            for placed in place(known, &self.newcomers(), self.frame.today.layout_rev) {
                all.entry(placed.id.clone()).or_insert(placed);
            }
        }
        let mut counts: BTreeMap<String, SiteCounts> = BTreeMap::new();
        for node in self.nodes.values_mut() {
            let Some(placed) = all.get(&node.id) else { continue };
            (node.x, node.y) = (placed.x, placed.y);
            node.site = placed.site.clone().unwrap_or_default();
            counts.entry(node.site.clone()).or_default().count(node);
        }
        let site = |(id, counts): (String, SiteCounts)| {
            let placed = all.get(&id)?;
            let (fleet, label) = id.split_once('/')?;
            let (fleet_id, label) = (fleet.parse().ok()?, label.to_owned());
            Some(Site { label, fleet_id, x: placed.x, y: placed.y, r: placed.r, counts, id })
        };
        counts.into_iter().filter_map(site).collect()
    }

    /// All nodes as the layout sees them.
    fn newcomers(&self) -> Vec<LayoutNode<'_>> {
        let mut neighbours: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for edge in &self.edges {
            neighbours.entry(&edge.source).or_default().push(&edge.target);
            neighbours.entry(&edge.target).or_default().push(&edge.source);
        }
        self.nodes
            .values()
            .map(|node| LayoutNode {
                id: &node.id,
                fleet: node.fleet_id.as_str(),
                site: self.labels.get(&node.id).map(String::as_str),
                role: NodeRole::from_word(&node.role),
                name: &node.label,
                neighbours: neighbours.remove(node.id.as_str()).unwrap_or_default(),
            })
            .collect()
    }
}

/// What is said of a link that nobody has judged yet.
const UNJUDGED: &str = "no report has been judged yet";

/// A node of which only its name is known.
fn blank(id: String) -> Node {
    Node {
        id,
        kind: NodeKind::External,
        role: String::new(),
        agent_id: None,
        label: String::new(),
        status: None,
        fleet_id: FleetId::unnamed(),
        site: String::new(),
        x: 0.0,
        y: 0.0,
        seen_at: None,
        alarms: 0,
        addresses: Vec::new(),
        relay_path: RelayPath::direct(),
        maintenance_until: None,
    }
}

/// An agent's status, and the event that set it; `None` if it was not known, or forgotten.
fn status<'a>(about: &About<'a>) -> Option<(AgentStatus, &'a Fact)> {
    let registered = about.last(EventKind::AgentRegistered)?;
    let reset = about.last(EventKind::AgentReset).filter(|fact| fact.rank() > registered.rank());
    // What older programs wrote tells of the act alone.
    let forgotten = |fact: &Fact| {
        let told = fact.member("forgotten").or_else(|| fact.member("forget"));
        told.and_then(Value::as_bool) == Some(true)
    };
    if reset.is_some_and(forgotten) {
        return None;
    }
    let word =
        |value: Option<&Value>| value.and_then(Value::as_str).and_then(AgentStatus::from_word);
    let changed = about.last(EventKind::AgentStatus).filter(|f| f.rank() > registered.rank());
    let (status, fact) = match changed {
        Some(fact) => (word(fact.after.as_ref())?, fact),
        None => (word(registered.member("status"))?, registered),
    };
    match reset.filter(|reset| reset.rank() > fact.rank()) {
        Some(reset) => match word(reset.member("status")) {
            Some(after) if after != status => Some((after, reset)),
            _ => Some((status, fact)),
        },
        None => Some((status, fact)),
    }
}

/// The fleet an agent belonged to: as it changed last, else as it was registered.
fn fleet(about: &About<'_>) -> FleetId {
    let last = about.0.iter().max_by_key(|fact| fact.rank());
    last.and_then(|fact| fact.fleet.clone()).unwrap_or_else(FleetId::unnamed)
}

/// The way its reports took.
fn way(about: &About<'_>) -> RelayPath {
    let told = |name| about.told(EventKind::AgentRelayPath, name);
    let relays = told("relay_path").and_then(Value::as_array).into_iter().flatten();
    let relays = relays.filter_map(Value::as_str).filter_map(|id| id.parse().ok()).collect();
    // The proof of the same event: that of a direct one is null.
    let last = about.last(EventKind::AgentRelayPath);
    let proof = last.and_then(|fact| fact.member("relay_proof")).and_then(Value::as_str);
    match proof.and_then(RelayProof::from_word) {
        Some(proof) => RelayPath::through(relays, proof),
        None => RelayPath::direct(),
    }
}

/// The two ends of a link as the event tells them that it was found.
fn ends(added: &Fact) -> Option<[End; 2]> {
    let [a, b] = added.member("ends")?.as_array()?.as_slice() else { return None };
    Some([end(a), end(b)])
}

fn end(told: &Value) -> End {
    let text = |name: &str| told.get(name).and_then(Value::as_str);
    End {
        agent_id: text("agent_id").and_then(|id| id.parse().ok()),
        interface: text("interface").map(str::to_owned),
        public_key: text("public_key").and_then(|key| key.parse::<WgKey>().ok()),
        state: EndState::Unknown,
        latest_handshake: None,
        rx_bytes: None,
        tx_bytes: None,
        endpoint: None,
        allowed_ips: Vec::new(),
        persistent_keepalive: None,
        measured_at: None,
    }
}

/// The name on the map of what is at an end.
fn node_of(fleet: &FleetId, end: &End) -> Option<String> {
    match (&end.agent_id, end.public_key) {
        (Some(agent), _) => Some(format!("a:{agent}")),
        (None, Some(key)) => Some(format!("x:{fleet}:{key}")),
        (None, None) => None,
    }
}

fn verdict(fact: &Fact) -> (EdgeState, &str) {
    let text = |name| fact.member(name).and_then(Value::as_str);
    let state = text("state").and_then(EdgeState::from_word).unwrap_or(EdgeState::Unknown);
    (state, text("reason").unwrap_or_default())
}

/// What both ends showed when the link was judged. Older events tell the verdict alone.
fn end_states(fact: &Fact, state: EdgeState) -> [EndState; 2] {
    let told = fact.member("ends").and_then(Value::as_array).map(Vec::as_slice);
    if let Some([a, b]) = told {
        let word = |value: &Value| value.as_str().and_then(EndState::from_word);
        if let (Some(a), Some(b)) = (word(a), word(b)) {
            return [a, b];
        }
    }
    let both = match state {
        EdgeState::Up => EndState::Up,
        EdgeState::Idle => EndState::Idle,
        EdgeState::Down => EndState::Down,
        EdgeState::Never => EndState::Never,
        EdgeState::OneWay | EdgeState::HalfConfigured | EdgeState::Unknown => EndState::Unknown,
    };
    [both, both]
}

#[cfg(test)]
mod tests;
