//! Time for pacing. What is due is due after a while, whatever somebody does to the clock.

use std::time::Instant;

use crate::clock::Clock;
use crate::model::time::UnixSeconds;

/// One moment, told by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970 by the host's clock: for what is signed and told.
    pub wall: i64,
    /// Milliseconds that only ever grow: for what is due. Their beginning means nothing.
    pub pulse: i64,
}

impl Now {
    /// The present second by the host's clock.
    pub fn second(self) -> UnixSeconds {
        UnixSeconds(self.wall.div_euclid(1000))
    }
}

/// Tells both times.
#[derive(Debug, Clone)]
pub struct Pulse {
    clock: Clock,
    started: Instant,
}

impl Pulse {
    /// Begins to count. With a test's clock both times are that clock's.
    pub fn new(clock: Clock) -> Self {
        Self { clock, started: Instant::now() }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        let wall = self.clock.now_millis();
        let elapsed = || i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Now { wall, pulse: if self.clock.is_system() { elapsed() } else { wall } }
    }
}

/// Milliseconds moved by up to so many percent either way, so that many agents do not act at
/// once. Without randomness they do, and nothing else is lost.
pub fn spread(millis: i64, percent: i64) -> i64 {
    let mut random = [128];
    getrandom::fill(&mut random).unwrap_or_default();
    spread_by(millis, percent, random[0])
}

fn spread_by(millis: i64, percent: i64, random: u8) -> i64 {
    let reach = millis.saturating_mul(percent) / 100;
    let offset = reach.saturating_mul(2).saturating_mul(i64::from(random)) / 255;
    millis.saturating_sub(reach).saturating_add(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_drives_both_times() {
        let clock = Clock::manual(UnixSeconds(100));
        let pulse = Pulse::new(clock.clone());
        clock.set(UnixSeconds(160));
        assert_eq!(pulse.now(), Now { wall: 160_000, pulse: 160_000 });
        assert_eq!(pulse.now().second(), UnixSeconds(160));
    }

    #[test]
    fn the_pulse_is_no_wall_clock() {
        let now = Pulse::new(Clock::system()).now();
        assert!(now.pulse < now.wall);
    }

    #[test]
    fn the_spread_reaches_as_far_as_it_says() {
        assert_eq!(spread_by(60_000, 50, 0), 30_000);
        assert_eq!(spread_by(60_000, 50, 255), 90_000);
        assert!((30_000..=90_000).contains(&spread(60_000, 50)));
    }
}
