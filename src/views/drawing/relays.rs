//! The paths of reports: their steps, the last of them to the manager, and where that stands.
//!
//! The arithmetic is that of `static/js/relays.js`.

use std::collections::HashMap;

use crate::topology::picture::{Picture, Site};

use super::geometry::{Curve, Point, Size, halves, touches};
use super::plan::Anchor;
use super::scene::Scene;

/// Where all paths of reports end; no node has such an id.
pub const MANAGER: &str = "manager";
/// How far above the sites the manager stands: a part of their extent.
const MANAGER_ABOVE: f64 = 0.08;
/// How far a step of a report's path bows out.
const RELAY_BOW: f64 = 44.0;

/// One step of the paths of reports.
#[derive(Debug, Clone)]
pub struct Step {
    /// The node that hands on.
    pub from: String,
    /// The node that it hands to.
    pub to: String,
    /// Whether the relay signed for it.
    pub proven: bool,
    /// Its way.
    pub curve: Curve,
}

/// The manager's place: in the middle above all sites; `None` if no report came through a relay.
pub fn manager_place(picture: &Picture) -> Option<Point> {
    let relayed = picture.nodes.iter().any(|node| !node.relay_path.relays().is_empty());
    if !relayed || picture.sites.is_empty() {
        return None;
    }
    let [mut x0, mut y0, mut x1, mut y1] =
        [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    for Site { x, y, r, .. } in &picture.sites {
        [x0, y0, x1, y1] = [x0.min(x - r), y0.min(y - r), x1.max(x + r), y1.max(y + r)];
    }
    Some((f64::midpoint(x0, x1), y0 - MANAGER_ABOVE * (x1 - x0).max(y1 - y0)))
}

/// Every step that some agent's last report took, once between two things that are drawn, the last
/// of them to the manager. Who reports straight has none.
pub(super) fn steps(
    scene: &Scene<'_>,
    (anchor, manager): (impl Fn(&str) -> Option<Anchor>, Point),
    size: Size,
) -> Vec<Step> {
    let anchor = |id: &str| match id {
        MANAGER => Some(Anchor { id: id.to_owned(), is_node: true, at: manager }),
        id => anchor(id),
    };
    let mut order = Vec::new();
    let mut found: HashMap<(String, String), Step> = HashMap::new();
    for node in &scene.picture.nodes {
        if node.relay_path.relays().is_empty() {
            continue;
        }
        let relays = node.relay_path.relays().iter().map(|relay| format!("a:{relay}"));
        let path: Vec<_> = std::iter::once(node.id.clone())
            .chain(relays)
            .filter(|id| scene.node(id).is_some())
            .chain(std::iter::once(MANAGER.to_owned()))
            .collect();
        for (from, to) in path.iter().zip(path.iter().skip(1)) {
            let (Some(a), Some(b)) = (anchor(from), anchor(to)) else { continue };
            if a.id == b.id || !touches(a.at, b.at, size) {
                continue;
            }
            let bend = RELAY_BOW.min(0.4 * (a.at.0 - b.at.0).hypot(a.at.1 - b.at.1));
            let key = (a.id, b.id);
            let step = found.entry(key.clone()).or_insert_with(|| {
                order.push(key);
                let curve = halves(a.at, b.at, bend);
                Step { from: from.clone(), to: to.clone(), proven: false, curve }
            });
            step.proven |= node.relay_path.is_proven();
        }
    }
    order.iter().filter_map(|key| found.remove(key)).collect()
}
