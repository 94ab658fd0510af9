//! The forms about alarms, also those of agents that are chosen, and the page of maintenance with its forms.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use crate::http::access::Caller;
use crate::http::body::FormBody;
use crate::http::error::ApiError;
use crate::http::operators::acts::{self, MOST_NAMED, Many, Note, Shelf};
use crate::http::operators::maintenance::{self as windows, Make, Weekly, offset};
use crate::http::operators::past::maybe_time;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::model::id::{AgentId, AlarmId, WindowId};
use crate::model::state::AlarmState;
use crate::model::time::UnixSeconds;
use crate::model::window::Scope;
use crate::process::acts::Act;
use crate::process::upkeep::Upkeep;
use crate::store::row::AlarmFilter;
use crate::views;
use crate::views::alarms::Tab;
use crate::views::page::Nav;
use crate::views::text::{encode, plural};

use super::{Reader, done, html, names};

/// A form about one alarm.
#[derive(Debug, Default, Deserialize)]
pub struct OneForm {
    note: Option<String>,
    reason: Option<String>,
    for_s: Option<i64>,
    back: Option<String>,
}

/// Does something about one alarm, and leads back to the page its form was on: the alarm's own, or
/// a list. There it is told.
async fn act_on(
    (state, caller): (&AppState, Caller),
    (id, act): (i64, Act),
    (back, list): (Option<&str>, &str),
) -> Result<Response, ApiError> {
    let (way, told) = (caller.way.clone(), format!("Alarm {id} is {}.", past(&act)));
    acts::on_one(state, id, act, caller).await?;
    let own = format!("/alarms/{id}");
    Ok(done(state, &way, (if back == Some("alarm") { &own } else { list }, told)))
}

/// What has become of an alarm, in a word or some.
fn past(act: &Act) -> &'static str {
    match act {
        Act::Acknowledge { .. } => "acknowledged",
        Act::Shelve { .. } => "shelved",
        Act::Unshelve => "taken from the shelf",
        Act::Clear => "cleared",
    }
}

/// `POST /alarms/{id}/ack`.
pub async fn acknowledge(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    FormBody(form): FormBody<OneForm>,
) -> Result<Response, ApiError> {
    let act = Note { note: form.note }.act()?;
    act_on((&state, caller), (id, act), (form.back.as_deref(), "/alarms")).await
}

/// `POST /alarms/{id}/shelve`.
pub async fn shelve(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    FormBody(form): FormBody<OneForm>,
) -> Result<Response, ApiError> {
    let shelf = Shelf { until: None, for_s: form.for_s, reason: form.reason };
    let act = shelf.act(state.clock.now())?;
    act_on((&state, caller), (id, act), (form.back.as_deref(), &Tab::Shelved.href())).await
}

/// `POST /alarms/{id}/unshelve`.
pub async fn unshelve(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    FormBody(form): FormBody<OneForm>,
) -> Result<Response, ApiError> {
    act_on((&state, caller), (id, Act::Unshelve), (form.back.as_deref(), "/alarms")).await
}

/// `POST /alarms/{id}/clear`.
pub async fn clear(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    FormBody(form): FormBody<OneForm>,
) -> Result<Response, ApiError> {
    act_on((&state, caller), (id, Act::Clear), (form.back.as_deref(), "/alarms")).await
}

/// A form whose fields may come several times.
#[derive(Debug)]
struct Fields(Vec<(String, String)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let odd = |_odd| ApiError::bad_request(format!("{name} must be a whole number."));
        self.get(name).map(str::parse).transpose().map_err(odd)
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    fn numbers(&self, name: &str) -> Result<Vec<i64>, ApiError> {
        let odd = |_odd| ApiError::bad_request(format!("{name} must be a number of an alarm."));
        self.all(name).map(str::parse).collect::<Result<_, _>>().map_err(odd)
    }
}

/// What the form of many alarms asks for: a button of one alarm means that alone, whatever else
/// is chosen.
fn wanted(fields: &Fields, now: UnixSeconds) -> Result<(Many, Act), ApiError> {
    let one = |id: i64| Many { ids: vec![id], ..Many::default() };
    if let Some(id) = fields.number("acknowledge")? {
        return Ok((one(id), Note::default().act()?));
    }
    if let Some(id) = fields.number("clear")? {
        return Ok((one(id), Act::Clear));
    }
    let (ids, incidents) = (fields.numbers("id")?, fields.numbers("incident")?);
    let words = fields.owned("words");
    let act = match fields.get("act") {
        Some("acknowledge") => Note { note: words }.act()?,
        Some("shelve") => {
            Shelf { until: None, for_s: fields.number("for_s")?, reason: words }.act(now)?
        }
        Some("unshelve") => Act::Unshelve,
        Some("clear") => Act::Clear,
        _ => return Err(ApiError::bad_request("Say what is to be done about the alarms.")),
    };
    Ok((Many { ids, incidents, ..Many::default() }, act))
}

/// `POST /alarms/acts`.
pub async fn many(
    State(state): State<AppState>,
    caller: Caller,
    FormBody(fields): FormBody<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let fields = Fields(fields);
    let (many, act) = wanted(&fields, state.clock.now())?;
    if many.ids.is_empty() && many.incidents.is_empty() {
        return Err(ApiError::bad_request("Choose at least one alarm first."));
    }
    let (way, what) = (caller.way.clone(), past(&act));
    let count = acts::carry_out(&state, many.acts(act, caller)?).await?.done;
    let told = match count {
        0 => format!("No alarm was left to be {what}."),
        1 => format!("1 alarm is {what}."),
        count => format!("{count} alarms are {what}."),
    };
    let tab = Tab::from_word(fields.get("tab").unwrap_or_default());
    Ok(done(&state, &way, (&tab.href(), told)))
}

/// Open alarms of one agent that are looked at: more than one host has.
const ALARMS_OF_ONE: usize = 1_000;

/// Agents that one form chooses at most: those of a page.
const MOST_CHOSEN: usize = 200;

/// `POST /agents/acknowledge`: the open alarms of the agents that are chosen, as far as nobody
/// has acknowledged them. What is more than one request takes is left, and told.
pub async fn of_agents(
    State(state): State<AppState>,
    caller: Caller,
    FormBody(fields): FormBody<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let fields = Fields(fields);
    let act = Note { note: fields.owned("note") }.act()?;
    let agents: Result<Vec<AgentId>, _> = fields.all("agent").map(str::parse).collect();
    let mut agents =
        agents.map_err(|_odd| ApiError::bad_request("agent must be an agent's id."))?;
    agents.sort_unstable();
    agents.dedup();
    let count = agents.len();
    if !(1..=MOST_CHOSEN).contains(&count) {
        return Err(ApiError::bad_request(format!("Choose 1 to {MOST_CHOSEN} agents first.")));
    }
    let open = state.read(&caller.lens, move |store| {
        let mut open: Vec<AlarmId> = Vec::new();
        for agent in agents {
            let limit = (MOST_NAMED + 1).saturating_sub(open.len());
            if limit == 0 {
                break;
            }
            // Those that are acknowledged already stand among them, so all are looked at.
            let filter =
                AlarmFilter { agent: Some(agent), limit: ALARMS_OF_ONE, ..AlarmFilter::default() };
            let rows = store.alarms(&filter)?.into_iter().map(|row| row.alarm);
            let fresh = |state| matches!(state, AlarmState::Active | AlarmState::Returned);
            open.extend(rows.filter(|alarm| fresh(alarm.state)).map(|alarm| alarm.id).take(limit));
        }
        open.sort_unstable();
        open.dedup();
        Ok(open)
    });
    let mut open = open.await?;
    let more = open.len() > MOST_NAMED;
    open.truncate(MOST_NAMED);
    let (way, mut count_done) = (caller.way.clone(), 0);
    if !open.is_empty() {
        let many = Many { ids: open.into_iter().map(|id| id.0).collect(), ..Many::default() };
        count_done = acts::carry_out(&state, many.acts(act, caller)?).await?.done;
    }
    let [q, sort] = ["q", "sort"].map(|name| encode(fields.get(name).unwrap_or_default()));
    let told = views::agents::acknowledged((count_done, count, more));
    Ok(done(&state, &way, (&format!("/agents?q={q}&sort={sort}"), told)))
}

/// `GET /maintenance`.
pub async fn maintenance(
    State(state): State<AppState>,
    reader: Reader,
) -> Result<Response, ApiError> {
    let mut context = reader.context(&state, "Maintenance", Nav::Alarms);
    let windows = state.seen(&reader.lens).windows();
    let agents = windows.iter().filter_map(|window| match &window.scope {
        Scope::Agent(id) => Some(id),
        Scope::Fleet(_) | Scope::Label { .. } => None,
    });
    context.names = names((&state, &reader), agents);
    html(views::maintenance::page(&context, &windows))
}

/// What the forms of the page ask for.
fn window(fields: &Fields) -> Result<Make, ApiError> {
    let who = fields.owned("who");
    let mut make = Make { reason: fields.owned("reason"), ..Make::default() };
    match fields.get("scope") {
        Some("fleet") => make.fleet_id = who,
        Some("label") => make.label = who,
        _ => make.agent_id = who,
    }
    let lasts = fields.number("lasts")?;
    let ahead = fields.get("utc_offset").unwrap_or("+00:00");
    if fields.get("weekly").is_some() {
        make.weekly = Some(Weekly {
            days: fields.all("day").map(str::to_owned).collect(),
            start: fields.owned("start").unwrap_or_default(),
            lasts_s: lasts.unwrap_or_default(),
            utc_offset: ahead.to_owned(),
        });
        return Ok(make);
    }
    let wrong = || ApiError::bad_request("The hours from UTC must be such as +02:00.");
    let ahead = offset(ahead).ok_or_else(wrong)?;
    make.for_s = lasts;
    make.from = local(fields.get("from"))?.map(|at| at.minus(ahead).0);
    Ok(make)
}

/// The value of a field of the type `datetime-local`, with or without seconds.
fn local(text: Option<&str>) -> Result<Option<UnixSeconds>, ApiError> {
    let whole = text.map(|text| match text.len() {
        16 => format!("{text}:00Z"),
        _ => format!("{text}Z"),
    });
    maybe_time(whole.as_deref())
}

/// `POST /maintenance`.
pub async fn make(
    State(state): State<AppState>,
    caller: Caller,
    FormBody(fields): FormBody<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let fields = Fields(fields);
    let way = caller.way.clone();
    let wish = window(&fields)?.wish(state.clock.now(), caller)?;
    let made = windows::carry_out(&state, wish).await?;
    let told = format!(
        "Maintenance window {} is made; it means {} now.",
        made.id,
        plural(usize::try_from(made.agents).unwrap_or(usize::MAX), "agent")
    );
    let agent = fields.get("who").filter(|_| fields.get("back") == Some("agent"));
    let back = agent.map(|agent| format!("/agents/{}", encode(agent)));
    Ok(done(&state, &way, (back.as_deref().unwrap_or("/maintenance"), told)))
}

/// `POST /maintenance/{id}/end`.
pub async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
) -> Result<Response, ApiError> {
    let wish = Upkeep::End { window: WindowId(id), by: caller.name, reach: caller.lens.reach };
    windows::carry_out(&state, wish).await?;
    let told = format!("Maintenance window {id} is over.");
    Ok(done(&state, &caller.way, ("/maintenance", told)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_795_214_286);

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Fields(pairs.iter().map(owned).collect())
    }

    #[test]
    fn a_button_of_one_alarm_means_that_alarm_alone() {
        let chosen = [("id", "1"), ("id", "2"), ("incident", "3"), ("words", "seen")];
        let all = [&chosen[..], &[("act", "acknowledge")]].concat();
        let (many, act) = wanted(&fields(&all), NOW).unwrap();
        assert_eq!((many.ids, many.incidents), (vec![1, 2], vec![3]));
        assert_eq!(act, Act::Acknowledge { note: Some("seen".into()) });
        for (button, expected) in
            [("acknowledge", Act::Acknowledge { note: None }), ("clear", Act::Clear)]
        {
            let one = [&chosen[..], &[(button, "9")]].concat();
            let (many, act) = wanted(&fields(&one), NOW).unwrap();
            assert_eq!((many.ids, many.incidents, act), (vec![9], vec![], expected));
        }
        for bad in [
            vec![("id", "x"), ("act", "clear")],
            vec![("id", "1")],
            vec![("id", "1"), ("act", "shelve"), ("for_s", "3600")],
            vec![("id", "1"), ("act", "shelve"), ("words", "why")],
        ] {
            assert!(wanted(&fields(&bad), NOW).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn local_times_are_taken_at_their_distance_from_utc() {
        let form = |from: &'static str, ahead: &'static str| {
            let made = window(&fields(&[("who", "a"), ("from", from), ("utc_offset", ahead)]));
            made.map(|made| made.from)
        };
        assert_eq!(form("2026-11-20T22:38", "+00:00").unwrap(), Some(NOW.0 - 6));
        assert_eq!(form("2026-11-21T00:38:06", "+02:00").unwrap(), Some(NOW.0));
        assert_eq!(form("", "+02:00").unwrap(), None);
        assert!(form("tomorrow", "+02:00").is_err() && form("2026-11-20T22:38", "2").is_err());
    }
}
