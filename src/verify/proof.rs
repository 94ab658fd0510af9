//! Proves a stored report again, from its bytes and the key that is kept: no time, no replay, no
//! policy.

use std::borrow::Cow;

use thiserror::Error;

use crate::model::id::{AgentId, Kid};
use crate::model::key::IdentityKey;
use crate::model::state::{CanonForm, Scheme};
use crate::sign::digest::sha256;
use crate::sign::ed25519;
use crate::wire::envelope::{self, DataV2, Envelope, EnvelopeError, HeadV1, HeadV2, SignatureV2};
use crate::wire::limits::RELAYS;
use crate::wire::relay::{self, HeadRelay};
use crate::wire::signing;

use super::signature;

/// What a stored report must still prove.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    /// How it was signed.
    pub scheme: Scheme,
    /// Which bytes the signature covers.
    pub form: CanonForm,
    /// The key that verified it.
    pub key: ProofKey<'a>,
    /// SHA-256 of its data.
    pub data_sha256: [u8; 32],
}

/// The key that a stored report is proved with.
#[derive(Clone, Copy)]
pub enum ProofKey<'a> {
    /// The shared key.
    Shared(&'a [u8]),
    /// The agent's own key.
    Own(&'a IdentityKey),
}

impl std::fmt::Debug for ProofKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shared(_) => f.write_str("Shared(..)"),
            Self::Own(key) => write!(f, "Own({key})"),
        }
    }
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
    /// A relay's signature does not hold.
    #[error("the signature of the relay {0} does not hold")]
    Relay(AgentId),
    /// The relays around the report are not those of the row.
    #[error("the relays in the stored bytes are not those that the row tells")]
    Path,
}

/// A relay's envelope around a stored report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHop {
    /// The relay it names.
    pub relay_id: AgentId,
    /// The key it names; with a shared key only a hint.
    pub kid: Kid,
    text: String,
    signature: SignatureV2,
}

impl StoredHop {
    /// Whether it was signed with a key of the relay's own.
    pub fn is_own(&self) -> bool {
        matches!(self.signature, SignatureV2::Ed25519(_))
    }

    /// Whether this key made its signature.
    pub fn holds(&self, key: &ProofKey<'_>) -> bool {
        match (&self.signature, key) {
            (SignatureV2::Ed25519(sig), ProofKey::Own(key)) => {
                ed25519::holds(key, self.text.as_bytes(), sig)
            }
            (SignatureV2::Hmac(mac), ProofKey::Shared(secret)) => {
                signature::is_relay_mac(secret, &self.text, mac)
            }
            _ => false,
        }
    }
}

/// The relays' envelopes around a stored report, outermost first.
pub fn hops(stored: &[u8]) -> Result<Vec<StoredHop>, Mismatch> {
    let mut found = Vec::new();
    let mut level = Cow::Borrowed(stored);
    while found.len() < RELAYS && relay::is_relay(&level) {
        let head = relay::parse(&level)?.into_owned();
        let text = signing::Relay::of(&head, sha256(&head.inner)).text();
        let HeadRelay { relay_id, kid, signature, inner, .. } = head;
        found.push(StoredHop { relay_id, kid, text, signature });
        level = Cow::Owned(inner);
    }
    Ok(found)
}

/// The relays that a stored report itself names, without proof; only version 1 can.
pub fn claimed_relays(stored: &[u8]) -> Vec<AgentId> {
    match envelope::parse(stored) {
        Ok(Envelope::V1(head)) => head.relay_path,
        Ok(Envelope::V2(_)) | Err(_) => Vec::new(),
    }
}

/// Checks a stored report again, without regard to time, replay or policy.
pub fn recheck(stored: &[u8], proof: &Proof<'_>) -> Result<(), Mismatch> {
    let origin = relay::origin(stored)?;
    let parsed = envelope::parse(&origin)?;
    let data = match &parsed {
        Envelope::V1(HeadV1 { data, .. })
        | Envelope::V2(HeadV2 { data: DataV2::InBody(data), .. }) => {
            origin.get(data.clone()).unwrap_or_default()
        }
        Envelope::V2(HeadV2 { data: DataV2::Decoded(data), .. }) => data,
    };
    if sha256(data) != proof.data_sha256 {
        return Err(Mismatch::Digest);
    }
    let holds = match (&parsed, proof.scheme, proof.key) {
        (Envelope::V1(head), Scheme::V1, ProofKey::Shared(secret)) => {
            signature::holds_v1(secret, data, proof.form, &head.mac)
        }
        (Envelope::V2(head), Scheme::V2Hmac, ProofKey::Shared(secret)) => {
            signature::holds_v2(secret, head, proof.data_sha256)
        }
        (Envelope::V2(head), Scheme::V2Ed25519, ProofKey::Own(key)) => {
            signature::holds_own(key, head, proof.data_sha256)
        }
        (Envelope::V1(_) | Envelope::V2(_), scheme, _) => return Err(Mismatch::Scheme(scheme)),
    };
    if holds { Ok(()) } else { Err(Mismatch::Signature) }
}
