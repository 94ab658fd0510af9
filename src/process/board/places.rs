//! Where the board's nodes are drawn: who has no place yet, and the places that are found.

use std::collections::HashMap;
use std::sync::Arc;

use super::link::Link;
use super::state::{AgentEntry, Inner, NodeEntry};
use super::{Board, Signal};
use crate::model::id::AgentId;
use crate::topology::picture::{Node, Site};

/// A node as the layout sees it.
#[derive(Debug, Clone)]
pub struct Unplaced {
    /// The node without its position.
    pub node: Node,
    /// Nodes it has links with.
    pub neighbours: Vec<String>,
    /// The agent's `site` label.
    pub site_label: Option<String>,
}

/// What the layout is made of, taken at one instant. Taking it holds the processor up; working
/// out who is whose neighbour does not.
#[derive(Debug)]
pub struct Roster {
    nodes: Vec<Arc<NodeEntry>>,
    edges: Vec<Arc<Link>>,
    agents: Vec<Arc<AgentEntry>>,
}

impl Roster {
    fn of(inner: &Inner) -> Self {
        Self {
            nodes: inner.nodes.values().cloned().collect(),
            edges: inner.edges.values().cloned().collect(),
            agents: inner.agents.values().cloned().collect(),
        }
    }

    /// The nodes, as the layout sees them.
    pub fn nodes(&self) -> Vec<Unplaced> {
        let mut neighbours: HashMap<String, Vec<String>> = HashMap::new();
        for link in &self.edges {
            let [Some(source), Some(target)] = link.nodes() else { continue };
            neighbours.entry(source.clone()).or_default().push(target.clone());
            neighbours.entry(target).or_default().push(source);
        }
        let summaries = self.agents.iter().map(|entry| &entry.summary);
        let labels: HashMap<&AgentId, &String> =
            summaries.filter_map(|agent| Some((&agent.agent_id, agent.site.as_ref()?))).collect();
        let label = |id: &AgentId| labels.get(id).map(|label| (*label).clone());
        let all = self.nodes.iter().map(|entry| Unplaced {
            node: entry.node.clone(),
            neighbours: neighbours.remove(entry.node.id.as_str()).unwrap_or_default(),
            site_label: entry.node.agent_id.as_ref().and_then(label),
        });
        all.collect()
    }
}

impl Board {
    /// Whether some node has no position, or an agent is of another site than when this was asked
    /// last; and all nodes if so.
    pub fn unplaced(&self) -> Option<Roster> {
        let mut inner = self.write();
        let relabelled = std::mem::take(&mut inner.relabelled);
        (relabelled || !inner.homeless.is_empty()).then(|| Roster::of(&inner))
    }

    /// All nodes as the layout sees them.
    pub fn all_nodes(&self) -> Vec<Unplaced> {
        let roster = Roster::of(&self.read());
        roster.nodes()
    }

    /// Takes positions: sites first, then nodes. Tells watchers what moved.
    pub fn place(&self, layout_rev: i64, sites: Vec<Site>, nodes: &[(String, String, f64, f64)]) {
        let mut guard = self.write();
        let inner = &mut *guard;
        let mut moved = Vec::new();
        for site in sites {
            if let Some(old) = inner.sites.get(&site.id)
                && (old.x, old.y, old.r) == (site.x, site.y, site.r)
            {
                continue;
            }
            if let Some(old) = inner.sites.get(&site.id)
                && (old.x, old.y) != (site.x, site.y)
            {
                moved.push((site.id.clone(), site.x, site.y));
            }
            inner.touch_site(&site.id);
            let counts = inner.sites.get(&site.id).map(|old| old.counts).unwrap_or_default();
            inner.sites.insert(site.id.clone(), Site { counts, ..site });
        }
        for (id, site, x, y) in nodes {
            let Some(entry) = inner.nodes.get(id) else { continue };
            let (before, NodeEntry { node, placed, .. }) = (entry.node.site.clone(), &**entry);
            if *placed && (node.x, node.y) == (*x, *y) && node.site == *site {
                continue;
            }
            if *placed {
                moved.push((id.clone(), *x, *y));
            }
            inner.touch_node(id);
            inner.touch_site(&before);
            inner.touch_site(site);
            inner.homeless.remove(id);
            let Some(entry) = inner.nodes.get_mut(id).map(Arc::make_mut) else { continue };
            (entry.node.x, entry.node.y, entry.placed) = (*x, *y, true);
            entry.node.site.clone_from(site);
        }
        let rearranged = inner.layout_rev != layout_rev;
        inner.layout_rev = layout_rev;
        drop(guard);
        if rearranged || !moved.is_empty() {
            // Nobody watching is no error.
            let _sent = self.signals.send(Arc::new(Signal::Layout { layout_rev, moved })).is_ok();
        }
    }
}
