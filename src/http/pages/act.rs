//! The forms of the pages. Each does what the API does and leads back to a page; the guard has
//! checked the form's token before.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::access::login::see_other;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::keys;
use crate::http::operators::agents::known;
use crate::http::operators::jobs;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::model::id::{AgentId, Kid};
use crate::process::handle::{Command, ResetTarget};
use crate::views::text::encode;

/// The form of an approval: the key whose fingerprint the page showed.
#[derive(Debug, Deserialize)]
pub struct SeenForm {
    kid: Option<String>,
}

/// The form that lets an agent relay, or forbids it.
#[derive(Debug, Deserialize)]
pub struct RelayForm {
    allowed: bool,
}

/// `POST /agents/{id}/approve`.
pub async fn approve(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    FormBody(form): FormBody<SeenForm>,
) -> Result<Response, ApiError> {
    let back = page_of(&agent);
    let kid = form.kid.filter(|kid| !kid.is_empty()).map(|kid| kid.parse()).transpose();
    let kid = kid.map_err(|_odd| ApiError::bad_request("kid must be 16 hexadecimal digits."))?;
    known(&state, &caller, &agent)?;
    state.command(Command::Approve { agent, kid, by: caller.name }).await?;
    Ok(see_other(&back))
}

/// `POST /agents/{id}/refuse`.
pub async fn refuse(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Response, ApiError> {
    known(&state, &caller, &agent)?;
    state.command(Command::Refuse { agent, by: caller.name }).await?;
    Ok(see_other("/agents"))
}

/// `POST /agents/{id}/revoke`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Response, ApiError> {
    let back = page_of(&agent);
    known(&state, &caller, &agent)?;
    state.command(Command::Revoke { agent, by: caller.name }).await?;
    Ok(see_other(&back))
}

/// `POST /agents/{id}/relay`.
pub async fn relay(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
    FormBody(RelayForm { allowed }): FormBody<RelayForm>,
) -> Result<Response, ApiError> {
    let back = page_of(&agent);
    known(&state, &caller, &agent)?;
    state.command(Command::MayRelay { agent, allowed, by: caller.name }).await?;
    Ok(see_other(&back))
}

/// `POST /agents/{id}/reset`.
pub async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Response, ApiError> {
    let back = page_of(&agent);
    known(&state, &caller, &agent)?;
    let command = Command::Reset {
        target: ResetTarget::Agent(agent),
        forget: false,
        identity: false,
        by: caller.name,
    };
    state.command(command).await?;
    Ok(see_other(&back))
}

/// `POST /settings/keys/{id}/revoke`.
pub async fn revoke_key(
    State(state): State<AppState>,
    caller: Caller,
    Id(kid): Id<Kid>,
) -> Result<Response, ApiError> {
    keys::withdraw(&state, kid, caller.name).await?;
    Ok(see_other("/settings"))
}

/// `POST /settings/jobs/{id}/run`.
pub async fn run_job(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    jobs::ask(&state, &name, caller.name).await?;
    Ok(see_other("/settings"))
}

fn page_of(agent: &AgentId) -> String {
    format!("/agents/{}", encode(agent.as_str()))
}
