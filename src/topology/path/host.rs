//! What one host decides about a packet, as the Linux kernel would by the tables it reports.
//!
//! Its own addresses come first, then the longest prefix of the routes, then, on a WireGuard
//! interface, the longest of its peers' allowed IPs (wg(8), "cryptokey routing").

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::id::{AgentId, EdgeId};
use crate::model::report::{Interface, Peer, Route};
use crate::topology::edge_match::names_a_host;

/// The table that the kernel asks unless a rule says otherwise (ip-rule(8)).
const MAIN: &str = "main";

/// The table that it asks last.
const DEFAULT: &str = "default";

/// The table of its own addresses, which interfaces tell as well.
const LOCAL: &str = "local";

/// Reports carry at most so many routes.
const MOST_ROUTES: usize = 4096;

/// A host and its tables, as last reported.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its agent.
    pub id: AgentId,
    /// Its name for people.
    pub name: String,
    /// Whether it reports now.
    pub reporting: bool,
    /// Its interfaces.
    pub interfaces: Vec<Interface>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its WireGuard peers, each with its link.
    pub peers: Vec<(Peer, EdgeId)>,
}

/// A packet that is encrypted for a peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tunnel<'h> {
    pub(super) route: Option<&'h Route>,
    pub(super) interface: &'h Interface,
    pub(super) peer: &'h Peer,
    pub(super) allowed_ip: IpNet,
    pub(super) edge: &'h EdgeId,
}

/// A packet that goes out as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'h> {
    pub(super) route: Option<&'h Route>,
    pub(super) interface: &'h Interface,
    /// The gateway, or the destination itself where it is on the link.
    pub(super) next: IpAddr,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(super) enum Decision<'h> {
    /// The host has the address, on this interface.
    Here(&'h str),
    /// Into a tunnel.
    Tunnel(Tunnel<'h>),
    /// Onto a link.
    Wire(Wire<'h>),
    /// It is dropped; by which route and at which interface it would go, and why it does not.
    Drop(Option<&'h Route>, Option<&'h Interface>, String),
    /// What the host reports does not tell; what is missing.
    Untold(String),
}

/// The route chosen, and what speaks against trusting it.
struct Chosen<'h> {
    route: &'h Route,
    note: Option<String>,
}

fn fits(net: &IpNet, address: IpAddr) -> bool {
    net.contains(&address)
}

impl Host {
    /// What becomes of a packet to `to`, and what a reader should know of it.
    pub(super) fn decide(&self, to: IpAddr) -> (Decision<'_>, Vec<String>) {
        if let Some(interface) = self.has(to) {
            return (Decision::Here(interface), Vec::new());
        }
        let Some(Chosen { route, note }) = self.route(to) else {
            return (self.without_route(to), Vec::new());
        };
        let mut notes: Vec<String> = note.into_iter().collect();
        if self.next_hops(route) > 1 {
            notes.push("the route has several next hops; this is the first".to_owned());
        }
        (self.along(route, to), notes)
    }

    /// The interface that has the address.
    fn has(&self, address: IpAddr) -> Option<&str> {
        let mut all = self.interfaces.iter();
        let own =
            |interface: &&Interface| interface.addresses.iter().any(|net| net.addr() == address);
        all.find(own).map(|interface| interface.name.as_str())
    }

    fn next_hops(&self, route: &Route) -> usize {
        let same = |other: &&Route| {
            (other.dst, other.metric, &other.table) == (route.dst, route.metric, &route.table)
        };
        self.routes.iter().filter(same).count()
    }

    /// The route to an address. Tables are asked in the order of the rules that every host has;
    /// a table of another name is there for rules that are not reported.
    fn route(&self, to: IpAddr) -> Option<Chosen<'_>> {
        let best = |wanted: &dyn Fn(&str) -> bool| {
            let fitting = self.routes.iter().filter(|route| {
                wanted(&route.table) && route.kind != "throw" && fits(&route.dst, to)
            });
            fitting.min_by_key(|route| (Reverse(route.dst.prefix_len()), route.metric))
        };
        let main = best(&|table| table == MAIN);
        let by_rule = best(&|table| ![MAIN, DEFAULT, LOCAL].contains(&table));
        let last = best(&|table| table == DEFAULT);
        let untold = |route: &Route| {
            format!(
                "table {} holds {} as well; which is taken depends on routing rules, which are not \
                 reported",
                route.table,
                route_text(route)
            )
        };
        match (main, by_rule) {
            // wg-quick(8) puts a default route through the tunnel into a table of its own, and
            // rules that pass over the default route of the main table.
            (Some(main), Some(other)) if main.dst.prefix_len() == 0 && self.is_tunnel(other) => {
                Some(Chosen { route: other, note: Some(untold(main)) })
            }
            (Some(main), Some(other))
                if (&main.dev, main.gateway) != (&other.dev, other.gateway) =>
            {
                Some(Chosen { route: main, note: Some(untold(other)) })
            }
            (Some(route), _) => Some(Chosen { route, note: None }),
            (None, Some(route)) => {
                let table = &route.table;
                let note = format!("the route is in table {table}: a rule must lead there");
                Some(Chosen { route, note: Some(note) })
            }
            (None, None) => last.map(|route| Chosen { route, note: None }),
        }
    }

    fn is_tunnel(&self, route: &Route) -> bool {
        route.dev.as_deref().is_some_and(|name| self.is_wireguard(name))
    }

    fn is_wireguard(&self, name: &str) -> bool {
        let keyed =
            |interface: &Interface| interface.name == name && interface.public_key.is_some();
        self.interfaces.iter().any(keyed)
            || self.peers.iter().any(|(peer, _)| peer.interface == name)
    }

    /// A host that reports no routes still has those that its addresses make.
    fn without_route(&self, to: IpAddr) -> Decision<'_> {
        let name = &self.name;
        if !self.routes.is_empty() {
            let cut = if self.routes.len() >= MOST_ROUTES {
                " (its report was cut: it may have one)"
            } else {
                ""
            };
            return Decision::Drop(None, None, format!("{name} has no route to {to}{cut}"));
        }
        let connected = self.interfaces.iter().filter_map(|interface| {
            let net = interface.addresses.iter().find(|net| fits(net, to))?;
            Some((net.prefix_len(), interface))
        });
        match connected.max_by_key(|(length, _)| *length) {
            Some((_, interface)) => self.out(interface, None, (to, to)),
            None => Decision::Untold(format!("{name} reports no routes")),
        }
    }

    fn along<'h>(&'h self, route: &'h Route, to: IpAddr) -> Decision<'h> {
        let name = &self.name;
        if route.kind != "unicast" {
            let what = route_text(route);
            let why = format!("{name} drops it: its route is {what}");
            return Decision::Drop(Some(route), None, why);
        }
        let interface = match (&route.dev, route.gateway) {
            (Some(dev), _) => self.interfaces.iter().find(|interface| interface.name == *dev),
            (None, Some(gateway)) => self
                .interfaces
                .iter()
                .find(|interface| interface.addresses.iter().any(|net| fits(net, gateway))),
            (None, None) => None,
        };
        match interface {
            Some(interface) => self.out(interface, Some(route), (route.gateway.unwrap_or(to), to)),
            None => Decision::Untold(format!(
                "{name} routes it by {}, and does not report that interface",
                route_text(route)
            )),
        }
    }

    /// Out through an interface: `next` on a plain link, whoever `to` is allowed for in a tunnel.
    fn out<'h>(
        &'h self,
        interface: &'h Interface,
        route: Option<&'h Route>,
        (next, to): (IpAddr, IpAddr),
    ) -> Decision<'h> {
        let (name, dev) = (&self.name, &interface.name);
        if interface.is_up() == Some(false) {
            let why = format!("{name} sends it to {dev}, which is down");
            return Decision::Drop(route, Some(interface), why);
        }
        if !self.is_wireguard(dev) {
            return Decision::Wire(Wire { route, interface, next });
        }
        match self.allowed(dev, to) {
            Some((peer, edge, allowed_ip)) => {
                Decision::Tunnel(Tunnel { route, interface, peer, allowed_ip, edge })
            }
            None => {
                let why =
                    format!("{name} sends it to {dev}, where no peer's allowed IPs contain {to}");
                Decision::Drop(route, Some(interface), why)
            }
        }
    }

    /// The peer of an interface that an address belongs to.
    fn allowed(&self, interface: &str, address: IpAddr) -> Option<(&Peer, &EdgeId, IpNet)> {
        let entries = self.peers.iter().filter(|(peer, _)| peer.interface == interface);
        entries
            .flat_map(|(peer, edge)| peer.allowed_ips.iter().map(move |net| (peer, edge, *net)))
            .filter(|(_, _, net)| fits(net, address))
            .max_by_key(|(_, _, net)| net.prefix_len())
    }

    /// Why the host drops a packet that came through a link from `from` with this source.
    pub(super) fn refuses(
        &self,
        edge: &EdgeId,
        source: Option<IpAddr>,
        from: &str,
    ) -> Option<String> {
        let name = &self.name;
        let Some((sender, _)) = self.peers.iter().find(|(_, link)| link == edge) else {
            return Some(format!("{name} does not list the key of {from} and drops what it sends"));
        };
        let source = source?;
        match self.allowed(&sender.interface, source) {
            Some((peer, ..)) if peer.public_key == sender.public_key => None,
            Some((peer, _, net)) => Some(format!(
                "{name} drops it: the source {source} is in {net}, which it allows for another peer \
                 ({})",
                peer.public_key
            )),
            None => Some(format!(
                "{name} drops it: the source {source} is not in the allowed IPs that it has for {from}"
            )),
        }
    }

    /// The source address of what leaves through an interface: one on the same network as the
    /// destination, else the first of its family.
    pub(super) fn source(&self, interface: &str, to: IpAddr) -> Option<IpAddr> {
        let interface = self.interfaces.iter().find(|known| known.name == interface)?;
        let family =
            |net: &&IpNet| net.addr().is_ipv4() == to.is_ipv4() && names_a_host(net.addr());
        let own = || interface.addresses.iter().filter(family);
        own().find(|net| fits(net, to)).or_else(|| own().next()).map(IpNet::addr)
    }
}

/// A route in the words of ip-route(8).
pub fn route_text(route: &Route) -> String {
    let mut text = if route.kind == "unicast" { String::new() } else { format!("{} ", route.kind) };
    text += &match route.dst.prefix_len() {
        0 => "default".to_owned(),
        _ => route.dst.to_string(),
    };
    if let Some(gateway) = route.gateway {
        text += &format!(" via {gateway}");
    }
    if let Some(dev) = &route.dev {
        text += &format!(" dev {dev}");
    }
    if route.table != MAIN {
        text += &format!(" table {}", route.table);
    }
    text
}
