//! What would be lost without some hosts or links, and without which the most would be.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::past::{PastView, maybe_time};
use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::{Params, rows};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::state::AgentStatus;
use crate::topology::picture::Picture;
use crate::topology::weakest::{Weakest, weakest};
use crate::topology::without::{Loss, Taken, without};

/// Things that one question may take away.
const MOST_TAKEN: usize = 100;

/// Seconds without a report after which an agent is called offline, at least (`alarms::rules::agent`).
const LEAST_SILENCE_S: i64 = 180;

/// `GET /api/v1/what-if`.
#[derive(Debug, Default, Deserialize)]
pub struct WhatIf {
    /// Agent ids, ids of nodes on the map and of links, separated by commas.
    #[serde(default)]
    pub without: String,
    /// A time of the past to ask it of.
    pub at: Option<String>,
}

/// `GET /api/v1/what-if`.
pub async fn what_if(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<WhatIf>,
) -> Result<Json<Loss>, ApiError> {
    match lose((&state, &caller.lens), &query).await? {
        (taken, loss) if !taken.is_empty() => Ok(Json(loss)),
        _ => Err(ApiError::bad_request("Give `without`: ids of agents and links, by commas.")),
    }
}

/// The map that a question is put to: that of now, or of a time of the past.
async fn picture(
    (state, lens): (&AppState, &Lens),
    at: Option<&str>,
) -> Result<Arc<Picture>, ApiError> {
    Ok(match maybe_time(at)? {
        Some(at) => Arc::new(heard(PastView::of((state, lens), at).await?)),
        None => state.map(lens).await?,
    })
}

/// A map of the past that tells of silent agents when they were heard at the latest: that is not
/// kept of the past, but nobody is called offline earlier than so long after it.
fn heard(PastView { mut picture, status_since, .. }: PastView) -> Picture {
    let silent = picture.nodes.iter_mut().filter(|node| node.status == Some(AgentStatus::Offline));
    for node in silent {
        node.seen_at = status_since.get(&node.id).map(|since| since.minus(LEAST_SILENCE_S));
    }
    picture
}

/// What a question takes away, and what would be lost: worked out away from the runtime's threads,
/// since it walks all links.
pub async fn lose(whose: (&AppState, &Lens), query: &WhatIf) -> Result<(Taken, Loss), ApiError> {
    let words = query.without.split(',').map(str::trim).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    if words.len() > MOST_TAKEN {
        let detail = format!("Take away {MOST_TAKEN} things at most.");
        return Err(ApiError::bad_request(detail));
    }
    if words.is_empty() {
        return Ok((Taken::default(), Loss::default()));
    }
    let picture = picture(whose, query.at.as_deref()).await?;
    let work = move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let taken = Taken::named(&picture, &words)?;
        let loss = without(&picture, &taken);
        Ok((taken, loss))
    };
    let found = aside(work).await?;
    found.map_err(|word: String| ApiError::not_found(&format!("agent, peer or link as {word}")))
}

/// `GET /api/v1/weak-points`.
#[derive(Debug, Default, Deserialize)]
pub struct WeakPoints {
    /// Hosts, and links, to list at most.
    #[serde(default)]
    pub limit: Option<usize>,
    /// A time of the past to ask it of.
    pub at: Option<String>,
}

/// `GET /api/v1/weak-points`.
pub async fn weak_points(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<WeakPoints>,
) -> Result<Json<Weakest>, ApiError> {
    weak((&state, &caller.lens), rows(query.limit), query.at.as_deref()).await.map(Json)
}

/// What the network can least afford to lose: worked out likewise.
pub async fn weak(
    whose: (&AppState, &Lens),
    most: usize,
    at: Option<&str>,
) -> Result<Weakest, ApiError> {
    let picture = picture(whose, at).await?;
    let work = move || weakest(&picture, most);
    aside(work).await
}
