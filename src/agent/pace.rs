//! How long to wait before the next attempt (PROTOCOL 1.7).

use super::answer::{Answer, Refusal};
use super::pulse::spread;

/// The longest wait between two attempts.
pub(super) const LONGEST_WAIT_MS: i64 = 60_000;

/// The longest wait that a manager may ask for.
const LONGEST_ASKED_MS: i64 = 3_600_000;

/// After so many attempts in a row that brought nothing: 1, 2, 4, ... 60 s.
pub(super) fn backoff(failures: u32) -> i64 {
    1000_i64.checked_shl(failures.min(16)).unwrap_or(LONGEST_WAIT_MS).min(LONGEST_WAIT_MS)
}

/// What the manager asks to wait, up to a quarter more so that not all come back at once, and
/// never less.
pub(super) fn asked(answer: &Answer) -> i64 {
    match answer {
        Answer::Refused(Refusal { retry_after: Some(seconds), .. }) => {
            let asked = (i64::from(*seconds) * 1000).min(LONGEST_ASKED_MS);
            asked.saturating_add(spread(asked / 8, 100))
        }
        Answer::Refused(_) | Answer::Stored(_) | Answer::Lost { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits: Vec<_> = (0..8).map(|failures| backoff(failures) / 1000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX), 60_000);
    }

    #[test]
    fn nobody_comes_back_before_the_time_asked() {
        for _ in 0..100 {
            let wait = asked(&Answer::read(503, Some(40), b""));
            assert!((40_000..=50_000).contains(&wait), "{wait}");
        }
        assert!(asked(&Answer::read(503, Some(u32::MAX), b"")) <= 4_500_000);
        assert_eq!(asked(&Answer::read(503, None, b"")), 0);
    }
}
