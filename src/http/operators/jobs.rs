//! The background jobs: what there is, how each stands, and having one run now.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::process::chores::{Chore, ChoreState};
use crate::process::handle::{Command, CommandError};
use crate::wire::codes::ErrorCode;

/// `GET /api/v1/jobs`.
pub async fn list(State(state): State<AppState>) -> Json<Vec<ChoreState>> {
    Json(state.whole().chores().list(state.clock.now()))
}

/// `POST /api/v1/jobs/{id}/run`.
pub async fn run(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<(StatusCode, Json<ChoreState>), ApiError> {
    let chore = ask(&state, &name, caller.name).await?;
    let job = state.whole().chores().one(chore, state.clock.now());
    let job = job.ok_or_else(|| ApiError::internal("a job is not listed"))?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

/// Has a job begin at the next look, within a second; the history says who asked.
pub async fn ask(state: &AppState, name: &str, by: String) -> Result<Chore, ApiError> {
    let Some(chore) = Chore::from_name(name) else {
        let names: Vec<_> = Chore::ALL.iter().map(|chore| chore.name()).collect();
        let detail = format!("There is no such job; there are: {}.", names.join(", "));
        return Err(ApiError::new(ErrorCode::NotFound, detail));
    };
    if !state.whole().chores().ask(chore) {
        let detail = format!("{name} is running; look at GET /api/v1/jobs when it ends.");
        return Err(CommandError::NotPossible(detail).into());
    }
    state.command(Command::RunJob { by, job: chore.name() }).await?;
    Ok(chore)
}
