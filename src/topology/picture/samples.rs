//! Nodes and links of which a test says only what it is about.

use super::{Edge, End, Node, NodeKind};
use crate::model::id::FleetId;
use crate::model::path::RelayPath;
use crate::model::state::{EdgeState, EndState};
use crate::model::time::UnixSeconds;

/// An agent that is called by its id.
pub(crate) fn node(id: &str) -> Node {
    Node {
        id: id.to_owned(),
        kind: NodeKind::Agent,
        role: "agent".to_owned(),
        agent_id: None,
        label: id.to_owned(),
        status: None,
        fleet_id: FleetId::unnamed(),
        site: String::new(),
        x: 0.0,
        y: 0.0,
        seen_at: None,
        alarms: 0,
        addresses: Vec::new(),
        relay_path: RelayPath::direct(),
        maintenance_until: None,
    }
}

/// An end that is up and tells nothing else.
pub(crate) fn end() -> End {
    End {
        agent_id: None,
        interface: None,
        public_key: None,
        state: EndState::Up,
        latest_handshake: None,
        rx_bytes: None,
        tx_bytes: None,
        endpoint: None,
        allowed_ips: Vec::new(),
        persistent_keepalive: None,
        measured_at: None,
    }
}

/// A link that is up.
pub(crate) fn edge(id: &str, [source, target]: [&str; 2]) -> Edge {
    Edge {
        id: id.to_owned(),
        source: source.to_owned(),
        target: target.to_owned(),
        edge_type: "wireguard",
        state: EdgeState::Up,
        reason: "up".to_owned(),
        judged_at: UnixSeconds(0),
        since: UnixSeconds(0),
        ends: [end(), end()],
    }
}
