//! The curves on the pages of links and agents: which times are offered, and what is drawn of
//! what there is.

use crate::http::error::ApiError;
use crate::http::operators::metrics::{MetricsView, Point, Rate, Series, Things, Window, curves};
use crate::http::state::AppState;
use crate::mask::Lens;
use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;
use crate::topology::picture::Edge;
use crate::views::curves::{Chart, Curves, Html, Line, Range, Unit};
use crate::views::text::encode;

/// The lengths of time that can be chosen: name, words, seconds.
const RANGES: [(&str, &str, i64); 4] = [
    ("1h", "1 hour", 3_600),
    ("24h", "24 hours", 86_400),
    ("7d", "7 days", 7 * 86_400),
    ("30d", "30 days", 30 * 86_400),
];

/// The one that is shown if none is chosen.
const USUAL: &str = "1h";

/// Interfaces of an agent that are drawn: those with the most traffic.
const DRAWN: usize = 8;

/// The time that curves on a page show.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The page, without its query.
    pub path: String,
    /// The second in the past that the page shows.
    pub at: Option<UnixSeconds>,
    /// The length of time that was chosen.
    pub range: Option<String>,
}

impl Shown {
    fn chosen(&self) -> (&'static str, i64) {
        let named = |name: &str| RANGES.into_iter().find(|(other, ..)| *other == name);
        let chosen = self.range.as_deref().and_then(named).or_else(|| named(USUAL));
        chosen.map_or((USUAL, 3_600), |(name, _, seconds)| (name, seconds))
    }

    fn window(&self, state: &AppState) -> Window {
        let to = self.at.unwrap_or_else(|| state.clock.now());
        let from = to.minus(self.chosen().1);
        Window::fitting((from, to), state.whole().rollup().terms().rollups)
    }

    fn ranges(&self) -> Vec<Range> {
        let at = self.at.map(|at| format!("&at={at}")).unwrap_or_default();
        let current = self.chosen().0;
        let range = |(name, words, _): (&'static str, &'static str, i64)| Range {
            words,
            href: format!("{}?range={name}{at}", self.path),
            current: name == current,
        };
        RANGES.into_iter().map(range).collect()
    }

    /// The section around what there is to draw.
    fn section(
        &self,
        of: &str,
        view: &MetricsView,
        (charts, left_out): (Vec<Chart>, usize),
    ) -> Curves {
        let (from, to) = (view.from, view.to);
        let points = match view.step {
            "raw" => "one point per report",
            "5m" => "one point per five minutes",
            _ => "one point per hour",
        };
        Curves {
            from,
            to,
            ranges: self.ranges(),
            charts,
            csv_href: format!("/api/v1/export/metrics.csv?{of}&from={from}&to={to}"),
            left_out,
            how: points.to_owned(),
        }
    }
}

/// The curves of a link: how old handshakes are at both ends, and what goes each way by what both
/// say of it.
pub(super) async fn of_link(
    (state, lens): (&AppState, &Lens),
    edge: &Edge,
    labels: [&str; 2],
    shown: &Shown,
) -> Result<Html, ApiError> {
    let view = curves((state, lens), Things::of_link(edge), shown.window(state)).await?;
    let [a, b] = edge.ends.each_ref().map(|end| {
        let agent = end.agent_id.as_ref();
        view.series.iter().find(|series| Some(&series.agent_id) == agent)
    });
    let [from, to] = labels;
    let age = |point: &Point| {
        let age = point.handshake_age_seconds?.max;
        Some(f64::from(u32::try_from(age).unwrap_or(u32::MAX)))
    };
    let sent = |point: &Point| mean(point.tx_bytes_per_second);
    let received = |point: &Point| mean(point.rx_bytes_per_second);
    let way = |one: (&str, Option<&Series>), other: (&str, Option<&Series>)| Chart {
        title: format!("From {} to {}", one.0, other.0),
        unit: Unit::BytesPerSecond,
        lines: vec![
            line(format!("sent, says {}", one.0), one.1, sent),
            line(format!("received, says {}", other.0), other.1, received),
        ],
    };
    let ages = Chart {
        title: "Age of the last handshake".to_owned(),
        unit: Unit::Seconds,
        lines: vec![line(format!("at {from}"), a, age), line(format!("at {to}"), b, age)],
    };
    let charts = vec![ages, way((from, a), (to, b)), way((to, b), (from, a))];
    let of = format!("link={}", encode(&edge.id));
    shown.section(&of, &view, (charts, 0)).render().map_err(ApiError::internal)
}

/// The curves of an agent: what goes over its interfaces, and what goes wrong there.
pub(super) async fn of_agent(
    (state, lens): (&AppState, &Lens),
    agent: &AgentId,
    shown: &Shown,
) -> Result<Html, ApiError> {
    let view =
        curves((state, lens), Things::of_agent(agent.clone(), None), shown.window(state)).await?;
    let told = |series: &&Series| {
        series.points.iter().any(|point| point.rates().iter().any(Option::is_some))
    };
    let mut series: Vec<&Series> = view.series.iter().filter(told).collect();
    series.sort_by(|a, b| traffic(b).total_cmp(&traffic(a)));
    let left_out = series.len().saturating_sub(DRAWN);
    let charts = series.into_iter().take(DRAWN).flat_map(of_interface).collect();
    let of = format!("agent={}", encode(agent.as_str()));
    shown.section(&of, &view, (charts, left_out)).render().map_err(ApiError::internal)
}

fn of_interface(series: &Series) -> Vec<Chart> {
    let name = &series.interface;
    let one = Some(series);
    let mut charts = vec![Chart {
        title: format!("{name}: traffic"),
        unit: Unit::BytesPerSecond,
        lines: vec![
            line("received".to_owned(), one, |point| mean(point.rx_bytes_per_second)),
            line("sent".to_owned(), one, |point| mean(point.tx_bytes_per_second)),
        ],
    }];
    let trouble = Chart {
        title: format!("{name}: packets with errors, and dropped"),
        unit: Unit::PacketsPerSecond,
        lines: vec![
            line("errors".to_owned(), one, |point| {
                both(point.rx_errors_per_second, point.tx_errors_per_second)
            }),
            line("dropped".to_owned(), one, |point| {
                both(point.rx_dropped_per_second, point.tx_dropped_per_second)
            }),
        ],
    };
    let points = trouble.lines.iter().flat_map(|line| &line.points);
    if points.into_iter().any(|(_, value)| value.is_some_and(|value| value > 0.0)) {
        charts.push(trouble);
    }
    charts
}

fn line(name: String, series: Option<&Series>, of: impl Fn(&Point) -> Option<f64>) -> Line {
    let points = series.into_iter().flat_map(|series| &series.points);
    Line { name, points: points.map(|point| (point.at, of(point))).collect() }
}

fn mean(rate: Option<Rate>) -> Option<f64> {
    rate.map(|rate| rate.avg)
}

/// What both directions come to, as far as they are told.
fn both(one: Option<Rate>, other: Option<Rate>) -> Option<f64> {
    match (mean(one), mean(other)) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// How much went over an interface.
fn traffic(series: &Series) -> f64 {
    let rate = |point: &Point| both(point.rx_bytes_per_second, point.tx_bytes_per_second);
    series.points.iter().filter_map(rate).sum()
}
