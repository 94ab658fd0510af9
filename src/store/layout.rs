//! Where things are drawn on the map, as it is stored.

use serde::{Deserialize, Serialize};

use crate::model::state::LayoutAct;
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

/// A change of places that a person made, and can take back.
#[derive(Debug, Clone, PartialEq)]
pub struct LayoutStep {
    /// Counts up.
    pub step: i64,
    /// When.
    pub at: UnixSeconds,
    /// Who: the name of a user or token.
    pub by: String,
    /// What was done.
    pub act: LayoutAct,
    /// How many things were named, or moved.
    pub count: u32,
    /// The places that it changed, as they were before.
    pub before: Vec<PlaceBefore>,
}

/// Changes of places to remember, and to forget.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepChanges {
    /// To insert.
    pub added: Vec<LayoutStep>,
    /// To delete, by their numbers: taken back, or too long ago.
    pub removed: Vec<i64>,
}

impl StepChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// A place as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlaceBefore {
    /// A site's or node's name on the map.
    pub node: String,
    /// The site a node belongs to.
    pub site: Option<String>,
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Radius of a site's circle.
    pub r: f64,
    /// Whether it was held in place by a person.
    pub pinned: bool,
}
