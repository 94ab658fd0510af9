//! What is read when metrics are asked for: how processor, storage, keys, jobs and messages stand.
//!
//! Nothing is measured here: whoever does the work does.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::http::state::AppState;
use crate::model::reach::Reach;
use crate::model::state::AgentStatus;
use crate::model::time::UnixSeconds;
use crate::store::notice::ChannelRow;
use crate::store::row::{ArchiveStats, StoreStats};

use super::keys::Keys;
use super::spread::Shown;

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

type FloatGauge = Gauge<f64, AtomicU64>;

/// What is read when metrics are asked for.
#[derive(Debug, Default)]
pub(super) struct Measured {
    queue_reports: Gauge,
    stored_reports: Gauge,
    commits: Gauge,
    commit_age_seconds: Gauge,
    storage_up: Gauge,
    database_bytes: Gauge,
    wal_bytes: Gauge,
    events: Gauge,
    watchers: Gauge,
    maps_made: Gauge,
    registrations_refused: Gauge,
    agents: Family<ByStatus, Gauge>,
    jobs: Jobs,
    archive: Archived,
    rollup_lag_seconds: Gauge,
    notifications: Notifications,
    alarms_open: Gauge,
    keys: Keys,
    batch_jobs: Shown,
    batch_seconds: Shown,
    commit_seconds: Shown,
    replay_windows: Gauge,
    replay_bytes: Gauge,
    uptime_seconds: FloatGauge,
}

/// Messages to people, by channel.
#[derive(Debug, Default)]
pub(super) struct Notifications {
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
    seconds: Family<ByJob, FloatGauge>,
}

impl Jobs {
    fn register(&self, on: &mut Registry) {
        let help = "Seconds since the job last began; -1 if it never did";
        on.register("job_age_seconds", help, self.age_seconds.clone());
        on.register("job_rows", "Rows that the job's last run removed", self.rows.clone());
        let help = "How long the job's last run took, in seconds";
        on.register("job_seconds", help, self.seconds.clone());
        on.register("job_failed", "1 if the job's last run failed, else 0", self.failed.clone());
    }

    fn read(&self, state: &AppState, now: UnixSeconds) {
        for job in state.whole().chores().list(now) {
            let by = ByJob { job: job.name };
            let age = job.last_run.map_or(-1, |at| now.since(at));
            self.age_seconds.get_or_create(&by).set(age);
            self.rows.get_or_create(&by).set(count(job.rows.unwrap_or_default()));
            let millis = u32::try_from(job.duration_ms.unwrap_or_default()).unwrap_or(u32::MAX);
            self.seconds.get_or_create(&by).set(f64::from(millis) / 1_000.0);
            let failed = job.last_run.is_some() && job.last_run == job.last_error_at;
            self.failed.get_or_create(&by).set(i64::from(failed));
        }
    }
}

impl Measured {
    pub(super) fn register(&self, on: &mut Registry) {
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
            ("maps_made", "Maps put together since the start", &self.maps_made),
            ("alarms_open", "Alarms that are active and not acknowledged", &self.alarms_open),
            (
                "rollup_lag_seconds",
                "Seconds by which rows of counters are made later than they should be",
                &self.rollup_lag_seconds,
            ),
            (
                "replay_windows",
                "Agents whose spent nonces and ticks are in memory, as of the last batch",
                &self.replay_windows,
            ),
            ("replay_bytes", "Memory of these windows, in bytes", &self.replay_bytes),
        ];
        for (name, help, gauge) in gauges {
            on.register(name, help, gauge.clone());
        }
        on.register("agents", "Agents, by status", self.agents.clone());
        self.keys.register(on);
        self.register_times(on);
        self.jobs.register(on);
        self.archive.register(on);
        self.notifications.register(on);
        on.register(
            "uptime_seconds",
            "Seconds since the manager started",
            self.uptime_seconds.clone(),
        );
    }

    fn register_times(&self, on: &mut Registry) {
        let spreads = [
            ("batch_jobs", "Reports and other jobs in one transaction", &self.batch_jobs),
            (
                "batch_seconds",
                "Time to decide about a batch, write and commit it, in seconds",
                &self.batch_seconds,
            ),
            (
                "commit_seconds",
                "Time of COMMIT alone, in seconds; with KATTILA_DURABILITY=full the log is forced to disk in it",
                &self.commit_seconds,
            ),
        ];
        for (name, help, spread) in spreads {
            on.register(name, help, spread.clone());
        }
    }

    pub(super) fn read(&self, state: &AppState, stats: &StoreStats, channels: Vec<ChannelRow>) {
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
        self.maps_made.set(count(state.whole().board().maps_made()));
        self.alarms_open.set(count(state.whole().board().alarms_open(&Reach::Whole)));
        self.keys.read(state, now);
        let measures = state.whole().measures();
        self.batch_jobs.set(measures.batch_jobs);
        self.batch_seconds.set_times(measures.batch_times);
        self.commit_seconds.set_times(stats.commit_times.clone());
        self.replay_windows.set(count(measures.replay_windows));
        self.replay_bytes.set(count(measures.replay_bytes));
        let statuses = state.whole().board().statuses();
        for status in AgentStatus::ALL {
            let same = statuses.get(status).copied().unwrap_or_default();
            self.agents.get_or_create(&ByStatus { status: status.as_str() }).set(count(same));
        }
        self.jobs.read(state, now);
        self.archive.read(stats.archive, now);
        self.notifications.read(channels, now);
        self.rollup_lag_seconds.set(state.whole().rollup().behind_s(now));
        let uptime = u32::try_from(now.since(state.started_at)).unwrap_or_default();
        self.uptime_seconds.set(f64::from(uptime));
    }
}

pub(super) fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
