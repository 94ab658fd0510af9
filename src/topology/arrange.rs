//! What people do to the map: pin things where they put them, let them go, take a change back.
//!
//! Pure. Like `layout`, it answers places that changed and moves nothing else: a node stays in the
//! circle of its site, and a site takes everybody in it along to the nearest place where it
//! covers no other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::layout::{GAP, Placed};
use super::packing::{Disc, Field, Near, tenth};

/// From a node to the edge of its site's circle at least.
const INSIDE: f64 = 12.0;

/// Furthest from the middle that anything may be put: ten thousand sites fit in less.
const FURTHEST: f64 = 100_000.0;

/// Where somebody puts a node or a site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The node's or the site's id.
    pub id: String,
    /// Abscissa.
    pub x: f64,
    /// Ordinate, growing downwards.
    pub y: f64,
}

/// How a place was before a change, to be taken back to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Was {
    /// The node's or the site's id.
    pub id: String,
    /// The node's site.
    pub site: Option<String>,
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Radius of a site.
    pub r: f64,
    /// Whether it was pinned.
    pub pinned: bool,
}

impl Was {
    /// How a place is.
    pub fn of(placed: &Placed) -> Self {
        let Placed { id, site, x, y, r, pinned, rev: _ } = placed.clone();
        Self { id, site, x, y, r, pinned }
    }
}

/// Places by id, and what changes of them.
struct Map<'a> {
    all: BTreeMap<&'a str, &'a Placed>,
    changed: BTreeMap<String, Placed>,
    rev: i64,
}

impl<'a> Map<'a> {
    fn of(existing: &'a [Placed], rev: i64) -> Self {
        let all = existing.iter().map(|placed| (placed.id.as_str(), placed)).collect();
        Self { all, changed: BTreeMap::new(), rev }
    }

    fn now(&self, id: &str) -> Option<Placed> {
        self.changed.get(id).or_else(|| self.all.get(id).copied()).cloned()
    }

    fn put(&mut self, placed: Placed) {
        let placed = Placed { rev: self.rev, ..placed };
        self.changed.insert(placed.id.clone(), placed);
    }

    /// What differs from before, by id.
    fn done(self) -> Vec<Placed> {
        let same = |new: &Placed| {
            self.all.get(new.id.as_str()).is_some_and(|old| Was::of(old) == Was::of(new))
        };
        self.changed.values().filter(|new| !same(new)).cloned().collect()
    }

    /// Everybody in a site, as they are now.
    fn members(&self, site: &str) -> Vec<Placed> {
        let ids = self.all.keys().copied().chain(self.changed.keys().map(String::as_str));
        let ids: BTreeSet<&str> = ids.collect();
        let members = ids.into_iter().filter_map(|id| self.now(id));
        members.filter(|placed| placed.site.as_deref() == Some(site)).collect()
    }

    /// A node, within the circle of its site.
    fn seat(&mut self, node: Placed, (x, y): (f64, f64)) {
        let Some(site) = node.site.as_deref().and_then(|site| self.now(site)) else { return };
        let (dx, dy, room) = (x - site.x, y - site.y, (site.r - INSIDE).max(0.0));
        let far = (dx * dx + dy * dy).sqrt();
        let part = if far > room && far > 0.0 { room / far } else { 1.0 };
        let (x, y) = (tenth(site.x + dx * part), tenth(site.y + dy * part));
        self.put(Placed { x, y, pinned: true, ..node });
    }

    /// A site with everybody in it.
    fn carry(&mut self, site: Placed, wish: (f64, f64)) {
        let mut field = Field::new(GAP);
        for other in self.all.keys().filter_map(|id| self.now(id)) {
            if other.site.is_none() && other.id != site.id {
                field.put(&other.id, Disc { x: other.x, y: other.y, r: other.r });
            }
        }
        let near = Near { wish: (tenth(wish.0), tenth(wish.1)), anchor: wish };
        let Disc { x, y, r } = field.free_place(&site.id, near, site.r);
        let (dx, dy) = (x - site.x, y - site.y);
        for member in self.members(&site.id) {
            let (x, y) = (tenth(member.x + dx), tenth(member.y + dy));
            self.put(Placed { x, y, ..member });
        }
        self.put(Placed { x, y, r, pinned: true, ..site });
    }
}

/// Pins nodes and sites where somebody puts them, in that order. What has no place is left out.
pub fn pin(existing: &[Placed], moves: &[Move], rev: i64) -> Vec<Placed> {
    let mut map = Map::of(existing, rev);
    for Move { id, x, y } in moves {
        let Some(placed) = map.now(id) else { continue };
        let to = (x.clamp(-FURTHEST, FURTHEST), y.clamp(-FURTHEST, FURTHEST));
        if placed.site.is_some() { map.seat(placed, to) } else { map.carry(placed, to) }
    }
    map.done()
}

/// Lets go of what is pinned. Nothing moves: it only may, when there is need.
pub fn unpin(existing: &[Placed], ids: &[String], rev: i64) -> Vec<Placed> {
    let mut map = Map::of(existing, rev);
    for placed in ids.iter().filter_map(|id| map.now(id)).collect::<Vec<_>>() {
        map.put(Placed { pinned: false, ..placed });
    }
    map.done()
}

/// Takes a change back. Who came since then goes along with its site; who went to another site
/// since then stays there.
pub fn undo(existing: &[Placed], before: &[Was], rev: i64) -> Vec<Placed> {
    let mut map = Map::of(existing, rev);
    let named: BTreeSet<&str> = before.iter().map(|was| was.id.as_str()).collect();
    for was in before.iter().filter(|was| was.site.is_none()) {
        let now = map.now(&was.id);
        let (dx, dy) = now.as_ref().map_or((0.0, 0.0), |now| (was.x - now.x, was.y - now.y));
        for member in map.members(&was.id) {
            if !named.contains(member.id.as_str()) {
                let (x, y) = (tenth(member.x + dx), tenth(member.y + dy));
                map.put(Placed { x, y, ..member });
            }
        }
        let r = now.map_or(was.r, |now| now.r.max(was.r));
        map.put(Placed { r, ..placed(was, rev) });
    }
    for was in before.iter().filter(|was| was.site.is_some()) {
        if map.now(&was.id).is_none_or(|now| now.site == was.site) {
            map.put(placed(was, rev));
        }
    }
    map.done()
}

fn placed(was: &Was, rev: i64) -> Placed {
    let Was { id, site, x, y, r, pinned } = was.clone();
    Placed { id, site, x, y, r, pinned, rev }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(id: &str, x: f64) -> Placed {
        Placed { id: id.to_owned(), site: None, x, y: 0.0, r: 100.0, pinned: false, rev: 1 }
    }

    fn node(id: &str, of: &str, x: f64, y: f64) -> Placed {
        let site = Some(of.to_owned());
        Placed { id: id.to_owned(), site, x, y, r: 0.0, pinned: false, rev: 1 }
    }

    fn two() -> Vec<Placed> {
        vec![
            site("f/a", 0.0),
            site("f/b", 400.0),
            node("a:1", "f/a", 10.0, 0.0),
            node("a:2", "f/a", -10.0, 5.0),
            node("a:3", "f/b", 400.0, 0.0),
        ]
    }

    fn to(id: &str, x: f64, y: f64) -> Move {
        Move { id: id.to_owned(), x, y }
    }

    fn told(places: &[Placed]) -> Vec<(&str, f64, f64, bool)> {
        places.iter().map(|p| (p.id.as_str(), p.x, p.y, p.pinned)).collect()
    }

    fn with(all: &[Placed], changed: &[Placed]) -> Vec<Placed> {
        let mut by: BTreeMap<String, Placed> =
            all.iter().map(|placed| (placed.id.clone(), placed.clone())).collect();
        by.extend(changed.iter().map(|placed| (placed.id.clone(), placed.clone())));
        by.into_values().collect()
    }

    #[test]
    fn a_node_is_put_where_somebody_wants_it_but_stays_in_its_circle() {
        let moved = pin(&two(), &[to("a:1", 33.33, -7.0), to("a:nobody", 1.0, 1.0)], 2);
        assert_eq!(told(&moved), [("a:1", 33.3, -7.0, true)]);
        assert_eq!(moved[0].rev, 2);
        let moved = pin(&two(), &[to("a:1", 0.0, 500.0)], 2);
        assert_eq!(told(&moved), [("a:1", 0.0, 88.0, true)]);
        let moved = pin(&two(), &[to("a:1", f64::MAX, 0.0)], 2);
        assert_eq!(told(&moved), [("a:1", 88.0, 0.0, true)]);
    }

    #[test]
    fn a_site_takes_everybody_along_and_covers_no_other() {
        let moved = pin(&two(), &[to("f/a", 0.0, 300.0)], 2);
        assert_eq!(
            told(&moved),
            [("a:1", 10.0, 300.0, false), ("a:2", -10.0, 305.0, false), ("f/a", 0.0, 300.0, true)]
        );
        let moved = pin(&two(), &[to("f/a", 390.0, 0.0)], 2);
        let landed = moved.iter().find(|placed| placed.id == "f/a").unwrap();
        let far = ((landed.x - 400.0).powi(2) + landed.y.powi(2)).sqrt();
        assert!(far >= 200.0 + GAP, "{landed:?}");
        assert!(moved.iter().all(|placed| placed.id != "f/b" && placed.id != "a:3"));
    }

    #[test]
    fn who_is_let_go_stays_where_it_is() {
        let pinned = with(&two(), &pin(&two(), &[to("a:1", 50.0, 0.0)], 2));
        let free = unpin(&pinned, &["a:1".to_owned(), "a:2".to_owned()], 3);
        assert_eq!(told(&free), [("a:1", 50.0, 0.0, false)]);
    }

    #[test]
    fn a_change_is_taken_back_and_who_came_since_goes_along() {
        let before = two();
        let moved = pin(&before, &[to("f/a", 0.0, 300.0), to("a:3", 420.0, 0.0)], 2);
        let was: Vec<Was> =
            before.iter().filter(|p| moved.iter().any(|m| m.id == p.id)).map(Was::of).collect();
        let mut after = with(&before, &moved);
        after.push(node("a:new", "f/a", 20.0, 320.0));
        // Went to the other site by itself.
        after.iter_mut().find(|p| p.id == "a:2").unwrap().site = Some("f/b".to_owned());
        let back = undo(&after, &was, 3);
        assert_eq!(
            told(&back),
            [
                ("a:1", 10.0, 0.0, false),
                ("a:3", 400.0, 0.0, false),
                ("a:new", 20.0, 20.0, false),
                ("f/a", 0.0, 0.0, false)
            ]
        );
        assert!(undo(&with(&after, &back), &was, 4).is_empty(), "twice does no harm");
    }
}
