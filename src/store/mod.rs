//! What the rest of the manager may ask of storage: a few whole verbs, types in and out.
//!
//! [`Writer`] is owned by one thread and is the only way anything changes. [`Reader`] answers
//! from committed state and may be called from many threads; every call is one short read.
//! No SQL and no connection appears above this module. `store::sqlite` implements both; a
//! second implementation must pass `tests/it/store_contract.rs` unchanged.

pub mod change;
pub mod row;
pub mod sqlite;

use std::path::Path;

use thiserror::Error;

use crate::model::id::{AgentId, AgentNo, AlarmId, EventId, ReportId};
use crate::model::report::{Interface, Route};
use crate::model::time::UnixSeconds;

use change::{Change, DynamicState};
use row::{
    AgentDetail, AlarmFilter, AlarmRow, AuditRow, BodyRow, EventFilter, EventRow, FleetSnapshot,
    KeyRow, ReplayRow, ReportFilter, ReportSummary, SessionRow, StoreStats, StoredReport,
};

/// Why storage did not do what was asked. Carries no secrets and no SQL.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process holds the database.
    #[error(
        "{path} is in use by another kattila manager; stop it first or give KATTILA_DB another file"
    )]
    Locked {
        /// The database file.
        path: String,
    },
    /// The file cannot be used at all; a person must decide.
    #[error("{path}: {problem}; {remedy}")]
    Refused {
        /// The database file.
        path: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The disk, the file system or SQLite failed; nothing of the batch was stored.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
    /// One change violates a rule of the schema; the rest of its batch is unharmed.
    #[error("storage refused a row: {0}")]
    Constraint(String),
    /// A stored value cannot be read back.
    #[error("stored value is damaged: {0}")]
    Damaged(String),
}

/// The write side. One batch is one transaction:
/// `begin`, `record` for each change, then `commit` (or `rollback`).
pub trait Writer: Send {
    /// Everything the processor keeps in memory, as committed.
    fn load_fleet(&mut self) -> Result<FleetSnapshot, StoreError>;

    /// Opens a batch.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Writes one change inside the batch, under a savepoint of its own: after an error the
    /// batch goes on without this change.
    fn record(&mut self, change: &Change) -> Result<(), StoreError>;

    /// Makes the batch durable. Only after `Ok` may any of its reports be acknowledged.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Forgets the batch.
    fn rollback(&mut self);

    /// The interfaces and routes the agent had before, to be compared with a new report.
    fn sections(&mut self, agent: AgentNo) -> Result<(Vec<Interface>, Vec<Route>), StoreError>;

    /// Reports of an agent received at or after `since`, newest last: its replay memory. At
    /// most the newest 4,096 of them.
    fn replay_rows(
        &mut self,
        agent: AgentNo,
        since: UnixSeconds,
    ) -> Result<Vec<ReplayRow>, StoreError>;

    /// The agent's last version 1 bodies, at most `limit`, newest last.
    fn last_bodies(&mut self, agent: AgentNo, limit: usize) -> Result<Vec<BodyRow>, StoreError>;

    /// When the agent's version 1 report of one of these digests and this inner time was last
    /// accepted, if that was at or after `since`.
    fn body_taken(
        &mut self,
        agent: AgentNo,
        digests: [[u8; 32]; 2],
        collected_at: Option<UnixSeconds>,
        since: UnixSeconds,
    ) -> Result<Option<UnixSeconds>, StoreError>;

    /// Sessions and tokens that are over: expired at `now`, or sessions not used since `idle`.
    /// At most `limit`.
    fn ended_sessions(
        &mut self,
        now: UnixSeconds,
        idle: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError>;

    /// Writes what is kept in memory between batches (last-seen times, counters, handshakes)
    /// and remembers that every report up to `upto` is contained in it. A batch of its own.
    /// A large fleet's state may come in several calls; `upto` then moves with the last one.
    fn flush(&mut self, state: &DynamicState, upto: ReportId) -> Result<(), StoreError>;

    /// Moves the write-ahead log into the database file; `truncate` also empties the log, for
    /// which it waits until running reads have ended. Between batches only.
    fn checkpoint(&mut self, truncate: bool) -> Result<(), StoreError>;

    /// Ends an orderly run: nothing is left in the log, and the next start knows that nothing
    /// needs a check. An open batch is forgotten.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// The read side.
pub trait Reader: Send + Sync + std::fmt::Debug {
    /// One agent with its interfaces, routes and peers.
    fn agent(&self, id: &AgentId) -> Result<Option<AgentDetail>, StoreError>;

    /// Stored reports, newest first.
    fn reports(&self, filter: &ReportFilter) -> Result<Vec<ReportSummary>, StoreError>;

    /// One stored report with its envelope.
    fn report(&self, id: ReportId) -> Result<Option<StoredReport>, StoreError>;

    /// Stored reports after `after`, oldest first, with envelopes: for `kattila verify`. An
    /// envelope whose stored form is damaged comes empty, so that the others can still be read.
    fn audit(&self, after: ReportId, limit: usize) -> Result<Vec<AuditRow>, StoreError>;

    /// Events, in order.
    fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, StoreError>;

    /// Alarms, newest first.
    fn alarms(&self, filter: &AlarmFilter) -> Result<Vec<AlarmRow>, StoreError>;

    /// One alarm.
    fn alarm(&self, id: AlarmId) -> Result<Option<AlarmRow>, StoreError>;

    /// The pre-shared keys, retired ones included.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError>;

    /// The session or token of this SHA-256, whether expired or not.
    fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError>;

    /// Sizes and counts, for readiness, metrics and `doctor`.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Copies the database, as it is now, into a new file.
    fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// The last event's number, for a stream that starts now.
    fn last_event(&self) -> Result<EventId, StoreError>;
}
