//! Counts by answer and latency percentiles of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::answer::Answer;

/// The longest latency told apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;
/// Significant decimal digits of a latency; three take about 160 KB per histogram.
const DIGITS: u8 = 3;

/// Running counts; workers share a few of these.
#[derive(Debug)]
pub struct Tally {
    answers: BTreeMap<String, u64>,
    stored: u64,
    sent: u64,
    bytes: u64,
    unsent: u64,
    latency_us: Option<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            answers: BTreeMap::new(),
            stored: 0,
            sent: 0,
            bytes: 0,
            unsent: 0,
            // Fails only for bounds that make no sense.
            latency_us: Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok(),
        }
    }
}

impl Tally {
    /// Counts one answer to an envelope of `bytes`, `latency` after its intended start.
    pub fn count(&mut self, answer: &Answer, bytes: usize, latency: Duration) {
        self.sent += 1;
        self.bytes += u64::try_from(bytes).unwrap_or(0);
        if *answer == Answer::Stored {
            self.stored += 1;
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            if let Some(histogram) = &mut self.latency_us {
                histogram.saturating_record(micros.max(1));
            }
        } else {
            *self.answers.entry(answer.label().into_owned()).or_default() += 1;
        }
    }

    /// Counts reports whose turn never came before the run ended.
    pub fn count_unsent(&mut self, reports: u64) {
        self.unsent += reports;
    }

    /// Adds everything that `other` counted.
    pub fn add(&mut self, other: &Self) {
        self.stored += other.stored;
        self.sent += other.sent;
        self.bytes += other.bytes;
        self.unsent += other.unsent;
        for (label, count) in &other.answers {
            *self.answers.entry(label.clone()).or_default() += count;
        }
        if let (Some(mine), Some(theirs)) = (&mut self.latency_us, &other.latency_us) {
            // Same bounds, so nothing can be out of range.
            mine.add(theirs).unwrap_or_default();
        }
    }

    /// How far the run is.
    pub const fn progress(&self, elapsed: Duration) -> Progress {
        Progress { elapsed, sent: self.sent, stored: self.stored, bytes: self.bytes }
    }

    /// The final account of a run of `elapsed`.
    pub fn summary(&self, elapsed: Duration) -> Summary {
        let seconds = elapsed.as_secs_f64();
        let mut answers = self.answers.clone();
        if self.stored > 0 {
            answers.insert(Answer::Stored.label().into_owned(), self.stored);
        }
        let at = |quantile| {
            let micros = self.latency_us.as_ref().map_or(0, |h| h.value_at_quantile(quantile));
            micros as f64 / 1000.0
        };
        Summary {
            seconds,
            sent: self.sent,
            stored: self.stored,
            stored_per_second: if seconds > 0.0 { self.stored as f64 / seconds } else { 0.0 },
            unsent: self.unsent,
            bytes_sent: self.bytes,
            answers,
            latency_ms: Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p99_9: at(0.999),
                max: at(1.0),
            },
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Time since the start.
    pub elapsed: Duration,
    /// Reports answered or lost so far.
    pub sent: u64,
    /// Reports acknowledged so far.
    pub stored: u64,
    /// Bytes of envelopes sent so far.
    pub bytes: u64,
}

/// The account of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How long it took.
    pub seconds: f64,
    /// Reports answered or lost.
    pub sent: u64,
    /// Reports acknowledged with 200 `ok`.
    pub stored: u64,
    /// Acknowledged reports per second.
    pub stored_per_second: f64,
    /// At a constant rate: reports whose turn never came because answers were too slow.
    pub unsent: u64,
    /// Bytes of envelopes, without HTTP heads.
    pub bytes_sent: u64,
    /// How often each answer came.
    pub answers: BTreeMap<String, u64>,
    /// Milliseconds from the (intended) start to the answer, over acknowledged reports.
    pub latency_ms: Latency,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// Nine in ten were faster.
    pub p90: f64,
    /// 99 in 100 were faster.
    pub p99: f64,
    /// 999 in 1,000 were faster.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.bytes_sent as f64 / 1e6;
        writeln!(f, "{} reports ({megabytes:.1} MB) in {:.1} s", self.sent, self.seconds)?;
        writeln!(f, "{} acknowledged, {:.0} per second", self.stored, self.stored_per_second)?;
        if self.unsent > 0 {
            writeln!(f, "{} not sent: the answers were too slow for the rate", self.unsent)?;
        }
        for (label, count) in &self.answers {
            writeln!(f, "  {count:>12}  {label}")?;
        }
        let Latency { p50, p90, p99, p99_9, max } = self.latency_ms;
        write!(
            f,
            "latency of acknowledged reports, ms: p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2}, \
             p99.9 {p99_9:.2}, max {max:.2}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_percentiles_add_up_over_tallies() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        for milli in 1..=1000 {
            let tally = if milli % 2 == 0 { &mut one } else { &mut other };
            tally.count(&Answer::Stored, 10, Duration::from_millis(milli));
        }
        let refused = Answer::Refused { status: 503, code: "overloaded".into(), retry_after: None };
        other.count(&refused, 10, Duration::from_secs(90));
        one.add(&other);
        let summary = one.summary(Duration::from_secs(10));
        assert_eq!((summary.sent, summary.stored, summary.bytes_sent), (1001, 1000, 10_010));
        assert_eq!(summary.answers["503 overloaded"], 1);
        assert!((summary.latency_ms.p50 - 500.0).abs() < 1.0, "{summary}");
        assert!((summary.latency_ms.p99 - 990.0).abs() < 1.0, "{summary}");
        assert!((summary.latency_ms.max - 1000.0).abs() < 1.0, "refusals are not latencies");
        assert!((summary.stored_per_second - 100.0).abs() < 0.1);
    }

    #[test]
    fn the_summary_is_plain_json() {
        let json = serde_json::to_value(Tally::default().summary(Duration::ZERO)).unwrap();
        assert_eq!(json["stored"], 0);
        assert_eq!(json["latency_ms"]["p99.9"], 0.0);
    }
}
