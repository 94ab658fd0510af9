//! `GET /api/v1/topology`: the whole map, as it is or as it was.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::mask;
use crate::model::hex;
use crate::model::reach::Reach;
use crate::sign::digest;

use super::past::{self, PastView};

/// Browsers and programs may keep the map, but ask each time whether it has changed.
pub const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Which map is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    at: Option<String>,
    /// `1`: under pseudonyms.
    anon: Option<String>,
}

/// The map, or 304 if the caller has this one.
pub async fn topology(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let anonymous = wanted.anon.as_deref() == Some("1");
    if let Some(at) = past::maybe_time(wanted.at.as_deref())? {
        let then = PastView::of((&state, &caller.reach), at).await?;
        let then = if anonymous { then.masked(&state.pseudonyms) } else { then };
        // Late reports change the past, retention ends it and a new layout moves it: only what
        // is answered tells whether it is the same.
        let body = serde_json::to_vec(&then).map_err(ApiError::internal)?;
        let tag = format!("\"past-{}\"", hex::encode(&digest::sha256(&body)));
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        return Ok(tagged(&headers, &tag, || (json, body).into_response()));
    }
    let seen = state.seen(&caller.reach);
    // Who signs in as somebody else in the same browser has another map.
    let whose = whose(&caller.reach);
    let work = move || {
        let picture = seen.picture(state.clock.now());
        if anonymous {
            let picture = mask::picture(&picture, &state.pseudonyms).picture;
            let tag = format!("\"anon-{}-{}{whose}\"", picture.epoch, picture.seq);
            return tagged(&headers, &tag, || Json(picture).into_response());
        }
        let tag = format!("\"{}-{}{whose}\"", picture.epoch, picture.seq);
        tagged(&headers, &tag, || Json(&*picture).into_response())
    };
    aside(work).await
}

/// What tells apart the maps of different reaches.
fn whose(reach: &Reach) -> String {
    if reach.is_whole() {
        return String::new();
    }
    let mut digest = hex::encode(&digest::sha256(reach.words().as_bytes()));
    digest.truncate(16);
    format!("-{digest}")
}

/// An answer with its tag, or 304 if the caller has it.
fn tagged(headers: &HeaderMap, tag: &str, answer: impl FnOnce() -> Response) -> Response {
    let mut response =
        if has(headers, tag) { StatusCode::NOT_MODIFIED.into_response() } else { answer() };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, CACHE);
    if let Ok(tag) = HeaderValue::from_str(tag) {
        answer.insert(header::ETAG, tag);
    }
    response
}

/// Whether `If-None-Match` lists the tag (RFC 9110 section 13.1.2: weak comparison, since a
/// proxy that compresses makes tags weak).
pub fn has(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|sent| {
        let sent = sent.trim();
        sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let sent = |value: &'static str| {
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))])
        };
        assert!(has(&sent("\"a-1\""), "\"a-1\""));
        assert!(has(&sent("\"x\", W/\"a-1\""), "\"a-1\""));
        assert!(has(&sent("*"), "\"a-1\""));
        assert!(!has(&sent("\"a-10\""), "\"a-1\""));
        assert!(!has(&HeaderMap::new(), "\"a-1\""));
    }
}
