//! Reports that should not have come: bad signatures, replays, secrets.

use crate::model::id::FleetId;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

use super::{AgentFacts, about};
use crate::alarms::lifecycle::Observation;
use crate::alarms::rate::Recent;
use crate::alarms::tuning::{Limit, Limits};

/// One may be a key rotation caught in flight, two its retry.
pub const AGENT_BAD: Limit = Limit::count(
    "agent_bad",
    3,
    (1, 10_000),
    "bad signatures in the name of one known agent within agent_window_s",
);
/// See [`AGENT_BAD`].
pub const AGENT_WINDOW_S: Limit =
    Limit::seconds("agent_window_s", 300, (1, 86_400), "seconds for agent_bad");
/// Strangers, and agents with a wrong key, together.
pub const FLEET_BAD: Limit =
    Limit::count("fleet_bad", 20, (1, 100_000), "bad signatures in any name within fleet_window_s");
/// See [`FLEET_BAD`].
pub const FLEET_WINDOW_S: Limit =
    Limit::seconds("fleet_window_s", 60, (1, 86_400), "seconds for fleet_bad");

/// The counter to keep per known agent id.
pub fn agent_window(limits: &Limits<'_>) -> Recent {
    Recent::new(limits.count(&AGENT_BAD), limits.get(&AGENT_WINDOW_S))
}

/// The counter to keep for everything that arrives, or per fleet.
pub fn fleet_window(limits: &Limits<'_>) -> Recent {
    Recent::new(limits.count(&FLEET_BAD), limits.get(&FLEET_WINDOW_S))
}

/// A report in the name of a known agent did not verify. While the TXT record cannot be read
/// (`keys_are_stale`) the keys are the likely cause and have an alarm of their own.
pub fn bad_signature<'a>(
    agent: &AgentFacts<'a>,
    recent: &mut Recent,
    keys_are_stale: bool,
    now: UnixSeconds,
) -> Option<Observation<'a>> {
    let enough = recent.note(now);
    (enough && !keys_are_stale).then(|| {
        let message = format!(
            "{} or more reports in the name of {} within {} s had a signature that no key \
             verifies; check the agent's key, else someone is guessing",
            recent.threshold(),
            agent.name,
            recent.window_s()
        );
        agent.bad(AlarmKind::IngestBadHmac, agent.id.as_str(), message)
    })
}

/// The same for a whole fleet; `None` for reports that name none.
pub fn bad_signatures<'a>(
    fleet: Option<&'a FleetId>,
    recent: &mut Recent,
    keys_are_stale: bool,
    now: UnixSeconds,
) -> Option<Observation<'a>> {
    let enough = recent.note(now);
    (enough && !keys_are_stale).then(|| {
        let name = fleet.map_or("any fleet", FleetId::as_str);
        let message = format!(
            "{} or more reports for {name} within {} s had a signature that no key verifies; \
             compare the keys, and the sources of the refused reports",
            recent.threshold(),
            recent.window_s()
        );
        let subject = fleet.map_or("manager".into(), |f| format!("fleet:{f}"));
        Observation { fleet, ..about(AlarmKind::IngestBadHmac, subject, Some(message)) }
    })
}

/// A correctly signed report spent a nonce a second time over other content.
pub fn replay<'a>(agent: &AgentFacts<'a>) -> Observation<'a> {
    let message = format!(
        "two different reports of {} carry the same nonce; someone who holds the key, or a copy \
         of the host, is signing too",
        agent.name
    );
    agent.bad(AlarmKind::IngestReplay, agent.id.as_str(), message)
}

/// Whether a version 1 report looks like one that was recorded and sent again; `why` is the
/// whole sentence.
pub fn replay_suspect<'a>(agent: &AgentFacts<'a>, why: Option<String>) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::IngestReplaySuspect, agent.id.as_str());
    match why {
        Some(why) => agent.bad(kind, subject, why),
        None => agent.good(kind, subject),
    }
}

/// Whether an agent's correctly signed report was refused for what it holds; `why` says what.
pub fn unusable<'a>(agent: &AgentFacts<'a>, why: Option<&str>) -> Observation<'a> {
    let (kind, subject) = (AlarmKind::PayloadRejected, agent.id.as_str());
    let Some(why) = why else {
        return Observation { late: false, ..agent.good(kind, subject) };
    };
    let message = format!(
        "reports of {} are refused for what they hold: {why}; update its agent, or look at what          makes its reports",
        agent.name
    );
    agent.bad(kind, subject, message)
}

/// Whether a report carried a private or preshared key.
pub fn secret<'a>(agent: &AgentFacts<'a>, had_secrets: bool) -> Observation<'a> {
    if !had_secrets {
        return agent.good(AlarmKind::SecretInReport, agent.id.as_str());
    }
    let message = format!(
        "{} sends private or preshared keys in its reports; they were dropped, but whoever saw \
         the request knows them: stop sending them and replace the keys",
        agent.name
    );
    agent.bad(AlarmKind::SecretInReport, agent.id.as_str(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Limits<'static> {
        Limits::usual(AlarmKind::IngestBadHmac)
    }

    use crate::alarms::book::Book;
    use crate::alarms::lifecycle::Step;
    use crate::alarms::rules::tests_support::{Sample, T};
    use crate::model::state::AlarmState;

    #[test]
    fn the_third_bad_signature_within_five_minutes() {
        let sample = Sample::new();
        let mut recent = agent_window(&usual());
        let mut at = |t| bad_signature(&sample.agent(), &mut recent, false, T.plus(t)).is_some();
        assert!(!at(0) && !at(299) && !at(300));
        assert!(at(301));
        let mut fleet = fleet_window(&usual());
        let raised: Vec<_> =
            (0..21).filter(|_| bad_signatures(None, &mut fleet, false, T).is_some()).collect();
        assert_eq!(raised, [19, 20]);
        // With keys that could not be refreshed, they count but do not speak.
        let mut recent = agent_window(&usual());
        for _ in 0..5 {
            assert_eq!(bad_signature(&sample.agent(), &mut recent, true, T), None);
        }
        assert!(bad_signature(&sample.agent(), &mut recent, false, T).is_some());
    }

    #[test]
    fn bad_signatures_return_after_half_an_hour_and_wait_for_someone() {
        let sample = Sample::new();
        let mut recent = agent_window(&usual());
        let mut book = Book::default();
        for _ in 0..4 {
            if let Some(seen) = bad_signature(&sample.agent(), &mut recent, false, T) {
                drop(book.observe(&seen, T));
            }
        }
        assert!(book.tick(T.plus(1_799)).is_empty());
        let ended = book.tick(T.plus(1_800));
        assert_eq!(ended[0].step, Step::Returned);
        let id = ended[0].alarm.id;
        let acked = book.acknowledge(id, "kim", None, T.plus(9_000)).unwrap().unwrap();
        assert_eq!((acked.step, acked.alarm.state), (Step::Cleared, AlarmState::Cleared));
        assert_eq!(acked.alarm.clear_cause.as_deref(), Some("acknowledged"));
    }

    #[test]
    fn a_replay_stays_until_someone_has_seen_it() {
        let sample = Sample::new();
        let mut book = Book::default();
        let raised = book.observe(&replay(&sample.agent()), T).unwrap();
        assert_eq!(raised.step, Step::Raised);
        assert!(book.tick(T.plus(10_000_000)).is_empty());
        let acked = book.acknowledge(raised.alarm.id, "kim", None, T.plus(5)).unwrap().unwrap();
        assert_eq!(acked.step, Step::Cleared);
    }

    #[test]
    fn a_suspicion_ends_with_an_honest_report_after_half_an_hour() {
        let sample = Sample::new();
        let mut book = Book::default();
        let why = || Some("gw1 sent data again".to_owned());
        let mut at = |t, why| {
            book.observe(&replay_suspect(&sample.agent(), why), T.plus(t)).map(|seen| seen.step)
        };
        assert_eq!(at(0, why()), Some(Step::Raised));
        at(1_000, why());
        assert_ne!(at(2_799, None), Some(Step::Returned));
        assert_eq!(at(2_800, None), Some(Step::Returned));
        // Silence alone ends nothing.
        assert_eq!(at(3_000, why()), Some(Step::Raised));
        assert!(book.tick(T.plus(1_000_000)).is_empty());
    }

    #[test]
    fn three_unusable_reports_in_a_row_and_ten_good_ones() {
        let sample = Sample::new();
        let mut book = Book::default();
        let mut step = |why| book.observe(&unusable(&sample.agent(), why), T).map(|t| t.step);
        assert_eq!([step(Some("x")), step(Some("x"))], [Some(Step::Noted); 2]);
        assert_eq!(step(None), Some(Step::Dropped));
        assert_eq!([step(Some("x")), step(Some("x"))], [Some(Step::Noted); 2]);
        assert_eq!(step(Some("x")), Some(Step::Raised));
        for _ in 0..9 {
            assert_eq!(step(None), Some(Step::Noted));
        }
        assert_eq!(step(None), Some(Step::Cleared));
    }

    #[test]
    fn secrets() {
        let sample = Sample::new();
        let mut book = Book::default();
        let mut step = |had| book.observe(&secret(&sample.agent(), had), T).map(|t| t.step);
        assert_eq!(step(false), None);
        assert_eq!(step(true), Some(Step::Raised));
        assert_eq!(step(true), None);
        assert_eq!([step(false), step(false)], [Some(Step::Noted), Some(Step::Returned)]);
        assert_eq!(step(true), Some(Step::Raised));
    }
}
