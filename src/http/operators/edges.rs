//! Links.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::model::id::EdgeId;
use crate::topology::picture::Edge;

/// A link with the names of its ends.
#[derive(Debug, Serialize)]
pub struct EdgeView {
    /// The link as on the map, with present counters and handshakes.
    #[serde(flatten)]
    pub edge: Edge,
    /// What its two ends are called.
    pub labels: [String; 2],
}

impl EdgeView {
    /// The link of an id, if it is on the map.
    pub fn of(board: &Seen, id: &EdgeId) -> Option<Self> {
        let edge = board.edge(id.as_str())?;
        let label = |node: &str| board.node(node).map_or_else(|| node.to_owned(), |n| n.label);
        let labels = [label(&edge.source), label(&edge.target)];
        Some(Self { edge, labels })
    }
}

/// `GET /api/v1/edges/{id}`.
pub async fn one(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<EdgeId>,
) -> Result<Json<EdgeView>, ApiError> {
    let found = EdgeView::of(&state.seen(&caller.lens), &id);
    found.map(Json).ok_or_else(|| ApiError::not_found("link"))
}
