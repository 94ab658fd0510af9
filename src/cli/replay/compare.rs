//! Alarms that were against alarms that would have been. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::state::{AlarmKind, Severity};
use crate::model::time::UnixSeconds;
use crate::store::row::AlarmRow;

/// Kinds that do not follow from stored reports, but from refused requests, secrets that were
/// taken out, keys, channels, registrations, or the manager itself.
pub const NOT_REPLAYED: &[AlarmKind] = &[
    AlarmKind::RelayChainBad,
    AlarmKind::AgentClockSkew,
    AlarmKind::IngestBadHmac,
    AlarmKind::IngestReplay,
    AlarmKind::DnsPskStale,
    AlarmKind::DnsPskUnexpected,
    AlarmKind::StorageRolledBack,
    AlarmKind::AuditChainBroken,
    AlarmKind::IdentityDowngrade,
    AlarmKind::IdentityPinned,
    AlarmKind::KeyOldInUse,
    AlarmKind::NotifyFailing,
    AlarmKind::SecretInReport,
    AlarmKind::AgentUnapproved,
    AlarmKind::PayloadRejected,
    AlarmKind::IngestLag,
    AlarmKind::JobFailed,
    AlarmKind::LoginBruteforce,
    AlarmKind::DbPressure,
    AlarmKind::TlsExpiring,
];

/// An alarm as far as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What it is about.
    pub kind: AlarmKind,
    /// Which thing.
    pub subject: String,
    /// How bad it was in the end.
    pub severity: Severity,
    /// When it was raised.
    pub raised_at: UnixSeconds,
    /// When it ended; `None` if it was open at the end of the time looked at.
    pub cleared_at: Option<UnixSeconds>,
    /// Why it ended.
    pub clear_cause: Option<String>,
}

impl Told {
    /// An alarm raised within these times, as of the end of them.
    pub fn of(row: &AlarmRow, from: UnixSeconds, to: UnixSeconds) -> Option<Self> {
        let alarm = &row.alarm;
        let raised_at = alarm.raised_at.filter(|at| (from..=to).contains(at))?;
        if NOT_REPLAYED.contains(&alarm.kind) {
            return None;
        }
        let cleared_at = alarm.cleared_at.filter(|at| *at <= to);
        Some(Self {
            kind: alarm.kind,
            subject: alarm.subject.clone(),
            severity: alarm.severity,
            raised_at,
            cleared_at,
            clear_cause: cleared_at.and(alarm.clear_cause.clone()),
        })
    }

    fn overlaps(&self, other: &Self) -> bool {
        let begins =
            |one: &Self, other: &Self| other.cleared_at.is_none_or(|end| one.raised_at <= end);
        begins(self, other) && begins(other, self)
    }
}

/// An alarm that was, and as what it would have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// As it was.
    pub was: Told,
    /// As it would have been.
    pub would: Told,
}

/// What differs.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Raised and ended at the same seconds, and as bad.
    pub same: Vec<Told>,
    /// About the same thing at the same time, but earlier, later, or as another severity.
    pub changed: Vec<Pair>,
    /// Were, and would not have been.
    pub only_was: Vec<Told>,
    /// Were not, and would have been.
    pub only_would: Vec<Told>,
}

/// Lays them side by side, by kind and subject and then by time.
pub fn compare(was: Vec<Told>, would: Vec<Told>) -> Comparison {
    let mut things: BTreeMap<(AlarmKind, String), [Vec<Told>; 2]> = BTreeMap::new();
    for told in was {
        let [was, _] = things.entry((told.kind, told.subject.clone())).or_default();
        was.push(told);
    }
    for told in would {
        let [_, would] = things.entry((told.kind, told.subject.clone())).or_default();
        would.push(told);
    }
    let mut found = Comparison::default();
    for [was, would] in things.into_values() {
        pair(was, would, &mut found);
    }
    found
}

/// Of one thing: those that were and would have been at one time belong together.
fn pair(mut was: Vec<Told>, mut would: Vec<Told>, found: &mut Comparison) {
    was.sort_by_key(|told| told.raised_at);
    would.sort_by_key(|told| told.raised_at);
    for was in was {
        let Some(at) = would.iter().position(|would| would.overlaps(&was)) else {
            found.only_was.push(was);
            continue;
        };
        let would = would.remove(at);
        let times = |told: &Told| (told.severity, told.raised_at, told.cleared_at);
        if times(&was) == times(&would) {
            found.same.push(was);
        } else {
            found.changed.push(Pair { was, would });
        }
    }
    found.only_would.extend(would);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(subject: &str, raised: i64, cleared: i64) -> Told {
        Told {
            kind: AlarmKind::EdgeDown,
            subject: subject.to_owned(),
            severity: Severity::Major,
            raised_at: UnixSeconds(raised),
            cleared_at: (cleared > 0).then_some(UnixSeconds(cleared)),
            clear_cause: None,
        }
    }

    #[test]
    fn what_overlaps_is_one_thing() {
        let was = vec![told("a", 10, 20), told("a", 40, 50), told("b", 10, 0), told("c", 5, 6)];
        let worse = Told { severity: Severity::Critical, ..told("b", 10, 0) };
        let would = vec![told("a", 10, 20), told("a", 45, 60), worse, told("c", 7, 9)];
        let found = compare(was, would);
        assert_eq!(found.same, [told("a", 10, 20)]);
        let changed: Vec<_> = found.changed.iter().map(|pair| pair.was.subject.as_str()).collect();
        assert_eq!(changed, ["a", "b"]);
        assert_eq!(
            (found.only_was, found.only_would),
            (vec![told("c", 5, 6)], vec![told("c", 7, 9)])
        );
    }

    #[test]
    fn two_that_would_have_been_one_are_told() {
        let found = compare(vec![told("a", 10, 20), told("a", 30, 40)], vec![told("a", 10, 40)]);
        assert_eq!((found.changed.len(), found.only_was), (1, vec![told("a", 30, 40)]));
    }
}
