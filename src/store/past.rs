//! What the history is asked about the whole map: how it was at a time, and what changed between
//! two.

use crate::model::id::{AgentId, FleetId};
use crate::model::reach::Reach;
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;

use super::layout::LayoutRecord;
use super::row::EventRow;

/// What the history says of links and agents at a time.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Since when the past can be told; `None` before anything has happened.
    pub since: Option<UnixSeconds>,
    /// The last event at or before the time of every kind about every link and agent, in no
    /// order. Of an agent's changes, the last about its name, about its labels and about its
    /// fleet; one event may be among them twice.
    pub facts: Vec<EventRow>,
    /// Alarms that were active, by fleet and agent; `None` for those about none.
    pub alarms: Vec<AlarmsThen>,
    /// Where everything is, and was when it was last there: a layout does not depend on time.
    pub layout: Vec<LayoutRecord>,
}

/// How many alarms were active at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmsThen {
    /// In which fleet.
    pub fleet: Option<FleetId>,
    /// About whom.
    pub agent_id: Option<AgentId>,
    /// How many.
    pub active: u32,
    /// Those of them that nobody had acknowledged.
    pub unacknowledged: u32,
}

/// Which changes to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesAsked {
    /// From this time on.
    pub from: UnixSeconds,
    /// Up to this time, itself included.
    pub to: UnixSeconds,
    /// Seconds of one step of the count; 0: nothing is counted.
    pub step: i64,
    /// At most this many of the changes themselves, the last ones.
    pub limit: usize,
    /// The time whose neighbours are asked for.
    pub around: Option<UnixSeconds>,
    /// Only of what is within this reach.
    pub reach: Reach,
}

impl ChangesAsked {
    /// Nothing but since when the past can be told, of these two times.
    pub fn between(from: UnixSeconds, to: UnixSeconds) -> Self {
        Self { from, to, step: 0, limit: 0, around: None, reach: Reach::Whole }
    }
}

/// What changed.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Since when the past can be told; `None` before anything has happened.
    pub since: Option<UnixSeconds>,
    /// How often, step by step.
    pub tallies: Vec<Tally>,
    /// What, in the order in which it held. If there are as many as were asked for, there may be
    /// more before them.
    pub events: Vec<EventRow>,
    /// The last time before `around` at which something changed.
    pub previous: Option<UnixSeconds>,
    /// The first time after `around` at which something changed.
    pub next: Option<UnixSeconds>,
}

/// How often one thing happened within one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The number of the step, from 0.
    pub step: i64,
    /// What happened.
    pub kind: EventKind,
    /// What it led to: a link's state, an agent's status, an alarm's severity.
    pub word: Option<String>,
    /// How often.
    pub count: u64,
}
