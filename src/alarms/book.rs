//! The open alarms, at most one per kind and subject.
//!
//! Every change comes back as a [`Transition`] with the whole alarm, to be stored in the same
//! transaction as the fact behind it. What is stored is all there is: a book loaded from the
//! stored alarms goes on exactly as this one would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use crate::model::id::{AgentNo, AlarmId, FleetId};
use crate::model::state::{AlarmKind, AlarmState};
use crate::model::time::UnixSeconds;

use super::catalogue::{ComesBack, rule};
use super::flap::Flap;
use super::lifecycle::{Alarm, Observation, Step};
use super::tuning::{Fitting, Limits, Place, Terms, Tuning};

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
    tuning: Arc<Tuning>,
    /// Which of its entries an agent's labels fit, for agents of which any does.
    fitting: BTreeMap<AgentNo, Fitting>,
    /// How restless things are.
    flaps: BTreeMap<AlarmKind, BTreeMap<String, Flap>>,
}

impl Book {
    /// A book of stored alarms, and of how restless things were; `last_id` is the highest number
    /// ever given.
    pub fn load(
        alarms: impl IntoIterator<Item = Alarm>,
        flaps: impl IntoIterator<Item = (AlarmKind, String, Flap)>,
        last_id: AlarmId,
    ) -> Self {
        let mut book = Self { last_id, ..Self::default() };
        for (kind, subject, flap) in flaps {
            book.flaps.entry(kind).or_default().insert(subject, flap);
        }
        for alarm in alarms {
            if alarm.state != AlarmState::Cleared {
                book.last_id = book.last_id.max(alarm.id);
                let flap = book.flap(alarm.kind, &alarm.subject);
                book.put(Alarm { flap, ..alarm });
            }
        }
        book
    }

    /// Takes what a rule saw. `None` if it changes nothing.
    pub fn observe(&mut self, seen: &Observation<'_>, now: UnixSeconds) -> Option<Transition> {
        if let Some(id) = self.id_of(seen.kind, &seen.subject) {
            return self.see(id, seen, now);
        }
        if seen.late || !seen.holds {
            return None;
        }
        let terms = self.terms(seen.kind, seen.fleet, [seen.agent, seen.also]);
        if !terms.enabled {
            return None;
        }
        self.last_id = AlarmId(self.last_id.0 + 1);
        let flap = self.flap(seen.kind, &seen.subject);
        let (alarm, step) = Alarm::begin(self.last_id, seen, (terms, flap), now);
        self.note(&alarm);
        self.put(alarm.clone());
        Some(Transition { step, alarm })
    }

    fn see(&mut self, id: AlarmId, seen: &Observation<'_>, now: UnixSeconds) -> Option<Transition> {
        let alarm = self.get(id)?;
        let also = seen.also.or(alarm.also);
        let terms = self.terms(alarm.kind, alarm.fleet.as_ref(), [alarm.agent, also]);
        self.change(id, |alarm| {
            alarm.also = also;
            let adopted = if terms == alarm.terms { None } else { alarm.adopt(terms, now) };
            match alarm.observe(seen, now) {
                noted @ (None | Some(Step::Noted)) => adopted.or(noted),
                told => told,
            }
        })
    }

    /// Lives by what an operator changed from now on. `labels` are those of all agents.
    pub fn adopt<'a>(
        &mut self,
        tuning: Arc<Tuning>,
        labels: impl Iterator<Item = (AgentNo, &'a BTreeMap<String, String>)>,
        now: UnixSeconds,
    ) -> Vec<Transition> {
        self.tuning = tuning;
        self.fitting.clear();
        labels.for_each(|(agent, labels)| self.place(agent, labels));
        let terms = |alarm: &Alarm| {
            let terms = self.terms(alarm.kind, alarm.fleet.as_ref(), [alarm.agent, alarm.also]);
            (alarm.id, terms)
        };
        let all: Vec<(AlarmId, Terms)> = self.alarms.values().map(terms).collect();
        let adopt = |(id, terms)| self.change(id, |alarm| alarm.adopt(terms, now));
        all.into_iter().filter_map(adopt).collect()
    }

    /// Takes an agent's labels into account.
    pub fn place(&mut self, agent: AgentNo, labels: &BTreeMap<String, String>) {
        let fitting = self.tuning.fitting(labels);
        if fitting.is_empty() {
            self.fitting.remove(&agent);
        } else {
            self.fitting.insert(agent, fitting);
        }
    }

    /// What the operator changed.
    pub fn tuning(&self) -> &Arc<Tuning> {
        &self.tuning
    }

    /// What a kind's rule compares with where these agents are.
    pub fn limits<'a>(
        &'a self,
        kind: AlarmKind,
        fleet: &'a FleetId,
        agents: [Option<AgentNo>; 2],
    ) -> Limits<'a> {
        let place = Place { fleet: Some(fleet), labels: self.labels(agents) };
        Limits::of(&self.tuning, kind, place)
    }

    /// What the rule of a kind that is about no fleet compares with.
    pub fn anywhere(&self, kind: AlarmKind) -> Limits<'_> {
        Limits::of(&self.tuning, kind, Place::default())
    }

    /// Whether an alarm of a kind knows already that its condition holds, or never will: the
    /// operator switched it off.
    pub fn is_settled(
        &self,
        kind: AlarmKind,
        fleet: &FleetId,
        (subject, agent): (&str, AgentNo),
    ) -> bool {
        self.find(kind, subject).map_or_else(
            || !self.terms(kind, Some(fleet), [Some(agent), None]).enabled,
            |alarm| !alarm.is_held(),
        )
    }

    /// Takes out what has been calm for so long that it says nothing any more, so much at most.
    pub fn forget_flaps(&mut self, most: usize, now: UnixSeconds) -> Vec<(AlarmKind, String)> {
        let all = self.flaps.iter().flat_map(|(kind, all)| all.iter().map(move |one| (*kind, one)));
        let spent = all.filter(|(_, (_, flap))| flap.is_spent(now));
        let spent: Vec<(AlarmKind, String)> =
            spent.take(most).map(|(kind, (subject, _))| (kind, subject.clone())).collect();
        for (kind, subject) in &spent {
            if let Some(all) = self.flaps.get_mut(kind) {
                all.remove(subject);
            }
        }
        spent
    }

    /// How restless a thing was when its alarm last came or went.
    fn flap(&self, kind: AlarmKind, subject: &str) -> Flap {
        self.flaps.get(&kind).and_then(|all| all.get(subject)).copied().unwrap_or_default()
    }

    fn note(&mut self, alarm: &Alarm) {
        if alarm.flap != self.flap(alarm.kind, &alarm.subject) {
            self.flaps.entry(alarm.kind).or_default().insert(alarm.subject.clone(), alarm.flap);
        }
    }

    fn labels(&self, agents: [Option<AgentNo>; 2]) -> Fitting {
        let of = |agent: AgentNo| self.fitting.get(&agent).copied();
        let [one, other] = agents.map(|agent| agent.and_then(of).unwrap_or_default());
        one.or(other)
    }

    fn terms(
        &self,
        kind: AlarmKind,
        fleet: Option<&FleetId>,
        agents: [Option<AgentNo>; 2],
    ) -> Terms {
        self.tuning.terms(kind, Place { fleet, labels: self.labels(agents) })
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

    /// How many alarms are active, not acknowledged and not set aside, by fleet.
    pub fn unacknowledged(&self) -> BTreeMap<Option<FleetId>, usize> {
        let mut counts = BTreeMap::new();
        for alarm in self.alarms.values().filter(|alarm| alarm.asks()) {
            match counts.get_mut(&alarm.fleet) {
                Some(count) => *count += 1,
                None => drop(counts.insert(alarm.fleet.clone(), 1)),
            }
        }
        counts
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
        let step = with(alarm);
        let due_after = alarm.due().filter(|_| alarm.state != AlarmState::Cleared);
        if due_after != due_before {
            due_before.iter().for_each(|at| _ = self.due.remove(&(*at, id)));
            due_after.iter().for_each(|at| _ = self.due.insert((*at, id)));
        }
        let (step, alarm) = (step?, alarm.clone());
        self.note(&alarm);
        if alarm.state == AlarmState::Cleared {
            self.forget(&alarm);
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
