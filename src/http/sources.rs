//! Addresses that were refused lately: who is refused too often is refused unread.
//!
//! Accepted requests never count, since a whole site may sit behind one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::rate::{Bucket, Rate, site};
use crate::model::time::UnixSeconds;
use crate::wire::codes::ErrorCode;

use super::error::ApiError;

/// Addresses remembered at once; about 5 MB. Beyond it the table is cleared of those that have
/// recovered, and if there are none, begun anew: an attacker with more addresses than this is
/// not stopped by counting addresses.
const REMEMBERED: usize = 100_000;

/// The table.
#[derive(Debug)]
pub struct Sources {
    rate: Option<Rate>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Sources {
    /// An empty table; without a rate nobody is ever limited.
    pub fn new(rate: Option<Rate>) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request from this address is read at all.
    pub fn check(&self, source: Option<IpAddr>, now: UnixSeconds) -> Result<(), ApiError> {
        let (Some(rate), Some(source)) = (self.rate, source) else { return Ok(()) };
        let buckets = self.lock();
        match buckets.get(&site(source)) {
            Some(bucket) if bucket.tokens_at(rate, now) == 0 => Err(ApiError::new(
                ErrorCode::RateLimited,
                "Too many requests from this address were refused; correct them, then try again.",
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a refused request.
    pub fn refused(&self, source: Option<IpAddr>, now: UnixSeconds) {
        let (Some(rate), Some(source)) = (self.rate, source) else { return };
        let mut buckets = self.lock();
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| !bucket.is_full(rate, now));
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(site(source)).or_insert_with(|| Bucket::new(rate, now));
        // An empty bucket stays empty; the next request is refused unread.
        let _had_one = bucket.take(rate, now).is_ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 1, burst: 2 };
    const NOW: UnixSeconds = UnixSeconds(1000);

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn only_refusals_count_and_only_for_their_address() {
        let sources = Sources::new(Some(RATE));
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..10 {
            assert!(sources.check(bad, NOW).is_ok());
        }
        sources.refused(bad, NOW);
        sources.refused(bad, NOW);
        let error = sources.check(bad, NOW).unwrap_err();
        assert_eq!(error.code(), ErrorCode::RateLimited);
        assert!(sources.check(good, NOW).is_ok());
        assert!(sources.check(bad, NOW.plus(1)).is_ok(), "a second later there is a token again");
    }

    #[test]
    fn an_ipv6_site_counts_as_one() {
        let sources = Sources::new(Some(RATE));
        sources.refused(address("2001:db8::1"), NOW);
        sources.refused(address("2001:db8::ffff:2"), NOW);
        assert!(sources.check(address("2001:db8::3"), NOW).is_err());
        assert!(sources.check(address("2001:db8:0:1::3"), NOW).is_ok());
    }

    #[test]
    fn off_means_never() {
        let sources = Sources::new(None);
        for _ in 0..1000 {
            sources.refused(address("192.0.2.1"), NOW);
        }
        assert!(sources.check(address("192.0.2.1"), NOW).is_ok());
    }
}
