//! Which part of a map somebody asks for, and in which shape. Pure.
//!
//! Must never leave out a link of what is asked for: one that leads out of a site comes with the
//! little of its far end that it takes to draw it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::picture::{Edge, Node, NodeKind, Picture, Site};
use crate::model::state::AgentStatus;

/// Above this many nodes, who leaves the shape to the manager is given columns (MAP 5).
pub const KEYED_NODES: usize = 2000;

/// Above this many nodes, who leaves the shape to the manager is given sites first (MAP 5).
pub const WHOLE_NODES: usize = 10_000;

/// What is drawn beside nodes, as bits of [`Layers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Links.
    Wireguard,
    /// What the ends of links let through: their `allowed_ips`.
    Subnets,
    /// The ways that reports take: `relay_path` and `relay_proof` of nodes.
    Relays,
    /// What moves with every report, handshakes and counters. Has no name: it is there unless the
    /// manager chooses the shape, since who follows the stream is never told of it.
    Moving,
}

/// Layers by the names that the map's address uses.
const LAYERS: [(&str, Layer); 3] =
    [("wireguard", Layer::Wireguard), ("subnets", Layer::Subnets), ("relays", Layer::Relays)];

/// A set of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers(u8);

impl Layers {
    /// All of them.
    pub const ALL: Self = Self(0b1111);

    /// From names divided by commas.
    ///
    /// # Errors
    ///
    /// Says which name is none of a layer, and which there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut layers = Self(1 << Layer::Moving as u8);
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let Some((_, layer)) = LAYERS.iter().find(|(known, _)| *known == name) else {
                return Err(format!(
                    "There is no layer {name:?}; `layers` takes wireguard, subnets and relays, divided by commas."
                ));
            };
            layers.0 |= 1 << *layer as u8;
        }
        Ok(layers)
    }

    /// Whether one of them is asked for.
    pub const fn has(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u8) != 0
    }

    /// Their names.
    pub fn names(self) -> Vec<&'static str> {
        LAYERS.iter().filter(|(_, layer)| self.has(*layer)).map(|(name, _)| *name).collect()
    }
}

/// How a map is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Every member with its name.
    Keyed,
    /// Rows of values under one header of names.
    Columns,
    /// Sites with what they hold and how they hang together, and no nodes.
    Sites,
}

impl Shape {
    /// What a caller says: `None` leaves it to the manager.
    ///
    /// # Errors
    ///
    /// Says which shapes there are.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        match text {
            "keyed" => Ok(Some(Self::Keyed)),
            "columns" => Ok(Some(Self::Columns)),
            "sites" => Ok(Some(Self::Sites)),
            "auto" => Ok(None),
            _ => Err(format!(
                "There is no shape {text:?}; `shape` takes keyed, columns, sites, or auto, which leaves it to the manager."
            )),
        }
    }
}

/// A part of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// What is wanted beside nodes.
    pub layers: Layers,
    /// The site whose nodes are wanted, by id; `None` for all.
    pub site: Option<String>,
    /// How it is written; `None`: as suits its size.
    pub shape: Option<Shape>,
}

impl Default for Cut {
    /// All of it, as it always was.
    fn default() -> Self {
        Self { layers: Layers::ALL, site: None, shape: Some(Shape::Keyed) }
    }
}

impl Cut {
    /// What tells it apart from other cuts.
    pub fn words(&self) -> String {
        let site = self.site.as_deref().unwrap_or_default();
        format!("{:?}\0{:?}\0{site}", self.layers.0, self.shape)
    }

    /// What of a map it is; `None` if the map has no such site.
    pub fn of<'a>(&self, whole: &'a Picture) -> Option<Taken<'a>> {
        let mut taken = match &self.site {
            None => Taken::whole(whole),
            Some(site) => Taken::site(whole, site)?,
        };
        if !self.layers.has(Layer::Wireguard) {
            taken.edges.clear();
            taken.beyond = taken.beyond.map(|_| Vec::new());
        }
        let layers = match self.shape {
            None => Layers(self.layers.0 & !(1 << Layer::Moving as u8)),
            Some(_) => self.layers,
        };
        let shape = self.shape.unwrap_or(match (taken.nodes.len(), &self.site) {
            (..=KEYED_NODES, _) => Shape::Keyed,
            (..=WHOLE_NODES, _) | (_, Some(_)) => Shape::Columns,
            (_, None) => Shape::Sites,
        });
        Some(Taken { shape, layers, ..taken })
    }
}

/// What a [`Cut`] takes of a map.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The map that it is of.
    pub whole: &'a Picture,
    /// How it is written.
    pub shape: Shape,
    /// The layers.
    pub layers: Layers,
    /// The site, if it is of one.
    pub site: Option<&'a str>,
    /// Sites: all, or the one and those that its links lead to.
    pub sites: Vec<&'a Site>,
    /// Nodes.
    pub nodes: Vec<&'a Node>,
    /// Links: of one site, all that have an end in it.
    pub edges: Vec<&'a Edge>,
    /// The far ends of links that leave the site; `None` if it is of all.
    pub beyond: Option<Vec<Beyond<'a>>>,
}

/// A node of another site: what it takes to draw a link that leads to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beyond<'a> {
    /// The node.
    pub id: &'a str,
    /// What it is.
    pub kind: NodeKind,
    /// Its shape.
    pub role: &'a str,
    /// Its name.
    pub label: &'a str,
    /// Its state.
    pub status: Option<AgentStatus>,
    /// Where it is.
    pub site: &'a str,
    /// Position.
    pub x: f64,
    /// Position.
    pub y: f64,
}

/// Links between the nodes of two sites, or of one with itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair<'a> {
    /// The site that comes first by id.
    pub source: &'a str,
    /// The other; the same for links within.
    pub target: &'a str,
    /// How many links are in which state; states of none are left out.
    pub states: BTreeMap<&'static str, u32>,
}

impl<'a> Taken<'a> {
    fn whole(whole: &'a Picture) -> Self {
        Self {
            whole,
            shape: Shape::Keyed,
            layers: Layers::ALL,
            site: None,
            sites: whole.sites.iter().collect(),
            nodes: whole.nodes.iter().collect(),
            edges: whole.edges.iter().collect(),
            beyond: None,
        }
    }

    fn site(whole: &'a Picture, wanted: &str) -> Option<Self> {
        let site = whole.sites.iter().find(|site| site.id == wanted)?;
        let at: HashMap<&str, &Node> =
            whole.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let is_here = |node: &Node| node.site == site.id;
        let mut beyond: BTreeMap<&str, &Node> = BTreeMap::new();
        let mut edges = Vec::new();
        for edge in &whole.edges {
            let ends = [&edge.source, &edge.target].map(|id| at.get(id.as_str()).copied());
            let [Some(from), Some(to)] = ends else { continue };
            if !is_here(from) && !is_here(to) {
                continue;
            }
            edges.push(edge);
            let far = [from, to].into_iter().filter(|node| !is_here(node));
            beyond.extend(far.map(|node| (node.id.as_str(), node)));
        }
        let sites = whole.sites.iter().filter(|other| {
            other.id == site.id || beyond.values().any(|node| node.site == other.id)
        });
        Some(Self {
            site: Some(&site.id),
            sites: sites.collect(),
            nodes: whole.nodes.iter().filter(|node| is_here(node)).collect(),
            edges,
            beyond: Some(beyond.into_values().map(Beyond::of).collect()),
            ..Self::whole(whole)
        })
    }

    /// How the sites hang together, by the ids of each two.
    pub fn pairs(&self) -> Vec<Pair<'a>> {
        let site: HashMap<&str, &'a str> =
            self.nodes.iter().map(|node| (node.id.as_str(), node.site.as_str())).collect();
        let mut pairs: BTreeMap<(&'a str, &'a str), BTreeMap<&'static str, u32>> = BTreeMap::new();
        for edge in &self.edges {
            let ends = [&edge.source, &edge.target].map(|id| site.get(id.as_str()).copied());
            let [Some(from), Some(to)] = ends else { continue };
            let states = pairs.entry((from.min(to), from.max(to))).or_default();
            *states.entry(edge.state.as_str()).or_default() += 1;
        }
        let pair = |((source, target), states)| Pair { source, target, states };
        pairs.into_iter().map(pair).collect()
    }
}

impl<'a> Beyond<'a> {
    fn of(node: &'a Node) -> Self {
        Self {
            id: &node.id,
            kind: node.kind,
            role: &node.role,
            label: &node.label,
            status: node.status,
            site: &node.site,
            x: node.x,
            y: node.y,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::EdgeState;
    use crate::topology::picture::SiteCounts;
    use crate::topology::picture::samples::{self, edge};

    fn site(id: &str) -> Site {
        let fleet_id = crate::model::id::FleetId::unnamed();
        let counts = SiteCounts::default();
        Site { id: id.into(), label: id.into(), fleet_id, x: 0.0, y: 0.0, r: 9.0, counts }
    }

    fn node(id: &str, site: &str) -> Node {
        Node { site: site.into(), ..samples::node(id) }
    }

    fn whole() -> Picture {
        let down = Edge { state: EdgeState::Down, ..edge("e4", ["b2", "c1"]) };
        Picture {
            sites: ["f/a", "f/b", "f/c"].map(site).into(),
            nodes: vec![
                node("a1", "f/a"),
                node("a2", "f/a"),
                node("b1", "f/b"),
                node("b2", "f/b"),
                node("c1", "f/c"),
            ],
            edges: vec![
                edge("e1", ["a1", "a2"]),
                edge("e2", ["b1", "a1"]),
                edge("e3", ["b1", "b2"]),
                down,
            ],
            ..Picture::default()
        }
    }

    #[test]
    fn a_site_comes_with_the_links_that_leave_it_and_the_ends_of_those_alone() {
        let whole = whole();
        let cut = Cut { site: Some("f/a".into()), ..Cut::default() };
        let taken = cut.of(&whole).unwrap();
        let ids = |nodes: &[&Node]| nodes.iter().map(|node| node.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&taken.nodes), ["a1", "a2"]);
        assert_eq!(taken.edges.iter().map(|edge| &*edge.id).collect::<Vec<_>>(), ["e1", "e2"]);
        assert_eq!(taken.sites.iter().map(|site| &*site.id).collect::<Vec<_>>(), ["f/a", "f/b"]);
        let beyond = taken.beyond.unwrap();
        assert_eq!(
            beyond.iter().map(|node| (node.id, node.site)).collect::<Vec<_>>(),
            [("b1", "f/b")]
        );
        assert!(Cut { site: Some("f/z".into()), ..Cut::default() }.of(&whole).is_none());
    }

    #[test]
    fn links_are_counted_between_each_two_sites() {
        let whole = whole();
        let taken = Cut { shape: Some(Shape::Sites), ..Cut::default() }.of(&whole).unwrap();
        let pairs = taken.pairs();
        let told: Vec<_> = pairs.iter().map(|p| (p.source, p.target, p.states.clone())).collect();
        let one = |state| BTreeMap::from([(state, 1)]);
        assert_eq!(
            told,
            [
                ("f/a", "f/a", one("up")),
                ("f/a", "f/b", one("up")),
                ("f/b", "f/b", one("up")),
                ("f/b", "f/c", one("down")),
            ]
        );
        let bare = Cut { layers: Layers::parse("relays").unwrap(), ..Cut::default() };
        assert!(bare.of(&whole).unwrap().edges.is_empty());
    }

    #[test]
    fn the_manager_chooses_the_shape_by_what_there_is() {
        let auto = |nodes: usize, of: Option<&str>| {
            let nodes = (0..nodes).map(|i| node(&format!("n{i}"), "f/a")).collect();
            let whole = Picture { nodes, ..whole() };
            Cut { shape: None, site: of.map(str::to_owned), ..Cut::default() }
                .of(&whole)
                .unwrap()
                .shape
        };
        assert_eq!(auto(KEYED_NODES, None), Shape::Keyed);
        assert_eq!(auto(KEYED_NODES + 1, None), Shape::Columns);
        assert_eq!(auto(WHOLE_NODES + 1, None), Shape::Sites);
        assert_eq!(auto(WHOLE_NODES + 1, Some("f/a")), Shape::Columns);
        assert_eq!(auto(WHOLE_NODES + 1, Some("f/b")), Shape::Keyed);
    }

    #[test]
    fn what_is_none_of_the_words_is_refused_with_those_there_are() {
        assert_eq!(Layers::parse("relays, wireguard").unwrap().names(), ["wireguard", "relays"]);
        assert!(Layers::parse("wireguard,roads").unwrap_err().contains("\"roads\""));
        assert!(Shape::parse("round").unwrap_err().contains("columns"));
        assert_eq!(Shape::parse("auto").unwrap(), None);
    }
}
