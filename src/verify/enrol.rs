//! Turns the body of `POST /status/register` into proof: an agent that announces itself under
//! the shared key, or one that wants to be known by a key of its own.
//!
//! Which key may be pinned to whom depends on what was pinned before, and is decided by who
//! holds that state. Here it is only proved who asks: the fleet's shared key, the new key, and
//! the old one where there is one and it signed.

use bytes::Bytes;

use crate::keys::ring::KeyRing;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::state::Scheme;
use crate::model::time::UnixSeconds;
use crate::sign::ed25519;
use crate::sign::hmac;
use crate::wire::register;

use super::rejection::Rejection;
use super::{Announcement, Known, Policy, check_keys, check_skew, verify_register};

/// A registration whose signatures hold.
#[derive(Debug, Clone)]
pub enum Registration {
    /// First generation: the agent announces itself.
    Announcement(Announcement),
    /// Second generation: the agent has a key of its own.
    Enrolment(Enrolment),
}

/// An enrolment whose signatures hold. Made only by [`verify_registration`].
#[derive(Debug, Clone)]
pub struct Enrolment {
    agent_id: AgentId,
    fleet_id: FleetId,
    public_key: IdentityKey,
    timestamp: UnixSeconds,
    hostname: Option<String>,
    psk_kid: Kid,
    replaces: Option<IdentityKey>,
}

impl Enrolment {
    /// Who asks.
    pub fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    /// For which fleet.
    pub fn fleet_id(&self) -> &FleetId {
        &self.fleet_id
    }

    /// The key to be pinned; its secret half is the sender's.
    pub fn public_key(&self) -> &IdentityKey {
        &self.public_key
    }

    /// When it was signed, on the agent's clock.
    pub fn timestamp(&self) -> UnixSeconds {
        self.timestamp
    }

    /// The host's name, if it told one.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref()
    }

    /// The shared key that vouched for it.
    pub fn psk_kid(&self) -> &Kid {
        &self.psk_kid
    }

    /// The key it replaces, whose holder agrees: the one pinned a moment ago.
    pub fn replaces(&self) -> Option<&IdentityKey> {
        self.replaces.as_ref()
    }
}

/// Verifies the body of `POST /status/register`. Every failure of a signature is the same
/// rejection.
pub fn verify_registration(
    body: &Bytes,
    ring: &KeyRing,
    policy: &Policy,
    known: impl FnOnce(&AgentId) -> Known,
    now: UnixSeconds,
) -> Result<Registration, Rejection> {
    if register::is_enrolment(body) {
        let pinned = |agent: &AgentId| known(agent).key;
        return verify_enrolment(body, ring, policy, pinned, now).map(Registration::Enrolment);
    }
    verify_register(body, ring, policy, known, now).map(Registration::Announcement)
}

fn verify_enrolment(
    body: &[u8],
    ring: &KeyRing,
    policy: &Policy,
    pinned: impl FnOnce(&AgentId) -> Option<IdentityKey>,
    now: UnixSeconds,
) -> Result<Enrolment, Rejection> {
    let asked = register::parse(body)?;
    check_keys(ring, now)?;
    let text = asked.text();
    let mut vouching = None;
    for key in ring.usable(now) {
        let derived = hmac::register_key(&key.secret);
        let holds = hmac::is_mac(derived.as_slice(), text.as_bytes(), &asked.psk_mac);
        vouching = vouching.or(holds.then_some(&key.kid));
    }
    let is_own = ed25519::holds(&asked.public_key, text.as_bytes(), &asked.sig);
    // The same key again replaces nothing: the answer to the rotation was lost on its way.
    let old = pinned(&asked.agent_id).filter(|old| *old != asked.public_key);
    let replaces = old.zip(asked.prev_sig);
    let agrees = replaces.is_none_or(|(old, sig)| ed25519::holds(&old, text.as_bytes(), &sig));
    let (Some(psk_kid), true, true) = (vouching, is_own, agrees) else {
        return Err(Rejection::SignatureInvalid {
            may_be_new_key: vouching.is_none() && ring.find(&asked.psk_kid).is_none(),
            agent: asked.agent_id,
            scheme: Scheme::V2Ed25519,
            kid: Some(asked.psk_kid),
        });
    };
    check_skew(&asked.agent_id, asked.timestamp, policy, now)?;
    Ok(Enrolment {
        fleet_id: asked.fleet_id,
        public_key: asked.public_key,
        timestamp: asked.timestamp,
        hostname: Some(asked.hostname.into_owned()).filter(|name| !name.is_empty()),
        psk_kid: psk_kid.clone(),
        replaces: replaces.map(|(old, _)| old),
        agent_id: asked.agent_id,
    })
}
