//! How fast one account may do what is dear.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::rate::{Bucket, Rate};
use crate::model::time::UnixSeconds;
use crate::sign::digest::content_hash;
use crate::wire::codes::ErrorCode;

use super::error::ApiError;

/// A reset is a transaction over all that is known of an agent, or of all of them: one a second, and
/// as many at once as a script needs that goes through a site.
const RESETS: Rate = Rate { per_second: 1, burst: 100 };

/// An opened link is a row of the audit: one a second, and as many at once as a room full of people.
const OPENS: Rate = Rate { per_second: 1, burst: 60 };

/// Accounts remembered; there are 1,000 users at most, and tokens beside them.
const REMEMBERED: usize = 10_000;

/// What each account may still do, by a digest of its name.
#[derive(Debug)]
pub struct Pace {
    rate: Rate,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

impl Pace {
    /// The pace of resets.
    pub fn of_resets() -> Self {
        Self { rate: RESETS, buckets: Mutex::default() }
    }

    /// The pace at which one shared link is opened.
    pub fn of_opens() -> Self {
        Self { rate: OPENS, buckets: Mutex::default() }
    }

    /// Takes one turn of an account, or refuses.
    pub fn take(&self, account: &str, now: UnixSeconds) -> Result<(), ApiError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| !bucket.is_full(self.rate, now));
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let full = || Bucket::new(self.rate, now);
        let bucket = buckets.entry(content_hash(account.as_bytes())).or_insert_with(full);
        bucket.take(self.rate, now).map_err(|seconds| {
            let text = format!("{account} has done this too often; wait {seconds} s.");
            ApiError::new(ErrorCode::RateLimited, text).retry_after(seconds)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_000);

    #[test]
    fn each_account_has_its_own_turns_and_time_gives_them_back() {
        let pace = Pace { rate: Rate { per_second: 1, burst: 2 }, buckets: Mutex::default() };
        assert!(pace.take("olga", T).is_ok() && pace.take("olga", T).is_ok());
        let refused = pace.take("olga", T).unwrap_err();
        assert_eq!((refused.code(), refused.retry_after), (ErrorCode::RateLimited, Some(1)));
        assert!(pace.take("kim", T).is_ok(), "nobody pays for another");
        assert!(pace.take("olga", T.plus(1)).is_ok() && pace.take("olga", T.plus(1)).is_err());
    }

    #[test]
    fn a_crowd_of_accounts_takes_no_more_room_than_there_is() {
        let pace = Pace::of_resets();
        for n in 0..(2 * REMEMBERED) {
            pace.take(&format!("token-{n}"), T).unwrap();
        }
        assert!(pace.buckets.lock().unwrap().len() <= REMEMBERED);
    }
}
