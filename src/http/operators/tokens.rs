//! Tokens of programs: made and revoked by admins, told once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::http::access::{Caller, token};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::{Id, Params, rows};
use crate::http::state::AppState;
use crate::model::access::{Role, token_name};
use crate::model::id::FleetId;
use crate::model::time::UnixSeconds;
use crate::process::handle::Command;
use crate::process::people::{PeopleWish, Revoke};
use crate::store::people::{SessionFilter, SessionRecord};
use crate::views::people::TokenItem;
use crate::wire::codes::ErrorCode;

use super::people::{reach, role};
use super::sessions::id_of;
use super::{Acknowledged, OK};

/// The longest life of a token that ends, in seconds (ten years).
const LONGEST_S: i64 = 10 * 366 * 86_400;

/// The shortest, in seconds.
const SHORTEST_S: i64 = 60;

/// Tokens there may be: the work of listing them is bounded.
const MOST: usize = 1_000;

/// A token as people and programs see it: not what opens the door.
fn shown(record: SessionRecord) -> TokenItem {
    let used = record.last_used_at > record.created_at;
    TokenItem {
        id: id_of(&record),
        name: record.name,
        role: record.role,
        fleets: record.reach.fleets(),
        masked: record.masked,
        created_at: record.created_at,
        made_by: record.made_by,
        last_used_at: used.then_some(record.last_used_at),
        expires_at: record.expires_at,
    }
}

/// Which to list.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    limit: Option<usize>,
}

/// All tokens that have not ended, newest first.
async fn stored(state: &AppState, limit: usize) -> Result<Vec<SessionRecord>, ApiError> {
    state.gate.sessions(SessionFilter { name: None, kind: Some("token"), limit }).await
}

/// All tokens that have not ended, newest first.
pub async fn all(state: &AppState) -> Result<Vec<TokenItem>, ApiError> {
    Ok(stored(state, MOST).await?.into_iter().map(shown).collect())
}

/// `GET /api/v1/tokens`.
pub async fn list(
    State(state): State<AppState>,
    Params(asked): Params<Asked>,
) -> Result<Json<Vec<TokenItem>>, ApiError> {
    let found = stored(&state, rows(asked.limit)).await?;
    Ok(Json(found.into_iter().map(shown).collect()))
}

/// What token to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose it is; shown in the history.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// Which fleets it sees; none, or without it: all.
    #[serde(default)]
    pub fleets: Vec<String>,
    /// Whether it is given pseudonyms; without it, as its role is.
    #[serde(default)]
    pub masked: bool,
    /// For how many seconds it works; without it, until it is revoked.
    #[serde(default)]
    pub for_s: Option<i64>,
}

/// The token, told this once.
#[derive(Serialize)]
pub struct MadeToken {
    /// Names it in lists.
    pub id: String,
    /// Whose it is.
    pub name: String,
    /// What it may do.
    pub role: &'static str,
    /// Which fleets it sees; none: all.
    pub fleets: Vec<FleetId>,
    /// Whether it is given pseudonyms, whatever its role.
    pub masked: bool,
    /// When it ends; `null`: it does not.
    pub expires_at: Option<UnixSeconds>,
    /// The token itself.
    pub token: String,
}

impl std::fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeToken({} {} {})", self.id, self.name, self.role)
    }
}

/// When a token ends that works for so many seconds.
pub fn end(for_s: Option<i64>, now: UnixSeconds) -> Result<Option<UnixSeconds>, ApiError> {
    match for_s {
        Some(for_s) if !(SHORTEST_S..=LONGEST_S).contains(&for_s) => Err(ApiError::new(
            ErrorCode::InvalidField,
            format!("for_s must be from {SHORTEST_S} to {LONGEST_S} seconds."),
        )),
        for_s => Ok(for_s.map(|for_s| now.plus(for_s))),
    }
}

/// Makes a token.
pub async fn add(state: &AppState, by: String, wanted: NewToken) -> Result<MadeToken, ApiError> {
    let (role, reach, masked) = (role(&wanted.role)?, reach(&wanted.fleets)?, wanted.masked);
    if masked && role == Role::Admin {
        let why =
            "masked: an admin must know which host is which; make it a viewer or an operator.";
        return Err(ApiError::new(ErrorCode::InvalidField, why));
    }
    let now = state.clock.now();
    let expires_at = end(wanted.for_s, now)?;
    let name = token_name(&wanted.name)
        .map_err(|problem| ApiError::new(ErrorCode::InvalidField, problem))?;
    if state.gate.user(name).await?.is_some() {
        let why = format!("A user has the name {name}; two who act must have two names.");
        return Err(ApiError::new(ErrorCode::Conflict, why));
    }
    if stored(state, MOST).await?.len() >= MOST {
        let why = format!("There are {MOST} tokens, which is the most; revoke some first.");
        return Err(ApiError::new(ErrorCode::Conflict, why));
    }
    let (secret, mut record) = token::api_token(name, role, now).map_err(ApiError::internal)?;
    (record.expires_at, record.made_by) = (expires_at, Some(by.clone()));
    (record.reach, record.masked) = (reach.clone(), masked);
    let id = id_of(&record);
    state.gate.add_token(record).await?;
    let fleets = reach.addition();
    let under = if masked { ", under pseudonyms" } else { "" };
    let what = format!("made the token {name} ({id}) with the role {role}{fleets}{under}");
    state.command(Command::Note { by, what }).await?;
    let (name, token) = (name.to_owned(), (*secret).clone());
    let (role, fleets) = (role.as_str(), reach.fleets());
    Ok(MadeToken { id, name, role, fleets, masked, expires_at, token })
}

/// Revokes a token: nothing that it opened stays open.
pub async fn end_one(state: &AppState, by: String, id: &str) -> Result<(), ApiError> {
    let found = stored(state, usize::MAX).await?.into_iter().find(|record| id_of(record) == id);
    let record = found.ok_or_else(|| ApiError::not_found("token"))?;
    let wish = PeopleWish::Revoke(Revoke { record: record.clone(), by });
    state.command(Command::People(Box::new(wish))).await?;
    state.gate.forget(&record);
    Ok(())
}

/// `POST /api/v1/tokens`.
pub async fn make(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), ApiError> {
    Ok((StatusCode::CREATED, Json(add(&state, caller.name, wanted).await?)))
}

/// `DELETE /api/v1/tokens/{id}`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    end_one(&state, caller.name, &id).await?;
    Ok(Json(OK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_minute_to_ten_years_or_without_end() {
        let now = UnixSeconds(1_000);
        assert_eq!(end(None, now).unwrap(), None);
        assert_eq!(end(Some(60), now).unwrap(), Some(UnixSeconds(1_060)));
        for bad in [0, 59, -1, i64::MIN, i64::MAX, LONGEST_S + 1] {
            assert_eq!(end(Some(bad), now).unwrap_err().code(), ErrorCode::InvalidField, "{bad}");
        }
    }
}
