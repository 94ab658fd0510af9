//! Pseudonyms: a map that can be shown to strangers, with the structure and the states of the real
//! one and none of its names.
//!
//! Names, keys and ids become keyed digests; addresses keep what they share with their neighbours
//! ([`address`]); sentences, which may say anything, become the bare state. The same secret and
//! name give the same pseudonym, so that what is taken away twice can be laid side by side; fleets
//! have keys of their own. Whoever knows some real pairs can infer the prefixes around them: this
//! is for screenshots and colleagues, not for publication.
//!
//! Must never let a text through that it does not know the meaning of.

pub mod address;

use std::collections::HashMap;

use crate::model::hex;
use crate::model::id::{AgentId, FleetId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::sign::hmac::mac;
use crate::topology::picture::{Edge, End, Node, NodeKind, Picture, Site};

/// Digits of a pseudonym: 40 bits, so that two of 100,000 hosts share one in a run of two hundred.
const DIGITS: usize = 10;

/// Roles that the map knows; any other word of a host is told as the first.
const ROLES: [&str; 4] = ["agent", "gateway", "relay", "external"];

/// What pseudonyms are made with.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// A picture under pseudonyms.
#[derive(Debug)]
pub struct Masked {
    /// The picture.
    pub picture: Picture,
    /// Pseudonyms of the ids of nodes, links and sites.
    pub ids: HashMap<String, String>,
}

impl Masked {
    /// The pseudonym of an id that is on the picture.
    pub fn id(&self, real: &str) -> Option<&str> {
        self.ids.get(real).map(String::as_str)
    }
}

/// The pseudonyms of one fleet.
struct Names {
    key: [u8; 32],
}

impl Names {
    fn of(secret: &Secret, fleet: &FleetId) -> Self {
        Self { key: mac(&secret.0, format!("fleet\0{fleet}").as_bytes()) }
    }

    fn tag(&self, kind: &str, name: &str) -> String {
        let mut digits = hex::encode(&mac(&self.key, format!("{kind}\0{name}").as_bytes()));
        digits.truncate(DIGITS);
        format!("{kind}-{digits}")
    }

    /// The fleet itself; the one that nobody named tells nothing.
    fn fleet(&self, real: &FleetId) -> FleetId {
        if *real == FleetId::unnamed() {
            return real.clone();
        }
        self.tag("fleet", real.as_str()).parse().unwrap_or_else(|_never| FleetId::unnamed())
    }

    fn agent(&self, real: &AgentId) -> Option<AgentId> {
        self.tag("agent", real.as_str()).parse().ok()
    }

    fn key(&self, real: &WgKey) -> WgKey {
        WgKey(mac(&self.key, &[b"key\0", real.0.as_slice()].concat()))
    }

    /// `wg0` tells nothing; `wg-acme` does.
    fn interface(&self, real: &str) -> String {
        let plain = real.strip_prefix("wg").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if plain { real.to_owned() } else { self.tag("if", real) }
    }

    fn site_id(&self, site: &str, fleet: &FleetId) -> String {
        format!("{}/{}", self.fleet(fleet), self.tag("site", site))
    }

    fn node_id(&self, node: &Node) -> String {
        match &node.agent_id {
            Some(agent) => format!("a:{}", self.tag("agent", agent.as_str())),
            None => format!("x:{}:{}", self.fleet(&node.fleet_id), self.tag("peer", &node.id)),
        }
    }

    fn edge_id(&self, real: &str) -> String {
        let mut id = hex::encode(&mac(&self.key, format!("link\0{real}").as_bytes()));
        id.truncate(16);
        id
    }

    fn addresses(&self, real: &[String]) -> Vec<String> {
        real.iter().filter_map(|text| address::masked(&self.key, text)).collect()
    }

    fn node(&self, node: &Node) -> Node {
        let id = self.node_id(node);
        let label = match node.kind {
            NodeKind::Agent => id.trim_start_matches("a:").to_owned(),
            NodeKind::External => self.tag("peer", &node.id),
        };
        let relays =
            node.relay_path.relays().iter().filter_map(|relay| self.agent(relay)).collect();
        let role = ROLES.iter().find(|role| **role == node.role).unwrap_or(&ROLES[0]);
        Node {
            id,
            kind: node.kind,
            role: (*role).to_owned(),
            agent_id: node.agent_id.as_ref().and_then(|agent| self.agent(agent)),
            label,
            status: node.status,
            fleet_id: self.fleet(&node.fleet_id),
            site: self.site_id(&node.site, &node.fleet_id),
            x: node.x,
            y: node.y,
            seen_at: node.seen_at,
            alarms: node.alarms,
            addresses: self.addresses(&node.addresses),
            relay_path: match node.relay_path.proof() {
                Some(proof) => RelayPath::through(relays, proof),
                None => RelayPath::direct(),
            },
            maintenance_until: node.maintenance_until,
        }
    }

    fn site(&self, site: &Site) -> Site {
        Site {
            id: self.site_id(&site.id, &site.fleet_id),
            label: self.tag("site", &site.id),
            fleet_id: self.fleet(&site.fleet_id),
            ..*site
        }
    }

    fn end(&self, end: &End) -> End {
        End {
            agent_id: end.agent_id.as_ref().and_then(|agent| self.agent(agent)),
            interface: end.interface.as_deref().map(|name| self.interface(name)),
            public_key: end.public_key.as_ref().map(|key| self.key(key)),
            endpoint: end.endpoint.as_deref().and_then(|at| address::endpoint(&self.key, at)),
            allowed_ips: self.addresses(&end.allowed_ips),
            ..*end
        }
    }
}

/// The picture under pseudonyms.
pub fn picture(real: &Picture, secret: &Secret) -> Masked {
    let mut fleets: HashMap<&FleetId, Names> = HashMap::new();
    let fleet_ids = real.nodes.iter().map(|node| &node.fleet_id);
    for fleet in fleet_ids.chain(real.sites.iter().map(|site| &site.fleet_id)) {
        fleets.entry(fleet).or_insert_with(|| Names::of(secret, fleet));
    }
    let mut ids = HashMap::new();
    let (mut nodes, mut sites, mut edges) = (Vec::new(), Vec::new(), Vec::new());
    let mut at = HashMap::new();
    for node in &real.nodes {
        let Some(names) = fleets.get(&node.fleet_id) else { continue };
        let masked = names.node(node);
        ids.insert(node.id.clone(), masked.id.clone());
        at.insert(node.id.as_str(), names);
        nodes.push(masked);
    }
    for site in &real.sites {
        let Some(names) = fleets.get(&site.fleet_id) else { continue };
        let masked = names.site(site);
        ids.insert(site.id.clone(), masked.id.clone());
        sites.push(masked);
    }
    for edge in &real.edges {
        let ends = (at.get(edge.source.as_str()), at.get(edge.target.as_str()));
        let (Some(source), Some(target)) = ends else { continue };
        let Some(masked) = link(edge, [source, target], &ids) else { continue };
        ids.insert(edge.id.clone(), masked.id.clone());
        edges.push(masked);
    }
    // Their own order would tell the order of the real names.
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    sites.sort_by(|a, b| a.id.cmp(&b.id));
    edges.sort_by(|a, b| a.id.cmp(&b.id));
    let picture = Picture { epoch: real.epoch.clone(), sites, nodes, edges, ..*real };
    Masked { picture, ids }
}

/// A link, whose sentence becomes its state: it may name anything.
fn link(real: &Edge, [source, target]: [&Names; 2], ids: &HashMap<String, String>) -> Option<Edge> {
    let [from, to] = &real.ends;
    Some(Edge {
        id: source.edge_id(&real.id),
        source: ids.get(&real.source)?.clone(),
        target: ids.get(&real.target)?.clone(),
        reason: real.state.as_str().replace('_', " "),
        ends: [source.end(from), target.end(to)],
        ..*real
    })
}

#[cfg(test)]
mod tests;
