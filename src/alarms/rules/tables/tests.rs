use super::*;
use crate::alarms::book::Book;
use crate::alarms::rules::tests_support::{Sample, T};
use crate::model::key::WgKey;
use crate::model::report::{Counters, LinkState};
use crate::model::time::UnixSeconds;

fn interface(name: &str, mtu: u32) -> Interface {
    Interface {
        name: name.into(),
        mac: None,
        mtu: Some(mtu),
        state: LinkState::Unknown,
        flags: vec!["UP".into()],
        addresses: Vec::new(),
        public_key: name.starts_with("wg").then_some(WgKey([9; 32])),
        listen_port: None,
        counters: Counters::default(),
    }
}

/// `DST DEV`, and then `table=T`, `proto=P`, `metric=N`.
fn route(text: &str) -> Route {
    let mut words = text.split(' ');
    let dst = words.next().unwrap().parse().unwrap();
    let mut route = Route {
        table: "main".into(),
        dst,
        metric: 0,
        gateway: None,
        dev: words.next().map(str::to_owned),
        protocol: None,
        kind: "unicast".into(),
    };
    for word in words {
        match word.split_once('=').unwrap() {
            ("table", table) => route.table = table.into(),
            ("proto", name) => route.protocol = Some(name.into()),
            ("metric", n) => route.metric = n.parse().unwrap(),
            _ => panic!("{text}"),
        }
    }
    route
}

/// `INTERFACE PREFIX,PREFIX [ENDPOINT]`.
fn peer(text: &str) -> Peer {
    let words: Vec<&str> = text.split(' ').collect();
    Peer {
        interface: words[0].into(),
        public_key: WgKey([1; 32]),
        endpoint: words.get(2).map(|word| (*word).to_owned()),
        allowed_ips: words[1].split(',').map(|net| net.parse().unwrap()).collect(),
        latest_handshake: UnixSeconds(0),
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: 0,
        has_psk: false,
    }
}

type Rule = for<'a> fn(&AgentFacts<'a>, &Tables<'_>, &[&Alarm]) -> Vec<Observation<'a>>;

/// What a rule says of these tables, as `SUBJECT: MESSAGE`.
fn said(rule: Rule, interfaces: &[Interface], routes: &[&str], peers: &[&str]) -> Vec<String> {
    let sample = Sample::new();
    let routes: Vec<Route> = routes.iter().map(|text| route(text)).collect();
    let peers: Vec<Peer> = peers.iter().map(|text| peer(text)).collect();
    let tables = Tables { interfaces, routes: &routes, peers: &peers };
    let seen = rule(&sample.agent(), &tables, &[]);
    assert!(seen.iter().all(|seen| seen.holds), "nothing is open that could end");
    seen.into_iter().map(|seen| format!("{}: {}", seen.subject, seen.message)).collect()
}

fn missing(routes: &[&str], peers: &[&str]) -> bool {
    let interfaces = [interface("eth0", 1500), interface("wg0", 1420), interface("wg1", 1420)];
    !said(routes_missing, &interfaces, routes, peers).is_empty()
}

const LOCAL: &str = "127.0.0.0/8 lo table=local";
const DEFAULT: &str = "0.0.0.0/0 eth0";
const ON_LINK: &str = "10.8.0.0/24 wg0 proto=kernel";

#[test]
fn what_a_peer_may_use_needs_a_route() {
    let lan = ["wg0 10.8.0.2/32,192.168.5.0/24"];
    assert!(missing(&[LOCAL, DEFAULT, ON_LINK], &lan));
    for there in [
        "192.168.5.0/24 wg0",
        "192.168.0.0/16 wg0",
        "192.168.5.128/25 wg0",
        "192.168.5.0/24 wg0 table=51820",
        // Somebody prefers another way, by a route just as narrow or through another tunnel.
        "192.168.5.0/24 eth0",
        "0.0.0.0/0 wg0 table=51820",
    ] {
        assert!(!missing(&[LOCAL, DEFAULT, ON_LINK, there], &lan), "{there}");
    }
    let two = ["wg0 10.8.0.2/32,192.168.5.0/24", "wg1 192.168.5.0/24"];
    assert!(!missing(&[LOCAL, DEFAULT, ON_LINK, "192.168.0.0/16 wg1"], &two));
    // By a wider route elsewhere it is lost, as by the default one.
    assert!(missing(&[LOCAL, DEFAULT, ON_LINK, "192.168.0.0/16 eth0"], &lan));
    // The host's own address within it leads nowhere.
    let wide = ["wg0 10.8.0.2/32,172.16.0.0/12"];
    assert!(missing(&[LOCAL, DEFAULT, ON_LINK, "172.16.3.1/32 eth0 table=local"], &wide));
}

#[test]
fn what_the_reported_routes_cannot_tell_is_not_missing() {
    // Everything, and what never has a route of its own.
    for net in ["0.0.0.0/0", "224.0.0.5/32", "ff02::/16", "fe80::/64", "169.254.0.0/16"] {
        assert!(
            !missing(&[LOCAL, DEFAULT, ON_LINK, "fd00::/64 wg0"], &[&format!("wg0 {net}")]),
            "{net}"
        );
    }
    // IPv6 is not told at all.
    let six = ["wg0 10.8.0.2/32,fd00:5::/64"];
    assert!(!missing(&[LOCAL, DEFAULT, ON_LINK], &six));
    assert!(missing(&[LOCAL, DEFAULT, ON_LINK, "fd00::/64 wg0"], &six));
    // A routing daemon decides.
    let lan = ["wg0 10.8.0.2/32,192.168.5.0/24"];
    assert!(!missing(&[LOCAL, DEFAULT, ON_LINK, "10.9.0.0/16 wg0 proto=babel"], &lan));
    assert!(missing(&[LOCAL, DEFAULT, ON_LINK, "10.9.0.0/16 eth0 proto=babel"], &lan));
    // Only the table main is told: another may hold it, unless others show that none does.
    assert!(!missing(&[DEFAULT, ON_LINK], &lan));
    let two = ["wg0 10.8.0.2/32,192.168.5.0/24,192.168.6.0/24"];
    assert!(missing(&[DEFAULT, ON_LINK, "192.168.6.0/24 wg0"], &two));
}

#[test]
fn an_interface_that_is_switched_off_needs_no_routes() {
    let off = Interface { flags: vec!["NOARP".into()], ..interface("wg0", 1420) };
    let lan = ["wg0 192.168.5.0/24"];
    assert!(said(routes_missing, &[off], &[LOCAL, DEFAULT], &lan).is_empty());
    let told = said(routes_missing, &[interface("wg0", 1420)], &[LOCAL, DEFAULT], &lan);
    assert_eq!(
        told,
        ["gw1-id/wg0: gw1 has no route into wg0 for 192.168.5.0/24, which a peer there may use: \
          such packets go elsewhere or are dropped"]
    );
}

#[test]
fn a_tunnel_must_fit_the_link_under_it() {
    let too_large = |eth: u32, wg: u32, routes: &[&str], peers: &[&str]| {
        let interfaces = [interface("eth0", eth), interface("ppp0", 1492), interface("wg0", wg)];
        !said(mtus_too_large, &interfaces, routes, peers).is_empty()
    };
    let (v4, v6) = (["wg0 10.8.0.2/32 192.0.2.2:51820"], ["wg0 10.8.0.2/32 [2001:db8::2]:51820"]);
    let routes = [LOCAL, DEFAULT, "::/0 eth0"];
    for (eth, wg, peers, expected) in [
        (1500, 1420, &v4, false),
        (1500, 1440, &v4, false),
        (1500, 1441, &v4, true),
        (1500, 1420, &v6, false),
        (1500, 1421, &v6, true),
        (1400, 1420, &v4, true),
    ] {
        assert_eq!(too_large(eth, wg, &routes, peers), expected, "{eth} {wg} {peers:?}");
    }
    // By the route that is taken: the narrowest, of those the one with the least metric.
    let narrow = [LOCAL, DEFAULT, "192.0.2.0/24 ppp0"];
    assert!(too_large(9000, 1440, &narrow, &v4));
    let two = [LOCAL, "0.0.0.0/0 ppp0 metric=700", "0.0.0.0/0 eth0 metric=100"];
    assert!(!too_large(9000, 1440, &two, &v4));
    // Nothing is known of the way there.
    assert!(!too_large(1400, 1420, &[LOCAL], &v4));
    assert!(!too_large(1400, 1420, &routes, &["wg0 10.8.0.2/32"]));
    assert!(!too_large(1400, 1420, &[LOCAL, "0.0.0.0/0 wg0"], &v4));
}

#[test]
fn what_was_wrong_ends_with_the_interface_or_when_it_is_right() {
    let sample = Sample::new();
    let agent = sample.agent();
    let (routes, peers) = ([route(LOCAL), route(DEFAULT)], [peer("wg0 192.168.5.0/24")]);
    let interfaces = [interface("wg0", 1420)];
    let wrong = Tables { interfaces: &interfaces, routes: &routes, peers: &peers };
    let seen = routes_missing(&agent, &wrong, &[]);
    let begun = Book::default().observe(&seen[0], T).unwrap();
    let open = [&begun.alarm];
    let holds = |tables: &Tables<'_>| {
        let seen = routes_missing(&agent, tables, &open);
        seen.into_iter().map(|seen| seen.holds).collect::<Vec<_>>()
    };
    assert_eq!(holds(&wrong), [true]);
    let more = [route(LOCAL), route(DEFAULT), route("192.168.5.0/24 wg0")];
    assert_eq!(holds(&Tables { routes: &more, ..wrong }), [false]);
    assert_eq!(holds(&Tables { interfaces: &[], ..wrong }), [false]);
    assert_eq!(holds(&Tables { peers: &[], ..wrong }), [false]);
    // Routes that tell nothing end nothing.
    assert_eq!(holds(&Tables { routes: &routes[1..], ..wrong }), [true; 0]);
}

#[test]
fn the_last_default_route_is_missed() {
    let sample = Sample::new();
    let agent = sample.agent();
    let (v4, v6, lan) = (route(DEFAULT), route("::/0 eth0"), route("10.0.0.0/8 eth0"));
    let other = route("0.0.0.0/0 eth1 metric=700");
    let told = |before: Option<&[Route]>, now: &[Route]| {
        let seen = defaults_gone(&agent, before, now, &[]);
        assert!(seen.iter().all(|seen| seen.holds));
        seen.into_iter().map(|seen| (seen.subject.to_string(), seen.severity)).collect::<Vec<_>>()
    };
    let (both, lans) = ([v4.clone(), v6.clone(), lan.clone()], [lan.clone()]);
    let four = ("gw1-id/ipv4".to_owned(), Severity::Warning);
    assert_eq!(told(Some(&both), &[v6, lan.clone()]), [four]);
    let cut_off = ("gw1-id/ipv4".to_owned(), Severity::Critical);
    let before = [v4, lan];
    assert_eq!(told(Some(&before), &lans), [cut_off]);
    // Another one, none before, nothing to compare with.
    assert_eq!(told(Some(&before), &[other]), []);
    assert_eq!(told(Some(&lans), &lans), []);
    assert_eq!(told(None, &lans), []);
}
