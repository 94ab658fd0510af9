//! Links that are meant to be there and are not, and links that are there and are not meant to be.
//!
//! Only operators know what is meant; where they have said nothing, nothing is looked at.

use crate::model::id::{AgentNo, FleetId};
use crate::model::state::AlarmKind;

use super::about;
use crate::alarms::lifecycle::Observation;

/// Seconds for which it must be so: both ends of a link are set up one after the other.
pub const AFTER_S: i64 = 600;

/// Two hosts between which a link is meant to be, or is.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Their fleet.
    pub fleet: &'a FleetId,
    /// What they are called.
    pub names: [&'a str; 2],
    /// The agents there, as far as any report under these names.
    pub agents: [Option<AgentNo>; 2],
}

/// Names the pair in alarms, whichever end is told first.
pub fn subject(fleet: &FleetId, [one, other]: [&str; 2]) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    format!("{fleet}/{low}|{high}")
}

fn seen<'a>(kind: AlarmKind, pair: &Pair<'a>, trouble: Option<String>) -> Observation<'a> {
    let [agent, also] = pair.agents;
    let seen = about(kind, subject(pair.fleet, pair.names), trouble);
    let (agent, also) = (agent.or(also), agent.and(also));
    Observation { fleet: Some(pair.fleet), agent, also, ..seen }
}

/// Is a link that is meant to be there in nobody's configuration?
pub fn missing<'a>(pair: &Pair<'a>, is_missing: bool) -> Observation<'a> {
    let [one, other] = pair.names;
    let trouble = is_missing.then(|| {
        let unknown = pair.names.iter().zip(pair.agents).find(|(_, agent)| agent.is_none());
        let why = match unknown {
            Some((name, _)) => format!("nobody reports as {name}"),
            None => "neither lists the other as its peer".to_owned(),
        };
        format!(
            "the link {one} - {other} is meant to be there, and {why}; set it up, or take it \
                 out of the rules file"
        )
    });
    seen(AlarmKind::EdgeExpectedMissing, pair, trouble)
}

/// Is there a link that is not meant to be?
pub fn unexpected<'a>(pair: &Pair<'a>, is_there: bool) -> Observation<'a> {
    let [one, other] = pair.names;
    let trouble = is_there.then(|| {
        format!(
            "there is a link {one} - {other} that is not meant to be; take it down, or name it in \
             the rules file"
        )
    });
    seen(AlarmKind::EdgeUnexpected, pair, trouble)
}

/// What was open about a pair is over: nobody asks about it any more, or the link is gone.
pub fn over(kind: AlarmKind, subject: &str) -> Observation<'_> {
    about(kind, subject, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::rules::tests_support::Sample;

    #[test]
    fn a_pair_is_the_same_whichever_end_is_told_first() {
        let sample = Sample::new();
        let pair = |names, agents| Pair { fleet: &sample.fleet, names, agents };
        let both = [Some(AgentNo(1)), Some(AgentNo(2))];
        let seen = missing(&pair(["b", "a"], both), true);
        assert_eq!((&*seen.subject, seen.agent, seen.also), ("lab/a|b", both[0], both[1]));
        assert!(seen.message.contains("neither lists the other"), "{}", seen.message);
        let seen = missing(&pair(["a", "b"], [None, both[1]]), true);
        assert_eq!((&*seen.subject, seen.agent, seen.also), ("lab/a|b", both[1], None));
        assert!(seen.message.contains("nobody reports as a"), "{}", seen.message);
        assert!(!missing(&pair(["a", "b"], both), false).holds);
        assert!(unexpected(&pair(["a", "b"], both), true).message.contains("a - b that is not"));
    }
}
