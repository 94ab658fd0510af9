//! What changed between two states of a host's sections. Pure.
//!
//! Counters and handshakes are no change. Both sides may come in any order, but without
//! duplicates; the results are in order.

use std::cmp::Ordering;

use ipnet::IpNet;

use crate::model::report::{Interface, Peer, Route};

/// How the interfaces of a host changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceDiff<'a> {
    /// Interfaces that appeared.
    pub added: Vec<&'a Interface>,
    /// Interfaces that differ.
    pub changed: Vec<InterfaceChange<'a>>,
    /// Interfaces that are gone.
    pub removed: Vec<&'a Interface>,
}

/// How one interface changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceChange<'a> {
    /// As it was.
    pub before: &'a Interface,
    /// As it is.
    pub after: &'a Interface,
    /// Whether anything but its addresses changed.
    pub properties: bool,
    /// Addresses that appeared.
    pub addresses_added: Vec<IpNet>,
    /// Addresses that are gone.
    pub addresses_removed: Vec<IpNet>,
}

/// How the routes of a host changed; a route that differs is one gone and one new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteDiff<'a> {
    /// Routes that appeared.
    pub added: Vec<&'a Route>,
    /// Routes that are gone.
    pub removed: Vec<&'a Route>,
}

/// How the WireGuard peers of a host changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerDiff<'a> {
    /// Peers that appeared.
    pub added: Vec<&'a Peer>,
    /// Peers that differ, before and after.
    pub changed: Vec<(&'a Peer, &'a Peer)>,
    /// Peers that are gone.
    pub removed: Vec<&'a Peer>,
}

impl InterfaceDiff<'_> {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl RouteDiff<'_> {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl PeerDiff<'_> {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Compares interfaces, by name.
pub fn interfaces<'a>(before: &'a [Interface], after: &'a [Interface]) -> InterfaceDiff<'a> {
    let mut diff = InterfaceDiff::default();
    merge(
        before,
        after,
        |a, b| a.name.cmp(&b.name),
        |step| match step {
            Step::Gone(row) => diff.removed.push(row),
            Step::New(row) => diff.added.push(row),
            Step::Both(before, after) => diff.changed.extend(interface_change(before, after)),
        },
    );
    diff
}

/// Compares routes.
pub fn routes<'a>(before: &'a [Route], after: &'a [Route]) -> RouteDiff<'a> {
    let mut diff = RouteDiff::default();
    merge(before, after, Ord::cmp, |step| match step {
        Step::Gone(row) => diff.removed.push(row),
        Step::New(row) => diff.added.push(row),
        Step::Both(..) => {}
    });
    diff
}

/// Compares peers, by interface and key.
pub fn peers<'a>(before: &'a [Peer], after: &'a [Peer]) -> PeerDiff<'a> {
    let mut diff = PeerDiff::default();
    let order =
        |a: &Peer, b: &Peer| (&a.interface, &a.public_key).cmp(&(&b.interface, &b.public_key));
    merge(before, after, order, |step| match step {
        Step::Gone(row) => diff.removed.push(row),
        Step::New(row) => diff.added.push(row),
        Step::Both(before, after) if is_same_peer(before, after) => {}
        Step::Both(before, after) => diff.changed.push((before, after)),
    });
    diff
}

fn interface_change<'a>(
    before: &'a Interface,
    after: &'a Interface,
) -> Option<InterfaceChange<'a>> {
    let Interface { name, mac, mtu, state, flags, addresses, public_key, listen_port, counters: _ } =
        before;
    let properties = (name, mac, mtu, state, flags, public_key, listen_port)
        != (
            &after.name,
            &after.mac,
            &after.mtu,
            &after.state,
            &after.flags,
            &after.public_key,
            &after.listen_port,
        );
    let (mut addresses_added, mut addresses_removed) = (Vec::new(), Vec::new());
    if *addresses != after.addresses {
        merge(addresses, &after.addresses, Ord::cmp, |step| match step {
            Step::Gone(address) => addresses_removed.push(*address),
            Step::New(address) => addresses_added.push(*address),
            Step::Both(..) => {}
        });
    }
    let same = !properties && addresses_added.is_empty() && addresses_removed.is_empty();
    (!same).then_some(InterfaceChange {
        before,
        after,
        properties,
        addresses_added,
        addresses_removed,
    })
}

fn is_same_peer(before: &Peer, after: &Peer) -> bool {
    let Peer {
        interface,
        public_key,
        endpoint,
        allowed_ips,
        latest_handshake: _,
        rx_bytes: _,
        tx_bytes: _,
        persistent_keepalive,
        has_psk,
    } = before;
    (interface, public_key, endpoint, allowed_ips, persistent_keepalive, has_psk)
        == (
            &after.interface,
            &after.public_key,
            &after.endpoint,
            &after.allowed_ips,
            &after.persistent_keepalive,
            &after.has_psk,
        )
}

/// One step of walking through two lists side by side.
enum Step<'a, T> {
    Gone(&'a T),
    New(&'a T),
    Both(&'a T, &'a T),
}

/// Walks through both lists in order.
fn merge<'a, T>(
    before: &'a [T],
    after: &'a [T],
    order: impl Fn(&T, &T) -> Ordering,
    mut each: impl FnMut(Step<'a, T>),
) {
    let mut old = sorted(before, &order).into_iter().peekable();
    let mut new = sorted(after, &order).into_iter().peekable();
    loop {
        let which = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(a, b),
        };
        let a = if which.is_le() { old.next() } else { None };
        let b = if which.is_ge() { new.next() } else { None };
        match (a, b) {
            (Some(a), Some(b)) => each(Step::Both(a, b)),
            (Some(a), None) => each(Step::Gone(a)),
            (None, Some(b)) => each(Step::New(b)),
            (None, None) => return,
        }
    }
}

fn sorted<'a, T>(rows: &'a [T], order: &impl Fn(&T, &T) -> Ordering) -> Vec<&'a T> {
    let mut rows: Vec<&'a T> = rows.iter().collect();
    if !rows.is_sorted_by(|a, b| order(a, b).is_le()) {
        rows.sort_by(|a, b| order(a, b));
    }
    rows
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;
    use crate::model::key::WgKey;
    use crate::model::report::{Counters, LinkState};
    use crate::model::time::UnixSeconds;

    fn net() -> impl Strategy<Value = IpNet> {
        (0_u8..4, 8_u8..=32, any::<bool>()).prop_map(|(n, length, v6)| {
            let text =
                if v6 { format!("fd00::{n}/{length}") } else { format!("10.0.0.{n}/{length}") };
            text.parse().expect("a prefix")
        })
    }

    prop_compose! {
        fn interface()(
            mtu in option::of(1400_u32..1402),
            up in any::<bool>(),
            flags in btree_set("(UP|NO-CARRIER)", 0..2),
            addresses in btree_set(net(), 0..4),
            key in option::of(0_u8..2),
            port in option::of(1_u16..3),
            rx in option::of(any::<u64>()),
        ) -> Interface {
            Interface {
                name: String::new(),
                mac: None,
                mtu,
                state: if up { LinkState::Up } else { LinkState::Down },
                flags: flags.into_iter().collect(),
                addresses: addresses.into_iter().collect(),
                public_key: key.map(|n| WgKey([n; 32])),
                listen_port: port,
                counters: Counters { rx_bytes: rx, ..Counters::default() },
            }
        }
    }

    fn interfaces_of_a_host() -> impl Strategy<Value = Vec<Interface>> {
        btree_map("[a-d]", interface(), 0..5).prop_map(|rows| {
            rows.into_iter().map(|(name, row)| Interface { name, ..row }).collect()
        })
    }

    prop_compose! {
        fn route()(dst in net(), metric in 0_u32..3, dev in option::of("[ab]")) -> Route {
            Route {
                table: "main".into(),
                dst,
                metric,
                gateway: None,
                dev,
                protocol: None,
                kind: "unicast".into(),
            }
        }
    }

    prop_compose! {
        fn peer()(
            endpoint in option::of("[ab]:1"),
            allowed in vec(net(), 0..3),
            handshake in 0_i64..1000,
            rx_bytes in any::<u64>(),
            keepalive in 0_u16..2,
            has_psk in any::<bool>(),
        ) -> Peer {
            Peer {
                interface: String::new(),
                public_key: WgKey([0; 32]),
                endpoint,
                allowed_ips: allowed,
                latest_handshake: UnixSeconds(handshake),
                rx_bytes,
                tx_bytes: 0,
                persistent_keepalive: keepalive,
                has_psk,
            }
        }
    }

    fn peers_of_a_host() -> impl Strategy<Value = Vec<Peer>> {
        btree_map(("[ab]", 0_u8..3), peer(), 0..6).prop_map(|rows| {
            rows.into_iter()
                .map(|((interface, key), row)| Peer {
                    interface,
                    public_key: WgKey([key; 32]),
                    ..row
                })
                .collect()
        })
    }

    /// Without what is no change.
    fn still(mut row: Interface) -> Interface {
        row.counters = Counters::default();
        row
    }

    /// The same for a peer.
    fn still_peer(mut row: Peer) -> Peer {
        (row.latest_handshake, row.rx_bytes, row.tx_bytes) = (UnixSeconds(0), 0, 0);
        row
    }

    /// Applies a diff to what was, address by address.
    fn apply(before: &[Interface], diff: &InterfaceDiff<'_>) -> Vec<Interface> {
        let mut rows: BTreeMap<String, Interface> =
            before.iter().map(|row| (row.name.clone(), still(row.clone()))).collect();
        for row in &diff.removed {
            rows.remove(&row.name).expect("only what was there is removed");
        }
        for row in &diff.added {
            let known = rows.insert(row.name.clone(), still((*row).clone()));
            assert!(known.is_none(), "only what was not there is added");
        }
        for change in &diff.changed {
            let row = rows.get_mut(&change.after.name).expect("only what was there changes");
            let mut addresses = std::mem::take(&mut row.addresses);
            addresses.retain(|address| !change.addresses_removed.contains(address));
            addresses.extend(&change.addresses_added);
            addresses.sort();
            if change.properties {
                *row = still(change.after.clone());
            }
            row.addresses = addresses;
        }
        rows.into_values().collect()
    }

    proptest! {
        #[test]
        fn interface_diff_applied_gives_the_target(
            before in interfaces_of_a_host(),
            after in interfaces_of_a_host(),
        ) {
            let diff = interfaces(&before, &after);
            let target: Vec<Interface> = after.iter().cloned().map(still).collect();
            prop_assert_eq!(&apply(&before, &diff), &target);
            let same = before.iter().cloned().map(still).eq(target);
            prop_assert_eq!(diff.is_empty(), same);
        }

        #[test]
        fn route_diff_applied_gives_the_target(
            before in btree_set(route(), 0..8),
            after in btree_set(route(), 0..8),
        ) {
            let old: Vec<Route> = before.iter().cloned().collect();
            let new: Vec<Route> = after.iter().rev().cloned().collect();
            let diff = routes(&old, &new);
            let mut rows = before.clone();
            for row in &diff.removed {
                prop_assert!(rows.remove(*row));
            }
            for row in &diff.added {
                prop_assert!(rows.insert((*row).clone()));
            }
            prop_assert_eq!(&rows, &after);
            prop_assert_eq!(diff.is_empty(), before == after);
        }

        #[test]
        fn peer_diff_applied_gives_the_target(
            before in peers_of_a_host(),
            after in peers_of_a_host(),
        ) {
            let diff = peers(&before, &after);
            let name = |row: &Peer| (row.interface.clone(), row.public_key);
            let mut rows: BTreeMap<_, Peer> =
                before.iter().map(|row| (name(row), still_peer(row.clone()))).collect();
            for row in &diff.removed {
                prop_assert!(rows.remove(&name(row)).is_some());
            }
            for row in &diff.added {
                prop_assert!(rows.insert(name(row), still_peer((*row).clone())).is_none());
            }
            for (old, new) in &diff.changed {
                let was = rows.insert(name(new), still_peer((*new).clone()));
                prop_assert_eq!(was, Some(still_peer((*old).clone())));
            }
            let rows: Vec<Peer> = rows.into_values().collect();
            let target: Vec<Peer> = after.iter().cloned().map(still_peer).collect();
            prop_assert_eq!(&rows, &target);
            let same = before.iter().cloned().map(still_peer).eq(target);
            prop_assert_eq!(diff.is_empty(), same);
        }
    }

    #[test]
    fn an_address_alone_leaves_the_properties() {
        let row = |address: &str| Interface {
            addresses: vec![address.parse().expect("a prefix")],
            ..still(Interface {
                name: "wg0".into(),
                mac: None,
                mtu: None,
                state: LinkState::Up,
                flags: vec![],
                addresses: vec![],
                public_key: None,
                listen_port: None,
                counters: Counters::default(),
            })
        };
        let (before, after) = ([row("10.0.0.1/24")], [row("10.0.0.2/24")]);
        let diff = interfaces(&before, &after);
        let [change] = diff.changed.as_slice() else { panic!("one change: {diff:?}") };
        assert!(!change.properties);
        assert_eq!(change.addresses_added, after[0].addresses);
        assert_eq!(change.addresses_removed, before[0].addresses);
    }
}
