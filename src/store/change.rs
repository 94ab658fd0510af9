//! What one decision of the processor writes: a [`Change`] is applied whole or not at all.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;

use crate::model::audit::Sealed;
use crate::model::id::{
    AgentId, AgentNo, AlarmId, EdgeId, FleetId, FrameDictId, Kid, ReportId, WindowId,
};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::report::{Interface, Peer, Problem, Route};
use crate::model::shelf::Shelved;
use crate::model::state::{
    AgentStatus, AlarmKind, AlarmState, CanonForm, EdgeState, EndState, EventKind, Scheme, Severity,
};
use crate::model::time::UnixSeconds;
use crate::model::window::Window;

use super::dictionary::{DictionaryRecord, FrameDictionary};
use super::flap::Flaps;
use super::flush::Flushed;
use super::identity::IdentityRecord;
use super::key::KeyRecord;
use super::layout::{LayoutRecord, StepChanges};
use super::notice::{ChannelRecord, MessageRecord, TellRecord};
use super::people::{SessionRecord, UserRecord};
use super::share::ShareRecord;
use super::site::SiteSet;

/// Everything that one report, tick or admin action changes.
/// Order of application: agents, their keys, report, removals, upserts, alarms, events, the rest.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Agents to insert or update.
    pub agents: Vec<AgentRecord>,
    /// Agents' own keys to insert or update.
    pub identities: Vec<IdentityRecord>,
    /// The audit row of the report that caused the change.
    pub report: Option<NewReport>,
    /// Agents whose interfaces, routes and peers are all deleted, before anything is inserted.
    pub agents_cleared: Vec<AgentNo>,
    /// Interfaces to insert or replace.
    pub interfaces_set: Vec<(AgentNo, Interface)>,
    /// Interfaces to delete, by name.
    pub interfaces_removed: Vec<(AgentNo, String)>,
    /// Routes to insert.
    pub routes_added: Vec<(AgentNo, Route)>,
    /// Routes to delete.
    pub routes_removed: Vec<(AgentNo, Route)>,
    /// Peers to insert or replace.
    pub peers_set: Vec<PeerRecord>,
    /// Peers to delete, by interface and key.
    pub peers_removed: Vec<(AgentNo, String, WgKey)>,
    /// Edges to insert or update.
    pub edges_set: Vec<EdgeRecord>,
    /// Edges to delete.
    pub edges_removed: Vec<EdgeId>,
    /// Alarms to insert or update.
    pub alarms: Vec<AlarmRecord>,
    /// How restless things are.
    pub flaps: Flaps,
    /// What channels were told of alarms, to insert or update.
    pub tells: Vec<TellRecord>,
    /// The same, to delete: alarm and channel.
    pub tells_removed: Vec<(AlarmId, String)>,
    /// Messages to people, to insert or update; the alarms of one that is stored stay as they are.
    pub messages: Vec<MessageRecord>,
    /// How channels fare, to insert or update.
    pub channels: Vec<ChannelRecord>,
    /// Maintenance windows to insert or update.
    pub windows: Vec<Window>,
    /// Maintenance windows to delete.
    pub windows_removed: Vec<WindowId>,
    /// Facts to append to the history.
    pub events: Vec<NewEvent>,
    /// Pre-shared keys to insert or update. One that is stored as revoked stays so.
    pub keys: Vec<KeyRecord>,
    /// Positions on the map to insert or update.
    pub layout: Vec<LayoutRecord>,
    /// Positions to delete, by the name of the node or site.
    pub layout_removed: Vec<String>,
    /// Changes of positions by people, which can be taken back.
    pub layout_steps: StepChanges,
    /// A dictionary to pack reports with from now on.
    pub dictionary: Option<DictionaryRecord>,
    /// A dictionary that agents may compress with from now on.
    pub frame_dictionary: Option<FrameDictionary>,
    /// Sessions and tokens to insert or update.
    pub sessions: Vec<SessionRecord>,
    /// Sessions and tokens to delete, by hash.
    pub sessions_removed: Vec<[u8; 32]>,
    /// When sessions and tokens were last used, where they are still stored.
    pub sessions_used: Vec<([u8; 32], UnixSeconds)>,
    /// Users to insert or update.
    pub users: Vec<UserRecord>,
    /// Users to delete, by name.
    pub users_removed: Vec<String>,
    /// Users all of whose sessions are deleted, before any is inserted.
    pub users_ended: Vec<String>,
    /// Shared links to insert or update.
    pub shares: Vec<ShareRecord>,
    /// Shared links to delete, by hash.
    pub shares_removed: Vec<[u8; 32]>,
    /// Entries to append to the audit.
    pub audit: Vec<Sealed>,
    /// Hours of agents' counters, each in place of what is stored of it.
    pub metrics: Vec<super::metrics::HourRecord>,
    /// Small values to remember by name. Names that begin with `store.` are the store's own.
    pub meta: Vec<(&'static str, String)>,
    /// What was kept in memory until now. A large fleet's may come in several changes; the mark
    /// in it then moves with the last one.
    pub flushed: Option<Flushed>,
}

impl Change {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.report.is_none() && self.leaves_the_rest()
    }

    /// Whether there is nothing to write but the report of a host on which nothing changed.
    pub fn is_only_report(&self) -> bool {
        self.report.as_ref().is_some_and(|report| !report.late) && self.leaves_the_rest()
    }

    #[expect(
        clippy::too_many_lines,
        reason = "each field is named twice, and nothing else is done"
    )]
    fn leaves_the_rest(&self) -> bool {
        // Every field is named, so that a new one cannot be forgotten here.
        let Self {
            agents,
            identities,
            report: _,
            agents_cleared,
            interfaces_set,
            interfaces_removed,
            routes_added,
            routes_removed,
            peers_set,
            peers_removed,
            edges_set,
            edges_removed,
            alarms,
            flaps,
            tells,
            tells_removed,
            messages,
            channels,
            windows,
            windows_removed,
            events,
            keys,
            layout,
            layout_removed,
            layout_steps,
            dictionary,
            frame_dictionary,
            sessions,
            sessions_removed,
            sessions_used,
            users,
            users_removed,
            users_ended,
            shares,
            shares_removed,
            audit,
            metrics,
            meta,
            flushed,
        } = self;
        agents.is_empty()
            && identities.is_empty()
            && agents_cleared.is_empty()
            && interfaces_set.is_empty()
            && interfaces_removed.is_empty()
            && routes_added.is_empty()
            && routes_removed.is_empty()
            && peers_set.is_empty()
            && peers_removed.is_empty()
            && edges_set.is_empty()
            && edges_removed.is_empty()
            && alarms.is_empty()
            && flaps.is_empty()
            && tells.is_empty()
            && tells_removed.is_empty()
            && messages.is_empty()
            && channels.is_empty()
            && windows.is_empty()
            && windows_removed.is_empty()
            && events.is_empty()
            && keys.is_empty()
            && layout.is_empty()
            && layout_removed.is_empty()
            && layout_steps.is_empty()
            && dictionary.is_none()
            && frame_dictionary.is_none()
            && sessions.is_empty()
            && sessions_removed.is_empty()
            && sessions_used.is_empty()
            && users.is_empty()
            && users_removed.is_empty()
            && users_ended.is_empty()
            && shares.is_empty()
            && shares_removed.is_empty()
            && audit.is_empty()
            && metrics.is_empty()
            && meta.is_empty()
            && flushed.is_none()
    }
}

/// An agent's row.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRecord {
    /// Row number, given by the processor.
    pub no: AgentNo,
    /// The name the agent signs with.
    pub id: AgentId,
    /// Its fleet.
    pub fleet: FleetId,
    /// Its host name, if it told one.
    pub hostname: Option<String>,
    /// Its program's version.
    pub agent_version: Option<String>,
    /// When it was first accepted (or accepted again after being forgotten).
    pub registered_at: UnixSeconds,
    /// When its last report was received; `None` before the first.
    pub last_seen_at: Option<UnixSeconds>,
    /// Its last tick (version 2).
    pub last_tick: Option<i64>,
    /// How the manager sees it.
    pub status: AgentStatus,
    /// Since when.
    pub status_since: UnixSeconds,
    /// How its last report was signed.
    pub scheme: Option<Scheme>,
    /// Which bytes its version 1 signature covers.
    pub canon_form: Option<CanonForm>,
    /// Which key signed its last report.
    pub kid: Option<Kid>,
    /// Boot id of its last report.
    pub boot_id: Option<String>,
    /// Host uptime at its last changed report, in seconds.
    pub uptime_seconds: Option<u64>,
    /// Load averages at its last changed report.
    pub load: Option<[f64; 3]>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What its last report said that could not be understood.
    pub problems: Vec<Problem>,
    /// `timestamp` minus the manager's clock at receipt, in seconds.
    pub clock_offset: i64,
    /// The way its last report took.
    pub relay_path: RelayPath,
    /// Address its last report came from.
    pub source: Option<IpAddr>,
    /// Content hash of the last interface section without counters.
    pub interfaces_hash: u64,
    /// Content hash of the last route section.
    pub routes_hash: u64,
    /// Content hash of the last peer section without counters and handshakes.
    pub peers_hash: u64,
    /// Forgotten by an admin: hidden until it reports again.
    pub forgotten: bool,
    /// Whether it may pass on what others report, as far as admins are concerned.
    pub may_relay: bool,
    /// The site that somebody gave it; then it is its label, whatever its host says.
    pub site_set: Option<SiteSet>,
}

/// The audit row of an accepted report.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// Row number, given by the processor.
    pub id: ReportId,
    /// Who sent it.
    pub agent: AgentNo,
    /// How it was signed.
    pub scheme: Scheme,
    /// Which bytes the signature covers.
    pub form: CanonForm,
    /// Which key verified it.
    pub kid: Kid,
    /// When it was signed, on the agent's clock.
    pub timestamp: UnixSeconds,
    /// When its values were read, on the agent's clock.
    pub collected_at: Option<UnixSeconds>,
    /// When the manager took it.
    pub received_at: UnixSeconds,
    /// Its tick (version 2).
    pub tick: Option<i64>,
    /// Its nonce.
    pub nonce: String,
    /// SHA-256 of the bytes of `data` as received.
    pub data_sha256: [u8; 32],
    /// The envelope as verified, secrets removed.
    pub envelope: Bytes,
    /// The dictionary that it takes to read the data of a frame.
    pub frame_dict: Option<FrameDictId>,
    /// Whether something was removed from `envelope`, so that its signature no longer matches.
    pub redacted: bool,
    /// The way it took.
    pub relay_path: RelayPath,
    /// Address the request came from.
    pub source: Option<IpAddr>,
    /// Whether it told of the past when it came.
    pub late: bool,
}

/// The cause of events that a late report proves: learnt later than they happened.
pub const LEARNT_LATER: &str = "learnt later";

/// A WireGuard peer of an agent, tied to the edge it is an end of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRecord {
    /// The agent that lists the peer.
    pub agent: AgentNo,
    /// What it says of it.
    pub peer: Peer,
    /// The edge.
    pub edge: EdgeId,
    /// When the values were read on the agent's clock.
    pub measured_at: UnixSeconds,
}

/// An edge with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRecord {
    /// Its name.
    pub id: EdgeId,
    /// Its fleet.
    pub fleet: FleetId,
    /// The two ends; `ends[0]` is drawn as source.
    pub ends: [EdgeEnd; 2],
    /// The verdict.
    pub state: EdgeState,
    /// The verdict in one sentence.
    pub reason: String,
    /// When the sentence was judged: ages in it are as of then.
    pub judged_at: UnixSeconds,
    /// Since when the state holds.
    pub since: UnixSeconds,
    /// When the edge was first seen.
    pub first_seen: UnixSeconds,
}

/// One end of an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeEnd {
    /// The agent there, if there is one.
    pub agent: Option<AgentNo>,
    /// Its WireGuard interface, if known.
    pub interface: Option<String>,
    /// The key at this end, if known.
    pub public_key: Option<WgKey>,
    /// What this end shows.
    pub state: EndState,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmRecord {
    /// Row number, given by the processor.
    pub id: AlarmId,
    /// What it is about.
    pub kind: AlarmKind,
    /// Which thing: one alarm per kind and subject is open at a time.
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlarmState,
    /// Its fleet, if it is about one.
    pub fleet: Option<FleetId>,
    /// Its agent, if it is about one.
    pub agent: Option<AgentNo>,
    /// One sentence for a person.
    pub message: String,
    /// When the condition began to hold.
    pub pending_since: UnixSeconds,
    /// When it was raised.
    pub raised_at: Option<UnixSeconds>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<UnixSeconds>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// With what note.
    pub note: Option<String>,
    /// When the condition was over (latching kinds).
    pub returned_at: Option<UnixSeconds>,
    /// When it was cleared.
    pub cleared_at: Option<UnixSeconds>,
    /// Why: `condition over`, `acknowledged`, `reset`, `cleared by NAME`.
    pub clear_cause: Option<String>,
    /// Since when the opposite condition holds, for the off-delay.
    pub good_since: Option<UnixSeconds>,
    /// Consecutive observations for (while pending) or against (while active) the condition.
    pub count: u32,
    /// The report that proves it, where one does.
    pub report: Option<ReportId>,
    /// The alarm it follows from: while it does, nobody is told of it.
    pub inhibited_by: Option<AlarmId>,
    /// When it counts for itself again, once that alarm has ended.
    pub inhibited_until: Option<UnixSeconds>,
    /// How bad its rule calls it, whatever a rules file makes of that.
    pub own: Severity,
    /// It flaps, and is held open until then if its condition changes no more.
    pub flapping_until: Option<UnixSeconds>,
    /// Since when it is shelved, until when, by whom and why.
    pub shelved: Option<Shelved>,
    /// The maintenance window that covers it, or covered it when it ended.
    pub maintenance: Option<WindowId>,
}

/// One line of the append-only history.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// When it happened, as well as it is known (the host's clock for reported changes).
    pub at: UnixSeconds,
    /// When the manager learnt it.
    pub recorded_at: UnixSeconds,
    /// What kind of change.
    pub kind: EventKind,
    /// Its fleet, if it is about one.
    pub fleet: Option<FleetId>,
    /// Its agent, if it is about one.
    pub agent: Option<AgentNo>,
    /// Which thing: an interface's name, a route, an edge id, ...
    pub subject: String,
    /// The value before; `None` when something appears.
    pub before: Option<serde_json::Value>,
    /// The value after; `None` when something disappears.
    pub after: Option<serde_json::Value>,
    /// The report that proves it, where one does.
    pub report: Option<ReportId>,
    /// Who or what caused it, where that is not a report; [`LEARNT_LATER`] if a late one does.
    pub cause: Option<String>,
}
