//! The keys in force: at most three that verify, and those retired or revoked, which only prove
//! what was stored before.
//!
//! A ring never changes; [`crate::keys::policy`] makes a new one. Handing one to another thread
//! copies a pointer.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::model::id::Kid;
use crate::model::time::UnixSeconds;
use crate::sign::psk::kid_of_psk;

/// How many keys verify at once: the current one and two previous. Each costs one more HMAC
/// per forged report.
pub const MAX_USABLE: usize = 3;

/// A key that its source no longer lists verifies for another day unless told otherwise, so that
/// agents which fetch keys rarely are not cut off by a rotation.
pub const KEEP_AFTER_LEAVING_SECONDS: i64 = 86_400;

/// How exactly storage knows when a key was last listed.
const LAST_SEEN_GRAIN_SECONDS: i64 = 3_600;

/// Retired keys kept in memory; a hostile zone could otherwise grow the ring without bound.
const MAX_RETIRED: usize = 64;

/// Where a key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// A DNS TXT record.
    Dns,
    /// The file named by `KATTILA_PSK_FILE`.
    File,
    /// `KATTILA_PSK`.
    Environment,
}

impl KeySource {
    /// Its word in the database and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::File => "file",
            Self::Environment => "environment",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "file" => Self::File,
            "environment" => Self::Environment,
            _ => Self::Dns,
        }
    }
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// The newest one; agents should sign with it.
    Current,
    /// Also accepted: listed beside the current one, or gone for less than a day.
    Previous,
    /// No longer accepted.
    Retired,
    /// Withdrawn by a person: not accepted even if its source lists it again.
    Revoked,
}

impl KeyState {
    /// Its word in the database and on pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    /// An unknown word means retired: a key nobody vouches for must not verify.
    fn from_word(word: &str) -> Self {
        match word {
            "current" => Self::Current,
            "previous" => Self::Previous,
            "revoked" => Self::Revoked,
            _ => Self::Retired,
        }
    }

    /// Whether keys in this state may verify.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Current | Self::Previous)
    }
}

/// Which of the keys in force one is, counted from the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// The current key.
    Current,
    /// The `n`th key after it, from 1.
    Previous(u8),
}

/// A pre-shared key and what is known of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk {
    /// Its name.
    pub kid: Kid,
    /// Its bytes, wiped when dropped.
    pub secret: Zeroizing<Vec<u8>>,
    /// Where it was found.
    pub source: KeySource,
    /// When it was first seen.
    pub first_seen: UnixSeconds,
    /// When it was last present in its source.
    pub last_seen: UnixSeconds,
    /// Where it stands.
    pub state: KeyState,
    /// `seq` of its record.
    pub seq: Option<i64>,
    /// Not to be used before.
    pub nbf: Option<UnixSeconds>,
    /// Not to be used from then on.
    pub exp: Option<UnixSeconds>,
    /// When its source stopped listing it; `None` while it is listed.
    pub left_at: Option<UnixSeconds>,
    /// How many seconds it verifies after that.
    pub grace: i64,
}

impl Psk {
    /// Whether the key may verify a report received at `now`.
    pub fn is_usable(&self, now: UnixSeconds) -> bool {
        self.state.is_active() && !self.is_pending(now) && !self.is_over(now)
    }

    /// Whether its `nbf` lies ahead.
    pub fn is_pending(&self, now: UnixSeconds) -> bool {
        self.nbf.is_some_and(|nbf| now < nbf)
    }

    /// Whether its `exp` or its grace after leaving its source has passed.
    pub fn is_over(&self, now: UnixSeconds) -> bool {
        self.exp.is_some_and(|exp| exp <= now)
            || self.left_at.is_some_and(|left| now.since(left) >= self.grace)
    }

    /// Newest first: by `seq` where records carry it, else by when they were first seen. The
    /// order in which a DNS answer lists them means nothing.
    pub fn newest_first(&self, other: &Self) -> Ordering {
        other
            .seq
            .cmp(&self.seq)
            .then(other.first_seen.cmp(&self.first_seen))
            .then_with(|| self.kid.cmp(&other.kid))
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Psk({} {})", self.kid, self.state.as_str())
    }
}

/// A key in plain values, as storage keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name.
    pub kid: Kid,
    /// Its bytes.
    pub secret: Zeroizing<Vec<u8>>,
    /// `dns`, `file` or `environment`.
    pub source: String,
    /// When it was first seen.
    pub first_seen: UnixSeconds,
    /// When it was last present in its source.
    pub last_seen: UnixSeconds,
    /// `current`, `previous`, `retired` or `revoked`.
    pub state: String,
    /// `seq` of its record.
    pub seq: Option<i64>,
    /// Not to be used before.
    pub nbf: Option<UnixSeconds>,
    /// Not to be used from then on.
    pub exp: Option<UnixSeconds>,
    /// When its source stopped listing it; `None` while it is listed.
    pub left_at: Option<UnixSeconds>,
}

impl StoredKey {
    /// Whether a person withdrew the key.
    pub fn is_revoked(&self) -> bool {
        self.state == KeyState::Revoked.as_str()
    }

    /// The record of a revoked key without its bytes, which still keeps the key away: for
    /// managers that must not keep keys.
    #[must_use]
    pub fn without_bytes(self) -> Self {
        Self { secret: Zeroizing::default(), ..self }
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredKey({} {})", self.kid, self.state)
    }
}

impl From<&Psk> for StoredKey {
    fn from(psk: &Psk) -> Self {
        Self {
            kid: psk.kid.clone(),
            secret: psk.secret.clone(),
            source: psk.source.as_str().to_owned(),
            first_seen: psk.first_seen,
            last_seen: psk.last_seen,
            state: psk.state.as_str().to_owned(),
            seq: psk.seq,
            nbf: psk.nbf,
            exp: psk.exp,
            left_at: psk.left_at,
        }
    }
}

impl From<StoredKey> for Psk {
    /// The name is computed again: a damaged row must not give a key another key's name. A
    /// record without bytes can only keep its key away.
    fn from(stored: StoredKey) -> Self {
        let nameless = stored.secret.is_empty();
        Self {
            kid: if nameless { stored.kid } else { kid_of_psk(&stored.secret) },
            secret: stored.secret,
            source: KeySource::from_word(&stored.source),
            first_seen: stored.first_seen,
            last_seen: stored.last_seen,
            state: if nameless { KeyState::Revoked } else { KeyState::from_word(&stored.state) },
            seq: stored.seq,
            nbf: stored.nbf,
            exp: stored.exp,
            left_at: stored.left_at,
            grace: KEEP_AFTER_LEAVING_SECONDS,
        }
    }
}

/// The keys in force, the current one first, then retired and revoked ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing(Arc<Vec<Psk>>);

impl KeyRing {
    /// The ring of a manager that was stopped with these keys.
    pub fn from_stored(stored: Vec<StoredKey>) -> Self {
        let mut keys: Vec<Psk> = stored.into_iter().map(Psk::from).collect();
        keys.sort_by(|a, b| {
            a.state
                .cmp(&b.state)
                .then(a.left_at.is_some().cmp(&b.left_at.is_some()))
                .then(b.left_at.cmp(&a.left_at))
                .then_with(|| a.newest_first(b))
        });
        Self::from_ordered(keys)
    }

    /// The ring whose keys verify for so many seconds after their source stopped listing them.
    #[must_use]
    pub fn with_grace(&self, grace: i64) -> Self {
        Self(Arc::new(self.all().cloned().map(|psk| Psk { grace, ..psk }).collect()))
    }

    /// Takes the active keys in the order given, the first as the current one.
    pub(in crate::keys) fn from_ordered(keys: Vec<Psk>) -> Self {
        let (mut active, mut rest): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|psk| psk.state.is_active());
        for (place, psk) in active.iter_mut().enumerate() {
            psk.state = match place {
                0 => KeyState::Current,
                1..MAX_USABLE => KeyState::Previous,
                _ => KeyState::Retired,
            };
        }
        rest.extend(active.split_off(active.len().min(MAX_USABLE)));
        rest.sort_by(|a, b| b.state.cmp(&a.state).then(b.last_seen.cmp(&a.last_seen)));
        let mut retired = 0;
        rest.retain(|psk| {
            retired += usize::from(psk.state == KeyState::Retired);
            psk.state == KeyState::Revoked || retired <= MAX_RETIRED
        });
        active.extend(rest);
        Self(Arc::new(active))
    }

    /// The keys that may verify a report received at `now`, the current one first, at most
    /// [`MAX_USABLE`].
    pub fn usable(&self, now: UnixSeconds) -> impl Iterator<Item = &Psk> {
        self.active().filter(move |psk| psk.is_usable(now))
    }

    /// The current and previous keys, whether usable at this moment or not.
    pub fn active(&self) -> impl Iterator<Item = &Psk> {
        self.0.iter().filter(|psk| psk.state.is_active())
    }

    /// Every key, retired and revoked ones last.
    pub fn all(&self) -> impl Iterator<Item = &Psk> {
        self.0.iter()
    }

    /// The active key of this name.
    pub fn find(&self, kid: &Kid) -> Option<&Psk> {
        self.active().find(|psk| psk.kid == *kid)
    }

    /// The key of this name in any state.
    pub fn find_any(&self, kid: &Kid) -> Option<&Psk> {
        self.0.iter().find(|psk| psk.kid == *kid)
    }

    /// Which of the active keys this is; `None` for others.
    pub fn generation(&self, kid: &Kid) -> Option<Generation> {
        let place = self.active().position(|psk| psk.kid == *kid)?;
        match u8::try_from(place) {
            Ok(0) => Some(Generation::Current),
            Ok(n) => Some(Generation::Previous(n)),
            Err(_) => None,
        }
    }

    /// Whether no key was ever found, or all were revoked. Keys outside their `nbf` and `exp`
    /// count here: ask [`KeyRing::usable`] whether anything verifies at this moment.
    pub fn is_empty(&self) -> bool {
        self.active().next().is_none()
    }

    /// The ring without this key, which is never taken back; `None` if it has no such key.
    #[must_use]
    pub fn revoke(&self, kid: &Kid) -> Option<Self> {
        self.find_any(kid)?;
        let mut keys = self.0.as_ref().clone();
        for psk in keys.iter_mut().filter(|psk| psk.kid == *kid) {
            psk.state = KeyState::Revoked;
        }
        Some(Self::from_ordered(keys))
    }

    /// All keys in plain values.
    pub fn stored(&self) -> Vec<StoredKey> {
        self.0.iter().map(StoredKey::from).collect()
    }

    /// The keys whose record differs from the one in `before`, not counting that they were seen
    /// again within [`LAST_SEEN_GRAIN_SECONDS`]: a poll that brings nothing new costs no write.
    pub fn changed_since(&self, before: &Self) -> Vec<StoredKey> {
        let same = |psk: &Psk, old: &Psk| {
            let old_but_seen_now = Psk { last_seen: psk.last_seen, ..old.clone() };
            *psk == old_but_seen_now && psk.last_seen.since(old.last_seen) < LAST_SEEN_GRAIN_SECONDS
        };
        self.0
            .iter()
            .filter(|psk| !before.find_any(&psk.kid).is_some_and(|old| same(psk, old)))
            .map(StoredKey::from)
            .collect()
    }
}

#[cfg(test)]
mod tests;
