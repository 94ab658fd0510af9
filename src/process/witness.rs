//! What the two ends of a link know of it: the facts a verdict is given on, and what an agent's
//! peers see of a host that has fallen silent. Reads the fleet; changes nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use ipnet::IpNet;

use super::claims::Claimed;
use super::draft::Draft;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet, PeerMem};
use crate::alarms::rules::agent::{Patience, Sight};
use crate::model::id::{AgentNo, EdgeId};
use crate::model::report::Peer;
use crate::model::state::{AgentStatus, EdgeState};
use crate::model::time::UnixSeconds;
use crate::store::change::EdgeEnd;
use crate::topology::edge_match::names_a_host;
use crate::topology::verdict::EndEvidence;

/// Reports of this run that must have listed a peer before its growth over two intervals is known.
const GROWTH_REPORTS: u32 = 3;

/// Whether an end that reports has not told enough yet to know what it sent and received.
pub(super) fn traffic_untold(fleet: &Fleet, edge: &EdgeMem) -> bool {
    edge.record.ends.iter().zip(&edge.listed).any(|(end, entry)| {
        let agent = end.agent.and_then(|no| fleet.agents.get(&no));
        let agent = agent.filter(|agent| agent.record.status == AgentStatus::Online);
        let peer = agent.zip(entry.as_ref()).and_then(|(agent, entry)| agent.peers.get(entry));
        peer.is_some_and(|peer| peer.reports < GROWTH_REPORTS)
    })
}

/// Whether the second state may be seen instead of the first only because the traffic is not
/// known: the manager was just started, which is not news of the link.
pub(super) fn rests_on_traffic(before: EdgeState, now: EdgeState) -> bool {
    matches!(
        (before, now),
        (EdgeState::Up | EdgeState::Down, EdgeState::Idle) | (EdgeState::OneWay, EdgeState::Up)
    )
}

/// The name of an end that no agent reports from.
pub(super) const NOBODY: &str = "a peer without an agent";

/// What one end of an edge knows.
pub(super) fn evidence<'a>(
    fleet: &'a Fleet,
    draft: &Draft,
    edge: &'a EdgeMem,
    side: usize,
) -> EndEvidence<'a> {
    let [first, second] = &edge.record.ends;
    let (end, other) = if side == 0 { (first, second) } else { (second, first) };
    let Some(agent) = end.agent.and_then(|no| fleet.agents.get(&no)) else {
        return EndEvidence { name: NOBODY, ..EndEvidence::default() };
    };
    let record = &agent.record;
    let interface = end.interface.as_deref().unwrap_or_default();
    let mut evidence = EndEvidence {
        name: record.hostname.as_deref().unwrap_or(record.id.as_str()),
        has_agent: true,
        agent_status: Some(record.status),
        fresh: record.status == AgentStatus::Online,
        peers_untold: !agent.tells_peers,
        interface_up: agent.works.get(interface).copied(),
        gone: gone(fleet, edge, side),
        ..EndEvidence::default()
    };
    // A list that was cut does not deny what it leaves out.
    evidence.peers_untold |= !agent.lists_all && agent.misses(interface);
    let listing = edge.listed(side).and_then(|entry| agent.peers.get_key_value(entry));
    // A host whose WireGuard hangs reports on without its peers: what it said is long past.
    if let Some((_, peer)) = listing.filter(|(_, peer)| is_outdated(fleet, draft, peer)) {
        evidence.peers_untold = true;
        // That the link has worked stays true.
        evidence.latest_handshake = UnixSeconds(peer.live.latest_handshake.load(Ordering::Relaxed));
        return evidence;
    }
    if let Some(((_, key), peer)) = listing {
        fill(fleet, draft, &mut evidence, peer, other);
        let own = other
            .agent
            .and_then(|no| fleet.key_of(no, other.interface.as_deref().unwrap_or_default()));
        evidence.lists_old_key = own.is_some_and(|own| own != *key);
    }
    evidence
}

/// The interface at an end, if its host has said last that it is not there any more. An agent
/// that has fallen silent since is believed until the other end tells a handshake that came
/// after its last report.
fn gone<'a>(fleet: &'a Fleet, edge: &'a EdgeMem, side: usize) -> Option<&'a str> {
    let end = edge.record.ends.get(side)?;
    let (agent, interface) = (fleet.agents.get(&end.agent?)?, end.interface.as_deref()?);
    if !agent.lists_all || !agent.misses(interface) {
        return None;
    }
    let is_believed = match agent.record.status {
        AgentStatus::Online => true,
        AgentStatus::Stale | AgentStatus::Offline => {
            let other = edge.record.ends.get(1 - side)?.agent;
            let other = other.and_then(|no| fleet.agents.get(&no));
            let entry = other.zip(edge.listed(1 - side));
            let peer = entry.and_then(|(agent, entry)| agent.peers.get(entry));
            peer.and_then(handshake_at) <= agent.record.last_seen_at
        }
        AgentStatus::Pending | AgentStatus::Retired => false,
    };
    is_believed.then_some(interface)
}

/// Whether a stored edge was judged down because the interface at an end is gone.
pub(super) fn is_gone(fleet: &Fleet, edge: &EdgeMem) -> bool {
    let is_down = edge.record.state == EdgeState::Down;
    is_down && (gone(fleet, edge, 0).is_some() || gone(fleet, edge, 1).is_some())
}

/// When the last handshake was that a peer entry tells, on the manager's clock; `None` = never,
/// or told before this start, which has no time of ours.
fn handshake_at(peer: &PeerMem) -> Option<UnixSeconds> {
    let handshake = peer.live.latest_handshake.load(Ordering::Relaxed);
    let age = peer.live.measured_at.load(Ordering::Relaxed).saturating_sub(handshake).max(0);
    (peer.reports > 0 && handshake != 0).then(|| peer.received_at.minus(age))
}

/// Whether the agent has reported on without its peers for as long as makes an agent stale.
/// What was said before this start has no time of ours.
fn is_outdated(fleet: &Fleet, draft: &Draft, peer: &PeerMem) -> bool {
    let patience = Patience::usual(fleet.report_interval, UnixSeconds::default());
    peer.reports > 0 && draft.now.since(peer.received_at) > patience.stale_after_s()
}

/// Counters older than this many report intervals (in halves) are not laid beside the other
/// end's: the two would speak of different times.
const FRESH_COUNTERS_HALVES: i64 = 3;

fn fill(fleet: &Fleet, draft: &Draft, to: &mut EndEvidence<'_>, peer: &PeerMem, other: &EdgeEnd) {
    let live = &peer.live;
    to.listed = true;
    to.latest_handshake = UnixSeconds(live.latest_handshake.load(Ordering::Relaxed));
    to.measured_at = UnixSeconds(live.measured_at.load(Ordering::Relaxed));
    to.rx_bytes = live.rx_bytes.load(Ordering::Relaxed);
    to.tx_bytes = live.tx_bytes.load(Ordering::Relaxed);
    to.persistent_keepalive = peer.peer.persistent_keepalive;
    let age_halves = draft.now.since(peer.received_at).saturating_mul(2);
    if age_halves <= FRESH_COUNTERS_HALVES * fleet.report_interval {
        (to.d_rx, to.d_tx) = (peer.d_rx.told(), peer.d_tx.told());
    }
    let addresses = other.agent.and_then(|no| fleet.agents.get(&no)).and_then(|agent| {
        other.interface.as_ref().and_then(|interface| agent.claims.get(interface.as_str()))
    });
    let addresses = addresses.map(hosts).filter(|list| !list.is_empty());
    to.allowed_ips_ok = addresses.map(|list| list.iter().any(|own| lets_in(&peer.peer, own)));
}

/// The addresses of an interface by which the other ends of its links know it.
pub(super) fn hosts(claimed: &Claimed) -> Vec<IpAddr> {
    claimed.addresses.iter().map(IpNet::addr).filter(|own| names_a_host(*own)).collect()
}

/// Whether a peer may use an address.
pub(super) fn lets_in(peer: &Peer, address: &IpAddr) -> bool {
    peer.allowed_ips.iter().any(|net| net.contains(address))
}

/// What the peers of an agent say of their links with it, if they report themselves.
pub(super) fn sights<'f>(
    agents: &'f Agents,
    edges: &HashMap<EdgeId, EdgeMem>,
    of: &AgentMem,
) -> Vec<Sight<'f>> {
    let edges = of.edges.keys().filter_map(|id| edges.get(id));
    edges.filter_map(|edge| sight(agents, of.record.no, edge)).collect()
}

fn sight<'f>(agents: &'f Agents, no: AgentNo, edge: &EdgeMem) -> Option<Sight<'f>> {
    let listing = |side: usize| {
        let agent = agents.get(&edge.record.ends.get(side)?.agent?)?;
        Some((agent, agent.peers.get(edge.listed(side)?)?))
    };
    let own = edge.record.ends.iter().position(|end| end.agent == Some(no))?;
    let keepalive = |side| listing(side).map_or(0, |(_, peer)| peer.peer.persistent_keepalive);
    let (agent, peer) = listing(1 - own)?;
    // What was said before this start has no time of ours; who is silent itself says nothing.
    if agent.record.status != AgentStatus::Online || peer.reports == 0 {
        return None;
    }
    let (of, end) = (agents.get(&no)?, edge.record.ends.get(own)?);
    let handshake_at = handshake_at(peer);
    // A link that lost its interface before the silence says nothing of the host.
    let lost = end.interface.as_deref().is_some_and(|name| of.lists_all && of.misses(name));
    if lost && handshake_at <= of.record.last_seen_at {
        return None;
    }
    Some(Sight {
        peer: super::raise::name_of(&agent.record),
        handshake_at,
        keepalive: keepalive(0).max(keepalive(1)),
        down: edge.record.state == EdgeState::Down,
    })
}
