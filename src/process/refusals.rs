//! What was refused and why: the last refusals for people, and counts for the alarms.
//!
//! Nothing of a refused report is stored. Everything here is bounded, whoever sends it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::rates::PerMinute;
use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;
use crate::verify::rejection::Rejection;
use crate::wire::codes::ErrorCode;

/// Refusals kept for the reports page; about 300 KB.
const KEPT: usize = 1000;

/// Agents whose bad signatures, and relays whose bad paths, are counted apart; beyond it only the
/// fleet's total of signatures counts.
const COUNTED_AGENTS: usize = 10_000;

/// Unusable reports of one agent that are counted between two looks.
const UNUSABLE_COUNTED: u32 = 10;

/// One refused request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// When.
    pub at: UnixSeconds,
    /// The code the sender was given.
    pub code: &'static str,
    /// The cause, for the operator.
    pub detail: String,
    /// The agent the request claimed to be from; not proven unless the signature held.
    pub agent_id: Option<String>,
    /// Where it came from.
    pub source: Option<IpAddr>,
}

/// The refusals of one run of the manager, and how many there were before.
#[derive(Debug, Default)]
pub struct Refusals {
    kept: Mutex<Kept>,
    per_minute: PerMinute,
}

#[derive(Debug, Default)]
struct Kept {
    last: VecDeque<Refusal>,
    total: u64,
    pending: Observed,
}

/// What was refused since the processor last asked.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Signatures that did not verify, by claimed agent.
    pub bad_hmac: HashMap<AgentId, u32>,
    /// Signatures that did not verify, from anyone.
    pub bad_hmac_total: u32,
    /// What relays that proved themselves passed on against the rules of the path: the last
    /// fault by relay.
    pub bad_paths: HashMap<AgentId, String>,
    /// Valid signatures with a clock too far off: offset in seconds by agent.
    pub skewed: HashMap<AgentId, i64>,
    /// Valid signatures over content that cannot be used, by agent: how many, and what was wrong
    /// with the last.
    pub unusable: HashMap<AgentId, (u32, String)>,
    /// Reports turned away for want of room.
    pub shed: u32,
    /// Sign-ins that failed, and where the last one came from.
    pub sign_ins: (u32, Option<IpAddr>),
}

impl Observed {
    fn note_unusable(&mut self, agent: &AgentId, detail: &str) {
        if self.unusable.len() < COUNTED_AGENTS || self.unusable.contains_key(agent) {
            let (count, last) = self.unusable.entry(agent.clone()).or_default();
            // More than raise the alarm say no more.
            *count = count.saturating_add(1).min(UNUSABLE_COUNTED);
            detail.clone_into(last);
        }
    }
}

impl Refusals {
    /// Those of a new run, which goes on counting.
    pub(super) fn counted(per_minute: PerMinute) -> Self {
        Self { per_minute, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers one refusal.
    pub fn add(&self, rejection: &Rejection, source: Option<IpAddr>, now: UnixSeconds) {
        let agent = rejection.agent().cloned();
        self.per_minute.add(now);
        let mut kept = self.lock();
        kept.total += 1;
        if kept.last.len() == KEPT {
            kept.last.pop_front();
        }
        kept.last.push_back(Refusal {
            at: now,
            code: rejection.code().as_str(),
            detail: rejection.to_string(),
            agent_id: agent.as_ref().map(ToString::to_string),
            source,
        });
        let pending = &mut kept.pending;
        if let Some((relay, fault)) = rejection.broken_path()
            && (pending.bad_paths.len() < COUNTED_AGENTS || pending.bad_paths.contains_key(relay))
        {
            pending.bad_paths.insert(relay.clone(), fault);
        }
        if rejection.code() == ErrorCode::SignatureInvalid {
            pending.bad_hmac_total = pending.bad_hmac_total.saturating_add(1);
            if let Some(agent) = agent
                && (pending.bad_hmac.len() < COUNTED_AGENTS
                    || pending.bad_hmac.contains_key(&agent))
            {
                *pending.bad_hmac.entry(agent).or_default() += 1;
            }
        } else if let Rejection::TimestampSkew { agent, timestamp, now, .. } = rejection.reason() {
            pending.skewed.insert(agent.clone(), timestamp.since(*now));
        } else if let Rejection::DataInvalid { agent, detail } = rejection.reason() {
            pending.note_unusable(agent, detail);
        } else if rejection.code() == ErrorCode::Overloaded {
            pending.shed = pending.shed.saturating_add(1);
        }
    }

    /// Counts a sign-in that failed.
    pub fn sign_in_failed(&self, source: Option<IpAddr>) {
        let mut kept = self.lock();
        let (count, last) = &mut kept.pending.sign_ins;
        *count = count.saturating_add(1);
        *last = source;
    }

    /// The last refusals, newest first.
    pub fn list(&self) -> Vec<Refusal> {
        self.lock().last.iter().rev().cloned().collect()
    }

    /// How many were refused, by minute.
    pub(super) fn per_minute(&self) -> &PerMinute {
        &self.per_minute
    }

    /// How many requests were refused since start.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    /// What was refused since the last call.
    pub fn take(&self) -> Observed {
        std::mem::take(&mut self.lock().pending)
    }
}
