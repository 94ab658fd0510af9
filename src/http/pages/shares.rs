//! The page of shared links: making one without a script, looking at all, taking one back.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::arrival::{Arrival, Channel};
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::operators::shares::{self, NewShare};
use crate::http::params::{Id, Params};
use crate::http::state::AppState;
use crate::views;
use crate::views::page::Nav;
use crate::views::shares::{Made, News, ShareItem};
use crate::wire::codes::ErrorCode;

use super::{Reader, done, html};

/// What the form begins with.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    view: String,
}

fn page(
    state: &AppState,
    reader: &Reader,
    (view, news): (&str, &News),
) -> Result<Response, ApiError> {
    let context = reader.context(state, "Shared links", Nav::Nowhere);
    let all = shares::all(state, &reader.lens).into_iter().map(|share| ShareItem {
        id: share.id,
        view: share.view,
        fleets: share.fleets,
        masked: share.masked,
        made_by: share.made_by,
        created_at: share.created_at,
        expires_at: share.expires_at,
        opened: share.opened,
        last_opened_at: share.last_opened_at,
    });
    let all: Vec<ShareItem> = all.collect();
    let days = state.config.access.share_days;
    let mut page = html(views::shares::page(&context, (&all, days), (view, news)))?;
    if matches!(news, News::Failed(_)) {
        *page.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(page)
}

/// `GET /shares`.
pub async fn list(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    page(&state, &reader, (&asked.view, &News::None))
}

/// The form of a new link.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    view: String,
    #[serde(default)]
    fleets: String,
    days: i64,
    #[serde(default)]
    named: String,
    #[serde(default)]
    masked: String,
}

/// `POST /shares`.
pub async fn make(
    State(state): State<AppState>,
    (caller, reader): (Caller, Reader),
    (arrival, headers): (Arrival, HeaderMap),
    FormBody(form): FormBody<NewForm>,
) -> Result<Response, ApiError> {
    let wanted = NewShare {
        view: form.view.clone(),
        fleets: form.fleets.split(',').map(str::to_owned).collect(),
        for_s: Some(form.days.saturating_mul(86_400)),
        named: form.named == "1",
        masked: form.masked == "1",
    };
    let news = match shares::add(&state, &caller, wanted).await {
        Ok(made) => News::Made(Made {
            address: address(&headers, &arrival, &made.path),
            until: made.expires_at,
        }),
        // What a person can put right is told on the page.
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::InvalidField | ErrorCode::Conflict | ErrorCode::NotFound
            ) =>
        {
            News::Failed(error.detail().to_owned())
        }
        Err(error) => return Err(error),
    };
    page(&state, &reader, (&form.view, &news))
}

/// The whole address of a path, as the browser knows this manager.
fn address(headers: &HeaderMap, arrival: &Arrival, path: &str) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let scheme = if arrival.channel == Channel::Tls { "https" } else { "http" };
    format!("{scheme}://{host}{path}")
}

/// `POST /shares/{id}/revoke`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<Response, ApiError> {
    shares::end_one(&state, &caller, &id).await?;
    Ok(done(&state, &caller.way, ("/shares", format!("The link {id} shows nothing any more."))))
}
