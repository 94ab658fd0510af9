//! Pages that answer a question about the network as it is, instead of showing a thing. What
//! cannot be answered is said on the page, beside what was asked.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::error::ApiError;
use crate::http::operators::networks as networks_of;
use crate::http::operators::paths::{self as ways, CarriersQuery, PathQuery, PathView};
use crate::http::operators::what_if::{self as loss_of, WhatIf};
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::views;
use crate::views::page::Nav;
use crate::wire::codes::ErrorCode;

use super::{Reader, html};

/// Hosts that the page of ways lists for a prefix.
const CARRIERS_SHOWN: usize = 200;

/// Weak points, of hosts and of links, that the page of losses lists while nothing is asked.
const WEAK_SHOWN: usize = 20;

/// What `/paths` is asked for: a way, who carries a prefix, or which networks there are.
#[derive(Debug, Default, Deserialize)]
pub struct Way {
    #[serde(flatten)]
    path: PathQuery,
    #[serde(default)]
    net: String,
    /// `1`: which networks there are.
    networks: Option<String>,
    /// What networks are sorted by.
    #[serde(default)]
    sort: String,
    /// The place that the page of networks before ended at.
    after: Option<String>,
}

/// `GET /paths`.
pub async fn paths(
    State(state): State<AppState>,
    reader: Reader,
    Params(Way { path, net, networks, sort, after }): Params<Way>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Paths", Nav::Paths);
    let mut asked = views::paths::Asked {
        from: path.from.clone(),
        to: path.to.clone(),
        source: path.source.clone(),
        net: net.clone(),
        ..views::paths::Asked::default()
    };
    let (mut journeys, mut found) = (Vec::new(), None);
    if !path.to.is_empty() {
        match ways::find((&state, &reader.lens), &path).await {
            Ok(PathView { there, back }) => {
                journeys = [Some(there), back].into_iter().flatten().collect()
            }
            Err(error) => asked.path_problem = Some(told(error)?),
        }
    }
    // With a prefix asked for, both are about its carriers.
    let sort = if net.is_empty() { sort } else { String::new() };
    let (net_is_not_asked, went_on) = (net.is_empty(), after.is_some());
    if !net.is_empty() {
        let query = CarriersQuery { net, limit: Some(CARRIERS_SHOWN), fleet_id: None };
        match ways::carry((&state, &reader.lens), &query).await {
            Ok(carriers) => found = Some(carriers),
            Err(error) => asked.net_problem = Some(told(error)?),
        }
    }
    let all = match networks.as_deref() {
        Some("1") => {
            let whose = (&state, &reader.lens);
            let after = after.as_deref().filter(|_| net_is_not_asked);
            let view = networks_of::after(whose, (&sort, after), networks_of::PAGE).await?;
            Some((view, state.map(&reader.lens).await?))
        }
        _ => None,
    };
    let nodes = all.iter().flat_map(|(_, picture)| &picture.nodes);
    let answers = views::paths::Answers {
        ways: &journeys,
        carriers: found.as_deref(),
        networks: all.as_ref().map(|(view, _)| views::paths::Networks {
            all: &view.networks,
            sort: &sort,
            left_out: view.left_out,
            goes_on: went_on,
            next: view.next.as_deref(),
        }),
        names: nodes.map(|node| (&*node.id, &*node.label)).collect(),
    };
    html(views::paths::page(&context, &asked, &answers))
}

/// `GET /what-if`.
pub async fn what_if(
    State(state): State<AppState>,
    reader: Reader,
    Params(query): Params<WhatIf>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "What if", Nav::Paths);
    let whose = (&state, &reader.lens);
    let (taken, loss) = match loss_of::lose(whose, &query).await {
        Ok(found) => found,
        Err(error) => {
            let problem = told(error)?;
            return html(views::what_if::page(&context, &query.without, Err(&problem)));
        }
    };
    if taken.is_empty() {
        let weakest = loss_of::weak(whose, WEAK_SHOWN, query.at.as_deref()).await?;
        return html(views::what_if::start(&context, &weakest));
    }
    html(views::what_if::page(&context, &query.without, Ok((&taken, &loss))))
}

/// What is wrong with a question, for the page it was asked on; other failures stay failures.
fn told(error: ApiError) -> Result<String, ApiError> {
    let asked_wrong = [ErrorCode::BadRequest, ErrorCode::AgentNotFound, ErrorCode::NotFound]
        .contains(&error.code());
    if asked_wrong { Ok(error.detail().to_owned()) } else { Err(error) }
}
