//! The processor as the rest of the manager sees it: a cheap handle to the one thread that
//! changes anything.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::acts::{Acts, Outcome};
use super::audit;
use super::board::Board;
use super::chores::Chores;
use super::condition::ManagerCondition;
use super::identity::Enrolled;
use super::people::PeopleWish;
use super::places::Arranged;
use super::refusals::{Refusal, Refusals};
use super::reply::Job;
use super::sections::SectionHashes;
use super::summary::AgentSummary;
use super::tune::{Rulebook, Rules};
use super::upkeep::Upkeep;
use super::wish::Wish;
use super::{tally::Tally, totals::Totals};
use crate::clock::Clock;
use crate::keys::ring::StoredKey;
use crate::model::id::{AgentId, AlarmId, FleetId, Kid, NotificationId, ReportId, WindowId};
use crate::model::report::ReportData;
use crate::model::state::{EventKind, Severity};
use crate::model::time::UnixSeconds;
use crate::store::dictionary::Learnt;
use crate::store::layout::LayoutRecord;
use crate::store::people::SessionRecord;
use crate::store::site::SiteWish;
use crate::verify::enrol::Enrolment;
use crate::verify::rejection::Rejection;
use crate::verify::shelf::Shelf;
use crate::verify::{Announcement, Known, Verified};
use crate::wire::data::DataInvalid;

/// Reports waiting for the processor before further ones are refused with `overloaded`
/// (RELIABILITY 2). At 5 KB each the queue holds 20 MB.
pub const QUEUE_REPORTS: usize = 4096;

/// A verified report on its way to the processor.
///
/// Built on the connection's thread, so that parsing and hashing use every core and the one
/// processor thread only decides.
#[derive(Debug)]
pub struct Submission {
    pub(super) verified: Verified,
    pub(super) data: Result<ReportData, DataInvalid>,
    pub(super) hashes: SectionHashes,
    pub(super) source: Option<IpAddr>,
}

impl Submission {
    /// Parses and hashes what a verified report says.
    pub fn new(verified: Verified, source: Option<IpAddr>) -> Self {
        let data = crate::wire::data::parse(verified.data());
        let hashes = data.as_ref().map(SectionHashes::of).unwrap_or_default();
        Self { verified, data, hashes, source }
    }
}

/// What the sender of a report is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The stored report.
    pub report_id: ReportId,
    /// Whether it had been stored before and these are the same bytes again.
    pub duplicate: bool,
}

/// What an operator, an admin or a timer asks of the processor.
#[derive(Debug)]
pub enum Command {
    /// Answer once everything before it is done.
    Ping,
    /// Clear the topology state of agents.
    Reset {
        /// Of which.
        target: ResetTarget,
        /// Also forget that they registered.
        forget: bool,
        /// Also unpin their identity.
        identity: bool,
        /// Who asks.
        by: String,
    },
    /// Something a person does about alarms.
    Alarms(Acts),
    /// Something about maintenance windows.
    Maintenance(Upkeep),
    /// Let a pending agent, or the key that waits for it, in; take it back into service.
    Approve {
        /// Which.
        agent: AgentId,
        /// The key the person has looked at; another one that waits now is not let in.
        kid: Option<Kid>,
        /// Who.
        by: String,
    },
    /// Turn down a pending agent, or the key that waits for it.
    Refuse {
        /// Which.
        agent: AgentId,
        /// Who.
        by: String,
    },
    /// Let an agent pass on what others report, or forbid it.
    MayRelay {
        /// Which.
        agent: AgentId,
        /// Whether it may.
        allowed: bool,
        /// Who.
        by: String,
    },
    /// Give agents a site, or each the one back that its host says.
    SetSite(SiteWish),
    /// Take an agent out of service.
    Revoke {
        /// Which.
        agent: AgentId,
        /// Who.
        by: String,
    },
    /// Store or replace a session or token.
    PutSession(SessionRecord),
    /// Store the admin token that was made at the first start.
    FirstToken(SessionRecord),
    /// Forget a session or token.
    DropSession {
        /// SHA-256 of its secret.
        hash: [u8; 32],
        /// Which it is, where somebody ended it.
        of: Option<Box<SessionRecord>>,
    },
    /// Something about users and their sessions.
    People(Box<PeopleWish>),
    /// Put a sentence about an admin's act into the history.
    Note {
        /// Who.
        by: String,
        /// What.
        what: String,
    },
    /// Put into the history that somebody had a job run.
    RunJob {
        /// Who.
        by: String,
        /// Its name.
        job: &'static str,
    },
    /// Put a fact about the manager itself into the history.
    Record {
        /// What kind of fact.
        kind: EventKind,
        /// What it is about.
        subject: String,
    },
    /// Something about messages to people.
    Tell(Wish),
    /// Put what an operator changed of the catalogue of alarms into force.
    Rules(Rules),
    /// Time has passed.
    Tick,
    /// Take out what has had its time.
    Sweep,
    /// Keep the text that says how a chore went, or how far, under its name, and hours it made.
    Ran(&'static str, String, Vec<crate::store::metrics::HourRecord>),
    /// Use this dictionary from now on.
    Dictionary(Learnt),
    /// The key ring changed or was asked for.
    Keys {
        /// Records to store.
        rows: Vec<StoredKey>,
        /// What changed, by key id, for the history.
        changes: Vec<String>,
        /// State of the source.
        health: KeyState,
    },
    /// Withdraw a key for good.
    RevokeKey {
        /// Its record, as revoked.
        key: StoredKey,
        /// Who.
        by: String,
    },
    /// New positions.
    Layout {
        /// The revision they make.
        layout_rev: i64,
        /// All positions that are new or moved.
        records: Vec<LayoutRecord>,
        /// Nodes and sites whose slots are free again.
        forgotten: Vec<String>,
    },
    /// A change of positions that somebody makes.
    Arrange(Box<Arranged>),
    /// Something the manager found about itself.
    Condition(ManagerCondition),
}

/// What the key source is like, as far as alarms care.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyState {
    /// The source in words.
    pub source: String,
    /// Since when this run of the manager asks.
    pub since: UnixSeconds,
    /// When the source last gave a usable answer.
    pub last_success: Option<UnixSeconds>,
    /// The polling interval in force, in seconds.
    pub interval: i64,
    /// What is wrong now, without key material.
    pub problem: Option<String>,
    /// Since when no attempt has succeeded.
    pub failing_since: Option<UnixSeconds>,
    /// Whether the source has said several times in a row that there is no key.
    pub missing: bool,
    /// What the source holds that it should not, and how bad that is.
    pub unexpected: Option<(Severity, String)>,
    /// The names of the keys in force, newest first.
    pub generations: Vec<Kid>,
    /// When the newest of them was first seen.
    pub rotated_at: UnixSeconds,
}

/// Whose state to clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResetTarget {
    /// One agent's.
    Agent(AgentId),
    /// A fleet's.
    Fleet(FleetId),
    /// Everybody's.
    All,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Reset: how much was cleared.
    Reset {
        /// Agents.
        agents: u64,
        /// Interfaces.
        interfaces: u64,
        /// Edges.
        edges: u64,
        /// Alarms.
        alarms: u64,
    },
    /// Sweep: how many rows went.
    Swept {
        /// Rows.
        rows: u64,
    },
    /// A message was written.
    Queued(NotificationId),
    /// What came of an act for each alarm.
    Acted(Vec<(AlarmId, Outcome)>),
    /// A maintenance window was made or ended.
    Window {
        /// Which.
        window: WindowId,
        /// How many agents it means as things are.
        agents: u64,
    },
    /// A user was changed.
    User {
        /// The least generation of their sessions that go on.
        least: i64,
    },
    /// Nothing to tell.
    Nothing,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// No such agent.
    #[error("there is no such agent")]
    AgentNotFound,
    /// No such maintenance window that is not over.
    #[error("there is no such maintenance window, or it is over")]
    WindowNotFound,
    /// No such user.
    #[error("there is no such user")]
    UserNotFound,
    /// The thing's state forbids it.
    #[error("{0}")]
    NotPossible(String),
    /// Storage or the processor is not available.
    #[error("{0}")]
    Unavailable(String),
}

/// A handle to the processor.
#[derive(Clone)]
pub struct Processor {
    pub(super) jobs: mpsc::Sender<Job>,
    pub(super) board: Arc<Board>,
    pub(super) refusals: Arc<Refusals>,
    pub(super) tally: Arc<Tally>,
    pub(super) totals: Arc<Totals>,
    pub(super) chores: Arc<Chores>,
    pub(super) rules: Arc<Rulebook>,
    pub(super) rollup: Arc<super::rollup::Rollup>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) clock: Clock,
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Processor {
    /// Stores a report; resolves after the commit.
    pub async fn submit(&self, submission: Submission) -> Result<Accepted, Rejection> {
        let (answer, result) = oneshot::channel();
        let job = Job::Report(Box::new(submission), answer);
        self.enqueue(job)?;
        // A dropped answer means the thread ended with the report unstored.
        let settled = result.await.map_err(|_dropped| Rejection::StorageUnavailable)?;
        drop(settled.spent);
        settled.result
    }

    /// Queues a job, counted before the thread can take it.
    fn enqueue(&self, job: Job) -> Result<(), Rejection> {
        self.totals.queued.fetch_add(1, Ordering::Relaxed);
        self.jobs.try_send(job).map_err(|_full_or_closed| {
            self.totals.queued.fetch_sub(1, Ordering::Relaxed);
            Rejection::Overloaded
        })
    }

    /// Registers an agent that announces itself.
    pub async fn announce(
        &self,
        announcement: Announcement,
        source: Option<IpAddr>,
    ) -> Result<(), Rejection> {
        let (answer, result) = oneshot::channel();
        let job = Job::Announce(announcement, source, answer);
        self.enqueue(job)?;
        result.await.unwrap_or(Err(Rejection::StorageUnavailable))
    }

    /// Pins, or asks an admin to pin, an agent's own key; resolves after the commit.
    pub async fn enrol(
        &self,
        enrolment: Enrolment,
        source: Option<IpAddr>,
    ) -> Result<Enrolled, Rejection> {
        let (answer, result) = oneshot::channel();
        self.enqueue(Job::Enrol(Box::new(enrolment), source, answer))?;
        result.await.unwrap_or(Err(Rejection::StorageUnavailable))
    }

    /// Carries out a command; resolves after the commit.
    pub async fn command(&self, command: Command) -> Result<Done, CommandError> {
        let gone = || CommandError::Unavailable("the processor has stopped".into());
        let (answer, result) = oneshot::channel();
        let job = Job::Command(command, audit::asker(), answer);
        self.send(job).await.map_err(|_closed| gone())?;
        result.await.map_err(|_dropped| gone())?
    }

    /// Lets the timers be looked at, and notes how long that waited behind what was queued.
    pub async fn tick(&self) -> Result<(), CommandError> {
        let from = self.clock.now_millis();
        let done = self.command(Command::Tick).await;
        let waited_ms = self.clock.now_millis().saturating_sub(from);
        self.totals.waited_ms.store(waited_ms, Ordering::Relaxed);
        done.map(drop)
    }

    /// Queues a job when there is room, counted before the thread can take it.
    pub(super) async fn send(&self, job: Job) -> Result<(), mpsc::error::SendError<Job>> {
        self.totals.queued.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(job).await
    }

    /// Finishes what is queued, empties the log and ends the thread.
    pub async fn stop(&self) {
        let (answer, done) = oneshot::channel();
        if self.send(Job::Stop(answer)).await.is_ok() {
            // An error means the thread has ended already.
            let _ended = done.await.is_err();
        }
    }

    /// What is remembered of an agent for its next signature.
    pub fn known(&self, agent: &AgentId) -> Known {
        self.board.known(agent)
    }

    /// Counts and remembers a refusal.
    pub fn refused(&self, rejection: &Rejection, source: Option<IpAddr>) {
        self.refusals.add(rejection, source, self.clock.now());
    }

    /// Counts a sign-in that failed.
    pub fn sign_in_failed(&self, source: Option<IpAddr>) {
        self.refusals.sign_in_failed(source);
    }

    /// The last refusals, newest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.refusals.list()
    }

    /// The live picture.
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What operators changed of the catalogue of alarms.
    pub fn rules(&self) -> &Rulebook {
        &self.rules
    }

    /// The dictionaries that agents compress with.
    pub fn shelf(&self) -> &Arc<Shelf> {
        &self.shelf
    }

    /// All agents.
    pub fn agents(&self) -> Vec<AgentSummary> {
        self.board.agents()
    }

    /// One agent.
    pub fn agent(&self, id: &AgentId) -> Option<AgentSummary> {
        self.board.agent(id)
    }
}
