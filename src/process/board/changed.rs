//! What changed since the last patch, and the patch that is made of it.
//!
//! Of each thing that changes, how it was told last is kept until the next patch, which then holds
//! only what differs. Whoever fetches the map in between sees what no patch has told yet: what is
//! under way then is told whole, so that a patch leads from what they have to the same map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::link::Link;
use super::state::{Inner, NodeEntry};
use crate::model::id::EdgeId;
use crate::model::time::UnixSeconds;
use crate::topology::patch::{AlarmCount, Change, Part, Patch, Sent, Thing, Told};
use crate::topology::picture::{Edge, Node, Site, SiteCounts};

/// What changed since the last patch.
#[derive(Debug, Default)]
pub(super) struct Changed {
    nodes: BTreeMap<String, Was<Arc<NodeEntry>>>,
    edges: BTreeMap<EdgeId, Was<Arc<Link>>>,
    sites: BTreeMap<String, Was<Site>>,
    pub(super) alarms: bool,
}

/// How a thing was told last.
#[derive(Debug)]
struct Was<T> {
    told: Option<T>,
    /// Whether somebody fetched the map since it changed, and if so, whether it was on it.
    looked: Looked,
}

/// What of a thing that is under way was seen by those who fetched the map.
#[derive(Debug, Clone, Copy, Default)]
struct Looked {
    shown: bool,
    missing: bool,
}

impl Looked {
    fn at(&mut self, shown: bool) {
        self.shown |= shown;
        self.missing |= !shown;
    }

    fn any(self) -> bool {
        self.shown || self.missing
    }
}

impl<T> Was<T> {
    fn told(told: Option<T>) -> Self {
        Self { told, looked: Looked::default() }
    }
}

impl Changed {
    /// How many nodes and links.
    pub(super) fn items(&self) -> usize {
        self.nodes.len() + self.edges.len()
    }
}

/// What is told of a thing.
enum News<T> {
    Set(Change<T>),
    Gone,
    Nothing,
}

impl<T: Thing> News<T> {
    /// Of a thing that is there, to those who know it as it was, or do not know it.
    fn of(now: T, before: Option<&T>) -> Self {
        let told = before.map_or(Told::WHOLE, |before| now.since(before));
        Self::of_these(told, || now)
    }

    fn of_these(told: Told, now: impl FnOnce() -> T) -> Self {
        if told == Told::NOTHING { Self::Nothing } else { Self::Set(Change { now: now(), told }) }
    }
}

impl<T> Part<T> {
    fn tell(&mut self, id: String, news: News<T>) {
        match news {
            News::Set(change) => self.set.push(change),
            News::Gone => self.del.push(id),
            News::Nothing => {}
        }
    }
}

impl Inner {
    /// A node is about to change.
    pub(super) fn touch_node(&mut self, id: &str) {
        if !self.changed.nodes.contains_key(id) {
            let was = Was::told(self.nodes.get(id).cloned());
            self.changed.nodes.insert(id.to_owned(), was);
        }
    }

    /// A link is about to change.
    pub(super) fn touch_edge(&mut self, id: &EdgeId) {
        if !self.changed.edges.contains_key(id) {
            let was = Was::told(self.edges.get(id).cloned());
            self.changed.edges.insert(id.clone(), was);
        }
    }

    /// A site, or who is in it, is about to change.
    pub(super) fn touch_site(&mut self, id: &str) {
        if !self.changed.sites.contains_key(id) {
            let shown = |site: &&Site| site.counts != SiteCounts::default();
            let was = Was::told(self.sites.get(id).filter(shown).cloned());
            self.changed.sites.insert(id.to_owned(), was);
        }
    }

    /// Somebody is about to see the map as it is.
    pub(super) fn look(&mut self) {
        let mut changed = std::mem::take(&mut self.changed);
        for (id, was) in &mut changed.nodes {
            was.looked.at(self.is_placed(id));
        }
        for (id, was) in &mut changed.edges {
            was.looked.at(self.edges.get(id).is_some_and(|link| self.is_drawable(link)));
        }
        for was in changed.sites.values_mut() {
            was.looked.at(true);
        }
        self.changed = changed;
    }

    /// Takes a node off the map.
    pub(super) fn drop_node(&mut self, id: &str) {
        let Some(site) = self.nodes.get(id).map(|entry| entry.node.site.clone()) else { return };
        self.touch_node(id);
        self.touch_site(&site);
        self.nodes.remove(id);
        self.homeless.remove(id);
    }

    fn is_placed(&self, id: &str) -> bool {
        self.nodes.get(id).is_some_and(|entry| entry.placed)
    }

    /// A link is shown once both its nodes have a place.
    fn is_drawable(&self, link: &Link) -> bool {
        link.nodes().into_iter().all(|id| id.is_some_and(|id| self.is_placed(&id)))
    }

    /// Goes on as after a patch that nobody waits for and nobody will be given: of a large fleet it
    /// would take a kilobyte for each node and link.
    pub(super) fn skip(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        let _counted = self.patch_sites(changed.sites);
        self.forget_patches();
        self.seq += 1;
    }

    pub(super) fn patch(&mut self, now: UnixSeconds) -> Option<Patch> {
        let Changed { nodes, mut edges, sites, alarms } = std::mem::take(&mut self.changed);
        let (n, turned) = self.patch_nodes(nodes);
        // A node that comes or goes takes its links along.
        if !turned.is_empty() {
            let touching = self.edges.iter().filter(|(_, link)| link.touches(&turned));
            for (id, link) in touching {
                edges.entry(id.clone()).or_insert_with(|| Was::told(Some(Arc::clone(link))));
            }
        }
        let e = self.patch_edges(edges, &turned);
        let s = self.patch_sites(sites);
        if n == Part::default() && e == Part::default() && s == Part::default() && !alarms {
            return None;
        }
        let from = self.seq;
        self.seq += 1;
        let alarms = AlarmCount { open: self.alarms_open.values().sum() };
        Some(Patch { from, seq: self.seq, t: now, n, e, s, alarms, sent: Sent::default() })
    }

    /// What is told of nodes, and which of them came or went.
    fn patch_nodes(
        &self,
        changed: BTreeMap<String, Was<Arc<NodeEntry>>>,
    ) -> (Part<Node>, BTreeSet<String>) {
        let (mut part, mut turned) = (Part::default(), BTreeSet::new());
        for (id, Was { told, looked }) in changed {
            let before = told.filter(|entry| entry.placed);
            let is = self.nodes.get(&id).filter(|entry| entry.placed);
            let mut seen = looked;
            seen.at(before.is_some());
            seen.at(is.is_some());
            if seen.shown && seen.missing {
                turned.insert(id.clone());
            }
            let news = match (is, before) {
                (Some(is), Some(before)) if !looked.any() => {
                    let told = is.node.since(&before.node);
                    News::of_these(told, || is.now())
                }
                (Some(is), _) => News::Set(Change::whole(is.now())),
                (None, before) if before.is_some() || looked.shown => News::Gone,
                (None, _) => News::Nothing,
            };
            part.tell(id, news);
        }
        // Patches are kept for long.
        part.set.shrink_to_fit();
        (part, turned)
    }

    fn patch_edges(
        &self,
        changed: BTreeMap<EdgeId, Was<Arc<Link>>>,
        turned: &BTreeSet<String>,
    ) -> Part<Edge> {
        let mut part = Part::default();
        for (id, Was { told: before, looked }) in changed {
            let is = self.edges.get(&id);
            let uncertain = looked.any()
                || [is, before.as_ref()].into_iter().flatten().any(|link| link.touches(turned));
            let is = is.filter(|link| self.is_drawable(link));
            let before = before.filter(|link| self.is_drawable(link));
            let news = match (is, before) {
                (Some(is), Some(before)) if !uncertain => News::of(is.now(), Some(&before.now())),
                (Some(is), _) => News::of(is.now(), None),
                (None, before) if before.is_some() || uncertain => News::Gone,
                (None, _) => News::Nothing,
            };
            part.tell(id.to_string(), news);
        }
        part.set.shrink_to_fit();
        part
    }

    /// Counts the members of every site that changed.
    fn patch_sites(&mut self, changed: BTreeMap<String, Was<Site>>) -> Part<Site> {
        let mut part = Part::default();
        if changed.is_empty() {
            return part;
        }
        let mut counts: BTreeMap<&str, SiteCounts> = BTreeMap::new();
        let theirs = self.nodes.values().filter(|e| e.placed);
        for entry in theirs.filter(|e| changed.contains_key(&e.node.site)) {
            counts.entry(&entry.node.site).or_default().count(&entry.node);
        }
        for (id, Was { told: before, looked }) in changed {
            let count = counts.get(id.as_str()).copied().unwrap_or_default();
            let Some(site) = self.sites.get_mut(&id) else { continue };
            site.counts = count;
            let news = match (count != SiteCounts::default(), before) {
                (true, before) => News::of(site.clone(), before.as_ref().filter(|_| !looked.any())),
                (false, Some(_)) => News::Gone,
                (false, None) => News::Nothing,
            };
            part.tell(id, news);
        }
        part
    }
}
