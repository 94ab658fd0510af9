//! What of the audit is asked for.

use crate::model::time::UnixSeconds;

/// Which entries to list; newest first, unless `after` says otherwise.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only after this number; the list is then oldest first.
    pub after: Option<i64>,
    /// Only before this number.
    pub before: Option<i64>,
    /// Only by this person, token or agent.
    pub who: Option<String>,
    /// Only this act, or, with a dot at its end, acts that begin so.
    pub act: Option<String>,
    /// Only with this text in who, where from, subject, or the values.
    pub text: Option<String>,
    /// Only at or after this time.
    pub from: Option<UnixSeconds>,
    /// Only before this time.
    pub to: Option<UnixSeconds>,
    /// At most this many.
    pub limit: usize,
}

impl AuditFilter {
    /// The next entries after one, oldest first.
    pub fn onwards(after: i64, limit: usize) -> Self {
        Self { after: Some(after), limit, ..Self::default() }
    }
}
