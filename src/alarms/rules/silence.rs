//! Many agents that fall silent at once: the manager's own network, not theirs.

use std::collections::BTreeSet;

use crate::model::id::AgentNo;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

use super::about;
use super::manager::MANAGER;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// Fewer say nothing about the manager.
pub const MASS: Limit =
    Limit::count("agents", 5, (2, 100_000), "agents that must fall silent at least");

/// Half: fewer may have a cause of their own.
pub const PERCENT: Limit = Limit::count(
    "percent",
    50,
    (10, 100),
    "percent of the agents that were heard until then that must fall silent at least",
);

/// Four of five.
pub const BACK_PERCENT: Limit =
    Limit::count("back_percent", 80, (1, 100), "percent of them that report again when it is over");

/// Two intervals of the usual length.
pub const TOGETHER_S: Limit =
    Limit::seconds("together_s", 60, (1, 3_600), "seconds within which they must be heard last");

/// Seconds for which silence is held to be the manager's own fault while many fell silent at
/// once; who is silent for longer counts for itself.
pub const HOLDS_S: Limit = Limit::seconds(
    "holds_s",
    300,
    (0, 86_400),
    "seconds for which it explains that an agent is offline",
);

/// An agent that no other silent agent explains, and that was not given up as offline before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The agent.
    pub no: AgentNo,
    /// When it was heard last.
    pub seen: UnixSeconds,
    /// Whether it is late since, by what holds for it.
    pub is_late: bool,
}

/// Finds those that fell silent together, if they are so many that the manager is to blame.
///
/// That is half of those that were heard until then, and five.
pub fn fell_silent(heard: &[Heard], limits: &Limits<'_>) -> BTreeSet<AgentNo> {
    let newest = heard.iter().filter(|agent| agent.is_late).map(|agent| agent.seen).max();
    let Some(newest) = newest else { return BTreeSet::new() };
    let together_s = limits.get(&TOGETHER_S);
    let until_then = heard.iter().filter(|agent| newest.since(agent.seen) <= together_s);
    let silent = until_then.clone().filter(|agent| agent.is_late);
    let silent: BTreeSet<AgentNo> = silent.map(|agent| agent.no).collect();
    let share = until_then.count() * limits.count(&PERCENT);
    if silent.len() >= limits.count(&MASS) && silent.len() * 100 >= share {
        silent
    } else {
        BTreeSet::new()
    }
}

/// Whether they still are silent: it is over when four of five report again.
pub fn mass(silent: usize, back: usize, limits: &Limits<'_>) -> Observation<'static> {
    let holds = silent > 0 && back * 100 < silent * limits.count(&BACK_PERCENT);
    let trouble = holds.then(|| {
        let returned = match back {
            0 => String::new(),
            back => format!(" ({back} of them are back)"),
        };
        format!(
            "{silent} agents fell silent within a minute{returned}: more likely the manager is cut \
             off than all of them dead; look at its network, its address and what is in front of it"
        )
    });
    about(AlarmKind::ManagerMassSilence, MANAGER, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::rules::tests_support::T;

    use crate::alarms::rules::agent::Patience;
    use crate::model::state::AgentStatus;

    fn usual() -> Limits<'static> {
        Limits::usual(AlarmKind::ManagerMassSilence)
    }

    const PATIENCE: Patience = Patience::usual(30, UnixSeconds(0));

    /// How many of the agents heard last at these times fell silent together by 130 s.
    fn found(seen: &[i64]) -> usize {
        let heard = |(at, no): (&i64, i64)| {
            let seen = T.plus(*at);
            let is_late = PATIENCE.status(seen, T.plus(130)) != AgentStatus::Online;
            Heard { no: AgentNo(no), seen, is_late }
        };
        let heard: Vec<_> = seen.iter().zip(1..).map(heard).collect();
        fell_silent(&heard, &usual()).len()
    }

    #[test]
    fn half_of_them_and_five() {
        assert_eq!(found(&[0, 5, 10, 20, 29]), 5);
        assert_eq!(found(&[0, 5, 10, 20]), 0, "four are not many");
        assert_eq!(found(&[0, 5, 10, 20, 29, 120, 121, 122, 123, 124]), 5);
        assert_eq!(found(&[0, 5, 10, 20, 29, 120, 121, 122, 123, 124, 125]), 0, "a minority");
        // 100 s are not late yet.
        assert_eq!(found(&[0, 5, 10, 20, 30]), 0);
        // Who fell silent long before tells nothing, for or against.
        assert_eq!(found(&[-900, -800, -700, -600, -500, 0, 5, 10, 20, 29]), 5);
        assert_eq!(found(&[-32, 5, 10, 20, 29]), 0);
        assert_eq!(found(&[]), 0);
    }

    #[test]
    fn four_of_five_back_end_it() {
        let holds = |silent, back| mass(silent, back, &usual()).holds;
        assert_eq!(
            [holds(5, 0), holds(5, 3), holds(5, 4), holds(0, 0)],
            [true, true, false, false]
        );
        assert!(
            mass(10, 2, &usual())
                .message
                .contains("10 agents fell silent within a minute (2 of them")
        );
    }
}
