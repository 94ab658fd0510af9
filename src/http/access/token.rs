//! Tokens: made from 256 random bits, known to the manager by their SHA-256 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::model::access::Role;
use crate::model::hex;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::store::people::SessionRecord;

/// Random bytes of a token (OWASP ASVS 5.0 section 7.2.3 asks for 128 bits at least).
const TOKEN_BYTES: usize = 32;

/// What API tokens begin with, so that a leaked one can be recognised.
const API_PREFIX: &str = "kat_";

/// A token fresh from the system's random numbers.
pub fn make(prefix: &str) -> Result<Zeroizing<String>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(bytes.as_mut_slice())?;
    let mut text = Zeroizing::new(prefix.to_owned());
    URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
    Ok(text)
}

/// What setup codes begin with.
const SETUP_PREFIX: &str = "setup_";

/// A new setup code, to be shown once; with its digest a person chooses a password.
pub fn setup_code() -> Result<(Zeroizing<String>, [u8; 32]), getrandom::Error> {
    let code = make(SETUP_PREFIX)?;
    let digest = hash(&code);
    Ok((code, digest))
}

/// A new API token, to be shown once, and what is stored of it.
pub fn api_token(
    name: &str,
    role: Role,
    now: UnixSeconds,
) -> Result<(Zeroizing<String>, SessionRecord), getrandom::Error> {
    let token = make(API_PREFIX)?;
    let record = SessionRecord {
        token_hash: hash(&token),
        name: name.to_owned(),
        role: role.as_str().to_owned(),
        kind: "token".to_owned(),
        form_token: None,
        created_at: now,
        last_used_at: now,
        expires_at: None,
        generation: None,
        source: None,
        made_by: None,
        reach: Reach::Whole,
        masked: false,
    };
    Ok((token, record))
}

/// What the manager knows a token by.
pub fn hash(token: &str) -> [u8; 32] {
    sha256(token.as_bytes())
}

/// What forms of a session must bring back: derived from the session's token, so that only who
/// was given a page of that session knows it, and nothing more has to be stored.
pub fn form_token(session_token: &str) -> String {
    let text = Zeroizing::new(format!("kattila form\n{session_token}"));
    hex::encode(&sha256(text.as_bytes()))
}

/// Compares without telling by its duration how much is equal.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_stored_as_digests() {
        let (first, record) = api_token("ci", Role::Operator, UnixSeconds(1)).unwrap();
        let (second, _) = api_token("ci", Role::Operator, UnixSeconds(1)).unwrap();
        assert!(first.starts_with("kat_") && first.len() == 4 + 43);
        assert_ne!(*first, *second);
        assert_eq!(record.token_hash, hash(&first));
        assert!(!format!("{record:?}").contains(first.as_str()));
    }

    #[test]
    fn form_tokens_follow_the_session_and_do_not_show_it() {
        assert_eq!(form_token("a"), form_token("a"));
        assert_ne!(form_token("a"), form_token("b"));
        assert_ne!(form_token("a"), hex::encode(&hash("a")));
    }

    #[test]
    fn comparison_is_exact() {
        assert!(same(b"", b"") && same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
