//! Alarms: those that are open and those of the past.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::{self, Id, Params};
use crate::http::present;
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::model::id::{AgentId, AlarmId, FleetId, ReportId, WindowId};
use crate::model::state::{AlarmKind, AlarmState, Severity};
use crate::model::time::UnixSeconds;
use crate::store::notice::MessageFilter;
use crate::store::row::{AlarmFilter, AlarmRow};
use crate::views::table;

use super::export;
use super::narrowed::Narrowed;
use super::notifications::Notified;
use super::past::maybe_time;

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
    /// When those were heard last whose reports tell of it, if all of them are silent now: the
    /// alarm is what they said then.
    pub stale_since: Option<UnixSeconds>,
}

impl AlarmView {
    /// A row, and what the board knows of who tells of it.
    pub fn new(board: &Seen, row: AlarmRow) -> Self {
        let stale_since = present::unheard_since(board, &row);
        let AlarmRow { alarm, agent_id, children } = row;
        Self {
            stale_since,
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

/// What of the alarms is asked for. Empty members ask for nothing.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    /// `active`, `acknowledged`, `returned` or `cleared`; `shelved` or `maintenance` for those
    /// that are set aside; `all`. Without it, all but the cleared.
    pub state: Option<String>,
    /// Only raised (or cleared) at or after this time.
    pub since: Option<i64>,
    /// Only of this agent.
    pub agent_id: Option<String>,
    /// Only of this fleet.
    pub fleet_id: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only as bad as this, or worse.
    pub severity: Option<String>,
    /// Only about what this query finds, or with its texts in their sentence or their subject.
    pub q: Option<String>,
    /// Only raised at or after this time.
    pub from: Option<String>,
    /// Only raised before this time.
    pub to: Option<String>,
    /// Only before this alarm.
    pub before: Option<i64>,
    /// At most this many.
    pub limit: Option<usize>,
}

/// Which of the alarms that were read are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    /// Whatever was read.
    All,
    /// Those in a state.
    State(AlarmState),
    /// Those on the shelf.
    Shelved,
    /// Those in maintenance.
    Maintenance,
}

impl Only {
    fn holds(self, row: &AlarmRow) -> bool {
        match self {
            Self::All => true,
            Self::State(state) => row.alarm.state == state,
            Self::Shelved => row.alarm.shelved.is_some(),
            Self::Maintenance => row.alarm.maintenance.is_some(),
        }
    }
}

/// A part of the query as a value; `None` if it is empty.
fn part<T>(
    text: Option<&String>,
    read: impl Fn(&str) -> Option<T>,
    wrong: &str,
) -> Result<Option<T>, ApiError> {
    let text = text.map(|text| text.trim()).filter(|text| !text.is_empty());
    text.map(|text| read(text).ok_or_else(|| ApiError::bad_request(wrong))).transpose()
}

impl Wanted {
    fn only(&self) -> Result<Only, ApiError> {
        let word = self.state.as_deref().filter(|word| !word.is_empty());
        match word {
            None | Some("all") => Ok(Only::All),
            Some("shelved") => Ok(Only::Shelved),
            Some("maintenance") => Ok(Only::Maintenance),
            Some(word) => match AlarmState::from_word(word) {
                Some(AlarmState::Pending) | None => Err(ApiError::bad_request(
                    "state must be one of: active, acknowledged, returned, cleared, shelved, \
                     maintenance, all.",
                )),
                Some(state) => Ok(Only::State(state)),
            },
        }
    }

    /// Which rows are read: the cleared ones, or those that are open.
    pub fn filter(&self, cleared: bool) -> Result<AlarmFilter, ApiError> {
        const AGENT: &str = "An agent id has letters, digits, dots, dashes and colons.";
        // The past is paged; what is open is told whole unless the caller wants less.
        let limit = match self.limit {
            None if !cleared => OPEN_ALARMS,
            asked => params::rows(asked),
        };
        let severities = "severity must be one of: info, warning, minor, major, critical.";
        let kinds = "kind must be a kind of docs/alarms.md, such as edge.down.";
        Ok(AlarmFilter {
            cleared,
            since: self.since.map(UnixSeconds),
            agent: part(self.agent_id.as_ref(), |text| text.parse().ok(), AGENT)?,
            before: self.before.map(AlarmId),
            kind: part(self.kind.as_ref(), AlarmKind::from_word, kinds)?,
            severity: part(self.severity.as_ref(), Severity::from_word, severities)?,
            fleet: part(self.fleet_id.as_ref(), |text| text.parse().ok(), "fleet_id is no fleet.")?,
            raised_from: maybe_time(self.from.as_deref())?,
            raised_to: maybe_time(self.to.as_deref())?,
            limit,
            ..AlarmFilter::default()
        })
    }
}

/// The alarms asked for; `whole` reads as many as an export holds.
async fn found(
    (state, caller): (&AppState, &Caller),
    wanted: &Wanted,
    whole: bool,
) -> Result<Vec<AlarmRow>, ApiError> {
    let only = wanted.only()?;
    let all = wanted.state.as_deref() == Some("all");
    let cleared = all || only == Only::State(AlarmState::Cleared);
    let asked = wanted.q.as_deref().unwrap_or_default();
    let narrowed = Narrowed::of_alarms((state, &caller.lens), asked).await?.or_refused()?;
    let Narrowed { things, told, .. } = narrowed;
    let mut filter = AlarmFilter { either: all, things, told, ..wanted.filter(cleared)? };
    if whole {
        filter.limit = wanted.limit.unwrap_or(OPEN_ALARMS).clamp(1, OPEN_ALARMS);
    }
    let mut rows = state.read(&caller.lens, move |reader| reader.alarms(&filter)).await?;
    rows.retain(|row| only.holds(row));
    Ok(rows)
}

/// `GET /status/alarms` and `GET /api/v1/alarms`.
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<AlarmView>>, ApiError> {
    let rows = found((&state, &caller), &wanted, false).await?;
    let board = &state.seen(&caller.lens);
    Ok(Json(rows.into_iter().map(|row| AlarmView::new(board, row)).collect()))
}

/// `GET /api/v1/export/alarms.csv`.
pub async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let rows = found((&state, &caller), &wanted, true).await?;
    let table = table::alarms(&rows).map_err(ApiError::internal)?;
    Ok(export::file("attachment; filename=\"alarms.csv\"", table))
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
    caller: Caller,
    Id(id): Id<i64>,
) -> Result<Json<AlarmDetail>, ApiError> {
    let id = AlarmId(id);
    let told = MessageFilter { alarm: Some(id), limit: TOLD, ..MessageFilter::default() };
    let (row, told) = state
        .read(&caller.lens, move |reader| {
            Ok((reader.alarms(&AlarmFilter::one(id))?.pop(), reader.notifications(&told)?))
        })
        .await?;
    let row = row.filter(|row| row.alarm.raised_at.is_some());
    let row = row.ok_or_else(|| ApiError::not_found("alarm"))?;
    let alarm = AlarmView::new(&state.seen(&caller.lens), row);
    Ok(Json(AlarmDetail { alarm, notified: Notified::of(id, told) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_words_of_the_contract() {
        let only = |word: &str| Wanted { state: Some(word.into()), ..Wanted::default() }.only();
        assert_eq!(only("cleared").unwrap(), Only::State(AlarmState::Cleared));
        assert_eq!(only("shelved").unwrap(), Only::Shelved);
        assert!(only("pending").is_err() && only("open").is_err());
        assert_eq!(Wanted::default().only().unwrap(), Only::All);
    }

    #[test]
    fn the_past_is_paged_and_the_present_is_whole() {
        let limit = |cleared| Wanted::default().filter(cleared).unwrap().limit;
        assert_eq!((limit(false), limit(true)), (OPEN_ALARMS, 100));
    }

    #[test]
    fn what_cannot_be_asked_for_is_told() {
        let text = |text: &str| Some(text.to_owned());
        for wanted in [
            Wanted { kind: text("edge.gone"), ..Wanted::default() },
            Wanted { severity: text("bad"), ..Wanted::default() },
            Wanted { fleet_id: text("A B"), ..Wanted::default() },
            Wanted { agent_id: text("a b"), ..Wanted::default() },
            Wanted { from: text("yesterday"), ..Wanted::default() },
        ] {
            assert!(wanted.filter(true).is_err(), "{wanted:?}");
        }
        let empty = Wanted { kind: text(""), severity: text(" "), ..Wanted::default() };
        let filter = empty.filter(true).unwrap();
        assert!(filter.kind.is_none() && filter.severity.is_none());
    }
}
