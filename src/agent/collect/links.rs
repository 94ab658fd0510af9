//! Interfaces and their addresses, by rtnetlink.
//!
//! Source: rtnetlink(7), kernel `Documentation/netlink/specs/rt-link.yaml` and `rt-addr.yaml`.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkInfo, LinkMessage, State, Stats64};

use crate::model::report::LinkState;

use super::names;
use super::netlink::{Dump, Socket};
use super::snapshot::{Counters, Interface};

/// Interfaces by the kernel's number.
pub(super) type Links = BTreeMap<u32, Link>;

/// An interface whose relations are still numbers.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) interface: Interface,
    master: Option<u32>,
    link: Option<u32>,
    /// The interface beneath is in another network namespace, where numbers mean others.
    elsewhere: bool,
}

/// Reads all interfaces with their addresses.
pub(super) async fn read(socket: &mut Socket) -> io::Result<Dump<Links>> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let mut links: Dump<Links> = socket
        .dump(&request, |links: &mut Links, message| {
            if let RouteNetlinkMessage::NewLink(message) = message {
                links.insert(message.header.index, link(message));
            }
            ControlFlow::Continue(())
        })
        .await?;
    let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let addresses: Dump<Vec<(u32, IpNet)>> = socket
        .dump(&request, |addresses: &mut Vec<_>, message| {
            if let RouteNetlinkMessage::NewAddress(message) = message {
                addresses.extend(address(&message));
            }
            ControlFlow::Continue(())
        })
        .await?;
    links.unreadable += addresses.unreadable;
    for (index, address) in addresses.kept {
        if let Some(link) = links.kept.get_mut(&index) {
            link.interface.addresses.push(address);
        }
    }
    Ok(links)
}

/// Names the relations and sorts.
pub(super) fn finish(links: Links) -> Vec<Interface> {
    let names: BTreeMap<u32, String> =
        links.iter().map(|(index, link)| (*index, link.interface.name.clone())).collect();
    let named = |link: Link| {
        let mut interface = link.interface;
        interface.master = link.master.and_then(|index| names.get(&index)).cloned();
        let beneath = link.link.filter(|index| !link.elsewhere && *index != interface.index);
        interface.link = beneath.and_then(|index| names.get(&index)).cloned();
        interface.addresses.sort();
        interface.addresses.dedup();
        interface
    };
    let mut interfaces: Vec<Interface> = links.into_values().map(named).collect();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    interfaces
}

/// One interface.
fn link(message: LinkMessage) -> Link {
    let mut link = Link {
        interface: Interface {
            index: message.header.index,
            name: String::new(),
            mac: None,
            mtu: None,
            state: LinkState::Unknown,
            flags: names::link_flags(message.header.flags.bits()),
            addresses: Vec::new(),
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
        },
        master: None,
        link: None,
        elsewhere: false,
    };
    for attribute in message.attributes {
        link.take(attribute);
    }
    link
}

impl Link {
    fn take(&mut self, attribute: LinkAttribute) {
        let interface = &mut self.interface;
        match attribute {
            LinkAttribute::IfName(name) => interface.name = name,
            LinkAttribute::Address(bytes) => interface.mac = mac(&bytes),
            LinkAttribute::Mtu(mtu) => interface.mtu = Some(mtu),
            LinkAttribute::OperState(state) => interface.state = word(state),
            LinkAttribute::Stats64(stats) => interface.counters = Some(counters(&stats)),
            LinkAttribute::CarrierChanges(count) => interface.carrier_changes = Some(count),
            LinkAttribute::CarrierUpCount(count) => interface.carrier_up_count = Some(count),
            LinkAttribute::CarrierDownCount(count) => interface.carrier_down_count = Some(count),
            LinkAttribute::LinkInfo(infos) => {
                let kind = infos.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
                interface.kind = kind;
            }
            LinkAttribute::Controller(index) => self.master = Some(index),
            LinkAttribute::Link(index) => self.link = Some(index),
            LinkAttribute::LinkNetNsId(_) => self.elsewhere = true,
            _ => {}
        }
    }
}

/// A link-layer address; loopback's is all zero and none, a tunnel's is its IP address and none.
fn mac(bytes: &[u8]) -> Option<String> {
    if bytes.len() < 6 || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let octets: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(octets.join(":"))
}

/// `operstate` (RFC 2863): of all states only two may pass packets.
pub(super) fn word(state: State) -> LinkState {
    match state {
        State::Up => LinkState::Up,
        State::Unknown => LinkState::Unknown,
        _ => LinkState::Down,
    }
}

fn counters(stats: &Stats64) -> Counters {
    Counters {
        rx_bytes: stats.rx_bytes,
        tx_bytes: stats.tx_bytes,
        rx_errors: stats.rx_errors,
        tx_errors: stats.tx_errors,
        rx_dropped: stats.rx_dropped,
        tx_dropped: stats.tx_dropped,
        rx_frame_errors: stats.rx_frame_errors,
    }
}

/// The interface and address of one message. On links between two points `IFA_ADDRESS` is the
/// other end and `IFA_LOCAL` the own one; where there is no `IFA_LOCAL`, it is the own one.
pub(super) fn address(message: &AddressMessage) -> Option<(u32, IpNet)> {
    let (mut local, mut address): (Option<IpAddr>, Option<IpAddr>) = (None, None);
    for attribute in &message.attributes {
        if let AddressAttribute::Local(found) = attribute {
            local = Some(*found);
        } else if let AddressAttribute::Address(found) = attribute {
            address = Some(*found);
        }
    }
    let prefix = IpNet::new(local.or(address)?, message.header.prefix_len).ok()?;
    Some((message.header.index, prefix))
}
