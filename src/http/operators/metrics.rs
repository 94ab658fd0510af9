//! Counters and handshakes over time: of one link, or of the interfaces of one agent.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::http::access::Caller;
use crate::http::error::ApiError;
use crate::http::params::Params;
use crate::http::state::AppState;
use crate::http::state::seen::Seen;
use crate::mask::Lens;
use crate::mask::faces::Faces;
use crate::model::id::{AgentId, EdgeId};
use crate::model::key::WgKey;
use crate::model::metric::{Counter, HOUR_S, Rollups, Slot, Subject};
use crate::model::time::UnixSeconds;
use crate::process::rollup::curves::{Curve, CurvesAsked, Resolution};
use crate::store::metrics::Of;
use crate::store::{Reader, StoreError};
use crate::topology::picture::{Edge, End};
use crate::views::table;

use super::export;
use super::past::maybe_time;

/// Seconds of a day: how far back curves go unless another time is asked for.
const DAY_S: i64 = 86_400;

/// Up to this long, one point per report is not too many.
const RAW_S: i64 = 2 * HOUR_S;

/// Reports are read back one by one, so not for longer than this.
const MOST_RAW_S: i64 = 6 * HOUR_S;

/// Up to this long, slots of five minutes are not too many.
const FINE_S: i64 = 2 * DAY_S;

/// Points of one answer at most, over all its series: a year and a month of hours.
const MOST_POINTS: usize = 10_000;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    link: Option<String>,
    agent: Option<String>,
    interface: Option<String>,
    from: Option<String>,
    to: Option<String>,
    step: Option<String>,
}

/// Rates of a counter in one slot, per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// The least between two reports.
    pub min: f64,
    /// The mean.
    pub avg: f64,
    /// The greatest.
    pub max: f64,
}

/// How old the last handshake was when its host looked, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HandshakeAge {
    /// At the last look.
    pub last: u64,
    /// At the look at which it was oldest.
    pub max: u64,
}

/// What is known of one slot, or told by one report. What is not known is `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// When the slot begins, or the report was measured, on the host's clock.
    pub at: UnixSeconds,
    /// Reports measured in it.
    pub samples: u32,
    /// Seconds of it between two reports whose counters can be compared.
    pub covered_seconds: u32,
    /// Bytes received.
    pub rx_bytes_per_second: Option<Rate>,
    /// Bytes sent.
    pub tx_bytes_per_second: Option<Rate>,
    /// Packets received with errors.
    pub rx_errors_per_second: Option<Rate>,
    /// Packets that could not be sent.
    pub tx_errors_per_second: Option<Rate>,
    /// Packets dropped on receipt.
    pub rx_dropped_per_second: Option<Rate>,
    /// Packets dropped before sending.
    pub tx_dropped_per_second: Option<Rate>,
    /// Of a peer.
    pub handshake_age_seconds: Option<HandshakeAge>,
}

impl Point {
    fn new(at: UnixSeconds, slot: Option<Slot>) -> Self {
        let slot = slot.unwrap_or_default();
        let rate = |counter| {
            let ((min, max), avg) = slot.bounds(counter).zip(slot.mean(counter))?;
            Some(Rate { min, avg, max })
        };
        Self {
            at,
            samples: slot.samples,
            covered_seconds: slot.covered_s,
            rx_bytes_per_second: rate(Counter::RxBytes),
            tx_bytes_per_second: rate(Counter::TxBytes),
            rx_errors_per_second: rate(Counter::RxErrors),
            tx_errors_per_second: rate(Counter::TxErrors),
            rx_dropped_per_second: rate(Counter::RxDropped),
            tx_dropped_per_second: rate(Counter::TxDropped),
            handshake_age_seconds: slot
                .age
                .map(|age| HandshakeAge { last: age.last, max: age.max }),
        }
    }

    /// Its rates, in the order of [`Counter::ALL`].
    pub const fn rates(&self) -> [Option<Rate>; 6] {
        [
            self.rx_bytes_per_second,
            self.tx_bytes_per_second,
            self.rx_errors_per_second,
            self.tx_errors_per_second,
            self.rx_dropped_per_second,
            self.tx_dropped_per_second,
        ]
    }
}

/// One interface, or one end of a link, over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// The agent that tells it.
    pub agent_id: AgentId,
    /// The interface.
    pub interface: String,
    /// The peer of the interface; `null`: the interface itself.
    pub public_key: Option<WgKey>,
    /// Its points, in order.
    pub points: Vec<Point>,
}

impl Series {
    fn new(agent: &AgentId, curve: Curve) -> Self {
        let (interface, public_key) = match curve.subject {
            Subject::Interface(interface) => (interface, None),
            Subject::Peer(interface, key) => (interface, Some(key)),
        };
        let points = curve.points.into_iter().map(|(at, slot)| Point::new(at, slot)).collect();
        Self { agent_id: agent.clone(), interface, public_key, points }
    }
}

/// Curves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricsView {
    /// From this time on.
    pub from: UnixSeconds,
    /// To before this one.
    pub to: UnixSeconds,
    /// How far apart points are: `raw`, `5m` or `1h`.
    pub step: &'static str,
    /// The same in seconds; `null`: one point per report.
    pub step_seconds: Option<i64>,
    /// Why this step.
    pub why: String,
    /// The hour from which on points are made of stored reports on demand, since they are not
    /// rolled up yet; `null`: nothing was rolled up so far.
    pub rolled_up_until: Option<UnixSeconds>,
    /// What there is, by agent, interface and peer.
    pub series: Vec<Series>,
}

/// Of what curves are wanted.
#[derive(Debug, Clone)]
pub struct Things {
    /// Whose, and of which of their things.
    pub of: Vec<(AgentId, Of)>,
}

impl Things {
    /// Both ends of a link, as far as agents are there.
    pub fn of_link(edge: &Edge) -> Self {
        let [a, b] = &edge.ends;
        let end = |own: &End, other: &End| {
            let subject = Subject::Peer(own.interface.clone()?, other.public_key?);
            Some((own.agent_id.clone()?, Of::One(subject)))
        };
        Self { of: [end(a, b), end(b, a)].into_iter().flatten().collect() }
    }

    /// Interfaces of an agent: one, or all.
    pub fn of_agent(agent: AgentId, interface: Option<String>) -> Self {
        let of = interface.map_or(Of::Interfaces, |name| Of::One(Subject::Interface(name)));
        Self { of: vec![(agent, of)] }
    }
}

/// Which points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// From this time on.
    pub from: UnixSeconds,
    /// To before this one.
    pub to: UnixSeconds,
    /// How far apart.
    pub resolution: Resolution,
    /// Why.
    pub why: String,
}

impl Window {
    /// A window with the step that suits its length, of what is made at all.
    pub fn fitting((from, to): (UnixSeconds, UnixSeconds), rollups: Rollups) -> Self {
        let long = to.since(from);
        let (resolution, why) = match rollups {
            Rollups::Off if long <= MOST_RAW_S => (Resolution::Raw, "KATTILA_ROLLUPS is off"),
            _ if long <= RAW_S => (Resolution::Raw, "two hours at most are told report by report"),
            Rollups::All | Rollups::Off if long <= FINE_S => {
                (Resolution::FiveMinutes, "two days at most are told in slots of five minutes")
            }
            Rollups::Hourly => (Resolution::Hour, "KATTILA_ROLLUPS is hourly"),
            Rollups::All | Rollups::Off => {
                (Resolution::Hour, "more than two days are told by the hour")
            }
        };
        Self { from, to, resolution, why: why.to_owned() }
    }
}

const fn word(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Raw => "raw",
        Resolution::FiveMinutes => "5m",
        Resolution::Hour => "1h",
    }
}

impl Asked {
    fn things(&self, seen: &Seen) -> Result<Things, ApiError> {
        let part = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        match (part(&self.link), part(&self.agent), part(&self.interface)) {
            (Some(link), None, None) => {
                let id: Option<EdgeId> = link.parse().ok();
                let edge = id.and_then(|id| seen.edge(id.as_str()));
                edge.map(|edge| Things::of_link(&edge)).ok_or_else(|| ApiError::not_found("link"))
            }
            (None, Some(agent), interface) => {
                let id: Option<AgentId> = agent.parse().ok();
                let known = id.filter(|id| seen.agent(id).is_some());
                let id = known.ok_or_else(|| ApiError::not_found("agent"))?;
                Ok(Things::of_agent(id, interface))
            }
            (Some(_), None, Some(_)) => Err(ApiError::bad_request(
                "interface goes with agent; a link has one interface at each end.".to_owned(),
            )),
            (None, None, _) | (Some(_), Some(_), _) => Err(ApiError::bad_request(
                "Say of what: link=ID, or agent=ID, with interface=NAME for one of its interfaces."
                    .to_owned(),
            )),
        }
    }

    fn window(&self, now: UnixSeconds, rollups: Rollups) -> Result<Window, ApiError> {
        let to = maybe_time(self.to.as_deref())?.unwrap_or(now);
        let from = maybe_time(self.from.as_deref())?.unwrap_or_else(|| to.minus(DAY_S));
        if from >= to {
            return Err(ApiError::bad_request("from must be earlier than to.".to_owned()));
        }
        let resolution = match self.step.as_deref().map(str::trim) {
            None | Some("" | "auto") => return Ok(Window::fitting((from, to), rollups)),
            Some("raw") => Resolution::Raw,
            Some("5m") => Resolution::FiveMinutes,
            Some("1h") => Resolution::Hour,
            Some(_) => {
                let steps = "step must be one of: auto, raw, 5m, 1h.".to_owned();
                return Err(ApiError::bad_request(steps));
            }
        };
        if resolution == Resolution::Raw && to.since(from) > MOST_RAW_S {
            let most = "step=raw goes for six hours at most; ask for less, or for step=5m.";
            return Err(ApiError::bad_request(most.to_owned()));
        }
        Ok(Window { from, to, resolution, why: "it was asked for".to_owned() })
    }
}

/// The curves of things in a window.
///
/// # Errors
/// If there would be too many points, or the store cannot be read.
pub async fn curves(
    (state, lens): (&AppState, &Lens),
    things: Things,
    window: Window,
) -> Result<MetricsView, ApiError> {
    let Window { from, to, resolution, why } = window;
    let slots = resolution.step_s().map_or(0, |step_s| to.since(from) / step_s);
    if usize::try_from(slots).unwrap_or(usize::MAX) > MOST_POINTS {
        return Err(too_many());
    }
    let rollup = std::sync::Arc::clone(state.whole().rollup());
    let rolled_up_until = rollup.until();
    // Rows and reports hold real names; what is made of them is masked.
    let (real, faces) = (lens.unmasked(), state.seen(lens).faces());
    let read = state.read(&real, move |reader| {
        let mut series = Vec::new();
        for (named, of) in things.of {
            let Some((agent, of)) = behind(reader, faces.as_deref(), (&named, of))? else {
                continue;
            };
            let asked = CurvesAsked { agent, of, from, to, resolution };
            let curves = rollup.curves(reader, &asked)?.into_iter();
            series.extend(curves.map(|mut curve| {
                if let Some(faces) = &faces {
                    curve.subject = faces.guise().measured(curve.subject);
                }
                Series::new(&named, curve)
            }));
        }
        Ok(series)
    });
    let series = read.await?;
    if series.iter().map(|series| series.points.len()).sum::<usize>() > MOST_POINTS {
        return Err(too_many());
    }
    let (step, step_seconds) = (word(resolution), resolution.step_s());
    Ok(MetricsView { from, to, step, step_seconds, why, rolled_up_until, series })
}

/// Which rows are asked for, behind pseudonyms; `None` if there are none.
fn behind(
    reader: &dyn Reader,
    faces: Option<&Faces>,
    (agent, of): (&AgentId, Of),
) -> Result<Option<(AgentId, Of)>, StoreError> {
    let Some(faces) = faces else { return Ok(Some((agent.clone(), of))) };
    let Some(agent) = faces.agent(agent) else { return Ok(None) };
    let Of::One(subject) = of else { return Ok(Some((agent.clone(), of))) };
    let Some(detail) = reader.agent(agent)? else { return Ok(None) };
    let peers: Vec<_> = detail.peers.into_iter().map(|(peer, _)| peer).collect();
    let subject = faces.measured(&subject, (&detail.interfaces, &peers));
    Ok(subject.map(|subject| (agent.clone(), Of::One(subject))))
}

fn too_many() -> ApiError {
    ApiError::bad_request(format!(
        "That is more than {MOST_POINTS} points; ask for less time, one interface, or step=1h."
    ))
}

async fn found((state, lens): (&AppState, &Lens), asked: &Asked) -> Result<MetricsView, ApiError> {
    let rollups = state.whole().rollup().terms().rollups;
    let window = asked.window(state.clock.now(), rollups)?;
    curves((state, lens), asked.things(&state.seen(lens))?, window).await
}

/// `GET /api/v1/metrics`.
pub async fn view(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Json<MetricsView>, ApiError> {
    found((&state, &caller.lens), &asked).await.map(Json)
}

/// `GET /api/v1/export/metrics.csv`.
pub async fn csv(
    State(state): State<AppState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Response, ApiError> {
    let rates = Counter::ALL.map(|counter| {
        ["min", "avg", "max"].map(|which| format!("{}_{which}", counter.rate_name()))
    });
    let heads = ["agent_id", "interface", "public_key", "at", "samples", "covered_seconds"];
    let heads = heads.map(str::to_owned).into_iter().chain(rates.into_iter().flatten());
    let ages = ["handshake_age_seconds_last", "handshake_age_seconds_max"];
    let heads: Vec<String> = heads.chain(ages.map(str::to_owned)).collect();
    let series = found((&state, &caller.lens), &asked).await?.series;
    let rows =
        series.iter().flat_map(|series| series.points.iter().map(|point| row(series, point)));
    let table = table::plain(&heads, rows).map_err(ApiError::internal)?;
    Ok(export::file("attachment; filename=\"metrics.csv\"", table))
}

fn row(series: &Series, point: &Point) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut cells = vec![
        table::text(series.agent_id.as_str()),
        table::text(&series.interface),
        series.public_key.map(|key| key.to_string()).unwrap_or_default(),
        point.at.to_string(),
        point.samples.to_string(),
        point.covered_seconds.to_string(),
    ];
    for rate in point.rates() {
        let all = [rate.map(|rate| rate.min), rate.map(|rate| rate.avg), rate.map(|r| r.max)];
        cells.extend(all.map(number));
    }
    let age = point.handshake_age_seconds;
    let ages = [age.map(|age| age.last), age.map(|age| age.max)];
    cells.extend(ages.map(|age| age.map(|age| age.to_string()).unwrap_or_default()));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    #[test]
    fn the_step_suits_the_time_and_what_is_made() {
        let step = |hours: i64, rollups| {
            word(Window::fitting((NOW.minus(hours * HOUR_S), NOW), rollups).resolution)
        };
        assert_eq!(
            [1, 2, 24, 48, 49].map(|h| step(h, Rollups::All)),
            ["raw", "raw", "5m", "5m", "1h"]
        );
        assert_eq!([2, 3].map(|h| step(h, Rollups::Hourly)), ["raw", "1h"]);
        assert_eq!([6, 7, 49].map(|h| step(h, Rollups::Off)), ["raw", "5m", "1h"]);
    }

    #[test]
    fn what_cannot_be_asked_for_is_told() {
        let text = |text: &str| Some(text.to_owned());
        for asked in [
            Asked { step: text("10m"), ..Asked::default() },
            Asked { from: text("1800000000"), ..Asked::default() },
            Asked { from: text("yesterday"), ..Asked::default() },
            Asked { step: text("raw"), ..Asked::default() },
        ] {
            assert!(asked.window(NOW, Rollups::All).is_err(), "{asked:?}");
        }
        let asked = Asked { step: text("1h"), from: text("1799990000"), ..Asked::default() };
        let window = asked.window(NOW, Rollups::All).unwrap();
        assert_eq!((window.resolution, window.to), (Resolution::Hour, NOW));
    }
}
