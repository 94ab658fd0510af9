//! Which nodes and links a network cannot lose, and how much hangs on each of them.
//!
//! One walk over the graph (Tarjan, 1972) in linear time, without recursion: a network may be one
//! long chain. Parallel links are folded into one, and a pair with more than one is no weak link.

use std::collections::BTreeMap;

/// A node as the walk knows it.
#[derive(Debug, Clone, Default)]
struct Spot {
    /// Neighbours, by place.
    near: Vec<usize>,
    /// When the walk came here, counted from 1; 0 = not yet.
    first: usize,
    /// When it came to the last node that it reached from here.
    last: usize,
    /// The earliest node that can be reached from there without passing where it came from.
    low: usize,
    /// From where it came.
    parent: Option<usize>,
    /// When it came to the first node of this component.
    root: usize,
    /// What this node itself counts.
    own: u64,
    /// What it and all that was reached from it count.
    weight: u64,
    /// Those reached from here that have no other way back: parts that fall off without it.
    parts: Vec<usize>,
    /// What would be cut off without it; `None` if the rest would stay in one piece.
    behind: Option<u64>,
}

/// The weak points of a graph.
#[derive(Debug, Clone)]
pub struct Weak<N> {
    /// Nodes with links, sorted.
    names: Vec<N>,
    spots: Vec<Spot>,
    /// Places in the order of the walk.
    order: Vec<usize>,
    /// The only links between two parts, lower end first, and what would be cut off without each.
    bridges: BTreeMap<(N, N), u64>,
}

impl<N> Default for Weak<N> {
    fn default() -> Self {
        Self { names: Vec::new(), spots: Vec::new(), order: Vec::new(), bridges: BTreeMap::new() }
    }
}

impl<N: Copy + Ord> Weak<N> {
    /// Finds the weak points of a graph; `weight` says what each node counts in what hangs on
    /// others.
    pub fn of(links: impl IntoIterator<Item = (N, N)>, weight: impl Fn(N) -> u64) -> Self {
        let links = links.into_iter().filter(|(a, b)| a != b);
        let mut pairs: Vec<(N, N)> = links.map(|(a, b)| (a.min(b), a.max(b))).collect();
        pairs.sort_unstable();
        let mut names: Vec<N> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
        names.sort_unstable();
        names.dedup();
        let spot = |name: &N| Spot { own: weight(*name), ..Spot::default() };
        let spots = names.iter().map(spot).collect();
        let mut weak = Self { names, spots, order: Vec::new(), bridges: BTreeMap::new() };
        let mut single = Vec::new();
        for same in pairs.chunk_by(|one, other| one == other) {
            let Some((a, b)) = same.first().copied() else { continue };
            weak.join(a, b);
            if same.len() == 1 {
                single.push((a, b));
            }
        }
        for start in 0..weak.names.len() {
            if weak.spots.get(start).is_some_and(|spot| spot.first == 0) {
                weak.walk(start);
            }
        }
        for (a, b) in single {
            weak.bridge(a, b);
        }
        weak
    }

    fn place(&self, node: N) -> Option<usize> {
        self.names.binary_search(&node).ok()
    }

    fn spot(&self, node: N) -> Option<&Spot> {
        self.spots.get(self.place(node)?)
    }

    fn join(&mut self, a: N, b: N) {
        let (Some(a), Some(b)) = (self.place(a), self.place(b)) else { return };
        for (from, to) in [(a, b), (b, a)] {
            if let Some(spot) = self.spots.get_mut(from) {
                spot.near.push(to);
            }
        }
    }

    /// Walks through one component.
    fn walk(&mut self, start: usize) {
        let begun = self.order.len();
        self.enter(start, None);
        let mut way = vec![(start, 0)];
        while let Some((at, cursor)) = way.last_mut() {
            let at = *at;
            let next = self.spots.get(at).and_then(|spot| spot.near.get(*cursor)).copied();
            *cursor += 1;
            match next {
                None => {
                    way.pop();
                    self.leave(at);
                }
                Some(next) if self.enter(next, Some(at)) => way.push((next, 0)),
                Some(next) => self.look_back(at, next),
            }
        }
        let total = self.spots.get(start).map_or(0, |spot| spot.weight);
        for turn in begun..self.order.len() {
            self.judge(turn, begun + 1, total);
        }
    }

    /// Comes to a node for the first time; false if it was there before.
    fn enter(&mut self, at: usize, parent: Option<usize>) -> bool {
        let Some(spot) = self.spots.get_mut(at).filter(|spot| spot.first == 0) else {
            return false;
        };
        self.order.push(at);
        (spot.first, spot.low) = (self.order.len(), self.order.len());
        (spot.parent, spot.weight) = (parent, spot.own);
        true
    }

    /// A link to a node where the walk was before is a way round, unless it came from there.
    fn look_back(&mut self, at: usize, seen: usize) {
        let Some(first) = self.spots.get(seen).map(|spot| spot.first) else { return };
        if let Some(spot) = self.spots.get_mut(at).filter(|spot| spot.parent != Some(seen)) {
            spot.low = spot.low.min(first);
        }
    }

    /// Everything beyond a node has been seen.
    fn leave(&mut self, at: usize) {
        let end = self.order.len();
        let Some(spot) = self.spots.get_mut(at) else { return };
        spot.last = end;
        let (low, weight, parent) = (spot.low, spot.weight, spot.parent);
        if let Some(parent) = parent.and_then(|parent| self.spots.get_mut(parent)) {
            parent.low = parent.low.min(low);
            parent.weight += weight;
            if low >= parent.first {
                parent.parts.push(at);
            }
        }
    }

    /// Says what hangs on the node that the walk came to at that turn.
    fn judge(&mut self, turn: usize, root: usize, total: u64) {
        let Some(at) = self.order.get(turn).copied() else { return };
        let Some(spot) = self.spots.get(at) else { return };
        let weight = |part: &usize| self.spots.get(*part).map_or(0, |part| part.weight);
        let fallen: Vec<u64> = spot.parts.iter().map(weight).collect();
        let others = total.saturating_sub(spot.own);
        // Where the walk began nothing lies on the way back.
        let rest = spot.parent.map(|_| others.saturating_sub(fallen.iter().sum()));
        let parts = fallen.into_iter().chain(rest);
        let is_weak = spot.parts.len() + usize::from(rest.is_some()) > 1;
        let behind = parts.max().map(|largest| others.saturating_sub(largest));
        if let Some(spot) = self.spots.get_mut(at) {
            spot.root = root;
            spot.behind = behind.filter(|_| is_weak);
        }
    }

    /// Looks whether a link is the only way between what lies at its ends.
    fn bridge(&mut self, a: N, b: N) {
        let (Some(one), Some(other)) = (self.spot(a), self.spot(b)) else { return };
        let (near, far) = if one.first < other.first { (one, other) } else { (other, one) };
        let total = self.order.get(near.root.saturating_sub(1)).and_then(|at| self.spots.get(*at));
        let rest = total.map_or(0, |total| total.weight).saturating_sub(far.weight);
        if far.low > near.first {
            let behind = rest.min(far.weight);
            self.bridges.insert((a, b), behind);
        }
    }

    /// Whether a node has links.
    pub fn contains(&self, node: N) -> bool {
        self.place(node).is_some()
    }

    /// The nodes that a node is linked with.
    pub fn neighbours(&self, node: N) -> Vec<N> {
        let near = self.spot(node).map(|spot| spot.near.as_slice()).unwrap_or_default();
        near.iter().filter_map(|at| self.names.get(*at).copied()).collect()
    }

    /// What would be cut off from the largest part of what is left without a node; `None` if
    /// nothing would.
    pub fn behind(&self, node: N) -> Option<u64> {
        self.spot(node)?.behind
    }

    /// Nodes whose loss would split what they belong to, sorted, with what would be cut off.
    pub fn nodes(&self) -> impl Iterator<Item = (N, u64)> {
        self.names.iter().zip(&self.spots).filter_map(|(name, spot)| Some((*name, spot.behind?)))
    }

    /// Links that are the only way between two parts, sorted, lower end first, with what would be
    /// cut off.
    pub fn links(&self) -> impl Iterator<Item = ((N, N), u64)> {
        self.bridges.iter().map(|(link, behind)| (*link, *behind))
    }

    /// On which part of what is left without `weak` a node would be, parts counted from 0; `None`
    /// if it is not linked with it at all.
    pub fn part(&self, weak: N, node: N) -> Option<usize> {
        let (spot, other) = (self.spot(weak)?, self.spot(node)?);
        if spot.root != other.root || spot.first == other.first {
            return None;
        }
        // Parts are listed in the order of the walk, and each is a stretch of it.
        let spots = spot.parts.iter().filter_map(|part| self.spots.get(*part));
        let found = spots.take_while(|part| part.first <= other.first).enumerate().last();
        let inside = found.filter(|(_, part)| other.first <= part.last);
        Some(inside.map_or(0, |(part, _)| part + 1))
    }

    /// Who would be cut off from the largest part without a node, sorted.
    pub fn cut_off(&self, weak: N) -> Vec<N> {
        let Some(spot) = self.spot(weak) else { return Vec::new() };
        let mut parts: BTreeMap<usize, (u64, Vec<N>)> = BTreeMap::new();
        let all = self.order.iter().skip(spot.root.saturating_sub(1));
        for at in all {
            let (Some(name), Some(other)) = (self.names.get(*at), self.spots.get(*at)) else {
                break;
            };
            if other.root != spot.root {
                break;
            }
            if let Some(part) = self.part(weak, *name) {
                let (weight, members) = parts.entry(part).or_default();
                *weight += other.own;
                members.push(*name);
            }
        }
        let largest = parts.iter().max_by_key(|(part, (weight, members))| {
            (*weight, members.len(), std::cmp::Reverse(**part))
        });
        let largest = largest.map(|(part, _)| *part);
        let fallen = parts.into_iter().filter(|(part, _)| Some(*part) != largest);
        let mut fallen: Vec<N> = fallen.flat_map(|(_, (_, members))| members).collect();
        fallen.sort_unstable();
        fallen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::graph::Components;
    use proptest::prelude::*;

    type Links = Vec<(u32, u32)>;

    fn weak(links: &[(u32, u32)]) -> Weak<u32> {
        Weak::of(links.iter().copied(), |_| 1)
    }

    #[test]
    fn a_hub_a_chain_and_a_ring() {
        let hub = weak(&[(1, 2), (1, 3), (1, 4)]);
        assert_eq!(hub.nodes().collect::<Vec<_>>(), [(1, 2)], "one of three spokes stays itself");
        assert_eq!(hub.links().collect::<Vec<_>>(), [((1, 2), 1), ((1, 3), 1), ((1, 4), 1)]);
        let chain = weak(&[(1, 2), (2, 3), (3, 4), (4, 5)]);
        assert_eq!(chain.nodes().collect::<Vec<_>>(), [(2, 1), (3, 2), (4, 1)]);
        assert_eq!(chain.behind(1), None);
        let ring = weak(&[(1, 2), (2, 3), (3, 4), (4, 1)]);
        assert_eq!((ring.nodes().count(), ring.links().count()), (0, 0));
        assert!(ring.contains(4) && !ring.contains(9));
    }

    #[test]
    fn weights_parts_and_who_is_cut_off() {
        // Two rings that share 3; the peers 4 and 5 count nothing.
        let links = [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (5, 3)];
        let weak = Weak::of(links, |node| u64::from(node < 4));
        assert_eq!(weak.nodes().collect::<Vec<_>>(), [(3, 0)]);
        assert_eq!(weak.cut_off(3), [4, 5]);
        assert_eq!(weak.part(3, 1), weak.part(3, 2));
        assert_ne!(weak.part(3, 1), weak.part(3, 4));
        assert_eq!((weak.part(3, 3), weak.part(3, 9)), (None, None));
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_stack() {
        let links = (0..100_000).map(|node| (node, node + 1));
        let weak = Weak::of(links, |_| 1);
        assert_eq!(weak.behind(50_000), Some(50_000));
        assert_eq!(weak.links().count(), 100_000);
    }

    /// The parts that are left without some node or pair, larger first.
    fn parts(links: &Links, without: impl Fn(u32) -> bool, around: u32) -> Vec<usize> {
        let all = Components::of(
            links.iter().flat_map(|(a, b)| [*a, *b]),
            links.iter().copied().filter(|(a, b)| a != b),
        );
        let own = all.component(around);
        let members = links.iter().flat_map(|(a, b)| [*a, *b]);
        let members = members.filter(|n| all.component(*n) == own && !without(*n));
        let left = Components::of(members, links.iter().copied());
        let mut sizes: BTreeMap<u32, std::collections::BTreeSet<u32>> = BTreeMap::new();
        for (a, b) in links {
            for node in [*a, *b] {
                if let Some(part) = left.component(node) {
                    sizes.entry(part).or_default().insert(node);
                }
            }
        }
        let mut sizes: Vec<usize> = sizes.values().map(std::collections::BTreeSet::len).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }

    proptest! {
        /// What one walk finds is what taking each node and link away finds.
        #[test]
        fn the_walk_finds_what_taking_away_finds(
            links in prop::collection::vec((0..9_u32, 0..9_u32), 0..16)
        ) {
            let links: Links = links.into_iter().filter(|(a, b)| a != b).collect();
            let weak = weak(&links);
            for node in 0..9 {
                let left = parts(&links, |other| other == node, node);
                let cut: usize = left.iter().skip(1).sum();
                let found = weak.behind(node).map(|behind| usize::try_from(behind).unwrap());
                prop_assert_eq!(found, (left.len() > 1).then_some(cut), "node {}", node);
                if found.is_some() {
                    prop_assert_eq!(weak.cut_off(node).len(), cut);
                }
            }
            for (a, b) in &links {
                let pair = (*a.min(b), *a.max(b));
                let rest: Links =
                    links.iter().copied().filter(|(c, d)| (*c.min(d), *c.max(d)) != pair).collect();
                let several = links.len() - rest.len() > 1;
                let ends = Components::of([pair.0, pair.1].into_iter().chain(
                    rest.iter().flat_map(|(c, d)| [*c, *d])), rest.iter().copied());
                let is_cut = ends.component(pair.0) != ends.component(pair.1);
                let found = weak.links().any(|(link, _)| link == pair);
                prop_assert_eq!(found, is_cut && !several, "link {:?}", pair);
            }
        }
    }
}
