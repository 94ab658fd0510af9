//! Pushes the reports of a made-up world to a manager and counts the answers.
//!
//! Fair to the manager: a fixed number of keep-alive connections, at most one report in flight
//! on each, every agent always on the same connection.

mod press;
mod stage;
mod worker;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::pack::NoMemory;

use self::stage::Stage;
use self::worker::Worker;
use super::envelope::{Scheme, Shape, Signer};
use super::pace::{self, Pace, Timetable};
use super::summary::{Progress, Summary};
use super::target::Target;
use super::world::World;

/// The most connections of one run; a loopback address has about 28,000 ports to give.
pub const MOST_CONNECTIONS: usize = 10_000;

/// How long answers that are under way at the end of a run are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Load {
    /// The manager.
    pub target: Target,
    /// The hosts.
    pub world: World,
    /// Signs for all of them.
    pub signer: Signer,
    /// How hosts sign.
    pub signing: Signing,
    /// Which shape reports of version 2 have.
    pub shape: Shape,
    /// Whether the manager knows the hosts' own keys from an earlier run.
    pub introduced: bool,
    /// How reports follow each other.
    pub pace: Pace,
    /// Connections at once; never more than hosts or [`MOST_CONNECTIONS`].
    pub connections: NonZeroUsize,
    /// When to end; `None` runs until stopped.
    pub duration: Option<Duration>,
    /// Tells the time that reports carry.
    pub clock: Clock,
}

/// How the hosts of a run sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// All the same way.
    All(Scheme),
    /// Every eighth host is a first-generation agent and reports half as often, since the
    /// manager remembers 120 nonces of such an agent for ten minutes and refuses more.
    Mixed,
}

impl Signing {
    fn scheme(self, host: usize) -> Scheme {
        match self {
            Self::All(scheme) => scheme,
            Self::Mixed if host % 8 == 7 => Scheme::V1,
            Self::Mixed => Scheme::V2,
        }
    }

    fn interval(self, host: usize, interval: Duration) -> Duration {
        match (self, self.scheme(host)) {
            (Self::Mixed, Scheme::V1) => interval * 2,
            (Self::Mixed | Self::All(_), _) => interval,
        }
    }
}

/// Why a run ended before its time.
#[derive(Debug, Error)]
pub enum LoadError {
    /// There is nobody to report.
    #[error("there is no host to report: ask for at least one agent")]
    NoHosts,
    /// The rate cannot be kept.
    #[error("a rate of {0} reports per second cannot be kept: ask for a number above 0")]
    Rate(f64),
    /// The operating system gave no randomness.
    #[error("the operating system gave no random bytes for a nonce")]
    Randomness(#[source] getrandom::Error),
    /// There is no memory to compress.
    #[error(transparent)]
    Memory(NoMemory),
    /// The operating system gave no thread.
    #[error("the pacing thread could not be started")]
    Thread(#[source] std::io::Error),
    /// A task of the generator itself broke down.
    #[error("a task of the load generator failed")]
    Task(#[source] tokio::task::JoinError),
}

/// Runs until `load.duration` is over or `stop` is cancelled, and tells of its progress once a
/// second.
///
/// # Errors
/// When the run cannot begin or the generator itself fails; refused reports are no error.
pub async fn run(
    load: Load,
    stop: &CancellationToken,
    tell: impl FnMut(Progress),
) -> Result<Summary, LoadError> {
    if load.world.agents() == 0 {
        return Err(LoadError::NoHosts);
    }
    if let Pace::Rate(rate) = load.pace
        && !(rate.is_finite() && rate > 0.0)
    {
        return Err(LoadError::Rate(rate));
    }
    let (stop, start) = (stop.child_token(), Instant::now());
    let connections = load.connections.get().min(load.world.agents()).min(MOST_CONNECTIONS);
    let (pace, duration) = (load.pace, load.duration);
    let target = Arc::new(load.target.clone());
    let stage = Arc::new(Stage::new(load));
    let mut workers = JoinSet::new();
    let mut pacing = Vec::new();
    for number in 0..connections {
        let worker = Worker::new(number, connections, &target, &stage, &stop);
        match pace {
            Pace::Closed => workers.spawn(worker.run_closed()),
            Pace::Rate(_) => {
                let (turns, inbox) = tokio::sync::mpsc::unbounded_channel();
                pacing.push(turns);
                workers.spawn(worker.run_at(inbox))
            }
            Pace::Fleet { interval, spread } => workers.spawn(worker.run_fleet(interval, spread)),
        };
    }
    let pacer = match pace {
        Pace::Rate(per_second) => {
            let timetable = Timetable { start: Instant::now(), per_second };
            Some(pace::keep_time(timetable, pacing, stop.clone()).map_err(LoadError::Thread)?)
        }
        Pace::Closed | Pace::Fleet { .. } => None,
    };
    let watched =
        watch(&stage, &stop, duration.map(|d| start + d), start, &mut workers, tell).await;
    stop.cancel();
    let finished = finish(&mut workers).await;
    if let Some(pacer) = pacer {
        // It looks at `stop` every 50 ms and has nothing to return.
        tokio::task::spawn_blocking(move || pacer.join().is_ok()).await.map_err(LoadError::Task)?;
    }
    let elapsed = watched?;
    finished?;
    Ok(stage.total().summary(elapsed))
}

/// Moves the world on and tells of progress until the end; returns how long the run took.
async fn watch(
    stage: &Stage,
    stop: &CancellationToken,
    end: Option<Instant>,
    start: Instant,
    workers: &mut JoinSet<Result<(), LoadError>>,
    mut tell: impl FnMut(Progress),
) -> Result<Duration, LoadError> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(start.elapsed()),
            () = until(end) => return Ok(start.elapsed()),
            Some(ended) = workers.join_next() => ended.map_err(LoadError::Task)??,
            _ = second.tick() => {
                stage.step();
                tell(stage.total().progress(start.elapsed()));
            }
        }
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end.into()).await,
        None => std::future::pending().await,
    }
}

/// Lets the workers take in the answers that are under way.
async fn finish(workers: &mut JoinSet<Result<(), LoadError>>) -> Result<(), LoadError> {
    while let Some(ended) = workers.join_next().await {
        ended.map_err(LoadError::Task)??;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
