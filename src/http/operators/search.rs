//! What a query finds (`topology::query`): ids for the map, agents and links in full for programs.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::past::{PastView, maybe_time};
use crate::http::access::Caller;
use crate::http::aside::aside;
use crate::http::error::ApiError;
use crate::http::params::{self, Params};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::AgentId;
use crate::model::state::AgentStatus;
use crate::model::time::UnixSeconds;
use crate::process::summary::AgentSummary;
use crate::topology::picture::{Edge, Node, NodeKind, Picture};
use crate::topology::query::Query;
use crate::topology::query::find::{Found, Known, find};
use crate::views::agents::AgentListItem;

/// `GET /status/agents`.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// What is asked for; empty asks for everything.
    #[serde(default)]
    pub q: String,
}

/// `GET /api/v1/search`.
#[derive(Debug, Default, Deserialize)]
pub struct AskedMap {
    /// What is asked for; empty asks for everything.
    #[serde(default)]
    pub q: String,
    /// A time of the past to ask it of.
    pub at: Option<String>,
    /// Ids of nodes and links, by commas: asks where they are in place of what a query finds.
    pub ids: Option<String>,
}

/// `GET /api/v1/edges`.
#[derive(Debug, Default, Deserialize)]
pub struct AskedEdges {
    /// What is asked for; empty asks for everything.
    #[serde(default)]
    pub q: String,
    /// Only after the link with this id.
    pub after: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// What was found on the map of this moment.
#[derive(Debug, Serialize)]
pub struct SearchView {
    /// The manager's run, as in the map.
    pub epoch: String,
    /// The state of the map that was searched.
    pub seq: u64,
    /// Ids of nodes, those whose name begins with what was asked for first.
    pub nodes: Vec<String>,
    /// Ids of links.
    pub edges: Vec<String>,
    /// The first of the nodes, at most [`HITS`], for who does not hold the whole map.
    pub hits: Vec<Hit>,
    /// Ids of the sites that those nodes are in.
    pub sites: Vec<String>,
}

/// At most this many nodes of an answer are told in full.
const HITS: usize = 20;

/// At most this many things are looked up at once.
const LOOKED_UP: usize = 200;

/// A node in so many words as a list has of it. The members are those of [`Node`].
#[derive(Debug, Serialize)]
pub struct Hit {
    /// The node.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// Its name.
    pub label: String,
    /// Its state.
    pub status: Option<AgentStatus>,
    /// Where it is.
    pub site: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Active alarms about it.
    pub alarms: u32,
    /// When its last report was received, as of its last change.
    pub seen_at: Option<UnixSeconds>,
}

/// What queries are put to: the map, and what it does not tell of agents.
#[derive(Debug)]
pub struct Desk {
    /// The map.
    pub picture: Arc<Picture>,
    /// Every agent.
    pub agents: HashMap<AgentId, AgentSummary>,
    now: UnixSeconds,
}

impl Desk {
    /// The fleet as it is, as far as somebody sees it.
    pub fn of(state: &AppState, lens: &Lens) -> Self {
        let (now, seen) = (state.clock.now(), state.seen(lens));
        let agents = seen.agents().into_iter();
        Self {
            picture: seen.picture(now),
            agents: agents.map(|agent| (agent.agent_id.clone(), agent)).collect(),
            now,
        }
    }

    /// The same, made aside.
    pub async fn made(state: &AppState, lens: &Lens) -> Result<Self, ApiError> {
        state.gather();
        let (state, lens) = (state.clone(), lens.clone());
        aside(move || Self::of(&state, &lens)).await
    }

    /// What the map does not tell of an agent.
    pub fn known(&self, id: &AgentId) -> Known<'_> {
        let Some(agent) = self.agents.get(id) else { return Known::default() };
        Known {
            version: agent.agent_version.as_deref(),
            interfaces: &agent.interfaces,
            scheme: agent.scheme,
            seen_at: agent.last_seen_at,
            since: Some(agent.status_since),
        }
    }

    /// The time of the search.
    pub fn now(&self) -> UnixSeconds {
        self.now
    }

    /// Every agent on the map, as tables show it.
    pub fn items(&self) -> Vec<AgentListItem> {
        let mut items = AgentListItem::from_picture(&self.picture);
        for item in &mut items {
            if let Some(agent) = item.id.parse().ok().and_then(|id: AgentId| self.agents.get(&id)) {
                item.last_seen_at = agent.last_seen_at;
                item.version.clone_from(&agent.agent_version);
                item.scheme = agent.scheme;
                item.clock_offset = Some(agent.clock_offset);
            }
        }
        items
    }

    /// What a query finds.
    pub fn find(&self, query: &Query) -> Found<'_> {
        find(&self.picture, query, self.now, |id| self.known(id))
    }
}

/// Reads a query and answers it away from the runtime's threads, since it walks the whole map.
async fn ask<T: Send + 'static>(
    (state, caller): (&AppState, Caller),
    text: &str,
    answer: impl FnOnce(&Desk, &Query) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let query = Query::parse(text).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let state = state.clone();
    state.gather();
    let work = move || answer(&Desk::of(&state, &caller.lens), &query);
    aside(work).await
}

impl SearchView {
    fn of(picture: &Picture, Found { nodes, edges }: Found<'_>) -> Self {
        let names = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
        let all: HashMap<&str, &Node> =
            picture.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let there = || nodes.iter().filter_map(|id| all.get(id).copied());
        let sites: BTreeSet<&str> = there().map(|node| node.site.as_str()).collect();
        Self {
            epoch: picture.epoch.clone(),
            seq: picture.seq,
            hits: there().take(HITS).map(Hit::of).collect(),
            sites: names(sites.into_iter().collect()),
            nodes: names(nodes),
            edges: names(edges),
        }
    }
}

impl Hit {
    fn of(node: &Node) -> Self {
        Self {
            id: node.id.clone(),
            kind: node.kind,
            label: node.label.clone(),
            status: node.status,
            site: node.site.clone(),
            addresses: node.addresses.clone(),
            alarms: node.alarms,
            seen_at: node.seen_at,
        }
    }
}

/// The nodes and links of these names that the map has; a link comes with its two ends.
fn named<'a>(picture: &'a Picture, ids: &str) -> Result<Found<'a>, ApiError> {
    let wanted: HashSet<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
    if wanted.len() > LOOKED_UP {
        return Err(ApiError::bad_request(format!(
            "`ids` takes at most {LOOKED_UP} names, and these are {}.",
            wanted.len()
        )));
    }
    let edges: Vec<&Edge> =
        picture.edges.iter().filter(|edge| wanted.contains(edge.id.as_str())).collect();
    let ends: HashSet<&str> =
        edges.iter().flat_map(|edge| [edge.source.as_str(), edge.target.as_str()]).collect();
    let ids = picture.nodes.iter().map(|node| node.id.as_str());
    Ok(Found {
        nodes: ids.filter(|id| wanted.contains(id) || ends.contains(id)).collect(),
        edges: edges.into_iter().map(|edge| edge.id.as_str()).collect(),
    })
}

/// `GET /api/v1/search`.
pub async fn search(
    State(state): State<AppState>,
    caller: Caller,
    Params(AskedMap { q, at, ids }): Params<AskedMap>,
) -> Result<Json<SearchView>, ApiError> {
    if ids.is_some() && !q.is_empty() {
        return Err(ApiError::bad_request(
            "`ids` asks where things are and `q` which there are; give one of them.",
        ));
    }
    let view = match maybe_time(at.as_deref())? {
        Some(at) => {
            let query = query_then(&q)?;
            let then = PastView::of((&state, &caller.lens), at).await?;
            let work = move || match &ids {
                Some(ids) => Ok(SearchView::of(&then.picture, named(&then.picture, ids)?)),
                None => Ok(SearchView::of(&then.picture, then.find(&query))),
            };
            aside(work).await?
        }
        None => {
            let found = move |desk: &Desk, query: &Query| match &ids {
                Some(ids) => Ok(SearchView::of(&desk.picture, named(&desk.picture, ids)?)),
                None => Ok(SearchView::of(&desk.picture, desk.find(query))),
            };
            ask((&state, caller), &q, found).await?
        }
    };
    view.map(Json)
}

/// A query that the history can answer.
pub fn query_then(text: &str) -> Result<Query, ApiError> {
    Query::parse_then(text).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// `GET /status/agents`.
pub async fn agents(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Json<Vec<AgentSummary>>, ApiError> {
    if asked.q.is_empty() {
        return Ok(Json(state.seen(&caller.lens).agents()));
    }
    let found = ask((&state, caller), &asked.q, |desk, query| {
        let found: HashSet<&str> = desk.find(query).nodes.into_iter().collect();
        let has = |agent: &&AgentSummary| found.contains(format!("a:{}", agent.agent_id).as_str());
        let mut found: Vec<AgentSummary> = desk.agents.values().filter(has).cloned().collect();
        found.sort_by(|a, b| a.agent_id.cmp(&b.agent_id));
        found
    });
    found.await.map(Json)
}

/// `GET /api/v1/edges`.
pub async fn edges(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<AskedEdges>,
) -> Result<Json<Vec<Edge>>, ApiError> {
    let AskedEdges { q, after, limit } = asked;
    let found = ask((&state, caller), &q, move |desk, query| {
        let found: HashSet<&str> = desk.find(query).edges.into_iter().collect();
        let mut edges: Vec<&Edge> = desk.picture.edges.iter().collect();
        edges.retain(|edge| {
            found.contains(edge.id.as_str()) && after.as_ref().is_none_or(|last| edge.id > *last)
        });
        edges.sort_by(|a, b| a.id.cmp(&b.id));
        edges.into_iter().take(params::rows(limit)).cloned().collect()
    });
    found.await.map(Json)
}
