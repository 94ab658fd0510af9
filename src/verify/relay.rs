//! Takes off what relays put around a report, outermost first, each checked before the next is
//! looked at. At most three, so at most four signatures per request (PROTOCOL 1.5).
//!
//! A relay vouches for having passed the bytes on and for nothing in them: its time is checked,
//! its nonce is not kept, and what is inside is judged like any other report.

use bytes::Bytes;
use thiserror::Error;

use crate::keys::ring::KeyRing;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::state::Scheme;
use crate::model::time::UnixSeconds;
use crate::sign::digest::{kid_of_public_key, sha256};
use crate::wire::envelope::{self, Envelope, EnvelopeError, SignatureV2};
use crate::wire::limits::RELAYS;
use crate::wire::relay::{self, HeadRelay};
use crate::wire::signing;

use super::rejection::Rejection;
use super::{Known, Policy, check_keys, check_skew, signature};

/// A relay that has proved that it passed the report on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The relay.
    pub relay_id: AgentId,
    /// The key that signed.
    pub kid: Kid,
    /// Its own key, if that is the one: pinned to it a moment ago.
    pub own_key: Option<IdentityKey>,
}

/// What is wrong with a path whose outermost relay has proved itself.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainFault {
    /// More relays than may be.
    #[error("there are more than {RELAYS} relays; find a shorter way")]
    TooDeep,
    /// A relay twice, or the origin as its own relay.
    #[error("{0} stands in the path twice; remove the loop")]
    Loop(AgentId),
    /// Relays that are not numbered one by one.
    #[error("{relay} says hop {found}, it must be {expected}; count from the origin")]
    Hop {
        /// Which.
        relay: AgentId,
        /// What it says.
        found: i64,
        /// What it should say.
        expected: i64,
    },
    /// A level that is signed for another fleet.
    #[error("a report for fleet {inner} is wrapped for fleet {outer}; relay within one fleet")]
    Fleet {
        /// The relay's.
        outer: FleetId,
        /// That of what is inside.
        inner: FleetId,
    },
    /// Taken out of service, or told by an admin not to relay.
    #[error("{0} may not relay; an admin can allow it")]
    Barred(AgentId),
    /// Signed with the shared key, which does not tell who relays.
    #[error("{0} has no key of its own; register one, or set KATTILA_RELAY_PSK=1")]
    SharedKey(AgentId),
}

/// What the levels are checked against.
pub(super) struct Scope<'a, F> {
    pub(super) ring: &'a KeyRing,
    pub(super) policy: &'a Policy,
    pub(super) known: F,
    pub(super) now: UnixSeconds,
}

/// A path whose relays have proved themselves, and the report at its end, unverified.
pub(super) struct Unwrapped {
    /// Next to the origin first.
    pub(super) hops: Vec<Hop>,
    pub(super) origin: Bytes,
}

/// Takes all relays' envelopes off.
pub(super) fn unwrap<F: Fn(&AgentId) -> Known>(
    body: &[u8],
    scope: &Scope<'_, F>,
) -> Result<Unwrapped, Rejection> {
    let outer = relay::parse(body)?.into_owned();
    let outermost = outer.relay_id.clone();
    let mut hops = vec![proved(&outer, scope)?];
    let broken = |fault| Rejection::Chain { relay: outermost.clone(), fault };
    let mut level = outer;
    if level.hop > most() {
        return Err(broken(ChainFault::TooDeep));
    }
    loop {
        let head = match envelope::parse(&level.inner) {
            Err(EnvelopeError::NotRelayed) => relay::parse(&level.inner)
                .map_err(|error| Rejection::from(error).broken(&outermost))?,
            Err(error) => return Err(Rejection::from(error).through(&outermost)),
            Ok(report) => {
                let fits = ends(&level, &hops, &report);
                drop(report);
                fits.map_err(broken)?;
                hops.reverse();
                return Ok(Unwrapped { hops, origin: Bytes::from(level.inner) });
            }
        };
        follows(&level, &hops, &head).map_err(broken)?;
        hops.push(proved(&head, scope).map_err(|why| why.broken(&outermost))?);
        level = head.into_owned();
    }
}

fn most() -> i64 {
    i64::try_from(RELAYS).unwrap_or(i64::MAX)
}

/// Whether a relay's envelope may stand in another.
fn follows(outer: &HeadRelay<'_>, hops: &[Hop], inner: &HeadRelay<'_>) -> Result<(), ChainFault> {
    if hops.len() >= RELAYS {
        return Err(ChainFault::TooDeep);
    }
    let expected = outer.hop.saturating_sub(1);
    if inner.hop != expected || expected < 1 {
        let relay = inner.relay_id.clone();
        return Err(ChainFault::Hop { relay, found: inner.hop, expected });
    }
    distinct(hops, &inner.relay_id)?;
    same_fleet(&outer.fleet_id, &inner.fleet_id)
}

/// Whether a report may stand in a relay's envelope.
fn ends(last: &HeadRelay<'_>, hops: &[Hop], report: &Envelope<'_>) -> Result<(), ChainFault> {
    if last.hop != 1 {
        let relay = last.relay_id.clone();
        return Err(ChainFault::Hop { relay, found: last.hop, expected: 1 });
    }
    match report {
        Envelope::V1(head) => distinct(hops, &head.agent_id),
        Envelope::V2(head) => {
            distinct(hops, &head.agent_id)?;
            same_fleet(&last.fleet_id, &head.fleet_id)
        }
    }
}

fn distinct(hops: &[Hop], id: &AgentId) -> Result<(), ChainFault> {
    if hops.iter().any(|hop| hop.relay_id == *id) {
        return Err(ChainFault::Loop(id.clone()));
    }
    Ok(())
}

fn same_fleet(outer: &FleetId, inner: &FleetId) -> Result<(), ChainFault> {
    if outer == inner {
        return Ok(());
    }
    Err(ChainFault::Fleet { outer: outer.clone(), inner: inner.clone() })
}

/// Checks one relay: its signature, whether it may, its clock.
fn proved<F: Fn(&AgentId) -> Known>(
    head: &HeadRelay<'_>,
    scope: &Scope<'_, F>,
) -> Result<Hop, Rejection> {
    let relay_id = head.relay_id.clone();
    let known = (scope.known)(&relay_id);
    let text = signing::Relay::of(head, sha256(&head.inner)).text();
    let barred = |fault| Rejection::Chain { relay: relay_id.clone(), fault };
    let (kid, own_key) = match &head.signature {
        SignatureV2::Ed25519(sig) => {
            let held = signature::pinned_signed(known.key.as_ref(), &text, sig);
            let Some(key) = known.key.filter(|_| held) else {
                return Err(invalid(head, Scheme::V2Ed25519, false));
            };
            (kid_of_public_key(&key.0), Some(key))
        }
        SignatureV2::Hmac(mac) => {
            check_keys(scope.ring, scope.now)?;
            let keys = scope.ring.usable(scope.now);
            let Some(kid) = signature::find_relay(keys, &text, mac) else {
                let may_be_new = scope.ring.find(&head.kid).is_none();
                return Err(invalid(head, Scheme::V2Hmac, may_be_new));
            };
            if known.key.is_some() {
                return Err(Rejection::IdentityRequired { agent: relay_id });
            }
            if !scope.policy.relay_psk {
                return Err(barred(ChainFault::SharedKey(relay_id.clone())));
            }
            (kid, None)
        }
    };
    if known.barred {
        return Err(barred(ChainFault::Barred(relay_id.clone())));
    }
    check_skew(&relay_id, head.timestamp, scope.policy, scope.now)?;
    Ok(Hop { relay_id, kid, own_key })
}

fn invalid(head: &HeadRelay<'_>, scheme: Scheme, may_be_new_key: bool) -> Rejection {
    Rejection::SignatureInvalid {
        agent: head.relay_id.clone(),
        scheme,
        kid: Some(head.kid.clone()),
        may_be_new_key,
    }
}
