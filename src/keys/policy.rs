//! Decides what a fresh list of keys does to the ring. Pure.
//!
//! Whoever can forge one DNS answer must not be able to lock out the fleet. So a key that the
//! last good answer listed and this one lists too always stays; of keys never seen before one
//! is let in at once, as a rotation needs; those that just left the list come next, and only
//! then further new ones. A file or the environment is the operator's own word: what it lists
//! comes first, in its order.

use std::cmp::Reverse;

use thiserror::Error;

use crate::keys::record::{Found, RecordProblem};
use crate::keys::ring::{
    KEEP_AFTER_LEAVING_SECONDS, KeyRing, KeySource, KeyState, MAX_USABLE, Psk,
};
use crate::model::id::Kid;
use crate::model::time::UnixSeconds;

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Which.
    pub kid: Kid,
    /// What.
    pub what: KeyChangeKind,
}

/// What can become of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChangeKind {
    /// Seen for the first time; it verifies from now on.
    Added,
    /// Listed again after it had left.
    CameBack,
    /// The newest from now on.
    BecameCurrent,
    /// No longer listed; verifies until its grace is over.
    Left,
    /// Verifies no more.
    Retired,
    /// Withdrawn by a person; never verifies again.
    Revoked,
}

impl KeyChangeKind {
    /// Its word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::CameBack => "came back",
            Self::BecameCurrent => "became current",
            Self::Left => "left its source",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// What a person should know about the list that was found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyWarning {
    /// One record or line cannot be used.
    #[error("{0}")]
    Record(RecordProblem),
    /// A key with less strength than HMAC-SHA256 can give.
    #[error("key {kid} is shorter than 32 bytes; replace it by 32 random bytes")]
    Short {
        /// Which.
        kid: Kid,
    },
    /// More keys than the ring holds.
    #[error("{listed} keys are listed, at most 3 are used; remove the oldest ones")]
    TooMany {
        /// How many.
        listed: usize,
    },
    /// A rotation adds one key; more at once look like forged answers.
    #[error(
        "{count} new keys appeared at once; check who changed the zone, rotations add one at a time"
    )]
    SeveralNew {
        /// How many.
        count: usize,
    },
    /// A person withdrew this key, its source still lists it.
    #[error("key {kid} is revoked but still listed; remove it from the source")]
    Revoked {
        /// Which.
        kid: Kid,
    },
    /// DNS lists a key that `KATTILA_DNS_PIN` does not.
    #[error(
        "key {kid} is listed but not pinned, so it is not used; check who published it, or add it \
         to KATTILA_DNS_PIN"
    )]
    NotPinned {
        /// Which.
        kid: Kid,
    },
    /// Its `exp` has passed.
    #[error("key {kid} has expired but is still listed; remove it from the source")]
    Expired {
        /// Which.
        kid: Kid,
    },
}

impl KeyWarning {
    /// Whether it raises the alarm `dns_psk.unexpected`; the others are advice.
    pub fn is_unexpected(&self) -> bool {
        match self {
            Self::Record(_)
            | Self::TooMany { .. }
            | Self::SeveralNew { .. }
            | Self::NotPinned { .. } => true,
            Self::Short { .. } | Self::Revoked { .. } | Self::Expired { .. } => false,
        }
    }
}

/// The ring after a list was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The keys in force from now on.
    pub ring: KeyRing,
    /// What became of which key.
    pub changes: Vec<KeyChange>,
    /// What a person should know.
    pub warnings: Vec<KeyWarning>,
    /// Whether the list had a key that can be used. If not, the ring is as it was.
    pub usable: bool,
}

/// Leaves the keys that are pinned, and warns of the others. No pins take any key.
pub fn pinned(found: Vec<Found>, pins: &[Kid]) -> (Vec<Found>, Vec<KeyWarning>) {
    if pins.is_empty() {
        return (found, Vec::new());
    }
    let (kept, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| pins.contains(&found.kid));
    let warnings = others.into_iter().map(|found| KeyWarning::NotPinned { kid: found.kid });
    (kept, warnings.collect())
}

/// Retires the keys that came from DNS before they had to be pinned, and are not.
pub fn confine(ring: &KeyRing, pins: &[Kid]) -> (KeyRing, Vec<KeyChange>) {
    let strange = |psk: &Psk| {
        psk.source == KeySource::Dns && psk.state.is_active() && !pins.contains(&psk.kid)
    };
    if pins.is_empty() || !ring.all().any(strange) {
        return (ring.clone(), Vec::new());
    }
    let confined = ring.all().cloned().map(|psk| match strange(&psk) {
        true => {
            Psk { state: KeyState::Retired, left_at: psk.left_at.or(Some(psk.last_seen)), ..psk }
        }
        false => psk,
    });
    let next = KeyRing::from_ordered(confined.collect());
    let changes = changes(ring, &next);
    (next, changes)
}

/// Applies a list of keys that its source gave completely and at `now`.
///
/// A list without a single key that can be used leaves the ring as it is: the last known keys
/// stay in force.
pub fn observe(
    ring: &KeyRing,
    found: &[Found],
    source: KeySource,
    now: UnixSeconds,
) -> Observation {
    let mut warnings = Vec::new();
    let listed = acceptable(ring, found, now, &mut warnings);
    if listed.is_empty() {
        return Observation { ring: ring.clone(), changes: Vec::new(), warnings, usable: false };
    }
    if listed.len() > MAX_USABLE {
        warnings.push(KeyWarning::TooMany { listed: listed.len() });
    }
    let mut candidates: Vec<Candidate> = listed
        .iter()
        .enumerate()
        .map(|(place, found)| Candidate::listed(ring, found, (source, place), now))
        .collect();
    let count = candidates.iter().filter(|c| c.standing == Standing::New).count();
    if count > 1 && !ring.is_empty() && source == KeySource::Dns {
        warnings.push(KeyWarning::SeveralNew { count });
    }
    let gone = ring.active().filter(|psk| listed.iter().all(|found| found.kid != psk.kid));
    candidates.extend(gone.map(|psk| Candidate::unlisted(psk, now)));

    let next = settle(&witnessed(ring, found, now), candidates, source, now);
    let changes = changes(ring, &next);
    Observation { ring: next, changes, warnings, usable: true }
}

/// The ring with what the list says of revoked keys: whether their source still has them.
fn witnessed(ring: &KeyRing, found: &[Found], now: UnixSeconds) -> KeyRing {
    let keys = ring.all().cloned().map(|psk| {
        if psk.state != KeyState::Revoked {
            psk
        } else if found.iter().any(|found| found.kid == psk.kid) {
            Psk { last_seen: now, left_at: None, ..psk }
        } else {
            Psk { left_at: psk.left_at.or(Some(now)), ..psk }
        }
    });
    KeyRing::from_ordered(keys.collect())
}

/// The listed keys that may be used at all, each once, in the order given.
fn acceptable<'a>(
    ring: &KeyRing,
    found: &'a [Found],
    now: UnixSeconds,
    warnings: &mut Vec<KeyWarning>,
) -> Vec<&'a Found> {
    let mut listed: Vec<&Found> = Vec::new();
    for found in found {
        let kid = found.kid.clone();
        if listed.iter().any(|other| other.kid == kid) {
            continue;
        }
        if ring.find_any(&kid).is_some_and(|psk| psk.state == KeyState::Revoked) {
            warnings.push(KeyWarning::Revoked { kid });
        } else if found.exp.is_some_and(|exp| exp <= now) {
            warnings.push(KeyWarning::Expired { kid });
        } else {
            if found.is_short() {
                warnings.push(KeyWarning::Short { kid });
            }
            listed.push(found);
        }
    }
    listed
}

/// How a candidate relates to the last good list, in no particular order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// On the last list and on this one.
    Still,
    /// On this list; was active, but not on the last one.
    Returned,
    /// On this list; not active before.
    New,
    /// On the last list, not on this one.
    JustLeft,
    /// Left earlier.
    Gone,
}

#[derive(Debug, Clone)]
struct Candidate {
    psk: Psk,
    standing: Standing,
    /// Its place on this list; after all places if it is not listed.
    place: usize,
}

impl Candidate {
    fn listed(
        ring: &KeyRing,
        found: &Found,
        (source, place): (KeySource, usize),
        now: UnixSeconds,
    ) -> Self {
        let known = ring.find_any(&found.kid);
        let standing = match known {
            Some(psk) if !psk.state.is_active() => Standing::New,
            Some(psk) if psk.left_at.is_none() => Standing::Still,
            Some(_) => Standing::Returned,
            None => Standing::New,
        };
        let psk = Psk {
            kid: found.kid.clone(),
            secret: found.secret.clone(),
            source,
            first_seen: known.map_or(now, |psk| psk.first_seen),
            last_seen: now,
            state: KeyState::Previous,
            seq: found.seq,
            nbf: found.nbf,
            exp: found.exp,
            left_at: None,
            grace: KEEP_AFTER_LEAVING_SECONDS,
        };
        Self { psk, standing, place }
    }

    fn unlisted(psk: &Psk, now: UnixSeconds) -> Self {
        let mut psk = psk.clone();
        let standing = if psk.left_at.is_none() { Standing::JustLeft } else { Standing::Gone };
        psk.left_at.get_or_insert(now);
        Self { psk, standing, place: usize::MAX }
    }
}

/// Gives the places of the ring to the candidates.
fn settle(
    ring: &KeyRing,
    mut candidates: Vec<Candidate>,
    source: KeySource,
    now: UnixSeconds,
) -> KeyRing {
    let by_list = source != KeySource::Dns;
    // Newest first within one claim; a key that is not valid yet yields to one that is.
    candidates.sort_by(|a, b| {
        let place = |c: &Candidate| if by_list { c.place } else { 0 };
        (a.psk.is_pending(now), place(a), Reverse(a.psk.left_at))
            .cmp(&(b.psk.is_pending(now), place(b), Reverse(b.psk.left_at)))
            .then_with(|| a.psk.newest_first(&b.psk))
    });
    let mut claims: Vec<(u8, Candidate)> = Vec::new();
    let mut rotation_served = false;
    for candidate in candidates {
        let claim = match candidate.standing {
            Standing::Still => 0,
            Standing::New | Standing::Returned if by_list => 0,
            Standing::New | Standing::Returned if !rotation_served => {
                rotation_served = true;
                1
            }
            Standing::JustLeft => 2,
            Standing::New | Standing::Returned => 3,
            Standing::Gone => 4,
        };
        claims.push((claim, candidate));
    }
    claims.sort_by_key(|(claim, _)| *claim);

    let (kept, dropped): (Vec<_>, Vec<_>) = {
        let (alive, over): (Vec<_>, Vec<_>) =
            claims.into_iter().map(|(_, c)| c).partition(|c| !c.psk.is_over(now));
        let mut alive = alive;
        let surplus = alive.split_off(alive.len().min(MAX_USABLE));
        (alive, over.into_iter().chain(surplus).collect())
    };
    let mut keys: Vec<Psk> = ordered(kept, by_list, now);
    // A new key that found no place is forgotten, not retired: it never verified anything.
    keys.extend(dropped.into_iter().filter(|c| ring.find_any(&c.psk.kid).is_some()).map(|c| Psk {
        state: KeyState::Retired,
        left_at: c.psk.left_at.or(Some(now)),
        ..c.psk
    }));
    let rest = ring.all().filter(|psk| keys.iter().all(|key| key.kid != psk.kid)).cloned();
    let rest: Vec<Psk> = rest.collect();
    keys.extend(rest);
    KeyRing::from_ordered(keys)
}

/// Valid keys before those to come, listed before left, then newest (or first on the list) first.
fn ordered(mut kept: Vec<Candidate>, by_list: bool, now: UnixSeconds) -> Vec<Psk> {
    kept.sort_by(|a, b| {
        let rank = |c: &Candidate| {
            let place = if by_list { c.place } else { 0 };
            (c.psk.is_pending(now), c.psk.left_at.is_some(), place, Reverse(c.psk.left_at))
        };
        rank(a).cmp(&rank(b)).then_with(|| a.psk.newest_first(&b.psk))
    });
    kept.into_iter().map(|c| c.psk).collect()
}

/// What became of which key between two rings.
pub(in crate::keys) fn changes(before: &KeyRing, after: &KeyRing) -> Vec<KeyChange> {
    let mut changes = Vec::new();
    let mut note = |psk: &Psk, what| changes.push(KeyChange { kid: psk.kid.clone(), what });
    for psk in after.active() {
        match before.find_any(&psk.kid) {
            None => note(psk, KeyChangeKind::Added),
            Some(old) if !old.state.is_active() => note(psk, KeyChangeKind::CameBack),
            Some(old) if old.left_at.is_some() && psk.left_at.is_none() => {
                note(psk, KeyChangeKind::CameBack);
            }
            Some(old) if old.left_at.is_none() && psk.left_at.is_some() => {
                note(psk, KeyChangeKind::Left);
            }
            Some(_) => {}
        }
    }
    for psk in before.active() {
        match after.find_any(&psk.kid).map(|now| now.state) {
            Some(state) if state.is_active() => {}
            Some(KeyState::Revoked) => note(psk, KeyChangeKind::Revoked),
            Some(_) | None => note(psk, KeyChangeKind::Retired),
        }
    }
    let current = |ring: &KeyRing| ring.active().next().map(|psk| psk.kid.clone());
    if let Some(psk) = after.active().next()
        && current(before) != current(after)
    {
        note(psk, KeyChangeKind::BecameCurrent);
    }
    changes
}

#[cfg(test)]
mod tests;
