//! `GET /api/v1/networks`: the networks that routes and tunnels lead to, and where on the map.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{self, Params};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::reach::Reach;
use crate::store::network::{Exit, Network, NetworkFilter, Networks, Place};
use crate::topology::leads::{Led, Tunnels};
use crate::topology::picture::Picture;

/// Networks that a map draws and the page of ways lists.
pub const SHOWN: usize = 1000;

/// How many are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NetworksQuery {
    /// The `next` of the page before.
    pub after: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// The networks, those first that no host reports from.
#[derive(Debug, Clone, Default, Serialize)]
pub struct NetworksView {
    /// They.
    pub networks: Vec<Led>,
    /// How many more come after them.
    pub left_out: usize,
    /// What to ask for as `after` to have those; `null` if there are none.
    pub next: Option<String>,
}

/// `GET /api/v1/networks`.
pub async fn networks(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<NetworksQuery>,
) -> Result<Json<NetworksView>, ApiError> {
    let after = query.after.as_deref().map(place).transpose()?;
    after_one((&state, &caller.lens), after, params::rows(query.limit)).await.map(Json)
}

/// Reads what [`word`] wrote: `routes` or `hosts`, the fleet, the prefix, with `~` between.
fn place(text: &str) -> Result<Place, ApiError> {
    let place = || {
        let (inside, rest) = text.split_once('~')?;
        let (fleet, net) = rest.rsplit_once('~')?;
        let inside =
            [("routes", false), ("hosts", true)].into_iter().find(|(w, _)| *w == inside)?.1;
        Some((inside, fleet.parse().ok()?, net.parse().ok()?))
    };
    let wrong = || ApiError::bad_request("`after` takes the `next` of the page before.");
    place().ok_or_else(wrong)
}

fn word(last: &Led) -> String {
    let known = if last.inside { "hosts" } else { "routes" };
    format!("{known}~{}~{}", last.fleet_id, last.prefix)
}

/// At most so many networks, as a caller sees them.
pub async fn known(whose: (&AppState, &Lens), limit: usize) -> Result<NetworksView, ApiError> {
    after_one(whose, None, limit).await
}

async fn after_one(
    (state, lens): (&AppState, &Lens),
    after: Option<Place>,
    limit: usize,
) -> Result<NetworksView, ApiError> {
    // The lens narrows what is read; what is asked for is everything.
    let filter = NetworkFilter { reach: Reach::Whole, after, limit };
    let found = state.read(lens, move |store| store.networks(&filter)).await?;
    let picture = state.map(lens).await?;
    Ok(on_map(&picture, found))
}

/// Networks with the nodes that they are sent to.
fn on_map(picture: &Picture, found: Networks) -> NetworksView {
    let tunnels = Tunnels::of(picture);
    let there: BTreeSet<&str> = picture.nodes.iter().map(|node| node.id.as_str()).collect();
    let led = |Network { inside, fleet_id, net, exits }: Network| {
        let beyond = |exit: &Exit| tunnels.beyond(&exit.agent_id, exit.interface.as_deref(), &net);
        let by_routes: BTreeSet<String> =
            exits.iter().filter_map(beyond).filter(|id| there.contains(id.as_str())).collect();
        Led {
            by_allowed_ips: tunnels.allowed(&fleet_id, &net),
            by_routes: by_routes.into_iter().collect(),
            fleet_id,
            prefix: net,
            inside,
        }
    };
    let networks: Vec<Led> = found.networks.into_iter().map(led).collect();
    let last = networks.last().filter(|_| found.left_out > 0);
    NetworksView { next: last.map(word), networks, left_out: found.left_out }
}
