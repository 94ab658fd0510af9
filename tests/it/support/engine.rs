//! The processor alone, over a real database, with its work counted and its pace in our hands.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::Poll;

use kattila::clock::Clock;
use kattila::model::id::{AgentNo, ReportId};
use kattila::model::metric::Rollups;
use kattila::model::report::{Interface, Route};
use kattila::model::time::UnixSeconds;
use kattila::process::chores::Keep;
use kattila::process::engine::{Enroll, Parts, Settings, Started, start};
use kattila::process::handle::{Processor, Submission};
use kattila::process::newcomers::Room;
use kattila::store::change::Change;
use kattila::store::dictionary::Samples;
use kattila::store::earlier::{Earlier, Known};
use kattila::store::prune::{Limits, Prune, Pruned};
use kattila::store::row::{FleetSnapshot, SessionRow};
use kattila::store::sqlite::desk::Counters;
use kattila::store::sqlite::writer::SqliteWriter;
use kattila::store::sqlite::{Durability, open};
use kattila::store::{Reader, StoreError, Writer};
use kattila::verify::bodies::Suspicion;
use kattila::verify::{Policy, verify_report};

use super::actors::Agent;
use super::manager::{PSK, START};
use crate::wire_vectors::ring;

/// What the writer has done, and whether it may begin another batch.
#[derive(Default)]
struct Shared {
    counters: Counters,
    chunks: Vec<(u64, u64)>,
    closed: bool,
    waiting: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Shared>, Condvar)>);

impl Gate {
    fn with<T>(&self, act: impl FnOnce(&mut Shared) -> T) -> T {
        let result = act(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
        result
    }

    fn pass(&self) {
        self.with(|shared| shared.waiting = true);
        let shared = self.0.0.lock().unwrap();
        let mut shared = self.0.1.wait_while(shared, |shared| shared.closed).unwrap();
        shared.waiting = false;
    }

    pub(crate) fn close(&self) {
        self.with(|shared| shared.closed = true);
    }

    pub(crate) fn open(&self) {
        self.with(|shared| shared.closed = false);
    }

    /// Waits until the writer stands at the closed gate with a batch.
    pub(crate) fn wait_for_writer(&self) {
        let shared = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(shared, |shared| !shared.waiting).unwrap());
    }

    /// Chunks of retention: commits before each, and how many rows it took out.
    pub(crate) fn chunks(&self) -> Vec<(u64, u64)> {
        self.with(|shared| shared.chunks.clone())
    }

    pub(crate) fn counters(&self) -> Counters {
        self.with(|shared| shared.counters)
    }
}

/// The real writer behind the gate.
struct Gated {
    writer: SqliteWriter,
    gate: Gate,
}

impl Gated {
    fn count<T>(&mut self, result: T) -> T {
        let counters = self.writer.counters();
        self.gate.with(|shared| shared.counters = counters);
        result
    }
}

impl Writer for Gated {
    fn load_fleet(&mut self) -> Result<FleetSnapshot, StoreError> {
        self.writer.load_fleet()
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.gate.pass();
        self.writer.begin()
    }

    fn record(&mut self, change: &Change) -> Result<(), StoreError> {
        self.writer.record(change)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let result = self.writer.commit();
        self.count(result)
    }

    fn settle(&mut self) {
        self.writer.settle();
        self.count(());
    }

    fn rollback(&mut self) {
        self.writer.rollback();
    }

    fn sections(&mut self, agent: AgentNo) -> Result<(Vec<Interface>, Vec<Route>), StoreError> {
        self.writer.sections(agent)
    }

    fn earlier(&mut self, agent: AgentNo, what: &Earlier) -> Result<Known, StoreError> {
        self.writer.earlier(agent, what)
    }

    fn samples(&mut self, before: ReportId, limit: usize) -> Result<Samples, StoreError> {
        self.writer.samples(before, limit)
    }

    fn ended_sessions(
        &mut self,
        now: UnixSeconds,
        idle: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.writer.ended_sessions(now, idle, limit)
    }

    fn prune(&mut self, chunk: &Prune) -> Result<Pruned, StoreError> {
        let before = self.writer.counters().commits;
        let result = self.writer.prune(chunk);
        let removed = result.as_ref().map_or(0, |pruned| pruned.removed);
        self.gate.with(|shared| shared.chunks.push((before, removed)));
        self.count(result)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.writer.close()
    }
}

/// A processor of its own.
pub(crate) struct Engine {
    started: Started,
    pub(crate) gate: Gate,
    pub(crate) clock: Clock,
    keep: Keep,
    pub(crate) reader: Arc<dyn Reader>,
}

impl Engine {
    pub(crate) fn start(db: &Path) -> Self {
        Self::start_keeping(db, Keep::default())
    }

    /// A processor that keeps what grows within limits.
    pub(crate) fn start_keeping(db: &Path, keep: Keep) -> Self {
        Self::start_by(db, Clock::manual(START), keep)
    }

    /// Stops it in order and starts another on the same database, by the same clock.
    pub(crate) async fn restarted(self, db: &Path) -> Self {
        let (clock, keep) = (self.clock.clone(), self.keep);
        self.stop().await;
        Self::start_by(db, clock, keep)
    }

    fn start_by(db: &Path, clock: Clock, keep: Keep) -> Self {
        let opened = open(db, Durability::Full).unwrap();
        let gate = Gate::default();
        let settings = Settings {
            report_interval: 30,
            max_skew: 600,
            nonce_window: 120,
            enroll: Enroll::Open,
            v1_repeats: Suspicion::Alarm,
            rate: None,
            room: Room::UNLIMITED,
            keep,
            // Rows of counters are made where a test keeps them.
            rollups: if keep.slots == Limits::default() { Rollups::Off } else { Rollups::All },
        };
        let writer = Gated { writer: opened.writer, gate: gate.clone() };
        let reader: Arc<dyn Reader> = opened.reader;
        let (epoch, seed) = ("e".to_owned(), [1, 2]);
        let parts = Parts {
            writer,
            reader: Arc::clone(&reader),
            epoch,
            seed,
            pseudonyms: [7; 32],
            settings,
            clock: clock.clone(),
        };
        let started = start(parts).unwrap();
        Self { started, gate, clock, keep, reader }
    }

    pub(crate) fn processor(&self) -> &Processor {
        &self.started.processor
    }

    pub(crate) fn agent(&self, id: &str) -> Agent {
        Agent::new(id, "127.0.0.1:1".parse().unwrap(), self.clock.clone())
    }

    pub(crate) async fn stop(self) {
        self.gate.open();
        self.started.processor.stop().await;
        self.started.thread.join().unwrap();
    }
}

/// An envelope as the door hands it on.
pub(crate) fn submission(envelope: String, now: UnixSeconds) -> Submission {
    let ring = ring(&[PSK.as_bytes()]);
    let policy = Policy::default();
    let verified = verify_report(&envelope.into(), &ring, &policy, |_| None, now).unwrap();
    Submission::new(verified, None)
}

/// Sets a future going; whether it now waits.
pub(crate) async fn waits<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
