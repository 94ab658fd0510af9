//! From memory to the board, after the commit.

use std::collections::BTreeSet;

use super::board::Board;
use super::board::link::{Behind, Link, agent_node};
use super::draft::Effects;
use super::fleet::{AgentMem, EdgeMem, Fleet, PeerMem};
use super::summary::{AgentSummary, Identity};
use super::upkeep;
use crate::model::id::AgentNo;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, AlarmKind, AlarmState, EdgeState};
use crate::sign::ed25519;
use crate::store::change::AgentRecord;
use crate::store::identity::IdentityRecord;
use crate::topology::edge_match::Claim;
use crate::topology::picture::{Node, NodeKind};
use crate::topology::sites::{self, RoleFacts};

use std::sync::Arc;

/// Addresses shown with a node; more do not fit a panel.
const ADDRESSES: usize = 8;

/// Puts the whole fleet on the board.
pub(super) fn everything(fleet: &Fleet, board: &Board) {
    let effects = Effects {
        agents: fleet.agents.keys().copied().collect(),
        edges: fleet.edges.keys().cloned().collect(),
        externals: fleet.externals.keys().cloned().collect(),
        alarms: true,
        windows: true,
        shares: true,
        graph: true,
    };
    board.retain(&node_ids(fleet), &effects.edges);
    self::effects(fleet, board, effects);
}

fn node_ids(fleet: &Fleet) -> BTreeSet<String> {
    let agents = fleet.agents.values().map(|agent| agent_node(&agent.record.id));
    agents.chain(fleet.externals.keys().cloned()).collect()
}

/// Puts on the board what a batch changed.
pub(super) fn effects(fleet: &Fleet, board: &Board, effects: Effects) {
    for no in effects.agents {
        if let Some(agent) = fleet.agents.get(&no) {
            show_agent(fleet, board, no, agent);
        }
    }
    for node in effects.externals {
        match external(fleet, &node) {
            Some(node) => board.set_node(node, None),
            None => board.remove_node(&node),
        }
    }
    for id in effects.edges {
        match fleet.edges.get(&id) {
            Some(edge) => show_edge(fleet, board, edge),
            None => board.remove_edge(&id),
        }
    }
    if effects.windows {
        board.set_windows(fleet.cover.windows().cloned().collect());
    }
    if effects.shares {
        board.set_shares(fleet.shares.clone());
    }
    if effects.alarms {
        board.set_alarms_open(fleet.book.unacknowledged());
        let failing = fleet.book.alarms().filter(|alarm| {
            alarm.kind == AlarmKind::NotifyFailing && alarm.state != AlarmState::Pending
        });
        board.set_channels_failing(failing.map(|alarm| alarm.subject.clone()).collect());
    }
}

fn show_agent(fleet: &Fleet, board: &Board, no: AgentNo, agent: &AgentMem) {
    let record = &agent.record;
    board.bar(&record.id, !may_relay(agent));
    board.pin(&record.id, agent.keys.pinned().map(|row| row.public_key));
    if record.forgotten {
        board.remove_agent(&record.id, (record.hostname.clone(), record.fleet.clone()));
        board.remove_node(&agent_node(&record.id));
        return;
    }
    let summary = summary(fleet, agent);
    let addresses = summary.addresses.clone();
    board.set_agent(summary, &agent.live);
    let node = Node {
        id: agent_node(&record.id),
        kind: NodeKind::Agent,
        role: role(fleet, agent),
        agent_id: Some(record.id.clone()),
        label: record.hostname.clone().unwrap_or_else(|| record.id.to_string()),
        status: Some(record.status),
        fleet_id: record.fleet.clone(),
        site: String::new(),
        x: 0.0,
        y: 0.0,
        seen_at: None,
        alarms: open_alarms(fleet, no),
        addresses,
        relay_path: record.relay_path.clone(),
        maintenance_until: upkeep::until(agent.maintenance),
    };
    if record.status == AgentStatus::Retired {
        board.remove_node(&node.id);
    } else {
        board.set_node(node, Some(&agent.live));
    }
}

/// Whether an agent may pass on what others report.
pub(super) fn may_relay(agent: &AgentMem) -> bool {
    let live = [AgentStatus::Online, AgentStatus::Stale, AgentStatus::Offline];
    let AgentRecord { status, forgotten, may_relay, .. } = &agent.record;
    *may_relay && live.contains(status) && !forgotten && !agent.keys.is_revoked()
}

/// An agent in one line.
fn summary(fleet: &Fleet, agent: &AgentMem) -> AgentSummary {
    let record = &agent.record;
    let states: Vec<EdgeState> = agent
        .edges
        .keys()
        .filter_map(|id| fleet.edges.get(id))
        .map(|edge| edge.record.state)
        .collect();
    AgentSummary {
        agent_id: record.id.clone(),
        hostname: record.hostname.clone(),
        fleet_id: record.fleet.clone(),
        agent_version: record.agent_version.clone(),
        registered_at: record.registered_at,
        last_seen_at: record.last_seen_at,
        last_tick: record.last_tick,
        status: record.status,
        status_since: record.status_since,
        scheme: record.scheme,
        form: record.canon_form,
        kid: record.kid.clone(),
        interfaces: agent.interfaces.iter().map(|name| String::from(&**name)).collect(),
        peers: agent.peers.len(),
        links: states.len(),
        links_down: states.iter().filter(|state| is_bad(**state)).count(),
        addresses: addresses(agent),
        site: record.labels.get("site").cloned(),
        role: record.labels.get("role").cloned(),
        problems: record.problems.len(),
        clock_offset: record.clock_offset,
        relay_path: record.relay_path.clone(),
        may_relay: record.may_relay,
        // The board knows everybody's path.
        relays_for: Vec::new(),
        source: record.source,
        maintenance_until: upkeep::until(agent.maintenance),
        identity: agent.keys.shown().map(|row| identity(agent, row)),
    }
}

fn identity(agent: &AgentMem, row: &IdentityRecord) -> Identity {
    Identity {
        state: row.state,
        public_key: row.public_key,
        kid: row.kid.clone(),
        fingerprint: ed25519::fingerprint(&row.public_key),
        how: row.how,
        since: row.pinned_at.unwrap_or(row.registered_at),
        source: row.source,
        certified: ed25519::certifies(&row.public_key, &agent.record.id),
    }
}

/// States that an operator counts as trouble.
fn is_bad(state: EdgeState) -> bool {
    matches!(state, EdgeState::Down | EdgeState::OneWay | EdgeState::HalfConfigured)
}

fn open_alarms(fleet: &Fleet, no: AgentNo) -> u32 {
    let open = |state| matches!(state, AlarmState::Active | AlarmState::Acknowledged);
    let count = fleet.book.of_agent(no).filter(|alarm| open(alarm.state)).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn addresses(agent: &AgentMem) -> Vec<String> {
    let wireguard = agent.claims.values().filter(|claimed| claimed.wireguard);
    wireguard
        .flat_map(|claimed| claimed.addresses.iter().map(ToString::to_string))
        .take(ADDRESSES)
        .collect()
}

/// The median number of links of the nodes that an agent has links with.
fn neighbours_degree(fleet: &Fleet, agent: &AgentMem) -> usize {
    let mut degrees: Vec<usize> = agent
        .edges
        .keys()
        .filter_map(|id| fleet.edges.get(id))
        .flat_map(|edge| &edge.record.ends)
        .filter(|end| end.agent != Some(agent.record.no))
        .map(|end| end.agent.and_then(|no| fleet.agents.get(&no)).map_or(1, |a| a.edges.len()))
        .collect();
    degrees.sort_unstable();
    degrees.get(degrees.len() / 2).copied().unwrap_or(0)
}

fn role(fleet: &Fleet, agent: &AgentMem) -> String {
    let wide = |mem: &&PeerMem| {
        mem.peer.allowed_ips.iter().any(|net| net.prefix_len() < net.max_prefix_len())
    };
    let wide_peers = agent.peers.values().filter(wide).count();
    let facts = RoleFacts {
        label: agent.record.labels.get("role").map(String::as_str),
        wide_peers,
        degree: agent.edges.len(),
        neighbours_degree: neighbours_degree(fleet, agent),
    };
    sites::role(&facts).to_string()
}

/// A peer without an agent, as its listers know it.
fn external(fleet: &Fleet, id: &str) -> Option<Node> {
    if !fleet.externals.contains_key(id) {
        return None;
    }
    let (space, key) = id.strip_prefix("x:")?.split_once(':')?;
    let (space, key) = (space.parse().ok()?, key.parse::<crate::model::key::WgKey>().ok()?);
    let mut addresses = BTreeSet::new();
    for name in fleet.owners.affected_by(&Claim::Key(key)) {
        let entry = (name.interface.as_str().into(), name.key);
        let peer = fleet.agents.get(&name.agent).and_then(|agent| agent.peers.get(&entry));
        for net in peer.iter().flat_map(|mem| &mem.peer.allowed_ips) {
            addresses.insert(net.to_string());
        }
    }
    let addresses: Vec<String> = addresses.into_iter().take(ADDRESSES).collect();
    Some(Node {
        id: id.to_owned(),
        kind: NodeKind::External,
        role: "external".into(),
        agent_id: None,
        label: key.short(),
        status: None,
        fleet_id: space,
        site: String::new(),
        x: 0.0,
        y: 0.0,
        seen_at: None,
        alarms: 0,
        addresses,
        relay_path: RelayPath::direct(),
        maintenance_until: None,
    })
}

fn show_edge(fleet: &Fleet, board: &Board, edge: &EdgeMem) {
    let link = Link {
        record: Arc::clone(&edge.record),
        behind: [behind(fleet, edge, 0), behind(fleet, edge, 1)],
    };
    if link.nodes().iter().all(Option::is_some) {
        board.set_edge(link);
    }
}

fn behind(fleet: &Fleet, edge: &EdgeMem, side: usize) -> Behind {
    let end = edge.record.ends.get(side);
    let agent = end.and_then(|end| fleet.agents.get(&end.agent?));
    let entry = edge.listed(side).and_then(|entry| agent.and_then(|agent| agent.peers.get(entry)));
    Behind {
        agent: agent.map(|agent| agent.record.id.clone()),
        listing: entry.map(|mem| (Arc::clone(&mem.peer), Arc::clone(&mem.live))),
    }
}
