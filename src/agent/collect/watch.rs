//! The kernel's news about interfaces and addresses.
//!
//! Most of it is noise (a lifetime renewed, a wireless scan, a bridge port learning): only what
//! differs from what is known counts. When news were lost, that counts as a change.
//!
//! Source: rtnetlink(7), kernel `include/uapi/linux/rtnetlink.h` (`RTNLGRP_*`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ipnet::IpNet;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use rustix::io::Errno;

use super::links::{self, Links};
use super::names;
use super::netlink::Socket;
use crate::model::report::LinkState;

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`.
const GROUPS: [u32; 3] = [1, 5, 9];

/// What is known of an interface: the members whose change matters at once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    name: String,
    mtu: Option<u32>,
    state: LinkState,
    flags: Vec<&'static str>,
}

/// Listens, and remembers what is known.
#[derive(Default)]
pub(super) struct Watch {
    socket: Option<Socket>,
    links: BTreeMap<u32, Seen>,
    addresses: BTreeSet<(u32, IpNet)>,
}

impl Watch {
    /// Begins to listen. To be called before the look whose result is given to
    /// [`Watch::learn`], so that nothing happens between the two unnoticed.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.socket.is_none() {
            self.socket = Some(Socket::listen(NETLINK_ROUTE, &GROUPS)?);
        }
        Ok(())
    }

    /// Takes over what a look found.
    pub(super) fn learn(&mut self, found: &Links) {
        self.links.clear();
        self.addresses.clear();
        for (index, link) in found {
            let interface = &link.interface;
            let (name, flags) = (interface.name.clone(), interface.flags.clone());
            let seen = Seen { name, mtu: interface.mtu, state: interface.state, flags };
            self.links.insert(*index, seen);
            self.addresses.extend(interface.addresses.iter().map(|address| (*index, *address)));
        }
    }

    /// Waits for news that matter. Without a socket it waits for ever: the next look opens one.
    pub(super) async fn changed(&mut self) {
        loop {
            let Some(socket) = &mut self.socket else { return std::future::pending().await };
            match socket.news().await {
                Ok(news) => {
                    // All of them are to be remembered, not only those up to the first change.
                    let changes = news.into_iter().filter(|message| self.is_change(message));
                    if changes.count() > 0 {
                        return;
                    }
                }
                // The kernel threw news away because nobody took them in time, and throws away
                // more, silently, until the socket is empty: a new one is empty at once.
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                    self.socket = Socket::listen(NETLINK_ROUTE, &GROUPS).ok();
                    return;
                }
                Err(_) => self.socket = None,
            }
        }
    }

    /// Remembers a message; whether it says anything new.
    fn is_change(&mut self, message: &RouteNetlinkMessage) -> bool {
        match message {
            RouteNetlinkMessage::NewLink(link) if is_own(link) => {
                let seen = seen(link);
                self.links.insert(link.header.index, seen.clone()) != Some(seen)
            }
            RouteNetlinkMessage::DelLink(link) if is_own(link) => {
                self.addresses.retain(|(index, _)| *index != link.header.index);
                self.links.remove(&link.header.index).is_some()
            }
            RouteNetlinkMessage::NewAddress(message) => {
                links::address(message).is_some_and(|address| self.addresses.insert(address))
            }
            RouteNetlinkMessage::DelAddress(message) => {
                links::address(message).is_some_and(|address| self.addresses.remove(&address))
            }
            _ => false,
        }
    }
}

/// Whether a message is about the interface itself and not about its part in a bridge.
fn is_own(link: &LinkMessage) -> bool {
    link.header.interface_family == AddressFamily::Unspec
}

fn seen(message: &LinkMessage) -> Seen {
    let mut seen = Seen {
        name: String::new(),
        mtu: None,
        state: LinkState::Unknown,
        flags: names::link_flags(message.header.flags.bits()),
    };
    for attribute in &message.attributes {
        if let LinkAttribute::IfName(name) = attribute {
            seen.name.clone_from(name);
        } else if let LinkAttribute::Mtu(mtu) = attribute {
            seen.mtu = Some(*mtu);
        } else if let LinkAttribute::OperState(state) = attribute {
            seen.state = links::word(*state);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use netlink_packet_route::address::{AddressAttribute, AddressMessage};
    use netlink_packet_route::link::{LinkFlags, State};

    use super::*;

    fn link(flags: LinkFlags, more: Vec<LinkAttribute>) -> RouteNetlinkMessage {
        let mut message = LinkMessage::default();
        (message.header.index, message.header.flags) = (7, flags);
        message.attributes =
            vec![LinkAttribute::IfName("wg0".to_owned()), LinkAttribute::OperState(State::Unknown)];
        message.attributes.extend(more);
        RouteNetlinkMessage::NewLink(message)
    }

    fn address(text: &str) -> AddressMessage {
        let mut message = AddressMessage::default();
        (message.header.index, message.header.prefix_len) = (7, 24);
        let address: IpAddr = text.parse().unwrap();
        message.attributes = vec![AddressAttribute::Address(address)];
        message
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let mut watch = Watch::default();
        let up = LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running;
        assert!(watch.is_change(&link(up, vec![])));
        assert!(!watch.is_change(&link(up, vec![LinkAttribute::TxQueueLen(5)])));
        assert!(watch.is_change(&link(LinkFlags::empty(), vec![])));
        assert!(watch.is_change(&link(LinkFlags::empty(), vec![LinkAttribute::Mtu(1400)])));
        let new = RouteNetlinkMessage::NewAddress(address("10.0.0.1"));
        assert!(watch.is_change(&new));
        assert!(!watch.is_change(&new), "a renewed lifetime is no change");
        assert!(watch.is_change(&RouteNetlinkMessage::DelAddress(address("10.0.0.1"))));
        assert!(!watch.is_change(&RouteNetlinkMessage::DelAddress(address("10.0.0.1"))));
    }

    #[test]
    fn a_bridge_speaking_of_its_port_is_no_change() {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Bridge;
        let mut watch = Watch::default();
        assert!(!watch.is_change(&RouteNetlinkMessage::NewLink(message)));
    }
}
