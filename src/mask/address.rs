//! Addresses that keep what they share with their neighbours and nothing else.
//!
//! Two addresses that begin with the same n bits have pseudonyms that begin with the same n bits
//! (the idea of Crypto-PAn): bit i is turned over if HMAC-SHA256 of the bits before it says so, which
//! can be turned back with the key. A
//! network is masked as far as its prefix reaches, so it still holds the addresses it held. Ranges
//! with a meaning of their own (private, shared, loopback, link-local, for documentation) keep the
//! bits that tell which they are. What comes of any other is written with `~` in front, since it
//! looks like somebody's real address and is not; so the mapping stays one-to-one, too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use crate::sign::hmac::mac;

/// Ranges that keep their first bits (RFC 6890, RFC 6598, RFC 4193, RFC 5737, RFC 3849).
const SPECIAL: [&str; 14] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "fc00::/7",
    "fe80::/10",
    "2001:db8::/32",
    "ff00::/8",
];

/// The bits of an address from the left, how many there are, and its family's number.
fn bits(address: IpAddr) -> (u128, u8, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32, 4),
        IpAddr::V6(v6) => (u128::from(v6), 128, 6),
    }
}

fn address(bits: u128, family: u8) -> IpAddr {
    match family {
        4 => IpAddr::V4(Ipv4Addr::from((bits >> 96) as u32)),
        _ => IpAddr::V6(Ipv6Addr::from(bits)),
    }
}

/// The first bits, the others zero.
fn first(bits: u128, count: u8) -> u128 {
    if count == 0 { 0 } else { bits & (u128::MAX << (128 - u32::from(count))) }
}

/// How many first bits stay, and whether the range tells that the address is nobody's own.
fn kept(address: IpAddr) -> Option<u8> {
    let special = SPECIAL.iter().filter_map(|text| text.parse::<IpNet>().ok());
    special.filter(|net| net.contains(&address)).map(|net| net.prefix_len()).max()
}

/// Whether bit `i` is turned over, told by the bits before it. One digest tells it for eight bits:
/// of the 255 beginnings that the bits of a byte can have, each has a bit of the digest.
struct Turns<'k> {
    key: &'k [u8; 32],
    family: u8,
    /// The byte that the digest is of, and the digest.
    byte: Option<(u8, [u8; 32])>,
}

impl<'k> Turns<'k> {
    fn new(key: &'k [u8; 32], family: u8) -> Self {
        Self { key, family, byte: None }
    }

    /// `before` has the bits before `i` of the real address.
    fn at(&mut self, i: u8, before: u128) -> bool {
        let byte = i / 8;
        let digest = match self.byte {
            Some((known, digest)) if known == byte => digest,
            Some(_) | None => {
                let mut message = vec![self.family, byte];
                message.extend(first(before, byte * 8).to_be_bytes());
                mac(self.key, &message)
            }
        };
        self.byte = Some((byte, digest));
        let depth = u32::from(i % 8);
        // The bits of this byte that come before, as a number with a leading one: 1 to 255.
        let begun = (before << (u32::from(byte) * 8)).checked_shr(128 - depth).unwrap_or(0);
        let place = (1_u128 << depth) | begun;
        let (index, bit) = (usize::try_from(place / 8).unwrap_or(0), place % 8);
        digest.get(index).is_some_and(|byte| byte >> bit & 1 == 1)
    }
}

/// The first `length` bits of an address, masked; whether they are of no special range.
fn turned(key: &[u8; 32], real: IpAddr, length: u8) -> (bool, IpAddr) {
    let (value, _, family) = bits(real);
    let keep = kept(real);
    let mut out = first(value, length);
    let mut turns = Turns::new(key, family);
    for i in keep.unwrap_or(0)..length {
        if turns.at(i, value) {
            out ^= 1_u128 << (127 - u32::from(i));
        }
    }
    (keep.is_none() && length > 0, address(out, family))
}

/// The address whose first `length` bits have this pseudonym.
fn turned_back(key: &[u8; 32], masked: IpAddr, length: u8) -> IpAddr {
    let (mut value, _, family) = bits(masked);
    value = first(value, length);
    let mut turns = Turns::new(key, family);
    for i in kept(masked).unwrap_or(0)..length {
        // The bits before it are turned back already.
        if turns.at(i, value) {
            value ^= 1_u128 << (127 - u32::from(i));
        }
    }
    address(value, family)
}

/// What stands in front of a pseudonym of no special range.
const fn mark(global: bool) -> &'static str {
    if global { "~" } else { "" }
}

/// How many bits of a network, or of an address in one, are masked.
fn masked_bits(net: &IpNet) -> u8 {
    // Host bits say that it is an address in a network, which is masked to its end.
    let is_address = net.addr() != net.network();
    if is_address { net.max_prefix_len() } else { net.prefix_len() }
}

/// An address, without the mark.
pub fn bare(key: &[u8; 32], real: IpAddr) -> IpAddr {
    turned(key, real, bits(real).1).1
}

/// A network, or an address with the length of its network, without the mark.
pub fn net(key: &[u8; 32], real: &IpNet) -> IpNet {
    let (_, out) = turned(key, real.addr(), masked_bits(real));
    IpNet::new(out, real.prefix_len()).unwrap_or(*real)
}

/// The network behind a pseudonym, whose host bits are zero.
pub fn real_net(key: &[u8; 32], masked: &IpNet) -> IpNet {
    let out = turned_back(key, masked.addr(), masked_bits(masked));
    IpNet::new(out, masked.prefix_len()).unwrap_or(*masked)
}

/// An address, with or without the length of its network, or a network; `None` if it is neither.
pub fn masked(key: &[u8; 32], text: &str) -> Option<String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let (global, out) = turned(key, address, bits(address).1);
        return Some(format!("{}{out}", mark(global)));
    }
    let net: IpNet = text.parse().ok()?;
    let (global, out) = turned(key, net.addr(), masked_bits(&net));
    Some(format!("{}{out}/{}", mark(global), net.prefix_len()))
}

/// An address with a port, which stays.
pub fn endpoint(key: &[u8; 32], text: &str) -> Option<String> {
    let at: SocketAddr = text.parse().ok()?;
    let (global, out) = turned(key, at.ip(), bits(at.ip()).1);
    Some(format!("{}{}", mark(global), SocketAddr::new(out, at.port())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [7; 32];

    fn shared(a: IpAddr, b: IpAddr) -> u32 {
        (bits(a).0 ^ bits(b).0).leading_zeros()
    }

    fn of(real: IpAddr) -> IpAddr {
        turned(&KEY, real, bits(real).1).1
    }

    proptest! {
        #[test]
        fn neighbours_stay_neighbours(a: u32, b: u32, c: u128, d: u128, cut in 0_u32..128) {
            // Two that share a beginning, as most pairs of random numbers do not.
            let d = if cut == 0 { d } else { (c & (u128::MAX << cut)) | (d & !(u128::MAX << cut)) };
            for (a, b) in [
                (IpAddr::from(Ipv4Addr::from(a)), IpAddr::from(Ipv4Addr::from(b))),
                (IpAddr::from(Ipv6Addr::from(c)), IpAddr::from(Ipv6Addr::from(d))),
            ] {
                prop_assert_eq!(kept(a) == kept(of(a)) || kept(a).is_none(), true);
                if kept(a) == kept(b) {
                    prop_assert_eq!(shared(of(a), of(b)), shared(a, b));
                }
            }
        }

        #[test]
        fn there_and_back(a: u32, c: u128, length in 0_u8..=32) {
            for real in [IpAddr::from(Ipv4Addr::from(a)), IpAddr::from(Ipv6Addr::from(c))] {
                let length = if real.is_ipv4() { length } else { length * 4 };
                let net = IpNet::new(real, length).unwrap().trunc();
                let masked = super::net(&KEY, &net);
                // A foreign range may come to lie in a special one; then it is not found again.
                if kept(masked.addr()) == kept(net.addr()) {
                    prop_assert_eq!(real_net(&KEY, &masked), net);
                }
            }
        }

        #[test]
        fn a_network_holds_what_it_held(a: u32, length in 1_u8..=32) {
            let net = IpNet::new(IpAddr::from(Ipv4Addr::from(a)), length).unwrap().trunc();
            let inside = net.addr();
            let kept_alike = kept(inside) == kept(net.broadcast());
            let out = masked(&KEY, &net.to_string()).unwrap();
            let out: IpNet = out.trim_start_matches('~').parse().unwrap();
            if kept_alike {
                prop_assert!(out.contains(&of(inside)) && out.contains(&of(net.broadcast())));
            }
        }
    }

    #[test]
    fn the_kind_of_an_address_stays_to_be_seen() {
        for (real, range) in [
            ("10.77.0.1/24", "10.0.0.0/8"),
            ("192.168.1.7", "192.168.0.0/16"),
            ("100.64.3.0/24", "100.64.0.0/10"),
            ("fd77::1/64", "fc00::/7"),
            ("fe80::1", "fe80::/10"),
            ("198.51.100.7", "198.51.100.0/24"),
        ] {
            let out = masked(&KEY, real).unwrap();
            let bare: IpAddr = out.split('/').next().unwrap().parse().unwrap();
            let range: IpNet = range.parse().unwrap();
            assert!(range.contains(&bare) && out != real, "{real} became {out}");
        }
        for real in ["8.8.8.8", "2a00::1/128"] {
            assert!(masked(&KEY, real).unwrap().starts_with('~'), "{real}");
        }
        assert_eq!(masked(&KEY, "0.0.0.0/0").unwrap(), "0.0.0.0/0");
        assert_eq!(masked(&KEY, "::/0").unwrap(), "::/0");
        assert_eq!(masked(&KEY, "10.0.0.0/8").unwrap(), "10.0.0.0/8");
        assert_eq!(masked(&KEY, "not an address"), None);
        assert!(endpoint(&KEY, "[2a00::1]:51820").unwrap().ends_with("]:51820"));
        assert_eq!(endpoint(&KEY, "gw.example.org:51820"), None);
    }

    #[test]
    fn another_key_gives_other_addresses() {
        let other = [8; 32];
        assert_ne!(masked(&KEY, "10.77.0.1"), masked(&other, "10.77.0.1"));
        assert_eq!(masked(&KEY, "10.77.0.1"), masked(&KEY, "10.77.0.1"));
    }
}
