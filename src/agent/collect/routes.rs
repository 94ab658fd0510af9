//! Routes of all tables, IPv4 and IPv6, by rtnetlink.
//!
//! What `ip route show table all` prints, without the broadcast, multicast and anycast entries
//! that the kernel itself makes for every address: they follow from the addresses. Entries of
//! type `local` stay, since a host may have some of its own.
//!
//! Source: rtnetlink(7), kernel `Documentation/netlink/specs/rt-route.yaml`.

use std::cmp::Reverse;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;

use ipnet::IpNet;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteProtocol, RouteType,
    RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::links::Links;
use super::names;
use super::netlink::{Dump, Socket};
use super::snapshot::{Hop, Route, Via};
use crate::wire::limits::ROUTES;

/// Routes looked at per family. A router with a full table has a million; reading on would cost
/// a second of its time in each report, for routes that do not fit into one.
const MOST_READ: usize = 4 * ROUTES;

/// Routes as read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) routes: Vec<Route>,
    /// There are more than were read.
    pub(super) more: bool,
}

/// Reads the routes of both families, most telling tables first.
pub(super) async fn read(socket: &mut Socket, links: &Links) -> io::Result<Dump<Found>> {
    let mut all = Dump::<Found>::default();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        let request = RouteNetlinkMessage::GetRoute(request);
        let found: Dump<Found> =
            socket.dump(&request, |found, message| keep(found, message, links)).await?;
        all.unreadable += found.unreadable;
        all.kept.more |= found.kept.more;
        all.kept.routes.extend(found.kept.routes);
    }
    all.kept.routes.sort_by(|a, b| (weight(a), a).cmp(&(weight(b), b)));
    Ok(all)
}

/// Puts the tables in the order in which they matter if some must be left out.
fn weight(route: &Route) -> (u8, Reverse<bool>) {
    let table = match route.table.as_deref() {
        None => 0,
        Some("local") => 2,
        Some(_) => 1,
    };
    (table, Reverse(route.dst.prefix_len() == 0))
}

fn keep(found: &mut Found, message: RouteNetlinkMessage, links: &Links) -> ControlFlow<()> {
    if found.routes.len() >= MOST_READ {
        found.more = true;
        return ControlFlow::Break(());
    }
    if let RouteNetlinkMessage::NewRoute(message) = message {
        found.routes.extend(route(message, links));
    }
    ControlFlow::Continue(())
}

/// One route, unless it is noise: a cached answer, or an entry that follows from an address.
fn route(message: RouteMessage, links: &Links) -> Option<Route> {
    let header = message.header;
    let follows = header.protocol == RouteProtocol::Kernel
        && matches!(header.kind, RouteType::Broadcast | RouteType::Multicast | RouteType::Anycast);
    if follows || header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0_u8; 4]),
        AddressFamily::Inet6 => IpAddr::from([0_u8; 16]),
        _ => return None,
    };
    let (mut to, mut table, mut metric, mut prefsrc) =
        (unspecified, u32::from(header.table), 0, None);
    let mut nexthops = Vec::new();
    for attribute in &message.attributes {
        if let RouteAttribute::Destination(destination) = attribute {
            to = address(destination)?;
        } else if let RouteAttribute::Table(number) = attribute {
            table = *number;
        } else if let RouteAttribute::Priority(priority) = attribute {
            metric = *priority;
        } else if let RouteAttribute::PrefSource(source) = attribute {
            prefsrc = address(source);
        } else if let RouteAttribute::MultiPath(hops) = attribute {
            nexthops = hops.iter().map(|next| next_hop(next, links)).collect();
        }
    }
    let flags = names::hop_flags(header.flags.bits());
    let hop = Hop { flags, ..hop(&message.attributes, links) };
    Some(Route {
        table: Some(names::table(table)).filter(|table| table != "main"),
        dst: IpNet::new(to, header.destination_prefix_length).ok()?,
        metric: Some(metric).filter(|metric| *metric != 0),
        hop,
        nexthops,
        protocol: Some(names::protocol(header.protocol.into())).filter(|name| name != "boot"),
        prefsrc,
        kind: Some(names::kind(header.kind.into())).filter(|kind| kind != "unicast"),
    })
}

/// One hop of a multipath route; the kernel counts weights from 0.
fn next_hop(next: &RouteNextHop, links: &Links) -> Hop {
    let dev = links.get(&next.interface_index).map(|link| link.interface.name.clone());
    let weight = Some(u16::from(next.hops) + 1);
    let flags = names::hop_flags(next.flags.bits().into());
    Hop { dev, weight, flags, ..hop(&next.attributes, links) }
}

/// Gateway and interface, as far as the attributes tell.
fn hop(attributes: &[RouteAttribute], links: &Links) -> Hop {
    let mut hop = Hop::default();
    for attribute in attributes {
        if let RouteAttribute::Gateway(gateway) = attribute {
            hop.gateway = address(gateway).filter(|gateway| !gateway.is_unspecified());
        } else if let RouteAttribute::Via(RouteVia::Inet(host)) = attribute {
            hop.via = Some(Via { family: "inet", host: (*host).into() });
        } else if let RouteAttribute::Via(RouteVia::Inet6(host)) = attribute {
            hop.via = Some(Via { family: "inet6", host: (*host).into() });
        } else if let RouteAttribute::Oif(index) = attribute {
            hop.dev = links.get(index).map(|link| link.interface.name.clone());
        }
    }
    hop
}

fn address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
