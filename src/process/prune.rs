//! Taking out what is old, a chunk at a time, each in a transaction of its own between two batches.

use tokio::sync::oneshot;

use super::admit;
use super::engine::Engine;
use super::handle::{CommandError, Processor};
use super::reply::{Chunk, Job};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::prune::{Limits, Prunable, Prune, Pruned};
use crate::verify::bodies::{LOOK_BACK_S, Suspicion};

impl Processor {
    /// Takes out chunk after chunk. Each waits in the queue like a report, so at most one comes
    /// between two batches.
    pub(super) async fn prune(&self, what: Prunable, rows: &mut u64) -> Result<(), CommandError> {
        let mut after = 0;
        loop {
            let chunk = self.prune_chunk(what, after).await?;
            *rows += chunk.removed;
            match chunk.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// Takes out one chunk of what is behind its limits; resolves after the commit.
    pub async fn prune_chunk(&self, what: Prunable, after: i64) -> Result<Pruned, CommandError> {
        let gone = || CommandError::Unavailable("the processor has stopped".into());
        let (answer, result) = oneshot::channel();
        let chunk = Chunk { what, after, to: answer };
        self.send(Job::Chunk(chunk)).await.map_err(|_closed| gone())?;
        let pruned = result.await.map_err(|_dropped| gone())?;
        pruned.map_err(|failure| CommandError::Unavailable(failure.to_string()))
    }
}

/// Takes out one chunk, between two batches.
pub(super) fn chunk(
    engine: &mut Engine,
    what: Prunable,
    after: i64,
    now: UnixSeconds,
) -> Result<Pruned, StoreError> {
    let settings = &engine.settings;
    let keep = &settings.keep;
    // What is not rolled up yet stays, too.
    let rolled_s = engine.rollup.holds_s(now);
    let replay_s = admit::looks_back_s(settings.max_skew).max(rolled_s);
    let replay_v1_s = match settings.v1_repeats {
        Suspicion::Off => replay_s,
        Suspicion::Alarm | Suspicion::Refuse => replay_s.max(LOOK_BACK_S),
    };
    let limits = match what {
        Prunable::Reports => keep.reports,
        Prunable::Events => keep.events,
        Prunable::Alarms | Prunable::Notifications => keep.alarms,
        Prunable::FineMetrics => keep.slots,
        Prunable::HourlyMetrics => keep.hours,
        Prunable::FreePages => Limits::default(),
    };
    engine.writer.prune(&Prune { what, limits, now, replay_s, replay_v1_s, after })
}
