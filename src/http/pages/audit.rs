//! The page of the audit.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Reader, html};
use crate::http::error::ApiError;
use crate::http::operators::audit::{Wanted, read};
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::store::audit::AuditFilter;
use crate::views::audit::{self, Asked};
use crate::views::list::OLDEST_FIRST;
use crate::views::page::Nav;

/// From which end the entries are shown, and after which one.
#[derive(Debug, Default, Deserialize)]
pub struct Order {
    #[serde(default)]
    sort: String,
    after: Option<i64>,
}

/// `GET /audit`.
pub async fn page(
    State(state): State<AppState>,
    reader: Reader,
    Params(wanted): Params<Wanted>,
    Params(order): Params<Order>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Audit", Nav::Events);
    let filter = wanted.filter()?;
    let oldest_first = order.sort == OLDEST_FIRST;
    let goes_on = wanted.before.is_some() || order.after.is_some();
    let after = oldest_first.then(|| order.after.unwrap_or_default());
    let filter = AuditFilter { after, before: filter.before.filter(|_| !oldest_first), ..filter };
    let limit = filter.limit;
    let found = read(&state, filter).await?;
    let asked = Asked {
        who: wanted.who.unwrap_or_default(),
        act: wanted.act.unwrap_or_default(),
        q: wanted.q.unwrap_or_default(),
        from: wanted.from.unwrap_or_default(),
        to: wanted.to.unwrap_or_default(),
    };
    let items: Vec<_> = found.entries.into_iter().map(|view| view.entry).collect();
    html(audit::page(
        &context,
        &asked,
        (&items, [oldest_first, goes_on, items.len() >= limit]),
        &found.head,
    ))
}
