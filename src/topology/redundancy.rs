//! What hangs on a node now that did not before: the network as it should be, laid beside the
//! network as it is.
//!
//! Both come from the present state alone, every link that has ever worked against those that are
//! not known to be dead. So neither a first start nor a restart nor a host that joins looks like
//! a loss: a network that was built as a star has always hung on its hub.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::Components;
use super::weak::Weak;

/// A network with what is dead of it.
#[derive(Debug, Clone)]
pub struct Network<N> {
    /// By all links; what no live link reaches counts nothing.
    built: Weak<N>,
    /// By those that are not dead.
    live: Weak<N>,
    /// Pairs between which every link is dead, lower first, sorted.
    dead: Vec<(N, N)>,
    /// Nodes without a live link that hang together by dead ones.
    outside: Components<N>,
}

/// What would take the weight off a node again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaysRound<N> {
    /// Dead links, lower end first, sorted.
    pub links: Vec<(N, N)>,
    /// Nodes that have no live link themselves, and would lead from one part to another, sorted.
    pub nodes: Vec<N>,
}

/// Dead links from a part to what lies outside: the part, the link, and its outer end; by what they
/// lead into.
type Detours<N> = BTreeMap<N, Vec<(usize, (N, N), N)>>;

impl<N: Copy + Ord> Network<N> {
    /// A network by its links, each with whether it is alive as far as anybody knows; `weight`
    /// says what each node counts in what hangs on others.
    pub fn of(links: impl IntoIterator<Item = (N, N, bool)>, weight: impl Fn(N) -> u64) -> Self {
        let mut pairs: BTreeMap<(N, N), (usize, usize)> = BTreeMap::new();
        for (a, b, alive) in links.into_iter().filter(|(a, b, _)| a != b) {
            let (all, live) = pairs.entry((a.min(b), a.max(b))).or_default();
            *all += 1;
            *live += usize::from(alive);
        }
        let times = |count: fn(&(usize, usize)) -> usize| {
            pairs.iter().flat_map(move |(pair, counts)| std::iter::repeat_n(*pair, count(counts)))
        };
        let live = Weak::of(times(|(_, live)| *live), &weight);
        let counts = |node| if live.contains(node) { weight(node) } else { 0 };
        let built = Weak::of(times(|(all, _)| *all), counts);
        let dead = pairs.iter().filter(|(_, (_, live))| *live == 0).map(|(pair, _)| *pair);
        let dead: Vec<(N, N)> = dead.collect();
        let ends = dead.iter().flat_map(|(a, b)| [*a, *b]).filter(|node| !live.contains(*node));
        let outside = Components::of(ends, dead.iter().copied());
        Self { built, live, dead, outside }
    }

    /// The network as it should be.
    pub fn built(&self) -> &Weak<N> {
        &self.built
    }

    /// The network as it is.
    pub fn live(&self) -> &Weak<N> {
        &self.live
    }

    /// Nodes on which at least as many others hang more than they should as `least` says of each,
    /// sorted, with how many hang on each now.
    pub fn grown(&self, least: impl Fn(N) -> u64) -> BTreeMap<N, u64> {
        if self.dead.is_empty() {
            return BTreeMap::new();
        }
        let grown = self.live.nodes().filter(|(node, behind)| {
            let before = self.built.behind(*node).unwrap_or_default();
            behind.saturating_sub(before) >= least(*node).max(1)
        });
        grown.collect()
    }

    /// Joins nodes of [`Network::grown`] that are linked with each other: where a ring is cut, all
    /// of it becomes a chain, and that is one loss. Answers the groups, members sorted.
    pub fn together(&self, grown: &BTreeMap<N, u64>) -> Vec<Vec<N>> {
        let links = grown.keys().flat_map(|node| {
            self.live.neighbours(*node).into_iter().map(move |other| (*node, other))
        });
        let joined = Components::of(grown.keys().copied(), links);
        let mut groups: BTreeMap<N, Vec<N>> = BTreeMap::new();
        for node in grown.keys() {
            if let Some(group) = joined.component(*node) {
                groups.entry(group).or_default().push(*node);
            }
        }
        groups.into_values().collect()
    }

    /// Which dead links and lost nodes led round a node.
    pub fn ways_round(&self, weak: N) -> WaysRound<N> {
        let mut ways = WaysRound { links: Vec::new(), nodes: Vec::new() };
        // What lies outside -> the links into it, with the part each comes from.
        let mut detours: Detours<N> = BTreeMap::new();
        for (a, b) in &self.dead {
            match (self.live.part(weak, *a), self.live.part(weak, *b)) {
                (Some(one), Some(other)) if one != other => ways.links.push((*a, *b)),
                (Some(_), Some(_)) | (None, None) => {}
                (Some(part), None) => self.detour(&mut detours, (part, (*a, *b), *b)),
                (None, Some(part)) => self.detour(&mut detours, (part, (*a, *b), *a)),
            }
        }
        for links in detours.into_values() {
            let parts: BTreeSet<usize> = links.iter().map(|(part, ..)| *part).collect();
            if parts.len() > 1 {
                ways.links.extend(links.iter().map(|(_, link, _)| *link));
                ways.nodes.extend(links.iter().map(|(.., node)| *node));
            }
        }
        ways.links.sort_unstable();
        ways.nodes.sort_unstable();
        ways.nodes.dedup();
        ways
    }

    fn detour(&self, detours: &mut Detours<N>, link: (usize, (N, N), N)) {
        if let Some(outside) = self.outside.component(link.2) {
            detours.entry(outside).or_default().push(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links as `1-2`, and `1!2` for dead ones.
    fn network(links: &str) -> Network<u32> {
        let links = links.split(' ').map(|link| {
            let (a, b) = link.split_once(['-', '!']).unwrap();
            (a.parse().unwrap(), b.parse().unwrap(), link.contains('-'))
        });
        Network::of(links, |_| 1)
    }

    fn grown(links: &str) -> Vec<(u32, u64)> {
        network(links).grown(|_| 2).into_iter().collect()
    }

    #[test]
    fn what_was_built_weak_is_no_loss() {
        assert_eq!(grown("1-2 1-3 1-4 1-5"), [], "a star");
        assert_eq!(grown("1-2 2-3 3-4 4-5 5-6"), [], "a chain");
        // A spoke of a star dies: the hub holds as much as before.
        assert_eq!(grown("1-2 1-3 1-4 1!5"), []);
        assert_eq!(grown("1-2"), []);
    }

    #[test]
    fn a_ring_that_is_cut_hangs_on_its_middle() {
        assert_eq!(grown("1-2 2-3 3-4 4-5 5-6 6-1"), []);
        let cut = network("1-2 2-3 3-4 4-5 5-6 6!1");
        let found = cut.grown(|_| 2);
        assert_eq!(found.iter().collect::<Vec<_>>(), [(&3, &2), (&4, &2)]);
        assert_eq!(cut.together(&found), [vec![3, 4]], "one loss");
        assert_eq!(cut.ways_round(3), WaysRound { links: vec![(1, 6)], nodes: vec![] });
        // Another tunnel between the same two is the same way.
        assert_eq!(grown("1-2 2-3 3-4 4-5 5-6 6!1 6-1"), []);
    }

    #[test]
    fn a_second_hub_that_dies_leaves_all_on_the_first() {
        let hubs = "1-3 1-4 1-5 1-6 2!3 2!4 2!5 2!6";
        assert_eq!(grown(hubs), [(1, 3)]);
        let ways = network(hubs).ways_round(1);
        assert_eq!(ways.nodes, [2]);
        assert_eq!(ways.links, [(2, 3), (2, 4), (2, 5), (2, 6)]);
        // Two dead hosts in a row led round it.
        let far = network("1-3 1-4 1-5 1-6 3!7 7!8 8!4");
        assert_eq!(far.grown(|_| 1), BTreeMap::from([(1, 3)]));
        assert_eq!(far.ways_round(1).nodes, [7, 8]);
    }

    #[test]
    fn only_what_the_loss_adds_counts() {
        // Ten spokes hang on 1 as built; with 1!20 dead, the ring 1-20-21-22 is one more branch.
        let spokes = "1-2 1-3 1-4 1-5 1-6 1-20 20-21 21-22";
        assert_eq!(grown(&format!("{spokes} 22-1")), []);
        // The middle of the branch carries its end now; two of it hang on 20.
        assert_eq!(grown(&format!("{spokes} 22!1")), [(20, 2)]);
        // What is cut off altogether hangs on nobody.
        assert_eq!(grown("1-2 1-3 3!4 4-5 5-6"), []);
    }
}
