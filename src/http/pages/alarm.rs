//! The pages of alarms: the list, one alarm, and how good they are.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::error::ApiError;
use crate::http::operators::alarms::{OPEN_ALARMS, Wanted};
use crate::http::operators::edges::EdgeView;
use crate::http::operators::narrowed::Narrowed;
use crate::http::operators::quality::{self, Asked};
use crate::http::params::{Id, Params};
use crate::http::present;
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::model::id::{AgentId, AlarmId, EdgeId, EventId};
use crate::model::proven::Proven;
use crate::model::state::AlarmKind;
use crate::process::prove::SharedKeys;
use crate::store::notice::MessageFilter;
use crate::store::row::{AlarmFilter, AlarmRow, EventFilter, EventRow, ReportSummary};
use crate::store::{Reader as Store, StoreError};
use crate::views;
use crate::views::alarm::{FOLLOWERS, Told};
use crate::views::alarms::{Kept, Span, Tab};
use crate::views::list::ListQuery;
use crate::views::page::Nav;
use crate::views::quality::Thing;
use crate::views::text::encode;

use super::{Reader, html, names};

/// Alarms on one page.
const ROWS: usize = 100;

/// Events about one thing that are read, and messages about one alarm.
const STEPS: usize = 200;

/// In which order a list is shown, and after which row.
#[derive(Debug, Default, Deserialize)]
pub struct Order {
    #[serde(default)]
    sort: String,
    after: Option<String>,
}

/// `GET /alarms`.
pub async fn list(
    State(state): State<AppState>,
    reader: Reader,
    Params(wanted): Params<Wanted>,
    Params(order): Params<Order>,
) -> Result<Response, ApiError> {
    let mut context = reader.context(&state, "Alarms", Nav::Alarms);
    let tab = Tab::from_word(wanted.state.as_deref().unwrap_or_default());
    let (cleared, before) = (tab == Tab::Cleared, wanted.before.map(AlarmId));
    // What is open is read whole, since a cause is older than what follows from it.
    let asked = wanted.q.as_deref().unwrap_or_default();
    let narrowed = Narrowed::of_alarms((&state, &reader.lens), asked).await?;
    let hits = narrowed.hits();
    let filter = AlarmFilter {
        things: narrowed.things,
        told: narrowed.told,
        before: before.filter(|_| cleared),
        limit: if cleared { ROWS } else { OPEN_ALARMS },
        ..wanted.filter(cleared)?
    };
    let rows = state.read(&reader.lens, move |store| store.alarms(&filter)).await?;
    context.names = names((&state, &reader), rows.iter().filter_map(|row| row.agent_id.as_ref()));
    context.unheard = present::unheard(&state.seen(&reader.lens), &rows);
    let kept = Kept {
        kind: wanted.kind.unwrap_or_default(),
        severity: wanted.severity.unwrap_or_default(),
        fleet: wanted.fleet_id.unwrap_or_default(),
        agent: wanted.agent_id.unwrap_or_default(),
        q: wanted.q.unwrap_or_default(),
        from: wanted.from.unwrap_or_default(),
        to: wanted.to.unwrap_or_default(),
    };
    let order = ListQuery { sort: order.sort, after: order.after, ..ListQuery::default() };
    let span = Span { before, limit: ROWS };
    html(views::alarms::page(&context, tab, &rows, ((&kept, &hits), &order, span)))
}

/// What the page of one alarm reads.
struct Found {
    row: AlarmRow,
    events: Vec<EventRow>,
    messages: Vec<crate::store::notice::MessageRecord>,
    cause: Option<AlarmRow>,
    followers: Vec<AlarmRow>,
    evidence: Vec<(AgentId, Vec<(ReportSummary, Proven)>)>,
}

impl Found {
    fn read(
        store: &dyn Store,
        id: AlarmId,
        ends: &dyn Fn(&AlarmRow) -> Vec<AgentId>,
    ) -> Result<Option<Self>, StoreError> {
        let found = store.alarms(&AlarmFilter::one(id))?.pop();
        let Some(row) = found.filter(|row| row.alarm.raised_at.is_some()) else { return Ok(None) };
        let alarm = &row.alarm;
        let events = EventFilter {
            before: Some(EventId(i64::MAX)),
            subject: Some(format!("{} {}", alarm.kind, alarm.subject)),
            until: alarm.cleared_at,
            limit: STEPS,
            ..EventFilter::default()
        };
        let messages = MessageFilter { alarm: Some(id), limit: STEPS, ..MessageFilter::default() };
        let followers = AlarmFilter {
            cause: Some(id),
            either: true,
            limit: FOLLOWERS + 1,
            ..AlarmFilter::default()
        };
        let cause = alarm.inhibited_by.map(|by| store.alarms(&AlarmFilter::one(by)));
        let raised = alarm.raised_at.unwrap_or(alarm.pending_since);
        let keys = SharedKeys::read(store)?;
        let around = |agent: AgentId| {
            let reports = present::around(store, &agent, raised)?;
            // One that was pruned in between proves nothing.
            let proven = reports.iter().map(|report| present::proven(store, &keys, report.id));
            let proven = proven.filter_map(Result::transpose);
            let proven = proven.map(|one| one.map(|(whole, proven)| (whole.summary, proven)));
            Ok((agent, proven.collect::<Result<_, StoreError>>()?))
        };
        let evidence: Result<Vec<_>, StoreError> = ends(&row).into_iter().map(around).collect();
        Ok(Some(Self {
            events: store.events(&events)?,
            messages: store.notifications(&messages)?,
            cause: cause.transpose()?.and_then(|mut rows| rows.pop()),
            followers: store.alarms(&followers)?,
            evidence: evidence?,
            row,
        }))
    }
}

/// Whose reports tell of an alarm: its agent, and both ends of its link.
fn ends(seen: &Seen, row: &AlarmRow) -> Vec<AgentId> {
    let is_link = AlarmKind::OF_LINKS.contains(&row.alarm.kind);
    let edge = row.alarm.subject.parse::<EdgeId>().ok().filter(|_| is_link);
    let edge = edge.and_then(|id| seen.edge(id.as_str()));
    let ends = edge.into_iter().flat_map(|edge| edge.ends).filter_map(|end| end.agent_id);
    let mut all: Vec<AgentId> = ends.collect();
    if let Some(own) = row.agent_id.as_ref().filter(|own| !all.contains(own)) {
        all.insert(0, own.clone());
    }
    all
}

/// `GET /alarms/{id}`.
pub async fn one(
    State(state): State<AppState>,
    reader: Reader,
    Id(id): Id<i64>,
) -> Result<Response, ApiError> {
    let mut context = reader.context(&state, format!("Alarm {id}"), Nav::Alarms);
    let seen = state.seen(&reader.lens);
    let live = seen.clone();
    let work = move |store: &dyn Store| Found::read(store, AlarmId(id), &|row| ends(&live, row));
    let found =
        state.read(&reader.lens, work).await?.ok_or_else(|| ApiError::not_found("alarm"))?;
    let rows = found.followers.iter().chain(&found.cause).chain([&found.row]);
    let agents = rows.filter_map(|row| row.agent_id.as_ref());
    let told = found.evidence.iter().flat_map(|(_, reports)| reports);
    let relays = told.flat_map(|(report, _)| report.relay_path.relays());
    let ids = found.evidence.iter().map(|(agent, _)| agent);
    context.names = names((&state, &reader), agents.chain(relays).chain(ids));
    let open = found.followers.iter().chain(&found.cause).chain([&found.row]);
    context.unheard = present::unheard(&seen, open);
    let evidence = found
        .evidence
        .iter()
        .map(|(agent, reports)| (context.names.name(agent.as_str()).to_owned(), reports.clone()));
    // Who is told of alarms is no visitor's business.
    let messages = if reader.visit.is_some() { &[][..] } else { &found.messages };
    let told = Told {
        row: &found.row,
        events: &found.events,
        messages,
        cause: found.cause.as_ref(),
        followers: &found.followers,
        evidence: &evidence.collect::<Vec<_>>(),
    };
    html(views::alarm::page(&context, &told))
}

/// `GET /alarms/quality`.
pub async fn quality(
    State(state): State<AppState>,
    reader: Reader,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Quality of alarms", Nav::Alarms);
    let view = quality::measured((&state, &reader.lens), &asked).await?;
    let seen = state.seen(&reader.lens);
    html(views::quality::page(&context, &view.shown(|subject| thing(&seen, subject))))
}

/// What people call what an alarm is about: a link by its ends, an agent by its host.
fn thing(seen: &Seen, subject: &str) -> Thing {
    let edge = subject.parse::<EdgeId>().ok().and_then(|id| EdgeView::of(seen, &id));
    if let Some(EdgeView { labels: [from, to], .. }) = edge {
        return Thing { name: format!("{from} and {to}"), href: Some(format!("/links/{subject}")) };
    }
    let (id, rest) = subject.split_at(subject.find(['/', ' ']).unwrap_or(subject.len()));
    let agent = id.parse::<AgentId>().ok().and_then(|id| seen.agent(&id));
    let Some(agent) = agent else { return Thing { name: subject.to_owned(), href: None } };
    let name = agent.hostname.unwrap_or_else(|| id.to_owned());
    Thing { name: format!("{name}{rest}"), href: Some(format!("/agents/{}", encode(id))) }
}
