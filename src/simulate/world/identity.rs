//! Names, keys and addresses of made-up hosts, derived from their numbers.
//!
//! Underlay addresses come from shared address space (RFC 6598) and the documentation prefix
//! (RFC 3849), overlay and site addresses from private space, so no real host is ever named.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::hex;
use crate::simulate::rng::mix;

/// A WireGuard public key in base64, as text.
pub(super) type KeyText = [u8; 44];

/// The UDP port of `wg0`; other interfaces count up from it.
pub(super) const WIREGUARD_PORT: u64 = 51_820;

/// Numbers above every host's own, for devices that have no agent.
pub(super) const OUTSIDE: u64 = 1 << 40;

/// The key that `owner` has on its interface number `iface` after `changes` replacements.
///
/// Random bytes, not a point of the curve: nobody computes with them.
pub(super) fn key(seed: u64, owner: u64, iface: usize, changes: u8) -> KeyText {
    let base = mix(seed, owner).wrapping_add(iface as u64 * 256 + u64::from(changes));
    let mut bytes = [0_u8; 32];
    for (place, chunk) in (1_u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&mix(base, place).to_le_bytes());
    }
    let mut text = [b'='; 44];
    // 32 bytes always take 44 characters.
    STANDARD.encode_slice(bytes, &mut text).unwrap_or_default();
    text
}

/// 32 hexadecimal digits that no other host of the seed has.
pub(super) fn agent_id(seed: u64, host: u64) -> String {
    let (high, low) = (mix(seed, host), mix(!seed, host));
    hex::encode(&[high.to_be_bytes(), low.to_be_bytes()].concat())
}

/// What a host's own key is made of. Whoever knows the seed knows the keys of all its hosts,
/// which is as it should be: they guard nothing.
pub(super) fn secret_seed(seed: u64, host: u64) -> [u8; 32] {
    let base = mix(seed ^ 0x0ed2_5519, host);
    let mut bytes = [0_u8; 32];
    for (place, chunk) in (1_u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&mix(base, place).to_le_bytes());
    }
    bytes
}

/// A UUID of version 4 that changes with every boot.
pub(super) fn boot_id(seed: u64, host: u64, boots: u64) -> String {
    let (high, low) = (mix(seed, host.wrapping_add(boots << 32)), mix(host, boots ^ seed));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// The number of a host as three parts, each fit for the last octets of an address.
fn octets(host: u64) -> [u8; 3] {
    let part = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    [part(host / 62_500 % 60), part(host / 250 % 250), part(host % 250 + 1)]
}

fn groups(host: u64) -> [u16; 2] {
    let part = |value: u64| u16::try_from(value & 0xffff).unwrap_or(0);
    [part(host >> 16), part(host).wrapping_add(1)]
}

/// Address on the network that carries the tunnels.
pub(super) fn underlay_v4(host: u64) -> Ipv4Addr {
    let [a, b, c] = octets(host);
    Ipv4Addr::new(100, 64 + a, b, c)
}

/// Address on the network that carries the tunnels.
pub(super) fn underlay_v6(host: u64) -> Ipv6Addr {
    let [a, b] = groups(host);
    Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, a, b)
}

/// Address inside the tunnels of interface number `iface`.
pub(super) fn overlay_v4(host: u64, iface: usize) -> Ipv4Addr {
    let [a, b, c] = octets(host);
    Ipv4Addr::new(10, if iface == 0 { a } else { 64 + a }, b, c)
}

/// Address inside the tunnels of interface number `iface`.
pub(super) fn overlay_v6(host: u64, iface: usize) -> Ipv6Addr {
    let [a, b] = groups(host);
    Ipv6Addr::new(0xfd77, if iface == 0 { 1 } else { 2 }, 0, 0, 0, 0, a, b)
}

/// The /24 of the host's own site network; unique among 32,768 neighbouring hosts.
pub(super) fn lan(host: u64) -> [u8; 3] {
    let part = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    [10, part(128 + host / 256 % 128), part(host % 256)]
}

/// Address on the network that reports travel on.
pub(super) fn management(host: u64) -> Ipv4Addr {
    let [a, b, c] = octets(host);
    Ipv4Addr::new(172, 16 + a % 16, b, c)
}

/// A link-layer address with the locally administered bit set.
pub(super) fn mac(host: u64, port: u64) -> String {
    let [_, _, b2, b3, b4, b5, b6, b7] = mix(host, port).to_be_bytes();
    let first = (b2 & 0xfc) | 0x02;
    format!("{first:02x}:{b3:02x}:{b4:02x}:{b5:02x}:{b6:02x}:{b7:02x}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_hundred_thousand_hosts_share_nothing() {
        let hosts = 0..100_000_u64;
        assert_eq!(hosts.clone().map(underlay_v4).collect::<HashSet<_>>().len(), 100_000);
        assert_eq!(hosts.clone().map(underlay_v6).collect::<HashSet<_>>().len(), 100_000);
        let overlay: HashSet<_> =
            hosts.clone().flat_map(|h| [overlay_v4(h, 0), overlay_v4(h, 1)]).collect();
        assert_eq!(overlay.len(), 200_000);
        assert_eq!(hosts.clone().map(|h| agent_id(1, h)).collect::<HashSet<_>>().len(), 100_000);
        assert_eq!(hosts.map(|h| key(1, h, 0, 0)).collect::<HashSet<_>>().len(), 100_000);
    }

    #[test]
    fn a_key_is_a_key_and_a_boot_id_is_a_uuid() {
        let text = key(3, 5, 1, 2);
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.parse::<crate::model::key::WgKey>().is_ok(), "{text}");
        assert_ne!(key(3, 5, 1, 2), key(3, 5, 1, 3));
        assert_ne!(key(3, 5, 0, 0), key(3, 5, 1, 0));
        let boot = boot_id(1, 2, 3);
        assert_eq!(boot.len(), 36, "{boot}");
        assert_ne!(boot, boot_id(1, 2, 4));
    }
}
