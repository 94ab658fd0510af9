//! Which alarm another one follows from, so that people are told of the cause alone.
//!
//! Parents are never kept by hand: the processor says what lies around an alarm in the graph as
//! it is now, and this module which of the open alarms explains it. Following from another alarm
//! mutes and groups; it changes no state. No alarm is ever its own ancestor.

use crate::model::id::AlarmId;
use crate::model::state::{AlarmKind, AlarmState};
use crate::model::time::UnixSeconds;

use super::book::Book;
use super::catalogue::ClearBy;
use super::lifecycle::Alarm;
use super::rules::silence::HOLDS_S;

/// An agent that an alarm is about, or at an end of the link it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// The agent's id.
    pub agent: String,
    /// Subject of alarms about the interface that it is about, if it is about one.
    pub own: Option<String>,
    /// Subject of alarms about the port of the link's interface, if the other end may not know it.
    pub port: Option<String>,
    /// Subject of alarms about its entry for the other end of the link.
    pub entry: Option<String>,
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
    /// The link it is about, by its name.
    pub link: Option<String>,
    /// Links whose loss it tells of.
    pub links: Vec<String>,
    /// A WireGuard key of the host that may be another's too.
    pub key: Option<String>,
    /// The fleet that fell apart, if it did so between the ends and not for this link alone.
    pub split: Option<String>,
    /// Of a partition, the one dead link between its sides, if there is only one.
    pub only_link: Option<String>,
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
    /// Whether it explains others already while its own delay runs: it will be told, or was nothing.
    from_begin: bool,
}

fn about(kind: AlarmKind, subject: &str) -> Candidate {
    Candidate { kind, subject: Some(subject.to_owned()), for_s: None, from_begin: false }
}

fn any(kind: AlarmKind) -> Candidate {
    Candidate { kind, subject: None, for_s: None, from_begin: false }
}

/// The alarm that this one follows from, if an open one explains it.
pub fn of(book: &Book, alarm: &Alarm, around: &Around, now: UnixSeconds) -> Option<AlarmId> {
    let mass_s = book.anywhere(AlarmKind::ManagerMassSilence).get(&HOLDS_S);
    let candidates = candidates(alarm.kind, around, mass_s);
    candidates.iter().find_map(|candidate| {
        let found = match &candidate.subject {
            Some(subject) => book.find(candidate.kind, subject),
            None => book.of_kind(candidate.kind).find(|cause| cause.stands()),
        };
        let begins = |cause: &Alarm| candidate.from_begin && cause.state == AlarmState::Pending;
        let cause = found.filter(|cause| cause.stands() || begins(cause))?;
        // Of happenings the last one counts.
        let began = cause.good_since.or(cause.raised_at).unwrap_or(cause.pending_since);
        let explains = candidate.for_s.is_none_or(|for_s| now.since(began) < for_s);
        (explains && !follows(book, cause, alarm.id)).then_some(cause.id)
    })
}

/// Whether an alarm follows from another one, or is that one.
fn follows(book: &Book, alarm: &Alarm, ancestor: AlarmId) -> bool {
    let by = |alarm: &&Alarm| alarm.inhibited_by.and_then(|id| book.get(id));
    std::iter::successors(Some(alarm), by).any(|alarm| alarm.id == ancestor)
}

/// What explains an alarm of a kind, the nearest first; that many fell silent at once explains
/// for `mass_s` seconds that one of them is offline.
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each kind of alarm, so that none is forgotten"
)]
fn candidates(kind: AlarmKind, around: &Around, mass_s: i64) -> Vec<Candidate> {
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
    let through = |kind: K| {
        let own = ends.iter().filter_map(|end| end.own.as_ref());
        own.map(move |own| about(kind, own))
    };
    let entries = |kind: K| {
        let entries = ends.iter().filter_map(|end| end.entry.as_ref());
        entries.map(move |entry| about(kind, entry))
    };
    let boot = || {
        let for_s = Some(2 * around.interval_s);
        own(K::AgentRebooted).map(move |booted| Candidate { for_s, ..booted })
    };
    let links = || {
        let links = around.links.iter();
        links.flat_map(|link| [about(K::EdgeDown, link), about(K::EdgeHalfConfigured, link)])
    };
    // Its reports come, and are refused: to everybody else it is silent.
    let refused = || own(K::PayloadRejected).chain(own(K::AgentClockSkew));
    let link = |kind: K| around.link.iter().map(move |id| about(kind, id));
    let early = |kind: K, subject: &str| Candidate { from_begin: true, ..about(kind, subject) };
    let split = || around.split.iter().map(move |fleet| early(K::NetPartition, fleet));
    let only_link = || {
        let kinds = [K::EdgeHalfConfigured, K::EdgeDown];
        around.only_link.iter().flat_map(move |link| kinds.map(|kind| early(kind, link)))
    };
    match kind {
        K::AgentStale => {
            let near = own(K::AgentOffline).chain(own(K::RelayDead)).chain(refused());
            near.chain(behind()).chain(mass(None)).collect()
        }
        K::AgentOffline => {
            let near = own(K::RelayDead).chain(refused());
            near.chain(behind()).chain(mass(Some(mass_s))).collect()
        }
        K::RelayDead => behind().chain(mass(None)).collect(),
        K::AgentFlapping => mass(None).into_iter().collect(),
        K::IfaceDown | K::IfaceGone => own(K::AgentOffline).chain(boot()).collect(),
        K::EdgeDown => {
            let near = interfaces().chain(link(K::EdgeOneWay)).chain(entries(K::WgPskRemoved));
            let ports = ends.iter().filter_map(|end| end.port.as_ref());
            let near = near.chain(ports.map(|port| about(K::ListenPortChanged, port)));
            let near = near.chain(own(K::AgentOffline));
            let near = near.chain(own(K::AgentClockWentBack));
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
        K::EdgeOneWay => interfaces().chain(own(K::AgentOffline)).collect(),
        K::EdgeDisagree => {
            let clocks = own(K::AgentClockSkew).chain(own(K::AgentOffline));
            own(K::IdentityConflict).chain(clocks).collect()
        }
        K::AllowedIpsMismatch => {
            link(K::EdgeHalfConfigured).chain(entries(K::AllowedIpsMoved)).collect()
        }
        K::EdgeExpectedMissing => interfaces().chain(own(K::AgentOffline)).collect(),
        K::RouteMissing | K::IfaceErrors => {
            through(K::IfaceGone).chain(through(K::IfaceDown)).collect()
        }
        K::OverlayIpDuplicate => {
            let copies = around.key.iter().map(|key| about(K::WgKeyDuplicate, key));
            own(K::IdentityConflict).chain(copies).collect()
        }
        K::PeerNeverUp => {
            let near = link(K::EdgeHalfConfigured).chain(interfaces());
            near.chain(own(K::AgentOffline)).collect()
        }
        K::ListenPortChanged => boot().collect(),
        K::EdgeHalfConfigured => own(K::AgentOffline).collect(),
        K::NetPartition => {
            let near = interfaces().chain(own(K::AgentOffline));
            near.chain([any(K::ManagerMassSilence)]).chain(only_link()).collect()
        }
        K::WgKeyDuplicate => own(K::IdentityConflict).collect(),
        K::IngestBadHmac => vec![any(K::DnsPskStale)],
        K::AgentClockSkew => vec![any(K::ManagerClock)],
        K::AgentClockDrift => {
            let near = own(K::AgentClockSkew);
            near.chain([any(K::ManagerClock)]).collect()
        }
        K::DefaultRouteChanged => interfaces().chain(boot()).collect(),
        K::AgentRebooted
        | K::AgentRelayOnly
        | K::RelayChainBad
        | K::AgentClockWentBack
        | K::MtuMismatch
        | K::AllowedIpsMoved
        | K::EndpointFlapping
        | K::WgPskRemoved
        | K::PeerUnknown
        | K::IngestReplay
        | K::IngestReplaySuspect
        | K::DnsPskStale
        | K::DnsPskUnexpected
        | K::ManagerClock
        | K::ManagerMassSilence
        | K::StorageRolledBack
        | K::AuditChainBroken
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
        | K::AgentVersionOld
        | K::BackupStale
        | K::EdgeUnexpected
        | K::NotifyFailing => Vec::new(),
    }
}

/// For how long an alarm may go on after its cause before it counts for itself: two intervals of
/// good reports may end it as well, and whatever else its kind takes to be sure.
fn hold_s(alarm: &Alarm, around: &Around) -> i64 {
    let also = match alarm.terms.clear {
        ClearBy::Steady { after_s } => after_s,
        ClearBy::Reports { .. } | ClearBy::Quiet { .. } | ClearBy::Person => 0,
    };
    2 * around.interval_s + also
}

/// Whether the opposite of its condition was seen last, so that only its delay keeps it open.
fn is_ending(alarm: &Alarm) -> bool {
    let by_seeing = matches!(alarm.terms.clear, ClearBy::Reports { .. } | ClearBy::Steady { .. });
    by_seeing && (alarm.good_since.is_some() || alarm.is_held())
}

/// What an alarm follows from now, and until when if its cause has ended ([`hold_s`]). `None` if
/// nothing changes.
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
        // What is about to end is not told of any more.
        (Some(_), None) if is_ending(alarm) => (alarm.inhibited_by, alarm.inhibited_until),
        // Its cause goes on, but explains it no more.
        (Some(by), None) if book.get(by).is_some_and(Alarm::stands) => (None, None),
        (Some(by), None) => {
            let until = alarm.inhibited_until.unwrap_or_else(|| now.plus(hold_s(alarm, around)));
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
