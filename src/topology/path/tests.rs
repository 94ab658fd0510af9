use std::convert::Infallible;

use super::host::{Host, route_text};
use super::*;
use crate::model::report::{Counters, Interface, LinkState, Peer};
use crate::model::time::UnixSeconds;
use crate::topology::picture::{End, samples};

/// A few hosts with tables that tests write.
#[derive(Default)]
struct Net {
    hosts: Vec<Host>,
    links: Vec<Edge>,
}

impl Atlas for Net {
    type Error = Infallible;

    fn host(&mut self, id: &AgentId) -> Result<Option<Host>, Infallible> {
        Ok(self.hosts.iter().find(|host| host.id == *id).cloned())
    }

    fn holder(&mut self, address: IpAddr) -> Result<Option<AgentId>, Infallible> {
        let has = |host: &&Host| {
            let mut all = host.interfaces.iter().flat_map(|interface| &interface.addresses);
            all.any(|net| net.addr() == address)
        };
        Ok(self.hosts.iter().find(has).map(|host| host.id.clone()))
    }

    fn link(&mut self, id: &EdgeId) -> Option<Edge> {
        self.links.iter().find(|edge| edge.id == id.as_str()).cloned()
    }
}

fn id(name: &str) -> AgentId {
    name.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key(name: &str) -> WgKey {
    WgKey([name.as_bytes()[0]; 32])
}

fn edge_id(a: &str, b: &str) -> EdgeId {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    format!("{:02x}{:02x}000000000000", low.as_bytes()[0], high.as_bytes()[0]).parse().unwrap()
}

fn interface(name: &str, addresses: &[&str], own: Option<WgKey>) -> Interface {
    Interface {
        name: name.into(),
        mac: None,
        mtu: None,
        state: LinkState::Unknown,
        flags: vec!["UP".into()],
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        public_key: own,
        listen_port: None,
        counters: Counters::default(),
    }
}

fn route(table: &str, dst: &str, dev: &str) -> Route {
    Route {
        table: table.into(),
        dst: dst.parse().unwrap(),
        metric: 0,
        gateway: None,
        dev: Some(dev.into()),
        protocol: None,
        kind: "unicast".into(),
    }
}

fn peer(name: &str, allowed: &[&str]) -> Peer {
    Peer {
        interface: "wg0".into(),
        public_key: key(name),
        endpoint: None,
        allowed_ips: allowed.iter().map(|text| text.parse().unwrap()).collect(),
        latest_handshake: UnixSeconds(0),
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: 0,
        has_psk: false,
    }
}

impl Net {
    /// A host with `wg0` at this address and a network behind it on `eth0`.
    fn add(&mut self, name: &str, address: &str) {
        let lan = format!("10.1.{}.1/24", self.hosts.len());
        self.hosts.push(Host {
            id: id(name),
            name: name.into(),
            reporting: true,
            interfaces: vec![
                interface("eth0", &[&lan], None),
                interface("wg0", &[address], Some(key(name))),
            ],
            routes: vec![
                route("main", &lan.replace(".1/", ".0/"), "eth0"),
                route("main", "10.8.0.0/24", "wg0"),
            ],
            peers: Vec::new(),
        });
    }

    fn host_named(&mut self, name: &str) -> &mut Host {
        self.hosts.iter_mut().find(|host| host.name == name).unwrap()
    }

    /// A link: what each end allows the other.
    fn tie(&mut self, [a, b]: [&str; 2], [for_b, for_a]: [&[&str]; 2]) {
        let edge = edge_id(a, b);
        self.host_named(a).peers.push((peer(b, for_b), edge.clone()));
        self.host_named(b).peers.push((peer(a, for_a), edge.clone()));
        let end = |name: &str| End {
            agent_id: Some(id(name)),
            interface: Some("wg0".into()),
            public_key: Some(key(name)),
            ..samples::end()
        };
        let nodes = [a, b].map(|name| format!("a:{name}"));
        let link = samples::edge(edge.as_str(), [&nodes[0], &nodes[1]]);
        self.links.push(Edge { ends: [end(a), end(b)], ..link });
    }

    /// alpha - hub - beta; hub passes on, and beta has 10.1.2.0/24 behind it.
    fn hub() -> Self {
        let mut net = Self::default();
        net.add("alpha", "10.8.0.1/24");
        net.add("hub", "10.8.0.9/24");
        net.add("beta", "10.8.0.2/24");
        net.tie(["alpha", "hub"], [&["10.8.0.0/24", "10.1.2.0/24"], &["10.8.0.1/32"]]);
        net.tie(["hub", "beta"], [&["10.8.0.2/32", "10.1.2.0/24"], &["10.8.0.0/24"]]);
        net.host_named("alpha").routes.push(route("main", "10.1.2.0/24", "wg0"));
        net.host_named("hub").routes.push(route("main", "10.1.2.0/24", "wg0"));
        net
    }

    fn explain(&mut self, from: &str, to: &str) -> Journey {
        explain(self, &id(from), ip(to), None).unwrap()
    }

    /// The hosts passed, how it ended, and why.
    fn way(&mut self, from: &str, to: &str) -> (Vec<String>, Outcome, String) {
        let journey = self.explain(from, to);
        (journey.hops.into_iter().map(|hop| hop.label).collect(), journey.outcome, journey.reason)
    }
}

fn told(hosts: &[&str], outcome: Outcome, reason: &str) -> (Vec<String>, Outcome, String) {
    (hosts.iter().map(|name| (*name).to_owned()).collect(), outcome, reason.to_owned())
}

#[test]
fn a_packet_goes_through_the_hub_and_says_by_what() {
    let journey = Net::hub().explain("alpha", "10.8.0.2");
    assert_eq!((journey.outcome, journey.source), (Outcome::Delivered, Some(ip("10.8.0.1"))));
    assert_eq!(journey.reason, "beta has 10.8.0.2 on wg0");
    let [first, second, last] = &journey.hops[..] else { panic!("{journey:#?}") };
    assert_eq!(route_text(first.route.as_ref().unwrap()), "10.8.0.0/24 dev wg0");
    assert_eq!(first.allowed_ip, Some("10.8.0.0/24".parse().unwrap()));
    assert_eq!((first.peer, first.edge_state), (Some(key("hub")), Some(EdgeState::Up)));
    assert_eq!(second.allowed_ip, Some("10.8.0.2/32".parse().unwrap()), "the longest wins");
    assert_eq!((last.interface.as_deref(), last.peer), (Some("wg0"), None));
}

#[test]
fn behind_the_last_host_it_leaves() {
    let reason = "it leaves beta over eth0 to 10.1.2.7 itself, which has no agent";
    let hosts = ["alpha", "hub", "beta"];
    assert_eq!(Net::hub().way("alpha", "10.1.2.7"), told(&hosts, Outcome::Left, reason));
    let mut net = Net::hub();
    let mut default = route("main", "0.0.0.0/0", "eth0");
    default.gateway = Some(ip("10.1.0.254"));
    net.host_named("alpha").routes.push(default);
    let reason = "it leaves alpha over eth0 to the gateway 10.1.0.254, which has no agent; what \
                  follows is not known";
    assert_eq!(net.way("alpha", "198.51.100.1"), told(&["alpha"], Outcome::Left, reason));
}

#[test]
fn each_place_where_it_can_stop_says_why() {
    let stopped = |net: &mut Net, hosts: &[&str], reason: &str| {
        assert_eq!(net.way("alpha", "10.8.0.2"), told(hosts, Outcome::Stopped, reason));
    };
    let mut net = Net::hub();
    net.host_named("alpha").routes.retain(|route| route.dev.as_deref() != Some("wg0"));
    stopped(&mut net, &["alpha"], "alpha has no route to 10.8.0.2");

    net = Net::hub();
    net.host_named("alpha").routes[1].kind = "blackhole".into();
    let reason = "alpha drops it: its route is blackhole 10.8.0.0/24 dev wg0";
    stopped(&mut net, &["alpha"], reason);

    net = Net::hub();
    net.host_named("alpha").interfaces[1].state = LinkState::Down;
    stopped(&mut net, &["alpha"], "alpha sends it to wg0, which is down");
    let hop = net.explain("alpha", "10.8.0.2").hops.remove(0);
    assert_eq!(route_text(&hop.route.unwrap()), "10.8.0.0/24 dev wg0", "where it ends is told");
    assert_eq!(hop.interface.as_deref(), Some("wg0"));

    net = Net::hub();
    net.host_named("alpha").peers[0].0.allowed_ips = vec!["10.8.0.9/32".parse().unwrap()];
    let reason = "alpha sends it to wg0, where no peer's allowed IPs contain 10.8.0.2";
    stopped(&mut net, &["alpha"], reason);

    net = Net::hub();
    (net.links[1].state, net.links[1].reason) = (EdgeState::Down, "down: beta is silent".into());
    let reason = "hub sends it into a link that is down: beta is silent";
    stopped(&mut net, &["alpha", "hub"], reason);

    net = Net::hub();
    net.host_named("beta").peers.clear();
    let reason = "beta does not list the key of hub and drops what it sends";
    stopped(&mut net, &["alpha", "hub", "beta"], reason);

    net = Net::hub();
    net.host_named("beta").peers[0].0.allowed_ips = vec!["10.8.0.9/32".parse().unwrap()];
    let reason = "beta drops it: the source 10.8.0.1 is not in the allowed IPs that it has for hub";
    stopped(&mut net, &["alpha", "hub", "beta"], reason);

    net = Net::hub();
    net.host_named("hub").peers[1].0.allowed_ips.push("10.8.0.1/32".parse().unwrap());
    net.host_named("hub").peers[0].0.allowed_ips.clear();
    let reason = format!(
        "hub drops it: the source 10.8.0.1 is in 10.8.0.1/32, which it allows for another peer ({})",
        key("beta")
    );
    stopped(&mut net, &["alpha", "hub"], &reason);
}

#[test]
fn a_circle_is_found() {
    let mut net = Net::hub();
    net.host_named("hub").peers[0].0.allowed_ips = vec!["10.8.0.0/24".parse().unwrap()];
    net.host_named("hub").peers.remove(1);
    let reason = "it goes in a circle: alpha has had it before";
    assert_eq!(net.way("alpha", "10.8.0.2"), told(&["alpha", "hub"], Outcome::Stopped, reason));
}

#[test]
fn the_longest_prefix_wins_then_the_lowest_metric() {
    let mut net = Net::hub();
    let alpha = net.host_named("alpha");
    alpha.routes[1].metric = 50;
    let mut dearer = route("main", "10.8.0.0/24", "eth0");
    dearer.metric = 100;
    alpha.routes.push(dearer);
    alpha.routes.push(route("main", "10.0.0.0/8", "eth0"));
    assert_eq!(net.explain("alpha", "10.8.0.2").outcome, Outcome::Delivered);
    net.host_named("alpha").routes[1].metric = 200;
    let hop = net.explain("alpha", "10.8.0.2").hops.remove(0);
    assert_eq!(hop.interface.as_deref(), Some("eth0"));
    assert_eq!(hop.route.unwrap().metric, 100);
}

#[test]
fn tables_that_rules_lead_to_are_told_apart() {
    let mut net = Net::hub();
    let alpha = net.host_named("alpha");
    alpha.routes.push(route("main", "0.0.0.0/0", "eth0"));
    alpha.routes.push(route("51820", "0.0.0.0/0", "wg0"));
    alpha.peers[0].0.allowed_ips = vec!["0.0.0.0/0".parse().unwrap()];
    let hop = net.explain("alpha", "198.51.100.1").hops.remove(0);
    assert_eq!(hop.route.unwrap().table, "51820", "as wg-quick has it");
    assert!(
        hop.notes[0].starts_with("table main holds default dev eth0 as well"),
        "{:?}",
        hop.notes
    );
    let journey = net.explain("alpha", "10.8.0.2");
    assert!(journey.hops[0].notes.is_empty(), "the same interface either way: {journey:#?}");
    assert_eq!(journey.outcome, Outcome::Delivered);
}

#[test]
fn a_host_without_routes_still_has_its_own_networks() {
    let mut net = Net::hub();
    net.host_named("alpha").routes.clear();
    assert_eq!(net.explain("alpha", "10.8.0.2").outcome, Outcome::Delivered);
    let reason = "alpha reports no routes";
    assert_eq!(net.way("alpha", "10.1.2.7"), told(&["alpha"], Outcome::Unknown, reason));
}

#[test]
fn hosts_without_an_agent_or_a_present_report_are_said_so() {
    let mut net = Net::hub();
    net.links[1].ends[0].agent_id = None;
    net.links[1].ends[1].agent_id = Some(id("hub"));
    let (hosts, outcome, reason) = net.way("alpha", "10.8.0.2");
    assert_eq!((hosts.len(), outcome), (2, Outcome::Left));
    assert!(reason.contains("a peer without an agent"), "{reason}");
    net = Net::hub();
    net.host_named("hub").reporting = false;
    let journey = net.explain("alpha", "10.8.0.2");
    assert_eq!(journey.hops[1].notes, ["it does not report now; this is what it said last"]);
    let (hosts, outcome, reason) = net.way("nobody", "10.8.0.2");
    assert_eq!((hosts.len(), outcome), (0, Outcome::Unknown));
    assert_eq!(reason, "nothing is known of nobody");
}
