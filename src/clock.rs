//! The only place that reads a clock.
//!
//! Everything else is told what time it is, so that a test can be a month long and take a
//! millisecond.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::time::UnixSeconds;

/// Where the manager gets the time from: the system, or a test's hand-turned clock.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The host's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::set`] moves it.
    pub fn manual(start: UnixSeconds) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    /// Whether the clock moves by itself.
    pub fn is_system(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// The present second.
    pub fn now(&self) -> UnixSeconds {
        match &self.0 {
            Source::System => UnixSeconds(self.now_millis() / 1000),
            Source::Manual(seconds) => UnixSeconds(seconds.load(Ordering::SeqCst)),
        }
    }

    /// The present millisecond since the Unix epoch.
    pub fn now_millis(&self) -> i64 {
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
            Source::Manual(seconds) => seconds.load(Ordering::SeqCst).saturating_mul(1000),
        }
    }

    /// Moves a manual clock; the system's clock does not listen.
    pub fn set(&self, now: UnixSeconds) {
        if let Source::Manual(seconds) = &self.0 {
            seconds.store(now.0, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
