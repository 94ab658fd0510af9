//! Keeps the index of keys and addresses in step with what agents tell of their interfaces.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::draft::Draft;
use super::edges;
use super::fleet::{Fleet, PeerKey};
use crate::model::id::{AgentNo, FleetId};
use crate::model::key::WgKey;
use crate::model::report::Interface;
use crate::topology::edge_match::{AddressOf, Claim, PeerName, names_a_host};

/// What one interface claims for its agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Claimed {
    /// Its own WireGuard key.
    pub(super) key: Option<WgKey>,
    /// Its addresses.
    pub(super) addresses: Vec<IpNet>,
    /// Whether it is a WireGuard interface: it tells its key or has peers.
    pub(super) wireguard: bool,
}

/// An agent's claims by interface name.
pub(super) type Claims = BTreeMap<String, Claimed>;

/// Replaces an agent's claims by what its interfaces say now, and ties again the peer entries
/// whose other end that may change.
///
/// `with_peers` are the interfaces that the same report lists peers for.
pub(super) fn renew(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    now: &[Interface],
    with_peers: &BTreeSet<&str>,
) {
    let claims = now.iter().map(|interface| {
        let name = interface.name.as_str();
        let claimed = Claimed {
            key: interface.public_key,
            addresses: interface.addresses.clone(),
            wireguard: interface.public_key.is_some() || with_peers.contains(name),
        };
        (name.to_owned(), claimed)
    });
    let claims = claims.collect();
    replace(fleet, draft, no, &claims);
}

/// Looks again which interfaces are WireGuard, now that an agent's peers have changed.
pub(super) fn reconsider(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let Some(agent) = fleet.agents.get(&no) else { return };
    let with_peers: BTreeSet<&str> = agent.peers.keys().map(|(name, _)| &**name).collect();
    let mut claims = agent.claims.clone();
    for (name, claimed) in &mut claims {
        claimed.wireguard = claimed.key.is_some() || with_peers.contains(name.as_str());
    }
    if claims != agent.claims {
        replace(fleet, draft, no, &claims);
    }
}

/// Withdraws everything an agent claims.
pub(super) fn withdraw(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    replace(fleet, draft, no, &Claims::new());
}

/// Moves what an agent claims and lists from one fleet to another.
pub(super) fn change_fleet(
    fleet: &mut Fleet,
    draft: &mut Draft,
    no: AgentNo,
    from: &FleetId,
    to: &FleetId,
) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    let claims = std::mem::take(&mut agent.claims);
    let peers: Vec<PeerKey> = agent.peers.keys().cloned().collect();
    let mut affected = Vec::new();
    drop_claims(fleet, no, from, &claims, &mut affected);
    for key in &peers {
        edges::unlink(fleet, draft, no, key);
        let Some(mem) = fleet.agents.get(&no).and_then(|agent| agent.peers.get(key)) else {
            continue;
        };
        fleet.owners.remove_peer(from, no, &mem.peer);
        fleet.owners.add_peer(to, no, &mem.peer);
    }
    add_claims(fleet, no, to, &claims, &mut affected);
    if let Some(agent) = fleet.agents.get_mut(&no) {
        agent.claims = claims;
    }
    relink(fleet, draft, &affected);
    for key in &peers {
        edges::link(fleet, draft, no, key);
    }
}

fn replace(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, now: &Claims) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    let space = agent.record.fleet.clone();
    let before = std::mem::replace(&mut agent.claims, now.clone());
    let mut affected = Vec::new();
    let differs = |a: &Claims, b: &Claims| -> Claims {
        a.iter()
            .filter(|(name, claimed)| b.get(*name) != Some(claimed))
            .map(|(name, claimed)| (name.clone(), claimed.clone()))
            .collect()
    };
    drop_claims(fleet, no, &space, &differs(&before, now), &mut affected);
    add_claims(fleet, no, &space, &differs(now, &before), &mut affected);
    relink(fleet, draft, &affected);
}

/// Puts claims into the index without tying anything: for the start.
pub(super) fn restore(fleet: &mut Fleet, no: AgentNo, claims: Claims) {
    let Some(space) = fleet.agents.get(&no).map(|agent| agent.record.fleet.clone()) else {
        return;
    };
    let mut unused = Vec::new();
    add_claims(fleet, no, &space, &claims, &mut unused);
    if let Some(agent) = fleet.agents.get_mut(&no) {
        agent.claims = claims;
    }
}

fn add_claims(
    fleet: &mut Fleet,
    no: AgentNo,
    space: &FleetId,
    claims: &Claims,
    affected: &mut Vec<Claim>,
) {
    for (interface, claimed) in claims {
        if let Some(key) = claimed.key {
            fleet.owners.add_key(space, no, interface, key);
            affected.push(Claim::Key(key));
        }
        for net in claimed.addresses.iter().filter(|net| names_a_host(net.addr())) {
            let address = net.addr();
            let at = AddressOf { agent: no, interface, wireguard: claimed.wireguard, address };
            fleet.owners.add_address(space, &at);
            affected.push(Claim::Address(space.clone(), address));
        }
    }
}

fn drop_claims(
    fleet: &mut Fleet,
    no: AgentNo,
    space: &FleetId,
    claims: &Claims,
    affected: &mut Vec<Claim>,
) {
    for (interface, claimed) in claims {
        if let Some(key) = claimed.key {
            fleet.owners.remove_key(space, no, interface, key);
            affected.push(Claim::Key(key));
        }
        for net in claimed.addresses.iter().filter(|net| names_a_host(net.addr())) {
            let address = net.addr();
            let at = AddressOf { agent: no, interface, wireguard: claimed.wireguard, address };
            fleet.owners.remove_address(space, &at);
            affected.push(Claim::Address(space.clone(), address));
        }
    }
}

/// Looks again for the other ends of the peer entries that name one of the claims.
fn relink(fleet: &mut Fleet, draft: &mut Draft, claims: &[Claim]) {
    let names: BTreeSet<PeerName> =
        claims.iter().flat_map(|claim| fleet.owners.affected_by(claim)).collect();
    for name in names {
        let key: PeerKey = (name.interface.as_str().into(), name.key);
        edges::link(fleet, draft, name.agent, &key);
        super::report::store_peer(fleet, draft, name.agent, &key);
    }
}
