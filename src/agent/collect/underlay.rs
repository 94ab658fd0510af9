//! By which interface packets to each peer's endpoint leave: the kernel's own route lookup, with
//! the mark that WireGuard puts on them.
//!
//! If the answer is the tunnel itself, the tunnel swallows its own packets. Where the kernel
//! does not tell, nothing is said: the look is a courtesy.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::device::{Device, Endpoint};
use super::links::Links;
use super::netlink::Socket;

/// Interfaces by address, mark and scope, as far as they were asked for.
type Answers = BTreeMap<(IpAddr, u32, u32), Option<String>>;

/// Looks endpoints up, each once.
pub(super) struct Underlay<'a> {
    links: &'a Links,
    /// None once the kernel did not answer.
    socket: Option<&'a mut Socket>,
    answers: Answers,
}

impl<'a> Underlay<'a> {
    /// Nothing looked up yet.
    pub(super) fn new(links: &'a Links, socket: Option<&'a mut Socket>) -> Self {
        Self { links, socket, answers: Answers::new() }
    }

    /// The interface towards an endpoint of a device's peer.
    pub(super) async fn of(&mut self, device: &Device, endpoint: &Endpoint) -> Option<String> {
        let address = match endpoint {
            Endpoint::Plain(address) => address,
            Endpoint::Zoned { zone, .. } => {
                let is_here = self.links.values().any(|link| link.interface.name == *zone);
                return is_here.then(|| zone.clone());
            }
        };
        let scope = match address {
            SocketAddr::V6(address) => address.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        let question = (address.ip(), device.fwmark, scope);
        if let Some(answer) = self.answers.get(&question) {
            return answer.clone();
        }
        let answer = self.ask(question).await;
        self.answers.insert(question, answer.clone());
        answer
    }

    async fn ask(&mut self, (address, mark, scope): (IpAddr, u32, u32)) -> Option<String> {
        let socket = self.socket.as_deref_mut()?;
        let mut request = RouteMessage::default();
        let (family, length) = match address {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        request.header.address_family = family;
        request.header.destination_prefix_length = length;
        request.attributes.push(RouteAttribute::Destination(address.into()));
        if mark != 0 {
            request.attributes.push(RouteAttribute::Mark(mark));
        }
        if scope != 0 {
            request.attributes.push(RouteAttribute::Oif(scope));
        }
        let answer = match socket.ask(RouteNetlinkMessage::GetRoute(request)).await {
            Ok(answer) => answer,
            Err(error) => {
                // Without a route there is no interface. A kernel that is silent once would cost
                // the same wait for every peer.
                if error.kind() == ErrorKind::TimedOut {
                    self.socket = None;
                }
                return None;
            }
        };
        let RouteNetlinkMessage::NewRoute(route) = answer else { return None };
        let index = route.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        });
        self.links.get(&index?).map(|link| link.interface.name.clone())
    }
}
