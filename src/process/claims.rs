//! Keeps the index of keys and addresses in step with what agents tell of their interfaces.
//!
//! An interface that vanishes from a host's list, or tells no key any more, is still what its
//! peers mean by its key: the key stays known as told before, for as long as a peer entry is
//! tied to that interface by it. It goes when the interface tells a key again, when somebody
//! else tells this one, and with a reset. Nothing of it is stored: a stored edge whose end tells
//! its key no more is the same fact.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::draft::Draft;
use super::edges;
use super::fleet::{Fleet, PeerKey};
use super::sorted::Sorted;
use crate::model::id::{AgentNo, FleetId};
use crate::model::key::WgKey;
use crate::model::report::Interface;
use crate::topology::edge_match::{
    AddressOf, Claim, FoundBy, OtherEnd, PeerName, Told, names_a_host,
};

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
pub(super) type Claims = Sorted<Box<str>, Claimed>;

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
        (name.into(), claimed)
    });
    let claims = claims.collect();
    replace(fleet, draft, no, &claims);
}

/// Looks again which interfaces are WireGuard, now that an agent's peers have changed.
pub(super) fn reconsider(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let Some(agent) = fleet.agents.get(&no) else { return };
    let with_peers: BTreeSet<&str> = agent.peers.keys().map(|(name, _)| &**name).collect();
    let mut claims = agent.claims.clone();
    for (name, claimed) in claims.iter_mut() {
        claimed.wireguard = claimed.key.is_some() || with_peers.contains(&**name);
    }
    if claims != agent.claims {
        replace(fleet, draft, no, &claims);
    }
}

/// Withdraws everything an agent claims, and what it claimed before.
pub(super) fn withdraw(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo) {
    let mut affected = swap(fleet, no, &Claims::default());
    forget(fleet, no, |_| true, &mut affected);
    relink(fleet, draft, &affected);
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
    let before = std::mem::take(&mut agent.told_before);
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
    for (interface, key) in &before {
        fleet.owners.remove_key(Told::Before, from, (no, interface), *key);
        fleet.owners.add_key(Told::Before, to, (no, interface), *key);
        affected.push(Claim::Key(*key));
    }
    if let Some(agent) = fleet.agents.get_mut(&no) {
        (agent.claims, agent.told_before) = (claims, before);
    }
    relink(fleet, draft, &affected);
    for key in &peers {
        edges::link(fleet, draft, no, key);
    }
}

fn replace(fleet: &mut Fleet, draft: &mut Draft, no: AgentNo, now: &Claims) {
    let mut affected = swap(fleet, no, now);
    let tells_again =
        |(interface, _): &PeerKey| now.get(&**interface).is_some_and(|is| is.key.is_some());
    forget(fleet, no, tells_again, &mut affected);
    remember(fleet, no, &affected);
    relink(fleet, draft, &affected);
}

/// Exchanges an agent's claims; answers what has other owners now.
fn swap(fleet: &mut Fleet, no: AgentNo, now: &Claims) -> Vec<Claim> {
    let Some(agent) = fleet.agents.get_mut(&no) else { return Vec::new() };
    let space = agent.record.fleet.clone();
    let before = std::mem::replace(&mut agent.claims, now.clone());
    let mut affected = Vec::new();
    let differs = |a: &Claims, b: &Claims| -> Claims {
        a.iter()
            .filter(|(name, claimed)| b.get(*name) != Some(*claimed))
            .map(|(name, claimed)| (name.clone(), claimed.clone()))
            .collect()
    };
    drop_claims(fleet, no, &space, &differs(&before, now), &mut affected);
    add_claims(fleet, no, &space, &differs(now, &before), &mut affected);
    affected
}

/// Takes keys that an agent told before out of the index.
fn forget(
    fleet: &mut Fleet,
    no: AgentNo,
    which: impl Fn(&PeerKey) -> bool,
    affected: &mut Vec<Claim>,
) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    let space = agent.record.fleet.clone();
    for (interface, key) in agent.told_before.extract_if(.., |one| which(one)) {
        fleet.owners.remove_key(Told::Before, &space, (no, &interface), key);
        affected.push(Claim::Key(key));
    }
}

/// Keeps the keys that peer entries know an agent's interfaces by, where it tells none for them
/// any more and nothing else leads anywhere better.
fn remember(fleet: &mut Fleet, no: AgentNo, affected: &[Claim]) {
    let names: BTreeSet<PeerName> =
        affected.iter().flat_map(|claim| fleet.owners.affected_by(claim)).collect();
    for name in names {
        let entry: PeerKey = (name.interface.as_str().into(), name.key);
        if let Some((owner, interface)) = other_end(fleet, name.agent, &entry)
            && owner == no
        {
            remember_one(fleet, name.agent, &entry, (no, interface));
        }
    }
}

/// The agent and interface that a peer entry is tied to.
fn other_end(fleet: &Fleet, no: AgentNo, entry: &PeerKey) -> Option<(AgentNo, String)> {
    let mem = fleet.agents.get(&no)?.peers.get(entry)?;
    let end = fleet.edges.get(mem.edge.as_ref()?)?.record.ends.get(1 - mem.side)?;
    Some((end.agent?, end.interface.clone()?))
}

fn remember_one(fleet: &mut Fleet, lister: AgentNo, entry: &PeerKey, at: (AgentNo, String)) {
    let (no, interface) = at;
    if fleet.key_of(no, &interface).is_some() {
        return;
    }
    let Some(agent) = fleet.agents.get(&lister) else { return };
    let Some(mem) = agent.peers.get(entry) else { return };
    let leads_on = match fleet.owners.resolve(&agent.record.fleet, lister, &mem.peer) {
        OtherEnd::External { .. } => false,
        OtherEnd::Agent { found_by: FoundBy::Key | FoundBy::KeyBefore, .. } => true,
        OtherEnd::Agent { no: other, interface, found_by: FoundBy::Address, .. } => {
            other == no && is_wireguard(fleet, no, &interface)
        }
    };
    let Some(owner) = fleet.agents.get_mut(&no).filter(|_| !leads_on) else { return };
    let space = owner.record.fleet.clone();
    owner.told_before.insert((interface.as_str().into(), entry.1));
    fleet.owners.add_key(Told::Before, &space, (no, &interface), entry.1);
}

fn is_wireguard(fleet: &Fleet, no: AgentNo, interface: &str) -> bool {
    let claimed = fleet.agents.get(&no).and_then(|agent| agent.claims.get(interface));
    claimed.is_some_and(|claimed| claimed.wireguard)
}

/// Forgets who told a key before where no peer entry is tied to them by it any more.
pub(super) fn forget_unused(fleet: &mut Fleet, key: &WgKey) {
    for (no, interface) in fleet.owners.told_before(key) {
        let is_tied = fleet.owners.listers_of(key).any(|(lister, on)| {
            let entry: PeerKey = (on.into(), *key);
            other_end(fleet, lister, &entry).is_some_and(|end| (end.0, &end.1) == (no, &interface))
        });
        if !is_tied {
            let one: PeerKey = (interface.into(), *key);
            forget(fleet, no, |other| *other == one, &mut Vec::new());
        }
    }
}

/// Finds again, from the edges that were stored, the keys that interfaces told before.
pub(super) fn recall(fleet: &mut Fleet) {
    let entries = fleet.agents.iter().flat_map(|(no, agent)| {
        agent.peers.keys().filter_map(|entry| {
            let at = other_end(fleet, *no, entry)?;
            fleet.key_of(at.0, &at.1).is_none().then(|| (*no, entry.clone(), at))
        })
    });
    let entries: Vec<_> = entries.collect();
    for (lister, entry, at) in entries {
        remember_one(fleet, lister, &entry, at);
    }
}

/// Puts what an agent claims into the index without tying anything: for the start, once its peers
/// are known.
pub(super) fn restore(fleet: &mut Fleet, no: AgentNo) {
    let Some(agent) = fleet.agents.get_mut(&no) else { return };
    for (interface, _) in agent.peers.keys() {
        if let Some(claimed) = agent.claims.get_mut(interface) {
            claimed.wireguard = true;
        }
    }
    let (space, claims) = (agent.record.fleet.clone(), std::mem::take(&mut agent.claims));
    add_claims(fleet, no, &space, &claims, &mut Vec::new());
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
    for (interface, claimed) in claims.iter() {
        if let Some(key) = claimed.key {
            fleet.owners.add_key(Told::Now, space, (no, interface), key);
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
    for (interface, claimed) in claims.iter() {
        if let Some(key) = claimed.key {
            fleet.owners.remove_key(Told::Now, space, (no, interface), key);
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
    let mut keys: BTreeSet<WgKey> = names.iter().map(|name| name.key).collect();
    keys.extend(claims.iter().filter_map(|claim| match claim {
        Claim::Key(key) => Some(key),
        Claim::Address(..) => None,
    }));
    for name in names {
        let key: PeerKey = (name.interface.as_str().into(), name.key);
        edges::link(fleet, draft, name.agent, &key);
        super::report::store_peer(fleet, draft, name.agent, &key);
    }
    for key in &keys {
        forget_unused(fleet, key);
    }
}
