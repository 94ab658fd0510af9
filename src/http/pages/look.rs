//! Pages that only show.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::login::see_other;
use crate::http::error::ApiError;
use crate::http::operators::edges::EdgeView;
use crate::http::operators::identities::Waiting;
use crate::http::operators::narrowed::Narrowed;
use crate::http::operators::past::maybe_time;
use crate::http::operators::reports;
use crate::http::operators::search::Desk;
use crate::http::params::{Id, Params};
use crate::http::present;
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::keys::source::SourceConfig;
use crate::model::id::{AgentId, EdgeId, EventId, ReportId};
use crate::model::time::UnixSeconds;
use crate::process::prove::SharedKeys;
use crate::process::rates::{Span, Stretch};
use crate::process::refusals::Refusal;
use crate::store::row::{AlarmFilter, EventFilter, ReportFilter, ReportSummary};
use crate::verify::stored;
use crate::views;
use crate::views::curves::Range;
use crate::views::list::{Hits, ListQuery, Numbered, OLDEST_FIRST};
use crate::views::map::GettingStarted;
use crate::views::names::Names;
use crate::views::page::Nav;
use crate::views::rates::{RateItem, RatesItem};
use crate::views::reports::RefusalItem;
use crate::views::text::encode;
use crate::views::waiting::WaitingItem;
use crate::wire::codes::ErrorCode;

use super::curves::{self, Shown};
use super::{Reader, html, names, then};

/// Rows of the pages that page by the store's numbers.
const ROWS: usize = 100;

/// Rows of another kind shown on the page of one thing.
const FEW: usize = 20;

/// What a list is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
    after: Option<String>,
    before: Option<i64>,
    agent: Option<String>,
    at: Option<String>,
    range: Option<String>,
}

impl Asked {
    fn query(&self) -> ListQuery {
        ListQuery {
            q: self.q.clone(),
            sort: self.sort.clone(),
            after: self.after.clone(),
            ..ListQuery::default()
        }
    }

    /// Whether a list by numbers is to begin with its oldest row.
    fn oldest_first(&self) -> bool {
        self.sort == OLDEST_FIRST
    }

    /// The number of the last row of the page before, oldest first.
    fn after_number(&self) -> i64 {
        self.after.as_deref().and_then(|after| after.parse().ok()).unwrap_or_default()
    }

    /// Whether a list by numbers is asked for from another row on than its first.
    fn goes_on(&self) -> bool {
        if self.oldest_first() { self.after.is_some() } else { self.before.is_some() }
    }

    /// The time of the page, if that is not the present.
    fn at(&self) -> Result<Option<UnixSeconds>, ApiError> {
        maybe_time(self.at.as_deref())
    }

    /// What curves of a page show.
    fn shown(&self, path: String, at: Option<UnixSeconds>) -> Shown {
        Shown { path, at, range: self.range.clone() }
    }

    /// The agent of the filter box, by its id or by the host name that it alone has; a text that can
    /// be neither asks for nobody.
    fn agent(&self, seen: &Seen) -> Result<Option<AgentId>, ApiError> {
        let text = self.agent.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let Some(text) = text else { return Ok(None) };
        let id = text.parse::<AgentId>().ok();
        if id.as_ref().is_some_and(|id| seen.agent(id).is_some()) {
            return Ok(id);
        }
        let is_named = |host: &Option<String>| host.as_deref() == Some(text);
        let mut named = seen.agents().into_iter().filter(|agent| is_named(&agent.hostname));
        match (named.next(), named.next(), id) {
            (Some(agent), None, _) => Ok(Some(agent.agent_id.clone())),
            (_, Some(_), _) => Err(ApiError::bad_request(format!(
                "Several agents are called {text}; say the id of the one that is meant."
            ))),
            (None, None, Some(id)) => Ok(Some(id)),
            (None, None, None) => Err(ApiError::bad_request(
                "No agent has this name, and an agent id has letters, digits, dots, dashes and colons.",
            )),
        }
    }
}

/// Which face of the map an address asks for.
#[derive(Debug, Default, Deserialize)]
pub struct Face {
    /// `table`: the same as a table.
    #[serde(default)]
    view: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    at: String,
}

/// `GET /` and `/map`; with `view=table` the table of the same query and time.
pub async fn map(
    State(state): State<AppState>,
    reader: Reader,
    Params(face): Params<Face>,
) -> Result<Response, ApiError> {
    if face.view == "table" {
        let parts = [("q", &face.q), ("at", &face.at)].into_iter();
        let parts = parts.filter(|(_, value)| !value.is_empty());
        let query: Vec<_> =
            parts.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        return Ok(see_other(&format!("/agents?{}", query.join("&"))));
    }
    let context = reader.context(&state, "Map", Nav::Map);
    let picture = state.map(&reader.lens).await?;
    let start = getting_started(&state, &state.seen(&reader.lens));
    html(views::map::page(&context, &picture, &start))
}

fn getting_started(state: &AppState, seen: &Seen) -> GettingStarted {
    let scheme = if state.config.tls.is_some() { "https" } else { "http" };
    let refusals = seen.refusals();
    GettingStarted {
        manager_url: format!("{scheme}://{}", state.addr),
        txt_name: match &state.config.keys.source {
            SourceConfig::Dns(dns) => Some(dns.name.to_string()),
            SourceConfig::File(_) | SourceConfig::Environment(_) => None,
        },
        key_source: state.keeper.health().described,
        keys: state.keeper.ring().usable(state.clock.now()).count(),
        last_refused: refusals.first().map(|refusal| refusal.detail.clone()),
        started_at: state.started_at,
    }
}

/// `GET /agents`.
pub async fn agents(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    if let Some(at) = asked.at()? {
        return then::agents(state, reader, (asked.query(), at)).await;
    }
    let mut context = reader.context(&state, "Agents", Nav::Agents);
    let desk = Desk::made(&state, &reader.lens).await?;
    let known = &desk.agents;
    let items = desk.items();
    let relays = items.iter().flat_map(|item| item.relay_path.relays());
    context.names = Names::of(relays, |id| known.get(id)?.hostname.clone());
    let hits = hits(&desk, &asked, context.now);
    let waiting: Vec<_> = reader.waiting(&state).into_iter().map(waiting_item).collect();
    html(views::agents::page(&context, &items, &waiting, (&asked.query(), &hits)))
}

/// Which rows of a list are asked for.
fn hits<'a>(desk: &'a Desk, asked: &Asked, now: UnixSeconds) -> Hits<'a> {
    Hits::of(&desk.picture, &asked.q, now, |id| desk.known(id))
}

fn waiting_item(waiting: Waiting) -> WaitingItem {
    let id = waiting.agent_id.to_string();
    WaitingItem {
        label: waiting.hostname.unwrap_or_else(|| id.clone()),
        id,
        fingerprint: waiting.fingerprint,
        kid: waiting.kid.map(|kid| kid.to_string()),
        certified: waiting.certified,
        reports: waiting.reports,
        source: waiting.source.map(|ip| ip.to_string()).unwrap_or_default(),
        requested_at: waiting.requested_at,
    }
}

/// `GET /agents/{id}`.
pub async fn agent(
    State(state): State<AppState>,
    reader: Reader,
    Id(id): Id<AgentId>,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let shown = asked.shown(format!("/agents/{}", encode(id.as_str())), asked.at()?);
    if let Some(at) = shown.at {
        return then::agent(state, reader, (id, at, shown)).await;
    }
    let found = state
        .read(&reader.lens, move |store| {
            let alarms =
                AlarmFilter { agent: Some(id.clone()), limit: ROWS, ..AlarmFilter::default() };
            let reports =
                ReportFilter { agent: Some(id.clone()), limit: FEW, ..ReportFilter::default() };
            let last = present::last_report(store, &id)?;
            Ok((
                store.agent(&id)?,
                last,
                store.alarms(&alarms)?,
                present::summaries(store, &reports)?,
            ))
        })
        .await?;
    let (Some(mut detail), last, alarms, reports) = found else {
        return Err(ApiError::new(ErrorCode::AgentNotFound, "Look for it in the list of agents."));
    };
    let seen = state.seen(&reader.lens);
    let live = (&seen, &**state.whole().shelf());
    present::bring_up_to_date(&mut detail, last.as_ref(), live);
    let title = detail.agent.hostname.as_deref().unwrap_or_else(|| detail.agent.id.as_str());
    let mut context = reader.context(&state, title, Nav::Agents);
    let relays_for = seen.agent(&detail.agent.id).map(|agent| agent.relays_for);
    let relays_for = relays_for.unwrap_or_default();
    let told = reports.iter().flat_map(|report| report.relay_path.relays());
    let told = told.chain(detail.agent.relay_path.relays()).chain(&relays_for);
    context.names = names((&state, &reader), told.chain([&detail.agent.id]));
    context.unheard = present::unheard(&seen, &alarms);
    let picture = state.map(&reader.lens).await?;
    let curves = curves::of_agent((&state, &reader.lens), &detail.agent.id, &shown).await?;
    // What was refused is no visitor's business.
    let mut refused = if context.visit.is_some() { Vec::new() } else { seen.refusals() };
    refused.retain(|refusal| refusal.agent_id.as_deref() == Some(detail.agent.id.as_str()));
    let refused: Vec<_> = refused.into_iter().take(FEW).map(refusal_item).collect();
    let around = views::agent::Around {
        picture: &picture,
        delays: &present::delays(last.as_ref()),
        relays_for: &relays_for,
        alarms: &alarms,
        reports: &reports,
        refused: &refused,
        windows: &seen.windows(),
        curves: &curves,
    };
    html(views::agent::page(&context, &detail, &around))
}

/// `GET /links`.
pub async fn links(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    if let Some(at) = asked.at()? {
        return then::links(state, reader, (asked.query(), at)).await;
    }
    let context = reader.context(&state, "Links", Nav::Links);
    let desk = Desk::made(&state, &reader.lens).await?;
    let hits = hits(&desk, &asked, context.now);
    html(views::links::page(&context, &desk.picture, (&asked.query(), &hits)))
}

/// `GET /links/{id}`.
pub async fn link(
    State(state): State<AppState>,
    reader: Reader,
    Id(id): Id<EdgeId>,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let shown = asked.shown(format!("/links/{id}"), asked.at()?);
    if let Some(at) = shown.at {
        return then::link(state, reader, (id, at, shown)).await;
    }
    let found = EdgeView::of(&state.seen(&reader.lens), &id);
    let Some(EdgeView { edge, labels }) = found else {
        return then::gone(state, reader, id).await;
    };
    let past = EventFilter {
        before: Some(EventId(i64::MAX)),
        subject: Some(id.to_string()),
        limit: FEW,
        ..EventFilter::default()
    };
    let events = state.read(&reader.lens, move |store| store.events(&past)).await?;
    let [from, to] = &labels;
    let mut context = reader.context(&state, format!("{from} and {to}"), Nav::Links);
    let ends = edge.ends.iter().filter_map(|end| end.agent_id.as_ref());
    context.names =
        names((&state, &reader), events.iter().filter_map(|row| row.agent_id.as_ref()).chain(ends));
    let curves = curves::of_link((&state, &reader.lens), &edge, [from, to], &shown).await?;
    html(views::link::page(&context, &edge, [from, to], (&events, &curves)))
}

/// `GET /reports`.
pub async fn reports(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let mut context = reader.context(&state, "Reports", Nav::Reports);
    let agent = asked.agent(&state.seen(&reader.lens))?;
    let oldest_first = asked.oldest_first();
    let narrowed = Narrowed::of_agents((&state, &reader.lens), &asked.q).await?;
    let filter = ReportFilter {
        agent: agent.clone(),
        things: narrowed.things.clone(),
        before: asked.before.map(ReportId).filter(|_| !oldest_first),
        after: oldest_first.then(|| ReportId(asked.after_number())),
        limit: ROWS,
        ..ReportFilter::default()
    };
    let rows = state.read(&reader.lens, move |store| present::summaries(store, &filter)).await?;
    let agent = agent.as_ref().map(AgentId::as_str);
    let refused: Vec<_> = state
        .seen(&reader.lens)
        .refusals()
        .into_iter()
        .filter(|refusal| agent.is_none() || refusal.agent_id.as_deref() == agent)
        .filter(|refusal| narrowed.has(refusal))
        .map(refusal_item)
        .collect();
    context.names = names((&state, &reader), rows.iter().flat_map(ids_of));
    // Counts are of everybody, so who sees a part, or asks for one, is not told.
    let goes_on = asked.goes_on();
    let is_first = agent.is_none() && asked.q.is_empty() && !goes_on;
    let rates = (context.whole && is_first).then(|| rates(&state, asked.range.as_deref()));
    let agent = agent.unwrap_or_default();
    let q = &asked.q;
    let listed = Numbered { path: "/reports", agent, q, oldest_first, goes_on, limit: ROWS };
    let refused = (&refused[..], rates.as_ref());
    html(views::reports::page(&context, &rows, refused, (&listed, &narrowed.hits())))
}

/// How many reports come: by minutes, or by hours of a day.
fn rates(state: &AppState, range: Option<&str>) -> RatesItem {
    let is_day = range == Some("day");
    let (span, per) = if is_day { (Span::Day, "hour") } else { (Span::Hour, "minute") };
    let stretches = state.whole().rates(span, state.clock.now());
    let item = |of: Stretch| RateItem { from: of.from, accepted: of.accepted, refused: of.refused };
    let range = |words, href: &str, current| Range { words, href: href.to_owned(), current };
    RatesItem {
        items: stretches.into_iter().map(item).collect(),
        per,
        since: state.whole().rates_since(),
        ranges: vec![
            range("Hour", "/reports", !is_day),
            range("Day", "/reports?range=day", is_day),
        ],
    }
}

/// The agents that a report tells of.
fn ids_of(report: &ReportSummary) -> impl Iterator<Item = &AgentId> {
    std::iter::once(&report.agent_id).chain(report.relay_path.relays())
}

fn refusal_item(refusal: Refusal) -> RefusalItem {
    RefusalItem {
        at: refusal.at,
        code: refusal.code.to_owned(),
        detail: refusal.detail,
        agent: refusal.agent_id,
        source: refusal.source.map(|source| source.to_string()),
    }
}

/// `GET /reports/{id}`.
pub async fn report(
    State(state): State<AppState>,
    reader: Reader,
    Id(id): Id<i64>,
) -> Result<Response, ApiError> {
    let found = state
        .read(&reader.lens, move |store| {
            present::proven(store, &SharedKeys::read(store)?, ReportId(id))
        })
        .await?;
    let Some((report, proven)) = found else { return Err(reports::missing()) };
    let mut context = reader.context(&state, format!("Report {id}"), Nav::Reports);
    context.names = names((&state, &reader), ids_of(&report.summary));
    let frame = stored::framed(&report.envelope);
    let encoding = frame.as_ref().map(|frame| frame.encoding.as_str());
    let text = stored::text(&report.envelope, state.whole().shelf());
    let shown = views::report::Shown { report: &report, proven: &proven, text, encoding };
    html(views::report::page(&context, shown))
}

/// `GET /events`.
pub async fn events(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let mut context = reader.context(&state, "Events", Nav::Events);
    let agent = asked.agent(&state.seen(&reader.lens))?;
    let oldest_first = asked.oldest_first();
    let before = EventId(asked.before.unwrap_or(i64::MAX));
    let narrowed = Narrowed::of_things((&state, &reader.lens), &asked.q).await?;
    let hits = narrowed.hits();
    let filter = EventFilter {
        things: narrowed.things,
        before: (!oldest_first).then_some(before),
        after: oldest_first.then(|| EventId(asked.after_number())),
        agent: agent.clone(),
        limit: ROWS,
        ..EventFilter::default()
    };
    let rows = state.read(&reader.lens, move |store| store.events(&filter)).await?;
    context.names = names((&state, &reader), rows.iter().filter_map(|row| row.agent_id.as_ref()));
    let agent = agent.as_ref().map(AgentId::as_str).unwrap_or_default();
    let goes_on = asked.goes_on();
    let q = &asked.q;
    let listed = Numbered { path: "/events", agent, q, oldest_first, goes_on, limit: ROWS };
    html(views::events::page(&context, &rows, (&listed, &hits)))
}
