//! Who passes on whose reports: who may, who reaches the manager that way only, and which relay
//! is dead.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;

use super::draft::{About, Draft};
use super::fleet::{AgentMem, Fleet};
use super::handle::Done;
use super::raise::{facts, name_of, observe};
use super::tick::{Sentry, patience};
use crate::alarms::book::Book;
use crate::alarms::lifecycle::Alarm;
use crate::alarms::rules::AgentFacts;
use crate::alarms::rules::relay::{self as rules, Follower, Together};
use crate::model::id::{AgentId, AgentNo};
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, AlarmKind, EventKind};
use crate::model::time::UnixSeconds;
use crate::topology::graph::dominators;

/// Lets an agent pass on what others report, or forbids it.
pub(super) fn permit(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, allowed: bool) -> Done {
    let Some(agent) = fleet.agents.get_mut(&no) else { return Done::Nothing };
    let before = std::mem::replace(&mut agent.record.may_relay, allowed);
    if before != allowed {
        let record = agent.record.clone();
        let (fleet, subject) = (Some(record.fleet.clone()), record.id.to_string());
        let about = About { fleet, agent: Some(no), subject };
        let (was, is) = (Some(json!(before)), Some(json!(allowed)));
        draft.event(EventKind::AgentMayRelay, about, was, is);
        draft.agents.insert(no, record);
        draft.effects.agents.insert(no);
    }
    Done::Nothing
}

/// How a report came.
pub(super) struct Way<'a> {
    /// Through whom.
    pub(super) path: &'a RelayPath,
    /// Whether it tells of the past.
    pub(super) is_late: bool,
}

/// A report came: what its way says for and against alarms about its agent and its relays.
pub(super) fn came(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, way: &Way<'_>) {
    let Fleet { agents, by_id, book, .. } = fleet;
    let Some(agent) = agents.get(&no) else { return };
    let known = |id: &AgentId| by_id.get(id).and_then(|no| agents.get(no));
    for id in way.path.relays() {
        if book.find(AlarmKind::RelayDead, id.as_str()).is_some()
            && let Some(relay) = known(id)
        {
            observe(book, draft, &rules::is_dead(&facts(relay, draft), None));
        }
    }
    let open = book.find(AlarmKind::AgentRelayOnly, agent.record.id.as_str()).is_some();
    if !way.path.is_direct() || open {
        let name = |id| known(id).map_or(AgentId::as_str(id), |relay| name_of(&relay.record));
        let names: Vec<&str> = way.path.relays().iter().map(name).collect();
        let facts = AgentFacts { late: way.is_late, ..facts(agent, draft) };
        observe(book, draft, &rules::only(&facts, &names));
    }
}

/// Looks which relays are dead.
pub(super) fn look(fleet: &mut Fleet, sentry: &Sentry, draft: &mut Draft) {
    if !sentry.patience().grace_is_over(draft.now) {
        return;
    }
    let interval_s = sentry.patience().interval_s;
    let Fleet { agents, by_id, book, .. } = fleet;
    let is_late = |agent: &AgentMem, seen: UnixSeconds| {
        patience(book, sentry, agent).status(seen, draft.now) != AgentStatus::Online
            && !is_refused(book, agent)
    };
    let followers: Vec<Follower> = agents
        .values()
        .filter(|agent| !agent.record.relay_path.is_direct() && is_watched(agent))
        .filter_map(|agent| {
            let relays = agent.record.relay_path.relays().iter();
            let relays = relays.filter_map(|id| by_id.get(id).copied());
            let relays = relays.filter(|no| agents.get(no).is_some_and(is_watched)).collect();
            let (no, last_seen) = (agent.record.no, agent.record.last_seen_at?);
            Some(Follower { no, last_seen, is_late: is_late(agent, last_seen), relays })
        })
        .collect();
    let reports = |no: AgentNo| {
        let seen = agents.get(&no).and_then(|agent| Some((agent, agent.record.last_seen_at?)));
        seen.is_some_and(|(agent, seen)| !is_late(agent, seen))
    };
    let together = |no: AgentNo| {
        let fleet = agents.get(&no).map(|relay| &relay.record.fleet);
        let limits = |fleet| book.limits(AlarmKind::RelayDead, fleet, [Some(no), None]);
        let limits = fleet.map_or_else(|| book.anywhere(AlarmKind::RelayDead), limits);
        Together::of(&limits, interval_s)
    };
    let dead = rules::dead(&followers, reports, together);
    let open = book.alarms().filter(|alarm| alarm.kind == AlarmKind::RelayDead);
    let looked_at: BTreeSet<AgentNo> =
        open.filter_map(|alarm| alarm.agent).chain(dead.keys().copied()).collect();
    for no in looked_at {
        let Some(relay) = agents.get(&no) else { continue };
        let seen = rules::is_dead(&facts(relay, draft), dead.get(&no));
        observe(book, draft, &seen);
    }
}

/// Through whom alone each agent's reports come, nearest to the manager first. Who reports
/// straight is in nobody's hands.
pub(super) fn ways(fleet: &Fleet) -> BTreeMap<AgentNo, Vec<AgentNo>> {
    let Fleet { agents, by_id, .. } = fleet;
    let watched = || agents.values().filter(|agent| is_watched(agent));
    if watched().all(|agent| agent.record.relay_path.is_direct()) {
        return BTreeMap::new();
    }
    dominators(watched().flat_map(|agent| {
        let relays = agent.record.relay_path.relays().iter().rev();
        let mut from = None;
        let hops = relays.filter_map(|id| by_id.get(id).copied()).chain([agent.record.no]);
        let hops: Vec<_> = hops.map(|to| (from.replace(to), to)).collect();
        hops
    }))
}

/// Whether silence says something about an agent.
pub(super) fn is_watched(agent: &AgentMem) -> bool {
    let watched = [AgentStatus::Online, AgentStatus::Stale, AgentStatus::Offline];
    !agent.record.forgotten && watched.contains(&agent.record.status)
}

/// Whether it is known that an agent's reports come, and are refused for what they are.
fn is_refused(book: &Book, agent: &AgentMem) -> bool {
    let kinds = [AlarmKind::AgentClockSkew, AlarmKind::PayloadRejected];
    let id = agent.record.id.as_str();
    kinds.iter().any(|kind| book.find(*kind, id).is_some_and(Alarm::stands))
}

/// Whether an agent reports through a relay that is known to be dead.
pub(super) fn is_behind_dead(book: &Book, agent: &AgentMem) -> bool {
    let mut relays = agent.record.relay_path.relays().iter();
    let is_dead = |alarm: &Alarm| !alarm.is_held();
    relays.any(|relay| book.find(AlarmKind::RelayDead, relay.as_str()).is_some_and(is_dead))
}

/// What relays passed on against the rules of the path, since the last look.
pub(super) fn bad_paths(fleet: &mut Fleet, draft: &mut Draft, faults: HashMap<AgentId, String>) {
    let Fleet { agents, by_id, book, .. } = fleet;
    for (id, fault) in faults {
        let Some(relay) = by_id.get(&id).and_then(|no| agents.get(no)) else { continue };
        observe(book, draft, &rules::bad_chain(&facts(relay, draft), &fault));
    }
}
