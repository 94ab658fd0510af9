//! Which of an agent's reports tell of the present, whatever order they arrive in.
//!
//! Pure. What is remembered of an agent follows from its stored reports, so that a restart in
//! the middle of a backlog goes on where the run before it was.

use crate::alarms::rules::agent::{Patience, is_late};
use crate::model::time::UnixSeconds;
use crate::store::earlier::EarlierReport;

/// When a report was made, on its host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Made {
    /// When its values were read.
    pub(super) measured_at: UnixSeconds,
    /// When it was signed.
    pub(super) signed_at: UnixSeconds,
    /// Its counter, where the scheme has one.
    pub(super) tick: Option<i64>,
}

impl Made {
    fn of(row: &EarlierReport) -> Self {
        Self { measured_at: row.measured_at(), signed_at: row.timestamp, tick: row.tick }
    }
}

/// How far an agent's reports have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// When the present values were read.
    measured_at: UnixSeconds,
    /// When the last report to arrive was signed.
    signed_at: UnixSeconds,
    /// The highest counter.
    tick: Option<i64>,
}

impl Order {
    /// As the stored reports leave it; oldest first.
    pub(super) fn after(rows: &[EarlierReport], patience: &Patience) -> Self {
        let mut order = Self::default();
        for row in rows {
            order.take(Made::of(row), patience);
        }
        order
    }

    /// Takes a report; whether it tells of the past: signed long after its values were read, or
    /// overtaken by a newer one.
    ///
    /// A host whose clock was set back is not late: its time of signing went back as well, while
    /// its counter, if it has one, went on.
    pub(super) fn take(&mut self, made: Made, patience: &Patience) -> bool {
        let signed_before = std::mem::replace(&mut self.signed_at, made.signed_at);
        let tick_before = self.tick;
        self.tick = self.tick.max(made.tick);
        let overtaken = made.measured_at < self.measured_at && made.signed_at >= signed_before;
        let out_of_turn = made.tick.is_some() && made.tick < tick_before;
        let late = overtaken || out_of_turn || is_late(made.measured_at, made.signed_at, patience);
        if !late {
            self.measured_at = made.measured_at;
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_800_000_000;
    const PATIENCE: Patience = Patience::usual(30, UnixSeconds(0));

    fn late(order: &mut Order, measured: i64, signed: i64, tick: Option<i64>) -> bool {
        let (measured_at, signed_at) = (UnixSeconds(T + measured), UnixSeconds(T + signed));
        order.take(Made { measured_at, signed_at, tick }, &PATIENCE)
    }

    #[test]
    fn newest_first_then_history() {
        let mut order = Order::default();
        assert!(!late(&mut order, 0, 0, Some(5)));
        assert!(late(&mut order, -30, 1, Some(6)));
        assert!(late(&mut order, -9_000, 2, Some(7)));
        assert!(!late(&mut order, 30, 30, Some(8)));
    }

    #[test]
    fn what_was_overtaken_on_its_way() {
        let mut order = Order::default();
        assert!(!late(&mut order, 60, 60, Some(9)));
        assert!(late(&mut order, 30, 30, Some(8)));
        assert!(!late(&mut order, 90, 90, Some(10)));
    }

    #[test]
    fn a_clock_that_was_set_back() {
        for ticks in [[Some(1), Some(2), Some(3)], [None; 3]] {
            let mut order = Order::default();
            assert!(!late(&mut order, 400, 400, ticks[0]));
            assert!(!late(&mut order, 0, 0, ticks[1]));
            assert!(!late(&mut order, 30, 30, ticks[2]));
        }
    }
}
