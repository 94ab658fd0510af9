//! The live picture: what the processor last committed, ready for any number of watchers.
//!
//! The processor writes here after a commit, never before. Watchers read without touching the
//! processor: values that move with every report sit in shared cells, everything else changes
//! rarely and travels as patches, at most two a second.

mod agents;
mod changed;
pub mod link;
pub mod places;
mod service;
mod shares;
mod sight;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{broadcast, watch};

use link::Link;
use sight::Sight;
use state::{AgentEntry, Inner, NodeEntry};

use super::shares::Shares;
use super::summary::AgentSummary;
use crate::model::id::{AgentId, EdgeId, FleetId};
use crate::model::key::IdentityKey;
use crate::model::reach::{Reach, Strangers};
use crate::model::time::UnixSeconds;
use crate::topology::patch::Patch;
use crate::topology::picture::{Edge, Node};
use crate::verify::Known;

/// Signals a slow watcher may fall behind before it is told to start again.
const SIGNAL_BACKLOG: usize = 64;

/// The moving values of one end of a link, shared between processor and watchers.
#[derive(Debug, Default)]
pub struct EndLive {
    /// Last handshake on the host's clock, 0 = never.
    pub latest_handshake: AtomicI64,
    /// Bytes received.
    pub rx_bytes: AtomicU64,
    /// Bytes sent.
    pub tx_bytes: AtomicU64,
    /// When the values were read on the host's clock.
    pub measured_at: AtomicI64,
}

/// The moving values of one agent.
#[derive(Debug, Default)]
pub struct AgentLive {
    /// When its last report was received; 0 = never.
    pub seen_at: AtomicI64,
    /// Its last tick; 0 = none.
    pub last_tick: AtomicI64,
}

/// What watchers are told.
#[derive(Debug)]
pub enum Signal {
    /// Values changed.
    Patch(Arc<Patch>),
    /// Positions changed.
    Layout {
        /// The new layout revision.
        layout_rev: i64,
        /// Id of a node or site, abscissa, ordinate.
        moved: Vec<(String, f64, f64)>,
    },
}

/// The live picture.
#[derive(Debug)]
pub struct Board {
    epoch: String,
    inner: RwLock<Inner>,
    sight: Sight,
    signals: broadcast::Sender<Arc<Signal>>,
    shares: watch::Sender<Arc<Shares>>,
}

impl Board {
    /// An empty board of a new epoch.
    pub fn new(epoch: String) -> Self {
        let (signals, _) = broadcast::channel(SIGNAL_BACKLOG);
        let (inner, sight, shares) =
            (RwLock::default(), Sight::default(), watch::Sender::default());
        Self { epoch, inner, sight, signals, shares }
    }

    /// Names this run of the manager.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sequence number now, and every signal after it.
    pub fn subscribe(&self) -> (u64, i64, broadcast::Receiver<Arc<Signal>>) {
        let inner = self.read();
        (inner.seq, inner.layout_rev, self.signals.subscribe())
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.signals.receiver_count()
    }

    /// The present sequence number and layout revision.
    pub fn position(&self) -> (u64, i64) {
        let inner = self.read();
        (inner.seq, inner.layout_rev)
    }

    /// The patches that lead from `seq` to the present, if they are still kept.
    pub fn since(&self, seq: u64) -> Option<Vec<Arc<Patch>>> {
        let inner = self.read();
        if seq == inner.seq {
            return Some(Vec::new());
        }
        // Each patch that is kept follows from the one before, by one.
        let ahead = seq.checked_sub(inner.ring.front()?.from)?;
        let start = usize::try_from(ahead).ok()?;
        inner.ring.get(start)?;
        Some(inner.ring.iter().skip(start).cloned().collect())
    }

    /// The agents at the ends of a link.
    pub fn ends(&self, id: &str) -> Option<Vec<AgentId>> {
        let inner = self.read();
        let behind = inner.edges.get(&id.parse().ok()?)?.behind.iter();
        Some(behind.filter_map(|end| end.agent.clone()).collect())
    }

    /// What is remembered of an agent for its next signature.
    pub fn known(&self, id: &AgentId) -> Known {
        let inner = self.read();
        Known {
            form: inner.agents.get(id).and_then(|entry| entry.summary.form),
            key: inner.pinned.get(id).copied(),
            barred: inner.barred.contains(id),
        }
    }

    /// Tells which key is pinned to an agent, forgotten or not.
    pub fn pin(&self, id: &AgentId, key: Option<IdentityKey>) {
        let mut inner = self.write();
        match key {
            Some(key) => inner.pinned.insert(id.clone(), key),
            None => inner.pinned.remove(id),
        };
    }

    /// Tells whether an agent may not relay.
    pub fn bar(&self, id: &AgentId, barred: bool) {
        let mut inner = self.write();
        if barred {
            inner.barred.insert(id.clone());
        } else {
            inner.barred.remove(id);
        }
    }

    /// One link with its present values.
    pub fn edge(&self, id: &str) -> Option<Edge> {
        let id = id.parse().ok()?;
        self.read().edges.get(&id).map(|link| link.now())
    }

    /// One node.
    pub fn node(&self, id: &str) -> Option<Node> {
        self.read().nodes.get(id).map(|entry| entry.now())
    }

    /// The names of all nodes, whether they have a place or not.
    pub fn node_ids(&self) -> BTreeSet<String> {
        self.read().nodes.keys().cloned().collect()
    }

    /// How many nodes there are, whether they have a place or not.
    pub fn node_count(&self) -> usize {
        self.read().nodes.len()
    }

    /// Alarms within a reach that are active and not acknowledged.
    pub fn alarms_open(&self, reach: &Reach) -> usize {
        let inner = self.read();
        let counts = inner.alarms_open.iter();
        counts.filter(|(fleet, _)| reach.sees_of(fleet.as_ref())).map(|(_, count)| count).sum()
    }

    /// Rises with every change of what agents are called and which fleet they are of.
    pub fn names_rev(&self) -> u64 {
        self.read().names_rev
    }

    /// What somebody makes of how all agents are called, those that are forgotten included, as of
    /// that change: by id, host name and fleet.
    pub fn called<T>(
        &self,
        make: impl for<'a> FnOnce(
            &mut dyn Iterator<Item = (&'a AgentId, Option<&'a str>, &'a FleetId)>,
        ) -> T,
    ) -> (u64, T) {
        // What is made of it takes its time, and holds nobody up.
        let (rev, agents, former) = {
            let inner = self.read();
            let agents: Vec<_> = inner.agents.values().cloned().collect();
            (inner.names_rev, agents, inner.former.clone())
        };
        let agents = agents.iter().map(|entry| &entry.summary);
        let named = agents.map(|one| (&one.agent_id, one.hostname.as_deref(), &one.fleet_id));
        let former = former.iter().map(|(id, (name, fleet))| (id, name.as_deref(), fleet));
        (rev, make(&mut named.chain(former)))
    }

    /// The agents beyond a reach, as of that change.
    pub fn strangers(&self, reach: &Reach) -> (u64, Strangers) {
        self.called(|agents| Strangers::of(agents, reach))
    }

    /// Sets or replaces what is known of an agent.
    pub fn set_agent(&self, summary: AgentSummary, live: &Arc<AgentLive>) {
        self.write().put_agent(AgentEntry { summary, live: Arc::clone(live) });
    }

    /// Removes a forgotten agent; the history still tells of its host name and fleet.
    pub fn remove_agent(&self, id: &AgentId, called: (Option<String>, FleetId)) {
        self.write().drop_agent(id, called);
    }

    /// Sets or replaces a node; its position and site stay as they are.
    pub fn set_node(&self, mut node: Node, live: Option<&Arc<AgentLive>>) {
        let mut inner = self.write();
        let placed = match inner.nodes.get(&node.id) {
            Some(old) => {
                node.x = old.node.x;
                node.y = old.node.y;
                node.site.clone_from(&old.node.site);
                if old.node == node {
                    return;
                }
                old.placed
            }
            None => false,
        };
        if placed {
            inner.touch_node(&node.id);
            inner.touch_site(&node.site);
        } else {
            inner.homeless.insert(node.id.clone());
        }
        let entry = NodeEntry { node, placed, live: live.cloned() };
        inner.nodes.insert(entry.node.id.clone(), Arc::new(entry));
    }

    /// Removes a node.
    pub fn remove_node(&self, id: &str) {
        self.write().drop_node(id);
    }

    /// Removes every node and link that is not among these: the fleet was loaded anew.
    pub fn retain(&self, nodes: &BTreeSet<String>, edges: &BTreeSet<EdgeId>) {
        let mut inner = self.write();
        let inner = &mut *inner;
        let gone = inner.nodes.keys().filter(|id| !nodes.contains(*id)).cloned();
        let gone: Vec<String> = gone.collect();
        for id in gone {
            inner.drop_node(&id);
        }
        let gone = inner.edges.keys().filter(|id| !edges.contains(*id)).cloned();
        let gone: Vec<EdgeId> = gone.collect();
        for id in gone {
            inner.touch_edge(&id);
            inner.edges.remove(&id);
        }
    }

    /// Sets or replaces a link.
    pub fn set_edge(&self, link: Link) {
        let mut inner = self.write();
        let id = link.record.id.clone();
        inner.touch_edge(&id);
        inner.edges.insert(id, Arc::new(link));
    }

    /// Removes a link.
    pub fn remove_edge(&self, id: &EdgeId) {
        let mut inner = self.write();
        if inner.edges.contains_key(id) {
            inner.touch_edge(id);
            inner.edges.remove(id);
        }
    }

    /// Tells how many alarms are open, by fleet.
    pub fn set_alarms_open(&self, open: BTreeMap<Option<FleetId>, usize>) {
        let mut inner = self.write();
        if inner.alarms_open != open {
            inner.alarms_open = open;
            inner.changed.alarms = true;
        }
    }

    /// Turns what changed since the last call into one patch and sends it. Called at most
    /// twice a second.
    pub fn publish(&self, now: UnixSeconds) {
        self.sight.let_go(now);
        let mut inner = self.write();
        if self.signals.receiver_count() == 0 && inner.is_beyond_keeping() {
            inner.skip();
            return;
        }
        let Some(patch) = inner.patch(now) else { return };
        let patch = Arc::new(patch);
        inner.keep(&patch);
        drop(inner);
        // Nobody watching is no error.
        let _sent = self.signals.send(Arc::new(Signal::Patch(patch))).is_ok();
    }
}

impl AgentLive {
    /// A report was received.
    pub fn saw(&self, now: UnixSeconds, tick: Option<i64>) {
        self.seen_at.store(now.0, Ordering::Relaxed);
        self.last_tick.store(tick.unwrap_or_default(), Ordering::Relaxed);
    }

    /// When the last report was received.
    pub fn seen(&self) -> Option<UnixSeconds> {
        let seen = self.seen_at.load(Ordering::Relaxed);
        (seen != 0).then_some(UnixSeconds(seen))
    }
}

#[cfg(test)]
mod replayed;
#[cfg(test)]
mod tests;
