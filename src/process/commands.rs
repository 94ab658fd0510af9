//! What operators, admins and timers ask for, as changes like any other.

use serde_json::json;
use tracing::info;

use super::claims;
use super::condition::ManagerCondition;
use super::draft::{About, Draft};
use super::edges;
use super::engine::Engine;
use super::fleet::{AgentMem, Fleet, PeerKey};
use super::handle::{Command, CommandError, Done, KeyState, ResetTarget};
use super::places::Arranged;
use super::{
    acts, identity, keys, people, raise, relays, report, sweep, tell, tick, tune, upkeep, watch,
};
use crate::model::id::{AgentId, AgentNo, Kid};
use crate::model::state::{AgentStatus, EventKind, IdentityState, LayoutAct};
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::dictionary::Learnt;
use crate::store::layout::StepChanges;
use crate::store::people::SessionRecord;
use crate::store::site::SiteWish;

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
        Command::Alarms(wish) => Ok(acts::carry_out(engine, &mut draft, wish)),
        Command::Maintenance(wish) => upkeep::carry_out(&mut engine.fleet, &mut draft, wish),
        Command::Approve { agent, kid, by } => approve(engine, &mut draft, (&agent, kid), by),
        Command::Refuse { agent, by } => refuse(engine, &mut draft, &agent, by),
        Command::Revoke { agent, by } => revoke(engine, &mut draft, &agent, by),
        Command::MayRelay { agent, allowed, by } => {
            draft.cause = Some(by);
            may_relay(engine, &mut draft, &agent, allowed)
        }
        Command::SetSite(wish) => set_site(&mut engine.fleet, &mut draft, &wish),
        Command::PutSession(session) => Ok(put_session(&mut draft, session)),
        Command::FirstToken(token) => Ok(put_first_token(&mut draft, token)),
        Command::DropSession { hash, .. } => {
            draft.change.sessions_removed.push(hash);
            Ok(Done::Nothing)
        }
        Command::People(wish) => people::carry_out(&mut engine.fleet, &mut draft, *wish),
        Command::Note { by, what } => {
            draft.cause = Some(by);
            Ok(note(&mut draft, EventKind::AdminAction, what))
        }
        Command::RunJob { by, job } => {
            draft.cause = Some(by);
            Ok(note(&mut draft, EventKind::AdminAction, format!("had the job {job} run")))
        }
        Command::Record { kind, subject } => Ok(note(&mut draft, kind, subject)),
        Command::Rules(rules) => Ok(tune::adopt(engine, &mut draft, rules)),
        Command::Tell(wish) => tell::carry_out(engine, &mut draft, wish),
        Command::Ping => Ok(Done::Nothing),
        Command::Tick => {
            tick::run(engine, &mut draft);
            Ok(Done::Nothing)
        }
        Command::Sweep => Ok(Done::Swept { rows: sweep::run(engine, &mut draft)? }),
        Command::Ran(name, text, hours) => {
            draft.change.metrics = hours;
            Ok(put_meta(&mut draft, name, text))
        }
        Command::Dictionary(learnt) => Ok(put_dictionary(&mut draft, learnt)),
        Command::Keys { rows, changes, health } => {
            keys::record(&mut draft, rows, changes);
            judge_keys(engine, &mut draft, health)
        }
        Command::RevokeKey { key, by } => Ok(keys::revoke(&mut draft, key, by)),
        Command::Layout { layout_rev, records, forgotten } => {
            draft.change.meta.push(("layout_rev", layout_rev.to_string()));
            draft.change.layout = records;
            draft.change.layout_removed = forgotten;
            Ok(Done::Nothing)
        }
        Command::Arrange(arranged) => Ok(arrange(&mut draft, *arranged)),
        Command::Condition(condition) => Ok(note_condition(engine, &mut draft, &condition)),
    };
    Ok((draft, outcome))
}

/// Something the manager found about itself.
fn note_condition(engine: &mut Engine, draft: &mut Draft, found: &ManagerCondition) -> Done {
    match found {
        ManagerCondition::RolledBack { database, acknowledged } => {
            raise::rolled_back(&mut engine.fleet, draft, *database, *acknowledged);
        }
        ManagerCondition::Certificate(ends) => engine.sentry.watch.certificate = *ends,
        ManagerCondition::Backups(made) => engine.sentry.watch.backups.clone_from(made),
        ManagerCondition::AuditBroken(problem) => {
            raise::audit_broken(&mut engine.fleet, draft, problem);
        }
        ManagerCondition::Disk(disk) => watch::disk(&mut engine.fleet, draft, disk),
    }
    Done::Nothing
}

/// What somebody does to the map.
fn arrange(draft: &mut Draft, arranged: Arranged) -> Done {
    let Arranged { by, act, count, rev, records, forgotten, step, steps_removed } = arranged;
    let did = match act {
        LayoutAct::Pin => "pinned",
        LayoutAct::Unpin => "let go of",
        LayoutAct::Rearrange => "placed anew",
        LayoutAct::Undo => "took back the change of",
    };
    draft.cause = Some(by);
    draft.change.meta.push(("layout_rev", rev.to_string()));
    draft.change.layout = records;
    draft.change.layout_removed = forgotten;
    let added = step.into_iter().collect();
    draft.change.layout_steps = StepChanges { added, removed: steps_removed };
    let things = if count == 1 { "thing" } else { "things" };
    note(draft, EventKind::AdminAction, format!("{did} {count} {things} on the map"))
}

fn put_meta(draft: &mut Draft, name: &'static str, text: String) -> Done {
    draft.change.meta.push((name, text));
    Done::Nothing
}

/// Stores the token of the first start, and that there was one.
fn put_first_token(draft: &mut Draft, token: SessionRecord) -> Done {
    draft.change.meta.push((super::engine::FIRST_TOKEN, draft.now.to_string()));
    put_session(draft, token)
}

fn put_session(draft: &mut Draft, session: SessionRecord) -> Done {
    draft.change.sessions.push(session);
    Done::Nothing
}

fn put_dictionary(draft: &mut Draft, learnt: Learnt) -> Done {
    match learnt {
        Learnt::ForStore(dictionary) => draft.change.dictionary = Some(dictionary),
        Learnt::ForAgents(dictionary) => draft.change.frame_dictionary = Some(dictionary),
    }
    Done::Nothing
}

/// Puts a fact that is about no agent into the history.
fn note(draft: &mut Draft, kind: EventKind, subject: String) -> Done {
    draft.event(kind, About { fleet: None, agent: None, subject }, None, None);
    Done::Nothing
}

/// How the source of the keys fares now.
fn judge_keys(engine: &mut Engine, draft: &mut Draft, health: KeyState) -> Outcome {
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
        let out = fleet_status(engine, *no) == Some(AgentStatus::Retired);
        // Who was taken out of service comes back by name only.
        let extent = Extent { identity: extent.identity && (unpins_one || !out), ..extent };
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
    // Before its links go: they would say why they are gone, and not that somebody reset them.
    let alarms = raise::reset(fleet, draft, no);
    for key in &peers {
        report::drop_peer(fleet, draft, no, key);
    }
    claims::withdraw(fleet, draft, no);
    draft.change.agents_cleared.push(no);
    // What began with the last links that went.
    let alarms = alarms + raise::reset(fleet, draft, no);
    if let Some(agent) = fleet.agents.get_mut(&no) {
        agent.interfaces.clear();
        agent.works.clear();
        agent.wires.clear();
        agent.looked_at = false;
        agent.tells_peers = false;
        let record = &mut agent.record;
        (record.interfaces_hash, record.routes_hash, record.peers_hash) = (0, 0, 0);
        record.problems.clear();
        record.forgotten |= extent.forget;
        if extent.identity {
            // With the key goes the ratchet that keeps an agent from an older scheme.
            (record.scheme, record.canon_form) = (None, None);
            if record.status == AgentStatus::Retired {
                (record.status, record.status_since) = (AgentStatus::Stale, draft.now);
            }
        }
        let record = record.clone();
        let about = About {
            fleet: Some(record.fleet.clone()),
            agent: Some(no),
            subject: record.id.to_string(),
        };
        let detail = json!({
            "forget": extent.forget,
            "identity": extent.identity,
            "forgotten": record.forgotten,
            "status": record.status,
        });
        draft.agents.insert(no, record);
        draft.event(EventKind::AgentReset, about, None, Some(detail));
    }
    if extent.identity {
        identity::retire(fleet, draft, no, "unpinned");
    }
    if extent.identity || extent.forget {
        identity::drop_pending(fleet, draft, no, IdentityState::Retired);
        // A registration recorded before does not bring back what was forgotten.
        identity::touch(fleet, draft, no, draft.now);
    }
    draft.effects.agents.insert(no);
    draft.effects.graph = true;
    (interfaces, edges, alarms)
}

/// Lets in an agent, or the key that waits for it; takes one back into service.
fn approve(
    engine: &mut Engine,
    draft: &mut Draft,
    (id, kid): (&AgentId, Option<Kid>),
    by: String,
) -> Outcome {
    draft.cause = Some(by);
    let fleet = &mut engine.fleet;
    let agent = present(fleet, id)?;
    let (no, status) = (agent.record.no, agent.record.status);
    let waiting = agent.keys.pending().map(|row| &row.kid);
    if kid.is_some() && waiting.is_some() && kid.as_ref() != waiting {
        let why = format!("another key waits for {id} by now; look at its fingerprint first");
        return Err(CommandError::NotPossible(why));
    }
    let waits = matches!(status, AgentStatus::Pending | AgentStatus::Retired);
    if !waits && waiting.is_none() {
        return Err(CommandError::NotPossible(format!("{id} is not waiting for approval")));
    }
    if waits {
        tick::set_status(fleet, draft, no, AgentStatus::Stale);
    }
    if agent_is_revoked(fleet, no) {
        identity::set_revoked(fleet, draft, no, false);
    } else {
        identity::approve(fleet, draft, no);
    }
    Ok(Done::Nothing)
}

/// Turns down an agent, or the key that waits for it.
fn refuse(engine: &mut Engine, draft: &mut Draft, id: &AgentId, by: String) -> Outcome {
    draft.cause = Some(by);
    let fleet = &mut engine.fleet;
    let agent = present(fleet, id)?;
    let (no, is_new) = (agent.record.no, agent.record.status == AgentStatus::Pending);
    let had_key = identity::drop_pending(fleet, draft, no, IdentityState::Refused);
    if is_new {
        tick::set_status(fleet, draft, no, AgentStatus::Retired);
    } else if !had_key {
        return Err(CommandError::NotPossible(format!("{id} is not waiting for approval")));
    }
    Ok(Done::Nothing)
}

/// Takes an agent out of service.
fn revoke(engine: &mut Engine, draft: &mut Draft, id: &AgentId, by: String) -> Outcome {
    draft.cause = Some(by);
    let fleet = &mut engine.fleet;
    let agent = present(fleet, id)?;
    let no = agent.record.no;
    if agent.record.status == AgentStatus::Retired {
        return Err(CommandError::NotPossible(format!("{id} is out of service already")));
    }
    tick::set_status(fleet, draft, no, AgentStatus::Retired);
    identity::drop_pending(fleet, draft, no, IdentityState::Refused);
    identity::set_revoked(fleet, draft, no, true);
    raise::retired(fleet, draft, no);
    edges::judge_all(fleet, draft);
    Ok(Done::Nothing)
}

/// Lets an agent pass on what others report, or forbids it.
fn may_relay(engine: &mut Engine, draft: &mut Draft, id: &AgentId, allowed: bool) -> Outcome {
    let no = present(&engine.fleet, id)?.record.no;
    Ok(relays::permit(&mut engine.fleet, draft, no, allowed))
}

/// Gives agents a site, all of them or none.
fn set_site(
    fleet: &mut Fleet,
    draft: &mut Draft,
    SiteWish { agents, site, by }: &SiteWish,
) -> Outcome {
    let found: Result<Vec<AgentNo>, _> =
        agents.iter().map(|id| present(fleet, id).map(|agent| agent.record.no)).collect();
    for no in found? {
        let Some(agent) = fleet.agents.get_mut(&no) else { continue };
        let before = agent.record.clone();
        agent.record.set_site(site.as_deref(), (by, draft.now));
        fleet.book.place(no, &agent.record.labels);
        draft.cause = Some(by.clone());
        report::note_agent(fleet, draft, no, &before);
    }
    Ok(Done::Nothing)
}

/// An agent that is not forgotten.
fn present<'a>(fleet: &'a Fleet, id: &AgentId) -> Result<&'a AgentMem, CommandError> {
    let agent = fleet.by_id.get(id).and_then(|no| fleet.agents.get(no));
    agent.filter(|agent| !agent.record.forgotten).ok_or(CommandError::AgentNotFound)
}

fn fleet_status(engine: &Engine, no: AgentNo) -> Option<AgentStatus> {
    engine.fleet.agents.get(&no).map(|agent| agent.record.status)
}

fn agent_is_revoked(fleet: &Fleet, no: AgentNo) -> bool {
    fleet.agents.get(&no).is_some_and(|agent| agent.keys.is_revoked())
}
