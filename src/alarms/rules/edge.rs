//! Links that are down or half configured, and peers nobody knows.

use crate::model::id::{AgentNo, FleetId, ReportId};
use crate::model::key::WgKey;
use crate::model::state::{AlarmKind, EdgeState, Severity};

use super::about;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};
use crate::topology::edge_match::EndpointName;
use crate::topology::verdict::{RETRY_CYCLE_S, Slack, Verdict};

/// Added to what the protocol allows a healthy link.
pub const T1_EXTRA_S: Limit = Limit::seconds(
    "t1_extra_s",
    0,
    (0, 86_400),
    "seconds that a link in use may go without a handshake beyond T1 before it is a warning",
);
/// A whole cycle of attempts.
pub const T2_EXTRA_S: Limit = Limit::seconds(
    "t2_extra_s",
    RETRY_CYCLE_S,
    (0, 86_400),
    "seconds from the warning until the link counts as down",
);

/// The time that a link is given.
pub fn slack(limits: &Limits<'_>) -> Slack {
    Slack { t1_extra_s: limits.get(&T1_EXTRA_S), t2_extra_s: limits.get(&T2_EXTRA_S) }
}

/// The link a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct EdgeFacts<'a> {
    /// The edge's name: the alarm's subject.
    pub id: &'a str,
    /// Its fleet.
    pub fleet: &'a FleetId,
    /// The agent at its first end.
    pub agent: Option<AgentNo>,
    /// The agent at its other end, if both have one.
    pub also: Option<AgentNo>,
    /// Both ends' names for people.
    pub names: [&'a str; 2],
    /// The verdict, new.
    pub verdict: &'a Verdict,
    /// Whether the link is the only way between two parts of the network.
    pub is_bridge: bool,
    /// The report that led to the verdict, if one did.
    pub report: Option<ReportId>,
    /// Whether that report is late.
    pub late: bool,
}

impl<'a> EdgeFacts<'a> {
    /// An observation about this link.
    pub(super) fn seen(&self, kind: AlarmKind, trouble: Option<String>) -> Observation<'a> {
        Observation {
            fleet: Some(self.fleet),
            agent: self.agent,
            also: self.also,
            late: self.late,
            report: self.report,
            ..about(kind, self.id, trouble)
        }
    }

    fn trouble(&self) -> String {
        let [a, b] = self.names;
        format!("{a} - {b} {}", self.verdict.reason)
    }
}

/// Is the link down, or on the way there? Says nothing where the verdict rests on too little.
pub fn down<'a>(edge: &EdgeFacts<'a>) -> Option<Observation<'a>> {
    let verdict = edge.verdict;
    let holds = match verdict.state {
        EdgeState::Down if verdict.gone => true,
        EdgeState::Up | EdgeState::OneWay | EdgeState::Down => verdict.past_t1,
        // Nothing expects it alive any more; but perhaps the one who did has fallen silent.
        EdgeState::Idle if !verdict.witness_missing => false,
        EdgeState::Idle | EdgeState::HalfConfigured | EdgeState::Never | EdgeState::Unknown => {
            return None;
        }
    };
    let mut seen = edge.seen(AlarmKind::EdgeDown, holds.then(|| edge.trouble()));
    seen.severity = match (verdict.state == EdgeState::Down, edge.is_bridge) {
        (true, true) => Severity::Critical,
        (true, false) => Severity::Major,
        (false, _) => Severity::Warning,
    };
    Some(seen)
}

/// Does one end list the other in vain?
pub fn half_configured<'a>(edge: &EdgeFacts<'a>) -> Option<Observation<'a>> {
    let holds = edge.verdict.state == EdgeState::HalfConfigured;
    let cannot_tell = edge.verdict.state == EdgeState::Unknown || edge.verdict.witness_missing;
    if !holds && cannot_tell {
        return None;
    }
    Some(edge.seen(AlarmKind::EdgeHalfConfigured, holds.then(|| edge.trouble())))
}

/// A peer entry whose other end a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct PeerFacts<'a> {
    /// The fleet that lists the peer.
    pub fleet: &'a FleetId,
    /// The agent that lists it.
    pub agent: AgentNo,
    /// That agent's name for people.
    pub listed_by: &'a str,
    /// The peer's key.
    pub key: WgKey,
    /// Whether somebody has given the key a name: it is known, only not managed.
    pub is_labelled: bool,
    /// The report it was seen in.
    pub report: Option<ReportId>,
    /// Whether that report is late.
    pub late: bool,
}

/// Does the key belong to nobody? `is_external` is the answer of the matching.
pub fn unknown_peer<'a>(peer: &PeerFacts<'a>, is_external: bool) -> Observation<'a> {
    let subject = EndpointName::External { fleet: peer.fleet, key: peer.key }.to_string();
    let trouble = is_external.then(|| {
        format!(
            "{} lists a peer that no agent is: key {}; install an agent there, or accept it by \
             acknowledging this",
            peer.listed_by, peer.key
        )
    });
    let mut seen = about(AlarmKind::PeerUnknown, subject, trouble);
    seen.fleet = Some(peer.fleet);
    seen.agent = Some(peer.agent);
    seen.report = peer.report;
    seen.late = peer.late;
    if peer.is_labelled {
        seen.severity = Severity::Info;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::T;
    use crate::model::time::UnixSeconds;
    use crate::topology::verdict::{EndEvidence, verdict};

    fn end(name: &'static str, age: i64) -> EndEvidence<'static> {
        EndEvidence {
            name,
            has_agent: true,
            fresh: true,
            listed: true,
            latest_handshake: T.minus(age),
            measured_at: T,
            persistent_keepalive: 25,
            ..EndEvidence::default()
        }
    }

    fn judge(a: EndEvidence<'_>, b: EndEvidence<'_>) -> Verdict {
        verdict([&a, &b])
    }

    fn edge<'a>(fleet: &'a FleetId, verdict: &'a Verdict) -> EdgeFacts<'a> {
        EdgeFacts {
            id: "0123456789abcdef",
            fleet,
            agent: Some(AgentNo(1)),
            also: None,
            names: ["alpha", "beta"],
            verdict,
            is_bridge: false,
            report: None,
            late: false,
        }
    }

    /// What one verdict means for both rules: holds, or not, or nothing.
    fn meaning(verdict: &Verdict) -> (Option<bool>, Option<bool>) {
        let fleet = "lab".parse().unwrap();
        let edge = edge(&fleet, verdict);
        (down(&edge).map(|o| o.holds), half_configured(&edge).map(|o| o.holds))
    }

    #[test]
    fn verdicts_mean() {
        let silent = |e: EndEvidence<'static>| EndEvidence { fresh: false, ..e };
        let quiet = |e: EndEvidence<'static>| EndEvidence { persistent_keepalive: 0, ..e };
        let denies = EndEvidence { listed: false, ..end("beta", 0) };
        let never = |name| EndEvidence { latest_handshake: UnixSeconds(0), ..end(name, 0) };
        for (v, expected) in [
            (judge(end("alpha", 9), end("beta", 9)), (Some(false), Some(false))),
            (judge(end("alpha", 250), end("beta", 250)), (Some(true), Some(false))),
            (judge(end("alpha", 400), end("beta", 400)), (Some(true), Some(false))),
            (judge(quiet(end("alpha", 400)), quiet(end("beta", 400))), (Some(false), Some(false))),
            (judge(end("alpha", 400), denies), (None, Some(true))),
            (judge(never("alpha"), never("beta")), (None, Some(false))),
            // With a witness missing only proof counts, and no news is no good news.
            (judge(end("alpha", 9), silent(end("beta", 9))), (Some(false), None)),
            (judge(end("alpha", 400), silent(end("beta", 9))), (Some(true), None)),
            (judge(quiet(end("alpha", 400)), quiet(silent(end("beta", 9)))), (None, None)),
            (judge(silent(end("alpha", 9)), silent(end("beta", 9))), (None, None)),
        ] {
            assert_eq!(meaning(&v), expected, "{v:?}");
        }
    }

    #[test]
    fn a_dying_link_warns_at_t1_and_is_major_at_t2() {
        let fleet: FleetId = "lab".parse().unwrap();
        let mut book = Book::default();
        let mut told = Vec::new();
        for age in [180, 220, 250, 280, 310, 340, 2] {
            let v = judge(end("alpha", age), end("beta", age));
            let seen = down(&edge(&fleet, &v)).unwrap();
            told.extend(
                book.observe(&seen, T)
                    .filter(|t| t.step.is_told())
                    .map(|t| (age, t.step, t.alarm.severity, t.alarm.message)),
            );
        }
        let steps: Vec<_> = told.iter().map(|(age, step, sev, _)| (*age, *step, *sev)).collect();
        assert_eq!(
            steps,
            [
                (250, Step::Raised, Severity::Warning),
                (310, Step::Escalated, Severity::Major),
                (2, Step::Cleared, Severity::Major),
            ]
        );
        assert!(
            told[1].3.starts_with("alpha - beta down: last handshake 310 s ago on alpha"),
            "{}",
            told[1].3
        );
        let v = judge(end("alpha", 400), end("beta", 400));
        let bridge = EdgeFacts { is_bridge: true, ..edge(&fleet, &v) };
        assert_eq!(down(&bridge).unwrap().severity, Severity::Critical);
    }

    #[test]
    fn unknown_peers() {
        let fleet: FleetId = "lab".parse().unwrap();
        let peer = PeerFacts {
            fleet: &fleet,
            agent: AgentNo(1),
            listed_by: "alpha",
            key: WgKey([0; 32]),
            is_labelled: false,
            report: None,
            late: false,
        };
        let seen = unknown_peer(&peer, true);
        assert!(seen.holds && seen.severity == Severity::Warning);
        assert!(seen.subject.starts_with("lab|key:AAAA"), "{}", seen.subject);
        let labelled = unknown_peer(&PeerFacts { is_labelled: true, ..peer }, true);
        assert_eq!(labelled.severity, Severity::Info);
        assert!(!unknown_peer(&peer, false).holds);
    }
}
