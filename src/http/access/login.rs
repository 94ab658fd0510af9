//! Signing in and out: a token becomes a session.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::observe::RequestId;
use crate::http::pages;
use crate::http::server::Source;
use crate::http::state::AppState;
use crate::process::audit::{self, Asker};
use crate::views::login::local_path;
use crate::views::text::encode;

use super::cookie;

/// The one sentence for every token that opens nothing.
const REFUSED: &str = "This token is not accepted.";

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// A page of this manager.
    #[serde(default)]
    next: String,
}

/// The form.
#[derive(Deserialize)]
pub struct SignIn {
    token: Secret,
    #[serde(default)]
    next: String,
}

/// A token as typed, wiped from memory after use.
struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Sends a browser to the sign-in page and, after that, where it wanted to go.
pub fn redirect(wanted: &str) -> Response {
    see_other(&format!("/login?next={}", encode(wanted)))
}

/// `GET /login`.
pub async fn form(
    State(state): State<AppState>,
    axum::Extension(id): axum::Extension<RequestId>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    pages::login(&state, &headers, &id, None, &wanted.next)
}

/// `POST /login`.
pub async fn sign_in(
    State(state): State<AppState>,
    axum::Extension(id): axum::Extension<RequestId>,
    Source(source): Source,
    headers: HeaderMap,
    FormBody(form): FormBody<SignIn>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let failed = |sentence: &str, status| {
        let mut page = pages::login(&state, &headers, &id, Some(sentence), &form.next)?;
        *page.status_mut() = status;
        Ok(page)
    };
    if let Err(seconds) = state.guesses.may_try(source, now) {
        let sentence = format!("Too many failed attempts; try again in {seconds} seconds.");
        let mut page: Response = failed(&sentence, StatusCode::TOO_MANY_REQUESTS)?;
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(page);
    }
    // Who it is becomes known with the token.
    let asker = Asker { name: None, from: source };
    let signing_in = state.gate.sign_in(form.token.0.trim());
    let Some(session) = audit::asked_by(asker, signing_in).await? else {
        state.guesses.failed(source, now);
        state.processor.sign_in_failed(source);
        state.sources.refused(source, now);
        tracing::info!(source = source.map(tracing::field::display), "sign-in refused");
        return failed(REFUSED, StatusCode::UNAUTHORIZED);
    };
    state.guesses.succeeded(source);
    // A browser that signs in again leaves its old session behind.
    state.gate.sign_out(&headers).await?;
    tracing::info!(source = source.map(tracing::field::display), "signed in");
    let set = cookie::set(&session, state.gate.is_plain());
    Ok(with_cookie(see_other(local_path(&form.next)), set))
}

/// `POST /logout`.
pub async fn sign_out(
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    state.gate.sign_out(&headers).await?;
    let response = with_cookie(see_other("/login"), cookie::clear(state.gate.is_plain()));
    Ok(([(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""))], response).into_response())
}

/// Tells a browser to forget pages it has kept.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Sends a browser elsewhere with GET, whatever it came with (RFC 9110 section 15.4.4).
pub fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_query_that_cannot_escape() {
        let response = redirect("/agents?q=a b&x=\"\r\n");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let to = response.headers()[header::LOCATION].to_str().unwrap();
        assert!(to.starts_with("/login?next=%2Fagents%3Fq%3Da"), "{to}");
        assert!(!to.contains(['\r', '\n', '"', ' ']));
    }
}
