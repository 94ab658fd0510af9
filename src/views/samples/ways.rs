//! A way with a hop of each kind, and who carries a prefix.

use crate::model::id::FleetId;
use crate::model::key::WgKey;
use crate::model::report::Route;
use crate::model::state::EdgeState;
use crate::store::carrier::{Carrier, Carries};
use crate::topology::leads::Led;
use crate::topology::path::{Hop, Journey, Outcome};
use crate::topology::weakest::{WeakHost, WeakLink, Weakest};
use crate::topology::without::{CutOff, Loss, Named, NamedLink, Taken};

fn route(dst: &str, dev: &str) -> Route {
    Route {
        table: "main".into(),
        dst: dst.parse().expect("a prefix"),
        metric: 0,
        gateway: None,
        dev: Some(dev.into()),
        protocol: None,
        kind: "unicast".into(),
    }
}

/// Through a tunnel to a host that drops it.
pub(in crate::views) fn journey() -> Journey {
    let tunnel = Hop {
        agent_id: "hel-gw1".parse().expect("an id"),
        label: "hel-gw1".into(),
        route: Some(route("10.8.0.0/24", "wg0")),
        interface: Some("wg0".into()),
        next: None,
        peer: Some(WgKey([8; 32])),
        allowed_ip: "10.8.0.2/32".parse().ok(),
        edge_id: "0123456789abcdef".parse().ok(),
        edge_state: Some(EdgeState::OneWay),
        notes: vec!["table 51820 holds default dev wg0 as well".into()],
    };
    let last = Hop {
        agent_id: "oul-gw2".parse().expect("an id"),
        label: "oul-gw2".into(),
        route: None,
        interface: None,
        peer: None,
        allowed_ip: None,
        edge_id: None,
        edge_state: None,
        notes: Vec::new(),
        ..tunnel.clone()
    };
    Journey {
        from: tunnel.agent_id.clone(),
        to: "10.8.0.2".parse().expect("an address"),
        source: "10.8.0.1".parse().ok(),
        hops: vec![tunnel, last],
        outcome: Outcome::Stopped,
        reason: "oul-gw2 drops it".into(),
    }
}

/// Somebody who has it, somebody who routes it, somebody who lets a peer use it.
pub(in crate::views) fn carriers() -> Vec<Carrier> {
    let gateway = "10.8.0.9".parse().ok();
    [
        Carries::Address {
            interface: "wg0".into(),
            address: "10.8.0.1/24".parse().expect("an address"),
        },
        Carries::Route(Route { gateway, ..route("0.0.0.0/0", "wg0") }),
        Carries::AllowedIp {
            interface: "wg0".into(),
            public_key: WgKey([9; 32]),
            net: "10.8.0.0/24".parse().expect("a prefix"),
        },
    ]
    .map(|how| Carrier {
        agent_id: "hel-gw1".parse().expect("an id"),
        hostname: Some("hel-gw1".into()),
        fleet_id: FleetId::unnamed(),
        how,
    })
    .into()
}

/// One that nobody reports from, and one that hosts are in and that leads nowhere.
pub(in crate::views) fn networks() -> Vec<Led> {
    let led = |prefix: &str, inside, by_routes: Vec<String>, by_allowed_ips: Vec<String>| Led {
        fleet_id: FleetId::unnamed(),
        prefix: prefix.parse().expect("a prefix"),
        inside,
        by_routes,
        by_allowed_ips,
    };
    let many = (1..=8).map(|number| format!("a:tmp-{number}")).collect();
    let gw = vec!["a:hel-gw1".to_owned()];
    let all = [gw.clone(), many].concat();
    vec![led("10.1.0.0/16", false, all, gw), led("10.2.0.0/16", true, Vec::new(), Vec::new())]
}

/// A hub is taken away: a part falls off, and something becomes weak.
pub(in crate::views) fn loss() -> (Taken, Loss) {
    let named = |label: &str| Named { id: format!("a:{label}"), label: label.into() };
    let link = |a: &str, b: &str| NamedLink {
        id: "0123456789abcdef".into(),
        labels: [a.to_owned(), b.to_owned()],
    };
    let nodes = (1..=15).map(|number| named(&format!("tmp-{number}"))).collect();
    let taken = Taken { nodes: ["a:hel-gw1".to_owned()].into(), ..Taken::default() };
    let loss = Loss {
        taken: vec![named("hel-gw1")],
        cut_off: vec![CutOff { nodes, loses: 40 }],
        weak_nodes: vec![named("oul-gw2")],
        weak_links: vec![link("oul-gw2", "tmp-1")],
        reports_lost: vec![named("tmp-1")],
        ..Loss::default()
    };
    (taken, loss)
}

/// Two hubs, one of which carries what the other did, and the links to them.
pub(in crate::views) fn weakest() -> Weakest {
    let host = |label: &str, cut_off, added| WeakHost {
        id: format!("a:{label}"),
        label: label.into(),
        cut_off,
        added,
    };
    let link = |a: &str, b: &str, cut_off| WeakLink {
        id: "0123456789abcdef".into(),
        labels: [a.to_owned(), b.to_owned()],
        cut_off,
        added: 0,
    };
    Weakest {
        hosts_total: 23,
        hosts: vec![host("hel-gw1", 14, 9), host("oul-gw2", 1, 0)],
        links_total: 2,
        links: vec![link("hel-gw1", "oul-gw2", 9), link("oul-gw2", "tmp-1", 1)],
    }
}
