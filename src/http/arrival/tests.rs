//! Tables of what proxies and others say, and what follows.

use proptest::prelude::*;

use super::*;

fn ways(door: Channel) -> Ways {
    let trusted = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"];
    Ways {
        trusted: trusted.iter().map(|net| net.parse().unwrap()).collect(),
        user_header: Some(HeaderName::from_static("remote-user")),
        door,
    }
}

fn arrival(door: Channel, peer: &str, headers: &[(&'static str, &str)]) -> Arrival {
    let pairs = headers.iter();
    let headers =
        pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let mut all = HeaderMap::new();
    headers.for_each(|(name, value)| drop(all.append(name, value)));
    ways(door).arrival(Some(peer.parse().unwrap()), &all)
}

fn source(peer: &str, forwarded: &[&str]) -> String {
    let headers: Vec<_> = forwarded.iter().map(|line| ("x-forwarded-for", *line)).collect();
    arrival(Channel::Local, peer, &headers).source.unwrap().to_string()
}

#[test]
fn the_client_is_the_last_who_is_not_trusted() {
    for (peer, forwarded, client) in [
        // Nobody else is believed.
        ("192.0.2.9", &["198.51.100.1"][..], "192.0.2.9"),
        ("2001:db8:2::1", &["198.51.100.1"], "2001:db8:2::1"),
        // A proxy, several, and one that says nothing.
        ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", &["198.51.100.1, 10.0.0.2,10.0.0.3"], "198.51.100.1"),
        ("10.0.0.1", &["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        // What the client wrote itself stands further left.
        ("10.0.0.1", &["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", &["10.9.9.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        // All of the way is ours.
        ("10.0.0.1", &["10.0.0.7, 10.0.0.2"], "10.0.0.7"),
        // IPv6, brackets, ports, addresses of the other kind in disguise.
        ("2001:db8:1::1", &["2001:db8:ffff::5"], "2001:db8:ffff::5"),
        ("10.0.0.1", &["[2001:db8:ffff::5]:4711"], "2001:db8:ffff::5"),
        ("10.0.0.1", &["[2001:db8:ffff::5]"], "2001:db8:ffff::5"),
        ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", &["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
        // What is no address ends the way: the last known hop is as near as one can tell.
        ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &["_hidden"], "10.0.0.1"),
        ("10.0.0.1", &["1.2.3.4.5"], "10.0.0.1"),
    ] {
        assert_eq!(source(peer, forwarded), client, "{peer} {forwarded:?}");
    }
}

#[test]
fn the_scheme_is_that_of_the_clients_own_hop() {
    use Channel::{Local, Plain, Tls};
    let told = |door, headers: &[(&'static str, &str)]| arrival(door, "10.0.0.1", headers).channel;
    let from = ("x-forwarded-for", "198.51.100.1");
    let two = ("x-forwarded-for", "198.51.100.1, 10.0.0.2");
    for (door, headers, channel) in [
        (Local, &[from, ("x-forwarded-proto", "https")][..], Tls),
        (Local, &[from, ("x-forwarded-proto", "HTTPS")], Tls),
        (Plain, &[from, ("x-forwarded-proto", "https")], Tls),
        (Local, &[from, ("x-forwarded-proto", "http")], Plain),
        // TLS from the proxy on does not help who spoke plainly to it.
        (Tls, &[from, ("x-forwarded-proto", "http")], Plain),
        (Local, &[from, ("x-forwarded-proto", "ftp")], Plain),
        // A proxy that does not say: what it passes on may have come plainly.
        (Local, &[from], Plain),
        (Tls, &[from], Tls),
        (Local, &[], Local),
        // Two hops: the one that the client spoke to is the first of the last two.
        (Local, &[two, ("x-forwarded-proto", "https, http")], Tls),
        (Local, &[two, ("x-forwarded-proto", "https, http, http")], Plain),
        (Local, &[two, ("x-forwarded-proto", "https")], Tls),
        (Local, &[from, ("x-forwarded-proto", "https, http")], Plain),
    ] {
        assert_eq!(told(door, headers), channel, "{door:?} {headers:?}");
    }
    let lies = [from, ("x-forwarded-proto", "https")];
    assert_eq!(arrival(Plain, "192.0.2.9", &lies).channel, Plain);
}

#[test]
fn only_a_proxy_vouches_and_for_one_name() {
    let vouched =
        |peer, headers: &[(&'static str, &str)]| arrival(Channel::Local, peer, headers).vouched;
    let name = |text: &str| Some(text.to_owned());
    assert_eq!(vouched("10.0.0.1", &[("remote-user", " Olga ")]), name("olga"));
    assert_eq!(vouched("192.0.2.9", &[("remote-user", "olga")]), None);
    assert_eq!(vouched("10.0.0.1", &[]), None);
    for bad in ["admin", "ol ga", "", "olga,kim"] {
        assert_eq!(vouched("10.0.0.1", &[("remote-user", bad)]), name(""), "{bad}");
    }
    let twice = [("remote-user", "kim"), ("remote-user", "olga")];
    assert_eq!(vouched("10.0.0.1", &twice), name(""));
}

proptest! {
    /// Whatever a client writes, its proxy's own word is the last and counts.
    #[test]
    fn no_text_of_a_client_changes_what_its_proxy_says(lies in "[ -~]{0,80}") {
        let line = format!("{lies}, 198.51.100.1");
        prop_assert_eq!(source("10.0.0.1", &[&line]), "198.51.100.1");
        prop_assert_eq!(source("198.51.100.1", &[&lies]), "198.51.100.1");
    }
}
