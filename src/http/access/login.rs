//! Signing in and out: a name and password, or a token, becomes a session.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::arrival::{Arrival, Channel};
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::pages::{self, Stranger};
use crate::http::state::AppState;
use crate::model::access::user_name;
use crate::process::audit::{self, Asker};
use crate::views::login::{LoginForm, local_path};
use crate::views::text::encode;
use crate::wire::codes::ErrorCode;

use super::cookie;
use super::gate::people::Attempt;
use super::secret::Secret;

/// The one sentence for every token that opens nothing.
const TOKEN_REFUSED: &str = "This token is not accepted.";

/// The one sentence for every name and password that open nothing.
const PASSWORD_REFUSED: &str = "This name and password, or the code, are not accepted.";

/// Where to go after signing in.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// A page of this manager.
    #[serde(default)]
    next: String,
}

/// The form: a name with a password, or a token.
#[derive(Debug, Deserialize)]
pub struct SignIn {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    code: Secret,
    #[serde(default)]
    token: Secret,
    #[serde(default)]
    next: String,
}

impl SignIn {
    fn is_token(&self) -> bool {
        !self.token.0.trim().is_empty()
    }

    /// The user's name; none if a token was sent. What cannot be a name is a name nobody has.
    fn user(&self) -> String {
        if self.is_token() { String::new() } else { user_name(&self.name).unwrap_or_default() }
    }
}

/// Sends a browser to the sign-in page and, after that, where it wanted to go.
pub fn redirect(wanted: &str) -> Response {
    see_other(&format!("/login?next={}", encode(wanted)))
}

/// `GET /login`.
pub async fn form(
    State(state): State<AppState>,
    stranger: Stranger,
    arrival: Arrival,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let form = blank(&state, &arrival).await?;
    pages::login((&state, &stranger), &LoginForm { next: &wanted.next, ..form }, None)
}

/// The form as nobody has filled it in.
pub(super) async fn blank<'a>(
    state: &AppState,
    arrival: &'a Arrival,
) -> Result<LoginForm<'a>, ApiError> {
    let users = !state.gate.users().await?.is_empty();
    let setup = !users && state.awaits_first_user();
    let vouched = arrival.vouched.as_deref();
    let provider = state.provider.as_ref().map(|provider| provider.host());
    Ok(LoginForm { users, setup, with_token: false, name: "", next: "", vouched, provider })
}

/// `POST /login`.
pub async fn sign_in(
    State(state): State<AppState>,
    stranger: Stranger,
    arrival: Arrival,
    headers: HeaderMap,
    FormBody(form): FormBody<SignIn>,
) -> Result<Response, ApiError> {
    let (user, source) = (form.user(), arrival.source);
    let again = blank(&state, &arrival).await?;
    let again = LoginForm { with_token: form.is_token(), name: &user, next: &form.next, ..again };
    let failed = |sentence: &str, status| {
        let mut page = pages::login((&state, &stranger), &again, Some(sentence))?;
        *page.status_mut() = status;
        Ok(page)
    };
    if let Err(seconds) = state.guesses.begin(source, &user, state.clock.now()) {
        let mut page: Response = failed(&too_many(seconds), StatusCode::TOO_MANY_REQUESTS)?;
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(page);
    }
    // Who it is becomes known with the token or the password.
    let asker = Asker { name: None, from: source };
    let (session, refusal) = if form.is_token() {
        let signing_in = state.gate.sign_in(form.token.0.trim(), &arrival);
        (audit::asked_by(asker, signing_in).await?, TOKEN_REFUSED)
    } else {
        let attempt = Attempt { name: &user, arrival: &arrival };
        let (password, code) = (form.password.0.clone(), form.code.0.as_str());
        let signing_in = state.gate.sign_in_user(attempt, password, code);
        (audit::asked_by(asker, signing_in).await?, PASSWORD_REFUSED)
    };
    match session {
        Some(session) => {
            let next = local_path(&form.next);
            signed_in(&state, (&arrival, &user), &headers, (&session, next)).await
        }
        None => {
            refused(&state, &arrival, &user);
            failed(refusal, StatusCode::UNAUTHORIZED)
        }
    }
}

/// The form of who comes in by a proxy's word.
#[derive(Debug, Deserialize)]
pub struct Vouched {
    #[serde(default)]
    next: String,
}

/// `POST /login/proxy`: whoever a trusted proxy has let in.
pub async fn sign_in_vouched(
    State(state): State<AppState>,
    stranger: Stranger,
    arrival: Arrival,
    headers: HeaderMap,
    FormBody(form): FormBody<Vouched>,
) -> Result<Response, ApiError> {
    let Some(name) = arrival.vouched.as_deref() else {
        return Err(ApiError::new(
            ErrorCode::Forbidden,
            "No proxy of KATTILA_TRUSTED_PROXIES has named a user with this request.",
        ));
    };
    let asker = Asker { name: None, from: arrival.source };
    let attempt = Attempt { name, arrival: &arrival };
    match audit::asked_by(asker, state.gate.sign_in_vouched(attempt)).await? {
        Some(session) => {
            let next = local_path(&form.next);
            signed_in(&state, (&arrival, name), &headers, (&session, next)).await
        }
        None => {
            refused(&state, &arrival, name);
            let again = blank(&state, &arrival).await?;
            let again = LoginForm { next: &form.next, vouched: None, ..again };
            let mut page = pages::login((&state, &stranger), &again, Some(NOBODY_HERE))?;
            *page.status_mut() = StatusCode::FORBIDDEN;
            Ok(page)
        }
    }
}

/// The sentence for whom the proxy knows and this manager does not.
const NOBODY_HERE: &str =
    "The proxy lets you in, but under this name there is no user here, or one who is kept out.";

/// The sentence for who tried too often.
pub fn too_many(seconds: u32) -> String {
    format!("Too many failed attempts; try again in {seconds} seconds.")
}

/// Notes that somebody was not let in. The name is what was typed if it can be one, nothing for a
/// token.
pub fn refused(state: &AppState, arrival: &Arrival, user: &str) {
    let source = arrival.source;
    state.whole().sign_in_failed(source);
    state.sources.refused(source, state.clock.now());
    tracing::info!(source = source.map(tracing::field::display), user, "sign-in refused");
}

/// Lets somebody in for whom a session was opened: notes it and gives the browser its cookie.
pub async fn signed_in(
    state: &AppState,
    (arrival, user): (&Arrival, &str),
    headers: &HeaderMap,
    (session, next): (&Zeroizing<String>, &str),
) -> Result<Response, ApiError> {
    let source = arrival.source;
    state.guesses.succeeded(source, user);
    // A browser that signs in again leaves its old session behind.
    state.gate.sign_out(headers, arrival.channel).await?;
    tracing::info!(source = source.map(tracing::field::display), user, "signed in");
    let response = with_cookie(see_other(next), cookie::set(session, arrival.channel));
    Ok(leave_share(response, headers, arrival.channel))
}

/// `POST /logout`.
pub async fn sign_out(
    State(state): State<AppState>,
    arrival: Arrival,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    state.gate.sign_out(&headers, arrival.channel).await?;
    let response = with_cookie(see_other("/login"), cookie::clear(arrival.channel));
    Ok(([(CLEAR_SITE_DATA, HeaderValue::from_static("\"cache\""))], response).into_response())
}

/// Tells a browser to forget pages it has kept.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// An answer with a session's cookie.
pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// An answer that takes the shared link away by which the browser came until now.
pub fn leave_share(mut response: Response, headers: &HeaderMap, channel: Channel) -> Response {
    let cookie = cookie::share(headers, channel).and_then(|_| cookie::set_share("", channel, 0));
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
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
