//! Agents that fall silent, start again, or have a wrong clock.

use crate::model::state::{AgentStatus, AlarmKind, Severity};
use crate::model::time::{UnixSeconds, duration_text as duration};

use super::AgentFacts;
use crate::alarms::lifecycle::Observation;
use crate::alarms::rate::Recent;
use crate::alarms::tuning::{Limit, Limits};
use crate::topology::offset::SIGNED_S;
use crate::topology::verdict::limits;

/// Half of the default that refuses reports, so that a clock on the border does not flap.
pub const CLOCK_GOOD_S: Limit = Limit::seconds(
    "good_s",
    300,
    (1, 86_400),
    "an offset below this counts as a clock that is right again",
);
/// Two reports may be lost and the third be slow.
pub const STALE_INTERVALS: Limit =
    Limit::count("intervals", 3, (1, 1_000), "report intervals of silence before it is late");
/// For the way of a report.
pub const STALE_EXTRA_S: Limit =
    Limit::seconds("extra_s", 10, (0, 3_600), "seconds on top of the intervals");
/// Twice as long as late.
pub const OFFLINE_INTERVALS: Limit =
    Limit::count("intervals", 6, (1, 100_000), "report intervals of silence before it is offline");
/// A WireGuard session's life, so that a host is not called dead before its links are.
pub const OFFLINE_LEAST_S: Limit =
    Limit::seconds("least_s", 180, (1, 2_592_000), "seconds of silence that it takes at least");

/// Less is what one outage and its end may do.
pub const RETURNS: Limit =
    Limit::count("returns", 3, (2, 1_000), "times it comes back from being offline in window_s");
/// Half an hour.
pub const RETURNS_WINDOW_S: Limit =
    Limit::seconds("window_s", 1_800, (60, 604_800), "seconds for returns");

/// When silence means what, from the interval agents are told to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// `KATTILA_REPORT_INTERVAL`, in seconds.
    pub interval_s: i64,
    /// When the manager started.
    pub started_at: UnixSeconds,
    /// Intervals, and seconds on top of them, that an agent may be silent before it is late.
    pub stale: (i64, i64),
    /// Intervals, and seconds at least, that it may be silent before it is offline.
    pub offline: (i64, i64),
}

impl Patience {
    /// As the catalogue has it.
    pub const fn usual(interval_s: i64, started_at: UnixSeconds) -> Self {
        Self {
            interval_s,
            started_at,
            stale: (STALE_INTERVALS.default, STALE_EXTRA_S.default),
            offline: (OFFLINE_INTERVALS.default, OFFLINE_LEAST_S.default),
        }
    }

    /// The same with what operators say of an agent.
    #[must_use]
    pub fn with(self, stale: &Limits<'_>, offline: &Limits<'_>) -> Self {
        Self {
            stale: (stale.get(&STALE_INTERVALS), stale.get(&STALE_EXTRA_S)),
            offline: (offline.get(&OFFLINE_INTERVALS), offline.get(&OFFLINE_LEAST_S)),
            ..self
        }
    }

    /// Silent for longer than this is stale: three intervals, and 10 s for the way.
    pub fn stale_after_s(&self) -> i64 {
        let (intervals, extra_s) = self.stale;
        intervals * self.interval_s + extra_s
    }

    /// Silent for this long is offline: six intervals, and 180 s at least, a WireGuard
    /// session's life, so that a host is not called dead before its links are.
    pub fn offline_after_s(&self) -> i64 {
        let (intervals, least_s) = self.offline;
        (intervals * self.interval_s).max(least_s)
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

/// What a host that reports says of its link with one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight<'a> {
    /// Its name for people.
    pub peer: &'a str,
    /// The last handshake it tells, on the manager's clock; `None` = never.
    pub handshake_at: Option<UnixSeconds>,
    /// The larger persistent keepalive of the two ends; 0 = off.
    pub keepalive: u16,
    /// Whether the link counts as down.
    pub down: bool,
}

/// What a silent agent's peers say about its host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Peers<'a> {
    /// Nothing that would tell.
    #[default]
    CannotTell,
    /// This one has seen a handshake after the silence began: the host is alive.
    SeeIt(&'a str),
    /// Handshakes that had to come have not come.
    MissIt,
}

impl Peers<'_> {
    /// The same without the name.
    pub fn kind(&self) -> Peers<'static> {
        match self {
            Self::CannotTell => Peers::CannotTell,
            Self::SeeIt(_) => Peers::SeeIt(""),
            Self::MissIt => Peers::MissIt,
        }
    }
}

/// Judges the host of an agent last heard at `last_seen` by what its peers see. A host may die
/// at any time before its next report would have come, so handshakes of the first two intervals
/// prove nothing.
pub fn peers_see<'a>(
    sights: &[Sight<'a>],
    last_seen: UnixSeconds,
    patience: &Patience,
    now: UnixSeconds,
) -> Peers<'a> {
    let silence_began = last_seen.plus(2 * patience.interval_s);
    let newest = sights.iter().max_by_key(|sight| sight.handshake_at);
    if let Some(sight) = newest.filter(|sight| sight.handshake_at > Some(silence_began)) {
        return Peers::SeeIt(sight.peer);
    }
    let worked = || sights.iter().filter_map(|sight| Some((sight, sight.handshake_at?)));
    let due = |(sight, _): &(&Sight<'_>, UnixSeconds)| sight.down || sight.keepalive > 0;
    let missing = |(sight, at): (&Sight<'_>, UnixSeconds)| {
        sight.down || now.since(at) > limits(sight.keepalive).t1
    };
    if worked().any(|seen| due(&seen)) && worked().filter(due).all(missing) {
        return Peers::MissIt;
    }
    Peers::CannotTell
}

/// An agent that may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence<'a> {
    /// When it was last heard.
    pub last_seen: UnixSeconds,
    /// It is a gateway, a relay, or an agent without which the network falls apart.
    pub critical: bool,
    /// What its peers say of its host.
    pub peers: Peers<'a>,
    /// A relay that it reports through is dead, which explains its silence and has an alarm.
    pub explained: bool,
}

/// Looks at an agent's silence.
pub fn silence<'a>(
    agent: &AgentFacts<'a>,
    silence: &Silence<'_>,
    patience: &Patience,
    now: UnixSeconds,
) -> Vec<Observation<'a>> {
    if !patience.grace_is_over(now) {
        return Vec::new();
    }
    let silent = duration(now.since(silence.last_seen));
    let status = patience.status(silence.last_seen, now);
    let mut seen = Vec::new();
    if matches!(status, AgentStatus::Stale | AgentStatus::Offline) {
        let message = format!(
            "{} is late: no report for {silent}, more than {} s",
            agent.name,
            patience.stale_after_s()
        );
        seen.push(agent.bad(AlarmKind::AgentStale, agent.id.as_str(), message));
    }
    if status == AgentStatus::Offline && !silence.explained {
        let message = offline(agent.name, silence.peers, &silent);
        let mut offline = agent.bad(AlarmKind::AgentOffline, agent.id.as_str(), message);
        if silence.critical {
            offline.severity = Severity::Critical;
        }
        seen.push(offline);
    }
    seen
}

/// What is known about an agent that has been silent for so long.
fn offline(name: &str, peers: Peers<'_>, silent: &str) -> String {
    match peers {
        Peers::CannotTell => format!(
            "{name} is down or cut off: no report for {silent}; look at the host, its way here, \
             and the refused reports"
        ),
        Peers::SeeIt(peer) => format!(
            "{name}: agent stopped or cut off from the manager, host alive: no report for \
             {silent}, but its peers still see handshakes (last {peer}); look at the agent, its \
             way here, and the refused reports"
        ),
        Peers::MissIt => format!(
            "{name}: host down or cut off: no report for {silent}, and its peers see no \
             handshakes either; look at the host and its network"
        ),
    }
}

/// An agent reported, whatever it said: also a late report proves that it lives.
pub fn heard<'a>(agent: &AgentFacts<'a>) -> [Observation<'a>; 2] {
    [AlarmKind::AgentStale, AlarmKind::AgentOffline]
        .map(|kind| Observation { late: false, ..agent.good(kind, agent.id.as_str()) })
}

/// An agent that was offline reports again. Whether it did so too often; `recent` is what is
/// remembered of it.
pub fn note_return(
    recent: &mut Option<Box<Recent>>,
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> bool {
    let (times, window_s) = (limits.count(&RETURNS), limits.get(&RETURNS_WINDOW_S));
    let kept = recent.take().filter(|r| (r.threshold(), r.window_s()) == (times, window_s));
    recent.insert(kept.unwrap_or_else(|| Box::new(Recent::new(times, window_s)))).note(now)
}

/// It stops and comes back, again and again.
pub fn flapping<'a>(agent: &AgentFacts<'a>) -> Observation<'a> {
    let message = format!(
        "{} stops and comes back, again and again; look at the host's power, its uplink and the \
         agent's log",
        agent.name
    );
    let seen = agent.bad(AlarmKind::AgentFlapping, agent.id.as_str(), message);
    // Also a late report shows that it is back.
    Observation { late: false, ..seen }
}

/// It reports.
pub fn steady<'a>(agent: &AgentFacts<'a>) -> Observation<'a> {
    agent.good(AlarmKind::AgentFlapping, agent.id.as_str())
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
    limits: &Limits<'_>,
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
    (distance < limits.get(&CLOCK_GOOD_S).min(max_skew_s))
        .then(|| agent.good(AlarmKind::AgentClockSkew, subject))
}

/// Far from being refused, but no clock that is kept right is so far off.
pub const DRIFT_BAD_S: Limit = Limit::seconds(
    "bad_s",
    60,
    (1, 86_400),
    "an offset above this, within KATTILA_MAX_SKEW, counts as a clock that drifts",
);
/// Half of that, so that a clock on the border does not flap.
pub const DRIFT_GOOD_S: Limit = Limit::seconds(
    "good_s",
    30,
    (1, 86_400),
    "an offset below this counts as a clock that is right again",
);

/// What a host's peers say of its clock, by the handshakes that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByPeers<'a> {
    /// Nothing that would tell.
    Silent,
    /// They will, after another handshake or two.
    Untold,
    /// How far it is off.
    Known {
        /// Its clock minus the manager's, in seconds.
        s: i64,
        /// How many agree about that.
        peers: usize,
        /// The first few of them.
        names: Vec<&'a str>,
    },
}

/// Looks at the clock of an accepted report: its timestamp minus the manager's clock.
///
/// A report that took long on its way seems to come from a clock that is behind. Where the host's
/// peers know its clock to be right by their handshakes, it is; where they are about to know, this
/// cannot tell yet.
pub fn clock_drift<'a, 'p>(
    agent: &AgentFacts<'a>,
    offset_s: i64,
    by_peers: impl FnOnce() -> ByPeers<'p>,
    limits: &Limits<'_>,
) -> Option<Observation<'a>> {
    let (kind, subject) = (AlarmKind::AgentClockDrift, agent.id.as_str());
    let (distance, good_s) = (offset_s.saturating_abs(), limits.get(&DRIFT_GOOD_S));
    if distance <= limits.get(&DRIFT_BAD_S) {
        return (distance < good_s).then(|| agent.good(kind, subject));
    }
    let proof = match by_peers() {
        ByPeers::Untold if offset_s < 0 => return None,
        ByPeers::Known { s, .. } if offset_s < 0 && s.saturating_abs() < good_s => {
            return Some(agent.good(kind, subject));
        }
        ByPeers::Known { s, peers, names } if s.abs_diff(offset_s) <= SIGNED_S => {
            let pace = if s > 0 { "fast" } else { "slow" };
            let (far, more) = (duration(s.saturating_abs()), peers.saturating_sub(names.len()));
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names = names.join(", ");
            format!(", and runs {far} {pace} by {peers} of its peers' handshakes ({names}{more})")
        }
        ByPeers::Silent | ByPeers::Untold | ByPeers::Known { .. } => String::new(),
    };
    let direction = if offset_s > 0 { "ahead of" } else { "behind" };
    let message = format!(
        "{}'s clock is {} {direction} the manager's{proof}; see why it is not kept right before \
         its reports are refused",
        agent.name,
        duration(distance)
    );
    Some(agent.bad(kind, subject, message))
}

/// The clock is read before the counter is taken, and one that is being corrected steps a little.
pub const BACK_S: Limit = Limit::seconds(
    "back_s",
    2,
    (0, 3_600),
    "seconds that a report may be signed before the one before it",
);

/// Looks whether a report was signed before the one before it: `back_s` is by how much.
pub fn clock_went_back<'a>(
    agent: &AgentFacts<'a>,
    back_s: i64,
    limits: &Limits<'_>,
) -> Observation<'a> {
    let subject = agent.id.as_str();
    if back_s <= limits.get(&BACK_S) {
        return agent.good(AlarmKind::AgentClockWentBack, subject);
    }
    let message = format!(
        "{}'s clock went back by {}: its WireGuard peers refuse its handshakes until it is past the \
         time of the last one",
        agent.name,
        duration(back_s)
    );
    agent.bad(AlarmKind::AgentClockWentBack, subject, message)
}

#[cfg(test)]
mod tests;
