//! The kinds about the network as a whole, about who belongs to it, and about the manager at work.

use super::{ClearBy, PLAIN, Rule};
use crate::alarms::rules::{backup, graph, meant, member, relay, service};
use crate::model::state::{AlarmKind, Severity};

/// `spof.new`.
pub(super) const SPOF_NEW: Rule = Rule {
    kind: AlarmKind::SpofNew,
    raise_after_s: graph::SPOF_AFTER_S,
    limits: &[graph::SPOF_BEHIND],
    follows: true,
    meaning: "With links dead that led round it, several hosts hang on one agent alone.",
    ..PLAIN
};

/// `redundancy.lost`.
pub(super) const REDUNDANCY_LOST: Rule = Rule {
    kind: AlarmKind::RedundancyLost,
    damped: true,
    severity: Severity::Major,
    raise_after_s: graph::REDUNDANCY_AFTER_S,
    follows: true,
    meaning: "Of several links between two sites at most one is left.",
    ..PLAIN
};

/// `node.isolated`.
pub(super) const NODE_ISOLATED: Rule = Rule {
    kind: AlarmKind::NodeIsolated,
    damped: true,
    severity: Severity::Major,
    raise_after_s: graph::ISOLATED_AFTER_S,
    limits: &[graph::ISOLATED_LINKS],
    meaning: "An agent reports, but none of its links is alive.",
    ..PLAIN
};

/// `relay.spof`.
pub(super) const RELAY_SPOF: Rule = Rule {
    kind: AlarmKind::RelaySpof,
    severity: Severity::Info,
    raise_after_s: relay::SPOF_AFTER_S,
    limits: &[relay::SPOF_AGENTS],
    follows: true,
    meaning: "Many agents report through one relay alone.",
    ..PLAIN
};

/// `agent.never_returned`.
pub(super) const AGENT_NEVER_RETURNED: Rule = Rule {
    kind: AlarmKind::AgentNeverReturned,
    limits: &[member::AWAY_S],
    severity: Severity::Info,
    meaning: "An agent has been offline for 30 days.",
    ..PLAIN
};

/// `agent.unapproved`.
pub(super) const AGENT_UNAPPROVED: Rule = Rule {
    kind: AlarmKind::AgentUnapproved,
    severity: Severity::Info,
    follows: true,
    meaning: "Agents, or keys of theirs, wait for an admin.",
    ..PLAIN
};

/// `payload.rejected`.
pub(super) const PAYLOAD_REJECTED: Rule = Rule {
    kind: AlarmKind::PayloadRejected,
    severity: Severity::Minor,
    raise_count: 3,
    clear: ClearBy::Reports { count: 10 },
    meaning: "An agent's correctly signed reports are refused for what they hold.",
    ..PLAIN
};

/// `ingest.lag`.
pub(super) const INGEST_LAG: Rule = Rule {
    kind: AlarmKind::IngestLag,
    damped: true,
    severity: Severity::Major,
    raise_after_s: service::LAG_AFTER_S,
    limits: &[service::LAG_WAIT_S, service::LAG_GOOD_S],
    clear: ClearBy::Steady { after_s: service::LAG_OVER_S },
    meaning: "Reports wait for too long before they are stored, or are turned away.",
    ..PLAIN
};

/// `job.failed`.
pub(super) const JOB_FAILED: Rule = Rule {
    kind: AlarmKind::JobFailed,
    limits: &[service::JOB_FAILURES, service::JOB_BEHIND_S],
    severity: Severity::Major,
    raise_count: 2,
    meaning: "A background job fails again and again, or does not run.",
    ..PLAIN
};

/// `login.bruteforce`.
pub(super) const LOGIN_BRUTEFORCE: Rule = Rule {
    kind: AlarmKind::LoginBruteforce,
    limits: &[service::SIGN_INS, service::SIGN_IN_WINDOW_S],
    severity: Severity::Major,
    clear: ClearBy::Quiet { after_s: service::SIGN_IN_QUIET_S, needs_report: false },
    meaning: "So many sign-ins failed that somebody may be guessing tokens.",
    ..PLAIN
};

/// `route.conflict`.
pub(super) const ROUTE_CONFLICT: Rule = Rule {
    kind: AlarmKind::RouteConflict,
    severity: Severity::Major,
    raise_count: 3,
    follows: true,
    meaning: "Allowed ips of several hosts send one prefix to different ends.",
    ..PLAIN
};

/// `db.pressure`.
pub(super) const DB_PRESSURE: Rule = Rule {
    kind: AlarmKind::DbPressure,
    severity: Severity::Major,
    raise_after_s: service::PRESSURE_AFTER_S,
    limits: &[
        service::FREE_PERCENT,
        service::FREE_CRITICAL_PERCENT,
        service::FREE_ENOUGH_GIB,
        service::WAL_MIB,
    ],
    follows: true,
    meaning: "The disk of the database is nearly full, or its log is not emptied any more.",
    ..PLAIN
};

/// `tls.expiring`.
pub(super) const TLS_EXPIRING: Rule = Rule {
    kind: AlarmKind::TlsExpiring,
    limits: &[service::TLS_LEFT_S, service::TLS_CRITICAL_S],
    follows: true,
    meaning: "The certificate of the manager's door ends soon.",
    ..PLAIN
};

/// `agent.version_old`.
pub(super) const AGENT_VERSION_OLD: Rule = Rule {
    kind: AlarmKind::AgentVersionOld,
    severity: Severity::Info,
    follows: true,
    meaning: "An agent's program is older than the least version that the rules file asks for.",
    ..PLAIN
};

/// `backup.stale`.
pub(super) const BACKUP_STALE: Rule = Rule {
    kind: AlarmKind::BackupStale,
    severity: Severity::Major,
    limits: &[backup::AFTER_S],
    follows: true,
    meaning: "The last backup of the database is longer ago than it used to be.",
    ..PLAIN
};

/// `edge.expected_missing`.
pub(super) const EDGE_EXPECTED_MISSING: Rule = Rule {
    kind: AlarmKind::EdgeExpectedMissing,
    raise_after_s: meant::AFTER_S,
    meaning: "A link that the rules file says is meant to be there is in nobody's configuration.",
    ..PLAIN
};

/// `edge.unexpected`.
pub(super) const EDGE_UNEXPECTED: Rule = Rule {
    kind: AlarmKind::EdgeUnexpected,
    raise_after_s: meant::AFTER_S,
    meaning: "A link is there that is not among those that the rules file says are meant.",
    ..PLAIN
};
