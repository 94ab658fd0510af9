//! Counters of the door and measures of the manager, in the Prometheus text format, on a door
//! of their own.
//!
//! `measured` is what is read when somebody asks, `keys` how the agents' keys stand, `spread` shows what
//! others measured. One registry per manager, none global, so that tests may run many managers in one process.

mod keys;
mod measured;
mod spread;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::mask::Lens;
use crate::model::state::Scheme;
use crate::wire::codes::ErrorCode;

use self::measured::Measured;
use super::error::ApiError;
use super::state::AppState;

/// Upper bounds in seconds: from an unchanged report at an idle manager to the handler's limit.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];

/// Upper bounds in seconds of checking a report: a hash, a signature, many keys, a large body.
const CHECKED: [f64; 9] = [0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.005, 0.02, 0.1];

const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Checked {
    scheme: &'static str,
    result: &'static str,
}

type Histograms = Family<ByRoute, Histogram, fn() -> Histogram>;
/// All metrics of one manager.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    refused: Family<ByCode, Counter>,
    seconds: Histograms,
    reports: Family<ByAnswer, Counter>,
    maps_written: Counter,
    checked: Family<Checked, Histogram, fn() -> Histogram>,
    measured: Measured,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("kattila");
        let buckets: fn() -> Histogram = || Histogram::new(SECONDS);
        let seconds = Family::new_with_constructor(buckets);
        let (requests, refused) = (Family::default(), Family::default());
        let (reports, maps_written) = (Family::default(), Counter::default());
        let on = &mut registry;
        on.register("http_requests", "Requests answered, by route and status", requests.clone());
        on.register("http_refusals", "Requests refused, by code", refused.clone());
        on.register(
            "http_request_seconds",
            "Time to answer, in seconds, by route",
            seconds.clone(),
        );
        on.register(
            "reports",
            "Reports answered, by answer: ok, duplicate or a code",
            reports.clone(),
        );
        on.register(
            "maps_written",
            "Maps and parts of maps written out for answers; who has the same one is not counted",
            maps_written.clone(),
        );
        let buckets: fn() -> Histogram = || Histogram::new(CHECKED);
        let checked = Family::new_with_constructor(buckets);
        on.register(
            "verification_seconds",
            "Time to parse a report and check its signature, in seconds, by scheme and result: ok or a code",
            checked.clone(),
        );
        let measured = Measured::default();
        measured.register(on);
        Self { registry, requests, refused, seconds, reports, maps_written, checked, measured }
    }

    /// Counts an answered request.
    pub fn request(
        &self,
        route: &str,
        status: StatusCode,
        refused: Option<ErrorCode>,
        elapsed: Duration,
    ) {
        let answered = Answered { route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&answered).inc();
        let by_route = ByRoute { route: answered.route };
        self.seconds.get_or_create(&by_route).observe(elapsed.as_secs_f64());
        if let Some(code) = refused {
            self.refused.get_or_create(&ByCode { code: code.as_str() }).inc();
        }
    }

    /// Counts an answered report.
    pub fn report(&self, answer: &'static str) {
        self.reports.get_or_create(&ByAnswer { answer }).inc();
    }

    /// Counts a map, or a part of one, that is written out for an answer.
    pub fn map_written(&self) {
        self.maps_written.inc();
    }

    /// Counts a check of a report; of what could not be read the scheme is unknown.
    pub fn checked(&self, scheme: Option<Scheme>, refused: Option<ErrorCode>, elapsed: Duration) {
        let scheme = scheme.map_or("unknown", Scheme::as_str);
        let result = refused.map_or("ok", ErrorCode::as_str);
        let checked = self.checked.get_or_create(&Checked { scheme, result });
        checked.observe(elapsed.as_secs_f64());
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The app of the metrics' own door.
pub fn router(state: AppState) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(state)
}

async fn metrics(State(state): State<AppState>) -> Response {
    match measure(&state).await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::warn!(cause = error.cause.as_deref(), "metrics could not be read");
            error.into_response()
        }
    }
}

async fn measure(state: &AppState) -> Result<String, ApiError> {
    let (stats, channels) =
        state.read(&Lens::whole(), |reader| Ok((reader.stats()?, reader.channels()?))).await?;
    state.metrics.measured.read(state, &stats, channels);
    state.metrics.text().map_err(ApiError::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_appear_with_their_labels_and_help() {
        let metrics = Metrics::new();
        metrics.request("/livez", StatusCode::OK, None, Duration::from_millis(3));
        let code = Some(ErrorCode::SignatureInvalid);
        metrics.request("/status/updates", StatusCode::UNAUTHORIZED, code, Duration::ZERO);
        metrics.report("ok");
        metrics.checked(Some(Scheme::V1), None, Duration::from_micros(30));
        metrics.checked(None, code, Duration::ZERO);
        let text = metrics.text().unwrap();
        for line in [
            r#"kattila_http_requests_total{route="/livez",status="200"} 1"#,
            r#"kattila_http_refusals_total{code="signature_invalid"} 1"#,
            r#"kattila_reports_total{answer="ok"} 1"#,
            r#"kattila_http_request_seconds_bucket{le="0.005",route="/livez"} 1"#,
            r#"kattila_verification_seconds_bucket{le="0.00005",scheme="v1",result="ok"} 1"#,
            r#"kattila_verification_seconds_count{scheme="unknown",result="signature_invalid"} 1"#,
            "# HELP kattila_wal_bytes Size of the write-ahead log, in bytes.",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }
}
