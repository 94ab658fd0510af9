//! The map as somebody sees it who may see some fleets only, and what of a change they are told.
//!
//! A link is seen if both its ends are: one that leads into another fleet is left out, with
//! whatever it would tell of the other end. Pure; must never let through what it cannot place.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::patch::{AlarmCount, Change, Part, Patch, Sent, Told};
use super::picture::{Edge, Node, Picture, Site};
use crate::model::reach::Reach;

/// What of a map is within a reach.
pub fn picture(whole: &Picture, reach: &Reach, alarms_open: usize) -> Picture {
    let nodes: Vec<Node> =
        whole.nodes.iter().filter(|node| reach.sees(&node.fleet_id)).cloned().collect();
    let known: HashSet<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
    let both =
        |edge: &&Edge| known.contains(edge.source.as_str()) && known.contains(edge.target.as_str());
    let edges = whole.edges.iter().filter(both).cloned().collect();
    let sites = whole.sites.iter().filter(|site| reach.sees(&site.fleet_id)).cloned().collect();
    Picture { epoch: whole.epoch.clone(), sites, edges, nodes, alarms_open, ..*whole }
}

/// Turns patches of the whole map into patches of what is within a reach.
///
/// It remembers what its watchers have been shown, so that what leaves the reach, or the map, is taken away from them
/// and nothing else is named.
#[derive(Debug)]
pub struct Sieve {
    reach: Reach,
    nodes: HashSet<String>,
    edges: HashSet<String>,
    sites: HashSet<String>,
    /// Nodes and links of maps that were fetched since the last patch: the next may take away
    /// what no patch has brought.
    fetched: HashSet<String>,
    /// Nodes that patches have brought and those maps did not have: should they be told of again,
    /// their links are news.
    missing: HashSet<String>,
}

impl Sieve {
    /// For watchers who have this map, which [`picture`] has made.
    pub fn new(reach: Reach, seen: &Picture) -> Self {
        let ids = |ids: &mut dyn Iterator<Item = &String>| ids.cloned().collect();
        Self {
            reach,
            nodes: ids(&mut seen.nodes.iter().map(|node| &node.id)),
            edges: ids(&mut seen.edges.iter().map(|edge| &edge.id)),
            sites: ids(&mut seen.sites.iter().map(|site| &site.id)),
            fetched: HashSet::new(),
            missing: HashSet::new(),
        }
    }

    /// A watcher fetches a map that [`picture`] has made.
    pub fn show(&mut self, seen: &Picture) {
        let nodes = seen.nodes.iter().map(|node| &node.id).filter(|id| !self.nodes.contains(*id));
        let edges = seen.edges.iter().map(|edge| &edge.id).filter(|id| !self.edges.contains(*id));
        self.fetched.extend(nodes.chain(edges).cloned());
        let there: HashSet<&String> = seen.nodes.iter().map(|node| &node.id).collect();
        let missing = self.nodes.iter().filter(|id| !there.contains(id));
        self.missing.extend(missing.cloned());
    }

    /// What of a patch is told. `whole` is the map that the patch leads to, or a later one: links
    /// of nodes that come into the reach are taken from it.
    pub fn pass(
        &mut self,
        patch: &Patch,
        whole: &dyn Fn() -> Arc<Picture>,
        alarms_open: usize,
    ) -> Patch {
        let fetched = std::mem::take(&mut self.fetched);
        let missing = std::mem::take(&mut self.missing);
        let (mut told, mut come) = (Part::default(), HashSet::new());
        for change in &patch.n.set {
            let node = &change.now;
            if self.reach.sees(&node.fleet_id) {
                let is_new = self.nodes.insert(node.id.clone()) || missing.contains(&node.id);
                if is_new {
                    come.insert(node.id.as_str());
                }
                told.set.push(change.clone().or_whole(is_new));
            } else if self.nodes.remove(&node.id) || fetched.contains(&node.id) {
                told.del.push(node.id.clone());
            }
        }
        let had = |id: &&String| self.nodes.remove(*id) || fetched.contains(*id);
        told.del.extend(patch.n.del.iter().filter(had).cloned());
        let edges = self.links(patch, whole, (&come, &told.del, &fetched));
        let mut sites: Part<Site> = Part::default();
        for change in patch.s.set.iter().filter(|one| self.reach.sees(&one.now.fleet_id)) {
            let is_new = self.sites.insert(change.now.id.clone());
            sites.set.push(change.clone().or_whole(is_new));
        }
        sites.del.extend(patch.s.del.iter().filter(|id| self.sites.remove(*id)).cloned());
        let alarms = AlarmCount { open: alarms_open };
        let Patch { from, seq, t, .. } = *patch;
        Patch { from, seq, t, n: told, e: edges, s: sites, alarms, sent: Sent::default() }
    }

    fn links(
        &mut self,
        patch: &Patch,
        whole: &dyn Fn() -> Arc<Picture>,
        (come, gone, fetched): (&HashSet<&str>, &[String], &HashSet<String>),
    ) -> Part<Edge> {
        let mut set: BTreeMap<&str, (&Edge, Told)> = BTreeMap::new();
        let moved = !come.is_empty() || !gone.is_empty();
        let whole = if moved { whole() } else { Arc::default() };
        let changed = patch.e.set.iter().map(|change| (&change.now, change.told));
        set.extend(changed.map(|(edge, told)| (edge.id.as_str(), (edge, told))));
        if !come.is_empty() {
            let touches = |edge: &&Edge| {
                come.contains(edge.source.as_str()) || come.contains(edge.target.as_str())
            };
            let touching = whole.edges.iter().filter(touches);
            set.extend(touching.map(|edge| (edge.id.as_str(), (edge, Told::WHOLE))));
        }
        let mut part = Part::default();
        for (id, (edge, told)) in set {
            if self.nodes.contains(&edge.source) && self.nodes.contains(&edge.target) {
                let is_new = self.edges.insert(id.to_owned());
                part.set.push(Change { now: edge.clone(), told }.or_whole(is_new));
            } else if self.edges.remove(id) || fetched.contains(id) {
                part.del.push(id.to_owned());
            }
        }
        let had = |id: &&String| self.edges.remove(*id) || fetched.contains(*id);
        part.del.extend(patch.e.del.iter().filter(had).cloned());
        // Links of a node that left the reach are not in the patch: they are as they were.
        let left: HashSet<&str> = gone.iter().map(String::as_str).collect();
        let ends = |edge: &&Edge| {
            left.contains(edge.source.as_str()) || left.contains(edge.target.as_str())
        };
        for edge in whole.edges.iter().filter(ends) {
            if self.edges.remove(&edge.id) || fetched.contains(&edge.id) {
                part.del.push(edge.id.clone());
            }
        }
        // One that was only fetched may have gone in more than one of these ways.
        part.del.sort_unstable();
        part.del.dedup();
        part
    }

    /// Whether watchers have been shown a node.
    pub fn has_node(&self, id: &str) -> bool {
        self.nodes.contains(id)
    }

    /// Whether watchers have been shown a site.
    pub fn has_site(&self, id: &str) -> bool {
        self.sites.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::FleetId;
    use crate::topology::patch::Thing as _;
    use crate::topology::picture::samples::{edge, node};

    fn fleet(name: &str) -> FleetId {
        name.parse().unwrap()
    }

    fn of(id: &str, fleet_id: &str) -> Node {
        Node { fleet_id: fleet(fleet_id), ..node(id) }
    }

    fn link(id: &str, source: &str, target: &str) -> Edge {
        edge(id, [source, target])
    }

    fn whole() -> Picture {
        Picture {
            seq: 7,
            nodes: vec![of("a:a1", "a"), of("a:a2", "a"), of("a:b1", "b"), of("a:b2", "b")],
            edges: vec![
                link("e1", "a:a1", "a:a2"),
                link("e2", "a:a1", "a:b1"),
                link("e3", "a:b1", "a:b2"),
            ],
            alarms_open: 9,
            ..Picture::default()
        }
    }

    fn ids<'a>(edges: impl IntoIterator<Item = &'a Edge>) -> Vec<&'a str> {
        edges.into_iter().map(|edge| edge.id.as_str()).collect()
    }

    #[test]
    fn a_link_is_seen_if_both_its_ends_are() {
        let seen = picture(&whole(), &Reach::of([fleet("a")]), 1);
        assert_eq!((seen.nodes.len(), seen.alarms_open, seen.seq), (2, 1, 7));
        assert_eq!(ids(&seen.edges), ["e1"]);
        assert_eq!(picture(&whole(), &Reach::nothing(), 0).nodes.len(), 0);
    }

    #[test]
    fn patches_name_nothing_that_was_not_shown() {
        let reach = Reach::of([fleet("a")]);
        let mut sieve = Sieve::new(reach.clone(), &picture(&whole(), &reach, 0));
        let mut patch = Patch { from: 7, seq: 8, ..Patch::default() };
        patch.n.del = vec!["a:b2".to_owned(), "a:a2".to_owned()];
        patch.e.del = vec!["e3".to_owned(), "e1".to_owned()];
        patch.n.set = vec![Change::whole(of("a:b1", "b"))];
        patch.e.set = vec![Change::whole(link("e2", "a:a1", "a:b1"))];
        let told = sieve.pass(&patch, &|| Arc::new(whole()), 3);
        assert_eq!((told.from, told.seq, told.alarms.open), (7, 8, 3));
        assert_eq!((told.n.del, told.e.del), (vec!["a:a2".to_owned()], vec!["e1".to_owned()]));
        assert!(told.n.set.is_empty() && told.e.set.is_empty());
    }

    #[test]
    fn who_comes_into_the_reach_brings_links_and_who_leaves_takes_them() {
        let reach = Reach::of([fleet("a")]);
        let mut sieve = Sieve::new(reach.clone(), &picture(&whole(), &reach, 0));
        let mut later = whole();
        later.nodes[2].fleet_id = fleet("a");
        let later = move || Arc::new(later.clone());
        let mut patch = Patch { from: 7, seq: 8, ..Patch::default() };
        let (came, before) = (of("a:b1", "a"), of("a:b1", "b"));
        patch.n.set = vec![Change { told: came.since(&before), now: came }];
        let told = sieve.pass(&patch, &later, 0);
        assert_eq!(ids(told.e.set.iter().map(|change| &change.now)), ["e2"]);
        // Nobody there knows anything of it yet.
        assert_eq!((told.n.set[0].told, told.e.set[0].told), (Told::WHOLE, Told::WHOLE));
        let left = Change { told: before.since(&of("a:b1", "a")), now: before };
        let back = Patch { from: 8, seq: 9, n: Part { set: vec![left], del: vec![] }, ..patch };
        let told = sieve.pass(&back, &later, 0);
        assert_eq!((told.n.del, told.e.del), (vec!["a:b1".to_owned()], vec!["e2".to_owned()]));
        assert!(!sieve.has_node("a:b1"));
    }
}
