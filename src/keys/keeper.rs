//! Keeps the ring: fetches, applies, remembers how it went, and says when to fetch again.
//!
//! It has no timer, task or clock of its own: `jobs` calls [`Keeper::refresh`], the door calls
//! [`Keeper::refresh_for_unknown_key`]. At most one fetch runs at a time, and whoever asks
//! meanwhile gets its result. A ring that verifies something is never exchanged for an empty one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Notify;

use crate::keys::health::{KeyHealth, RefreshOutcome};
use crate::keys::policy::{
    KeyChange, KeyChangeKind, KeyWarning, changes, confine, observe, pinned,
};
use crate::keys::record::{Found, Parsed};
use crate::keys::ring::{KEEP_AFTER_LEAVING_SECONDS, KeyRing, KeySource, StoredKey};
use crate::keys::source::{Fetched, Source, SourceConfig};
use crate::model::id::Kid;
use crate::model::time::UnixSeconds;

/// DNS is asked at most this often, whatever its time to live, in seconds.
const MIN_PERIOD_SECONDS: u64 = 30;

/// DNS is asked at least this often, so that a rotation is noticed within the hour.
const MAX_PERIOD_SECONDS: u64 = 3_600;

/// A file is looked at this often; its keys are few bytes.
const FILE_PERIOD_SECONDS: u64 = 5;

/// The first retry after a failure, in seconds; each further one waits twice as long.
const FIRST_RETRY_SECONDS: u64 = 5;

/// The longest wait between retries, in seconds.
const MAX_RETRY_SECONDS: u64 = 300;

/// Signatures by unknown keys cause at most one fetch in this many seconds: they cost a forger
/// nothing.
const UNKNOWN_KEY_SECONDS: i64 = 30;

/// What one call of [`Keeper::refresh`] brought.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// What became of the attempt.
    pub outcome: RefreshOutcome,
    /// When to call again.
    pub next_in: Duration,
    /// What became of which key since the last call, fetches for unknown keys included: for
    /// the events.
    pub changes: Vec<KeyChange>,
    /// What a person should know about the list, for the log. Empty unless a list came.
    pub warnings: Vec<KeyWarning>,
    /// Key records that differ from what was handed out for storage before.
    pub to_store: Vec<StoredKey>,
    /// The state of the source after it.
    pub health: KeyHealth,
}

/// The one owner of the key ring.
pub struct Keeper {
    state: Arc<State>,
    flight: Mutex<Flight>,
}

/// What a fetch brought, for everyone who waited for it.
#[derive(Debug, Clone)]
struct Landed {
    outcome: RefreshOutcome,
    next_in: Duration,
    warnings: Vec<KeyWarning>,
    ring_changed: bool,
}

#[derive(Default)]
struct Flight {
    running: Option<Shared<BoxFuture<'static, Landed>>>,
    /// When an unknown key last caused a fetch.
    last_for_unknown: Option<UnixSeconds>,
}

struct State {
    source: Source,
    kind: KeySource,
    /// The only keys to take; empty takes any.
    pins: Vec<Kid>,
    /// How many seconds a key verifies after it left its source.
    grace: i64,
    ring: RwLock<KeyRing>,
    health: Mutex<KeyHealth>,
    news: Mutex<News>,
    news_came: Notify,
}

/// What has happened since the last [`Keeper::refresh`].
struct News {
    changes: Vec<KeyChange>,
    /// The ring as last handed out for storage.
    stored: KeyRing,
    /// When keys last came into force or went out of it.
    last_change: Option<UnixSeconds>,
}

impl Keeper {
    /// Starts from the keys of the last run, which stay in force until the source tells
    /// otherwise; those that are not pinned, if any must be, leave it now. Nothing is fetched
    /// yet.
    pub fn new(config: SourceConfig, initial: Vec<StoredKey>) -> Self {
        Self::with_grace(config, initial, KEEP_AFTER_LEAVING_SECONDS)
    }

    /// The same, where keys verify for `grace` seconds after their source stopped listing them.
    pub fn with_grace(config: SourceConfig, initial: Vec<StoredKey>, grace: i64) -> Self {
        let stored = KeyRing::from_stored(initial).with_grace(grace);
        let (ring, changes) = confine(&stored, config.pins());
        let kind = config.kind();
        let mut health = KeyHealth::new(kind, config.to_string());
        // Until an answer tells better; the alarm counts in periods.
        health.period_seconds = period(kind, None);
        let state = State {
            kind,
            pins: config.pins().to_vec(),
            grace,
            health: Mutex::new(health),
            source: Source::new(config),
            news: Mutex::new(News { changes, stored, last_change: None }),
            news_came: Notify::new(),
            ring: RwLock::new(ring),
        };
        Self { state: Arc::new(state), flight: Mutex::default() }
    }

    /// The ring in force. Copies a pointer.
    pub fn ring(&self) -> KeyRing {
        self.state.ring()
    }

    /// How fetching goes.
    pub fn health(&self) -> KeyHealth {
        lock(&self.state.health).clone()
    }

    /// Fetches and applies. Never fails: trouble is in the outcome, and the ring is kept.
    pub async fn refresh(&self, now: UnixSeconds) -> Refresh {
        let running = self.join_or_start(now);
        let landed = running.await;
        let health = self.health();
        let (changes, to_store) = self.take_news();
        Refresh {
            outcome: landed.outcome,
            next_in: landed.next_in,
            warnings: landed.warnings,
            changes,
            to_store,
            health,
        }
    }

    /// Fetches because a signature fits none of the keys, and tells whether it is worth
    /// verifying again: whether the ring has changed by it, or shortly before it.
    ///
    /// All callers share one fetch. Within 30 s of the last one nothing is fetched.
    pub async fn refresh_for_unknown_key(&self, now: UnixSeconds) -> bool {
        let running = {
            let mut flight = lock(&self.flight);
            match flight.joinable() {
                Some(running) => running,
                None if soon(flight.last_for_unknown, now) => {
                    return soon(lock(&self.state.news).last_change, now);
                }
                None => {
                    flight.last_for_unknown = Some(now);
                    flight.start(&self.state, now)
                }
            }
        };
        let changed = running.await.ring_changed;
        if changed {
            self.state.news_came.notify_one();
        }
        changed
    }

    /// Waits until an unknown key has changed the ring; [`Keeper::take_news`] then has what to
    /// record. Otherwise it would wait for the next [`Keeper::refresh`].
    pub async fn news_came(&self) {
        self.state.news_came.notified().await;
    }

    /// What has become of which key, and the records to store, each told once.
    pub fn take_news(&self) -> (Vec<KeyChange>, Vec<StoredKey>) {
        let mut news = lock(&self.state.news);
        let ring = self.ring();
        let to_store = ring.changed_since(&news.stored);
        news.stored = ring;
        (std::mem::take(&mut news.changes), to_store)
    }

    /// What to store before a key is revoked; `None` if there is no such key.
    pub fn revocation(&self, kid: &Kid) -> Option<StoredKey> {
        let without = self.ring().revoke(kid)?;
        without.find_any(kid).map(StoredKey::from)
    }

    /// Withdraws a key for good, from the next report on; false if there is no such key. What
    /// follows for other keys is in the next news; that it was revoked is its caller's to tell,
    /// who knows by whom.
    pub fn revoke(&self, kid: &Kid) -> bool {
        let mut ring = self.state.ring.write().unwrap_or_else(PoisonError::into_inner);
        let Some(without) = ring.revoke(kid) else { return false };
        let was_listed = ring.find(kid).is_some_and(|psk| psk.left_at.is_none());
        let mut followed = changes(&ring, &without);
        *ring = without;
        drop(ring);
        followed.retain(|change| change.what != KeyChangeKind::Revoked);
        lock(&self.state.news).changes.extend(followed);
        if was_listed {
            lock(&self.state.health).note_revoked(kid);
        }
        self.state.news_came.notify_one();
        true
    }

    fn join_or_start(&self, now: UnixSeconds) -> Shared<BoxFuture<'static, Landed>> {
        let mut flight = lock(&self.flight);
        match flight.joinable() {
            Some(running) => running,
            None => flight.start(&self.state, now),
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("ring", &self.ring()).finish_non_exhaustive()
    }
}

impl Flight {
    fn joinable(&self) -> Option<Shared<BoxFuture<'static, Landed>>> {
        self.running.as_ref().filter(|running| running.peek().is_none()).cloned()
    }

    /// The future is shared by all who wait and driven by any of them, so that a client who
    /// hangs up takes nothing from the others.
    fn start(
        &mut self,
        state: &Arc<State>,
        now: UnixSeconds,
    ) -> Shared<BoxFuture<'static, Landed>> {
        let state = Arc::clone(state);
        let running = async move { state.fetch_and_apply(now).await }.boxed().shared();
        self.running = Some(running.clone());
        running
    }
}

impl State {
    fn ring(&self) -> KeyRing {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn fetch_and_apply(&self, now: UnixSeconds) -> Landed {
        let fetched = self.source.fetch().await;
        let mut ttl = None;
        let mut warnings = Vec::new();
        let mut secure = None;
        let mut ring_changed = false;
        let outcome = match fetched {
            Fetched::List { parsed, ttl: told, secure: proven } => {
                let (found, problems) = sorted_out(parsed);
                let (found, strange) = pinned(found, &self.pins);
                warnings = [problems, strange].concat();
                (ttl, secure) = (told, proven);
                let applied = self.apply(&found, now, &mut warnings);
                ring_changed = applied.changed;
                if applied.usable {
                    RefreshOutcome::Fresh
                } else {
                    RefreshOutcome::Missing("no usable key is listed; publish one".to_owned())
                }
            }
            Fetched::Missing(why) => RefreshOutcome::Missing(why),
            Fetched::Failed(why) => RefreshOutcome::Failed(why),
            Fetched::Bogus(why) => RefreshOutcome::Bogus(why),
        };
        let mut health = lock(&self.health);
        health.note(&outcome, now);
        if outcome == RefreshOutcome::Fresh || !warnings.is_empty() {
            health.note_list(&warnings, secure);
        }
        if outcome.is_good() {
            health.period_seconds = period(self.kind, ttl);
        }
        let next_in = self.next_in(&outcome, &health);
        health.note_next(next_in, now);
        Landed { outcome, next_in, warnings, ring_changed }
    }

    /// Puts the list into force, if it has a key that can be used.
    fn apply(&self, found: &[Found], now: UnixSeconds, warnings: &mut Vec<KeyWarning>) -> Applied {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let seen = observe(&ring, found, self.kind, now);
        let next = seen.ring.with_grace(self.grace);
        warnings.extend(seen.warnings);
        let kids = |ring: &KeyRing| ring.usable(now).map(|psk| psk.kid.clone()).collect::<Vec<_>>();
        let changed = kids(&ring) != kids(&next);
        *ring = next;
        drop(ring);
        let mut news = lock(&self.news);
        news.changes.extend(seen.changes);
        if changed {
            news.last_change = Some(now);
        }
        Applied { changed, usable: seen.usable }
    }

    fn next_in(&self, outcome: &RefreshOutcome, health: &KeyHealth) -> Duration {
        let seconds = match outcome {
            RefreshOutcome::Fresh => health.period_seconds,
            RefreshOutcome::Missing(_) => period(self.kind, None),
            RefreshOutcome::Failed(_) | RefreshOutcome::Bogus(_) => retry(health.failures_in_row),
        };
        let mut random = [128];
        // Without randomness managers only ask in step with each other.
        getrandom::fill(&mut random).unwrap_or_default();
        spread(Duration::from_secs(seconds), random[0])
    }
}

/// What a list did.
struct Applied {
    /// Whether other keys verify now than before.
    changed: bool,
    /// Whether it had a key that can be used.
    usable: bool,
}

/// Keys, and what is wrong with the records that are none.
fn sorted_out(parsed: Vec<Parsed>) -> (Vec<Found>, Vec<KeyWarning>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for parsed in parsed {
        match parsed {
            Parsed::Key(key) => found.push(key),
            Parsed::Problem(problem) => problems.push(KeyWarning::Record(problem)),
            Parsed::NotAKey => {}
        }
    }
    (found, problems)
}

/// Seconds between two fetches while all is well.
fn period(kind: KeySource, ttl: Option<u32>) -> u64 {
    match kind {
        KeySource::Dns => {
            u64::from(ttl.unwrap_or_default()).clamp(MIN_PERIOD_SECONDS, MAX_PERIOD_SECONDS)
        }
        KeySource::File => FILE_PERIOD_SECONDS,
        KeySource::Environment => MAX_PERIOD_SECONDS,
    }
}

/// Seconds until the next attempt after so many failures in a row: 5, 10, 20, ... 300.
fn retry(failures_in_row: u32) -> u64 {
    let doublings = failures_in_row.saturating_sub(1).min(16);
    (FIRST_RETRY_SECONDS << doublings).min(MAX_RETRY_SECONDS)
}

/// Moves a duration by up to a tenth either way, so that many managers do not ask at once.
fn spread(mean: Duration, random: u8) -> Duration {
    mean.mul_f64(0.9 + 0.2 * f64::from(random) / 255.0)
}

/// Whether `then` is less than the unknown-key pause ago. A clock set back does not prolong it.
fn soon(then: Option<UnixSeconds>, now: UnixSeconds) -> bool {
    then.is_some_and(|then| (0..UNKNOWN_KEY_SECONDS).contains(&now.since(then)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ttl_is_followed_within_bounds() {
        for (ttl, expected) in
            [(None, 30), (Some(0), 30), (Some(31), 31), (Some(300), 300), (Some(u32::MAX), 3600)]
        {
            assert_eq!(period(KeySource::Dns, ttl), expected, "{ttl:?}");
        }
    }

    #[test]
    fn retries_double_up_to_five_minutes() {
        let waits: Vec<u64> = (1..=8).map(retry).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(retry(u32::MAX), 300);
    }

    #[test]
    fn the_spread_is_a_tenth_either_way() {
        let mean = Duration::from_secs(300);
        let bounds = |seconds| Duration::from_secs(seconds);
        for random in 0..=255 {
            let moved = spread(mean, random);
            assert!((bounds(269)..=bounds(331)).contains(&moved), "{moved:?}");
        }
        assert!(spread(mean, 0) < bounds(271) && spread(mean, 255) > bounds(329));
    }
}
