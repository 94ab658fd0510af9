//! What others measured as a spread, shown as a histogram of Prometheus.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::model::spread::Told;

/// Microseconds of a second.
const MICROS: f64 = 1_000_000.0;

/// A histogram that was measured elsewhere, as it was when somebody asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<(Told, f64)>>);

impl Shown {
    /// Shows plain numbers.
    pub(super) fn set(&self, told: Told) {
        self.put(told, 1.0);
    }

    /// Shows microseconds as seconds.
    pub(super) fn set_times(&self, told: Told) {
        self.put(told, MICROS);
    }

    fn put(&self, told: Told, unit: f64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (told, unit);
    }
}

impl EncodeMetric for Shown {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, unit) = &*shown;
        let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| float(bound) / unit);
        let buckets: Vec<_> =
            told.buckets.iter().map(|(upper, count)| (bound(*upper), *count)).collect();
        encoder.encode_histogram::<NoLabelSet>(float(told.sum) / unit, told.count(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a metric may be off by a millionth")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;
    use crate::model::spread::Spread;

    #[test]
    fn microseconds_are_shown_as_cumulative_seconds() {
        let spread = Spread::new(&[1_000, 20_000]);
        for micros in [900, 1_001, 5_000_000] {
            spread.add_time(Duration::from_micros(micros));
        }
        let (shown, mut registry) = (Shown::default(), Registry::default());
        registry.register("commit_seconds", "How long", shown.clone());
        shown.set_times(spread.told());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let wanted = [
            "commit_seconds_sum 5.001901",
            "commit_seconds_count 3",
            r#"commit_seconds_bucket{le="0.001"} 1"#,
            r#"commit_seconds_bucket{le="0.02"} 2"#,
            r#"commit_seconds_bucket{le="+Inf"} 3"#,
        ];
        for line in wanted {
            assert!(text.lines().any(|told| told == line), "{line} not in\n{text}");
        }
    }
}
