//! What the rest of the manager may ask of storage: thirty-six whole verbs, types in and out.
//!
//! [`Writer`] is owned by one thread and is the only way anything changes. [`Reader`] answers
//! from committed state and may be called from many threads; every call is one short read.
//! No SQL and no connection appears above this module. `store::sqlite` implements both; a
//! second implementation must pass `tests/it/store_contract.rs` unchanged.

pub mod audit;
pub mod backups;
pub mod carrier;
pub mod change;
pub mod dictionary;
pub mod earlier;
pub mod flap;
pub mod flush;
pub mod identity;
pub mod key;
pub mod layout;
pub mod metrics;
pub mod narrow;
pub mod network;
pub mod notice;
pub mod past;
pub mod people;
pub mod phase;
pub mod prune;
pub mod row;
pub mod share;
pub mod site;
pub mod sqlite;

use std::path::Path;

use thiserror::Error;

use crate::model::audit::Sealed;
use crate::model::id::{AgentId, AgentNo, ReportId};
use crate::model::life::AlarmLife;
use crate::model::reach::Reach;
use crate::model::report::{Interface, Route};
use crate::model::time::UnixSeconds;

use audit::AuditFilter;
use carrier::{Carrier, CarrierFilter};
use change::Change;
use dictionary::{FrameDictionary, Samples};
use earlier::{Earlier, Known};
use metrics::{LateReport, Measured, MeasuredAsked, MeasuredTo, MetricsAsked, Stretch};
use network::{NetworkFilter, Networks};
use notice::{ChannelRow, MessageFilter, MessageRecord};
use past::{Changes, ChangesAsked, Past};
use people::{SessionFilter, UserRecord};
use prune::{Prune, Pruned};
use row::{
    AgentDetail, AlarmFilter, AlarmRow, EventFilter, EventRow, FleetSnapshot, KeyRow, ReportFilter,
    SessionRow, StoreStats, StoredReport,
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
///
/// How the store keeps its files in shape between the batches is its own affair.
pub trait Writer: Send {
    /// Everything the processor keeps in memory, as committed.
    fn load_fleet(&mut self) -> Result<FleetSnapshot, StoreError>;

    /// Opens a batch. It is a verb of its own so that storage which takes nothing at all is told
    /// apart from storage that refuses a change: nothing has been decided yet, and everybody
    /// who waits can be answered at once.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Writes one change inside the batch, apart from the others: after a
    /// [`StoreError::Constraint`] the batch goes on without this change.
    fn record(&mut self, change: &Change) -> Result<(), StoreError>;

    /// Makes the batch durable. Only after `Ok` may any of its reports be acknowledged.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Does what a commit left to be done once its answers have gone: moves the log into the
    /// database, if it is time. Between batches only; whoever does not ask for it finds it done
    /// by the next batch.
    fn settle(&mut self);

    /// Forgets the batch.
    fn rollback(&mut self);

    /// The interfaces and routes the agent had before, to be compared with a new report; the
    /// batch's own changes included.
    fn sections(&mut self, agent: AgentNo) -> Result<(Vec<Interface>, Vec<Route>), StoreError>;

    /// What is known of the agent's past: reports that it has sent before, and what has been
    /// said of its links; the batch's own included.
    fn earlier(&mut self, agent: AgentNo, what: &Earlier) -> Result<Known, StoreError>;

    /// The newest reports before one, at most `limit`, and the dictionary in use: what the next
    /// dictionary is learnt from.
    fn samples(&mut self, before: ReportId, limit: usize) -> Result<Samples, StoreError>;

    /// Sessions and tokens that are over: expired at `now`, or sessions not used since `idle`.
    /// At most `limit`.
    fn ended_sessions(
        &mut self,
        now: UnixSeconds,
        idle: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError>;

    /// Takes out one chunk of what has been kept for long enough, durably and in a transaction of
    /// its own: between batches only. Work and rows of one call are bounded.
    fn prune(&mut self, chunk: &Prune) -> Result<Pruned, StoreError>;

    /// Ends an orderly run: what is committed needs no further work, and the next start knows
    /// that nothing needs a check. An open batch is forgotten.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// The read side.
pub trait Reader: Send + Sync + std::fmt::Debug {
    /// One agent with its interfaces, routes and peers.
    fn agent(&self, id: &AgentId) -> Result<Option<AgentDetail>, StoreError>;

    /// Stored reports: lists, one by its number, or all of them with their envelopes as
    /// `kattila verify` needs them.
    fn reports(&self, filter: &ReportFilter) -> Result<Vec<StoredReport>, StoreError>;

    /// Events, in order.
    fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, StoreError>;

    /// Entries of the audit, as they stand in the table, whatever became of them.
    fn audit(&self, filter: &AuditFilter) -> Result<Vec<Sealed>, StoreError>;

    /// What was known of links and agents at a time, as the history has it by now.
    fn past(&self, at: UnixSeconds) -> Result<Past, StoreError>;

    /// What changed of links, agents and alarms between two times.
    fn changes(&self, asked: &ChangesAsked) -> Result<Changes, StoreError>;

    /// Alarms, newest first.
    fn alarms(&self, filter: &AlarmFilter) -> Result<Vec<AlarmRow>, StoreError>;

    /// Alarms within a reach, raised from a time to before another, in a few values each: the
    /// last `limit`, newest first.
    fn alarm_lives(
        &self,
        span: (UnixSeconds, UnixSeconds),
        reach: &Reach,
        limit: usize,
    ) -> Result<Vec<AlarmLife>, StoreError>;

    /// Messages to people, with the alarms they tell of.
    fn notifications(&self, filter: &MessageFilter) -> Result<Vec<MessageRecord>, StoreError>;

    /// What may be sent at `now`: of each channel the first message that waits, if it is due and
    /// the channel is not left alone.
    fn due_notifications(&self, now: UnixSeconds) -> Result<Vec<MessageRecord>, StoreError>;

    /// The channels that were ever used, by name.
    fn channels(&self) -> Result<Vec<ChannelRow>, StoreError>;

    /// Who has, reaches or may use an address or a prefix.
    fn carriers(&self, filter: &CarrierFilter) -> Result<Vec<Carrier>, StoreError>;

    /// The networks that hosts route or let peers use.
    fn networks(&self, filter: &NetworkFilter) -> Result<Networks, StoreError>;

    /// What is kept of an agent's counters over time, by hour.
    fn metrics(&self, asked: &MetricsAsked) -> Result<Vec<Stretch>, StoreError>;

    /// Hands out the stored reports that agents measured between two times, agent by agent.
    fn measured(
        &self,
        asked: &MeasuredAsked,
        each: &mut dyn FnMut(Measured),
    ) -> Result<MeasuredTo, StoreError>;

    /// Reports that came late, after one of them, in the order in which they came.
    fn late_reports(&self, after: ReportId, limit: usize) -> Result<Vec<LateReport>, StoreError>;

    /// The dictionaries that agents compressed what is stored with, and those that they may use now,
    /// the newest last.
    fn frame_dictionaries(&self) -> Result<Vec<FrameDictionary>, StoreError>;

    /// The pre-shared keys, retired ones included.
    fn keys(&self) -> Result<Vec<KeyRow>, StoreError>;

    /// The session or token of this SHA-256, whether expired or not.
    fn session(&self, token_hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError>;

    /// Sessions and tokens, ended ones that are still stored included, the newest first.
    fn sessions(&self, filter: &SessionFilter) -> Result<Vec<SessionRow>, StoreError>;

    /// The users, by name: all of them, or the one of this name.
    fn users(&self, name: Option<&str>) -> Result<Vec<UserRecord>, StoreError>;

    /// Sizes, counts and last numbers, for readiness, metrics and `doctor`.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Copies the database, as it is now, into a new file.
    fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// Makes a new copy for the archive if it is time, and takes out of it what has been kept for long
    /// enough; answers how many files that were, 0 without an archive. An archive that does not take
    /// what is committed is an error. May take as long as a backup.
    fn tend_archive(&self) -> Result<u64, StoreError>;
}
