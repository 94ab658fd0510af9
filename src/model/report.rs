//! What a host says of itself: the content of a report's `data`, made typed and tidy.
//!
//! `wire::data` builds these values from every accepted shape. An absent section is `None`
//! and means "nothing said", which is not the same as an empty list.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::id::{AgentId, FleetId};
use super::key::WgKey;
use super::time::UnixSeconds;

/// Everything one report says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportData {
    /// `data.agent_id`, if the agent repeats it there; must match the envelope's.
    pub agent_id: Option<AgentId>,
    /// The host's name.
    pub hostname: Option<String>,
    /// Seconds since the host booted.
    pub uptime_seconds: Option<u64>,
    /// Changes with every boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: Option<String>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// When the values were read, on the host's own clock.
    pub collected_at: Option<UnixSeconds>,
    /// The agent program's version.
    pub agent_version: Option<String>,
    /// The fleet, for envelopes that do not carry one.
    pub fleet_id: Option<FleetId>,
    /// Free labels; `site` and `role` shape the map.
    pub labels: BTreeMap<String, String>,
    /// Network interfaces, sorted by name.
    pub interfaces: Option<Vec<Interface>>,
    /// Routes, sorted.
    pub routes: Option<Vec<Route>>,
    /// Whether the agent or the limits cut the list of routes.
    pub routes_truncated: bool,
    /// WireGuard peers, sorted by interface and key.
    pub peers: Option<Vec<Peer>>,
    /// What the agent could not read on its host and what of the report could not be
    /// understood, item by item.
    pub problems: Vec<Problem>,
    /// Whether a private or preshared key was sent and dropped.
    pub had_secrets: bool,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interface {
    /// Kernel name, such as `wg0`.
    pub name: String,
    /// Link-layer address, if the link has one.
    pub mac: Option<String>,
    /// Largest packet in bytes.
    pub mtu: Option<u32>,
    /// Operational state (RFC 2863 as `operstate` tells it).
    pub state: LinkState,
    /// Flags as `ip link` prints them, sorted.
    pub flags: Vec<String>,
    /// Addresses with their prefix lengths, sorted.
    pub addresses: Vec<IpNet>,
    /// Own WireGuard public key, on WireGuard interfaces.
    pub public_key: Option<WgKey>,
    /// Own WireGuard UDP port.
    pub listen_port: Option<u16>,
    /// Counters since boot; not part of what makes two interfaces differ.
    pub counters: Counters,
}

impl Interface {
    /// Whether the administrator wants the link up (`IFF_UP`); `None` if no flags were sent.
    pub fn admin_up(&self) -> Option<bool> {
        if self.flags.is_empty() { None } else { Some(self.flags.iter().any(|f| f == "UP")) }
    }

    /// Whether the link works, as [`LinkState::works`].
    pub fn is_up(&self) -> Option<bool> {
        self.state.works(&self.flags)
    }
}

impl LinkState {
    /// Whether a link of this state works: by flags `UP` and `LOWER_UP` where there are flags, since
    /// `operstate` of loopback, bridges and WireGuard is `UNKNOWN` while healthy.
    pub fn works(self, flags: &[String]) -> Option<bool> {
        match (self, flags.is_empty()) {
            (LinkState::Down, _) => Some(false),
            (LinkState::Up, _) => Some(true),
            (LinkState::Unknown, true) => None,
            (LinkState::Unknown, false) => {
                Some(flags.iter().any(|f| f == "UP") && !flags.iter().any(|f| f == "NO-CARRIER"))
            }
        }
    }
}

/// Operational state of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// Passes packets.
    Up,
    /// Does not.
    Down,
    /// The driver does not say.
    #[default]
    Unknown,
}

/// Interface counters since boot (`rtnl_link_stats64`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counters {
    /// Bytes received.
    pub rx_bytes: Option<u64>,
    /// Bytes sent.
    pub tx_bytes: Option<u64>,
    /// Packets received with errors.
    pub rx_errors: Option<u64>,
    /// Packets that could not be sent.
    pub tx_errors: Option<u64>,
    /// Packets dropped on receipt.
    pub rx_dropped: Option<u64>,
    /// Packets dropped before sending.
    pub tx_dropped: Option<u64>,
}

/// One route; a multipath route is one of these per next hop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Routing table, `main` unless told.
    pub table: String,
    /// Destination prefix.
    pub dst: IpNet,
    /// Preference, lower first; 0 unless told.
    pub metric: u32,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface.
    pub dev: Option<String>,
    /// Who installed it (`kernel`, `static`, `babel`, ...).
    pub protocol: Option<String>,
    /// `unicast` unless told (`local`, `blackhole`, ...).
    #[serde(rename = "type")]
    pub kind: String,
}

/// One WireGuard peer as its host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// The WireGuard interface that knows this peer.
    pub interface: String,
    /// The peer's public key.
    pub public_key: WgKey,
    /// Where packets to the peer go, `address:port`.
    pub endpoint: Option<String>,
    /// Addresses the peer may use, sorted.
    pub allowed_ips: Vec<IpNet>,
    /// Last handshake on the host's clock; 0 means never.
    pub latest_handshake: UnixSeconds,
    /// Bytes received from the peer.
    pub rx_bytes: u64,
    /// Bytes sent to the peer.
    pub tx_bytes: u64,
    /// Seconds between keepalives; 0 means off.
    pub persistent_keepalive: u16,
    /// Whether a preshared key is set; the key itself never leaves the host.
    pub has_psk: bool,
}

/// Whether a report with these problems lists every interface of its host, so that one it does
/// not list is not there.
///
/// No if the list was cut or not read whole (`interfaces`), if one of its
/// items was dropped (`interfaces[3]`), or if there are more problems than are told (`data`).
/// A problem of an interface that is listed (`interfaces[wg0].mtu`) changes nothing.
pub fn lists_every_interface(problems: &[Problem]) -> bool {
    !problems.iter().any(|Problem { path, .. }| {
        let is_item = path.starts_with("interfaces[") && path.ends_with(']');
        path == "interfaces" || path == "data" || (is_item && !path.contains("]."))
    })
}

/// One item that could not be read on its host or not be understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// Where in `data`, such as `wg_peers[3].public_key`.
    pub path: String,
    /// What is wrong, for a person.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_list_of_interfaces_less_than_whole() {
        let of = |path: &str| [Problem { path: path.into(), detail: "is odd".into() }];
        assert!(lists_every_interface(&[]));
        for path in ["interfaces[wg0].mtu", "interfaces[0].addresses", "wg_peers", "routes[3]"] {
            assert!(lists_every_interface(&of(path)), "{path}");
        }
        for path in ["interfaces", "interfaces[3]", "interfaces[wg0]", "data"] {
            assert!(!lists_every_interface(&of(path)), "{path}");
        }
    }
}
