//! Which two ends are one edge: who owns the key, or else the address, that a peer entry names.
//!
//! [`Owners`] is told of every key, address and peer entry as they come and go, and says in turn
//! which peer entries a change concerns, so that a report costs what it changes and not what
//! the fleet is. It holds no evidence and judges nothing.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::id::{AgentId, AgentNo, FleetId};
use crate::model::key::WgKey;
use crate::model::report::Peer;

use super::few::Few;
use super::intern::Interner;

/// The other end of a peer entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherEnd {
    /// An agent's interface.
    Agent {
        /// The agent.
        no: AgentNo,
        /// Its interface.
        interface: String,
        /// What led there.
        found_by: FoundBy,
        /// How many agents answer to the same key or address; over 1 the lowest number was
        /// taken, and somebody should look.
        claimants: usize,
    },
    /// A key that no agent owns.
    External {
        /// The key.
        key: WgKey,
    },
}

/// What led to the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// The peer's key is the interface's own.
    Key,
    /// One of the peer's allowed ips is the interface's address.
    Address,
    /// The peer's key was the interface's own when its agent last told one for it.
    KeyBefore,
}

/// Since when an interface has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Its agent tells it now.
    Now,
    /// Its agent told it, and tells no other for this interface since. It counts where nobody
    /// tells the key now.
    Before,
}

/// Something whose owners changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// A WireGuard key.
    Key(WgKey),
    /// An address within a fleet.
    Address(FleetId, IpAddr),
}

/// A peer entry by name: who lists it, on which interface, under which key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerName {
    /// The agent that lists the peer.
    pub agent: AgentNo,
    /// On which interface.
    pub interface: String,
    /// The peer's key.
    pub key: WgKey,
}

/// One end of an edge by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointName<'a> {
    /// An agent's interface.
    Agent {
        /// Its fleet.
        fleet: &'a FleetId,
        /// The agent.
        id: &'a AgentId,
        /// The interface.
        interface: &'a str,
    },
    /// A key without an agent, one node per fleet and key.
    External {
        /// The fleet that lists it.
        fleet: &'a FleetId,
        /// The key.
        key: WgKey,
    },
}

impl fmt::Display for EndpointName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent { fleet, id, interface } => write!(f, "{fleet}|{id}|{interface}"),
            Self::External { fleet, key } => write!(f, "{fleet}|key:{key}"),
        }
    }
}

/// The text whose digest names an edge: both ends' names, the smaller first, a line each.
pub fn edge_name(a: &EndpointName<'_>, b: &EndpointName<'_>) -> String {
    let (a, b) = (a.to_string(), b.to_string());
    if a <= b { format!("{a}\n{b}") } else { format!("{b}\n{a}") }
}

/// Whether an address can tell hosts apart: not loopback, link-local, multicast or unspecified.
pub fn names_a_host(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(link_local || address.is_loopback() || address.is_multicast() || address.is_unspecified())
}

/// The single address of a prefix, if it is one that names a host.
pub fn single_address(prefix: &IpNet) -> Option<IpAddr> {
    (prefix.prefix_len() == prefix.max_prefix_len() && names_a_host(prefix.addr()))
        .then(|| prefix.addr())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    agent: AgentNo,
    interface: u32,
}

/// `wireguard` sorts after the agent: the lowest agent decides, then its WireGuard interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Holder {
    agent: AgentNo,
    not_wireguard: bool,
    interface: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Lister {
    agent: AgentNo,
    interface: u32,
    key: u32,
}

/// Owners with their fleet, by key.
type Keys = HashMap<WgKey, Few<(u32, Owner)>>;

/// Who owns which key and address, and which peer entries name them.
///
/// About 16 bytes per entry in each of two maps: a million peer entries fit in 100 MB.
#[derive(Debug, Default)]
pub struct Owners {
    interfaces: Interner<Box<str>>,
    fleets: Interner<FleetId>,
    peer_keys: Interner<WgKey>,
    /// Own keys.
    keys: Keys,
    /// The same for keys that were told before.
    keys_before: Keys,
    addresses: HashMap<(u32, IpAddr), Few<Holder>>,
    waiting_for_key: HashMap<u32, Few<Lister>>,
    waiting_for_address: HashMap<(u32, IpAddr), Few<Lister>>,
}

impl Owners {
    /// An agent's interface tells its own key, or did.
    pub fn add_key(&mut self, told: Told, fleet: &FleetId, at: (AgentNo, &str), key: WgKey) {
        let (agent, interface) = at;
        let fleet = self.fleets.hold(fleet.clone());
        let owner = Owner { agent, interface: self.interfaces.hold(interface.into()) };
        if !self.keys_mut(told).entry(key).or_default().insert((fleet, owner)) {
            self.drop_names(fleet, owner.interface);
        }
    }

    /// The interface no longer counts as an owner of that key.
    pub fn remove_key(&mut self, told: Told, fleet: &FleetId, at: (AgentNo, &str), key: WgKey) {
        let Some((fleet, interface)) = self.names(fleet, at.1) else { return };
        if remove(self.keys_mut(told), &key, &(fleet, Owner { agent: at.0, interface })) {
            self.drop_names(fleet, interface);
        }
    }

    fn keys_mut(&mut self, told: Told) -> &mut Keys {
        match told {
            Told::Now => &mut self.keys,
            Told::Before => &mut self.keys_before,
        }
    }

    /// An agent's interface has an address. Addresses that cannot tell hosts apart are ignored.
    pub fn add_address(&mut self, fleet: &FleetId, at: &AddressOf<'_>) {
        if !names_a_host(at.address) {
            return;
        }
        let fleet = self.fleets.hold(fleet.clone());
        let interface = self.interfaces.hold(at.interface.into());
        let holder = Holder { agent: at.agent, not_wireguard: !at.wireguard, interface };
        if !self.addresses.entry((fleet, at.address)).or_default().insert(holder) {
            self.drop_names(fleet, interface);
        }
    }

    /// The interface no longer has the address; `wireguard` as when it was added.
    pub fn remove_address(&mut self, fleet: &FleetId, at: &AddressOf<'_>) {
        let Some((fleet, interface)) = self.names(fleet, at.interface) else { return };
        let holder = Holder { agent: at.agent, not_wireguard: !at.wireguard, interface };
        if remove(&mut self.addresses, &(fleet, at.address), &holder) {
            self.drop_names(fleet, interface);
        }
    }

    /// An agent lists a peer. One that is listed already must be removed first.
    pub fn add_peer(&mut self, fleet: &FleetId, agent: AgentNo, peer: &Peer) {
        let key = self.peer_keys.hold(peer.public_key);
        let interface = self.interfaces.hold(peer.interface.as_str().into());
        let lister = Lister { agent, interface, key };
        if !self.waiting_for_key.entry(key).or_default().insert(lister) {
            self.peer_keys.release(key);
            self.interfaces.release(interface);
        }
        for address in peer.allowed_ips.iter().filter_map(single_address) {
            let fleet = self.fleets.hold(fleet.clone());
            if !self.waiting_for_address.entry((fleet, address)).or_default().insert(lister) {
                self.fleets.release(fleet);
            }
        }
    }

    /// An agent no longer lists a peer, or lists it differently: `peer` as when it was added.
    pub fn remove_peer(&mut self, fleet: &FleetId, agent: AgentNo, peer: &Peer) {
        let Some(key) = self.peer_keys.find(&peer.public_key) else { return };
        let Some(interface) = self.interfaces.find(peer.interface.as_str()) else { return };
        let lister = Lister { agent, interface, key };
        for address in peer.allowed_ips.iter().filter_map(single_address) {
            let Some(fleet) = self.fleets.find(fleet) else { continue };
            if remove(&mut self.waiting_for_address, &(fleet, address), &lister) {
                self.fleets.release(fleet);
            }
        }
        if remove(&mut self.waiting_for_key, &key, &lister) {
            self.peer_keys.release(key);
            self.interfaces.release(interface);
        }
    }

    /// The other end of a peer entry that agent `me` of `fleet` lists.
    ///
    /// The owner of the key, in the same fleet if it is told in several; else who told the key
    /// before; else the holder of a single address among its allowed ips, in the same fleet,
    /// preferring WireGuard interfaces; never `me`; of several, the lowest agent number. Where
    /// the host that told the key before has the address on another WireGuard interface by now,
    /// that one has taken the old one's place.
    pub fn resolve(&self, fleet: &FleetId, me: AgentNo, peer: &Peer) -> OtherEnd {
        let fleet = self.fleets.find(fleet);
        let key = &peer.public_key;
        let before = || {
            let (owner, found) = self.by_key(Told::Before, fleet, me, key)?;
            let holders = self.holders(fleet?, me, &peer.allowed_ips);
            let heir = holders.into_iter().find(|h| h.agent == owner && !h.not_wireguard);
            let heir = heir.and_then(|heir| self.held_by(heir, 1));
            Some(heir.unwrap_or(found))
        };
        self.by_key(Told::Now, fleet, me, key)
            .map(|(_, found)| found)
            .or_else(before)
            .or_else(|| self.by_address(fleet?, me, &peer.allowed_ips))
            .unwrap_or(OtherEnd::External { key: peer.public_key })
    }

    /// Interfaces that told this key before, and whose agents tell no other for them since.
    pub fn told_before(&self, key: &WgKey) -> Vec<(AgentNo, String)> {
        let owners = self.keys_before.get(key).map(Few::as_slice).unwrap_or_default();
        let named = |owner: &Owner| {
            Some((owner.agent, self.interfaces.value(owner.interface)?.to_string()))
        };
        owners.iter().filter_map(|(_, owner)| named(owner)).collect()
    }

    /// Who lists this key as a peer, and on which interface.
    pub fn listers_of(&self, key: &WgKey) -> impl Iterator<Item = (AgentNo, &str)> {
        let listers = self.peer_keys.find(key).and_then(|key| self.waiting_for_key.get(&key));
        let named = |l: &Lister| Some((l.agent, &**self.interfaces.value(l.interface)?));
        listers.into_iter().flatten().filter_map(named)
    }

    /// The peer entries that must be resolved again when the owners of `claim` changed, sorted.
    pub fn affected_by(&self, claim: &Claim) -> Vec<PeerName> {
        let listers = match claim {
            Claim::Key(key) => {
                self.peer_keys.find(key).and_then(|key| self.waiting_for_key.get(&key))
            }
            Claim::Address(fleet, address) => self
                .fleets
                .find(fleet)
                .and_then(|fleet| self.waiting_for_address.get(&(fleet, *address))),
        };
        let mut names: Vec<_> =
            listers.into_iter().flatten().filter_map(|l| self.peer_name(l)).collect();
        names.sort_unstable();
        names
    }

    /// How many agents list this key as a peer.
    pub fn listers(&self, key: &WgKey) -> usize {
        let names = self.affected_by(&Claim::Key(*key)).into_iter();
        names.map(|name| name.agent).collect::<BTreeSet<_>>().len()
    }

    /// The agents that tell this key as an interface's own, lowest number first. More than one
    /// is a copied key.
    pub fn owners_of(&self, key: &WgKey) -> Vec<AgentNo> {
        let owners = self.keys.get(key).map(Few::as_slice).unwrap_or_default();
        owners.iter().map(|(_, o)| o.agent).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether another agent than `me` tells this key as an interface's own.
    pub fn is_owned_besides(&self, key: &WgKey, me: AgentNo) -> bool {
        self.keys
            .get(key)
            .is_some_and(|owners| owners.as_slice().iter().any(|(_, owner)| owner.agent != me))
    }

    /// The agents that have an address on a WireGuard interface, each with that interface.
    pub fn wireguard_holders(
        &self,
        fleet: &FleetId,
        address: IpAddr,
    ) -> impl Iterator<Item = (AgentNo, &str)> {
        let fleet = self.fleets.find(fleet);
        let holders = fleet.and_then(|fleet| self.addresses.get(&(fleet, address)));
        let wireguard = holders.into_iter().flatten().filter(|holder| !holder.not_wireguard);
        wireguard.filter_map(|h| Some((h.agent, &**self.interfaces.value(h.interface)?)))
    }

    fn by_key(
        &self,
        told: Told,
        fleet: Option<u32>,
        me: AgentNo,
        key: &WgKey,
    ) -> Option<(AgentNo, OtherEnd)> {
        let (keys, found_by) = match told {
            Told::Now => (&self.keys, FoundBy::Key),
            Told::Before => (&self.keys_before, FoundBy::KeyBefore),
        };
        let owners: Vec<_> =
            keys.get(key)?.as_slice().iter().filter(|(_, o)| o.agent != me).collect();
        let own_fleet = owners.iter().any(|(f, _)| Some(*f) == fleet);
        let eligible = || owners.iter().filter(|(f, _)| !own_fleet || Some(*f) == fleet);
        let best = eligible().map(|(_, o)| o).min()?;
        let claimants = eligible().map(|(_, o)| o.agent).collect::<BTreeSet<_>>().len();
        let interface = self.interfaces.value(best.interface)?.to_string();
        let no = best.agent;
        Some((no, OtherEnd::Agent { no, interface, found_by, claimants }))
    }

    fn by_address(&self, fleet: u32, me: AgentNo, allowed_ips: &[IpNet]) -> Option<OtherEnd> {
        let holders = self.holders(fleet, me, allowed_ips);
        // An address on a WireGuard interface is what allowed ips mean; elsewhere it is chance.
        let wireguard = holders.iter().any(|h| !h.not_wireguard);
        let eligible = || holders.iter().filter(|h| h.not_wireguard != wireguard);
        let claimants = eligible().map(|h| h.agent).collect::<BTreeSet<_>>().len();
        self.held_by(eligible().next()?, claimants)
    }

    /// Who holds one of the single addresses.
    fn holders(&self, fleet: u32, me: AgentNo, allowed_ips: &[IpNet]) -> BTreeSet<&Holder> {
        allowed_ips
            .iter()
            .filter_map(single_address)
            .filter_map(|address| self.addresses.get(&(fleet, address)))
            .flatten()
            .filter(|h| h.agent != me)
            .collect()
    }

    fn held_by(&self, holder: &Holder, claimants: usize) -> Option<OtherEnd> {
        let interface = self.interfaces.value(holder.interface)?.to_string();
        Some(OtherEnd::Agent { no: holder.agent, interface, found_by: FoundBy::Address, claimants })
    }

    fn peer_name(&self, lister: &Lister) -> Option<PeerName> {
        Some(PeerName {
            agent: lister.agent,
            interface: self.interfaces.value(lister.interface)?.to_string(),
            key: *self.peer_keys.value(lister.key)?,
        })
    }

    fn names(&self, fleet: &FleetId, interface: &str) -> Option<(u32, u32)> {
        Some((self.fleets.find(fleet)?, self.interfaces.find(interface)?))
    }

    fn drop_names(&mut self, fleet: u32, interface: u32) {
        self.fleets.release(fleet);
        self.interfaces.release(interface);
    }
}

/// An address of an agent's interface.
#[derive(Debug, Clone, Copy)]
pub struct AddressOf<'a> {
    /// The agent.
    pub agent: AgentNo,
    /// Its interface.
    pub interface: &'a str,
    /// Whether that is a WireGuard interface.
    pub wireguard: bool,
    /// The address, without its prefix length.
    pub address: IpAddr,
}

/// Removes from the sorted list of a key, and the list with its last item; `false` if it was
/// not there.
fn remove<K: Eq + std::hash::Hash, T: Copy + Ord>(
    map: &mut HashMap<K, Few<T>>,
    key: &K,
    item: &T,
) -> bool {
    let Some(list) = map.get_mut(key) else { return false };
    let was_there = list.remove(item);
    if list.is_empty() {
        map.remove(key);
    }
    was_there
}

#[cfg(test)]
mod tests;
