//! Who can reach whom: connected components, splits, and the places where one failure would
//! split more.
//!
//! The graph is made anew for each question; it remembers nothing. Agents that are offline are
//! never members of a split, though links through them count for what the network *should* be.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::dominators::simple_fast;
use petgraph::graphmap::{DiGraphMap, NodeTrait};
use petgraph::unionfind::UnionFind;

use serde::{Deserialize, Serialize};

use super::weak::Weak;
use crate::model::id::AgentNo;

/// Which nodes can reach each other. A component is named by its lowest node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components<N = AgentNo> {
    of: BTreeMap<N, N>,
}

impl<N> Default for Components<N> {
    fn default() -> Self {
        Self { of: BTreeMap::new() }
    }
}

impl<N: Copy + Ord> Components<N> {
    /// The components of a graph; links to nodes that are not among `nodes` are left out.
    pub fn of(nodes: impl IntoIterator<Item = N>, links: impl IntoIterator<Item = (N, N)>) -> Self {
        let nodes: Vec<N> = nodes.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut sets: UnionFind<usize> = UnionFind::new(nodes.len());
        let place = |no: N| nodes.binary_search(&no).ok();
        for (a, b) in links {
            if let (Some(a), Some(b)) = (place(a), place(b)) {
                sets.union(a, b);
            }
        }
        let mut lowest: BTreeMap<usize, N> = BTreeMap::new();
        let of = nodes
            .iter()
            .enumerate()
            .map(|(i, no)| (*no, *lowest.entry(sets.find_mut(i)).or_insert(*no)))
            .collect();
        Self { of }
    }

    /// The component of a node, if it is in the graph.
    pub fn component(&self, no: N) -> Option<N> {
        self.of.get(&no).copied()
    }

    /// How many components there are.
    pub fn len(&self) -> usize {
        self.of.iter().filter(|(no, component)| no == component).count()
    }

    /// Whether the graph has no nodes.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

/// A network that fell apart: agents that belong together and cannot reach each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The sides, larger first, then by lowest member; members sorted. At least two.
    pub sides: Vec<Vec<AgentNo>>,
}

/// What the components say about a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partition {
    /// Every live agent reaches all that belong with it.
    Whole,
    /// It does not; the largest split of the fleet.
    Split(Split),
    /// It looks whole only because a side that was cut off has fallen silent.
    Unclear,
}

/// Judges whether a fleet fell apart.
///
/// `together` are the components over every agent and every link that has ever worked: what
/// belongs together. `live` are the components over the agents that report and the links that
/// are not known to be dead. Both come from the present state alone, so a restart finds the same
/// answer. `previous` is the split that was last found, if its alarm is still open.
pub fn partition(together: &Components, live: &Components, previous: Option<&Split>) -> Partition {
    // What belongs together -> which live part -> its members.
    let mut groups: BTreeMap<AgentNo, BTreeMap<AgentNo, Vec<AgentNo>>> = BTreeMap::new();
    for (no, part) in &live.of {
        let Some(whole) = together.component(*no) else { continue };
        groups.entry(whole).or_default().entry(*part).or_default().push(*no);
    }
    let split = groups
        .into_values()
        .filter(|parts| parts.len() > 1)
        .map(|parts| {
            let mut sides: Vec<_> = parts.into_values().collect();
            sides.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            Split { sides }
        })
        .max_by_key(|s| {
            (s.sides.iter().map(Vec::len).sum::<usize>(), std::cmp::Reverse(s.sides.clone()))
        });
    match (split, previous) {
        (Some(split), _) => Partition::Split(split),
        (None, Some(before)) if before.lost_a_side(live) => Partition::Unclear,
        (None, _) => Partition::Whole,
    }
}

impl Split {
    fn lost_a_side(&self, live: &Components) -> bool {
        self.sides.iter().any(|side| side.iter().all(|no| live.component(*no).is_none()))
    }
}

/// What a network cannot lose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeakPoints<N = AgentNo> {
    /// Nodes whose loss would split a component, sorted.
    pub agents: Vec<N>,
    /// Pairs whose only link is the only way between two parts, sorted, lower number first.
    pub links: Vec<(N, N)>,
}

/// Finds the weak points of a graph in linear time. A pair with more than one link is no weak
/// link.
pub fn weak_points<N: Copy + Ord>(links: impl IntoIterator<Item = (N, N)>) -> WeakPoints<N> {
    let weak = Weak::of(links, |_| 1);
    WeakPoints {
        agents: weak.nodes().map(|(node, _)| node).collect(),
        links: weak.links().map(|(link, _)| link).collect(),
    }
}

/// Whom every way from the one who looks to a node passes: its dominators, nearest to the one
/// who looks first. Nodes that can be reached without anybody's help are left out.
///
/// `links` are one way each: from whom, `None` for the one who looks, and to whom.
pub fn dominators<N: NodeTrait>(
    links: impl IntoIterator<Item = (Option<N>, N)>,
) -> BTreeMap<N, Vec<N>> {
    let links = links.into_iter().map(|(from, to)| (from, Some(to), ()));
    let graph: DiGraphMap<Option<N>, ()> = links.collect();
    if !graph.contains_node(None) {
        return BTreeMap::new();
    }
    let found = simple_fast(&graph, None);
    let mut all = BTreeMap::new();
    for node in graph.nodes().flatten() {
        let passed = found.strict_dominators(Some(node)).into_iter().flatten().flatten();
        let mut passed: Vec<N> = passed.collect();
        passed.reverse();
        if !passed.is_empty() {
            all.insert(node, passed);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nos(list: &[i64]) -> Vec<AgentNo> {
        list.iter().copied().map(AgentNo).collect()
    }

    fn graph(nodes: &[i64], links: &[(i64, i64)]) -> Components {
        Components::of(nos(nodes), links.iter().map(|(a, b)| (AgentNo(*a), AgentNo(*b))))
    }

    #[test]
    fn components_are_named_by_their_lowest_member() {
        let c = graph(&[5, 1, 2, 3, 9], &[(2, 5), (3, 2), (1, 7)]);
        assert_eq!(c.component(AgentNo(5)), Some(AgentNo(2)));
        assert_eq!(c.component(AgentNo(1)), Some(AgentNo(1)));
        assert_eq!(c.component(AgentNo(7)), None);
        assert_eq!(c.len(), 3);
        assert!(graph(&[], &[(1, 2)]).is_empty());
    }

    #[test]
    fn a_dead_link_between_two_halves_is_a_split() {
        let links = [(1, 2), (2, 3), (3, 4), (4, 5)];
        let together = graph(&[1, 2, 3, 4, 5], &links);
        assert_eq!(partition(&together, &together, None), Partition::Whole);
        let live = graph(&[1, 2, 3, 4, 5], &[(1, 2), (3, 4), (4, 5)]);
        let Partition::Split(split) = partition(&together, &live, None) else { panic!() };
        assert_eq!(split.sides, [nos(&[3, 4, 5]), nos(&[1, 2])]);
        // The same from nothing but the present state, as after a restart.
        assert_eq!(partition(&together, &live, Some(&split)), Partition::Split(split.clone()));
        assert_eq!(partition(&together, &together, Some(&split)), Partition::Whole);
        // One whole side falls silent: that is not a merger.
        let silent = graph(&[3, 4, 5], &[(3, 4), (4, 5)]);
        assert_eq!(partition(&together, &silent, Some(&split)), Partition::Unclear);
    }

    #[test]
    fn an_agent_going_offline_is_no_side_but_may_leave_sides() {
        let links = [(1, 2), (1, 3), (1, 4), (3, 4)];
        let together = graph(&[1, 2, 3, 4], &links);
        assert_eq!(partition(&together, &graph(&[1, 3, 4], &links), None), Partition::Whole);
        let Partition::Split(split) = partition(&together, &graph(&[2, 3, 4], &links), None) else {
            panic!()
        };
        assert_eq!(split.sides, [nos(&[3, 4]), nos(&[2])]);
    }

    #[test]
    fn strangers_are_not_split() {
        let c = graph(&[1, 2, 3, 4], &[(1, 2)]);
        assert_eq!(partition(&c, &c, None), Partition::Whole);
    }

    #[test]
    fn who_stands_between_us_and_a_node() {
        // 1 is heard straight and passes on for 2, which passes on for 3; 4 has two ways.
        let links = [(None, 1), (Some(1), 2), (Some(2), 3), (None, 5), (Some(5), 4), (Some(1), 4)];
        let found = dominators(links);
        assert_eq!(found, BTreeMap::from([(2, vec![1]), (3, vec![1, 2])]));
        // A straight way of its own makes 2 free, and 3 depends on it alone.
        let found = dominators(links.into_iter().chain([(None, 2)]));
        assert_eq!(found, BTreeMap::from([(3, vec![2])]));
        // A ring of relays that nobody hears is no way.
        assert_eq!(dominators([(Some(7), 8), (Some(8), 7)]), BTreeMap::new());
        assert_eq!(dominators::<i32>([]), BTreeMap::new());
    }

    #[test]
    fn parallel_tunnels_are_no_weak_link() {
        let links = [(1, 2), (2, 1), (2, 3), (3, 4), (4, 5), (5, 3)];
        let weak = weak_points(links.map(|(a, b)| (AgentNo(a), AgentNo(b))));
        assert_eq!(weak.links, [(AgentNo(2), AgentNo(3))]);
        assert_eq!(weak.agents, nos(&[2, 3]));
        assert_eq!(weak_points::<AgentNo>([]), WeakPoints::default());
    }
}
