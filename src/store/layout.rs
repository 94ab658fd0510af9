//! Where things are drawn on the map, as it is stored.

use crate::model::time::UnixSeconds;

/// A position on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct LayoutRecord {
    /// A site's or node's name on the map.
    pub node: String,
    /// The site a node belongs to; `None` for a site itself.
    pub site: Option<String>,
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Radius of a site's circle; 0 for a node.
    pub r: f64,
    /// Held in place by a person.
    pub pinned: bool,
    /// The layout revision that placed it.
    pub rev: i64,
    /// When.
    pub placed_at: UnixSeconds,
    /// Since when nothing is there; its slot is kept for a while.
    pub gone_at: Option<UnixSeconds>,
}
