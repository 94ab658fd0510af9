//! One sign-in on its way: what the browser takes to the provider, and how it is known again.
//!
//! Nothing of it is stored here: the browser keeps the beginning in a cookie, and what must not be
//! guessed follows from that and a key of this run. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::sign::hmac;

/// Seconds that somebody may take at the provider.
pub const FLOW_SECONDS: i64 = 600;

/// Bytes of the way back at most: it stands in a cookie.
const MOST_NEXT: usize = 1_000;

/// What this run's sign-ins are made with.
#[derive(Clone)]
pub struct RunKey(pub Zeroizing<[u8; 32]>);

impl std::fmt::Debug for RunKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunKey(...)")
    }
}

/// A sign-in, as its beginning makes it and as its cookie brings it back.
pub struct Flow {
    cookie: String,
    /// Where to go afterwards.
    pub next: String,
    began: UnixSeconds,
    key: RunKey,
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("began", &self.began).finish_non_exhaustive()
    }
}

impl Flow {
    /// A new one. `seed` is random.
    pub fn begin(key: &RunKey, seed: [u8; 32], (next, now): (&str, UnixSeconds)) -> Self {
        let next = if next.len() > MOST_NEXT { "" } else { next };
        let (seed, back) = (URL_SAFE_NO_PAD.encode(seed), URL_SAFE_NO_PAD.encode(next));
        let cookie = format!("{seed}.{}.{back}", now.0);
        Self { cookie, next: next.to_owned(), began: now, key: key.clone() }
    }

    /// The one that a cookie tells of, if it can be one of ours and has not taken too long.
    pub fn resume(key: &RunKey, cookie: &str, now: UnixSeconds) -> Option<Self> {
        let mut parts = cookie.split('.');
        let (_seed, began, back) = (parts.next()?, parts.next()?, parts.next()?);
        let began = UnixSeconds(began.parse().ok()?);
        if parts.next().is_some() || !(0..FLOW_SECONDS).contains(&now.since(began)) {
            return None;
        }
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(back).ok()?).ok()?;
        Some(Self { cookie: cookie.to_owned(), next, began, key: key.clone() })
    }

    /// What the browser keeps.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// What the provider gives back (RFC 6749 section 10.12). It depends on all of the cookie.
    pub fn state(&self) -> String {
        self.derived("state")
    }

    /// What the ID token must hold (OpenID Connect Core section 3.1.2.1).
    pub fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// What proves at the end that the beginning was ours (RFC 7636 section 4.1).
    pub fn verifier(&self) -> Zeroizing<String> {
        Zeroizing::new(self.derived("verifier"))
    }

    /// Its digest, told at the beginning (`S256`, RFC 7636 section 4.2).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.verifier().as_bytes()))
    }

    fn derived(&self, purpose: &str) -> String {
        let text = format!("kattila sign-in {purpose}\n{}", self.cookie);
        URL_SAFE_NO_PAD.encode(hmac::mac(self.key.0.as_slice(), text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn key(byte: u8) -> RunKey {
        RunKey(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn what_began_is_known_again_for_ten_minutes_by_this_run() {
        let begun = Flow::begin(&key(1), [7; 32], ("/alarms?state=open", T));
        let resume = |key: &RunKey, after| Flow::resume(key, begun.cookie(), T.plus(after));
        let back = resume(&key(1), 599).unwrap();
        assert_eq!((back.state(), back.nonce()), (begun.state(), begun.nonce()));
        assert_eq!((&*back.verifier(), &*back.next), (&*begun.verifier(), "/alarms?state=open"));
        assert!(resume(&key(1), 600).is_none() && resume(&key(1), -1).is_none());
        assert_ne!(resume(&key(2), 1).unwrap().state(), begun.state(), "another run");
    }

    #[test]
    fn nothing_of_the_cookie_can_be_changed_and_no_two_values_are_alike() {
        let begun = Flow::begin(&key(1), [7; 32], ("/map", T));
        let other = Flow::begin(&key(1), [7; 32], ("/users", T));
        assert_ne!(begun.state(), other.state(), "where to go is part of it");
        let later = Flow::begin(&key(1), [7; 32], ("/map", T.plus(1)));
        assert_ne!(begun.state(), later.state(), "and when it began");
        let values =
            [begun.state(), begun.nonce(), begun.verifier().to_string(), begun.challenge()];
        for (n, one) in values.iter().enumerate() {
            assert!(one.len() == 43 && !values[n + 1..].contains(one), "{one}");
        }
        for bad in ["", "a.b", "a.1800000000", "a.x.", "a.1800000000.b.c", "a.1800000000.%%%"] {
            assert!(Flow::resume(&key(1), bad, T).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_example_of_rfc_7636_fits_how_challenges_are_made() {
        let verifier = b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier));
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
