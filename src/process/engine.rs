//! The one thread that decides and writes: takes what is queued, commits it in one transaction,
//! and only then answers.

mod finish;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc;
use tracing::{error, info};

use super::board::Board;
use super::causes;
use super::chores::{Chores, Keep};
use super::draft::{Draft, Effects};
use super::fleet::Fleet;
use super::handle::{CommandError, Processor, QUEUE_REPORTS};
use super::newcomers::Room;
use super::places::Stored;
use super::refusals::Refusals;
use super::reply::{Ask, Chunk, Job, Reply, answer, refuse_all};
use super::rollup::Rollup;
use super::tune::Rulebook;
use super::{admit, audit, load, lot, prune, rates, show, tell, tick, tune, upkeep};
use super::{tally::Tally, totals::Totals};
use crate::clock::Clock;
use crate::model::rate::Rate;
use crate::model::time::UnixSeconds;
use crate::store::change::Change;
use crate::store::{Reader, StoreError, Writer};
use crate::verify::bodies::Suspicion;
use crate::verify::rejection::Rejection;
use crate::verify::replay::{ReplayMemory, Rules};
use crate::verify::shelf::Shelf;

/// Reports in one transaction. Larger batches gain little (PERFORMANCE: 100 against 1,000 rows
/// is within noise) and make the first of them wait longer.
const BATCH: usize = 256;

/// Agents' replay windows kept in memory; the database answers for the rest (PROTOCOL 2).
const REPLAY_AGENTS: usize = 200_000;

/// What may happen to agents not seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enroll {
    /// A valid report registers them.
    Open,
    /// They wait for an admin.
    Approve,
    /// They are refused.
    Closed,
}

/// The processor's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Seconds between reports that agents are told to keep.
    pub report_interval: i64,
    /// Seconds a timestamp may be off.
    pub max_skew: i64,
    /// Nonces remembered per agent at least.
    pub nonce_window: usize,
    /// What may happen to agents not seen before.
    pub enroll: Enroll,
    /// What to do about version 1 reports that look recorded.
    pub v1_repeats: Suspicion,
    /// Verified reports one agent may send; `None` = no limit.
    pub rate: Option<Rate>,
    /// How many new agents there may be.
    pub room: Room,
    /// How long what grows is kept.
    pub keep: Keep,
    /// Which rows of agents' counters are made.
    pub rollups: crate::model::metric::Rollups,
}

/// What the processor works with.
pub struct Parts<W> {
    /// The write side of the store, owned from here on.
    pub writer: W,
    /// The read side, for what is done beside the thread.
    pub reader: Arc<dyn Reader>,
    /// Names this run.
    pub epoch: String,
    /// Random; seeds the hashes of nonces if the database has no seed yet.
    pub seed: [u64; 2],
    /// Random; what pseudonyms are made of if the database has no key for them yet.
    pub pseudonyms: [u8; 32],
    /// Settings.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
}

impl<W> fmt::Debug for Parts<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("settings", &self.settings).finish_non_exhaustive()
    }
}

pub(super) struct Engine {
    pub(super) writer: Box<dyn Writer>,
    pub(super) fleet: Fleet,
    pub(super) replay: ReplayMemory,
    pub(super) settings: Settings,
    pub(super) refusals: Arc<Refusals>,
    pub(super) tally: Arc<Tally>,
    pub(super) sentry: tick::Sentry,
    board: Arc<Board>,
    pub(super) totals: Arc<Totals>,
    pub(super) chores: Arc<Chores>,
    pub(super) clock: Clock,
    pub(super) seed: [u64; 2],
    pub(super) rules: Arc<Rulebook>,
    pub(super) rollup: Arc<Rollup>,
    pub(super) shelf: Arc<Shelf>,
    /// Storage failed as a whole; the batch is lost and memory is ahead of it.
    suspect: bool,
    /// One change was refused under its savepoint; memory is ahead by it.
    ahead: bool,
}

/// Name of the small value that says when the first admin token was made.
pub(super) const FIRST_TOKEN: &str = "first_token_made_at";

/// A running processor.
#[derive(Debug)]
pub struct Started {
    /// Its handle.
    pub processor: Processor,
    /// Its thread; ends after [`Processor::stop`].
    pub thread: JoinHandle<()>,
    /// Where things were drawn.
    pub layout: Stored,
    /// Whether an admin token has been made for this database before.
    pub has_admin_token: bool,
    /// What pseudonyms are made of in this database.
    pub pseudonyms: [u8; 32],
}

/// Loads the fleet and starts the thread.
pub fn start<W: Writer + 'static>(parts: Parts<W>) -> Result<Started, StoreError> {
    let (jobs, queue) = mpsc::channel(QUEUE_REPORTS);
    let board = Arc::new(Board::new(parts.epoch));
    let tally = Arc::<Tally>::default();
    let now = parts.clock.now();
    let mut writer: Box<dyn Writer> = Box::new(parts.writer);
    let mut snapshot = writer.load_fleet()?;
    let seed = lot::seed_of(&snapshot, parts.seed, writer.as_mut())?;
    let pseudonyms = lot::pseudonyms_of(&snapshot, parts.pseudonyms, writer.as_mut())?;
    let places = std::mem::take(&mut snapshot.layout);
    let steps = std::mem::take(&mut snapshot.layout_steps);
    let layout_rev = load::meta(&snapshot, "layout_rev").and_then(|rev| rev.parse().ok());
    let has_admin_token = load::meta(&snapshot, FIRST_TOKEN).is_some();
    let counted = rates::Kept::restored(load::meta(&snapshot, rates::KEPT), now);
    let (counted, refused) = counted.counts();
    let totals = Arc::new(Totals { rates: counted, ..Totals::default() });
    let refusals = Arc::new(Refusals::counted(refused));
    let chores = Arc::new(Chores::restored(|name| load::meta(&snapshot, name)));
    let kept = |name: &str| load::meta(&snapshot, name);
    let rulebook = Arc::new(Rulebook::restored(kept(tune::KEPT)));
    let sentry = tick::Sentry::new(now, parts.settings.report_interval, kept);
    let shelf = Arc::new(load::shelf_of(&snapshot)?);
    let rollup = Rollup::begun(&parts.settings, (parts.reader, Arc::clone(&shelf)), kept);
    let fleet = load::fleet_of(snapshot, parts.settings.report_interval);
    let engine = Engine {
        writer,
        fleet,
        replay: ReplayMemory::new(rules(&parts.settings, seed), REPLAY_AGENTS),
        sentry,
        settings: parts.settings,
        refusals: Arc::clone(&refusals),
        tally: Arc::clone(&tally),
        board: Arc::clone(&board),
        totals: Arc::clone(&totals),
        chores: Arc::clone(&chores),
        clock: parts.clock.clone(),
        seed,
        rules: Arc::clone(&rulebook),
        rollup: Arc::clone(&rollup),
        shelf: Arc::clone(&shelf),
        suspect: false,
        ahead: false,
    };
    show::everything(&engine.fleet, &engine.board);
    let thread = std::thread::Builder::new()
        .name("kattila-writer".into())
        .spawn(move || engine.run(queue))
        .map_err(|error| StoreError::Unavailable(format!("the writer thread: {error}")))?;
    let clock = parts.clock;
    let rules = rulebook;
    let processor =
        Processor { jobs, board, refusals, tally, totals, chores, rules, rollup, shelf, clock };
    let layout = Stored { places, rev: layout_rev.unwrap_or(1), steps };
    Ok(Started { processor, thread, layout, has_admin_token, pseudonyms })
}

fn rules(settings: &Settings, seed: [u64; 2]) -> Rules {
    Rules { max_skew: settings.max_skew, nonce_window: settings.nonce_window, seed }
}

impl Engine {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < BATCH {
                let Ok(job) = queue.try_recv() else { break };
                jobs.push(job);
            }
            self.totals.queued.fetch_sub(jobs.len(), Ordering::Relaxed);
            let stop = match self.open() {
                Ok(()) => self.batch(jobs),
                Err(()) => self.refuse(jobs, &mut queue),
            };
            if stop {
                break;
            }
        }
        self.finish();
    }

    /// Opens a batch, after having come to terms with a failure before it.
    fn open(&mut self) -> Result<(), ()> {
        if self.suspect && self.recover().is_err() {
            self.totals.storage_failed.store(true, Ordering::Relaxed);
            return Err(());
        }
        self.writer.begin().map_err(|failure| self.storage_failed(&failure))
    }

    /// Refuses a batch and what has come in while storage was waited for: taken batch by batch,
    /// each with a wait of its own, the last would be answered long after its sender has gone.
    /// What comes in once the first has been answered is not part of it.
    fn refuse(&self, mut jobs: Vec<Job>, queue: &mut mpsc::Receiver<Job>) -> bool {
        let taken = jobs.len();
        jobs.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(QUEUE_REPORTS));
        self.totals.queued.fetch_sub(jobs.len() - taken, Ordering::Relaxed);
        refuse_all(jobs)
    }

    /// Decides, writes and answers one batch; says whether it was the last.
    fn batch(&mut self, jobs: Vec<Job>) -> bool {
        let (now, begun, count) = (self.clock.now(), Instant::now(), jobs.len());
        let mut effects = Effects::default();
        let mut replies = Vec::with_capacity(jobs.len());
        for job in jobs {
            replies.push(self.decide(job, now, &mut effects));
        }
        let committed = if self.suspect {
            self.writer.rollback();
            Err(())
        } else {
            self.writer.commit().map_err(|failure| self.storage_failed(&failure))
        };
        self.chores.runs().settle(committed.is_ok());
        match committed {
            Ok(()) => {
                self.totals.note_batch(count, begun.elapsed(), &self.replay);
                self.totals.commits.fetch_add(1, Ordering::Relaxed);
                self.totals.last_commit.store(now.0, Ordering::Relaxed);
                self.totals.storage_failed.store(false, Ordering::Relaxed);
                if self.ahead {
                    self.reload();
                } else {
                    show::effects(&self.fleet, &self.board, effects);
                }
            }
            Err(()) => {
                self.writer.rollback();
                self.suspect = true;
            }
        }
        let stop = replies.iter().any(|reply| matches!(reply, Reply::Stop(_)));
        let (mut chunks, mut asks) = (Vec::new(), Vec::new());
        for reply in replies {
            match reply {
                Reply::Chunk(chunk) if !stop => chunks.push(chunk),
                Reply::Sample(ask) if !stop => asks.push(ask),
                reply @ (Reply::Report(..)
                | Reply::Announce(..)
                | Reply::Enrol(..)
                | Reply::Command(..)
                | Reply::Chunk(_)
                | Reply::Sample(_)
                | Reply::Stop(_)) => answer(&self.totals, reply, committed.is_ok()),
            }
        }
        self.writer.settle();
        for chunk in chunks {
            self.prune(chunk, now);
        }
        for ask in asks {
            self.sample(ask);
        }
        stop
    }

    /// Reads a page of stored reports.
    fn sample(&mut self, ask: Ask) {
        let page = self.writer.samples(ask.before, ask.limit);
        let _gone = ask.to.send(page).is_err();
    }

    /// Takes out a chunk of what is old, in a transaction of its own: what comes of it has
    /// nothing to do with the reports before and after it.
    fn prune(&mut self, chunk: Chunk, now: UnixSeconds) {
        let pruned = if self.suspect {
            Err(StoreError::Unavailable("it failed, and is tried again".into()))
        } else {
            prune::chunk(self, chunk.what, chunk.after, now)
        };
        // Whoever asked may have gone; what is out is out.
        let _gone = chunk.to.send(pruned).is_err();
    }

    fn decide(&mut self, job: Job, now: UnixSeconds, effects: &mut Effects) -> Reply {
        match job {
            Job::Report(submission, to) => {
                let decided = admit::report(self, &submission, now);
                Reply::Report(to, self.settle(decided, effects), submission)
            }
            Job::Announce(announcement, source, to) => {
                let decided = admit::announcement(self, &announcement, source, now);
                Reply::Announce(to, self.settle(decided, effects))
            }
            Job::Enrol(enrolment, source, to) => {
                let mut decided = admit::enrolment(self, &enrolment, source, now);
                if let Ok((draft, _)) = &mut decided {
                    audit::enrolled(draft, source);
                }
                Reply::Enrol(to, self.settle(decided, effects))
            }
            Job::Command(command, asker, to) => {
                let decided = audit::carry_out(self, command, asker, now);
                let gone = || Err(CommandError::Unavailable("storage is unavailable".into()));
                let result = self.write(decided, effects).unwrap_or_else(gone);
                Reply::Command(to, result)
            }
            Job::Chunk(chunk) => Reply::Chunk(chunk),
            Job::Sample(ask) => Reply::Sample(ask),
            Job::Stop(to) => Reply::Stop(to),
        }
    }

    /// Writes what was decided about what an agent sent.
    fn settle<T>(
        &mut self,
        decided: admit::Decided<T>,
        effects: &mut Effects,
    ) -> Result<T, Rejection> {
        self.write(decided, effects).unwrap_or(Err(Rejection::StorageUnavailable))
    }

    /// Writes what was decided; `None` if storage did not take it.
    fn write<T>(
        &mut self,
        decided: Result<(Draft, T), StoreError>,
        effects: &mut Effects,
    ) -> Option<T> {
        let written = decided.and_then(|(mut draft, result)| {
            causes::attribute(&mut self.fleet, &self.sentry, &mut draft);
            upkeep::follow(&mut self.fleet, &mut draft);
            tell::follow(&mut self.fleet, &mut draft);
            let told = std::mem::take(&mut draft.audit);
            let (mut change, shown) = draft.settle();
            let head = audit::seal(self.fleet.audit, told, &mut change);
            if !change.is_empty() {
                self.writer.record(&change)?;
                self.fleet.audit = head;
            }
            let routes = !change.peers_set.is_empty() || !change.interfaces_set.is_empty();
            Ok((shown, routes, result))
        });
        match written {
            Ok((shown, routes, result)) => {
                self.sentry.graph_changed |= shown.graph;
                self.sentry.watch.routes_changed |= shown.graph || routes;
                self.sentry.causes_changed |= shown.graph || shown.alarms;
                effects.merge(shown);
                Some(result)
            }
            Err(StoreError::Constraint(rule)) => {
                error!(%rule, "One change broke a rule of the schema and was left out");
                self.ahead = true;
                None
            }
            Err(failure) => {
                self.storage_failed(&failure);
                None
            }
        }
    }

    /// Starts from what storage holds.
    fn reload(&mut self) {
        match load::fleet(self.writer.as_mut(), self.settings.report_interval) {
            Ok(fleet) => {
                let before = std::mem::replace(&mut self.fleet, fleet);
                self.fleet.desk.keep_plan(Arc::clone(before.desk.plan()));
                let tuning = Arc::clone(before.book.tuning());
                drop(tune::keep(&mut self.fleet, tuning, self.clock.now()));
                self.replay = ReplayMemory::new(rules(&self.settings, self.seed), REPLAY_AGENTS);
                show::everything(&self.fleet, &self.board);
                self.ahead = false;
            }
            Err(failure) => self.storage_failed(&failure),
        }
    }

    /// Memory may now be ahead of the database: it is loaded again before the next batch.
    fn storage_failed(&mut self, failure: &StoreError) {
        error!(%failure, "Storage did not take a change; reports are refused until it does");
        self.suspect = true;
        self.totals.storage_failed.store(true, Ordering::Relaxed);
    }

    /// Asks storage whether it works again, and if so starts from what it holds.
    fn recover(&mut self) -> Result<(), StoreError> {
        self.writer.begin()?;
        let probe = Change {
            meta: vec![("storage_probe", self.clock.now().to_string())],
            ..Change::default()
        };
        let written = self.writer.record(&probe).and_then(|()| self.writer.commit());
        if let Err(failure) = written {
            self.writer.rollback();
            return Err(failure);
        }
        self.suspect = false;
        self.reload();
        if self.suspect {
            return Err(StoreError::Unavailable("the fleet could not be loaded".into()));
        }
        info!("Storage works again");
        Ok(())
    }
}
