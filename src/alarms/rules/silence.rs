//! Many agents that fall silent at once: the manager's own network, not theirs.

use std::collections::BTreeSet;

use crate::model::id::AgentNo;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

use super::about;
use super::agent::Patience;
use super::manager::MANAGER;
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// Fewer say nothing about the manager.
pub const MASS: Limit =
    Limit::count("agents", 5, (2, 100_000), "agents that must fall silent at least");

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

/// Finds those that fell silent together, if they are so many that the manager is to blame.
///
/// That is half of those that were heard until then, and five. `heard` are agents with the time
/// of their last report that no other silent agent explains, and that were not given up as offline
/// before.
pub fn fell_silent(
    heard: &[(AgentNo, UnixSeconds)],
    patience: &Patience,
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> BTreeSet<AgentNo> {
    let is_silent = |seen: UnixSeconds| now.since(seen) > patience.stale_after_s();
    let newest = heard.iter().map(|(_, seen)| *seen).filter(|seen| is_silent(*seen)).max();
    let Some(newest) = newest else { return BTreeSet::new() };
    let together_s = limits.get(&TOGETHER_S);
    let until_then = heard.iter().filter(|(_, seen)| newest.since(*seen) <= together_s);
    let silent = until_then.clone().filter(|(_, seen)| is_silent(*seen));
    let silent: BTreeSet<AgentNo> = silent.map(|(no, _)| *no).collect();
    let most = silent.len() >= limits.count(&MASS) && silent.len() * 2 >= until_then.count();
    if most { silent } else { BTreeSet::new() }
}

/// Whether they still are silent: it is over when four of five report again.
pub fn mass(silent: usize, back: usize) -> Observation<'static> {
    let holds = silent > 0 && back * 5 < silent * 4;
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

    const PATIENCE: Patience = Patience::usual(30, UnixSeconds(0));

    /// How many of the agents heard last at these times fell silent together by 130 s.
    fn found(seen: &[i64]) -> usize {
        let heard: Vec<_> =
            seen.iter().zip(1..).map(|(at, no)| (AgentNo(no), T.plus(*at))).collect();
        fell_silent(&heard, &PATIENCE, &Limits::usual(AlarmKind::ManagerMassSilence), T.plus(130))
            .len()
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
        let holds = |silent, back| mass(silent, back).holds;
        assert_eq!(
            [holds(5, 0), holds(5, 3), holds(5, 4), holds(0, 0)],
            [true, true, false, false]
        );
        assert!(mass(10, 2).message.contains("10 agents fell silent within a minute (2 of them"));
    }
}
