//! The keys of a provider (JWK Set, RFC 7517), those that can sign an ID token for us.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::sign::jws::{Algorithm, PublicKey};

/// Keys that are looked at; providers have two or three.
const MOST: usize = 50;

/// A key with what the provider calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kid: Option<String>,
    key: PublicKey,
}

/// The keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Listed {
    keys: Vec<serde_json::Value>,
}

/// A key as it is written; what it has beside this means nothing here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys of other kinds and for other uses are left out, as RFC 7517 section 5 asks.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let listed: Listed = serde_json::from_slice(text)
            .map_err(|error| format!("its keys are no set: {error}"))?;
        let keys = listed.keys.into_iter().take(MOST);
        let keys = keys.filter_map(|one| serde_json::from_value::<Jwk>(one).ok()?.key());
        Ok(Self(keys.collect()))
    }

    /// The keys that may have signed a token with this `kid` and algorithm: the one of that name,
    /// or, where the token or the keys have no names, each that fits.
    pub fn fitting<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a PublicKey> {
        let named = move |key: &&Key| match (kid, &key.kid) {
            (Some(wanted), Some(own)) => wanted == own,
            (None, _) | (_, None) => true,
        };
        let fits = move |key: &&PublicKey| key.algorithm() == algorithm;
        self.0.iter().filter(named).map(|key| &key.key).filter(fits)
    }
}

impl Jwk {
    fn key(self) -> Option<Key> {
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => PublicKey::rsa(&bytes(&self.n)?, &bytes(&self.e)?),
            ("EC", Some("P-256")) => PublicKey::p256(&bytes(&self.x)?, &bytes(&self.y)?),
            ("OKP", Some("Ed25519")) => PublicKey::ed25519(&bytes(&self.x)?),
            _ => None,
        }?;
        let other = self.alg.is_some_and(|alg| Algorithm::from_word(&alg) != Some(key.algorithm()));
        (signs && !other).then_some(Key { kid: self.kid, key })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn x() -> String {
        URL_SAFE_NO_PAD.encode([7; 32])
    }

    fn count(keys: &Value, kid: Option<&str>, algorithm: Algorithm) -> usize {
        let set = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        set.fitting(kid, algorithm).count()
    }

    #[test]
    fn the_name_decides_and_the_kind_must_fit() {
        let n = URL_SAFE_NO_PAD.encode([255; 256]);
        let keys = json!([
            {"kty": "RSA", "kid": "r", "n": n, "e": "AQAB", "use": "sig", "alg": "RS256"},
            {"kty": "EC", "crv": "P-256", "kid": "e", "x": x(), "y": x()},
            {"kty": "OKP", "crv": "Ed25519", "kid": "o", "x": x(), "key_ops": ["verify"]},
        ]);
        let count = |kid, algorithm| count(&keys, kid, algorithm);
        assert_eq!(count(Some("r"), Algorithm::Rs256), 1);
        assert_eq!(count(Some("e"), Algorithm::Rs256), 0, "a key verifies its own algorithm only");
        assert_eq!(count(Some("e"), Algorithm::Es256), 1);
        assert_eq!(count(None, Algorithm::EdDsa), 1);
        assert_eq!(count(Some("gone"), Algorithm::EdDsa), 0);
    }

    #[test]
    fn other_keys_are_left_out_and_do_not_spoil_the_rest() {
        let keys = json!([
            {"kty": "oct", "k": "c2VjcmV0"},
            {"kty": "EC", "crv": "P-384", "x": x(), "y": x()},
            {"kty": "OKP", "crv": "X25519", "x": x()},
            {"kty": "OKP", "crv": "Ed25519", "x": x(), "use": "enc"},
            {"kty": "OKP", "crv": "Ed25519", "x": x(), "key_ops": ["sign"]},
            {"kty": "OKP", "crv": "Ed25519", "x": x(), "alg": "RS256"},
            {"kty": "OKP", "crv": "Ed25519", "x": "%%%"},
            {"kty": "OKP", "crv": "Ed25519"},
            {"kty": 7},
            "nonsense",
            {"kty": "OKP", "crv": "Ed25519", "x": x()},
        ]);
        assert_eq!(count(&keys, Some("any"), Algorithm::EdDsa), 1);
        for bad in ["", "[]", "{}", "{\"keys\": 7}"] {
            assert!(KeySet::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
