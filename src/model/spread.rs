//! How measured values are spread: counts within fixed bounds, added to by whoever measures and read
//! by whoever looks, without a lock. Decides nothing, and knows no clock: a time is a number here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of times in microseconds: from a statement in memory to a disk that hangs.
pub const TIMES: &[u64] = &[
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 1_000_000,
    5_000_000,
];

/// Bounds of how many are done at once.
pub const COUNTS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Counts of values within bounds.
#[derive(Debug)]
pub struct Spread {
    /// Upper bounds, ascending, each inclusive.
    bounds: &'static [u64],
    /// One for each bound, and one for what is beyond the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Spread {
    /// Nothing measured yet.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Adds a value.
    pub fn add(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Adds a time, in microseconds.
    pub fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was added until now.
    pub fn told(&self) -> Told {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let buckets = bounds.zip(self.counts.iter().map(count)).collect();
        Told { buckets, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// A spread at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Upper bound, `None` for what is beyond all bounds, and how many values are within it and not
    /// within the one before.
    pub buckets: Vec<(Option<u64>, u64)>,
    /// All values together.
    pub sum: u64,
}

impl Told {
    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_within_the_first_bound_that_holds_them() {
        let spread = Spread::new(&[1, 4]);
        for value in [0, 1, 2, 4, 5, 1_000] {
            spread.add(value);
        }
        let told = spread.told();
        assert_eq!(told.buckets, [(Some(1), 2), (Some(4), 2), (None, 2)]);
        assert_eq!((told.sum, told.count()), (1_012, 6));
        spread.add_time(Duration::from_micros(3));
        assert_eq!(spread.told().buckets[1], (Some(4), 3));
        assert!(TIMES.is_sorted() && COUNTS.is_sorted());
    }
}
