//! Sessions: everybody's own, and all of them for admins.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::access::{Caller, Way};
use crate::http::error::ApiError;
use crate::http::params::{Id, Params, rows};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::access::Role;
use crate::model::hex;
use crate::model::id::FleetId;
use crate::model::time::UnixSeconds;
use crate::store::people::{SessionFilter, SessionRecord};
use crate::wire::codes::ErrorCode;

use super::{Acknowledged, OK};

/// Bytes of a digest that name a session or token: nobody can find the token from them, and no
/// two of a manager share them.
const ID_BYTES: usize = 8;

/// Sessions that are looked through for one of them.
const LOOKED_AT: usize = 10_000;

/// A session.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// Names it; not what opens it.
    pub id: String,
    /// Who signed in.
    pub name: String,
    /// Whether they are a user, rather than the holder of a token.
    pub user: bool,
    /// What they may do.
    pub role: String,
    /// Which fleets it sees; none: all.
    pub fleets: Vec<FleetId>,
    /// The address it was opened from, if that is known.
    pub source: Option<String>,
    /// When it began.
    pub created_at: UnixSeconds,
    /// When it was last used, to the minute.
    pub last_used_at: UnixSeconds,
    /// When it ends at the latest.
    pub expires_at: Option<UnixSeconds>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionView {
    fn of(record: SessionRecord, caller: &Caller) -> Self {
        let current =
            matches!(&caller.way, Way::Session { hash, .. } if *hash == record.token_hash);
        let lens = Lens { reach: record.reach.clone(), guise: caller.lens.guise.clone() };
        Self {
            id: id_of(&record),
            user: record.generation.is_some(),
            name: record.name,
            role: record.role,
            fleets: lens.told_reach().fleets(),
            source: record.source,
            created_at: record.created_at,
            last_used_at: record.last_used_at,
            expires_at: record.expires_at,
            current,
        }
    }
}

/// What names a session or token where people see it.
pub fn id_of(record: &SessionRecord) -> String {
    hex::encode(record.token_hash.get(..ID_BYTES).unwrap_or_default())
}

/// Whose to list.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    name: Option<String>,
    limit: Option<usize>,
}

/// The caller's own sessions, newest first.
pub async fn own(state: &AppState, caller: &Caller) -> Result<Vec<SessionView>, ApiError> {
    let found = of_caller(state, caller).await?;
    Ok(found.into_iter().map(|record| SessionView::of(record, caller)).collect())
}

async fn of_caller(state: &AppState, caller: &Caller) -> Result<Vec<SessionRecord>, ApiError> {
    if caller.way == Way::Anonymous {
        return Err(ApiError::new(
            ErrorCode::Unauthenticated,
            "Who has not signed in has no sessions: sign in at /login.",
        ));
    }
    let name = Some(caller.name.clone());
    let filter = SessionFilter { name, kind: Some("session"), limit: LOOKED_AT };
    let mut found = state.gate.sessions(filter).await?;
    // A user and a token of one name are two.
    found.retain(|record| record.generation.is_some() == caller.user);
    Ok(found)
}

/// Admins of everything look after everybody's.
fn is_over_all(caller: &Caller) -> bool {
    caller.role == Role::Admin && caller.lens.is_clear()
}

/// `GET /api/v1/sessions`: the caller's own; all of them for admins.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Json<Vec<SessionView>>, ApiError> {
    let limit = rows(asked.limit);
    let found = if is_over_all(&caller) {
        let filter = SessionFilter { name: asked.name, kind: Some("session"), limit };
        state.gate.sessions(filter).await?
    } else {
        of_caller(&state, &caller).await?
    };
    let found = found.into_iter().take(limit).map(|record| SessionView::of(record, &caller));
    Ok(Json(found.collect()))
}

/// `DELETE /api/v1/sessions/{id}`.
pub async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    end_one(&state, &caller, &id).await?;
    Ok(Json(OK))
}

/// Ends a session: one's own, or for admins anybody's. Another's is not there for others.
pub async fn end_one(state: &AppState, caller: &Caller, id: &str) -> Result<(), ApiError> {
    let found = if is_over_all(caller) {
        let filter = SessionFilter { name: None, kind: Some("session"), limit: LOOKED_AT };
        state.gate.sessions(filter).await?
    } else {
        of_caller(state, caller).await?
    };
    let session = found.into_iter().find(|record| id_of(record) == id);
    let session = session.ok_or_else(|| ApiError::not_found("session"))?;
    state.gate.end_session(&session).await
}
