//! What an agent's past is asked for while a new report of it is decided about.

use crate::model::id::{AgentNo, EdgeId, ReportId};
use crate::model::time::UnixSeconds;

/// What to look for in an agent's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// Those received at or after this time, newest last: the agent's replay memory. At most
    /// the newest 4,096 of them.
    Since(UnixSeconds),
    /// The last ones under version 1, at most this many, newest last.
    LastV1(usize),
    /// The one under version 1 that last carried the same content.
    SameV1Body {
        /// SHA-256 of `data`: it is the same under either of them.
        digests: [[u8; 32]; 2],
        /// The time inside `data`.
        collected_at: Option<UnixSeconds>,
        /// Only if it was received at or after this time.
        since: UnixSeconds,
    },
    /// The two next to a time, with their envelopes: the one measured last at or before it, and
    /// the one measured first after it. Of several measured at one time it is the last to come.
    Around(UnixSeconds),
    /// The late one that was measured after everything else the agent has sent, if its history
    /// ends with a late one.
    End,
    /// Of these links, the states at a time.
    Edges {
        /// When.
        at: UnixSeconds,
        /// Which.
        ids: Vec<EdgeId>,
    },
}

/// What is remembered of an earlier report of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierReport {
    /// The report.
    pub id: ReportId,
    /// The nonce it spent.
    pub nonce: String,
    /// When it was signed.
    pub timestamp: UnixSeconds,
    /// When its values were read, if it told that.
    pub collected_at: Option<UnixSeconds>,
    /// When it was accepted.
    pub received_at: UnixSeconds,
    /// Its tick.
    pub tick: Option<i64>,
    /// SHA-256 of its `data`.
    pub data_sha256: [u8; 32],
    /// The envelope, secrets removed; empty where it was not asked for, or is damaged.
    pub envelope: Vec<u8>,
}

impl EarlierReport {
    /// When its values were read, as well as the host tells: else, when it was signed.
    pub fn measured_at(&self) -> UnixSeconds {
        self.collected_at.unwrap_or(self.timestamp)
    }
}

/// The state of a link at some time, as the history has it.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgePast {
    /// The link.
    pub id: EdgeId,
    /// The state with its reason, as in the event that set it.
    pub value: serde_json::Value,
    /// The agent whose late report set it, if one did.
    pub learnt_from: Option<AgentNo>,
    /// When the next event about the link is.
    pub next_at: Option<UnixSeconds>,
}

/// What there is of what was looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    /// Reports, in order.
    pub reports: Vec<EarlierReport>,
    /// Links that were there at the time asked for, in the order asked for.
    pub edges: Vec<EdgePast>,
    /// Reports measured next to the time asked for may have been there and are kept no longer.
    pub cut: bool,
}
