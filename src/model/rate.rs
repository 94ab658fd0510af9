//! Token buckets: how much one sender may send. Whole numbers only, and told the time.

use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::model::time::UnixSeconds;

/// How fast a bucket fills and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second.
    pub per_second: u32,
    /// Tokens of a full bucket.
    pub burst: u32,
}

/// Not a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be PER_SECOND/BURST in whole numbers from 1, such as 1/60")]
pub struct InvalidRate;

impl FromStr for Rate {
    type Err = InvalidRate;
    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
        let (per_second, burst) = text.split_once('/').ok_or(InvalidRate)?;
        match (number(per_second), number(burst)) {
            (Some(per_second), Some(burst)) => Ok(Self { per_second, burst }),
            _ => Err(InvalidRate),
        }
    }
}

/// What one sender may still send. Starts full; 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    tokens: u32,
    at: UnixSeconds,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate, now: UnixSeconds) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    /// Takes one token; if there is none, says how many seconds it takes until there is.
    pub fn take(&mut self, rate: Rate, now: UnixSeconds) -> Result<(), u32> {
        self.tokens = self.tokens_at(rate, now);
        self.at = now;
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            // At a whole number of tokens per second the next one is a second away.
            None => Err(1),
        }
    }

    /// The tokens at `now`. A clock that went back adds none.
    pub fn tokens_at(&self, rate: Rate, now: UnixSeconds) -> u32 {
        let seconds = u32::try_from(now.since(self.at).max(0)).unwrap_or(u32::MAX);
        self.tokens.saturating_add(seconds.saturating_mul(rate.per_second)).min(rate.burst)
    }

    /// Whether the bucket is as good as a new one, so that it need not be remembered.
    pub fn is_full(&self, rate: Rate, now: UnixSeconds) -> bool {
        self.tokens_at(rate, now) == rate.burst
    }
}

/// Bits of an IPv6 address that name a customer rather than a host.
const IPV6_SITE_BITS: u32 = 64;

/// An IPv4 address, or the network of an IPv6 address.
pub fn site(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let mask = u128::MAX << (u128::BITS - IPV6_SITE_BITS);
            IpAddr::V6((u128::from(six) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2, burst: 5 };

    fn taken(bucket: &mut Bucket, tries: usize, now: i64) -> usize {
        (0..tries).filter(|_| bucket.take(RATE, UnixSeconds(now)).is_ok()).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::new(RATE, UnixSeconds(100));
        assert_eq!(taken(&mut bucket, 9, 100), 5);
        assert_eq!(bucket.take(RATE, UnixSeconds(100)), Err(1));
        assert_eq!(taken(&mut bucket, 9, 101), 2);
        assert_eq!(taken(&mut bucket, 9, 102), 2);
        assert!(!bucket.is_full(RATE, UnixSeconds(104)));
        assert!(bucket.is_full(RATE, UnixSeconds(105)));
        assert_eq!(taken(&mut bucket, 9, 1000), 5);
    }

    #[test]
    fn a_clock_that_goes_back_neither_fills_nor_locks() {
        let mut bucket = Bucket::new(RATE, UnixSeconds(1000));
        assert_eq!(taken(&mut bucket, 5, 1000), 5);
        assert_eq!(taken(&mut bucket, 1, 10), 0);
        assert_eq!(taken(&mut bucket, 9, 11), 2, "the rate holds on the new clock");
        assert_eq!(bucket.tokens_at(RATE, UnixSeconds(i64::MAX)), RATE.burst);
    }

    #[test]
    fn rates_are_whole_numbers() {
        assert_eq!("1/60".parse(), Ok(Rate { per_second: 1, burst: 60 }));
        for bad in ["", "1", "0/60", "1/0", "-1/2", "1.5/2", "1/60/2", "1 / 60"] {
            assert_eq!(bad.parse::<Rate>(), Err(InvalidRate), "{bad}");
        }
    }
}
