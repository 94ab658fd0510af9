//! Users, for programs of admins, and what the pages about them do likewise.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::http::access::secret::Secret;
use crate::http::access::setup::CODE_SECONDS;
use crate::http::access::{Caller, token};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::model::access::{Role, user_name};
use crate::model::id::FleetId;
use crate::model::password::Password;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::process::people::{Act, Entry, Order, Proof};
use crate::store::people::{SessionFilter, Setup, UserRecord};
use crate::wire::codes::ErrorCode;

use super::{Acknowledged, OK};

/// Sessions that are counted.
const COUNTED: usize = 10_000;

/// A user.
#[derive(Debug, Clone, Serialize)]
pub struct UserView {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: &'static str,
    /// Which fleets they see; none: all, and the manager itself.
    pub fleets: Vec<FleetId>,
    /// Whether they are given pseudonyms, whatever their role.
    pub masked: bool,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// When they chose their password; `null`: they have none yet.
    pub password_at: Option<UnixSeconds>,
    /// Whether they need a code beside it.
    pub second_factor: bool,
    /// The OpenID provider where they sign in instead; `null`: they sign in here.
    pub provider: Option<String>,
    /// When their setup code ends; `null`: they have none.
    pub setup_until: Option<UnixSeconds>,
    /// Sessions they have open.
    pub sessions: usize,
    /// When they were added.
    pub created_at: UnixSeconds,
    /// Who added them.
    pub created_by: String,
    /// When they last signed in.
    pub last_sign_in_at: Option<UnixSeconds>,
    /// From which address.
    pub last_sign_in_from: Option<String>,
}

impl UserView {
    fn of(user: UserRecord, sessions: usize) -> Self {
        Self {
            name: user.name,
            role: user.role.as_str(),
            fleets: user.reach.fleets(),
            masked: user.masked,
            disabled: user.disabled,
            password_at: user.password_at,
            second_factor: user.factor.is_some(),
            provider: user.foreign.map(|foreign| foreign.issuer),
            setup_until: user.setup.map(|setup| setup.until),
            sessions,
            created_at: user.created_at,
            created_by: user.created_by,
            last_sign_in_at: user.last_sign_in_at,
            last_sign_in_from: user.last_sign_in_from,
        }
    }
}

/// All users with the number of their sessions, by name.
pub async fn all(state: &AppState) -> Result<Vec<UserView>, ApiError> {
    let users = state.gate.users().await?;
    let filter = SessionFilter { name: None, kind: Some("session"), limit: COUNTED };
    let open = state.gate.sessions(filter).await?;
    let count = |user: &UserRecord| {
        open.iter().filter(|one| one.generation.is_some() && one.name == user.name).count()
    };
    Ok(users
        .into_iter()
        .map(|user| (count(&user), user))
        .map(|(n, u)| UserView::of(u, n))
        .collect())
}

/// `GET /api/v1/users`.
pub async fn list(State(state): State<AppState>) -> Result<Json<Vec<UserView>>, ApiError> {
    all(&state).await.map(Json)
}

/// `GET /api/v1/users/{id}`.
pub async fn one(
    State(state): State<AppState>,
    Id(name): Id<String>,
) -> Result<Json<UserView>, ApiError> {
    let found = all(&state).await?.into_iter().find(|user| user.name == name.to_lowercase());
    found.map(Json).ok_or_else(|| ApiError::not_found("user"))
}

/// Whom to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Their name.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// Which fleets they see; none, or without it: all.
    #[serde(default)]
    pub fleets: Vec<String>,
    /// Whether they are given pseudonyms; without it, as their role is.
    #[serde(default)]
    pub masked: bool,
    /// Their password; without it a setup code is made, with which they choose one.
    #[serde(default)]
    pub password: Option<Secret>,
}

/// Whom was added, or has to choose a password anew.
#[derive(Clone, Serialize)]
pub struct Coded {
    /// Their name.
    pub name: String,
    /// The setup code, told this once.
    pub setup_code: Option<String>,
    /// When it ends.
    pub setup_until: Option<UnixSeconds>,
}

impl std::fmt::Debug for Coded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coded({})", self.name)
    }
}

/// A setup code, and what is stored of it.
fn code(state: &AppState) -> Result<(String, Setup), ApiError> {
    let (code, hash) = token::setup_code().map_err(ApiError::internal)?;
    let until = state.clock.now().plus(CODE_SECONDS);
    Ok(((*code).clone(), Setup { hash, until }))
}

/// The role of a word.
pub fn role(word: &str) -> Result<Role, ApiError> {
    Role::from_word(word).ok_or_else(|| {
        ApiError::new(ErrorCode::InvalidField, "role must be one of: viewer, operator, admin.")
    })
}

/// The reach of named fleets.
pub fn reach(fleets: &[String]) -> Result<Reach, ApiError> {
    Reach::read(fleets.iter().map(String::as_str))
        .map_err(|odd| ApiError::new(ErrorCode::InvalidField, format!("fleets: {odd}")))
}

fn known_name(name: &str) -> Result<String, ApiError> {
    user_name(name).map_err(|_odd| ApiError::not_found("user"))
}

async fn hashed(state: &AppState, password: Secret, user: &str) -> Result<String, ApiError> {
    let password = Password::chosen(password.0, user, state.config.access.password_min)
        .map_err(|weak| ApiError::new(ErrorCode::InvalidField, weak.to_string()))?;
    state.gate.hash(password).await
}

/// Adds a user.
pub async fn add(state: &AppState, by: String, wanted: NewUser) -> Result<Coded, ApiError> {
    let (role, reach) = (role(&wanted.role)?, reach(&wanted.fleets)?);
    let user = user_name(&wanted.name)
        .map_err(|problem| ApiError::new(ErrorCode::InvalidField, problem))?;
    let tokens = SessionFilter { name: Some(user.clone()), kind: Some("token"), limit: 1 };
    if !state.gate.sessions(tokens).await?.is_empty() {
        let why = format!("A token has the name {user}; two who act must have two names.");
        return Err(ApiError::new(ErrorCode::Conflict, why));
    }
    let (entry, code, until) = match wanted.password {
        Some(password) => (Entry::Password(hashed(state, password, &user).await?), None, None),
        None => {
            let (code, setup) = code(state)?;
            let until = setup.until;
            (Entry::Setup(setup), Some(code), Some(until))
        }
    };
    let act = Act::Add { role, entry, reach, masked: wanted.masked };
    state.gate.order(Order { user: user.clone(), act, by }).await?;
    Ok(Coded { name: user, setup_code: code, setup_until: until })
}

/// Takes a user's password away, and makes a code with which they choose another.
pub async fn renew(state: &AppState, by: String, name: &str) -> Result<Coded, ApiError> {
    let user = known_name(name)?;
    let (code, setup) = code(state)?;
    let until = setup.until;
    state.gate.order(Order { user: user.clone(), act: Act::Reset(setup), by }).await?;
    Ok(Coded { name: user, setup_code: Some(code), setup_until: Some(until) })
}

/// Does something else about a user.
pub async fn change(
    state: &AppState,
    by: String,
    (name, act): (&str, Act),
) -> Result<(), ApiError> {
    state.gate.order(Order { user: known_name(name)?, act, by }).await?;
    Ok(())
}

/// `POST /api/v1/users`.
pub async fn make(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<NewUser>,
) -> Result<(StatusCode, Json<Coded>), ApiError> {
    Ok((StatusCode::CREATED, Json(add(&state, caller.name, wanted).await?)))
}

/// What a user may do from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// `viewer`, `operator` or `admin`.
    pub role: String,
}

/// `POST /api/v1/users/{id}/role`.
pub async fn give_role(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
    JsonBody(wanted): JsonBody<NewRole>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::Role(role(&wanted.role)?))).await?;
    Ok(Json(OK))
}

/// What a user sees from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFleets {
    /// These fleets; none: all, and the manager itself.
    pub fleets: Vec<String>,
}

/// `POST /api/v1/users/{id}/fleets`.
pub async fn give_fleets(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
    JsonBody(wanted): JsonBody<NewFleets>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::Reach(reach(&wanted.fleets)?))).await?;
    Ok(Json(OK))
}

/// Under which names a user sees things from now on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMask {
    /// Whether under pseudonyms.
    pub masked: bool,
}

/// `POST /api/v1/users/{id}/mask`.
pub async fn mask(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
    JsonBody(wanted): JsonBody<NewMask>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::Mask(wanted.masked))).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/users/{id}/disable`.
pub async fn disable(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::Disable)).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/users/{id}/enable`.
pub async fn enable(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::Enable)).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/users/{id}/end-sessions`.
pub async fn end_sessions(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::EndSessions)).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/users/{id}/drop-factor`.
pub async fn drop_factor(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::DropFactor(Proof::Admin))).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/users/{id}/reset`.
pub async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<Coded>, ApiError> {
    renew(&state, caller.name, &name).await.map(Json)
}

/// A password that an admin gives a user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password.
    pub password: Secret,
}

/// `POST /api/v1/users/{id}/password`.
pub async fn password(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
    JsonBody(wanted): JsonBody<NewPassword>,
) -> Result<Json<Acknowledged>, ApiError> {
    let name = known_name(&name)?;
    if state.gate.user(&name).await?.is_none() {
        return Err(ApiError::not_found("user"));
    }
    let password = hashed(&state, wanted.password, &name).await?;
    let act = Act::Password { password, proof: Proof::Admin };
    change(&state, caller.name, (&name, act)).await?;
    Ok(Json(OK))
}

/// `DELETE /api/v1/users/{id}`.
pub async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    change(&state, caller.name, (&name, Act::Remove)).await?;
    Ok(Json(OK))
}
