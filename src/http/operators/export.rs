//! Lists to take away, `agents.csv` and `links.csv`, with the query of the page they are on; and the
//! map as a graph ([`drawing::graph`]).

use std::collections::HashSet;

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
use crate::topology::picture::Picture;
use crate::topology::query::Query;
use crate::views::agents::AgentListItem;
use crate::views::list::Hits;
use crate::views::table;

/// `GET /api/v1/export/{id}`.
pub async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
    Params(mut asked): Params<drawing::Asked>,
) -> Result<Response, ApiError> {
    if let Some(graph) = drawing::graph((&state, &caller.lens), &name, &asked).await? {
        return Ok(graph);
    }
    let attached = match name.as_str() {
        "agents.csv" => "attachment; filename=\"agents.csv\"",
        "links.csv" => "attachment; filename=\"links.csv\"",
        _ => {
            return Err(ApiError::not_found(
                "list; there are agents.csv, links.csv, alarms.csv, events.csv, reports.csv, map.csv, \
                 map.dot, map.graphml and map.json",
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
    // What the query finds, as on the page of the list, of what the map keeps bright without it.
    let q = std::mem::take(&mut asked.q);
    let kept = match asked.is_narrow() {
        true => Some(drawing::part((&state, &caller.lens), &asked).await?),
        false => None,
    };
    state.gather();
    let work = move || rows(&Desk::of(&state, &caller.lens), &name, &q, kept.as_ref());
    let rows = aside(work).await??;
    Ok(file(attached, rows))
}

/// A table as a file to take away.
pub fn file(attached: &str, rows: impl IntoResponse) -> Response {
    // What no header can hold, no name of a list has.
    let attached = HeaderValue::from_str(attached)
        .unwrap_or_else(|_odd| HeaderValue::from_static("attachment"));
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static(table::CSV)),
        (header::CONTENT_DISPOSITION, attached),
    ];
    (head, rows).into_response()
}

fn rows(desk: &Desk, name: &str, asked: &str, kept: Option<&Picture>) -> Result<Vec<u8>, ApiError> {
    let hits = Hits::of(&desk.picture, asked, desk.now(), |id| desk.known(id));
    let ids = |kept: &Picture| -> HashSet<String> {
        let edges = kept.edges.iter().map(|edge| edge.id.clone());
        kept.nodes.iter().map(|node| node.id.clone()).chain(edges).collect()
    };
    let kept = kept.map(ids);
    let has = |id: &str| hits.has(id) && kept.as_ref().is_none_or(|kept| kept.contains(id));
    if name == "links.csv" {
        let links = table::links(&desk.picture, |edge| has(&edge.id));
        return links.map_err(ApiError::internal);
    }
    let mut agents = desk.items();
    agents.retain(|agent| has(&format!("a:{}", agent.id)));
    table::agents(&agents).map_err(ApiError::internal)
}
