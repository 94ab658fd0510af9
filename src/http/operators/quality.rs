//! How good the alarms of a time were.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::past::maybe_time;
use crate::alarms::quality::{Frequent, Tally, measure};
use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::reach::Reach;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;
use crate::views::quality::{Shown, TallyItem, Thing};

/// Seconds that are measured if nothing else is asked for: thirty days.
const USUAL_S: i64 = 30 * 86_400;

/// Alarms that are counted at most.
const MOST: usize = 100_000;

/// Which time is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// From when on; thirty days before the end if not told.
    pub from: Option<String>,
    /// Up to when; now if not told.
    pub to: Option<String>,
}

/// What is told, for a page.
fn item(tally: &Tally) -> TallyItem {
    TallyItem {
        raised: tally.raised,
        open: tally.open,
        open_median_s: tally.open_median_s,
        open_p90_s: tally.open_p90_s,
        standing: tally.standing,
        acknowledged: tally.acknowledged,
        ack_median_s: tally.ack_median_s,
        flapped: tally.flapped,
        unattended: tally.unattended,
        without_action: tally.without_action,
        followers: tally.followers,
    }
}

/// One kind.
#[derive(Debug, Clone, Serialize)]
pub struct KindView {
    /// Which.
    pub kind: AlarmKind,
    /// How good its alarms were.
    #[serde(flatten)]
    pub tally: Tally,
}

/// How good the alarms of a time were.
#[derive(Debug, Clone, Serialize)]
pub struct QualityView {
    /// From when on alarms are counted.
    pub from: UnixSeconds,
    /// Up to when.
    pub to: UnixSeconds,
    /// Alarms per day that followed from no other one.
    pub per_day: f64,
    /// All kinds together.
    pub all: Tally,
    /// Each kind that was raised, the most frequent first.
    pub kinds: Vec<KindView>,
    /// The things with the most alarms.
    pub subjects: Vec<Frequent>,
    /// Whether all alarms of the time are counted, or only the last 100,000.
    pub complete: bool,
    #[serde(skip)]
    hundredths: i64,
}

impl QualityView {
    /// The same for a page.
    pub fn shown(&self, name: impl Fn(&str) -> Thing) -> Shown {
        Shown {
            from: self.from,
            to: self.to,
            all: item(&self.all),
            kinds: self.kinds.iter().map(|k| (k.kind.as_str(), item(&k.tally))).collect(),
            subjects: self
                .subjects
                .iter()
                .map(|thing| (thing.kind.as_str(), name(&thing.subject), thing.raised))
                .collect(),
            per_day_hundredths: self.hundredths,
            cut: !self.complete,
        }
    }

    /// Measures what is asked for.
    pub fn new(
        lives: &[crate::model::life::AlarmLife],
        (from, to): (UnixSeconds, UnixSeconds),
        now: UnixSeconds,
    ) -> Self {
        let quality = measure(lives, (from, to), now);
        let kinds = quality.kinds.into_iter();
        let hundredths = quality.per_day_hundredths;
        Self {
            from,
            to,
            per_day: f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0,
            all: quality.all,
            kinds: kinds.map(|(kind, tally)| KindView { kind, tally }).collect(),
            subjects: quality.subjects,
            complete: lives.len() < MOST,
            hundredths,
        }
    }
}

/// Reads and measures.
pub async fn measured(
    (state, lens): (&AppState, &Lens),
    asked: &Asked,
) -> Result<QualityView, ApiError> {
    let now = state.clock.now();
    let to = maybe_time(asked.to.as_deref())?.unwrap_or(now);
    let from = maybe_time(asked.from.as_deref())?.unwrap_or_else(|| to.minus(USUAL_S));
    if from >= to {
        return Err(ApiError::bad_request("from must be before to."));
    }
    let lives =
        state.read(lens, move |store| store.alarm_lives((from, to), &Reach::Whole, MOST)).await?;
    Ok(QualityView::new(&lives, (from, to), now))
}

/// `GET /api/v1/alarms/quality`.
pub async fn view(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Json<QualityView>, ApiError> {
    measured((&state, &caller.lens), &asked).await.map(Json)
}
