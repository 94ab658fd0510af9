//! Ways through the network, worked out from what hosts report: from a host to an address and
//! back, and who carries a prefix.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{self, Params};
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::mask::Lens;
use crate::model::id::{AgentId, EdgeId, FleetId};
use crate::model::key::WgKey;
use crate::model::report::Route;
use crate::model::state::AgentStatus;
use crate::process::summary::AgentSummary;
use crate::store::carrier::{Carrier, CarrierFilter, Carries};
use crate::store::row::AgentDetail;
use crate::store::{Reader, StoreError};
use crate::topology::edge_match::names_a_host;
use crate::topology::path::host::Host;
use crate::topology::path::{Atlas, Journey, explain};
use crate::topology::picture::Edge;
use crate::wire::codes::ErrorCode;

/// `GET /api/v1/path`: from where to where.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct PathQuery {
    /// An agent, by id, host name or one of its addresses.
    #[serde(default)]
    pub from: String,
    /// An address, or an agent.
    #[serde(default)]
    pub to: String,
    /// The source address, if it is not the one that the first host would take.
    #[serde(default)]
    pub source: String,
}

/// The way there, and back if there is an agent at its end.
#[derive(Debug, Serialize)]
pub struct PathView {
    /// The way there.
    pub there: Journey,
    /// The way of the answer; `null` if no agent has the address, or there is no source address.
    pub back: Option<Journey>,
}

/// `GET /api/v1/carriers`: which prefix, where.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct CarriersQuery {
    /// An address or a prefix.
    #[serde(default)]
    pub net: String,
    /// Only in this fleet.
    pub fleet_id: Option<FleetId>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// One host and what it has of a prefix.
#[derive(Debug, Clone, Serialize)]
pub struct CarrierView {
    /// The host.
    pub agent_id: AgentId,
    /// Its name.
    pub hostname: Option<String>,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// `address`, `route` or `allowed_ip`.
    pub kind: &'static str,
    /// Its address, the route's destination, or the entry of the allowed IPs.
    pub prefix: IpNet,
    /// The interface of the address, the route or the peer.
    pub interface: Option<String>,
    /// The route.
    pub route: Option<Route>,
    /// The peer that may use the prefix.
    pub public_key: Option<WgKey>,
}

impl From<Carrier> for CarrierView {
    fn from(carrier: Carrier) -> Self {
        let (kind, prefix, interface, route, public_key) = match carrier.how {
            Carries::Address { interface, address } => {
                ("address", address, Some(interface), None, None)
            }
            Carries::Route(route) => ("route", route.dst, route.dev.clone(), Some(route), None),
            Carries::AllowedIp { interface, public_key, net } => {
                ("allowed_ip", net, Some(interface), None, Some(public_key))
            }
        };
        let Carrier { agent_id, hostname, fleet_id, .. } = carrier;
        Self { agent_id, hostname, fleet_id, kind, prefix, interface, route, public_key }
    }
}

/// `GET /api/v1/path`.
pub async fn path(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<PathQuery>,
) -> Result<Json<PathView>, ApiError> {
    find((&state, &caller.lens), &query).await.map(Json)
}

/// `GET /api/v1/carriers`.
pub async fn carriers(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<CarriersQuery>,
) -> Result<Json<Vec<CarrierView>>, ApiError> {
    let found = carry((&state, &caller.lens), &query).await?;
    Ok(Json(found.into_iter().map(CarrierView::from).collect()))
}

/// Who carries a prefix.
pub async fn carry(
    (state, lens): (&AppState, &Lens),
    query: &CarriersQuery,
) -> Result<Vec<Carrier>, ApiError> {
    let filter = CarrierFilter {
        fleet: query.fleet_id.clone(),
        net: prefix(&query.net)?,
        addresses_only: false,
        limit: params::rows(query.limit),
    };
    state.read(lens, move |store| store.carriers(&filter)).await
}

fn prefix(text: &str) -> Result<IpNet, ApiError> {
    let text = text.trim();
    let net = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.map(|net: IpNet| net.trunc()).ok_or_else(|| {
        ApiError::bad_request("Give `net` as an address or a prefix, such as 10.1.0.0/16.")
    })
}

/// The way from a host to an address, and back.
pub async fn find(
    (state, lens): (&AppState, &Lens),
    query: &PathQuery,
) -> Result<PathView, ApiError> {
    let query = query.clone();
    let seen = state.seen(lens);
    state.read(lens, move |store| Ok(answer(&seen, store, &query))).await?
}

fn answer(seen: &Seen, store: &dyn Reader, query: &PathQuery) -> Result<PathView, ApiError> {
    let from = agent(seen, store, "from", &query.from)?;
    let mut desk = Desk { store, seen, fleet: from.fleet_id.clone() };
    let to = target(&mut desk, &query.to)?;
    let source = match query.source.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_not_an_address| {
            ApiError::bad_request("Give `source` as an address, or leave it out.")
        })?),
    };
    let there = explain(&mut desk, &from.agent_id, to, source)?;
    let holder = desk.holder(to)?;
    let back = match (holder, there.source) {
        (Some(holder), Some(source)) => Some(explain(&mut desk, &holder, source, Some(to))?),
        _ => None,
    };
    Ok(PathView { there, back })
}

/// The agent that a text names: by id, by host name if there is one of that name, or by an
/// address.
fn agent(
    seen: &Seen,
    store: &dyn Reader,
    what: &str,
    text: &str,
) -> Result<AgentSummary, ApiError> {
    let text = text.trim();
    if text.is_empty() {
        let detail = format!("Give `{what}`: an agent's id, its host name or an address.");
        return Err(ApiError::bad_request(detail));
    }
    let id: Option<AgentId> = text.parse().ok();
    if let Some(known) = id.and_then(|id| seen.agent(&id)) {
        return Ok(known);
    }
    let mut named = seen.agents();
    named.retain(|agent| agent.hostname.as_deref() == Some(text));
    match (named.pop(), named.is_empty()) {
        (Some(only), true) => return Ok(only),
        (Some(_), false) => {
            let detail = format!("Several hosts are called {text}: give the agent's id.");
            return Err(ApiError::bad_request(detail));
        }
        (None, _) => {}
    }
    let holder = match text.parse::<IpAddr>() {
        Ok(address) => holder(store, None, address)?,
        Err(_not_an_address) => None,
    };
    holder.and_then(|id| seen.agent(&id)).ok_or_else(|| {
        ApiError::new(ErrorCode::AgentNotFound, format!("No agent is called {text} or has it."))
    })
}

/// The address that a text names: itself, or the first of an agent's, those of its WireGuard
/// interfaces before others.
fn target(desk: &mut Desk<'_>, text: &str) -> Result<IpAddr, ApiError> {
    if let Ok(address) = text.trim().parse() {
        return Ok(address);
    }
    let known = agent(desk.seen, desk.store, "to", text)?;
    let host = desk.host(&known.agent_id)?;
    let address = host.and_then(|host| {
        let mut interfaces = host.interfaces;
        interfaces.sort_by_key(|interface| interface.public_key.is_none());
        let mut all = interfaces.into_iter().flat_map(|interface| interface.addresses);
        all.find(|net| names_a_host(net.addr())).map(|net| net.addr())
    });
    address.ok_or_else(|| {
        ApiError::bad_request(format!("{text} reports no address: give one in `to`."))
    })
}

fn holder(
    store: &dyn Reader,
    fleet: Option<&FleetId>,
    address: IpAddr,
) -> Result<Option<AgentId>, StoreError> {
    let filter = CarrierFilter {
        fleet: fleet.cloned(),
        net: IpNet::from(address),
        addresses_only: true,
        limit: 1,
    };
    Ok(store.carriers(&filter)?.pop().map(|carrier| carrier.agent_id))
}

/// Committed state, as the way is followed through it.
struct Desk<'a> {
    store: &'a dyn Reader,
    seen: &'a Seen,
    fleet: FleetId,
}

impl Atlas for Desk<'_> {
    type Error = StoreError;

    fn host(&mut self, id: &AgentId) -> Result<Option<Host>, StoreError> {
        let detail = self.store.agent(id)?.filter(|detail| !detail.agent.forgotten);
        Ok(detail.map(host))
    }

    fn holder(&mut self, address: IpAddr) -> Result<Option<AgentId>, StoreError> {
        if !names_a_host(address) {
            return Ok(None);
        }
        holder(self.store, Some(&self.fleet), address)
    }

    fn link(&mut self, id: &EdgeId) -> Option<Edge> {
        self.seen.edge(id.as_str())
    }
}

fn host(detail: AgentDetail) -> Host {
    let AgentDetail { agent, interfaces, routes, peers, .. } = detail;
    Host {
        name: agent.hostname.unwrap_or_else(|| agent.id.to_string()),
        reporting: agent.status == AgentStatus::Online,
        id: agent.id,
        interfaces,
        routes,
        peers,
    }
}
