//! How restless a thing is: a penalty for each time that its alarm comes or goes, which halves
//! with time, and two thresholds, so that what begins to flap does so for a while.
//!
//! The penalty belongs to a kind and a subject, not to one alarm: it outlives alarms and restarts.

use crate::model::time::UnixSeconds;

/// Thousandths of one raise or clear.
const ONE: i64 = 1_000;

/// From this on a thing flaps: four changes at once, or more over a longer time.
const BEGINS: i64 = 4 * ONE;

/// Below this it does so no more, once it has been steady for [`STEADY_S`].
const ENDS: i64 = ONE;

/// However often it changes, it is calm after three quarters of an hour.
const MOST: i64 = 16 * ONE;

/// Below this a penalty says nothing any more.
const SPENT: i64 = ONE / 10;

/// Seconds in which a penalty halves.
const HALF_LIFE_S: f64 = 600.0;

/// Seconds without a change before anything is called steady.
const STEADY_S: i64 = 600;

/// A penalty as of its last change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flap {
    /// How much, in thousandths of one change.
    pub penalty: i64,
    /// When that was.
    pub at: UnixSeconds,
}

impl Flap {
    /// One more change.
    #[must_use]
    pub fn hit(self, now: UnixSeconds) -> Self {
        Self { penalty: (self.by(now) + ONE).min(MOST), at: now }
    }

    /// Whether so much is flapping.
    pub const fn begins(self) -> bool {
        self.penalty >= BEGINS
    }

    /// When it is calm, if nothing changes until then.
    pub fn calm_at(self) -> UnixSeconds {
        self.at.plus(seconds_until(self.penalty, ENDS).max(STEADY_S))
    }

    /// Whether it need not be remembered.
    pub fn is_spent(self, now: UnixSeconds) -> bool {
        self.by(now) < SPENT
    }

    /// What is left of the penalty.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most 16,000, and whole thousandths are precise enough"
    )]
    fn by(self, now: UnixSeconds) -> i64 {
        let halves = now.since(self.at).max(0) as f64 / HALF_LIFE_S;
        (self.penalty as f64 * (-halves).exp2()).round() as i64
    }
}

/// Seconds until a penalty has fallen below another one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "at most 16,000, and 2,400 seconds"
)]
fn seconds_until(penalty: i64, below: i64) -> i64 {
    if penalty < below {
        return 0;
    }
    ((penalty as f64 / below as f64).log2() * HALF_LIFE_S).floor() as i64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn hits(times: &[i64]) -> Flap {
        times.iter().fold(Flap::default(), |flap, at| flap.hit(T.plus(*at)))
    }

    #[test]
    fn four_at_once_or_more_over_a_longer_time() {
        assert!(!hits(&[0, 0, 0]).begins() && hits(&[0, 0, 0, 0]).begins());
        assert!(!hits(&[0, 60, 120, 180]).begins());
        assert!(hits(&[0, 60, 120, 180, 240]).begins());
        // One change per half-life never comes to more than two.
        let slow: Vec<i64> = (0..50).map(|n| n * 600).collect();
        assert_eq!(hits(&slow).penalty, 2 * ONE);
        assert!(!hits(&slow).begins());
    }

    #[test]
    fn calm_after_the_penalty_and_ten_minutes() {
        // 4 halves twice to 1, and must be below.
        let four = hits(&[0, 0, 0, 0]);
        assert_eq!(four.calm_at(), T.plus(1_201));
        assert!(four.by(T.plus(1_201)) <= ENDS && four.by(T.plus(1_199)) > ENDS);
        assert_eq!(hits(&[0]).calm_at(), T.plus(600));
        // Whatever came before, there is an end.
        assert_eq!(hits(&[0; 1_000]).calm_at(), T.plus(2_401));
        assert!(hits(&[0; 1_000]).is_spent(T.plus(4_400)) && !hits(&[0]).is_spent(T.plus(1_900)));
        assert!(hits(&[0]).is_spent(T.plus(2_000)));
    }

    #[test]
    fn a_clock_that_goes_back_forgives_nothing() {
        let flap = hits(&[0, 0]).hit(T.minus(99_999));
        assert_eq!(flap.penalty, 3 * ONE);
    }
}
