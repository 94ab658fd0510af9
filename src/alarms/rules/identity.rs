//! Who an agent is: keys of its own, two hosts under one name, one WireGuard key on two hosts,
//! and shared keys that will not last.

use std::net::IpAddr;

use crate::model::key::WgKey;
use crate::model::state::{AlarmKind, Scheme, Severity};
use crate::model::time::UnixSeconds;

use super::AgentFacts;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// How often a host that was gone must come back before two hosts are the only explanation.
pub const RETURNS: Limit = Limit::count(
    "returns",
    2,
    (1, 100),
    "times that a host must take turns with another one under its name",
);

/// An agent that reads the key source again needs no longer.
pub const KEY_PATIENCE_S: Limit = Limit::seconds(
    "patience_s",
    3_600,
    (60, 2_592_000),
    "seconds that an agent may go on with the key before the current one, at least",
);

/// What tells one host from another in the reports of one agent.
///
/// A face is a digest of the boot id, or else of the WireGuard keys. A host that starts again
/// never shows its old face; two hosts under one name take turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faces {
    now: Option<u64>,
    before: Option<u64>,
    returns: u8,
    turned_at: UnixSeconds,
}

impl Faces {
    /// Takes the face of one more report. Whether two hosts take turns: an old face came back
    /// as often as [`RETURNS`] says, each time within two intervals of the last change.
    pub fn take_turns(
        &mut self,
        face: u64,
        now: UnixSeconds,
        interval_s: i64,
        limits: &Limits<'_>,
    ) -> bool {
        if self.now == Some(face) {
            return false;
        }
        let came_back = self.before == Some(face);
        let soon = now.since(self.turned_at) <= 2 * interval_s;
        self.returns = match (came_back, soon) {
            (true, true) => self.returns.saturating_add(1),
            (true, false) => 1,
            (false, _) => 0,
        };
        self.before = self.now.replace(face);
        self.turned_at = now;
        usize::from(self.returns) >= limits.count(&RETURNS)
    }
}

/// Two hosts report under one agent's name.
pub fn two_hosts<'a>(agent: &AgentFacts<'a>) -> Observation<'a> {
    let message = format!(
        "two hosts report as {}: their boot ids or WireGuard keys take turns; a disk image or a \
         key was copied, give one of them an identity of its own",
        agent.name
    );
    agent.bad(AlarmKind::IdentityConflict, agent.id.as_str(), message)
}

/// A second key was offered for an agent, and its own key did not sign for it.
pub fn second_key<'a>(agent: &AgentFacts<'a>, offered: &str) -> Observation<'a> {
    let message = format!(
        "a second key with the fingerprint {offered} was offered for {} and turned down; if the \
         host was set up again, unpin its old key, else somebody tries to take its place",
        agent.name
    );
    agent.bad(AlarmKind::IdentityConflict, agent.id.as_str(), message)
}

/// An agent with a key of its own was spoken for with the shared one.
pub fn downgrade<'a>(agent: &AgentFacts<'a>, scheme: Scheme) -> Observation<'a> {
    let message = format!(
        "a report of {} came signed with the shared key ({scheme}) and was refused, since the \
         agent has a key of its own; either it lost that key, or a holder of the shared one \
         speaks in its name",
        agent.name
    );
    agent.bad(AlarmKind::IdentityDowngrade, agent.id.as_str(), message)
}

/// A report came in as it should: signed with the agent's own key, from one host.
pub fn as_it_should<'a>(agent: &AgentFacts<'a>, kind: AlarmKind) -> Observation<'a> {
    agent.good(kind, agent.id.as_str())
}

/// An agent's key was taken as first seen.
pub fn pinned<'a>(agent: &AgentFacts<'a>, fingerprint: &str) -> Observation<'a> {
    let message = format!(
        "{} is known by a key of its own from now on, taken as first seen; its fingerprint is \
         {fingerprint}, compare it with what the host says",
        agent.name
    );
    agent.bad(AlarmKind::IdentityPinned, agent.id.as_str(), message)
}

/// One WireGuard key is, or no longer is, on several hosts that report. `hosts` are their names.
pub fn shared_wg_key<'a>(agent: &AgentFacts<'a>, key: &WgKey, hosts: &[&str]) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::WgKeyDuplicate, key.to_string());
    if hosts.len() < 2 {
        return agent.good(kind, subject);
    }
    let message = format!(
        "{} use one WireGuard key, {}: peers reach one or the other by chance, and each can read \
         the other's traffic; make a new key on all but one",
        hosts.join(" and "),
        key.short()
    );
    agent.bad(kind, subject, message)
}

/// Several hosts of one overlay have this address in it. `hosts` are those that report; one is
/// as it should be.
pub fn shared_address<'a>(
    agent: &AgentFacts<'a>,
    address: IpAddr,
    hosts: &[&str],
) -> Observation<'a> {
    let kind = AlarmKind::OverlayIpDuplicate;
    let subject = format!("{}|{address}", agent.fleet);
    if hosts.len() < 2 {
        return agent.good(kind, subject);
    }
    let message = format!(
        "{} have the address {address} in one overlay: packets for it reach one or the other by \
         chance; give all but one another address",
        hosts.join(" and ")
    );
    agent.bad(kind, subject, message)
}

/// Which shared key an agent's last report was signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAge {
    /// How many newer keys are in force.
    pub newer: usize,
    /// Seconds since the newest of them appeared.
    pub since_s: i64,
    /// Seconds between two looks at the key source.
    pub period_s: i64,
}

/// Does an agent still sign with a shared key that a rotation or two will drop?
pub fn old_key<'a>(
    agent: &AgentFacts<'a>,
    age: &KeyAge,
    limits: &Limits<'_>,
) -> Option<Observation<'a>> {
    let (kind, subject) = (AlarmKind::KeyOldInUse, agent.id.as_str());
    match age.newer {
        0 => Some(agent.good(kind, subject)),
        // It may simply not have asked for the key again yet.
        1 if age.since_s <= (2 * age.period_s).max(limits.get(&KEY_PATIENCE_S)) => None,
        1 => {
            let message = format!(
                "{} still signs with the key before the current one; see that it reads the key \
                 source again",
                agent.name
            );
            Some(agent.bad(kind, subject, message))
        }
        newer => {
            let message = format!(
                "{} signs with a key that {newer} newer ones have replaced: the next rotation \
                 locks it out; give it the current key first",
                agent.name
            );
            let seen = agent.bad(kind, subject, message);
            Some(Observation { severity: Severity::Major, ..seen })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Limits<'static> {
        Limits::usual(AlarmKind::IdentityConflict)
    }

    fn old() -> Limits<'static> {
        Limits::usual(AlarmKind::KeyOldInUse)
    }

    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::{Sample, T};

    /// Whether these faces, one every 15 s at an interval of 30, are two hosts.
    fn two(faces: &[u64]) -> bool {
        let mut seen = Faces::default();
        let times = (0..).map(|n| T.plus(n * 15));
        faces
            .iter()
            .zip(times)
            .fold(false, |_, (face, now)| seen.take_turns(*face, now, 30, &turns()))
    }

    #[test]
    fn an_address_on_two_hosts() {
        let sample = Sample::new();
        let address = [10, 8, 0, 7].into();
        let seen = shared_address(&sample.agent(), address, &["alpha", "gw1"]);
        assert!(seen.holds && seen.subject == "lab|10.8.0.7");
        assert!(seen.message.starts_with("alpha and gw1 have the address 10.8.0.7"));
        assert!(!shared_address(&sample.agent(), address, &["gw1"]).holds);
    }

    #[test]
    fn hosts_that_take_turns_are_two() {
        assert!(two(&[1, 2, 1, 2]));
        assert!(two(&[1, 1, 2, 2, 1, 1, 2]));
        // A reboot, several reboots, and a host that came back once.
        assert!(!two(&[1, 1, 2, 2, 3, 4, 4]));
        assert!(!two(&[1, 2, 1, 1, 1, 1]));
        assert!(!two(&[1, 2, 1, 3, 1, 4, 1, 5]));
        let mut seen = Faces::default();
        let slow = [1, 2, 1, 2, 1, 2].into_iter().zip(0..);
        for (face, n) in slow {
            assert!(
                !seen.take_turns(face, T.plus(n * 61), 30, &turns()),
                "a face changed after {n} min"
            );
        }
    }

    #[test]
    fn a_conflict_ends_after_ten_quiet_minutes_and_somebody() {
        let sample = Sample::new();
        let mut book = Book::default();
        let mut at = |t: i64, seen: &Observation<'_>| book.observe(seen, T.plus(t)).map(|s| s.step);
        let good = as_it_should(&sample.agent(), AlarmKind::IdentityConflict);
        assert_eq!(at(0, &good), None);
        assert_eq!(at(0, &second_key(&sample.agent(), "ab")), Some(Step::Raised));
        assert_eq!(at(300, &two_hosts(&sample.agent())), Some(Step::Noted));
        assert_eq!(at(899, &good), None);
        assert_eq!(at(900, &good), Some(Step::Returned));
        assert_eq!(at(901, &two_hosts(&sample.agent())), Some(Step::Raised));
        assert!(book.tick(T.plus(99_999)).is_empty(), "silence ends nothing");
    }

    #[test]
    fn old_keys_are_told_after_an_hour_and_the_oldest_louder() {
        let sample = Sample::new();
        let age = |newer, since_s| KeyAge { newer, since_s, period_s: 300 };
        let mut book = Book::default();
        let mut see = |age: KeyAge| {
            let seen = old_key(&sample.agent(), &age, &old())?;
            book.observe(&seen, T).map(|seen| (seen.step, seen.alarm.severity))
        };
        assert_eq!(see(age(0, 0)), None);
        assert_eq!(see(age(1, 3_600)), None);
        assert_eq!(see(age(1, 3_601)), Some((Step::Raised, Severity::Warning)));
        assert_eq!(see(age(2, 0)), Some((Step::Escalated, Severity::Major)));
        assert_eq!(see(age(0, 99)), Some((Step::Cleared, Severity::Major)));
        // A source that is seldom asked gives more time.
        let slow = KeyAge { period_s: 3_600, ..age(1, 7_200) };
        assert_eq!(old_key(&sample.agent(), &slow, &old()), None);
    }

    #[test]
    fn a_shared_wireguard_key_names_its_hosts() {
        let sample = Sample::new();
        let key = WgKey([7; 32]);
        let mut book = Book::default();
        let mut see = |hosts: &[&str]| {
            book.observe(&shared_wg_key(&sample.agent(), &key, hosts), T).map(|seen| seen.step)
        };
        assert_eq!(see(&["gw1"]), None);
        assert_eq!(see(&["gw1", "gw2"]), Some(Step::Noted));
        assert_eq!(see(&["gw1", "gw2"]), Some(Step::Raised));
        assert_eq!([see(&["gw1"]), see(&["gw1"])], [Some(Step::Noted), Some(Step::Returned)]);
        let seen = shared_wg_key(&sample.agent(), &key, &["gw1", "gw2"]);
        assert!(seen.message.starts_with("gw1 and gw2 use one WireGuard key, BwcHBwcH"));
    }

    #[test]
    fn what_people_are_told() {
        let sample = Sample::new();
        let agent = sample.agent();
        assert!(pinned(&agent, "00ff").message.contains("fingerprint is 00ff"));
        assert!(downgrade(&agent, Scheme::V1).message.contains("(v1)"));
        assert!(second_key(&agent, "00ff").message.contains("00ff"));
    }
}
