//! The runs of jobs on their way to the audit: one entry a day tells of all of them, and one at
//! once of a run that fails after one that did not, or the other way round.
//!
//! They are counted where they end, and the processor's thread takes them over once a minute into
//! what the database keeps. So a kill loses what ended in the last minute, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::draft::Draft;
use super::engine::Engine;
use crate::model::audit::{Entry, MANAGER};
use crate::model::time::UnixSeconds;

const DAY_S: i64 = 86_400;

/// Seconds between two takings.
const TAKEN_EVERY_S: i64 = 60;

/// Turns that wait for a storage that takes nothing; the day's entry counts all the same.
const TURNS: usize = 100;

/// The small value that keeps what the audit has not been told.
pub(super) const KEPT: &str = "jobs.account";

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) job: &'static str,
    pub(super) ended_at: UnixSeconds,
    pub(super) duration_ms: i64,
    pub(super) rows: u64,
    /// Whether somebody had asked for it.
    pub(super) by_hand: bool,
    /// Why it failed.
    pub(super) why: Option<String>,
    /// How many runs before it failed in a row, and why the last of them did.
    pub(super) failures: u32,
    pub(super) why_before: Option<String>,
}

impl Ran {
    /// What is told at once: that it went otherwise than the run before.
    fn turn(&self) -> Option<Entry> {
        let (act, before) = match (self.failures, &self.why) {
            (0, Some(_)) => ("job.failed", json!({ "outcome": "ok" })),
            (failures @ 1.., None) => {
                let why = &self.why_before;
                ("job.recovered", json!({"outcome": "failed", "error": why, "failures": failures}))
            }
            _ => return None,
        };
        let after = match &self.why {
            Some(why) => json!({ "outcome": "failed", "error": why }),
            None => json!({ "outcome": "ok" }),
        };
        let entry = Entry::new(self.ended_at, MANAGER, act, &format!("job {}", self.job));
        Some(entry.told(Some(before.to_string()), Some(after.to_string())))
    }
}

/// What the runs of one job came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    runs: u64,
    failed: u64,
    by_hand: u64,
    rows: u64,
    longest_ms: i64,
    total_ms: i64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.failed += other.failed;
        self.by_hand += other.by_hand;
        self.rows = self.rows.saturating_add(other.rows);
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        self.total_ms = self.total_ms.saturating_add(other.total_ms);
    }
}

/// The runs that ended on one day, or in a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    /// When the first of them ended, and the last.
    from: UnixSeconds,
    until: UnixSeconds,
    jobs: BTreeMap<String, Sum>,
}

impl Day {
    fn add(&mut self, other: Self) {
        self.from = self.from.min(other.from);
        self.until = self.until.max(other.until);
        for (job, sum) in other.jobs {
            self.jobs.entry(job).or_default().add(sum);
        }
    }

    fn entry(&self, at: UnixSeconds) -> Entry {
        let day: String = self.from.to_rfc3339().chars().take(10).collect();
        let total = |of: fn(&Sum) -> u64| self.jobs.values().map(of).sum::<u64>();
        let after = json!({
            "from": self.from,
            "until": self.until,
            "runs": total(|sum| sum.runs),
            "failed": total(|sum| sum.failed),
            "jobs": self.jobs,
        });
        let subject = format!("runs of jobs on {day}");
        Entry::new(at, MANAGER, "job.day", &subject).told(None, Some(after.to_string()))
    }
}

/// Runs that the audit has not been told of, by day in UTC, counted from 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Account(BTreeMap<i64, Day>);

impl Account {
    /// What the database keeps of it; nothing of a text that cannot be read.
    pub(super) fn restored(kept: Option<&str>) -> Self {
        kept.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    fn merge(&mut self, other: Self) {
        for (number, day) in other.0 {
            match self.0.get_mut(&number) {
                Some(known) => known.add(day),
                None => drop(self.0.insert(number, day)),
            }
        }
    }

    /// Whether a day of it is not this one.
    fn has_other_day(&self, now: UnixSeconds) -> bool {
        self.0.keys().any(|number| *number != day_of(now))
    }

    /// Takes out the days that are over; all of them at the end of a run.
    fn close(&mut self, now: UnixSeconds, last: bool) -> Vec<Entry> {
        let is_over = |number: &i64| last || *number != day_of(now);
        let (over, open) =
            std::mem::take(&mut self.0).into_iter().partition(|(number, _)| is_over(number));
        self.0 = open;
        let over: BTreeMap<i64, Day> = over;
        over.values().map(|day| day.entry(now)).collect()
    }
}

fn day_of(at: UnixSeconds) -> i64 {
    at.0.div_euclid(DAY_S)
}

/// What ended since it was last taken.
#[derive(Debug, Clone, Default)]
struct Fresh {
    account: Account,
    turns: Vec<Entry>,
}

impl Fresh {
    fn merge(&mut self, other: Self) {
        self.account.merge(other.account);
        self.turns.extend(other.turns);
        self.turns.truncate(TURNS);
    }
}

#[derive(Debug, Default)]
struct Held {
    waiting: Fresh,
    /// Taken into a batch that is not committed yet.
    under_way: Fresh,
    taken_at: Option<UnixSeconds>,
}

/// Runs between the jobs and the processor's thread.
#[derive(Debug, Default)]
pub(super) struct Runs(Mutex<Held>);

impl Runs {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one that has ended.
    pub(super) fn add(&self, ran: &Ran) {
        let sum = Sum {
            runs: 1,
            failed: u64::from(ran.why.is_some()),
            by_hand: u64::from(ran.by_hand),
            rows: ran.rows,
            longest_ms: ran.duration_ms,
            total_ms: ran.duration_ms,
        };
        let jobs = [(ran.job.to_owned(), sum)].into();
        let day = Day { from: ran.ended_at, until: ran.ended_at, jobs };
        let account = Account([(day_of(ran.ended_at), day)].into());
        self.lock().waiting.merge(Fresh { account, turns: ran.turn().into_iter().collect() });
    }

    /// Takes what has ended, once a minute and where it must not wait.
    fn take(&self, now: UnixSeconds, at_once: bool) -> Fresh {
        let mut held = self.lock();
        let waits = held.taken_at.is_some_and(|at| (0..TAKEN_EVERY_S).contains(&now.since(at)));
        let presses = !held.waiting.turns.is_empty() || held.waiting.account.has_other_day(now);
        if waits && !presses && !at_once {
            return Fresh::default();
        }
        let fresh = std::mem::take(&mut held.waiting);
        held.under_way.merge(fresh.clone());
        held.taken_at = Some(now);
        fresh
    }

    /// What was taken is stored, or waits again.
    pub(super) fn settle(&self, committed: bool) {
        let mut held = self.lock();
        let taken = std::mem::take(&mut held.under_way);
        if !committed {
            let later = std::mem::replace(&mut held.waiting, taken);
            held.waiting.merge(later);
        }
    }
}

/// Takes over what has ended, and tells of days that are over; at the end of a run, of all.
pub(super) fn follow(engine: &mut Engine, draft: &mut Draft, last: bool) {
    let (now, account) = (draft.now, &mut engine.fleet.runs);
    let Fresh { account: more, turns } =
        engine.chores.runs().take(now, last || account.has_other_day(now));
    let is_new = !more.0.is_empty();
    account.merge(more);
    let over = account.close(now, last);
    if is_new || !over.is_empty() {
        let kept = serde_json::to_string(account).unwrap_or_default();
        draft.change.meta.push((KEPT, kept));
    }
    draft.audit.extend(turns);
    draft.audit.extend(over);
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Midnight.
    const DAWN: UnixSeconds = UnixSeconds(20_000 * DAY_S);

    fn ran(job: &'static str, ended_at: UnixSeconds) -> Ran {
        Ran { job, ended_at, duration_ms: 5, rows: 2, ..Ran::default() }
    }

    fn after(entry: &Entry) -> Value {
        serde_json::from_str(entry.after.as_deref().unwrap()).unwrap()
    }

    #[test]
    fn a_day_is_told_when_it_is_over_and_what_was_stored_is_not_told_again() {
        let (runs, mut account) = (Runs::default(), Account::default());
        runs.add(&ran("sweep", DAWN.minus(1)));
        runs.add(&Ran { duration_ms: 9, by_hand: true, ..ran("sweep", DAWN.minus(1)) });
        account.merge(runs.take(DAWN.minus(1), false).account);
        runs.settle(true);
        assert!(account.close(DAWN.minus(1), false).is_empty());
        runs.add(&ran("vacuum", DAWN));
        assert!(runs.take(DAWN.plus(1), false).account.0.is_empty(), "a minute has not passed");
        let text = serde_json::to_string(&account).unwrap();
        let mut account = Account::restored(Some(&text));
        account.merge(runs.take(DAWN.plus(59), false).account);
        let told = account.close(DAWN.plus(59), false);
        let [entry] = &told[..] else { panic!("{told:?}") };
        assert_eq!(
            (entry.act.as_str(), entry.subject.as_str()),
            ("job.day", "runs of jobs on 2024-10-03")
        );
        assert_eq!(
            after(entry),
            json!({
                "from": DAWN.minus(1), "until": DAWN.minus(1), "runs": 2, "failed": 0,
                "jobs": {"sweep": {"runs": 2, "failed": 0, "by_hand": 1, "rows": 4,
                    "longest_ms": 9, "total_ms": 14}},
            })
        );
        let rest = account.close(DAWN.plus(60), true);
        assert_eq!(after(&rest[0])["jobs"]["vacuum"]["runs"], 1);
        assert_eq!(account, Account::default());
    }

    #[test]
    fn what_storage_did_not_take_waits_in_front_of_what_came_later() {
        let runs = Runs::default();
        runs.add(&Ran { why: Some("full".into()), ..ran("sweep", DAWN) });
        assert_eq!(runs.take(DAWN, false).turns.len(), 1);
        runs.add(&Ran { failures: 1, why_before: Some("full".into()), ..ran("sweep", DAWN) });
        runs.settle(false);
        let again = runs.take(DAWN.plus(1), false);
        let acts: Vec<_> = again.turns.iter().map(|entry| entry.act.as_str()).collect();
        assert_eq!(acts, ["job.failed", "job.recovered"]);
        assert_eq!(again.account.0[&day_of(DAWN)].jobs["sweep"].runs, 2);
        runs.settle(true);
        assert!(runs.take(DAWN.plus(61), false).account.0.is_empty());
    }

    #[test]
    fn only_the_first_failure_and_the_first_success_after_it_are_turns() {
        let sweep = |failures, why: Option<&str>| {
            Ran { failures, why: why.map(str::to_owned), ..ran("sweep", DAWN) }.turn()
        };
        assert_eq!(sweep(0, None), None);
        assert_eq!(sweep(1, Some("full")), None);
        let failed = sweep(0, Some("full")).unwrap();
        assert_eq!(failed.subject, "job sweep");
        assert_eq!(failed.before.as_deref(), Some(r#"{"outcome":"ok"}"#));
        assert_eq!(after(&failed), json!({"outcome": "failed", "error": "full"}));
        let recovered = sweep(3, None).unwrap();
        assert_eq!(recovered.act, "job.recovered");
        assert!(recovered.before.unwrap().contains(r#""failures":3"#));
    }

    #[test]
    fn turns_that_wait_are_bounded_and_runs_are_counted_all_the_same() {
        let runs = Runs::default();
        for _ in 0..1_000 {
            runs.add(&Ran { why: Some("full".into()), ..ran("sweep", DAWN) });
        }
        let fresh = runs.take(DAWN, false);
        assert_eq!(fresh.turns.len(), TURNS);
        assert_eq!(fresh.account.0[&day_of(DAWN)].jobs["sweep"].failed, 1_000);
    }
}
