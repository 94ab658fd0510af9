//! What is stored of messages to people: what each channel was told of each alarm, the messages
//! that wait, went out or failed, and how each channel fares.

use serde::{Deserialize, Serialize};

use crate::model::id::{AgentId, AlarmId, FleetId, NotificationId};
use crate::model::reach::Reach;
use crate::model::state::{AlarmKind, AlarmState, MessageState, Severity, Telling};
use crate::model::time::UnixSeconds;

/// An alarm as a message tells of it. It is kept with the message: the alarm may have changed,
/// or be gone, by the time the message goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What it is about.
    pub kind: AlarmKind,
    /// How bad.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlarmState,
    /// Its fleet, if it is about one.
    pub fleet_id: Option<FleetId>,
    /// Its agent, if it is about one.
    pub agent_id: Option<AgentId>,
    /// The host name of that agent.
    pub hostname: Option<String>,
    /// Which thing.
    pub subject: String,
    /// One sentence for a person.
    pub message: String,
    /// When it was raised.
    pub raised_at: Option<UnixSeconds>,
    /// When it was acknowledged.
    pub acknowledged_at: Option<UnixSeconds>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// With what note.
    pub note: Option<String>,
    /// When its condition was over, for kinds that wait for an acknowledgement.
    pub returned_at: Option<UnixSeconds>,
    /// When it was cleared.
    pub cleared_at: Option<UnixSeconds>,
    /// Why it was cleared.
    pub clear_cause: Option<String>,
    /// Whether it comes and goes too often to be told each time.
    #[serde(default)]
    pub flapping: bool,
}

/// What one channel was told of one alarm, and what it will be told next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TellRecord {
    /// The alarm.
    pub alarm: AlarmId,
    /// The channel's name.
    pub channel: String,
    /// How bad the alarm was when the channel was last told; `None` if it was not told yet.
    pub told: Option<Severity>,
    /// When that was put into a message.
    pub told_at: Option<UnixSeconds>,
    /// What it will be told next; `None` if nothing is to be told until the alarm changes.
    pub next: Option<Telling>,
    /// When.
    pub due_at: Option<UnixSeconds>,
    /// Seconds between two tellings of an alarm that nobody acknowledges; 0 for no repeats.
    pub repeat_s: i64,
    /// The alarm as of its last change.
    pub facts: Facts,
}

/// One alarm in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageItem {
    /// The alarm.
    pub alarm: AlarmId,
    /// What is told of it.
    pub telling: Telling,
    /// The alarm as it is told.
    pub facts: Facts,
}

/// A message to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRecord {
    /// Row number, given by the processor.
    pub id: NotificationId,
    /// What the receiver knows it by: the same for every attempt.
    pub uid: String,
    /// The channel's name.
    pub channel: String,
    /// Where it stands.
    pub state: MessageState,
    /// When it was written.
    pub created_at: UnixSeconds,
    /// When it is sent, or tried again.
    pub due_at: UnixSeconds,
    /// How often it was tried.
    pub attempts: u32,
    /// When the last attempt ended.
    pub tried_at: Option<UnixSeconds>,
    /// When it was taken, or given up.
    pub ended_at: Option<UnixSeconds>,
    /// Why the last attempt failed, or why it was given up.
    pub error: Option<String>,
    /// Who asked for it, if it is a test.
    pub test_by: Option<String>,
    /// Its alarms; a test has none. Written once, with the message.
    pub items: Vec<MessageItem>,
}

/// How a channel fares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelRecord {
    /// Its name.
    pub name: String,
    /// Attempts that failed since the last that succeeded.
    pub failures: u32,
    /// Attempts that succeeded since the last that failed.
    pub successes: u32,
    /// Nothing is tried before this time, because too many attempts failed.
    pub open_until: Option<UnixSeconds>,
    /// When a message was last taken.
    pub ok_at: Option<UnixSeconds>,
    /// When an attempt last failed.
    pub failed_at: Option<UnixSeconds>,
    /// Why.
    pub error: Option<String>,
    /// Messages that were taken.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Messages that were given up.
    pub dead: u64,
}

/// A channel with what lies in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// How it fares.
    pub channel: ChannelRecord,
    /// Messages that wait.
    pub waiting: u64,
    /// When the oldest of them was written.
    pub oldest_waiting: Option<UnixSeconds>,
    /// Messages that were given up and are still kept.
    pub dead_kept: u64,
}

/// Which messages to list: newest first, or oldest first after a number.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Only this one.
    pub id: Option<NotificationId>,
    /// Only of this channel.
    pub channel: Option<String>,
    /// Only in this state.
    pub state: Option<MessageState>,
    /// Only those that tell of this alarm.
    pub alarm: Option<AlarmId>,
    /// Only after this one; the list is then oldest first.
    pub after: Option<NotificationId>,
    /// Only before this one.
    pub before: Option<NotificationId>,
    /// Only those that tell of an alarm within this reach.
    pub reach: Reach,
    /// At most this many.
    pub limit: usize,
}

impl MessageFilter {
    /// One message.
    pub fn one(id: NotificationId) -> Self {
        Self { id: Some(id), limit: 1, ..Self::default() }
    }
}
