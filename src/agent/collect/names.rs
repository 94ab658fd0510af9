//! What `ip` calls the kernel's numbers.
//!
//! Source: iproute2 `ipaddress.c` (`print_link_flags`), `rt_names.c`, `iproute.c`; only the names
//! that iproute2 has built in, since a host's own tables mean nothing elsewhere.

/// Flags of an interface (kernel `include/uapi/linux/if.h`) in the order `ip link` prints them.
const LINK_FLAGS: &[(u32, &str)] = &[
    (1 << 3, "LOOPBACK"),
    (1 << 1, "BROADCAST"),
    (1 << 4, "POINTOPOINT"),
    (1 << 12, "MULTICAST"),
    (1 << 7, "NOARP"),
    (1 << 9, "ALLMULTI"),
    (1 << 8, "PROMISC"),
    (1 << 10, "MASTER"),
    (1 << 11, "SLAVE"),
    (1 << 2, "DEBUG"),
    (1 << 15, "DYNAMIC"),
    (1 << 14, "AUTOMEDIA"),
    (1 << 13, "PORTSEL"),
    (1 << 5, "NOTRAILERS"),
    (UP, "UP"),
    (1 << 16, "LOWER_UP"),
    (1 << 17, "DORMANT"),
    (1 << 18, "ECHO"),
];

/// `IFF_UP`.
const UP: u32 = 1;

/// `IFF_RUNNING`; `ip` prints its absence.
const RUNNING: u32 = 1 << 6;

/// Flags of a route or next hop (`RTNH_F_*`).
const HOP_FLAGS: &[(u32, &str)] = &[
    (1, "dead"),
    (4, "onlink"),
    (2, "pervasive"),
    (8, "offload"),
    (64, "trap"),
    (16, "linkdown"),
    (32, "unresolved"),
];

/// Who installs routes (`RTPROT_*`).
const PROTOCOLS: &[(u32, &str)] = &[
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (18, "keepalived"),
    (42, "babel"),
    (99, "openr"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// What routes do (`RTN_*`).
const TYPES: &[(u32, &str)] = &[
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
    (9, "throw"),
    (10, "nat"),
    (11, "xresolve"),
];

/// Tables that every kernel has (`RT_TABLE_*`).
const TABLES: &[(u32, &str)] = &[(253, "default"), (254, "main"), (255, "local")];

/// The flags of an interface.
pub(super) fn link_flags(bits: u32) -> Vec<&'static str> {
    let no_carrier = (bits & (UP | RUNNING) == UP).then_some("NO-CARRIER");
    no_carrier.into_iter().chain(set(bits, LINK_FLAGS)).collect()
}

/// The flags of a route or next hop.
pub(super) fn hop_flags(bits: u32) -> Vec<&'static str> {
    set(bits, HOP_FLAGS).collect()
}

/// The name of a routing protocol.
pub(super) fn protocol(number: u8) -> String {
    name(number.into(), PROTOCOLS)
}

/// The name of a route's type.
pub(super) fn kind(number: u8) -> String {
    name(number.into(), TYPES)
}

/// The name of a routing table.
pub(super) fn table(number: u32) -> String {
    name(number, TABLES)
}

fn set(bits: u32, names: &'static [(u32, &'static str)]) -> impl Iterator<Item = &'static str> {
    names.iter().filter(move |(bit, _)| bits & bit != 0).map(|(_, name)| *name)
}

fn name(number: u32, names: &[(u32, &str)]) -> String {
    let known = names.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_as_ip_prints_them() {
        assert_eq!(link_flags(0x1_0049), ["LOOPBACK", "UP", "LOWER_UP"]);
        assert_eq!(link_flags(0x1003), ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]);
        assert_eq!(link_flags(0x1002), ["BROADCAST", "MULTICAST"]);
        assert_eq!(hop_flags(16 | 4), ["onlink", "linkdown"]);
    }

    #[test]
    fn numbers_without_a_name_stay_numbers() {
        assert_eq!((protocol(42), protocol(43)), ("babel".to_owned(), "43".to_owned()));
        assert_eq!((table(254), table(51820)), ("main".to_owned(), "51820".to_owned()));
        assert_eq!((kind(6), kind(0)), ("blackhole".to_owned(), "0".to_owned()));
    }
}
