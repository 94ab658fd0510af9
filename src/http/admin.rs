//! What only admins may do.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, FleetId};
use crate::process::handle::{Command, CommandError, Done, ResetTarget};
use crate::wire::codes::ErrorCode;

use super::access::Caller;
use super::body::JsonBody;
use super::error::ApiError;
use super::operators::agents::known;
use super::state::AppState;

/// Whose topology state to clear: exactly one of the first three.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// One agent's.
    pub agent_id: Option<AgentId>,
    /// A fleet's.
    pub fleet_id: Option<FleetId>,
    /// Everybody's.
    #[serde(default)]
    pub all: bool,
    /// Also remove the registration.
    #[serde(default)]
    pub forget: bool,
    /// Also unpin the key.
    #[serde(default)]
    pub identity: bool,
}

impl Reset {
    fn target(&self) -> Result<ResetTarget, ApiError> {
        match (&self.agent_id, &self.fleet_id, self.all) {
            (Some(agent), None, false) => Ok(ResetTarget::Agent(agent.clone())),
            (None, Some(fleet), false) => Ok(ResetTarget::Fleet(fleet.clone())),
            (None, None, true) => Ok(ResetTarget::All),
            (None, None, false) => Err(ApiError::bad_request(
                "Say whose state to clear: agent_id, fleet_id, or \"all\": true.",
            )),
            (Some(_), _, _) | (_, Some(_), _) => {
                Err(ApiError::bad_request("Say only one of agent_id, fleet_id and \"all\": true."))
            }
        }
    }
}

/// How much was cleared.
#[derive(Debug, Serialize)]
pub struct Cleared {
    /// `ok`.
    pub status: &'static str,
    /// Agents.
    pub agents: u64,
    /// Interfaces.
    pub interfaces: u64,
    /// Edges.
    pub edges: u64,
    /// Alarms.
    pub alarms: u64,
}

/// Whether a caller sees all whose state is to be cleared.
fn may_reset(state: &AppState, caller: &Caller, target: &ResetTarget) -> Result<(), ApiError> {
    match target {
        ResetTarget::Agent(id) => known(state, caller, id),
        // A fleet that nobody has heard of has no agents either.
        ResetTarget::Fleet(fleet) if caller.lens.reach.sees(fleet) => Ok(()),
        ResetTarget::Fleet(_) => Err(CommandError::AgentNotFound.into()),
        ResetTarget::All if caller.lens.reach.is_whole() => Ok(()),
        ResetTarget::All => Err(ApiError::new(
            ErrorCode::Forbidden,
            format!("You see {}: name one fleet or agent.", caller.lens.reach.words()),
        )),
    }
}

/// `POST /status/admin/reset`.
pub async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<Reset>,
) -> Result<Json<Cleared>, ApiError> {
    let target = body.target()?;
    may_reset(&state, &caller, &target)?;
    state.resets.take(&caller.name, state.clock.now())?;
    let command =
        Command::Reset { target, forget: body.forget, identity: body.identity, by: caller.name };
    match state.command(command).await? {
        Done::Reset { agents, interfaces, edges, alarms } => {
            Ok(Json(Cleared { status: "ok", agents, interfaces, edges, alarms }))
        }
        Done::Acted(_)
        | Done::Window { .. }
        | Done::Swept { .. }
        | Done::Queued(_)
        | Done::User { .. }
        | Done::Nothing => Err(ApiError::internal("a reset did not tell what it did")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(json: &str) -> Result<ResetTarget, ApiError> {
        serde_json::from_str::<Reset>(json).unwrap().target()
    }

    #[test]
    fn a_reset_names_exactly_one_target() {
        assert_eq!(target(r#"{"all":true}"#).unwrap(), ResetTarget::All);
        let agent = target(r#"{"agent_id":"gw-1","forget":true}"#).unwrap();
        assert_eq!(agent, ResetTarget::Agent("gw-1".parse().unwrap()));
        let fleet = target(r#"{"fleet_id":"a"}"#).unwrap();
        assert_eq!(fleet, ResetTarget::Fleet("a".parse().unwrap()));
        for bad in [
            "{}",
            r#"{"all":false}"#,
            r#"{"forget":true}"#,
            r#"{"agent_id":"a","all":true}"#,
            r#"{"agent_id":"a","fleet_id":"a"}"#,
            r#"{"fleet_id":"a","all":true}"#,
        ] {
            assert_eq!(target(bad).unwrap_err().code(), ErrorCode::BadRequest, "{bad}");
        }
        assert!(serde_json::from_str::<Reset>(r#"{"agent":"a"}"#).is_err());
    }
}
