//! The chore that learns a dictionary from stored reports when there is none, when the one there
//! is no longer fits what is reported, or when it has become old.
//!
//! Reports are read in small pages between two batches; learning and trying take a thread of their
//! own. The same reports give the same dictionary.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::debug;

use super::handle::{Command, CommandError, Processor};
use super::reply::{Ask, Job};
use crate::model::id::ReportId;
use crate::model::time::UnixSeconds;
use crate::pack::dictionary::{
    Dictionary, SAMPLE_BYTES, SAMPLES_MAX, SAMPLES_MIN, Untrained, measure,
};
use crate::store::dictionary::{DictionaryRecord, Samples};

/// Reports read at a time: about as long as a few reports take to be written.
const PAGE: usize = 32;

/// Newest reports that a dictionary is tried on.
const TRIED: usize = 128;

/// Seconds after which another one is learnt.
const OLD_S: i64 = 7 * 86_400;

/// By how much reports may come out larger than when it was made, in percent.
const WORSE_PERCENT: u128 = 120;

impl Processor {
    /// Learns a dictionary if it is time; adds to `rows` how many.
    pub(super) async fn train_dictionary(&self, rows: &mut u64) -> Result<(), CommandError> {
        let now = self.clock.now();
        let recent = self.gather(TRIED).await?;
        if let Some(known) = recent.newest.clone().filter(|known| now.since(known.made_at) < OLD_S)
            && !beside(move || has_drifted(&known, &recent.envelopes)).await?
        {
            return Ok(());
        }
        let samples = self.gather(SAMPLES_MAX).await?.envelopes;
        if samples.len() < SAMPLES_MIN {
            return Ok(());
        }
        if let Some(record) = beside(move || learn(&samples, now)).await? {
            self.command(Command::Dictionary(record)).await?;
            *rows += 1;
        }
        Ok(())
    }

    /// The newest stored reports, as many as may be looked at, without those that are damaged.
    async fn gather(&self, limit: usize) -> Result<Samples, CommandError> {
        let mut all = Samples { envelopes: Vec::new(), next: ReportId(i64::MAX), newest: None };
        let mut bytes = 0;
        while all.envelopes.len() < limit {
            let (to, result) = oneshot::channel();
            let ask = Ask { before: all.next, limit: PAGE.min(limit - all.envelopes.len()), to };
            self.send(Job::Sample(ask)).await.map_err(|_closed| gone())?;
            let page = result.await.map_err(|_dropped| gone())?;
            let page = page.map_err(|failure| CommandError::Unavailable(failure.to_string()))?;
            if page.next == all.next {
                break;
            }
            (all.next, all.newest) = (page.next, page.newest);
            let sound = page.envelopes.into_iter().filter(|envelope| !envelope.is_empty());
            for envelope in sound {
                bytes += envelope.len();
                if bytes > SAMPLE_BYTES {
                    return Ok(all);
                }
                all.envelopes.push(envelope);
            }
        }
        Ok(all)
    }
}

fn gone() -> CommandError {
    CommandError::Unavailable("the processor has stopped".into())
}

/// Does what takes long away from everybody else.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Untrained> + Send + 'static,
) -> Result<T, CommandError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_panicked| CommandError::Unavailable("the work broke off".into()))?;
    done.map_err(|failure| CommandError::Unavailable(failure.to_string()))
}

/// Whether reports pack worse with it than they did when it was made.
fn has_drifted(known: &DictionaryRecord, samples: &[Vec<u8>]) -> Result<bool, Untrained> {
    let dictionary = Dictionary::new(known.bytes.clone())?;
    let (plain, packed) = measure(samples, Some(&dictionary))?;
    let now = packed as u128 * u128::from(known.sample_bytes) * 100;
    let then = u128::from(known.packed_bytes) * plain as u128 * WORSE_PERCENT;
    Ok(now > then)
}

/// Learns from samples, newest first; `None` if they are too much the same, or too odd.
fn learn(samples: &[Vec<u8>], now: UnixSeconds) -> Result<Option<DictionaryRecord>, Untrained> {
    let made = match Dictionary::train(samples) {
        Err(Untrained::Samples(why)) => {
            debug!(why, "No dictionary can be learnt from what is stored");
            return Ok(None);
        }
        other => Arc::new(other?),
    };
    let tried = samples.get(..TRIED).unwrap_or(samples);
    let (plain, packed) = measure(tried, Some(&made))?;
    Ok(Some(DictionaryRecord {
        id: made.id().clone(),
        bytes: made.bytes().clone(),
        made_at: now,
        sample_bytes: plain as u64,
        packed_bytes: packed as u64,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(of: &str) -> Vec<Vec<u8>> {
        let text = |n: u32| {
            let noise = n.wrapping_mul(2_654_435_761);
            format!("{{\"{of}-name\":\"{of}-{noise}\",\"{of}-list\":[{noise},{n},\"{of}{n}\"]}}")
        };
        (0..400).map(|n| text(n).repeat(3).into_bytes()).collect()
    }

    #[test]
    fn what_fits_stays_and_other_reports_are_noticed() {
        let now = UnixSeconds(1_795_000_000);
        let known = learn(&texts("interface"), now).unwrap().unwrap();
        assert_eq!(learn(&texts("interface"), now).unwrap().as_ref(), Some(&known));
        assert!(known.packed_bytes * 2 < known.sample_bytes);
        assert_eq!(has_drifted(&known, &texts("interface")), Ok(false));
        assert_eq!(has_drifted(&known, &texts("neighbour")), Ok(true));
        assert_eq!(has_drifted(&known, &[]), Ok(false));
        assert_eq!(learn(&texts("x")[..1], now), Ok(None));
    }
}
