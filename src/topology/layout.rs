//! Where things are drawn: nodes on rings inside the circle of their site, circles side by side.
//!
//! What has a place keeps it. New nodes take the first free slots of their site; a site that
//! outgrows its circle may push others aside, each as one rigid body; nothing else ever moves.
//! The same nodes and places give the same answer to the last bit, in whatever order they come:
//! see `rings` for why.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::force;
use super::packing::{Disc, Field, Near, tenth};
use super::seats::{STEP, Seats};
use super::sites::{LayoutNode, NodeRole, assign};

/// From the outermost slot to the circle.
const MARGIN: f64 = 38.0;
/// Between two circles: room for the names above them.
pub(super) const GAP: f64 = 56.0;
/// A site without a hub is spread by its links if it has at most this many for each node: of more,
/// none is seen anyway, and rings leave more room for names.
const SPARSE: usize = 2;
/// So many read well on one ring, and take less room there than a chain of them does.
const ONE_RING: usize = 7;

/// A place on the map, of a site or of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// A site's id (`FLEET/NAME`) or a node's.
    pub id: String,
    /// The node's site; `None` for a site itself.
    pub site: Option<String>,
    /// Abscissa, to 0.1.
    pub x: f64,
    /// Ordinate, to 0.1, growing downwards.
    pub y: f64,
    /// Radius of a site; 0 for a node.
    pub r: f64,
    /// Held in place by a person.
    pub pinned: bool,
    /// The layout revision that put it there.
    pub rev: i64,
}

/// Finds places for the nodes that have none, and for their sites.
///
/// `existing` are all stored places, also of nodes that are gone: their slots stay free for
/// their return until the caller forgets them. The answer holds only what is new or changed,
/// sorted by id, with revision `rev`.
pub fn place(existing: &[Placed], nodes: &[LayoutNode<'_>], rev: i64) -> Vec<Placed> {
    let mut plan = Plan::new(existing, nodes);
    plan.seat_newcomers();
    plan.put_sites();
    plan.changes(existing, rev)
}

/// Places everything anew, except what a person pinned. The answer holds every place there is
/// now; stored places it does not name are to be forgotten.
pub fn rearrange(existing: &[Placed], nodes: &[LayoutNode<'_>], rev: i64) -> Vec<Placed> {
    let is_held = |site: &str| {
        existing.iter().any(|p| p.pinned && (p.site.as_deref() == Some(site) || p.id == site))
    };
    let kept: Vec<Placed> = existing
        .iter()
        .filter(|p| p.pinned || (p.site.is_none() && is_held(&p.id)))
        .cloned()
        .collect();
    let mut all: BTreeMap<String, Placed> =
        kept.iter().map(|p| (p.id.clone(), p.clone())).collect();
    all.extend(place(&kept, nodes, rev).into_iter().map(|p| (p.id.clone(), p)));
    all.into_values().collect()
}

/// A site with everybody in it, places relative to its centre.
#[derive(Debug, Default)]
struct Site {
    /// Where it is, if it is anywhere yet.
    disc: Option<Disc>,
    /// It, or something in it, is pinned: it must not move.
    held: bool,
    seats: BTreeMap<String, Seat>,
    /// How far from the centre the newcomers sit, if there are any.
    reach: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    x: f64,
    y: f64,
    pinned: bool,
}

struct Plan<'n, 'a> {
    nodes: BTreeMap<&'a str, &'n LayoutNode<'a>>,
    site_of: BTreeMap<&'a str, String>,
    sites: BTreeMap<String, Site>,
}

impl<'n, 'a> Plan<'n, 'a> {
    fn new(existing: &[Placed], nodes: &'n [LayoutNode<'a>]) -> Self {
        let existing: BTreeMap<&str, &Placed> =
            existing.iter().map(|p| (p.id.as_str(), p)).collect();
        let current: BTreeMap<&str, &str> =
            existing.iter().filter_map(|(id, p)| Some((*id, p.site.as_deref()?))).collect();
        let site_of = assign(nodes, &current);
        let mut sites: BTreeMap<String, Site> = BTreeMap::new();
        for p in existing.values().filter(|p| p.site.is_none()) {
            let disc = Disc { x: sane(p.x), y: sane(p.y), r: sane(p.r) };
            let site = Site { disc: Some(disc), held: p.pinned, ..Site::default() };
            sites.insert(p.id.clone(), site);
        }
        for p in existing.values() {
            let Some(before) = p.site.as_deref() else { continue };
            // A node that was given another site gets a new seat there, unless it is pinned.
            let now = site_of.get(p.id.as_str()).map_or(before, String::as_str);
            if now != before && !p.pinned {
                continue;
            }
            let site = sites.entry(now.to_owned()).or_default();
            let (x, y) = (sane(p.x), sane(p.y));
            let centre = *site.disc.get_or_insert(Disc { x, y, r: 0.0 });
            let seat = Seat { x: x - centre.x, y: y - centre.y, pinned: p.pinned };
            site.held |= p.pinned;
            site.seats.insert(p.id.clone(), seat);
        }
        for site in site_of.values() {
            sites.entry(site.clone()).or_default();
        }
        let nodes = nodes.iter().map(|n| (n.id, n)).collect();
        Self { nodes, site_of, sites }
    }

    /// Gives every node without a seat one in its site.
    fn seat_newcomers(&mut self) {
        let mut newcomers: BTreeMap<&str, Vec<&LayoutNode<'a>>> = BTreeMap::new();
        let mut hubs: BTreeMap<&str, usize> = BTreeMap::new();
        let mut members: BTreeMap<&str, Vec<&LayoutNode<'a>>> = BTreeMap::new();
        for (id, site) in &self.site_of {
            let Some(node) = self.nodes.get(id) else { continue };
            members.entry(site).or_default().push(node);
            if node.role.is_central() {
                *hubs.entry(site).or_default() += 1;
            }
            if !self.sites.get(site).is_some_and(|s| s.seats.contains_key(*id)) {
                newcomers.entry(site).or_default().push(node);
            }
        }
        for (name, mut nodes) in newcomers {
            // By role, then by the gateway they belong to, then by name.
            nodes.sort_by_cached_key(|n| {
                let gateway = n
                    .neighbours
                    .iter()
                    .filter(|id| self.nodes.get(*id).is_some_and(|o| o.role.is_central()))
                    .min()
                    .copied();
                (n.role != NodeRole::Gateway, !n.role.is_central(), gateway, n.name, n.id)
            });
            let hubs = hubs.get(name).copied().unwrap_or(0);
            if let Some(site) = self.sites.get_mut(name) {
                if hubs == 0
                    && members.get(name).is_some_and(|all| all.len() > ONE_RING && is_sparse(all))
                {
                    nodes = site.seat_by_links(nodes);
                }
                site.seat(&nodes, hubs);
            }
        }
    }

    /// Gives new sites a place, and sites that have grown room.
    fn put_sites(&mut self) {
        let mut field = Field::new(GAP);
        for (name, site) in &self.sites {
            if let Some(disc) = site.disc {
                field.put(name, disc);
            }
        }
        let known: Vec<String> = self.sites.keys().cloned().collect();
        for name in known {
            self.grow(&mut field, &name);
        }
        let mut fresh: Vec<(String, f64)> = self
            .sites
            .iter()
            .filter(|(_, site)| site.disc.is_none())
            .map(|(name, site)| (name.clone(), site.radius()))
            .collect();
        fresh.sort_by(|a, b| {
            fleet(&a.0).cmp(fleet(&b.0)).then(b.1.total_cmp(&a.1)).then_with(|| a.0.cmp(&b.0))
        });
        let links = self.links_between_sites(&fresh);
        let mut anchors: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for (name, site) in self.sites.iter().rev() {
            if let Some(disc) = site.disc {
                anchors.insert(fleet(name).to_owned(), (disc.x, disc.y));
            }
        }
        for (name, radius) in fresh {
            let anchor = anchors.get(fleet(&name)).copied();
            let near = self.wish(links.get(&name), anchor.unwrap_or((0.0, 0.0)));
            let disc = field.free_place(&name, near, radius);
            field.put(&name, disc);
            self.set_disc(&name, disc);
            if anchor.is_none() {
                anchors.insert(fleet(&name).to_owned(), (disc.x, disc.y));
            }
        }
    }

    /// Gives a site that has outgrown its circle a larger one; whoever is in the way goes to
    /// the nearest free place, or the site itself does if one of them must not move.
    fn grow(&mut self, field: &mut Field, name: &str) {
        let Some(site) = self.sites.get(name) else { return };
        let Some(disc) = site.disc.filter(|disc| site.radius() > disc.r) else { return };
        let disc = Disc { r: site.radius(), ..disc };
        field.put(name, disc);
        self.set_disc(name, disc);
        for other in field.overlapping(name, disc) {
            self.step_aside(field, &other);
        }
        if !field.overlapping(name, disc).is_empty() {
            self.step_aside(field, name);
        }
    }

    fn step_aside(&mut self, field: &mut Field, name: &str) {
        let Some(site) = self.sites.get(name).filter(|site| !site.held) else { return };
        let Some(disc) = site.disc else { return };
        let here = (disc.x, disc.y);
        let near = Near { wish: here, anchor: here };
        let free = field.free_place(name, near, disc.r);
        field.put(name, free);
        self.set_disc(name, free);
    }

    fn set_disc(&mut self, name: &str, disc: Disc) {
        if let Some(site) = self.sites.get_mut(name) {
            site.disc = Some(disc);
        }
    }

    /// How many links each of these sites has to which others.
    fn links_between_sites(
        &self,
        fresh: &[(String, f64)],
    ) -> BTreeMap<String, BTreeMap<String, u32>> {
        let mut links: BTreeMap<String, BTreeMap<String, u32>> =
            fresh.iter().map(|(name, _)| (name.clone(), BTreeMap::new())).collect();
        for (id, node) in &self.nodes {
            let Some(from) = self.site_of.get(id) else { continue };
            for to in node.neighbours.iter().filter_map(|n| self.site_of.get(n)) {
                for (a, b) in [(from, to), (to, from)] {
                    if a != b
                        && let Some(counts) = links.get_mut(a)
                    {
                        *counts.entry(b.clone()).or_default() += 1;
                    }
                }
            }
        }
        links
    }

    /// Where a site would like to be: amid the sites it is linked to, and near its fleet's
    /// first site, the anchor.
    fn wish(&self, links: Option<&BTreeMap<String, u32>>, anchor: (f64, f64)) -> Near {
        let linked = links
            .into_iter()
            .flatten()
            .filter_map(|(other, count)| Some((self.sites.get(other)?.disc?, f64::from(*count))));
        Near { wish: middle(linked).unwrap_or(anchor), anchor }
    }

    /// Everything that differs from what is stored.
    fn changes(&self, existing: &[Placed], rev: i64) -> Vec<Placed> {
        let stored: HashMap<&str, &Placed> = existing.iter().map(|p| (p.id.as_str(), p)).collect();
        let mut all = Vec::new();
        for (name, site) in &self.sites {
            let Some(disc) = site.disc else { continue };
            let pinned = stored.get(name.as_str()).is_some_and(|p| p.pinned);
            let Disc { x, y, r } = disc;
            all.push(Placed { id: name.clone(), site: None, x, y, r, pinned, rev });
            for (id, seat) in &site.seats {
                let (x, y) = (tenth(disc.x + seat.x), tenth(disc.y + seat.y));
                let site = Some(name.clone());
                all.push(Placed { id: id.clone(), site, x, y, r: 0.0, pinned: seat.pinned, rev });
            }
        }
        all.retain(|new| {
            stored.get(new.id.as_str()).is_none_or(|old| {
                (&old.site, old.x, old.y, old.r) != (&new.site, new.x, new.y, new.r)
            })
        });
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}

impl Site {
    /// The circle that holds the newcomers, in whole rings and never less than one, so that it
    /// rarely has to grow; 0 without newcomers.
    fn radius(&self) -> f64 {
        self.reach.map_or(0.0, |reach| reach.max(STEP) + MARGIN)
    }

    /// Seats those newcomers of a site without a hub that have links in it; answers the others. The
    /// first of a site are spread by their links; later ones join those that they are linked to.
    fn seat_by_links<'n, 'a>(
        &mut self,
        mut nodes: Vec<&'n LayoutNode<'a>>,
    ) -> Vec<&'n LayoutNode<'a>> {
        nodes.sort_by_key(|node| node.id);
        let mut taken = Seats::new(self.seats.values().map(|seat| (seat.x, seat.y)));
        if self.seats.is_empty() {
            let (linked, others) = linked_among(&nodes);
            for (node, (x, y)) in linked.iter().zip(force::spread(&links_among(&linked))) {
                let (x, y) = taken.free_near(x * STEP, y * STEP);
                self.sit(node, (x, y));
            }
            return others;
        }
        let mut others = Vec::new();
        for node in nodes {
            let theirs = node.neighbours.iter().filter_map(|id| self.seats.get(*id));
            let linked: Vec<_> = theirs.map(|seat| (seat.x / STEP, seat.y / STEP)).collect();
            if linked.is_empty() {
                others.push(node);
                continue;
            }
            let all: Vec<_> =
                self.seats.values().map(|seat| (seat.x / STEP, seat.y / STEP)).collect();
            let (x, y) = force::join(&linked, &all, turn(node.id));
            let (x, y) = taken.free_near(x * STEP, y * STEP);
            self.sit(node, (x, y));
        }
        others
    }

    fn sit(&mut self, node: &LayoutNode<'_>, (x, y): (f64, f64)) {
        self.seats.insert(node.id.to_owned(), Seat { x, y, pinned: false });
        let reach = (x * x + y * y).sqrt();
        self.reach = Some(self.reach.map_or(reach, |r| r.max(reach)));
    }

    /// Seats newcomers, the central ones first. `hubs` counts all central nodes of the site.
    fn seat(&mut self, nodes: &[&LayoutNode<'_>], hubs: usize) {
        let mut seats = Seats::new(self.seats.values().map(|seat| (seat.x, seat.y)));
        let untouched = self.seats.is_empty();
        let (central, others) = nodes.split_at(nodes.partition_point(|n| n.role.is_central()));
        // Alone in the middle, or around it; the others begin outside of them.
        let core = (0..).find(|ring| 1 + 3 * ring * (ring + 1) >= hubs).unwrap_or(0);
        let alone = nodes.len() == 1 && untouched;
        let inner = if central.len() == 1 || !untouched { 0 } else { 1 };
        let outer = if alone { 0 } else { u32::try_from(core).unwrap_or(0) + 1 };
        for (group, first_ring) in [(central, inner), (others, outer)] {
            let places = seats.take(first_ring, group.len());
            for (node, (ring, x, y)) in group.iter().zip(places) {
                self.seats.insert(node.id.to_owned(), Seat { x, y, pinned: false });
                let reach = f64::from(ring) * STEP;
                self.reach = Some(self.reach.map_or(reach, |r| r.max(reach)));
            }
        }
    }
}

/// Whether these, sorted by id, have so few links among them that one sees where each leads.
fn is_sparse(nodes: &[&LayoutNode<'_>]) -> bool {
    let ends: usize = links_among(nodes).iter().map(Vec::len).sum();
    ends > 0 && ends <= 2 * SPARSE * nodes.len()
}

/// Those that are linked to others of these, and those that are not.
fn linked_among<'n, 'a>(
    nodes: &[&'n LayoutNode<'a>],
) -> (Vec<&'n LayoutNode<'a>>, Vec<&'n LayoutNode<'a>>) {
    let mut linked: BTreeSet<&str> = BTreeSet::new();
    for node in nodes {
        for other in node.neighbours.iter().filter(|id| **id != node.id) {
            if nodes.binary_search_by(|n| n.id.cmp(other)).is_ok() {
                linked.extend([node.id, other]);
            }
        }
    }
    nodes.iter().partition(|node| linked.contains(node.id))
}

/// By position, whom each is linked to, from either side; nodes are sorted by id.
fn links_among(nodes: &[&LayoutNode<'_>]) -> Vec<Vec<usize>> {
    let mut links: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes.len()];
    for (a, node) in nodes.iter().enumerate() {
        let found = node
            .neighbours
            .iter()
            .filter_map(|id| nodes.binary_search_by(|n| n.id.cmp(id)).ok().filter(|b| *b != a));
        for b in found {
            for (from, to) in [(a, b), (b, a)] {
                if let Some(links) = links.get_mut(from) {
                    links.insert(to);
                }
            }
        }
    }
    links.into_iter().map(|links| links.into_iter().collect()).collect()
}

/// On which side of its neighbours a node begins, by its id (FNV-1a).
fn turn(id: &str) -> u32 {
    id.bytes()
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn fleet(site: &str) -> &str {
    site.split_once('/').map_or(site, |(fleet, _)| fleet)
}

/// The weighted mean of centres.
fn middle(centres: impl Iterator<Item = (Disc, f64)>) -> Option<(f64, f64)> {
    let (x, y, weight) = centres.fold((0.0, 0.0, 0.0), |(x, y, total), (disc, weight)| {
        (x + disc.x * weight, y + disc.y * weight, total + weight)
    });
    (weight > 0.0).then(|| (tenth(x / weight), tenth(y / weight)))
}

/// A stored place, brought back onto any map there can be: ten thousand sites fit in less.
fn sane(v: f64) -> f64 {
    if v.is_finite() { v.clamp(-100_000.0, 100_000.0) } else { 0.0 }
}

#[cfg(test)]
mod tests;
