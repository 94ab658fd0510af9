//! ID tokens (OpenID Connect Core section 2): whether one holds, and what it says.
//!
//! Pure. Must never believe anything of a token before its signature holds, but for which key to
//! look for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::time::UnixSeconds;
use crate::sign::jws::Algorithm;

use super::Failure;
use super::keys::KeySet;

/// Bytes of a token at most; those of large organisations with many groups have 20 KiB.
const MOST_BYTES: usize = 64 * 1024;

/// Seconds that the clocks of provider and manager may differ.
const LEEWAY: i64 = 60;

/// Longest name of a person at the provider (OpenID Connect Core section 2: 255 ASCII characters).
const SUBJECT_BYTES: usize = 255;

/// What a token must be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who signs.
    pub issuer: &'a str,
    /// For whom: us.
    pub client_id: &'a str,
    /// Which sign-in.
    pub nonce: &'a str,
    /// When.
    pub now: UnixSeconds,
}

/// A token whose parts were taken apart and not believed yet.
pub struct Unverified<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    claims: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
}

impl std::fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The head (RFC 7515 section 4.1).
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart: three parts of base64url, in that spelling only.
    pub fn parse(token: &'a str) -> Result<Self, Failure> {
        let no_token = |what: &str| Failure::refused(format!("the ID token {what}"));
        if token.len() > MOST_BYTES {
            return Err(no_token("is too large"));
        }
        let bad = || no_token("has not three parts of base64url");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(bad)?;
        let (head, claims) = signed.split_once('.').ok_or_else(bad)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_odd| bad());
        let (head, claims, signature) = (decode(head)?, decode(claims)?, decode(signature)?);
        let head: Head = serde_json::from_slice(&head)
            .map_err(|_odd| no_token("has no head that can be read"))?;
        if head.crit.is_some() {
            return Err(no_token("asks for extensions that are not known here"));
        }
        if head.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(no_token("is a token of another type"));
        }
        let algorithm = Algorithm::from_word(&head.alg)
            .ok_or_else(|| no_token("is signed with none of RS256, ES256 and EdDSA"))?;
        Ok(Self { signed, signature, claims, algorithm, kid: head.kid })
    }

    /// Whether a set has a key that may have signed this.
    pub fn has_key_in(&self, keys: &KeySet) -> bool {
        keys.fitting(self.kid.as_deref(), self.algorithm).next().is_some()
    }

    /// What the token says, if one of the keys has signed it and it is for this sign-in.
    pub fn claims(
        &self,
        keys: &KeySet,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, Failure> {
        let mut fitting = keys.fitting(self.kid.as_deref(), self.algorithm);
        if !fitting.any(|key| key.holds(self.signed.as_bytes(), &self.signature)) {
            return Err(Failure::refused("no key of the provider has signed the ID token"));
        }
        let claims: Map<String, Value> = serde_json::from_slice(&self.claims)
            .map_err(|_odd| Failure::refused("the ID token has no claims that can be read"))?;
        expected.check(&claims).map_err(Failure::refused)?;
        Ok(claims)
    }
}

impl Expected<'_> {
    /// OpenID Connect Core section 3.1.3.7, after the signature.
    fn check(&self, claims: &Map<String, Value>) -> Result<(), &'static str> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(self.issuer) {
            return Err("the ID token is of another issuer");
        }
        if !is_for(claims.get("aud"), self.client_id) {
            return Err("the ID token is for somebody else");
        }
        if claims.contains_key("azp") && text("azp") != Some(self.client_id) {
            return Err("the ID token was given to somebody else");
        }
        if text("nonce") != Some(self.nonce) {
            return Err("the ID token is of another sign-in");
        }
        let time = |name: &str| claims.get(name).map(seconds);
        match time("exp") {
            Some(Some(end)) if end.saturating_add(LEEWAY) > self.now.0 => {}
            Some(Some(_)) => return Err("the ID token has expired; compare the clocks"),
            Some(None) | None => return Err("the ID token does not say when it ends"),
        }
        for name in ["iat", "nbf"] {
            match time(name) {
                Some(Some(at)) if at.saturating_sub(LEEWAY) <= self.now.0 => {}
                None if name == "nbf" => {}
                Some(Some(_)) => return Err("the ID token is of the future; compare the clocks"),
                Some(None) | None => return Err("the ID token does not say when it was made"),
            }
        }
        let sound = |subject: &str| {
            (1..=SUBJECT_BYTES).contains(&subject.len()) && !subject.contains(char::is_control)
        };
        if text("sub").is_some_and(sound) { Ok(()) } else { Err("the ID token is about nobody") }
    }
}

/// Whether an audience is us, alone or as one of several.
fn is_for(audience: Option<&Value>, client_id: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == client_id,
        Some(Value::Array(many)) => many.iter().any(|one| one == client_id),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    }
}

/// Whole seconds (RFC 7519 section 2: a number, with a fraction or not).
fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest there is")]
    let whole = |number: f64| number.floor() as i64;
    value.as_i64().or_else(|| value.as_f64().map(whole))
}

#[cfg(test)]
mod tests;
