//! What operators, admins and timers ask for, as changes like any other.

use serde_json::json;
use tracing::info;

use super::claims;
use super::draft::{About, Draft};
use super::edges;
use super::engine::Engine;
use super::fleet::{AgentMem, PeerKey};
use super::handle::{Command, CommandError, Done, KeyState, ManagerCondition, ResetTarget};
use super::{raise, report, sweep, tick};
use crate::model::id::{AgentId, AgentNo, AlarmId};
use crate::model::state::{AgentStatus, EventKind};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;

type Outcome = Result<Done, CommandError>;

/// Decides about one command.
pub(super) fn carry_out(
    engine: &mut Engine,
    command: Command,
    now: UnixSeconds,
) -> Result<(Draft, Outcome), StoreError> {
    let mut draft = Draft::new(now);
    let outcome = match command {
        Command::Reset { target, forget, identity, by } => {
            draft.cause = Some(by);
            reset(engine, &mut draft, &target, Extent { forget, identity })
        }
        Command::Acknowledge { alarm, by, note } => {
            acknowledge(engine, &mut draft, alarm, &by, note)
        }
        Command::Clear { alarm, by } => clear(engine, &mut draft, alarm, &by),
        Command::Approve { agent, by } => approve(engine, &mut draft, &agent, by),
        Command::PutSession(session) => {
            draft.change.sessions.push(session);
            Ok(Done::Nothing)
        }
        Command::FirstToken(token) => {
            draft.change.meta.push((super::engine::FIRST_TOKEN, draft.now.to_string()));
            draft.change.sessions.push(token);
            Ok(Done::Nothing)
        }
        Command::DropSession(hash) => {
            draft.change.sessions_removed.push(hash);
            Ok(Done::Nothing)
        }
        Command::Note { by, what } => {
            draft.cause = Some(by);
            let about = About { fleet: None, agent: None, subject: what };
            draft.event(EventKind::AdminAction, about, None, None);
            Ok(Done::Nothing)
        }
        Command::Record { kind, subject } => {
            draft.event(kind, About { fleet: None, agent: None, subject }, None, None);
            Ok(Done::Nothing)
        }
        Command::Tick => {
            tick::run(engine, &mut draft);
            Ok(Done::Nothing)
        }
        Command::Sweep => {
            sweep::run(engine, &mut draft)?;
            Ok(Done::Nothing)
        }
        Command::Keys { rows, changes, health } => {
            draft.change.keys = rows;
            keys(engine, &mut draft, changes, health)
        }
        Command::Layout { layout_rev, records, forgotten } => {
            draft.change.meta.push(("layout_rev", layout_rev.to_string()));
            draft.change.layout = records;
            draft.change.layout_removed = forgotten;
            Ok(Done::Nothing)
        }
        Command::Condition(ManagerCondition::RolledBack { database, acknowledged }) => {
            raise::rolled_back(&mut engine.fleet, &mut draft, database, acknowledged);
            Ok(Done::Nothing)
        }
    };
    Ok((draft, outcome))
}

/// What changed in the ring, and how its source fares now.
fn keys(engine: &mut Engine, draft: &mut Draft, changes: Vec<String>, health: KeyState) -> Outcome {
    for change in changes {
        let about = About { fleet: None, agent: None, subject: change };
        draft.event(EventKind::KeysChanged, about, None, None);
    }
    raise::keys(&mut engine.fleet, draft, &health);
    engine.sentry.keys = Some(health);
    Ok(Done::Nothing)
}

#[derive(Clone, Copy)]
struct Extent {
    forget: bool,
    identity: bool,
}

fn reset(engine: &mut Engine, draft: &mut Draft, target: &ResetTarget, extent: Extent) -> Outcome {
    let fleet = &engine.fleet;
    let mut numbers: Vec<AgentNo> = match target {
        ResetTarget::Agent(id) => fleet.by_id.get(id).copied().into_iter().collect(),
        ResetTarget::Fleet(name) => fleet.in_fleet(name),
        ResetTarget::All => fleet.agents.keys().copied().collect(),
    };
    // A forgotten agent has nothing left to clear, but what it may sign with is remembered.
    let unpins_one = extent.identity && matches!(target, ResetTarget::Agent(_));
    let present = |agent: &AgentMem| unpins_one || !agent.record.forgotten;
    numbers.retain(|no| fleet.agents.get(no).is_some_and(present));
    if numbers.is_empty() && *target != ResetTarget::All {
        return Err(CommandError::AgentNotFound);
    }
    let (mut interfaces, mut edges, mut alarms) = (0, 0, 0);
    for no in &numbers {
        let cleared = reset_one(engine, draft, *no, extent);
        interfaces += cleared.0;
        edges += cleared.1;
        alarms += cleared.2;
    }
    edges::judge_all(&mut engine.fleet, draft);
    let agents = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
    info!(agents, interfaces, edges, alarms, by = draft.cause, "Topology state cleared");
    Ok(Done::Reset { agents, interfaces, edges, alarms })
}

/// Clears one agent; answers how many interfaces, edges and alarms that took.
fn reset_one(
    engine: &mut Engine,
    draft: &mut Draft,
    no: AgentNo,
    extent: Extent,
) -> (u64, u64, u64) {
    let fleet = &mut engine.fleet;
    let Some(agent) = fleet.agents.get(&no) else { return (0, 0, 0) };
    let interfaces = u64::try_from(agent.claims.len().max(agent.interfaces.len())).unwrap_or(0);
    let peers: Vec<PeerKey> = agent.peers.keys().cloned().collect();
    let listed = agent.peers.values().filter(|peer| peer.edge.is_some()).count();
    let edges = u64::try_from(listed).unwrap_or(0);
    for key in &peers {
        report::drop_peer(fleet, draft, no, key);
    }
    claims::withdraw(fleet, draft, no);
    draft.change.agents_cleared.push(no);
    let alarms = raise::reset(fleet, draft, no);
    if let Some(agent) = fleet.agents.get_mut(&no) {
        agent.interfaces.clear();
        agent.works.clear();
        agent.tells_peers = false;
        let record = &mut agent.record;
        (record.interfaces_hash, record.routes_hash, record.peers_hash) = (0, 0, 0);
        record.problems.clear();
        record.forgotten |= extent.forget;
        if extent.identity {
            // A shared key is no identity: what can be unpinned now is the ratchet that keeps
            // an agent from going back to an older scheme.
            (record.scheme, record.canon_form) = (None, None);
        }
        let record = record.clone();
        let about = About {
            fleet: Some(record.fleet.clone()),
            agent: Some(no),
            subject: record.id.to_string(),
        };
        let detail = json!({ "forget": extent.forget, "identity": extent.identity });
        draft.agents.insert(no, record);
        draft.event(EventKind::AgentReset, about, None, Some(detail));
    }
    draft.effects.agents.insert(no);
    draft.effects.graph = true;
    (interfaces, edges, alarms)
}

fn acknowledge(
    engine: &mut Engine,
    draft: &mut Draft,
    alarm: AlarmId,
    by: &str,
    note: Option<String>,
) -> Outcome {
    draft.cause = Some(by.to_owned());
    let done = engine.fleet.book.acknowledge(alarm, by, note, draft.now);
    let step = done.map_err(|_not_open| CommandError::AlarmNotFound)?;
    raise::take(draft, step);
    Ok(Done::Nothing)
}

fn clear(engine: &mut Engine, draft: &mut Draft, alarm: AlarmId, by: &str) -> Outcome {
    draft.cause = Some(by.to_owned());
    let done = engine.fleet.book.clear(alarm, by, draft.now);
    for step in done.map_err(|_not_open| CommandError::AlarmNotFound)? {
        raise::take(draft, Some(step));
    }
    // The graph is looked at when it changes; whether it is in one piece must be told again now.
    draft.effects.graph = true;
    Ok(Done::Nothing)
}

fn approve(engine: &mut Engine, draft: &mut Draft, id: &AgentId, by: String) -> Outcome {
    draft.cause = Some(by);
    let fleet = &mut engine.fleet;
    let agent = fleet.by_id.get(id).and_then(|no| fleet.agents.get_mut(no));
    let Some(agent) = agent.filter(|agent| !agent.record.forgotten) else {
        return Err(CommandError::AgentNotFound);
    };
    if !matches!(agent.record.status, AgentStatus::Pending | AgentStatus::Retired) {
        return Err(CommandError::NotPossible(format!("{id} is not waiting for approval")));
    }
    let before = agent.record.status;
    agent.record.status = AgentStatus::Stale;
    agent.record.status_since = draft.now;
    draft.agents.insert(agent.record.no, agent.record.clone());
    draft.effects.agents.insert(agent.record.no);
    let about = About {
        fleet: Some(agent.record.fleet.clone()),
        agent: Some(agent.record.no),
        subject: id.to_string(),
    };
    draft.event(
        EventKind::AgentStatus,
        about,
        Some(json!(before)),
        Some(json!(AgentStatus::Stale)),
    );
    Ok(Done::Nothing)
}
