//! The samples of ways through the network.

use std::net::IpAddr;

use super::things::{agent_id, route};
use crate::http::operators::networks::NetworksView;
use crate::http::operators::paths::{CarrierView, PathView};
use crate::model::id::FleetId;
use crate::model::key::WgKey;
use crate::model::state::EdgeState;
use crate::topology::leads::Led;
use crate::topology::path::{Hop, Journey, Outcome};
use crate::topology::weakest::{WeakHost, WeakLink, Weakest};
use crate::topology::without::{CutOff, Loss, Named, NamedLink};

fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

pub(super) fn path() -> Option<PathView> {
    let first = Hop {
        agent_id: agent_id()?,
        label: "hel-gw1".into(),
        route: route(),
        interface: Some("wg0".into()),
        next: address("10.0.0.2"),
        peer: Some(WgKey([8; 32])),
        allowed_ip: "10.0.0.2/32".parse().ok(),
        edge_id: "0123456789abcdef".parse().ok(),
        edge_state: Some(EdgeState::Up),
        notes: vec!["it does not report now; this is what it said last".into()],
    };
    let there = Journey {
        from: agent_id()?,
        to: address("10.0.0.2")?,
        source: address("10.0.0.1"),
        hops: vec![first],
        outcome: Outcome::Delivered,
        reason: "oul-gw2 has 10.0.0.2 on wg0".into(),
    };
    let back = Some(there.clone());
    Some(PathView { there, back })
}

pub(super) fn carrier() -> Option<CarrierView> {
    Some(CarrierView {
        agent_id: agent_id()?,
        hostname: Some("hel-gw1".into()),
        fleet_id: FleetId::unnamed(),
        kind: "route",
        prefix: "10.0.0.0/24".parse().ok()?,
        interface: Some("wg0".into()),
        route: route(),
        public_key: Some(WgKey([8; 32])),
    })
}

pub(super) fn networks() -> Option<NetworksView> {
    let led = Led {
        fleet_id: FleetId::unnamed(),
        prefix: "10.1.0.0/16".parse().ok()?,
        inside: false,
        by_routes: vec!["a:hel-gw1".into()],
        by_allowed_ips: Vec::new(),
    };
    Some(NetworksView {
        networks: vec![led],
        left_out: 3,
        next: Some("routes~default~10.1.0.0/16".to_owned()),
    })
}

pub(super) fn loss() -> Loss {
    let named = |label: &str| Named { id: format!("a:{label}"), label: label.into() };
    let link = || NamedLink {
        id: "0123456789abcdef".into(),
        labels: ["hel-gw1".into(), "oul-gw2".into()],
    };
    Loss {
        taken: vec![named("gw-1")],
        taken_links: vec![link()],
        cut_off: vec![CutOff { nodes: vec![named("tmp-1")], loses: 3 }],
        weak_nodes: vec![named("oul-gw2")],
        weak_links: vec![link()],
        reports_lost: vec![named("tmp-1")],
    }
}

pub(super) fn weakest() -> Weakest {
    let link = WeakLink {
        id: "0123456789abcdef".into(),
        labels: ["hel-gw1".into(), "oul-gw2".into()],
        cut_off: 9,
        added: 0,
    };
    let (id, label) = ("a:hel-gw1".into(), "hel-gw1".into());
    let host = WeakHost { id, label, cut_off: 12, added: 3 };
    Weakest { hosts_total: 1, hosts: vec![host], links_total: 1, links: vec![link] }
}
