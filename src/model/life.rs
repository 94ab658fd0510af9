//! An alarm's life in a few values: what its quality is measured on.

use super::state::{AlarmKind, Severity};
use super::time::UnixSeconds;

/// One raised alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmLife {
    /// What it was about.
    pub kind: AlarmKind,
    /// Which thing.
    pub subject: String,
    /// How bad it was in the end.
    pub severity: Severity,
    /// When it was raised.
    pub raised_at: UnixSeconds,
    /// When somebody acknowledged it.
    pub acknowledged_at: Option<UnixSeconds>,
    /// When it ended.
    pub cleared_at: Option<UnixSeconds>,
    /// Why.
    pub clear_cause: Option<String>,
    /// Whether it followed from another alarm when it last changed.
    pub follows: bool,
}
