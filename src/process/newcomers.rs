//! How many agents may be registered: in all, and how fast from one address.
//!
//! Whoever knows the fleet's key, or may enrol, can make up agents; each is a row for ever. Agents that
//! the manager knows never count, whatever came of them.

use std::collections::HashMap;
use std::net::IpAddr;

use tracing::warn;

use crate::model::rate::{Bucket, Rate, site};
use crate::model::time::UnixSeconds;

/// Addresses remembered; beyond it those that have recovered are forgotten, and then all.
const REMEMBERED: usize = 10_000;

/// Seconds after which a host tries again when there is no room at all: somebody must make some.
const FULL_AGAIN_S: u32 = 3_600;

/// Whom there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// New agents from one address; `None` for no limit.
    pub rate: Option<Rate>,
    /// Agents in all; `None` for no limit.
    pub agents: Option<usize>,
}

impl Room {
    /// For everybody.
    pub const UNLIMITED: Self = Self { rate: None, agents: None };
}

/// The addresses from which new agents came lately.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    buckets: HashMap<IpAddr, Bucket>,
    /// When it was last told that there is no room.
    told_at: UnixSeconds,
}

impl Newcomers {
    /// Whether one more may be registered beside so many; if not, in how many seconds to ask again.
    pub(super) fn take(
        &mut self,
        room: Room,
        (agents, source): (usize, Option<IpAddr>),
        now: UnixSeconds,
    ) -> Result<(), u32> {
        if room.agents.is_some_and(|most| agents >= most) {
            if now.since(self.told_at).abs() >= i64::from(FULL_AGAIN_S) {
                self.told_at = now;
                warn!(agents, "No further agent is registered: KATTILA_AGENTS_MAX is reached");
            }
            return Err(FULL_AGAIN_S);
        }
        let (Some(rate), Some(source)) = (room.rate, source.map(site)) else { return Ok(()) };
        if self.buckets.len() >= REMEMBERED {
            self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
            if self.buckets.len() >= REMEMBERED {
                self.buckets.clear();
            }
        }
        self.buckets.entry(source).or_insert_with(|| Bucket::new(rate, now)).take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn from(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_has_its_rate_and_everybody_the_room() {
        let rate = Some(Rate { per_second: 1, burst: 2 });
        let room = Room { rate, agents: Some(9) };
        let mut newcomers = Newcomers::default();
        let mut take = |agents, source, now| newcomers.take(room, (agents, source), now);
        assert_eq!(take(0, from("192.0.2.1"), NOW), Ok(()));
        assert_eq!(take(1, from("192.0.2.1"), NOW), Ok(()));
        assert_eq!(take(2, from("192.0.2.1"), NOW), Err(1));
        assert_eq!(take(2, from("192.0.2.2"), NOW), Ok(()));
        assert_eq!(take(3, from("192.0.2.1"), NOW.plus(1)), Ok(()));
        assert_eq!(take(8, None, NOW), Ok(()));
        assert_eq!(take(9, from("192.0.2.3"), NOW), Err(3_600));
        let six = |end: &str| from(&format!("2001:db8::{end}"));
        assert_eq!((take(4, six("1"), NOW), take(5, six("2"), NOW)), (Ok(()), Ok(())));
        assert_eq!(take(6, six("3"), NOW), Err(1), "one network of a customer");
    }

    #[test]
    fn without_limits_there_is_none_and_memory_is_bounded() {
        let mut newcomers = Newcomers::default();
        for _ in 0..100 {
            assert_eq!(newcomers.take(Room::UNLIMITED, (1 << 30, from("192.0.2.1")), NOW), Ok(()));
        }
        let room = Room { rate: Some(Rate { per_second: 1, burst: 2 }), agents: None };
        for number in 0..30_000_u32 {
            let source = Some(IpAddr::from(number.to_be_bytes()));
            assert_eq!(newcomers.take(room, (0, source), NOW), Ok(()));
        }
        assert!(newcomers.buckets.len() <= REMEMBERED);
    }
}
