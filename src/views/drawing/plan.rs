//! What to draw: for every site, whether it is a bubble, its agents, or these with interfaces.
//!
//! That follows from its size in pixels, and nodes and links from it. The arithmetic is that of
//! `static/js/lod.js`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::state::EdgeState;
use crate::topology::chain::Leg;
use crate::topology::leads::Led;
use crate::topology::picture::{Edge, Node, Picture, Site};

use super::geometry::{Curve, Point, Size, View, bow, halves, inside, touches};
use super::nets::{Nets, nets};
use super::relays::{MANAGER, Step, manager_place, steps};
use super::scene::{Look, Scene, is_bad};

/// Above this many agents in sight, the sites farthest from the middle stay bubbles.
const MAX_AGENTS: usize = 1500;
/// Pixels between neighbours at 100 %; interfaces appear from 190 %.
const COMFORT: f64 = 40.0;
const INTERFACES_FROM: f64 = 1.9 * COMFORT;
/// So few sites may look as large as they like.
const FEW_SITES: usize = 30;
/// A site on the stage.
#[derive(Debug, Clone)]
pub struct Circle<'a> {
    /// The site.
    pub site: &'a Site,
    /// Its nodes.
    pub members: Vec<&'a Node>,
    /// Where.
    pub at: Point,
    /// Its radius in pixels; a bubble's own once it is one.
    pub r: f64,
    room: f64,
    large: bool,
    visible: bool,
    open: bool,
}

/// A node on the stage.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// The node.
    pub node: &'a Node,
    /// Where.
    pub at: Point,
    /// Its radius in pixels.
    pub r: f64,
    /// Pixels to its neighbours, roughly.
    pub room: f64,
    /// How it looks.
    pub look: Look,
    /// Whether its interfaces are drawn.
    pub interfaces: bool,
}

/// A link on the stage.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The link.
    pub edge: &'a Edge,
    /// Its way.
    pub curve: Curve,
}

/// Links between two things of which at least one is a bubble.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Where it begins.
    pub a: Point,
    /// Where it ends.
    pub b: Point,
    /// The links.
    pub edges: Vec<String>,
    /// How many of them are in trouble.
    pub bad: usize,
    /// How many are dead.
    pub down: usize,
    /// How many are neither in trouble nor up.
    pub quiet: usize,
}

/// What is drawn.
#[derive(Debug)]
pub struct Plan<'a> {
    /// `sites`, `agents` or `interfaces`.
    pub level: &'static str,
    /// The stage.
    pub size: Size,
    /// Open sites.
    pub circles: Vec<Circle<'a>>,
    /// Closed ones.
    pub bubbles: Vec<Circle<'a>>,
    /// Nodes of open sites.
    pub nodes: Vec<Spot<'a>>,
    /// Links between them.
    pub edges: Vec<Line<'a>>,
    /// Links with bubbles, by the names of what they lie between.
    pub bundles: BTreeMap<(String, String), Bundle>,
    /// The paths of reports.
    pub relays: Vec<Step>,
    /// Where the manager stands, if there are such paths.
    pub manager: Option<Point>,
    /// The prefixes that nodes and bubbles carry.
    pub subnets: Vec<Nets>,
    /// A way.
    pub legs: Vec<DrawnLeg>,
}

/// A leg of a way as it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct DrawnLeg {
    /// Its line.
    pub curve: Curve,
    /// Where it leads, as a unit vector.
    pub along: Point,
    /// Whether it takes a link that is known.
    pub linked: bool,
}

/// What is drawn beside nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers {
    /// WireGuard links.
    pub wireguard: bool,
    /// The prefixes that nodes carry.
    pub subnets: bool,
    /// The paths of reports.
    pub relays: bool,
}

impl Default for Layers {
    fn default() -> Self {
        Self { wireguard: true, subnets: false, relays: false }
    }
}

impl Layers {
    /// Those of these names, as the map's address has them.
    pub fn named(names: &str) -> Self {
        let has = |wanted: &str| names.split(',').any(|name| name == wanted);
        Self { wireguard: has("wireguard"), subnets: has("subnets"), relays: has("relays") }
    }
}

/// A site with many agents is readable from 90 px of radius, a small one much sooner.
fn open_radius(agents: usize) -> f64 {
    (22.0 + 12.0 * (agents as f64).sqrt()).min(90.0)
}

fn node_radius(role: &str, room: f64) -> f64 {
    let base = match role {
        "gateway" | "relay" => 6.5,
        "external" => 4.5,
        _ => 5.0,
    };
    base * (room / COMFORT).clamp(0.62, 1.35)
}

fn bubble_radius(agents: usize, r: f64) -> f64 {
    46.0_f64.min(r * 0.7).min(13.0 + 3.4 * (agents as f64).sqrt()).max(14.0)
}

/// The largest bubbles that so many sites leave room for.
fn crowd_radius(bubbles: &[Circle<'_>]) -> f64 {
    if bubbles.len() <= FEW_SITES {
        return f64::INFINITY;
    }
    let [mut x0, mut y0, mut x1, mut y1] =
        [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for Circle { at: (x, y), .. } in bubbles {
        [x0, y0, x1, y1] = [x0.min(*x), y0.min(*y), x1.max(*x), y1.max(*y)];
    }
    let side = (x1 - x0).max(y1 - y0);
    (0.34 * side * (0.785 / bubbles.len() as f64).sqrt()).max(6.0)
}

fn place<'a>(scene: &Scene<'a>, view: View, size: Size) -> Vec<Circle<'a>> {
    let mut circles: Vec<_> = scene
        .picture
        .sites
        .iter()
        .map(|site| {
            let members = scene.members(&site.id).to_vec();
            let at = view.on(size, (site.x, site.y));
            let r = site.r * view.k;
            let spacing = (site.r * 1.5) / (members.len().max(4) as f64).sqrt();
            let large = r >= open_radius(members.len());
            let visible = inside(at, r.max(60.0), size);
            Circle { site, members, at, r, room: spacing * view.k, large, visible, open: false }
        })
        .collect();
    let far =
        |c: &Circle<'_>| ((c.at.0 - size.w / 2.0).hypot(c.at.1 - size.h / 2.0) - c.r).max(0.0);
    let mut candidates: Vec<&mut Circle<'a>> =
        circles.iter_mut().filter(|c| c.visible && c.large).collect();
    candidates.sort_by(|a, b| far(a).total_cmp(&far(b)).then_with(|| a.site.id.cmp(&b.site.id)));
    let mut budget = MAX_AGENTS;
    for circle in candidates {
        let shown = |node: &&&Node| inside(view.on(size, (node.x, node.y)), 0.0, size);
        let shown = circle.members.iter().filter(shown).count();
        if shown <= budget {
            budget -= shown;
            circle.open = true;
        }
    }
    circles
}

/// Where a node's links end: at the node, or at the bubble that hides it.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    /// The node or the bubble.
    pub(super) id: String,
    pub(super) is_node: bool,
    pub(super) at: Point,
}

impl<'a> Plan<'a> {
    /// The plan for one picture.
    pub fn new(scene: &Scene<'a>, view: View, size: Size, layers: Layers) -> Self {
        let sites = place(scene, view, size);
        let mut nodes = Vec::new();
        let mut home = HashMap::new();
        for circle in &sites {
            home.insert(circle.site.id.as_str(), circle.clone());
            if !circle.open {
                continue;
            }
            let interfaces = circle.room >= INTERFACES_FROM;
            nodes.extend(circle.members.iter().map(|node| Spot {
                node,
                at: view.on(size, (node.x, node.y)),
                r: node_radius(&node.role, circle.room),
                room: circle.room,
                look: Look::of(node),
                interfaces,
            }));
        }
        let anchor = |id: &str| anchor(scene, &home, (view, size), id);
        let (edges, bundles) =
            if layers.wireguard { collect(scene, anchor, size) } else { Lines::default() };
        let manager = layers.relays.then(|| manager_place(scene.picture)).flatten();
        let manager = manager.map(|place| view.on(size, place));
        let relays =
            manager.map_or_else(Vec::new, |manager| steps(scene, (&anchor, manager), size));
        let (circles, bubbles): (Vec<_>, Vec<_>) = sites.into_iter().partition(|c| c.open);
        let mut bubbles: Vec<_> =
            bubbles.into_iter().filter(|c| c.visible && !c.members.is_empty()).collect();
        let most = crowd_radius(&bubbles);
        for bubble in &mut bubbles {
            bubble.r = most.min(bubble_radius(bubble.members.len(), bubble.r));
        }
        let near = circles.iter().any(|circle| circle.room >= INTERFACES_FROM);
        let level = match (circles.is_empty(), near) {
            (true, _) => "sites",
            (false, true) => "interfaces",
            (false, false) => "agents",
        };
        nodes.retain(|spot| inside(spot.at, 40.0, size));
        let subnets =
            if layers.subnets { nets(scene.picture, &[], (&nodes, &bubbles)) } else { Vec::new() };
        let legs = Vec::new();
        Self {
            level,
            size,
            circles,
            bubbles,
            nodes,
            edges,
            bundles,
            relays,
            manager,
            subnets,
            legs,
        }
    }

    /// Draws a way over it: along its links where they are drawn.
    pub fn follow(&mut self, scene: &Scene<'a>, view: View, legs: &[Leg]) {
        let places: HashMap<&str, Point> =
            self.nodes.iter().map(|spot| (spot.node.id.as_str(), spot.at)).collect();
        let bubbles: HashMap<&str, Point> =
            self.bubbles.iter().map(|bubble| (bubble.site.id.as_str(), bubble.at)).collect();
        let place = |id: &str| {
            let node = scene.node(id)?;
            let at = places.get(id).or_else(|| bubbles.get(node.site.as_str()));
            Some(at.copied().unwrap_or_else(|| view.on(self.size, (node.x, node.y))))
        };
        let curves: HashMap<&str, Curve> =
            self.edges.iter().map(|line| (line.edge.id.as_str(), line.curve)).collect();
        let drawn = |leg: &Leg| {
            let (a, b) = (place(&leg.from)?, place(&leg.to)?);
            if a == b {
                return None;
            }
            let known = leg.edge.as_deref().and_then(|id| curves.get(id)).copied();
            let curve = known.unwrap_or_else(|| halves(a, b, 0.0));
            let forth = (curve.a.0 - a.0).hypot(curve.a.1 - a.1) < 1.0;
            let (x, y) = curve.along;
            let along = if forth { (x, y) } else { (-x, -y) };
            Some(DrawnLeg { curve, along, linked: leg.edge.is_some() })
        };
        self.legs = legs.iter().filter_map(drawn).collect();
    }

    /// Draws the networks that are known by more than the links of the picture, too.
    pub fn know(&mut self, picture: &Picture, known: &[Led]) {
        self.subnets = nets(picture, known, (&self.nodes, &self.bubbles));
    }

    /// Leaves out what is not bright.
    pub fn retain(&mut self, bright: &BTreeSet<String>) {
        let any = |members: &[&Node]| members.iter().any(|node| bright.contains(&node.id));
        self.subnets.retain(|own| {
            let site = self.bubbles.iter().find(|bubble| bubble.site.id == own.owner);
            site.map_or(bright.contains(&own.owner), |bubble| any(&bubble.members))
        });
        self.nodes.retain(|spot| bright.contains(&spot.node.id));
        self.bubbles.retain(|bubble| any(&bubble.members));
        self.circles.retain(|circle| any(&circle.members));
        self.edges.retain(|line| bright.contains(&line.edge.id));
        self.bundles.retain(|_, bundle| bundle.edges.iter().any(|id| bright.contains(id)));
        let has = |id: &String| id == MANAGER || bright.contains(id);
        self.relays.retain(|step| bright.contains(&step.from) && has(&step.to));
    }
}

/// A site beyond the stage's edge may be large without being drawn; its links go to its nodes.
fn anchor<'a>(
    scene: &Scene<'a>,
    home: &HashMap<&str, Circle<'a>>,
    (view, size): (View, Size),
    id: &str,
) -> Option<Anchor> {
    let node = scene.node(id)?;
    let circle = home.get(node.site.as_str())?;
    let own = circle.open || (!circle.visible && circle.large);
    Some(if own {
        let at = view.on(size, (node.x, node.y));
        Anchor { id: id.to_owned(), is_node: true, at }
    } else {
        Anchor { id: circle.site.id.clone(), is_node: false, at: circle.at }
    })
}

type Lines<'a> = (Vec<Line<'a>>, BTreeMap<(String, String), Bundle>);

fn collect<'a>(
    scene: &Scene<'a>,
    anchor: impl Fn(&str) -> Option<Anchor>,
    size: Size,
) -> Lines<'a> {
    let (mut edges, mut bundles) = (Vec::new(), BTreeMap::new());
    for edge in &scene.picture.edges {
        let (Some(a), Some(b)) = (anchor(&edge.source), anchor(&edge.target)) else { continue };
        if a.id == b.id {
            continue;
        }
        if a.is_node && b.is_node {
            if touches(a.at, b.at, size) {
                let (i, n) = scene.lanes.get(edge.id.as_str()).copied().unwrap_or((0, 1));
                edges.push(Line { edge, curve: halves(a.at, b.at, bow(i, n)) });
            }
            continue;
        }
        let key = (a.id.clone().min(b.id.clone()), a.id.max(b.id));
        let new = || Bundle { a: a.at, b: b.at, edges: Vec::new(), bad: 0, down: 0, quiet: 0 };
        let bundle = bundles.entry(key).or_insert_with(new);
        bundle.down += usize::from(edge.state == EdgeState::Down);
        bundle.bad += usize::from(is_bad(edge));
        bundle.quiet += usize::from(!is_bad(edge) && edge.state != EdgeState::Up);
        bundle.edges.push(edge.id.clone());
    }
    bundles.retain(|_, bundle: &mut Bundle| touches(bundle.a, bundle.b, size));
    (edges, bundles)
}
