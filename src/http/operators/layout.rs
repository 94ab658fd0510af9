//! Where things are drawn, for people: what is pinned, what was changed, and the acts of operators.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::state::LayoutAct;
use crate::model::time::UnixSeconds;
use crate::process::places::{self, Act, ActError};
use crate::topology::arrange::Move;
use crate::wire::codes::ErrorCode;

/// Things that one request may name.
const MOST_NAMED: usize = 1000;

/// How the map is arranged.
#[derive(Debug, Clone, Serialize)]
pub struct LayoutView {
    /// The revision: grows with every change that somebody makes.
    pub layout_rev: i64,
    /// Ids of nodes and sites that are pinned.
    pub pinned: Vec<String>,
    /// Changes that can be taken back, the last first.
    pub steps: Vec<StepView>,
}

/// A change that somebody made.
#[derive(Debug, Clone, Serialize)]
pub struct StepView {
    /// Its number.
    pub step: i64,
    /// When.
    pub at: UnixSeconds,
    /// Who.
    pub by: String,
    /// What was done.
    pub act: LayoutAct,
    /// How many things were named, or moved.
    pub count: u32,
}

/// What would move.
#[derive(Debug, Clone, Serialize)]
pub struct PreviewView {
    /// Ids of nodes and sites with their new places.
    pub moved: Vec<(String, f64, f64)>,
}

/// The body that pins things.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// What goes where.
    pub moves: Vec<Move>,
}

/// The body that lets go of things.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpins {
    /// Ids of nodes and sites.
    pub ids: Vec<String>,
}

/// The body that takes a change back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// The number of the last change, so that nobody takes back another's by mistake.
    pub step: i64,
}

/// What somebody sees of it: of some fleets only what is pinned there, and no changes, which may
/// be about others.
async fn view(state: &AppState, lens: &Lens) -> Result<LayoutView, ApiError> {
    let mut arrangement = state.arranger.arrangement();
    if let Some(guise) = &lens.guise {
        arrangement.pinned = arrangement.pinned.iter().map(|id| guise.drawn(id)).collect();
        arrangement.pinned.sort_unstable();
        arrangement.steps.clear();
    }
    if !lens.reach.is_whole() {
        let picture = state.map(lens).await?;
        let nodes = picture.nodes.iter().map(|node| &node.id);
        let ids: HashSet<&String> =
            nodes.chain(picture.sites.iter().map(|site| &site.id)).collect();
        arrangement.pinned.retain(|id| ids.contains(id));
        arrangement.steps.clear();
    }
    let steps = arrangement.steps.into_iter().map(|step| StepView {
        step: step.step,
        at: step.at,
        by: step.by,
        act: step.act,
        count: step.count,
    });
    let (layout_rev, pinned) = (arrangement.rev, arrangement.pinned);
    Ok(LayoutView { layout_rev, pinned, steps: steps.collect() })
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Unknown(id) => Self::not_found(&format!("node or site with a place as {id}")),
            ActError::NotLast => Self::new(
                ErrorCode::Conflict,
                "That is not the last change of the map any more: look at what it is, and try again.",
            ),
            ActError::Command(error) => error.into(),
        }
    }
}

async fn carry_out(
    state: &AppState,
    caller: Caller,
    act: Act,
) -> Result<Json<LayoutView>, ApiError> {
    let asked = (caller.name, state.clock.now());
    places::carry_out(state.whole(), &state.arranger, act, asked).await?;
    view(state, &caller.lens).await.map(Json)
}

fn bounded(named: usize) -> Result<(), ApiError> {
    if (1..=MOST_NAMED).contains(&named) {
        return Ok(());
    }
    Err(ApiError::bad_request(format!("Name 1 to {MOST_NAMED} nodes or sites.")))
}

/// `GET /api/v1/layout`.
pub async fn look(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<LayoutView>, ApiError> {
    view(&state, &caller.lens).await.map(Json)
}

/// `GET /api/v1/layout/preview`.
pub async fn preview(State(state): State<AppState>) -> Json<PreviewView> {
    Json(PreviewView { moved: places::preview(state.whole(), &state.arranger).await })
}

/// `POST /api/v1/layout/pin`.
pub async fn pin(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(Pins { moves }): JsonBody<Pins>,
) -> Result<Json<LayoutView>, ApiError> {
    bounded(moves.len())?;
    carry_out(&state, caller, Act::Pin(moves)).await
}

/// `POST /api/v1/layout/unpin`.
pub async fn unpin(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(Unpins { ids }): JsonBody<Unpins>,
) -> Result<Json<LayoutView>, ApiError> {
    bounded(ids.len())?;
    carry_out(&state, caller, Act::Unpin(ids)).await
}

/// `POST /api/v1/layout/rearrange`.
pub async fn rearrange(
    State(state): State<AppState>,
    caller: Caller,
) -> Result<Json<LayoutView>, ApiError> {
    carry_out(&state, caller, Act::Rearrange).await
}

/// `POST /api/v1/layout/undo`.
pub async fn undo(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(Undo { step }): JsonBody<Undo>,
) -> Result<Json<LayoutView>, ApiError> {
    carry_out(&state, caller, Act::Undo(step)).await
}
