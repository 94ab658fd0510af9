//! Agents' own keys: which one is pinned to whom, and what an enrolment may change about that.
//!
//! One key of an agent is in force at a time. The first is taken as seen, or let in by an admin,
//! as the settings say; the next only if the one before signed for it. What was undone stays
//! undone: a registration counts only if it was signed after the last change of the agent's keys.

use std::net::IpAddr;

use serde_json::json;
use tracing::info;

use super::doubt;
use super::draft::{About, Draft};
use super::engine::{Engine, Enroll};
use super::enroll::{self, Standing, register, standing};
use super::fleet::{AgentMem, Fleet};
use crate::model::id::AgentNo;
use crate::model::key::IdentityKey;
use crate::model::state::{AgentStatus, EventKind, IdentityState, PinnedHow};
use crate::model::time::UnixSeconds;
use crate::sign::digest::kid_of_public_key;
use crate::sign::ed25519;
use crate::store::identity::IdentityRecord;
use crate::verify::enrol::Enrolment;
use crate::verify::rejection::Rejection;

/// The keys of one agent, past ones included, oldest first.
#[derive(Debug, Default)]
pub(super) struct Keys(Vec<IdentityRecord>);

impl Keys {
    /// One more, as stored.
    pub(super) fn add(&mut self, row: IdentityRecord) {
        self.0.push(row);
    }

    /// The key in force.
    pub(super) fn pinned(&self) -> Option<&IdentityRecord> {
        self.0.iter().rev().find(|row| row.state == IdentityState::Pinned)
    }

    /// The key that waits for an admin.
    pub(super) fn pending(&self) -> Option<&IdentityRecord> {
        self.0.iter().rev().find(|row| row.state == IdentityState::Pending)
    }

    /// The key that is in force or waits.
    pub(super) fn shown(&self) -> Option<&IdentityRecord> {
        self.pinned().or_else(|| self.pending())
    }

    /// Whether the key in force may not be used: its agent was taken out of service.
    pub(super) fn is_revoked(&self) -> bool {
        self.pinned().is_some_and(|row| row.revoked_at.is_some())
    }

    /// The last key, if an admin turned it down.
    pub(super) fn refused(&self) -> Option<&IdentityRecord> {
        self.0.last().filter(|row| row.state == IdentityState::Refused)
    }

    fn was_refused(&self, key: &IdentityKey) -> bool {
        let of_key = self.0.iter().rev().find(|row| row.public_key == *key);
        of_key.is_some_and(|row| row.state == IdentityState::Refused)
    }

    /// Registrations signed until then are not taken.
    fn taken_until(&self) -> Option<UnixSeconds> {
        self.0.iter().map(|row| row.taken_until).max()
    }

    fn of_state(&mut self, state: IdentityState) -> Option<&mut IdentityRecord> {
        self.0.iter_mut().rev().find(|row| row.state == state)
    }
}

/// What became of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// The key was pinned now.
    Pinned,
    /// It had been before.
    Known,
    /// It waits for an admin.
    Pending,
}

/// Decides about an enrolment.
pub(super) fn enrol(
    engine: &mut Engine,
    draft: &mut Draft,
    asked: &Enrolment,
    source: Option<IpAddr>,
) -> Result<Enrolled, Rejection> {
    let known = engine.fleet.by_id.get(asked.agent_id()).copied();
    let agent = known.and_then(|no| engine.fleet.agents.get(&no));
    let pinned = agent.and_then(|agent| agent.keys.pinned()).map(|row| row.public_key);
    let is_present = agent.is_some_and(|agent| !agent.record.forgotten);
    let is_out = agent.is_some_and(|agent| {
        agent.keys.is_revoked() || (is_present && agent.record.status == AgentStatus::Retired)
    });
    if is_out {
        return Err(Rejection::AgentRevoked { agent: asked.agent_id().clone() });
    }
    if let Some(pinned) = pinned {
        let is_same = pinned == *asked.public_key();
        if is_same && is_present {
            return Ok(Enrolled::Known);
        }
        if !is_same && asked.replaces() != Some(&pinned) {
            return Err(conflict(engine, draft, asked, known));
        }
        fresh(agent, asked, draft.now)?;
        return renew(engine, draft, asked, source);
    }
    first(engine, draft, asked, source)
}

/// A pinned agent rotates its key, or comes back after it was forgotten.
fn renew(
    engine: &mut Engine,
    draft: &mut Draft,
    asked: &Enrolment,
    source: Option<IpAddr>,
) -> Result<Enrolled, Rejection> {
    let (id, fleet) = (asked.agent_id(), asked.fleet_id());
    let no = match standing(engine, draft, id, fleet, source) {
        Ok(Standing::Known(no)) => no,
        Ok(Standing::New(known)) => {
            register(engine, draft, known, id, fleet, AgentStatus::Stale, source)?
        }
        Err(Rejection::AwaitingApproval { .. }) => return Ok(Enrolled::Pending),
        Err(rejection) => return Err(rejection),
    };
    let pinned = engine.fleet.agents.get(&no).and_then(|agent| agent.keys.pinned());
    if pinned.is_some_and(|row| row.public_key == *asked.public_key()) {
        touch(&mut engine.fleet, draft, no, asked.timestamp());
        return Ok(Enrolled::Known);
    }
    retire(&mut engine.fleet, draft, no, "rotated");
    put(engine, draft, no, asked, (PinnedHow::Rotated, IdentityState::Pinned, source));
    Ok(Enrolled::Pinned)
}

/// An agent without a key in force asks for its first.
fn first(
    engine: &mut Engine,
    draft: &mut Draft,
    asked: &Enrolment,
    source: Option<IpAddr>,
) -> Result<Enrolled, Rejection> {
    let known = engine.fleet.by_id.get(asked.agent_id()).copied();
    let agent = known.and_then(|no| engine.fleet.agents.get(&no));
    let waiting = agent.and_then(|agent| agent.keys.pending()).map(|row| row.public_key);
    let is_waiting = waiting == Some(*asked.public_key());
    let mode = engine.settings.enroll;
    if is_waiting && mode != Enroll::Open {
        return Ok(Enrolled::Pending);
    }
    if waiting.is_some() && !is_waiting {
        return Err(conflict(engine, draft, asked, known));
    }
    if agent.is_some_and(|agent| agent.keys.was_refused(asked.public_key())) {
        return Err(Rejection::KeyRefused { agent: asked.agent_id().clone() });
    }
    if !is_waiting {
        fresh(agent, asked, draft.now)?;
    }
    // Who reported under the shared key before may go on under a key of its own and keep its
    // name; a new agent's name is made of its key, so that nobody can take it first.
    let has_reported = agent.is_some_and(|agent| {
        let live = [AgentStatus::Online, AgentStatus::Stale, AgentStatus::Offline];
        !agent.record.forgotten && live.contains(&agent.record.status)
    });
    let is_own_name = ed25519::certifies(asked.public_key(), asked.agent_id());
    match mode {
        Enroll::Closed => Err(Rejection::EnrollmentClosed { agent: asked.agent_id().clone() }),
        Enroll::Open if !(has_reported || is_own_name) => Err(Rejection::NotItsName {
            agent: asked.agent_id().clone(),
            own: ed25519::agent_id_of(asked.public_key()),
        }),
        Enroll::Open => {
            let no = admit(engine, draft, asked, AgentStatus::Stale, source)?;
            drop_pending(&mut engine.fleet, draft, no, IdentityState::Retired);
            put(engine, draft, no, asked, (PinnedHow::Tofu, IdentityState::Pinned, source));
            doubt::pinned(&mut engine.fleet, draft, no, &ed25519::fingerprint(asked.public_key()));
            Ok(Enrolled::Pinned)
        }
        Enroll::Approve => {
            if enroll::waiting_room_is_full(&engine.fleet) {
                return Err(Rejection::EnrollmentClosed { agent: asked.agent_id().clone() });
            }
            let no = admit(engine, draft, asked, AgentStatus::Pending, source)?;
            put(engine, draft, no, asked, (PinnedHow::Approved, IdentityState::Pending, source));
            Ok(Enrolled::Pending)
        }
    }
}

/// The agent, registered if it is not; it keeps its status if it is.
fn admit(
    engine: &mut Engine,
    draft: &mut Draft,
    asked: &Enrolment,
    status: AgentStatus,
    source: Option<IpAddr>,
) -> Result<AgentNo, Rejection> {
    let (id, fleet) = (asked.agent_id(), asked.fleet_id());
    let known = engine.fleet.by_id.get(id).copied();
    let present = known.and_then(|no| engine.fleet.agents.get(&no));
    let present = present.filter(|agent| !agent.record.forgotten).map(|agent| agent.record.no);
    let no = match present {
        Some(no) => no,
        None => register(engine, draft, known, id, fleet, status, source)?,
    };
    if let Some(agent) = engine.fleet.agents.get_mut(&no) {
        let record = &mut agent.record;
        if record.hostname.is_none() {
            record.hostname = asked.hostname().map(str::to_owned);
        }
        if status == AgentStatus::Stale && record.status == AgentStatus::Pending {
            (record.status, record.status_since) = (status, draft.now);
        }
        draft.agents.insert(no, record.clone());
    }
    Ok(no)
}

/// Whether an enrolment was signed after everything that it could undo.
fn fresh(agent: Option<&AgentMem>, asked: &Enrolment, now: UnixSeconds) -> Result<(), Rejection> {
    let taken_until = agent.and_then(|agent| agent.keys.taken_until());
    match taken_until.filter(|until| asked.timestamp() <= *until) {
        Some(taken_until) => Err(Rejection::RegistrationStale {
            agent: asked.agent_id().clone(),
            timestamp: asked.timestamp(),
            taken_until,
            now,
        }),
        None => Ok(()),
    }
}

/// Another key than the agent's was offered, and the agent's did not sign for it.
fn conflict(
    engine: &mut Engine,
    draft: &mut Draft,
    asked: &Enrolment,
    no: Option<AgentNo>,
) -> Rejection {
    let offered = ed25519::fingerprint(asked.public_key());
    if let Some(no) = no {
        doubt::second_key(&mut engine.fleet, draft, no, &offered);
    }
    Rejection::IdentityConflict { agent: asked.agent_id().clone() }
}

/// Appends a key.
fn put(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    asked: &Enrolment,
    (how, state, source): (PinnedHow, IdentityState, Option<IpAddr>),
) {
    engine.fleet.last_identity += 1;
    let row = IdentityRecord {
        no: engine.fleet.last_identity,
        agent: no,
        public_key: *asked.public_key(),
        kid: kid_of_public_key(&asked.public_key().0),
        how,
        state,
        registered_at: draft.now,
        taken_until: asked.timestamp(),
        pinned_at: (state == IdentityState::Pinned).then_some(draft.now),
        retired_at: None,
        revoked_at: None,
        source,
    };
    if let Some(agent) = engine.fleet.agents.get_mut(&no) {
        agent.keys.add(row.clone());
    }
    let what = if state == IdentityState::Pending { "waits for approval" } else { how.as_str() };
    note(&engine.fleet, draft, no, &row, what);
    draft.identities.insert(row.no, row);
}

/// Puts a change of an agent's keys into the history.
fn note(fleet: &Fleet, draft: &mut Draft, no: AgentNo, row: &IdentityRecord, what: &str) {
    let Some(agent) = fleet.agents.get(&no) else { return };
    draft.effects.agents.insert(no);
    let record = &agent.record;
    let (space, subject) = (Some(record.fleet.clone()), record.id.to_string());
    info!(agent_id = %record.id, kid = %row.kid, what, "Identity changed");
    let told = json!({
        "what": what,
        "kid": row.kid,
        "fingerprint": ed25519::fingerprint(&row.public_key),
        "state": row.state,
    });
    let about = About { fleet: space, agent: Some(no), subject };
    draft.event(EventKind::AgentIdentity, about, None, Some(told));
}

/// Changes the row of a state, if there is one, and writes it.
fn change(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    state: IdentityState,
    act: impl FnOnce(&mut IdentityRecord),
) -> Option<IdentityRecord> {
    let row = fleet.agents.get_mut(&no)?.keys.of_state(state)?;
    act(row);
    row.taken_until = row.taken_until.max(draft.now);
    let row = row.clone();
    draft.identities.insert(row.no, row.clone());
    draft.effects.agents.insert(no);
    Some(row)
}

/// Takes the key in force out of force; answers whether there was one.
pub(super) fn retire(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, why: &str) -> bool {
    let now = draft.now;
    let row = change(fleet, draft, no, IdentityState::Pinned, |row| {
        (row.state, row.retired_at, row.revoked_at) = (IdentityState::Retired, Some(now), None);
    });
    if let Some(row) = &row {
        note(fleet, draft, no, row, why);
    }
    row.is_some()
}

/// Ends the waiting of a key; answers whether one waited.
pub(super) fn drop_pending(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    state: IdentityState,
) -> bool {
    let now = draft.now;
    let row = change(fleet, draft, no, IdentityState::Pending, |row| {
        (row.state, row.retired_at) = (state, Some(now));
    });
    if let Some(row) = row.as_ref().filter(|row| row.state == IdentityState::Refused) {
        note(fleet, draft, no, row, "refused");
    }
    row.is_some()
}

/// Lets in the key that waits, or the last one that was refused; answers whether there is one.
pub(super) fn approve(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) -> bool {
    let Some(keys) = fleet.agents.get(&no).map(|agent| &agent.keys) else { return false };
    let state = match (keys.pending(), keys.refused()) {
        (Some(_), _) => IdentityState::Pending,
        (None, Some(_)) => IdentityState::Refused,
        (None, None) => return false,
    };
    let now = draft.now;
    let row = change(fleet, draft, no, state, |row| {
        (row.state, row.how) = (IdentityState::Pinned, PinnedHow::Approved);
        (row.pinned_at, row.retired_at) = (Some(now), None);
    });
    if let Some(row) = &row {
        note(fleet, draft, no, row, "approved");
    }
    row.is_some()
}

/// Marks the key in force as revoked, or as good again.
pub(super) fn set_revoked(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, revoked: bool) {
    let at = revoked.then_some(draft.now);
    let row = change(fleet, draft, no, IdentityState::Pinned, |row| row.revoked_at = at);
    if let Some(row) = &row {
        note(fleet, draft, no, row, if revoked { "revoked" } else { "in service again" });
    }
}

/// Registrations signed until now, or `at` if that is later, are not taken again.
pub(super) fn touch(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, at: UnixSeconds) {
    let _taken = change(fleet, draft, no, IdentityState::Pinned, |row| {
        row.taken_until = row.taken_until.max(at);
    });
}
