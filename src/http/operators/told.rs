//! What an agent said at a time: its last report received by then, read back. Addresses, endpoints,
//! handshakes and counters of the past are known from nowhere else.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::past::time;
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{Id, Params};
use crate::http::present;
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::{AgentId, ReportId};
use crate::model::key::WgKey;
use crate::model::report::{Interface, Peer, Route};
use crate::model::time::UnixSeconds;
use crate::store::{Reader, StoreError};
use crate::topology::picture::{Edge, End};
use crate::verify::shelf::Shelf;

/// `GET /api/v1/agents/{id}/told`: when.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// The time.
    #[serde(default)]
    at: String,
}

/// What an agent's last report by a time said.
#[derive(Debug, Clone, Serialize)]
pub struct ToldView {
    /// The agent.
    pub agent_id: AgentId,
    /// The report.
    pub report_id: ReportId,
    /// When the manager took it.
    pub received_at: UnixSeconds,
    /// When its values were read, on the host's clock; the handshakes are by this clock.
    pub measured_at: UnixSeconds,
    /// Interfaces with addresses and counters; absent if it did not tell them.
    pub interfaces: Option<Vec<Interface>>,
    /// Routes; absent if it did not tell them.
    pub routes: Option<Vec<Route>>,
    /// WireGuard peers with endpoints, handshakes and counters; absent if it did not tell them.
    pub peers: Option<Vec<Peer>>,
}

/// The last report that was received by a time, if it is still kept and can be read.
pub fn told(
    from: (&dyn Reader, &Shelf),
    id: &AgentId,
    at: UnixSeconds,
) -> Result<Option<ToldView>, StoreError> {
    let Some((summary, said)) = present::said_by(from, id, at)? else { return Ok(None) };
    Ok(Some(ToldView {
        agent_id: id.clone(),
        report_id: summary.id,
        received_at: summary.received_at,
        measured_at: summary.collected_at.unwrap_or(summary.timestamp),
        interfaces: said.interfaces,
        routes: said.routes,
        peers: said.peers,
    }))
}

/// `GET /api/v1/agents/{id}/told`.
pub async fn at(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<AgentId>,
    Params(asked): Params<Asked>,
) -> Result<Json<ToldView>, ApiError> {
    let at = time(&asked.at)?;
    let shelf = Arc::clone(state.whole().shelf());
    let found = state.read(&caller.lens, move |store| told((store, &shelf), &id, at)).await?;
    found.map(Json).ok_or_else(|| ApiError::not_found("report of this agent by then, still kept"))
}

/// A link of the past with what its ends said of each other at the time, as far as that is kept.
pub async fn filled(
    (state, lens): (&AppState, &Lens),
    edge: &Edge,
    at: UnixSeconds,
) -> Result<Edge, ApiError> {
    let (mut edge, shelf) = (edge.clone(), Arc::clone(state.whole().shelf()));
    state
        .read(lens, move |store| {
            let [a, b] = edge.ends.clone();
            for (end, other) in edge.ends.iter_mut().zip([b, a]) {
                let Some(agent) = &end.agent_id else { continue };
                let Some(told) = told((store, &shelf), agent, at)? else { continue };
                if let Some(peer) = told.of(end.interface.as_deref(), other.public_key) {
                    say(end, peer, told.measured_at);
                }
            }
            Ok(edge)
        })
        .await
}

impl ToldView {
    /// What it said of the peer of a key on an interface.
    fn of(&self, interface: Option<&str>, key: Option<WgKey>) -> Option<&Peer> {
        let is = |peer: &&Peer| {
            Some(peer.interface.as_str()) == interface && Some(peer.public_key) == key
        };
        self.peers.iter().flatten().find(is)
    }
}

fn say(end: &mut End, peer: &Peer, measured_at: UnixSeconds) {
    end.latest_handshake = Some(peer.latest_handshake);
    end.rx_bytes = Some(peer.rx_bytes);
    end.tx_bytes = Some(peer.tx_bytes);
    end.endpoint.clone_from(&peer.endpoint);
    end.allowed_ips = peer.allowed_ips.iter().map(ToString::to_string).collect();
    end.persistent_keepalive = Some(peer.persistent_keepalive);
    end.measured_at = Some(measured_at);
}
