//! Links that show one view of some fleets to whoever holds them, as stored. Values only.

use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;

/// A link that was shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRecord {
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
    /// Path and query of the page that it opens.
    pub view: String,
    /// The fleets it shows; never everything.
    pub reach: Reach,
    /// Who made it.
    pub made_by: String,
    /// Whether that is a user, rather than a token of a program.
    pub by_user: bool,
    /// Whether visitors are told who made it.
    pub named: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it ends.
    pub expires_at: UnixSeconds,
    /// How often it was opened.
    pub opened: u64,
    /// When it was opened last.
    pub last_opened_at: Option<UnixSeconds>,
}

impl ShareRecord {
    /// Whether it still shows anything.
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        self.expires_at > now
    }
}
