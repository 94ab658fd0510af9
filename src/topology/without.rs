//! What a network would lose with some of its hosts or links: who is cut off, and what becomes a
//! single point of failure.
//!
//! Asked of the picture as it is; nothing is changed. Of what is dead already, the answer is what was
//! lost with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::graph::{Components, WeakPoints, weak_points};
use super::picture::{Edge, Node, NodeKind, Picture};
use crate::model::state::{AgentStatus, EdgeState};

/// What is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Nodes, by their ids on the map.
    pub nodes: BTreeSet<String>,
    /// Links, by their ids.
    pub edges: BTreeSet<String>,
}

impl Taken {
    /// What words name on a picture: agents by their ids, nodes and links by theirs.
    ///
    /// # Errors
    /// The first word that names nothing.
    pub fn named(picture: &Picture, words: &[&str]) -> Result<Self, String> {
        let mut taken = Self::default();
        for word in words {
            let agent = format!("a:{word}");
            let node = picture.nodes.iter().find(|node| node.id == *word || node.id == agent);
            if let Some(node) = node {
                taken.nodes.insert(node.id.clone());
            } else if picture.edges.iter().any(|edge| edge.id == *word) {
                taken.edges.insert((*word).to_owned());
            } else {
                return Err((*word).to_owned());
            }
        }
        Ok(taken)
    }

    /// Whether nothing is taken away.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.edges.is_empty()
    }
}

/// A host, or a peer without an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its id on the map.
    pub id: String,
    /// Its name.
    pub label: String,
}

/// A link by the names of its ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedLink {
    /// Its id.
    pub id: String,
    /// What its two ends are called.
    pub labels: [String; 2],
}

/// A part that would be on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CutOff {
    /// Who is in it, by name.
    pub nodes: Vec<Named>,
    /// How many it can reach now and could not reach then, those taken away left out.
    pub loses: usize,
}

/// What would be lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What was taken away, by name.
    pub taken: Vec<Named>,
    /// The links that were taken away by themselves.
    pub taken_links: Vec<NamedLink>,
    /// Parts that fall off the largest part of what is one network now, larger ones first.
    pub cut_off: Vec<CutOff>,
    /// Hosts that become single points of failure: losing one more of them would split what is
    /// left.
    pub weak_nodes: Vec<Named>,
    /// Links that become single points of failure.
    pub weak_links: Vec<NamedLink>,
    /// Agents whose last report came through one of the hosts taken away. They may find another
    /// way for their reports; that is not a matter of links.
    pub reports_lost: Vec<Named>,
}

/// Whether packets pass a link in this state as far as anybody knows.
pub fn carries(state: EdgeState) -> bool {
    match state {
        EdgeState::Up | EdgeState::Idle | EdgeState::OneWay | EdgeState::Unknown => true,
        EdgeState::Down | EdgeState::HalfConfigured | EdgeState::Never => false,
    }
}

/// The graph of a picture, its nodes by place.
struct Net<'p> {
    nodes: &'p [Node],
    links: Vec<(usize, usize, &'p Edge)>,
}

/// Whether a link that carries nothing does so because of what is taken away: it was taken itself,
/// or it died after an end of it that is taken had fallen silent.
fn died_with(edge: &Edge, ends: [&Node; 2], taken: &Taken) -> bool {
    let silent = |node: &Node| {
        taken.nodes.contains(&node.id)
            && node.status == Some(AgentStatus::Offline)
            && node.seen_at.is_none_or(|heard| edge.since >= heard)
    };
    edge.state == EdgeState::Down
        && (taken.edges.contains(&edge.id) || ends.into_iter().any(silent))
}

impl<'p> Net<'p> {
    /// The links that carry, and those that did until what is taken away died.
    fn of(picture: &'p Picture, taken: &Taken) -> Self {
        let places: BTreeMap<&str, usize> = picture
            .nodes
            .iter()
            .enumerate()
            .map(|(place, node)| (node.id.as_str(), place))
            .collect();
        let place = |id: &str| places.get(id).copied();
        let links = picture.edges.iter().filter_map(|edge| {
            let (a, b) = (place(&edge.source)?, place(&edge.target)?);
            let ends = [picture.nodes.get(a)?, picture.nodes.get(b)?];
            (carries(edge.state) || died_with(edge, ends, taken)).then_some((a, b, edge))
        });
        Self { nodes: &picture.nodes, links: links.collect() }
    }

    fn is_left(&self, place: usize, taken: &Taken) -> bool {
        self.nodes.get(place).is_some_and(|node| !taken.nodes.contains(&node.id))
    }

    fn places(&self, taken: &Taken) -> Vec<usize> {
        (0..self.nodes.len()).filter(|place| self.is_left(*place, taken)).collect()
    }

    fn pairs(&self, taken: &Taken) -> Vec<(usize, usize)> {
        let left = self.links.iter().filter(|(a, b, edge)| {
            self.is_left(*a, taken) && self.is_left(*b, taken) && !taken.edges.contains(&edge.id)
        });
        left.map(|(a, b, _)| (*a, *b)).collect()
    }

    /// Whether its last report came through a host that is taken away.
    fn reports_through(&self, place: usize, taken: &Taken) -> bool {
        let through = self.nodes.get(place).map(|node| node.relay_path.relays());
        let mut through = through.into_iter().flatten();
        through.any(|id| taken.nodes.contains(&format!("a:{id}")))
    }

    fn named(&self, place: usize) -> Option<Named> {
        let node = self.nodes.get(place)?;
        Some(Named { id: node.id.clone(), label: node.label.clone() })
    }

    fn label(&self, place: usize) -> String {
        self.nodes.get(place).map(|node| node.label.clone()).unwrap_or_default()
    }

    fn named_link(&self, (a, b, edge): &(usize, usize, &Edge)) -> NamedLink {
        NamedLink { id: edge.id.clone(), labels: [self.label(*a), self.label(*b)] }
    }
}

/// What would be lost without what is `taken`; what was lost with it, where it is dead already.
pub fn without(picture: &Picture, taken: &Taken) -> Loss {
    let net = Net::of(picture, taken);
    let (nothing, left) = (Taken::default(), net.places(taken));
    let (pairs_now, pairs_then) = (net.pairs(&nothing), net.pairs(taken));
    let now = Components::of(net.places(&nothing), pairs_now.iter().copied());
    let then = Components::of(left.iter().copied(), pairs_then.iter().copied());
    let weak = grown(&weak_points(pairs_now), weak_points(pairs_then));
    let by_name = |mut all: Vec<Named>| {
        all.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
        all
    };
    let node = |place: &usize| net.named(*place);
    Loss {
        taken: by_name(
            (0..net.nodes.len())
                .filter(|at| !net.is_left(*at, taken))
                .filter_map(|at| net.named(at))
                .collect(),
        ),
        taken_links: net
            .links
            .iter()
            .filter(|(.., edge)| taken.edges.contains(&edge.id))
            .map(|link| net.named_link(link))
            .collect(),
        cut_off: cut_off(&now, &then, &left)
            .into_iter()
            .map(|(part, loses)| CutOff {
                nodes: by_name(part.iter().filter_map(node).collect()),
                loses,
            })
            .collect(),
        weak_nodes: by_name(
            weak.agents
                .iter()
                .filter(|at| net.nodes.get(**at).is_some_and(|node| node.kind == NodeKind::Agent))
                .filter_map(node)
                .collect(),
        ),
        weak_links: net
            .links
            .iter()
            .filter(|(a, b, _)| weak.links.binary_search(&(*a.min(b), *a.max(b))).is_ok())
            .map(|link| net.named_link(link))
            .collect(),
        reports_lost: by_name(
            left.iter().filter(|at| net.reports_through(**at, taken)).filter_map(node).collect(),
        ),
    }
}

/// The weak points that there were not before, sorted like those they are taken from.
fn grown(before: &WeakPoints<usize>, after: WeakPoints<usize>) -> WeakPoints<usize> {
    let new = |at: &usize| before.agents.binary_search(at).is_err();
    let new_link = |pair: &(usize, usize)| before.links.binary_search(pair).is_err();
    WeakPoints {
        agents: after.agents.into_iter().filter(new).collect(),
        links: after.links.into_iter().filter(new_link).collect(),
    }
}

/// The parts that fall off, larger ones first, and how many others each of them loses.
fn cut_off(
    now: &Components<usize>,
    then: &Components<usize>,
    left: &[usize],
) -> Vec<(Vec<usize>, usize)> {
    let mut groups: BTreeMap<usize, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
    for at in left {
        if let (Some(whole), Some(part)) = (now.component(*at), then.component(*at)) {
            groups.entry(whole).or_default().entry(part).or_default().push(*at);
        }
    }
    let mut fallen = Vec::new();
    for parts in groups.into_values() {
        let total: usize = parts.values().map(Vec::len).sum();
        let mut parts: Vec<_> = parts.into_values().collect();
        parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        fallen.extend(parts.into_iter().skip(1).map(|part| {
            let loses = total - part.len();
            (part, loses)
        }));
    }
    fallen.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    fallen
}

#[cfg(test)]
pub(super) mod tests;
