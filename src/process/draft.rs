//! A change under construction: what one report, tick or command will write, and what the board
//! must show once it is committed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::audit::Entry;
use crate::model::id::{AgentNo, AlarmId, EdgeId, FleetId, ReportId};
use crate::model::state::{AlarmKind, EventKind};
use crate::model::time::UnixSeconds;
use crate::notify::terms::Changes;
use crate::store::change::{AgentRecord, AlarmRecord, Change, EdgeRecord, NewEvent};
use crate::store::flap::FlapRecord;
use crate::store::identity::IdentityRecord;

/// What is being decided now.
#[derive(Debug)]
pub(super) struct Draft {
    /// The manager's time.
    pub(super) now: UnixSeconds,
    /// When what is decided about happened, as well as it is known.
    pub(super) at: UnixSeconds,
    /// The report that proves it.
    pub(super) report: Option<ReportId>,
    /// Who or what caused it, where that is not a report.
    pub(super) cause: Option<String>,
    /// What will be written, apart from the rows below.
    pub(super) change: Change,
    /// Rows of agents, once each however often they are changed: everybody's may be.
    pub(super) agents: BTreeMap<AgentNo, AgentRecord>,
    /// Rows of agents' own keys, likewise.
    pub(super) identities: BTreeMap<i64, IdentityRecord>,
    /// Rows of edges, likewise.
    pub(super) edges: BTreeMap<EdgeId, EdgeRecord>,
    /// Rows of alarms, likewise.
    pub(super) alarms: BTreeMap<AlarmId, AlarmRecord>,
    /// Rows of how restless things are, likewise.
    pub(super) flaps: BTreeMap<(AlarmKind, String), FlapRecord>,
    /// What will be written into the audit, in this order.
    pub(super) audit: Vec<Entry>,
    /// What people will be told of them.
    pub(super) told: Changes,
    /// Edges to judge once the structure is settled.
    pub(super) to_judge: BTreeSet<EdgeId>,
    /// What the board shows differently afterwards.
    pub(super) effects: Effects,
}

/// What the board must be told after the commit.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) agents: BTreeSet<AgentNo>,
    pub(super) edges: BTreeSet<EdgeId>,
    pub(super) externals: BTreeSet<String>,
    pub(super) alarms: bool,
    pub(super) windows: bool,
    pub(super) shares: bool,
    pub(super) graph: bool,
}

impl Effects {
    pub(super) fn merge(&mut self, mut other: Self) {
        self.agents.append(&mut other.agents);
        self.edges.append(&mut other.edges);
        self.externals.append(&mut other.externals);
        self.alarms |= other.alarms;
        self.windows |= other.windows;
        self.shares |= other.shares;
        self.graph |= other.graph;
    }
}

/// What an event is about.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) fleet: Option<FleetId>,
    pub(super) agent: Option<AgentNo>,
    pub(super) subject: String,
}

impl Draft {
    pub(super) fn new(now: UnixSeconds) -> Self {
        Self {
            now,
            at: now,
            report: None,
            cause: None,
            change: Change::default(),
            agents: BTreeMap::new(),
            identities: BTreeMap::new(),
            edges: BTreeMap::new(),
            alarms: BTreeMap::new(),
            flaps: BTreeMap::new(),
            audit: Vec::new(),
            told: Changes::default(),
            to_judge: BTreeSet::new(),
            effects: Effects::default(),
        }
    }

    /// Ends the drafting: everything that will be written, and what the board must show.
    pub(super) fn settle(self) -> (Change, Effects) {
        let mut change = self.change;
        change.agents.extend(self.agents.into_values());
        change.identities.extend(self.identities.into_values());
        change.edges_set.extend(self.edges.into_values());
        change.alarms.extend(self.alarms.into_values());
        change.flaps.set.extend(self.flaps.into_values());
        for (key, row) in self.told.tells {
            match row {
                Some(row) => change.tells.push(row),
                None => change.tells_removed.push(key),
            }
        }
        change.messages.extend(self.told.messages.into_values());
        change.channels.extend(self.told.channels.into_values());
        (change, self.effects)
    }

    /// Appends one fact to the history.
    pub(super) fn event(
        &mut self,
        kind: EventKind,
        about: About,
        before: Option<Value>,
        after: Option<Value>,
    ) {
        self.change.events.push(NewEvent {
            at: self.at,
            recorded_at: self.now,
            kind,
            fleet: about.fleet,
            agent: about.agent,
            subject: about.subject,
            before,
            after,
            report: self.report,
            cause: self.cause.clone(),
        });
    }
}
