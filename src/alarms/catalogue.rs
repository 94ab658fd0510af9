//! Every kind of alarm the manager raises: how bad, after how much proof, and what ends it.
//!
//! `docs/alarms.md` tells operators the same; a test holds the two together.

use super::rules::{agent, edge, identity, ingest, manager, relay, silence};
use super::tuning::Limit;
use crate::model::state::{AlarmKind, Severity};

/// How one kind of alarm behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The kind.
    pub kind: AlarmKind,
    /// How bad it is unless the observation knows better.
    pub severity: Severity,
    /// Whether it stays, when its condition is over, until somebody has acknowledged it.
    pub latching: bool,
    /// Observations of the condition in a row before it is raised; 1 raises with the first.
    pub raise_count: u32,
    /// Seconds the condition must have held before it is raised.
    pub raise_after_s: i64,
    /// What ends it.
    pub clear: ClearBy,
    /// Whether acknowledging it ends it: the person says that this is the new normal, or that
    /// what happened has been seen.
    pub ack_clears: bool,
    /// What brings it back after a person cleared it by hand.
    pub comes_back: ComesBack,
    /// How many happenings without a quiet spell between them make it how bad.
    pub repeats: Option<(u32, Severity)>,
    /// Whether its message goes on to say what is known while it is raised; nobody is told again.
    pub follows: bool,
    /// Whether one that comes and goes often is held open, and people are told once that it
    /// flaps.
    pub damped: bool,
    /// The values its rule compares with, which the rules file may change.
    pub limits: &'static [Limit],
    /// What the condition is, in one sentence.
    pub meaning: &'static str,
}

/// What ends an alarm.
///
/// Only [`ClearBy::Steady`] and [`ClearBy::Quiet`] without `needs_report` end by time alone: there the manager itself is the witness. Everywhere else an agent that
/// falls silent keeps its alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearBy {
    /// Observations of the opposite, `count` in a row.
    Reports {
        /// How many.
        count: u32,
    },
    /// The manager sees the opposite without interruption for `after_s` seconds.
    Steady {
        /// Seconds.
        after_s: i64,
    },
    /// The alarm is about happenings, and there was none for `after_s` seconds.
    Quiet {
        /// Seconds; kept to the minute.
        after_s: i64,
        /// Whether the agent must also have reported after them.
        needs_report: bool,
    },
    /// Only a person ends it.
    Person,
}

/// What brings an alarm back that a person cleared by hand.
///
/// The first two together are the promise of [`super::book::Book::clear`]: while the condition
/// holds, the alarm is raised again after the delay of a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComesBack {
    /// Its rule sees the condition itself each time it looks, and begins anew.
    Seen,
    /// Its rule sees only the change that began it. Clearing leaves a pending alarm behind, not
    /// confirmed by anything yet: the next reports confirm it or drop it, also after a restart.
    Remembered,
    /// It is about something that happened and is over. Only the next such happening raises it.
    NextTime,
}

mod hosts;
mod whole;

const PLAIN: Rule = Rule {
    kind: AlarmKind::AgentStale,
    severity: Severity::Warning,
    latching: false,
    raise_count: 1,
    raise_after_s: 0,
    clear: ClearBy::Reports { count: 1 },
    ack_clears: false,
    comes_back: ComesBack::Seen,
    repeats: None,
    follows: false,
    damped: false,
    limits: &[],
    meaning: "",
};

/// The catalogue, one rule per kind.
pub const RULES: &[Rule] = &[
    Rule {
        kind: AlarmKind::AgentStale,
        limits: &[agent::STALE_INTERVALS, agent::STALE_EXTRA_S],
        meaning: "An agent that reported has not reported for three intervals and 10 s.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::AgentOffline,
        damped: true,
        severity: Severity::Major,
        clear: ClearBy::Reports { count: 2 },
        follows: true,
        limits: &[agent::OFFLINE_INTERVALS, agent::OFFLINE_LEAST_S],
        meaning: "An agent has not reported for six intervals, at least 180 s.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::AgentFlapping,
        severity: Severity::Minor,
        clear: ClearBy::Quiet { after_s: 1_800, needs_report: true },
        comes_back: ComesBack::NextTime,
        limits: &[agent::RETURNS, agent::RETURNS_WINDOW_S],
        meaning: "An agent stopped and came back three times within half an hour.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::AgentRebooted,
        severity: Severity::Info,
        clear: ClearBy::Quiet { after_s: 3_600, needs_report: true },
        comes_back: ComesBack::NextTime,
        repeats: Some((3, Severity::Warning)),
        meaning: "A host's boot id changed: it was started again.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::AgentRelayOnly,
        damped: true,
        raise_count: 3,
        follows: true,
        meaning: "An agent's reports arrive only through other agents.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::RelayDead,
        damped: true,
        severity: Severity::Major,
        follows: true,
        limits: &[relay::TOGETHER, relay::WITHIN_INTERVALS],
        meaning: "Everybody who reports through an agent fell silent together.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::RelayChainBad,
        severity: Severity::Major,
        latching: true,
        clear: ClearBy::Quiet { after_s: 1_800, needs_report: false },
        meaning: "A relay passed on a report whose path breaks the rules.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IfaceDown,
        damped: true,
        severity: Severity::Minor,
        raise_count: 2,
        clear: ClearBy::Reports { count: 2 },
        comes_back: ComesBack::Remembered,
        meaning: "An interface that worked stopped working, and nobody switched it off.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IfaceGone,
        damped: true,
        raise_count: 2,
        ack_clears: true,
        comes_back: ComesBack::Remembered,
        meaning: "An interface disappeared from a host that still reports.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::EdgeDown,
        damped: true,
        raise_count: 2,
        limits: &[edge::T1_EXTRA_S, edge::T2_EXTRA_S],
        meaning: "A link that should be alive has had no handshake for longer than any healthy \
                  link can go without, or lost the interface at one end.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::EdgeHalfConfigured,
        severity: Severity::Major,
        raise_count: 3,
        meaning: "One end of a link lists the other as its peer, and the other, which reports, \
                  does not list it under the key it uses.",
        ..PLAIN
    },
    hosts::EDGE_ONE_WAY,
    hosts::EDGE_DISAGREE,
    hosts::ALLOWED_IPS_MISMATCH,
    hosts::MTU_MISMATCH,
    hosts::ROUTE_MISSING,
    hosts::ALLOWED_IPS_MOVED,
    hosts::OVERLAY_IP_DUPLICATE,
    hosts::PEER_NEVER_UP,
    hosts::ENDPOINT_FLAPPING,
    hosts::LISTEN_PORT_CHANGED,
    hosts::WG_PSK_REMOVED,
    Rule {
        kind: AlarmKind::PeerUnknown,
        raise_count: 2,
        meaning: "A peer's key belongs to no agent.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::AgentClockSkew,
        damped: true,
        severity: Severity::Major,
        raise_count: 2,
        clear: ClearBy::Reports { count: 3 },
        limits: &[agent::CLOCK_GOOD_S],
        meaning: "An agent's correctly signed reports are refused because its clock is wrong.",
        ..PLAIN
    },
    hosts::AGENT_CLOCK_DRIFT,
    hosts::AGENT_CLOCK_WENT_BACK,
    hosts::DEFAULT_ROUTE_CHANGED,
    Rule {
        kind: AlarmKind::IngestBadHmac,
        severity: Severity::Major,
        latching: true,
        clear: ClearBy::Quiet { after_s: 1_800, needs_report: false },
        limits: &[
            ingest::AGENT_BAD,
            ingest::AGENT_WINDOW_S,
            ingest::FLEET_BAD,
            ingest::FLEET_WINDOW_S,
        ],
        meaning: "Reports arrive whose signature no key verifies.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IngestReplay,
        severity: Severity::Critical,
        latching: true,
        clear: ClearBy::Person,
        ack_clears: true,
        comes_back: ComesBack::NextTime,
        meaning: "A nonce came a second time, correctly signed, over other content.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IngestReplaySuspect,
        severity: Severity::Major,
        latching: true,
        clear: ClearBy::Quiet { after_s: 1_800, needs_report: true },
        comes_back: ComesBack::NextTime,
        meaning: "A version 1 report looks like one that was recorded and sent again.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::DnsPskStale,
        limits: &[manager::KEYS_FAILING_S, manager::KEYS_PERIODS, manager::KEYS_MAJOR_S],
        meaning: "The TXT record with the keys cannot be read; the last good keys stay in use.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::DnsPskUnexpected,
        severity: Severity::Critical,
        latching: true,
        meaning: "The TXT record holds what it should not; the last good keys stay in use.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::NetPartition,
        damped: true,
        severity: Severity::Critical,
        raise_after_s: 60,
        clear: ClearBy::Steady { after_s: 60 },
        meaning: "A fleet's network fell into parts that cannot reach each other.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::ManagerClock,
        severity: Severity::Critical,
        raise_count: 3,
        clear: ClearBy::Reports { count: 3 },
        limits: &[
            manager::CLOCK_WITNESSES,
            manager::CLOCK_AGREEING,
            manager::CLOCK_OFF_S,
            manager::CLOCK_GOOD_S,
        ],
        meaning: "Nearly all agents' clocks differ from the manager's in the same direction.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::ManagerMassSilence,
        severity: Severity::Critical,
        follows: true,
        limits: &[
            silence::MASS,
            silence::PERCENT,
            silence::TOGETHER_S,
            silence::BACK_PERCENT,
            silence::HOLDS_S,
        ],
        meaning: "At least half of the agents, and five of them, fell silent within a minute: the \
                  manager is more likely cut off than all of them dead.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::StorageRolledBack,
        severity: Severity::Critical,
        latching: true,
        clear: ClearBy::Person,
        ack_clears: true,
        comes_back: ComesBack::NextTime,
        meaning: "The database is older than what the manager had promised to keep.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::AuditChainBroken,
        severity: Severity::Critical,
        latching: true,
        clear: ClearBy::Person,
        ack_clears: true,
        comes_back: ComesBack::NextTime,
        meaning: "The audit of who did what was changed, or lost entries.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::SecretInReport,
        severity: Severity::Major,
        latching: true,
        clear: ClearBy::Reports { count: 2 },
        meaning: "A report carried a private or preshared key; it was dropped, not stored.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IdentityConflict,
        severity: Severity::Critical,
        latching: true,
        clear: ClearBy::Quiet { after_s: 600, needs_report: true },
        comes_back: ComesBack::NextTime,
        limits: &[identity::RETURNS],
        meaning: "Two hosts report as one agent, or a second key was offered for it.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IdentityDowngrade,
        severity: Severity::Major,
        latching: true,
        clear: ClearBy::Quiet { after_s: 1_800, needs_report: true },
        comes_back: ComesBack::NextTime,
        meaning: "An agent with a key of its own was spoken for with the shared key.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::IdentityPinned,
        severity: Severity::Info,
        clear: ClearBy::Quiet { after_s: 3_600, needs_report: true },
        ack_clears: true,
        comes_back: ComesBack::NextTime,
        meaning: "An agent's own key was taken as first seen; its fingerprint can be compared.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::KeyOldInUse,
        limits: &[identity::KEY_PATIENCE_S],
        meaning: "An agent signs with a shared key that is no longer the current one.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::WgKeyDuplicate,
        severity: Severity::Critical,
        latching: true,
        raise_count: 2,
        clear: ClearBy::Reports { count: 2 },
        meaning: "One WireGuard key is on several hosts that report.",
        ..PLAIN
    },
    Rule {
        kind: AlarmKind::NotifyFailing,
        severity: Severity::Major,
        clear: ClearBy::Reports { count: 3 },
        comes_back: ComesBack::NextTime,
        meaning: "A channel does not take the messages about alarms.",
        ..PLAIN
    },
    whole::SPOF_NEW,
    whole::REDUNDANCY_LOST,
    whole::NODE_ISOLATED,
    whole::RELAY_SPOF,
    whole::AGENT_NEVER_RETURNED,
    whole::AGENT_UNAPPROVED,
    whole::PAYLOAD_REJECTED,
    whole::INGEST_LAG,
    whole::JOB_FAILED,
    whole::LOGIN_BRUTEFORCE,
    whole::ROUTE_CONFLICT,
    whole::DB_PRESSURE,
    whole::TLS_EXPIRING,
    whole::AGENT_VERSION_OLD,
    whole::BACKUP_STALE,
    hosts::IFACE_ERRORS,
    whole::EDGE_EXPECTED_MISSING,
    whole::EDGE_UNEXPECTED,
];

/// The rule of a kind.
pub fn rule(kind: AlarmKind) -> &'static Rule {
    RULES.iter().find(|rule| rule.kind == kind).unwrap_or(&PLAIN)
}

#[cfg(test)]
mod tests;
