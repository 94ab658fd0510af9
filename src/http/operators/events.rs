//! The history.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{self, Params};
use crate::http::state::AppState;
use crate::model::id::{AgentId, EventId, FleetId, ReportId};
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::row::{EventFilter, EventRow};

use super::narrowed::Narrowed;

/// One line of the history.
#[derive(Debug, Serialize)]
pub struct EventView {
    /// Its number; grows with every event.
    pub id: EventId,
    /// When it happened, on the host's clock where a host told it.
    pub at: UnixSeconds,
    /// When the manager learnt it.
    pub recorded_at: UnixSeconds,
    /// What kind of change.
    pub kind: EventKind,
    /// Its fleet, if it is about one.
    pub fleet_id: Option<FleetId>,
    /// Its agent, if it is about one.
    pub agent_id: Option<AgentId>,
    /// Which thing.
    pub subject: String,
    /// The value before; absent when something appeared.
    pub before: Option<Value>,
    /// The value after; absent when something disappeared.
    pub after: Option<Value>,
    /// The report that proves it, where one does.
    pub report_id: Option<ReportId>,
    /// Who or what caused it, where that is not a report.
    pub cause: Option<String>,
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            recorded_at: row.recorded_at,
            kind: row.kind,
            fleet_id: row.fleet,
            agent_id: row.agent_id,
            subject: row.subject,
            before: row.before,
            after: row.after,
            report_id: row.report,
            cause: row.cause,
        }
    }
}

/// What of the history is asked for.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// Only after this event, oldest first.
    pub after: Option<i64>,
    /// The last ones before this event, oldest first.
    pub before: Option<i64>,
    /// Only of this agent.
    pub agent_id: Option<AgentId>,
    /// Only about what this query finds.
    #[serde(default)]
    pub q: String,
    /// Only about this thing.
    pub subject: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// `GET /api/v1/events`.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<EventView>>, ApiError> {
    let narrowed = Narrowed::of_things((&state, &caller.lens), &wanted.q).await?.or_refused()?;
    let filter = EventFilter {
        things: narrowed.things,
        after: wanted.after.map(EventId),
        before: wanted.before.map(EventId),
        agent: wanted.agent_id,
        subject: wanted.subject,
        until: None,
        limit: params::rows(wanted.limit),
        ..EventFilter::default()
    };
    let rows = state.read(&caller.lens, move |reader| reader.events(&filter)).await?;
    Ok(Json(rows.into_iter().map(EventView::from).collect()))
}
