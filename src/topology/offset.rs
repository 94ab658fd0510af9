//! How far a host's clock is from those of its peers, told by handshakes that both ends of a
//! link have written down.
//!
//! A handshake is one event, finished at both ends within a round trip. Each end tells it on its own
//! clock, so the difference of the two times is the difference of the two clocks. The median over
//! all of a host's links says how far the host is from the middle of its peers; no clock of ours
//! enters into it.

use crate::model::time::UnixSeconds;

/// Ends tell of the same handshake if, by the manager's receipts, they put it no further apart
/// than this. A link renews its session every 120 s at the earliest (`REKEY_AFTER_TIME`), so the
/// next handshake cannot be mistaken for this one.
const SAME_WITHIN_S: i64 = 60;

/// Links from which a median says whose clock is wrong: of a single pair nobody can tell which of
/// the two it is.
pub const WITNESSES: usize = 3;

/// What one end of a link says of its last handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The handshake, on this end's clock; 0 = never.
    pub handshake: UnixSeconds,
    /// When that was read, on the same clock.
    pub measured_at: UnixSeconds,
    /// When the manager received it. Only differences of receipts are taken.
    pub received_at: UnixSeconds,
}

impl Told {
    /// When the handshake was, by the time of receipt; `None` for never and for a clock that went
    /// back behind it.
    fn by_receipt(&self) -> Option<UnixSeconds> {
        let age = self.measured_at.since(self.handshake);
        (self.handshake.0 != 0 && age >= 0).then(|| self.received_at.minus(age))
    }
}

/// Seconds by which the clock at the first end is ahead of that at the second; `None` if they do
/// not tell of the same handshake.
pub fn between(own: &Told, peer: &Told) -> Option<i64> {
    let apart = own.by_receipt()?.since(peer.by_receipt()?);
    (apart.abs() <= SAME_WITHIN_S).then(|| own.handshake.since(peer.handshake))
}

/// How far a host's clock is from the middle of its peers' clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Seconds it is ahead; negative if it is behind. Of an even number of links, the one nearer to
    /// zero of the two in the middle.
    pub seconds: i64,
    /// Links that tell.
    pub links: usize,
}

/// The median over a host's links: what it says itself, and what the other end says.
pub fn of(links: impl IntoIterator<Item = (Told, Told)>) -> Option<Offset> {
    let mut all: Vec<i64> =
        links.into_iter().filter_map(|(own, peer)| between(&own, &peer)).collect();
    all.sort_unstable();
    let links = all.len();
    let middle = [links.checked_sub(1)? / 2, links / 2];
    let seconds = middle.into_iter().filter_map(|at| all.get(at)).min_by_key(|s| s.abs())?;
    Some(Offset { seconds: *seconds, links })
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    /// An end whose clock is `ahead` seconds ahead of ours tells, in a report received `at`
    /// seconds after T, of a handshake that was `age` seconds old when it looked.
    fn told(ahead: i64, at: i64, age: i64) -> Told {
        let received_at = T.plus(at);
        let measured_at = received_at.plus(ahead);
        Told { handshake: measured_at.minus(age), measured_at, received_at }
    }

    #[test]
    fn both_ends_of_one_handshake_tell_their_clocks_apart() {
        // It was at T; the ends report 10 and 25 s later.
        assert_eq!(between(&told(0, 10, 10), &told(0, 25, 25)), Some(0));
        assert_eq!(between(&told(90, 10, 10), &told(0, 25, 25)), Some(90));
        assert_eq!(between(&told(-40, 10, 10), &told(3_600, 25, 25)), Some(-3_640));
        // The way here takes its time: the clocks are a second or so off, and only that.
        assert_eq!(between(&told(0, 12, 10), &told(0, 25, 25)), Some(2));
    }

    #[test]
    fn another_handshake_tells_nothing() {
        // The second end looked before the next handshake, 120 s later.
        assert_eq!(between(&told(0, 130, 10), &told(0, 110, 110)), None);
        let never = Told { handshake: UnixSeconds(0), ..told(0, 10, 0) };
        assert_eq!(between(&never, &told(0, 10, 10)), None);
        // A clock that was set back behind its own handshake.
        assert_eq!(between(&told(0, 10, -3), &told(0, 10, 10)), None);
    }

    #[test]
    fn the_median_blames_the_host_that_all_its_peers_disagree_with() {
        let of_three = |own: i64, peers: [i64; 3]| {
            of(peers.map(|peer| (told(own, 10, 10), told(peer, 20, 20))))
        };
        assert_eq!(of_three(120, [0, 0, 1]), Some(Offset { seconds: 120, links: 3 }));
        // One wrong peer moves nobody else.
        assert_eq!(of_three(0, [900, 0, 0]), Some(Offset { seconds: 0, links: 3 }));
        assert_eq!(of_three(-7, [-7, -7, 900]), Some(Offset { seconds: 0, links: 3 }));
        // Of two that disagree, the one that finds less.
        let two = [(told(0, 10, 10), told(300, 20, 20)), (told(0, 10, 10), told(2, 20, 20))];
        assert_eq!(of(two), Some(Offset { seconds: -2, links: 2 }));
        assert_eq!(of([]), None);
    }
}
