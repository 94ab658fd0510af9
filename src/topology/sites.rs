//! Which nodes are drawn together, and as what.
//!
//! A `site` label decides. Where there is none, nodes stay where they were once put, gateways
//! make sites of their own, and everybody else joins the site most of its neighbours are in.
//! The answer depends on the set of nodes, never on their order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a node is on the map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeRole {
    /// A host through which others reach networks.
    Gateway,
    /// A host that passes reports on.
    Relay,
    /// A host.
    #[default]
    Agent,
    /// A peer without an agent.
    External,
}

impl NodeRole {
    /// The word in the picture.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Relay => "relay",
            Self::Agent => "agent",
            Self::External => "external",
        }
    }

    /// The role of a word; an agent's for any other.
    pub fn from_word(word: &str) -> Self {
        let others = [Self::Gateway, Self::Relay, Self::External];
        others.into_iter().find(|role| role.as_str() == word).unwrap_or_default()
    }

    /// Drawn in the middle of its site.
    pub fn is_central(self) -> bool {
        matches!(self, Self::Gateway | Self::Relay)
    }
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What decides an agent's role.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoleFacts<'a> {
    /// Its label `role`.
    pub label: Option<&'a str>,
    /// WireGuard peers it gives more than single addresses to: networks behind them.
    pub wide_peers: usize,
    /// Its links.
    pub degree: usize,
    /// The median number of links of the nodes at their other ends.
    pub neighbours_degree: usize,
}

/// Links from which a host can be a gateway by what it is linked to.
const GATEWAY_LINKS: usize = 4;
/// A hub has at least this many times the links of those around it. In a full mesh all have the
/// same, and none is a hub.
const HUB_FACTOR: usize = 3;

/// An agent's role.
///
/// The label `gateway` or `relay` if there is one; with any other label an agent like any;
/// without, a gateway if it routes whole networks to at least four peers, or has
/// at least four links and three times as many as the nodes around it.
pub fn role(facts: &RoleFacts<'_>) -> NodeRole {
    match facts.label {
        Some("gateway") => NodeRole::Gateway,
        Some("relay") => NodeRole::Relay,
        Some(_) => NodeRole::Agent,
        None => {
            let hub = facts.degree >= GATEWAY_LINKS
                && facts.degree >= HUB_FACTOR * facts.neighbours_degree.max(1);
            let router = facts.wide_peers >= GATEWAY_LINKS;
            if hub || router { NodeRole::Gateway } else { NodeRole::Agent }
        }
    }
}

/// A node to be placed.
#[derive(Debug, Clone, Default)]
pub struct LayoutNode<'a> {
    /// Its id in the picture.
    pub id: &'a str,
    /// Its fleet.
    pub fleet: &'a str,
    /// Its label `site`.
    pub site: Option<&'a str>,
    /// Its role.
    pub role: NodeRole,
    /// Its name for people.
    pub name: &'a str,
    /// The ids of the nodes it is linked to, from either side.
    pub neighbours: Vec<&'a str>,
}

/// A site's id: `FLEET/NAME`.
pub fn site_id(fleet: &str, name: &str) -> String {
    format!("{fleet}/{name}")
}

/// The site of every node, by node id. `current` is where unlabelled nodes were put before.
pub fn assign<'a>(
    nodes: &[LayoutNode<'a>],
    current: &BTreeMap<&str, &str>,
) -> BTreeMap<&'a str, String> {
    let mut grouping = Grouping::new(nodes);
    for node in 0..grouping.nodes.len() {
        let Some(n) = grouping.nodes.get(node).copied() else { continue };
        if let Some(label) = n.site {
            grouping.sites.insert(node, site_id(n.fleet, label));
        } else if let Some(site) = current.get(n.id) {
            grouping.sites.insert(node, (*site).to_owned());
        }
    }
    grouping.names = grouping.sites.values().cloned().collect();
    grouping.seed_gateways();
    grouping.spread();
    grouping.seed_rest();
    grouping.spread();
    let sites = std::mem::take(&mut grouping.sites);
    sites.into_iter().filter_map(|(n, site)| Some((grouping.nodes.get(n)?.id, site))).collect()
}

/// Nodes sorted by id, and who is linked to whom within a fleet, by position.
struct Grouping<'n, 'a> {
    nodes: Vec<&'n LayoutNode<'a>>,
    links: Vec<Vec<usize>>,
    sites: BTreeMap<usize, String>,
    names: BTreeSet<String>,
}

impl<'n, 'a> Grouping<'n, 'a> {
    fn new(nodes: &'n [LayoutNode<'a>]) -> Self {
        let by_id: BTreeMap<&str, &LayoutNode<'a>> = nodes.iter().map(|n| (n.id, n)).collect();
        let nodes: Vec<_> = by_id.into_values().collect();
        let find = |id: &str| nodes.binary_search_by(|n| n.id.cmp(id)).ok();
        let mut links: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes.len()];
        for (a, node) in nodes.iter().enumerate() {
            for b in node.neighbours.iter().filter_map(|id| find(id)) {
                let same = nodes.get(b).is_some_and(|n| n.fleet == node.fleet);
                if same && a != b {
                    for (from, to) in [(a, b), (b, a)] {
                        if let Some(set) = links.get_mut(from) {
                            set.insert(to);
                        }
                    }
                }
            }
        }
        let links = links.into_iter().map(|set| set.into_iter().collect()).collect();
        Self { nodes, links, sites: BTreeMap::new(), names: BTreeSet::new() }
    }

    fn linked(&self, node: usize) -> &[usize] {
        self.links.get(node).map(Vec::as_slice).unwrap_or_default()
    }

    fn role(&self, node: usize) -> NodeRole {
        self.nodes.get(node).map(|n| n.role).unwrap_or_default()
    }

    fn leaves(&self, node: usize) -> BTreeSet<usize> {
        self.linked(node).iter().copied().filter(|n| self.role(*n) == NodeRole::Agent).collect()
    }

    /// Gateways without a site: where most of their leaves are already, else with an earlier
    /// gateway that serves half of the same leaves (a pair for safety), else on their own.
    fn seed_gateways(&mut self) {
        let gateways: Vec<usize> = (0..self.nodes.len())
            .filter(|n| self.role(*n) == NodeRole::Gateway && !self.sites.contains_key(n))
            .collect();
        let mut seeded: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut joined = Vec::new();
        for gateway in gateways {
            let leaves = self.leaves(gateway);
            let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
            for site in leaves.iter().filter_map(|leaf| self.sites.get(leaf)) {
                *votes.entry(site).or_default() += 1;
            }
            let home = votes
                .into_iter()
                .find(|(_, votes)| votes * 2 > leaves.len())
                .map(|(site, _)| site.to_owned());
            // Only gateways that share a leaf can be twins: look at the leaves' other gateways.
            let twin = leaves
                .iter()
                .flat_map(|leaf| self.linked(*leaf))
                .filter_map(|other| Some((*other, seeded.get(other)?)))
                .find(|(_, theirs)| {
                    let shared = theirs.intersection(&leaves).count();
                    shared * 2 >= leaves.len().min(theirs.len())
                })
                .and_then(|(other, _)| self.sites.get(&other).cloned());
            match home.or(twin) {
                Some(site) => joined.push((gateway, site)),
                None => {
                    let site = self.new_site(gateway);
                    self.sites.insert(gateway, site);
                    seeded.insert(gateway, leaves);
                }
            }
        }
        self.sites.extend(joined);
    }

    /// Everybody joins its neighbours, wave by wave from those that have a site.
    fn spread(&mut self) {
        let mut front: Vec<usize> = self.sites.keys().copied().collect();
        while !front.is_empty() {
            let next: BTreeSet<usize> = front
                .iter()
                .filter(|n| self.role(**n) != NodeRole::External)
                .flat_map(|n| self.linked(*n))
                .copied()
                .filter(|n| !self.sites.contains_key(n))
                .collect();
            let chosen: Vec<(usize, String)> =
                next.into_iter().filter_map(|n| Some((n, self.favourite(n)?))).collect();
            front = chosen.iter().map(|(n, _)| *n).collect();
            self.sites.extend(chosen);
        }
    }

    /// The site most neighbours of a node are in; gateways and relays count before all others.
    fn favourite(&self, node: usize) -> Option<String> {
        let mut votes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for n in self.linked(node).iter().filter(|n| self.role(**n) != NodeRole::External) {
            let Some(site) = self.sites.get(n) else { continue };
            let vote = votes.entry(site).or_default();
            if self.role(*n).is_central() {
                vote.0 += 1;
            } else {
                vote.1 += 1;
            }
        }
        let best = votes.values().max().copied()?;
        votes.into_iter().find(|(_, v)| *v == best).map(|(site, _)| site.to_owned())
    }

    /// Groups without any site: named after the node with most links, or after the fleet for
    /// nodes without links.
    fn seed_rest(&mut self) {
        let mut seen: BTreeSet<usize> = self.sites.keys().copied().collect();
        for start in 0..self.nodes.len() {
            if !seen.insert(start) {
                continue;
            }
            let mut group = vec![start];
            let mut next = 0;
            while let Some(node) = group.get(next).copied() {
                group.extend(self.linked(node).iter().copied().filter(|n| seen.insert(*n)));
                next += 1;
            }
            let head = group
                .iter()
                .copied()
                .filter(|n| self.role(*n) != NodeRole::External)
                .min_by_key(|n| (std::cmp::Reverse(self.linked(*n).len()), *n))
                .unwrap_or(start);
            let alone = group.len() == 1;
            let site = match self.nodes.get(head) {
                Some(node) if alone => site_id(node.fleet, node.fleet),
                _ => self.new_site(head),
            };
            self.sites.insert(head, site);
        }
    }

    /// A site named after a node, by its id if another site has taken the name.
    fn new_site(&mut self, node: usize) -> String {
        let Some(n) = self.nodes.get(node) else { return String::new() };
        let by_name = site_id(n.fleet, n.name);
        let site = if self.names.contains(&by_name) { site_id(n.fleet, n.id) } else { by_name };
        self.names.insert(site.clone());
        site
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(id: &'a str, role: NodeRole, neighbours: &[&'a str]) -> LayoutNode<'a> {
        LayoutNode { id, fleet: "f", site: None, role, name: id, neighbours: neighbours.to_vec() }
    }

    fn grouped(nodes: &[LayoutNode<'_>]) -> Vec<(String, String)> {
        let current = BTreeMap::new();
        let answer = assign(nodes, &current);
        let mut turned = nodes.to_vec();
        turned.reverse();
        assert_eq!(answer, assign(&turned, &current), "depends on the order");
        answer.into_iter().map(|(id, site)| (id.to_owned(), site)).collect()
    }

    fn sites(nodes: &[LayoutNode<'_>]) -> Vec<String> {
        grouped(nodes).into_iter().map(|(id, site)| format!("{id}:{site}")).collect()
    }

    #[test]
    fn labels_win_and_neighbours_follow() {
        let mut nodes = [
            node("a", NodeRole::Agent, &["b", "x"]),
            node("b", NodeRole::Agent, &["c"]),
            node("c", NodeRole::Agent, &[]),
            node("x", NodeRole::External, &[]),
        ];
        nodes[0].site = Some("Oulu");
        nodes[2].site = Some("Turku");
        assert_eq!(sites(&nodes), ["a:f/Oulu", "b:f/Oulu", "c:f/Turku", "x:f/Oulu"]);
    }

    #[test]
    fn a_star_a_pair_of_gateways_a_mesh_and_a_loner() {
        use NodeRole::{Agent, Gateway};
        let nodes = [
            node("gw1", Gateway, &["l1", "l2", "l3", "gw9"]),
            node("gw2", Gateway, &["l1", "l2", "l3"]),
            node("gw9", Gateway, &["l9"]),
            node("l1", Agent, &[]),
            node("l2", Agent, &[]),
            node("l3", Agent, &[]),
            node("l9", Agent, &[]),
            node("m1", Agent, &["m2", "m3"]),
            node("m2", Agent, &["m3", "m4"]),
            node("m3", Agent, &[]),
            node("m4", Agent, &[]),
            node("zz", Agent, &[]),
        ];
        assert_eq!(
            sites(&nodes),
            [
                "gw1:f/gw1",
                "gw2:f/gw1",
                "gw9:f/gw9",
                "l1:f/gw1",
                "l2:f/gw1",
                "l3:f/gw1",
                "l9:f/gw9",
                "m1:f/m2",
                "m2:f/m2",
                "m3:f/m2",
                "m4:f/m2",
                "zz:f/f",
            ]
        );
    }

    #[test]
    fn who_has_a_place_keeps_it() {
        use NodeRole::{Agent, Gateway};
        let nodes = [
            node("a", Agent, &["gw"]),
            node("b", Agent, &["gw"]),
            node("gw", Gateway, &[]),
            node("new", Agent, &["gw"]),
        ];
        let current = BTreeMap::from([("a", "f/old"), ("b", "f/old")]);
        let answer = assign(&nodes, &current);
        // The gateway that turns up late joins its leaves, and the newcomer joins it.
        for id in ["a", "b", "gw", "new"] {
            assert_eq!(answer[id], "f/old", "{id}");
        }
    }

    #[test]
    fn equal_names_do_not_merge_and_fleets_do_not_mix() {
        let mut nodes = [
            node("g1", NodeRole::Gateway, &["g2"]),
            node("g2", NodeRole::Gateway, &[]),
            node("h", NodeRole::Agent, &["g1"]),
        ];
        (nodes[0].name, nodes[1].name) = ("gw", "gw");
        nodes[2].fleet = "other";
        assert_eq!(sites(&nodes), ["g1:f/gw", "g2:f/g2", "h:other/other"]);
    }

    #[test]
    fn roles() {
        let facts = RoleFacts::default();
        for (label, expected) in [
            ("gateway", NodeRole::Gateway),
            ("relay", NodeRole::Relay),
            ("database", NodeRole::Agent),
        ] {
            let busy = RoleFacts { label: Some(label), wide_peers: 9, degree: 40, ..facts };
            assert_eq!(role(&busy), expected);
        }
        for (wide_peers, degree, neighbours_degree, expected) in [
            (0, 0, 0, NodeRole::Agent),
            (3, 3, 1, NodeRole::Agent),
            (4, 4, 4, NodeRole::Gateway),
            (0, 4, 1, NodeRole::Gateway),
            (0, 3, 1, NodeRole::Agent),
            (0, 12, 12, NodeRole::Agent),
            (0, 36, 12, NodeRole::Gateway),
        ] {
            let facts = RoleFacts { label: None, wide_peers, degree, neighbours_degree };
            assert_eq!(role(&facts), expected, "{facts:?}");
        }
    }
}
