//! The growing number of this agent's reports.
//!
//! A tick is the present millisecond, or one more than the last tick where that is larger. So
//! an agent that lost its state goes on above everything it ever used, and one whose clock was
//! set back goes on counting. For the second a bound is kept on disk: no tick at or above it
//! was ever used. It is moved ahead by five minutes at a time, one small write for ten reports,
//! and a killed agent skips at most that much.

use std::io;
use std::sync::Arc;

use crate::wire::limits::INTEGER_MAX;

use super::files::Home;

/// The file that holds the bound.
const FILE: &str = "tick";

/// How far the bound is moved ahead, in ticks, which are milliseconds.
const AHEAD: i64 = 300_000;

/// Hands out ticks.
#[derive(Debug)]
pub struct Ticks {
    home: Arc<Home>,
    last: i64,
    bound: i64,
}

impl Ticks {
    /// Goes on where the last run may have ended. A bound that cannot be read is lost state.
    pub fn load(home: Arc<Home>) -> io::Result<Self> {
        let text = home.read(FILE)?.unwrap_or_default();
        let bound = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let bound: i64 = bound.filter(|bound| (1..=INTEGER_MAX).contains(bound)).unwrap_or(0);
        Ok(Self { home, last: (bound - 1).max(0), bound })
    }

    /// The next tick, never used before. If the bound cannot be written the tick is good all
    /// the same: it is only unprotected against a clock that is set back.
    pub fn next(&mut self, now_millis: i64) -> i64 {
        let tick = self.last.saturating_add(1).max(now_millis).clamp(1, INTEGER_MAX);
        self.last = tick;
        if tick >= self.bound {
            let bound = tick.saturating_add(AHEAD).min(INTEGER_MAX);
            match self.home.write(FILE, bound.to_string().as_bytes()) {
                Ok(()) => self.bound = bound,
                Err(error) => tracing::warn!(%error, "The tick cannot be kept on disk"),
            }
        }
        tick
    }

    /// Leaves out so many seconds' worth of ticks: the manager knows higher ones than we do.
    pub fn skip(&mut self, seconds: i64) {
        self.last = self.last.saturating_add(seconds.saturating_mul(1000)).min(INTEGER_MAX - 1);
    }

    /// Puts the bound right behind the last tick, at a stop in order.
    pub fn settle(&mut self) -> io::Result<()> {
        if self.last == 0 || self.bound == self.last + 1 {
            return Ok(());
        }
        self.bound = self.last.saturating_add(1);
        self.home.write(FILE, self.bound.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn time_while_it_goes_forward_and_one_more_while_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = Arc::new(Home::open(dir.path()).unwrap());
        let mut ticks = Ticks::load(Arc::clone(&home)).unwrap();
        let got: Vec<_> = [5_000, 5_000, 9_000, 100].map(|now| ticks.next(now)).into();
        assert_eq!(got, [5_000, 5_001, 9_000, 9_001]);
        ticks.settle().unwrap();
        assert_eq!(Ticks::load(Arc::clone(&home)).unwrap().next(0), 9_002);
    }

    #[test]
    fn lost_state_is_replaced_by_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let home = Arc::new(Home::open(dir.path()).unwrap());
        for lost in ["", "x", "-5", "99999999999999999999", "9007199254740993"] {
            home.write(FILE, lost.as_bytes()).unwrap();
            assert_eq!(
                Ticks::load(Arc::clone(&home)).unwrap().next(7_000_000),
                7_000_000,
                "{lost}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Whatever the clock does and whenever the agent is killed, ticks grow.
        #[test]
        fn ticks_grow_over_kills_and_clocks(
            steps in proptest::collection::vec((0_i64..2_000_000, 0_u8..4), 1..40)
        ) {
            let dir = tempfile::tempdir().unwrap();
            let home = Arc::new(Home::open(dir.path()).unwrap());
            let mut ticks = Ticks::load(Arc::clone(&home)).unwrap();
            let mut last = 0;
            for (now, act) in steps {
                match act {
                    0 => ticks = Ticks::load(Arc::clone(&home)).unwrap(),
                    1 => ticks.settle().unwrap(),
                    _ => {}
                }
                let tick = ticks.next(now);
                prop_assert!(tick > last && tick >= now);
                last = tick;
            }
        }
    }
}
