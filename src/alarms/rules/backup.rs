//! Whether the database is backed up as often as it used to be.

use crate::model::state::AlarmKind;
use crate::model::time::{UnixSeconds, duration_text as duration};

use super::about;
use super::manager::MANAGER;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// Nobody has said how often: then what was done so far tells.
pub const AFTER_S: Limit = Limit::seconds(
    "after_s",
    0,
    (0, 365 * 86_400),
    "seconds after the last backup; 0 for twice the longest time between the last five",
);

/// Backups that are made more often than this are no habit, such as before and after an upgrade.
const LEAST_S: i64 = 86_400;

/// How old the last backup may become; `None` as long as nothing tells. `made` is when the last few
/// were made, oldest first.
fn patience(made: &[UnixSeconds], limits: &Limits<'_>) -> Option<i64> {
    let asked = limits.get(&AFTER_S);
    if asked > 0 {
        return Some(asked);
    }
    let gaps = made.iter().zip(made.iter().skip(1)).map(|(one, next)| next.since(*one));
    gaps.max().map(|longest| longest.saturating_mul(2).max(LEAST_S))
}

/// Is the last backup too long ago?
pub fn stale(
    made: &[UnixSeconds],
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> Option<Observation<'static>> {
    let patience = patience(made, limits)?;
    let trouble = match made.last() {
        None => Some("no backup of the database has been made".to_owned()),
        Some(last) if now.since(*last) > patience => Some(format!(
            "the last backup of the database was made {} ago, more than {}",
            duration(now.since(*last)),
            duration(patience)
        )),
        Some(_) => None,
    };
    let trouble = trouble.map(|what| format!("{what}; see why `kattila backup` does not run"));
    Some(about(AlarmKind::BackupStale, MANAGER, trouble))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::file;
    use crate::alarms::rules::tests_support::T;
    use crate::alarms::tuning::Place;

    const DAY: i64 = 86_400;

    fn seen(days: &[i64], at: i64) -> Option<bool> {
        let made: Vec<_> = days.iter().map(|day| T.plus(day * DAY)).collect();
        let usual = Limits::usual(AlarmKind::BackupStale);
        stale(&made, &usual, T.plus(at)).map(|seen| seen.holds)
    }

    #[test]
    fn twice_the_longest_time_between_two() {
        assert_eq!(seen(&[], 999 * DAY), None, "nobody ever made one");
        assert_eq!(seen(&[0], 999 * DAY), None, "one is no habit");
        assert_eq!(seen(&[0, 1, 2], 4 * DAY), Some(false));
        assert_eq!(seen(&[0, 1, 2], 4 * DAY + 1), Some(true));
        assert_eq!(seen(&[0, 7, 8], 22 * DAY), Some(false), "a week was long enough before");
        assert_eq!(seen(&[0, 0], DAY), Some(false), "two at once are no habit of many");
        assert_eq!(seen(&[0, 0], DAY + 1), Some(true));
    }

    #[test]
    fn or_as_operators_say() {
        let rules = "[[rule]]\nkinds = \"backup.stale\"\nlimits = { after_s = 3600 }";
        let tuning = file::parse(rules).unwrap();
        let limits = Limits::of(&tuning, AlarmKind::BackupStale, Place::default());
        let never = stale(&[], &limits, T).unwrap();
        assert!(never.holds && never.message.starts_with("no backup"), "{}", never.message);
        assert!(!stale(&[T], &limits, T.plus(3_600)).unwrap().holds);
        let old = stale(&[T], &limits, T.plus(7_200)).unwrap();
        assert!(old.message.contains("made 2 h 0 min ago, more than 1 h 0 min"), "{}", old.message);
    }
}
