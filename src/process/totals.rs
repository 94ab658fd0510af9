//! Counters shared between the processor's thread and its handles. Decides nothing.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::rates::Rates;
use crate::model::spread::{COUNTS, Spread, TIMES};
use crate::verify::replay::ReplayMemory;

/// Counters shared between the thread and its handles.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) queued: AtomicUsize,
    pub(super) stored: AtomicU64,
    /// What was stored, by minute.
    pub(super) rates: Rates,
    pub(super) duplicates: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) last_commit: AtomicI64,
    /// New agents that there was no room for.
    pub(super) refused_new: AtomicU64,
    pub(super) storage_failed: AtomicBool,
    /// How long the last look at the timers waited for its turn and its commit, in milliseconds.
    pub(super) waited_ms: AtomicI64,
    pub(super) batches: Batches,
    /// Replay windows in memory, and bytes that they take.
    pub(super) replay_windows: AtomicUsize,
    pub(super) replay_bytes: AtomicUsize,
}

/// How batches were, those that storage took.
#[derive(Debug)]
pub(super) struct Batches {
    /// Jobs in each.
    pub(super) jobs: Spread,
    /// From its first job being taken to the end of its commit.
    pub(super) times: Spread,
}

impl Default for Batches {
    fn default() -> Self {
        Self { jobs: Spread::new(COUNTS), times: Spread::new(TIMES) }
    }
}

impl Totals {
    /// Notes a batch of so many jobs, and what replay takes after it.
    pub(super) fn note_batch(&self, jobs: usize, took: Duration, replay: &ReplayMemory) {
        self.batches.jobs.add(u64::try_from(jobs).unwrap_or(u64::MAX));
        self.batches.times.add_time(took);
        self.replay_windows.store(replay.len(), Ordering::Relaxed);
        self.replay_bytes.store(replay.bytes(), Ordering::Relaxed);
    }
}
