//! Agents: the list, one in full, and letting one in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::{Id, Params};
use crate::http::present;
use crate::http::state::AppState;
use crate::http::state::seen;
use crate::keys::ring::Generation;
use crate::model::id::{AgentId, EdgeId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::path::RelayPath;
use crate::model::report::{Interface, Peer, Problem, Route};
use crate::model::state::{AgentStatus, CanonForm, EdgeState, IdentityState, PinnedHow, Scheme};
use crate::model::time::UnixSeconds;
use crate::process::handle::{Command, CommandError};
use crate::process::summary::Identity;
use crate::sign::ed25519::fingerprint;
use crate::store::change::AgentRecord;
use crate::store::identity::IdentityRecord;
use crate::store::row::AlarmFilter;
use crate::store::site::{SiteSet, SiteWish};
use crate::wire::codes::ErrorCode;

use super::alarms::AlarmView;
use super::{Acknowledged, OK};

/// Alarms shown with an agent.
const ALARMS: usize = 200;

/// An agent and everything it reports.
#[derive(Debug, Serialize)]
pub struct AgentView {
    /// Its name.
    pub agent_id: AgentId,
    /// Its host's name.
    pub hostname: Option<String>,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// Its program's version.
    pub agent_version: Option<String>,
    /// How the manager sees it.
    pub status: AgentStatus,
    /// Since when.
    pub status_since: UnixSeconds,
    /// When it was first accepted.
    pub registered_at: UnixSeconds,
    /// When its last report was received.
    pub last_seen_at: Option<UnixSeconds>,
    /// Its last tick.
    pub last_tick: Option<i64>,
    /// How its last report was signed.
    pub scheme: Option<Scheme>,
    /// Which bytes its version 1 signature covers.
    pub form: Option<CanonForm>,
    /// Which key signed its last report.
    pub kid: Option<Kid>,
    /// `current`, `previous` or `older`: how old that key is; absent if it is not known.
    pub key_generation: Option<&'static str>,
    /// Changes with every boot.
    pub boot_id: Option<String>,
    /// Seconds since the host booted.
    pub uptime_seconds: Option<u64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The site that somebody gave it in place of its host's; `null`: nobody did.
    pub site_set: Option<SiteSet>,
    /// What its last report said that could not be understood.
    pub problems: Vec<Problem>,
    /// Its clock minus the manager's, in seconds.
    pub clock_offset: i64,
    /// The way its last report took.
    #[serde(flatten)]
    pub relay_path: RelayPath,
    /// Seconds that its last report took from each signature to the next, by everybody's own clock:
    /// to the first relay, and so on, and from the last to the manager. Empty if it came straight, or
    /// if no relay signed.
    pub relay_delays: Vec<i64>,
    /// Whether it may pass on what others report, as far as admins are concerned.
    pub may_relay: bool,
    /// Agents whose last report came through this one.
    pub relays_for: Vec<AgentId>,
    /// Where its last report came from.
    pub source: Option<IpAddr>,
    /// Its own key, in force or waiting for an admin.
    pub identity: Option<Identity>,
    /// All its own keys, past ones included, oldest first.
    pub identities: Vec<IdentityView>,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its WireGuard peers.
    pub peers: Vec<PeerView>,
    /// Its alarms that are not cleared.
    pub alarms: Vec<AlarmView>,
}

/// A key of an agent's own, past or present.
#[derive(Debug, Serialize)]
pub struct IdentityView {
    /// The Ed25519 public key in base64url.
    pub public_key: IdentityKey,
    /// Its name.
    pub kid: Kid,
    /// Its SHA-256, 64 hexadecimal digits.
    pub fingerprint: String,
    /// `pending`, `pinned`, `retired` or `refused`.
    pub state: IdentityState,
    /// `tofu`, `approved` or `rotated`.
    pub how: PinnedHow,
    /// When it was asked for.
    pub registered_at: UnixSeconds,
    /// When it came into force.
    pub pinned_at: Option<UnixSeconds>,
    /// When it went out of force or was turned down.
    pub retired_at: Option<UnixSeconds>,
    /// When its agent was taken out of service.
    pub revoked_at: Option<UnixSeconds>,
    /// Address it was asked for from.
    pub source: Option<IpAddr>,
}

impl From<IdentityRecord> for IdentityView {
    fn from(row: IdentityRecord) -> Self {
        Self {
            public_key: row.public_key,
            kid: row.kid,
            fingerprint: fingerprint(&row.public_key),
            state: row.state,
            how: row.how,
            registered_at: row.registered_at,
            pinned_at: row.pinned_at,
            retired_at: row.retired_at,
            revoked_at: row.revoked_at,
            source: row.source,
        }
    }
}

/// A peer with the link it is an end of.
#[derive(Debug, Serialize)]
pub struct PeerView {
    /// What the agent says of it.
    #[serde(flatten)]
    pub peer: Peer,
    /// The link.
    pub edge_id: EdgeId,
    /// The verdict on it.
    pub state: Option<EdgeState>,
    /// Who is at the other end.
    pub other: Option<OtherEnd>,
}

/// The node at the other end of a link.
#[derive(Debug, Serialize)]
pub struct OtherEnd {
    /// Its id on the map.
    pub node: String,
    /// Its name for people.
    pub label: String,
    /// The agent there, if there is one.
    pub agent_id: Option<AgentId>,
}

/// `GET /api/v1/agents/{id}`.
pub async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<AgentId>,
) -> Result<Json<AgentView>, ApiError> {
    let board = &state.seen(&caller.lens);
    let Some(summary) = board.agent(&id) else { return Err(unknown()) };
    let detail = state
        .read(&caller.lens, move |reader| {
            let filter =
                AlarmFilter { agent: Some(id.clone()), limit: ALARMS, ..AlarmFilter::default() };
            let last = present::last_report(reader, &id)?;
            Ok((reader.agent(&id)?, last, reader.alarms(&filter)?))
        })
        .await?;
    let (Some(mut detail), last, alarms) = detail else { return Err(unknown()) };
    present::bring_up_to_date(&mut detail, last.as_ref(), (board, state.whole().shelf()));
    let peers = detail.peers.into_iter();
    let peers =
        peers.map(|(peer, edge)| PeerView::new(board, &summary.agent_id, peer, edge)).collect();
    let generation = summary.kid.as_ref().and_then(|kid| state.keeper.ring().generation(kid));
    let AgentRecord { boot_id, uptime_seconds, load, labels, problems, source, site_set, .. } =
        detail.agent;
    Ok(Json(AgentView {
        agent_id: summary.agent_id,
        hostname: summary.hostname,
        fleet_id: summary.fleet_id,
        agent_version: summary.agent_version,
        status: summary.status,
        status_since: summary.status_since,
        registered_at: summary.registered_at,
        last_seen_at: summary.last_seen_at,
        last_tick: summary.last_tick,
        scheme: summary.scheme,
        form: summary.form,
        kid: summary.kid,
        key_generation: generation.map(generation_word),
        boot_id,
        uptime_seconds,
        load,
        labels,
        site_set,
        problems,
        clock_offset: summary.clock_offset,
        relay_path: summary.relay_path,
        relay_delays: present::delays(last.as_ref()),
        may_relay: summary.may_relay,
        relays_for: summary.relays_for,
        source,
        identity: summary.identity,
        identities: detail.identities.into_iter().map(IdentityView::from).collect(),
        interfaces: detail.interfaces,
        routes: detail.routes,
        peers,
        alarms: alarms.into_iter().map(|row| AlarmView::new(board, row)).collect(),
    }))
}

/// Which key an approval is for.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// The key whose fingerprint was compared; another one that waits by now is not let in.
    kid: Option<Kid>,
}

/// `POST /api/v1/agents/{id}/approve`.
pub async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    Params(seen): Params<Seen>,
) -> Result<Json<Acknowledged>, ApiError> {
    known(&state, &caller, &agent)?;
    state.command(Command::Approve { agent, kid: seen.kid, by: caller.name }).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/agents/{id}/refuse`.
pub async fn refuse(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Json<Acknowledged>, ApiError> {
    known(&state, &caller, &agent)?;
    state.command(Command::Refuse { agent, by: caller.name }).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/agents/{id}/revoke`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Json<Acknowledged>, ApiError> {
    known(&state, &caller, &agent)?;
    state.command(Command::Revoke { agent, by: caller.name }).await?;
    Ok(Json(OK))
}

/// Whether an agent may relay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Whether it may.
    pub allowed: bool,
}

/// `POST /api/v1/agents/{id}/relay`.
pub async fn relay(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    JsonBody(Permission { allowed }): JsonBody<Permission>,
) -> Result<Json<Acknowledged>, ApiError> {
    known(&state, &caller, &agent)?;
    state.command(Command::MayRelay { agent, allowed, by: caller.name }).await?;
    Ok(Json(OK))
}

/// Which agents are given which site.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sited {
    /// The agents, 1 to 500.
    pub agents: Vec<AgentId>,
    /// The site; `null`: as each host says.
    pub site: Option<String>,
}

/// Agents of one request at most.
const MOST_SITED: usize = 500;

/// Characters of a site's name at most.
const LONGEST_SITE: usize = 64;

impl Sited {
    /// Carries it out; answers of how many agents.
    ///
    /// # Errors
    /// If there are none or too many, one of them is not there, or no site can be called so.
    pub async fn carry_out(self, state: &AppState, caller: &Caller) -> Result<usize, ApiError> {
        let mut agents = self.agents;
        agents.sort_unstable();
        agents.dedup();
        let count = agents.len();
        if !(1..=MOST_SITED).contains(&count) {
            let detail = format!("Choose 1 to {MOST_SITED} agents.");
            return Err(ApiError::new(ErrorCode::InvalidField, detail));
        }
        let site = self.site.map(|site| site.trim().to_owned()).filter(|site| !site.is_empty());
        let is_odd = |site: &String| {
            site.chars().count() > LONGEST_SITE || site.chars().any(char::is_control)
        };
        if site.as_ref().is_some_and(is_odd) {
            let detail = format!("A site's name has 1 to {LONGEST_SITE} characters in one line.");
            return Err(ApiError::new(ErrorCode::InvalidField, detail));
        }
        agents.iter().try_for_each(|agent| known(state, caller, agent))?;
        state.command(Command::SetSite(SiteWish { agents, site, by: caller.name.clone() })).await?;
        Ok(count)
    }
}

/// `POST /api/v1/sites`.
pub async fn sites(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Sited>,
) -> Result<Json<Acknowledged>, ApiError> {
    wanted.carry_out(&state, &caller).await?;
    Ok(Json(OK))
}

/// Whoever does something about an agent must see it.
pub fn known(state: &AppState, caller: &Caller, agent: &AgentId) -> Result<(), ApiError> {
    // What the manager itself says of agents that are not there, it says better.
    let is_there = caller.lens.is_clear() || state.seen(&caller.lens).sees_agent(agent);
    if is_there { Ok(()) } else { Err(CommandError::AgentNotFound.into()) }
}

fn unknown() -> ApiError {
    ApiError::new(ErrorCode::AgentNotFound, "There is no such agent.")
}

const fn generation_word(generation: Generation) -> &'static str {
    match generation {
        Generation::Current => "current",
        Generation::Previous(1) => "previous",
        Generation::Previous(_) => "older",
    }
}

impl PeerView {
    fn new(board: &seen::Seen, agent: &AgentId, peer: Peer, edge_id: EdgeId) -> Self {
        let edge = board.edge(edge_id.as_str());
        let other = edge.as_ref().and_then(|edge| {
            let here = format!("a:{agent}");
            let id = if edge.source == here { &edge.target } else { &edge.source };
            let node = board.node(id)?;
            Some(OtherEnd { node: node.id, label: node.label, agent_id: node.agent_id })
        });
        Self { peer, edge_id, state: edge.map(|edge| edge.state), other }
    }
}
