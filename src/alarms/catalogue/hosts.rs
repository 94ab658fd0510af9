//! The kinds about a host's own tables and clock, and about links that work, but not as they should.

use super::{ClearBy, ComesBack, PLAIN, Rule};
use crate::alarms::rules::{agent, errors, link, peer};
use crate::model::state::{AlarmKind, Severity};

/// `edge.one_way`.
pub(super) const EDGE_ONE_WAY: Rule = Rule {
    kind: AlarmKind::EdgeOneWay,
    damped: true,
    severity: Severity::Major,
    raise_count: 4,
    meaning: "Packets pass in one direction of a link only.",
    ..PLAIN
};

/// `edge.disagree`.
pub(super) const EDGE_DISAGREE: Rule = Rule {
    kind: AlarmKind::EdgeDisagree,
    limits: &[link::APART_S],
    damped: true,
    raise_count: 3,
    meaning: "The ends of a link tell different last handshakes.",
    ..PLAIN
};

/// `allowedips.mismatch`.
pub(super) const ALLOWED_IPS_MISMATCH: Rule = Rule {
    kind: AlarmKind::AllowedIpsMismatch,
    severity: Severity::Major,
    raise_count: 2,
    meaning: "An end of a link drops what the other sends: its address is not in the allowed \
              ips.",
    ..PLAIN
};

/// `mtu.mismatch`.
pub(super) const MTU_MISMATCH: Rule = Rule {
    kind: AlarmKind::MtuMismatch,
    raise_count: 2,
    comes_back: ComesBack::Remembered,
    meaning: "A tunnel's packets are too large for the link under it, or its ends have \
              different sizes.",
    ..PLAIN
};

/// `route.missing`.
pub(super) const ROUTE_MISSING: Rule = Rule {
    kind: AlarmKind::RouteMissing,
    damped: true,
    severity: Severity::Major,
    raise_count: 2,
    comes_back: ComesBack::Remembered,
    meaning: "A peer may use addresses that no route leads to.",
    ..PLAIN
};

/// `allowedips.moved`.
pub(super) const ALLOWED_IPS_MOVED: Rule = Rule {
    kind: AlarmKind::AllowedIpsMoved,
    severity: Severity::Major,
    latching: true,
    clear: ClearBy::Person,
    ack_clears: true,
    comes_back: ComesBack::NextTime,
    meaning: "A prefix left one peer of an interface for another, or a peer may use nothing \
              any more.",
    ..PLAIN
};

/// `overlay_ip.duplicate`.
pub(super) const OVERLAY_IP_DUPLICATE: Rule = Rule {
    kind: AlarmKind::OverlayIpDuplicate,
    severity: Severity::Critical,
    raise_count: 2,
    clear: ClearBy::Reports { count: 2 },
    meaning: "Several hosts of one overlay have the same address in it.",
    ..PLAIN
};

/// `peer.never_up`.
pub(super) const PEER_NEVER_UP: Rule = Rule {
    kind: AlarmKind::PeerNeverUp,
    limits: &[link::NEVER_UP_S],
    severity: Severity::Minor,
    raise_count: 2,
    meaning: "A link that somebody tries to use has never had a handshake.",
    ..PLAIN
};

/// `endpoint.flapping`.
pub(super) const ENDPOINT_FLAPPING: Rule = Rule {
    kind: AlarmKind::EndpointFlapping,
    limits: &[peer::ROAMS_WITHIN_S],
    raise_count: 4,
    clear: ClearBy::Quiet { after_s: 900, needs_report: true },
    comes_back: ComesBack::NextTime,
    meaning: "A peer keeps changing the address that its packets come from.",
    ..PLAIN
};

/// `listen_port.changed`.
pub(super) const LISTEN_PORT_CHANGED: Rule = Rule {
    kind: AlarmKind::ListenPortChanged,
    severity: Severity::Major,
    raise_count: 3,
    comes_back: ComesBack::Remembered,
    meaning: "An interface listens on another port, and others still send to the old one.",
    ..PLAIN
};

/// `wg_psk.removed`.
pub(super) const WG_PSK_REMOVED: Rule = Rule {
    kind: AlarmKind::WgPskRemoved,
    severity: Severity::Major,
    latching: true,
    comes_back: ComesBack::Remembered,
    meaning: "A peer had a preshared key, and has none any more.",
    ..PLAIN
};

/// `agent.clock_drift`.
pub(super) const AGENT_CLOCK_DRIFT: Rule = Rule {
    kind: AlarmKind::AgentClockDrift,
    limits: &[agent::DRIFT_BAD_S, agent::DRIFT_GOOD_S],
    damped: true,
    raise_count: 10,
    clear: ClearBy::Reports { count: 3 },
    meaning: "An agent's clock is off, not far enough for its reports to be refused.",
    ..PLAIN
};

/// `agent.clock_went_back`.
pub(super) const AGENT_CLOCK_WENT_BACK: Rule = Rule {
    kind: AlarmKind::AgentClockWentBack,
    limits: &[agent::BACK_S],
    clear: ClearBy::Quiet { after_s: 600, needs_report: true },
    comes_back: ComesBack::NextTime,
    meaning: "An agent's clock was set back.",
    ..PLAIN
};

/// `default_route.changed`.
pub(super) const DEFAULT_ROUTE_CHANGED: Rule = Rule {
    kind: AlarmKind::DefaultRouteChanged,
    damped: true,
    severity: Severity::Critical,
    raise_count: 2,
    comes_back: ComesBack::Remembered,
    meaning: "A host lost its last default route of IPv4 or IPv6.",
    ..PLAIN
};

/// `iface.errors`.
pub(super) const IFACE_ERRORS: Rule = Rule {
    kind: AlarmKind::IfaceErrors,
    damped: true,
    raise_count: 2,
    clear: ClearBy::Reports { count: 3 },
    limits: &[errors::ERRORS, errors::PER_MILLION],
    meaning: "A host's interface receives broken packets, or cannot send, too often.",
    ..PLAIN
};
