//! The key ring by the ids of its keys, and withdrawing a key. No key itself ever comes here.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::keys::ring::{KeyState, Psk};
use crate::model::id::{AgentId, Kid};
use crate::model::time::UnixSeconds;
use crate::process::audit;
use crate::process::handle::{Command, CommandError};
use crate::wire::codes::ErrorCode;

use super::access::Caller;
use super::error::ApiError;
use super::params::Id;
use super::state::AppState;

/// Agents named per key; the others are counted.
const NAMED: usize = 10;

/// The answer of `GET /api/v1/keys`.
#[derive(Debug, Serialize)]
pub struct KeysView {
    /// Where keys come from, in words.
    pub source: String,
    /// Why the last attempt to read it failed; `null` if it did not.
    pub problem: Option<String>,
    /// When it last gave a usable list; `null` since the start.
    pub last_success: Option<UnixSeconds>,
    /// What a person should know about the last list.
    pub notices: Vec<String>,
    /// The keys: the current one, previous ones, then retired and revoked ones.
    pub keys: Vec<KeyView>,
}

/// One key, by its id.
#[derive(Debug, Serialize)]
pub struct KeyView {
    /// Its id: the first 16 hexadecimal digits of a digest.
    pub kid: Kid,
    /// `current`, `previous`, `retired` or `revoked`.
    pub state: &'static str,
    /// `dns`, `file` or `environment`.
    pub source: &'static str,
    /// When it was first seen.
    pub first_seen: UnixSeconds,
    /// When its source last listed it.
    pub last_seen: UnixSeconds,
    /// When its source stopped listing it; `null` while it is listed.
    pub left_at: Option<UnixSeconds>,
    /// Not to be used before; `null`: at once.
    pub nbf: Option<UnixSeconds>,
    /// Not to be used from then on; `null`: no end.
    pub exp: Option<UnixSeconds>,
    /// Whether reports signed with it are accepted now.
    pub usable: bool,
    /// How many agents signed their last report with it.
    pub agents: usize,
    /// The first ten of them.
    pub agent_ids: Vec<AgentId>,
}

/// The answer of `POST /api/v1/keys/{id}/revoke`.
#[derive(Debug, Serialize)]
pub struct Revoked {
    /// `ok`.
    pub status: &'static str,
    /// The key that is withdrawn.
    pub kid: Kid,
    /// The keys that still verify.
    pub keys_left: Vec<Kid>,
    /// What that means, for a person.
    pub detail: String,
}

/// `GET /api/v1/keys`.
pub async fn list(State(state): State<AppState>) -> Json<KeysView> {
    Json(view(&state))
}

/// The ring in force and how its source is doing.
pub fn view(state: &AppState) -> KeysView {
    let health = state.keeper.health();
    let now = state.clock.now();
    let mut signers: BTreeMap<Kid, Vec<AgentId>> = BTreeMap::new();
    for agent in state.whole().agents() {
        if let Some(kid) = agent.kid {
            signers.entry(kid).or_default().push(agent.agent_id);
        }
    }
    let keys = state
        .keeper
        .ring()
        .all()
        .map(|psk| KeyView::of(psk, signers.remove(&psk.kid).unwrap_or_default(), now))
        .collect();
    KeysView {
        source: health.described,
        problem: health.last_problem,
        last_success: health.last_success,
        notices: [health.unexpected, health.advice].concat(),
        keys,
    }
}

impl KeyView {
    fn of(psk: &Psk, mut signers: Vec<AgentId>, now: UnixSeconds) -> Self {
        signers.sort_unstable();
        let agents = signers.len();
        signers.truncate(NAMED);
        Self {
            kid: psk.kid.clone(),
            state: psk.state.as_str(),
            source: psk.source.as_str(),
            first_seen: psk.first_seen,
            last_seen: psk.last_seen,
            left_at: psk.left_at,
            nbf: psk.nbf,
            exp: psk.exp,
            usable: psk.is_usable(now),
            agents,
            agent_ids: signers,
        }
    }
}

/// `POST /api/v1/keys/{id}/revoke`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(kid): Id<Kid>,
) -> Result<Json<Revoked>, ApiError> {
    withdraw(&state, kid, caller.name).await.map(Json)
}

/// Stores that a key is revoked, then takes it out of force. A key that is revoked already stays
/// so.
pub async fn withdraw(state: &AppState, kid: Kid, by: String) -> Result<Revoked, ApiError> {
    let ring = state.keeper.ring();
    let known = ring.find_any(&kid).map(|psk| psk.state);
    let Some((before, record)) = known.zip(state.keeper.revocation(&kid)) else {
        return Err(ApiError::new(
            ErrorCode::KeyNotFound,
            "No key of this id has been seen; GET /api/v1/keys lists those that were.",
        ));
    };
    if before != KeyState::Revoked {
        let key = if state.config.keys.cache { record } else { record.without_bytes() };
        let (worker, name) = (state.clone(), kid.clone());
        // A task of its own: a caller who hangs up must not leave a key that is stored as
        // revoked and still in force.
        let work = tokio::spawn(audit::carried(async move {
            worker.command(Command::RevokeKey { key, by }).await?;
            worker.keeper.revoke(&name);
            Ok::<(), CommandError>(())
        }));
        work.await.map_err(ApiError::internal)??;
    }
    let ring = state.keeper.ring();
    let keys_left: Vec<Kid> = ring.usable(state.clock.now()).map(|psk| psk.kid.clone()).collect();
    let detail = meaning(keys_left.len());
    Ok(Revoked { status: "ok", kid, keys_left, detail })
}

fn meaning(keys_left: usize) -> String {
    match keys_left {
        0 => "No key is left: every report is refused with 503 keys_unavailable until the source \
              lists another key."
            .to_owned(),
        left => format!(
            "Reports signed with it are refused with 401 signature_invalid from now on; {left} \
             other{} still verif{}.",
            if left == 1 { "" } else { "s" },
            if left == 1 { "ies" } else { "y" }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told() {
        assert!(meaning(0).contains("keys_unavailable"));
        assert!(meaning(1).ends_with("1 other still verifies."));
        assert!(meaning(2).ends_with("2 others still verify."));
    }
}
