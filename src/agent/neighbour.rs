//! The way to other agents: their doors on WireGuard addresses. Plain HTTP inside the tunnel,
//! never through a proxy, and never for longer than a neighbour may take.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, FleetId};

use super::client::{Reply, WayError, builder, kind_of, no_tls};

/// A neighbour that is there answers within the tunnel's round trip.
const CONNECT: Duration = Duration::from_secs(2);

/// For the whole question who a neighbour is.
const ASK: Duration = Duration::from_secs(3);

/// For a report on its way through one relay: what an agent gives its manager, and some more.
const LAST_HOP_SECONDS: u64 = 23;

/// Each further relay may take that much longer.
const HOP_SECONDS: u64 = 3;

/// How an agent reaches the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// Not at all, or it has not tried yet.
    None,
    /// By itself.
    Direct,
    /// Through other agents.
    Relay,
}

/// The answer to `GET /status/peer`: what a neighbour needs to choose a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Who answers.
    pub agent_id: AgentId,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// Its program.
    #[serde(default)]
    pub agent_version: String,
    /// Whether it passes reports on.
    pub relays: bool,
    /// How it reaches the manager.
    pub reach: Reach,
    /// How many relays are between it and the manager.
    pub hops: usize,
    /// Which, the nearest first.
    pub path: Vec<AgentId>,
    /// For how long it has been so, in seconds.
    pub for_seconds: i64,
}

/// An HTTP client for neighbours.
#[derive(Debug, Clone)]
pub struct Neighbours(Client);

impl Neighbours {
    /// Sets up; nothing is sent yet.
    pub fn new() -> Result<Self, WayError> {
        // A connection of its own for each: neighbours come and go with their tunnels.
        let builder = builder(no_tls()?).connect_timeout(CONNECT).pool_max_idle_per_host(0);
        builder.build().map(Self).map_err(|error| WayError::Client(error.to_string()))
    }

    /// Asks who is there and how it reaches the manager; `None` if nobody answers as an agent.
    pub async fn ask(&self, at: SocketAddr) -> Option<PeerStatus> {
        let request = self.0.get(format!("http://{at}/status/peer")).timeout(ASK);
        let reply = Reply::of(request.send().await.ok()?).await.ok()?;
        serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)
    }

    /// Has an envelope passed on by a neighbour, behind which are so many relays.
    pub async fn relay(
        &self,
        at: SocketAddr,
        behind: usize,
        envelope: Bytes,
    ) -> Result<Reply, reqwest::Error> {
        let behind = u64::try_from(behind).unwrap_or(0);
        let limit = Duration::from_secs(LAST_HOP_SECONDS + HOP_SECONDS * behind);
        let request = self.0.post(format!("http://{at}/status/relay")).timeout(limit);
        let request = request.header(CONTENT_TYPE, kind_of(&envelope)).body(envelope);
        Reply::of(request.send().await?).await
    }
}
