//! Parts of the map as it was, as JSON.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::PastView;
use crate::model::time::UnixSeconds;
use crate::topology::cut::{Cut, Taken};

/// A part of a map as it was: the members of [`PastView`], as far as they are of the part.
#[derive(Serialize)]
struct PastPart<'a> {
    at: UnixSeconds,
    since: UnixSeconds,
    status_since: BTreeMap<String, UnixSeconds>,
    learnt_later: BTreeMap<String, UnixSeconds>,
    previous: Option<UnixSeconds>,
    next: Option<UnixSeconds>,
    #[serde(flatten)]
    part: Taken<'a>,
}

impl PastView {
    /// A part of it as JSON; `None` if it has no such site.
    pub fn written(&self, cut: &Cut) -> Option<serde_json::Result<Vec<u8>>> {
        if *cut == Cut::default() {
            return Some(serde_json::to_vec(self));
        }
        let part = cut.of(&self.picture)?;
        let nodes = part.nodes.iter().map(|node| &*node.id);
        let ids: HashSet<&str> = nodes.chain(part.edges.iter().map(|edge| &*edge.id)).collect();
        let of = |times: &BTreeMap<String, UnixSeconds>| {
            let mut times = times.clone();
            times.retain(|id, _| ids.contains(id.as_str()));
            times
        };
        let Self { at, since, previous, next, .. } = *self;
        let (status_since, learnt_later) = (of(&self.status_since), of(&self.learnt_later));
        let then = PastPart { at, since, status_since, learnt_later, previous, next, part };
        Some(serde_json::to_vec(&then))
    }
}
