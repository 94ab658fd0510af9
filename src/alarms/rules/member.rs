//! Who belongs to the fleet: who waits to be let in, who has been away for too long.

use crate::model::state::AlarmKind;
use crate::model::time::{UnixSeconds, duration_text as duration};
use crate::model::version::is_older;

use super::manager::MANAGER;
use super::{AgentFacts, about};
use crate::alarms::lifecycle::Observation;
use crate::alarms::tuning::{Limit, Limits};

/// 30 days.
pub const AWAY_S: Limit = Limit::seconds(
    "away_s",
    30 * 86_400,
    (3_600, 10 * 365 * 86_400),
    "seconds of being offline after which it is not expected back",
);

/// Names that a message lists.
const NAMES_TOLD: usize = 5;

/// Is an agent that went offline at `since` not coming back? `None` if it is too early to say.
pub fn away<'a>(
    agent: &AgentFacts<'a>,
    since: UnixSeconds,
    limits: &Limits<'_>,
    now: UnixSeconds,
) -> Option<Observation<'a>> {
    let away = now.since(since);
    (away >= limits.get(&AWAY_S)).then(|| {
        let message = format!(
            "{} has been offline for {}; if it is not coming back, take it out of service",
            agent.name,
            duration(away)
        );
        agent.bad(AlarmKind::AgentNeverReturned, agent.id.as_str(), message)
    })
}

/// An agent that was given up reports again, whatever it tells.
pub fn back<'a>(agent: &AgentFacts<'a>) -> Observation<'a> {
    let seen = agent.good(AlarmKind::AgentNeverReturned, agent.id.as_str());
    Observation { late: false, ..seen }
}

/// Is an agent's program older than `least`, which the rules file asks for? Where nothing is asked
/// for, none is; one that tells no version cannot be compared.
pub fn version<'a>(
    agent: &AgentFacts<'a>,
    told: Option<&str>,
    least: Option<&str>,
) -> Option<Observation<'a>> {
    let (kind, subject) = (AlarmKind::AgentVersionOld, agent.id.as_str());
    let Some(least) = least else { return Some(agent.good(kind, subject)) };
    let told = told?;
    if !is_older(told, least)? {
        return Some(agent.good(kind, subject));
    }
    let message = format!("{} runs {told}, older than {least}; update its agent", agent.name);
    Some(agent.bad(kind, subject, message))
}

/// Who waits for an admin, by name, sorted.
pub fn waiting(names: &[&str]) -> Observation<'static> {
    let trouble = (!names.is_empty()).then(|| {
        let told = names.get(..NAMES_TOLD).unwrap_or(names).join(", ");
        let who = match names.len() {
            1 => format!("an agent waits for an admin: {told}"),
            all if all > NAMES_TOLD => {
                format!("{all} agents wait for an admin: {told} and {} more", all - NAMES_TOLD)
            }
            all => format!("{all} agents wait for an admin: {told}"),
        };
        format!("{who}; compare the fingerprint with the host, then approve or refuse")
    });
    about(AlarmKind::AgentUnapproved, MANAGER, trouble)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::rules::tests_support::{Sample, T};

    #[test]
    fn thirty_days() {
        let sample = Sample::new();
        let usual = Limits::usual(AlarmKind::AgentNeverReturned);
        let at = |t| away(&sample.agent(), T, &usual, T.plus(t));
        assert_eq!(at(30 * 86_400 - 1), None);
        let seen = at(30 * 86_400).unwrap();
        assert!(seen.holds && seen.message.contains("offline for 30 d 0 h"), "{}", seen.message);
        let late = AgentFacts { late: true, ..sample.agent() };
        let back = back(&late);
        assert!(!back.holds && !back.late, "also a late report proves that it is back");
    }

    #[test]
    fn a_program_that_is_older_than_asked_for() {
        let sample = Sample::new();
        let holds = |told, least| version(&sample.agent(), told, least).map(|seen| seen.holds);
        assert_eq!(holds(Some("kattila 1.3.9"), Some("1.4")), Some(true));
        assert_eq!(holds(Some("kattila 1.4.0"), Some("1.4")), Some(false));
        assert_eq!(holds(Some("kattila 1.3.9"), None), Some(false), "nothing is asked for");
        assert_eq!(holds(None, Some("1.4")), None);
        assert_eq!(holds(Some("nightly"), Some("1.4")), None);
    }

    #[test]
    fn those_who_wait_are_named_up_to_five() {
        assert!(!waiting(&[]).holds);
        assert!(waiting(&["a"]).message.starts_with("an agent waits for an admin: a;"));
        assert!(waiting(&["a", "b"]).message.starts_with("2 agents wait for an admin: a, b;"));
        let many = waiting(&["a", "b", "c", "d", "e", "f", "g"]).message;
        assert!(
            many.starts_with("7 agents wait for an admin: a, b, c, d, e and 2 more;"),
            "{many}"
        );
    }
}
