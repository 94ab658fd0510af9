//! A small made-up fleet that the tests of all pages share.

pub(in crate::views) mod alarms;
pub(in crate::views) mod curves;
pub(in crate::views) mod manager;
pub(in crate::views) mod notices;
mod pages;
pub(in crate::views) mod people;
pub(in crate::views) mod ways;

use std::collections::BTreeMap;

use crate::model::access::Role;
use crate::model::id::{AgentNo, AlarmId, EventId, ReportId, WindowId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::proven::Proven;
use crate::model::report::{Counters, Interface, LinkState, Peer, Problem, Route};
use crate::model::state::{
    AgentStatus, AlarmKind, AlarmState, CanonForm, EdgeState, EndState, EventKind, RelayProof,
    Scheme, Severity,
};
use crate::model::time::UnixSeconds;
use crate::model::window::{Scope, Span, Times, Window};
use crate::store::change::{AgentRecord, AlarmRecord};
use crate::store::row::{AgentDetail, AlarmRow, EventRow, ReportSummary, StoredReport};
use crate::topology::picture::{Edge, End, Node, NodeKind, Picture, Site, SiteCounts};

use super::api::Looked;
use super::list::{Hits, ListQuery};
use super::map::GettingStarted;
use super::names::Names;
use super::ordered::Orders;
use super::page::{Nav, PageContext, Theme};
use super::reports::RefusalItem;
use super::waiting::WaitingItem;

const NOW: UnixSeconds = UnixSeconds(1_795_226_400);
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(super) fn context(title: &str, nav: Nav) -> PageContext {
    PageContext {
        title: title.to_owned(),
        nav,
        role: Some(Role::Admin),
        signed_in: true,
        who: "admin".to_owned(),
        form_token: Some("form-token".to_owned()),
        whole: true,
        masked: false,
        theme: Theme::Auto,
        alarms_open: 2,
        channels_failing: Vec::new(),
        now: NOW,
        asset_base: super::assets::base().to_owned(),
        version: "0.1.0".to_owned(),
        request_id: "req-1".to_owned(),
        then: None,
        unheard: BTreeMap::new(),
        names: Names::default(),
        plain_http_warning: false,
        visit: None,
        share_days: 90,
        told: None,
        orders: Orders::default(),
        password_min: 12,
    }
}

fn node(id: &str, label: &str, status: Option<AgentStatus>, role: &str, site: &str) -> Node {
    Node {
        id: id.to_owned(),
        kind: if status.is_some() { NodeKind::Agent } else { NodeKind::External },
        role: role.to_owned(),
        agent_id: id.strip_prefix("a:").and_then(|id| id.parse().ok()),
        label: label.to_owned(),
        status,
        fleet_id: "lab".parse().expect("a fleet"),
        site: site.to_owned(),
        x: 0.0,
        y: 0.0,
        seen_at: status.map(|_| NOW.minus(42)),
        alarms: 0,
        addresses: vec!["10.200.0.1".to_owned()],
        relay_path: RelayPath::direct(),
        maintenance_until: None,
    }
}

fn end(agent: Option<&str>, state: EndState) -> End {
    End {
        agent_id: agent.and_then(|id| id.parse().ok()),
        interface: agent.map(|_| "wg0".to_owned()),
        public_key: KEY.parse().ok(),
        state,
        latest_handshake: agent.map(|_| NOW.minus(50)),
        rx_bytes: agent.map(|_| 1_200_000),
        tx_bytes: agent.map(|_| 1_300_000),
        endpoint: agent.map(|_| "203.0.113.40:51820".to_owned()),
        allowed_ips: vec!["10.13.0.0/16".to_owned()],
        persistent_keepalive: agent.map(|_| 25),
        measured_at: agent.map(|_| NOW.minus(8)),
    }
}

fn edge(id: &str, ends: [(&str, EndState); 2], state: EdgeState, reason: &str) -> Edge {
    let [(a, a_state), (b, b_state)] = ends;
    Edge {
        id: id.to_owned(),
        source: a.to_owned(),
        target: b.to_owned(),
        edge_type: "wireguard",
        state,
        reason: reason.to_owned(),
        judged_at: NOW.minus(1_230),
        since: NOW.minus(5_460),
        ends: [end(a.strip_prefix("a:"), a_state), end(b.strip_prefix("a:"), b_state)],
    }
}

/// A healthy gateway, a late host, a dead gateway and a peer without an agent.
pub(super) fn picture() -> Picture {
    let site = |id: &str, label: &str| Site {
        id: id.to_owned(),
        label: label.to_owned(),
        fleet_id: "lab".parse().expect("a fleet"),
        x: 0.0,
        y: 0.0,
        r: 100.0,
        counts: SiteCounts::default(),
    };
    let mut down = edge(
        "00000000000000b2",
        [("a:hel-gw1", EndState::Down), ("a:oul-gw2", EndState::Unknown)],
        EdgeState::Down,
        "No handshake for 9 min while hel-gw1 sends.",
    );
    down.ends[0].rx_bytes = Some(0);
    Picture {
        v: 1,
        epoch: "e".to_owned(),
        sites: vec![site("lab/hel", "Helsinki DC"), site("lab/oul", "Oulu")],
        nodes: vec![
            node("a:hel-gw1", "hel-gw1", Some(AgentStatus::Online), "gateway", "lab/hel"),
            node("a:hel-nas1", "hel-nas1", Some(AgentStatus::Stale), "agent", "lab/hel"),
            node("a:oul-gw2", "oul-gw2", Some(AgentStatus::Offline), "gateway", "lab/oul"),
            node("x:lab:phone", "phone-2", None, "external", "lab/hel"),
        ],
        edges: vec![
            edge(
                "00000000000000b1",
                [("a:hel-gw1", EndState::Up), ("a:hel-nas1", EndState::Up)],
                EdgeState::Up,
                "Handshake 42 s ago.",
            ),
            down,
            edge(
                "00000000000000b3",
                [("a:hel-gw1", EndState::Never), ("x:lab:phone", EndState::Missing)],
                EdgeState::HalfConfigured,
                "The other end does not list hel-gw1.",
            ),
        ],
        ..Picture::default()
    }
}

pub(super) fn said() -> super::thing_then::Said {
    let interface = Interface {
        name: "wg0".to_owned(),
        mac: None,
        mtu: Some(1420),
        state: LinkState::Up,
        flags: Vec::new(),
        addresses: vec!["10.200.0.1/24".parse().expect("an address")],
        public_key: None,
        listen_port: Some(51_820),
        counters: Counters::default(),
    };
    let peer = Peer {
        interface: "wg0".to_owned(),
        public_key: WgKey([9; 32]),
        endpoint: Some("203.0.113.4:51820".to_owned()),
        allowed_ips: vec!["10.200.0.2/32".parse().expect("a prefix")],
        latest_handshake: NOW.minus(71),
        rx_bytes: 1_290,
        tx_bytes: 34_567_890,
        persistent_keepalive: 25,
        has_psk: false,
    };
    let (report, received_at, measured_at) = (ReportId(41), NOW.minus(9), NOW.minus(10));
    super::thing_then::Said {
        report,
        received_at,
        measured_at,
        interfaces: vec![interface],
        peers: vec![peer],
    }
}

pub(super) fn start() -> GettingStarted {
    GettingStarted {
        manager_url: "http://192.0.2.1:5086".to_owned(),
        txt_name: Some("_kattila.example.org".to_owned()),
        key_source: "the TXT record of _kattila.example.org".to_owned(),
        keys: 1,
        last_refused: Some("the agent's clock is 14 min off".to_owned()),
        started_at: NOW,
    }
}

pub(super) fn events() -> Vec<EventRow> {
    let event = |id, kind, subject: &str, after: &str| EventRow {
        id: EventId(id),
        at: NOW.minus(600 - id),
        recorded_at: NOW.minus(600 - id),
        kind,
        fleet: "lab".parse().ok(),
        agent_id: "oul-gw2".parse().ok(),
        subject: subject.to_owned(),
        before: None,
        after: Some(serde_json::Value::String(after.to_owned())),
        report: Some(ReportId(4)),
        cause: None,
    };
    vec![
        event(1, EventKind::AgentRegistered, "oul-gw2", "lab"),
        event(2, EventKind::EdgeState, "00000000000000b2", "down"),
    ]
}

/// Through one relay, as version 1 says it.
fn path() -> RelayPath {
    RelayPath::through("oul-relay1".parse().into_iter().collect(), RelayProof::Claimed)
}

/// The same, one of which does not prove itself.
pub(super) fn proven_reports() -> Vec<(ReportSummary, Proven)> {
    let fails = Proven::Fails("the signature does not hold".to_owned());
    let proven = std::iter::once(Proven::Holds).chain(std::iter::repeat(fails));
    reports().into_iter().zip(proven).collect()
}

pub(super) fn reports() -> Vec<ReportSummary> {
    vec![ReportSummary {
        id: ReportId(4),
        agent_id: "oul-gw2".parse().expect("an agent"),
        scheme: Scheme::V1,
        form: CanonForm::Raw,
        kid: "45819852fbdfc69a".parse().expect("a kid"),
        timestamp: NOW.minus(30),
        collected_at: Some(NOW.minus(31)),
        received_at: NOW.minus(29),
        tick: Some(17),
        nonce: "nonce-1".to_owned(),
        data_sha256: [7; 32],
        redacted: false,
        relay_path: path(),
        source: "192.0.2.7".parse().ok(),
        envelope_bytes: 2_345,
    }]
}

pub(super) fn refusals() -> Vec<RefusalItem> {
    vec![RefusalItem {
        at: NOW.minus(12),
        code: "invalid_signature".to_owned(),
        detail: "Bad signature: none of the 2 keys fits.".to_owned(),
        agent: Some("oul-gw9".to_owned()),
        source: Some("192.0.2.9".to_owned()),
    }]
}

fn record() -> AgentRecord {
    AgentRecord {
        no: AgentNo(2),
        id: "oul-gw2".parse().expect("an agent"),
        fleet: "lab".parse().expect("a fleet"),
        hostname: Some("oul-gw2".to_owned()),
        agent_version: Some("1.4.2".to_owned()),
        registered_at: NOW.minus(864_000),
        last_seen_at: Some(NOW.minus(7_300)),
        last_tick: Some(17),
        status: AgentStatus::Offline,
        status_since: NOW.minus(7_100),
        scheme: Some(Scheme::V1),
        canon_form: Some(CanonForm::Raw),
        kid: "45819852fbdfc69a".parse().ok(),
        boot_id: Some("7b0c".to_owned()),
        uptime_seconds: Some(86_400),
        load: Some([0.5, 0.25, 0.1]),
        labels: BTreeMap::from([("site".to_owned(), "Oulu".to_owned())]),
        problems: vec![Problem {
            path: "wg_peers[3].public_key".to_owned(),
            detail: "not 32 bytes of base64".to_owned(),
        }],
        clock_offset: 1,
        relay_path: path(),
        source: "192.0.2.7".parse().ok(),
        interfaces_hash: 0,
        routes_hash: 0,
        peers_hash: 0,
        forgotten: false,
        may_relay: true,
        site_set: None,
    }
}

pub(super) fn agent() -> AgentDetail {
    let interface = Interface {
        name: "wg1".to_owned(),
        mac: None,
        mtu: Some(1_420),
        state: LinkState::Unknown,
        flags: vec!["LOWER_UP".to_owned(), "UP".to_owned()],
        addresses: vec!["10.200.0.7/24".parse().expect("an address")],
        public_key: KEY.parse().ok(),
        listen_port: Some(51_820),
        counters: Counters { rx_errors: Some(3), ..Counters::default() },
    };
    let route = Route {
        table: "main".to_owned(),
        dst: "10.200.0.0/24".parse().expect("a prefix"),
        metric: 0,
        gateway: None,
        dev: Some("wg1".to_owned()),
        protocol: Some("kernel".to_owned()),
        kind: "unicast".to_owned(),
    };
    let peer = Peer {
        interface: "wg1".to_owned(),
        public_key: KEY.parse().expect("a key"),
        endpoint: Some("198.51.100.9:51820".to_owned()),
        allowed_ips: vec!["10.11.0.0/16".parse().expect("a prefix")],
        latest_handshake: NOW.minus(7_300 + 600 - 1),
        rx_bytes: 0,
        tx_bytes: 1_200_000,
        persistent_keepalive: 25,
        has_psk: true,
    };
    AgentDetail {
        agent: record(),
        interfaces: vec![interface],
        routes: vec![route],
        peers: vec![(peer, "00000000000000b2".parse().expect("an edge"))],
        identities: Vec::new(),
    }
}

pub(super) fn waiting() -> Vec<WaitingItem> {
    let new = WaitingItem {
        id: "new-gw".to_owned(),
        label: "new-gw <1>".to_owned(),
        fingerprint: Some("56475aa75463474c0285df5dbf2bcab7".repeat(2)),
        kid: Some("56475aa75463474c".to_owned()),
        certified: false,
        reports: false,
        source: "192.0.2.9".to_owned(),
        requested_at: NOW.minus(60),
    };
    let shared =
        WaitingItem { id: "old-gw".to_owned(), fingerprint: None, kid: None, ..new.clone() };
    vec![new, shared]
}
