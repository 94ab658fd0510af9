//! What a picture shows of things: looks, halves and marks, look-ups, and what stays bright. As
//! `static/js/scene.js`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::question::Question;
use crate::model::state::{AgentStatus, EdgeState, EndState};
use crate::topology::picture::{Edge, Node, NodeKind, Picture};

/// How a node looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// All there are, worst first.
    pub const ALL: [Self; 6] =
        [Self::Down, Self::Late, Self::Pending, Self::Stale, Self::None, Self::Up];

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

/// The ids of what stays bright; `None`: everything. As `bright` of `scene.js`, step by step: a link
/// that is kept has both its ends kept.
pub fn bright(
    scene: &Scene<'_>,
    only: Option<&HashSet<String>>,
    problems: bool,
    question: &Question,
) -> Option<BTreeSet<String>> {
    let (rows, within) = (&question.rows, &question.within);
    if only.is_none() && !problems && rows.is_empty() && within.is_empty() {
        return None;
    }
    let mut kept = Kept::all(scene.picture);
    if problems {
        let ends = kept.ends(is_bad);
        let trouble = |node: &Node| {
            matches!(Look::of(node), Look::Down | Look::Late)
                || node.alarms > 0
                || ends.contains(node.id.as_str())
        };
        kept.retain(trouble, is_bad);
    }
    if !rows.is_empty() {
        kept.edges.retain(|edge| rows.states.contains(&edge.state));
        let ends = kept.ends(|_| true);
        let has = |node: &&Node| {
            rows.looks.contains(&Look::of(node)) && kept.nodes.contains(node.id.as_str())
        };
        let looks = scene.picture.nodes.iter().filter(has).map(|node| node.id.as_str());
        kept.nodes = looks.chain(ends).collect();
    }
    if let Some(only) = only {
        // Where no node was found, those at the ends of the links that were stay bright with them.
        let found_node = scene.picture.nodes.iter().any(|node| only.contains(&node.id));
        let links = Kept::all(scene.picture).ends(|edge| !found_node && only.contains(&edge.id));
        let is = |id: &str| only.contains(id) || links.contains(id);
        kept.retain(
            |node| is(&node.id),
            |edge| only.contains(&edge.id) && is(&edge.source) && is(&edge.target),
        );
    }
    for set in within {
        kept.retain(|node| set.contains(&node.id), |edge| set.contains(&edge.id));
    }
    let edges = kept.edges.iter().map(|edge| edge.id.clone());
    Some(kept.nodes.iter().map(|id| (*id).to_owned()).chain(edges).collect())
}

/// What is left of a picture.
struct Kept<'a> {
    picture: &'a Picture,
    nodes: BTreeSet<&'a str>,
    edges: Vec<&'a Edge>,
}

impl<'a> Kept<'a> {
    fn all(picture: &'a Picture) -> Self {
        let nodes = picture.nodes.iter().map(|node| node.id.as_str()).collect();
        Self { picture, nodes, edges: picture.edges.iter().collect() }
    }

    /// Both ends of those of its links.
    fn ends(&self, which: impl Fn(&Edge) -> bool) -> BTreeSet<&'a str> {
        let links = self.edges.iter().filter(|edge| which(edge));
        links.flat_map(|edge| [edge.source.as_str(), edge.target.as_str()]).collect()
    }

    fn retain(&mut self, node: impl Fn(&Node) -> bool, edge: impl Fn(&Edge) -> bool) {
        let nodes = self.picture.nodes.iter().filter(|one| node(one));
        let wanted: BTreeSet<&str> = nodes.map(|node| node.id.as_str()).collect();
        self.nodes.retain(|id| wanted.contains(id));
        self.edges.retain(|link| edge(link));
    }
}
