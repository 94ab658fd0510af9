//! What retention asks of storage: chunk by chunk, what has been kept for long enough.

use crate::model::time::UnixSeconds;

/// Rows that one chunk takes out at most; a chunk is then about as long as a batch of reports.
pub const CHUNK_ROWS: usize = 256;

/// What of the database is to become less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prunable {
    /// Stored reports. Each agent's last report before the first that all keep stays, so that
    /// the state at the beginning can be told; the reports behind open alarms stay, too.
    Reports,
    /// Lines of the history. The last line about each thing stays while the thing is there.
    Events,
    /// Alarms that are cleared.
    Alarms,
    /// Messages to people that were taken or given up.
    Notifications,
    /// Rows of twelve slots of agents' counters.
    FineMetrics,
    /// Rows of one.
    HourlyMetrics,
    /// Pages of the file that hold nothing, beyond those that will soon be used again.
    FreePages,
}

/// How long rows of one kind are kept; nothing set keeps them for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Seconds.
    pub age: Option<i64>,
    /// Bytes in the file, indexes included, as near as a sample of the rows tells.
    pub bytes: Option<u64>,
}

/// One chunk.
#[derive(Debug, Clone, Copy)]
pub struct Prune {
    /// Of what.
    pub what: Prunable,
    /// How long it is kept.
    pub limits: Limits,
    /// The present time. Ages count from the last report's receipt if that is earlier, so that a
    /// clock that jumps ahead takes nothing with it.
    pub now: UnixSeconds,
    /// Reports younger than this many seconds stay, whatever their limits.
    pub replay_s: i64,
    /// The same for reports of version 1.
    pub replay_v1_s: i64,
    /// Where the chunk before this one ended; 0 for the first.
    pub after: i64,
}

/// What became of a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows, or pages, that are gone.
    pub removed: u64,
    /// Where the next chunk begins; `None` if there is nothing left to do.
    pub next: Option<i64>,
}
