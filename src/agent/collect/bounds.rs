//! Keeps a snapshot within what a report may hold. A report over a limit is refused whole, so
//! the agent leaves out what matters least and says so.
//!
//! Order of leaving out: routes (other tables before `main`, which stands first), then
//! interfaces that neither speak WireGuard nor have an address, then the other interfaces, then
//! peers.

use serde::Serialize;

use super::snapshot::{Interface, Peer, Snapshot};
use super::trouble::{About, Troubles};
use crate::wire::limits::{ADDRESSES, DATA_BYTES, INTERFACES, PEERS, ROUTES};

/// Room left for what the agent adds itself: labels, its version, its fleet.
const OWN_BYTES: usize = 24 * 1024;

/// Octets for the sections.
const ROOM: usize = DATA_BYTES - OWN_BYTES;

/// Cuts a snapshot to what one report may hold.
pub(super) fn fit(snapshot: &mut Snapshot, troubles: &mut Troubles) {
    let mut cut = Cut { room: ROOM, troubles };
    for interface in snapshot.interfaces.iter_mut().flatten() {
        if interface.addresses.len() > ADDRESSES {
            interface.addresses.truncate(ADDRESSES);
            let path = format!("interfaces[{}].addresses", interface.name);
            cut.say(path, format!("are more than {ADDRESSES}; the rest was left out"));
        }
    }
    if let Some(peers) = &mut snapshot.wg_peers {
        cut.list("wg_peers", peers, PEERS);
    }
    if let Some(interfaces) = &mut snapshot.interfaces {
        interfaces.sort_by_key(idle);
        cut.list("interfaces", interfaces, INTERFACES);
        interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if let Some(routes) = &mut snapshot.routes {
        snapshot.routes_truncated |= cut.list("routes", routes, ROUTES);
        routes.sort();
    }
    if let (Some(peers), Some(interfaces)) = (&mut snapshot.wg_peers, &snapshot.interfaces) {
        drop_orphans(peers, interfaces);
    }
}

/// How little an interface matters.
fn idle(interface: &Interface) -> u8 {
    match (interface.public_key.is_some(), interface.addresses.is_empty()) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    }
}

/// Peers of an interface that was left out would be taken for another host's.
fn drop_orphans(peers: &mut Vec<Peer>, interfaces: &[Interface]) {
    peers.retain(|peer| interfaces.iter().any(|interface| interface.name == peer.interface));
}

struct Cut<'a> {
    room: usize,
    troubles: &'a mut Troubles,
}

impl Cut<'_> {
    /// Cuts a list to a count and to what is left of the room; whether anything was cut.
    fn list<T: Serialize>(&mut self, section: &str, rows: &mut Vec<T>, most: usize) -> bool {
        let before = rows.len();
        let mut fits = 0;
        for row in rows.iter().take(most) {
            let size = serde_json::to_vec(row).map_or(usize::MAX, |json| json.len() + 1);
            let Some(rest) = self.room.checked_sub(size) else { break };
            self.room = rest;
            fits += 1;
        }
        rows.truncate(fits);
        if fits == before {
            return false;
        }
        let detail = if fits == most {
            format!("are more than {most}; the rest was left out")
        } else {
            "do not fit into a report; those that matter least were left out".to_owned()
        };
        self.say(section.to_owned(), detail);
        true
    }

    fn say(&mut self, path: String, detail: String) {
        self.troubles.add(About::Size, path, detail);
    }
}

#[cfg(test)]
mod tests {
    use crate::agent::collect::snapshot::{Hop, Route};
    use crate::model::key::WgKey;
    use crate::model::report::LinkState;
    use crate::model::time::UnixSeconds;
    use crate::wire::data;

    use super::*;

    fn interface(n: usize) -> Interface {
        let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(n).unwrap());
        Interface {
            index: 1,
            name: format!("wg{n}"),
            mac: None,
            mtu: Some(1420),
            state: LinkState::Unknown,
            flags: vec!["UP", "LOWER_UP"],
            addresses: vec![ipnet::IpNet::new(address.into(), 24).unwrap()],
            counters: None,
            carrier_changes: None,
            carrier_up_count: None,
            carrier_down_count: None,
            kind: None,
            master: None,
            link: None,
            public_key: None,
            listen_port: None,
            fwmark: None,
        }
    }

    fn peer(n: usize) -> Peer {
        let mut key = [7; 32];
        key[..8].copy_from_slice(&n.to_be_bytes());
        Peer {
            interface: "wg0".to_owned(),
            public_key: WgKey(key),
            endpoint: Some("192.0.2.1:51820".to_owned()),
            underlay: Some("eth0".to_owned()),
            allowed_ips: vec!["10.0.0.1/32".parse().unwrap()],
            latest_handshake: UnixSeconds(1_795_217_689),
            rx_bytes: 1,
            tx_bytes: 1,
            persistent_keepalive: 25,
            has_psk: false,
        }
    }

    fn route(n: usize, table: Option<&str>) -> Route {
        let address = std::net::Ipv4Addr::from_bits(u32::try_from(n << 8).unwrap());
        Route {
            table: table.map(str::to_owned),
            dst: ipnet::IpNet::new(address.into(), 24).unwrap(),
            metric: None,
            hop: Hop { dev: Some("eth0".to_owned()), ..Hop::default() },
            nexthops: Vec::new(),
            protocol: Some("bgp".to_owned()),
            prefsrc: None,
            kind: None,
        }
    }

    /// The largest host there is, cut: the manager takes the whole report.
    #[test]
    fn the_manager_takes_what_is_left_of_a_huge_host() {
        let mut routes: Vec<Route> = (0..3000).map(|n| route(n, None)).collect();
        routes.extend((0..3000).map(|n| route(n, Some("100"))));
        let mut snapshot = Snapshot {
            interfaces: Some((0..1100).map(interface).collect()),
            routes: Some(routes),
            wg_peers: Some((0..300).map(peer).collect()),
            ..Snapshot::default()
        };
        let mut troubles = Troubles::default();
        fit(&mut snapshot, &mut troubles);
        snapshot.problems = troubles.into_problems();
        let json = serde_json::to_vec(&snapshot).unwrap();
        assert!(json.len() <= DATA_BYTES - OWN_BYTES + 1024, "{}", json.len());
        let read = data::parse(&json).unwrap();
        assert_eq!(read.interfaces.unwrap().len(), INTERFACES);
        assert_eq!(read.peers.unwrap().len(), 300);
        assert!(read.routes_truncated);
        let routes = snapshot.routes.unwrap();
        assert!(!routes.is_empty() && routes.iter().all(|route| route.table.is_none()));
        let paths: Vec<_> = snapshot.problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["interfaces", "routes"]);
    }

    #[test]
    fn what_fits_is_left_alone() {
        let mut snapshot = Snapshot {
            interfaces: Some(vec![interface(0)]),
            routes: Some(vec![route(1, None)]),
            wg_peers: Some(vec![peer(1)]),
            ..Snapshot::default()
        };
        let (before, mut troubles) = (snapshot.clone(), Troubles::default());
        fit(&mut snapshot, &mut troubles);
        assert_eq!(snapshot, before);
        assert!(troubles.into_problems().is_empty());
    }

    #[test]
    fn addresses_beyond_the_limit_are_cut() {
        let mut crowded = interface(0);
        crowded.addresses =
            (0..300_u32).map(|n| ipnet::IpNet::new(n.to_be_bytes().into(), 32).unwrap()).collect();
        let mut snapshot = Snapshot { interfaces: Some(vec![crowded]), ..Snapshot::default() };
        let mut troubles = Troubles::default();
        fit(&mut snapshot, &mut troubles);
        assert_eq!(snapshot.interfaces.unwrap()[0].addresses.len(), ADDRESSES);
        assert_eq!(troubles.into_problems()[0].path, "interfaces[wg0].addresses");
    }
}
