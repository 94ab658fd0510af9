//! `GET /api/v1/topology`: the whole map.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::http::state::AppState;

/// Browsers and programs may keep the map, but ask each time whether it has changed.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The map, or 304 if the caller has this one.
pub async fn topology(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let picture = state.processor.board().picture(state.clock.now());
    let tag = format!("\"{}-{}\"", picture.epoch, picture.seq);
    let mut response = if has(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(&*picture).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, CACHE);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
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
