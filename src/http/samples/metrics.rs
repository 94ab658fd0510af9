//! The sample of counters over time.

use super::things::agent_id;
use super::{JSON, NOW, Parameter, Sample, export, text, value};
use crate::http::operators::metrics::{HandshakeAge, MetricsView, Point, Rate, Series};

const QUERY: &[Parameter] = &[
    text("link", "Both ends of the link with this id: traffic and the age of handshakes"),
    text("agent", "Instead of link: the interfaces of the agent with this id"),
    text("interface", "With agent: only this interface"),
    text("from", "Where to begin (Unix seconds or RFC 3339); a day before the end if not told"),
    text("to", "Where to end; now if not told"),
    text("step", "raw, 5m, 1h, or auto: as fine as suits the time between from and to"),
];

/// What is told of a route, if it is about counters over time.
pub(super) fn of(path: &str) -> Option<Sample> {
    match path {
        "/api/v1/metrics" => Some(Sample {
            summary: "Traffic, errors and the age of handshakes over time",
            query: QUERY,
            body: None,
            status: "200",
            kind: JSON,
            answer: value(&view()),
        }),
        "/api/v1/export/metrics.csv" => Some(export(QUERY)),
        _ => None,
    }
}

fn view() -> MetricsView {
    let rate = Some(Rate { min: 1_200.0, avg: 1_510.5, max: 2_044.0 });
    let point = Point {
        at: NOW.minus(600),
        samples: 10,
        covered_seconds: 300,
        rx_bytes_per_second: rate,
        tx_bytes_per_second: rate,
        rx_errors_per_second: rate,
        tx_errors_per_second: rate,
        rx_dropped_per_second: rate,
        tx_dropped_per_second: rate,
        handshake_age_seconds: Some(HandshakeAge { last: 42, max: 117 }),
    };
    let series = agent_id().into_iter().map(|agent_id| Series {
        agent_id,
        interface: "wg0".into(),
        public_key: "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=".parse().ok(),
        points: vec![point.clone()],
    });
    MetricsView {
        from: NOW.minus(86_400),
        to: NOW,
        step: "5m",
        step_seconds: Some(300),
        why: "two days at most are told in slots of five minutes".into(),
        rolled_up_until: Some(NOW.minus(5_000)),
        series: series.collect(),
    }
}
