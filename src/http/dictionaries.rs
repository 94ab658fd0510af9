//! Hands out the dictionaries that agents compress their reports with.

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use crate::model::id::FrameDictId;

use super::error::ApiError;
use super::params::Id;
use super::state::AppState;

/// What a name means never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// `GET /status/dictionaries/{id}`: the bytes of which the id is the SHA-256. There is no value of
/// any report in them, and the id is told to agents only.
pub async fn one(
    State(state): State<AppState>,
    Id(id): Id<FrameDictId>,
) -> Result<Response, ApiError> {
    let found = state.whole().shelf().find(&id);
    let found = found.ok_or_else(|| ApiError::not_found("dictionary"))?;
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER)),
    ];
    Ok((headers, found.bytes().clone()).into_response())
}
