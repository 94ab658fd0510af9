//! A dictionary of compression as it is stored: what reports have in common, learnt from them.

use bytes::Bytes;

use crate::model::id::{DictId, ReportId};
use crate::model::time::UnixSeconds;

/// A dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DictionaryRecord {
    /// Named by its content.
    pub id: DictId,
    /// The content.
    pub bytes: Bytes,
    /// When it was made.
    pub made_at: UnixSeconds,
    /// Size of the reports it was tried on.
    pub sample_bytes: u64,
    /// What they came to when packed with it.
    pub packed_bytes: u64,
}

/// Stored reports to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// Their envelopes, newest first; a damaged one is empty.
    pub envelopes: Vec<Vec<u8>>,
    /// Older ones than these stand before this report; what was asked for if there are none.
    pub next: ReportId,
    /// The dictionary in use.
    pub newest: Option<DictionaryRecord>,
}
