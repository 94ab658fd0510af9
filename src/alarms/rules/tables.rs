//! What a host's own tables say against each other: what its peers may use and where its routes
//! lead, how large a tunnel's packets are and how large the way under it lets them be.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::iface::subject;
use super::{AgentFacts, some_of};
use crate::alarms::lifecycle::{Alarm, Observation};
use crate::model::report::{Interface, Peer, Route};
use crate::model::state::{AlarmKind, Severity};
use crate::topology::edge_match::names_a_host;
use crate::topology::prefixes::Prefixes;

/// Bytes that WireGuard and UDP add to a packet over IPv4: 20 + 8 + 32 (kernel
/// `drivers/net/wireguard/messages.h`).
const OVER_V4: u32 = 60;
/// The same over IPv6, whose header has 40 bytes.
const OVER_V6: u32 = 80;

/// Who installs routes by what it learns from others: whether there is a route is then not for
/// the allowed ips to say (rtnetlink(7) and `/etc/iproute2/rt_protos`).
const DAEMONS: &[&str] = &[
    "babel", "bgp", "bird", "eigrp", "gated", "isis", "mrt", "ntk", "ospf", "openr", "rip", "xorp",
    "zebra",
];

/// What one report tells of its host.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'d> {
    /// Its interfaces.
    pub interfaces: &'d [Interface],
    /// Its routes, all of them.
    pub routes: &'d [Route],
    /// Its peers.
    pub peers: &'d [Peer],
}

/// The routes of a host, without those to its own addresses.
struct Ways<'d> {
    by_prefix: Prefixes<&'d Route>,
    /// Interfaces with peers.
    tunnels: BTreeSet<&'d str>,
    /// Whether other tables than `main` are told.
    all_tables: bool,
    /// Whether any route of IPv4, and of IPv6, is told.
    families: [bool; 2],
}

fn is_own(route: &Route) -> bool {
    route.table == "local" || route.kind == "local"
}

impl<'d> Ways<'d> {
    fn of(tables: &Tables<'d>) -> Self {
        let routes = || tables.routes.iter().filter(|route| !is_own(route));
        let has = |is_v4: bool| routes().any(|route| route.dst.addr().is_ipv4() == is_v4);
        Self {
            by_prefix: routes().map(|route| (route.dst, route)).collect(),
            tunnels: tables.peers.iter().map(|peer| peer.interface.as_str()).collect(),
            all_tables: tables.routes.iter().any(|route| is_own(route) || route.table != "main"),
            families: [has(true), has(false)],
        }
    }

    fn dev_of(route: &Route) -> &str {
        route.dev.as_deref().unwrap_or_default()
    }

    /// Whether packets for a prefix have a way that somebody meant them to have: into this
    /// interface or another tunnel, or anywhere by a route that is as narrow as the prefix.
    fn leads(&self, interface: &str, net: &IpNet) -> bool {
        let into = |route: &Route| {
            let dev = Self::dev_of(route);
            dev == interface || self.tunnels.contains(dev)
        };
        let covering = self.by_prefix.covering(net);
        let mut covering =
            covering.filter(|(length, route)| *length == net.prefix_len() || into(route));
        covering.next().is_some() || self.by_prefix.inside(net).any(|route| into(route))
    }

    /// Whether the interface's routes are known to follow its peers' allowed ips, where only the
    /// table `main` is told: one of them has a route of its own.
    fn follows(&self, interface: &str, peers: &[&Peer]) -> bool {
        let mut allowed = peers.iter().flat_map(|peer| &peer.allowed_ips);
        allowed.any(|net| {
            let mut covering = self.by_prefix.covering(net);
            covering.any(|(length, route)| {
                length == net.prefix_len()
                    && Self::dev_of(route) == interface
                    && route.protocol.as_deref() != Some("kernel")
            })
        })
    }

    /// Whether a routing daemon decides what goes into the interface.
    fn is_routed(&self, tables: &Tables<'_>, interface: &str) -> bool {
        tables.routes.iter().any(|route| {
            Self::dev_of(route) == interface
                && route.protocol.as_deref().is_some_and(|name| DAEMONS.contains(&name))
        })
    }

    /// What the peers of an interface may use and no route leads to; `None` if the routes that
    /// are told do not say.
    fn missing(
        &self,
        tables: &Tables<'d>,
        interface: &str,
        peers: &[&'d Peer],
    ) -> Option<Vec<IpNet>> {
        let is_told = self.all_tables || self.follows(interface, peers);
        if self.is_routed(tables, interface) || !is_told {
            return None;
        }
        let told = |net: &&IpNet| {
            let [v4, v6] = self.families;
            let is_told = if net.addr().is_ipv4() { v4 } else { v6 };
            // The way to everything is a choice, and these have no route of their own.
            is_told && net.prefix_len() > 0 && names_a_host(net.network())
        };
        let allowed: BTreeSet<&IpNet> =
            peers.iter().flat_map(|peer| &peer.allowed_ips).filter(told).collect();
        let lost = allowed.into_iter().filter(|net| !self.leads(interface, net));
        Some(lost.copied().collect())
    }
}

/// Is there no route for what a peer may use? Looks at every WireGuard interface that is up.
pub fn routes_missing<'a>(
    agent: &AgentFacts<'a>,
    tables: &Tables<'_>,
    open: &[&Alarm],
) -> Vec<Observation<'a>> {
    let ways = Ways::of(tables);
    let mut seen = Vec::new();
    for (interface, peers) in tunnels(tables) {
        if interface.is_up() == Some(false) || interface.admin_up() == Some(false) {
            continue;
        }
        let Some(missing) = ways.missing(tables, &interface.name, &peers) else { continue };
        let trouble = (!missing.is_empty()).then(|| {
            format!(
                "{} has no route into {} for {}, which a peer there may use: such packets go \
                 elsewhere or are dropped",
                agent.name,
                interface.name,
                some_of(&missing)
            )
        });
        let about = (AlarmKind::RouteMissing, subject(agent, &interface.name));
        seen.extend(one(agent, about, trouble, open));
    }
    seen.extend(gone(agent, AlarmKind::RouteMissing, tables, open));
    seen
}

/// The families of addresses, as alarms about the way to everything name them.
const FAMILIES: [(&str, bool); 2] = [("ipv4", true), ("ipv6", false)];

/// Has a host lost its last default route of a family? `before` is what the last report told, if
/// this one tells something else.
pub fn defaults_gone<'a>(
    agent: &AgentFacts<'a>,
    before: Option<&[Route]>,
    now: &[Route],
    open: &[&Alarm],
) -> Vec<Observation<'a>> {
    let has = |routes: &[Route], is_v4: bool| {
        let mut defaults =
            routes.iter().filter(|route| route.dst.prefix_len() == 0 && !is_own(route));
        defaults.any(|route| route.dst.addr().is_ipv4() == is_v4 && route.kind == "unicast")
    };
    let is_cut_off = FAMILIES.iter().all(|(_, is_v4)| !has(now, *is_v4));
    let mut seen = Vec::new();
    for (family, is_v4) in FAMILIES {
        let about = (AlarmKind::DefaultRouteChanged, subject(agent, family));
        let is_open = open.iter().any(|alarm| alarm.kind == about.0 && alarm.subject == about.1);
        let lost = !has(now, is_v4) && (is_open || before.is_some_and(|before| has(before, is_v4)));
        let trouble = lost.then(|| {
            let rest = if is_cut_off {
                "and has none of the other kind"
            } else {
                "and still has the other"
            };
            format!("{} has no default route of {family} any more, {rest}", agent.name)
        });
        let severity = if is_cut_off { Severity::Critical } else { Severity::Warning };
        let found = one(agent, about, trouble, open);
        seen.extend(found.map(|found| Observation { severity, ..found }));
    }
    seen
}

/// Are a tunnel's packets too large for the link that carries them?
pub fn mtus_too_large<'a>(
    agent: &AgentFacts<'a>,
    tables: &Tables<'_>,
    open: &[&Alarm],
) -> Vec<Observation<'a>> {
    let main = tables.routes.iter().filter(|route| route.table == "main" && !is_own(route));
    let ways: Prefixes<&Route> = main.map(|route| (route.dst, route)).collect();
    let mtu_of = |name: &str| tables.interfaces.iter().find(|i| i.name == name)?.mtu;
    let mut seen = Vec::new();
    for (interface, peers) in tunnels(tables) {
        let Some(mtu) = interface.mtu else { continue };
        let addresses: BTreeSet<IpAddr> = peers.iter().filter_map(|peer| address(peer)).collect();
        let under = addresses.into_iter().filter_map(|address| {
            let best = ways.longest(address)?.iter().min_by_key(|route| route.metric)?;
            let dev = best.dev.as_deref().filter(|dev| *dev != interface.name)?;
            let over = if address.is_ipv4() { OVER_V4 } else { OVER_V6 };
            Some((mtu_of(dev)?.saturating_sub(over), dev, over))
        });
        let least = under.min();
        let trouble = least.filter(|(room, ..)| mtu > *room).map(|(room, dev, over)| {
            format!(
                "the mtu of {} on {} is {mtu}, {room} at most fit through {dev} (its mtu less \
                 {over} bytes): packets are cut in pieces or lost",
                interface.name, agent.name
            )
        });
        let about = (AlarmKind::MtuMismatch, subject(agent, &interface.name));
        seen.extend(one(agent, about, trouble, open));
    }
    seen.extend(gone(agent, AlarmKind::MtuMismatch, tables, open));
    seen
}

/// The interfaces that have peers, each with them.
fn tunnels<'d>(tables: &Tables<'d>) -> impl Iterator<Item = (&'d Interface, Vec<&'d Peer>)> {
    let Tables { interfaces, peers, .. } = *tables;
    interfaces.iter().filter_map(move |interface| {
        // Sorted by interface.
        let first = peers.partition_point(|peer| peer.interface < interface.name);
        let listed = peers.iter().skip(first).take_while(|peer| peer.interface == interface.name);
        let listed: Vec<&Peer> = listed.collect();
        (!listed.is_empty()).then_some((interface, listed))
    })
}

/// The address that a peer's packets are sent to.
fn address(peer: &Peer) -> Option<IpAddr> {
    let endpoint: SocketAddr = peer.endpoint.as_deref()?.parse().ok()?;
    Some(endpoint.ip())
}

/// An observation, unless all is well and nothing was wrong.
fn one<'a>(
    agent: &AgentFacts<'a>,
    (kind, subject): (AlarmKind, String),
    trouble: Option<String>,
    open: &[&Alarm],
) -> Option<Observation<'a>> {
    match trouble {
        Some(message) => Some(agent.bad(kind, subject, message)),
        None => {
            let is_open = open.iter().any(|alarm| alarm.kind == kind && alarm.subject == subject);
            is_open.then(|| agent.good(kind, subject))
        }
    }
}

/// Interfaces that are gone, or have no peers any more, have nothing wrong with them.
fn gone<'a>(
    agent: &AgentFacts<'a>,
    kind: AlarmKind,
    tables: &Tables<'_>,
    open: &[&Alarm],
) -> Vec<Observation<'a>> {
    let names: BTreeSet<String> =
        tunnels(tables).map(|(interface, _)| subject(agent, &interface.name)).collect();
    let own = format!("{}/", agent.id);
    let of_kind = open.iter().filter(|alarm| alarm.kind == kind && alarm.subject.starts_with(&own));
    let lost = of_kind.filter(|alarm| !names.contains(&alarm.subject));
    lost.map(|alarm| agent.good(kind, alarm.subject.clone())).collect()
}

#[cfg(test)]
mod tests;
