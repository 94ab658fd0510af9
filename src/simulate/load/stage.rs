//! What all workers of a run share: the world, the signer and the counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::clock::Clock;
use crate::sign::ed25519::{SecretKey, agent_id_of};
use crate::sign::nonce;
use crate::simulate::answer::Answer;
use crate::simulate::connection::Letter;
use crate::simulate::envelope::{self, Head, Packed, Scheme, Shape, Signer};
use crate::simulate::summary::Tally;
use crate::simulate::world::World;
use crate::wire::frame::Encoding;

use super::press::{Lent, Press};
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
    shape: Shape,
    pub(super) lent: Lent,
    /// The hosts' own keys, of those that have one.
    keys: Vec<Option<OwnKey>>,
}

/// A host's own key, and how the manager knows it.
#[derive(Debug)]
struct OwnKey {
    secret: SecretKey,
    agent_id: String,
    enrolled: AtomicBool,
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
        let keys = (0..load.world.agents()).map(|host| OwnKey::of(&load, host)).collect();
        Self {
            keys,
            scene: Mutex::new(Scene { world: load.world, ticks }),
            tallies: (0..TALLIES).map(|_| Mutex::default()).collect(),
            signer: load.signer,
            signing: load.signing,
            shape: load.shape,
            lent: Lent::default(),
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
    pub(super) fn envelope(
        &self,
        host: usize,
        press: &mut Press,
    ) -> Result<Option<Letter>, LoadError> {
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
        let scheme = self.signing.scheme(host);
        if scheme == Scheme::V1 {
            return Ok(Some(Letter::json(self.signer.seal_v1(&head, &data))));
        }
        let own = self.key(host).filter(|_| scheme == Scheme::Ed25519);
        let head = Head { agent_id: own.map_or(head.agent_id, |own| &own.agent_id), ..head };
        let known = self.lent.known();
        let pressed = press.press(self.shape, &data, known.as_deref())?;
        let packed = pressed.as_ref().map(|(frame, sent)| Packed { frame, sent });
        Ok(Some(match (packed, own) {
            (None, Some(own)) => Letter::json(envelope::seal_own(&own.secret, &head, &data)),
            (None, None) => Letter::json(self.signer.seal_v2(&head, &data)),
            (Some(packed), Some(own)) => {
                Letter::framed(envelope::frame_own(&own.secret, &head, &packed))
            }
            (Some(packed), None) => Letter::framed(self.signer.frame(&head, &packed)),
        }))
    }

    /// Whether hosts compress, and so want to know the manager's dictionary.
    pub(super) fn compresses(&self) -> bool {
        self.shape == Shape::Framed(Encoding::Zstd)
    }

    fn key(&self, host: usize) -> Option<&OwnKey> {
        self.keys.get(host)?.as_ref()
    }

    /// The registration of a host that has a key of its own and is not known by it yet.
    pub(super) fn registration(&self, host: usize) -> Result<Option<Bytes>, LoadError> {
        let own = self.key(host).filter(|own| !own.enrolled.load(Ordering::Relaxed));
        let Some(own) = own else { return Ok(None) };
        let nonce = nonce::fresh().map_err(LoadError::Randomness)?;
        let scene = lock(&self.scene);
        let Some(face) = scene.world.face(host) else { return Ok(None) };
        let timestamp = (self.clock.now().0 + face.clock_offset).to_string();
        let head = Head {
            agent_id: &own.agent_id,
            fleet_id: Some(face.fleet_id),
            tick: "0",
            timestamp: &timestamp,
            nonce: &nonce,
        };
        Ok(Some(self.signer.enrol(&own.secret, &head).into()))
    }

    /// Whether the manager knows a host's own key: told by its answers.
    pub(super) fn set_enrolled(&self, host: usize, enrolled: bool) {
        if let Some(own) = self.key(host) {
            own.enrolled.store(enrolled, Ordering::Relaxed);
        }
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

impl OwnKey {
    fn of(load: &Load, host: usize) -> Option<Self> {
        (load.signing.scheme(host) == Scheme::Ed25519).then(|| {
            let secret = load.world.own_key(host);
            let agent_id = agent_id_of(&secret.public());
            Self { secret, agent_id, enrolled: AtomicBool::new(load.introduced) }
        })
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
