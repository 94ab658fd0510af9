//! Maps and patches under pseudonyms.
//!
//! Must never let a member through that it does not name: a new one does not compile.

use std::collections::HashMap;

use super::Guise;
use crate::topology::patch::{Change, Part, Patch, Sent};
use crate::topology::picture::{Edge, End, Node, NodeKind, Picture, Site};

/// Makes maps under the pseudonyms of one guise. It remembers the last one, since most of a map is
/// as it was when somebody looked before.
#[derive(Debug)]
pub struct Painter {
    guise: Guise,
    nodes: HashMap<String, (Node, Node)>,
    edges: HashMap<String, (Edge, Edge)>,
}

/// What was remembered of a thing, if that is as it was; else made anew. Moves it over.
fn kept<T: PartialEq + Clone>(
    before: &mut HashMap<String, (T, T)>,
    (id, real): (&str, &T),
    make: impl FnOnce(&T) -> T,
) -> (T, T) {
    match before.remove(id) {
        Some(pair) if pair.0 == *real => pair,
        Some(_) | None => (real.clone(), make(real)),
    }
}

impl Painter {
    /// One that has made no map yet.
    pub fn new(guise: Guise) -> Self {
        Self { guise, nodes: HashMap::new(), edges: HashMap::new() }
    }

    /// A map under pseudonyms.
    pub fn paint(&mut self, real: &Picture) -> Picture {
        let guise = &self.guise;
        let mut before = std::mem::take(&mut self.nodes);
        for node in &real.nodes {
            let pair = kept(&mut before, (&node.id, node), |node| guise.node(node));
            self.nodes.insert(node.id.clone(), pair);
        }
        let mut before = std::mem::take(&mut self.edges);
        for edge in &real.edges {
            let pair = kept(&mut before, (&edge.id, edge), |edge| guise.edge(edge));
            self.edges.insert(edge.id.clone(), pair);
        }
        let mut nodes: Vec<Node> = self.nodes.values().map(|(_, masked)| masked.clone()).collect();
        let mut edges: Vec<Edge> = self.edges.values().map(|(_, masked)| masked.clone()).collect();
        let mut sites: Vec<Site> = real.sites.iter().map(|site| guise.site_of(site)).collect();
        // Their own order would tell the order of the real names.
        nodes.sort_by(|a, b| a.id.cmp(&b.id));
        sites.sort_by(|a, b| a.id.cmp(&b.id));
        edges.sort_by(|a, b| a.id.cmp(&b.id));
        Picture { epoch: real.epoch.clone(), sites, nodes, edges, ..*real }
    }
}

impl Guise {
    /// A node.
    pub fn node(&self, node: &Node) -> Node {
        let id = self.node_id(&node.id);
        let label = match (&node.agent_id, node.kind) {
            (Some(agent), _) => self.label(&node.label, agent),
            // Such a one is called by the beginning of its key, or by all of its name.
            (None, NodeKind::External | NodeKind::Agent) => {
                let key = id.rsplit(':').next().unwrap_or_default();
                key.parse()
                    .map_or_else(|_odd| key.to_owned(), |key: crate::model::key::WgKey| key.short())
            }
        };
        Node {
            id,
            kind: node.kind,
            role: self.role(&node.role).to_owned(),
            agent_id: node.agent_id.as_ref().map(|agent| self.agent(agent)),
            label,
            status: node.status,
            fleet_id: self.fleet(&node.fleet_id),
            site: self.site_id(&node.site),
            x: node.x,
            y: node.y,
            seen_at: node.seen_at,
            alarms: node.alarms,
            addresses: self.addresses(&node.addresses),
            relay_path: self.way(&node.relay_path),
            maintenance_until: node.maintenance_until,
        }
    }

    fn site_of(&self, site: &Site) -> Site {
        Site {
            id: self.site_id(&site.id),
            label: self.site(&site.label),
            fleet_id: self.fleet(&site.fleet_id),
            ..*site
        }
    }

    /// A link, whose sentence becomes its state: it may name anything.
    pub fn edge(&self, edge: &Edge) -> Edge {
        let [from, to] = &edge.ends;
        Edge {
            id: self.short_id(&edge.id),
            source: self.node_id(&edge.source),
            target: self.node_id(&edge.target),
            reason: edge.state.as_str().replace('_', " "),
            ends: [self.end(from), self.end(to)],
            ..*edge
        }
    }

    fn end(&self, end: &End) -> End {
        End {
            agent_id: end.agent_id.as_ref().map(|agent| self.agent(agent)),
            interface: end.interface.as_deref().map(|name| self.interface(name)),
            public_key: end.public_key.as_ref().map(|key| self.key_of(key)),
            endpoint: self.endpoint(end.endpoint.as_deref()),
            allowed_ips: self.addresses(&end.allowed_ips),
            ..*end
        }
    }

    /// A patch of the map: the same members, under pseudonyms.
    pub fn patch(&self, patch: &Patch) -> Patch {
        fn each<T>(set: &[Change<T>], masked: impl Fn(&T) -> T) -> Vec<Change<T>> {
            set.iter().map(|one| Change { now: masked(&one.now), told: one.told }).collect()
        }
        let gone = |ids: &[String], name: &dyn Fn(&str) -> String| {
            ids.iter().map(|id| name(id)).collect::<Vec<_>>()
        };
        Patch {
            n: Part {
                set: each(&patch.n.set, |node| self.node(node)),
                del: gone(&patch.n.del, &|id| self.node_id(id)),
            },
            e: Part {
                set: each(&patch.e.set, |edge| self.edge(edge)),
                del: gone(&patch.e.del, &|id| self.short_id(id)),
            },
            s: Part {
                set: each(&patch.s.set, |site| self.site_of(site)),
                del: gone(&patch.s.del, &|id| self.site_id(id)),
            },
            from: patch.from,
            seq: patch.seq,
            t: patch.t,
            alarms: patch.alarms,
            sent: Sent::default(),
        }
    }
}
