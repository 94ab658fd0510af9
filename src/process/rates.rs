//! How many reports were accepted and refused in each minute of the last day of this run. Bounded
//! whoever sends; a restart forgets it. Must not read a clock.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::handle::Processor;
use crate::model::time::UnixSeconds;

const MINUTE_S: i64 = 60;

/// Minutes that are kept: a day, and the one that runs; 24 KB at most.
const KEPT: usize = 24 * 60 + 1;

/// Counts by minute, oldest first; minutes without any are left out.
#[derive(Debug, Default)]
pub(super) struct PerMinute(Mutex<VecDeque<(i64, u64)>>);

impl PerMinute {
    /// Counts one. What happens while the clock is set back counts to the last minute.
    pub(super) fn add(&self, now: UnixSeconds) {
        let minute = now.0.div_euclid(MINUTE_S);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.back_mut() {
            Some((last, count)) if *last >= minute => *count += 1,
            _ => {
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back((minute, 1));
            }
        }
    }

    /// How many there were from one time until before another, both whole minutes.
    fn between(&self, from: UnixSeconds, to: UnixSeconds) -> u64 {
        let inside = from.0.div_euclid(MINUTE_S)..to.0.div_euclid(MINUTE_S);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|(minute, _)| inside.contains(minute)).map(|(_, count)| count).sum()
    }
}

/// What is told of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When it begins: a whole minute, or hour, since 1970.
    pub from: UnixSeconds,
    /// Reports that were stored.
    pub accepted: u64,
    /// Requests of agents that were refused.
    pub refused: u64,
}

/// How finely, and how far back, is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The last hour by minutes.
    Hour,
    /// The last day by hours.
    Day,
}

impl Span {
    /// Seconds of each stretch, and how many there are.
    pub const fn steps(self) -> (i64, i64) {
        match self {
            Self::Hour => (MINUTE_S, 60),
            Self::Day => (60 * MINUTE_S, 24),
        }
    }
}

impl Processor {
    /// What was accepted and refused lately, oldest first. The last stretch still runs.
    pub fn rates(&self, span: Span, now: UnixSeconds) -> Vec<Stretch> {
        let (step_s, count) = span.steps();
        let running = now.0.div_euclid(step_s);
        let stretch = |n: i64| {
            let (from, to) = (UnixSeconds(n * step_s), UnixSeconds((n + 1) * step_s));
            Stretch {
                from,
                accepted: self.totals.per_minute.between(from, to),
                refused: self.refusals.per_minute().between(from, to),
            }
        };
        (running - count + 1..=running).map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn minutes_are_counted_and_bounded() {
        let counts = PerMinute::default();
        for second in [0, 59, 60, 61, 119, 3_600] {
            counts.add(T.plus(second));
        }
        let of = |from, to| counts.between(T.plus(from), T.plus(to));
        assert_eq!([of(0, 60), of(60, 120), of(120, 3_600), of(0, 7_200)], [2, 3, 0, 6]);
        counts.add(T);
        assert_eq!(of(3_600, 3_660), 2, "a clock that was set back counts to the last minute");
        for minute in 100..10_000 {
            counts.add(T.plus(minute * 60));
        }
        assert_eq!(counts.0.lock().unwrap().len(), KEPT);
        assert_eq!(of(0, 7_200), 0, "the oldest went");
    }
}
