//! Who agents are: those that wait for an admin, and the keys that all of them sign with.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::http::access::Caller;
use crate::http::state::AppState;
use crate::keys::ring::Generation;
use crate::mask::Lens;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::state::{AgentStatus, IdentityState, Scheme};
use crate::model::time::UnixSeconds;
use crate::process::summary::AgentSummary;

/// An agent, or an agent's key, that waits for an admin.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// Who.
    pub agent_id: AgentId,
    /// Its host's name, as it says.
    pub hostname: Option<String>,
    /// Its fleet, as it says.
    pub fleet_id: FleetId,
    /// What to compare with what the host says: the SHA-256 of its key; `null` for an agent that
    /// signs with the shared key.
    pub fingerprint: Option<String>,
    /// The key's name; an approval that carries it cannot let in another one.
    pub kid: Option<Kid>,
    /// The key.
    pub public_key: Option<IdentityKey>,
    /// Whether the agent's id is made of the key, so that nobody else can have taken it.
    pub certified: bool,
    /// Whether the agent reports already, under the shared key, and only its key waits.
    pub reports: bool,
    /// Address the request came from.
    pub source: Option<IpAddr>,
    /// When it came.
    pub requested_at: UnixSeconds,
}

impl Waiting {
    /// What waits of an agent, if anything does.
    pub fn of(agent: AgentSummary) -> Option<Self> {
        let is_new = agent.status == AgentStatus::Pending;
        let key = agent.identity.filter(|key| key.state == IdentityState::Pending);
        if !is_new && key.is_none() {
            return None;
        }
        Some(Self {
            agent_id: agent.agent_id,
            hostname: agent.hostname,
            fleet_id: agent.fleet_id,
            certified: key.as_ref().is_some_and(|key| key.certified),
            reports: !is_new,
            source: key.as_ref().map_or(agent.source, |key| key.source),
            requested_at: key.as_ref().map_or(agent.registered_at, |key| key.since),
            public_key: key.as_ref().map(|key| key.public_key),
            kid: key.as_ref().map(|key| key.kid.clone()),
            fingerprint: key.map(|key| key.fingerprint),
        })
    }

    /// Everything that waits, oldest first.
    pub fn all(state: &AppState, lens: &Lens) -> Vec<Self> {
        let mut waiting: Vec<Self> =
            state.seen(lens).agents().into_iter().filter_map(Self::of).collect();
        waiting.sort_by(|a, b| {
            a.requested_at.cmp(&b.requested_at).then_with(|| a.agent_id.cmp(&b.agent_id))
        });
        waiting
    }
}

/// `GET /api/v1/enrollments`.
pub async fn enrollments(State(state): State<AppState>, caller: Caller) -> Json<Vec<Waiting>> {
    Json(Waiting::all(&state, &caller.lens))
}

/// Who signs with what, and whom a rotation would lock out.
#[derive(Debug, Clone, Serialize)]
pub struct KeyUsage {
    /// How many agents sign with each generation.
    pub generations: Vec<GenerationUse>,
    /// How many agents the next new shared key would lock out.
    pub locked_out_by_rotation: usize,
    /// Every agent that has reported and is in service, those that a rotation would lock out
    /// first.
    pub agents: Vec<AgentKey>,
}

/// How many agents sign with one generation of keys.
#[derive(Debug, Clone, Serialize)]
pub struct GenerationUse {
    /// `identity`, `current`, `previous-1`, `previous-2` or `none`.
    pub generation: &'static str,
    /// The shared key's name.
    pub kid: Option<Kid>,
    /// How many.
    pub agents: usize,
}

/// What one agent signs with.
#[derive(Debug, Clone, Serialize)]
pub struct AgentKey {
    /// Who.
    pub agent_id: AgentId,
    /// Its host's name.
    pub hostname: Option<String>,
    /// How its last report was signed.
    pub scheme: Option<Scheme>,
    /// The key that signed it.
    pub kid: Option<Kid>,
    /// `identity`: a key of its own; `current`, `previous-1`, `previous-2`: the shared key, by
    /// how many newer ones there are; `none`: a key that is no longer in force.
    pub generation: &'static str,
    /// Whether one more new shared key would lock it out.
    pub locked_out_by_rotation: bool,
    /// When its last report was received.
    pub last_seen_at: Option<UnixSeconds>,
}

/// The words for generations, the safest first.
const GENERATIONS: [&str; 5] = ["identity", "current", "previous-1", "previous-2", "none"];

impl KeyUsage {
    /// As it is now.
    pub fn of(state: &AppState) -> Self {
        let ring = state.keeper.ring();
        let reports = |agent: &AgentSummary| {
            !matches!(agent.status, AgentStatus::Pending | AgentStatus::Retired)
                && agent.kid.is_some()
        };
        let agents = state.whole().agents().into_iter().filter(reports);
        let mut agents: Vec<AgentKey> = agents
            .map(|agent| {
                let pinned = agent.identity.filter(|key| key.state == IdentityState::Pinned);
                let generation = agent.kid.as_ref().and_then(|kid| ring.generation(kid));
                let generation = if pinned.is_some() { "identity" } else { word(generation) };
                AgentKey {
                    agent_id: agent.agent_id,
                    hostname: agent.hostname,
                    scheme: agent.scheme,
                    kid: pinned.map(|key| key.kid).or(agent.kid),
                    generation,
                    locked_out_by_rotation: matches!(generation, "previous-2" | "none"),
                    last_seen_at: agent.last_seen_at,
                }
            })
            .collect();
        agents.sort_by(|a, b| {
            let place = |agent: &AgentKey| GENERATIONS.iter().position(|g| *g == agent.generation);
            place(b).cmp(&place(a)).then_with(|| a.agent_id.cmp(&b.agent_id))
        });
        let kids: Vec<Kid> = ring.active().map(|key| key.kid.clone()).collect();
        let generations = GENERATIONS.iter().enumerate().map(|(place, generation)| GenerationUse {
            generation,
            kid: place.checked_sub(1).and_then(|place| kids.get(place)).cloned(),
            agents: agents.iter().filter(|agent| agent.generation == *generation).count(),
        });
        Self {
            generations: generations.collect(),
            locked_out_by_rotation: agents.iter().filter(|a| a.locked_out_by_rotation).count(),
            agents,
        }
    }
}

const fn word(generation: Option<Generation>) -> &'static str {
    match generation {
        Some(Generation::Current) => "current",
        Some(Generation::Previous(1)) => "previous-1",
        Some(Generation::Previous(_)) => "previous-2",
        None => "none",
    }
}

/// `GET /api/v1/keys/usage`.
pub async fn key_usage(State(state): State<AppState>) -> Json<KeyUsage> {
    Json(KeyUsage::of(&state))
}
