//! What version 1 leaves open and this narrows: neither time nor nonce is signed, so a recorded
//! report can be sent again under a fresh nonce, for ever.
//!
//! An agent's own habits give such a report away: bodies that have never repeated and now do,
//! and a time inside the signed bytes that used to follow the clock and now does not. Hosts
//! whose bodies repeat by nature never built up the habit and are left alone (PROTOCOL 4, A1).

use std::str::FromStr;

use thiserror::Error;

use crate::model::time::UnixSeconds;

/// Reports that make a habit. At the usual interval five minutes; enough that a host with still
/// counters has repeated itself.
pub const HABIT: usize = 10;

/// How far back a repeated body is looked for: a day of reports is what the table can be asked
/// for at any speed.
pub const LOOK_BACK_S: i64 = 86_400;

/// What to do about a version 1 report that looks recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Suspicion {
    /// Take it and raise an alarm.
    #[default]
    Alarm,
    /// Raise an alarm and refuse it.
    Refuse,
    /// Nothing; do not even look.
    Off,
}

impl FromStr for Suspicion {
    type Err = InvalidSuspicion;
    fn from_str(word: &str) -> Result<Self, InvalidSuspicion> {
        match word {
            "alarm" => Ok(Self::Alarm),
            "refuse" => Ok(Self::Refuse),
            "off" => Ok(Self::Off),
            _ => Err(InvalidSuspicion),
        }
    }
}

/// Not a word for [`Suspicion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be alarm, refuse or off")]
pub struct InvalidSuspicion;

/// One accepted body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    /// SHA-256 of `data` as received.
    pub data_sha256: [u8; 32],
    /// The time inside it, on the host's clock.
    pub collected_at: Option<UnixSeconds>,
    /// When it was accepted.
    pub received_at: UnixSeconds,
}

/// One agent's last version 1 bodies: 100 bytes, whatever is sent.
#[derive(Debug, Clone, Default)]
pub struct Bodies {
    digests: [u64; HABIT],
    /// How many of `digests` are in use.
    len: usize,
    /// Which of them is replaced next.
    next: usize,
    /// Reports in a row whose inner time was within the limit, up to [`HABIT`].
    on_time: usize,
    /// The youngest inner time.
    newest: Option<UnixSeconds>,
}

impl Bodies {
    /// Takes one more.
    pub fn note(&mut self, body: &Body, max_skew: i64) {
        if let Some(slot) = self.digests.get_mut(self.next) {
            *slot = prefix(&body.data_sha256);
        }
        self.next = (self.next + 1) % HABIT;
        self.len = (self.len + 1).min(HABIT);
        self.on_time = match body.collected_at {
            Some(at) if is_near(at, body.received_at, max_skew) => (self.on_time + 1).min(HABIT),
            _ => 0,
        };
        self.newest = self.newest.max(body.collected_at);
    }

    /// Whether the time inside has always been right, and now is not.
    pub fn lost_time(&self, collected_at: Option<UnixSeconds>, now: UnixSeconds, max: i64) -> bool {
        self.on_time == HABIT && collected_at.is_some_and(|at| !is_near(at, now, max))
    }

    /// Whether this body, if it was seen before, would be a surprise: the last ones all
    /// differed. A body with a younger time inside than any before cannot have been seen; one
    /// of the same second, of an agent in a hurry, only just now.
    pub fn expects_new(&self, collected_at: Option<UnixSeconds>, data_sha256: &[u8; 32]) -> bool {
        let is_new = match (collected_at, self.newest) {
            (Some(at), Some(newest)) if at == newest => {
                !self.digests.contains(&prefix(data_sha256))
            }
            (Some(at), Some(newest)) => at > newest,
            (Some(_), None) => true,
            (None, _) => false,
        };
        self.len == HABIT && !is_new && self.all_differ()
    }

    fn all_differ(&self) -> bool {
        let mut sorted = self.digests;
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair.first() != pair.last())
    }
}

fn is_near(at: UnixSeconds, clock: UnixSeconds, max: i64) -> bool {
    at.since(clock).unsigned_abs() <= max.unsigned_abs()
}

/// Eight bytes tell ten bodies apart.
fn prefix(digest: &[u8; 32]) -> u64 {
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);
    const SKEW: i64 = 600;

    fn body(number: u8, collected_at: Option<UnixSeconds>) -> Body {
        Body { data_sha256: [number; 32], collected_at, received_at: T.plus(number.into()) }
    }

    fn after(bodies: impl IntoIterator<Item = Body>) -> Bodies {
        let mut seen = Bodies::default();
        for body in bodies {
            seen.note(&body, SKEW);
        }
        seen
    }

    #[test]
    fn ten_different_bodies_make_a_repeat_a_surprise() {
        assert!(!after((0..9).map(|n| body(n, None))).expects_new(None, &[7; 32]));
        assert!(after((0..10).map(|n| body(n, None))).expects_new(None, &[7; 32]));
        assert!(after((0..30).map(|n| body(n, None))).expects_new(None, &[7; 32]));
        // A host that repeats itself, even once in ten, may go on doing so.
        assert!(!after((0..30).map(|n| body(n % 9, None))).expects_new(None, &[7; 32]));
        assert!(!after((0..30).map(|_| body(1, None))).expects_new(None, &[7; 32]));
    }

    #[test]
    fn a_younger_time_inside_is_no_repeat() {
        let at = |n: u8| Some(T.plus(n.into()));
        let seen = after((0..10).map(|n| body(n, at(n))));
        assert!(!seen.expects_new(at(10), &[3; 32]));
        assert!(seen.expects_new(at(3), &[3; 32]) && seen.expects_new(None, &[3; 32]));
        assert!(seen.expects_new(at(9), &[9; 32]) && !seen.expects_new(at(9), &[99; 32]));
    }

    #[test]
    fn a_time_that_was_right_ten_times_is_held_to_the_limit() {
        let right = |n: u8| body(n, Some(T.plus(n.into())));
        let seen = after((0..10).map(right));
        let lost = |at: i64| seen.lost_time(Some(T.plus(at)), T, SKEW);
        assert!(!lost(-600) && !lost(600) && lost(-601) && lost(601));
        assert!(!seen.lost_time(None, T, SKEW));
        assert!(!after((0..9).map(right)).lost_time(Some(T.minus(9_000)), T, SKEW));
        // A clock that has been wrong itself says nothing.
        let wrong = (0..10).map(right).chain([body(10, Some(T.minus(9_000)))]);
        assert!(!after(wrong).lost_time(Some(T.minus(9_000)), T, SKEW));
        let untold = (0..10).map(right).chain([body(10, None)]);
        assert!(!after(untold).lost_time(Some(T.minus(9_000)), T, SKEW));
    }

    #[test]
    fn words() {
        assert_eq!("alarm".parse(), Ok(Suspicion::Alarm));
        assert_eq!("refuse".parse(), Ok(Suspicion::Refuse));
        assert_eq!("off".parse(), Ok(Suspicion::Off));
        assert_eq!("on".parse::<Suspicion>(), Err(InvalidSuspicion));
    }
}
