//! Lists to take away, `agents.csv` and `links.csv`, with the query of the page they are on; and the
//! map as a graph ([`drawing::graph`]).

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::drawing;
use super::search::Desk;
use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::{Id, Params};
use crate::http::state::AppState;
use crate::topology::query::Query;
use crate::views::agents::AgentListItem;
use crate::views::list::Hits;
use crate::views::table;

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8; header=present");

/// `GET /api/v1/export/{id}`.
pub async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
    Params(asked): Params<drawing::Asked>,
) -> Result<Response, ApiError> {
    if let Some(graph) = drawing::graph((&state, &caller.lens), &name, &asked).await? {
        return Ok(graph);
    }
    let attached = match name.as_str() {
        "agents.csv" => "attachment; filename=\"agents.csv\"",
        "links.csv" => "attachment; filename=\"links.csv\"",
        _ => {
            return Err(ApiError::not_found(
                "list; there are agents.csv, links.csv, alarms.csv, events.csv, reports.csv, map.dot, \
                 map.graphml and map.json",
            ));
        }
    };
    if asked.is_anonymous() || asked.at.is_some() {
        let picture = drawing::part((&state, &caller.lens), &asked).await?;
        let rows = match name.as_str() {
            "links.csv" => table::links(&picture, |_| true),
            _ => table::agents(&AgentListItem::from_picture(&picture)),
        };
        return Ok(file(attached, rows.map_err(ApiError::internal)?));
    }
    Query::parse(&asked.q).map_err(|error| ApiError::bad_request(error.to_string()))?;
    state.gather();
    let work = move || rows(&Desk::of(&state, &caller.lens), &name, &asked.q);
    let rows = aside(work).await??;
    Ok(file(attached, rows))
}

/// A table as a file to take away.
pub fn file(attached: &str, rows: impl IntoResponse) -> Response {
    // What no header can hold, no name of a list has.
    let attached = HeaderValue::from_str(attached)
        .unwrap_or_else(|_odd| HeaderValue::from_static("attachment"));
    let head = [(header::CONTENT_TYPE, CSV), (header::CONTENT_DISPOSITION, attached)];
    (head, rows).into_response()
}

fn rows(desk: &Desk, name: &str, asked: &str) -> Result<Vec<u8>, ApiError> {
    let hits = Hits::of(&desk.picture, asked, desk.now(), |id| desk.known(id));
    if name == "links.csv" {
        let links = table::links(&desk.picture, |edge| hits.has(&edge.id));
        return links.map_err(ApiError::internal);
    }
    let mut agents = desk.items();
    agents.retain(|agent| hits.has(&format!("a:{}", agent.id)));
    table::agents(&agents).map_err(ApiError::internal)
}
