//! What the board holds, and how a picture or a patch is made of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::AgentLive;
use super::changed::Changed;
use super::link::Link;
use crate::model::id::{AgentId, EdgeId, FleetId};
use crate::model::key::IdentityKey;
use crate::model::time::UnixSeconds;
use crate::model::window::Window;
use crate::process::summary::AgentSummary;
use crate::topology::patch::Patch;
use crate::topology::picture::{Node, Picture, Site, SiteCounts};

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
    /// What changed since the last patch.
    pub(super) changed: Changed,
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
            t: now,
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
        self.changed.items() > RING_ITEMS
    }

    /// Whoever comes back from now on is given the whole map.
    pub(super) fn forget_patches(&mut self) {
        self.ring = VecDeque::new();
        self.ring_items = 0;
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
