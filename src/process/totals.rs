//! Counters shared between the processor's thread and its handles. Decides nothing.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};

/// Counters shared between the thread and its handles.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) queued: AtomicUsize,
    pub(super) stored: AtomicU64,
    pub(super) duplicates: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) last_commit: AtomicI64,
    /// New agents that there was no room for.
    pub(super) refused_new: AtomicU64,
    pub(super) storage_failed: AtomicBool,
    /// How long the last look at the timers waited for its turn and its commit, in milliseconds.
    pub(super) waited_ms: AtomicI64,
}
