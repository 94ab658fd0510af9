//! The sessions and tokens this run has seen: when they end, and how many one name may have.
//!
//! Pure but for its lock: the time comes in, and what must be stored goes out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::access::SESSION_IDLE_SECONDS;
use crate::model::time::UnixSeconds;
use crate::store::people::SessionRecord;

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
#[expect(clippy::large_enum_variant, reason = "one lives as long as a request looks at it")]
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

/// What came of learning one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Whether it opens the door; it does not if it was ended meanwhile.
    pub live: bool,
    /// The sessions of the same name that are too many.
    pub surplus: Vec<[u8; 32]>,
}

/// The sessions and tokens.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<[u8; 32], Entry>,
    /// The least generation that counts, of users whose sessions were ended in this run.
    least: HashMap<String, i64>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a hash up and notes its use.
    pub fn used(&self, hash: &[u8; 32], now: UnixSeconds) -> Known {
        let mut table = self.lock();
        let Some(entry) = table.entries.get_mut(hash) else { return Known::Unknown };
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
        self.lock()
            .entries
            .get(hash)
            .is_some_and(|entry| !entry.ended && !is_over(&entry.record, now))
    }

    /// Adds one that was made now or read from the store.
    pub fn learn(&self, record: SessionRecord, now: UnixSeconds) -> Learnt {
        let mut table = self.lock();
        table.make_room(now);
        let ended = table.entries.get(&record.token_hash).is_some_and(|entry| entry.ended);
        let least = table.least.get(&record.name);
        let outdated = record.generation.zip(least).is_some_and(|(own, least)| own < *least);
        if ended || outdated {
            return Learnt::default();
        }
        let (name, user) = (record.name.clone(), record.generation.is_some());
        let (hash, stored_use) = (record.token_hash, record.last_used_at);
        // What this run knows already, it knows better than the store.
        table.entries.entry(hash).or_insert(Entry { record, stored_use, ended: false });
        let same = |record: &SessionRecord| {
            is_session(record) && record.name == name && record.generation.is_some() == user
        };
        let open = table.entries.values().filter(|entry| !entry.ended && same(&entry.record));
        let age = |entry: &Entry| {
            (entry.record.last_used_at, entry.record.created_at, entry.record.token_hash)
        };
        let mut open: Vec<_> = open.map(age).collect();
        open.sort_unstable();
        let too_many = open.len().saturating_sub(PER_NAME);
        let surplus: Vec<_> = open.into_iter().take(too_many).map(|(_, _, hash)| hash).collect();
        for hash in &surplus {
            if let Some(entry) = table.entries.get_mut(hash) {
                entry.ended = true;
            }
        }
        Learnt { live: !surplus.contains(&hash), surplus }
    }

    /// Ends one for good, whether this run has seen it or not.
    pub fn end(&self, record: &SessionRecord) {
        let mut table = self.lock();
        let (record, stored_use) = (record.clone(), record.last_used_at);
        let ended = Entry { record, stored_use, ended: true };
        table.entries.insert(ended.record.token_hash, ended);
    }

    /// Ends all sessions of a user that began before this generation, those included that this
    /// run has not seen.
    pub fn end_of_user(&self, name: &str, least: i64) {
        let mut table = self.lock();
        table.least.insert(name.to_owned(), least);
        for entry in table.entries.values_mut() {
            let record = &entry.record;
            entry.ended |= record.name == name && record.generation.is_some_and(|own| own < least);
        }
    }
}

impl Table {
    /// Ended entries are kept for a while, so that a store that has not dropped them yet cannot
    /// bring them back; by the time there are many, it has.
    fn make_room(&mut self, now: UnixSeconds) {
        if self.entries.len() >= REMEMBERED {
            self.entries.retain(|_, entry| !entry.ended && !is_over(&entry.record, now));
            if self.entries.len() >= REMEMBERED {
                self.entries.clear();
            }
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
            generation: None,
            source: None,
            made_by: None,
            reach: crate::model::reach::Reach::Whole,
            masked: false,
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
            let learnt = sessions.learn(session(number, T.plus(i64::from(number))), T);
            assert!(learnt.live && learnt.surplus.is_empty());
        }
        assert!(live(&sessions, 1, T.plus(10)));
        assert_eq!(sessions.learn(session(6, T.plus(11)), T).surplus, [[2; 32]]);
        assert!(!live(&sessions, 2, T.plus(12)));
        assert!(live(&sessions, 1, T.plus(12)) && live(&sessions, 6, T.plus(12)));
    }

    #[test]
    fn tokens_neither_idle_nor_count() {
        let sessions = Sessions::default();
        for number in 1..=9 {
            let token =
                SessionRecord { kind: "token".into(), expires_at: None, ..session(number, T) };
            assert!(sessions.learn(token, T).surplus.is_empty());
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
        sessions.end(&session(1, T));
        assert!(!sessions.learn(session(1, T), T).live, "the store may be behind");
        assert_eq!(sessions.used(&[1; 32], T), Known::Ended);
        assert!(!sessions.is_live(&[1; 32], T));
    }
    #[test]
    fn a_generation_ends_what_began_before_it_seen_or_not() {
        let of = |number, generation| SessionRecord {
            generation: Some(generation),
            ..session(number, T)
        };
        let sessions = Sessions::default();
        assert!(sessions.learn(of(1, 7), T).live);
        let token = SessionRecord { kind: "token".into(), ..session(3, T) };
        assert!(sessions.learn(token, T).live);
        sessions.end_of_user("admin", 8);
        assert!(!live(&sessions, 1, T));
        assert!(!sessions.learn(of(2, 7), T).live, "read from the store before it was ended there");
        assert!(sessions.learn(of(4, 8), T).live);
        assert!(live(&sessions, 3, T), "a token of the same name is somebody else's");
    }

    #[test]
    fn what_ended_before_this_run_saw_it_stays_ended() {
        let sessions = Sessions::default();
        sessions.end(&session(1, T));
        assert_eq!(sessions.used(&[1; 32], T), Known::Ended);
        assert!(!sessions.learn(session(1, T), T).live);
    }
}
