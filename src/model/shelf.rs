//! What a person sets aside: an alarm on the shelf, until a time and for a reason.

use super::time::UnixSeconds;

/// Seconds for which an alarm can be shelved at most: thirty days.
pub const SHELF_LONGEST_S: i64 = 30 * 86_400;

/// Since when an alarm is shelved, until when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// When it was put there.
    pub at: UnixSeconds,
    /// When it counts again, by itself.
    pub until: UnixSeconds,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}
