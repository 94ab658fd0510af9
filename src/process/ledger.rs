//! Alarms as they are stored, and back: the book as it was left, and an alarm's row.

use std::collections::{BTreeMap, BTreeSet};

use crate::alarms::book::Book;
use crate::alarms::flap::Flap;
use crate::alarms::lifecycle::Alarm;
use crate::alarms::tuning::Terms;
use crate::model::id::AgentNo;
use crate::store::change::AlarmRecord;
use crate::store::flap::FlapRecord;
use crate::store::row::FleetSnapshot;

/// The book as it was left.
pub(super) fn book_of(snapshot: &FleetSnapshot) -> Book {
    // A link's alarm names one of its agents; the other one counts as well.
    let subjects: BTreeSet<&str> = snapshot.alarms.iter().map(|a| a.subject.as_str()).collect();
    let tied = snapshot.edges.iter().filter(|edge| subjects.contains(edge.id.as_str()));
    let others: BTreeMap<&str, AgentNo> = tied
        .filter_map(|edge| {
            let [first, second] = &edge.ends;
            Some((edge.id.as_str(), first.agent.and(second.agent)?))
        })
        .collect();
    let alarms = snapshot.alarms.iter().cloned().map(|row| {
        let also = others.get(row.subject.as_str()).copied();
        Alarm { also, ..alarm_of(row) }
    });
    let flaps = snapshot.flaps.iter().map(|FlapRecord { kind, subject, penalty, at }| {
        (*kind, subject.clone(), Flap { penalty: *penalty, at: *at })
    });
    Book::load(alarms, flaps, snapshot.last_alarm)
}

fn alarm_of(row: AlarmRecord) -> Alarm {
    Alarm {
        own: row.own,
        flap: Flap::default(),
        terms: Terms::of(row.kind),
        also: None,
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        severity: row.severity,
        state: row.state,
        fleet: row.fleet,
        agent: row.agent,
        message: row.message,
        pending_since: row.pending_since,
        raised_at: row.raised_at,
        acknowledged_at: row.acknowledged_at,
        acknowledged_by: row.acknowledged_by,
        note: row.note,
        returned_at: row.returned_at,
        cleared_at: row.cleared_at,
        clear_cause: row.clear_cause,
        good_since: row.good_since,
        count: row.count,
        report: row.report,
        inhibited_by: row.inhibited_by,
        inhibited_until: row.inhibited_until,
        flapping_until: row.flapping_until,
        shelved: row.shelved,
        maintenance: row.maintenance,
    }
}

pub(super) fn row_of(alarm: Alarm) -> AlarmRecord {
    AlarmRecord {
        id: alarm.id,
        kind: alarm.kind,
        subject: alarm.subject,
        severity: alarm.severity,
        state: alarm.state,
        fleet: alarm.fleet,
        agent: alarm.agent,
        message: alarm.message,
        pending_since: alarm.pending_since,
        raised_at: alarm.raised_at,
        acknowledged_at: alarm.acknowledged_at,
        acknowledged_by: alarm.acknowledged_by,
        note: alarm.note,
        returned_at: alarm.returned_at,
        cleared_at: alarm.cleared_at,
        clear_cause: alarm.clear_cause,
        good_since: alarm.good_since,
        count: alarm.count,
        report: alarm.report,
        inhibited_by: alarm.inhibited_by,
        inhibited_until: alarm.inhibited_until,
        own: alarm.own,
        flapping_until: alarm.flapping_until,
        shelved: alarm.shelved,
        maintenance: alarm.maintenance,
    }
}
