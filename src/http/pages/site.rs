//! Sites that operators give to agents: what is chosen is shown with what it does, and done once it is
//! confirmed.

use axum::extract::State;
use axum::response::Response;

use crate::http::access::Caller;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::operators::agents::Sited;
use crate::http::state::AppState;
use crate::model::id::AgentId;
use crate::views;
use crate::views::page::Nav;
use crate::views::site::Chosen;
use crate::views::text::{encode, plural};

use super::{Reader, done, html, names};

/// `POST /agents/site`.
pub async fn set(
    State(state): State<AppState>,
    (caller, reader): (Caller, Reader),
    FormBody(fields): FormBody<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let all = |name: &str| {
        let those = fields.iter().filter(|(field, _)| field == name);
        those.map(|(_, value)| value.trim().to_owned()).collect::<Vec<_>>()
    };
    let one = |name: &str| all(name).into_iter().next().unwrap_or_default();
    let agents: Result<Vec<AgentId>, _> = all("agent").iter().map(|id| id.parse()).collect();
    let agents = agents.map_err(|_odd| ApiError::bad_request("agent must be an agent's id."))?;
    if agents.is_empty() {
        return Err(ApiError::bad_request("Choose at least one agent first."));
    }
    let (site, q, sort) = (one("site"), one("q"), one("sort"));
    if one("sure") != "1" {
        let mut context = reader.context(&state, "Site of agents", Nav::Agents);
        context.names = names((&state, &reader), &agents);
        return html(views::site::page(&context, &Chosen { agents: &agents, site, q, sort }));
    }
    let to = match agents.as_slice() {
        [agent] if one("back") == "agent" => format!("/agents/{}", encode(agent.as_str())),
        _ => format!("/agents?q={}&sort={}", encode(&q), encode(&sort)),
    };
    let named = (!site.is_empty()).then(|| site.clone());
    let count = Sited { agents, site: named }.carry_out(&state, &caller).await?;
    let told = match site.as_str() {
        "" => format!("{} of the site again that the host says.", plural(count, "agent")),
        site => format!("{} of site {site} from now on.", plural(count, "agent")),
    };
    Ok(done(&state, &caller.way, (&to, told)))
}
