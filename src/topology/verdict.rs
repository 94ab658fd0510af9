//! Is this link alive? One verdict from what both ends say, with the reason in a sentence.
//!
//! Every age is taken on the clock of the host that reported the handshake, so no clock of
//! ours, and none of the other end's, can make a link look old. An idle link is not a dead one:
//! WireGuard says nothing while nobody asks it to. Nothing here is remembered between calls.

use crate::model::state::{AgentStatus, EdgeState, EndState};
use crate::model::time::UnixSeconds;

mod words;

/// After this many seconds a session's keys are refused (`REJECT_AFTER_TIME` in the kernel's
/// `drivers/net/wireguard/messages.h`).
pub const REJECT_AFTER_S: i64 = 180;
/// Seconds between two attempts at a handshake (`REKEY_TIMEOUT`, same file).
pub const REKEY_TIMEOUT_S: i64 = 5;
/// Seconds an initiator keeps trying before it waits for the next packet to send
/// (`MAX_TIMER_HANDSHAKES` = 18 attempts of `REKEY_TIMEOUT`, same file).
pub const RETRY_CYCLE_S: i64 = 90;
/// No healthy link in use is called late before this age, whatever its keepalive: the sessions'
/// 180 s and 30 s for the handshake, its retries and the rhythm of the reports.
pub const LATE_FLOOR_S: i64 = 210;

/// The ages that decide, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// No healthy link that is in use gets older than this. An end that only receives renews
    /// its session with the first keepalive after 165 s, hence the keepalive in the sum.
    pub t1: i64,
    /// One whole cycle of attempts after `t1` has failed as well.
    pub t2: i64,
}

/// What the operator adds to what the protocol allows, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slack {
    /// On top of the least T1 that the protocol allows.
    pub t1_extra_s: i64,
    /// From T1 to T2.
    pub t2_extra_s: i64,
}

impl Slack {
    /// As the protocol has it.
    pub const USUAL: Self = Self { t1_extra_s: 0, t2_extra_s: RETRY_CYCLE_S };
}

/// The limits for a link whose ends' larger persistent keepalive is `keepalive` seconds.
pub fn limits(keepalive: u16) -> Limits {
    limits_with(keepalive, Slack::USUAL)
}

/// The same for a link that is given more, or less, time than others.
pub fn limits_with(keepalive: u16, slack: Slack) -> Limits {
    let t1 = LATE_FLOOR_S.max(REJECT_AFTER_S + i64::from(keepalive) + REKEY_TIMEOUT_S);
    let t1 = t1 + slack.t1_extra_s.max(0);
    Limits { t1, t2: t1 + slack.t2_extra_s.max(0) }
}

/// What is known from one end of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndEvidence<'a> {
    /// The end's name for people.
    pub name: &'a str,
    /// Whether an agent reports from here; `false` for an external peer.
    pub has_agent: bool,
    /// How the manager sees that agent.
    pub agent_status: Option<AgentStatus>,
    /// Whether the agent reported within its stale limit. What a silent agent said last is not
    /// evidence of the present.
    pub fresh: bool,
    /// Whether the agent sends no list of peers at all, so that not listing means nothing.
    pub peers_untold: bool,
    /// The interface of this end, if the agent has said last that its host has none of this
    /// name any more, and nothing has shown since that it has.
    pub gone: Option<&'a str>,
    /// Whether this end lists the other as a peer.
    pub listed: bool,
    /// Whether it lists the other under a key that the other does not use (any more): found by
    /// its address while the other end tells a different key.
    pub lists_old_key: bool,
    /// Last handshake on this host's clock; 0 = never.
    pub latest_handshake: UnixSeconds,
    /// When that was read, on the same clock.
    pub measured_at: UnixSeconds,
    /// Bytes received from the other end.
    pub rx_bytes: u64,
    /// Bytes sent to the other end.
    pub tx_bytes: u64,
    /// Bytes received in each of the last two intervals, newest first. `None` = not known: a
    /// counter that started again, no second report yet, or a newest report too old (over one
    /// and a half intervals) to be laid beside the other end's.
    pub d_rx: [Option<u64>; 2],
    /// Bytes sent in each of the last two intervals, as `d_rx`.
    pub d_tx: [Option<u64>; 2],
    /// Seconds between keepalives; 0 = off.
    pub persistent_keepalive: u16,
    /// Whether this end's interface works, if known.
    pub interface_up: Option<bool>,
    /// Whether the other end's overlay address lies in what this end allows it, if known.
    pub allowed_ips_ok: Option<bool>,
}

/// In which directions packets are known to pass of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// The ends do not tell.
    Untold,
    /// In both.
    Both,
    /// What this end sends arrives, by its place; what the other sends is lost.
    From(usize),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state of the link.
    pub state: EdgeState,
    /// What each end shows, in the order given.
    pub ends: [EndState; 2],
    /// The state in one sentence for a person, naming hosts. It holds ages, so it differs with
    /// every report: store it when `state` or `ends` change, not whenever it does.
    pub reason: String,
    /// Expected alive, and every end that can know is past T1: `down`, or on the way there.
    pub past_t1: bool,
    /// An end's interface is gone: a link that has worked cannot work now, whatever its age.
    pub gone: bool,
    /// In which directions packets pass, whatever the state: a link that died because one
    /// direction is lost still shows which.
    pub passage: Passage,
    /// Some agent at an end is silent, so that a *better* verdict than before may only mean
    /// that a witness is missing.
    pub witness_missing: bool,
}

impl EndEvidence<'_> {
    /// Fresh, and able to speak of the other end.
    fn testifies(&self) -> bool {
        self.has_agent && self.fresh && self.listed
    }

    /// Seconds since the last handshake on this host's clock; `None` for never, and for a clock
    /// that went back so far (more than T1) that the difference says nothing.
    fn age(&self, limits: Limits) -> Option<i64> {
        let age = self.measured_at.since(self.latest_handshake);
        (self.latest_handshake.0 != 0 && age >= -limits.t1).then_some(age.max(0))
    }

    fn clock_went_back(&self, limits: Limits) -> bool {
        self.latest_handshake.0 != 0 && self.age(limits).is_none()
    }

    fn sends(&self) -> bool {
        self.testifies() && self.d_tx.iter().all(|d| d.is_some_and(|bytes| bytes > 0))
    }

    fn hears(&self) -> bool {
        self.testifies() && self.d_rx.iter().all(|d| d.is_some_and(|bytes| bytes > 0))
    }

    fn hears_nothing(&self) -> bool {
        self.testifies() && self.d_rx == [Some(0), Some(0)]
    }

    /// Its agent reports, tells its peers, and the other is not among them, though the
    /// interface is there.
    fn denies(&self) -> bool {
        let silent = self.peers_untold || self.gone.is_some();
        self.has_agent && self.fresh && !silent && !self.listed
    }
}

/// Judges a link. Swapping the ends swaps the answer's ends and nothing else.
pub fn verdict(ends: [&EndEvidence<'_>; 2]) -> Verdict {
    verdict_with(ends, Slack::USUAL)
}

/// Judges a link that is given more, or less, time than others.
pub fn verdict_with(ends: [&EndEvidence<'_>; 2], slack: Slack) -> Verdict {
    let [a, b] = ends;
    if a.name > b.name {
        let mut swapped = judge(b, a, slack);
        swapped.ends.reverse();
        if let Passage::From(place) = swapped.passage {
            swapped.passage = Passage::From(1 - place);
        }
        return swapped;
    }
    judge(a, b, slack)
}

fn judge(a: &EndEvidence<'_>, b: &EndEvidence<'_>, slack: Slack) -> Verdict {
    let keepalive = a.persistent_keepalive.max(b.persistent_keepalive);
    let limits = limits_with(keepalive, slack);
    let expected = keepalive > 0 || a.sends() || b.sends();
    let facts = words::Facts { a, b, keepalive, limits };
    let ends = [end_state(a, limits, expected), end_state(b, limits, expected)];
    let age = [a, b].into_iter().filter(|e| e.testifies()).filter_map(|e| e.age(limits)).min();
    let past_t1 = expected && age.is_some_and(|age| age > limits.t1);
    let worked = [a, b].into_iter().any(|e| e.latest_handshake.0 != 0);
    let gone = worked && (a.gone.is_some() || b.gone.is_some());
    let (state, reason) = if gone {
        (EdgeState::Down, facts.gone())
    } else if !a.testifies() && !b.testifies() {
        (EdgeState::Unknown, facts.no_witness())
    } else if let Some(reason) = half_configured(a, b) {
        (EdgeState::HalfConfigured, reason)
    } else {
        match age {
            None if a.testifies() && a.clock_went_back(limits)
                || b.testifies() && b.clock_went_back(limits) =>
            {
                (EdgeState::Unknown, facts.clock_went_back())
            }
            None => (EdgeState::Never, facts.never()),
            Some(age) if age > limits.t1 && !expected => (EdgeState::Idle, facts.idle(age)),
            Some(age) if age > limits.t2 => (EdgeState::Down, facts.down(age)),
            Some(age) => match one_way(a, b) {
                Some((from, to)) => (EdgeState::OneWay, facts.one_way(from, to)),
                None => (EdgeState::Up, facts.up(age)),
            },
        }
    };
    let witness_missing = [a, b].into_iter().any(|e| e.has_agent && !e.fresh);
    let passage = passage(a, b, age);
    Verdict { state, ends, reason, past_t1, gone, passage, witness_missing }
}

fn end_state(end: &EndEvidence<'_>, limits: Limits, expected: bool) -> EndState {
    if !end.has_agent || !end.fresh {
        return EndState::Unknown;
    }
    if end.gone.is_some() {
        return EndState::Down;
    }
    if !end.listed {
        return if end.peers_untold { EndState::Unknown } else { EndState::Missing };
    }
    match end.age(limits) {
        None if end.clock_went_back(limits) => EndState::Unknown,
        None => EndState::Never,
        Some(age) if age <= limits.t1 => EndState::Up,
        Some(_) if !expected => EndState::Idle,
        Some(age) if age <= limits.t2 => EndState::Overdue,
        Some(_) => EndState::Down,
    }
}

/// The sentence if one end lists the other in vain.
fn half_configured(a: &EndEvidence<'_>, b: &EndEvidence<'_>) -> Option<String> {
    [(a, b), (b, a)].into_iter().filter(|(lister, _)| lister.testifies()).find_map(
        |(lister, other)| {
            if other.denies() {
                Some(format!(
                    "half configured: {} does not list {}'s key, {} lists its",
                    other.name, lister.name, lister.name
                ))
            } else if lister.lists_old_key {
                Some(format!(
                    "half configured: {} lists a key that {} does not use",
                    lister.name, other.name
                ))
            } else {
                None
            }
        },
    )
}

/// Who sends in vain to whom. Both must say so, over two reports each: keepalives travel one
/// way only, so one end's flat counter is nothing wrong.
fn one_way<'e, 'n>(
    a: &'e EndEvidence<'n>,
    b: &'e EndEvidence<'n>,
) -> Option<(&'e EndEvidence<'n>, &'e EndEvidence<'n>)> {
    let in_vain = |from: &EndEvidence<'_>, to: &EndEvidence<'_>| {
        from.sends() && to.hears_nothing() && (from.hears_nothing() || to.sends() && from.hears())
    };
    [(a, b), (b, a)].into_iter().find(|(from, to)| in_vain(from, to))
}

/// A completed handshake that is this young, in seconds, shows that both directions pass.
const PASSED_LATELY_S: i64 = 60;

/// In which directions packets pass. One is lost if, over two reports of both ends, what one end
/// sends does not arrive while it hears the other. Where neither hears anything, no direction is
/// known to pass: that link is dead, and its age will tell.
fn passage(a: &EndEvidence<'_>, b: &EndEvidence<'_>, age: Option<i64>) -> Passage {
    let only_from = |heard: &EndEvidence<'_>, lost: &EndEvidence<'_>| {
        lost.sends() && heard.hears_nothing() && heard.sends() && lost.hears()
    };
    let hears_now = |end: &EndEvidence<'_>| end.testifies() && end.d_rx[0] > Some(0);
    if only_from(a, b) {
        Passage::From(0)
    } else if only_from(b, a) {
        Passage::From(1)
    } else if age.is_some_and(|age| age <= PASSED_LATELY_S) || (hears_now(a) && hears_now(b)) {
        Passage::Both
    } else {
        Passage::Untold
    }
}

#[cfg(test)]
mod tests;
