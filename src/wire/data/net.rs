//! Addresses, prefixes and endpoints as tools print them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// Reads `ADDRESS/LENGTH`, or a bare address as the prefix that holds it alone. An IPv6 zone
/// (`fe80::1%eth0`, RFC 4007) is dropped: it means something on its host only.
pub(super) fn prefix(text: &str) -> Result<IpNet, &'static str> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address = address_of(address).ok_or("is not an address")?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => most,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().unwrap_or(u8::MAX)
        }
        Some(_) => return Err("has a prefix length that is not a number"),
    };
    IpNet::new(address, length).map_err(|_too_long| {
        if most == 32 { "has a prefix length over 32" } else { "has a prefix length over 128" }
    })
}

/// Reads an address, without its zone if it has one.
pub(super) fn address_of(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((address, _zone)) => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// What an endpoint's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// None is known.
    None,
    /// Fine.
    Good,
    /// Usable, but worth a remark.
    Odd(&'static str),
    /// Not usable.
    Bad(&'static str),
}

/// Judges `address:port`, `[address]:port` or `name:port`.
pub(super) fn endpoint(text: &str) -> Endpoint {
    if matches!(text, "" | "(none)") {
        return Endpoint::None;
    }
    if !text.contains('%') && text.parse::<SocketAddr>().is_ok_and(|socket| socket.port() != 0) {
        return Endpoint::Good;
    }
    let Some((host, port)) = text.rsplit_once(':') else { return Endpoint::Bad("has no port") };
    if !port.bytes().all(|b| b.is_ascii_digit()) || port.parse::<u16>().unwrap_or(0) == 0 {
        return Endpoint::Bad("has a port that is not between 1 and 65535");
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return if inner.contains('%') && address_of(inner).is_some() {
            Endpoint::Odd("has a zone, which means something on its host only")
        } else {
            Endpoint::Bad("is not an address and port")
        };
    }
    let is_name = (1..=253).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    let is_number = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_name && !is_number { Endpoint::Good } else { Endpoint::Bad("is not an address and port") }
}

/// A link-layer address in lowercase (6 bytes of Ethernet, 20 of InfiniBand, ...); `None` if the
/// text is something else, such as the local address of a tunnel.
pub(super) fn mac(text: &str) -> Option<String> {
    let fits = |(place, byte): (usize, u8)| match place % 3 {
        2 => matches!(byte, b':' | b'-'),
        _ => byte.is_ascii_hexdigit(),
    };
    let is_mac = text.len() % 3 == 2
        && (6 * 3 - 1..=20 * 3 - 1).contains(&text.len())
        && text.bytes().enumerate().all(fits);
    let lower = |c: char| if c == '-' { ':' } else { c.to_ascii_lowercase() };
    is_mac.then(|| text.chars().map(lower).collect())
}

/// Whether a link-layer address is the empty one of loopback.
pub(super) fn is_zero_mac(mac: &str) -> bool {
    mac.bytes().all(|b| matches!(b, b'0' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let read = |text| prefix(text).map(|net| net.to_string());
        assert_eq!(read("10.0.0.1/24").as_deref(), Ok("10.0.0.1/24"));
        assert_eq!(read("10.0.0.1").as_deref(), Ok("10.0.0.1/32"));
        assert_eq!(read("fe80::1%eth0/64").as_deref(), Ok("fe80::1/64"));
        assert_eq!(read("fd00::1").as_deref(), Ok("fd00::1/128"));
        assert_eq!(read("10.0.0.1/33"), Err("has a prefix length over 32"));
        assert_eq!(read("fd00::/129"), Err("has a prefix length over 128"));
        assert_eq!(read("10.0.0.1/1000"), Err("has a prefix length over 32"));
        for bad in ["", "/", "10.0.0/24", "10.0.0.1%eth0/24", "x"] {
            assert_eq!(read(bad), Err("is not an address"), "{bad}");
        }
        for bad in ["10.0.0.1/", "10.0.0.1/+8", "10.0.0.1/8/8"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoints() {
        for none in ["", "(none)"] {
            assert_eq!(endpoint(none), Endpoint::None);
        }
        for good in ["192.0.2.1:51820", "[2001:db8::1]:1", "vpn.example.net:51820"] {
            assert_eq!(endpoint(good), Endpoint::Good, "{good}");
        }
        for odd in ["[fe80::1%eth0]:51820", "[fe80::1%3]:51820"] {
            assert!(matches!(endpoint(odd), Endpoint::Odd(_)), "{odd}");
        }
        for bad in [
            "82.132.137.204:67130",
            "192.0.2.1:0",
            "192.0.2.1",
            "2001:db8::1:51820",
            "[192.0.2.1]:1",
            "[fe80::zz%eth0]:1",
            "300.1.1.1:1",
            "a b:1",
            ":1",
            "x:",
            "x:+1",
        ] {
            assert!(matches!(endpoint(bad), Endpoint::Bad(_)), "{bad}");
        }
    }

    #[test]
    fn macs() {
        assert_eq!(mac("26:23:79:38:67:E2").as_deref(), Some("26:23:79:38:67:e2"));
        assert_eq!(mac("26-23-79-38-67-e2").as_deref(), Some("26:23:79:38:67:e2"));
        for bad in ["", "10.0.0.1", "26:23", "26:23:79:38:67:zz", "fe80::1:2:3:4"] {
            assert_eq!(mac(bad), None, "{bad}");
        }
        assert!(is_zero_mac("00:00:00:00:00:00"));
    }
}
