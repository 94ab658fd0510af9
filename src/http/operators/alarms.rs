//! Alarms: those that are open and those of the past.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::http::error::ApiError;
use crate::http::params::{self, Id, Params};
use crate::http::state::AppState;
use crate::model::id::{AgentId, AlarmId, FleetId, ReportId, WindowId};
use crate::model::state::{AlarmKind, AlarmState, Severity};
use crate::model::time::UnixSeconds;
use crate::store::notice::MessageFilter;
use crate::store::row::{AlarmFilter, AlarmRow};

use super::notifications::Notified;

/// Open alarms in one answer. More than this many at once are an outage of everything, which
/// the first ten thousand tell as well.
pub const OPEN_ALARMS: usize = 10_000;

/// Messages about one alarm that are told of at most.
const TOLD: usize = 200;

/// An alarm.
#[derive(Debug, Serialize)]
pub struct AlarmView {
    /// Its number.
    pub id: AlarmId,
    /// What it is about.
    pub kind: AlarmKind,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlarmState,
    /// Its fleet, if it is about one.
    pub fleet_id: Option<FleetId>,
    /// Its agent, if it is about one.
    pub agent_id: Option<AgentId>,
    /// Which thing.
    pub subject: String,
    /// One sentence for a person.
    pub message: String,
    /// When it was raised.
    pub raised_at: Option<UnixSeconds>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<UnixSeconds>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// With what note.
    pub note: Option<String>,
    /// When its condition was over, for kinds that wait for an acknowledgement, and while one
    /// that flaps is held open.
    pub returned_at: Option<UnixSeconds>,
    /// When it was cleared.
    pub cleared_at: Option<UnixSeconds>,
    /// Why it was cleared.
    pub clear_cause: Option<String>,
    /// The report that proves it, where one does.
    pub report_id: Option<ReportId>,
    /// Whether it comes and goes so often that it is held open.
    pub flapping: bool,
    /// The alarm it follows from: while it does, nobody is told of it.
    pub inhibited_by: Option<AlarmId>,
    /// How many open alarms follow directly from it.
    pub children: u32,
    /// When somebody shelved it; `null` if it is not shelved.
    pub shelved_at: Option<UnixSeconds>,
    /// Until when nobody is told of it for that.
    pub shelved_until: Option<UnixSeconds>,
    /// Who shelved it.
    pub shelved_by: Option<String>,
    /// Why.
    pub shelve_reason: Option<String>,
    /// The maintenance window that covers it, or did when it ended.
    pub maintenance: Option<WindowId>,
}

impl From<AlarmRow> for AlarmView {
    fn from(AlarmRow { alarm, agent_id, children }: AlarmRow) -> Self {
        Self {
            id: alarm.id,
            kind: alarm.kind,
            severity: alarm.severity,
            state: alarm.state,
            fleet_id: alarm.fleet,
            agent_id,
            subject: alarm.subject,
            message: alarm.message,
            raised_at: alarm.raised_at,
            acknowledged_at: alarm.acknowledged_at,
            acknowledged_by: alarm.acknowledged_by,
            note: alarm.note,
            returned_at: alarm.returned_at,
            cleared_at: alarm.cleared_at,
            clear_cause: alarm.clear_cause,
            report_id: alarm.report,
            flapping: alarm.flapping_until.is_some(),
            inhibited_by: alarm.inhibited_by,
            children,
            shelved_at: alarm.shelved.as_ref().map(|shelved| shelved.at),
            shelved_until: alarm.shelved.as_ref().map(|shelved| shelved.until),
            shelved_by: alarm.shelved.as_ref().map(|shelved| shelved.by.clone()),
            shelve_reason: alarm.shelved.map(|shelved| shelved.reason),
            maintenance: alarm.maintenance,
        }
    }
}

/// What of the alarms is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// `active`, `acknowledged`, `returned` or `cleared`; without it, all but the cleared.
    pub state: Option<String>,
    /// Only raised (or cleared) at or after this time.
    pub since: Option<i64>,
    /// Only of this agent.
    pub agent_id: Option<AgentId>,
    /// Only before this alarm.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: Option<usize>,
}

impl Wanted {
    /// The one state asked for, if any.
    fn state(&self) -> Result<Option<AlarmState>, ApiError> {
        let Some(word) = &self.state else { return Ok(None) };
        match AlarmState::from_word(word) {
            Some(AlarmState::Pending) | None => Err(ApiError::bad_request(
                "state must be one of: active, acknowledged, returned, cleared.",
            )),
            found => Ok(found),
        }
    }

    fn filter(&self, cleared: bool) -> AlarmFilter {
        // The past is paged; what is open is told whole unless the caller wants less.
        let limit = match self.limit {
            None if !cleared => OPEN_ALARMS,
            asked => params::rows(asked),
        };
        AlarmFilter {
            id: None,
            cleared,
            since: self.since.map(UnixSeconds),
            agent: self.agent_id.clone(),
            before: self.before.map(AlarmId),
            limit,
        }
    }
}

/// `GET /status/alarms`.
pub async fn list(
    State(state): State<AppState>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<AlarmView>>, ApiError> {
    let only = wanted.state()?;
    let filter = wanted.filter(only == Some(AlarmState::Cleared));
    let rows = state.read(move |reader| reader.alarms(&filter)).await?;
    let rows = rows.into_iter().filter(|row| only.is_none_or(|only| row.alarm.state == only));
    Ok(Json(rows.map(AlarmView::from).collect()))
}

/// One alarm, with who was told of it.
#[derive(Debug, Serialize)]
pub struct AlarmDetail {
    /// The alarm.
    #[serde(flatten)]
    pub alarm: AlarmView,
    /// Which channel was told what, oldest first.
    pub notified: Vec<Notified>,
}

/// `GET /api/v1/alarms/{id}`.
pub async fn one(
    State(state): State<AppState>,
    Id(id): Id<i64>,
) -> Result<Json<AlarmDetail>, ApiError> {
    let id = AlarmId(id);
    let told = MessageFilter { alarm: Some(id), limit: TOLD, ..MessageFilter::default() };
    let (row, told) = state
        .read(move |reader| {
            Ok((reader.alarms(&AlarmFilter::one(id))?.pop(), reader.notifications(&told)?))
        })
        .await?;
    let row = row.filter(|row| row.alarm.raised_at.is_some());
    let row = row.ok_or_else(|| ApiError::not_found("alarm"))?;
    Ok(Json(AlarmDetail { alarm: row.into(), notified: Notified::of(id, told) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_words_of_the_contract() {
        let state = |word: &str| Wanted { state: Some(word.into()), ..Wanted::default() }.state();
        assert_eq!(state("cleared").unwrap(), Some(AlarmState::Cleared));
        assert!(state("pending").is_err() && state("open").is_err());
        assert_eq!(Wanted::default().state().unwrap(), None);
    }

    #[test]
    fn the_past_is_paged_and_the_present_is_whole() {
        assert_eq!(Wanted::default().filter(false).limit, OPEN_ALARMS);
        assert_eq!(Wanted::default().filter(true).limit, 100);
    }
}
