//! The networks that hosts' routes and tunnels lead to, and whether anybody reports from inside.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::model::id::{AgentId, FleetId};
use crate::model::reach::Reach;
use crate::model::report::Route;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NetworkFilter {
    /// Whose tables count.
    pub reach: Reach,
    /// Only those that come after this one.
    pub after: Option<Place>,
    /// At most this many networks.
    pub limit: usize,
}

/// Where a network stands in the list: whether a host has an address in it, the fleet, the prefix.
pub type Place = (bool, FleetId, IpNet);

/// Networks, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// Those that nobody reports from first, then by fleet and prefix.
    pub networks: Vec<Network>,
    /// How many more come after them.
    pub left_out: usize,
}

/// A network of a fleet: a prefix wider than one address and narrower than everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// Whether a host has an address in it.
    pub inside: bool,
    /// The fleet; another one may use the same prefix for something else.
    pub fleet_id: FleetId,
    /// The prefix.
    pub net: IpNet,
    /// Who routes it, and through what.
    pub exits: Vec<Exit>,
}

/// The first step of a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit {
    /// The host.
    pub agent_id: AgentId,
    /// The interface that packets leave through, if the host tells it.
    pub interface: Option<String>,
}

/// What a list of networks is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// Those that nobody reports from first, then by fleet and prefix.
    #[default]
    Known,
    /// The prefix; IPv4 first.
    Prefix,
    /// The fleet, then as by default.
    Fleet,
}

/// An order of networks, in which no two stand at one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// What comes first.
    pub by: By,
    /// The other way round.
    pub descending: bool,
}

impl FromStr for Order {
    type Err = ();

    /// `known`, `prefix` or `fleet`, with `-` in front the other way round; empty: by default.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        let by = match name {
            "" if descending => return Err(()),
            "" | "known" => By::Known,
            "prefix" => By::Prefix,
            "fleet" => By::Fleet,
            _ => return Err(()),
        };
        Ok(Self { by, descending })
    }
}

/// The parts of a place.
type At<'a> = (bool, &'a FleetId, &'a IpNet);

impl Order {
    fn compare(self, one: At<'_>, other: At<'_>) -> Ordering {
        let first = match self.by {
            By::Known => Ordering::Equal,
            By::Prefix => one.2.cmp(other.2),
            By::Fleet => one.1.cmp(other.1),
        };
        let order = first.then_with(|| one.cmp(&other));
        if self.descending { order.reverse() } else { order }
    }
}

impl NetworkFilter {
    /// In order, and no more than asked for, out of all of them.
    pub fn arrange(&self, mut networks: Vec<Network>) -> Networks {
        if let Some(after) = &self.after {
            networks.retain(|one| one.place() > (after.0, &after.1, &after.2));
        }
        networks.sort_unstable();
        let left_out = networks.len().saturating_sub(self.limit);
        networks.truncate(self.limit);
        Networks { networks, left_out }
    }
}

impl Networks {
    /// No more than `limit` of networks in an order, after one of them, wherever that stood.
    pub fn part(all: &[Network], order: Order, after: Option<&Place>, limit: usize) -> Self {
        let is_after = |one: &&Network| {
            after.is_none_or(|(inside, fleet, net)| {
                order.compare(one.place(), (*inside, fleet, net)).is_gt()
            })
        };
        let mut rest: Vec<&Network> = all.iter().filter(is_after).collect();
        rest.sort_unstable_by(|one, other| order.compare(one.place(), other.place()));
        let networks: Vec<Network> = rest.iter().take(limit).copied().cloned().collect();
        Self { left_out: rest.len() - networks.len(), networks }
    }
}

impl Network {
    fn place(&self) -> At<'_> {
        (self.inside, &self.fleet_id, &self.net)
    }
}

/// Whether a prefix is a network that one may send to: wider than one address, not everything,
/// and neither multicast nor of one link or host.
pub fn is_network(net: &IpNet) -> bool {
    let wide = net.prefix_len() > 0 && net.prefix_len() < net.max_prefix_len();
    wide && match net.addr() {
        IpAddr::V4(at) => !(at.is_multicast() || at.is_link_local() || at.is_loopback()),
        IpAddr::V6(at) => !(at.is_multicast() || at.is_unicast_link_local() || at.is_loopback()),
    }
}

/// Whether a route leads to other hosts, and not only to those on the wire of an interface.
pub fn leads_on(route: &Route) -> bool {
    let farther =
        route.gateway.is_some() || route.protocol.as_deref().is_some_and(|by| by != "kernel");
    farther && route.kind == "unicast" && is_network(&route.dst)
}

/// Puts the tables of many hosts together.
#[derive(Debug, Default)]
pub struct Gathering {
    found: BTreeMap<(FleetId, IpNet), Gathered>,
    /// The lengths of the prefixes that are held, so that an address is looked up by few.
    lengths: BTreeSet<u8>,
}

#[derive(Debug, Default)]
struct Gathered {
    inside: bool,
    exits: BTreeSet<Exit>,
}

impl Gathering {
    fn hold(&mut self, fleet: FleetId, net: &IpNet) -> &mut Gathered {
        self.lengths.insert(net.prefix_len());
        self.found.entry((fleet, net.trunc())).or_default()
    }

    /// A host lets a peer use a prefix.
    pub fn allow(&mut self, fleet: FleetId, net: &IpNet) {
        if is_network(net) {
            self.hold(fleet, net);
        }
    }

    /// A host has a route.
    pub fn route(&mut self, fleet: FleetId, agent_id: AgentId, route: Route) {
        if leads_on(&route) {
            self.hold(fleet, &route.dst).exits.insert(Exit { agent_id, interface: route.dev });
        }
    }

    /// A host has an address; after the routes and prefixes.
    pub fn address(&mut self, fleet: &FleetId, address: IpAddr) {
        for length in &self.lengths {
            let Ok(net) = IpNet::new(address, *length) else { continue };
            if let Some(found) = self.found.get_mut(&(fleet.clone(), net.trunc())) {
                found.inside = true;
            }
        }
    }

    /// All of it.
    pub fn networks(self) -> Vec<Network> {
        let of = |((fleet_id, net), Gathered { inside, exits })| Network {
            inside,
            fleet_id,
            net,
            exits: exits.into_iter().collect(),
        };
        self.found.into_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn route(dst: &str) -> Route {
        Route {
            table: "main".to_owned(),
            dst: net(dst),
            metric: 0,
            gateway: "192.0.2.1".parse().ok(),
            dev: Some("eth0".to_owned()),
            protocol: Some("static".to_owned()),
            kind: "unicast".to_owned(),
        }
    }

    #[test]
    fn what_leads_on_has_a_gateway_or_was_put_there() {
        assert!(leads_on(&route("10.1.0.0/16")) && leads_on(&route("fd00:1::/64")));
        for narrow in ["0.0.0.0/0", "::/0", "10.1.0.1/32", "fd00::1/128", "169.254.0.0/16"] {
            assert!(!leads_on(&route(narrow)), "{narrow}");
        }
        for odd in ["224.0.0.0/4", "ff00::/8", "fe80::/64", "127.0.0.0/8"] {
            assert!(!leads_on(&route(odd)), "{odd}");
        }
        let on_link = Route { gateway: None, ..route("10.1.0.0/16") };
        assert!(leads_on(&on_link), "a tunnel's route has no gateway");
        let own = Route { protocol: Some("kernel".to_owned()), ..on_link.clone() };
        assert!(!leads_on(&own), "the kernel's own route to what an interface is in");
        assert!(!leads_on(&Route { protocol: None, ..on_link.clone() }));
        assert!(!leads_on(&Route { kind: "blackhole".to_owned(), ..on_link }));
    }

    #[test]
    fn a_network_is_one_fleets_and_whoever_has_an_address_is_inside() {
        let (a, b): (FleetId, FleetId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let gw: AgentId = "gw-1".parse().unwrap();
        let mut all = Gathering::default();
        for fleet in [&a, &b] {
            all.route(fleet.clone(), gw.clone(), route("10.1.0.0/16"));
            all.route(fleet.clone(), gw.clone(), route("10.1.0.0/16"));
        }
        all.allow(b.clone(), &net("10.1.2.0/24"));
        all.allow(b.clone(), &net("10.1.2.3/32"));
        all.address(&b, "10.1.9.9".parse().unwrap());
        let all = all.networks();
        let after = |after, limit| {
            let filter = NetworkFilter { reach: Reach::Whole, after, limit };
            filter.arrange(all.clone())
        };
        let told = |limit| after(None, limit);
        let lines: Vec<_> = told(9)
            .networks
            .iter()
            .map(|one| format!("{} {} {} {}", one.fleet_id, one.net, one.inside, one.exits.len()))
            .collect();
        assert_eq!(
            lines,
            ["a 10.1.0.0/16 false 1", "b 10.1.2.0/24 false 0", "b 10.1.0.0/16 true 1"]
        );
        assert_eq!((told(2).networks.len(), told(2).left_out), (2, 1));
        // Page by page, each once.
        let (mut paged, mut place) = (Vec::new(), None);
        loop {
            let page = after(place, 1);
            assert_eq!(page.left_out, 2_usize.saturating_sub(paged.len()));
            let Some(last) = page.networks.last() else { break };
            place = Some((last.inside, last.fleet_id.clone(), last.net));
            paged.extend(page.networks);
        }
        assert_eq!(paged, told(9).networks);
    }
}
