//! Takes everything out of `data` that says something about a network, and leaves its form: what
//! dictionaries are learnt from that are handed to agents.
//!
//! Words that stand in [`WORDS`] stay, since they are in the protocol and in the programs that
//! everybody has. All other letters and digits give way to made-up ones. Must never let a value
//! through because it is frequent: a fleet's own names are in all its reports.

/// Names of members and values that mean the same on every host: of the protocol's `data`, of
/// `ip -j` (iproute2) and of Linux. Sorted.
const WORDS: [&str; 116] = [
    "ALLMULTI",
    "BROADCAST",
    "DORMANT",
    "DYNAMIC",
    "LOOPBACK",
    "LOWER_UP",
    "MASTER",
    "MULTICAST",
    "NO-CARRIER",
    "NOARP",
    "POINTOPOINT",
    "PROMISC",
    "SLAVE",
    "UP",
    "addr_info",
    "address",
    "addresses",
    "agent_id",
    "agent_version",
    "allowed_ip",
    "allowed_ips",
    "anycast",
    "babel",
    "bgp",
    "bird",
    "blackhole",
    "boot",
    "boot_id",
    "broadcast",
    "bytes",
    "collected_at",
    "default",
    "detail",
    "dev",
    "dhcp",
    "dormant",
    "down",
    "dropped",
    "dst",
    "endpoint",
    "errors",
    "eth0",
    "family",
    "flags",
    "fleet_id",
    "fwmark",
    "gateway",
    "has_psk",
    "host",
    "hostname",
    "ifname",
    "inet",
    "inet6",
    "interface",
    "interfaces",
    "interfaces_truncated",
    "kernel",
    "kind",
    "labels",
    "latest_handshake",
    "link",
    "linkdown",
    "listen_port",
    "lo",
    "load",
    "loadavg",
    "local",
    "lowerlayerdown",
    "mac",
    "main",
    "metric",
    "mtu",
    "multicast",
    "name",
    "nexthops",
    "none",
    "notpresent",
    "offload",
    "onlink",
    "operstate",
    "ospf",
    "path",
    "persistent_keepalive",
    "pervasive",
    "pref",
    "prefsrc",
    "problems",
    "prohibit",
    "protocol",
    "public_key",
    "ra",
    "redirect",
    "routes",
    "routes_truncated",
    "rx",
    "rx_bytes",
    "rx_dropped",
    "rx_errors",
    "scope",
    "state",
    "static",
    "stats64",
    "table",
    "tx",
    "tx_bytes",
    "tx_dropped",
    "tx_errors",
    "type",
    "unicast",
    "unknown",
    "unreachable",
    "up",
    "uptime_seconds",
    "wg0",
    "wg_dump",
    "wg_peers",
];

/// The form of `data`, which is JSON. The same `seed` gives the same made-up letters.
pub fn scrub(data: &[u8], seed: u64) -> Vec<u8> {
    let mut noise = Noise(seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15));
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'"' {
            // Outside strings letters are those of true, false, null and of exponents.
            out.push(if byte.is_ascii_digit() { noise.digit() } else { *byte });
            continue;
        }
        let (text, after) = after.split_at_checked(text_len(after)).unwrap_or((after, &[]));
        rest = after.split_first().map_or(after, |(_quote, after)| after);
        out.push(b'"');
        if std::str::from_utf8(text).is_ok_and(|word| WORDS.binary_search(&word).is_ok()) {
            out.extend_from_slice(text);
        } else {
            out.extend(text.iter().map(|byte| noise.instead_of(*byte)));
        }
        out.push(b'"');
    }
    out
}

/// Bytes of a string up to its closing quote.
fn text_len(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

/// Made-up letters and digits; not secret, so a small generator does (Marsaglia's xorshift).
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u8) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u8::try_from((self.0 >> 33) % u64::from(bound)).unwrap_or(0)
    }

    fn digit(&mut self) -> u8 {
        b'0' + self.below(10)
    }

    /// A byte of the same kind. Only marks stay: what is no letter, no digit and ASCII.
    fn instead_of(&mut self, byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => self.digit(),
            b'A'..=b'Z' => b'A' + self.below(26),
            b'a'..=b'z' | 0x80.. => b'a' + self.below(26),
            mark => mark,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_sorted_so_that_they_are_found() {
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn the_form_stays_and_nothing_else() {
        let data = br#"{"hostname":"gw-1.corp","routes":[{"dst":"10.77.0.0/16","dev":"wg0"}],"load":[0.25,null],"labels":{"site":"Oulu"},"note":"a\"b\\"}"#;
        let text = String::from_utf8(scrub(data, 1)).unwrap();
        assert_eq!(text.len(), data.len());
        for word in ["\"hostname\":\"", "\"routes\":[{\"dst\":\"", "\"dev\":\"wg0\"", ",null]"] {
            assert!(text.contains(word), "{word} in {text}");
        }
        for value in ["gw-", "corp", "10.77", "0.25", "site", "Oulu", "note"] {
            assert!(!text.contains(value), "{value} in {text}");
        }
        assert_eq!(scrub(data, 1), text.as_bytes());
        assert_ne!(scrub(data, 2), text.as_bytes());
    }

    proptest! {
        #[test]
        fn no_name_or_value_comes_through(secret in "[a-z0-9]{12,40}", seed in any::<u64>()) {
            let value = serde_json::json!({
                "hostname": secret, secret.as_str(): [secret, 1], "labels": { "x": { "y": secret } },
                "wg_dump": format!("wg0\t{secret}\n\"{secret}\""), "name": format!("é{secret}"),
            });
            let clean = scrub(value.to_string().as_bytes(), seed);
            let text = String::from_utf8_lossy(&clean);
            prop_assert!(!text.contains(&secret[..]), "{}", text);
        }
    }
}
