//! Counters of the door and measures of the manager, in the Prometheus text format, on a door
//! of their own.
//!
//! One registry per manager, none global, so that tests may run many managers in one process.

use std::sync::atomic::AtomicU64;
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
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::mask::Lens;
use crate::model::reach::Reach;
use crate::model::state::AgentStatus;
use crate::model::time::UnixSeconds;
use crate::store::notice::ChannelRow;
use crate::store::row::{ArchiveStats, StoreStats};
use crate::wire::codes::ErrorCode;

use super::error::ApiError;
use super::state::AppState;

/// Upper bounds in seconds: from an unchanged report at an idle manager to the handler's limit.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];

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
struct ByStatus {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByChannel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByJob {
    job: &'static str,
}

type Histograms = Family<ByRoute, Histogram, fn() -> Histogram>;
type FloatGauge = Gauge<f64, AtomicU64>;

/// All metrics of one manager.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    refused: Family<ByCode, Counter>,
    seconds: Histograms,
    reports: Family<ByAnswer, Counter>,
    measured: Measured,
}

/// What is read when metrics are asked for.
#[derive(Debug, Default)]
struct Measured {
    queue_reports: Gauge,
    stored_reports: Gauge,
    commits: Gauge,
    commit_age_seconds: Gauge,
    storage_up: Gauge,
    database_bytes: Gauge,
    wal_bytes: Gauge,
    events: Gauge,
    watchers: Gauge,
    registrations_refused: Gauge,
    agents: Family<ByStatus, Gauge>,
    jobs: Jobs,
    archive: Archived,
    rollup_lag_seconds: Gauge,
    notifications: Notifications,
    alarms_open: Gauge,
    keys_usable: Gauge,
    keys_age_seconds: Gauge,
    keys_failures: Gauge,
    uptime_seconds: FloatGauge,
}

/// Messages to people, by channel.
#[derive(Debug, Default)]
struct Notifications {
    sent: Family<ByChannel, Gauge>,
    failed: Family<ByChannel, Gauge>,
    dead: Family<ByChannel, Gauge>,
    waiting: Family<ByChannel, Gauge>,
    oldest_seconds: Family<ByChannel, Gauge>,
}

impl Notifications {
    fn register(&self, on: &mut Registry) {
        let gauges = [
            ("notifications_sent", "Messages to people that were taken", &self.sent),
            ("notifications_failed", "Attempts to send one that failed", &self.failed),
            ("notifications_dead", "Messages to people that were given up", &self.dead),
            ("notifications_waiting", "Messages to people that wait", &self.waiting),
            (
                "notifications_oldest_seconds",
                "Seconds since the oldest message that waits was written; 0 if none does",
                &self.oldest_seconds,
            ),
        ];
        for (name, help, gauge) in gauges {
            on.register(name, help, gauge.clone());
        }
    }

    fn read(&self, channels: Vec<ChannelRow>, now: UnixSeconds) {
        for ChannelRow { channel, waiting, oldest_waiting, .. } in channels {
            let by = ByChannel { channel: channel.name };
            self.sent.get_or_create(&by).set(count(channel.sent));
            self.failed.get_or_create(&by).set(count(channel.failed));
            self.dead.get_or_create(&by).set(count(channel.dead));
            self.waiting.get_or_create(&by).set(count(waiting));
            let oldest = oldest_waiting.map_or(0, |at| now.since(at).max(0));
            self.oldest_seconds.get_or_create(&by).set(oldest);
        }
    }
}

/// The archive of the database; all at zero without one.
#[derive(Debug, Default)]
struct Archived {
    up: Gauge,
    lag_seconds: Gauge,
    lag_frames: Gauge,
    base_age_seconds: Gauge,
    bytes: Gauge,
}

impl Archived {
    fn register(&self, on: &mut Registry) {
        let gauges = [
            ("archive_up", "1 if the archive takes what is committed, else 0", &self.up),
            (
                "archive_lag_seconds",
                "Seconds since the oldest commit that is not archived; 0 if all are",
                &self.lag_seconds,
            ),
            (
                "archive_lag_frames",
                "Pages of the write-ahead log that are not archived",
                &self.lag_frames,
            ),
            (
                "archive_base_age_seconds",
                "Seconds since the newest copy of the database in the archive was made; -1 if there is none",
                &self.base_age_seconds,
            ),
            ("archive_bytes", "Size of the archive, in bytes", &self.bytes),
        ];
        for (name, help, gauge) in gauges {
            on.register(name, help, gauge.clone());
        }
    }

    fn read(&self, stats: Option<ArchiveStats>, now: UnixSeconds) {
        self.up.set(i64::from(stats.is_some_and(|stats| !stats.failing)));
        let stats = stats.unwrap_or_default();
        self.lag_seconds.set(stats.behind_s);
        self.lag_frames.set(i64::from(stats.behind_frames));
        self.base_age_seconds.set(stats.newest_base_at.map_or(-1, |at| now.since(at)));
        self.bytes.set(count(stats.bytes));
    }
}

/// The background jobs.
#[derive(Debug, Default)]
struct Jobs {
    age_seconds: Family<ByJob, Gauge>,
    rows: Family<ByJob, Gauge>,
    failed: Family<ByJob, Gauge>,
}

impl Jobs {
    fn register(&self, on: &mut Registry) {
        let help = "Seconds since the job last began; -1 if it never did";
        on.register("job_age_seconds", help, self.age_seconds.clone());
        on.register("job_rows", "Rows that the job's last run removed", self.rows.clone());
        on.register("job_failed", "1 if the job's last run failed, else 0", self.failed.clone());
    }

    fn read(&self, state: &AppState, now: UnixSeconds) {
        for job in state.whole().chores().list(now) {
            let by = ByJob { job: job.name };
            let age = job.last_run.map_or(-1, |at| now.since(at));
            self.age_seconds.get_or_create(&by).set(age);
            self.rows.get_or_create(&by).set(count(job.rows.unwrap_or_default()));
            let failed = job.last_run.is_some() && job.last_run == job.last_error_at;
            self.failed.get_or_create(&by).set(i64::from(failed));
        }
    }
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
        let reports = Family::default();
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
        let measured = Measured::default();
        measured.register(on);
        Self { registry, requests, refused, seconds, reports, measured }
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

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Measured {
    fn register(&self, on: &mut Registry) {
        let gauges = [
            ("queue_reports", "Reports waiting for the processor", &self.queue_reports),
            ("stored_reports", "Reports stored since the start", &self.stored_reports),
            (
                "registrations_refused",
                "New agents refused since the start, because there are too many",
                &self.registrations_refused,
            ),
            ("commits", "Transactions committed since the start", &self.commits),
            (
                "commit_age_seconds",
                "Seconds since the last commit; -1 before the first",
                &self.commit_age_seconds,
            ),
            ("storage_up", "1 if the last attempt to write succeeded, else 0", &self.storage_up),
            ("database_bytes", "Size of the database file, in bytes", &self.database_bytes),
            ("wal_bytes", "Size of the write-ahead log, in bytes", &self.wal_bytes),
            ("events", "Events in the history", &self.events),
            ("watchers", "Open event streams", &self.watchers),
            ("alarms_open", "Alarms that are active and not acknowledged", &self.alarms_open),
            (
                "rollup_lag_seconds",
                "Seconds by which rows of counters are made later than they should be",
                &self.rollup_lag_seconds,
            ),
            ("keys_usable", "Pre-shared keys that verify reports now", &self.keys_usable),
            (
                "keys_age_seconds",
                "Seconds since the key source last gave keys; -1 if it never did",
                &self.keys_age_seconds,
            ),
            (
                "keys_failures",
                "Attempts to read the key source that failed since it last gave keys",
                &self.keys_failures,
            ),
        ];
        for (name, help, gauge) in gauges {
            on.register(name, help, gauge.clone());
        }
        on.register("agents", "Agents, by status", self.agents.clone());
        self.jobs.register(on);
        self.archive.register(on);
        self.notifications.register(on);
        on.register(
            "uptime_seconds",
            "Seconds since the manager started",
            self.uptime_seconds.clone(),
        );
    }

    fn read(&self, state: &AppState, stats: &StoreStats) {
        let now = state.clock.now();
        let processor = state.whole().status();
        self.queue_reports.set(count(processor.queued));
        self.stored_reports.set(count(processor.stored));
        self.registrations_refused.set(count(processor.refused_new));
        self.commits.set(count(processor.commits));
        self.commit_age_seconds.set(processor.last_commit.map_or(-1, |at| now.since(at)));
        self.storage_up.set(i64::from(processor.storage_ok));
        self.database_bytes.set(count(stats.db_bytes));
        self.wal_bytes.set(count(stats.wal_bytes));
        self.events.set(count(stats.events));
        self.watchers.set(count(state.whole().board().watchers()));
        self.alarms_open.set(count(state.whole().board().alarms_open(&Reach::Whole)));
        let health = state.keeper.health();
        self.keys_usable.set(count(state.keeper.ring().usable(now).count()));
        self.keys_age_seconds.set(health.last_success.map_or(-1, |at| now.since(at)));
        self.keys_failures.set(i64::from(health.failures_in_row));
        let agents = state.whole().agents();
        for status in AgentStatus::ALL {
            let same = agents.iter().filter(|agent| agent.status == *status).count();
            self.agents.get_or_create(&ByStatus { status: status.as_str() }).set(count(same));
        }
        self.jobs.read(state, now);
        self.archive.read(stats.archive, now);
        self.rollup_lag_seconds.set(state.whole().rollup().behind_s(now));
        let uptime = u32::try_from(now.since(state.started_at)).unwrap_or_default();
        self.uptime_seconds.set(f64::from(uptime));
    }
}

fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
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
    let measured = &state.metrics.measured;
    measured.read(state, &stats);
    measured.notifications.read(channels, state.clock.now());
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
        let text = metrics.text().unwrap();
        for line in [
            r#"kattila_http_requests_total{route="/livez",status="200"} 1"#,
            r#"kattila_http_refusals_total{code="signature_invalid"} 1"#,
            r#"kattila_reports_total{answer="ok"} 1"#,
            r#"kattila_http_request_seconds_bucket{le="0.005",route="/livez"} 1"#,
            "# HELP kattila_wal_bytes Size of the write-ahead log, in bytes.",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
    }
}
