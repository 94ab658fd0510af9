//! What the board holds, and how a picture or a patch is made of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::AgentLive;
use super::link::Link;
use crate::model::id::{AgentId, EdgeId, FleetId};
use crate::model::key::IdentityKey;
use crate::model::time::UnixSeconds;
use crate::model::window::Window;
use crate::process::summary::AgentSummary;
use crate::topology::picture::{AlarmCount, Node, Part, Patch, Picture, Sent, Site, SiteCounts};

/// Patches kept for clients that come back; about an hour of a busy fleet (MAP 5).
const RING_PATCHES: usize = 4096;

/// Nodes and links in all kept patches together; about 15 MB. Whoever missed more than this is
/// served faster, and smaller, by the whole picture.
pub(super) const RING_ITEMS: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) seq: u64,
    pub(super) layout_rev: i64,
    pub(super) alarms_open: BTreeMap<Option<FleetId>, usize>,
    /// Rises with every change of what agents are called and which fleet they are of.
    pub(super) names_rev: u64,
    /// Channels that do not take messages to people.
    pub(super) channels_failing: Vec<String>,
    /// Maintenance windows.
    pub(super) windows: Arc<Vec<Window>>,
    pub(super) agents: BTreeMap<AgentId, Arc<AgentEntry>>,
    /// Forgotten agents, of which the history still tells: host name and fleet.
    pub(super) former: BTreeMap<AgentId, (Option<String>, FleetId)>,
    /// By relay, the agents whose last report came through it.
    pub(super) relayed: HashMap<AgentId, BTreeSet<AgentId>>,
    /// Keys pinned to agents, forgotten ones included.
    pub(super) pinned: HashMap<AgentId, IdentityKey>,
    /// Agents that may not relay.
    pub(super) barred: HashSet<AgentId>,
    pub(super) nodes: BTreeMap<String, Arc<NodeEntry>>,
    /// Nodes without a position.
    pub(super) homeless: HashSet<String>,
    /// Whether an agent's site was called something else when places were last looked at.
    pub(super) relabelled: bool,
    pub(super) edges: BTreeMap<EdgeId, Arc<Link>>,
    pub(super) sites: BTreeMap<String, Site>,
    pub(super) dirty_nodes: BTreeSet<String>,
    /// Nodes that have got their first place: their links can be drawn from now on.
    pub(super) settled_nodes: BTreeSet<String>,
    pub(super) dirty_edges: BTreeSet<EdgeId>,
    pub(super) dirty_sites: BTreeSet<String>,
    pub(super) alarms_dirty: bool,
    pub(super) ring: VecDeque<Arc<Patch>>,
    pub(super) ring_items: usize,
}

#[derive(Debug)]
pub(super) struct AgentEntry {
    pub(super) summary: AgentSummary,
    pub(super) live: Arc<AgentLive>,
}

#[derive(Debug, Clone)]
pub(super) struct NodeEntry {
    pub(super) node: Node,
    pub(super) placed: bool,
    pub(super) live: Option<Arc<AgentLive>>,
}

/// What a picture is made of, taken at one instant. Taking it holds the processor up; making the
/// picture does not.
#[derive(Debug)]
pub(super) struct Held {
    seq: u64,
    layout_rev: i64,
    sites: Vec<Site>,
    nodes: Vec<Arc<NodeEntry>>,
    edges: Vec<Arc<Link>>,
    alarms_open: usize,
}

impl Held {
    /// Of which sequence number and layout it is.
    pub(super) fn position(&self) -> (u64, i64) {
        (self.seq, self.layout_rev)
    }

    /// The picture. Values that move with every report are those of now.
    pub(super) fn picture(&self, epoch: &str, now: UnixSeconds) -> Picture {
        let placed: HashSet<&str> = self.nodes.iter().map(|entry| entry.node.id.as_str()).collect();
        // A link is shown once both its nodes have a place.
        let edges = self.edges.iter().map(|link| link.now());
        let edges = edges.filter(|edge| {
            [&edge.source, &edge.target].into_iter().all(|id| placed.contains(id.as_str()))
        });
        Picture {
            v: 1,
            epoch: epoch.to_owned(),
            seq: self.seq,
            layout_rev: self.layout_rev,
            generated_at: now,
            sites: self.sites.clone(),
            nodes: self.nodes.iter().map(|entry| entry.now()).collect(),
            edges: edges.collect(),
            alarms_open: self.alarms_open,
        }
    }
}

impl Inner {
    pub(super) fn hold(&self) -> Held {
        let shown = |site: &&Site| site.counts != SiteCounts::default();
        let placed = self.nodes.values().filter(|entry| entry.placed);
        Held {
            seq: self.seq,
            layout_rev: self.layout_rev,
            sites: self.sites.values().filter(shown).cloned().collect(),
            nodes: placed.cloned().collect(),
            edges: self.edges.values().cloned().collect(),
            alarms_open: self.alarms_open.values().sum(),
        }
    }

    /// An agent, and those that report through it.
    pub(super) fn with_behind(&self, entry: &Arc<AgentEntry>) -> (Arc<AgentEntry>, Vec<AgentId>) {
        let behind = self.relayed.get(&entry.summary.agent_id).into_iter().flatten();
        (Arc::clone(entry), behind.cloned().collect())
    }

    pub(super) fn put_agent(&mut self, entry: AgentEntry) {
        let id = entry.summary.agent_id.clone();
        let AgentSummary { hostname, fleet_id, .. } = &entry.summary;
        let is_news = self.agents.get(&id).is_none_or(|known| {
            known.summary.hostname != *hostname || known.summary.fleet_id != *fleet_id
        });
        let before = self.agents.get(&id).map(|known| &known.summary.site);
        self.relabelled |= before.is_some_and(|site| *site != entry.summary.site);
        self.names_rev += u64::from(is_news);
        self.former.remove(&id);
        self.unlist(&id);
        for relay in entry.summary.relay_path.relays() {
            self.relayed.entry(relay.clone()).or_default().insert(id.clone());
        }
        self.agents.insert(id, Arc::new(entry));
    }

    pub(super) fn drop_agent(&mut self, id: &AgentId, called: (Option<String>, FleetId)) {
        self.names_rev += 1;
        self.former.insert(id.clone(), called);
        self.unlist(id);
    }

    fn unlist(&mut self, id: &AgentId) {
        let Some(old) = self.agents.remove(id) else { return };
        for relay in old.summary.relay_path.relays() {
            if let Some(behind) = self.relayed.get_mut(relay) {
                behind.remove(id);
                if behind.is_empty() {
                    self.relayed.remove(relay);
                }
            }
        }
    }

    /// A link is shown once both its nodes have a place.
    fn is_drawable(&self, link: &Link) -> bool {
        let placed = |id: String| self.nodes.get(&id).is_some_and(|entry| entry.placed);
        link.nodes().into_iter().all(|id| id.is_some_and(placed))
    }

    /// Puts a patch into the ring, and takes out the oldest ones that are too many.
    pub(super) fn keep(&mut self, patch: &Arc<Patch>) {
        let items = |patch: &Patch| {
            patch.n.set.len() + patch.n.del.len() + patch.e.set.len() + patch.e.del.len()
        };
        self.ring_items += items(patch);
        self.ring.push_back(Arc::clone(patch));
        while self.ring.len() > RING_PATCHES || self.ring_items > RING_ITEMS {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_items -= items(&oldest);
        }
    }

    /// Whether more changed than the ring keeps, as at a start.
    pub(super) fn is_beyond_keeping(&self) -> bool {
        self.dirty_nodes.len() + self.dirty_edges.len() > RING_ITEMS
    }

    /// Goes on as after a patch that nobody waits for and nobody will be given: of a large fleet it
    /// would take a kilobyte for each node and link.
    pub(super) fn skip(&mut self) {
        self.dirty_nodes = BTreeSet::new();
        self.settled_nodes = BTreeSet::new();
        self.dirty_edges = BTreeSet::new();
        let _counted = self.patch_sites();
        self.alarms_dirty = false;
        self.ring = VecDeque::new();
        self.ring_items = 0;
        self.seq += 1;
    }

    pub(super) fn patch(&mut self, now: UnixSeconds) -> Option<Patch> {
        let mut n = Part::default();
        for id in std::mem::take(&mut self.dirty_nodes) {
            match self.nodes.get(&id) {
                Some(entry) if entry.placed => n.set.push(entry.now()),
                Some(_) => {}
                None => n.del.push(id),
            }
        }
        // A node that has just got its place brings its links along.
        let fresh = std::mem::take(&mut self.settled_nodes);
        if !fresh.is_empty() {
            let touching = self.edges.iter().filter(|(_, link)| link.touches(&fresh));
            self.dirty_edges.extend(touching.map(|(id, _)| id.clone()));
        }
        let mut e = Part::default();
        for id in std::mem::take(&mut self.dirty_edges) {
            match self.edges.get(&id) {
                Some(link) if self.is_drawable(link) => e.set.push(link.now()),
                Some(_) => {}
                None => e.del.push(id.to_string()),
            }
        }
        // Patches are kept for long.
        n.set.shrink_to_fit();
        e.set.shrink_to_fit();
        let s = self.patch_sites();
        let alarms_dirty = std::mem::take(&mut self.alarms_dirty);
        if n == Part::default() && e == Part::default() && s == Part::default() && !alarms_dirty {
            return None;
        }
        let from = self.seq;
        self.seq += 1;
        let alarms = AlarmCount { open: self.alarms_open.values().sum() };
        Some(Patch { from, seq: self.seq, t: now, n, e, s, alarms, sent: Sent::default() })
    }

    /// Counts the members of every site that changed.
    pub(super) fn patch_sites(&mut self) -> Part<Site> {
        let dirty = std::mem::take(&mut self.dirty_sites);
        let mut part = Part::default();
        if dirty.is_empty() {
            return part;
        }
        let mut counts: BTreeMap<&str, SiteCounts> = BTreeMap::new();
        for entry in self.nodes.values().filter(|e| e.placed && dirty.contains(&e.node.site)) {
            counts.entry(&entry.node.site).or_default().count(&entry.node);
        }
        for id in dirty {
            let count = counts.get(id.as_str()).copied();
            let Some(site) = self.sites.get_mut(&id) else { continue };
            match count {
                Some(count) => {
                    site.counts = count;
                    part.set.push(site.clone());
                }
                None => {
                    site.counts = SiteCounts::default();
                    part.del.push(id);
                }
            }
        }
        part
    }
}

impl AgentEntry {
    /// An agent as of now, with those that report through it.
    pub(super) fn now(&self, relays_for: Vec<AgentId>) -> AgentSummary {
        let mut summary = AgentSummary { relays_for, ..self.summary.clone() };
        summary.last_seen_at = self.live.seen();
        let tick = self.live.last_tick.load(Ordering::Relaxed);
        summary.last_tick = (tick != 0).then_some(tick);
        summary
    }
}

impl NodeEntry {
    pub(super) fn now(&self) -> Node {
        let mut node = self.node.clone();
        node.seen_at = self.live.as_ref().and_then(|live| live.seen());
        node
    }
}
