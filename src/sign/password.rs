//! Passwords as they are kept: Argon2id (RFC 9106) in a PHC string.
//!
//! Hashing takes 46 MiB and some 45 ms of one processor, on purpose: callers bound how many run
//! at once. Never keeps a password.

use std::sync::OnceLock;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
};
use thiserror::Error;

/// Memory of one hash in KiB (OWASP ASVS 5.0 appendix C: 46 MiB with one pass).
const MEMORY_KIB: u32 = 47_104;

/// Passes over it.
const PASSES: u32 = 1;

/// Lanes.
const LANES: u32 = 1;

/// Bytes of a hash.
const OUTPUT_BYTES: usize = 32;

/// Random bytes that make two hashes of one password differ.
pub const SALT_BYTES: usize = 16;

/// Why there is no hash; there is no reason but a lack of memory.
#[derive(Debug, Error)]
#[error("a password could not be hashed: {0}")]
pub struct NoHash(String);

/// What comparing a password with a stored one gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is the one.
    Right,
    /// It is the one, but hashed with other parameters than today's: to be hashed anew.
    Outdated,
    /// It is not.
    Wrong,
}

fn argon() -> Result<Argon2<'static>, NoHash> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES));
    let params = params.map_err(|error| NoHash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password: a PHC string with all that is needed to compare with it.
pub fn hash(password: &[u8], salt: [u8; SALT_BYTES]) -> Result<String, NoHash> {
    let hashed = argon()?.hash_password_with_salt(password, &salt);
    hashed.map(|hashed| hashed.to_string()).map_err(|error| NoHash(error.to_string()))
}

/// Compares a password with a stored one.
pub fn compare(password: &[u8], stored: &str) -> Match {
    let Ok(hashed) = PasswordHash::new(stored) else { return Match::Wrong };
    if Argon2::default().verify_password(password, &hashed).is_err() {
        return Match::Wrong;
    }
    if is_of_today(&hashed) { Match::Right } else { Match::Outdated }
}

/// Takes as long as comparing, for those who have no password: nobody learns from the time who
/// is a user here.
pub fn compare_with_nothing(password: &[u8]) -> Match {
    static NOBODYS: OnceLock<String> = OnceLock::new();
    let nobodys = NOBODYS.get_or_init(|| hash(b"", [0; SALT_BYTES]).unwrap_or_default());
    let _never_right = compare(password, nobodys);
    Match::Wrong
}

fn is_of_today(hashed: &PasswordHash) -> bool {
    let params = Params::try_from(hashed).ok();
    hashed.algorithm == argon2::ARGON2ID_IDENT
        && params.is_some_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_says_how_it_was_made_and_fits_its_password_alone() {
        let stored = hash(b"stone bridge", [7; SALT_BYTES]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{stored}");
        assert_eq!(compare(b"stone bridge", &stored), Match::Right);
        assert_eq!(compare(b"stone bridgE", &stored), Match::Wrong);
        assert_eq!(compare(b"", &stored), Match::Wrong);
        assert_ne!(stored, hash(b"stone bridge", [8; SALT_BYTES]).unwrap());
    }

    #[test]
    fn a_hash_of_other_parameters_counts_and_is_outdated() {
        let params = Params::new(19_456, 2, 1, Some(OUTPUT_BYTES)).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let old = old.hash_password_with_salt(b"stone bridge", &[7; 16]).unwrap().to_string();
        assert_eq!(compare(b"stone bridge", &old), Match::Outdated);
        assert_eq!(compare(b"iron bridge", &old), Match::Wrong);
    }

    #[test]
    fn what_is_no_hash_and_who_has_none_fit_nothing() {
        assert_eq!(compare(b"x", "not a hash"), Match::Wrong);
        assert_eq!(compare(b"", ""), Match::Wrong);
        assert_eq!(compare_with_nothing(b""), Match::Wrong);
    }

    #[test]
    fn the_published_vector_of_argon2id() {
        // RFC 9106 section 5.3 uses a secret and associated data, which the reference program's
        // own test (test.c, version 0x13) does not: m = 65536 KiB, t = 2, p = 1.
        let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(compare(b"password", stored), Match::Outdated);
    }
}
