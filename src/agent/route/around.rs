//! What the host's WireGuard networks look like: own addresses, and those of neighbours.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Neighbours that are kept in mind.
const NEIGHBOURS: usize = 2048;

/// Addresses on WireGuard networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// This host's.
    pub own: Vec<IpAddr>,
    /// Its peers', those it spoke to last first.
    pub peers: Vec<IpAddr>,
}

#[derive(Deserialize)]
struct Interface {
    name: String,
    #[serde(default)]
    addresses: Vec<IpNet>,
    public_key: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Peer {
    interface: String,
    #[serde(default)]
    allowed_ips: Vec<IpNet>,
    #[serde(default)]
    latest_handshake: i64,
}

/// A list of what was seen, without what is not as it should be.
fn list<T: for<'a> Deserialize<'a>>(seen: &Map<String, Value>, name: &str) -> Vec<T> {
    let items = seen.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| T::deserialize(item).ok()).collect()
}

impl Around {
    /// Of one look at the host.
    pub fn of(seen: &Map<String, Value>) -> Self {
        let mut interfaces: Vec<Interface> = list(seen, "interfaces");
        interfaces.retain(|interface| {
            interface.public_key.is_some() || interface.kind.as_deref() == Some("wireguard")
        });
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        let own: BTreeSet<IpAddr> = addresses.map(IpNet::addr).filter(is_usable).collect();
        let mut peers: Vec<Peer> = list(seen, "wg_peers");
        peers.retain(|peer| interfaces.iter().any(|interface| interface.name == peer.interface));
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.latest_handshake));
        let mut known = own.clone();
        let single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
        let found = peers.iter().flat_map(|peer| &peer.allowed_ips).filter(single);
        let peers = found
            .map(IpNet::addr)
            .filter(is_usable)
            .filter(|ip| known.insert(*ip))
            .take(NEIGHBOURS)
            .collect();
        Self { own: own.into_iter().collect(), peers }
    }
}

/// Whether it names one host without saying by which interface.
fn is_usable(ip: &IpAddr) -> bool {
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(ip.is_unspecified() || ip.is_multicast() || is_link_local)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_on_wireguard_networks() {
        let seen = json!({
            "interfaces": [
                { "name": "eth0", "addresses": ["192.0.2.1/24"] },
                { "name": "wg0", "addresses": ["10.0.0.1/24", "fd00::1/64", "fe80::1/64"],
                  "public_key": "k" },
                { "name": "wg1", "addresses": ["10.1.0.1/32"], "kind": "wireguard" },
                { "name": 7 },
            ],
            "wg_peers": [
                { "interface": "wg0", "allowed_ips": ["10.0.0.2/32", "10.9.0.0/16"],
                  "latest_handshake": 5 },
                { "interface": "wg1", "allowed_ips": ["10.1.0.2/32", "fe80::2/128", "10.0.0.2/32"],
                  "latest_handshake": 9 },
                { "interface": "wg0", "allowed_ips": ["fd00::3/128", "10.0.0.1/32"] },
                { "interface": "eth0", "allowed_ips": ["192.0.2.9/32"] },
                { "interface": "wg0", "allowed_ips": "10.0.0.7/32" },
            ],
        });
        let around = Around::of(seen.as_object().unwrap());
        let text = |list: &[IpAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(&around.own), ["10.0.0.1", "10.1.0.1", "fd00::1"]);
        assert_eq!(text(&around.peers), ["10.1.0.2", "10.0.0.2", "fd00::3"]);
    }

    #[test]
    fn a_host_without_wireguard_has_nobody_around() {
        assert_eq!(Around::of(&Map::new()), Around::default());
    }
}
