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

    /// How many there were in each of so many stretches one after the other, which begin at a whole
    /// minute and take whole minutes. What counts on waits for one look at all that is kept.
    fn stretches(&self, from: UnixSeconds, step_s: i64, count: i64) -> Vec<u64> {
        let mut sums = vec![0; usize::try_from(count).unwrap_or_default()];
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (minute, more) in kept.iter() {
            let place = (minute * MINUTE_S - from.0).div_euclid(step_s);
            if let Some(sum) = usize::try_from(place).ok().and_then(|place| sums.get_mut(place)) {
                *sum += more;
            }
        }
        sums
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
        let from = UnixSeconds((now.0.div_euclid(step_s) - count + 1) * step_s);
        let of = |counts: &PerMinute| counts.stretches(from, step_s, count);
        let both = of(&self.totals.per_minute).into_iter().zip(of(self.refusals.per_minute()));
        let stretch = |(n, (accepted, refused)): (i64, (u64, u64))| Stretch {
            from: from.plus(n * step_s),
            accepted,
            refused,
        };
        (0..).zip(both).map(stretch).collect()
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
        let minutes = || counts.stretches(T, 60, 61);
        assert_eq!((minutes()[0], minutes()[1], minutes()[60]), (2, 3, 1));
        assert_eq!(counts.stretches(T, 3_600, 2), [5, 1]);
        assert_eq!(counts.stretches(T.plus(60), 60, 2), [3, 0], "nothing of before or after");
        counts.add(T);
        assert_eq!(minutes()[60], 2, "a clock that was set back counts to the last minute");
        for minute in 100..10_000 {
            counts.add(T.plus(minute * 60));
        }
        assert_eq!(counts.0.lock().unwrap().len(), KEPT);
        assert_eq!(counts.stretches(T, 7_200, 1), [0], "the oldest went");
    }
}
