//! What lies beside an alarm's states: the terms it lives by, what it follows from, and whether it
//! is held open because it flaps.

use std::cmp::Ordering;

use super::{Alarm, Step};
use crate::alarms::catalogue::rule;
use crate::alarms::tuning::Terms;
use crate::model::id::AlarmId;
use crate::model::state::AlarmState;
use crate::model::time::UnixSeconds;

/// Why an alarm ended whose kind the operator switched off.
const SWITCHED_OFF: &str = "rule switched off";

impl Alarm {
    /// Somebody has seen it. `None` if nothing changes; pending alarms are not shown and cannot
    /// be acknowledged.
    pub fn acknowledge(
        &mut self,
        by: &str,
        note: Option<String>,
        now: UnixSeconds,
    ) -> Option<Step> {
        match self.state {
            AlarmState::Pending | AlarmState::Cleared => None,
            AlarmState::Acknowledged => {
                let changed = note.is_some() && note != self.note;
                changed.then(|| {
                    self.note = note;
                    Step::Noted
                })
            }
            AlarmState::Active | AlarmState::Returned => {
                self.acknowledged_at = Some(now);
                self.acknowledged_by = Some(by.to_owned());
                self.note = note;
                if self.state == AlarmState::Returned || rule(self.kind).ack_clears {
                    return Some(self.close("acknowledged", now));
                }
                self.state = AlarmState::Acknowledged;
                Some(Step::Acknowledged)
            }
        }
    }

    /// Lives by other terms from now on: a change of severity follows at once, everything else
    /// when it is next looked at.
    pub fn adopt(&mut self, terms: Terms, now: UnixSeconds) -> Option<Step> {
        self.terms = terms;
        if !terms.enabled {
            return Some(self.close(SWITCHED_OFF, now));
        }
        let severity = terms.severity(self.own);
        let before = std::mem::replace(&mut self.severity, severity);
        match (self.state, severity.cmp(&before)) {
            (_, Ordering::Equal) => None,
            (AlarmState::Pending, _) => Some(Step::Noted),
            (_, Ordering::Greater) => Some(Step::Escalated),
            (_, Ordering::Less) => Some(Step::Eased),
        }
    }

    /// Says which alarm it follows from, if any, and when it will count for itself again. Its
    /// state stays as it is.
    pub fn inhibit(&mut self, by: Option<AlarmId>, until: Option<UnixSeconds>) -> Option<Step> {
        let before = std::mem::replace(&mut self.inhibited_by, by);
        let moved = std::mem::replace(&mut self.inhibited_until, until) != until;
        match by {
            _ if before == by => moved.then_some(Step::Noted),
            Some(_) => Some(Step::Inhibited),
            None => Some(Step::Released),
        }
    }

    /// Whether its condition is known to hold, so that others may follow from it.
    pub fn stands(&self) -> bool {
        matches!(self.state, AlarmState::Active | AlarmState::Acknowledged)
    }

    /// Whether it is open only because it flaps.
    pub fn is_held(&self) -> bool {
        self.flapping_until.is_some() && self.returned_at.is_some()
    }

    /// Its condition has not changed for long enough.
    pub(super) fn steady(&mut self, now: UnixSeconds) -> Step {
        if self.is_held() {
            return self.close("condition over", now);
        }
        self.flapping_until = None;
        Step::Steadied
    }

    /// Its condition began to hold, or is over. Whether it flaps since just now.
    pub(super) fn flip(&mut self, now: UnixSeconds) -> bool {
        if !rule(self.kind).damped {
            return false;
        }
        self.flap = self.flap.hit(now);
        let before = self.flapping_until;
        if before.is_some() || self.flap.begins() {
            self.flapping_until = Some(self.flap.calm_at());
        }
        before.is_none() && self.flapping_until.is_some()
    }
}
