//! The page of the audit.

use axum::extract::State;
use axum::response::Response;

use super::{Reader, html};
use crate::http::error::ApiError;
use crate::http::operators::audit::{Wanted, read};
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::views::audit::{self, Asked};
use crate::views::page::Nav;

/// `GET /audit`.
pub async fn page(
    State(state): State<AppState>,
    reader: Reader,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Audit", Nav::Events);
    let filter = wanted.filter()?;
    let found = read(&state, filter).await?;
    let asked = Asked {
        who: wanted.who.unwrap_or_default(),
        act: wanted.act.unwrap_or_default(),
        q: wanted.q.unwrap_or_default(),
        from: wanted.from.unwrap_or_default(),
        to: wanted.to.unwrap_or_default(),
    };
    let items: Vec<_> = found.entries.into_iter().map(|view| view.entry).collect();
    html(audit::page(&context, &asked, (&items, found.before), &found.head))
}
