//! The open alarms, at most one per kind and subject.
//!
//! Every change comes back as a [`Transition`] with the whole alarm, to be stored in the same
//! transaction as the fact behind it. What is stored is all there is: a book loaded from the
//! stored alarms goes on exactly as this one would.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::model::id::{AgentNo, AlarmId};
use crate::model::state::{AlarmKind, AlarmState};
use crate::model::time::UnixSeconds;

use super::catalogue::{ComesBack, rule};
use super::lifecycle::{Alarm, Observation, Step};

/// What became of an alarm, with the alarm as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// What happened.
    pub step: Step,
    /// The alarm after it.
    pub alarm: Alarm,
}

/// Why an alarm cannot be acknowledged or cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BookError {
    /// Never raised, or over.
    #[error("alarm {0} is not open; the list of alarms shows those that are")]
    NotOpen(AlarmId),
}

/// The open alarms.
#[derive(Debug, Default)]
pub struct Book {
    last_id: AlarmId,
    alarms: BTreeMap<AlarmId, Alarm>,
    by_subject: BTreeMap<AlarmKind, BTreeMap<String, AlarmId>>,
    by_agent: BTreeMap<AgentNo, BTreeSet<AlarmId>>,
    due: BTreeSet<(UnixSeconds, AlarmId)>,
}

impl Book {
    /// A book of stored alarms; `last_id` is the highest number ever given.
    pub fn load(alarms: impl IntoIterator<Item = Alarm>, last_id: AlarmId) -> Self {
        let mut book = Self { last_id, ..Self::default() };
        for alarm in alarms {
            if alarm.state != AlarmState::Cleared {
                book.last_id = book.last_id.max(alarm.id);
                book.put(alarm);
            }
        }
        book
    }

    /// Takes what a rule saw. `None` if it changes nothing.
    pub fn observe(&mut self, seen: &Observation<'_>, now: UnixSeconds) -> Option<Transition> {
        if let Some(id) = self.id_of(seen.kind, &seen.subject) {
            return self.change(id, |alarm| alarm.observe(seen, now));
        }
        if seen.late || !seen.holds {
            return None;
        }
        self.last_id = AlarmId(self.last_id.0 + 1);
        let (alarm, step) = Alarm::begin(self.last_id, seen, now);
        self.put(alarm.clone());
        Some(Transition { step, alarm })
    }

    /// Raises and ends what time alone raises and ends, oldest due first.
    pub fn tick(&mut self, now: UnixSeconds) -> Vec<Transition> {
        let due: Vec<AlarmId> =
            self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        due.into_iter().filter_map(|id| self.change(id, |alarm| alarm.tick(now))).collect()
    }

    /// Somebody acknowledges an alarm. `Ok(None)` if that was done before.
    pub fn acknowledge(
        &mut self,
        id: AlarmId,
        by: &str,
        note: Option<String>,
        now: UnixSeconds,
    ) -> Result<Option<Transition>, BookError> {
        self.shown(id)?;
        Ok(self.change(id, |alarm| alarm.acknowledge(by, note, now)))
    }

    /// Somebody ends an alarm. If its condition still holds it will be raised again, after the
    /// same delay as a new one; [`ComesBack`] says of each kind what sees to that, and which
    /// kinds are about something that is over. What changed comes in the order of the numbers.
    pub fn clear(
        &mut self,
        id: AlarmId,
        by: &str,
        now: UnixSeconds,
    ) -> Result<Vec<Transition>, BookError> {
        self.shown(id)?;
        let cause = format!("cleared by {by}");
        let closed = self.change(id, |alarm| Some(alarm.close(&cause, now)));
        let mut steps: Vec<Transition> = closed.into_iter().collect();
        if let Some(alarm) = steps.first().map(|step| &step.alarm)
            && rule(alarm.kind).comes_back == ComesBack::Remembered
        {
            self.last_id = AlarmId(self.last_id.0 + 1);
            let alarm = alarm.remembered(self.last_id, now);
            self.put(alarm.clone());
            steps.push(Transition { step: Step::Noted, alarm });
        }
        Ok(steps)
    }

    /// Ends every alarm of an agent whose state an admin cleared.
    pub fn reset_agent(&mut self, agent: AgentNo, now: UnixSeconds) -> Vec<Transition> {
        self.close_agent(agent, "reset", now)
    }

    /// Ends every alarm of an agent, such as one that was retired.
    pub fn close_agent(
        &mut self,
        agent: AgentNo,
        cause: &str,
        now: UnixSeconds,
    ) -> Vec<Transition> {
        let ids: Vec<AlarmId> = self.by_agent.get(&agent).into_iter().flatten().copied().collect();
        ids.into_iter()
            .filter_map(|id| self.change(id, |alarm| Some(alarm.close(cause, now))))
            .collect()
    }

    /// Ends the alarm of a thing that no longer exists, such as an edge that was removed.
    pub fn close_subject(
        &mut self,
        kind: AlarmKind,
        subject: &str,
        cause: &str,
        now: UnixSeconds,
    ) -> Option<Transition> {
        let id = self.id_of(kind, subject)?;
        self.change(id, |alarm| Some(alarm.close(cause, now)))
    }

    /// Says which alarm another one follows from. Its state stays as it is.
    pub fn inhibit(
        &mut self,
        id: AlarmId,
        by: Option<AlarmId>,
        until: Option<UnixSeconds>,
    ) -> Option<Transition> {
        self.change(id, |alarm| alarm.inhibit(by, until))
    }

    /// The alarms of a kind, pending ones included, by subject.
    pub fn of_kind(&self, kind: AlarmKind) -> impl Iterator<Item = &Alarm> {
        let ids = self.by_subject.get(&kind).into_iter().flat_map(BTreeMap::values);
        ids.filter_map(|id| self.alarms.get(id))
    }

    /// An alarm that is open or pending.
    pub fn get(&self, id: AlarmId) -> Option<&Alarm> {
        self.alarms.get(&id)
    }

    /// The alarm of a kind about a thing, open or pending.
    pub fn find(&self, kind: AlarmKind, subject: &str) -> Option<&Alarm> {
        self.get(self.id_of(kind, subject)?)
    }

    /// The alarms about an agent, pending ones included, by number.
    pub fn of_agent(&self, agent: AgentNo) -> impl Iterator<Item = &Alarm> {
        self.by_agent.get(&agent).into_iter().flatten().filter_map(|id| self.alarms.get(id))
    }

    /// Every alarm, pending ones included, by number.
    pub fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.values()
    }

    /// How many alarms are active, not acknowledged and not set aside.
    pub fn unacknowledged(&self) -> usize {
        self.alarms.values().filter(|alarm| alarm.asks()).count()
    }

    /// When [`Book::tick`] next has something to do.
    pub fn next_due(&self) -> Option<UnixSeconds> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn shown(&self, id: AlarmId) -> Result<(), BookError> {
        match self.get(id) {
            Some(alarm) if alarm.state != AlarmState::Pending => Ok(()),
            _ => Err(BookError::NotOpen(id)),
        }
    }

    fn id_of(&self, kind: AlarmKind, subject: &str) -> Option<AlarmId> {
        self.by_subject.get(&kind)?.get(subject).copied()
    }

    pub(super) fn change(
        &mut self,
        id: AlarmId,
        with: impl FnOnce(&mut Alarm) -> Option<Step>,
    ) -> Option<Transition> {
        let alarm = self.alarms.get_mut(&id)?;
        let due_before = alarm.due();
        let step = with(alarm)?;
        let alarm = alarm.clone();
        if let Some(at) = due_before {
            self.due.remove(&(at, id));
        }
        if alarm.state == AlarmState::Cleared {
            self.forget(&alarm);
        } else if let Some(at) = alarm.due() {
            self.due.insert((at, id));
        }
        Some(Transition { step, alarm })
    }

    fn put(&mut self, alarm: Alarm) {
        if let Some(at) = alarm.due() {
            self.due.insert((at, alarm.id));
        }
        if let Some(agent) = alarm.agent {
            self.by_agent.entry(agent).or_default().insert(alarm.id);
        }
        self.by_subject.entry(alarm.kind).or_default().insert(alarm.subject.clone(), alarm.id);
        self.alarms.insert(alarm.id, alarm);
    }

    fn forget(&mut self, alarm: &Alarm) {
        self.alarms.remove(&alarm.id);
        if let Some(subjects) = self.by_subject.get_mut(&alarm.kind) {
            subjects.remove(&alarm.subject);
        }
        if let Some(agent) = alarm.agent
            && let Some(ids) = self.by_agent.get_mut(&agent)
        {
            ids.remove(&alarm.id);
            if ids.is_empty() {
                self.by_agent.remove(&agent);
            }
        }
    }
}

#[cfg(test)]
mod tests;
