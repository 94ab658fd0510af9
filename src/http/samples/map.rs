//! The samples of the map: a node, a link, and all of it.

use serde_json::Value;

use super::things::{agent_id, path};
use super::{NOW, value};
use crate::http::operators::edges::EdgeView;
use crate::http::operators::search::{Hit, SearchView};
use crate::model::id::FleetId;
use crate::model::key::WgKey;
use crate::model::state::{AgentStatus, EdgeState, EndState};
use crate::topology::cut::{Cut, Shape};
use crate::topology::picture::{Edge, End, Node, NodeKind, Picture, Site, SiteCounts};

pub(super) fn picture() -> Picture {
    let fleet = FleetId::unnamed();
    Picture {
        v: 1,
        epoch: "e1".into(),
        seq: 41,
        layout_rev: 1,
        generated_at: NOW,
        t: NOW,
        sites: vec![Site {
            id: "default/helsinki".into(),
            label: "helsinki".into(),
            fleet_id: fleet.clone(),
            x: 0.5,
            y: 0.5,
            r: 120.5,
            counts: SiteCounts { online: 1, ..SiteCounts::default() },
        }],
        nodes: vec![Node {
            id: "a:gw-1".into(),
            kind: NodeKind::Agent,
            role: "gateway".into(),
            agent_id: agent_id(),
            label: "gw-1".into(),
            status: Some(AgentStatus::Online),
            fleet_id: fleet,
            site: "default/helsinki".into(),
            x: 0.5,
            y: 0.5,
            seen_at: Some(NOW),
            alarms: 0,
            addresses: vec!["10.0.0.1".into()],
            relay_path: path(),
            maintenance_until: Some(NOW),
        }],
        edges: vec![edge()],
        alarms_open: 0,
    }
}

/// The map in its other shapes: one site's part in columns, and sites first.
pub(super) fn shapes() -> Vec<Value> {
    let whole = picture();
    let site = whole.sites.first().map(|site| site.id.clone());
    let columns = Cut { site, shape: Some(Shape::Columns), ..Cut::default() };
    let sites = Cut { shape: Some(Shape::Sites), ..Cut::default() };
    [columns, sites].iter().filter_map(|cut| Some(value(&cut.of(&whole)?))).collect()
}

pub(super) fn found() -> SearchView {
    SearchView {
        epoch: "e1".into(),
        seq: 41,
        nodes: vec!["a:gw-1".into()],
        edges: vec!["0123456789abcdef".into()],
        hits: vec![Hit {
            id: "a:gw-1".into(),
            kind: NodeKind::Agent,
            label: "gw-1".into(),
            status: Some(AgentStatus::Online),
            site: "default/helsinki".into(),
            addresses: vec!["10.0.0.1".into()],
            alarms: 0,
            seen_at: Some(NOW),
        }],
        sites: vec!["default/helsinki".into()],
    }
}

pub(super) fn edge() -> Edge {
    let end = |age| End {
        agent_id: agent_id(),
        interface: Some("wg0".into()),
        public_key: Some(WgKey([7; 32])),
        state: EndState::Up,
        latest_handshake: Some(NOW.minus(age)),
        rx_bytes: Some(1_048_576),
        tx_bytes: Some(2_097_152),
        endpoint: Some("192.0.2.1:51820".into()),
        allowed_ips: vec!["10.0.0.2/32".into()],
        persistent_keepalive: Some(25),
        measured_at: Some(NOW),
    };
    Edge {
        id: "0f1e2d3c4b5a6978".into(),
        source: "a:gw-1".into(),
        target: "a:gw-2".into(),
        edge_type: "wireguard",
        state: EdgeState::Up,
        reason: "up: last handshake 42 s ago on gw-1".into(),
        judged_at: NOW,
        since: NOW,
        ends: [end(42), end(43)],
    }
}

pub(super) fn edge_view() -> EdgeView {
    EdgeView { edge: edge(), labels: ["gw-1".into(), "gw-2".into()] }
}
