//! A processor on a scratch database whose clock follows the times at which stored reports were
//! received.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;

use crate::alarms::tuning::Tuning;
use crate::cli::scratch::Scratch;
use crate::clock::Clock;
use crate::keys::ring::{KeyRing, StoredKey};
use crate::model::id::{AgentId, AgentNo, Kid};
use crate::model::key::IdentityKey;
use crate::model::state::{AgentStatus, IdentityState};
use crate::model::time::UnixSeconds;
use crate::process::engine::{self, Parts, Settings};
use crate::process::handle::{Command, Processor, Submission};
use crate::process::tune::Rules;
use crate::store::Writer as _;
use crate::store::change::{AgentRecord, Change};
use crate::store::identity::IdentityRecord;
use crate::store::row::{AgentDetail, StoredReport};
use crate::store::sqlite::reader::SqliteReader;
use crate::store::sqlite::{self, Durability};
use crate::verify::arrived::Arrived;
use crate::verify::shelf::Shelf;
use crate::verify::{Known, Policy, Verified, verify_report};

use super::ReplayError;

/// What reports are verified with again.
#[derive(Debug)]
pub struct Proofs {
    /// The shared keys that are kept, each as the first of a ring.
    pub rings: BTreeMap<Kid, KeyRing>,
    /// The keys that are pinned to agents now.
    pub pinned: BTreeMap<AgentId, IdentityKey>,
    /// What else a report must fulfil.
    pub policy: Policy,
    /// The dictionaries that frames were compressed with.
    pub shelf: Shelf,
}

impl Proofs {
    /// A stored report as it was taken, or why it cannot be taken again.
    fn verify(&self, row: &StoredReport) -> Result<Verified, &'static str> {
        let summary = &row.summary;
        if row.envelope.is_empty() {
            return Err("damaged");
        }
        if summary.redacted {
            return Err("with secrets taken out, so that their signature does not hold");
        }
        let own = row.own_key.is_some();
        let none = KeyRing::default();
        let ring = match self.rings.get(&summary.kid).or_else(|| self.rings.values().next()) {
            Some(ring) if own || self.rings.contains_key(&summary.kid) => ring,
            _ if own => &none,
            _ => return Err("signed with a shared key that is not kept"),
        };
        let known = |agent: &AgentId| {
            let told = row.own_key.filter(|_| *agent == summary.agent_id);
            let key = told.or_else(|| self.pinned.get(agent).copied());
            Known { form: None, key, barred: false }
        };
        let body = Bytes::copy_from_slice(&row.envelope);
        let arrived = Arrived { body: &body, shape: None, shelf: Some(&self.shelf) };
        verify_report(arrived, ring, &self.policy, known, summary.received_at)
            .map_err(|_why| "not verified again")
    }
}

/// See the module.
#[derive(Debug)]
pub struct Bench {
    processor: Processor,
    thread: JoinHandle<()>,
    clock: Clock,
    reader: Arc<SqliteReader>,
    scratch: Scratch,
}

impl Bench {
    /// Starts at a time, with these agents known by their own keys.
    pub async fn start(
        settings: Settings,
        agents: &[AgentDetail],
        tuning: Arc<Tuning>,
        at: UnixSeconds,
    ) -> Result<Self, ReplayError> {
        let scratch = Scratch::new("kattila-replay-").map_err(ReplayError::Scratch)?;
        let mut opened = sqlite::open(&scratch.database(), Durability::Normal)?;
        opened.writer.begin()?;
        opened.writer.record(&introduce(agents, at))?;
        opened.writer.commit()?;
        let clock = Clock::manual(at);
        // Always the same, so that the same reports give the same answer.
        let (epoch, seed) = ("replay".to_owned(), [1, 2]);
        let parts = Parts {
            writer: opened.writer,
            reader: Arc::clone(&opened.reader) as _,
            epoch,
            seed,
            pseudonyms: [7; 32],
            settings,
            clock: clock.clone(),
        };
        let started = engine::start(parts)?;
        let bench = Self {
            processor: started.processor,
            thread: started.thread,
            clock,
            reader: opened.reader,
            scratch,
        };
        bench.command(Command::Rules(Rules { tuning, by: "replay".to_owned() })).await?;
        Ok(bench)
    }

    async fn command(&self, command: Command) -> Result<(), ReplayError> {
        let done = self.processor.command(command).await;
        done.map(|_done| ()).map_err(|why| ReplayError::Scratch(why.to_string()))
    }

    /// Lets time pass, second by second. What was received in a second comes before its tick.
    pub async fn pass(&self, until: UnixSeconds) -> Result<(), ReplayError> {
        while self.clock.now() < until {
            self.command(Command::Tick).await?;
            self.clock.set(self.clock.now().plus(1));
        }
        Ok(())
    }

    /// Takes a stored report; why not, if it cannot.
    pub async fn take(&self, row: &StoredReport, proofs: &Proofs) -> Result<(), &'static str> {
        let verified = proofs.verify(row)?;
        let submission = Submission::new(verified, row.summary.source);
        let taken = self.processor.submit(submission).await;
        taken.map(|_accepted| ()).map_err(|why| why.code().as_str())
    }

    /// Lets time pass until the end, and ends the processor.
    pub async fn end(self, at: UnixSeconds) -> Result<Ended, ReplayError> {
        self.pass(at).await?;
        self.command(Command::Tick).await?;
        self.processor.stop().await;
        let Self { thread, reader, scratch, .. } = self;
        let ended = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
        if !matches!(ended, Ok(true)) {
            return Err(ReplayError::Scratch("the processor did not end in order".to_owned()));
        }
        Ok(Ended { reader, _scratch: scratch })
    }
}

/// What became of it.
#[derive(Debug)]
pub struct Ended {
    reader: Arc<SqliteReader>,
    /// Removed with it.
    _scratch: Scratch,
}

impl Ended {
    /// The scratch database.
    pub fn reader(&self) -> &SqliteReader {
        &self.reader
    }
}

/// The rows of agents that sign with keys of their own, and have not reported yet.
fn introduce(agents: &[AgentDetail], at: UnixSeconds) -> Change {
    let mut change = Change::default();
    let mut seen = BTreeSet::new();
    for (detail, no) in agents.iter().zip(1..) {
        let record = &detail.agent;
        if !seen.insert(record.id.clone()) {
            continue;
        }
        change.agents.push(AgentRecord {
            no: AgentNo(no),
            last_seen_at: None,
            last_tick: None,
            status: AgentStatus::Stale,
            status_since: at,
            boot_id: None,
            labels: BTreeMap::new(),
            problems: Vec::new(),
            interfaces_hash: 0,
            routes_hash: 0,
            peers_hash: 0,
            forgotten: false,
            ..record.clone()
        });
        let pinned = detail.identities.iter().filter(|row| row.state == IdentityState::Pinned);
        change.identities.extend(pinned.map(|row| IdentityRecord {
            no: i64::try_from(seen.len()).unwrap_or(no),
            agent: AgentNo(no),
            revoked_at: None,
            ..row.clone()
        }));
    }
    change
}

/// A ring that begins with each key that is kept.
pub fn rings(kept: Vec<StoredKey>) -> BTreeMap<Kid, KeyRing> {
    let usable = kept.into_iter().filter(|key| !key.secret.is_empty());
    let usable: Vec<_> = usable
        .map(|key| StoredKey {
            state: "previous".to_owned(),
            nbf: None,
            exp: None,
            left_at: None,
            ..key
        })
        .collect();
    let ring = |first: &StoredKey| {
        let others = usable.iter().filter(|key| key.kid != first.kid).cloned();
        let first = StoredKey { state: "current".to_owned(), ..first.clone() };
        (first.kid.clone(), KeyRing::from_stored([first].into_iter().chain(others).collect()))
    };
    usable.iter().map(ring).collect()
}
