//! What one look at the host found: the members of `data` that come from the host itself.
//!
//! Serialises to the names of the contract (`docs/protocol.md`, "What may be in data"); what is
//! usual is left out as `ip -j` leaves it out, and a section that could not be read is absent,
//! which is not the same as empty. No type here has room for a private or preshared key.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use crate::model::key::WgKey;
use crate::model::report::{LinkState, Problem};
use crate::model::time::UnixSeconds;

/// One look at the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// The host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Whole seconds since the host booted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<u64>,
    /// Changes with every boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Load averages over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// When the values were read, on the host's own clock.
    pub collected_at: UnixSeconds,
    /// Network interfaces, sorted by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<Interface>>,
    /// Routes of all tables, sorted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,
    /// Whether routes were left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub routes_truncated: bool,
    /// WireGuard peers, sorted by interface and key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wg_peers: Option<Vec<Peer>>,
    /// What could not be read, and what to do about it. The texts are stable: a problem that
    /// stays says the same in every report.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interface {
    /// The kernel's number for it; not sent.
    #[serde(skip)]
    pub index: u32,
    /// Kernel name, such as `wg0`.
    pub name: String,
    /// Link-layer address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Largest packet in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// `operstate` in three words.
    pub state: LinkState,
    /// Flags as `ip link` prints them.
    pub flags: Vec<&'static str>,
    /// Addresses with their prefix lengths, sorted.
    pub addresses: Vec<IpNet>,
    /// Counters since boot.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// How often the carrier came or went since the interface was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier_changes: Option<u32>,
    /// How often it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier_up_count: Option<u32>,
    /// How often it went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier_down_count: Option<u32>,
    /// Kind of a virtual interface, such as `wireguard`, `tun` or `bridge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The bridge, bond or VRF it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// The interface beneath it, such as a VLAN's; not one in another network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Own WireGuard public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<WgKey>,
    /// Own WireGuard UDP port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_port: Option<u16>,
    /// Mark on the packets that WireGuard sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fwmark: Option<u32>,
}

/// Counters of an interface (`struct rtnl_link_stats64`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets received with errors.
    pub rx_errors: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets dropped on receipt.
    pub rx_dropped: u64,
    /// Packets dropped before sending.
    pub tx_dropped: u64,
    /// On WireGuard: packets from addresses that are not the peer's to use.
    pub rx_frame_errors: u64,
}

/// One route, with the members of `ip -j route`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Route {
    /// Table, by name for those every kernel has; none is `main`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Destination, written out: 0.0.0.0/0 and not `default`.
    pub dst: IpNet,
    /// Preference, lower first; none is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// The next hop, if there is one.
    #[serde(flatten)]
    pub hop: Hop,
    /// The next hops of a multipath route.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nexthops: Vec<Hop>,
    /// Who installed it; none is `boot`, which is somebody by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Preferred source address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefsrc: Option<IpAddr>,
    /// What it does; none is `unicast`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A next hop.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hop {
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Its address, if that is of the other family than the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
    /// Outgoing interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Share of the traffic, in multipath routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// State, such as `linkdown`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<&'static str>,
}

/// An address and the name of its family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Via {
    /// `inet` or `inet6`.
    pub family: &'static str,
    /// The address.
    pub host: IpAddr,
}

/// One WireGuard peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// The interface that knows it.
    pub interface: String,
    /// Its public key.
    pub public_key: WgKey,
    /// Where packets to it go, `address:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The interface by which a packet to the endpoint would leave now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underlay: Option<String>,
    /// Addresses it may use, sorted.
    pub allowed_ips: Vec<IpNet>,
    /// Last handshake on the host's clock; 0 means never.
    pub latest_handshake: UnixSeconds,
    /// Bytes received from it.
    pub rx_bytes: u64,
    /// Bytes sent to it.
    pub tx_bytes: u64,
    /// Seconds between keepalives; 0 means off.
    pub persistent_keepalive: u16,
    /// Whether a preshared key is set.
    pub has_psk: bool,
}
