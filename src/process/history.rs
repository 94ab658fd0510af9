//! Lines of history about a host's sections: the same whether a report tells of now or of the
//! past. Only writes events; what else a difference means is not decided here.

use serde_json::{Value, json};

use super::diff::{InterfaceDiff, RouteDiff};
use super::draft::{About, Draft};
use super::fleet::Fleet;
use crate::model::id::{AgentNo, FleetId};
use crate::model::report::{Interface, Peer};
use crate::model::state::EventKind;

/// Whose history is written.
#[derive(Debug, Clone)]
pub(super) struct Whose {
    /// The agent.
    pub(super) agent: AgentNo,
    /// Its fleet.
    pub(super) fleet: Option<FleetId>,
}

impl Whose {
    /// An agent of the fleet in memory.
    pub(super) fn of(fleet: &Fleet, no: AgentNo) -> Self {
        let space = fleet.agents.get(&no).map(|agent| agent.record.fleet.clone());
        Self { agent: no, fleet: space }
    }

    /// One thing of that agent.
    pub(super) fn about(&self, subject: String) -> About {
        About { fleet: self.fleet.clone(), agent: Some(self.agent), subject }
    }
}

/// Writes what happened to interfaces and their addresses.
pub(super) fn interfaces(draft: &mut Draft, whose: &Whose, found: &InterfaceDiff<'_>) {
    for interface in &found.added {
        let about = whose.about(interface.name.clone());
        draft.event(EventKind::InterfaceAdded, about, None, Some(json!(interface)));
    }
    for interface in &found.removed {
        let about = whose.about(interface.name.clone());
        draft.event(EventKind::InterfaceRemoved, about, Some(json!(interface)), None);
    }
    for changed in &found.changed {
        let about = || whose.about(changed.after.name.clone());
        for address in &changed.addresses_added {
            draft.event(EventKind::AddressAdded, about(), None, Some(json!(address)));
        }
        for address in &changed.addresses_removed {
            draft.event(EventKind::AddressRemoved, about(), Some(json!(address)), None);
        }
        if changed.properties {
            let (was, is) = (interface_facts(changed.before), interface_facts(changed.after));
            draft.event(EventKind::InterfaceChanged, about(), Some(was), Some(is));
        }
    }
}

/// What of an interface is structure: its addresses have events of their own.
fn interface_facts(interface: &Interface) -> Value {
    json!({
        "state": interface.state,
        "flags": interface.flags,
        "mtu": interface.mtu,
        "mac": interface.mac,
        "public_key": interface.public_key,
        "listen_port": interface.listen_port,
    })
}

/// Writes what happened to routes.
pub(super) fn routes(draft: &mut Draft, whose: &Whose, found: &RouteDiff<'_>) {
    for route in &found.added {
        let about = whose.about(route.dst.to_string());
        draft.event(EventKind::RouteAdded, about, None, Some(json!(route)));
    }
    for route in &found.removed {
        let about = whose.about(route.dst.to_string());
        draft.event(EventKind::RouteRemoved, about, Some(json!(route)), None);
    }
}

/// Writes what happened to one peer, if anything but moving values did; whether it did.
pub(super) fn peer(
    draft: &mut Draft,
    whose: &Whose,
    before: Option<&Peer>,
    after: Option<&Peer>,
) -> bool {
    let Some(named) = after.or(before) else { return false };
    let kind = match (before, after) {
        (None, _) => EventKind::PeerAdded,
        (Some(_), None) => EventKind::PeerRemoved,
        (Some(_), Some(_)) => EventKind::PeerChanged,
    };
    let (was, is) = (before.map(peer_facts), after.map(peer_facts));
    if was == is {
        return false;
    }
    let about = whose.about(format!("{}/{}", named.interface, named.public_key));
    draft.event(kind, about, was, is);
    true
}

/// What of a peer is structure: everything but what moves.
fn peer_facts(peer: &Peer) -> Value {
    json!({
        "endpoint": peer.endpoint,
        "allowed_ips": peer.allowed_ips,
        "persistent_keepalive": peer.persistent_keepalive,
        "has_psk": peer.has_psk,
    })
}
