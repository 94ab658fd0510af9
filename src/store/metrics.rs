//! What is measured over time: rows that hold an hour of one agent, and the stored reports that
//! they are made of.

use crate::model::id::{AgentId, AgentNo, ReportId};
use crate::model::metric::{Slot, Subject};
use crate::model::time::UnixSeconds;

/// One thing in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesHour {
    /// The thing.
    pub subject: Subject,
    /// Its twelve slots of five minutes; empty if they are not kept.
    pub slots: Vec<Option<Slot>>,
    /// The hour as one.
    pub whole: Slot,
}

/// One agent in one hour. It takes the place of what is stored of the same hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourRecord {
    /// The agent.
    pub agent: AgentNo,
    /// When the hour begins, on the host's clock.
    pub start: UnixSeconds,
    /// Everything that was measured.
    pub series: Vec<SeriesHour>,
}

/// How fine stored rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Twelve slots of five minutes in an hour.
    FiveMinutes,
    /// One.
    Hour,
}

/// Of which things of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// All.
    Everything,
    /// All interfaces.
    Interfaces,
    /// This one.
    One(Subject),
}

impl Of {
    /// Whether a thing is meant.
    pub fn means(&self, subject: &Subject) -> bool {
        match self {
            Self::Everything => true,
            Self::Interfaces => matches!(subject, Subject::Interface(_)),
            Self::One(one) => one == subject,
        }
    }
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// By its name.
    Named(AgentId),
    /// By its number.
    Numbered(AgentNo),
}

/// Which stored rows to read.
#[derive(Debug, Clone)]
pub struct MetricsAsked {
    /// Of which agent.
    pub agent: Which,
    /// Of which of its things.
    pub of: Of,
    /// Hours that begin at or after this time.
    pub from: UnixSeconds,
    /// And before this one.
    pub to: UnixSeconds,
    /// How fine.
    pub grain: Grain,
}

/// One stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// When the hour begins.
    pub start: UnixSeconds,
    /// Its slots, by thing.
    pub series: Vec<(Subject, Vec<Option<Slot>>)>,
}

/// Whose stored reports to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// This agent's.
    One(Which),
    /// Those of the agents after one, by number, at most so many of them.
    After(AgentNo, usize),
}

/// Which stored reports to read.
#[derive(Debug, Clone)]
pub struct MeasuredAsked {
    /// Whose.
    pub whose: Whose,
    /// Measured at or after this time, on the host's clock.
    pub from: UnixSeconds,
    /// And before this one.
    pub to: UnixSeconds,
    /// By how much a report may have been received before or after it was measured without having
    /// come late.
    pub slack_s: i64,
}

/// A report as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Whose.
    pub agent: AgentNo,
    /// When it was measured, on the host's clock.
    pub at: UnixSeconds,
    /// The envelope; empty if it is damaged.
    pub envelope: Vec<u8>,
}

/// How far a read of reports has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeasuredTo {
    /// Whether any report at all was received at about that time.
    pub any: bool,
    /// The agents that were looked at, in order.
    pub agents: Vec<AgentNo>,
    /// Whether there may be more of them.
    pub more: bool,
}

/// A report that came late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateReport {
    /// The report.
    pub id: ReportId,
    /// Whose.
    pub agent: AgentNo,
    /// When it was measured, on the host's clock.
    pub measured_at: UnixSeconds,
}
