//! How much the door takes: by source and in all, in numbers and at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::rate::{Bucket, Rate};
use crate::model::time::UnixSeconds;
use crate::wire::codes::ErrorCode;

use super::refusal::Refusal;

/// Requests of one neighbour: one report in ten seconds is usual, history comes once in a
/// second, and it may relay for others.
const SOURCE: Rate = Rate { per_second: 4, burst: 40 };

/// Relayed reports of all neighbours.
const TOTAL: Rate = Rate { per_second: 20, burst: 100 };

/// Relayed reports at once: each may hold a body of 1 MiB twice.
const AT_ONCE: usize = 8;

/// Of these from one neighbour, so that a slow one does not keep the others out.
const AT_ONCE_EACH: usize = 2;

/// Neighbours remembered at once.
const REMEMBERED: usize = 1024;

#[derive(Debug)]
struct Source {
    bucket: Bucket,
    open: usize,
}

#[derive(Debug)]
struct Table {
    sources: HashMap<IpAddr, Source>,
    total: Bucket,
    open: usize,
}

/// What has come in lately.
#[derive(Debug, Clone)]
pub struct Rates(Arc<Mutex<Table>>);

/// A relayed report's place; free again when dropped.
#[derive(Debug)]
pub struct Place {
    rates: Rates,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.rates.lock();
        table.open = table.open.saturating_sub(1);
        if let Some(source) = table.sources.get_mut(&self.source) {
            source.open = source.open.saturating_sub(1);
        }
    }
}

fn limited(seconds: u32, what: &str) -> Refusal {
    Refusal::new(ErrorCode::RateLimited, format!("{what}; wait.")).after(seconds)
}

impl Rates {
    /// Nothing has come in yet.
    pub fn new(now: UnixSeconds) -> Self {
        let total = Bucket::new(TOTAL, now);
        Self(Arc::new(Mutex::new(Table { sources: HashMap::new(), total, open: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request of a neighbour.
    pub fn request(&self, source: IpAddr, now: UnixSeconds) -> Result<(), Refusal> {
        let sources = &mut self.lock().sources;
        if sources.len() >= REMEMBERED && !sources.contains_key(&source) {
            sources.retain(|_, source| source.open > 0 || !source.bucket.is_full(SOURCE, now));
            if sources.len() >= REMEMBERED {
                return Err(limited(10, "This relay has too many neighbours at the moment"));
            }
        }
        let fresh = || Source { bucket: Bucket::new(SOURCE, now), open: 0 };
        let source = sources.entry(source).or_insert_with(fresh);
        let taken = source.bucket.take(SOURCE, now);
        taken.map_err(|seconds| limited(seconds, "This relay takes 4 requests in a second"))
    }

    /// A place for a report to be relayed, whose request was counted before.
    pub fn relay(&self, source: IpAddr, now: UnixSeconds) -> Result<Place, Refusal> {
        let mut table = self.lock();
        let each = table.sources.get(&source).map_or(0, |source| source.open);
        if table.open >= AT_ONCE || each >= AT_ONCE_EACH {
            let detail = "This relay has its hands full; try again soon.";
            return Err(Refusal::new(ErrorCode::Overloaded, detail).after(1));
        }
        let taken = table.total.take(TOTAL, now);
        taken.map_err(|seconds| limited(seconds, "This relay passes on 20 reports in a second"))?;
        table.open += 1;
        if let Some(source) = table.sources.get_mut(&source) {
            source.open += 1;
        }
        Ok(Place { rates: self.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1000);

    fn source(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn one_neighbour_cannot_use_up_the_others_share() {
        let rates = Rates::new(NOW);
        let taken = (0..100).filter(|_| rates.request(source(1), NOW).is_ok()).count();
        assert_eq!(taken, 40);
        let refused = rates.request(source(1), NOW).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::RateLimited, Some(1)));
        assert!(rates.request(source(2), NOW).is_ok());
        assert!(rates.request(source(1), NOW.plus(1)).is_ok());
    }

    #[test]
    fn so_many_at_once_and_no_more() {
        let rates = Rates::new(NOW);
        let mut places = Vec::new();
        for n in 0..8 {
            rates.request(source(n / 2), NOW).unwrap();
            places.push(rates.relay(source(n / 2), NOW).unwrap());
        }
        rates.request(source(9), NOW).unwrap();
        assert_eq!(rates.relay(source(9), NOW).unwrap_err().code, ErrorCode::Overloaded);
        drop(places.pop());
        let place = rates.relay(source(9), NOW).unwrap();
        places.clear();
        rates.request(source(9), NOW).unwrap();
        let second = rates.relay(source(9), NOW).unwrap();
        assert!(rates.relay(source(9), NOW).is_err(), "two of one neighbour");
        drop((place, second));
        assert!(rates.relay(source(9), NOW).is_ok());
    }

    #[test]
    fn all_together_have_a_rate_too() {
        let rates = Rates::new(NOW);
        let taken = (0..200).filter(|n| rates.relay(source(*n), NOW).is_ok()).count();
        assert_eq!(taken, 100);
    }

    #[test]
    fn memory_is_bounded() {
        let rates = Rates::new(NOW);
        for n in 0..2000 {
            let known = rates.request(source(n), NOW).is_ok();
            assert_eq!(known, n < 1024, "{n}");
        }
        assert!(rates.request(source(5000), NOW.plus(1)).is_ok(), "those that rest are forgotten");
    }
}
