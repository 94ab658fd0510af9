//! The pages about users, and everybody's own account.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::gate::people::Attempt;
use crate::http::access::login::{see_other, signed_in, too_many};
use crate::http::access::secret::Secret;
use crate::http::access::setup::chosen;
use crate::http::access::{Caller, login, token};
use crate::http::arrival::Arrival;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::operators::people::{self as users, Coded, NewUser, UserView};
use crate::http::operators::sessions::{self, SessionView};
use crate::http::operators::tokens::{self, MadeToken, NewToken};
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::model::access::Role;
use crate::process::people::{Act, Proof};
use crate::views;
use crate::views::page::Nav;
use crate::views::people::{Account, MadeCode, News, SessionItem, SetupForm, UserItem};
use crate::wire::codes::ErrorCode;

use super::{Reader, Stranger, done, html};

/// The page where a password is chosen.
pub fn set_up(
    (state, Stranger(reader)): (&AppState, &Stranger),
    form: &SetupForm<'_>,
) -> Result<Response, ApiError> {
    html(views::people::set_up(&reader.context(state, "Set up", Nav::Nowhere), form))
}

fn user_item(user: UserView) -> UserItem {
    let from = user.last_sign_in_from.unwrap_or_default();
    UserItem {
        name: user.name,
        role: Role::from_word(user.role).unwrap_or(Role::Viewer),
        fleets: user.fleets,
        masked: user.masked,
        disabled: user.disabled,
        has_password: user.password_at.is_some(),
        second_factor: user.second_factor,
        provider: user.provider,
        setup_until: user.setup_until,
        sessions: user.sessions,
        last_sign_in: user.last_sign_in_at.map(|at| (at, from)),
        created_at: user.created_at,
        created_by: user.created_by,
    }
}

/// The page after something was done, or not.
async fn users_page(state: &AppState, reader: &Reader, news: News) -> Result<Response, ApiError> {
    let context = reader.context(state, "Users", Nav::Settings);
    let users: Vec<_> = users::all(state).await?.into_iter().map(user_item).collect();
    let tokens = tokens::all(state).await?;
    let mut page = html(views::people::users(&context, (&users, &tokens), &news))?;
    if matches!(news, News::Failed(_)) {
        *page.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(page)
}

fn coded(Coded { name, setup_code, setup_until }: Coded) -> News {
    match (setup_code, setup_until) {
        (Some(code), Some(until)) => News::Code(MadeCode { name, code, until }),
        (Some(_) | None, _) => News::None,
    }
}

/// What a person can put right is told on the page; everything else is an error page.
fn told(error: ApiError) -> Result<News, ApiError> {
    if matches!(error.code(), ErrorCode::InvalidField | ErrorCode::Conflict) {
        return Ok(News::Failed(error.detail().to_owned()));
    }
    Err(error)
}

/// `GET /users`.
pub async fn list(State(state): State<AppState>, reader: Reader) -> Result<Response, ApiError> {
    users_page(&state, &reader, News::None).await
}

/// The form of a new user.
#[derive(Debug, Deserialize)]
pub struct NewForm {
    name: String,
    role: String,
    /// Separated by commas; nothing for all.
    #[serde(default)]
    fleets: String,
    /// `1` for pseudonyms.
    masked: Option<String>,
}

/// Whether a box of a form is ticked.
fn is_ticked(field: Option<&str>) -> bool {
    field == Some("1")
}

/// Fleets as people type them.
fn fleets(text: &str) -> Vec<String> {
    let separated = text.split([',', ' ']).filter(|name| !name.is_empty());
    separated.map(str::to_owned).collect()
}

/// `POST /users`.
pub async fn add(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    FormBody(form): FormBody<NewForm>,
) -> Result<Response, ApiError> {
    let NewForm { name, role, fleets: names, masked } = form;
    let masked = is_ticked(masked.as_deref());
    let wanted = NewUser { name, role, fleets: fleets(&names), masked, password: None };
    let news = match users::add(&state, caller.name, wanted).await {
        Ok(made) => coded(made),
        Err(error) => told(error)?,
    };
    users_page(&state, &reader, news).await
}

/// `POST /users/{id}/reset`.
pub async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    let news = match users::renew(&state, caller.name, &name).await {
        Ok(made) => coded(made),
        Err(error) => told(error)?,
    };
    users_page(&state, &reader, news).await
}

/// Does something about a user that needs nothing to be shown.
async fn change(
    state: AppState,
    (caller, reader): (Caller, Reader),
    (name, act): (String, Act),
) -> Result<Response, ApiError> {
    let way = caller.way;
    match users::change(&state, caller.name, (&name, act)).await {
        Ok(()) => Ok(done(&state, &way, ("/users", format!("{name} is changed.")))),
        Err(error) => users_page(&state, &reader, told(error)?).await,
    }
}

/// The form of another role.
#[derive(Debug, Deserialize)]
pub struct RoleForm {
    role: String,
}

/// `POST /users/{id}/role`.
pub async fn give_role(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
    FormBody(form): FormBody<RoleForm>,
) -> Result<Response, ApiError> {
    let role = users::role(&form.role)?;
    change(state, (caller, reader), (name, Act::Role(role))).await
}

/// The form of other fleets.
#[derive(Debug, Deserialize)]
pub struct FleetsForm {
    fleets: String,
}

/// `POST /users/{id}/fleets`.
pub async fn give_fleets(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
    FormBody(form): FormBody<FleetsForm>,
) -> Result<Response, ApiError> {
    match users::reach(&fleets(&form.fleets)) {
        Ok(reach) => change(state, (caller, reader), (name, Act::Reach(reach))).await,
        Err(error) => users_page(&state, &reader, told(error)?).await,
    }
}

/// The form that gives somebody pseudonyms, or not any more.
#[derive(Debug, Deserialize)]
pub struct MaskForm {
    masked: Option<String>,
}

/// `POST /users/{id}/mask`.
pub async fn mask(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
    FormBody(form): FormBody<MaskForm>,
) -> Result<Response, ApiError> {
    let act = Act::Mask(is_ticked(form.masked.as_deref()));
    change(state, (caller, reader), (name, act)).await
}

/// `POST /users/{id}/disable`.
pub async fn disable(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    change(state, (caller, reader), (name, Act::Disable)).await
}

/// `POST /users/{id}/enable`.
pub async fn enable(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    change(state, (caller, reader), (name, Act::Enable)).await
}

/// `POST /users/{id}/end-sessions`.
pub async fn end_sessions(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    change(state, (caller, reader), (name, Act::EndSessions)).await
}

/// `POST /users/{id}/drop-factor`.
pub async fn drop_factor(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    change(state, (caller, reader), (name, Act::DropFactor(Proof::Admin))).await
}

/// `POST /users/{id}/remove`.
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    change(state, (caller, reader), (name, Act::Remove)).await
}

/// The form of a new token.
#[derive(Debug, Deserialize)]
pub struct TokenForm {
    name: String,
    role: String,
    /// Separated by commas; nothing for all.
    #[serde(default)]
    fleets: String,
    /// `1` for pseudonyms.
    masked: Option<String>,
    /// Seconds; nothing for a token without end.
    #[serde(default)]
    for_s: String,
}

/// `POST /tokens`.
pub async fn add_token(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    FormBody(form): FormBody<TokenForm>,
) -> Result<Response, ApiError> {
    let TokenForm { name, role, fleets: names, masked, for_s } = form;
    let masked = is_ticked(masked.as_deref());
    let for_s = Some(for_s.trim()).filter(|text| !text.is_empty()).map(str::parse).transpose();
    let for_s = for_s.map_err(|_odd| ApiError::bad_request("for_s must be a whole number."))?;
    let wanted = NewToken { name, role, fleets: fleets(&names), masked, for_s };
    let news = match tokens::add(&state, caller.name, wanted).await {
        Ok(MadeToken { name, token, .. }) => News::Token { name, token },
        Err(error) => told(error)?,
    };
    users_page(&state, &reader, news).await
}

/// `POST /tokens/{id}/revoke`.
pub async fn revoke_token(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<Response, ApiError> {
    let way = caller.way;
    tokens::end_one(&state, caller.name, &id).await?;
    Ok(done(&state, &way, ("/users", format!("The token {id} opens nothing any more."))))
}

fn session_item(session: SessionView) -> SessionItem {
    SessionItem {
        id: session.id,
        current: session.current,
        source: session.source,
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        expires_at: session.expires_at,
    }
}

/// The page of the caller's account, with what could not be done.
pub async fn account_page(
    state: &AppState,
    (caller, reader): (&Caller, &Reader),
    failed: Option<&str>,
) -> Result<Response, ApiError> {
    let own = sessions::own(state, caller).await?;
    let own: Vec<_> = own.into_iter().map(session_item).collect();
    let context = reader.context(state, "Your account", Nav::Nowhere);
    let user = if caller.user { state.gate.user(&caller.name).await? } else { None };
    let factor = user.as_ref().and_then(|user| Some(user.factor.as_ref()?.recovery.len()));
    let (user, role) = (user.is_some(), caller.role);
    let (fleets, masked) = (&caller.lens.told_reach().words(), caller.lens.guise.is_some());
    let account = Account { user, role, fleets, masked, sessions: &own, factor, failed };
    html(views::people::account(&context, &account))
}

/// `GET /account`.
pub async fn account(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
) -> Result<Response, ApiError> {
    account_page(&state, (&caller, &reader), None).await
}

/// `POST /account/sessions/{id}/end`.
pub async fn end_session(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<Response, ApiError> {
    sessions::end_one(&state, &caller, &id).await?;
    Ok(done(&state, &caller.way, ("/account", format!("The session {id} has ended."))))
}

/// The form of another password.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    old: Secret,
    password: Secret,
    again: Secret,
}

/// `POST /account/password`.
pub async fn password(
    State(state): State<AppState>,
    caller: Caller,
    reader: Reader,
    arrival: Arrival,
    headers: HeaderMap,
    FormBody(form): FormBody<PasswordForm>,
) -> Result<Response, ApiError> {
    let name = caller.name.as_str();
    let known = if caller.user { state.gate.user(name).await? } else { None };
    let Some(user) = known else {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            "A token has no password; sign in as a user.",
        ));
    };
    let failed = |text: String, status| {
        let (state, caller, reader) = (&state, &caller, &reader);
        async move {
            let mut page = account_page(state, (caller, reader), Some(&text)).await?;
            *page.status_mut() = status;
            Ok(page)
        }
    };
    let password =
        match chosen((&form.password, &form.again), name, state.config.access.password_min) {
            Ok(password) => password,
            Err(text) => return failed(text, StatusCode::BAD_REQUEST).await,
        };
    if let Err(seconds) = state.guesses.begin(arrival.source, name, state.clock.now()) {
        return failed(too_many(seconds), StatusCode::TOO_MANY_REQUESTS).await;
    }
    if !state.gate.knows_password(&user, form.old.0).await? {
        login::refused(&state, &arrival, name);
        let text = "The password you have now is another one.".to_owned();
        return failed(text, StatusCode::FORBIDDEN).await;
    }
    let attempt = Attempt { name, arrival: &arrival };
    match state.gate.change_password(&user, attempt, password).await? {
        Some(session) => {
            let words = "Your password is changed, and your other sessions have ended.".to_owned();
            state.flashes.put(token::hash(&session), ("/account", words), state.clock.now());
            signed_in(&state, (&arrival, name), &headers, (&session, "/account")).await
        }
        None => Ok(see_other("/login")),
    }
}
