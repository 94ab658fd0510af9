//! Maintenance windows: those that are open, those to come, those that are over; making and
//! ending them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::acts::reason;
use crate::http::access::Caller;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::{Id, Params};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::WindowId;
use crate::model::time::UnixSeconds;
use crate::model::window::{
    DAYS, ONCE_LONGEST_S, Scope, Span, Times, WEEKLY_LONGEST_S, Window, clock_text, day_names,
    offset_text,
};
use crate::process::handle::{Command, Done};
use crate::process::upkeep::Upkeep;

/// Seconds ahead that a window may begin at most: a year.
const AHEAD_S: i64 = 366 * 86_400;

/// Hours that local time differs from UTC at most.
const OFFSET_LONGEST_S: i64 = 14 * 3_600;

/// Longest name or value of a label.
const LABEL_CHARS: usize = 256;

/// A weekly time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weekly {
    /// `mon`, `tue`, ... on which it opens.
    pub days: Vec<String>,
    /// When it opens, such as `22:30`.
    pub start: String,
    /// Seconds it stays open.
    pub lasts_s: i64,
    /// How far local time is ahead of UTC, such as `+02:00`.
    #[serde(default = "utc")]
    pub utc_offset: String,
}

fn utc() -> String {
    "+00:00".to_owned()
}

/// A maintenance window.
#[derive(Debug, Clone, Serialize)]
pub struct WindowView {
    /// Its number.
    pub id: WindowId,
    /// `now`, `coming` or `past`.
    pub state: &'static str,
    /// `agent`, `fleet` or `label`.
    pub scope: &'static str,
    /// The agent's or the fleet's id, or the label as `name=value`.
    pub who: String,
    /// When it is, or was, open: the time that is now, the next one, or the only one.
    pub from: Option<UnixSeconds>,
    /// When that is over.
    pub until: Option<UnixSeconds>,
    /// When it comes back, if it does every week.
    pub weekly: Option<Weekly>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: UnixSeconds,
    /// When somebody ended it.
    pub ended_at: Option<UnixSeconds>,
    /// Who.
    pub ended_by: Option<String>,
}

impl WindowView {
    /// A window as it is at a time.
    pub fn of(window: &Window, now: UnixSeconds) -> Self {
        let next = window.next(now);
        let state = match next {
            Some(span) if span.holds(now) => "now",
            Some(_) => "coming",
            None => "past",
        };
        let span = next.or(match window.times {
            Times::Once(span) => Some(span),
            Times::Weekly { .. } => None,
        });
        let ended = window.ended.as_ref();
        Self {
            id: window.id,
            state,
            scope: window.scope.kind(),
            who: window.scope.text(),
            from: span.map(|span| span.from),
            until: span.map(|span| span.until),
            weekly: weekly(&window.times),
            reason: window.reason.clone(),
            made_by: window.by.clone(),
            made_at: window.made_at,
            ended_at: ended.map(|(at, _)| *at),
            ended_by: ended.map(|(_, by)| by.clone()),
        }
    }
}

fn weekly(times: &Times) -> Option<Weekly> {
    let Times::Weekly { days, start, lasts_s, utc_offset_s } = times else { return None };
    Some(Weekly {
        days: day_names(days).into_iter().map(str::to_owned).collect(),
        start: clock_text(*start),
        lasts_s: *lasts_s,
        utc_offset: offset_text(*utc_offset_s),
    })
}

/// Which windows are asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// `now`, `coming` or `past`; without it, all.
    pub state: Option<String>,
}

/// `GET /api/v1/maintenance`.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<WindowView>>, ApiError> {
    let known = ["now", "coming", "past"];
    if wanted.state.as_deref().is_some_and(|state| !known.contains(&state)) {
        return Err(ApiError::bad_request("state must be one of: now, coming, past."));
    }
    let mut views = all(&state, &caller.lens);
    views.retain(|view| wanted.state.as_deref().is_none_or(|state| view.state == state));
    Ok(Json(views))
}

/// Every window: those that are open, those to come, those that are over, the newest first.
pub fn all(state: &AppState, lens: &Lens) -> Vec<WindowView> {
    let now = state.clock.now();
    let windows = state.seen(lens).windows();
    let mut views: Vec<WindowView> =
        windows.iter().rev().map(|window| WindowView::of(window, now)).collect();
    let place = |view: &WindowView| match view.state {
        "now" => 0,
        "coming" => 1,
        _ => 2,
    };
    views.sort_by_key(place);
    views
}

/// What a new window is to be. One of `agent_id`, `fleet_id` and `label` says of whom; `weekly`,
/// or `until` or `for_s` with or without `from`, says when.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Make {
    /// One agent.
    pub agent_id: Option<String>,
    /// A fleet.
    pub fleet_id: Option<String>,
    /// A label, as `name=value`.
    pub label: Option<String>,
    /// When it begins, in Unix seconds; now if not told.
    pub from: Option<i64>,
    /// When it is over, in Unix seconds.
    pub until: Option<i64>,
    /// Seconds it lasts.
    pub for_s: Option<i64>,
    /// When it comes back.
    pub weekly: Option<Weekly>,
    /// Why, for others to read.
    pub reason: Option<String>,
}

impl Make {
    /// The wish, once everything in it is checked.
    pub fn wish(self, now: UnixSeconds, caller: Caller) -> Result<Upkeep, ApiError> {
        let reason = reason(self.reason.clone())?;
        let Caller { name: by, lens: Lens { reach, .. }, .. } = caller;
        let (scope, times) = (self.scope()?, self.times(now)?);
        Ok(Upkeep::Make { scope, times, reason, by, reach })
    }

    fn scope(&self) -> Result<Scope, ApiError> {
        let said = [("agent", &self.agent_id), ("fleet", &self.fleet_id), ("label", &self.label)];
        let mut said = said.into_iter().filter_map(|(kind, text)| Some((kind, text.as_ref()?)));
        let (Some((kind, text)), None) = (said.next(), said.next()) else {
            return Err(ApiError::bad_request(
                "Say of whom: one of agent_id, fleet_id and label (name=value).",
            ));
        };
        let text = text.trim();
        let scope = Scope::read(kind, text).filter(|_| text.chars().count() <= LABEL_CHARS);
        scope.ok_or_else(|| {
            ApiError::bad_request(format!(
                "This is no {kind}: {}. Agents and fleets are named by their ids, labels as \
                 name=value.",
                text.chars().take(LABEL_CHARS).collect::<String>()
            ))
        })
    }

    fn times(&self, now: UnixSeconds) -> Result<Times, ApiError> {
        let once = self.from.or(self.until).or(self.for_s).is_some();
        match &self.weekly {
            Some(_) if once => Err(ApiError::bad_request(
                "A window is either weekly, or open once (from, until, for_s); not both.",
            )),
            Some(weekly) => weekly.times(),
            None => self.once(now).map(Times::Once),
        }
    }

    fn once(&self, now: UnixSeconds) -> Result<Span, ApiError> {
        let from = self.from.map_or(now, UnixSeconds);
        let until = match (self.until, self.for_s) {
            (Some(until), None) => UnixSeconds(until),
            (None, Some(seconds)) => from.plus(seconds),
            (Some(_), Some(_)) | (None, None) => {
                return Err(ApiError::bad_request(
                    "Say when it is over: either until (Unix seconds) or for_s (seconds).",
                ));
            }
        };
        let wrong = |why: &str| Err(ApiError::bad_request(why));
        if until <= now {
            return wrong("The window is over already: until must be in the future.");
        }
        if from.since(now) > AHEAD_S {
            return wrong("The window must begin within a year.");
        }
        if !(1..=ONCE_LONGEST_S).contains(&until.since(from)) {
            return wrong("The window must end after it begins, and last 90 days at most.");
        }
        Ok(Span { from, until })
    }
}

impl Weekly {
    fn times(&self) -> Result<Times, ApiError> {
        let wrong = |why: String| ApiError::bad_request(why);
        let mut days = [false; 7];
        for word in &self.days {
            let place = DAYS.iter().position(|day| day == word);
            let day = place.and_then(|place| days.get_mut(place));
            let day = day.ok_or_else(|| {
                wrong(format!("weekly.days: each must be one of {}.", DAYS.join(", ")))
            })?;
            *day = true;
        }
        if !days.contains(&true) {
            return Err(wrong("weekly.days must name at least one day.".to_owned()));
        }
        let start = clock(&self.start).filter(|minutes| *minutes < 24 * 60);
        let start = start.ok_or_else(|| wrong("weekly.start must be such as 22:30.".to_owned()))?;
        if !(60..=WEEKLY_LONGEST_S).contains(&self.lasts_s) {
            return Err(wrong("weekly.lasts_s must be 60 to 86400 (a day).".to_owned()));
        }
        let offset = offset(&self.utc_offset).ok_or_else(|| {
            wrong("weekly.utc_offset must be such as +02:00, at most 14:00 off.".to_owned())
        })?;
        Ok(Times::Weekly { days, start, lasts_s: self.lasts_s, utc_offset_s: offset })
    }
}

/// Minutes of `22:30`.
fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = (Some(hours).filter(|t| two(t))?, Some(minutes).filter(|t| two(t))?);
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then_some(hours * 60 + minutes)
}

/// Seconds of `+02:00`.
pub fn offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let seconds = i64::from(clock(rest)?) * 60;
    (seconds <= OFFSET_LONGEST_S).then_some(sign * seconds)
}

/// A window that was made or ended.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Made {
    /// `ok`.
    pub status: &'static str,
    /// Which.
    pub id: WindowId,
    /// How many agents it means as things are.
    pub agents: u64,
}

/// Makes or ends a window.
pub async fn carry_out(state: &AppState, wish: Upkeep) -> Result<Made, ApiError> {
    match state.command(Command::Maintenance(wish)).await? {
        Done::Window { window, agents } => Ok(Made { status: "ok", id: window, agents }),
        Done::Reset { .. }
        | Done::Swept { .. }
        | Done::Queued(_)
        | Done::User { .. }
        | Done::Acted(_)
        | Done::Nothing => Err(ApiError::internal("a window was neither made nor ended")),
    }
}

/// `POST /api/v1/maintenance`.
pub async fn make(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<Make>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let wish = body.wish(state.clock.now(), caller)?;
    Ok((StatusCode::CREATED, Json(carry_out(&state, wish).await?)))
}

/// `DELETE /api/v1/maintenance/{id}`.
pub async fn end(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
) -> Result<Json<Made>, ApiError> {
    let wish = Upkeep::End { window: WindowId(id), by: caller.name, reach: caller.lens.reach };
    Ok(Json(carry_out(&state, wish).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn made(text: &str) -> Result<Upkeep, ApiError> {
        let body: Make = serde_json::from_str(text).unwrap();
        body.wish(NOW, Caller::for_test("kim"))
    }

    #[test]
    fn what_a_window_may_be() {
        for text in [
            r#"{"agent_id":"gw-1","for_s":3600,"reason":"disks"}"#,
            r#"{"fleet_id":"lab","from":1800000100,"until":1800003600,"reason":"disks"}"#,
            r#"{"label":"site=hel","from":1799999000,"until":1800003600,"reason":"disks"}"#,
            r#"{"fleet_id":"lab","reason":"x","weekly":{"days":["sat","sun"],"start":"22:30","lasts_s":86400,"utc_offset":"-03:30"}}"#,
        ] {
            assert!(made(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_it_may_not_be_is_told() {
        for (text, why) in [
            (r#"{"for_s":3600,"reason":"x"}"#, "of whom"),
            (r#"{"agent_id":"a","fleet_id":"b","for_s":3600,"reason":"x"}"#, "of whom"),
            (r#"{"agent_id":"a b","for_s":3600,"reason":"x"}"#, "no agent"),
            (r#"{"label":"site","for_s":3600,"reason":"x"}"#, "no label"),
            (r#"{"agent_id":"a","for_s":3600}"#, "reason"),
            (r#"{"agent_id":"a","reason":"x"}"#, "when it is over"),
            (r#"{"agent_id":"a","for_s":1,"until":1800003600,"reason":"x"}"#, "when it is over"),
            (r#"{"agent_id":"a","until":1800000000,"reason":"x"}"#, "over already"),
            (r#"{"agent_id":"a","for_s":-5,"reason":"x"}"#, "over already"),
            (r#"{"agent_id":"a","for_s":7776001,"reason":"x"}"#, "90 days"),
            (r#"{"agent_id":"a","from":1900000000,"for_s":60,"reason":"x"}"#, "within a year"),
            (r#"{"agent_id":"a","from":9223372036854775807,"for_s":60,"reason":"x"}"#, "a year"),
            (
                r#"{"agent_id":"a","for_s":60,"reason":"x","weekly":{"days":["sat"],"start":"22:30","lasts_s":60}}"#,
                "not both",
            ),
            (
                r#"{"agent_id":"a","reason":"x","weekly":{"days":["xxx"],"start":"22:30","lasts_s":60}}"#,
                "weekly.days",
            ),
            (
                r#"{"agent_id":"a","reason":"x","weekly":{"days":[],"start":"22:30","lasts_s":60}}"#,
                "one day",
            ),
            (
                r#"{"agent_id":"a","reason":"x","weekly":{"days":["sat"],"start":"24:00","lasts_s":60}}"#,
                "weekly.start",
            ),
            (
                r#"{"agent_id":"a","reason":"x","weekly":{"days":["sat"],"start":"+1:00","lasts_s":60}}"#,
                "weekly.start",
            ),
            (
                r#"{"agent_id":"a","reason":"x","weekly":{"days":["sat"],"start":"22:30","lasts_s":59}}"#,
                "lasts_s",
            ),
            (
                r#"{"agent_id":"a","reason":"x","weekly":{"days":["sat"],"start":"22:30","lasts_s":60,"utc_offset":"+15:00"}}"#,
                "utc_offset",
            ),
        ] {
            let error = made(text).unwrap_err();
            assert!(error.detail().contains(why), "{text}: {}", error.detail());
        }
    }

    #[test]
    fn a_weekly_time_is_told_as_it_was_said() {
        let said = Weekly {
            days: vec!["mon".into(), "sun".into()],
            start: "06:05".into(),
            lasts_s: 600,
            utc_offset: "-03:30".into(),
        };
        assert_eq!(weekly(&said.times().unwrap()), Some(said));
    }
}
