//! `GET /api/v1/networks`: the networks that routes and tunnels lead to, and where on the map.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::{self, Params};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::store::network::{Exit, Network, NetworkFilter, Networks, Order, Place};
use crate::topology::leads::{Led, Tunnels};
use crate::topology::picture::Picture;

/// Networks that a map draws.
pub const SHOWN: usize = 1000;

/// Networks on one page of the page of ways.
pub const PAGE: usize = 100;

/// How many are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NetworksQuery {
    /// `known` (by default), `prefix` or `fleet`, with `-` in front the other way round.
    #[serde(default)]
    pub sort: String,
    /// The `next` of the page before, in the same order.
    pub after: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// The networks, in the order that was asked for.
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
    let order = order(&query.sort)?;
    after_one((&state, &caller.lens), (order, after), params::rows(query.limit)).await.map(Json)
}

/// Reads `sort`.
fn order(text: &str) -> Result<Order, ApiError> {
    let wrong =
        |()| ApiError::bad_request("`sort` takes known, prefix, fleet, or one with `-` in front.");
    text.parse().map_err(wrong)
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
    after_one(whose, (Order::default(), None), limit).await
}

/// The networks in an order, after one of them in the text that [`word`] wrote.
pub async fn after(
    whose: (&AppState, &Lens),
    (sort, after): (&str, Option<&str>),
    limit: usize,
) -> Result<NetworksView, ApiError> {
    after_one(whose, (order(sort)?, after.map(place).transpose()?), limit).await
}

async fn after_one(
    (state, lens): (&AppState, &Lens),
    (order, after): (Order, Option<Place>),
    limit: usize,
) -> Result<NetworksView, ApiError> {
    let now = state.clock.now();
    // Whoever begins sees the tables as they are; whoever goes on, what they began with.
    let laid = after.as_ref().and_then(|_| state.laid.of(lens, now));
    let all = match laid {
        Some(all) => all,
        None => {
            // The lens narrows what is read; what is asked for is everything.
            let filter = NetworkFilter { reach: Reach::Whole, after: None, limit: usize::MAX };
            let found = state.read(lens, move |store| store.networks(&filter)).await?;
            state.laid.lay(lens, now, found.networks)
        }
    };
    let found = aside(move || Networks::part(&all, order, after.as_ref(), limit)).await?;
    let picture = state.map(lens).await?;
    Ok(on_map(&picture, found))
}

/// How long a list that was begun can be gone on with, in seconds.
const LAID_S: i64 = 60;

/// Lists that are kept to be gone on with: they come from tables of the whole fleet, which no page but
/// the first one reads.
const LAID: usize = 8;

/// Lists of networks that were begun, each as one caller sees them.
#[derive(Debug, Default)]
pub struct LaidOut(Mutex<VecDeque<Laid>>);

#[derive(Debug)]
struct Laid {
    lens: Lens,
    at: UnixSeconds,
    all: Arc<Vec<Network>>,
}

impl LaidOut {
    fn of(&self, lens: &Lens, now: UnixSeconds) -> Option<Arc<Vec<Network>>> {
        let laid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = laid.iter().find(|laid| laid.lens == *lens);
        found.filter(|laid| now.since(laid.at) <= LAID_S).map(|laid| Arc::clone(&laid.all))
    }

    fn lay(&self, lens: &Lens, at: UnixSeconds, all: Vec<Network>) -> Arc<Vec<Network>> {
        let all = Arc::new(all);
        let mut laid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        laid.retain(|other| other.lens != *lens && at.since(other.at) <= LAID_S);
        laid.push_front(Laid { lens: lens.clone(), at, all: Arc::clone(&all) });
        laid.truncate(LAID);
        all
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn all(count: u8) -> Vec<Network> {
        let one = |third| Network {
            inside: false,
            fleet_id: "lab".parse().unwrap(),
            net: format!("10.0.{third}.0/24").parse().unwrap(),
            exits: Vec::new(),
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn who_goes_on_reads_nothing_and_sees_what_they_began_with() {
        let (laid, lens, now) = (LaidOut::default(), Lens::whole(), UnixSeconds(1_000));
        assert!(laid.of(&lens, now).is_none());
        laid.lay(&lens, now, all(250));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let list = laid.of(&lens, now.plus(LAID_S)).expect("laid out");
            let page = Networks::part(&list, Order::default(), after.as_ref(), 100);
            let Some(last) = page.networks.last() else { break };
            after = Some((last.inside, last.fleet_id.clone(), last.net));
            assert_eq!(page.left_out, 250 - seen.len() - page.networks.len());
            seen.extend(page.networks);
        }
        assert_eq!(seen, all(250));
        assert!(laid.of(&lens, now.plus(LAID_S + 1)).is_none(), "it is too old to go on with");
        let narrow = Lens::of(Reach::of(["lab".parse().unwrap()]));
        assert!(laid.of(&narrow, now).is_none(), "somebody else's");
        laid.lay(&lens, now.plus(500), all(1));
        assert_eq!(laid.0.lock().unwrap().len(), 1, "what is too old leaves");
    }
}
