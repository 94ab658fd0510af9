//! The fleet as a whole and the manager itself: partitions, keys, clock, database.

use crate::model::id::{AgentNo, FleetId};
use crate::model::state::{AlarmKind, Severity};
use crate::model::time::{UnixSeconds, duration_text as duration};

use super::about;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};
use crate::topology::graph::{Partition, Split};

/// The subject of alarms about the manager itself.
pub const MANAGER: &str = "manager";

/// Names per side that a partition's message lists, and sides.
const NAMES_TOLD: usize = 5;
const SIDES_TOLD: usize = 4;

/// Fewer may share a wrong clock of their own.
pub const CLOCK_WITNESSES: Limit = Limit::count(
    "witnesses",
    5,
    (2, 100_000),
    "agents that must report before their clocks can accuse the manager's",
);
/// Their clocks were set by each other's, or by the same right one.
pub const CLOCK_AGREEING: Limit = Limit::count(
    "agreeing",
    3,
    (2, 100_000),
    "agents that are enough if they agree with each other by the handshakes they share",
);
/// Seconds by which those may differ.
const AGREE_S: u64 = 10;
/// What no host with time synchronisation is off by.
pub const CLOCK_OFF_S: Limit =
    Limit::seconds("off_s", 60, (1, 86_400), "seconds of offset that count as off");
/// Half of that.
pub const CLOCK_GOOD_S: Limit = Limit::seconds(
    "good_s",
    30,
    (1, 86_400),
    "seconds of the middle offset below which the manager's clock is right",
);

/// Did a fleet's network fall apart?
pub fn partition<'a>(
    fleet: &'a FleetId,
    state: &Partition,
    name: impl Fn(AgentNo) -> String,
) -> Option<Observation<'a>> {
    let trouble = match state {
        Partition::Whole => None,
        Partition::Split(split) => Some(tell(fleet, split, name)),
        Partition::Unclear => return None,
    };
    let seen = about(AlarmKind::NetPartition, fleet.as_str(), trouble);
    Some(Observation { fleet: Some(fleet), ..seen })
}

fn tell(fleet: &FleetId, split: &Split, name: impl Fn(AgentNo) -> String) -> String {
    let sides: Vec<String> = split
        .sides
        .iter()
        .take(SIDES_TOLD)
        .map(|side| {
            let mut names: Vec<String> = side.iter().map(|no| name(*no)).collect();
            names.sort();
            match names.len().saturating_sub(NAMES_TOLD) {
                0 => names.join(", "),
                rest => {
                    names.truncate(NAMES_TOLD);
                    format!("{} and {rest} more", names.join(", "))
                }
            }
        })
        .collect();
    let unnamed = match split.sides.len().saturating_sub(SIDES_TOLD) {
        0 => String::new(),
        1 => " | and 1 more part".to_owned(),
        rest => format!(" | and {rest} more parts"),
    };
    format!(
        "{fleet} fell into {} parts that cannot reach each other: {}{unnamed}",
        split.sides.len(),
        sides.join(" | ")
    )
}

/// How the source of the keys fares.
#[derive(Debug, Clone, Copy)]
pub struct DnsFacts<'a> {
    /// The source in words, like `TXT record of _kattila.fleet.example`.
    pub name: &'a str,
    /// Why the last attempt to read it failed, if it did.
    pub failure: Option<&'a str>,
    /// When it was last read, or the manager started if it never was.
    pub last_good: UnixSeconds,
    /// Since when no attempt has succeeded.
    pub failing_since: Option<UnixSeconds>,
    /// Whether it has said several times in a row that there is no key.
    pub missing: bool,
    /// Seconds between two attempts while all is well.
    pub period_s: i64,
}

/// However rarely the source is asked.
pub const KEYS_FAILING_S: Limit =
    Limit::seconds("failing_s", 900, (1, 604_800), "seconds of failing after which it is told");
/// However often the source is asked.
pub const KEYS_PERIODS: Limit = Limit::count(
    "periods",
    3,
    (1, 1_000),
    "refresh periods without a usable answer after which it is told",
);
/// A day.
pub const KEYS_MAJOR_S: Limit = Limit::seconds(
    "major_s",
    86_400,
    (60, 2_592_000),
    "seconds without a usable answer after which it is major",
);

/// Can the keys not be refreshed? A warning after three periods without, 15 minutes of failing,
/// or three answers in a row that there is no key; major after a day.
pub fn keys_stale<'a>(
    dns: &DnsFacts<'a>,
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> Option<Observation<'a>> {
    let Some(failure) = dns.failure else {
        return Some(about(AlarmKind::DnsPskStale, dns.name, None));
    };
    let age = now.since(dns.last_good);
    let failing = dns.failing_since.map_or(0, |since| now.since(since));
    let long = failing >= limits.get(&KEYS_FAILING_S);
    let told = dns.missing || long || age > limits.get(&KEYS_PERIODS) * dns.period_s;
    told.then(|| {
        let what = if dns.missing { "has listed no key" } else { "could not be read" };
        let message = format!(
            "the {} {what} for {}: {failure}; the last good keys stay in use",
            dns.name,
            duration(age)
        );
        let mut seen = about(AlarmKind::DnsPskStale, dns.name, Some(message));
        if age > limits.get(&KEYS_MAJOR_S) {
            seen.severity = Severity::Major;
        }
        seen
    })
}

/// Does the source of the keys hold something it should not? `problem` says what.
pub fn keys_unexpected<'a>(name: &'a str, problem: Option<(Severity, &str)>) -> Observation<'a> {
    let trouble = problem.map(|(_, problem)| {
        format!("the {name} is not as it should be: {problem}; the keys in use stay in use")
    });
    let mut seen = about(AlarmKind::DnsPskUnexpected, name, trouble);
    if let Some((severity, _)) = problem {
        seen.severity = severity;
    }
    seen
}

/// Is it the manager's clock that is wrong? `offsets` are each agent's last timestamp minus the
/// manager's clock, in seconds, of reports accepted or refused for their time.
///
/// It is when four of five agents are off by more than a minute to the same side. `known` are the
/// clocks, likewise, of those whose peers know them by their handshakes: where these agree with each
/// other, fewer are enough.
pub fn clock(offsets: &[i64], known: &[i64], limits: &Limits<'_>) -> Option<Observation<'static>> {
    let median = middle(offsets)?;
    let common = middle(known);
    let agreeing = known.iter().filter(|s| common.is_some_and(|at| at.abs_diff(**s) <= AGREE_S));
    let agreeing = agreeing.count();
    let (witnesses, enough) = (limits.count(&CLOCK_WITNESSES), limits.count(&CLOCK_AGREEING));
    if offsets.len() < witnesses.min(enough) {
        return None;
    }
    let can_tell = offsets.len() >= witnesses || agreeing >= enough;
    let off_s = limits.get(&CLOCK_OFF_S);
    let ahead = offsets.iter().filter(|o| **o > off_s).count();
    let behind = offsets.iter().filter(|o| **o < -off_s).count();
    let most = ahead.max(behind);
    if can_tell && most * 5 >= offsets.len() * 4 {
        // Agents ahead of us: we are behind.
        let direction = if ahead > behind { "behind" } else { "ahead of" };
        let also = match agreeing {
            0 | 1 => String::new(),
            some => format!(", and {some} of them agree with each other by their handshakes"),
        };
        let message = format!(
            "the manager's clock is probably wrong: {most} of {} agents say it is {direction} \
             theirs, by {} in the middle{also}; set the manager's clock",
            offsets.len(),
            duration(median.saturating_abs())
        );
        return Some(about(AlarmKind::ManagerClock, MANAGER, Some(message)));
    }
    (median.saturating_abs() < limits.get(&CLOCK_GOOD_S))
        .then(|| about(AlarmKind::ManagerClock, MANAGER, None))
}

fn middle(offsets: &[i64]) -> Option<i64> {
    let mut sorted = offsets.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// The database turned out to be older than what the manager had promised to keep.
pub fn rolled_back(detail: &str) -> Observation<'static> {
    let message = format!(
        "the database went back in time: {detail}; reports that were acknowledged are missing, \
         look for the reason (a restored snapshot, a copied file)"
    );
    about(AlarmKind::StorageRolledBack, MANAGER, Some(message))
}

/// The audit does not hang together.
pub fn audit_broken(problem: &str) -> Observation<'static> {
    let message = format!(
        "the audit of who did what does not hang together: {problem}; somebody wrote to the \
         database behind the manager's back, or it is damaged: keep a copy of it, and compare with \
         a backup"
    );
    about(AlarmKind::AuditChainBroken, MANAGER, Some(message))
}

/// Does a channel take the messages about alarms?
pub fn notify_failing<'a>(channel: &'a str, why: Option<&str>) -> Observation<'a> {
    let message = why.map(|why| format!("people are not told of alarms by {channel}: {why}"));
    about(AlarmKind::NotifyFailing, channel, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale() -> Limits<'static> {
        Limits::usual(AlarmKind::DnsPskStale)
    }

    fn clocks() -> Limits<'static> {
        Limits::usual(AlarmKind::ManagerClock)
    }

    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::T;

    fn split(sides: &[&[i64]]) -> Partition {
        let sides = sides.iter().map(|s| s.iter().copied().map(AgentNo).collect()).collect();
        Partition::Split(Split { sides })
    }

    #[test]
    fn a_partition_lasts_a_minute_before_it_is_told_and_before_it_is_over() {
        let fleet: FleetId = "lab".parse().unwrap();
        let mut book = Book::default();
        let name = |no: AgentNo| format!("n{no}");
        let mut at = |t: i64, state: &Partition| {
            let seen = partition(&fleet, state, name)?;
            book.observe(&seen, T.plus(t)).map(|t| t.step)
        };
        let broken = split(&[&[1, 2], &[3]]);
        assert_eq!(at(0, &broken), Some(Step::Noted));
        assert_eq!(at(30, &Partition::Whole), Some(Step::Dropped));
        assert_eq!(at(40, &broken), Some(Step::Noted));
        assert_eq!(at(70, &broken), None);
        let told = book.tick(T.plus(100));
        assert_eq!(told[0].step, Step::Raised);
        assert_eq!(
            told[0].alarm.message,
            "lab fell into 2 parts that cannot reach each other: n1, n2 | n3"
        );
        let mut at = |t: i64, state: &Partition| {
            let seen = partition(&fleet, state, name)?;
            book.observe(&seen, T.plus(t)).map(|t| t.step)
        };
        assert_eq!(at(110, &Partition::Whole), Some(Step::Noted));
        assert_eq!(at(120, &broken), Some(Step::Noted));
        assert_eq!(at(130, &Partition::Unclear), None);
        assert_eq!(at(140, &Partition::Whole), Some(Step::Noted));
        assert!(book.tick(T.plus(199)).is_empty());
        assert_eq!(book.tick(T.plus(200))[0].step, Step::Cleared);
    }

    #[test]
    fn long_sides_are_cut() {
        let fleet: FleetId = "lab".parse().unwrap();
        let state = split(&[&[9, 1, 2, 3, 4, 5, 6], &[11], &[12], &[13], &[14], &[15]]);
        let seen = partition(&fleet, &state, |no| format!("n{no}")).unwrap();
        assert!(
            seen.message
                .ends_with(": n1, n2, n3, n4, n5 and 2 more | n11 | n12 | n13 | and 2 more parts"),
            "{}",
            seen.message
        );
    }

    #[test]
    fn keys() {
        let name = "TXT record of _k.example";
        let dns = DnsFacts {
            name,
            failure: None,
            last_good: T,
            failing_since: None,
            missing: false,
            period_s: 300,
        };
        assert!(!keys_stale(&dns, &stale(), T.plus(999_999)).unwrap().holds);
        let failing = DnsFacts { failure: Some("timed out"), ..dns };
        assert_eq!(keys_stale(&failing, &stale(), T.plus(900)), None);
        let seen = keys_stale(&failing, &stale(), T.plus(901)).unwrap();
        assert!(seen.holds && seen.severity == Severity::Warning);
        assert!(seen.message.starts_with("the TXT record of _k.example could not be read for 15"));
        assert_eq!(
            keys_stale(&failing, &stale(), T.plus(86_401)).unwrap().severity,
            Severity::Major
        );
        // A record that is asked for once in an hour, and one that is gone.
        let rare = DnsFacts { failing_since: Some(T.plus(3_600)), period_s: 3_600, ..failing };
        assert_eq!(keys_stale(&rare, &stale(), T.plus(4_499)), None);
        assert!(keys_stale(&rare, &stale(), T.plus(4_500)).unwrap().holds);
        let gone = DnsFacts { missing: true, ..failing };
        let seen = keys_stale(&gone, &stale(), T.plus(90)).unwrap();
        assert!(seen.message.contains("has listed no key for 1 min 30 s"), "{}", seen.message);
        let seen = keys_unexpected("_k.example", Some((Severity::Critical, "two new keys")));
        assert!(seen.holds && seen.severity == Severity::Critical);
        let seen = keys_unexpected("_k.example", Some((Severity::Warning, "a revoked key")));
        assert_eq!(seen.severity, Severity::Warning);
        assert!(!keys_unexpected("_k.example", None).holds);
    }

    #[test]
    fn the_manager_is_wrong_if_nearly_all_say_so() {
        let holds = |offsets: &[i64]| clock(offsets, &[], &clocks()).map(|o| o.holds);
        assert_eq!(holds(&[900, 900, 900, 900]), None);
        assert_eq!(holds(&[900, 900, 900, 900, 0]), Some(true));
        assert_eq!(holds(&[900, 900, 900, 0, 0]), None);
        // To different sides, it is they.
        assert_eq!(holds(&[900, 900, 0, -900, -900]), Some(false));
        assert_eq!(holds(&[-61, -61, -61, -61, -61]), Some(true));
        assert_eq!(holds(&[29, 29, 29, -5, 400]), Some(false));
        assert!(
            clock(&[70; 9], &[], &clocks())
                .unwrap()
                .message
                .contains("is behind theirs, by 1 min 10 s")
        );
        let three = clock(&[70, 71, 72], &[70, 70, 71], &clocks()).unwrap();
        let also = "by 1 min 11 s in the middle, and 3 of them agree with each other by their";
        assert!(three.holds && three.message.contains(also), "{}", three.message);
        assert_eq!(clock(&[70, 71, 72], &[70, 95, 130], &clocks()), None, "they do not agree");
        assert_eq!(clock(&[70, 71, 0], &[70, 71, 0], &clocks()), None, "one of three says no");
        assert!(!clock(&[1, 0, 2], &[], &clocks()).unwrap().holds, "it was set");
        assert!(rolled_back("report 17").message.contains("report 17"));
    }
}
