//! What changed about a peer entry that nobody may have meant to change: what it may use, whether
//! it has a preshared key, where it is, by which port it is reached.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{AgentFacts, some_of};
use crate::alarms::lifecycle::{Alarm, Observation};
use crate::alarms::tuning::{Limit, Limits};
use crate::model::key::WgKey;
use crate::model::state::{AlarmKind, AlarmState};
use crate::model::time::UnixSeconds;

/// How often is for the catalogue to say: that many observations.
pub const ROAMS_WITHIN_S: Limit = Limit::seconds(
    "within_s",
    600,
    (60, 86_400),
    "seconds within which the changes of a peer's address count together",
);

/// A peer entry of an agent.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The agent that lists it.
    pub agent: AgentFacts<'a>,
    /// On which interface.
    pub interface: &'a str,
    /// The peer's key.
    pub key: &'a WgKey,
    /// The peer's name for people.
    pub name: &'a str,
}

impl<'a> Entry<'a> {
    /// The subject of alarms about it: `AGENT_ID/INTERFACE/KEY`.
    pub fn subject(&self) -> String {
        format!("{}/{}/{}", self.agent.id, self.interface, self.key)
    }

    fn bad(&self, kind: AlarmKind, message: String) -> Observation<'a> {
        self.agent.bad(kind, self.subject(), message)
    }
}

/// A peer that is still listed may not use any more what it could: `lost`, which now belongs to
/// the peer of the name `taker`, or to nobody.
pub fn moved<'a>(loser: &Entry<'a>, lost: &[IpNet], taker: Option<&str>) -> Observation<'a> {
    let (host, interface, lost) = (loser.agent.name, loser.interface, some_of(lost));
    let message = match taker {
        Some(taker) => format!(
            "{lost} moved from {} to {taker} on {interface} of {host}: WireGuard lets one peer have \
             a prefix, and the last one that is given it gets it",
            loser.name
        ),
        None => format!(
            "{} may use nothing any more on {interface} of {host}; it had {lost}",
            loser.name
        ),
    };
    loser.bad(AlarmKind::AllowedIpsMoved, message)
}

/// A peer that had a preshared key has none.
pub fn psk_removed<'a>(entry: &Entry<'a>) -> Observation<'a> {
    let message = format!(
        "the preshared key of {} was removed on {} of {}; without the same at the other end no \
         handshake succeeds, and without any the link is weaker than it was meant to be",
        entry.name, entry.interface, entry.agent.name
    );
    entry.bad(AlarmKind::WgPskRemoved, message)
}

/// A peer's packets come from another address than before.
pub fn roamed<'a>(entry: &Entry<'a>, from: IpAddr, to: IpAddr) -> Observation<'a> {
    let message = format!(
        "{} keeps moving, as seen from {} of {}, last from {from} to {to}; two hosts with one key \
         look like this, and so does a host whose ways take turns",
        entry.name, entry.interface, entry.agent.name
    );
    entry.bad(AlarmKind::EndpointFlapping, message)
}

/// A report in which a peer did not move. Before the alarm is raised this counts only when the time
/// is over in which it had to move on.
pub fn stayed<'a>(
    agent: &AgentFacts<'a>,
    alarm: &Alarm,
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> Option<Observation<'a>> {
    let waits = now.since(alarm.pending_since) <= limits.get(&ROAMS_WITHIN_S);
    let counts = alarm.state != AlarmState::Pending || !waits;
    counts.then(|| agent.good(AlarmKind::EndpointFlapping, alarm.subject.clone()))
}

/// Nothing is wrong any more with what an alarm is about, or it is gone.
pub fn well<'a>(agent: &AgentFacts<'a>, kind: AlarmKind, alarm: &Alarm) -> Observation<'a> {
    agent.good(kind, alarm.subject.clone())
}

/// What an alarm tells is still so.
pub fn still<'a>(agent: &AgentFacts<'a>, kind: AlarmKind, alarm: &Alarm) -> Observation<'a> {
    let seen = agent.bad(kind, alarm.subject.clone(), alarm.message.clone());
    Observation { severity: alarm.own, ..seen }
}

/// Who still sends to a port that an interface has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misled<'a> {
    /// Its name for people.
    pub by: &'a str,
    /// The port it sends to.
    pub port: u16,
}

/// Do others send to another port than an interface listens on? `subject` is the interface's.
pub fn port<'a>(
    agent: &AgentFacts<'a>,
    subject: String,
    listens_on: u16,
    misled: &[Misled<'_>],
) -> Observation<'a> {
    let Some(first) = misled.first() else {
        return agent.good(AlarmKind::ListenPortChanged, subject);
    };
    let more = match misled.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let message = format!(
        "{} listens on port {listens_on} now, and {}{more} still sends to port {}: until it sends \
         first, the other end does not find it",
        agent.name, first.by, first.port
    );
    agent.bad(AlarmKind::ListenPortChanged, subject, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::{Sample, T};

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    /// Calls with an entry for a peer of a sample agent.
    fn with(check: impl FnOnce(&Entry<'_>)) {
        let sample = Sample::new();
        let key = WgKey([7; 32]);
        check(&Entry { agent: sample.agent(), interface: "wg0", key: &key, name: "alpha" });
    }

    #[test]
    fn what_was_taken_is_told_with_both_names() {
        with(|alpha| {
            let lost = [net("10.8.0.7/32"), net("10.9.0.0/16")];
            let seen = moved(alpha, &lost, Some("beta"));
            assert_eq!(seen.subject, format!("gw1-id/wg0/{}", WgKey([7; 32])));
            assert!(
                seen.message.starts_with(
                    "10.8.0.7/32, 10.9.0.0/16 moved from alpha to beta on wg0 of gw1:"
                ),
                "{}",
                seen.message
            );
            let seen = moved(alpha, &lost, None);
            assert!(seen.holds && seen.message.starts_with("alpha may use nothing any more"));
        });
    }

    #[test]
    fn theft_stays_until_somebody_has_seen_it() {
        with(|alpha| {
            let mut book = Book::default();
            let raised =
                book.observe(&moved(alpha, &[net("10.8.0.7/32")], Some("beta")), T).unwrap();
            assert_eq!(raised.step, Step::Raised);
            let seen = book.acknowledge(raised.alarm.id, "kim", None, T).unwrap().unwrap();
            assert_eq!(
                (seen.step, seen.alarm.clear_cause.as_deref()),
                (Step::Cleared, Some("acknowledged"))
            );
        });
    }

    #[test]
    fn a_preshared_key_that_is_back_waits_for_somebody() {
        with(|alpha| {
            let mut book = Book::default();
            let raised = book.observe(&psk_removed(alpha), T).unwrap();
            assert_eq!(raised.step, Step::Raised);
            let (kind, alarm) = (raised.alarm.kind, raised.alarm);
            assert_eq!(book.observe(&still(&alpha.agent, kind, &alarm), T), None);
            let back = book.observe(&well(&alpha.agent, kind, &alarm), T).unwrap();
            assert_eq!(back.step, Step::Returned);
        });
    }

    /// Reports each 30 s, of which some tell another address; what was told, at which report.
    fn roaming(moves: &[i64], reports: i64) -> Vec<(i64, Step)> {
        let sample = Sample::new();
        let key = WgKey([7; 32]);
        let entry = Entry { agent: sample.agent(), interface: "wg0", key: &key, name: "alpha" };
        let limits = Limits::usual(AlarmKind::EndpointFlapping);
        let (mut book, mut told) = (Book::default(), Vec::new());
        for report in 0..reports {
            let now = T.plus(30 * report);
            let seen = if moves.contains(&report) {
                Some(roamed(&entry, [192, 0, 2, 1].into(), [192, 0, 2, 2].into()))
            } else {
                let alarm = book.find(AlarmKind::EndpointFlapping, &entry.subject()).cloned();
                alarm.and_then(|alarm| stayed(&entry.agent, &alarm, &limits, now))
            };
            let step = seen.and_then(|seen| book.observe(&seen, now)).map(|t| t.step);
            told.extend(step.filter(|step| step.is_told()).map(|step| (report, step)));
        }
        told
    }

    #[test]
    fn an_address_that_changes_four_times_in_ten_minutes_keeps_moving() {
        assert_eq!(roaming(&[1, 3, 5, 7], 40), [(7, Step::Raised), (37, Step::Cleared)]);
        assert_eq!(roaming(&[1, 8, 15, 20], 30), [(20, Step::Raised)]);
        // The next move within a quarter of an hour keeps it open.
        assert_eq!(roaming(&[1, 3, 5, 7, 30], 70), [(7, Step::Raised), (60, Step::Cleared)]);
        assert_eq!(roaming(&[1, 3, 5], 90), []);
        assert_eq!(roaming(&[1, 8, 15, 23], 60), []);
        assert_eq!(roaming(&[1, 3, 5, 30, 32, 34], 60), []);
    }

    #[test]
    fn a_port_that_others_do_not_know() {
        let sample = Sample::new();
        let misled = [Misled { by: "alpha", port: 51820 }, Misled { by: "beta", port: 51820 }];
        let seen = port(&sample.agent(), "gw1-id/wg0".into(), 40000, &misled);
        assert!(seen.holds);
        assert!(
            seen.message.starts_with(
                "gw1 listens on port 40000 now, and alpha and 1 more still sends to port 51820"
            ),
            "{}",
            seen.message
        );
        assert!(!port(&sample.agent(), "gw1-id/wg0".into(), 40000, &[]).holds);
    }
}
