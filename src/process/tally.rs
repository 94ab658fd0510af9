//! Refusals on their way to the audit: counted, so that whoever is refused often cannot fill the
//! disk with it.
//!
//! The first refusal of a kind is written down within a second; what follows of the same kind is
//! counted and written once a minute. What people and what agents are refused is counted apart, and
//! each may fill so many rows in a minute and in a day. What goes beyond that is one row an hour.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::handle::Processor;
use crate::model::audit::{Entry, UNKNOWN};
use crate::model::time::UnixSeconds;

/// Kinds of refusals told apart at a time, of people and of agents each; some 50 KB.
const KINDS: usize = 256;

/// Rows of either in a minute.
const ROWS_A_MINUTE: u32 = 8;

/// Rows of either in a day: at 300 bytes each, the worst that strangers can do to the file is
/// 0.3 MB a day.
const ROWS_A_DAY: u32 = 500;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// What was refused, as far as refusals are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Whether it was an agent's door.
    pub is_agent: bool,
    /// Where it came from.
    pub from: Option<IpAddr>,
    /// Who it was, if that is known.
    pub who: Option<String>,
    /// Method and path of the route: `POST /api/v1/tokens`.
    pub route: String,
    /// The code of the refusal.
    pub code: String,
}

#[derive(Debug, Default)]
struct Count {
    /// How many since it was last written down.
    fresh: u64,
    written_at: Option<UnixSeconds>,
}

/// Rows that may still be written.
#[derive(Debug, Default)]
struct Budget {
    minute: (i64, u32),
    day: (i64, u32),
    /// What went beyond it since that was last written down.
    beyond: Count,
}

impl Budget {
    fn spend(&mut self, now: UnixSeconds) -> bool {
        let renew = |(period, spent): &mut (i64, u32), length: i64| {
            let current = now.0.div_euclid(length);
            if *period != current {
                (*period, *spent) = (current, 0);
            }
        };
        renew(&mut self.minute, MINUTE_S);
        renew(&mut self.day, DAY_S);
        let fits = self.minute.1 < ROWS_A_MINUTE && self.day.1 < ROWS_A_DAY;
        if fits {
            self.minute.1 += 1;
            self.day.1 += 1;
        }
        fits
    }
}

#[derive(Debug, Default)]
struct Kept {
    counts: BTreeMap<Refusal, Count>,
    people: Budget,
    agents: Budget,
}

/// The refusals since they were last written down.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Kept>);

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one.
    pub fn add(&self, refusal: Refusal) {
        let mut kept = self.lock();
        let Kept { counts, people, agents } = &mut *kept;
        let alike = counts.keys().filter(|other| other.is_agent == refusal.is_agent);
        if !counts.contains_key(&refusal) && alike.count() >= KINDS {
            let budget = if refusal.is_agent { agents } else { people };
            budget.beyond.fresh += 1;
            return;
        }
        counts.entry(refusal).or_default().fresh += 1;
    }

    /// What is to be written down now; at the end of a run, everything.
    pub(super) fn take(&self, now: UnixSeconds, last: bool) -> Vec<Entry> {
        let mut kept = self.lock();
        let Kept { counts, people, agents } = &mut *kept;
        let mut entries = Vec::new();
        for (refusal, count) in &mut *counts {
            if count.fresh == 0 || !(last || is_due(count.written_at, now, MINUTE_S)) {
                continue;
            }
            let budget = if refusal.is_agent { &mut *agents } else { &mut *people };
            if budget.spend(now) {
                entries.push(entry(refusal, count.fresh, now));
            } else {
                budget.beyond.fresh += count.fresh;
            }
            (count.fresh, count.written_at) = (0, Some(now));
        }
        counts.retain(|_, count| !is_due(count.written_at, now, MINUTE_S) || count.fresh > 0);
        for (budget, of) in [(people, "people"), (agents, "agents")] {
            let beyond = &mut budget.beyond;
            if beyond.fresh > 0 && (last || is_due(beyond.written_at, now, HOUR_S)) {
                let subject = format!("more requests of {of} than are written down one by one");
                let after = json!({ "count": beyond.fresh }).to_string();
                entries.push(Entry::new(now, UNKNOWN, "refused", &subject).told(None, Some(after)));
                (beyond.fresh, beyond.written_at) = (0, Some(now));
            }
        }
        entries
    }
}

impl Processor {
    /// Counts a refusal for the audit.
    pub fn turned_away(&self, refusal: Refusal) {
        self.tally.add(refusal);
    }
}

/// Whether so long has passed; a clock that was set back delays nothing.
fn is_due(written_at: Option<UnixSeconds>, now: UnixSeconds, period_s: i64) -> bool {
    written_at.is_none_or(|at| !(0..period_s).contains(&now.since(at)))
}

fn entry(refusal: &Refusal, count: u64, now: UnixSeconds) -> Entry {
    let Refusal { from, who, route, code, .. } = refusal;
    let after = json!({ "code": code, "count": count }).to_string();
    let who = who.as_deref().unwrap_or(UNKNOWN);
    Entry::new(now, who, "refused", route).from(*from).told(None, Some(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn refusal(last: u8, is_agent: bool) -> Refusal {
        Refusal {
            is_agent,
            from: Some(std::net::Ipv4Addr::new(192, 0, 2, last).into()),
            who: None,
            route: "POST /login".into(),
            code: "unauthenticated".into(),
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_once_a_minute() {
        let tally = Tally::default();
        tally.add(refusal(1, false));
        let first = tally.take(NOW, false);
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].after.as_deref(), Some(r#"{"code":"unauthenticated","count":1}"#));
        for second in 1..60 {
            tally.add(refusal(1, false));
            assert!(tally.take(NOW.plus(second), false).is_empty());
        }
        let rest = tally.take(NOW.plus(60), false);
        assert_eq!(rest[0].after.as_deref(), Some(r#"{"code":"unauthenticated","count":59}"#));
        tally.add(refusal(1, false));
        assert!(tally.take(NOW.plus(61), false).is_empty());
        assert_eq!(tally.take(NOW.plus(61), true).len(), 1, "nothing is lost with a stop");
    }

    #[test]
    fn many_sources_fill_a_bounded_number_of_rows() {
        let tally = Tally::default();
        let (mut rows, mut told) = (0, 0);
        let total = |entries: &[Entry]| -> u64 {
            let count = |entry: &Entry| -> u64 {
                let after: serde_json::Value =
                    serde_json::from_str(entry.after.as_deref().unwrap()).unwrap();
                after["count"].as_u64().unwrap()
            };
            entries.iter().map(count).sum()
        };
        for minute in 0..24 * 60 {
            for last in 0..=255 {
                tally.add(refusal(last, true));
            }
            let entries = tally.take(NOW.plus(minute * 60), false);
            rows += entries.len();
            told += total(&entries);
        }
        // A day may touch two days of the calendar.
        assert!(rows <= 2 * 500 + 25, "{rows}");
        // Agents cannot use up what is kept for people.
        tally.add(refusal(1, false));
        let last = tally.take(NOW.plus(86_400), true);
        assert!(last.iter().any(|entry| entry.from.as_deref() == Some("192.0.2.1")));
        assert_eq!(told + total(&last), 24 * 60 * 256 + 1, "every one is counted");
    }

    #[test]
    fn what_is_told_apart_is_bounded() {
        let tally = Tally::default();
        for n in 0..10_000 {
            tally.add(Refusal { route: format!("GET /{n}"), ..refusal(1, false) });
        }
        assert_eq!(tally.lock().counts.len(), KINDS);
    }
}
