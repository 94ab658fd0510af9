//! Failed sign-ins by address and name, by address alone, and by name alone.
//!
//! Five in a quarter of an hour are free, then each costs a wait that doubles; by address alone
//! there are twenty a minute (OWASP ASVS 5.0 section 6.3.1). By name alone, whatever addresses they
//! come from, a hundred in an hour are free; then addresses from which nobody has signed in under the
//! name share one attempt per half a minute. Those from which somebody has are not slowed down, so an
//! attacker with many addresses keeps nobody from their own account. No account is ever locked.
//!
//! An attempt counts as failed from its beginning until it succeeds, so that many at once are no
//! way around the count.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::rate::site;
use crate::model::time::UnixSeconds;
use crate::sign::digest::content_hash;

/// Failures that cost nothing, since people mistype.
const FREE: u32 = 5;

/// Failures are forgotten after this many seconds without another one.
const FORGET_AFTER: i64 = 900;

/// The first wait, in seconds.
const FIRST_WAIT: i64 = 2;

/// The longest wait, in seconds.
const LONGEST_WAIT: i64 = 900;

/// Failures of one address in a minute, whatever names it tries.
const PER_MINUTE: u32 = 20;

/// Failures under one name in an hour, whatever addresses they come from.
const PER_HOUR: u32 = 100;

/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// Seconds between two attempts under a name, beyond those.
const NAME_WAIT: i64 = 30;

/// Seconds of a minute.
const MINUTE: i64 = 60;

/// Pairs, and addresses, remembered; an attacker with more of them is held back by the two
/// passwords that are hashed at once.
const REMEMBERED: usize = 10_000;

/// The failures.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By address and a digest of the name.
    pairs: HashMap<(IpAddr, u64), Failures>,
    /// By address: since when, and how many.
    addresses: HashMap<IpAddr, (UnixSeconds, u32)>,
    /// By a digest of the name.
    names: HashMap<u64, Name>,
    /// From where somebody has signed in under a name.
    known: HashSet<(IpAddr, u64)>,
}

/// Failures under one name.
#[derive(Debug, Clone, Copy)]
struct Name {
    since: UnixSeconds,
    count: u32,
    /// When strange addresses may try next.
    free_at: UnixSeconds,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: UnixSeconds,
    free_at: UnixSeconds,
}

impl Guesses {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an attempt under a name (none for tokens), which counts as failed until
    /// [`Guesses::succeeded`]. If it may not be made now: in how many seconds it may.
    pub fn begin(&self, source: Option<IpAddr>, name: &str, now: UnixSeconds) -> Result<(), u32> {
        let Some(source) = source.map(site) else { return Ok(()) };
        let mut table = self.lock();
        let table = &mut *table;
        table.make_room(now);
        let pair = (source, content_hash(name.as_bytes()));
        let (since, count) = table.addresses.entry(source).or_insert((now, 0));
        if now.since(*since) >= MINUTE {
            (*since, *count) = (now, 0);
        }
        if *count >= PER_MINUTE {
            return Err(seconds(since.plus(MINUTE).since(now)));
        }
        match table.pairs.get(&pair) {
            Some(failures) if failures.free_at > now => {
                return Err(seconds(failures.free_at.since(now)));
            }
            Some(_) | None => {}
        }
        // A token is no name, and too long to be guessed from anywhere.
        if !name.is_empty() {
            let is_known = table.known.contains(&pair);
            let fresh = Name { since: now, count: 0, free_at: now };
            table.names.entry(pair.1).or_insert(fresh).attempt(is_known, now)?;
        }
        *count += 1;
        let failures = Failures { count: 0, last: now, free_at: now };
        table.pairs.entry(pair).or_insert(failures).fail(now);
        Ok(())
    }

    /// Forgets the failures of an address under a name that has signed in.
    pub fn succeeded(&self, source: Option<IpAddr>, name: &str) {
        let Some(source) = source.map(site) else { return };
        let mut table = self.lock();
        let pair = (source, content_hash(name.as_bytes()));
        table.pairs.remove(&pair);
        if !name.is_empty() {
            if table.known.len() >= REMEMBERED {
                table.known.clear();
            }
            table.known.insert(pair);
            if let Some(name) = table.names.get_mut(&pair.1) {
                name.count = name.count.saturating_sub(1);
            }
        }
        if let Some((_, count)) = table.addresses.get_mut(&source) {
            *count = count.saturating_sub(1);
        }
    }
}

fn seconds(wait: i64) -> u32 {
    u32::try_from(wait.clamp(1, LONGEST_WAIT)).unwrap_or(1)
}

impl Failures {
    fn fail(&mut self, now: UnixSeconds) {
        if now.since(self.last) >= FORGET_AFTER {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = now;
        if let Some(over) = self.count.checked_sub(FREE) {
            let wait = FIRST_WAIT.checked_shl(over).filter(|wait| *wait > 0);
            self.free_at = now.plus(wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT));
        }
    }
}

impl Name {
    /// Counts an attempt, or says how long to wait with it.
    fn attempt(&mut self, is_known: bool, now: UnixSeconds) -> Result<(), u32> {
        if now.since(self.since) >= HOUR {
            *self = Self { since: now, count: 0, free_at: now };
        }
        if self.count >= PER_HOUR && !is_known {
            if self.free_at > now {
                return Err(seconds(self.free_at.since(now)));
            }
            self.free_at = now.plus(NAME_WAIT);
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

impl Table {
    fn make_room(&mut self, now: UnixSeconds) {
        if self.pairs.len() >= REMEMBERED {
            self.pairs.retain(|_, failures| now.since(failures.last) < FORGET_AFTER);
            if self.pairs.len() >= REMEMBERED {
                self.pairs.clear();
            }
        }
        if self.addresses.len() >= REMEMBERED {
            self.addresses.retain(|_, (since, _)| now.since(*since) < MINUTE);
            if self.addresses.len() >= REMEMBERED {
                self.addresses.clear();
            }
        }
        if self.names.len() >= REMEMBERED {
            self.names.retain(|_, name| now.since(name.since) < HOUR);
            if self.names.len() >= REMEMBERED {
                self.names.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_000_000);

    fn source() -> Option<IpAddr> {
        Some("192.0.2.7".parse().unwrap())
    }

    #[test]
    fn waits_double_after_five_and_end() {
        let guesses = Guesses::default();
        for _ in 0..5 {
            assert!(guesses.begin(source(), "olga", T).is_ok());
        }
        assert_eq!(guesses.begin(source(), "olga", T), Err(2));
        assert_eq!(guesses.begin(source(), "olga", T.plus(1)), Err(1));
        let (mut now, mut wait) = (T.plus(2), 4);
        for _ in 0..12 {
            assert!(guesses.begin(source(), "olga", now).is_ok());
            assert_eq!(guesses.begin(source(), "olga", now), Err(wait.min(900)));
            now = now.plus(i64::from(wait.min(900)));
            // A quarter of an hour without another failure forgets them.
            if wait >= 900 {
                break;
            }
            wait *= 2;
        }
        assert!(wait >= 900);
        let other: Option<IpAddr> = Some("192.0.2.8".parse().unwrap());
        assert!(guesses.begin(other, "olga", T).is_ok());
        assert!(guesses.begin(source(), "kim", T).is_ok(), "no name pays for another");
    }

    #[test]
    fn success_and_time_forget() {
        let guesses = Guesses::default();
        for _ in 0..5 {
            guesses.begin(source(), "", T).unwrap();
        }
        assert!(guesses.begin(source(), "", T).is_err());
        guesses.succeeded(source(), "");
        for _ in 0..5 {
            guesses.begin(source(), "", T).unwrap();
        }
        let later = T.plus(FORGET_AFTER + 2);
        for _ in 0..5 {
            guesses.begin(source(), "", later).unwrap();
        }
        assert!(guesses.begin(source(), "", later).is_err());
    }

    #[test]
    fn many_addresses_are_slowed_down_under_one_name_and_its_owner_is_not() {
        let guesses = Guesses::default();
        let from = |number: u32| Some(IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
        guesses.begin(source(), "olga", T).unwrap();
        guesses.succeeded(source(), "olga");
        for number in 0..100 {
            guesses.begin(from(number), "olga", T).unwrap();
        }
        guesses.begin(from(100), "olga", T.plus(1)).unwrap();
        assert_eq!(guesses.begin(from(101), "olga", T.plus(2)), Err(29));
        assert!(guesses.begin(from(101), "kim", T.plus(2)).is_ok(), "no name pays for another");
        assert!(guesses.begin(from(101), "", T.plus(2)).is_ok(), "nor do tokens");
        assert!(guesses.begin(source(), "olga", T.plus(2)).is_ok(), "where she has signed in");
        let mut taken = 0;
        for second in 2..3_600 {
            let strange = from(200 + u32::try_from(second).unwrap());
            taken += u32::from(guesses.begin(strange, "olga", T.plus(second)).is_ok());
        }
        assert_eq!(taken, 119, "one in half a minute");
        assert!(guesses.begin(from(101), "olga", T.plus(3_600)).is_ok(), "an hour forgets");
        assert!(guesses.begin(from(102), "olga", T.plus(3_600)).is_ok());
    }

    #[test]
    fn an_address_has_twenty_a_minute_whatever_it_tries() {
        let guesses = Guesses::default();
        for n in 0..20 {
            assert!(guesses.begin(source(), &format!("user-{n}"), T).is_ok());
        }
        assert_eq!(guesses.begin(source(), "user-20", T.plus(50)), Err(10));
        assert!(guesses.begin(source(), "user-20", T.plus(60)).is_ok());
        for n in 0..100 {
            let name = format!("other-{n}");
            guesses.begin(source(), &name, T.plus(200)).unwrap();
            guesses.succeeded(source(), &name);
        }
    }
}
