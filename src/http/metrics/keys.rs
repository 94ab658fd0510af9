//! How the agents' shared keys and their source stand, for metrics. Keys are named by their ids alone.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::http::state::AppState;
use crate::model::time::UnixSeconds;

use super::measured::count;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKey {
    kid: String,
    state: &'static str,
}

/// The keys and their source.
#[derive(Debug, Default)]
pub(super) struct Keys {
    usable: Gauge,
    age_seconds: Gauge,
    failures: Gauge,
    asked_seconds: Gauge,
    failing_seconds: Gauge,
    missing: Gauge,
    secure: Gauge,
    unexpected: Gauge,
    by_key: Family<ByKey, Gauge>,
}

impl Keys {
    pub(super) fn register(&self, on: &mut Registry) {
        let gauges = [
            ("keys_usable", "Pre-shared keys that verify reports now", &self.usable),
            (
                "keys_age_seconds",
                "Seconds since the key source last gave keys; -1 if it never did",
                &self.age_seconds,
            ),
            (
                "keys_failures",
                "Attempts to read the key source that failed since it last gave keys",
                &self.failures,
            ),
            (
                "keys_asked_seconds",
                "Seconds since the key source was last asked, whatever came of it; -1 if it never was",
                &self.asked_seconds,
            ),
            (
                "keys_failing_seconds",
                "Seconds since which the key source gives no keys; 0 while it does",
                &self.failing_seconds,
            ),
            ("keys_missing", "Answers in a row by which the key source has no key", &self.missing),
            (
                "keys_secure",
                "1 if DNSSEC proves the last good answer, 0 if not, -1 where that is no question",
                &self.secure,
            ),
            (
                "keys_unexpected",
                "1 while the key source holds or answers what it should not, else 0",
                &self.unexpected,
            ),
        ];
        for (name, help, gauge) in gauges {
            on.register(name, help, gauge.clone());
        }
        let help = "Seconds since each key was first seen, by its id and its state";
        on.register("key_age_seconds", help, self.by_key.clone());
    }

    pub(super) fn read(&self, state: &AppState, now: UnixSeconds) {
        let (health, ring) = (state.keeper.health(), state.keeper.ring());
        let since = |at: Option<UnixSeconds>| at.map_or(-1, |at| now.since(at));
        self.usable.set(count(ring.usable(now).count()));
        self.age_seconds.set(since(health.last_success));
        self.failures.set(i64::from(health.failures_in_row));
        self.asked_seconds.set(since(health.last_attempt));
        self.failing_seconds.set(health.failing_seconds(now));
        self.missing.set(i64::from(health.missing_in_row));
        self.secure.set(health.secure.map_or(-1, i64::from));
        self.unexpected.set(i64::from(health.is_unexpected()));
        // States change, and what is forgotten leaves.
        self.by_key.clear();
        for key in ring.all() {
            let by = ByKey { kid: key.kid.to_string(), state: key.state.as_str() };
            self.by_key.get_or_create(&by).set(now.since(key.first_seen));
        }
    }
}
