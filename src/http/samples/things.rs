//! The things that the samples show: one small network, told by every type of the API.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::http::agents::Health;
use crate::http::health::{Check, Readiness};
use crate::http::keys::{KeyView, KeysView, Revoked};
use crate::http::operators::agents::{AgentView, IdentityView, OtherEnd, PeerView};
use crate::http::operators::alarms::AlarmView;
use crate::http::operators::events::EventView;
use crate::http::operators::identities::{AgentKey, GenerationUse, KeyUsage, Waiting};
use crate::http::operators::reports::{ReportView, WholeReport};
use crate::http::operators::told::ToldView;
use crate::model::id::{AgentId, AlarmId, EventId, FleetId, FrameDictId, Kid, ReportId, WindowId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::proven::Proven;
use crate::model::report::{Counters, Interface, LinkState, Peer, Route};
use crate::model::state::{
    AgentStatus, AlarmKind, AlarmState, CanonForm, EdgeState, EventKind, IdentityState, PinnedHow,
    RelayProof, Scheme, Severity,
};
use crate::process::chores::{Chore, ChoreState};
use crate::process::refusals::Refusal;
use crate::process::summary::{AgentSummary, Identity};
use crate::sign::digest::kid_of_public_key;
use crate::sign::ed25519;
use crate::wire::answer::{Enrolled, Receipt, Standing, Taken};
use crate::wire::codes::ErrorCode;

use super::NOW;

pub(super) fn agent_id() -> Option<AgentId> {
    "gw-1".parse().ok()
}

fn relay() -> Option<AgentId> {
    "gw-3".parse().ok()
}

pub(super) fn path() -> RelayPath {
    RelayPath::through(relay().into_iter().collect(), RelayProof::Proven)
}

pub(super) fn kid() -> Option<Kid> {
    "45819852fbdfc69a".parse().ok()
}

pub(super) fn job() -> ChoreState {
    let chore = Chore::PruneReports;
    ChoreState {
        name: chore.name(),
        about: chore.about(),
        every: chore.every_s(),
        running: false,
        last_run: Some(NOW),
        duration_ms: Some(41),
        rows: Some(1024),
        next_run: NOW.plus(chore.every_s()),
        last_error: Some("the disk is full; free some space on it".into()),
        last_error_at: Some(NOW.minus(86_400)),
    }
}

pub(super) fn keys() -> Option<KeysView> {
    let key = KeyView {
        kid: kid()?,
        state: "current",
        source: "dns",
        first_seen: NOW,
        last_seen: NOW,
        left_at: Some(NOW),
        nbf: Some(NOW),
        exp: Some(NOW),
        usable: true,
        agents: 1,
        agent_ids: vec![agent_id()?],
    };
    Some(KeysView {
        source: "TXT record of _kattila.example.net".into(),
        problem: None,
        last_success: Some(NOW),
        notices: vec!["a key is shorter than 32 bytes".into()],
        keys: vec![key],
    })
}

pub(super) fn revoked() -> Option<Revoked> {
    Some(Revoked {
        status: "ok",
        kid: kid()?,
        keys_left: vec!["0011223344556677".parse().ok()?],
        detail: "Reports signed with it are refused from now on.".into(),
    })
}

pub(super) fn envelope() -> Value {
    json!({
        "agent_id": "gw-1", "timestamp": NOW, "nonce": "AAECAwQFBgcICQoLDA0ODw",
        "hmac": "7a8046f955a85973621026ab5e65dadf560683cfc144fe66659bfd09f75665ad",
        "data": {"hostname": "gw-1"},
    })
}

pub(super) fn health() -> Health {
    let version = env!("CARGO_PKG_VERSION");
    Health { status: "ok", keys: "ok", storage: "ok", server_time: NOW, version }
}

pub(super) fn readiness() -> Readiness {
    let check = Check { name: "storage", ok: true, reason: "takes commits".into() };
    Readiness { status: "ready", checks: vec![check] }
}

/// The name of a dictionary.
pub(super) fn dict() -> Option<FrameDictId> {
    "d629bb4bb0f027a8d0b2d1ba4bc0c86ab176c4e6939b8534b996d563752d7e1d".parse().ok()
}

pub(super) fn receipt() -> Receipt {
    Receipt {
        status: Taken::Ok,
        report_id: ReportId(4711),
        server_time: NOW,
        interval: 30,
        framed: true,
        dict: dict(),
    }
}

pub(super) fn agent_summary() -> Option<AgentSummary> {
    Some(AgentSummary {
        agent_id: agent_id()?,
        hostname: Some("gw-1".into()),
        fleet_id: FleetId::unnamed(),
        agent_version: Some("1.0.0".into()),
        registered_at: NOW,
        last_seen_at: Some(NOW),
        last_tick: Some(1_795_214_286_123),
        status: AgentStatus::Online,
        status_since: NOW,
        scheme: Some(Scheme::V2Hmac),
        form: Some(CanonForm::Raw),
        kid: kid(),
        interfaces: vec!["wg0".into()],
        peers: 1,
        links: 1,
        links_down: 0,
        addresses: vec!["10.0.0.1".into()],
        site: Some("helsinki".into()),
        role: Some("gateway".into()),
        problems: 0,
        clock_offset: 0,
        relay_path: path(),
        maintenance_until: Some(NOW),
        may_relay: true,
        relays_for: relay().into_iter().collect(),
        source: "192.0.2.7".parse().ok(),
        identity: identity(),
    })
}

/// The key of the protocol's example, whose seed is the bytes 00 to 1f.
pub(super) fn identity() -> Option<Identity> {
    let public_key = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg".parse().ok()?;
    Some(Identity {
        state: IdentityState::Pinned,
        public_key,
        kid: kid_of_public_key(&public_key.0),
        fingerprint: ed25519::fingerprint(&public_key),
        how: PinnedHow::Tofu,
        since: NOW,
        source: "192.0.2.7".parse().ok(),
        certified: false,
    })
}

fn past_identity(key: Identity) -> IdentityView {
    IdentityView {
        public_key: key.public_key,
        kid: key.kid,
        fingerprint: key.fingerprint,
        state: key.state,
        how: key.how,
        registered_at: NOW,
        pinned_at: Some(NOW),
        retired_at: None,
        revoked_at: None,
        source: key.source,
    }
}

pub(super) fn waiting() -> Option<Waiting> {
    let mut agent = agent_summary()?;
    agent.status = AgentStatus::Pending;
    if let Some(key) = &mut agent.identity {
        key.state = IdentityState::Pending;
    }
    Waiting::of(agent)
}

pub(super) fn key_usage() -> KeyUsage {
    let agent = agent_id().map(|agent_id| AgentKey {
        agent_id,
        hostname: Some("gw-1".into()),
        scheme: Some(Scheme::V2Hmac),
        kid: kid(),
        generation: "current",
        locked_out_by_rotation: false,
        last_seen_at: Some(NOW),
    });
    KeyUsage {
        generations: vec![GenerationUse { generation: "current", kid: kid(), agents: 1 }],
        locked_out_by_rotation: 0,
        agents: agent.into_iter().collect(),
    }
}

pub(super) fn enrolment() -> Value {
    json!({
        "v": 2, "fleet_id": "fleet-a", "agent_id": "0123456789abcdef0123456789abcdef",
        "public_key": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
        "timestamp": NOW, "nonce": "AAECAwQFBgcICQoLDA0ODw", "hostname": "gw-1",
        "psk_kid": "45819852fbdfc69a",
        "psk_mac": "980b035f3ab06f2dfc535831c5080897c6e2423c966457b5ec322c385a19828c",
        "sig":
            "GMY7NwsZpO4PHK6N40R5cigxnufF-sg7GVs7UkFd1VVN9tXToigmCBhhSTm-UMck29qLb0vuhQ0YMCoDMSf0Cw",
    })
}

pub(super) fn enrolled() -> Option<Enrolled> {
    Some(Enrolled {
        status: Standing::Enrolled,
        agent_id: "0123456789abcdef0123456789abcdef".parse().ok()?,
        kid: "56475aa75463474c".parse().ok()?,
        server_time: NOW,
        interval: 30,
        framed: true,
        dict: dict(),
    })
}

pub(super) fn alarm() -> AlarmView {
    AlarmView {
        id: AlarmId(7),
        kind: AlarmKind::EdgeDown,
        severity: Severity::Major,
        state: AlarmState::Acknowledged,
        fleet_id: Some(FleetId::unnamed()),
        agent_id: agent_id(),
        subject: "0f1e2d3c4b5a6978".into(),
        message: "gw-1 and gw-2 have had no handshake for 412 s".into(),
        raised_at: Some(NOW),
        acknowledged_at: Some(NOW),
        acknowledged_by: Some("admin".into()),
        note: Some("cable ordered".into()),
        returned_at: None,
        cleared_at: None,
        clear_cause: None,
        report_id: Some(ReportId(4711)),
        flapping: false,
        inhibited_by: Some(AlarmId(6)),
        children: 0,
        shelved_at: Some(NOW),
        shelved_until: Some(NOW.plus(3600)),
        shelved_by: Some("admin".into()),
        shelve_reason: Some("cable ordered".into()),
        maintenance: Some(WindowId(3)),
        stale_since: None,
    }
}

pub(super) fn event() -> EventView {
    EventView {
        id: EventId(99),
        at: NOW,
        recorded_at: NOW,
        kind: EventKind::EdgeState,
        fleet_id: Some(FleetId::unnamed()),
        agent_id: agent_id(),
        subject: "0f1e2d3c4b5a6978".into(),
        before: Some(json!({"state": "up"})),
        after: Some(json!({"state": "down"})),
        report_id: Some(ReportId(4711)),
        cause: None,
    }
}

pub(super) fn refusal() -> Refusal {
    Refusal {
        at: NOW,
        code: ErrorCode::SignatureInvalid.as_str(),
        detail: "no known key made this signature".into(),
        agent_id: agent_id().map(|id| id.to_string()),
        source: Some(IpAddr::from([192, 0, 2, 7])),
    }
}

pub(super) fn report() -> Option<ReportView> {
    Some(ReportView {
        id: ReportId(4711),
        agent_id: agent_id()?,
        scheme: Scheme::V1,
        form: CanonForm::Raw,
        kid: kid()?,
        timestamp: NOW,
        collected_at: Some(NOW),
        received_at: NOW,
        tick: None,
        nonce: "AAECAwQFBgcICQoLDA0ODw".into(),
        data_sha256: "d629bb4bb0f027a8d0b2d1ba4bc0c86ab176c4e6939b8534b996d563752d7e1d".into(),
        redacted: false,
        relay_path: path(),
        source: "192.0.2.1".parse().ok(),
        envelope_bytes: 5120,
    })
}

pub(super) fn whole_report() -> Option<WholeReport> {
    Some(WholeReport {
        summary: report()?,
        enc: None,
        dict: None,
        envelope: envelope().to_string(),
        envelope_base64: "eyJhZ2VudF9pZCI6...".into(),
        signed_base64: Some("eyJob3N0bmFtZSI6Imd3LTEifQ==".into()),
        public_key: None,
        proof: Proven::Holds,
        proof_problem: None,
    })
}

pub(super) fn agent() -> Option<AgentView> {
    let summary = agent_summary()?;
    Some(AgentView {
        agent_id: summary.agent_id,
        hostname: summary.hostname,
        fleet_id: summary.fleet_id,
        agent_version: summary.agent_version,
        status: summary.status,
        status_since: NOW,
        registered_at: NOW,
        last_seen_at: Some(NOW),
        last_tick: summary.last_tick,
        scheme: summary.scheme,
        form: summary.form,
        kid: summary.kid,
        key_generation: Some("current"),
        boot_id: Some("3f0c7a52-8a55-4a33-9a4a-2f9f2f8f6a11".into()),
        uptime_seconds: Some(86_400),
        load: Some([0.5, 0.25, 0.125]),
        labels: BTreeMap::from([("site".to_owned(), "helsinki".to_owned())]),
        site_set: None,
        problems: Vec::new(),
        clock_offset: 0,
        relay_path: path(),
        relay_delays: vec![1, 0],
        may_relay: true,
        relays_for: relay().into_iter().collect(),
        source: "192.0.2.1".parse().ok(),
        identity: identity(),
        identities: identity().map(past_identity).into_iter().collect(),
        interfaces: vec![interface()],
        routes: vec![route()?],
        peers: vec![peer()?],
        alarms: vec![alarm()],
    })
}

pub(super) fn interface() -> Interface {
    Interface {
        name: "wg0".into(),
        mac: None,
        mtu: Some(1420),
        state: LinkState::Unknown,
        flags: vec!["LOWER_UP".into(), "UP".into()],
        addresses: "10.0.0.1/24".parse().into_iter().collect(),
        public_key: Some(WgKey([7; 32])),
        listen_port: Some(51820),
        counters: Counters::default(),
    }
}

pub(super) fn route() -> Option<Route> {
    Some(Route {
        table: "main".into(),
        dst: "10.0.0.0/24".parse().ok()?,
        metric: 0,
        gateway: None,
        dev: Some("wg0".into()),
        protocol: Some("kernel".into()),
        kind: "unicast".into(),
    })
}

pub(super) fn peer() -> Option<PeerView> {
    let peer = Peer {
        interface: "wg0".into(),
        public_key: WgKey([9; 32]),
        endpoint: Some("192.0.2.2:51820".into()),
        allowed_ips: "10.0.0.2/32".parse().into_iter().collect(),
        latest_handshake: NOW.minus(42),
        rx_bytes: 1_048_576,
        tx_bytes: 2_097_152,
        persistent_keepalive: 25,
        has_psk: false,
    };
    let other =
        OtherEnd { node: "a:gw-2".into(), label: "gw-2".into(), agent_id: "gw-2".parse().ok() };
    let edge_id = "0f1e2d3c4b5a6978".parse().ok()?;
    Some(PeerView { peer, edge_id, state: Some(EdgeState::Up), other: Some(other) })
}

/// What an agent said at a time.
pub(super) fn told() -> Option<ToldView> {
    Some(ToldView {
        agent_id: agent_id()?,
        report_id: ReportId(1),
        received_at: NOW,
        measured_at: NOW,
        interfaces: Some(vec![interface()]),
        routes: Some(route().into_iter().collect()),
        peers: Some(peer().into_iter().map(|view| view.peer).collect()),
    })
}
