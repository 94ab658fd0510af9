//! One's own second factor: asked for, shown once, switched on by its first code, switched off.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::http::access::gate::people::Attempt;
use crate::http::access::login::{signed_in, too_many, with_cookie};
use crate::http::access::secret::Secret;
use crate::http::access::{Caller, Way, cookie, login, token};
use crate::http::arrival::Arrival;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::sign::totp;
use crate::store::people::UserRecord;
use crate::views;
use crate::views::page::Nav;
use crate::views::people::FactorStep;
use crate::wire::codes::ErrorCode;

use super::people::account_page;
use super::{Reader, html};

/// A password, typed again before what matters.
#[derive(Debug, Deserialize)]
pub struct AgainForm {
    password: Secret,
}

/// The first code of a secret.
#[derive(Debug, Deserialize)]
pub struct CodeForm {
    code: Secret,
}

/// The user who asks, and the session they ask in.
async fn asking(state: &AppState, caller: &Caller) -> Result<(UserRecord, [u8; 32]), ApiError> {
    if let (true, Way::Session { hash, .. }) = (caller.user, &caller.way)
        && let Some(user) = state.gate.user(&caller.name).await?
    {
        return Ok((user, *hash));
    }
    let text = "A token has no second factor; sign in as a user.";
    Err(ApiError::new(ErrorCode::Conflict, text))
}

/// Whether the password typed again is the user's; if not, the page that says so.
async fn proven(
    state: &AppState,
    (caller, reader, user): (&Caller, &Reader, &UserRecord),
    (attempt, typed): (Attempt<'_>, Zeroizing<String>),
) -> Result<Option<Response>, ApiError> {
    let (text, status) =
        match state.guesses.begin(attempt.arrival.source, &user.name, state.clock.now()) {
            Err(seconds) => (too_many(seconds), StatusCode::TOO_MANY_REQUESTS),
            Ok(()) if state.gate.knows_password(user, typed).await? => {
                state.guesses.succeeded(attempt.arrival.source, &user.name);
                return Ok(None);
            }
            Ok(()) => {
                login::refused(state, attempt.arrival, &user.name);
                ("The password you have now is another one.".to_owned(), StatusCode::FORBIDDEN)
            }
        };
    let mut page = account_page(state, (caller, reader), Some(&text)).await?;
    *page.status_mut() = status;
    Ok(Some(page))
}

fn enrol_page(
    state: &AppState,
    reader: &Reader,
    (user, secret, failed): (&str, &totp::Secret, Option<&str>),
) -> Result<Response, ApiError> {
    let uri = totp::uri(secret, user);
    let step = FactorStep::Enrol {
        secret: totp::base32(secret),
        qr: views::qr::of(&uri),
        uri,
        failed: failed.map(str::to_owned),
    };
    let context = reader.context(state, "A second factor", Nav::Nowhere);
    html(views::people::factor(&context, &step))
}

/// `POST /account/factor`.
pub async fn begin(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    arrival: Arrival,
    FormBody(form): FormBody<AgainForm>,
) -> Result<Response, ApiError> {
    let (user, session) = asking(&state, &caller).await?;
    let attempt = Attempt { name: &user.name, arrival: &arrival };
    let who = (&caller, &reader, &user);
    if let Some(page) = proven(&state, who, (attempt, form.password.0)).await? {
        return Ok(page);
    }
    let secret = state.gate.begin_factor(session)?;
    enrol_page(&state, &reader, (&user.name, &secret, None))
}

/// `POST /account/factor/confirm`.
pub async fn confirm(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    arrival: Arrival,
    FormBody(form): FormBody<CodeForm>,
) -> Result<Response, ApiError> {
    let (user, session) = asking(&state, &caller).await?;
    let Some(secret) = state.gate.waiting_factor(&session) else {
        let text = "No secret waits for a code here any more; begin anew on your account's page.";
        return Err(ApiError::new(ErrorCode::Conflict, text));
    };
    let attempt = Attempt { name: &user.name, arrival: &arrival };
    let added = state.gate.add_factor(&user, attempt, (session, secret, &form.code.0)).await?;
    let Some((session, codes)) = added else {
        let text = "This is no code of the secret now; look whether the app's clock is right.";
        let mut page = enrol_page(&state, &reader, (&user.name, &secret, Some(text)))?;
        *page.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(page);
    };
    let mut context = reader.context(&state, "Recovery codes", Nav::Nowhere);
    // The page belongs to the session that begins with it.
    context.form_token = Some(token::form_token(&session));
    let page = html(views::people::factor(&context, &FactorStep::Enrolled(codes)))?;
    Ok(with_cookie(page, cookie::set(&session, arrival.channel)))
}

/// `POST /account/factor/off`.
pub async fn end(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    arrival: Arrival,
    headers: HeaderMap,
    FormBody(form): FormBody<AgainForm>,
) -> Result<Response, ApiError> {
    let (user, _session) = asking(&state, &caller).await?;
    let attempt = Attempt { name: &user.name, arrival: &arrival };
    let who = (&caller, &reader, &user);
    if let Some(page) = proven(&state, who, (attempt, form.password.0)).await? {
        return Ok(page);
    }
    match state.gate.drop_factor(&user, attempt).await? {
        Some(session) => {
            signed_in(&state, (&arrival, &user.name), &headers, (&session, "/account")).await
        }
        None => Ok(login::see_other("/login")),
    }
}
