//! The forms of the pages. Each does what the API does and leads back to a page; the guard has
//! checked the form's token before.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::keys;
use crate::http::operators::agents::known;
use crate::http::operators::jobs;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::model::id::{AgentId, Kid};
use crate::process::handle::{Command, Done, ResetTarget};
use crate::views::text::{encode, plural};

use super::{done, label};

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
    let told = format!("{} may report now.", label(&state, &caller, &agent));
    state.command(Command::Approve { agent, kid, by: caller.name }).await?;
    Ok(done(&state, &caller.way, (&back, told)))
}

/// `POST /agents/{id}/refuse`.
pub async fn refuse(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Response, ApiError> {
    known(&state, &caller, &agent)?;
    let told = format!("{} is refused.", label(&state, &caller, &agent));
    state.command(Command::Refuse { agent, by: caller.name }).await?;
    Ok(done(&state, &caller.way, ("/agents", told)))
}

/// `POST /agents/{id}/revoke`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Response, ApiError> {
    let back = page_of(&agent);
    known(&state, &caller, &agent)?;
    let label = label(&state, &caller, &agent);
    let told = format!("{label} is out of service: whatever it sends is refused.");
    state.command(Command::Revoke { agent, by: caller.name }).await?;
    Ok(done(&state, &caller.way, (&back, told)))
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
    let may = if allowed { "may relay" } else { "may not relay" };
    let told = format!("{} {may} from now on.", label(&state, &caller, &agent));
    state.command(Command::MayRelay { agent, allowed, by: caller.name }).await?;
    Ok(done(&state, &caller.way, (&back, told)))
}

/// `POST /agents/{id}/reset`.
pub async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    Id(agent): Id<AgentId>,
) -> Result<Response, ApiError> {
    let back = page_of(&agent);
    known(&state, &caller, &agent)?;
    let label = label(&state, &caller, &agent);
    state.resets.take(&caller.name, state.clock.now())?;
    let command = Command::Reset {
        target: ResetTarget::Agent(agent),
        forget: false,
        identity: false,
        by: caller.name,
    };
    let outcome = state.command(command).await?;
    Ok(done(&state, &caller.way, (&back, forgotten(&label, &outcome))))
}

/// `POST /settings/keys/{id}/revoke`.
pub async fn revoke_key(
    State(state): State<AppState>,
    caller: Caller,
    Id(kid): Id<Kid>,
) -> Result<Response, ApiError> {
    let told = format!("The key {kid} is revoked: nothing signed with it is taken any more.");
    keys::withdraw(&state, kid, caller.name).await?;
    Ok(done(&state, &caller.way, ("/settings", told)))
}

/// `POST /settings/jobs/{id}/run`.
pub async fn run_job(
    State(state): State<AppState>,
    caller: Caller,
    Id(name): Id<String>,
) -> Result<Response, ApiError> {
    jobs::ask(&state, &name, caller.name).await?;
    Ok(done(&state, &caller.way, ("/settings", format!("The job {name} is asked for."))))
}

/// What a reset took away, in words.
fn forgotten(label: &str, outcome: &Done) -> String {
    let count = |number: &u64| usize::try_from(*number).unwrap_or(usize::MAX);
    match outcome {
        Done::Reset { interfaces, edges, alarms, .. } => format!(
            "{label} is reset: {} and {} forgotten, {} closed.",
            plural(count(interfaces), "interface"),
            plural(count(edges), "link"),
            plural(count(alarms), "alarm"),
        ),
        Done::Swept { .. }
        | Done::Queued(_)
        | Done::Acted(_)
        | Done::Window { .. }
        | Done::User { .. }
        | Done::Nothing => format!("{label} is reset."),
    }
}

fn page_of(agent: &AgentId) -> String {
    format!("/agents/{}", encode(agent.as_str()))
}
