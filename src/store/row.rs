//! What comes out of storage.

use ipnet::IpNet;

use crate::model::audit::Head;
use crate::model::id::{
    AgentId, AgentNo, AlarmId, EdgeId, EventId, FleetId, Kid, NotificationId, ReportId,
};
use crate::model::key::{IdentityKey, WgKey};
use crate::model::path::RelayPath;
use crate::model::reach::Reach;
use crate::model::report::{Interface, Peer, Route};
use crate::model::spread::Told;
use crate::model::state::{AlarmKind, CanonForm, EventKind, Scheme, Severity};
use crate::model::time::UnixSeconds;
use crate::model::window::Window;

use super::change::{AgentRecord, AlarmRecord, EdgeRecord, LEARNT_LATER, PeerRecord};
use super::dictionary::FrameDictionary;
use super::flap::FlapRecord;
use super::identity::IdentityRecord;
use super::key::KeyRecord;
use super::layout::{LayoutRecord, LayoutStep};
use super::notice::{ChannelRecord, MessageRecord, TellRecord};
use super::people::{SessionRecord, UserRecord};
use super::share::ShareRecord;

/// Everything the processor starts from.
#[derive(Debug, Default)]
pub struct FleetSnapshot {
    /// All agents, by number.
    pub agents: Vec<AgentRecord>,
    /// All peers.
    pub peers: Vec<PeerRecord>,
    /// All edges.
    pub edges: Vec<EdgeRecord>,
    /// Every interface, by agent and name.
    pub interfaces: Vec<InterfaceRow>,
    /// Alarms that are not cleared.
    pub alarms: Vec<AlarmRecord>,
    /// How restless things are.
    pub flaps: Vec<FlapRecord>,
    /// What channels were told of alarms, and will be told.
    pub tells: Vec<TellRecord>,
    /// Messages that wait, without their alarms.
    pub waiting: Vec<MessageRecord>,
    /// How the channels fare.
    pub channels: Vec<ChannelRecord>,
    /// The highest number of a message in use.
    pub last_notification: NotificationId,
    /// Maintenance windows, those that are over included.
    pub windows: Vec<Window>,
    /// Users, by name.
    pub users: Vec<UserRecord>,
    /// Links that were shared, those that have ended included.
    pub shares: Vec<ShareRecord>,
    /// Pre-shared keys.
    pub keys: Vec<KeyRecord>,
    /// Agents' own keys, past ones included, in the order they were asked for.
    pub identities: Vec<IdentityRecord>,
    /// Positions.
    pub layout: Vec<LayoutRecord>,
    /// Changes of them by people that can be taken back, the oldest first.
    pub layout_steps: Vec<LayoutStep>,
    /// What agents may compress with, and compressed with what is stored, the newest last.
    pub frame_dictionaries: Vec<FrameDictionary>,
    /// Small values by name.
    pub meta: Vec<(String, String)>,
    /// The highest numbers in use.
    pub last_report: ReportId,
    /// The highest alarm number in use.
    pub last_alarm: AlarmId,
    /// The end of the audit.
    pub audit: Head,
    /// Every report up to this one is contained in the dynamic columns.
    pub flushed_upto: ReportId,
}

/// What the processor starts from of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceRow {
    /// Its agent.
    pub agent: AgentNo,
    /// Its name.
    pub name: String,
    /// Whether it works, where its host says so.
    pub works: Option<bool>,
    /// Its own WireGuard key.
    pub public_key: Option<WgKey>,
    /// Largest packet in bytes, if told.
    pub mtu: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
}

/// An agent and everything it reports, as committed.
#[derive(Debug, Clone)]
pub struct AgentDetail {
    /// The agent.
    pub agent: AgentRecord,
    /// Its interfaces, by name.
    pub interfaces: Vec<Interface>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its peers with their edges.
    pub peers: Vec<(Peer, EdgeId)>,
    /// Its own keys, past ones included, in the order they were asked for.
    pub identities: Vec<IdentityRecord>,
}

/// Agents and links that a list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Things {
    /// Agents.
    pub agents: Vec<AgentId>,
    /// Links.
    pub edges: Vec<EdgeId>,
}

/// Which reports to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct ReportFilter {
    /// Only this one.
    pub id: Option<ReportId>,
    /// Only of this agent.
    pub agent: Option<AgentId>,
    /// Only of one of these agents.
    pub things: Option<Things>,
    /// Only before this report.
    pub before: Option<ReportId>,
    /// Only after this report; the list is then oldest first.
    pub after: Option<ReportId>,
    /// Only of what is within this reach.
    pub reach: Reach,
    /// Whether their envelopes come along. They are most of what a report weighs.
    pub envelopes: bool,
    /// At most this many.
    pub limit: usize,
}

impl ReportFilter {
    /// One report with its envelope.
    pub fn whole(id: ReportId) -> Self {
        Self { id: Some(id), envelopes: true, limit: 1, ..Self::default() }
    }

    /// The next reports after one, oldest first, with their envelopes.
    pub fn onwards(after: ReportId, limit: usize) -> Self {
        Self { after: Some(after), envelopes: true, limit, ..Self::default() }
    }
}

/// A stored report without its envelope.
#[derive(Debug, Clone)]
pub struct ReportSummary {
    /// The report.
    pub id: ReportId,
    /// Who sent it.
    pub agent_id: AgentId,
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
    /// Its tick.
    pub tick: Option<i64>,
    /// Its nonce.
    pub nonce: String,
    /// SHA-256 of `data` as received.
    pub data_sha256: [u8; 32],
    /// Whether secrets were removed from it.
    pub redacted: bool,
    /// The way it took.
    pub relay_path: RelayPath,
    /// Where it came from.
    pub source: Option<std::net::IpAddr>,
    /// Size of the envelope in bytes.
    pub envelope_bytes: u64,
}

/// A report that was kept back on the host for longer than this, in seconds, tells of the past.
pub const KEPT_BACK_S: i64 = 100;

impl ReportSummary {
    /// When its values were read, if it was kept back and tells of the past.
    pub fn tells_of_the_past(&self) -> Option<UnixSeconds> {
        self.collected_at.filter(|at| self.timestamp.since(*at) > KEPT_BACK_S)
    }
}

/// A stored report.
#[derive(Debug, Clone)]
pub struct StoredReport {
    /// What is known about it.
    pub summary: ReportSummary,
    /// The envelope as verified, secrets removed. Empty if it was not asked for, and if its
    /// stored form is damaged: what stands around a damaged one can still be read.
    pub envelope: Vec<u8>,
    /// The agent's own key of that name, if it has or had one.
    pub own_key: Option<IdentityKey>,
}

/// Which events to list; oldest first.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only after this event.
    pub after: Option<EventId>,
    /// Only before this event; the list is then the last `limit` before it, still oldest first.
    pub before: Option<EventId>,
    /// Only of this agent.
    pub agent: Option<AgentId>,
    /// Only about one of these things.
    pub things: Option<Things>,
    /// Only about this subject.
    pub subject: Option<String>,
    /// Only what held by then.
    pub until: Option<UnixSeconds>,
    /// Only of what is within this reach.
    pub reach: Reach,
    /// At most this many.
    pub limit: usize,
}

/// One line of the history.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its number.
    pub id: EventId,
    /// When it happened.
    pub at: UnixSeconds,
    /// When the manager learnt it.
    pub recorded_at: UnixSeconds,
    /// What kind of change.
    pub kind: EventKind,
    /// Its fleet.
    pub fleet: Option<FleetId>,
    /// Its agent.
    pub agent_id: Option<AgentId>,
    /// Which thing.
    pub subject: String,
    /// The value before.
    pub before: Option<serde_json::Value>,
    /// The value after.
    pub after: Option<serde_json::Value>,
    /// The report that proves it.
    pub report: Option<ReportId>,
    /// Who or what caused it.
    pub cause: Option<String>,
}

impl EventRow {
    /// Whether a report proves it that came late.
    pub fn is_learnt_later(&self) -> bool {
        self.cause.as_deref() == Some(LEARNT_LATER)
    }

    /// Since when the manager's picture has it: what a late report tells, since it happened;
    /// everything else, since it was learnt. Hosts' clocks differ, so only this order puts the
    /// verdicts on a link with two ends, and on an agent's silence, behind each other as they
    /// were made.
    pub fn holds_from(&self) -> UnixSeconds {
        if self.is_learnt_later() { self.at } else { self.recorded_at }
    }
}

/// Which alarms to list; newest first.
#[derive(Debug, Clone, Default)]
pub struct AlarmFilter {
    /// Only this one, in whatever state it is, pending included.
    pub id: Option<AlarmId>,
    /// Only cleared ones; otherwise only active, acknowledged and returned ones.
    pub cleared: bool,
    /// Only raised, or cleared, at or after this time.
    pub since: Option<UnixSeconds>,
    /// Only of this agent.
    pub agent: Option<AgentId>,
    /// Only before this alarm.
    pub before: Option<AlarmId>,
    /// Both the cleared ones and those that are open.
    pub either: bool,
    /// Only of this kind.
    pub kind: Option<AlarmKind>,
    /// Only as bad as this, or worse.
    pub severity: Option<Severity>,
    /// Only of this fleet.
    pub fleet: Option<FleetId>,
    /// Only about one of these things, or as `told` asks.
    pub things: Option<Things>,
    /// Those whose words are asked for; without `things`, only those.
    pub told: Option<ToldOf>,
    /// Only raised at or after this time.
    pub raised_from: Option<UnixSeconds>,
    /// Only raised before this time.
    pub raised_to: Option<UnixSeconds>,
    /// Only those that follow, or followed, directly from this one.
    pub cause: Option<AlarmId>,
    /// Only of what is within this reach.
    pub reach: Reach,
    /// At most this many.
    pub limit: usize,
}

/// Alarms by their words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldOf {
    /// Texts; of each of the lists, one stands in the sentence or the subject, whatever its case.
    pub words: Vec<Vec<String>>,
    /// Only about one of these things.
    pub of: Option<Things>,
}

impl ToldOf {
    /// Whether a text has the words.
    pub fn is_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.words.iter().all(|any| any.iter().any(|word| text.contains(&word.to_lowercase())))
    }
}

impl AlarmFilter {
    /// One alarm.
    pub fn one(id: AlarmId) -> Self {
        Self { id: Some(id), limit: 1, ..Self::default() }
    }
}

/// An alarm with its agent's name.
#[derive(Debug, Clone)]
pub struct AlarmRow {
    /// The alarm.
    pub alarm: AlarmRecord,
    /// Its agent's name.
    pub agent_id: Option<AgentId>,
    /// Open alarms that follow directly from it.
    pub children: u32,
}

/// A pre-shared key as stored.
pub type KeyRow = KeyRecord;

/// A session or token as stored.
pub type SessionRow = SessionRecord;

/// Sizes and counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Database file size in bytes.
    pub db_bytes: u64,
    /// Write-ahead log size in bytes.
    pub wal_bytes: u64,
    /// Stored reports. Of those that outlived their time at most 10,000 are counted.
    pub reports: u64,
    /// Events, counted likewise.
    pub events: u64,
    /// The last event's number, for a stream that starts now; 0 before the first.
    pub last_event: EventId,
    /// The end of the audit, as noted with its last entry.
    pub audit: Head,
    /// Schema version.
    pub schema_version: u32,
    /// The archive, if this store writes one.
    pub archive: Option<ArchiveStats>,
    /// How long commits took that were made durable as the settings say, in microseconds: nothing
    /// else of a batch is in it.
    pub commit_times: Told,
}

/// How the archive of a database stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArchiveStats {
    /// When the newest commit was made that this run has archived.
    pub archived_at: Option<UnixSeconds>,
    /// Seconds since the oldest commit that is not archived; 0 if all are.
    pub behind_s: i64,
    /// Pages of the write-ahead log that are not archived.
    pub behind_frames: u32,
    /// The oldest time that one can go back to.
    pub oldest_base_at: Option<UnixSeconds>,
    /// When the newest copy of the whole database was made.
    pub newest_base_at: Option<UnixSeconds>,
    /// Bytes of all files in it.
    pub bytes: u64,
    /// Whether it takes nothing at the moment.
    pub failing: bool,
}
