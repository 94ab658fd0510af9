//! One prefix that is sent to two places: allowed ips of different hosts that give it to different
//! peers.
//!
//! That alone is no fault. A hub passes on what it is given; a default route leads to whatever is
//! near; the network of the tunnels themselves is everybody's; two gateways of one site share its
//! prefix. What is left is a prefix that ends at two hosts which have nothing to do with each other.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::model::id::AgentNo;

/// An allowed ip: `lister` sends what goes to `net` to `owner`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Whose list it is in.
    pub lister: AgentNo,
    /// To whom it is given.
    pub owner: AgentNo,
    /// The prefix.
    pub net: IpNet,
}

/// What matters of a host that is given a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// The addresses of its interfaces, with the networks they are in.
    pub addresses: Vec<IpNet>,
    /// Hosts with the same one stand in for each other.
    pub group: Option<String>,
}

/// A prefix that ends at several hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The prefix.
    pub net: IpNet,
    /// Where it ends, and who sends it there; both sorted.
    pub claims: BTreeMap<AgentNo, BTreeSet<AgentNo>>,
}

/// Finds the prefixes of a fleet that end at several hosts, sorted. `overlays` are the networks of
/// its tunnels.
pub fn conflicts(
    entries: &[Entry],
    overlays: &BTreeSet<IpNet>,
    holder: impl Fn(AgentNo) -> Holder,
) -> Vec<Conflict> {
    let contested = contested(entries, overlays);
    let owners: BTreeSet<AgentNo> = contested.values().flat_map(BTreeMap::keys).copied().collect();
    let holders: BTreeMap<AgentNo, Holder> = owners.iter().map(|no| (*no, holder(*no))).collect();
    let mut passes_on: BTreeMap<AgentNo, Vec<IpNet>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| owners.contains(&entry.lister)) {
        passes_on.entry(entry.lister).or_default().push(entry.net);
    }
    let ends_at = |no: &AgentNo, net: &IpNet| {
        let has = holders.get(no).is_some_and(|holder| {
            holder.addresses.iter().any(|address| net.contains(&address.addr()))
        });
        has || !passes_on.get(no).into_iter().flatten().any(|other| other.contains(net))
    };
    let mut found = Vec::new();
    for (net, mut claims) in contested {
        claims.retain(|no, _| ends_at(no, &net));
        let place = |no: &AgentNo| match holders.get(no).and_then(|holder| holder.group.clone()) {
            Some(group) => (Some(group), None),
            None => (None, Some(*no)),
        };
        let places: BTreeSet<_> = claims.keys().map(place).collect();
        if places.len() > 1 {
            found.push(Conflict { net, claims });
        }
    }
    found
}

/// Prefixes that are given to several hosts, with who gives them to whom.
fn contested(
    entries: &[Entry],
    overlays: &BTreeSet<IpNet>,
) -> BTreeMap<IpNet, BTreeMap<AgentNo, BTreeSet<AgentNo>>> {
    let mut sorted: Vec<&Entry> =
        entries.iter().filter(|entry| entry.net.prefix_len() > 0).collect();
    sorted.sort_unstable_by_key(|entry| (entry.net, entry.owner, entry.lister));
    let mut contested = BTreeMap::new();
    for of_net in sorted.chunk_by(|one, other| one.net == other.net) {
        let (Some(first), Some(last)) = (of_net.first(), of_net.last()) else { continue };
        let is_overlay = || overlays.iter().any(|overlay| first.net.contains(overlay));
        if first.owner == last.owner || is_overlay() {
            continue;
        }
        let mut claims: BTreeMap<AgentNo, BTreeSet<AgentNo>> = BTreeMap::new();
        for entry in of_net {
            claims.entry(entry.owner).or_default().insert(entry.lister);
        }
        contested.insert(first.net, claims);
    }
    contested
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries as `LISTER>OWNER NET`, hosts' addresses as `HOST NET`, groups as `HOST=NAME`.
    fn found(entries: &str, hosts: &str) -> Vec<(String, Vec<i64>)> {
        let number = |text: &str| AgentNo(text.parse().unwrap());
        let entries = entries.split(", ").map(|text| {
            let (ends, net) = text.split_once(' ').unwrap();
            let (lister, owner) = ends.split_once('>').unwrap();
            Entry { lister: number(lister), owner: number(owner), net: net.parse().unwrap() }
        });
        let entries: Vec<Entry> = entries.collect();
        let overlays: BTreeSet<IpNet> = ["10.77.0.0/24".parse().unwrap()].into();
        let holder = |no: AgentNo| {
            let mut holder = Holder::default();
            for text in hosts.split(", ") {
                if let Some((host, net)) = text.split_once(' ').filter(|(h, _)| number(h) == no) {
                    let _number = host;
                    holder.addresses.push(net.parse().unwrap());
                } else if let Some((host, group)) = text.split_once('=')
                    && number(host) == no
                {
                    holder.group = Some(group.to_owned());
                }
            }
            holder
        };
        let found = conflicts(&entries, &overlays, holder);
        let told = |conflict: Conflict| {
            (conflict.net.to_string(), conflict.claims.keys().map(|no| no.0).collect())
        };
        found.into_iter().map(told).collect()
    }

    fn one(net: &str, hosts: &[i64]) -> Vec<(String, Vec<i64>)> {
        vec![(net.to_owned(), hosts.to_vec())]
    }

    #[test]
    fn a_prefix_in_two_places() {
        let entries = "1>8 192.168.2.0/24, 2>9 192.168.2.0/24, 1>9 192.168.3.0/24";
        assert_eq!(found(entries, ""), one("192.168.2.0/24", &[8, 9]));
        // One address that two hosts are given; one of them has it.
        assert_eq!(
            found("1>8 10.77.0.8/32, 2>9 10.77.0.8/32", "8 10.77.0.8/24"),
            one("10.77.0.8/32", &[8, 9])
        );
        assert_eq!(found("1>8 fd00:2::/64, 2>9 fd00:2::/64", ""), one("fd00:2::/64", &[8, 9]));
        assert_eq!(found("1>8 192.168.2.0/24, 2>8 192.168.2.0/24", ""), []);
    }

    #[test]
    fn who_passes_it_on_is_no_place() {
        // 1 reaches the prefix through the hub 5, and the hub through 8.
        assert_eq!(found("1>5 192.168.2.0/24, 5>8 192.168.2.0/24", ""), []);
        // 8 sends everything else to the hub, but it has the prefix.
        let back = "1>5 192.168.2.0/24, 5>8 192.168.2.0/24, 8>5 0.0.0.0/0, 2>9 192.168.2.0/24";
        assert_eq!(found(back, "8 192.168.2.1/24"), one("192.168.2.0/24", &[8, 9]));
    }

    #[test]
    fn what_is_everybodys_is_no_conflict() {
        assert_eq!(found("1>8 0.0.0.0/0, 2>9 0.0.0.0/0, 1>8 ::/0, 2>9 ::/0", ""), []);
        assert_eq!(found("1>8 10.77.0.0/24, 2>9 10.77.0.0/24", ""), [], "the tunnels' own");
        assert_eq!(found("1>8 10.0.0.0/8, 2>9 10.0.0.0/8", ""), [], "and what holds it");
        let two = "1>8 192.168.2.0/24, 2>9 192.168.2.0/24";
        assert_eq!(found(two, "8=hel, 9=hel"), [], "two gateways of one site");
        assert_eq!(found(two, "8=hel, 9=oul"), one("192.168.2.0/24", &[8, 9]));
        assert_eq!(found(two, "8=hel"), one("192.168.2.0/24", &[8, 9]));
    }
}
