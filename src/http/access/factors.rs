//! Second factors: secrets that are being enrolled, and recovery codes.
//!
//! A secret counts only once its user has typed a code that it makes; until then it is kept in
//! memory, for a quarter of an hour, for the session that asked.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::sign::totp::{SECRET_BYTES, Secret, base32};

/// Seconds a secret waits for its first code.
const WAITS_S: i64 = 900;

/// Secrets that may wait at once.
const WAITING: usize = 1_000;

/// Recovery codes of a user.
const RECOVERY_CODES: usize = 10;

/// Random bytes of a recovery code: 80 bits, 16 letters.
const RECOVERY_BYTES: usize = 10;

/// Secrets that wait, by the digest of the session that asked.
#[derive(Default)]
pub struct Enrolling(Mutex<HashMap<[u8; 32], (Secret, UnixSeconds)>>);

impl std::fmt::Debug for Enrolling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Enrolling(...)")
    }
}

impl Enrolling {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Secret, UnixSeconds)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new secret for a session; one that it asked for before counts no more.
    pub fn begin(&self, session: [u8; 32], now: UnixSeconds) -> Result<Secret, getrandom::Error> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret)?;
        let mut waiting = self.lock();
        waiting.retain(|_, (_, since)| now.since(*since) < WAITS_S);
        if waiting.len() >= WAITING {
            waiting.clear();
        }
        waiting.insert(session, (secret, now));
        Ok(secret)
    }

    /// The secret that waits for a code from this session.
    pub fn of(&self, session: &[u8; 32], now: UnixSeconds) -> Option<Secret> {
        let found = self.lock().get(session).copied();
        found.filter(|(_, since)| now.since(*since) < WAITS_S).map(|(secret, _)| secret)
    }

    /// It is enrolled.
    pub fn end(&self, session: &[u8; 32]) {
        self.lock().remove(session);
    }
}

/// New recovery codes, to be shown once, and their digests.
pub fn recovery_codes() -> Result<Vec<(String, [u8; 32])>, getrandom::Error> {
    let make = |_| {
        let mut bytes = [0; RECOVERY_BYTES];
        getrandom::fill(&mut bytes)?;
        let letters = base32(&bytes);
        let groups: Vec<_> = letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        let code = groups.join("-");
        let digest = recovery_digest(&code);
        Ok((code, digest))
    };
    (0..RECOVERY_CODES).map(make).collect()
}

/// What a recovery code is known by, however it is typed.
pub fn recovery_digest(typed: &str) -> [u8; 32] {
    let letters: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    sha256(format!("kattila recovery\n{}", letters.to_uppercase()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_000);

    #[test]
    fn a_secret_waits_a_quarter_of_an_hour_for_its_own_session() {
        let enrolling = Enrolling::default();
        let first = enrolling.begin([1; 32], T).unwrap();
        let secret = enrolling.begin([1; 32], T).unwrap();
        assert_ne!(first, secret);
        assert_eq!(enrolling.of(&[1; 32], T.plus(899)), Some(secret));
        assert_eq!(enrolling.of(&[1; 32], T.plus(900)), None);
        assert_eq!(enrolling.of(&[2; 32], T), None);
        enrolling.end(&[1; 32]);
        assert_eq!(enrolling.of(&[1; 32], T), None);
    }

    #[test]
    fn recovery_codes_differ_and_are_known_in_any_spelling() {
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let (code, digest) = &codes[0];
        assert_eq!(code.len(), 19, "{code}");
        assert_eq!(recovery_digest(&code.to_lowercase().replace('-', " ")), *digest);
        assert!(codes[1..].iter().all(|(_, other)| other != digest));
    }
}
