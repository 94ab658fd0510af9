//! Takes what is due out of the outbox, sends it, and has the processor record what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::beat::Beat;
use super::way::Ways;
use crate::clock::Clock;
use crate::keys::keeper::Keeper;
use crate::model::id::NotificationId;
use crate::notify::attempt::Outcome;
use crate::notify::plan::Plan;
use crate::process::handle::{Command, Processor};
use crate::process::wish::Wish;
use crate::store::Reader;
use crate::store::notice::MessageRecord;

/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_secs(1);

/// What a deliverer works with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Records what was sent.
    pub processor: Processor,
    /// The outbox.
    pub reader: Arc<dyn Reader>,
    /// The key ring, whose state the heartbeat tells.
    pub keeper: Arc<Keeper>,
    /// The time.
    pub clock: Clock,
}

/// The deliverer; copies share everything.
#[derive(Debug, Clone)]
pub struct Deliverer(Arc<Inner>);

/// The plan in force, and what is wrong with the one that was to replace it.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The plan in force.
    pub plan: Arc<Plan>,
    /// What is wrong with the file as it is now: it is not in force. Empty if it is.
    pub mistakes: Vec<String>,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    standing: RwLock<Standing>,
    ways: RwLock<Arc<Ways>>,
    /// Channels that a message is on its way to.
    busy: Mutex<BTreeSet<String>>,
    /// What came of attempts that storage did not take down yet: they are not made again.
    unrecorded: Mutex<BTreeMap<NotificationId, Outcome>>,
    beat: Beat,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deliverer {
    /// A deliverer without any way.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            standing: RwLock::default(),
            ways: RwLock::default(),
            busy: Mutex::default(),
            unrecorded: Mutex::default(),
            beat: Beat::default(),
        }))
    }

    /// The heartbeat, for those who show how it fares.
    pub fn beat(&self) -> &Beat {
        &self.0.beat
    }

    /// Sets up the ways of a plan; what is under way goes on by the old ones.
    pub fn adopt(&self, plan: Arc<Plan>) {
        let ways = Arc::new(Ways::of(&plan));
        *self.0.ways.write().unwrap_or_else(PoisonError::into_inner) = ways;
        self.0.beat.adopt(plan.heartbeat.as_ref());
        let mut standing = self.0.standing.write().unwrap_or_else(PoisonError::into_inner);
        *standing = Standing { plan, mistakes: Vec::new() };
    }

    /// Notes that the file changed to something that cannot be used.
    pub fn refuse(&self, mistakes: Vec<String>) {
        self.0.standing.write().unwrap_or_else(PoisonError::into_inner).mistakes = mistakes;
    }

    /// The plan in force, and what is wrong with the one that was to replace it.
    pub fn standing(&self) -> Standing {
        self.0.standing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks into the outbox until `stop`. What is under way then is sent again after the next
    /// start, under the same name.
    pub async fn run(self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way = JoinSet::new();
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            while under_way.try_join_next().is_some() {}
            for one in self.due().await {
                under_way.spawn(one);
            }
            if self.0.beat.is_due(self.0.parts.clock.now()) {
                let this = self.clone();
                under_way.spawn(async move { this.0.beat.send(&this.0.parts).await });
            }
        }
    }

    /// Sends what is due, message after message, and the heartbeat if that is due.
    pub async fn step(&self) {
        if self.0.beat.is_due(self.0.parts.clock.now()) {
            self.0.beat.send(&self.0.parts).await;
        }
        loop {
            let due = self.due().await;
            if due.is_empty() {
                return;
            }
            join_all(due).await;
        }
    }

    /// What is due, each ready to be sent, one per channel.
    async fn due(&self) -> Vec<impl Future<Output = ()> + Send + use<>> {
        let Parts { reader, clock, .. } = &self.0.parts;
        let (reader, now) = (Arc::clone(reader), clock.now());
        let found = tokio::task::spawn_blocking(move || reader.due_notifications(now)).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(failure)) => {
                warn!(%failure, "The outbox could not be looked into");
                Vec::new()
            }
            Err(_stopped) => Vec::new(),
        };
        let mut busy = lock(&self.0.busy);
        let free = found.into_iter().filter(|message| busy.insert(message.channel.clone()));
        free.map(|message| self.clone().carry(message)).collect()
    }

    /// Sends one message and has it recorded.
    async fn carry(self, message: MessageRecord) {
        // Whatever ends this, the channel is free again.
        let _free = Free { of: Arc::clone(&self.0), channel: message.channel.clone() };
        let known = lock(&self.0.unrecorded).get(&message.id).cloned();
        let outcome = match known {
            Some(outcome) => outcome,
            None => self.send(&message).await,
        };
        let wish = Wish::Settle { id: message.id, outcome: outcome.clone() };
        match self.0.parts.processor.command(Command::Tell(wish)).await {
            Ok(_done) => {
                lock(&self.0.unrecorded).remove(&message.id);
            }
            Err(failure) => {
                warn!(notification = message.id.0, %failure, "What came of it was not recorded");
                lock(&self.0.unrecorded).insert(message.id, outcome);
                // Storage is not asked again at once.
                if self.0.parts.clock.is_system() {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    async fn send(&self, message: &MessageRecord) -> Outcome {
        let ways = Arc::clone(&self.0.ways.read().unwrap_or_else(PoisonError::into_inner));
        let outcome = ways.send(message, self.0.parts.clock.now()).await;
        let (notification, channel) = (message.id.0, &message.channel);
        match &outcome {
            Outcome::Taken => info!(notification, channel, "A notification was taken"),
            Outcome::Failed { why, .. } => {
                warn!(
                    notification,
                    channel, why, "A notification was not taken, and will be tried again"
                );
            }
            Outcome::Refused { why } => {
                warn!(notification, channel, why, "A notification was refused and is given up");
            }
        }
        outcome
    }
}

/// Frees a channel when it goes.
struct Free {
    of: Arc<Inner>,
    channel: String,
}

impl Drop for Free {
    fn drop(&mut self) {
        lock(&self.of.busy).remove(&self.channel);
    }
}
