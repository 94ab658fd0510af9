//! The map as it was at a time, what changed when, and what differs between two times.

mod part;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::mask::{self, Guise, Lens, Masked};
use crate::model::id::AgentId;
use crate::model::state::{EventKind, Severity};
use crate::model::time::UnixSeconds;
use crate::store::past::{Changes, ChangesAsked, Past, Tally};
use crate::store::row::EventRow;
use crate::topology::changes::{self, Difference};
use crate::topology::layout::Placed;
use crate::topology::past::{self, Fact, Frame, Then};
use crate::topology::picture::Picture;
use crate::topology::query::Query;
use crate::topology::query::find::{Found, Known, find};
use crate::topology::within;
use crate::wire::codes::ErrorCode;
use crate::wire::time::rfc3339;

/// Seconds of a day: how far back the history goes unless another time is asked for.
const DAY_S: i64 = 86_400;

/// Steps of a count unless the caller asks for another number: a quarter of an hour in a day.
const STEPS: i64 = 96;

/// Steps of a count at most: a wide screen has about as many strips of four points.
const MOST_STEPS: i64 = 480;

/// Events between two times that are read to tell when things changed; the last ones.
pub const MOST_EVENTS: usize = 5000;

/// A map as it was.
#[derive(Debug, Serialize)]
pub struct PastView {
    /// The time.
    pub at: UnixSeconds,
    /// Since when the past can be told.
    pub since: UnixSeconds,
    /// Since when each agent had its status, by the id of its node.
    pub status_since: BTreeMap<String, UnixSeconds>,
    /// What late reports tell of the time, by the ids of nodes and links, and when they came.
    pub learnt_later: BTreeMap<String, UnixSeconds>,
    /// The last change before the time.
    pub previous: Option<UnixSeconds>,
    /// The first change after it.
    pub next: Option<UnixSeconds>,
    /// The map.
    #[serde(flatten)]
    pub picture: Picture,
}

impl PastView {
    /// The map of a time since which something is known.
    pub async fn of((state, lens): (&AppState, &Lens), at: UnixSeconds) -> Result<Self, ApiError> {
        let now = state.clock.now();
        if at > now {
            return Err(ApiError::bad_request(format!(
                "{} has not come yet; here it is {}.",
                at.to_rfc3339(),
                now.to_rfc3339()
            )));
        }
        let today = state.map(lens).await?;
        let near = ChangesAsked { around: Some(at), ..ChangesAsked::between(at, at) };
        let (since, then, Changes { previous, next, .. }) = state
            .read(lens, move |store| {
                let past = store.past(at)?;
                Ok((past.since, rebuild(&past, at, &today), store.changes(&near)?))
            })
            .await?;
        let since = told_since(since, at)?;
        let Then { mut picture, mut status_since, mut learnt_later } = then;
        if !lens.reach.is_whole() {
            picture = within::picture(&picture, &lens.told_reach(), picture.alarms_open);
            let ids = picture.nodes.iter().map(|node| &node.id);
            let ids: HashSet<&String> =
                ids.chain(picture.edges.iter().map(|edge| &edge.id)).collect();
            status_since.retain(|id, _| ids.contains(id));
            learnt_later.retain(|id, _| ids.contains(id));
        }
        Ok(Self { at, since, status_since, learnt_later, previous, next, picture })
    }

    /// The same under pseudonyms.
    pub fn masked(self, guise: &Guise) -> Self {
        let Masked { picture, ids } = mask::masked(&self.picture, guise);
        let named = |times: BTreeMap<String, UnixSeconds>| {
            let of = |(id, at): (String, UnixSeconds)| Some((ids.get(&id)?.clone(), at));
            times.into_iter().filter_map(of).collect()
        };
        Self {
            status_since: named(self.status_since),
            learnt_later: named(self.learnt_later),
            picture,
            ..self
        }
    }

    /// What a query finds on it.
    pub fn find(&self, query: &Query) -> Found<'_> {
        find(&self.picture, query, self.at, |id| Known {
            since: self.status_since.get(&format!("a:{id}")).copied(),
            ..Known::default()
        })
    }

    /// What the comparison of two maps takes.
    fn then(self) -> Then {
        let Self { picture, status_since, learnt_later, .. } = self;
        Then { picture, status_since, learnt_later }
    }
}

/// Since when the past can be told, if that is not later than a time.
fn told_since(since: Option<UnixSeconds>, at: UnixSeconds) -> Result<UnixSeconds, ApiError> {
    match since {
        Some(since) if since <= at => Ok(since),
        Some(since) => Err(ApiError::new(
            ErrorCode::BeforeHistory,
            format!(
                "The history begins at {} ({since}); ask for a time from then on.",
                since.to_rfc3339()
            ),
        )),
        None => Err(ApiError::new(ErrorCode::BeforeHistory, "The history is empty so far.")),
    }
}

fn rebuild(past: &Past, at: UnixSeconds, today: &Arc<Picture>) -> Then {
    let facts: Vec<Fact> = past.facts.iter().map(fact).collect();
    let places: Vec<Placed> = past
        .layout
        .iter()
        .map(|row| Placed {
            id: row.node.clone(),
            site: row.site.clone(),
            x: row.x,
            y: row.y,
            r: row.r,
            pinned: row.pinned,
            rev: row.rev,
        })
        .collect();
    let of_agent = past.alarms.iter();
    let mut alarms: BTreeMap<AgentId, u32> = BTreeMap::new();
    for (agent, active) in of_agent.filter_map(|row| Some((row.agent_id.clone()?, row.active))) {
        *alarms.entry(agent).or_default() += active;
    }
    let open: u32 = past.alarms.iter().map(|row| row.unacknowledged).sum();
    let alarms_open = usize::try_from(open).unwrap_or(usize::MAX);
    past::picture(&Frame { at, today, places: &places, alarms: &alarms, alarms_open }, &facts)
}

fn fact(row: &EventRow) -> Fact {
    Fact {
        id: row.id.0,
        since: row.holds_from(),
        learnt_at: row.is_learnt_later().then_some(row.recorded_at),
        kind: row.kind,
        fleet: row.fleet.clone(),
        subject: row.subject.clone(),
        after: row.after.clone(),
    }
}

/// A time as people and programs write it: Unix seconds, or RFC 3339; without a zone it is UTC,
/// and seconds or the clock may be left out.
pub fn time(text: &str) -> Result<UnixSeconds, ApiError> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Ok(UnixSeconds(seconds));
    }
    // In a query a plus sign before a zone's hours arrives as a blank.
    let endings = ["", "Z", ":00Z", "T00:00:00Z"];
    let read = endings.iter().find_map(|ending| rfc3339(&format!("{text}{ending}")));
    read.ok_or_else(|| {
        ApiError::bad_request(format!(
            "{text:?} is no time; write Unix seconds or a time such as 2026-11-20T14:02:11Z."
        ))
    })
}

/// A time that may be left out.
pub fn maybe_time(text: Option<&str>) -> Result<Option<UnixSeconds>, ApiError> {
    text.filter(|text| !text.trim().is_empty()).map(time).transpose()
}

/// Which part of the history to count.
#[derive(Debug, Default, Deserialize)]
pub struct HistoryQuery {
    from: Option<String>,
    to: Option<String>,
    buckets: Option<i64>,
    at: Option<String>,
}

/// How often something changed, step by step.
#[derive(Debug, Serialize)]
pub struct HistoryView {
    /// Since when the past can be told.
    pub since: Option<UnixSeconds>,
    /// Where the first step begins.
    pub from: UnixSeconds,
    /// Where the last one ends.
    pub to: UnixSeconds,
    /// Seconds of one step.
    pub step: i64,
    /// The steps in which something changed.
    pub buckets: Vec<Bucket>,
    /// The last change before `at`.
    pub previous: Option<UnixSeconds>,
    /// The first change after `at`.
    pub next: Option<UnixSeconds>,
}

/// The changes of one step.
#[derive(Debug, Serialize)]
pub struct Bucket {
    /// Where it begins.
    pub at: UnixSeconds,
    /// All changes.
    pub count: u64,
    /// How bad the worst of them was.
    pub worst: Severity,
    /// How many of each kind.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// `GET /api/v1/history`.
pub async fn history(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<HistoryView>, ApiError> {
    let now = state.clock.now();
    let to = maybe_time(query.to.as_deref())?.unwrap_or(now).min(now);
    let from = maybe_time(query.from.as_deref())?.unwrap_or_else(|| to.minus(DAY_S));
    if from >= to {
        return Err(ApiError::bad_request("from must be before to, and before now."));
    }
    let steps = query.buckets.unwrap_or(STEPS).clamp(1, MOST_STEPS);
    let step = to.since(from).saturating_add(steps - 1) / steps;
    let around = maybe_time(query.at.as_deref())?;
    let asked = ChangesAsked { step, around, ..ChangesAsked::between(from, to) };
    let found = state.read(&caller.lens, move |store| store.changes(&asked)).await?;
    let Changes { since, tallies, previous, next, .. } = found;
    let buckets = buckets(from, step, &tallies);
    Ok(Json(HistoryView { since, from, to, step, buckets, previous, next }))
}

fn buckets(from: UnixSeconds, step: i64, tallies: &[Tally]) -> Vec<Bucket> {
    let mut found: Vec<Bucket> = Vec::new();
    for tally in tallies {
        let at = from.plus(tally.step.saturating_mul(step));
        if found.last().is_none_or(|last| last.at != at) {
            found.push(Bucket { at, count: 0, worst: Severity::Info, kinds: BTreeMap::new() });
        }
        let Some(bucket) = found.last_mut() else { continue };
        bucket.count += tally.count;
        bucket.worst = bucket.worst.max(weight(tally.kind, tally.word.as_deref()));
        *bucket.kinds.entry(tally.kind.as_str()).or_default() += tally.count;
    }
    found
}

/// How bad a change is by what it led to.
fn weight(kind: EventKind, word: Option<&str>) -> Severity {
    match (kind, word) {
        (EventKind::AlarmRaised, Some(word)) => {
            Severity::from_word(word).unwrap_or(Severity::Warning)
        }
        (EventKind::EdgeState, Some("down")) | (EventKind::AgentStatus, Some("offline")) => {
            Severity::Major
        }
        (EventKind::EdgeState, Some("one_way" | "half_configured"))
        | (EventKind::AgentStatus, Some("stale"))
        | (EventKind::EdgeRemoved, _) => Severity::Warning,
        _ => Severity::Info,
    }
}

/// Which two times to compare.
#[derive(Debug, Default, Deserialize)]
pub struct DiffQuery {
    /// The earlier time.
    pub from: Option<String>,
    /// The later time; now if it is not told.
    pub to: Option<String>,
}

/// What differs between two times.
#[derive(Debug, Serialize)]
pub struct DiffView {
    /// The earlier time.
    pub from: UnixSeconds,
    /// The later time.
    pub to: UnixSeconds,
    /// All of it in one line: `3 links lost, 1 agent new`.
    pub summary: String,
    /// Links and agents.
    #[serde(flatten)]
    pub difference: Difference,
    /// Alarms that were raised between the two, or became worse.
    pub alarms_raised: Vec<AlarmChange>,
    /// Alarms that were cleared between the two.
    pub alarms_cleared: Vec<AlarmChange>,
    /// Whether every event between the two was read; else the oldest times and alarms are
    /// missing, and what differs is whole all the same.
    pub complete: bool,
}

/// What an event tells of an alarm.
#[derive(Debug, Clone, Serialize)]
pub struct AlarmChange {
    /// The alarm.
    pub id: i64,
    /// When.
    pub at: UnixSeconds,
    /// What it is about.
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence for a person.
    pub message: String,
    /// Its agent, if it is about one.
    pub agent_id: Option<AgentId>,
}

/// `GET /api/v1/diff`.
pub async fn diff(
    State(state): State<AppState>,
    caller: Caller,
    Params(query): Params<DiffQuery>,
) -> Result<Json<DiffView>, ApiError> {
    let (from, to) = times(&state, &query).await?;
    DiffView::of((&state, &caller.lens), from, to).await.map(Json)
}

/// The two times that are asked for.
pub async fn times(
    state: &AppState,
    query: &DiffQuery,
) -> Result<(UnixSeconds, UnixSeconds), ApiError> {
    let to = maybe_time(query.to.as_deref())?.unwrap_or_else(|| state.clock.now());
    let from = match maybe_time(query.from.as_deref())? {
        Some(from) => from,
        None => a_day_before(state, to).await?,
    };
    Ok((from, to))
}

/// A day before a time, or the beginning of the history if that is later.
async fn a_day_before(state: &AppState, to: UnixSeconds) -> Result<UnixSeconds, ApiError> {
    let asked = ChangesAsked::between(to, to);
    // Since when the past can be told is the same for everybody.
    let since = state.read(&Lens::whole(), move |store| store.changes(&asked)).await?.since;
    let day = to.minus(DAY_S);
    Ok(since.map_or(day, |since| since.max(day).min(to)))
}

impl DiffView {
    /// Compares the maps of two times.
    pub async fn of(
        (state, lens): (&AppState, &Lens),
        from: UnixSeconds,
        to: UnixSeconds,
    ) -> Result<Self, ApiError> {
        if from > to {
            return Err(ApiError::bad_request("from must not be after to."));
        }
        let before = PastView::of((state, lens), from).await?.then();
        let after = PastView::of((state, lens), to).await?.then();
        // What held at the first time already is no change.
        let first = from.plus(1);
        let asked = ChangesAsked { limit: MOST_EVENTS, ..ChangesAsked::between(first, to) };
        let events = state.read(lens, move |store| store.changes(&asked)).await?.events;
        let mut times: BTreeMap<String, Vec<UnixSeconds>> = BTreeMap::new();
        for event in &events {
            times.entry(event.subject.clone()).or_default().push(event.holds_from());
        }
        let difference = changes::between(&before, &after, &times);
        let of_kind = |kind| {
            let of_kind = events.iter().filter(move |event| event.kind == kind);
            of_kind.filter_map(AlarmChange::of).collect::<Vec<_>>()
        };
        let (raised, cleared) = (of_kind(EventKind::AlarmRaised), of_kind(EventKind::AlarmCleared));
        Ok(Self {
            from,
            to,
            summary: difference.summary(),
            difference,
            alarms_raised: raised,
            alarms_cleared: cleared,
            complete: events.len() < MOST_EVENTS,
        })
    }
}

impl AlarmChange {
    fn of(event: &EventRow) -> Option<Self> {
        let told = event.after.as_ref()?;
        let text = |name: &str| told.get(name).and_then(Value::as_str);
        Some(Self {
            id: told.get("id").and_then(Value::as_i64)?,
            at: event.holds_from(),
            kind: text("kind")?.to_owned(),
            severity: text("severity").and_then(Severity::from_word)?,
            message: text("message").unwrap_or_default().to_owned(),
            agent_id: event.agent_id.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
