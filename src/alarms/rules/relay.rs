//! Reports that come through other agents: who lost the straight way, which relay is dead, and
//! who passes on what breaks the rules.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::AgentNo;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

use super::AgentFacts;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// One alone is more likely to have stopped by itself.
pub const TOGETHER: Limit = Limit::count(
    "together",
    2,
    (1, 100_000),
    "agents that must fall silent through a relay which itself goes on reporting",
);

/// Reports of one host come once in an interval.
pub const WITHIN_INTERVALS: Limit = Limit::count(
    "within_intervals",
    2,
    (1, 100),
    "report intervals within which those count together that fell silent last",
);

/// Looks at the way a report took; `relays` are the names of those on it, next to the agent
/// first. A report that came straight proves that there is a way, however old what it tells is.
pub fn only<'a>(agent: &AgentFacts<'a>, relays: &[&str]) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::AgentRelayOnly, agent.id.as_str());
    if relays.is_empty() {
        return Observation { late: false, ..agent.good(kind, subject) };
    }
    let message = format!(
        "{} reaches the manager only through {}: its straight way is lost; look at the host's \
         route to the manager",
        agent.name,
        relays.join(", ")
    );
    agent.bad(kind, subject, message)
}

/// An agent whose last report came through relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// The agent.
    pub no: AgentNo,
    /// When that report was received.
    pub last_seen: UnixSeconds,
    /// Whether it is late since, by what holds for it.
    pub is_late: bool,
    /// The relays that are known agents, next to it first.
    pub relays: Vec<AgentNo>,
}

/// Those behind a dead relay that fell silent together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallen {
    /// How many.
    pub agents: usize,
    /// Whether the relay's own reports go on.
    pub reports: bool,
}

/// How many must fall silent together, and what that means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// [`TOGETHER`].
    pub agents: usize,
    /// [`WITHIN_INTERVALS`], in seconds.
    pub within_s: i64,
}

impl Together {
    /// What operators want of a relay.
    pub fn of(limits: &Limits<'_>, interval_s: i64) -> Self {
        let within_s = limits.get(&WITHIN_INTERVALS) * interval_s;
        Self { agents: limits.count(&TOGETHER), within_s }
    }
}

/// Finds the relays that are dead; `together` says what that takes of each.
///
/// Everybody behind one is late, and those that fell silent last, within two intervals of each
/// other, are two or more, or the relay is silent itself. Where several on a path would explain
/// it, the blame is with those that are silent themselves, and of them with the one nearest to
/// the manager.
pub fn dead(
    followers: &[Follower],
    reports: impl Fn(AgentNo) -> bool,
    together: impl Fn(AgentNo) -> Together,
) -> BTreeMap<AgentNo, Fallen> {
    let mut behind: BTreeMap<AgentNo, Vec<&Follower>> = BTreeMap::new();
    for follower in followers {
        for relay in &follower.relays {
            behind.entry(*relay).or_default().push(follower);
        }
    }
    behind.retain(|_, all| all.iter().all(|follower| follower.is_late));
    let silent: BTreeSet<AgentNo> = behind.keys().copied().filter(|no| !reports(*no)).collect();
    let mut dead = BTreeMap::new();
    for (relay, mut last) in behind {
        let newest = last.iter().map(|f| f.last_seen).max().unwrap_or_default();
        let Together { agents, within_s } = together(relay);
        last.retain(|f| newest.since(f.last_seen) <= within_s);
        let fallen = Fallen { agents: last.len(), reports: !silent.contains(&relay) };
        let is_blamed = !last.iter().all(|f| is_explained(f, relay, &silent));
        if is_blamed && (fallen.agents >= agents || !fallen.reports) {
            dead.insert(relay, fallen);
        }
    }
    dead
}

/// Whether another silent relay explains a follower's silence better than this one.
fn is_explained(follower: &Follower, relay: AgentNo, silent: &BTreeSet<AgentNo>) -> bool {
    let mut path = follower.relays.iter();
    if silent.contains(&relay) {
        return path.skip_while(|r| **r != relay).skip(1).any(|r| silent.contains(r));
    }
    silent.contains(&follower.no) || path.any(|r| silent.contains(r))
}

/// Whether a relay is dead.
pub fn is_dead<'a>(relay: &AgentFacts<'a>, fallen: Option<&Fallen>) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::RelayDead, relay.id.as_str());
    let Some(Fallen { agents, reports }) = fallen else { return relay.good(kind, subject) };
    let name = relay.name;
    let own = if *reports {
        "its own reports still come: look at its agent's door and at the network behind it"
    } else {
        "its own reports do not come either: look at the host"
    };
    let message = match agents {
        1 => {
            format!("{name} passes nothing on: the agent that reports through it is silent; {own}")
        }
        _ => format!(
            "{name} passes nothing on: {agents} agents that report through it fell silent \
             together; {own}"
        ),
    };
    relay.bad(kind, subject, message)
}

/// From so many on its loss is worth a thought.
pub const SPOF_AGENTS: Limit = Limit::count(
    "agents",
    5,
    (1, 1_000_000),
    "agents that reach the manager through the relay alone",
);
/// Seconds for which they must.
pub const SPOF_AFTER_S: i64 = 3_600;

/// Do many agents depend on one relay? `behind` is how many reach the manager through it alone.
pub fn spof<'a>(relay: &AgentFacts<'a>, behind: usize, limits: &Limits<'_>) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::RelaySpof, relay.id.as_str());
    if behind < limits.count(&SPOF_AGENTS).max(1) {
        return relay.good(kind, subject);
    }
    let message = format!(
        "{behind} agents reach the manager through {} alone; give some of them a straight way, or          another neighbour that relays",
        relay.name
    );
    relay.bad(kind, subject, message)
}

/// A relay that proved itself passed on what breaks the rules of the path; `fault` says which.
pub fn bad_chain<'a>(relay: &AgentFacts<'a>, fault: &str) -> Observation<'a> {
    let message = format!(
        "{} passed on a report whose path breaks the rules: {fault}; look at the agents on the \
         path",
        relay.name
    );
    relay.bad(AlarmKind::RelayChainBad, relay.id.as_str(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::{Sample, T};
    use crate::model::state::AlarmState;

    use crate::alarms::rules::agent::Patience;
    use crate::model::state::AgentStatus;

    const PATIENCE: Patience = Patience::usual(30, UnixSeconds(0));

    /// Agents 10, 20, ... are relays, the others not.
    fn follower(no: i64, seen: i64, relays: &[i64]) -> Follower {
        let relays = relays.iter().map(|no| AgentNo(*no)).collect();
        let last_seen = T.plus(seen);
        let is_late = PATIENCE.status(last_seen, T.plus(200)) != AgentStatus::Online;
        Follower { no: AgentNo(no), last_seen, is_late, relays }
    }

    /// The relays found dead when 200 s have passed; those in `reports` report themselves.
    fn found(followers: &[Follower], reports: &[i64]) -> Vec<(i64, usize)> {
        let reports = |no: AgentNo| reports.contains(&no.0);
        let together = Together::of(&Limits::usual(AlarmKind::RelayDead), 30);
        let dead = dead(followers, reports, |_| together);
        dead.into_iter().map(|(no, fallen)| (no.0, fallen.agents)).collect()
    }

    #[test]
    fn a_relay_is_dead_when_everybody_behind_it_is_silent() {
        let both = |a, b| [follower(1, a, &[10]), follower(2, b, &[10])];
        assert_eq!(found(&both(0, 30), &[10]), [(10, 2)]);
        // 100 s are not late yet.
        assert_eq!(found(&both(0, 100), &[]), []);
        assert_eq!(found(&both(0, 99), &[]), [(10, 1)]);
        // One that fell silent before the others tells nothing, for or against.
        assert_eq!(found(&both(0, 60), &[10]), [(10, 2)]);
        assert_eq!(found(&both(0, 61), &[10]), []);
        let third = [both(30, 61).as_slice(), &[follower(3, -9_000, &[10])]].concat();
        assert_eq!(found(&third, &[10]), [(10, 2)]);
        // One alone has stopped by itself, unless the relay is silent too.
        let one = [follower(1, 0, &[10])];
        assert_eq!((found(&one, &[10]), found(&one, &[])), (vec![], vec![(10, 1)]));
        assert_eq!(found(&[], &[]), []);
    }

    #[test]
    fn of_several_relays_on_a_path_one_is_blamed() {
        // 1 reports through 10, and 10 through 20.
        let chain = [follower(1, 0, &[10, 20]), follower(10, 10, &[20])];
        assert_eq!(found(&chain, &[]), [(20, 2)], "all are silent: the one nearest to the manager");
        assert_eq!(found(&chain, &[20]), [(10, 1)], "10 is silent, 20 is not");
        // Somebody else comes through 20.
        let more = [chain.as_slice(), &[follower(2, 150, &[20])]].concat();
        assert_eq!(found(&more, &[]), [(10, 1)]);
        let more = [chain.as_slice(), &[follower(2, 20, &[20])]].concat();
        assert_eq!(found(&more, &[20]), [(10, 1), (20, 3)], "10 does not explain 2");
    }

    #[test]
    fn one_straight_report_outweighs_any_by_relay() {
        let sample = Sample::new();
        let mut book = Book::default();
        let mut step = |seen: &Observation<'_>| book.observe(seen, T).map(|seen| seen.step);
        let relayed = only(&sample.agent(), &["hel-relay1", "hel-gw1"]);
        assert!(
            relayed.message.contains("only through hel-relay1, hel-gw1"),
            "{}",
            relayed.message
        );
        assert_eq!([step(&relayed), step(&relayed)], [Some(Step::Noted); 2]);
        // Reports of the past do not count; their way here does.
        let late = AgentFacts { late: true, ..sample.agent() };
        assert_eq!(step(&only(&late, &["hel-relay1"])), None);
        assert_eq!(step(&relayed), Some(Step::Raised));
        assert_eq!(step(&only(&late, &[])), Some(Step::Cleared));
        assert_eq!([step(&relayed), step(&relayed)], [Some(Step::Noted); 2]);
        assert_eq!(step(&only(&sample.agent(), &[])), Some(Step::Dropped));
    }

    #[test]
    fn a_bad_path_waits_for_somebody_after_half_an_hour() {
        let sample = Sample::new();
        let mut book = Book::default();
        let raised = book.observe(&bad_chain(&sample.agent(), "a loop"), T).unwrap();
        assert_eq!(raised.step, Step::Raised);
        assert!(raised.alarm.message.contains("breaks the rules: a loop;"));
        drop(book.observe(&bad_chain(&sample.agent(), "a loop"), T.plus(600)));
        assert!(book.tick(T.plus(2_399)).is_empty());
        let ended = book.tick(T.plus(2_400));
        assert_eq!((ended[0].step, ended[0].alarm.state), (Step::Returned, AlarmState::Returned));
    }

    #[test]
    fn five_behind_one_relay_for_an_hour() {
        let sample = Sample::new();
        let usual = Limits::usual(AlarmKind::RelaySpof);
        assert!(!spof(&sample.agent(), 4, &usual).holds);
        let mut book = Book::default();
        let seen = spof(&sample.agent(), 5, &usual);
        assert!(seen.message.starts_with("5 agents reach the manager through gw1 alone"));
        assert_eq!(book.observe(&seen, T).unwrap().step, Step::Noted);
        assert!(book.tick(T.plus(3_599)).is_empty());
        assert_eq!(book.tick(T.plus(3_600))[0].step, Step::Raised);
    }

    #[test]
    fn what_is_known_of_a_dead_relay_is_in_the_message() {
        let sample = Sample::new();
        let message =
            |agents, reports| is_dead(&sample.agent(), Some(&Fallen { agents, reports })).message;
        assert!(message(1, false).contains("the agent that reports through it is silent"));
        assert!(
            message(4, false).contains("4 agents")
                && message(4, false).contains("look at the host")
        );
        assert!(message(4, true).contains("its own reports still come"));
        assert!(!is_dead(&sample.agent(), None).holds);
    }
}
