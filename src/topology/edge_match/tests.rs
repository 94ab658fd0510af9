use proptest::prelude::*;

use super::*;
use crate::model::time::UnixSeconds;

fn fleet(name: &str) -> FleetId {
    name.parse().unwrap()
}

fn key(n: u8) -> WgKey {
    WgKey([n; 32])
}

fn peer(interface: &str, n: u8, allowed: &[&str]) -> Peer {
    Peer {
        interface: interface.into(),
        public_key: key(n),
        endpoint: None,
        allowed_ips: allowed.iter().map(|a| a.parse().unwrap()).collect(),
        latest_handshake: UnixSeconds(0),
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: 0,
        has_psk: false,
    }
}

fn at<'a>(agent: i64, interface: &'a str, wireguard: bool, address: &str) -> AddressOf<'a> {
    AddressOf { agent: AgentNo(agent), interface, wireguard, address: address.parse().unwrap() }
}

fn agent(no: i64, interface: &str, found_by: FoundBy, claimants: usize) -> OtherEnd {
    OtherEnd::Agent { no: AgentNo(no), interface: interface.into(), found_by, claimants }
}

#[test]
fn the_key_comes_first_then_the_address_then_nobody() {
    let (a, mut owners) = (fleet("a"), Owners::default());
    let entry = peer("wg0", 2, &["10.0.0.2/32", "192.168.0.0/16"]);
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), OtherEnd::External { key: key(2) });
    owners.add_address(&a, &at(3, "eth0", false, "10.0.0.2"));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), agent(3, "eth0", FoundBy::Address, 1));
    owners.add_address(&a, &at(4, "wg5", true, "10.0.0.2"));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), agent(4, "wg5", FoundBy::Address, 1));
    owners.add_key(Told::Now, &a, (AgentNo(9), "wg1"), key(2));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), agent(9, "wg1", FoundBy::Key, 1));
    owners.remove_key(Told::Now, &a, (AgentNo(9), "wg1"), key(2));
    owners.remove_address(&a, &at(4, "wg5", true, "10.0.0.2"));
    owners.remove_address(&a, &at(3, "eth0", false, "10.0.0.2"));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), OtherEnd::External { key: key(2) });
}

#[test]
fn a_key_told_before_counts_where_nobody_tells_it_now() {
    let (a, mut owners) = (fleet("a"), Owners::default());
    let entry = peer("wg0", 2, &["10.0.0.2/32"]);
    owners.add_peer(&a, AgentNo(1), &entry);
    owners.add_key(Told::Before, &a, (AgentNo(9), "wg1"), key(2));
    let before = agent(9, "wg1", FoundBy::KeyBefore, 1);
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), before);
    assert_eq!(owners.told_before(&key(2)), [(AgentNo(9), "wg1".to_owned())]);
    assert!(owners.owners_of(&key(2)).is_empty(), "nobody has copied it");
    assert_eq!(owners.listers_of(&key(2)).collect::<Vec<_>>(), [(AgentNo(1), "wg0")]);
    // The address by itself is chance on another host, or on an interface without WireGuard.
    owners.add_address(&a, &at(3, "wg0", true, "10.0.0.2"));
    owners.add_address(&a, &at(9, "lo", false, "10.0.0.2"));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), before);
    // The same host has it on another WireGuard interface: that replaces the old one.
    owners.add_address(&a, &at(9, "wg2", true, "10.0.0.2"));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), agent(9, "wg2", FoundBy::Address, 1));
    owners.add_key(Told::Now, &a, (AgentNo(4), "wg0"), key(2));
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), agent(4, "wg0", FoundBy::Key, 1));
}

#[test]
fn prefixes_and_common_addresses_name_nobody() {
    let (a, mut owners) = (fleet("a"), Owners::default());
    for address in ["10.0.0.2", "127.0.0.1", "169.254.3.4", "fe80::1", "::1"] {
        owners.add_address(&a, &at(2, "wg0", true, address));
    }
    for allowed in ["10.0.0.0/31", "0.0.0.0/0", "127.0.0.1/32", "169.254.3.4/32", "fe80::1/128"] {
        let entry = peer("wg0", 7, &[allowed]);
        assert_eq!(
            owners.resolve(&a, AgentNo(1), &entry),
            OtherEnd::External { key: key(7) },
            "{allowed}"
        );
    }
    let v6 = peer("wg0", 7, &["fd00::2/128"]);
    owners.add_address(&a, &at(2, "wg0", true, "fd00::2"));
    assert_eq!(owners.resolve(&a, AgentNo(1), &v6), agent(2, "wg0", FoundBy::Address, 1));
}

#[test]
fn never_oneself() {
    let (a, mut owners) = (fleet("a"), Owners::default());
    owners.add_key(Told::Now, &a, (AgentNo(1), "wg0"), key(1));
    owners.add_address(&a, &at(1, "wg0", true, "10.0.0.1"));
    let entry = peer("wg1", 1, &["10.0.0.1/32"]);
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), OtherEnd::External { key: key(1) });
    assert_eq!(owners.resolve(&a, AgentNo(2), &entry), agent(1, "wg0", FoundBy::Key, 1));
}

#[test]
fn several_claimants_the_lowest_number_and_the_own_fleet_win() {
    let (a, b, mut owners) = (fleet("a"), fleet("b"), Owners::default());
    for no in [8, 5] {
        owners.add_key(Told::Now, &a, (AgentNo(no), "wg0"), key(3));
    }
    owners.add_key(Told::Now, &b, (AgentNo(2), "wg0"), key(3));
    let entry = peer("wg0", 3, &[]);
    assert_eq!(owners.resolve(&a, AgentNo(1), &entry), agent(5, "wg0", FoundBy::Key, 2));
    assert_eq!(owners.resolve(&b, AgentNo(1), &entry), agent(2, "wg0", FoundBy::Key, 1));
    assert_eq!(owners.owners_of(&key(3)), [AgentNo(2), AgentNo(5), AgentNo(8)]);
    // A key told in another fleet only still names that agent; an address does not.
    let other = fleet("c");
    assert_eq!(owners.resolve(&other, AgentNo(1), &entry), agent(2, "wg0", FoundBy::Key, 3));
    owners.add_address(&a, &at(5, "wg0", true, "10.9.9.9"));
    let entry = peer("wg0", 4, &["10.9.9.9/32"]);
    assert_eq!(owners.resolve(&b, AgentNo(1), &entry), OtherEnd::External { key: key(4) });
}

#[test]
fn a_change_names_the_entries_it_concerns() {
    let (a, mut owners) = (fleet("a"), Owners::default());
    let entry = peer("wg0", 2, &["10.0.0.2/32"]);
    owners.add_peer(&a, AgentNo(7), &entry);
    owners.add_peer(&a, AgentNo(3), &entry);
    owners.add_peer(&a, AgentNo(3), &entry);
    let name = |no| PeerName { agent: AgentNo(no), interface: "wg0".into(), key: key(2) };
    assert_eq!(owners.affected_by(&Claim::Key(key(2))), [name(3), name(7)]);
    assert_eq!(owners.listers(&key(2)), 2);
    let address = Claim::Address(a.clone(), "10.0.0.2".parse().unwrap());
    assert_eq!(owners.affected_by(&address), [name(3), name(7)]);
    assert!(
        owners.affected_by(&Claim::Address(fleet("b"), "10.0.0.2".parse().unwrap())).is_empty()
    );
    owners.remove_peer(&a, AgentNo(3), &entry);
    assert_eq!(owners.affected_by(&address), [name(7)]);
    owners.remove_peer(&a, AgentNo(7), &entry);
    owners.remove_peer(&a, AgentNo(7), &entry);
    assert!(
        owners.affected_by(&address).is_empty()
            && owners.affected_by(&Claim::Key(key(2))).is_empty()
    );
}

#[test]
fn an_edge_has_one_name_from_both_sides() {
    let (f, id) = (fleet("lab"), "gw-1".parse::<AgentId>().unwrap());
    let agent = EndpointName::Agent { fleet: &f, id: &id, interface: "wg0" };
    let other = EndpointName::External { fleet: &f, key: key(0) };
    assert_eq!(edge_name(&agent, &other), edge_name(&other, &agent));
    assert_eq!(
        edge_name(&other, &agent),
        "lab|gw-1|wg0\nlab|key:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    );
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Key(Told, i64, u8),
    Address(i64, u8, bool),
    Peer(i64, u8, u8),
}

impl Op {
    fn same_thing(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(t, a, k), Self::Key(u, b, l)) => (t, a, k) == (u, b, l),
            (Self::Peer(a, k, _), Self::Peer(b, l, _)) => (a, k) == (b, l),
            (Self::Address(a, n, v), Self::Address(b, m, w)) => (a, n, v) == (b, m, w),
            _ => false,
        }
    }
}

fn any_op() -> impl Strategy<Value = (bool, Op)> {
    let op = prop_oneof![
        (any::<bool>(), 1_i64..5, 0_u8..4)
            .prop_map(|(now, a, k)| { Op::Key(if now { Told::Now } else { Told::Before }, a, k) }),
        (1_i64..5, 0_u8..4, any::<bool>()).prop_map(|(a, n, w)| Op::Address(a, n, w)),
        (1_i64..5, 0_u8..4, 0_u8..4).prop_map(|(a, k, n)| Op::Peer(a, k, n)),
    ];
    (any::<bool>(), op)
}

proptest! {
    /// Whatever came and went, the answers are those of a table built from what is there; and
    /// when all has gone, nothing is left behind.
    #[test]
    fn incremental_equals_rebuilt(ops in proptest::collection::vec(any_op(), 0..60)) {
        let f = fleet("f");
        let apply = |owners: &mut Owners, add: bool, op: Op| match op {
            Op::Key(t, a, k) if add => owners.add_key(t, &f, (AgentNo(a), "wg0"), key(k)),
            Op::Key(t, a, k) => owners.remove_key(t, &f, (AgentNo(a), "wg0"), key(k)),
            Op::Address(a, n, w) => {
                let address = format!("10.0.0.{n}");
                let of = at(a, if w { "wg0" } else { "eth0" }, w, &address);
                if add { owners.add_address(&f, &of) } else { owners.remove_address(&f, &of) }
            }
            Op::Peer(a, k, n) => {
                let entry = peer("wg0", k, &[&format!("10.0.0.{n}/32")]);
                if add { owners.add_peer(&f, AgentNo(a), &entry) } else { owners.remove_peer(&f, AgentNo(a), &entry) }
            }
        };
        let mut lived = Owners::default();
        let mut present: Vec<Op> = Vec::new();
        for (add, op) in &ops {
            // As the processor does: what is there is removed as it is before it is replaced.
            if let Some(i) = present.iter().position(|p| p.same_thing(op)) {
                let before = present.remove(i);
                apply(&mut lived, false, before);
            }
            apply(&mut lived, *add, *op);
            if *add {
                present.push(*op);
            }
        }
        let mut rebuilt = Owners::default();
        for op in &present {
            apply(&mut rebuilt, true, *op);
        }
        for me in 1..5 {
            for k in 0..4 {
                let entry = peer("wg0", k, &[&format!("10.0.0.{k}/32")]);
                prop_assert_eq!(lived.resolve(&f, AgentNo(me), &entry), rebuilt.resolve(&f, AgentNo(me), &entry));
                prop_assert_eq!(lived.affected_by(&Claim::Key(key(k))), rebuilt.affected_by(&Claim::Key(key(k))));
            }
        }
        for op in &present {
            apply(&mut lived, false, *op);
        }
        prop_assert!(lived.keys.is_empty() && lived.keys_before.is_empty());
        prop_assert!(lived.addresses.is_empty());
        prop_assert!(lived.waiting_for_address.is_empty() && lived.waiting_for_key.is_empty());
        prop_assert_eq!(lived.fleets.find(&f), None);
        prop_assert_eq!(lived.interfaces.find("wg0"), None);
    }
}
