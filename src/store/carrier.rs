//! Who has, reaches or may use an address or a prefix, across a fleet.

use ipnet::IpNet;

use crate::model::id::{AgentId, FleetId};
use crate::model::key::WgKey;
use crate::model::report::Route;

/// What is asked for; the most specific come first.
#[derive(Debug, Clone)]
pub struct CarrierFilter {
    /// In which fleet; `None`: in all.
    pub fleet: Option<FleetId>,
    /// The address or prefix.
    pub net: IpNet,
    /// Only hosts with an address in it; routes and allowed IPs are left out.
    pub addresses_only: bool,
    /// At most this many.
    pub limit: usize,
}

/// A host and what it has of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// The host.
    pub agent_id: AgentId,
    /// Its name.
    pub hostname: Option<String>,
    /// Its fleet.
    pub fleet_id: FleetId,
    /// What it has.
    pub how: Carries,
}

/// What a host has of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carries {
    /// An address of its own.
    Address {
        /// On which interface.
        interface: String,
        /// With its prefix length.
        address: IpNet,
    },
    /// A route.
    Route(Route),
    /// A peer that may use it.
    AllowedIp {
        /// On which interface.
        interface: String,
        /// The peer.
        public_key: WgKey,
        /// The entry of its allowed IPs.
        net: IpNet,
    },
}

impl Carries {
    /// How long the prefix is; an address of one's own is the most specific there is.
    fn length(&self) -> u8 {
        match self {
            Self::Address { address, .. } => address.max_prefix_len(),
            Self::Route(route) => route.dst.prefix_len(),
            Self::AllowedIp { net, .. } => net.prefix_len(),
        }
    }

    /// Hosts first that have it, then that reach it, then that let others use it.
    fn rank(&self) -> u8 {
        match self {
            Self::Address { .. } => 0,
            Self::Route(_) => 1,
            Self::AllowedIp { .. } => 2,
        }
    }
}

impl CarrierFilter {
    /// Whether an address is in the prefix.
    pub fn has(&self, address: &IpNet) -> bool {
        self.net.prefix_len() > 0 && self.net.contains(&address.addr())
    }

    /// Whether a prefix overlaps with the one asked for. A default route leads everywhere and
    /// says nothing of a prefix: it is told only if it is asked for.
    pub fn meets(&self, other: &IpNet) -> bool {
        if self.net.prefix_len() == 0 || other.prefix_len() == 0 {
            return self.net == *other;
        }
        self.net.contains(other) || other.contains(&self.net)
    }

    /// A text that stands in every stored list with an address of the prefix: the address
    /// itself where one is asked for, else what all addresses of its family have.
    pub fn needle(&self) -> String {
        match self.net {
            net if net.prefix_len() == net.max_prefix_len() => format!("\"{}/", net.addr()),
            IpNet::V4(_) => ".".to_owned(),
            IpNet::V6(_) => ":".to_owned(),
        }
    }

    /// In order, and no more than asked for.
    pub fn arrange(&self, mut found: Vec<Carrier>) -> Vec<Carrier> {
        found.sort_by(|a, b| {
            let key =
                |carrier: &Carrier| (std::cmp::Reverse(carrier.how.length()), carrier.how.rank());
            key(a).cmp(&key(b)).then_with(|| a.agent_id.cmp(&b.agent_id))
        });
        found.truncate(self.limit);
        found
    }
}
