//! What all workers of a run share: the world, the signer and the counts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::sign::nonce;
use crate::simulate::answer::Answer;
use crate::simulate::envelope::{Head, Signer};
use crate::simulate::summary::Tally;
use crate::simulate::world::World;

use super::{Load, LoadError, Signing};

/// Counts are kept in so many places, so that workers seldom wait for each other.
const TALLIES: usize = 16;

/// The shared part of a run.
#[derive(Debug)]
pub(super) struct Stage {
    scene: Mutex<Scene>,
    tallies: Vec<Mutex<Tally>>,
    signer: Signer,
    signing: Signing,
    clock: Clock,
}

#[derive(Debug)]
struct Scene {
    world: World,
    /// The last tick of every host.
    ticks: Vec<i64>,
}

impl Stage {
    pub(super) fn new(load: Load) -> Self {
        let ticks = vec![0; load.world.agents()];
        Self {
            scene: Mutex::new(Scene { world: load.world, ticks }),
            tallies: (0..TALLIES).map(|_| Mutex::default()).collect(),
            signer: load.signer,
            signing: load.signing,
            clock: load.clock,
        }
    }

    /// Lets the world's time pass.
    pub(super) fn step(&self) {
        lock(&self.scene).world.step(self.clock.now());
    }

    pub(super) fn hosts(&self) -> usize {
        lock(&self.scene).world.agents()
    }

    pub(super) fn interval(&self, host: usize, interval: Duration) -> Duration {
        self.signing.interval(host, interval)
    }

    /// A host's report, signed; `None` while the host is away.
    pub(super) fn envelope(&self, host: usize) -> Result<Option<Bytes>, LoadError> {
        let millis = self.clock.now_millis();
        let mut scene = lock(&self.scene);
        let Some((data, head)) = scene.speak(host, millis) else { return Ok(None) };
        drop(scene);
        let nonce = nonce::fresh().map_err(LoadError::Randomness)?;
        let head = Head {
            agent_id: &head.agent_id,
            fleet_id: Some(&head.fleet_id),
            tick: &head.tick.to_string(),
            timestamp: &head.timestamp.to_string(),
            nonce: &nonce,
        };
        Ok(Some(self.signer.seal(self.signing.scheme(host), &head, &data).into()))
    }

    /// Counts an answer that worker number `worker` got.
    pub(super) fn count(&self, worker: usize, answer: &Answer, bytes: usize, latency: Duration) {
        if let Some(tally) = self.tallies.get(worker % TALLIES) {
            lock(tally).count(answer, bytes, latency);
        }
    }

    pub(super) fn count_unsent(&self, worker: usize, reports: u64) {
        if let Some(tally) = self.tallies.get(worker % TALLIES) {
            lock(tally).count_unsent(reports);
        }
    }

    /// Everything counted so far.
    pub(super) fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in &self.tallies {
            total.add(&lock(tally));
        }
        total
    }
}

/// The parts of an envelope's head that the world decides.
struct Said {
    agent_id: String,
    fleet_id: String,
    tick: i64,
    timestamp: i64,
}

impl Scene {
    fn speak(&mut self, host: usize, millis: i64) -> Option<(Vec<u8>, Said)> {
        let now = crate::model::time::UnixSeconds(millis / 1000);
        let data = self.world.report(host, now)?;
        let face = self.world.face(host)?;
        let last = self.ticks.get_mut(host)?;
        *last = millis.max(*last + 1);
        let said = Said {
            agent_id: face.agent_id.to_owned(),
            fleet_id: face.fleet_id.to_owned(),
            tick: *last,
            timestamp: now.0 + face.clock_offset,
        };
        Some((data, said))
    }
}

/// A worker that panicked while it held the lock leaves whole counts behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
