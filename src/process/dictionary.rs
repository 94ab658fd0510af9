//! The chore that learns dictionaries from stored reports: one to pack what is stored with, when
//! there is none, when the one there is no longer fits what is reported, or when it has become old;
//! and one that agents are told, to compress what they send. Anybody may fetch the second one, so it
//! is learnt from reports without their values (`wire::scrub`), and only when the one there is no
//! longer fits: every agent that compresses fetches it.
//!
//! Reports are read in small pages between two batches; learning and trying take a thread of their
//! own. The same reports give the same dictionary.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::debug;

use super::handle::{Command, CommandError, Processor};
use super::reply::{Ask, Job};
use crate::model::id::{FrameDictId, ReportId};
use crate::model::time::UnixSeconds;
use crate::pack::dictionary::{
    DICTIONARY_BYTES, Dictionary, FRAME_DICTIONARY_BYTES, SAMPLE_BYTES, SAMPLES_MAX, SAMPLES_MIN,
    Untrained, measure,
};
use crate::sign::digest::sha256;
use crate::store::dictionary::{DictionaryRecord, FrameDictionary, Learnt, Samples};
use crate::verify::shelf::Shelf;
use crate::verify::stored;
use crate::wire::scrub::scrub;

/// Reports read at a time: about as long as a few reports take to be written.
const PAGE: usize = 32;

/// Newest reports that a dictionary is tried on.
const TRIED: usize = 128;

/// Seconds after which another one is learnt.
const OLD_S: i64 = 7 * 86_400;

/// By how much reports may come out larger than when it was made, in percent.
const WORSE_PERCENT: u128 = 120;

impl Processor {
    /// Learns dictionaries if it is time; adds to `rows` how many.
    pub(super) async fn train_dictionary(&self, rows: &mut u64) -> Result<(), CommandError> {
        self.train_for_store(rows).await?;
        self.train_for_agents(rows).await
    }

    async fn train_for_store(&self, rows: &mut u64) -> Result<(), CommandError> {
        let now = self.clock.now();
        let recent = self.gather(TRIED).await?.without_compressed();
        if let Some(known) = recent.newest.clone().filter(|known| now.since(known.made_at) < OLD_S)
            && !beside(move || has_drifted(&known, &recent.envelopes)).await?
        {
            return Ok(());
        }
        let samples = self.gather(SAMPLES_MAX).await?.without_compressed().envelopes;
        if samples.len() < SAMPLES_MIN {
            return Ok(());
        }
        if let Some(record) = beside(move || learn(&samples, now)).await? {
            self.command(Command::Dictionary(Learnt::ForStore(record))).await?;
            *rows += 1;
        }
        Ok(())
    }

    async fn train_for_agents(&self, rows: &mut u64) -> Result<(), CommandError> {
        let now = self.clock.now();
        let recent = self.gather(TRIED).await?;
        let shelf = Arc::clone(&self.shelf);
        if let Some(known) = recent.newest_frame
            && !beside(move || {
                let forms = forms(&recent.envelopes, &shelf);
                worse(&known.bytes, (known.sample_bytes, known.packed_bytes), &forms)
            })
            .await?
        {
            return Ok(());
        }
        let samples = self.gather(SAMPLES_MAX).await?.envelopes;
        if samples.len() < SAMPLES_MIN {
            return Ok(());
        }
        let shelf = Arc::clone(&self.shelf);
        let learnt = beside(move || {
            let forms = forms(&samples, &shelf);
            trained(&forms, FRAME_DICTIONARY_BYTES)
        });
        if let Some((made, sample_bytes, packed_bytes)) = learnt.await? {
            let (id, bytes) = (FrameDictId::of_digest(&sha256(made.bytes())), made.bytes().clone());
            let record = FrameDictionary {
                id,
                bytes: bytes.clone(),
                made_at: now,
                sample_bytes,
                packed_bytes,
            };
            self.command(Command::Dictionary(Learnt::ForAgents(record))).await?;
            // Nobody is told of it before it is stored.
            self.shelf.put(bytes).map_err(|error| CommandError::Unavailable(error.to_string()))?;
            *rows += 1;
        }
        Ok(())
    }

    /// The newest stored reports, as many as may be looked at, without those that are damaged.
    async fn gather(&self, limit: usize) -> Result<Samples, CommandError> {
        let mut all = Samples {
            envelopes: Vec::new(),
            next: ReportId(i64::MAX),
            newest: None,
            newest_frame: None,
        };
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
            all.newest_frame = page.newest_frame;
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

impl Samples {
    /// Without those that agents compressed: they have nothing in common with others.
    fn without_compressed(mut self) -> Self {
        self.envelopes.retain(|envelope| !stored::is_compressed(envelope));
        self
    }
}

/// What reports say without their values.
fn forms(envelopes: &[Vec<u8>], shelf: &Shelf) -> Vec<Vec<u8>> {
    let said = envelopes.iter().filter_map(|envelope| stored::data(envelope, shelf));
    said.zip(0..).map(|(data, seed)| scrub(&data, seed)).collect()
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
    worse(&known.bytes, (known.sample_bytes, known.packed_bytes), samples)
}

/// Whether samples pack worse with a dictionary than others did: so many bytes to so many.
fn worse(
    dictionary: &Bytes,
    (sample_bytes, packed_bytes): (u64, u64),
    samples: &[Vec<u8>],
) -> Result<bool, Untrained> {
    let dictionary = Dictionary::new(dictionary.clone())?;
    let (plain, packed) = measure(samples, Some(&dictionary))?;
    let now = packed as u128 * u128::from(sample_bytes) * 100;
    let then = u128::from(packed_bytes) * plain as u128 * WORSE_PERCENT;
    Ok(now > then)
}

/// Learns from samples, newest first; `None` if they are too much the same, or too odd.
fn learn(samples: &[Vec<u8>], now: UnixSeconds) -> Result<Option<DictionaryRecord>, Untrained> {
    Ok(trained(samples, DICTIONARY_BYTES)?.map(|(made, sample_bytes, packed_bytes)| {
        let (id, bytes) = (made.id().clone(), made.bytes().clone());
        DictionaryRecord { id, bytes, made_at: now, sample_bytes, packed_bytes }
    }))
}

/// A dictionary, and how many bytes some samples are as they are and packed with it.
fn trained(samples: &[Vec<u8>], size: usize) -> Result<Option<(Dictionary, u64, u64)>, Untrained> {
    let made = match Dictionary::train(samples, size) {
        Err(Untrained::Samples(why)) => {
            debug!(why, "No dictionary can be learnt from what is stored");
            return Ok(None);
        }
        other => other?,
    };
    let tried = samples.get(..TRIED).unwrap_or(samples);
    let (plain, packed) = measure(tried, Some(&made))?;
    Ok(Some((made, plain as u64, packed as u64)))
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
