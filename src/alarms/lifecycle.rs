//! One alarm's life: pending, active, acknowledged, returned, cleared.
//!
//! A state machine over one value. It never looks beyond its alarm, and keeps nothing beside it:
//! delays are the alarm's own `pending_since`, `good_since` and `count`.

mod aside;

use std::borrow::Cow;

use crate::model::id::{AgentNo, AlarmId, FleetId, ReportId, WindowId};
use crate::model::shelf::Shelved;
use crate::model::state::{AlarmKind, AlarmState, Severity};
use crate::model::time::UnixSeconds;

use super::catalogue::{ClearBy, Rule, rule};
use super::flap::Flap;
use super::tuning::Terms;

/// Happenings of a `Quiet` kind within this many seconds of the last recorded one are not
/// recorded anew, so that a flood of them is not a flood of writes.
const QUIET_STEP_S: i64 = 60;

/// An alarm: what is stored of it, and all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its number.
    pub id: AlarmId,
    /// What it is about.
    pub kind: AlarmKind,
    /// Which thing: one alarm per kind and subject is open at a time.
    pub subject: String,
    /// How bad, as people are told.
    pub severity: Severity,
    /// How bad its rule calls it, whatever the operator makes of that.
    pub own: Severity,
    /// What of the catalogue, and of what the operator changed, holds for it. Not stored.
    pub terms: Terms,
    /// Where it stands.
    pub state: AlarmState,
    /// Its fleet, if it is about one.
    pub fleet: Option<FleetId>,
    /// Its agent, if it is about one.
    pub agent: Option<AgentNo>,
    /// The agent at the other end of the link it is about. Not stored.
    pub also: Option<AgentNo>,
    /// One sentence for a person, as of the raise or the last change of severity.
    pub message: String,
    /// When the condition began to hold.
    pub pending_since: UnixSeconds,
    /// When it was raised.
    pub raised_at: Option<UnixSeconds>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<UnixSeconds>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// With what note.
    pub note: Option<String>,
    /// When the condition was over (latching kinds, and those that flap).
    pub returned_at: Option<UnixSeconds>,
    /// When it ended.
    pub cleared_at: Option<UnixSeconds>,
    /// Why.
    pub clear_cause: Option<String>,
    /// Since when the opposite holds; for kinds about happenings, when the last one was.
    pub good_since: Option<UnixSeconds>,
    /// Pending: observations of the condition. Raised: observations of the opposite in a row, or
    /// happenings since the raise where the kind counts them.
    pub count: u32,
    /// The report that proves it, where one does.
    pub report: Option<ReportId>,
    /// The alarm it follows from: while it does, nobody is told of it.
    pub inhibited_by: Option<AlarmId>,
    /// When it counts for itself again, once that alarm has ended.
    pub inhibited_until: Option<UnixSeconds>,
    /// It came and went too often: until then it is held open, whatever its condition does, and
    /// longer if that changes again. `returned_at` is set while the condition does not hold.
    pub flapping_until: Option<UnixSeconds>,
    /// How restless its kind and subject are. Stored beside the alarms.
    pub flap: Flap,
    /// Somebody shelved it: until then nobody is told of it.
    pub shelved: Option<Shelved>,
    /// The maintenance window that covers it: while one does, nobody is told of it.
    pub maintenance: Option<WindowId>,
}

/// What a rule saw. Of one subject, one observation per report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation<'a> {
    /// The kind of alarm it is about.
    pub kind: AlarmKind,
    /// Which thing.
    pub subject: Cow<'a, str>,
    /// The thing's fleet.
    pub fleet: Option<&'a FleetId>,
    /// The thing's agent.
    pub agent: Option<AgentNo>,
    /// The agent at the other end, if the thing is a link: what operators say of hosts with some
    /// label counts for either end.
    pub also: Option<AgentNo>,
    /// Whether the condition holds.
    pub holds: bool,
    /// Whether what was seen is long past (a report sent late): it counts for nothing.
    pub late: bool,
    /// How bad, if it holds.
    pub severity: Severity,
    /// One sentence for a person, if it holds.
    pub message: String,
    /// The report it was seen in.
    pub report: Option<ReportId>,
}

/// What became of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Only its timers moved, or it began to be pending: store it, tell nobody.
    Noted,
    /// The condition ended before it was raised: store it as cleared, tell nobody.
    Dropped,
    /// Raised, or raised again out of `returned`.
    Raised,
    /// Worse than before: tell again.
    Escalated,
    /// Less bad than before: do not tell.
    Eased,
    /// It was found to follow from another alarm: do not tell.
    Inhibited,
    /// It follows from no other alarm any more, and still holds.
    Released,
    /// Somebody acknowledged it.
    Acknowledged,
    /// Somebody shelved it, or changed until when.
    Shelved,
    /// It is not shelved any more.
    Unshelved,
    /// A maintenance window covers it.
    Covered,
    /// No maintenance window covers it any more.
    Uncovered,
    /// Its condition is over; it waits for somebody to acknowledge it.
    Returned,
    /// It came and went too often, and is held open from now on: told once.
    Flapping,
    /// While it flaps, its condition was over, or began to hold again: recorded, not told.
    Flipped,
    /// It flaps no more, and its condition holds: recorded, not told.
    Steadied,
    /// Over; `clear_cause` says why.
    Cleared,
}

impl Step {
    /// Whether people and the history are told.
    pub fn is_told(self) -> bool {
        !matches!(self, Self::Noted | Self::Dropped)
    }
}

impl Alarm {
    /// A new alarm from the first observation of its condition.
    pub fn begin(
        id: AlarmId,
        seen: &Observation<'_>,
        (terms, flap): (Terms, Flap),
        now: UnixSeconds,
    ) -> (Self, Step) {
        let mut alarm = Self {
            id,
            kind: seen.kind,
            subject: seen.subject.to_string(),
            severity: terms.severity(seen.severity),
            own: seen.severity,
            terms,
            state: AlarmState::Pending,
            fleet: seen.fleet.cloned(),
            agent: seen.agent,
            also: seen.also,
            message: String::new(),
            pending_since: now,
            raised_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            note: None,
            returned_at: None,
            cleared_at: None,
            clear_cause: None,
            good_since: None,
            count: 0,
            report: None,
            inhibited_by: None,
            inhibited_until: None,
            flapping_until: None,
            flap,
            shelved: None,
            maintenance: None,
        };
        let step = alarm.confirm(seen, now).unwrap_or(Step::Noted);
        (alarm, step)
    }

    /// The alarm that follows this one when a person ends it although its condition may still
    /// hold: pending, with nothing that confirms it yet. Its message and severity are kept for a
    /// rule that cannot see any more how it began.
    pub fn remembered(&self, id: AlarmId, now: UnixSeconds) -> Self {
        Self {
            id,
            state: AlarmState::Pending,
            pending_since: now,
            raised_at: None,
            acknowledged_at: None,
            acknowledged_by: None,
            note: None,
            returned_at: None,
            cleared_at: None,
            clear_cause: None,
            good_since: None,
            count: 0,
            inhibited_by: None,
            inhibited_until: None,
            flapping_until: None,
            shelved: None,
            maintenance: None,
            ..self.clone()
        }
    }

    /// Takes an observation of this alarm's kind and subject.
    pub fn observe(&mut self, seen: &Observation<'_>, now: UnixSeconds) -> Option<Step> {
        match (seen.late, seen.holds) {
            (true, _) => None,
            (false, true) => self.holds(seen, now),
            (false, false) => self.opposite(now),
        }
    }

    /// When time alone will change it.
    pub fn due(&self) -> Option<UnixSeconds> {
        let shelf = self.shelved.as_ref().map(|shelved| shelved.until);
        [self.state_due(), shelf].into_iter().flatten().min()
    }

    /// When time alone will change its state.
    fn state_due(&self) -> Option<UnixSeconds> {
        let terms = &self.terms;
        match (self.state, terms.clear) {
            (AlarmState::Pending, _) => {
                let counted = self.count >= terms.raise_count;
                counted.then(|| self.pending_since.plus(terms.raise_after_s))
            }
            (
                AlarmState::Active | AlarmState::Acknowledged,
                ClearBy::Steady { after_s } | ClearBy::Quiet { after_s, needs_report: false },
            ) => {
                let over_at = self.good_since.map(|since| since.plus(after_s));
                over_at.into_iter().chain(self.flapping_until).min()
            }
            _ => self.flapping_until,
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: UnixSeconds) -> Option<Step> {
        if self.state_due().is_none_or(|due| now < due) {
            return self.leave_shelf(now);
        }
        if self.flapping_until.is_some_and(|until| until <= now) {
            return Some(self.steady(now));
        }
        Some(match self.state {
            AlarmState::Pending => self.raise(now),
            AlarmState::Active
            | AlarmState::Acknowledged
            | AlarmState::Returned
            | AlarmState::Cleared => self.over(now),
        })
    }

    /// Ends it, whatever its condition.
    pub fn close(&mut self, cause: &str, now: UnixSeconds) -> Step {
        self.state = AlarmState::Cleared;
        self.flapping_until = None;
        self.cleared_at = Some(now);
        self.clear_cause = Some(cause.to_owned());
        self.shelved = None;
        if self.raised_at.is_some() { Step::Cleared } else { Step::Dropped }
    }

    fn holds(&mut self, seen: &Observation<'_>, now: UnixSeconds) -> Option<Step> {
        match self.state {
            AlarmState::Pending => self.confirm(seen, now),
            AlarmState::Active | AlarmState::Acknowledged if self.is_held() => {
                self.returned_at = None;
                let _known = self.flip(now);
                match self.again(seen, now) {
                    None | Some(Step::Noted) => Some(Step::Flipped),
                    told => told,
                }
            }
            AlarmState::Active | AlarmState::Acknowledged => self.again(seen, now),
            AlarmState::Returned => {
                self.returned_at = None;
                self.describe(seen);
                Some(self.raise(now))
            }
            AlarmState::Cleared => None,
        }
    }

    /// One more observation while pending.
    fn confirm(&mut self, seen: &Observation<'_>, now: UnixSeconds) -> Option<Step> {
        let Terms { raise_count, raise_after_s, .. } = self.terms;
        let counts = self.count < raise_count;
        if counts {
            self.count += 1;
            self.describe(seen);
        }
        let held_s = now.since(self.pending_since);
        if self.count >= raise_count && held_s >= raise_after_s {
            return Some(self.raise(now));
        }
        counts.then_some(Step::Noted)
    }

    /// The condition holds, or happened again, while raised.
    fn again(&mut self, seen: &Observation<'_>, now: UnixSeconds) -> Option<Step> {
        let rule = rule(self.kind);
        let noted = match self.terms.clear {
            ClearBy::Quiet { .. } => self.happened(rule, now),
            ClearBy::Reports { .. } | ClearBy::Steady { .. } | ClearBy::Person => {
                let interrupted = self.good_since.is_some();
                self.good_since = None;
                self.count = 0;
                interrupted
            }
        };
        self.own = match rule.repeats {
            Some((times, severity)) if self.count >= times => severity.max(seen.severity),
            Some(_) => self.own.max(seen.severity),
            None => seen.severity,
        };
        let severity = self.terms.severity(self.own);
        let before = std::mem::replace(&mut self.severity, severity);
        if before != severity {
            self.message.clone_from(&seen.message);
            self.report = seen.report.or(self.report);
            return Some(if severity > before { Step::Escalated } else { Step::Eased });
        }
        let news = rule.follows && self.message != seen.message;
        if news {
            self.message.clone_from(&seen.message);
        }
        (noted || news).then_some(Step::Noted)
    }

    /// Records a happening; whether there is something to store.
    fn happened(&mut self, rule: &Rule, now: UnixSeconds) -> bool {
        let counted = rule.repeats.is_some();
        if counted {
            self.count = self.count.saturating_add(1);
        }
        let recorded = self.good_since.is_none_or(|last| now.since(last) >= QUIET_STEP_S);
        if recorded || counted {
            self.good_since = Some(now);
        }
        recorded || counted
    }

    /// The condition does not hold.
    fn opposite(&mut self, now: UnixSeconds) -> Option<Step> {
        match self.state {
            AlarmState::Pending => return Some(self.close("did not last", now)),
            AlarmState::Returned | AlarmState::Cleared => return None,
            AlarmState::Active | AlarmState::Acknowledged if self.is_held() => return None,
            AlarmState::Active | AlarmState::Acknowledged => {}
        }
        let first = self.good_since.is_none();
        match self.terms.clear {
            ClearBy::Person => None,
            ClearBy::Quiet { after_s, .. } => {
                let quiet = self.good_since.is_some_and(|last| now.since(last) >= after_s);
                quiet.then(|| self.over(now))
            }
            ClearBy::Steady { after_s } => {
                let since = *self.good_since.get_or_insert(now);
                if now.since(since) >= after_s {
                    return Some(self.over(now));
                }
                first.then_some(Step::Noted)
            }
            ClearBy::Reports { count } => {
                self.good_since.get_or_insert(now);
                self.count = self.count.saturating_add(1);
                Some(if self.count >= count { self.over(now) } else { Step::Noted })
            }
        }
    }

    fn raise(&mut self, now: UnixSeconds) -> Step {
        let rule = rule(self.kind);
        self.state = AlarmState::Active;
        self.raised_at.get_or_insert(now);
        let _told_as_raised = self.flip(now);
        let happening = matches!(self.terms.clear, ClearBy::Quiet { .. });
        self.good_since = happening.then_some(now);
        self.count = u32::from(rule.repeats.is_some());
        Step::Raised
    }

    fn over(&mut self, now: UnixSeconds) -> Step {
        if rule(self.kind).latching && self.state == AlarmState::Active {
            self.state = AlarmState::Returned;
            self.returned_at = Some(now);
            self.good_since = None;
            self.count = 0;
            return Step::Returned;
        }
        let begins = self.flip(now);
        if self.flapping_until.is_none() {
            return self.close("condition over", now);
        }
        (self.returned_at, self.good_since, self.count) = (Some(now), None, 0);
        if begins { Step::Flapping } else { Step::Flipped }
    }

    fn describe(&mut self, seen: &Observation<'_>) {
        self.own = seen.severity;
        self.severity = self.terms.severity(self.own);
        self.message.clone_from(&seen.message);
        self.report = seen.report.or(self.report);
    }
}

#[cfg(test)]
mod tests;
