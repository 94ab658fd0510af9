//! Hosts' clocks by the handshakes that they share, and the manager's by theirs: looked at once a
//! minute, only around hosts whose signed times are off. Decides nothing itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::draft::Draft;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet};
use super::raise::{self, name_of};
use super::tick::Sentry;
use crate::alarms::book::Book;
use crate::alarms::rules::agent::{ByPeers, DRIFT_BAD_S, DRIFT_GOOD_S};
use crate::alarms::rules::manager;
use crate::model::id::{AgentNo, EdgeId};
use crate::model::state::{AgentStatus, AlarmKind, EdgeState};
use crate::model::time::UnixSeconds;
use crate::topology::offset::{Difference, difference, offsets};

/// Seconds from the first report of a run, or of a clock that was set, within which two handshakes
/// have come at both ends of a link that is in use.
const UNTOLD_S: i64 = 480;

/// Names that a message lists.
const NAMES_TOLD: usize = 3;

/// Looks at the clocks.
pub(super) fn look(fleet: &mut Fleet, sentry: &Sentry, draft: &mut Draft) {
    triangulate(fleet);
    let fresh = sentry.patience().stale_after_s();
    let heard = |agent: &&AgentMem| {
        agent.record.last_seen_at.is_some_and(|seen| draft.now.since(seen) <= fresh)
    };
    let heard: Vec<&AgentMem> = fleet.agents.values().filter(heard).collect();
    let signed: Vec<i64> = heard.iter().map(|agent| agent.record.clock_offset).collect();
    let known = heard.iter().filter_map(|agent| agent.clock.as_deref());
    let known: Vec<i64> = known.filter(|clock| clock.is_known()).map(|clock| clock.s).collect();
    let limits = fleet.book.anywhere(AlarmKind::ManagerClock);
    if let Some(seen) = manager::clock(&signed, &known, &limits) {
        let open = fleet.book.find(seen.kind, &seen.subject).is_some();
        if seen.holds || open {
            raise::observe(&mut fleet.book, draft, &seen);
        }
    }
}

/// Whether the time that an agent signs is off by so much that its peers are asked.
fn is_suspect(book: &Book, agent: &AgentMem) -> bool {
    let record = &agent.record;
    if record.status != AgentStatus::Online {
        return false;
    }
    let limits = book.limits(AlarmKind::AgentClockDrift, &record.fleet, [Some(record.no), None]);
    record.clock_offset.saturating_abs() > limits.get(&DRIFT_GOOD_S).min(limits.get(&DRIFT_BAD_S))
}

/// Finds the clocks of those whose signed times are off by their links, with those of their peers;
/// forgets what is known of the others.
fn triangulate(fleet: &mut Fleet) {
    let Fleet { agents, edges, book, .. } = fleet;
    let suspects = agents.values().filter(|agent| is_suspect(book, agent));
    let suspects: BTreeSet<AgentNo> = suspects.map(|agent| agent.record.no).collect();
    let links = |nos: &BTreeSet<AgentNo>| -> BTreeSet<_> {
        let agents = nos.iter().filter_map(|no| agents.get(no));
        agents.flat_map(|agent| agent.edges.keys().cloned()).collect()
    };
    let ends = |edge: &EdgeMem| edge.record.ends.each_ref().map(|end| end.agent);
    let near = links(&suspects);
    let near = near.iter().filter_map(|id| edges.get(id)).flat_map(ends).flatten();
    let near: BTreeSet<AgentNo> = near.chain(suspects.iter().copied()).collect();
    let told: Vec<Difference> = links(&near)
        .iter()
        .filter_map(|id| edges.get(id))
        .filter_map(|edge| told(agents, edge))
        .collect();
    let of = |no: &AgentNo| Some((*no, agents.get(no)?.record.clock_offset));
    let signed: BTreeMap<AgentNo, i64> =
        told.iter().flat_map(|told| &told.ends).filter_map(of).collect();
    let mut found = offsets(&told, &signed, &near);
    for agent in agents.values_mut() {
        let clock = found.remove(&agent.record.no).filter(|clock| !clock.agree.is_empty());
        agent.clock = clock.map(Box::new);
    }
}

/// What a link tells of the clocks at its ends.
fn told(agents: &Agents, edge: &EdgeMem) -> Option<Difference> {
    let end = |side: usize| {
        let agent = agents.get(&edge.record.ends.get(side)?.agent?)?;
        let peer = agent.peers.get(edge.listed(side)?)?;
        (agent.record.status == AgentStatus::Online && peer.shakes.tells()).then_some((agent, peer))
    };
    let ((a, first), (b, second)) = (end(0)?, end(1)?);
    let signed = a.record.clock_offset - b.record.clock_offset;
    let s = difference([&first.shakes, &second.shakes], signed)?;
    Some(Difference { ends: [a.record.no, b.record.no], s })
}

/// What an agent's peers say of its clock, for its alarm.
pub(super) fn by_peers<'f>(
    agents: &'f Agents,
    edges: &HashMap<EdgeId, EdgeMem>,
    agent: &AgentMem,
    now: UnixSeconds,
) -> ByPeers<'f> {
    if let Some(clock) = agent.clock.as_deref().filter(|clock| clock.is_known()) {
        let mut peers: Vec<AgentNo> = clock.agree.clone();
        peers.sort_unstable();
        peers.dedup();
        let named = peers.iter().filter_map(|no| agents.get(no)).take(NAMES_TOLD);
        let names = named.map(|peer| name_of(&peer.record)).collect();
        return ByPeers::Known { s: clock.s, peers: peers.len(), names };
    }
    let is_young = agent.steady_since.is_none_or(|since| now.since(since) < UNTOLD_S);
    let reports = |no: AgentNo| {
        agents.get(&no).is_some_and(|agent| agent.record.status == AgentStatus::Online)
    };
    let tells = |edge: &&EdgeMem| {
        let ends = edge.record.ends.iter().zip(&edge.listed);
        edge.record.state == EdgeState::Up
            && ends.clone().all(|(end, listed)| listed.is_some() && end.agent.is_some_and(reports))
    };
    let links = agent.edges.keys().filter_map(|id| edges.get(id)).filter(tells);
    if is_young && links.count() > 1 { ByPeers::Untold } else { ByPeers::Silent }
}
