//! Tokens that hold, and every way in which one does not.

use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

const EXPECTED: Expected<'static> =
    Expected { issuer: "https://id.example.org", client_id: "kattila", nonce: "n-1", now: NOW };

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn keys() -> KeySet {
    let x = URL_SAFE_NO_PAD.encode(pair(1).public_key());
    let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x}]});
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

fn good() -> Value {
    json!({
        "iss": "https://id.example.org", "sub": "7", "aud": "kattila", "nonce": "n-1",
        "exp": NOW.0 + 300, "iat": NOW.0 - 1,
    })
}

fn signed(head: &Value, claims: &str, seed: u8) -> String {
    let parts = [head.to_string(), claims.to_owned()].map(|part| URL_SAFE_NO_PAD.encode(part));
    let text = parts.join(".");
    let signature = URL_SAFE_NO_PAD.encode(pair(seed).sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn head() -> Value {
    json!({"alg": "EdDSA", "kid": "k1", "typ": "JWT"})
}

fn outcome(token: &str) -> Result<Map<String, Value>, String> {
    let parsed = Unverified::parse(token).map_err(|failure| failure.to_string())?;
    parsed.claims(&keys(), &EXPECTED).map_err(|failure| failure.to_string())
}

fn with(name: &str, value: Value) -> Result<Map<String, Value>, String> {
    let mut claims = good();
    claims[name] = value;
    outcome(&signed(&head(), &claims.to_string(), 1))
}

fn without(name: &str) -> Result<Map<String, Value>, String> {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
    outcome(&signed(&head(), &claims.to_string(), 1))
}

#[test]
fn a_good_token_is_taken_in_all_its_spellings() {
    assert_eq!(outcome(&signed(&head(), &good().to_string(), 1)).unwrap()["sub"], "7");
    assert!(outcome(&signed(&json!({"alg": "EdDSA"}), &good().to_string(), 1)).is_ok(), "no kid");
    assert!(with("aud", json!(["other", "kattila"])).is_ok());
    assert!(with("azp", json!("kattila")).is_ok());
    assert!(with("exp", json!(NOW.0 - 59)).is_ok(), "a clock that is off by a minute");
    assert!(with("iat", json!(NOW.0 + 60)).is_ok());
    assert!(with("nbf", json!(NOW.0 as f64 + 59.5)).is_ok());
}

#[test]
fn every_claim_that_is_wrong_or_missing_is_refused_by_its_own_reason() {
    for (name, value, why) in [
        ("iss", json!("https://id.example.org/"), "another issuer"),
        ("iss", json!(["https://id.example.org"]), "another issuer"),
        ("aud", json!("other"), "somebody else"),
        ("aud", json!(["other"]), "somebody else"),
        ("aud", json!({"kattila": true}), "somebody else"),
        ("azp", json!("other"), "given to somebody else"),
        ("azp", json!(null), "given to somebody else"),
        ("nonce", json!("n-2"), "another sign-in"),
        ("nonce", json!(null), "another sign-in"),
        ("exp", json!(NOW.0 - 60), "expired"),
        ("exp", json!("1800000300"), "does not say when it ends"),
        ("exp", json!(i64::MIN), "expired"),
        ("iat", json!(NOW.0 + 61), "future"),
        ("iat", json!("now"), "does not say when it was made"),
        ("nbf", json!(NOW.0 + 61), "future"),
        ("nbf", json!(i64::MAX), "future"),
        ("sub", json!(""), "nobody"),
        ("sub", json!("a\nb"), "nobody"),
        ("sub", json!("x".repeat(256)), "nobody"),
        ("sub", json!(7), "nobody"),
    ] {
        let refused = with(name, value.clone()).unwrap_err();
        assert!(refused.contains(why), "{name} {value}: {refused}");
    }
    for name in ["iss", "aud", "nonce", "exp", "iat", "sub"] {
        assert!(without(name).is_err(), "{name}");
    }
    assert!(without("azp").is_ok() && without("nbf").is_ok());
}

#[test]
fn heads_that_ask_for_something_else_are_refused() {
    let claims = good().to_string();
    for (head, why) in [
        (json!({"alg": "none"}), "none of RS256"),
        (json!({"alg": "HS256", "kid": "k1"}), "none of RS256"),
        (json!({"alg": "EdDSA", "kid": "k1", "crit": ["exp"]}), "extensions"),
        (json!({"alg": "EdDSA", "kid": "k1", "typ": "at+jwt"}), "another type"),
        (json!({"alg": "EdDSA", "kid": "k2"}), "no key of the provider"),
        (json!({"alg": "RS256", "kid": "k1"}), "no key of the provider"),
        (json!({"kid": "k1"}), "no head"),
        (json!([]), "no head"),
    ] {
        let refused = outcome(&signed(&head, &claims, 1)).unwrap_err();
        assert!(refused.contains(why), "{head}: {refused}");
    }
    let foreign = outcome(&signed(&head(), &claims, 2)).unwrap_err();
    assert!(foreign.contains("no key of the provider"), "{foreign}");
}

#[test]
fn what_is_no_token_is_refused() {
    let token = signed(&head(), &good().to_string(), 1);
    let parts: Vec<_> = token.split('.').collect();
    let large = format!("{}.{}", "A".repeat(MOST_BYTES), token);
    for bad in [
        String::new(),
        "..".to_owned(),
        parts[..2].join("."),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}.x"),
        format!("{token}="),
        token.replace('.', ". "),
        large,
    ] {
        assert!(outcome(&bad).is_err());
    }
    assert!(outcome(&signed(&head(), "[]", 1)).unwrap_err().contains("no claims"));
}

proptest! {
    /// One changed character is a token that nobody signed, or none at all.
    #[test]
    fn no_change_of_a_token_goes_unseen(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
        let token = signed(&head(), &good().to_string(), 1);
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to.as_bytes()[0];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != token);
        prop_assert!(outcome(&changed).is_err());
    }

    #[test]
    fn no_text_is_too_much(text in "[ -~]{0,200}") {
        prop_assert!(outcome(&text).is_err());
    }
}
