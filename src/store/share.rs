//! Links that show one view of some fleets to whoever holds them, as stored. Values only.

use std::fmt;

use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;

/// A link that was shared.
#[derive(Clone, PartialEq, Eq)]
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
    /// What the pseudonyms are made of under which it shows everything; `None`: real names.
    pub mask: Option<[u8; 32]>,
    /// When it was opened last.
    pub last_opened_at: Option<UnixSeconds>,
}

impl fmt::Debug for ShareRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (view, until, opened) = (&self.view, self.expires_at, self.opened);
        let (reach, by) = (self.reach.words(), &self.made_by);
        write!(f, "ShareRecord({view} of {reach} by {by} until {until}, opened {opened})")
    }
}

impl ShareRecord {
    /// Whether it still shows anything.
    pub fn is_live(&self, now: UnixSeconds) -> bool {
        self.expires_at > now
    }
}
