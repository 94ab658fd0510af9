//! Failed sign-ins by address: five in a quarter of an hour are free, then each costs a wait
//! that doubles (OWASP ASVS 5.0 section 6.3.1). No account is ever locked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::http::sources::site;
use crate::model::time::UnixSeconds;

/// Failures that cost nothing, since people mistype.
const FREE: u32 = 5;

/// Failures are forgotten after this many seconds without another one.
const FORGET_AFTER: i64 = 900;

/// The first wait, in seconds.
const FIRST_WAIT: i64 = 2;

/// The longest wait, in seconds.
const LONGEST_WAIT: i64 = 900;

/// Addresses remembered; an attacker with more has 10,000 times five guesses at 256 bits.
const REMEMBERED: usize = 10_000;

/// The failures.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: UnixSeconds,
    free_at: UnixSeconds,
}

impl Guesses {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this address may try now; if not, in how many seconds.
    pub fn may_try(&self, source: Option<IpAddr>, now: UnixSeconds) -> Result<(), u32> {
        let Some(source) = source.map(site) else { return Ok(()) };
        match self.lock().get(&source) {
            Some(failures) if failures.free_at > now => {
                let wait = failures.free_at.since(now).min(LONGEST_WAIT);
                Err(u32::try_from(wait).unwrap_or(1))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a failure.
    pub fn failed(&self, source: Option<IpAddr>, now: UnixSeconds) {
        let Some(source) = source.map(site) else { return };
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            all.retain(|_, failures| now.since(failures.last) < FORGET_AFTER);
            if all.len() >= REMEMBERED {
                all.clear();
            }
        }
        let failures = all.entry(source).or_insert(Failures { count: 0, last: now, free_at: now });
        if now.since(failures.last) >= FORGET_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        if let Some(over) = failures.count.checked_sub(FREE) {
            let wait = FIRST_WAIT.checked_shl(over).filter(|wait| *wait > 0);
            failures.free_at = now.plus(wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT));
        }
    }

    /// Forgets the failures of an address that has signed in.
    pub fn succeeded(&self, source: Option<IpAddr>) {
        if let Some(source) = source {
            self.lock().remove(&site(source));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_000_000);

    fn source() -> Option<IpAddr> {
        Some("192.0.2.7".parse().unwrap())
    }

    #[test]
    fn waits_double_after_five_and_end() {
        let guesses = Guesses::default();
        for _ in 0..4 {
            guesses.failed(source(), T);
            assert!(guesses.may_try(source(), T).is_ok());
        }
        guesses.failed(source(), T);
        assert_eq!(guesses.may_try(source(), T), Err(2));
        assert!(guesses.may_try(source(), T.plus(2)).is_ok());
        guesses.failed(source(), T.plus(2));
        assert_eq!(guesses.may_try(source(), T.plus(2)), Err(4));
        for _ in 0..100 {
            guesses.failed(source(), T.plus(2));
        }
        assert_eq!(guesses.may_try(source(), T.plus(2)), Err(900));
        assert!(guesses.may_try(Some("192.0.2.8".parse().unwrap()), T).is_ok());
    }

    #[test]
    fn success_and_time_forget() {
        let guesses = Guesses::default();
        for _ in 0..6 {
            guesses.failed(source(), T);
        }
        guesses.succeeded(source());
        assert!(guesses.may_try(source(), T).is_ok());
        for _ in 0..5 {
            guesses.failed(source(), T);
        }
        guesses.failed(source(), T.plus(FORGET_AFTER + 2));
        assert!(guesses.may_try(source(), T.plus(FORGET_AFTER + 2)).is_ok());
    }
}
