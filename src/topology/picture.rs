//! The map as operators receive it: `GET /api/v1/topology`. Field names are the contract's.

use serde::Serialize;

use crate::model::id::{AgentId, FleetId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EdgeState, EndState};
use crate::model::time::UnixSeconds;

/// A whole map at one instant.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Picture {
    /// Version of this shape.
    pub v: u32,
    /// Names one run of the manager; a new epoch makes every earlier `seq` void.
    pub epoch: String,
    /// Counts the patches of this epoch.
    pub seq: u64,
    /// Counts the re-arrangements of the map.
    pub layout_rev: i64,
    /// When this picture was taken.
    pub generated_at: UnixSeconds,
    /// The same, by the name that it has in patches.
    pub t: UnixSeconds,
    /// The circles.
    pub sites: Vec<Site>,
    /// Agents and external peers.
    pub nodes: Vec<Node>,
    /// Links.
    pub edges: Vec<Edge>,
    /// Alarms that are active and not acknowledged.
    pub alarms_open: usize,
}

/// A group of nodes drawn as one circle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Site {
    /// `FLEET/NAME`.
    pub id: String,
    /// The name for people.
    pub label: String,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// Centre.
    pub x: f64,
    /// Centre.
    pub y: f64,
    /// Radius.
    pub r: f64,
    /// Nodes by status.
    pub counts: SiteCounts,
}

/// How many nodes of a site are in which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SiteCounts {
    /// Reporting.
    pub online: u32,
    /// Late.
    pub stale: u32,
    /// Down.
    pub offline: u32,
    /// Waiting for approval.
    pub pending: u32,
    /// Peers without an agent.
    pub external: u32,
}

impl SiteCounts {
    /// Counts one more.
    pub fn count(&mut self, node: &Node) {
        let slot = match (node.kind, node.status) {
            (NodeKind::External, _) => &mut self.external,
            (NodeKind::Agent, Some(AgentStatus::Online)) => &mut self.online,
            (NodeKind::Agent, Some(AgentStatus::Stale)) => &mut self.stale,
            (NodeKind::Agent, Some(AgentStatus::Pending)) => &mut self.pending,
            (NodeKind::Agent, Some(AgentStatus::Offline | AgentStatus::Retired) | None) => {
                &mut self.offline
            }
        };
        *slot += 1;
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A host with an agent.
    Agent,
    /// A peer's key that belongs to no agent.
    External,
}

/// An agent or an external peer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// `a:AGENT_ID` or `x:FLEET:KEY`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// `agent`, `gateway`, `relay` or `external`: its shape on the map.
    pub role: String,
    /// The agent, if it is one.
    pub agent_id: Option<AgentId>,
    /// Host name, else agent id, else the beginning of the key.
    pub label: String,
    /// The agent's status; `None` for external peers.
    pub status: Option<AgentStatus>,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// The site it is drawn in.
    pub site: String,
    /// Position.
    pub x: f64,
    /// Position.
    pub y: f64,
    /// When the agent's last report was received, as of the last change of this node.
    pub seen_at: Option<UnixSeconds>,
    /// Active alarms about this agent.
    pub alarms: u32,
    /// Its WireGuard addresses (or the allowed ips its peers give it), at most eight.
    pub addresses: Vec<String>,
    /// The way the agent's last report took.
    #[serde(flatten)]
    pub relay_path: RelayPath,
    /// Until when a maintenance window covers it, if one does.
    pub maintenance_until: Option<UnixSeconds>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edge {
    /// Its name.
    pub id: String,
    /// The node of `ends[0]`.
    pub source: String,
    /// The node of `ends[1]`.
    pub target: String,
    /// `wireguard`.
    pub edge_type: &'static str,
    /// The verdict.
    pub state: EdgeState,
    /// The verdict in one sentence.
    pub reason: String,
    /// When the sentence was judged, on the manager's clock: ages in it are as of then.
    pub judged_at: UnixSeconds,
    /// Since when the state holds.
    pub since: UnixSeconds,
    /// What each end says.
    pub ends: [End; 2],
}

/// What one end of a link says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct End {
    /// The agent at this end, if there is one.
    pub agent_id: Option<AgentId>,
    /// Its interface.
    pub interface: Option<String>,
    /// The key at this end.
    pub public_key: Option<WgKey>,
    /// What this end shows: its half of the drawn link.
    pub state: EndState,
    /// Last handshake on this host's clock, 0 = never; `None` if this end says nothing.
    pub latest_handshake: Option<UnixSeconds>,
    /// Bytes received from the other end.
    pub rx_bytes: Option<u64>,
    /// Bytes sent to the other end.
    pub tx_bytes: Option<u64>,
    /// Where this end sends to.
    pub endpoint: Option<String>,
    /// Addresses this end lets the other use.
    pub allowed_ips: Vec<String>,
    /// Seconds between keepalives, 0 = off.
    pub persistent_keepalive: Option<u16>,
    /// When the values were read, on this host's clock.
    pub measured_at: Option<UnixSeconds>,
}

#[cfg(test)]
pub(crate) mod samples;
