//! Pages about the past.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::http::error::ApiError;
use crate::http::operators::past::{self, AlarmChange, DiffQuery, DiffView, PastView};
use crate::http::operators::told;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::model::id::{AgentId, EdgeId, EventId};
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::store::row::{EventFilter, EventRow};
use crate::topology::picture::{Edge, Picture};
use crate::views;
use crate::views::agents::AgentListItem;
use crate::views::changes::{AlarmLine, Told};
use crate::views::list::{Hits, ListQuery};
use crate::views::names::Names;
use crate::views::page::{Nav, PageContext};
use crate::views::text::encode;
use crate::views::then::Viewing;
use crate::views::thing_then::Said;
use crate::wire::codes::ErrorCode;

use super::curves::{self, Shown};
use super::{Reader, html};

/// Events shown on the page of one thing.
const FEW: usize = 50;

/// Seconds of a day: what the form of `/changes` offers beside a time that cannot be read.
const DAY_S: i64 = 86_400;

/// A page about a time.
struct Then {
    context: PageContext,
    past: PastView,
}

impl Then {
    async fn of(
        state: &AppState,
        reader: &Reader,
        (title, nav): (&str, Nav),
        (path, keep, at): (String, String, UnixSeconds),
    ) -> Result<Self, ApiError> {
        let mut past = PastView::of((state, &reader.lens), at).await?;
        let mut context = reader.context(state, title, nav);
        context.names = names(&past.picture);
        context.then = Some(Viewing {
            at,
            path,
            keep,
            previous: past.previous,
            next: past.next,
            learnt_later: std::mem::take(&mut past.learnt_later),
        });
        Ok(Self { context, past })
    }
}

/// What agents were called.
fn names(picture: &Picture) -> Names {
    let labels: BTreeMap<&AgentId, &str> = picture
        .nodes
        .iter()
        .filter_map(|node| Some((node.agent_id.as_ref()?, node.label.as_str())))
        .collect();
    Names::of(labels.keys().copied(), |id| labels.get(id).map(|label| (*label).to_owned()))
}

/// What of a list's query stays on the way through time.
fn keep(query: &ListQuery) -> String {
    let parts = [("q", &query.q), ("sort", &query.sort)].into_iter();
    let parts = parts.filter(|(_, value)| !value.is_empty());
    parts.map(|(name, value)| format!("{name}={}&", encode(value))).collect()
}

/// `GET /agents?at=`.
pub async fn agents(
    state: AppState,
    reader: Reader,
    (query, at): (ListQuery, UnixSeconds),
) -> Result<Response, ApiError> {
    let query = ListQuery { at: Some(at), ..query };
    let way = ("/agents".to_owned(), keep(&query), at);
    let Then { context, past } = Then::of(&state, &reader, ("Agents", Nav::Agents), way).await?;
    let items = AgentListItem::from_picture(&past.picture);
    let since = |id: &AgentId| past.status_since.get(&format!("a:{id}")).copied();
    let hits = Hits::of_then(&past.picture, &query.q, at, since);
    html(views::agents::page(&context, &items, &[], (&query, &hits)))
}

/// `GET /links?at=`.
pub async fn links(
    state: AppState,
    reader: Reader,
    (query, at): (ListQuery, UnixSeconds),
) -> Result<Response, ApiError> {
    let query = ListQuery { at: Some(at), ..query };
    let way = ("/links".to_owned(), keep(&query), at);
    let Then { context, past } = Then::of(&state, &reader, ("Links", Nav::Links), way).await?;
    let since = |id: &AgentId| past.status_since.get(&format!("a:{id}")).copied();
    let hits = Hits::of_then(&past.picture, &query.q, at, since);
    html(views::links::page(&context, &past.picture, (&query, &hits)))
}

/// `GET /agents/{id}?at=`.
pub async fn agent(
    state: AppState,
    reader: Reader,
    (id, at, shown): (AgentId, UnixSeconds, Shown),
) -> Result<Response, ApiError> {
    let way = (format!("/agents/{}", encode(id.as_str())), String::new(), at);
    let Then { mut context, past } =
        Then::of(&state, &reader, (id.as_str(), Nav::Agents), way).await?;
    let filter = EventFilter {
        before: Some(EventId(i64::MAX)),
        agent: Some(id.clone()),
        until: Some(at),
        limit: FEW,
        ..EventFilter::default()
    };
    let wanted = id.clone();
    let shelf = Arc::clone(state.whole().shelf());
    let (known, events, said) = state
        .read(&reader.lens, move |store| {
            let said = told::told((store, &shelf), &wanted, at)?;
            Ok((store.agent(&wanted)?.is_some(), store.events(&filter)?, said))
        })
        .await?;
    let node = format!("a:{id}");
    let node_then = past.picture.nodes.iter().find(|other| other.id == node);
    if node_then.is_none() && !known {
        return Err(ApiError::new(ErrorCode::AgentNotFound, "Look for it in the list of agents."));
    }
    if let Some(shown) = node_then {
        context.title.clone_from(&shown.label);
    }
    let since = past.status_since.get(&node).copied();
    let curves = if known {
        Some(curves::of_agent((&state, &reader.lens), &id, &shown).await?)
    } else {
        None
    };
    let said = said.map(|told| Said {
        report: told.report_id,
        received_at: told.received_at,
        measured_at: told.measured_at,
        interfaces: told.interfaces.unwrap_or_default(),
        peers: told.peers.unwrap_or_default(),
    });
    let of = (id.as_str(), since, said.as_ref());
    let told = (&*events, curves.as_ref());
    html(views::thing_then::agent(&context, &past.picture, of, told))
}

/// `GET /links/{id}?at=`.
pub async fn link(
    state: AppState,
    reader: Reader,
    (id, at, shown): (EdgeId, UnixSeconds, Shown),
) -> Result<Response, ApiError> {
    let way = (format!("/links/{id}"), String::new(), at);
    let Then { mut context, past } = Then::of(&state, &reader, ("Link", Nav::Links), way).await?;
    let events = history((&state, &reader), &id, Some(at)).await?;
    let edge = past.picture.edges.iter().find(|edge| edge.id == id.as_str());
    let edge = match edge {
        Some(edge) => Some(told::filled((&state, &reader.lens), edge, at).await?),
        None => None,
    };
    let labels = match &edge {
        Some(edge) => labels(&past.picture, edge),
        None if events.is_empty() => [id.to_string(), "not known yet".to_owned()],
        None => ends(&context.names, &events),
    };
    context.title = labels.join(" and ");
    let curves = match &edge {
        Some(edge) => Some(
            curves::of_link(
                (&state, &reader.lens),
                edge,
                labels.each_ref().map(String::as_str),
                &shown,
            )
            .await?,
        ),
        None => None,
    };
    html(views::thing_then::link(&context, edge.as_ref(), labels, (None, &events, curves.as_ref())))
}

/// `GET /links/{id}` of a link that is no longer there: what it was, and when it went.
pub async fn gone(state: AppState, reader: Reader, id: EdgeId) -> Result<Response, ApiError> {
    let events = history((&state, &reader), &id, None).await?;
    let removed = events.iter().rev().find(|event| event.kind == EventKind::EdgeRemoved);
    let Some(gone_at) = removed.map(EventRow::holds_from) else {
        return Err(ApiError::not_found("link"));
    };
    let mut context = reader.context(&state, "Link", Nav::Links);
    // The history may begin with its end.
    let past = match PastView::of((&state, &reader.lens), gone_at.minus(1)).await {
        Ok(past) => Some(past),
        Err(error) if error.code() == ErrorCode::BeforeHistory => None,
        Err(error) => return Err(error),
    };
    let edges = past.iter().flat_map(|past| &past.picture.edges);
    let edge = edges.into_iter().find(|edge| edge.id == id.as_str());
    if let Some(past) = &past {
        context.names = names(&past.picture);
    }
    let labels = match (edge, &past) {
        (Some(edge), Some(past)) => labels(&past.picture, edge),
        _ => ends(&context.names, &events),
    };
    context.title = labels.join(" and ");
    html(views::thing_then::link(&context, edge, labels, (Some(gone_at), &events, None)))
}

/// The last events about a link.
async fn history(
    (state, reader): (&AppState, &Reader),
    id: &EdgeId,
    until: Option<UnixSeconds>,
) -> Result<Vec<EventRow>, ApiError> {
    let filter = EventFilter {
        before: Some(EventId(i64::MAX)),
        subject: Some(id.to_string()),
        until,
        limit: FEW,
        ..EventFilter::default()
    };
    state.read(&reader.lens, move |store| store.events(&filter)).await
}

fn labels(picture: &Picture, edge: &Edge) -> [String; 2] {
    [&edge.source, &edge.target].map(|id| {
        let node = picture.nodes.iter().find(|node| node.id == *id);
        node.map_or_else(|| id.clone(), |node| node.label.clone())
    })
}

/// The ends of a link as its events tell them.
fn ends(names: &Names, events: &[EventRow]) -> [String; 2] {
    let told = events.iter().flat_map(|event| [&event.before, &event.after]).flatten();
    let told = told.filter_map(|value| value.get("ends")?.as_array());
    let end = |side: usize| {
        let mut of_side = told.clone().filter_map(|ends| ends.get(side));
        of_side.find_map(|end| {
            let text = |name: &str| end.get(name).and_then(serde_json::Value::as_str);
            let agent = text("agent_id").map(|id| names.name(id).to_owned());
            agent.or_else(|| Some(format!("{}…", text("public_key")?.get(..8)?)))
        })
    };
    [0, 1].map(|side| end(side).unwrap_or_else(|| "not known".to_owned()))
}

/// `GET /changes`.
pub async fn changes(
    State(state): State<AppState>,
    reader: Reader,
    Params(query): Params<DiffQuery>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Changes", Nav::Events);
    let fallback = (context.now.minus(DAY_S), context.now);
    let (times, found) = match past::times(&state, &query).await {
        Ok((from, to)) => ((from, to), DiffView::of((&state, &reader.lens), from, to).await),
        Err(error) => (fallback, Err(error)),
    };
    match found {
        Ok(view) => html(views::changes::page(&context, times, Ok(&told(view)))),
        Err(error) if [ErrorCode::BadRequest, ErrorCode::BeforeHistory].contains(&error.code()) => {
            html(views::changes::page(&context, times, Err(error.detail())))
        }
        Err(error) => Err(error),
    }
}

fn told(view: DiffView) -> Told {
    let line = |alarm: AlarmChange| AlarmLine {
        id: alarm.id,
        at: alarm.at,
        severity: alarm.severity,
        message: alarm.message,
    };
    Told {
        summary: view.summary,
        difference: view.difference,
        raised: view.alarms_raised.into_iter().map(line).collect(),
        cleared: view.alarms_cleared.into_iter().map(line).collect(),
        complete: view.complete,
    }
}
