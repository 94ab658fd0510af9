//! Values that move with every report: kept in memory and written in batches, never alone.

use crate::model::id::{AgentNo, ReportId};
use crate::model::key::WgKey;
use crate::model::time::UnixSeconds;

/// What changes with every report and is therefore kept in memory and written in batches.
///
/// It can be lost without harm: at start, the reports after the last flush are read again.
#[derive(Debug, Clone, Default)]
pub struct DynamicState {
    /// Agents: number, last seen, last tick, uptime, clock offset.
    pub agents: Vec<AgentDynamic>,
    /// Peers: handshakes and counters.
    pub peers: Vec<PeerDynamic>,
}

/// Moving values on their way into the tables.
#[derive(Debug, Clone, Default)]
pub struct Flushed {
    /// The values. Agents and peers that are not stored are left out.
    pub state: DynamicState,
    /// Every report up to this one is contained in them.
    pub upto: ReportId,
}

/// The moving part of an agent's row.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentDynamic {
    /// Which agent.
    pub no: AgentNo,
    /// When its last report was received.
    pub last_seen_at: UnixSeconds,
    /// Its last tick.
    pub last_tick: Option<i64>,
    /// Host uptime in seconds.
    pub uptime_seconds: Option<u64>,
    /// Load averages.
    pub load: Option<[f64; 3]>,
    /// `timestamp` minus the manager's clock at receipt.
    pub clock_offset: i64,
}

/// The moving part of a peer's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerDynamic {
    /// The agent that lists the peer.
    pub agent: AgentNo,
    /// On which interface.
    pub interface: String,
    /// The peer's key.
    pub public_key: WgKey,
    /// Last handshake on the agent's clock.
    pub latest_handshake: UnixSeconds,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// When the values were read on the agent's clock.
    pub measured_at: UnixSeconds,
}
