//! What the desk is asked, and what it answers.

use std::collections::BTreeMap;

use crate::model::id::{AgentId, AlarmId, NotificationId};
use crate::model::time::UnixSeconds;
use crate::store::change::AlarmRecord;
use crate::store::notice::{ChannelRecord, Facts, MessageRecord, TellRecord};

/// What is to be written, once each however often it changes.
#[derive(Debug, Default)]
pub struct Changes {
    /// Rows of alarms and channels; `None` deletes one.
    pub tells: BTreeMap<(AlarmId, String), Option<TellRecord>>,
    /// Messages.
    pub messages: BTreeMap<NotificationId, MessageRecord>,
    /// Channels.
    pub channels: BTreeMap<String, ChannelRecord>,
}

/// Whose alarm it is.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Its agent.
    pub agent_id: Option<AgentId>,
    /// That agent's host name.
    pub hostname: Option<String>,
    /// That agent's labels.
    pub labels: BTreeMap<String, String>,
}

/// When messages are written, and by which database.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The present time.
    pub now: UnixSeconds,
    /// The database's own random number: no two managers name two messages alike.
    pub seed: [u64; 2],
}

/// Whether a channel takes its messages, as far as the alarm about that is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It took one.
    Good,
    /// It does not; why.
    Failing(String),
    /// One failure says nothing.
    Unclear,
}

/// Why an operator's wish about messages is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No such channel.
    #[error("there is no such channel in KATTILA_NOTIFY_FILE")]
    NoChannel,
    /// The message waits already, or was taken.
    #[error("only a message that was given up can be sent again")]
    NotDead,
    /// Too much waits.
    #[error("too many messages wait for this channel already")]
    Full,
}

/// An alarm as messages tell of it.
pub(super) fn facts(alarm: &AlarmRecord, host: &Host) -> Facts {
    Facts {
        kind: alarm.kind,
        severity: alarm.severity,
        state: alarm.state,
        fleet_id: alarm.fleet.clone(),
        agent_id: host.agent_id.clone(),
        hostname: host.hostname.clone(),
        subject: alarm.subject.clone(),
        message: alarm.message.clone(),
        raised_at: alarm.raised_at,
        acknowledged_at: alarm.acknowledged_at,
        acknowledged_by: alarm.acknowledged_by.clone(),
        note: alarm.note.clone(),
        returned_at: alarm.returned_at,
        cleared_at: alarm.cleared_at,
        clear_cause: alarm.clear_cause.clone(),
        flapping: alarm.flapping_until.is_some(),
    }
}
