//! The fleet in memory, built from what the store holds; and the moving values on their way
//! back there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::account::{self, Account};
use super::board::AgentLive;
use super::claims::{self, Claimed, Claims};
use super::edges::external_node;
use super::fleet::{AgentMem, Agents, EdgeMem, Fleet, PeerKey, PeerMem, PeerMems, Wire};
use super::identity::Keys;
use super::ledger;
use super::sorted::Sorted;
use super::weak::{self, Weakness};
use super::witness;
use super::{shares, upkeep};
use crate::alarms::cover::Cover;
use crate::alarms::rules::agent::Peers;
use crate::alarms::rules::identity::Faces;
use crate::model::id::{AgentNo, EdgeId, FleetId, WindowId};
use crate::model::report::lists_every_interface;
use crate::model::state::EdgeState;
use crate::model::time::UnixSeconds;
use crate::notify::desk::Desk;
use crate::store::change::{AgentRecord, EdgeRecord, PeerRecord};
use crate::store::flush::{AgentDynamic, DynamicState, PeerDynamic};
use crate::store::identity::IdentityRecord;
use crate::store::row::{FleetSnapshot, InterfaceRow};
use crate::store::{StoreError, Writer};
use crate::topology::edge_match::Owners;
use crate::verify::shelf::Shelf;

/// Loads the fleet.
pub(super) fn fleet(writer: &mut dyn Writer, report_interval: i64) -> Result<Fleet, StoreError> {
    Ok(fleet_of(writer.load_fleet()?, report_interval))
}

/// The fleet that a snapshot describes.
pub(super) fn fleet_of(mut snapshot: FleetSnapshot, report_interval: i64) -> Fleet {
    let desk = desk_of(&mut snapshot);
    let (cover, last_window) = cover_of(&mut snapshot);
    let users = std::mem::take(&mut snapshot.users).into_iter();
    let people = users.map(|user| (user.name.clone(), user)).collect();
    let shares = shares::held(std::mem::take(&mut snapshot.shares), &people);
    let mut fleet = Fleet {
        agents: Agents::new(),
        by_id: HashMap::new(),
        edges: HashMap::new(),
        externals: HashMap::new(),
        report_interval,
        owners: Owners::default(),
        book: ledger::book_of(&snapshot),
        desk,
        cover,
        last_window,
        people,
        shares,
        weak: Weakness::default(),
        audit: snapshot.audit,
        runs: Account::restored(meta(&snapshot, account::KEPT)),
        last_report: snapshot.last_report,
        last_agent: snapshot.agents.iter().map(|agent| agent.no).max().unwrap_or(AgentNo(0)),
        last_identity: snapshot.identities.iter().map(|row| row.no).max().unwrap_or_default(),
    };
    share_names(&mut snapshot);
    for record in snapshot.agents {
        fleet.by_id.insert(record.id.clone(), record.no);
        fleet.agents.insert(record.no, agent_mem(record));
    }
    keys(&mut fleet, snapshot.identities);
    for row in snapshot.interfaces {
        interface(&mut fleet, row);
    }
    for record in snapshot.edges {
        for end in &record.ends {
            if let Some(agent) = end.agent.and_then(|no| fleet.agents.get_mut(&no)) {
                agent.edges.insert(record.id.clone(), ());
                agent.awake.insert(record.id.clone(), ());
            } else if let Some(key) = end.public_key {
                let node = external_node(&record.fleet, &key);
                *fleet.externals.entry(node).or_default() += 1;
            }
        }
        fleet.edges.insert(record.id.clone(), edge_mem(record));
    }
    for record in snapshot.peers {
        peer(&mut fleet, record);
    }
    fleet.weak = weak::look(&fleet);
    let agents: Vec<AgentNo> = fleet.agents.keys().copied().collect();
    for no in agents {
        claims::restore(&mut fleet, no);
    }
    claims::recall(&mut fleet);
    mark_gone(&mut fleet);
    fleet
}

fn keys(fleet: &mut Fleet, identities: Vec<IdentityRecord>) {
    for row in identities {
        if let Some(agent) = fleet.agents.get_mut(&row.agent) {
            agent.keys.add(row);
        }
    }
}

/// A fleet's name stands once in memory for all who bear it.
fn share_names(snapshot: &mut FleetSnapshot) {
    let mut names = BTreeSet::new();
    let agents = snapshot.agents.iter_mut().map(|agent| &mut agent.fleet);
    let edges = snapshot.edges.iter_mut().map(|edge| &mut edge.fleet);
    for name in agents.chain(edges) {
        match names.get(name) {
            Some(known) => *name = FleetId::clone(known),
            None => _ = names.insert(name.clone()),
        }
    }
}

/// Notes an interface, and what it claims for its agent.
fn interface(fleet: &mut Fleet, row: InterfaceRow) {
    let Some(agent) = fleet.agents.get_mut(&row.agent) else { return };
    let name: Box<str> = row.name.into();
    if let Some(works) = row.works {
        agent.works.insert(name.clone(), works);
    }
    if row.public_key.is_some() {
        agent.wires.insert(name.clone(), Wire { mtu: row.mtu, ..Wire::default() });
    }
    let mut addresses = row.addresses;
    addresses.sort_unstable();
    addresses.shrink_to_fit();
    let wireguard = row.public_key.is_some();
    let claimed = Claimed { key: row.public_key, addresses, wireguard };
    agent.claims.insert(name.clone(), claimed);
    agent.interfaces.push(name);
}

/// What people were told, and will be.
fn desk_of(snapshot: &mut FleetSnapshot) -> Desk {
    Desk::load(
        std::mem::take(&mut snapshot.tells),
        std::mem::take(&mut snapshot.waiting),
        std::mem::take(&mut snapshot.channels),
        snapshot.last_notification,
    )
}

/// The maintenance windows, and the highest number ever given to one.
fn cover_of(snapshot: &mut FleetSnapshot) -> (Cover, WindowId) {
    let windows = std::mem::take(&mut snapshot.windows);
    let last = upkeep::last(&windows, meta(snapshot, upkeep::LAST_WINDOW));
    (Cover::load(windows), last)
}

/// Notes the links that an end has lost its interface of.
fn mark_gone(fleet: &mut Fleet) {
    let gone = fleet.edges.values().filter(|edge| witness::is_gone(fleet, edge));
    let gone: Vec<EdgeId> = gone.map(|edge| edge.record.id.clone()).collect();
    for id in gone {
        if let Some(edge) = fleet.edges.get_mut(&id) {
            edge.gone = true;
        }
    }
}

/// An edge before its peer entries are known.
fn edge_mem(record: EdgeRecord) -> EdgeMem {
    // These states are never given without a handshake; for the others the peer entries tell.
    let worked = matches!(
        record.state,
        EdgeState::Up | EdgeState::OneWay | EdgeState::Down | EdgeState::Idle
    );
    EdgeMem {
        listed: [None, None],
        fresh: false,
        quiet: false,
        worked,
        gone: false,
        settling: true,
        record: Arc::new(record),
    }
}

/// A small value by its name.
pub(super) fn meta<'a>(snapshot: &'a FleetSnapshot, name: &str) -> Option<&'a str> {
    snapshot.meta.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// An agent without peers and claims.
pub(super) fn agent_mem(record: AgentRecord) -> AgentMem {
    let live = AgentLive::default();
    live.seen_at.store(record.last_seen_at.unwrap_or_default().0, Ordering::Relaxed);
    live.last_tick.store(record.last_tick.unwrap_or_default(), Ordering::Relaxed);
    AgentMem {
        keys: Keys::default(),
        faces: Faces::default(),
        live: Arc::new(live),
        bucket: None,
        bodies: None,
        order: None,
        history_ahead: false,
        interfaces: Vec::new(),
        claims: Claims::default(),
        lists_all: lists_every_interface(&record.problems),
        told_before: BTreeSet::new(),
        works: Sorted::default(),
        wires: Sorted::default(),
        tallies: Sorted::default(),
        steady_since: None,
        booted_at: None,
        clock: None,
        signed_at: None,
        looked_at: false,
        tells_peers: record.peers_hash != 0,
        peers: PeerMems::default(),
        edges: Sorted::default(),
        awake: Sorted::default(),
        returns: None,
        peers_say: Peers::CannotTell,
        maintenance: None,
        record,
    }
}

fn peer(fleet: &mut Fleet, mut record: PeerRecord) {
    let key: PeerKey = (record.peer.interface.as_str().into(), record.peer.public_key);
    let Some(agent) = fleet.agents.get_mut(&record.agent) else { return };
    record.peer.allowed_ips.shrink_to_fit();
    let peer = Arc::new(record.peer);
    let mut mem = PeerMem::new(Arc::clone(&peer));
    mem.set(&peer, record.measured_at);
    // The first growth after a start would span the time the manager was away.
    mem.reports = 0;
    fleet.owners.add_peer(&agent.record.fleet, record.agent, &peer);
    if let Some(edge) = fleet.edges.get_mut(&record.edge) {
        edge.worked |= peer.latest_handshake.0 != 0;
        let ends = edge.record.ends.iter().zip(&mut edge.listed).enumerate();
        for (side, (end, listed)) in ends {
            if end.agent == Some(record.agent) && end.interface.as_deref() == Some(&*key.0) {
                mem.side = side;
                *listed = Some(key.clone());
                mem.edge = Some(record.edge.clone());
                break;
            }
        }
    }
    agent.peers.insert(key, mem);
}

/// The moving values, as they are written when the manager stops.
pub(super) fn dynamic(fleet: &Fleet) -> DynamicState {
    let mut state = DynamicState::default();
    for agent in fleet.agents.values() {
        let record = &agent.record;
        let Some(last_seen_at) = agent.live.seen() else { continue };
        state.agents.push(AgentDynamic {
            no: record.no,
            last_seen_at,
            last_tick: record.last_tick,
            uptime_seconds: record.uptime_seconds,
            load: record.load,
            clock_offset: record.clock_offset,
        });
        for ((interface, key), mem) in agent.peers.iter() {
            let present = mem.present();
            state.peers.push(PeerDynamic {
                agent: record.no,
                interface: interface.to_string(),
                public_key: *key,
                latest_handshake: present.latest_handshake,
                rx_bytes: present.rx_bytes,
                tx_bytes: present.tx_bytes,
                measured_at: UnixSeconds(mem.live.measured_at.load(Ordering::Relaxed)),
            });
        }
    }
    state
}

/// What agents compress with, ready for use.
pub(super) fn shelf_of(snapshot: &FleetSnapshot) -> Result<Shelf, StoreError> {
    let shelf = Shelf::default();
    for dictionary in &snapshot.frame_dictionaries {
        let put = shelf.put(dictionary.bytes.clone());
        put.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    }
    Ok(shelf)
}
