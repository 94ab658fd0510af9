//! How many reports were accepted and refused: by minutes for an hour, by hours for a day. Bounded
//! whoever sends. Must not read a clock.
//!
//! Once a minute, if anything came, and at the end of a run the counts go into a small value of the
//! database, which the next start reads with all others. So a restart keeps them, and a kill loses
//! those of its last minute.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::engine::Engine;
use super::handle::Processor;
use crate::model::time::UnixSeconds;

const MINUTE_S: i64 = 60;

/// Minutes of an hour, after which minutes are counted together.
const HOUR: i64 = 60;

/// Hours that are kept: a day, and the one that runs.
const HOURS: i64 = 25;

/// The small value that keeps the counts, some 3 KB at most.
pub(super) const KEPT: &str = "reports.rates";

/// Counts, oldest first, each under the minute since 1970 in which its stretch begins; stretches
/// without any are left out. 61 minutes and 25 hours at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    hours: VecDeque<(i64, u64)>,
    minutes: VecDeque<(i64, u64)>,
}

impl Counts {
    /// Counts one. What happens while the clock is set back counts to the last minute.
    fn add(&mut self, minute: i64) {
        match self.minutes.back_mut() {
            Some((last, count)) if *last >= minute => *count += 1,
            _ => {
                self.minutes.push_back((minute, 1));
                self.fold(minute);
            }
        }
    }

    /// Puts minutes that are over for an hour together, and drops hours that are over for a day.
    fn fold(&mut self, minute: i64) {
        while let Some((old, count)) = self.minutes.front().copied()
            && old < minute - HOUR
        {
            self.minutes.pop_front();
            let hour = old - old.rem_euclid(HOUR);
            match self.hours.back_mut() {
                Some((last, sum)) if *last >= hour => *sum += count,
                _ => self.hours.push_back((hour, count)),
            }
        }
        while self.hours.front().is_some_and(|(hour, _)| *hour <= minute - HOURS * HOUR) {
            self.hours.pop_front();
        }
    }
}

/// Counts that several threads add to.
#[derive(Debug, Default)]
pub(super) struct PerMinute(Mutex<Counts>);

impl PerMinute {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one.
    pub(super) fn add(&self, now: UnixSeconds) {
        self.lock().add(now.0.div_euclid(MINUTE_S));
    }

    /// How many there were in each of so many stretches one after the other: minutes of the last hour
    /// or hours of the last day. What counts on waits for one look at all that is kept.
    fn stretches(&self, from: UnixSeconds, step_s: i64, count: i64) -> Vec<u64> {
        let mut sums = vec![0; usize::try_from(count).unwrap_or_default()];
        let kept = self.lock();
        for (minute, more) in kept.hours.iter().chain(&kept.minutes) {
            let place = (minute * MINUTE_S - from.0).div_euclid(step_s);
            if let Some(sum) = usize::try_from(place).ok().and_then(|place| sums.get_mut(place)) {
                *sum += more;
            }
        }
        sums
    }
}

/// What the database keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    since: UnixSeconds,
    accepted: Counts,
    refused: Counts,
}

impl Kept {
    /// What an earlier run kept; of a text that cannot be read, that counting begins now.
    pub(super) fn restored(kept: Option<&str>, now: UnixSeconds) -> Self {
        let begun = Self { since: now, ..Self::default() };
        kept.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(begun)
    }

    /// The counts to go on from: of what was accepted, and of what was refused.
    pub(super) fn counts(self) -> (Rates, PerMinute) {
        let accepted = PerMinute(Mutex::new(self.accepted));
        let rates = Rates { accepted, since: self.since, ..Rates::default() };
        (rates, PerMinute(Mutex::new(self.refused)))
    }
}

/// What was accepted, since when that is counted, and what of it is stored.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Reports that were stored.
    pub(super) accepted: PerMinute,
    since: UnixSeconds,
    /// When the counts were last looked at to be stored, in minutes since 1970, and what was stored.
    stored: Mutex<(i64, Kept)>,
}

impl Rates {
    /// What is to be stored now, if anything is: once a minute what changed, and at the end of a run.
    fn due(&self, refused: &PerMinute, now: UnixSeconds, last: bool) -> Option<String> {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.0.div_euclid(MINUTE_S);
        if stored.0 == minute && !last {
            return None;
        }
        let (accepted, refused) = (self.accepted.lock().clone(), refused.lock().clone());
        let kept = Kept { since: self.since, accepted, refused };
        stored.0 = minute;
        if stored.1 == kept {
            return None;
        }
        let text = serde_json::to_string(&kept).ok()?;
        stored.1 = kept;
        Some(text)
    }
}

/// Has the counts stored when it is time.
pub(super) fn follow(engine: &Engine, draft: &mut Draft, last: bool) {
    let due = engine.totals.rates.due(engine.refusals.per_minute(), draft.now, last);
    draft.change.meta.extend(due.map(|text| (KEPT, text)));
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
        let refused = of(self.refusals.per_minute());
        let both = of(&self.totals.rates.accepted).into_iter().zip(refused);
        let stretch = |(n, (accepted, refused)): (i64, (u64, u64))| Stretch {
            from: from.plus(n * step_s),
            accepted,
            refused,
        };
        (0..).zip(both).map(stretch).collect()
    }

    /// Since when that is counted, over all runs on this database.
    pub fn rates_since(&self) -> UnixSeconds {
        self.totals.rates.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn minutes(n: i64) -> UnixSeconds {
        T.plus(60 * n)
    }

    #[test]
    fn minutes_are_counted_and_bounded() {
        let counts = PerMinute::default();
        for second in [0, 59, 60, 61, 119, 3_600] {
            counts.add(T.plus(second));
        }
        let per_minute = || counts.stretches(T, 60, 61);
        assert_eq!((per_minute()[0], per_minute()[1], per_minute()[60]), (2, 3, 1));
        assert_eq!(counts.stretches(T, 3_600, 2), [5, 1]);
        assert_eq!(counts.stretches(T.plus(60), 60, 2), [3, 0], "nothing of before or after");
        counts.add(T);
        assert_eq!(per_minute()[60], 2, "a clock that was set back counts to the last minute");
    }

    #[test]
    fn an_hour_is_told_by_minutes_and_a_day_by_hours_and_no_more_is_kept() {
        let counts = PerMinute::default();
        for minute in 0..10_000 {
            counts.add(minutes(minute));
            counts.add(minutes(minute));
        }
        let kept = counts.lock().clone();
        assert_eq!(kept.minutes.len(), 61);
        assert!(kept.hours.len() <= 25, "{kept:?}");
        let last = minutes(9_999);
        assert_eq!(counts.stretches(last.minus(59 * 60), 60, 60), [2; 60]);
        // The hour that runs has 40 minutes.
        let from = last.minus(39 * 60).minus(23 * 3_600);
        let hours = counts.stretches(from, 3_600, 24);
        assert_eq!((&hours[..23], hours[23]), (&[120; 23][..], 80));
    }

    #[test]
    fn what_is_stored_goes_on_and_is_stored_once_a_minute_and_only_when_something_came() {
        let (rates, refused) = Kept::restored(None, T).counts();
        let first = rates.due(&refused, T, false).expect("since when");
        rates.accepted.add(T.plus(1));
        assert_eq!(rates.due(&refused, T.plus(59), false), None, "a minute has not passed");
        refused.add(T.plus(59));
        let second = rates.due(&refused, T.plus(60), false).expect("what came");
        assert_ne!(first, second);
        for minute in 2..100 {
            assert_eq!(rates.due(&refused, minutes(minute), false), None, "nothing came");
        }
        rates.accepted.add(minutes(99));
        let last = rates.due(&refused, minutes(99), true).expect("the end of a run");
        let (again, refused) = Kept::restored(Some(&last), minutes(200)).counts();
        assert_eq!(again.since, T);
        assert_eq!(again.accepted.stretches(T, 3_600, 2), [1, 1]);
        assert_eq!(refused.stretches(T, 3_600, 2), [1, 0]);
        let (broken, _) = Kept::restored(Some("{"), minutes(5)).counts();
        assert_eq!(broken.since, minutes(5));
    }
}
