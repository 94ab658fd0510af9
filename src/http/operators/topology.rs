//! `GET /api/v1/topology`: the map or a part of it, as it is or as it was.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::packed;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::mask::{self, Guise, Lens};
use crate::model::hex;
use crate::sign::digest;
use crate::topology::cut::{Cut, Layers, Shape};
use crate::topology::picture::Picture;
use crate::wire::codes::ErrorCode;

use super::past::{self, PastView};

/// Browsers and programs may keep the map, but ask each time whether it has changed.
pub const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Which map is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    at: Option<String>,
    /// `1`: under pseudonyms.
    anon: Option<String>,
    /// What beside nodes, by commas.
    layers: Option<String>,
    /// Of which site, by id.
    site: Option<String>,
    /// How it is written.
    shape: Option<String>,
}

impl Wanted {
    fn cut(&self) -> Result<Cut, ApiError> {
        let cut = Cut {
            layers: self.layers.as_deref().map_or(Ok(Layers::ALL), Layers::parse).map_err(bad)?,
            site: self.site.clone(),
            shape: self
                .shape
                .as_deref()
                .map_or(Ok(Some(Shape::Keyed)), Shape::parse)
                .map_err(bad)?,
        };
        if cut.site.is_some() && cut.shape == Some(Shape::Sites) {
            return Err(bad(
                "`shape=sites` is of all sites; leave out `site`, or ask for its nodes in another shape.",
            ));
        }
        Ok(cut)
    }
}

fn bad(detail: impl Into<String>) -> ApiError {
    ApiError::bad_request(detail)
}

/// The map, or 304 if the caller has this one.
pub async fn topology(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let cut = wanted.cut()?;
    // Who is given pseudonyms has them already.
    let anonymous = wanted.anon.as_deref() == Some("1") && caller.lens.guise.is_none();
    if let Some(at) = past::maybe_time(wanted.at.as_deref())? {
        let then = PastView::of((&state, &caller.lens), at).await?;
        let then = if anonymous { then.masked(&state.pseudonyms) } else { then };
        // Late reports change the past, retention ends it and a new layout moves it: only what
        // is answered tells whether it is the same.
        return aside(move || {
            let body = then.written(&cut).ok_or_else(|| no_site(&cut))?;
            let body = body.map_err(ApiError::internal)?;
            let tag = format!("\"past-{}\"", hex::encode(&digest::sha256(&body)));
            tagged(&headers, &tag, || packed::json(&headers, body))
        })
        .await?;
    }
    let seen = state.seen(&caller.lens);
    // Who signs in as somebody else in the same browser has another map.
    let whose = whose(&caller.lens);
    let prefix = if anonymous { "anon-" } else { "" };
    let (epoch, part) = (seen.epoch().to_owned(), part(&cut));
    let tag = move |seq: u64| format!("\"{prefix}{epoch}-{seq}{whose}{part}\"");
    // Who has the map of this moment is told so without a map being made.
    let present = tag(seen.seq());
    if has(&headers, &present) {
        return tagged(&headers, &present, || Ok(StatusCode::NOT_MODIFIED.into_response()));
    }
    state.gather();
    let work = move || {
        let now = state.clock.now();
        let picture = seen.picture(now);
        let tag = tag(picture.seq);
        let all = || {
            state.metrics.map_written();
            if anonymous {
                written(&mask::masked(&picture, &state.pseudonyms).picture, &cut)
            } else {
                written(&picture, &cut)
            }
        };
        tagged(&headers, &tag, || {
            if packed::takes_gzip(&headers) {
                state.packed.once((&tag, now), all)
            } else {
                packed::json(&headers, all()?)
            }
        })
    };
    aside(work).await?
}

fn written(picture: &Picture, cut: &Cut) -> Result<Vec<u8>, ApiError> {
    // The whole of it has its own, shorter way.
    if *cut == Cut::default() {
        return serde_json::to_vec(picture).map_err(ApiError::internal);
    }
    let taken = cut.of(picture).ok_or_else(|| no_site(cut))?;
    serde_json::to_vec(&taken).map_err(ApiError::internal)
}

fn no_site(cut: &Cut) -> ApiError {
    let site = cut.site.as_deref().unwrap_or_default();
    ApiError::new(
        ErrorCode::NotFound,
        format!("There is no site {site:?} on this map; `shape=sites` answers the ids of all."),
    )
}

/// What tells apart the parts of one map; nothing for all of it.
fn part(cut: &Cut) -> String {
    if *cut == Cut::default() {
        return String::new();
    }
    format!("-{}", short(&cut.words()))
}

fn short(words: &str) -> String {
    let mut digest = hex::encode(&digest::sha256(words.as_bytes()));
    digest.truncate(16);
    digest
}

/// What tells apart the maps of different lenses.
fn whose(lens: &Lens) -> String {
    if lens.is_clear() {
        return String::new();
    }
    let under = lens.guise.as_ref().map(Guise::tag).unwrap_or_default();
    let words = format!("{}\0{under}", lens.reach.words());
    format!("-{}", short(&words))
}

/// An answer with its tag, or 304 if the caller has it.
fn tagged(
    headers: &HeaderMap,
    tag: &str,
    answer: impl FnOnce() -> Result<Response, ApiError>,
) -> Result<Response, ApiError> {
    let mut response =
        if has(headers, tag) { StatusCode::NOT_MODIFIED.into_response() } else { answer()? };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, CACHE);
    if let Ok(tag) = HeaderValue::from_str(tag) {
        answer.insert(header::ETAG, tag);
    }
    Ok(response)
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
