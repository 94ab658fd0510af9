//! Turns bytes into proof: a report whose signature holds, or a reason why not.
//!
//! [`verify_report`] is the one way to a [`Verified`], and a [`Verified`] is the only thing the
//! processor takes. Checks run from cheap to dear: limits, shape, syntax, keys, signature,
//! version, clock. What depends on earlier reports ([`replay`], [`crate::model::rate`]) is judged later, by
//! who holds that state. Nothing here reads a clock, a file or a socket.

pub mod arrived;
pub mod bodies;
pub mod canon;
pub mod enrol;
pub mod proof;
pub mod rejection;
pub mod relay;
pub mod replay;
pub mod shelf;
mod signature;
pub mod stored;
mod unpack;

use bytes::Bytes;

use crate::keys::ring::KeyRing;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::path::RelayPath;
use crate::model::state::{CanonForm, RelayProof, Scheme};
use crate::model::time::UnixSeconds;
use crate::sign::digest::{kid_of_public_key, sha256};
use crate::wire::canon::Forms;
use crate::wire::envelope::{self, DataV2, Envelope, EnvelopeError, HeadV1, HeadV2, SignatureV2};
use crate::wire::frame::Frame;
use crate::wire::limits::MAX_SKEW_SECONDS;
use crate::wire::register;

use arrived::Arrived;
use canon::V1Canon;
use rejection::Rejection;
use relay::{Hop, Scope, Unwrapped};

/// What the settings say about acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Seconds a timestamp may differ from the manager's clock.
    pub max_skew: i64,
    /// The lowest version accepted: 1 or 2.
    pub min_version: u8,
    /// Which bytes a version 1 signature may cover.
    pub v1_canon: V1Canon,
    /// Whether agents without a key of their own may relay.
    pub relay_psk: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_skew: MAX_SKEW_SECONDS,
            min_version: 1,
            v1_canon: V1Canon::Auto,
            relay_psk: false,
        }
    }
}

/// What the manager remembers of an agent, as far as its signatures go: as last committed, since
/// whoever acts on a signature looks again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// The form that its last version 1 report matched.
    pub form: Option<CanonForm>,
    /// The key that is pinned to it.
    pub key: Option<IdentityKey>,
    /// Whether it may not relay.
    pub barred: bool,
}

impl From<Option<CanonForm>> for Known {
    fn from(form: Option<CanonForm>) -> Self {
        Self { form, ..Self::default() }
    }
}

/// A report whose signature holds. Made only by [`verify_report`].
#[derive(Debug, Clone)]
pub struct Verified {
    agent_id: AgentId,
    fleet_id: Option<FleetId>,
    scheme: Scheme,
    form: CanonForm,
    kid: Kid,
    own_key: Option<IdentityKey>,
    timestamp: UnixSeconds,
    nonce: Box<str>,
    tick: Option<i64>,
    relay_path: RelayPath,
    hops: Vec<Hop>,
    frame: Option<Box<Frame>>,
    data: Bytes,
    data_sha256: [u8; 32],
    signed_sha256: [u8; 32],
    origin: Bytes,
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

    /// The agent's own key, if that is what verified it: the one pinned to it a moment ago.
    pub fn own_key(&self) -> Option<&IdentityKey> {
        self.own_key.as_ref()
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

    /// The relays it came through: those that proved it ([`Self::hops`]), else those that it
    /// names, a claim, since version 1 does not sign it.
    pub fn relay_path(&self) -> &RelayPath {
        &self.relay_path
    }

    /// The relays that signed for having passed it on, next to the origin first.
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// The outermost relay that proved itself: who sent the request.
    pub fn through(&self) -> Option<&AgentId> {
        self.hops.last().map(|hop| &hop.relay_id)
    }

    /// The origin's envelope, without what relays put around it.
    pub fn origin(&self) -> &Bytes {
        &self.origin
    }

    /// How its data was encoded, if it is a frame.
    pub fn frame(&self) -> Option<&Frame> {
        self.frame.as_deref()
    }

    /// The bytes of `data`, as received, as decoded from `data_b64` or as decompressed.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// SHA-256 of [`Self::data`]; of a frame, of its data as sent.
    pub fn data_sha256(&self) -> &[u8; 32] {
        &self.data_sha256
    }

    /// SHA-256 of the bytes the signature covers: those of [`Self::data`] in their [`Self::form`].
    /// However a version 1 body is spaced anew, this stays.
    pub fn signed_sha256(&self) -> &[u8; 32] {
        &self.signed_sha256
    }

    /// The whole body as received, relays' envelopes included.
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
/// `known` tells what is remembered of an agent. A report signed with a shared key is tried
/// with every usable one, whichever matches; one signed with a key of the agent's own only with
/// the one pinned to it. What relays put around it is checked first. Every failure of a signature
/// is the same rejection. What is compressed is decompressed last.
pub fn verify_report<'a, K: Into<Known>>(
    arrived: impl Into<Arrived<'a>>,
    ring: &KeyRing,
    policy: &Policy,
    known: impl Fn(&AgentId) -> K,
    now: UnixSeconds,
) -> Result<Verified, Rejection> {
    let scope = Scope { ring, policy, known: |agent: &AgentId| known(agent).into(), now };
    let arrived = arrived.into();
    let verified = match arrived.parse() {
        Err(EnvelopeError::NotRelayed) => verify_relayed(arrived.body, &scope),
        other => verify_origin(arrived.body, other?, &scope),
    }?;
    unpack::read(verified, arrived.shelf)
}

/// A report that relays passed on: their signatures, then it.
fn verify_relayed<F: Fn(&AgentId) -> Known>(
    body: &Bytes,
    scope: &Scope<'_, F>,
) -> Result<Verified, Rejection> {
    let Unwrapped { hops, origin } = relay::unwrap(body, scope)?;
    let checked = envelope::parse(&origin).map_err(Rejection::from);
    let checked = checked.and_then(|envelope| verify_origin(&origin, envelope, scope));
    let verified = checked.map_err(|why| match hops.last() {
        Some(outermost) => why.through(&outermost.relay_id),
        None => why,
    })?;
    let relays = hops.iter().map(|hop| hop.relay_id.clone()).collect();
    let relay_path = RelayPath::through(relays, RelayProof::Proven);
    Ok(Verified { relay_path, hops, body: body.clone(), ..verified })
}

/// The report itself.
fn verify_origin<F: Fn(&AgentId) -> Known>(
    body: &Bytes,
    envelope: Envelope<'_>,
    scope: &Scope<'_, F>,
) -> Result<Verified, Rejection> {
    let Scope { ring, policy, known, now } = scope;
    let now = *now;
    let verified = match envelope {
        Envelope::V1(head) => {
            let forms = policy.v1_canon.forms(known(&head.agent_id).form);
            verify_v1(body, head, ring, forms, now)?
        }
        Envelope::V2(head) => {
            let keys = match head.signature {
                SignatureV2::Hmac(_) => Keys::Shared(ring),
                SignatureV2::Ed25519(_) => Keys::Pinned(known(&head.agent_id).key),
            };
            verify_v2(body, head, &keys, now)?
        }
    };
    check_policy(&verified, policy, now)?;
    Ok(verified)
}

/// Verifies a version 1 announcement. What agents with a key of their own send is for
/// [`enrol::verify_registration`]; here it is refused by version.
pub fn verify_register<K: Into<Known>>(
    body: &Bytes,
    ring: &KeyRing,
    policy: &Policy,
    known: impl FnOnce(&AgentId) -> K,
    now: UnixSeconds,
) -> Result<Announcement, Rejection> {
    let head = match envelope::parse_json(body) {
        Ok(Envelope::V1(head)) => head,
        Err(error) if !register::is_enrolment(body) => return Err(error.into()),
        Ok(Envelope::V2(_)) | Err(_) => {
            let version = "2 (enrolment with a key of the agent's own)".to_owned();
            return Err(EnvelopeError::UnsupportedVersion(version).into());
        }
    };
    let forms = policy.v1_canon.forms(known(&head.agent_id).into().form);
    let verified = verify_v1(body, head, ring, forms, now)?;
    check_policy(&verified, policy, now)?;
    Ok(Announcement(verified))
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
        own_key: None,
        timestamp: head.timestamp,
        nonce: head.nonce.into(),
        tick: None,
        relay_path: RelayPath::through(head.relay_path, RelayProof::Claimed),
        hops: Vec::new(),
        frame: None,
        data_sha256,
        signed_sha256,
        data,
        origin: body.clone(),
        body: body.clone(),
    })
}

/// The keys that may have signed a version 2 report.
enum Keys<'a> {
    /// The shared ones.
    Shared(&'a KeyRing),
    /// The one pinned to the agent, if one is.
    Pinned(Option<IdentityKey>),
}

impl Keys<'_> {
    /// The name of the key that made the signature.
    fn find(&self, head: &HeadV2<'_>, data_sha256: [u8; 32], now: UnixSeconds) -> Option<Kid> {
        match self {
            Self::Shared(ring) => signature::find_v2(ring.usable(now), head, data_sha256),
            Self::Pinned(pinned) => signature::is_by_pinned(pinned.as_ref(), head, data_sha256)
                .then(|| pinned.map(|key| kid_of_public_key(&key.0)))
                .flatten(),
        }
    }
}

fn verify_v2(
    body: &Bytes,
    mut head: HeadV2<'_>,
    keys: &Keys<'_>,
    now: UnixSeconds,
) -> Result<Verified, Rejection> {
    // An agent with a key of its own does not depend on the shared ones being there.
    let (scheme, own_key) = match keys {
        Keys::Shared(ring) => (check_keys(ring, now).map(|()| Scheme::V2Hmac)?, None),
        Keys::Pinned(pinned) => (Scheme::V2Ed25519, *pinned),
    };
    let data = match std::mem::replace(&mut head.data, DataV2::InBody(0..0)) {
        DataV2::InBody(range) => body.slice(range),
        DataV2::Decoded(decoded) => Bytes::from(decoded),
    };
    let data_sha256 = sha256(&data);
    let Some(kid) = keys.find(&head, data_sha256, now) else {
        // A shared key that is not in the ring may be too new; agents' own keys are never
        // fetched, only pinned.
        let may_be_new_key = matches!(keys, Keys::Shared(ring) if ring.find(&head.kid).is_none());
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
        own_key,
        timestamp: head.timestamp,
        nonce: head.nonce.into(),
        tick: Some(head.tick),
        relay_path: RelayPath::direct(),
        hops: Vec::new(),
        frame: head.frame.map(Box::new),
        data,
        data_sha256,
        signed_sha256: data_sha256,
        origin: body.clone(),
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
    if version < policy.min_version {
        let agent = verified.agent_id.clone();
        return Err(Rejection::VersionDowngrade { agent, scheme: verified.scheme });
    }
    check_skew(&verified.agent_id, verified.timestamp, policy, now)
}

/// Whether something was signed within the limits of the manager's clock.
fn check_skew(
    agent: &AgentId,
    timestamp: UnixSeconds,
    policy: &Policy,
    now: UnixSeconds,
) -> Result<(), Rejection> {
    let max_skew = policy.max_skew;
    if timestamp.since(now).unsigned_abs() > max_skew.unsigned_abs() {
        return Err(Rejection::TimestampSkew { agent: agent.clone(), timestamp, now, max_skew });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
