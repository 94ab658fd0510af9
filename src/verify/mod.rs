//! Turns bytes into proof: a report whose signature holds, or a reason why not.
//!
//! [`verify_report`] is the one way to a [`Verified`], and a [`Verified`] is the only thing the
//! processor takes. Checks run from cheap to dear: limits, shape, syntax, keys, signature,
//! version, clock. What depends on earlier reports ([`replay`], [`rate`]) is judged later, by
//! who holds that state. Nothing here reads a clock, a file or a socket.

pub mod bodies;
pub mod rate;
pub mod rejection;
pub mod replay;
mod signature;

use std::str::FromStr;

use bytes::Bytes;
use thiserror::Error;

use crate::keys::ring::KeyRing;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::state::{CanonForm, Scheme};
use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::wire::canon::Forms;
use crate::wire::envelope::{self, DataV2, Envelope, EnvelopeError, HeadV1, HeadV2, SignatureV2};
use crate::wire::field::Fields;
use crate::wire::limits::MAX_SKEW_SECONDS;
use crate::wire::scan;

use rejection::Rejection;

/// What the settings say about acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Seconds a timestamp may differ from the manager's clock.
    pub max_skew: i64,
    /// The lowest version accepted: 1 or 2.
    pub min_version: u8,
    /// Which bytes a version 1 signature may cover.
    pub v1_canon: V1Canon,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_skew: MAX_SKEW_SECONDS, min_version: 1, v1_canon: V1Canon::Auto }
    }
}

/// Which bytes a version 1 signature may cover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum V1Canon {
    /// The bytes of `data` as received, or a form of them that Python and Go agents sign.
    #[default]
    Auto,
    /// The bytes of `data` as received, only.
    Raw,
}

impl V1Canon {
    /// The forms to try, in order; the one that matched last time first.
    fn forms(self, hint: Option<CanonForm>) -> impl Iterator<Item = CanonForm> {
        let (hint, all) = match self {
            Self::Auto => (hint, CanonForm::ALL),
            Self::Raw => (None, [CanonForm::Raw].as_slice()),
        };
        hint.into_iter().chain(all.iter().copied().filter(move |form| Some(*form) != hint))
    }
}

impl FromStr for V1Canon {
    type Err = InvalidV1Canon;
    fn from_str(word: &str) -> Result<Self, InvalidV1Canon> {
        match word {
            "auto" => Ok(Self::Auto),
            "raw" => Ok(Self::Raw),
            _ => Err(InvalidV1Canon),
        }
    }
}

/// Not a word for [`V1Canon`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be auto or raw")]
pub struct InvalidV1Canon;

/// A report whose signature holds. Made only by [`verify_report`].
#[derive(Debug, Clone)]
pub struct Verified {
    agent_id: AgentId,
    fleet_id: Option<FleetId>,
    scheme: Scheme,
    form: CanonForm,
    kid: Kid,
    timestamp: UnixSeconds,
    nonce: Box<str>,
    tick: Option<i64>,
    relay_path: Vec<AgentId>,
    data: Bytes,
    data_sha256: [u8; 32],
    signed_sha256: [u8; 32],
    body: Bytes,
}

impl Verified {
    /// Who signed it. In version 1 the name itself is not signed: any holder of the key can
    /// send under it.
    pub fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// The fleet it was signed for; version 1 does not say.
    pub fn fleet_id(&self) -> Option<&FleetId> {
        self.fleet_id.as_ref()
    }

    /// How it was signed.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Which bytes the signature covers; [`CanonForm::Raw`] in version 2.
    pub fn form(&self) -> CanonForm {
        self.form
    }

    /// Which key verified it.
    pub fn kid(&self) -> &Kid {
        &self.kid
    }

    /// When it was signed, on the agent's clock.
    pub fn timestamp(&self) -> UnixSeconds {
        self.timestamp
    }

    /// Its nonce.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// Its tick; version 1 has none.
    pub fn tick(&self) -> Option<i64> {
        self.tick
    }

    /// Relays it names; a claim, since version 1 does not sign it.
    pub fn relay_path(&self) -> &[AgentId] {
        &self.relay_path
    }

    /// The bytes of `data`, as received or as decoded from `data_b64`.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// SHA-256 of [`Self::data`].
    pub fn data_sha256(&self) -> &[u8; 32] {
        &self.data_sha256
    }

    /// SHA-256 of the bytes the signature covers: those of [`Self::data`] in their [`Self::form`].
    /// However a version 1 body is spaced anew, this stays.
    pub fn signed_sha256(&self) -> &[u8; 32] {
        &self.signed_sha256
    }

    /// The whole envelope as received.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// SHA-256 of [`Self::body`]: equal for the same bytes sent again. Computed when asked.
    pub fn body_sha256(&self) -> [u8; 32] {
        sha256(&self.body)
    }
}

/// An announcement (`POST /status/register`) whose signature holds. Made only by
/// [`verify_register`].
#[derive(Debug, Clone)]
pub struct Announcement(Verified);

impl Announcement {
    /// The announcement's envelope, which has the shape of a version 1 report.
    pub fn envelope(&self) -> &Verified {
        &self.0
    }
}

/// Verifies the body of `POST /status/updates`.
///
/// `hint` tells the form that matched an agent's last version 1 report. Every usable key is
/// tried, whichever matches, and every failure of a signature is the same rejection.
pub fn verify_report(
    body: &Bytes,
    ring: &KeyRing,
    policy: &Policy,
    hint: impl FnOnce(&AgentId) -> Option<CanonForm>,
    now: UnixSeconds,
) -> Result<Verified, Rejection> {
    let verified = match envelope::parse(body)? {
        Envelope::V1(head) => {
            let forms = policy.v1_canon.forms(hint(&head.agent_id));
            verify_v1(body, head, ring, forms, now)?
        }
        Envelope::V2(head) => verify_v2(body, head, ring, now)?,
    };
    check_policy(&verified, policy, now)?;
    Ok(verified)
}

/// Verifies the body of `POST /status/register`. Only version 1 announcements are known here;
/// enrolment of agents with keys of their own has a shape that is refused by version.
pub fn verify_register(
    body: &Bytes,
    ring: &KeyRing,
    policy: &Policy,
    hint: impl FnOnce(&AgentId) -> Option<CanonForm>,
    now: UnixSeconds,
) -> Result<Announcement, Rejection> {
    let head = match envelope::parse(body) {
        Ok(Envelope::V1(head)) => head,
        Err(error) if !is_second_generation(body) => return Err(error.into()),
        Ok(Envelope::V2(_)) | Err(_) => {
            let version = "2 (enrolment with a key of the agent's own)".to_owned();
            return Err(EnvelopeError::UnsupportedVersion(version).into());
        }
    };
    let forms = policy.v1_canon.forms(hint(&head.agent_id));
    let verified = verify_v1(body, head, ring, forms, now)?;
    check_policy(&verified, policy, now)?;
    Ok(Announcement(verified))
}

/// Whether a body that is no report says that it is of version 2.
fn is_second_generation(body: &[u8]) -> bool {
    let Ok(members) = scan::envelope(body) else { return false };
    Fields { body, members }.get("v") == Some(b"2")
}

fn verify_v1(
    body: &Bytes,
    head: HeadV1<'_>,
    ring: &KeyRing,
    forms: impl Iterator<Item = CanonForm>,
    now: UnixSeconds,
) -> Result<Verified, Rejection> {
    let data = body.slice(head.data.clone());
    check_keys(ring, now)?;
    let Some((kid, form)) = signature::find_v1(ring.usable(now), &data, forms, &head.mac) else {
        return Err(Rejection::SignatureInvalid {
            agent: head.agent_id,
            scheme: Scheme::V1,
            kid: None,
            may_be_new_key: true,
        });
    };
    let data_sha256 = sha256(&data);
    let signed_sha256 =
        if form == CanonForm::Raw { data_sha256 } else { sha256(&Forms::new(&data).get(form)) };
    Ok(Verified {
        agent_id: head.agent_id,
        fleet_id: None,
        scheme: Scheme::V1,
        form,
        kid,
        timestamp: head.timestamp,
        nonce: head.nonce.into(),
        tick: None,
        relay_path: head.relay_path,
        data_sha256,
        signed_sha256,
        data,
        body: body.clone(),
    })
}

fn verify_v2(
    body: &Bytes,
    mut head: HeadV2<'_>,
    ring: &KeyRing,
    now: UnixSeconds,
) -> Result<Verified, Rejection> {
    let scheme = match head.signature {
        SignatureV2::Hmac(_) => Scheme::V2Hmac,
        SignatureV2::Ed25519(_) => Scheme::V2Ed25519,
    };
    check_keys(ring, now)?;
    let data = match std::mem::replace(&mut head.data, DataV2::InBody(0..0)) {
        DataV2::InBody(range) => body.slice(range),
        DataV2::Decoded(decoded) => Bytes::from(decoded),
    };
    let data_sha256 = sha256(&data);
    let Some(kid) = signature::find_v2(ring.usable(now), &head, data_sha256) else {
        // A shared key that is not in the ring may be too new; agents' own keys are never
        // fetched, only pinned.
        let may_be_new_key = scheme == Scheme::V2Hmac && ring.find(&head.kid).is_none();
        return Err(Rejection::SignatureInvalid {
            agent: head.agent_id,
            scheme,
            kid: Some(head.kid),
            may_be_new_key,
        });
    };
    Ok(Verified {
        agent_id: head.agent_id,
        fleet_id: Some(head.fleet_id),
        scheme,
        form: CanonForm::Raw,
        kid,
        timestamp: head.timestamp,
        nonce: head.nonce.into(),
        tick: Some(head.tick),
        relay_path: Vec::new(),
        data,
        data_sha256,
        signed_sha256: data_sha256,
        body: body.clone(),
    })
}

fn check_keys(ring: &KeyRing, now: UnixSeconds) -> Result<(), Rejection> {
    if ring.usable(now).next().is_none() { Err(Rejection::KeysUnavailable) } else { Ok(()) }
}

/// What is told only to holders of a key.
fn check_policy(verified: &Verified, policy: &Policy, now: UnixSeconds) -> Result<(), Rejection> {
    let version = match verified.scheme {
        Scheme::V1 => 1,
        Scheme::V2Hmac | Scheme::V2Ed25519 => 2,
    };
    let agent = || verified.agent_id.clone();
    if version < policy.min_version {
        return Err(Rejection::VersionDowngrade { agent: agent(), scheme: verified.scheme });
    }
    if verified.timestamp.since(now).unsigned_abs() > policy.max_skew.unsigned_abs() {
        return Err(Rejection::TimestampSkew {
            agent: agent(),
            timestamp: verified.timestamp,
            now,
            max_skew: policy.max_skew,
        });
    }
    Ok(())
}

/// What a stored report must still prove.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// How it was signed.
    pub scheme: Scheme,
    /// Which bytes the signature covers.
    pub form: CanonForm,
    /// The key that verified it.
    pub secret: &'a [u8],
    /// SHA-256 of its data.
    pub data_sha256: [u8; 32],
}

/// How a stored report fails to prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// The stored bytes are no envelope.
    #[error("the stored bytes are not an envelope: {0}")]
    Unreadable(#[from] EnvelopeError),
    /// The stored bytes are signed in another way than the row says.
    #[error("the row says it was signed with {0}, the stored bytes say otherwise")]
    Scheme(Scheme),
    /// The data is not the data that was accepted.
    #[error("the digest of the stored data is not the one in the row")]
    Digest,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
}

/// Checks a stored report again, without regard to time, replay or policy.
pub fn recheck(stored: &[u8], proof: &Proof<'_>) -> Result<(), Mismatch> {
    let parsed = envelope::parse(stored)?;
    let data = match &parsed {
        Envelope::V1(HeadV1 { data, .. })
        | Envelope::V2(HeadV2 { data: DataV2::InBody(data), .. }) => {
            stored.get(data.clone()).unwrap_or_default()
        }
        Envelope::V2(HeadV2 { data: DataV2::Decoded(data), .. }) => data,
    };
    if sha256(data) != proof.data_sha256 {
        return Err(Mismatch::Digest);
    }
    let holds = match (&parsed, proof.scheme) {
        (Envelope::V1(head), Scheme::V1) => {
            signature::holds_v1(proof.secret, data, proof.form, &head.mac)
        }
        (Envelope::V2(head), Scheme::V2Hmac) => {
            signature::holds_v2(proof.secret, head, proof.data_sha256)
        }
        (Envelope::V1(_) | Envelope::V2(_), scheme) => return Err(Mismatch::Scheme(scheme)),
    };
    if holds { Ok(()) } else { Err(Mismatch::Signature) }
}

#[cfg(test)]
mod tests;
