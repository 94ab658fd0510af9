//! The sessions and tokens this run has seen: when they end, and how many one name may have.
//!
//! Pure but for its lock: the time comes in, and what must be stored goes out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::access::SESSION_IDLE_SECONDS;
use crate::model::time::UnixSeconds;
use crate::store::change::SessionRecord;

/// A session ends this many seconds after its beginning, used or not (12 hours).
pub const ABSOLUTE_SECONDS: i64 = 12 * 3600;

/// Sessions that one name may have open; a further one ends the one used longest ago.
pub const PER_NAME: usize = 5;

/// The time of the last use is stored at most this often, in seconds.
const STORE_USE_EVERY: i64 = 60;

/// Sessions and tokens remembered; about 3 MB. Others are read from the store again.
const REMEMBERED: usize = 10_000;

/// What is known of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It opens the door; the record must be stored again if `store` is true.
    Live {
        /// The session or token, its last use noted.
        record: SessionRecord,
        /// Whether the stored time of the last use is too old.
        store: bool,
    },
    /// It opened the door once and does no more.
    Ended,
    /// This run has not seen it; the store may have.
    Unknown,
}

#[derive(Debug)]
struct Entry {
    record: SessionRecord,
    stored_use: UnixSeconds,
    ended: bool,
}

/// The sessions and tokens.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<[u8; 32], Entry>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a hash up and notes its use.
    pub fn used(&self, hash: &[u8; 32], now: UnixSeconds) -> Known {
        let mut all = self.lock();
        let Some(entry) = all.get_mut(hash) else { return Known::Unknown };
        if entry.ended || is_over(&entry.record, now) {
            entry.ended = true;
            return Known::Ended;
        }
        entry.record.last_used_at = now;
        let store = now.since(entry.stored_use) >= STORE_USE_EVERY;
        if store {
            entry.stored_use = now;
        }
        Known::Live { record: entry.record.clone(), store }
    }

    /// Whether a session is still good, without using it: for streams.
    pub fn is_live(&self, hash: &[u8; 32], now: UnixSeconds) -> bool {
        self.lock().get(hash).is_some_and(|entry| !entry.ended && !is_over(&entry.record, now))
    }

    /// Adds one that was made now or read from the store, and returns the sessions of the same
    /// name that are too many.
    pub fn learn(&self, record: SessionRecord, now: UnixSeconds) -> Vec<[u8; 32]> {
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            // Ended entries are kept for a while, so that a store that has not dropped them yet
            // cannot bring them back; by now it has.
            all.retain(|_, entry| !entry.ended && !is_over(&entry.record, now));
            if all.len() >= REMEMBERED {
                all.clear();
            }
        }
        let name = record.name.clone();
        let stored_use = record.last_used_at;
        all.insert(record.token_hash, Entry { record, stored_use, ended: false });
        let mut open: Vec<_> = all
            .values()
            .filter(|entry| !entry.ended && is_session(&entry.record) && entry.record.name == name)
            .map(|entry| {
                (entry.record.last_used_at, entry.record.created_at, entry.record.token_hash)
            })
            .collect();
        open.sort_unstable();
        let too_many = open.len().saturating_sub(PER_NAME);
        let surplus: Vec<_> = open.into_iter().take(too_many).map(|(_, _, hash)| hash).collect();
        for hash in &surplus {
            if let Some(entry) = all.get_mut(hash) {
                entry.ended = true;
            }
        }
        surplus
    }

    /// Ends one for good.
    pub fn end(&self, hash: &[u8; 32]) {
        if let Some(entry) = self.lock().get_mut(hash) {
            entry.ended = true;
        }
    }
}

/// Whether a session or token has come to its end.
pub fn is_over(record: &SessionRecord, now: UnixSeconds) -> bool {
    let expired = record.expires_at.is_some_and(|end| end <= now);
    let idle = is_session(record) && now.since(record.last_used_at) >= SESSION_IDLE_SECONDS;
    expired || idle
}

fn is_session(record: &SessionRecord) -> bool {
    record.kind == "session"
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_000_000);

    fn session(number: u8, at: UnixSeconds) -> SessionRecord {
        SessionRecord {
            token_hash: [number; 32],
            name: "admin".into(),
            role: "admin".into(),
            kind: "session".into(),
            form_token: None,
            created_at: at,
            last_used_at: at,
            expires_at: Some(at.plus(ABSOLUTE_SECONDS)),
        }
    }

    fn live(sessions: &Sessions, number: u8, now: UnixSeconds) -> bool {
        matches!(sessions.used(&[number; 32], now), Known::Live { .. })
    }

    #[test]
    fn idle_sessions_end_and_used_ones_last() {
        let sessions = Sessions::default();
        sessions.learn(session(1, T), T);
        assert!(live(&sessions, 1, T.plus(SESSION_IDLE_SECONDS - 1)));
        assert!(live(&sessions, 1, T.plus(2 * SESSION_IDLE_SECONDS - 2)));
        assert!(!live(&sessions, 1, T.plus(3 * SESSION_IDLE_SECONDS)));
        assert!(!live(&sessions, 1, T.plus(1)), "an ended one stays ended, whatever the clock");
    }

    #[test]
    fn no_session_outlives_twelve_hours() {
        let sessions = Sessions::default();
        sessions.learn(session(1, T), T);
        let mut now = T;
        while now.since(T) + 600 < ABSOLUTE_SECONDS {
            now = now.plus(600);
            assert!(live(&sessions, 1, now));
        }
        assert!(!live(&sessions, 1, T.plus(ABSOLUTE_SECONDS)));
    }

    #[test]
    fn the_sixth_session_ends_the_one_used_longest_ago() {
        let sessions = Sessions::default();
        for number in 1..=5 {
            assert!(sessions.learn(session(number, T.plus(i64::from(number))), T).is_empty());
        }
        assert!(live(&sessions, 1, T.plus(10)));
        assert_eq!(sessions.learn(session(6, T.plus(11)), T), [[2; 32]]);
        assert!(!live(&sessions, 2, T.plus(12)));
        assert!(live(&sessions, 1, T.plus(12)) && live(&sessions, 6, T.plus(12)));
    }

    #[test]
    fn tokens_neither_idle_nor_count() {
        let sessions = Sessions::default();
        for number in 1..=9 {
            let token =
                SessionRecord { kind: "token".into(), expires_at: None, ..session(number, T) };
            assert!(sessions.learn(token, T).is_empty());
        }
        assert!(live(&sessions, 1, T.plus(100 * SESSION_IDLE_SECONDS)));
    }

    #[test]
    fn the_last_use_is_stored_once_a_minute() {
        let sessions = Sessions::default();
        sessions.learn(session(1, T), T);
        let store = |now| match sessions.used(&[1; 32], now) {
            Known::Live { store, .. } => store,
            other @ (Known::Ended | Known::Unknown) => panic!("{other:?}"),
        };
        assert!(!store(T.plus(59)));
        assert!(store(T.plus(60)));
        assert!(!store(T.plus(61)));
    }

    #[test]
    fn what_was_ended_is_not_unknown() {
        let sessions = Sessions::default();
        assert_eq!(sessions.used(&[1; 32], T), Known::Unknown);
        sessions.learn(session(1, T), T);
        assert!(sessions.is_live(&[1; 32], T));
        sessions.end(&[1; 32]);
        assert_eq!(sessions.used(&[1; 32], T), Known::Ended);
        assert!(!sessions.is_live(&[1; 32], T));
    }
}
