//! Interfaces that stop working or disappear.

use crate::model::report::Interface;
use crate::model::state::{AlarmKind, AlarmState, Severity};

use super::AgentFacts;
use crate::alarms::lifecycle::{Alarm, Observation};

/// Beginnings of the names that container engines, hypervisors and VPN clients give to links
/// that come and go by design: Docker and Podman (`veth`, `docker`, `br-`, `podman`), Kubernetes
/// networks (`cni`, `flannel`, `cali`, `lxc`, `kube-`, `nodelocaldns`), virtual machines (`tap`,
/// `vnet`, `vif`, `fwbr`, `fwpr`, `fwln`), and `ifb` and `dummy` devices.
const PASSING: &[&str] = &[
    "veth",
    "docker",
    "br-",
    "podman",
    "cni",
    "flannel",
    "cali",
    "lxc",
    "kube-",
    "nodelocaldns",
    "tap",
    "vnet",
    "vif",
    "fwbr",
    "fwpr",
    "fwln",
    "ifb",
    "dummy",
];

/// Whether a link of this name comes and goes by design.
pub fn is_passing(name: &str) -> bool {
    PASSING.iter().any(|prefix| name.starts_with(prefix))
}

/// An interface alarm's subject: `AGENT_ID/INTERFACE`.
pub fn subject(agent: &AgentFacts<'_>, interface: &str) -> String {
    format!("{}/{interface}", agent.id)
}

/// Compares the interfaces of two reports of an agent. Both sections must be there: an agent
/// that says nothing of its interfaces has not lost them.
///
/// `open` are the agent's alarms as they stand, since what began in an earlier report goes on
/// in this one. `uplinks` are the interfaces that carry a default route.
pub fn compare<'a>(
    agent: &AgentFacts<'a>,
    before: &[Interface],
    after: &[Interface],
    uplinks: &[&str],
    open: &[&Alarm],
) -> Vec<Observation<'a>> {
    let mut seen = Vec::new();
    for now in after.iter().filter(|i| !is_passing(&i.name)) {
        let name = subject(agent, &now.name);
        let alarm = find(open, AlarmKind::IfaceDown, &name);
        let worked = before.iter().any(|b| b.name == now.name && b.is_up() == Some(true));
        match (broken(now), alarm) {
            (Some(true), _) if worked || alarm.is_some() => {
                let mut bad = down(agent, now, name, uplinks);
                // The route that made it an uplink goes with it.
                bad.severity = alarm.map_or(bad.severity, |alarm| bad.severity.max(alarm.own));
                seen.push(bad);
            }
            (Some(false), Some(_)) => seen.push(agent.good(AlarmKind::IfaceDown, name)),
            _ => {}
        }
    }
    seen.extend(gone(agent, before, after, open));
    seen
}

/// Whether an interface should work and does not; `None` if it does not say. One that a person
/// switched off is not broken.
fn broken(interface: &Interface) -> Option<bool> {
    if interface.admin_up() == Some(false) {
        return Some(false);
    }
    interface.is_up().map(|up| !up)
}

fn down<'a>(
    agent: &AgentFacts<'a>,
    interface: &Interface,
    subject: String,
    uplinks: &[&str],
) -> Observation<'a> {
    let wireguard = interface.public_key.is_some();
    let uplink = uplinks.contains(&interface.name.as_str());
    let carrier = if interface.flags.iter().any(|f| f == "NO-CARRIER") {
        "no carrier; check the cable or the other side"
    } else {
        "the link is down though it is switched on"
    };
    let what = match (wireguard, uplink) {
        (true, _) => " (WireGuard)",
        (_, true) => " (uplink)",
        _ => "",
    };
    let message = format!("{} on {}{what} stopped working: {carrier}", interface.name, agent.name);
    let mut seen = agent.bad(AlarmKind::IfaceDown, subject, message);
    if wireguard || uplink {
        seen.severity = Severity::Major;
    }
    seen
}

/// Interfaces that were there and are not, and those whose absence is an open alarm.
fn gone<'a>(
    agent: &AgentFacts<'a>,
    before: &[Interface],
    after: &[Interface],
    open: &[&Alarm],
) -> Vec<Observation<'a>> {
    let is_there = |name: &str| after.iter().any(|i| i.name == name);
    let mut seen = Vec::new();
    for lost in before.iter().filter(|b| !is_passing(&b.name) && !is_there(&b.name)) {
        let message = format!("{} disappeared from {}", lost.name, agent.name);
        let mut bad = agent.bad(AlarmKind::IfaceGone, subject(agent, &lost.name), message);
        if lost.public_key.is_some() {
            bad.severity = Severity::Major;
        }
        seen.push(bad);
    }
    for alarm in open.iter().filter(|a| a.kind == AlarmKind::IfaceGone) {
        let Some((_, name)) = alarm.subject.split_once('/') else { continue };
        if is_there(name) {
            seen.push(agent.good(AlarmKind::IfaceGone, alarm.subject.clone()));
        } else if !before.iter().any(|b| b.name == name) && alarm.state == AlarmState::Pending {
            let mut bad =
                agent.bad(AlarmKind::IfaceGone, alarm.subject.clone(), alarm.message.clone());
            bad.severity = alarm.own;
            seen.push(bad);
        }
    }
    // A link that is gone is not down any more; its own alarm says the rest.
    for alarm in open.iter().filter(|a| a.kind == AlarmKind::IfaceDown) {
        let Some((_, name)) = alarm.subject.split_once('/') else { continue };
        if !is_there(name) {
            seen.push(agent.good(AlarmKind::IfaceDown, alarm.subject.clone()));
        }
    }
    seen
}

fn find<'o>(open: &[&'o Alarm], kind: AlarmKind, subject: &str) -> Option<&'o Alarm> {
    open.iter().copied().find(|a| a.kind == kind && a.subject == subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::{Sample, T};
    use crate::model::key::WgKey;
    use crate::model::report::{Counters, LinkState};

    fn link(name: &str, state: LinkState, flags: &[&str]) -> Interface {
        Interface {
            name: name.into(),
            mac: None,
            mtu: None,
            state,
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            addresses: Vec::new(),
            public_key: None,
            listen_port: None,
            counters: Counters::default(),
        }
    }

    fn up(name: &str) -> Interface {
        link(name, LinkState::Up, &["UP", "LOWER_UP"])
    }

    fn unplugged(name: &str) -> Interface {
        link(name, LinkState::Down, &["NO-CARRIER", "UP"])
    }

    fn wg(name: &str) -> Interface {
        Interface {
            public_key: Some(WgKey([1; 32])),
            ..link(name, LinkState::Unknown, &["LOWER_UP", "POINTOPOINT", "UP"])
        }
    }

    /// Feeds a series of reports to a book; the steps told, with severities.
    fn story(reports: &[&[Interface]]) -> Vec<(AlarmKind, Step, Severity)> {
        let sample = Sample::new();
        let mut book = Book::default();
        let mut told = Vec::new();
        for pair in reports.windows(2) {
            let [before, after] = pair else { unreachable!() };
            let open: Vec<Alarm> = book.of_agent(sample.agent().no).cloned().collect();
            let open: Vec<&Alarm> = open.iter().collect();
            for seen in compare(&sample.agent(), before, after, &["eth0"], &open) {
                let transition = book.observe(&seen, T);
                told.extend(
                    transition
                        .filter(|t| t.step.is_told())
                        .map(|t| (t.alarm.kind, t.step, t.alarm.severity)),
                );
            }
        }
        told
    }

    #[test]
    fn down_is_told_with_the_second_report_and_ends_with_the_second_good_one() {
        use AlarmKind::IfaceDown;
        let (good, bad) = ([up("eth0")], [unplugged("eth0")]);
        assert!(story(&[&good, &bad]).is_empty());
        assert!(story(&[&good, &bad, &good, &bad, &good]).is_empty());
        let raised = (IfaceDown, Step::Raised, Severity::Major);
        assert_eq!(story(&[&good, &bad, &bad, &bad, &good]), [raised]);
        let cleared = (IfaceDown, Step::Cleared, Severity::Major);
        assert_eq!(story(&[&good, &bad, &bad, &good, &good]), [raised, cleared]);
        // Any other port is a minor matter.
        let (good, bad) = ([up("eth7")], [unplugged("eth7")]);
        assert_eq!(story(&[&good, &bad, &bad]), [(IfaceDown, Step::Raised, Severity::Minor)]);
    }

    #[test]
    fn what_never_worked_or_was_switched_off_is_not_down() {
        let bad = [unplugged("eth1")];
        assert!(story(&[&bad, &bad, &bad, &bad]).is_empty());
        assert!(story(&[&[], &bad, &bad]).is_empty());
        let off = [link("eth0", LinkState::Down, &["BROADCAST"])];
        assert!(story(&[&[up("eth0")], &off, &off, &off]).is_empty());
        // A WireGuard link never says UP, and is well.
        let wg = [wg("wg0")];
        assert!(story(&[&wg, &wg, &wg]).is_empty());
    }

    #[test]
    fn gone_is_major_for_wireguard_and_ends_when_it_is_back() {
        use AlarmKind::IfaceGone;
        let (with, without) = ([up("eth0"), wg("wg0")], [up("eth0")]);
        assert!(story(&[&with, &without]).is_empty());
        assert_eq!(
            story(&[&with, &without, &without, &without, &with]),
            [
                (IfaceGone, Step::Raised, Severity::Major),
                (IfaceGone, Step::Cleared, Severity::Major)
            ]
        );
        let with = [up("eth0"), up("eth5")];
        assert_eq!(
            story(&[&with, &without, &without]),
            [(IfaceGone, Step::Raised, Severity::Warning)]
        );
    }

    #[test]
    fn a_link_that_was_down_and_then_vanished_is_only_gone() {
        let told = story(&[&[up("eth0")], &[unplugged("eth0")], &[unplugged("eth0")], &[], &[]]);
        let steps: Vec<_> = told.iter().map(|(kind, step, _)| (*kind, *step)).collect();
        assert_eq!(
            steps,
            [
                (AlarmKind::IfaceDown, Step::Raised),
                (AlarmKind::IfaceGone, Step::Raised),
                (AlarmKind::IfaceDown, Step::Cleared),
            ]
        );
    }

    #[test]
    fn containers_come_and_go() {
        for name in ["veth12ab", "docker0", "br-9f00", "tap3", "cali77", "lxcbr0", "vnet1"] {
            assert!(is_passing(name), "{name}");
            assert!(story(&[&[up(name)], &[unplugged(name)], &[], &[]]).is_empty());
        }
        for name in ["eth0", "wg0", "br0", "tun0", "bond0", "wlp3s0", "lo"] {
            assert!(!is_passing(name), "{name}");
        }
    }
}
