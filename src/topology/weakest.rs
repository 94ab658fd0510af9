//! The hosts and links that a network can least afford to lose, by how many agents hang on each.
//! Asked of the picture as it is; nothing is changed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::picture::{Edge, NodeKind, Picture};
use super::redundancy::Network;
use super::without::carries;
use crate::model::state::EdgeState;

/// A host whose loss would cut others off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WeakHost {
    /// Its id on the map.
    pub id: String,
    /// Its name.
    pub label: String,
    /// Agents that would be cut off from the largest part of what is left.
    pub cut_off: u64,
    /// How many of them hang on it only because links are dead.
    pub added: u64,
}

/// A link whose loss would cut agents off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WeakLink {
    /// Its id.
    pub id: String,
    /// What its two ends are called.
    pub labels: [String; 2],
    /// Agents that would be cut off: the smaller part.
    pub cut_off: u64,
    /// How many of them hang on it only because other links are dead.
    pub added: u64,
}

/// What a network can least afford to lose, the worst first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Weakest {
    /// How many hosts there are on which others hang.
    pub hosts_total: usize,
    /// The worst of them.
    pub hosts: Vec<WeakHost>,
    /// How many links there are on which agents hang.
    pub links_total: usize,
    /// The worst of them.
    pub links: Vec<WeakLink>,
}

/// A picture's links between places of its nodes.
struct Net<'p> {
    picture: &'p Picture,
    links: Vec<(usize, usize, &'p Edge)>,
}

impl<'p> Net<'p> {
    fn of(picture: &'p Picture) -> Self {
        let nodes = picture.nodes.iter().enumerate();
        let places: BTreeMap<&str, usize> = nodes.map(|(at, node)| (&*node.id, at)).collect();
        let place = |id: &str| places.get(id).copied();
        let known = picture.edges.iter().filter(|edge| edge.state != EdgeState::Never);
        let links =
            known.filter_map(|edge| Some((place(&edge.source)?, place(&edge.target)?, edge)));
        Self { picture, links: links.collect() }
    }

    fn is_agent(&self, at: usize) -> bool {
        self.picture.nodes.get(at).is_some_and(|node| node.kind == NodeKind::Agent)
    }

    fn hosts(&self, network: &Network<usize>) -> Vec<WeakHost> {
        let weak =
            network.live().nodes().filter(|(at, cut_off)| *cut_off > 0 && self.is_agent(*at));
        let host = |(at, cut_off): (usize, u64)| {
            let node = self.picture.nodes.get(at)?;
            let before = network.built().behind(at).unwrap_or_default();
            let added = cut_off.saturating_sub(before);
            Some(WeakHost { id: node.id.clone(), label: node.label.clone(), cut_off, added })
        };
        let mut hosts: Vec<WeakHost> = weak.filter_map(host).collect();
        hosts.sort_by(|a, b| (b.cut_off, &a.label, &a.id).cmp(&(a.cut_off, &b.label, &b.id)));
        hosts
    }

    fn links(&self, network: &Network<usize>) -> Vec<WeakLink> {
        let weak: BTreeMap<(usize, usize), u64> =
            network.live().links().filter(|(_, cut_off)| *cut_off > 0).collect();
        let before: BTreeMap<(usize, usize), u64> = network.built().links().collect();
        let label = |at: usize| {
            self.picture.nodes.get(at).map(|node| node.label.clone()).unwrap_or_default()
        };
        let link = |(a, b, edge): &(usize, usize, &Edge)| {
            let pair = (*a.min(b), *a.max(b));
            let cut_off = weak.get(&pair).copied().filter(|_| carries(edge.state))?;
            let added = cut_off.saturating_sub(before.get(&pair).copied().unwrap_or_default());
            let labels = [label(*a), label(*b)];
            Some(WeakLink { id: edge.id.clone(), labels, cut_off, added })
        };
        let mut links: Vec<WeakLink> = self.links.iter().filter_map(link).collect();
        links.sort_by(|a, b| (b.cut_off, &a.labels, &a.id).cmp(&(a.cut_off, &b.labels, &b.id)));
        links
    }
}

/// The worst `most` hosts and links.
pub fn weakest(picture: &Picture, most: usize) -> Weakest {
    let net = Net::of(picture);
    let links = net.links.iter().map(|(a, b, edge)| (*a, *b, carries(edge.state)));
    let network = Network::of(links, |at| u64::from(net.is_agent(at)));
    let (mut hosts, mut links) = (net.hosts(&network), net.links(&network));
    let (hosts_total, links_total) = (hosts.len(), links.len());
    hosts.truncate(most);
    links.truncate(most);
    Weakest { hosts_total, hosts, links_total, links }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::without::tests::picture;

    /// Hosts as `a 3`, or `a 3+2` if two of them are new; likewise links.
    fn told(links: &str, most: usize) -> (Vec<String>, Vec<String>) {
        let found = weakest(&picture(links), most);
        let tell = |name: &str, cut_off, added| match added {
            0 => format!("{name} {cut_off}"),
            _ => format!("{name} {cut_off}+{added}"),
        };
        let hosts = found.hosts.iter().map(|host| tell(&host.label, host.cut_off, host.added));
        let links =
            found.links.iter().map(|link| tell(&link.labels.join("-"), link.cut_off, link.added));
        (hosts.collect(), links.collect())
    }

    #[test]
    fn the_worst_come_first() {
        let (hosts, links) = told("hub-a hub-b hub-c c-d", 9);
        assert_eq!(hosts, ["hub 2", "c 1"], "of the hub, the branch with two stays the largest");
        assert_eq!(links, ["hub-c 2", "c-d 1", "hub-a 1", "hub-b 1"]);
        let few = weakest(&picture("hub-a hub-b hub-c c-d"), 1);
        assert_eq!((few.hosts.len(), few.hosts_total, few.links_total), (1, 2, 4));
    }

    #[test]
    fn what_hangs_on_it_only_because_links_are_dead_is_told_apart() {
        let (hosts, links) = told("a-b b-c c-d d!a", 9);
        assert_eq!(hosts, ["b 1+1", "c 1+1"]);
        assert_eq!(links, ["b-c 2+2", "a-b 1+1", "c-d 1+1"]);
        assert_eq!(told("a-b b-c c-d d-a", 9), (Vec::new(), Vec::new()));
    }

    #[test]
    fn peers_without_an_agent_hang_on_nobody() {
        assert_eq!(told("a-b a-x1 x1-x2", 9), (Vec::new(), vec!["a-b 1".to_owned()]));
    }
}
