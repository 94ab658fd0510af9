//! What a picture shows of things: looks, halves and marks, look-ups, and what stays bright. As
//! `static/js/scene.js`.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::state::{AgentStatus, EdgeState, EndState};
use crate::topology::picture::{Edge, Node, NodeKind, Picture};

/// How a node looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Not reporting.
    Down,
    /// Late.
    Late,
    /// Waiting for approval.
    Pending,
    /// Out of service.
    Stale,
    /// A peer without an agent.
    None,
    /// Reporting.
    Up,
}

impl Look {
    /// Of a node.
    pub fn of(node: &Node) -> Self {
        match (node.kind, node.status) {
            (NodeKind::External, _) => Self::None,
            (NodeKind::Agent, Some(AgentStatus::Online)) => Self::Up,
            (NodeKind::Agent, Some(AgentStatus::Stale)) => Self::Late,
            (NodeKind::Agent, Some(AgentStatus::Offline)) => Self::Down,
            (NodeKind::Agent, Some(AgentStatus::Pending)) => Self::Pending,
            (NodeKind::Agent, Some(AgentStatus::Retired) | None) => Self::Stale,
        }
    }

    /// Its word, as in the page's scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Late => "late",
            Self::Pending => "pending",
            Self::Stale => "stale",
            Self::None => "none",
            Self::Up => "up",
        }
    }
}

/// Whether a link is in trouble.
pub fn is_bad(edge: &Edge) -> bool {
    matches!(edge.state, EdgeState::Down | EdgeState::OneWay | EdgeState::HalfConfigured)
}

/// How one half of a link is drawn: where the ends disagree, none looks healthy.
pub fn half(edge: &Edge, end: EndOf) -> EndState {
    let state = match end {
        EndOf::Source => edge.ends[0].state,
        EndOf::Target => edge.ends[1].state,
    };
    let differ = matches!(edge.state, EdgeState::OneWay | EdgeState::HalfConfigured);
    if differ && state != EndState::Down && state != EndState::Unknown {
        return EndState::Overdue;
    }
    if state == EndState::Missing { EndState::Overdue } else { state }
}

/// One of the two ends of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOf {
    /// `ends[0]`.
    Source,
    /// `ends[1]`.
    Target,
}

/// A mark in the middle of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Dead.
    Cross,
    /// The ends disagree.
    Differ,
    /// There was never a handshake.
    Hollow,
}

impl Mark {
    /// Of a link.
    pub fn of(edge: &Edge) -> Option<Self> {
        match edge.state {
            EdgeState::Down => Some(Self::Cross),
            EdgeState::OneWay | EdgeState::HalfConfigured => Some(Self::Differ),
            EdgeState::Never => Some(Self::Hollow),
            EdgeState::Up | EdgeState::Idle | EdgeState::Unknown => None,
        }
    }

    /// Its word, as in the page's scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cross => "cross",
            Self::Differ => "differ",
            Self::Hollow => "hollow",
        }
    }
}

/// A picture with the look-ups that drawing takes.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The picture.
    pub picture: &'a Picture,
    nodes: HashMap<&'a str, &'a Node>,
    in_site: HashMap<&'a str, Vec<&'a Node>>,
    /// The how-manieth of how many parallel links a link is.
    pub lanes: HashMap<&'a str, (usize, usize)>,
}

impl<'a> Scene<'a> {
    /// Over a picture.
    pub fn new(picture: &'a Picture) -> Self {
        let nodes = picture.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut in_site: HashMap<_, Vec<_>> =
            picture.sites.iter().map(|site| (site.id.as_str(), Vec::new())).collect();
        for node in &picture.nodes {
            if let Some(members) = in_site.get_mut(node.site.as_str()) {
                members.push(node);
            }
        }
        let mut pairs: HashMap<_, Vec<&str>> = HashMap::new();
        for edge in &picture.edges {
            let pair = ((&edge.source).min(&edge.target), (&edge.source).max(&edge.target));
            pairs.entry(pair).or_default().push(&edge.id);
        }
        let lanes = pairs
            .values()
            .filter(|group| group.len() > 1)
            .flat_map(|group| group.iter().enumerate().map(|(i, id)| (*id, (i, group.len()))))
            .collect();
        Self { picture, nodes, in_site, lanes }
    }

    /// A node by its id.
    pub fn node(&self, id: &str) -> Option<&'a Node> {
        self.nodes.get(id).copied()
    }

    /// The nodes of a site.
    pub fn members(&self, site: &str) -> &[&'a Node] {
        self.in_site.get(site).map_or(&[], Vec::as_slice)
    }
}

/// The ids of what stays bright; `None`: everything. As `bright` of `scene.js`.
pub fn bright(
    scene: &Scene<'_>,
    only: Option<&HashSet<String>>,
    problems: bool,
) -> Option<BTreeSet<String>> {
    if only.is_none() && !problems {
        return None;
    }
    let picture = scene.picture;
    let mut ends = BTreeSet::new();
    for edge in picture.edges.iter().filter(|edge| is_bad(edge)) {
        ends.extend([edge.source.as_str(), edge.target.as_str()]);
    }
    let trouble = |node: &Node| {
        matches!(Look::of(node), Look::Down | Look::Late)
            || node.alarms > 0
            || ends.contains(node.id.as_str())
    };
    // Where no node was found, those at the ends of the links that were stay bright with them.
    let found_node = only.is_some_and(|only| picture.nodes.iter().any(|n| only.contains(&n.id)));
    let mut at_found = BTreeSet::new();
    for edge in &picture.edges {
        if !found_node && only.is_some_and(|only| only.contains(&edge.id)) {
            at_found.extend([edge.source.as_str(), edge.target.as_str()]);
        }
    }
    let wanted = |id: &str| only.is_none_or(|only| only.contains(id) || at_found.contains(id));
    let nodes = picture
        .nodes
        .iter()
        .filter(|node| (!problems || trouble(node)) && wanted(&node.id))
        .map(|node| node.id.clone());
    let edges = picture
        .edges
        .iter()
        .filter(|edge| !problems || is_bad(edge))
        .filter(|edge| {
            only.is_none() || (wanted(&edge.id) && wanted(&edge.source) && wanted(&edge.target))
        })
        .map(|edge| edge.id.clone());
    Some(nodes.chain(edges).collect())
}
