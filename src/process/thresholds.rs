//! What other thresholds would make of the fleet now: how many agents would be late or down, and
//! how many links' handshakes too old. Pure; nothing is changed by asking.

use super::summary::AgentSummary;
use crate::alarms::rules::agent::Patience;
use crate::alarms::rules::edge::slack;
use crate::alarms::tuning::{Limits, Place, Tuning};
use crate::model::state::{AgentStatus, AlarmKind, EdgeState, EndState};
use crate::model::time::UnixSeconds;
use crate::topology::picture::{Edge, End};
use crate::topology::verdict::limits_with;

/// After how many seconds something counts as wrong, for everybody alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// An agent that is silent for longer is late.
    pub late_s: i64,
    /// An agent that is silent for this long is down.
    pub down_s: i64,
    /// A handshake that is older is too old, on a link that something expects alive.
    pub handshake_s: i64,
}

impl Thresholds {
    /// What is in force for whoever no entry of the rules with a fleet or a label is about.
    /// `handshake_s` is that of a link with a keepalive of 25 s or less; with a longer one more
    /// is allowed.
    pub fn in_force(interval_s: i64, tuning: &Tuning) -> Self {
        let limits = |kind| Limits::of(tuning, kind, Place::default());
        let patience = Patience::usual(interval_s, UnixSeconds::default())
            .with(&limits(AlarmKind::AgentStale), &limits(AlarmKind::AgentOffline));
        Self {
            late_s: patience.stale_after_s(),
            down_s: patience.offline_after_s(),
            handshake_s: limits_with(0, slack(&limits(AlarmKind::EdgeDown))).t1,
        }
    }
}

/// How many are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Agents that report in time.
    pub in_time: usize,
    /// Agents that are late.
    pub late: usize,
    /// Agents that are down.
    pub down: usize,
    /// Links in use with a handshake that is young enough.
    pub links_young: usize,
    /// Links that something expects alive, whose handshake is too old.
    pub links_old: usize,
}

impl Counts {
    fn agent(&mut self, status: AgentStatus) {
        match status {
            AgentStatus::Online => self.in_time += 1,
            AgentStatus::Stale => self.late += 1,
            AgentStatus::Offline => self.down += 1,
            AgentStatus::Pending | AgentStatus::Retired => {}
        }
    }

    fn link(&mut self, old: bool) {
        *(if old { &mut self.links_old } else { &mut self.links_young }) += 1;
    }
}

/// How the manager sees them now.
pub fn now(agents: &[AgentSummary], edges: &[Edge]) -> Counts {
    let mut counts = Counts::default();
    agents.iter().for_each(|agent| counts.agent(agent.status));
    edges.iter().filter(|edge| is_counted(edge)).for_each(|edge| counts.link(is_old(edge)));
    counts
}

/// How these thresholds would have it, by silence and age alone. The age of a handshake is the one
/// that its host told last.
pub fn with(agents: &[AgentSummary], edges: &[Edge], t: &Thresholds, now: UnixSeconds) -> Counts {
    let mut counts = Counts::default();
    for agent in agents {
        let watched = !matches!(agent.status, AgentStatus::Pending | AgentStatus::Retired);
        let Some(seen) = agent.last_seen_at.filter(|_| watched) else { continue };
        counts.agent(match now.since(seen) {
            silent if silent >= t.down_s => AgentStatus::Offline,
            silent if silent > t.late_s => AgentStatus::Stale,
            _ => AgentStatus::Online,
        });
    }
    for edge in edges.iter().filter(|edge| is_counted(edge)) {
        let age = edge.ends.iter().filter_map(age_s).min();
        counts.link(age.is_some_and(|age| age > t.handshake_s));
    }
    counts
}

/// Whether a link is expected alive, as far as that shows, and an end tells a handshake: an idle
/// one that nothing expects alive may be as old as it likes.
fn is_counted(edge: &Edge) -> bool {
    let keepalive = |end: &End| end.persistent_keepalive.is_some_and(|seconds| seconds > 0);
    let expected = edge.ends.iter().any(keepalive) || is_old(edge);
    let judged = matches!(edge.state, EdgeState::Up | EdgeState::OneWay | EdgeState::Down);
    judged && expected && edge.ends.iter().any(|end| age_s(end).is_some())
}

/// Whether every end that can tell is past what is in force.
fn is_old(edge: &Edge) -> bool {
    let is = |states: &[EndState]| edge.ends.iter().any(|end| states.contains(&end.state));
    is(&[EndState::Overdue, EndState::Down]) && !is(&[EndState::Up])
}

/// Seconds since the handshake of an end whose agent reports, on that host's clock.
fn age_s(end: &End) -> Option<i64> {
    if !matches!(end.state, EndState::Up | EndState::Overdue | EndState::Down) {
        return None;
    }
    let handshake = end.latest_handshake.filter(|at| at.0 != 0)?;
    Some(end.measured_at?.since(handshake).max(0))
}
