//! Whom the manager knows: registration of agents not seen before.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use serde_json::json;
use tracing::info;

use super::draft::{About, Draft};
use super::engine::{Engine, Enroll};
use super::fleet::{AgentMem, Fleet};
use super::load::agent_mem;
use crate::model::id::{AgentId, AgentNo, FleetId};
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EventKind};
use crate::model::time::UnixSeconds;
use crate::store::change::AgentRecord;
use crate::verify::rejection::Rejection;

/// Agents waiting for approval before further unknown ones are refused unseen.
const PENDING_MAX: usize = 10_000;

/// How the manager stands to the sender.
#[derive(Clone, Copy)]
pub(super) enum Standing {
    /// It is registered.
    Known(AgentNo),
    /// It may register; the number it had before it was forgotten.
    New(Option<AgentNo>),
}

impl Standing {
    /// The agent, if it was ever registered.
    pub(super) fn number(self) -> Option<AgentNo> {
        match self {
            Self::Known(no) => Some(no),
            Self::New(no) => no,
        }
    }
}

/// Whether the agent may send. In approve mode an unknown one is put on the waiting list.
pub(super) fn standing(
    engine: &mut Engine,
    draft: &mut Draft,
    id: &AgentId,
    fleet: &FleetId,
    source: Option<IpAddr>,
) -> Result<Standing, Rejection> {
    let known = engine.fleet.by_id.get(id).copied();
    let agent = known.and_then(|no| engine.fleet.agents.get(&no));
    if agent.is_some_and(|agent| agent.keys.is_revoked()) {
        return Err(Rejection::AgentRevoked { agent: id.clone() });
    }
    let status = agent.filter(|agent| !agent.record.forgotten).map(|agent| agent.record.status);
    let agent = id.clone();
    match (known, status) {
        (Some(no), Some(AgentStatus::Online | AgentStatus::Stale | AgentStatus::Offline)) => {
            return Ok(Standing::Known(no));
        }
        (_, Some(AgentStatus::Pending)) => return Err(Rejection::AwaitingApproval { agent }),
        (_, Some(AgentStatus::Retired)) => return Err(Rejection::AgentRevoked { agent }),
        (_, _) => {}
    }
    match engine.settings.enroll {
        Enroll::Open => Ok(Standing::New(known)),
        Enroll::Closed => Err(Rejection::EnrollmentClosed { agent }),
        Enroll::Approve => {
            if waiting_room_is_full(&engine.fleet) {
                return Err(Rejection::EnrollmentClosed { agent });
            }
            register(engine, draft, known, id, fleet, AgentStatus::Pending, source)?;
            Err(Rejection::AwaitingApproval { agent })
        }
    }
}

/// Whether so many agents and keys wait that nobody could look at one more.
pub(super) fn waiting_room_is_full(fleet: &Fleet) -> bool {
    let waits = |agent: &&AgentMem| {
        agent.record.status == AgentStatus::Pending || agent.keys.pending().is_some()
    };
    fleet.agents.values().filter(waits).count() >= PENDING_MAX
}

/// Registers an agent, under the number it had before if it had one; of others there are only so many.
pub(super) fn register(
    engine: &mut Engine,
    draft: &mut Draft,
    known: Option<AgentNo>,
    id: &AgentId,
    fleet: &FleetId,
    status: AgentStatus,
    source: Option<IpAddr>,
) -> Result<AgentNo, Rejection> {
    if known.is_none() {
        let asked = (engine.fleet.agents.len(), source);
        engine.sentry.newcomers.take(engine.settings.room, asked, draft.now).map_err(
            |retry_after| {
                engine.totals.refused_new.fetch_add(1, Ordering::Relaxed);
                Rejection::NoRoom { agent: id.clone(), retry_after }
            },
        )?;
    }
    let no = known.unwrap_or(AgentNo(engine.fleet.last_agent.0 + 1));
    engine.fleet.last_agent = engine.fleet.last_agent.max(no);
    let mut record = new_record(no, id.clone(), fleet.clone(), status, draft.now);
    record.source = source;
    // What an admin forbade outlives the registration too.
    let before = engine.fleet.agents.get(&no);
    record.may_relay = before.is_none_or(|agent| agent.record.may_relay);
    record.site_set = before.and_then(|agent| agent.record.site_set.clone());
    draft.change.agents.push(record.clone());
    draft.effects.agents.insert(no);
    engine.fleet.by_id.insert(id.clone(), no);
    let before = engine.fleet.agents.insert(no, agent_mem(record));
    // A forgotten agent's keys are not: what it may sign with outlives its registration.
    if let (Some(before), Some(agent)) = (before, engine.fleet.agents.get_mut(&no)) {
        agent.keys = before.keys;
    }
    let about = About { fleet: Some(fleet.clone()), agent: Some(no), subject: id.to_string() };
    draft.event(EventKind::AgentRegistered, about, None, Some(json!({ "status": status })));
    info!(agent_id = %id, %status, "Agent seen for the first time");
    Ok(no)
}

fn new_record(
    no: AgentNo,
    id: AgentId,
    fleet: FleetId,
    status: AgentStatus,
    now: UnixSeconds,
) -> AgentRecord {
    AgentRecord {
        no,
        id,
        fleet,
        hostname: None,
        agent_version: None,
        registered_at: now,
        last_seen_at: None,
        last_tick: None,
        status,
        status_since: now,
        scheme: None,
        canon_form: None,
        kid: None,
        boot_id: None,
        uptime_seconds: None,
        load: None,
        labels: std::collections::BTreeMap::new(),
        problems: Vec::new(),
        clock_offset: 0,
        relay_path: RelayPath::direct(),
        source: None,
        interfaces_hash: 0,
        routes_hash: 0,
        peers_hash: 0,
        forgotten: false,
        may_relay: true,
        site_set: None,
    }
}
