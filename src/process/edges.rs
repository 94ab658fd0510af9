//! Edges: which two ends belong together, and what both ends' evidence says.

use std::sync::Arc;

use serde_json::{Value, json};

use super::draft::{About, Draft};
use super::fleet::{AgentMem, EdgeMem, Fleet, PeerKey, PeerMem, PeerMems};
use super::witness::{evidence, rests_on_traffic, traffic_untold};
use crate::alarms::rules::edge::slack;
use crate::model::id::{AgentNo, EdgeId, FleetId};
use crate::model::key::WgKey;
use crate::model::report::Peer;
use crate::model::state::{AlarmKind, EdgeState, EndState, EventKind};
use crate::sign::digest;
use crate::store::change::{EdgeEnd, EdgeRecord};
use crate::topology::edge_match::{EndpointName, OtherEnd};
use crate::topology::verdict::{Verdict, verdict_with};

/// Where one end of an edge is.
struct Place {
    name: String,
    end: EdgeEnd,
}

/// Finds the other end of a peer entry and ties the two together. Does nothing if they are
/// tied already.
pub(super) fn link(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, key: &PeerKey) {
    let Some(peer) = fleet.agents.get(&no).and_then(|agent| agent.peers.get(key)) else { return };
    let Some((mine, theirs)) = places(fleet, no, &peer.peer) else { return };
    let id = name_of(&mine, &theirs);
    let side = usize::from(mine.name > theirs.name);
    let tied = fleet.edges.get(&id).and_then(|edge| edge.listed(side));
    if tied == Some(key) {
        return;
    }
    unlink(fleet, draft, no, key);
    let (source, target) = if side == 0 { (mine, theirs) } else { (theirs, mine) };
    if !fleet.edges.contains_key(&id) {
        create(fleet, draft, &id, [source.end, target.end], no);
    }
    if let Some(edge) = fleet.edges.get_mut(&id) {
        if let Some(slot) = edge.listed.get_mut(side) {
            *slot = Some(key.clone());
        }
        draft.to_judge.insert(id.clone());
    }
    if let Some(peer) = fleet.agents.get_mut(&no).and_then(|agent| agent.peers.get_mut(key)) {
        peer.edge = Some(id);
        peer.side = side;
    }
}

/// Takes a peer entry off its edge; an edge that nobody lists any more goes.
pub(super) fn unlink(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, key: &PeerKey) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    let Some(peer) = agent.peers.get_mut(key) else { return };
    let Some(id) = peer.edge.take() else { return };
    let side = peer.side;
    let Some(edge) = fleet.edges.get_mut(&id) else { return };
    // Two entries of one agent can mean the same other end; only the one that holds the slot
    // gives it up.
    if let Some(slot) = edge.listed.get_mut(side)
        && slot.as_ref() == Some(key)
    {
        let other = other_entry(&agent.peers, &id, side);
        *slot = other;
    }
    if edge.listed == [None, None] {
        remove(fleet, draft, &id);
    } else {
        draft.to_judge.insert(id);
    }
}

/// Another entry of the same agent that means the same other end.
fn other_entry(peers: &PeerMems, id: &EdgeId, side: usize) -> Option<PeerKey> {
    let same = |(_, mem): &(&PeerKey, &PeerMem)| mem.edge.as_ref() == Some(id) && mem.side == side;
    peers.iter().find(same).map(|(entry, _)| entry.clone())
}

/// The keys at both ends as they are told now, else as the other end lists them.
fn keys_at(fleet: &Fleet, edge: &EdgeMem) -> [Option<WgKey>; 2] {
    let [first, second] = &edge.record.ends;
    let listed_by = |side| edge.listed(side).map(|(_, key)| *key);
    let at = |end: &EdgeEnd, listed: Option<WgKey>| {
        let interface = end.interface.as_deref().unwrap_or_default();
        end.agent.and_then(|no| fleet.key_of(no, interface)).or(listed).or(end.public_key)
    };
    [at(first, listed_by(1)), at(second, listed_by(0))]
}

fn name_of(mine: &Place, theirs: &Place) -> EdgeId {
    let (low, high) = if mine.name <= theirs.name { (mine, theirs) } else { (theirs, mine) };
    EdgeId::of_digest(&digest::sha256(format!("{}\n{}", low.name, high.name).as_bytes()))
}

/// The edge that a peer entry of an agent would be an end of today, and the agent at its other
/// end.
pub(super) fn edge_of(
    fleet: &Fleet,
    no: AgentNo,
    peer: &Peer,
) -> Option<(EdgeId, Option<AgentNo>)> {
    let (mine, theirs) = places(fleet, no, peer)?;
    Some((name_of(&mine, &theirs), theirs.end.agent))
}

fn places(fleet: &Fleet, no: AgentNo, peer: &Peer) -> Option<(Place, Place)> {
    let agent = fleet.agents.get(&no)?;
    let mine = agent_place(fleet, agent, &peer.interface, None);
    let theirs = match fleet.owners.resolve(&agent.record.fleet, no, peer) {
        OtherEnd::Agent { no: other, interface, .. } => {
            agent_place(fleet, fleet.agents.get(&other)?, &interface, Some(peer.public_key))
        }
        OtherEnd::External { key } => Place {
            name: EndpointName::External { fleet: &agent.record.fleet, key }.to_string(),
            end: EdgeEnd {
                agent: None,
                interface: None,
                public_key: Some(key),
                state: EndState::Unknown,
            },
        },
    };
    Some((mine, theirs))
}

fn agent_place(fleet: &Fleet, agent: &AgentMem, interface: &str, key: Option<WgKey>) -> Place {
    let record = &agent.record;
    Place {
        name: EndpointName::Agent { fleet: &record.fleet, id: &record.id, interface }.to_string(),
        end: EdgeEnd {
            agent: Some(record.no),
            interface: Some(interface.to_owned()),
            public_key: fleet.key_of(record.no, interface).or(key),
            state: EndState::Unknown,
        },
    }
}

fn create(fleet: &mut Fleet, draft: &mut Draft, id: &EdgeId, ends: [EdgeEnd; 2], by: AgentNo) {
    let Some(space) = fleet.agents.get(&by).map(|agent| agent.record.fleet.clone()) else {
        return;
    };
    for end in &ends {
        match end.agent {
            Some(no) => {
                if let Some(agent) = fleet.agents.get_mut(&no) {
                    agent.edges.insert(id.clone(), ());
                    agent.awake.insert(id.clone(), ());
                }
                draft.effects.agents.insert(no);
            }
            None => {
                if let Some(key) = end.public_key {
                    let node = external_node(&space, &key);
                    *fleet.externals.entry(node.clone()).or_default() += 1;
                    draft.effects.externals.insert(node);
                }
            }
        }
    }
    let record = EdgeRecord {
        id: id.clone(),
        fleet: space,
        ends,
        state: EdgeState::Unknown,
        reason: "no report has been judged yet".into(),
        judged_at: draft.now,
        since: draft.now,
        first_seen: draft.now,
    };
    draft.event(
        EventKind::EdgeAdded,
        about(&record),
        None,
        Some(json!({ "ends": ends_json(fleet, &record) })),
    );
    let mem = EdgeMem {
        record: Arc::new(record),
        listed: [None, None],
        fresh: true,
        quiet: false,
        worked: false,
        gone: false,
        settling: false,
    };
    fleet.edges.insert(id.clone(), mem);
    draft.effects.graph = true;
}

/// Removes an edge from memory, store and board.
pub(super) fn remove(fleet: &mut Fleet, draft: &mut Draft, id: &EdgeId) {
    let Some(edge) = fleet.edges.remove(id) else { return };
    let ends = ends_json(fleet, &edge.record);
    for end in &edge.record.ends {
        if let Some(no) = end.agent {
            if let Some(agent) = fleet.agents.get_mut(&no) {
                agent.edges.remove(id);
                agent.awake.remove(id);
            }
            draft.effects.agents.insert(no);
        } else if let Some(key) = end.public_key {
            let node = external_node(&edge.record.fleet, &key);
            if let Some(count) = fleet.externals.get_mut(&node) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    fleet.externals.remove(&node);
                    super::raise::external_gone(fleet, draft, &node);
                }
            }
            draft.effects.externals.insert(node);
        }
    }
    draft.event(
        EventKind::EdgeRemoved,
        about(&edge.record),
        Some(json!({ "ends": ends, "state": edge.record.state })),
        None,
    );
    draft.to_judge.remove(id);
    if !edge.fresh {
        draft.change.edges_removed.push(id.clone());
    }
    draft.edges.remove(id);
    draft.effects.edges.insert(id.clone());
    draft.effects.graph = true;
    super::raise::edge_gone(fleet, draft, id);
}

/// Marks the edges of an agent on which its moving values may have changed the verdict.
pub(super) fn touch_moved(fleet: &Fleet, draft: &mut Draft, no: AgentNo) {
    let Some(agent) = fleet.agents.get(&no) else { return };
    let restless = agent.peers.values().filter(|peer| !peer.is_calm());
    draft.to_judge.extend(restless.filter_map(|peer| peer.edge.clone()));
    draft.to_judge.extend(agent.awake.keys().cloned());
}

/// Marks all edges of an agent.
pub(super) fn touch_all(fleet: &Fleet, draft: &mut Draft, no: AgentNo) {
    if let Some(agent) = fleet.agents.get(&no) {
        draft.to_judge.extend(agent.edges.keys().cloned());
    }
}

/// Judges every edge that the draft has touched.
pub(super) fn judge_all(fleet: &mut Fleet, draft: &mut Draft) {
    while let Some(id) = draft.to_judge.pop_first() {
        judge(fleet, draft, &id);
    }
}

fn judge(fleet: &mut Fleet, draft: &mut Draft, id: &EdgeId) {
    let Some(edge) = fleet.edges.get(id) else { return };
    let ends = [evidence(fleet, draft, edge, 0), evidence(fleet, draft, edge, 1)];
    let now = {
        let [a, b] = &ends;
        let agents = edge.record.ends.each_ref().map(|end| end.agent);
        let limits = fleet.book.limits(AlarmKind::EdgeDown, &edge.record.fleet, agents);
        verdict_with([a, b], slack(&limits))
    };
    let fits = ends.iter().all(|end| end.allowed_ips_ok != Some(false));
    let worked = ends.iter().any(|end| end.latest_handshake.0 != 0);
    let keys = keys_at(fleet, edge);
    let same_keys = edge.record.ends.iter().map(|end| end.public_key).eq(keys);
    let before = (edge.record.state, edge.record.ends.each_ref().map(|end| end.state));
    // Down for another reason is worth another sentence.
    let same = before == (now.state, now.ends) && edge.gone == now.gone;
    let changed = !same || edge.fresh || !same_keys;
    let unsure = edge.settling && traffic_untold(fleet, edge);
    let Some(edge) = fleet.edges.get_mut(id) else { return };
    edge.worked |= worked;
    edge.settling &= unsure;
    if edge.settling && !edge.gone && rests_on_traffic(edge.record.state, now.state) {
        return;
    }
    edge.gone = now.gone;
    if changed {
        let was = json!({ "state": edge.record.state, "reason": edge.record.reason });
        let (moved, first) = (edge.record.state != now.state, edge.fresh);
        edge.fresh = false;
        let record = Arc::make_mut(&mut edge.record);
        record.reason = now.reason.clone();
        record.judged_at = draft.now;
        record.state = now.state;
        for ((end, state), key) in record.ends.iter_mut().zip(now.ends).zip(keys) {
            (end.state, end.public_key) = (state, key);
        }
        if moved {
            record.since = draft.now;
        }
        let record = record.clone();
        if moved || first {
            let ends = record.ends.each_ref().map(|end| end.state);
            let is = json!({ "state": record.state, "reason": record.reason, "ends": ends });
            draft.event(EventKind::EdgeState, about(&record), Some(was), Some(is));
            draft.effects.agents.extend(record.ends.iter().filter_map(|end| end.agent));
            draft.effects.graph = true;
        }
        draft.effects.edges.insert(id.clone());
        draft.edges.insert(id.clone(), record);
    }
    super::raise::edge(fleet, draft, id, &now);
    super::links::look(fleet, draft, id, &now);
    settle(fleet, id, &now, fits);
}

/// Notes whether the edge may rest until one of its ends is not calm any more. One whose ends do
/// not let each other in may show at any time that this is a mistake.
fn settle(fleet: &mut Fleet, id: &EdgeId, now: &Verdict, fits: bool) {
    let Fleet { agents, edges, book, .. } = fleet;
    let Some(edge) = edges.get_mut(id) else { return };
    let quiet = now.state == EdgeState::Up
        && !edge.settling
        && now.ends == [EndState::Up, EndState::Up]
        && !now.past_t1
        && fits
        && AlarmKind::OF_LINKS.iter().all(|kind| book.find(*kind, id.as_str()).is_none());
    if std::mem::replace(&mut edge.quiet, quiet) == quiet {
        return;
    }
    for agent in edge.record.ends.iter().filter_map(|end| end.agent) {
        let Some(agent) = agents.get_mut(&agent) else { continue };
        if quiet {
            agent.awake.remove(id);
        } else {
            agent.awake.insert(id.clone(), ());
        }
    }
}

fn about(record: &EdgeRecord) -> About {
    About {
        fleet: Some(record.fleet.clone()),
        agent: record.ends.iter().find_map(|end| end.agent),
        subject: record.id.to_string(),
    }
}

fn ends_json(fleet: &Fleet, record: &EdgeRecord) -> Value {
    let end = |end: &EdgeEnd| {
        json!({
            "agent_id": end.agent.and_then(|no| fleet.agents.get(&no)).map(|a| &a.record.id),
            "interface": end.interface,
            "public_key": end.public_key,
        })
    };
    let [a, b] = &record.ends;
    json!([end(a), end(b)])
}

/// The subject of the alarm about a peer without an agent, from its name on the map.
pub(super) fn external_alarm(node: &str) -> Option<String> {
    let (space, key) = node.strip_prefix("x:")?.split_once(':')?;
    Some(format!("{space}|key:{key}"))
}

/// The map's name of a peer without an agent.
pub(super) fn external_node(fleet: &FleetId, key: &WgKey) -> String {
    format!("x:{fleet}:{key}")
}
