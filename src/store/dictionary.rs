//! A dictionary of compression as it is stored: what reports have in common, learnt from them.

use bytes::Bytes;

use crate::model::id::{DictId, FrameDictId, ReportId};
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

/// A dictionary that is handed to agents, to compress their reports with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameDictionary {
    /// Named by its content.
    pub id: FrameDictId,
    /// The content, without any value of a report.
    pub bytes: Bytes,
    /// When it was made.
    pub made_at: UnixSeconds,
    /// Size of the data it was tried on.
    pub sample_bytes: u64,
    /// What they came to when packed with it.
    pub packed_bytes: u64,
}

/// A dictionary that was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// To pack what is stored.
    ForStore(DictionaryRecord),
    /// For agents.
    ForAgents(FrameDictionary),
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
    /// The dictionary that agents are told.
    pub newest_frame: Option<FrameDictionary>,
}
