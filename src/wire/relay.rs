//! The envelope a relay puts around what it passes on: exact syntax, no unknown members.
//!
//! Everything in it is a claim until `verify` has checked it; what is inside is not looked at
//! here.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::model::hex;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::time::UnixSeconds;

use super::envelope::{EnvelopeError, SignatureV2};
use super::field::{Fields, invalid, plain_integer};
use super::limits::{BODY_BYTES, RELAYS};
use super::{scan, v2};

/// The value of `kind`.
pub const KIND: &str = "relay";

/// Every member a relay's envelope may have.
const MEMBERS: [&str; 11] = [
    "v",
    "kind",
    "alg",
    "kid",
    "fleet_id",
    "relay_id",
    "hop",
    "timestamp",
    "nonce",
    "sig",
    "inner_b64",
];

/// A relay's envelope, unverified. The signature covers all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRelay<'a> {
    /// The signature.
    pub signature: SignatureV2,
    /// Which key signed it: a hint.
    pub kid: Kid,
    /// The fleet.
    pub fleet_id: FleetId,
    /// Which agent claims to relay.
    pub relay_id: AgentId,
    /// Its place in the path: 1 is next to the origin. Not bounded by the syntax.
    pub hop: i64,
    /// When it was signed.
    pub timestamp: UnixSeconds,
    /// 22 to 64 characters of base64url.
    pub nonce: Cow<'a, str>,
    /// The envelope inside, as the relay received it.
    pub inner: Vec<u8>,
}

impl HeadRelay<'_> {
    /// The same without the body it was read from.
    pub fn into_owned(self) -> HeadRelay<'static> {
        HeadRelay {
            signature: self.signature,
            kid: self.kid,
            fleet_id: self.fleet_id,
            relay_id: self.relay_id,
            hop: self.hop,
            timestamp: self.timestamp,
            nonce: Cow::Owned(self.nonce.into_owned()),
            inner: self.inner,
        }
    }
}

/// What a relay says of itself in an envelope that it makes.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The fleet; that of what is inside.
    pub fleet_id: &'a FleetId,
    /// The relay.
    pub relay_id: &'a AgentId,
    /// 1 around a report, else one more than the envelope inside says.
    pub hop: i64,
    /// Now.
    pub timestamp: UnixSeconds,
    /// 22 to 64 random characters of base64url.
    pub nonce: &'a str,
}

/// With the envelope around it, a body would be larger than a manager takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("wrapped it would be {0} bytes long, the limit is {BODY_BYTES}; send less")]
pub struct TooLarge(pub usize);

/// The report inside all relays' envelopes; the body itself if there are none.
pub fn origin(body: &[u8]) -> Result<Cow<'_, [u8]>, EnvelopeError> {
    let mut level = Cow::Borrowed(body);
    for _ in 0..RELAYS {
        if !is_relay(&level) {
            break;
        }
        let inner = parse(&level)?.inner;
        level = Cow::Owned(inner);
    }
    Ok(level)
}

/// Whether a body says that it is a relay's envelope. One that cannot be read does not.
pub fn is_relay(body: &[u8]) -> bool {
    let Ok(members) = scan::envelope(body) else { return false };
    is_of_kind(&Fields { body, members })
}

/// The hop that a relay must write around a body: 1 around a report, else one more than the
/// relay's envelope inside says. `None` if the body cannot be read.
pub fn next_hop(body: &[u8]) -> Option<i64> {
    let fields = Fields { body, members: scan::envelope(body).ok()? };
    if !is_of_kind(&fields) {
        return Some(1);
    }
    plain_integer(fields.get("hop")?).map(|hop| hop.saturating_add(1))
}

/// Whether `kind` says so, in version 2.
pub(super) fn is_of_kind(fields: &Fields<'_>) -> bool {
    fields.get("v") == Some(b"2") && fields.text("kind").is_ok_and(|kind| kind == KIND)
}

/// Takes a body apart.
pub fn parse(body: &[u8]) -> Result<HeadRelay<'_>, EnvelopeError> {
    if body.len() > BODY_BYTES {
        return Err(EnvelopeError::BodyTooLarge(body.len()));
    }
    let fields = Fields { body, members: scan::envelope(body)? };
    if fields.need("v")? != b"2" {
        return Err(invalid("v", "must be 2 in a relay's envelope"));
    }
    if fields.text("kind")? != KIND {
        return Err(invalid("kind", "must be relay"));
    }
    let fields = &fields;
    v2::only(fields, &MEMBERS)?;
    Ok(HeadRelay {
        signature: v2::signature(fields)?,
        kid: fields.parse("kid")?,
        fleet_id: fields.parse("fleet_id")?,
        relay_id: v2::agent_id(fields, "relay_id")?,
        hop: plain_integer(fields.need("hop")?).ok_or(invalid("hop", "must be an integer"))?,
        timestamp: v2::timestamp(fields)?,
        nonce: v2::nonce(fields)?,
        inner: inner(fields)?,
    })
}

fn inner(fields: &Fields<'_>) -> Result<Vec<u8>, EnvelopeError> {
    let text = fields.text("inner_b64")?;
    let Ok(inner) = URL_SAFE_NO_PAD.decode(text.as_bytes()) else {
        return Err(invalid("inner_b64", "must be base64url without padding"));
    };
    if inner.is_empty() {
        return Err(invalid("inner_b64", "must hold an envelope"));
    }
    Ok(inner)
}

/// The body of a relay's envelope that is signed already (`sign::relay` signs it).
pub fn body(
    stamp: &Stamp<'_>,
    signed: (&SignatureV2, &Kid),
    inner: &[u8],
) -> Result<Vec<u8>, TooLarge> {
    let (signature, kid) = signed;
    let (alg, sig) = match signature {
        SignatureV2::Hmac(mac) => ("hmac-sha256", hex::encode(mac)),
        SignatureV2::Ed25519(bytes) => ("ed25519", URL_SAFE_NO_PAD.encode(bytes)),
    };
    let Stamp { fleet_id, relay_id, hop, timestamp, nonce } = stamp;
    let mut out = format!(
        r#"{{"v":2,"kind":"{KIND}","alg":"{alg}","kid":"{kid}","fleet_id":"{fleet_id}","relay_id":"{relay_id}","hop":{hop},"timestamp":{timestamp},"nonce":"{nonce}","sig":"{sig}","inner_b64":""#
    );
    let len = out.len() + inner.len().saturating_mul(4).div_ceil(3) + 2;
    if len > BODY_BYTES {
        return Err(TooLarge(len));
    }
    URL_SAFE_NO_PAD.encode_string(inner, &mut out);
    out.push_str("\"}");
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests;
