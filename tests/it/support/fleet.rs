//! A small named fleet: two hosts with a WireGuard link between them, over IPv4 and IPv6, and
//! what they would report.

use serde_json::{Value, json};

pub(crate) const ALPHA: &str = "a1fa000000000000000000000000a1fa";
pub(crate) const BETA: &str = "be7a000000000000000000000000be7a";
pub(crate) const ALPHA_KEY: &str = "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=";
pub(crate) const BETA_KEY: &str = "A9hyj48jUGKuEZMC8uMV4TghveWTLxQVY/+7UuDwagU=";
pub(crate) const STRANGER_KEY: &str = "K1mUqvXl2ekVICoP3l1Sf+NShnhbDvdE2EP1hzM2Dl4=";

/// Whether a text names the fleet `fleet-a`. The pseudonym of a fleet is `fleet-` and digits of
/// base 16, so that one in sixteen begins like that name: it is followed by another digit.
pub(crate) fn names_fleet_a(text: &str) -> bool {
    text.split("fleet-a").skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_hexdigit()))
}

/// One end of a link as its host sees it.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) key: Option<&'static str>,
    pub(crate) number: u8,
    pub(crate) eth0_up: bool,
    pub(crate) boot_id: &'static str,
    pub(crate) peers: Vec<Value>,
}

impl Host {
    pub(crate) fn alpha() -> Self {
        Self {
            name: "alpha",
            key: Some(ALPHA_KEY),
            number: 1,
            eth0_up: true,
            boot_id: "boot-alpha-1",
            peers: Vec::new(),
        }
    }

    pub(crate) fn beta() -> Self {
        Self {
            name: "beta",
            key: Some(BETA_KEY),
            number: 2,
            boot_id: "boot-beta-1",
            ..Self::alpha()
        }
    }

    /// With a peer that had its last handshake then.
    pub(crate) fn with_peer(mut self, key: &str, number: u8, handshake: i64, bytes: u64) -> Self {
        self.peers.push(json!({
            "interface": "wg0",
            "public_key": key,
            "endpoint": format!("192.0.2.{number}:51820"),
            "allowed_ips": [format!("10.77.0.{number}/32"), format!("fd77::{number}/128")],
            "latest_handshake": handshake,
            "rx_bytes": bytes,
            "tx_bytes": bytes,
            "persistent_keepalive": 25,
        }));
        self
    }

    pub(crate) fn data(&self) -> Value {
        let n = self.number;
        let (state, flags) = if self.eth0_up {
            ("up", json!(["BROADCAST", "UP", "LOWER_UP"]))
        } else {
            ("down", json!(["BROADCAST", "NO-CARRIER", "UP"]))
        };
        json!({
            "hostname": self.name,
            "boot_id": self.boot_id,
            "uptime_seconds": 1000,
            "agent_version": "1.4.2",
            "load": [0.1, 0.2, 0.3],
            "labels": { "site": "lab" },
            "interfaces": [
                { "name": "eth0", "mac": format!("02:00:00:00:00:0{n}"), "mtu": 1500,
                  "state": state, "flags": flags, "addresses": [format!("192.0.2.{n}/24")] },
                { "name": "wg0", "mtu": 1420, "state": "unknown",
                  "flags": ["POINTOPOINT", "UP", "LOWER_UP"], "public_key": self.key,
                  "addresses": [format!("10.77.0.{n}/24"), format!("fd77::{n}/64")],
                  "listen_port": 51820 },
            ],
            "routes": [
                { "dst": "default", "gateway": "192.0.2.254", "dev": "eth0" },
                { "dst": "10.77.0.0/24", "dev": "wg0", "protocol": "kernel" },
            ],
            "wg_peers": self.peers,
        })
    }
}
