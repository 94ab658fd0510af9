//! What an event says of a thing, as far as a later event about the same thing makes it void.
//!
//! An interface's event tells of all its addresses, a changed one of its properties only;
//! addresses and routes come and go one by one; a peer's, a link's and an agent's event tells
//! all of one kind of fact. What was done once (a sign-in, a start of the manager) says nothing
//! of the time after it.

use serde_json::Value;

use crate::model::state::EventKind;
use crate::store::StoreError;
use crate::store::sqlite::cells::Cells;

/// The part that tells what an interface is, and whether it is there.
pub(super) const INTERFACE: &str = "interface";

/// What an event is about and what it says.
#[derive(Debug, PartialEq)]
pub(super) struct Fact {
    /// Whose thing; 0 if the subject names it alone.
    pub(super) agent: i64,
    pub(super) subject: String,
    pub(super) says: Says,
}

/// Parts of a thing, from the first to the last of a range of names.
pub(super) type Parts = (String, String);

#[derive(Debug, PartialEq)]
pub(super) enum Says {
    /// Nothing that lasts.
    Nothing,
    /// What a part of the thing is from now on.
    Of(Word),
}

/// A word about a part of a thing.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    pub(super) part: String,
    /// What was said before of these parts is void.
    pub(super) instead_of: Vec<Parts>,
    /// It is gone.
    pub(super) gone: bool,
}

/// Reads `kind, agent_no, subject, before, after`.
pub(super) fn of(cells: &mut Cells<'_, '_>) -> Result<Fact, StoreError> {
    let kind = cells.text(EventKind::from_word)?;
    let agent: Option<i64> = cells.take()?;
    let subject: String = cells.take()?;
    let (before, after): (Option<String>, Option<String>) = (cells.take()?, cells.take()?);
    let value = after.or(before).unwrap_or_default();
    let says = said(kind, &value);
    let agent = if is_named_alone(kind) { 0 } else { agent.unwrap_or(0) };
    Ok(Fact { agent, subject, says })
}

/// Links and alarms are one thing whichever agent told of them.
const fn is_named_alone(kind: EventKind) -> bool {
    use EventKind as K;
    matches!(
        kind,
        K::EdgeAdded
            | K::EdgeState
            | K::EdgeRemoved
            | K::AlarmRaised
            | K::AlarmAcknowledged
            | K::AlarmReturned
            | K::AlarmCleared
            | K::AlarmInhibited
            | K::AlarmFlapping
            | K::AlarmShelved
            | K::AlarmUnshelved
            | K::AlarmMaintenance
    )
}

/// `value` is the JSON of what is, or of what was.
fn said(kind: EventKind, value: &str) -> Says {
    use EventKind as K;
    let only = |part: &str| (part.to_owned(), part.to_owned());
    let (part, instead_of) = match kind {
        K::KeysChanged
        | K::NotifyChanged
        | K::RulesChanged
        | K::TlsChanged
        | K::ManagerStarted
        | K::ManagerStopped
        | K::AdminAction => {
            return Says::Nothing;
        }
        K::InterfaceAdded | K::InterfaceRemoved => (INTERFACE.to_owned(), of_interface()),
        K::AddressAdded | K::AddressRemoved => (format!("address {value}"), Vec::new()),
        K::RouteAdded | K::RouteRemoved => (format!("route {value}"), Vec::new()),
        K::PeerAdded | K::PeerChanged | K::PeerRemoved => ("peer".to_owned(), Vec::new()),
        K::EdgeState => ("edge.state".to_owned(), Vec::new()),
        K::EdgeRemoved => ("edge.state".to_owned(), vec![only("edge.added")]),
        K::AlarmRaised => ("alarm.raised".to_owned(), Vec::new()),
        K::AlarmCleared => {
            let told = [
                "alarm.acknowledged",
                "alarm.returned",
                "alarm.inhibited",
                "alarm.flapping",
                "alarm.shelved",
                "alarm.maintenance",
            ];
            ("alarm.raised".to_owned(), told.map(only).into())
        }
        K::AlarmShelved | K::AlarmUnshelved => ("alarm.shelved".to_owned(), Vec::new()),
        // Such an event tells of what changed and of nothing else.
        K::AgentChanged => (format!("{kind} {}", members(value)), Vec::new()),
        K::AgentRegistered
        | K::AgentStatus
        | K::AgentReset
        | K::AgentIdentity
        | K::AgentRelayPath
        | K::AgentMayRelay
        | K::InterfaceChanged
        | K::EdgeAdded
        | K::AlarmAcknowledged
        | K::AlarmReturned
        | K::AlarmInhibited
        | K::AlarmFlapping
        | K::AlarmMaintenance => (kind.to_string(), Vec::new()),
    };
    // An address that was removed is not: its interface's own event may tell of it.
    let gone = matches!(
        kind,
        K::InterfaceRemoved | K::RouteRemoved | K::PeerRemoved | K::EdgeRemoved | K::AlarmCleared
    );
    Says::Of(Word { part, instead_of, gone })
}

/// What else is said of an interface that is there: its properties since they changed, and
/// addresses that came and went. Between a blank and the sign after it stands every address.
pub(super) fn of_interface() -> Vec<Parts> {
    let changed = String::from("interface.changed");
    vec![(changed.clone(), changed), (String::from("address "), String::from("address!"))]
}

/// The names of an object's members.
fn members(value: &str) -> String {
    let Ok(Value::Object(object)) = serde_json::from_str(value) else { return String::new() };
    let mut names: Vec<_> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an event makes void, or says to be gone, another kind of event has said.
    #[test]
    fn what_goes_was_said_by_somebody() {
        let word = |kind: &EventKind| match said(*kind, "\"v\"") {
            Says::Of(word) => Some(word),
            Says::Nothing => None,
        };
        let words: Vec<Word> = EventKind::ALL.iter().filter_map(word).collect();
        let is_said = |(first, last): &Parts| {
            words.iter().any(|word| !word.gone && (first..=last).contains(&&word.part))
        };
        for word in &words {
            assert!(word.instead_of.iter().all(is_said), "{word:?}");
            assert!(is_said(&(word.part.clone(), word.part.clone())), "{word:?}");
        }
        assert_eq!(words.iter().filter(|word| word.gone).count(), 5);
    }

    #[test]
    fn a_change_of_an_agent_is_void_by_one_of_the_same_members_only() {
        let part = |value: &str| said(EventKind::AgentChanged, value);
        assert_eq!(part(r#"{"b":1,"a":2}"#), part(r#"{"a":3,"b":null}"#));
        assert_ne!(part(r#"{"b":1,"a":2}"#), part(r#"{"a":3}"#));
    }
}
