//! Values by address prefix, found by what covers an address or a prefix and by what lies inside
//! one. Pure; holds no opinion on which of several is right.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// Several values for each prefix.
///
/// A look-up costs one search per prefix length, whatever is held: a host may have 4,096 routes.
#[derive(Debug)]
pub struct Prefixes<V> {
    nets: BTreeMap<IpNet, Vec<V>>,
}

impl<V> FromIterator<(IpNet, V)> for Prefixes<V> {
    fn from_iter<I: IntoIterator<Item = (IpNet, V)>>(all: I) -> Self {
        let mut nets: BTreeMap<IpNet, Vec<V>> = BTreeMap::new();
        for (net, value) in all {
            nets.entry(net.trunc()).or_default().push(value);
        }
        Self { nets }
    }
}

impl<V> Prefixes<V> {
    /// The values of this prefix and of those that contain it, the longest first.
    pub fn covering(&self, net: &IpNet) -> impl Iterator<Item = (u8, &V)> {
        let lengths = (0..=net.prefix_len()).rev();
        lengths.flat_map(move |length| {
            let held = IpNet::new(net.addr(), length).ok();
            let values = held.and_then(|held| self.nets.get(&held.trunc()));
            values.into_iter().flatten().map(move |value| (length, value))
        })
    }

    /// The values of the longest prefix that contains an address.
    pub fn longest(&self, address: IpAddr) -> Option<&[V]> {
        let whole = IpNet::from(address);
        (0..=whole.prefix_len()).rev().find_map(|length| {
            let held = IpNet::new(address, length).ok()?;
            self.nets.get(&held.trunc()).map(Vec::as_slice)
        })
    }

    /// The values of the prefixes that lie inside this one and are longer.
    pub fn inside(&self, net: &IpNet) -> impl Iterator<Item = &V> {
        let net = net.trunc();
        let last = IpNet::from(net.broadcast());
        let held = self.nets.range(net..=last);
        let longer = held.filter(move |(held, _)| held.prefix_len() > net.prefix_len());
        longer.flat_map(|(_, values)| values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("is a prefix")
    }

    #[test]
    fn finds_what_covers_and_what_lies_inside() {
        let names =
            ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16", "::/0"];
        let held: Prefixes<&str> = names.iter().map(|name| (net(name), *name)).collect();
        let covering = |text: &str| {
            held.covering(&net(text)).map(|(length, name)| (length, *name)).collect::<Vec<_>>()
        };
        let all = [(16, "10.1.0.0/16"), (8, "10.0.0.0/8"), (0, "0.0.0.0/0")];
        assert_eq!(covering("10.1.0.0/16"), all);
        assert_eq!(covering("fd00::/8"), [(0, "::/0")]);
        let inside = |text: &str| held.inside(&net(text)).copied().collect::<Vec<_>>();
        assert_eq!(inside("10.1.0.0/16"), ["10.1.2.0/24"]);
        assert_eq!(inside("10.0.0.0/8"), ["10.1.0.0/16", "10.1.2.0/24", "10.2.0.0/16"]);
        assert_eq!(inside("10.3.0.0/16"), [""; 0]);
        assert_eq!(held.longest([10, 1, 2, 3].into()), Some(&["10.1.2.0/24"][..]));
        assert_eq!(held.longest([192, 0, 2, 1].into()), Some(&["0.0.0.0/0"][..]));
    }

    proptest! {
        /// The same as looking at all of them.
        #[test]
        fn as_a_walk_through_all(
            held in prop::collection::vec((any::<[u8; 2]>(), 0_u8..=32), 0..40),
            (asked, length) in (any::<[u8; 2]>(), 0_u8..=32),
        ) {
            let net = |[a, b]: [u8; 2], length| IpNet::new([10, a % 4, b % 8, 0].into(), length).unwrap();
            let held: Vec<IpNet> = held.into_iter().map(|(at, n)| net(at, n).trunc()).collect();
            let asked = net(asked, length).trunc();
            let prefixes: Prefixes<IpNet> = held.iter().map(|net| (*net, *net)).collect();
            let sorted = |mut all: Vec<IpNet>| {
                all.sort();
                all
            };
            let covering = prefixes.covering(&asked).map(|(_, net)| *net).collect();
            let all = held.iter().filter(|net| net.contains(&asked)).copied().collect();
            prop_assert_eq!(sorted(covering), sorted(all));
            let inside = prefixes.inside(&asked).copied().collect();
            let longer = |net: &&IpNet| asked.contains(*net) && net.prefix_len() > asked.prefix_len();
            let all = held.iter().filter(longer).copied().collect();
            prop_assert_eq!(sorted(inside), sorted(all));
            let best = held.iter().filter(|net| net.contains(&asked.addr())).map(|net| net.prefix_len()).max();
            let found = prefixes.longest(asked.addr()).and_then(<[_]>::first).map(|net| net.prefix_len());
            prop_assert_eq!(found, best);
        }
    }
}
