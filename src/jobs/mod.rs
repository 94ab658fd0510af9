//! What happens by time: one function per timer, one table that says how often.
//!
//! With the system's clock every timer is a task. A manager on a hand-turned clock starts none
//! of them: its test takes the same steps itself, when it turned the clock.

pub mod arrange;
pub mod audit;
pub mod disk;
pub mod keys;
pub mod pulse;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::Clock;
use crate::delivery::deliverer::Deliverer;
use crate::keys::keeper::Keeper;
use crate::process::chores::Chore;
use crate::process::handle::Processor;
use crate::process::places::Arranger;
use crate::store::Reader;

/// How often silence, delays and refusals are looked at. A second is the unit of every limit.
const TICK: Duration = Duration::from_secs(1);

/// How often the chores are asked which of them is due; each has a period of its own.
const CHORES: Duration = Duration::from_secs(1);

/// How often changes of the picture are sent: at most twice a second (MAP 5).
const PUBLISH: Duration = Duration::from_millis(500);

/// How often nodes without a place are given one. The first look of a new fleet waits this long.
const ARRANGE: Duration = Duration::from_millis(700);

/// The longest rest between two looks, however long the last one took (MAP 4), of a fleet of up to
/// [`MANY`] nodes,
const ARRANGE_REST: Duration = Duration::from_secs(2);

/// and of a larger one, of which one look takes seconds.
const ARRANGE_REST_OF_MANY: Duration = Duration::from_secs(15);

/// The largest fleet that is arranged as soon as a small one.
const MANY: usize = 10_000;

/// How often the disk of the database is looked at.
const DISK: Duration = Duration::from_secs(30);

/// How often it is asked whether the audit is to be looked at.
const AUDIT: Duration = Duration::from_secs(10);

/// What the timers work with.
#[derive(Debug, Clone)]
pub struct Context {
    /// Takes their commands.
    pub processor: Processor,
    /// The key ring.
    pub keeper: Arc<Keeper>,
    /// The time.
    pub clock: Clock,
    /// Every place on the map.
    pub arranger: Arc<Arranger>,
    /// Carries messages to people.
    pub deliverer: Deliverer,
    /// Whether keys may be stored.
    pub keep_keys: bool,
    /// The database's file.
    pub database: PathBuf,
    /// Committed state.
    pub reader: Arc<dyn Reader>,
    /// What is known of the audit.
    pub audit: Arc<audit::Watched>,
}

/// Starts every timer.
pub fn start(context: &Context, stop: &CancellationToken, tasks: &mut JoinSet<()>) {
    context.processor.chores().promise();
    let c = context.clone();
    every(TICK, stop, tasks, move || tick(c.clone()));
    let (c, until) = (context.clone(), stop.clone());
    tasks.spawn(async move {
        until.run_until_cancelled(chores_for_ever(c)).await;
    });
    let c = context.clone();
    every(PUBLISH, stop, tasks, move || {
        publish(&c);
        std::future::ready(())
    });
    let c = context.clone();
    every(DISK, stop, tasks, move || disk::look(c.clone()));
    let c = context.clone();
    every(AUDIT, stop, tasks, move || audit::look(c.clone()));
    tasks.spawn(context.deliverer.clone().run(stop.clone()));
    let (c, until) = (context.clone(), stop.clone());
    tasks.spawn(async move {
        until.run_until_cancelled(arrange_for_ever(c)).await;
    });
    let (c, until) = (context.clone(), stop.clone());
    tasks.spawn(async move {
        until.run_until_cancelled(keys::poll(c)).await;
    });
    let (c, until) = (context.clone(), stop.clone());
    tasks.spawn(async move {
        until.run_until_cancelled(keys::news(c)).await;
    });
}

/// Takes every step once, as all timers together would.
pub async fn step(context: &Context) {
    tick(context.clone()).await;
    context.processor.run_chore(Chore::Sweep).await;
    context.processor.run_due().await;
    arrange::run(context.clone()).await;
    audit::look(context.clone()).await;
    context.deliverer.step().await;
    publish(context);
}

/// Runs a job again and again until `stop`. A job that takes longer than its period delays the
/// next one; none is made up for.
fn every<F, J>(period: Duration, stop: &CancellationToken, tasks: &mut JoinSet<()>, job: F)
where
    F: Fn() -> J + Send + 'static,
    J: Future<Output = ()> + Send,
{
    let stop = stop.clone();
    tasks.spawn(async move {
        let mut beat = tokio::time::interval(period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(beat.tick()).await.is_some() {
            job().await;
        }
    });
}

/// Arranges, then rests ten times as long as that took, to a bound: a large fleet that is just
/// arriving must not cost the reports a core, nor keep a single newcomer off the map for minutes.
async fn arrange_for_ever(context: Context) {
    loop {
        let began = tokio::time::Instant::now();
        arrange::run(context.clone()).await;
        let nodes = context.processor.board().node_count();
        tokio::time::sleep(rest(began.elapsed(), nodes)).await;
    }
}

/// How long to rest after arranging, which took so long, a fleet of so many nodes.
fn rest(took: Duration, nodes: usize) -> Duration {
    let most = if nodes <= MANY { ARRANGE_REST } else { ARRANGE_REST_OF_MANY };
    (took * 10).clamp(ARRANGE, most)
}

async fn tick(context: Context) {
    if let Err(failure) = context.processor.tick().await {
        warn!(%failure, "The timers could not be looked at");
    }
}

/// Runs the chores that are due. One that takes long ends with the manager between two of its
/// steps, and goes on after the next start.
async fn chores_for_ever(context: Context) {
    loop {
        context.processor.run_due().await;
        tokio::time::sleep(CHORES).await;
    }
}

fn publish(context: &Context) {
    context.processor.board().publish(context.clock.now());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_wait_two_seconds_at_most_unless_there_are_very_many() {
        for (took_ms, nodes, rest_ms) in [
            (1, 100, 700),
            (150, 100, 1500),
            (900, 10_000, 2000),
            (900, 10_001, 9000),
            (4000, 100_000, 15_000),
        ] {
            let rested = rest(Duration::from_millis(took_ms), nodes);
            assert_eq!(rested, Duration::from_millis(rest_ms), "{took_ms} ms, {nodes} nodes");
        }
    }
}
