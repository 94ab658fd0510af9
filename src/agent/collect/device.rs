//! A WireGuard interface as read, from the kernel or from a daemon: nothing in it is secret.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::model::key::WgKey;
use crate::model::time::UnixSeconds;
use crate::wire::limits::{ALLOWED_IPS, PEERS};

/// One WireGuard interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Device {
    /// Its name.
    pub(super) name: String,
    /// Its own public key, if it has a key.
    pub(super) public_key: Option<WgKey>,
    /// Its UDP port; 0 before the first bind.
    pub(super) listen_port: u16,
    /// Mark on what it sends; 0 is none.
    pub(super) fwmark: u32,
    /// Its peers, each once.
    pub(super) peers: Vec<Known>,
    /// Peers and allowed ips that were left out because there are too many.
    pub(super) left_out: usize,
    /// Values that could not be understood.
    pub(super) unreadable: usize,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) public_key: WgKey,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) allowed_ips: Vec<IpNet>,
    pub(super) latest_handshake: UnixSeconds,
    pub(super) rx_bytes: u64,
    pub(super) tx_bytes: u64,
    pub(super) persistent_keepalive: u16,
    pub(super) has_psk: bool,
}

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// An address.
    Plain(SocketAddr),
    /// A link-local address with the name of its interface: `[fe80::1%eth0]:51820`.
    Zoned {
        /// All of it.
        text: String,
        /// The interface.
        zone: String,
    },
}

impl Known {
    /// A peer of which only the key is known.
    pub(super) fn new(public_key: WgKey) -> Self {
        Self {
            public_key,
            endpoint: None,
            allowed_ips: Vec::new(),
            latest_handshake: UnixSeconds(0),
            rx_bytes: 0,
            tx_bytes: 0,
            persistent_keepalive: 0,
            has_psk: false,
        }
    }
}

impl Device {
    /// Begins a new peer, if there is room for one.
    pub(super) fn begin(&mut self, public_key: WgKey) -> Option<&mut Known> {
        if self.peers.len() >= PEERS {
            self.left_out += 1;
            return None;
        }
        Some(self.peers.push_mut(Known::new(public_key)))
    }

    /// Adds an allowed ip to the peer begun last.
    pub(super) fn allow(&mut self, prefix: IpNet) {
        match self.peers.last_mut() {
            Some(peer) if peer.allowed_ips.len() < ALLOWED_IPS => peer.allowed_ips.push(prefix),
            Some(_) => self.left_out += 1,
            None => self.unreadable += 1,
        }
    }
}
