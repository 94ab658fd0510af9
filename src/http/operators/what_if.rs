//! What would be lost without some hosts or links, and without which the most would be.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{Params, rows};
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::topology::weakest::{Weakest, weakest};
use crate::topology::without::{Loss, Taken, without};

/// Things that one question may take away.
const MOST_TAKEN: usize = 100;

/// `GET /api/v1/what-if`.
#[derive(Debug, Default, Deserialize)]
pub struct WhatIf {
    /// Agent ids, ids of nodes on the map and of links, separated by commas.
    #[serde(default)]
    pub without: String,
}

/// `GET /api/v1/what-if`.
pub async fn what_if(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<WhatIf>,
) -> Result<Json<Loss>, ApiError> {
    let seen = state.seen(&caller.reach);
    let taken = taken(&seen, &query)?;
    if taken.is_empty() {
        return Err(ApiError::bad_request("Give `without`: ids of agents and links, by commas."));
    }
    lose(&state, seen, taken).await.map(Json)
}

/// What a question takes away.
pub fn taken(board: &Seen, query: &WhatIf) -> Result<Taken, ApiError> {
    let words = query.without.split(',').map(str::trim).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    if words.len() > MOST_TAKEN {
        let detail = format!("Take away {MOST_TAKEN} things at most.");
        return Err(ApiError::bad_request(detail));
    }
    let mut taken = Taken::default();
    for word in words {
        let agent = format!("a:{word}");
        if board.node(word).is_some() {
            taken.nodes.insert(word.to_owned());
        } else if board.node(&agent).is_some() {
            taken.nodes.insert(agent);
        } else if board.edge(word).is_some() {
            taken.edges.insert(word.to_owned());
        } else {
            return Err(ApiError::not_found(&format!("agent, peer or link as {word}")));
        }
    }
    Ok(taken)
}

/// What would be lost: worked out away from the runtime's threads, since it walks all links.
pub async fn lose(state: &AppState, seen: Seen, taken: Taken) -> Result<Loss, ApiError> {
    let now = state.clock.now();
    let work = move || without(&seen.picture(now), &taken);
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
}

/// `GET /api/v1/weak-points`.
#[derive(Debug, Default, Deserialize)]
pub struct WeakPoints {
    /// Hosts, and links, to list at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// `GET /api/v1/weak-points`.
pub async fn weak_points(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<WeakPoints>,
) -> Result<Json<Weakest>, ApiError> {
    weak(&state, state.seen(&caller.reach), rows(query.limit)).await.map(Json)
}

/// What the network can least afford to lose: worked out likewise.
pub async fn weak(state: &AppState, seen: Seen, most: usize) -> Result<Weakest, ApiError> {
    let now = state.clock.now();
    let work = move || weakest(&seen.picture(now), most);
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
}
