//! How the processor is doing, for readiness and metrics.

use std::sync::atomic::Ordering;

use super::handle::Processor;
use crate::model::spread::Told;
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
    /// New agents refused since start, because there are too many.
    pub refused_new: u64,
    /// Transactions committed since start.
    pub commits: u64,
    /// When the last one was.
    pub last_commit: Option<UnixSeconds>,
    /// Whether the last attempt to write succeeded.
    pub storage_ok: bool,
    /// Whether the processor still runs.
    pub running: bool,
}

/// What the processor has measured of its work, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measures {
    /// Reports and other jobs that were committed together.
    pub batch_jobs: Told,
    /// From a batch's first job being taken to the end of its commit, in microseconds.
    pub batch_times: Told,
    /// Agents whose replay windows are in memory, as of the last batch.
    pub replay_windows: usize,
    /// Bytes of these windows.
    pub replay_bytes: usize,
}

impl Processor {
    /// What it has measured of its work.
    pub fn measures(&self) -> Measures {
        let totals = &self.totals;
        Measures {
            batch_jobs: totals.batches.jobs.told(),
            batch_times: totals.batches.times.told(),
            replay_windows: totals.replay_windows.load(Ordering::Relaxed),
            replay_bytes: totals.replay_bytes.load(Ordering::Relaxed),
        }
    }

    /// How it is doing.
    pub fn status(&self) -> ProcessorStatus {
        let totals = &self.totals;
        let last_commit = totals.last_commit.load(Ordering::Relaxed);
        ProcessorStatus {
            queued: totals.queued.load(Ordering::Relaxed),
            stored: totals.stored.load(Ordering::Relaxed),
            duplicates: totals.duplicates.load(Ordering::Relaxed),
            refused_new: totals.refused_new.load(Ordering::Relaxed),
            commits: totals.commits.load(Ordering::Relaxed),
            last_commit: (last_commit != 0).then_some(UnixSeconds(last_commit)),
            storage_ok: !totals.storage_failed.load(Ordering::Relaxed),
            running: !self.jobs.is_closed(),
        }
    }
}
