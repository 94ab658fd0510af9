//! Shared links: made by operators, listed and taken back by whoever sees all that they show.
//!
//! A link opens one page that visitors may look at, and shows fleets by name, never everything: what
//! belongs to the manager itself stays with people who signed in.

pub mod masked;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::http::access::{Caller, Need, token};
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::{Id, Params, rows};
use crate::http::routes;
use crate::http::state::AppState;
use crate::mask::{Guise, Lens};
use crate::model::access::Role;
use crate::model::id::{AgentId, AlarmId, FleetId};
use crate::model::reach::{MOST_FLEETS, Reach};
use crate::model::time::UnixSeconds;
use crate::process::handle::Command;
use crate::process::people::PeopleWish;
use crate::process::shares::{ShareWish, id_of};
use crate::store::row::AlarmFilter;
use crate::store::share::ShareRecord;
use crate::wire::codes::ErrorCode;

use super::{Acknowledged, OK};

/// How long a link works if nobody says so, in seconds (7 days).
pub const USUAL_S: i64 = 7 * DAY_S;

/// The shortest life of a link, in seconds.
const SHORTEST_S: i64 = 60;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Bytes of a view at most: every choice of the map fits, and a header does, too.
const VIEW_BYTES: usize = 2_000;

/// A shared link as people and programs see it: not what opens it.
#[derive(Debug, Clone, Serialize)]
pub struct ShareView {
    /// Names it.
    pub id: String,
    /// Path and query of the page that it opens.
    pub view: String,
    /// The fleets it shows.
    pub fleets: Vec<FleetId>,
    /// Who made it.
    pub made_by: String,
    /// Whether visitors are told that.
    pub named: bool,
    /// Whether it shows pseudonyms instead of names, addresses and keys.
    pub masked: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// When it ends.
    pub expires_at: UnixSeconds,
    /// How often it was opened.
    pub opened: u64,
    /// When it was opened last.
    pub last_opened_at: Option<UnixSeconds>,
}

impl From<ShareRecord> for ShareView {
    fn from(share: ShareRecord) -> Self {
        Self {
            id: id_of(&share.token_hash),
            view: share.view,
            fleets: share.reach.fleets(),
            made_by: share.made_by,
            named: share.named,
            masked: share.mask.is_some(),
            created_at: share.created_at,
            expires_at: share.expires_at,
            opened: share.opened,
            last_opened_at: share.last_opened_at,
        }
    }
}

/// Which to list.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    limit: Option<usize>,
}

/// The links that show only what somebody sees, newest first.
pub fn all(state: &AppState, lens: &Lens) -> Vec<ShareView> {
    state.seen(lens).shares().into_iter().map(ShareView::from).collect()
}

/// `GET /api/v1/shares`.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Json<Vec<ShareView>> {
    let mut all = all(&state, &caller.lens);
    all.truncate(rows(asked.limit));
    Json(all)
}

fn shown_by_default() -> bool {
    true
}

/// What to share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewShare {
    /// Path and query of a page that visitors may look at.
    pub view: String,
    /// The fleets it shows; none, or without it: that of the thing on the page, or all that are seen.
    #[serde(default)]
    pub fleets: Vec<String>,
    /// For how many seconds it works; seven days if not told.
    #[serde(default)]
    pub for_s: Option<i64>,
    /// Whether visitors are told who made it.
    #[serde(default = "shown_by_default")]
    pub named: bool,
    /// Whether it shows pseudonyms instead of names, addresses and keys.
    #[serde(default)]
    pub masked: bool,
}

/// A link that was made; its path is told this once.
#[derive(Serialize)]
pub struct MadeShare {
    /// Names it in lists.
    pub id: String,
    /// The path that opens it, on this manager.
    pub path: String,
    /// Path and query of the page that it opens.
    pub view: String,
    /// The fleets it shows.
    pub fleets: Vec<FleetId>,
    /// When it ends.
    pub expires_at: UnixSeconds,
}

impl std::fmt::Debug for MadeShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MadeShare({} {})", self.id, self.view)
    }
}

fn wrong(detail: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidField, detail)
}

/// What a view is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Agent(String),
    Link(String),
    Alarm(String),
    Everything,
}

/// Whether a page may be shared, and what it is about.
fn thing(view: &str) -> Result<Thing, ApiError> {
    let odd = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'#' | b'\\' | b'"' | b'<');
    let local = view.starts_with('/') && !view.starts_with("//") && !view.bytes().any(odd);
    if !local || view.len() > VIEW_BYTES {
        let why =
            "view must be the path and query of a page, such as /map?q=state:down, percent-encoded";
        return Err(wrong(format!("{why}, of {VIEW_BYTES} bytes at most.")));
    }
    let path = view.split('?').next().unwrap_or_default();
    let (first, id) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let pattern = if id.is_empty() { path.to_owned() } else { format!("/{first}/{{id}}") };
    let is_page =
        !id.contains('/') && !pattern.starts_with("/api/") && !pattern.starts_with("/status/");
    let is_it = |route: &routes::Route| route.path == pattern && route.need == Need::Shared;
    if !is_page || pattern == "/map.svg" || !routes::all().iter().any(is_it) {
        return Err(wrong(format!(
            "{path} cannot be shared: visitors see the map, the tables of agents, links, alarms and \
             events, and the page of one of these."
        )));
    }
    Ok(match (first, decoded(id)?) {
        ("agents", id) if !id.is_empty() => Thing::Agent(id),
        ("links", id) if !id.is_empty() => Thing::Link(id),
        ("alarms", id) if !id.is_empty() => Thing::Alarm(id),
        _ => Thing::Everything,
    })
}

/// A part of a path as it is meant.
fn decoded(part: &str) -> Result<String, ApiError> {
    let odd = || wrong(format!("{part} is no name of a thing."));
    let uri: Uri = format!("/?part={part}").parse().map_err(|_invalid| odd())?;
    let Query(found) = Query::<Vec<(String, String)>>::try_from_uri(&uri).map_err(|_odd| odd())?;
    match found.as_slice() {
        [(_, text)] => Ok(text.clone()),
        _ => Err(odd()),
    }
}

/// The fleet of the thing that a page is about; `None` where it is about everything.
async fn fleet_of(
    state: &AppState,
    lens: &Lens,
    thing: Thing,
) -> Result<Option<FleetId>, ApiError> {
    let seen = state.seen(lens);
    match thing {
        Thing::Everything => Ok(None),
        Thing::Agent(id) => {
            let agent = id.parse::<AgentId>().ok().and_then(|id| seen.agent(&id));
            agent.map(|agent| Some(agent.fleet_id)).ok_or_else(|| ApiError::not_found("agent"))
        }
        Thing::Link(id) => {
            let node = seen.edge(&id).and_then(|edge| seen.node(&edge.source));
            node.map(|node| Some(node.fleet_id)).ok_or_else(|| ApiError::not_found("link"))
        }
        Thing::Alarm(id) => {
            let id = id.parse().map(AlarmId).map_err(|_odd| ApiError::not_found("alarm"))?;
            let found = state.read(lens, move |store| store.alarms(&AlarmFilter::one(id)));
            let row = found.await?.pop().ok_or_else(|| ApiError::not_found("alarm"))?;
            row.alarm.fleet.map(Some).ok_or_else(|| {
                wrong("This alarm is about the manager itself, which no link shows.")
            })
        }
    }
}

/// What a link will show: what was named, or what its page is about.
async fn reach_of(state: &AppState, caller: &Caller, wanted: &NewShare) -> Result<Reach, ApiError> {
    let named = Reach::read(wanted.fleets.iter().map(String::as_str)).map_err(wrong)?;
    let own = fleet_of(state, &caller.lens, thing(&wanted.view)?).await?;
    let agents = state.seen(&caller.lens).agents();
    let known: Vec<FleetId> = agents.into_iter().map(|agent| agent.fleet_id).collect();
    if let Some(strange) = named.fleets().iter().find(|fleet| !known.contains(fleet)) {
        return Err(wrong(format!("There is no fleet {strange}.")));
    }
    let reach = match (named.is_whole(), own) {
        (true, Some(own)) => Reach::only([own]),
        (true, None) => Reach::only(known),
        (false, Some(own)) if !named.sees(&own) => {
            return Err(wrong(format!("This page is about the fleet {own}: name it, or none.")));
        }
        (false, _) => named,
    };
    match reach.fleets().len() {
        0 => Err(ApiError::new(
            ErrorCode::Conflict,
            "There is nothing to show yet: no agent reports.",
        )),
        1..=MOST_FLEETS => Ok(reach),
        many => Err(wrong(format!("You see {many} fleets; name at most {MOST_FLEETS} of them."))),
    }
}

/// When a link ends.
fn end(for_s: Option<i64>, most_days: u32, now: UnixSeconds) -> Result<UnixSeconds, ApiError> {
    let most = i64::from(most_days) * DAY_S;
    if most == 0 {
        let why = "No links are shared here: KATTILA_SHARE_DAYS is 0.";
        return Err(ApiError::new(ErrorCode::Forbidden, why));
    }
    let for_s = for_s.unwrap_or(USUAL_S.min(most));
    if (SHORTEST_S..=most).contains(&for_s) {
        return Ok(now.plus(for_s));
    }
    Err(wrong(format!(
        "for_s must be from {SHORTEST_S} to {most} seconds, {most_days} days (KATTILA_SHARE_DAYS)."
    )))
}

/// What the pseudonyms of one link are made of: no two links show the same.
fn own_key() -> Result<[u8; 32], getrandom::Error> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(key)
}

/// Makes a link.
pub async fn add(
    state: &AppState,
    caller: &Caller,
    wanted: NewShare,
) -> Result<MadeShare, ApiError> {
    let now = state.clock.now();
    let expires_at = end(wanted.for_s, state.config.access.share_days, now)?;
    let reach = reach_of(state, caller, &wanted).await?;
    let secret = token::make("").map_err(ApiError::internal)?;
    let masked = wanted.masked || state.config.access.masked.contains(&Role::Viewer);
    let mask = masked.then(own_key).transpose().map_err(ApiError::internal)?;
    let view = match mask {
        Some(key) => masked::view(&wanted.view, &Guise::of(key)),
        None => wanted.view,
    };
    let share = ShareRecord {
        token_hash: token::hash(&secret),
        view: view.clone(),
        reach: reach.clone(),
        made_by: caller.name.clone(),
        by_user: caller.user,
        named: wanted.named,
        created_at: now,
        expires_at,
        opened: 0,
        mask,
        last_opened_at: None,
    };
    let id = id_of(&share.token_hash);
    carry_out(state, ShareWish::Make(share)).await?;
    let path = format!("/s/{}", secret.as_str());
    Ok(MadeShare { id, path, view, fleets: reach.fleets(), expires_at })
}

async fn carry_out(state: &AppState, wish: ShareWish) -> Result<(), ApiError> {
    state.command(Command::People(Box::new(PeopleWish::Share(wish)))).await?;
    Ok(())
}

/// Takes a link back: it shows nothing from now on, and its streams end.
pub async fn end_one(state: &AppState, caller: &Caller, id: &str) -> Result<(), ApiError> {
    let seen = state.seen(&caller.lens).shares();
    let found = seen.into_iter().find(|share| id_of(&share.token_hash) == id);
    let hash = found.ok_or_else(|| ApiError::not_found("shared link"))?.token_hash;
    carry_out(state, ShareWish::End { hash, by: caller.name.clone() }).await
}

/// `POST /api/v1/shares`.
pub async fn make(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(wanted): JsonBody<NewShare>,
) -> Result<(StatusCode, Json<MadeShare>), ApiError> {
    Ok((StatusCode::CREATED, Json(add(&state, &caller, wanted).await?)))
}

/// `DELETE /api/v1/shares/{id}`.
pub async fn revoke(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<String>,
) -> Result<Json<Acknowledged>, ApiError> {
    end_one(&state, &caller, &id).await?;
    Ok(Json(OK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_visitors_see_can_be_shared_and_nothing_else() {
        let everything = [
            "/map",
            "/",
            "/map?sel=node~a%3Agw-1&at=1795000000",
            "/agents?q=state:down",
            "/links",
            "/alarms?state=all",
            "/events",
            "/changes",
            "/paths?from=a&to=b",
            "/what-if",
        ];
        for view in everything {
            assert_eq!(thing(view).unwrap(), Thing::Everything, "{view}");
        }
        assert_eq!(thing("/agents/gw%3A1?at=1").unwrap(), Thing::Agent("gw:1".to_owned()));
        assert_eq!(thing("/links/e9").unwrap(), Thing::Link("e9".to_owned()));
        assert_eq!(thing("/alarms/7").unwrap(), Thing::Alarm("7".to_owned()));
        let long = format!("/map?q={}", "a".repeat(VIEW_BYTES));
        for view in [
            "",
            "map",
            "//evil.example/map",
            "https://evil.example",
            "/\\evil.example",
            "/users",
            "/account",
            "/settings",
            "/reports",
            "/reports/7",
            "/s/token",
            "/map#x",
            "/map?q=a b",
            "/map\r\nx",
            "/map?q=é",
            "/api/v1/topology",
            "/status/agents",
            "/map.svg",
            "/agents/a/b",
            "/alarms/quality/x",
            "/login?next=/map",
            "/audit",
            "/maintenance",
            &long,
        ] {
            assert_eq!(thing(view).unwrap_err().code(), ErrorCode::InvalidField, "{view}");
        }
    }

    #[test]
    fn a_link_lives_a_minute_to_as_long_as_the_settings_say() {
        let now = UnixSeconds(1_000);
        assert_eq!(end(None, 90, now).unwrap(), now.plus(USUAL_S));
        assert_eq!(end(None, 3, now).unwrap(), now.plus(3 * DAY_S), "no longer than may be");
        assert_eq!(end(Some(60), 90, now).unwrap(), now.plus(60));
        for bad in [0, 59, -1, 90 * DAY_S + 1, i64::MIN, i64::MAX] {
            assert_eq!(end(Some(bad), 90, now).unwrap_err().code(), ErrorCode::InvalidField);
        }
        assert_eq!(end(None, 0, now).unwrap_err().code(), ErrorCode::Forbidden);
    }
}
