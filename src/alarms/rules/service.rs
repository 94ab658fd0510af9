//! The manager at work: its queue, its disk, its certificate, its background jobs, who tries to
//! sign in.

use std::net::IpAddr;

use crate::model::state::{AlarmKind, Severity};
use crate::model::time::{UnixSeconds, duration_text as duration};

use super::about;
use super::manager::MANAGER;
use crate::alarms::lifecycle::Observation;
use crate::alarms::rate::Recent;
use crate::alarms::tuning::{Limit, Limits};

/// A third of the usual interval: agents are not late for it yet.
pub const LAG_WAIT_S: Limit = Limit::seconds(
    "wait_s",
    10,
    (1, 3_600),
    "seconds in the queue from which reports are taken too slowly",
);
/// See [`LAG_WAIT_S`].
pub const LAG_GOOD_S: Limit = Limit::seconds(
    "good_s",
    2,
    (1, 3_600),
    "seconds in the queue below which they are taken in time again",
);
/// Seconds for which a report that was turned away for want of room counts.
pub const SHED_FOR_S: i64 = 10;
/// Seconds for which it must last.
pub const LAG_AFTER_S: i64 = 30;
/// Seconds after which it is over.
pub const LAG_OVER_S: i64 = 60;

/// One may be bad luck.
pub const JOB_FAILURES: Limit =
    Limit::count("failures", 2, (1, 1_000), "runs that failed one after the other");

/// Longer than any hour takes to be rolled up, and shorter than reports wait for it.
pub const JOB_BEHIND_S: Limit = Limit::seconds(
    "behind_s",
    7_200,
    (1_800, 604_800),
    "seconds by which rows of counters are made too late",
);

/// More than a person who mistypes.
pub const SIGN_INS: Limit =
    Limit::count("tries", 10, (2, 10_000), "failed sign-ins within window_s");
/// See [`SIGN_INS`].
pub const SIGN_IN_WINDOW_S: Limit =
    Limit::seconds("window_s", 600, (60, 86_400), "seconds for tries");
/// Seconds without another one after which it is over.
pub const SIGN_IN_QUIET_S: i64 = 1_800;

/// Are reports taken in time? `waited_ms` is how long the last thing in the queue waited, `shed`
/// whether any was turned away in the last [`SHED_FOR_S`] seconds. In between it cannot tell.
pub fn lag(waited_ms: i64, shed: bool, limits: &Limits<'_>) -> Option<Observation<'static>> {
    let trouble = match (waited_ms >= limits.get(&LAG_WAIT_S) * 1_000, shed) {
        (_, true) => Some(
            "the manager turns reports away: more come than it can store; look at the disk, the \
             processor, and how many agents report how often"
                .to_owned(),
        ),
        (true, false) => Some(format!(
            "reports wait {} before they are stored; look at the disk, the processor, and how \
             many agents report how often",
            duration(waited_ms / 1_000)
        )),
        (false, false) if waited_ms < limits.get(&LAG_GOOD_S) * 1_000 => None,
        (false, false) => return None,
    };
    Some(about(AlarmKind::IngestLag, MANAGER, trouble))
}

/// Half as much again ends it.
pub const FREE_PERCENT: Limit =
    Limit::count("percent", 10, (1, 50), "percent of the disk below which it is nearly full");
/// Likewise.
pub const FREE_CRITICAL_PERCENT: Limit =
    Limit::count("critical_percent", 3, (0, 50), "percent of the disk below which it is critical");
/// A tenth of a large disk is room enough.
pub const FREE_ENOUGH_GIB: Limit =
    Limit::count("enough_gib", 20, (0, 100_000), "GiB that are enough, however large the disk is");
/// It is emptied long before, unless somebody reads on and on.
pub const WAL_MIB: Limit = Limit::count(
    "log_mib",
    512,
    (64, 1_000_000),
    "MiB from which the write-ahead log is not emptied any more",
);
/// Seconds for which it must last.
pub const PRESSURE_AFTER_S: i64 = 60;

/// What is left of the disk that the database is on, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskFacts {
    /// What the manager may still write.
    pub free: u64,
    /// How large the disk is.
    pub total: u64,
    /// How large the write-ahead log is.
    pub wal: u64,
}

/// Is there room for the database? `open` says how bad it was found before. In between it cannot
/// tell.
pub fn pressure(
    disk: &DiskFacts,
    open: Option<Severity>,
    limits: &Limits<'_>,
) -> Option<Observation<'static>> {
    let [usual, least, enough, log] =
        [FREE_PERCENT, FREE_CRITICAL_PERCENT, FREE_ENOUGH_GIB, WAL_MIB]
            .map(|limit| limits.get(&limit).unsigned_abs());
    // In thousandths, so that half as much again is a whole number.
    let below = |parts: u64| {
        disk.free >> 30 < enough
            && disk.free.saturating_mul(1_000) < disk.total.saturating_mul(parts)
    };
    let more = |percent: u64| 15 * percent;
    let wal = disk.wal >> 20;
    let was_critical = open == Some(Severity::Critical);
    let critical = below(10 * least) || was_critical && below(more(least));
    let trouble = if below(10 * usual) || critical {
        Some(format!(
            "the disk of the database is nearly full: {} of {} MiB are free; make room, or keep less \
             (KATTILA_REPORTS_AGE, KATTILA_REPORTS_BYTES)",
            disk.free >> 20,
            disk.total >> 20
        ))
    } else if wal >= log {
        Some(format!(
            "the write-ahead log of the database has grown to {wal} MiB: something reads it for so \
             long that it cannot be emptied; look for another program on the file"
        ))
    } else if open.is_some() && (below(more(usual)) || wal >= log / 2) {
        return None;
    } else {
        None
    };
    let mut seen = about(AlarmKind::DbPressure, MANAGER, trouble);
    if critical {
        seen.severity = Severity::Critical;
    }
    Some(seen)
}

/// Two weeks.
pub const TLS_LEFT_S: Limit = Limit::seconds(
    "left_s",
    14 * 86_400,
    (3_600, 365 * 86_400),
    "seconds before the end at which somebody should renew it",
);
/// Three days.
pub const TLS_CRITICAL_S: Limit = Limit::seconds(
    "critical_s",
    3 * 86_400,
    (0, 365 * 86_400),
    "seconds before the end at which it is urgent",
);

/// Does the certificate of the door end soon? `None` if it has none, or it cannot be read.
pub fn certificate(
    expires_at: Option<UnixSeconds>,
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> Observation<'static> {
    let left = expires_at.map(|at| at.since(now));
    let trouble = left.filter(|left| *left < limits.get(&TLS_LEFT_S)).map(|left| {
        let when = match left {
            ended if ended <= 0 => format!("ended {} ago", duration(-ended)),
            left => format!("ends in {}", duration(left)),
        };
        format!(
            "the certificate of KATTILA_TLS_CERT {when}: agents and browsers will not come in; \
             renew it, the manager reads the new file by itself"
        )
    });
    let mut seen = about(AlarmKind::TlsExpiring, MANAGER, trouble);
    if left.is_some_and(|left| left < limits.get(&TLS_CRITICAL_S)) {
        seen.severity = Severity::Critical;
    }
    seen
}

/// How a background job fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many of its last runs failed in a row.
    pub failures: u32,
    /// Why the last one did.
    pub why: Option<&'a str>,
    /// Seconds by which it should have begun before now, if it is later than two periods.
    pub overdue_s: Option<i64>,
    /// Seconds by which what it makes comes later than it should.
    pub behind_s: i64,
}

/// Does a background job fail, or not run at all?
pub fn job<'a>(job: &JobFacts<'a>, limits: &Limits<'_>) -> Observation<'a> {
    let name = job.name;
    let trouble = match (job.failures, job.overdue_s) {
        (failures, _) if i64::from(failures) >= limits.get(&JOB_FAILURES) => Some(format!(
            "the background job {name} failed {failures} times in a row: {}",
            job.why.unwrap_or("for no known reason")
        )),
        (_, Some(late)) => Some(format!(
            "the background job {name} should have run {} ago and has not; restart the manager \
             and look at its log",
            duration(late)
        )),
        (_, None) if job.behind_s >= limits.get(&JOB_BEHIND_S) => Some(format!(
            "the background job {name} is {} behind: reports come faster than it reads them back, \
             and those that are removed first leave gaps in the curves; keep reports for longer \
             (KATTILA_REPORTS_BYTES), or make fewer rows (KATTILA_ROLLUPS)",
            duration(job.behind_s)
        )),
        (_, None) => None,
    };
    about(AlarmKind::JobFailed, name, trouble)
}

/// The counter to keep for failed sign-ins.
pub fn sign_ins(limits: &Limits<'_>) -> Recent {
    Recent::new(limits.count(&SIGN_INS), limits.get(&SIGN_IN_WINDOW_S))
}

/// A sign-in failed so often that somebody is guessing; `recent` has counted them, and `last` is
/// where the last one came from.
pub fn bruteforce(recent: &Recent, last: Option<IpAddr>) -> Observation<'static> {
    let from = last.map(|last| format!(", the last from {last}")).unwrap_or_default();
    let message = format!(
        "{} or more sign-ins failed within {}{from}; somebody may be guessing tokens, each further \
         try from one address has to wait",
        recent.threshold(),
        duration(recent.window_s())
    );
    about(AlarmKind::LoginBruteforce, MANAGER, Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::T;

    #[test]
    fn a_queue_that_is_slow_or_full() {
        let usual = Limits::usual(AlarmKind::IngestLag);
        let holds = |waited, shed| lag(waited, shed, &usual).map(|seen| seen.holds);
        assert_eq!([holds(0, false), holds(1_999, false)], [Some(false); 2]);
        assert_eq!([holds(2_000, false), holds(9_999, false)], [None; 2]);
        assert_eq!([holds(10_000, false), holds(0, true)], [Some(true); 2]);
        assert!(lag(12_000, false, &usual).unwrap().message.starts_with("reports wait 12 s"));
        let mut book = Book::default();
        let mut at =
            |t, shed| book.observe(&lag(0, shed, &usual).unwrap(), T.plus(t)).map(|t| t.step);
        assert_eq!(at(0, true), Some(Step::Noted));
        assert_eq!(at(20, false), Some(Step::Dropped), "a burst is no lag");
        assert_eq!(at(21, true), Some(Step::Noted));
        assert_eq!(at(51, true), Some(Step::Raised));
        assert_eq!(at(60, false), Some(Step::Noted));
        assert_eq!(at(120, false), Some(Step::Cleared));
    }

    #[test]
    fn a_disk_that_fills_up_and_is_emptied() {
        const GIB: u64 = 1 << 30;
        let usual = Limits::usual(AlarmKind::DbPressure);
        let at = |free: u64, total: u64, open| {
            let disk = DiskFacts { free: free * GIB, total: total * GIB, wal: 0 };
            pressure(&disk, open, &usual).map(|seen| (seen.holds, seen.severity))
        };
        let (major, critical) = (Severity::Major, Severity::Critical);
        assert_eq!(at(10, 100, None), Some((false, major)));
        assert_eq!(at(9, 100, None), Some((true, major)));
        assert_eq!(at(2, 100, None), Some((true, critical)));
        assert_eq!(at(3, 100, Some(critical)), Some((true, critical)));
        assert_eq!(at(5, 100, Some(critical)), Some((true, major)));
        assert_eq!(at(14, 100, Some(major)), None, "not yet");
        assert_eq!(at(15, 100, Some(major)), Some((false, major)));
        // A hundredth of a large disk is room enough.
        assert_eq!(at(20, 2_000, None), Some((false, major)));
        assert_eq!(at(19, 2_000, None), Some((true, critical)));
        let log = DiskFacts { free: 90 * GIB, total: 100 * GIB, wal: GIB / 2 };
        assert!(
            pressure(&log, None, &usual).unwrap().message.contains("log of the database has grown")
        );
        let less = DiskFacts { wal: GIB / 2 - 1, ..log };
        assert_eq!(pressure(&less, Some(major), &usual), None);
        assert!(!pressure(&less, None, &usual).unwrap().holds);
    }

    #[test]
    fn a_certificate_that_ends() {
        let day = 86_400;
        let usual = Limits::usual(AlarmKind::TlsExpiring);
        let left = |left: i64| {
            let seen = certificate(Some(T.plus(left)), &usual, T);
            (seen.holds, seen.severity)
        };
        assert_eq!(left(14 * day), (false, Severity::Warning));
        assert_eq!(left(14 * day - 1), (true, Severity::Warning));
        assert_eq!(left(3 * day), (true, Severity::Warning));
        assert_eq!(left(3 * day - 1), (true, Severity::Critical));
        let over = certificate(Some(T.minus(3_600)), &usual, T);
        assert!(over.message.contains("ended 1 h 0 min ago"), "{}", over.message);
        assert!(!certificate(None, &usual, T).holds);
    }

    #[test]
    fn a_job_that_fails_twice_or_does_not_run() {
        let facts =
            JobFacts { name: "vacuum", failures: 0, why: None, overdue_s: None, behind_s: 0 };
        let usual = Limits::usual(AlarmKind::JobFailed);
        assert!(!job(&facts, &usual).holds);
        let once = JobFacts { failures: 1, why: Some("the disk is full"), ..facts.clone() };
        assert!(!job(&once, &usual).holds);
        let seen = job(&JobFacts { failures: 2, ..once }, &usual);
        assert_eq!(seen.subject, "vacuum");
        assert!(seen.message.ends_with("failed 2 times in a row: the disk is full"));
        let seen = job(&JobFacts { overdue_s: Some(900), ..facts.clone() }, &usual);
        assert!(seen.message.contains("15 min 0 s ago"), "{}", seen.message);
        assert!(!job(&JobFacts { behind_s: 7_199, ..facts.clone() }, &usual).holds);
        let seen = job(&JobFacts { behind_s: 7_200, ..facts }, &usual);
        assert!(seen.message.contains("is 2 h 0 min behind"), "{}", seen.message);
    }

    #[test]
    fn guesses_are_told_with_where_they_come_from_and_end_by_themselves() {
        let usual = Limits::usual(AlarmKind::LoginBruteforce);
        let enough = |every: i64| -> Vec<i64> {
            let mut recent = sign_ins(&usual);
            (0..10).filter(|t| recent.note(T.plus(t * every))).collect()
        };
        assert_eq!(enough(66), [9], "the tenth within ten minutes");
        assert_eq!(enough(67), [0; 0]);
        let seen = bruteforce(&sign_ins(&usual), "192.0.2.7".parse().ok());
        assert!(seen.message.contains("the last from 192.0.2.7"), "{}", seen.message);
        let mut book = Book::default();
        assert_eq!(book.observe(&seen, T).unwrap().step, Step::Raised);
        assert!(book.tick(T.plus(1_799)).is_empty());
        assert_eq!(book.tick(T.plus(1_800))[0].step, Step::Cleared);
    }
}
