//! "So many within so long", counted exactly over a sliding window.

use std::collections::VecDeque;

use crate::model::time::UnixSeconds;

/// The recent happenings of one kind.
///
/// Kept in memory only: a restart forgets at most one window of counting, never an alarm.
#[derive(Debug, Clone)]
pub struct Recent {
    times: VecDeque<UnixSeconds>,
    threshold: usize,
    window_s: i64,
}

impl Recent {
    /// Counts to `threshold` within `window_s` seconds; holds no more than `threshold` times.
    pub fn new(threshold: usize, window_s: i64) -> Self {
        Self { times: VecDeque::new(), threshold, window_s }
    }

    /// One more, now. Whether the threshold is reached.
    pub fn note(&mut self, now: UnixSeconds) -> bool {
        self.forget(now);
        if self.times.len() >= self.threshold {
            self.times.pop_front();
        }
        self.times.push_back(now);
        self.times.len() >= self.threshold
    }

    /// Whether the window is empty, so that the counter need not be kept.
    pub fn is_quiet(&mut self, now: UnixSeconds) -> bool {
        self.forget(now);
        self.times.is_empty()
    }

    /// To how many it counts.
    pub const fn threshold(&self) -> usize {
        self.threshold
    }

    /// Within how many seconds.
    pub const fn window_s(&self) -> i64 {
        self.window_s
    }

    fn forget(&mut self, now: UnixSeconds) {
        while self.times.front().is_some_and(|t| now.since(*t) >= self.window_s) {
            self.times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slides() {
        let mut recent = Recent::new(3, 300);
        let mut note = |t| recent.note(UnixSeconds(t));
        assert!(!note(0) && !note(200));
        // Exactly one window after the first, the first no longer counts.
        assert!(!note(300));
        assert!(note(499));
        assert!(note(500) && note(500));
        assert!(!recent.is_quiet(UnixSeconds(799)));
        assert!(recent.is_quiet(UnixSeconds(800)));
    }
}
