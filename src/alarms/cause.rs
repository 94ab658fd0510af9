//! Which alarm another one follows from, so that people are told of the cause alone.
//!
//! Parents are never kept by hand: the processor says what lies around an alarm in the graph as
//! it is now, and this module which of the open alarms explains it. Following from another alarm
//! mutes and groups; it changes no state. No alarm is ever its own ancestor.

use crate::model::id::AlarmId;
use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

use super::book::Book;
use super::lifecycle::Alarm;

/// Seconds for which silence is held to be the manager's own fault while many fell silent at
/// once; who is silent for longer counts for itself.
pub const MASS_HOLDS_S: i64 = 300;

/// An agent that an alarm is about, or at an end of the link it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The agent's id.
    pub agent: String,
    /// Subjects of alarms about interfaces without which it cannot be what the alarm asks for:
    /// the link's own, and those towards the rest of the world.
    pub interfaces: Vec<String>,
    /// The agents without which no report of it reaches the manager, nearest to the manager
    /// first: its dominators.
    pub relays: Vec<String>,
    /// Whether it is one of those that fell silent together.
    pub fell_silent: bool,
}

/// What lies around an alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Whom it is about; of a partition, what alone would join its sides again.
    pub ends: Vec<End>,
    /// Links whose loss it tells of.
    pub links: Vec<String>,
    /// The fleet that fell apart, if it did so between the ends.
    pub split: Option<String>,
    /// Seconds between two reports.
    pub interval_s: i64,
    /// Until when the manager is too young to know what is over.
    pub young_until: UnixSeconds,
}

/// An alarm that would explain another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    kind: AlarmKind,
    /// Which thing; `None` = any.
    subject: Option<String>,
    /// For how long it explains anything.
    for_s: Option<i64>,
}

fn about(kind: AlarmKind, subject: &str) -> Candidate {
    Candidate { kind, subject: Some(subject.to_owned()), for_s: None }
}

fn any(kind: AlarmKind) -> Candidate {
    Candidate { kind, subject: None, for_s: None }
}

/// The alarm that this one follows from, if an open one explains it.
pub fn of(book: &Book, alarm: &Alarm, around: &Around, now: UnixSeconds) -> Option<AlarmId> {
    let candidates = candidates(alarm.kind, around);
    candidates.iter().find_map(|candidate| {
        let found = match &candidate.subject {
            Some(subject) => book.find(candidate.kind, subject),
            None => book.of_kind(candidate.kind).find(|cause| cause.stands()),
        };
        let cause = found.filter(|cause| cause.stands())?;
        // Of happenings the last one counts.
        let began = cause.good_since.or(cause.raised_at)?;
        let explains = candidate.for_s.is_none_or(|for_s| now.since(began) < for_s);
        (explains && !follows(book, cause, alarm.id)).then_some(cause.id)
    })
}

/// Whether an alarm follows from another one, or is that one.
fn follows(book: &Book, alarm: &Alarm, ancestor: AlarmId) -> bool {
    let by = |alarm: &&Alarm| alarm.inhibited_by.and_then(|id| book.get(id));
    std::iter::successors(Some(alarm), by).any(|alarm| alarm.id == ancestor)
}

/// What explains an alarm of a kind, the nearest first.
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each kind of alarm, so that none is forgotten"
)]
fn candidates(kind: AlarmKind, around: &Around) -> Vec<Candidate> {
    use AlarmKind as K;
    let ends = &around.ends;
    let own = |kind: K| ends.iter().map(move |end| about(kind, &end.agent));
    let relays = || ends.iter().flat_map(|end| &end.relays);
    let behind =
        || relays().flat_map(|relay| [about(K::RelayDead, relay), about(K::AgentOffline, relay)]);
    let mass = |for_s: Option<i64>| {
        let is_mass = ends.iter().any(|end| end.fell_silent);
        is_mass.then(|| Candidate { for_s, ..any(K::ManagerMassSilence) })
    };
    let interfaces = || {
        let subjects = ends.iter().flat_map(|end| &end.interfaces);
        subjects.flat_map(|subject| [about(K::IfaceGone, subject), about(K::IfaceDown, subject)])
    };
    let boot = || {
        let for_s = Some(2 * around.interval_s);
        own(K::AgentRebooted).map(move |booted| Candidate { for_s, ..booted })
    };
    let split = || around.split.iter().map(|fleet| about(K::NetPartition, fleet));
    let links = || {
        let links = around.links.iter();
        links.flat_map(|link| [about(K::EdgeDown, link), about(K::EdgeHalfConfigured, link)])
    };
    // Its reports come, and are refused: to everybody else it is silent.
    let refused = || own(K::PayloadRejected).chain(own(K::AgentClockSkew));
    match kind {
        K::AgentStale => {
            let near = own(K::AgentOffline).chain(own(K::RelayDead)).chain(refused());
            near.chain(behind()).chain(mass(None)).collect()
        }
        K::AgentOffline => {
            let near = own(K::RelayDead).chain(refused());
            near.chain(behind()).chain(mass(Some(MASS_HOLDS_S))).collect()
        }
        K::RelayDead => behind().chain(mass(None)).collect(),
        K::IfaceDown | K::IfaceGone => own(K::AgentOffline).chain(boot()).collect(),
        K::EdgeDown => {
            let near = interfaces().chain(own(K::AgentOffline));
            let far = split().chain(own(K::NodeIsolated));
            near.chain(behind()).chain(far).chain(mass(None)).collect()
        }
        K::NodeIsolated => {
            let near = interfaces().chain(own(K::AgentOffline));
            near.chain(split()).chain(mass(None)).collect()
        }
        K::SpofNew => {
            let near = own(K::AgentOffline).chain(links());
            near.chain(split()).chain(mass(None)).collect()
        }
        K::RedundancyLost => links().chain(split()).collect(),
        K::EdgeHalfConfigured => own(K::AgentOffline).collect(),
        K::NetPartition => {
            let near = interfaces().chain(own(K::AgentOffline));
            near.chain([any(K::ManagerMassSilence)]).collect()
        }
        K::WgKeyDuplicate => own(K::IdentityConflict).collect(),
        K::IngestBadHmac => vec![any(K::DnsPskStale)],
        K::AgentClockSkew => vec![any(K::ManagerClock)],
        K::AgentRebooted
        | K::AgentRelayOnly
        | K::RelayChainBad
        | K::PeerUnknown
        | K::IngestReplay
        | K::IngestReplaySuspect
        | K::DnsPskStale
        | K::DnsPskUnexpected
        | K::ManagerClock
        | K::ManagerMassSilence
        | K::StorageRolledBack
        | K::SecretInReport
        | K::IdentityConflict
        | K::IdentityDowngrade
        | K::IdentityPinned
        | K::KeyOldInUse
        | K::RelaySpof
        | K::AgentNeverReturned
        | K::AgentUnapproved
        | K::PayloadRejected
        | K::IngestLag
        | K::JobFailed
        | K::LoginBruteforce
        | K::RouteConflict
        | K::DbPressure
        | K::TlsExpiring
        | K::NotifyFailing => Vec::new(),
    }
}

/// What an alarm follows from now, and until when if its cause has ended: two intervals of good
/// reports may end it as well before it counts for itself. `None` if nothing changes.
pub fn next(
    book: &Book,
    alarm: &Alarm,
    around: &Around,
    now: UnixSeconds,
) -> Option<(Option<AlarmId>, Option<UnixSeconds>)> {
    let found = of(book, alarm, around, now);
    let next = match (alarm.inhibited_by, found) {
        (None, None) => (None, None),
        (_, Some(cause)) => (Some(cause), None),
        // Its cause goes on, but explains it no more.
        (Some(by), None) if book.get(by).is_some_and(Alarm::stands) => (None, None),
        (Some(by), None) => {
            let until = alarm.inhibited_until.unwrap_or_else(|| now.plus(2 * around.interval_s));
            if now >= until.max(around.young_until) {
                (None, None)
            } else {
                (Some(by), Some(until))
            }
        }
    };
    (next != (alarm.inhibited_by, alarm.inhibited_until)).then_some(next)
}

#[cfg(test)]
mod tests;
