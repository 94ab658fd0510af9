//! What people do about alarms: acknowledge, shelve, take back, clear; one, or many at once.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::params::Id;
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::AlarmId;
use crate::model::shelf::SHELF_LONGEST_S;
use crate::model::time::UnixSeconds;
use crate::process::acts::{Act, Acts, Outcome};
use crate::process::handle::{Command, Done};

use super::{Acknowledged, OK};

/// Longest note or reason, in characters.
const WORDS_CHARS: usize = 500;

/// Alarms that one request names at most.
pub const MOST_NAMED: usize = 500;

/// What people write, without blanks around it; `None` if that is nothing.
pub fn words(text: Option<String>, what: &str) -> Result<Option<String>, ApiError> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > WORDS_CHARS) {
        return Err(ApiError::bad_request(format!(
            "A {what} may have at most {WORDS_CHARS} characters."
        )));
    }
    Ok(text)
}

/// A reason, which must be there.
pub fn reason(text: Option<String>) -> Result<String, ApiError> {
    let missing = || ApiError::bad_request("Say why, for others to read: reason is missing.");
    words(text, "reason")?.ok_or_else(missing)
}

/// The body of an acknowledgement.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Why, for others to read.
    #[serde(default)]
    pub note: Option<String>,
}

impl Note {
    /// What is done.
    pub fn act(self) -> Result<Act, ApiError> {
        Ok(Act::Acknowledge { note: words(self.note, "note")? })
    }
}

/// The body that shelves an alarm. One of `until` and `for_s` must be there.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    /// When it counts again, in Unix seconds.
    #[serde(default)]
    pub until: Option<i64>,
    /// After how many seconds it counts again.
    #[serde(default)]
    pub for_s: Option<i64>,
    /// Why, for others to read.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Shelf {
    /// What is done.
    pub fn act(self, now: UnixSeconds) -> Result<Act, ApiError> {
        let until = match (self.until, self.for_s) {
            (Some(until), None) => UnixSeconds(until),
            (None, Some(seconds)) => now.plus(seconds),
            (Some(_), Some(_)) | (None, None) => {
                return Err(ApiError::bad_request(
                    "Say until when: either until (Unix seconds) or for_s (seconds).",
                ));
            }
        };
        let for_s = until.since(now);
        if !(1..=SHELF_LONGEST_S).contains(&for_s) {
            return Err(ApiError::bad_request(format!(
                "An alarm can be shelved for 1 to {SHELF_LONGEST_S} seconds (30 days); this is {for_s}."
            )));
        }
        Ok(Act::Shelve { until, reason: reason(self.reason)? })
    }
}

/// An empty body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// What came of an act for one alarm.
#[derive(Debug, Clone, Serialize)]
pub struct ActedOn {
    /// The alarm.
    pub id: AlarmId,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an act for many.
#[derive(Debug, Serialize)]
pub struct Acted {
    /// `ok`: everything was looked at; the outcomes tell the rest.
    pub status: &'static str,
    /// For how many it was done.
    pub done: usize,
    /// Each alarm's, by number.
    pub results: Vec<ActedOn>,
}

/// Does something about alarms and, whole, about incidents.
pub async fn carry_out(state: &AppState, acts: Acts) -> Result<Acted, ApiError> {
    if acts.alarms.len() + acts.incidents.len() > MOST_NAMED {
        return Err(ApiError::bad_request(format!(
            "At most {MOST_NAMED} alarms can be named at once; send several requests."
        )));
    }
    let Done::Acted(outcomes) = state.command(Command::Alarms(acts)).await? else {
        return Err(ApiError::internal("alarms were not acted on"));
    };
    let done = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done).count();
    let results = outcomes.into_iter().map(|(id, outcome)| ActedOn { id, outcome }).collect();
    Ok(Acted { status: "ok", done, results })
}

/// Does something about one alarm, which must be open.
pub async fn on_one(state: &AppState, id: i64, act: Act, caller: Caller) -> Result<(), ApiError> {
    let Caller { name: by, lens: Lens { reach, .. }, .. } = caller;
    let acts = Acts { alarms: vec![AlarmId(id)], incidents: Vec::new(), act, by, reach };
    let acted = carry_out(state, acts).await?;
    let is_open = acted.results.iter().all(|acted| acted.outcome != Outcome::NotOpen);
    if is_open { Ok(()) } else { Err(ApiError::not_found("open alarm")) }
}

/// `POST /api/v1/alarms/{id}/ack`.
pub async fn acknowledge(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    JsonBody(note): JsonBody<Note>,
) -> Result<Json<Acknowledged>, ApiError> {
    on_one(&state, id, note.act()?, caller).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/alarms/{id}/shelve`.
pub async fn shelve(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    JsonBody(shelf): JsonBody<Shelf>,
) -> Result<Json<Acknowledged>, ApiError> {
    let act = shelf.act(state.clock.now())?;
    on_one(&state, id, act, caller).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/alarms/{id}/unshelve`.
pub async fn unshelve(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<Acknowledged>, ApiError> {
    on_one(&state, id, Act::Unshelve, caller).await?;
    Ok(Json(OK))
}

/// `POST /api/v1/alarms/{id}/clear`.
pub async fn clear(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id<i64>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<Acknowledged>, ApiError> {
    on_one(&state, id, Act::Clear, caller).await?;
    Ok(Json(OK))
}

/// The body of an act on many alarms.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Many {
    /// Alarms.
    #[serde(default)]
    pub ids: Vec<i64>,
    /// Causes, each meant with everything that follows from it.
    #[serde(default)]
    pub incidents: Vec<i64>,
    /// Of an acknowledgement: why.
    #[serde(default)]
    pub note: Option<String>,
    /// Of shelving: when they count again, in Unix seconds.
    #[serde(default)]
    pub until: Option<i64>,
    /// Of shelving: after how many seconds they count again.
    #[serde(default)]
    pub for_s: Option<i64>,
    /// Of shelving: why.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Many {
    /// The wish to do this about them.
    pub fn acts(&self, act: Act, caller: Caller) -> Result<Acts, ApiError> {
        if self.ids.is_empty() && self.incidents.is_empty() {
            return Err(ApiError::bad_request("Name at least one alarm in ids or incidents."));
        }
        let Caller { name: by, lens: Lens { reach, .. }, .. } = caller;
        let numbers = |ids: &[i64]| ids.iter().copied().map(AlarmId).collect();
        let (alarms, incidents) = (numbers(&self.ids), numbers(&self.incidents));
        Ok(Acts { alarms, incidents, act, by, reach })
    }
}

/// `POST /api/v1/alarms/acknowledge`.
pub async fn acknowledge_many(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<Many>,
) -> Result<Json<Acted>, ApiError> {
    let act = Note { note: body.note.clone() }.act()?;
    Ok(Json(carry_out(&state, body.acts(act, caller)?).await?))
}

/// `POST /api/v1/alarms/shelve`.
pub async fn shelve_many(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<Many>,
) -> Result<Json<Acted>, ApiError> {
    let shelf = Shelf { until: body.until, for_s: body.for_s, reason: body.reason.clone() };
    let act = shelf.act(state.clock.now())?;
    Ok(Json(carry_out(&state, body.acts(act, caller)?).await?))
}

/// `POST /api/v1/alarms/unshelve`.
pub async fn unshelve_many(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<Many>,
) -> Result<Json<Acted>, ApiError> {
    Ok(Json(carry_out(&state, body.acts(Act::Unshelve, caller)?).await?))
}

/// `POST /api/v1/alarms/clear`.
pub async fn clear_many(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<Many>,
) -> Result<Json<Acted>, ApiError> {
    Ok(Json(carry_out(&state, body.acts(Act::Clear, caller)?).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn notes_are_short_or_absent() {
        let note = |text: &str| words(Some(text.into()), "note");
        assert_eq!(note("  ").unwrap(), None);
        assert_eq!(note(" seen ").unwrap().as_deref(), Some("seen"));
        assert!(note(&"ä".repeat(500)).is_ok());
        assert!(note(&"ä".repeat(501)).is_err());
    }

    #[test]
    fn a_shelf_has_one_end_and_a_reason() {
        let act = |until: Option<i64>, for_s: Option<i64>, reason: &str| {
            Shelf { until, for_s, reason: Some(reason.into()) }.act(NOW)
        };
        let until = |seconds: i64| Some(NOW.0 + seconds);
        for (end, seconds) in
            [((until(60), None), 60), ((None, Some(SHELF_LONGEST_S)), SHELF_LONGEST_S)]
        {
            let expected = Act::Shelve { until: NOW.plus(seconds), reason: "why".into() };
            assert_eq!(act(end.0, end.1, " why ").unwrap(), expected);
        }
        for (end, reason) in [
            ((None, None), "why"),
            ((until(60), Some(60)), "why"),
            ((None, Some(0)), "why"),
            ((until(-1), None), "why"),
            ((None, Some(SHELF_LONGEST_S + 1)), "why"),
            ((Some(i64::MAX), None), "why"),
            ((None, Some(i64::MAX)), "why"),
            ((None, Some(60)), "  "),
        ] {
            assert!(act(end.0, end.1, reason).is_err(), "{end:?} {reason}");
        }
    }
}
