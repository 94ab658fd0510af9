//! Interfaces that receive broken packets, or cannot send.
//!
//! Reports tell bytes and errors, but not packets. A packet on a wire has 60 bytes at least and,
//! but for jumbo frames, 1,514 at most, so the share of bad ones lies between two bounds: the alarm is
//! raised where even the lower one is too large, and ends where even the upper one is small.
//! Drops are not counted: drivers count there what nobody wanted, such as frames of other
//! networks, which healthy hosts have all the time.

use crate::model::report::{Counters, Interface};
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

use super::{AgentFacts, iface};
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// A few may come from a cable that was plugged in.
pub const ERRORS: Limit = Limit::count(
    "errors",
    100,
    (1, 1_000_000_000),
    "broken packets in five minutes, or as many times more in a longer time",
);
/// A tenth of a percent: TCP is slow from there on.
pub const PER_MILLION: Limit = Limit::count(
    "per_million",
    1_000,
    (1, 1_000_000),
    "broken packets of a million, whatever size they had",
);

/// Seconds over which growth is taken; a longer time between two reports counts as a whole.
const WINDOW_S: i64 = 300;
/// What is older says nothing of the present.
const OLD_S: i64 = 3_600;
/// Bytes of a packet, at least and at most.
const LEAST_BYTES: u64 = 60;
const MOST_BYTES: u64 = 1_514;

/// What an interface had counted at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    at: UnixSeconds,
    received: [u64; 2],
    sent: [u64; 2],
}

impl Tally {
    /// What an interface tells, if it is one whose packets run over a wire or through the air, and has ever
    /// seen a broken one.
    pub fn of(interface: &Interface, at: UnixSeconds) -> Option<Self> {
        let Counters { rx_bytes, tx_bytes, rx_errors, tx_errors, .. } = interface.counters;
        let received = [rx_errors.unwrap_or_default(), rx_bytes?];
        let sent = [tx_errors.unwrap_or_default(), tx_bytes?];
        let is_real = interface.mac.is_some()
            && interface.public_key.is_none()
            && !iface::is_passing(&interface.name);
        (is_real && received[0] + sent[0] > 0).then_some(Self { at, received, sent })
    }

    /// Growth since an earlier one, if none of the counters began anew: errors and bytes.
    fn since(&self, was: &Self) -> Option<[[u64; 2]; 2]> {
        let grown = |is: [u64; 2], was: [u64; 2]| {
            Some([is[0].checked_sub(was[0])?, is[1].checked_sub(was[1])?])
        };
        Some([grown(self.received, was.received)?, grown(self.sent, was.sent)?])
    }
}

/// What two tallies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Growth<'a> {
    /// It is too early to say; the earlier one is kept.
    Early,
    /// Nothing; the later one is kept.
    Nothing,
    /// This; the later one is kept.
    Seen(Observation<'a>),
}

/// Looks at an interface over the time since it was last looked at.
pub fn look<'a>(
    agent: &AgentFacts<'a>,
    name: &str,
    [was, is]: [&Tally; 2],
    limits: &Limits<'_>,
) -> Growth<'a> {
    let lasted_s = is.at.since(was.at);
    if (0..WINDOW_S).contains(&lasted_s) {
        return Growth::Early;
    }
    let Some(grown) = is.since(was).filter(|_| (WINDOW_S..=OLD_S).contains(&lasted_s)) else {
        return Growth::Nothing;
    };
    let (errors, share) = (limits.get(&ERRORS), limits.get(&PER_MILLION));
    let [many, share] = [errors * lasted_s / WINDOW_S, share].map(i64::unsigned_abs);
    let at_least = |[errors, bytes]: [u64; 2], size: u64| {
        errors.saturating_mul(size).saturating_mul(1_000_000) / bytes.max(1)
    };
    let is_bad = |one: &[u64; 2]| one[0] >= many && at_least(*one, LEAST_BYTES) > share;
    let is_good = |one: &[u64; 2]| one[0] == 0 || at_least(*one, MOST_BYTES) < share / 10;
    let (kind, subject) = (AlarmKind::IfaceErrors, iface::subject(agent, name));
    let [received, sent] = grown;
    if grown.iter().any(is_bad) {
        let [(bad, how), (other, else_how)] = if is_bad(&received) {
            [(received, "were broken when they arrived"), (sent, "could not be sent")]
        } else {
            [(sent, "could not be sent"), (received, "were broken when they arrived")]
        };
        let also = match other[0] {
            0 => String::new(),
            some => format!(", {some} {else_how}"),
        };
        let message = format!(
            "{name} on {}: {} packets {how} within {} min{also}; look at the cable, the port at its \
             other end, and whether both agree about speed and duplex",
            agent.name,
            bad[0],
            lasted_s / 60
        );
        return Growth::Seen(agent.bad(kind, subject, message));
    }
    if grown.iter().all(is_good) {
        Growth::Seen(agent.good(kind, subject))
    } else {
        Growth::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::rules::tests_support::{Sample, T};

    fn tally(at: i64, received: [u64; 2]) -> Tally {
        Tally { at: T.plus(at), received, sent: [0, 0] }
    }

    /// What is seen of an interface that received so many broken packets and bytes.
    fn seen(at: i64, errors: u64, bytes: u64) -> Option<Option<bool>> {
        let sample = Sample::new();
        let tallies = [&tally(0, [7, 1_000]), &tally(at, [7 + errors, 1_000 + bytes])];
        let usual = Limits::usual(AlarmKind::IfaceErrors);
        match look(&sample.agent(), "eth0", tallies, &usual) {
            Growth::Early => None,
            Growth::Nothing => Some(None),
            Growth::Seen(seen) => Some(Some(seen.holds)),
        }
    }

    #[test]
    fn a_tenth_of_a_percent_whatever_size_the_packets_have() {
        assert_eq!(seen(299, 500, 1_000), None, "not yet");
        assert_eq!(seen(300, 99, 1_000), Some(None), "few");
        // 100 errors among 100,000 packets of 60 bytes.
        assert_eq!(seen(300, 100, 6_000_000), Some(None));
        assert_eq!(seen(300, 101, 6_000_000), Some(Some(true)));
        assert_eq!(seen(600, 101, 6_000_000), Some(None), "in ten minutes it takes twice as many");
        assert_eq!(seen(300, 0, 6_000_000), Some(Some(false)));
        // 10 among 200,000 packets of 1,514 bytes are less than a hundredth of a percent.
        assert_eq!(seen(300, 10, 300_000_000), Some(Some(false)));
        assert_eq!(seen(300, 10, 100_000_000), Some(None));
        assert_eq!(seen(3_601, 9_999, 1), Some(None), "the host was away");
        assert_eq!(seen(-1, 9_999, 1), Some(None), "its clock was set");
        let sample = Sample::new();
        let tallies = [&tally(0, [7, 1_000]), &tally(300, [3, 9_000])];
        let usual = Limits::usual(AlarmKind::IfaceErrors);
        assert_eq!(look(&sample.agent(), "eth0", tallies, &usual), Growth::Nothing, "began anew");
    }

    #[test]
    fn only_what_runs_over_a_wire_is_looked_at() {
        let counters = Counters {
            rx_bytes: Some(1),
            tx_bytes: Some(1),
            rx_errors: Some(1),
            ..Counters::default()
        };
        let mac = Some("02:00:00:00:00:01".to_owned());
        let eth = Interface { name: "eth0".into(), mac, counters, ..bare() };
        assert!(Tally::of(&eth, T).is_some());
        let healthy = Counters { rx_errors: Some(0), ..counters };
        for other in [
            Interface { mac: None, ..eth.clone() },
            Interface { name: "veth1".into(), ..eth.clone() },
            Interface { public_key: Some(crate::model::key::WgKey([1; 32])), ..eth.clone() },
            Interface { counters: healthy, ..eth.clone() },
        ] {
            assert_eq!(Tally::of(&other, T), None, "{other:?}");
        }
    }

    fn bare() -> Interface {
        Interface {
            name: String::new(),
            mac: None,
            mtu: None,
            state: crate::model::report::LinkState::Up,
            flags: Vec::new(),
            addresses: Vec::new(),
            public_key: None,
            listen_port: None,
            counters: Counters::default(),
        }
    }
}
