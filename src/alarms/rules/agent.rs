//! Agents that fall silent, start again, or have a wrong clock.

use crate::model::state::{AgentStatus, AlarmKind, Severity};
use crate::model::time::{UnixSeconds, duration_text as duration};

use super::AgentFacts;
use crate::alarms::lifecycle::Observation;

/// An offset below this many seconds counts as a clock that is right again. Half of the default
/// that refuses reports, so that a clock on the border does not flap.
const CLOCK_GOOD_S: i64 = 300;

/// When silence means what, from the interval agents are told to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// `KATTILA_REPORT_INTERVAL`, in seconds.
    pub interval_s: i64,
    /// When the manager started.
    pub started_at: UnixSeconds,
}

impl Patience {
    /// Silent for longer than this is stale: three intervals, and 10 s for the way.
    pub fn stale_after_s(&self) -> i64 {
        3 * self.interval_s + 10
    }

    /// Silent for this long is offline: six intervals, and 180 s at least, a WireGuard
    /// session's life, so that a host is not called dead before its links are.
    pub fn offline_after_s(&self) -> i64 {
        (6 * self.interval_s).max(180)
    }

    /// While the manager is younger than this it was itself the reason for the silence.
    pub fn grace_s(&self) -> i64 {
        (3 * self.interval_s).max(180)
    }

    /// What an agent last heard at `last_seen` is now: online, stale or offline.
    pub fn status(&self, last_seen: UnixSeconds, now: UnixSeconds) -> AgentStatus {
        match now.since(last_seen) {
            silent if silent >= self.offline_after_s() => AgentStatus::Offline,
            silent if silent > self.stale_after_s() => AgentStatus::Stale,
            _ => AgentStatus::Online,
        }
    }

    /// Whether silence says something about the agent yet.
    pub fn grace_is_over(&self, now: UnixSeconds) -> bool {
        now.since(self.started_at) >= self.grace_s()
    }
}

/// Whether a report's values were read so long before it was signed (both on the agent's clock)
/// that they belong in the history and prove nothing about the present.
pub fn is_late(measured_at: UnixSeconds, signed_at: UnixSeconds, patience: &Patience) -> bool {
    signed_at.since(measured_at) > patience.stale_after_s()
}

/// Looks at an agent's silence. `critical`: a gateway, a relay, or an agent without which the
/// network falls apart.
pub fn silence<'a>(
    agent: &AgentFacts<'a>,
    critical: bool,
    last_seen: UnixSeconds,
    patience: &Patience,
    now: UnixSeconds,
) -> Vec<Observation<'a>> {
    if !patience.grace_is_over(now) {
        return Vec::new();
    }
    let silent = duration(now.since(last_seen));
    let status = patience.status(last_seen, now);
    let mut seen = Vec::new();
    if matches!(status, AgentStatus::Stale | AgentStatus::Offline) {
        let message = format!(
            "{} is late: no report for {silent}, more than {} s",
            agent.name,
            patience.stale_after_s()
        );
        seen.push(agent.bad(AlarmKind::AgentStale, agent.id.as_str(), message));
    }
    if status == AgentStatus::Offline {
        let message = format!(
            "{} is down or cut off: no report for {silent}; look at the host, its way here, and \
             the refused reports",
            agent.name
        );
        let mut offline = agent.bad(AlarmKind::AgentOffline, agent.id.as_str(), message);
        if critical {
            offline.severity = Severity::Critical;
        }
        seen.push(offline);
    }
    seen
}

/// An agent reported, whatever it said: also a late report proves that it lives.
pub fn heard<'a>(agent: &AgentFacts<'a>) -> [Observation<'a>; 2] {
    [AlarmKind::AgentStale, AlarmKind::AgentOffline]
        .map(|kind| Observation { late: false, ..agent.good(kind, agent.id.as_str()) })
}

/// Compares boot ids; `None` if the agent does not send them.
pub fn rebooted<'a>(
    agent: &AgentFacts<'a>,
    before: Option<&str>,
    after: Option<&str>,
) -> Option<Observation<'a>> {
    let (before, after) = (before?, after?);
    let subject = agent.id.as_str();
    if before == after {
        return Some(agent.good(AlarmKind::AgentRebooted, subject));
    }
    let message = format!("{} was started again: its boot id changed", agent.name);
    Some(agent.bad(AlarmKind::AgentRebooted, subject, message))
}

/// Looks at the clock of a correctly signed report, accepted or refused for its time.
/// `offset_s` is its timestamp minus the manager's clock. Between right and refused it cannot
/// tell.
pub fn clock_skew<'a>(
    agent: &AgentFacts<'a>,
    offset_s: i64,
    max_skew_s: i64,
) -> Option<Observation<'a>> {
    let subject = agent.id.as_str();
    let distance = offset_s.saturating_abs();
    if distance > max_skew_s {
        let direction = if offset_s > 0 { "ahead of" } else { "behind" };
        let message = format!(
            "{}'s clock is {} {direction} the manager's, so its reports are refused; set the \
             host's clock",
            agent.name,
            duration(distance)
        );
        return Some(agent.bad(AlarmKind::AgentClockSkew, subject, message));
    }
    (distance < CLOCK_GOOD_S.min(max_skew_s))
        .then(|| agent.good(AlarmKind::AgentClockSkew, subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::rules::tests_support::{Sample, T};

    const PATIENCE: Patience = Patience { interval_s: 30, started_at: UnixSeconds(0) };

    #[test]
    fn silence_by_the_second() {
        let sample = Sample::new();
        let kinds = |silent: i64| -> Vec<AlarmKind> {
            silence(&sample.agent(), false, T, &PATIENCE, T.plus(silent))
                .iter()
                .map(|o| o.kind)
                .collect()
        };
        assert!(kinds(0).is_empty() && kinds(100).is_empty());
        assert_eq!(kinds(101), [AlarmKind::AgentStale]);
        assert_eq!(kinds(179), [AlarmKind::AgentStale]);
        assert_eq!(kinds(180), [AlarmKind::AgentStale, AlarmKind::AgentOffline]);
        // Short intervals do not make a dead host out of one session's life.
        let quick = Patience { interval_s: 5, ..PATIENCE };
        assert_eq!(
            (quick.stale_after_s(), quick.offline_after_s(), quick.grace_s()),
            (25, 180, 180)
        );
        let slow = Patience { interval_s: 300, ..PATIENCE };
        assert_eq!(
            (slow.stale_after_s(), slow.offline_after_s(), slow.grace_s()),
            (910, 1_800, 900)
        );
    }

    #[test]
    fn a_manager_that_just_started_blames_nobody() {
        let sample = Sample::new();
        let patience = Patience { started_at: T, ..PATIENCE };
        let long_ago = T.minus(9_999);
        assert!(silence(&sample.agent(), true, long_ago, &patience, T.plus(179)).is_empty());
        let seen = silence(&sample.agent(), true, long_ago, &patience, T.plus(180));
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1].severity, Severity::Critical);
        assert!(seen[1].message.starts_with("gw1 is down or cut off: no report for 2 h 49 min"));
    }

    #[test]
    fn any_report_is_a_sign_of_life() {
        let sample = Sample::new();
        let late = AgentFacts { late: true, ..sample.agent() };
        for seen in heard(&late) {
            assert!(!seen.holds && !seen.late, "{seen:?}");
        }
        assert!(is_late(T, T.plus(101), &PATIENCE) && !is_late(T, T.plus(100), &PATIENCE));
    }

    #[test]
    fn boots() {
        let sample = Sample::new();
        let holds = |a, b| rebooted(&sample.agent(), a, b).map(|o| o.holds);
        assert_eq!(holds(Some("x"), Some("y")), Some(true));
        assert_eq!(holds(Some("x"), Some("x")), Some(false));
        assert_eq!(holds(None, Some("x")), None);
        assert_eq!(holds(Some("x"), None), None);
    }

    #[test]
    fn clocks() {
        let sample = Sample::new();
        let holds = |s| clock_skew(&sample.agent(), s, 600).map(|o| o.holds);
        assert_eq!([holds(601), holds(-601)], [Some(true), Some(true)]);
        assert_eq!([holds(600), holds(300), holds(-300)], [None, None, None]);
        assert_eq!([holds(299), holds(-299), holds(0)], [Some(false); 3]);
        let seen = clock_skew(&sample.agent(), -4_000, 600).unwrap();
        assert!(seen.message.contains("1 h 6 min behind the manager's"), "{}", seen.message);
        // A manager told to be strict does not wait for a clock better than it asks for.
        assert_eq!(clock_skew(&sample.agent(), 100, 60).map(|o| o.holds), Some(true));
        assert_eq!(clock_skew(&sample.agent(), 59, 60).map(|o| o.holds), Some(false));
    }
}
