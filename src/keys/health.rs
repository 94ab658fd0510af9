//! How fetching keys goes: what the alarms, the settings page and `/readyz` want to know.
//!
//! Pure: the keeper tells it what happened and when.

use std::time::Duration;

use crate::keys::policy::KeyWarning;
use crate::keys::ring::KeySource;
use crate::model::id::Kid;
use crate::model::time::UnixSeconds;

/// So many answers without a key in a row mean that the record is gone, not just being edited.
pub const MISSING_ALARM_AFTER: u32 = 3;

/// A source that failed for so many seconds deserves a warning; shorter outages of DNS are
/// weather.
pub const FAILING_WARNING_SECONDS: i64 = 900;

/// What became of one attempt to fetch keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// A list came and was applied.
    Fresh,
    /// The source is there, but lists no key; the last known keys stay.
    Missing(String),
    /// The source could not be read; the last known keys stay.
    Failed(String),
    /// The answer was forged, as far as DNSSEC can tell; the last known keys stay.
    Bogus(String),
}

impl RefreshOutcome {
    /// Whether the source confirmed the keys in force.
    pub fn is_good(&self) -> bool {
        *self == Self::Fresh
    }

    /// What went wrong, in words.
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Fresh => None,
            Self::Missing(why) | Self::Failed(why) | Self::Bogus(why) => Some(why),
        }
    }
}

/// The state of the key source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHealth {
    /// Its kind.
    pub source: KeySource,
    /// The source in words, like `TXT record of _kattila.fleet.example`.
    pub described: String,
    /// When it was last asked.
    pub last_attempt: Option<UnixSeconds>,
    /// When it last gave a usable list; `None` since the start.
    pub last_success: Option<UnixSeconds>,
    /// When the present run of unsuccessful attempts began.
    pub failing_since: Option<UnixSeconds>,
    /// Attempts since then that got no usable answer.
    pub failures_in_row: u32,
    /// Attempts since then that were told there is no key.
    pub missing_in_row: u32,
    /// What went wrong the last time; `None` after a success.
    pub last_problem: Option<String>,
    /// Whether the last answer failed DNSSEC: critical at once.
    pub bogus: bool,
    /// Whether DNSSEC proves the last good answer; `None` where that is no question.
    pub secure: Option<bool>,
    /// What in the last good list was unexpected, in words.
    pub unexpected: Vec<String>,
    /// What in the last good list should be improved, in words.
    pub advice: Vec<String>,
    /// Revoked keys that the source still lists, in words: agents that read it are cut off.
    pub still_listed: Vec<String>,
    /// Seconds between two attempts while all is well.
    pub period_seconds: u64,
    /// When it will be asked next, if nothing else causes it.
    pub next_attempt: Option<UnixSeconds>,
}

impl KeyHealth {
    pub(in crate::keys) fn new(source: KeySource, described: String) -> Self {
        Self {
            source,
            described,
            last_attempt: None,
            last_success: None,
            failing_since: None,
            failures_in_row: 0,
            missing_in_row: 0,
            last_problem: None,
            bogus: false,
            secure: None,
            unexpected: Vec::new(),
            advice: Vec::new(),
            still_listed: Vec::new(),
            period_seconds: 0,
            next_attempt: None,
        }
    }

    /// Whether the record seems to be gone (alarm `dns_psk.stale`, reason `psk_missing`).
    pub fn is_missing(&self) -> bool {
        self.missing_in_row >= MISSING_ALARM_AFTER
    }

    /// For how many seconds the source has been failing; 0 while it works.
    pub fn failing_seconds(&self, now: UnixSeconds) -> i64 {
        self.failing_since.map_or(0, |since| now.since(since).max(0))
    }

    /// Whether it has been failing long enough for a warning (alarm `dns_psk.stale`).
    pub fn is_stale(&self, now: UnixSeconds) -> bool {
        self.failing_seconds(now) >= FAILING_WARNING_SECONDS
    }

    /// Whether someone may be tampering (alarm `dns_psk.unexpected`).
    pub fn is_unexpected(&self) -> bool {
        self.bogus || !self.unexpected.is_empty()
    }

    /// What in the source is not as it should be (alarm `dns_psk.unexpected`), in one text: a
    /// forged answer or what the last list should not hold.
    pub fn tampering(&self) -> Option<String> {
        match &self.last_problem {
            Some(problem) if self.bogus => Some(problem.clone()),
            Some(_) | None if self.unexpected.is_empty() => None,
            Some(_) | None => Some(self.unexpected.join("; ")),
        }
    }

    pub(in crate::keys) fn note(&mut self, outcome: &RefreshOutcome, now: UnixSeconds) {
        self.last_attempt = Some(now);
        self.bogus = matches!(outcome, RefreshOutcome::Bogus(_));
        self.last_problem = outcome.problem().map(str::to_owned);
        match outcome {
            RefreshOutcome::Fresh => {
                self.last_success = Some(now);
                self.failing_since = None;
                self.failures_in_row = 0;
                self.missing_in_row = 0;
            }
            RefreshOutcome::Missing(_) => {
                self.failing_since.get_or_insert(now);
                self.missing_in_row = self.missing_in_row.saturating_add(1);
                // The source answers again: when it fails next, retries start afresh.
                self.failures_in_row = 0;
            }
            RefreshOutcome::Failed(_) | RefreshOutcome::Bogus(_) => {
                self.failing_since.get_or_insert(now);
                self.failures_in_row = self.failures_in_row.saturating_add(1);
            }
        }
    }

    pub(in crate::keys) fn note_list(&mut self, warnings: &[KeyWarning], secure: Option<bool>) {
        let (unexpected, advice): (Vec<_>, Vec<_>) =
            warnings.iter().partition(|warning| warning.is_unexpected());
        self.unexpected = unexpected.iter().map(ToString::to_string).collect();
        self.advice = advice.iter().map(ToString::to_string).collect();
        self.still_listed = warnings
            .iter()
            .filter(|warning| matches!(warning, KeyWarning::Revoked { .. }))
            .map(ToString::to_string)
            .collect();
        self.secure = secure;
    }

    /// A key was revoked that the last list had.
    pub(in crate::keys) fn note_revoked(&mut self, kid: &Kid) {
        let told = KeyWarning::Revoked { kid: kid.clone() }.to_string();
        if !self.still_listed.contains(&told) {
            self.advice.push(told.clone());
            self.still_listed.push(told);
        }
    }

    pub(in crate::keys) fn note_next(&mut self, next_in: Duration, now: UnixSeconds) {
        let seconds = i64::try_from(next_in.as_secs()).unwrap_or(i64::MAX);
        self.next_attempt = Some(now.plus(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_trouble_are_counted_until_a_success() {
        let mut health = KeyHealth::new(KeySource::Dns, "x".to_owned());
        let failed = RefreshOutcome::Failed("down".to_owned());
        let missing = RefreshOutcome::Missing("gone".to_owned());
        health.note(&failed, UnixSeconds(100));
        for now in [200, 300, 400] {
            assert!(!health.is_missing());
            health.note(&missing, UnixSeconds(now));
        }
        assert!(health.is_missing());
        assert_eq!(health.failing_since, Some(UnixSeconds(100)));
        assert!(!health.is_stale(UnixSeconds(999)) && health.is_stale(UnixSeconds(1000)));
        assert_eq!(health.last_problem.as_deref(), Some("gone"));

        health.note(&RefreshOutcome::Bogus("forged".to_owned()), UnixSeconds(1100));
        assert!(health.is_unexpected());
        health.note(&RefreshOutcome::Fresh, UnixSeconds(1200));
        assert!(!health.is_unexpected() && !health.is_missing());
        assert_eq!(health.failing_seconds(UnixSeconds(1300)), 0);
        assert_eq!(health.last_success, Some(UnixSeconds(1200)));
    }
}
