//! How the processor is doing, for readiness and metrics.

use crate::model::time::UnixSeconds;

/// How the processor is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorStatus {
    /// Reports waiting.
    pub queued: usize,
    /// Reports stored since start.
    pub stored: u64,
    /// Duplicates answered since start.
    pub duplicates: u64,
    /// Transactions committed since start.
    pub commits: u64,
    /// When the last one was.
    pub last_commit: Option<UnixSeconds>,
    /// Whether the last attempt to write succeeded.
    pub storage_ok: bool,
    /// Whether the processor still runs.
    pub running: bool,
}
