//! Agents on the board. The lock is held to copy pointers only; what is shown is made afterwards.

use std::collections::HashMap;

use super::Board;
use crate::model::id::AgentId;
use crate::model::state::AgentStatus;
use crate::model::time::UnixSeconds;
use crate::process::summary::AgentSummary;

impl Board {
    /// All agents that are not forgotten, by id.
    pub fn agents(&self) -> Vec<AgentSummary> {
        let held: Vec<_> = {
            let inner = self.read();
            inner.agents.values().map(|entry| inner.with_behind(entry)).collect()
        };
        held.into_iter().map(|(entry, behind)| entry.now(behind)).collect()
    }

    /// How many agents are in which status.
    pub fn statuses(&self) -> HashMap<AgentStatus, usize> {
        let mut counts = HashMap::new();
        for entry in self.read().agents.values() {
            *counts.entry(entry.summary.status).or_default() += 1;
        }
        counts
    }

    /// One agent.
    pub fn agent(&self, id: &AgentId) -> Option<AgentSummary> {
        let held = {
            let inner = self.read();
            inner.agents.get(id).map(|entry| inner.with_behind(entry))
        };
        held.map(|(entry, behind)| entry.now(behind))
    }

    /// When an agent was heard last, if it is silent by now.
    pub fn silent_since(&self, id: &AgentId) -> Option<UnixSeconds> {
        let inner = self.read();
        let entry = inner.agents.get(id)?;
        let is_silent = matches!(entry.summary.status, AgentStatus::Stale | AgentStatus::Offline);
        entry.live.seen().filter(|_| is_silent)
    }
}
