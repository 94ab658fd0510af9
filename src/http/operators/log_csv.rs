//! What happened, and what was accepted, to take away: `events.csv` and `reports.csv`, with the
//! filters of their pages, up to a time, and under pseudonyms.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::export::file;
use super::narrowed::Narrowed;
use super::past::maybe_time;
use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::present;
use crate::http::state::AppState;
use crate::mask::{self, Lens, Masked};
use crate::model::id::{AgentId, EventId, ReportId};
use crate::store::Reader;
use crate::store::row::{EventFilter, EventRow, ReportFilter, ReportSummary};
use crate::views::table::history;

/// Rows of one file at most; `before` goes on.
const MOST_ROWS: usize = 10_000;

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// Only of this agent.
    agent_id: Option<AgentId>,
    /// Only of what this query finds.
    #[serde(default)]
    q: String,
    /// Only about this thing; of events alone.
    subject: Option<String>,
    /// Only before the one with this id.
    before: Option<i64>,
    /// Only what was known by then.
    at: Option<String>,
    /// At most this many.
    limit: Option<usize>,
    /// `1`: under pseudonyms.
    anon: Option<String>,
}

impl Wanted {
    fn rows(&self) -> usize {
        self.limit.unwrap_or(MOST_ROWS).clamp(1, MOST_ROWS)
    }

    fn is_anonymous(&self) -> bool {
        self.anon.as_deref() == Some("1")
    }
}

/// `GET /api/v1/export/events.csv`.
pub async fn events(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let narrowed = Narrowed::of_things((&state, &caller.lens), &wanted.q).await?.or_refused()?;
    let filter = EventFilter {
        things: narrowed.things,
        before: Some(EventId(wanted.before.unwrap_or(i64::MAX))),
        agent: wanted.agent_id.clone(),
        subject: wanted.subject.clone(),
        until: maybe_time(wanted.at.as_deref())?,
        limit: wanted.rows(),
        ..EventFilter::default()
    };
    let mut rows = state.read(&caller.lens, move |store| store.events(&filter)).await?;
    if wanted.is_anonymous() && caller.lens.guise.is_none() {
        let masks = masks((&state, &caller.lens)).await?;
        rows.iter_mut().for_each(|row| hide_event(row, &masks));
    }
    let table = history::events(&rows).map_err(ApiError::internal)?;
    Ok(file("attachment; filename=\"events.csv\"", table))
}

/// `GET /api/v1/export/reports.csv`.
pub async fn reports(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let narrowed = Narrowed::of_agents((&state, &caller.lens), &wanted.q).await?.or_refused()?;
    let filter = ReportFilter {
        things: narrowed.things,
        agent: wanted.agent_id.clone(),
        limit: wanted.rows(),
        ..ReportFilter::default()
    };
    let (until, before) = (maybe_time(wanted.at.as_deref())?, wanted.before.map(ReportId));
    let read = move |store: &dyn Reader| {
        let until = until.map(|at| present::first_after(store, at)).transpose()?;
        let before = before.into_iter().chain(until).min();
        present::summaries(store, &ReportFilter { before, ..filter })
    };
    let mut rows = state.read(&caller.lens, read).await?;
    if wanted.is_anonymous() && caller.lens.guise.is_none() {
        let masks = masks((&state, &caller.lens)).await?;
        rows.retain_mut(|row| hide_report(row, &masks));
    }
    let table = history::reports(&rows).map_err(ApiError::internal)?;
    Ok(file("attachment; filename=\"reports.csv\"", table))
}

/// Pseudonyms of what is on the map.
async fn masks((state, lens): (&AppState, &Lens)) -> Result<Masked, ApiError> {
    state.gather();
    let (state, seen) = (state.clone(), state.seen(lens));
    let work = move || {
        let picture = seen.picture(state.clock.now());
        mask::masked(&picture, &state.pseudonyms)
    };
    aside(work).await
}

/// The pseudonym of an agent that is on the map.
fn agent(id: &AgentId, masks: &Masked) -> Option<AgentId> {
    masks.id(&format!("a:{id}"))?.strip_prefix("a:")?.parse().ok()
}

/// Leaves of an event what has a pseudonym, and what is no name.
fn hide_event(row: &mut EventRow, masks: &Masked) {
    let of_agent = |text: &str| masks.id(&format!("a:{text}")).map(|id| id.replacen("a:", "", 1));
    let subject = masks.id(&row.subject).map(str::to_owned).or_else(|| of_agent(&row.subject));
    row.subject = subject.unwrap_or_default();
    row.agent_id = row.agent_id.as_ref().and_then(|id| agent(id, masks));
    (row.fleet, row.before, row.after, row.cause) = (None, None, None, None);
}

/// The same of a report; whether its sender has a pseudonym.
fn hide_report(row: &mut ReportSummary, masks: &Masked) -> bool {
    let Some(id) = agent(&row.agent_id, masks) else { return false };
    (row.agent_id, row.source) = (id, None);
    row.data_sha256 = [0; 32];
    row.relay_path = crate::model::path::RelayPath::direct();
    true
}
