//! Work that is done beside the reports: retention, and what has had its time.
//!
//! Owns which chores there are, when each is due, and what came of it the last time. Whoever has
//! the time runs what is due. A chore is a row of small steps on the processor's thread, between
//! two batches of reports, and may end after any of them; it must never need the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::account::{Ran, Runs};
use super::handle::{Command, CommandError, Done, Processor};
use crate::model::time::UnixSeconds;
use crate::store::prune::{Limits, Prunable};

/// Seconds after which a run that did nothing is written down all the same.
const NOTED_EVERY_S: i64 = 3600;

/// How long what grows is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Stored reports.
    pub reports: Limits,
    /// The history.
    pub events: Limits,
    /// Cleared alarms.
    pub alarms: Limits,
    /// Agents' counters in slots of five minutes.
    pub slots: Limits,
    /// The same by the hour.
    pub hours: Limits,
}

macro_rules! chores {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $kept_as:literal, $every:literal, $about:literal;)+) => {
        /// A piece of work that is done again and again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Chore {
            $($(#[$doc])* $variant),+
        }

        impl Chore {
            /// Every chore, in the order in which they are listed and done.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name for people and programs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it does, in one line.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about),+ }
            }

            /// Seconds from the begin of one run to the begin of the next.
            pub const fn every_s(self) -> i64 {
                match self { $(Self::$variant => $every),+ }
            }

            /// The name of the small value that keeps its last run.
            const fn kept_as(self) -> &'static str {
                match self { $(Self::$variant => $kept_as),+ }
            }
        }
    };
}

chores!(
    /// Takes out sessions, tokens and the like that are over.
    Sweep = "sweep", "job.sweep", 60,
        "Removes sessions and tokens that are over, and maintenance windows beyond KATTILA_ALARMS_AGE";
    /// Makes rows of agents' counters out of the stored reports. Before reports go.
    RollUp = "roll-up", "job.roll-up", 300,
        "Makes 5-minute and hourly rows of counters and handshakes out of stored reports, when an hour is over";
    /// Takes out old reports.
    PruneReports = "prune-reports", "job.prune-reports", 300,
        "Removes stored reports beyond KATTILA_REPORTS_AGE and KATTILA_REPORTS_BYTES";
    /// Takes out old events.
    PruneEvents = "prune-events", "job.prune-events", 300,
        "Removes history beyond KATTILA_EVENTS_AGE and KATTILA_EVENTS_BYTES";
    /// Takes out alarms that were cleared long ago.
    PruneAlarms = "prune-alarms", "job.prune-alarms", 300,
        "Removes cleared alarms beyond KATTILA_ALARMS_AGE and KATTILA_ALARMS_BYTES";
    /// Takes out messages to people that were taken or given up long ago.
    PruneNotifications = "prune-notifications", "job.prune-notifications", 300,
        "Removes the log of notifications beyond KATTILA_ALARMS_AGE and KATTILA_ALARMS_BYTES";
    /// Takes out old slots of five minutes.
    PruneSlots = "prune-slots", "job.prune-slots", 300,
        "Removes 5-minute rows of counters beyond KATTILA_SLOTS_AGE and KATTILA_SLOTS_BYTES";
    /// Takes out old hours.
    PruneHours = "prune-hours", "job.prune-hours", 300,
        "Removes hourly rows of counters beyond KATTILA_HOURS_AGE and KATTILA_HOURS_BYTES";
    /// Learns what reports have in common.
    TrainDictionary = "train-dictionary", "job.train-dictionary", 600,
        "Learns dictionaries for compression: of stored reports, once a week or when they pack worse than they did; and, from their form without their values, of what agents send";
    /// Gives free pages of the file back.
    Vacuum = "vacuum", "job.vacuum", 300,
        "Gives what is free in the database file, beyond an eighth of it, back to the disk, page by page";
    /// Looks after the archive.
    Archive = "archive", "job.archive", 60,
        "Makes new bases for KATTILA_ARCHIVE_DIR, removes what is beyond KATTILA_ARCHIVE_AGE and KATTILA_ARCHIVE_BYTES, and tells when the archive takes nothing";
);

impl Chore {
    /// The chore of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|chore| chore.name() == name)
    }

    /// What of the database it makes less; `None` for what does other work.
    const fn prunable(self) -> Option<Prunable> {
        match self {
            Self::Sweep | Self::RollUp | Self::TrainDictionary | Self::Archive => None,
            Self::PruneReports => Some(Prunable::Reports),
            Self::PruneEvents => Some(Prunable::Events),
            Self::PruneAlarms => Some(Prunable::Alarms),
            Self::PruneNotifications => Some(Prunable::Notifications),
            Self::PruneSlots => Some(Prunable::FineMetrics),
            Self::PruneHours => Some(Prunable::HourlyMetrics),
            Self::Vacuum => Some(Prunable::FreePages),
        }
    }
}

/// What came of a chore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    /// When the last run began.
    at: UnixSeconds,
    duration_ms: i64,
    rows: u64,
    /// The last run that failed: when, and why.
    failed: Option<(UnixSeconds, String)>,
    /// How many of the last runs failed in a row.
    #[serde(default)]
    failures: u32,
}

#[derive(Debug, Default)]
struct Entry {
    past: Option<Past>,
    /// When the past was last written down.
    noted_at: UnixSeconds,
    asked: bool,
    running: bool,
}

/// A chore as people and programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChoreState {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Seconds from the begin of one run to the begin of the next.
    pub every: i64,
    /// Whether it runs now.
    pub running: bool,
    /// When it last began; `null` if it never did.
    pub last_run: Option<UnixSeconds>,
    /// How long that took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// How many rows, or pages, that took out; how many dictionaries, or hours of agents, that
    /// added; how many files of the archive that made or took out.
    pub rows: Option<u64>,
    /// When it will begin next.
    pub next_run: UnixSeconds,
    /// Why it last failed; `null` if it never did.
    pub last_error: Option<String>,
    /// When that run began; the same as `last_run` if it was the last.
    pub last_error_at: Option<UnixSeconds>,
}

/// Whether a chore does what it is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) name: &'static str,
    /// How many of its last runs failed in a row.
    pub(super) failures: u32,
    /// Why the last one that failed did.
    pub(super) why: Option<String>,
    /// Seconds by which its run is late, if that is two periods and nothing else runs.
    pub(super) overdue_s: Option<i64>,
}

/// All chores of one manager.
#[derive(Debug)]
pub struct Chores {
    all: Mutex<Vec<(Chore, Entry)>>,
    /// Whether somebody has promised to run them when they are due.
    promised: AtomicBool,
    /// What ended, on its way to the audit.
    runs: Runs,
}

impl Chores {
    /// The chores with what is known of their last runs; `kept` finds a small value by its name.
    pub(super) fn restored<'a>(kept: impl Fn(&str) -> Option<&'a str>) -> Self {
        let entry = |chore: &Chore| {
            let past: Option<Past> =
                kept(chore.kept_as()).and_then(|text| serde_json::from_str(text).ok());
            let noted_at = past.as_ref().map(|past| past.at).unwrap_or_default();
            (*chore, Entry { past, noted_at, ..Entry::default() })
        };
        Self {
            all: Mutex::new(Chore::ALL.iter().map(entry).collect()),
            promised: AtomicBool::new(false),
            runs: Runs::default(),
        }
    }

    /// What ended, on its way to the audit.
    pub(super) fn runs(&self) -> &Runs {
        &self.runs
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Chore, Entry)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Default>(&self, chore: Chore, act: impl FnOnce(&mut Entry) -> T) -> T {
        let mut all = self.lock();
        let entry = all.iter_mut().find(|(other, _)| *other == chore);
        entry.map(|(_, entry)| act(entry)).unwrap_or_default()
    }

    /// Every chore as it stands.
    pub fn list(&self, now: UnixSeconds) -> Vec<ChoreState> {
        self.lock().iter().map(|(chore, entry)| entry.state(*chore, now)).collect()
    }

    /// One chore as it stands.
    pub fn one(&self, chore: Chore, now: UnixSeconds) -> Option<ChoreState> {
        self.with(chore, |entry| Some(entry.state(chore, now)))
    }

    /// Has a chore begin as soon as somebody looks what is due; false if it runs.
    pub fn ask(&self, chore: Chore) -> bool {
        self.with(chore, |entry| {
            entry.asked |= !entry.running;
            !entry.running
        })
    }

    /// Says that from now on somebody runs them when they are due: only then is one late that
    /// is not.
    pub fn promise(&self) {
        self.promised.store(true, Ordering::Relaxed);
    }

    /// How every chore fares. They run one after the other, so none is late while one runs.
    pub(super) fn health(&self, now: UnixSeconds) -> Vec<Health> {
        let all = self.lock();
        let busy = all.iter().any(|(_, entry)| entry.running);
        let waits = !busy && self.promised.load(Ordering::Relaxed);
        let health = |(chore, entry): &(Chore, Entry)| {
            let past = entry.past.as_ref();
            let late = past.map(|past| now.since(past.at) - chore.every_s());
            Health {
                name: chore.name(),
                failures: past.map_or(0, |past| past.failures),
                why: past.and_then(|past| past.failed.as_ref()).map(|(_, why)| why.clone()),
                overdue_s: late.filter(|late| waits && *late >= 2 * chore.every_s()),
            }
        };
        all.iter().map(health).collect()
    }

    /// What should begin now.
    pub fn due(&self, now: UnixSeconds) -> Vec<Chore> {
        let all = self.lock();
        let is_due =
            |(chore, entry): &&(Chore, Entry)| !entry.running && entry.next(*chore, now) <= now;
        all.iter().filter(is_due).map(|(chore, _)| *chore).collect()
    }
}

impl Entry {
    /// When it should begin next. A clock that was set back delays nothing.
    fn next(&self, chore: Chore, now: UnixSeconds) -> UnixSeconds {
        match &self.past {
            Some(past) if !self.asked && past.at <= now => past.at.plus(chore.every_s()),
            _ => now,
        }
    }

    fn state(&self, chore: Chore, now: UnixSeconds) -> ChoreState {
        let past = self.past.as_ref();
        let failed = past.and_then(|past| past.failed.clone());
        let (last_error_at, last_error) = failed.unzip();
        ChoreState {
            name: chore.name(),
            about: chore.about(),
            every: chore.every_s(),
            running: self.running,
            last_run: past.map(|past| past.at),
            duration_ms: past.map(|past| past.duration_ms),
            rows: past.map(|past| past.rows),
            next_run: self.next(chore, now),
            last_error,
            last_error_at,
        }
    }

    /// The run that ends now, as the audit is told of it.
    fn ran(&self, job: &'static str, ended: &Past, ended_at: UnixSeconds) -> Ran {
        let past = self.past.as_ref();
        Ran {
            job,
            ended_at,
            duration_ms: ended.duration_ms,
            rows: ended.rows,
            by_hand: self.asked,
            why: ended.failed.as_ref().map(|(_, why)| why.clone()),
            failures: past.map_or(0, |past| past.failures),
            why_before: past.and_then(|past| past.failed.as_ref()).map(|(_, why)| why.clone()),
        }
    }

    /// Takes down a run; answers what is worth to be kept.
    fn end(&mut self, mut ended: Past) -> Option<String> {
        let before = self.past.as_ref().and_then(|past| past.failed.clone());
        let failures = self.past.as_ref().map_or(0, |past| past.failures);
        ended.failures = if ended.failed.is_some() { failures.saturating_add(1) } else { 0 };
        let worth = ended.rows > 0
            || ended.failures != failures
            || ended.at.since(self.noted_at).abs() >= NOTED_EVERY_S;
        ended.failed = ended.failed.or(before);
        (self.asked, self.running) = (false, false);
        if worth {
            self.noted_at = ended.at;
        }
        let text = worth.then(|| serde_json::to_string(&ended).ok()).flatten();
        self.past = Some(ended);
        text
    }
}

impl Processor {
    /// The chores and how they stand.
    pub fn chores(&self) -> &Chores {
        &self.chores
    }

    /// Runs what is due, one after the other. May be left off at any point.
    pub async fn run_due(&self) {
        for chore in self.chores.due(self.clock.now()) {
            self.run_chore(chore).await;
        }
    }

    /// Runs a chore to its end, unless it runs already.
    pub async fn run_chore(&self, chore: Chore) {
        let begun = self.chores.with(chore, |entry| !std::mem::replace(&mut entry.running, true));
        if !begun {
            return;
        }
        let (at, from) = (self.clock.now(), self.clock.now_millis());
        let mut rows = 0;
        let result = match chore.prunable() {
            Some(what) => self.prune(what, &mut rows).await,
            None if chore == Chore::RollUp => self.roll_up(&mut rows).await,
            None if chore == Chore::TrainDictionary => self.train_dictionary(&mut rows).await,
            None if chore == Chore::Archive => self.tend_archive(&mut rows).await,
            None => self.sweep(&mut rows).await,
        };
        let duration_ms = (self.clock.now_millis() - from).max(0);
        let name = chore.name();
        let failed = result.err().map(|failure| {
            warn!(job = name, rows, %failure, "A background job failed");
            (at, failure.to_string())
        });
        if failed.is_none() && rows > 0 {
            info!(job = name, rows, duration_ms, "A background job is done");
        }
        let past = Past { at, duration_ms, rows, failed, failures: 0 };
        let ended_at = self.clock.now();
        let kept = self.chores.with(chore, |entry| {
            self.chores.runs.add(&entry.ran(name, &past, ended_at));
            entry.end(past)
        });
        if let Some(text) = kept
            && let Err(failure) =
                self.command(Command::Ran(chore.kept_as(), text, Vec::new())).await
        {
            warn!(job = name, %failure, "What a background job did was not written down");
        }
    }

    async fn sweep(&self, rows: &mut u64) -> Result<(), CommandError> {
        if let Done::Swept { rows: swept } = self.command(Command::Sweep).await? {
            *rows = swept;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
