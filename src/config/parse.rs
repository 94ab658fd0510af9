//! Single values from raw text. Every refusal says what to write instead.

use std::net::{IpAddr, SocketAddr};

use zeroize::Zeroizing;

use crate::keys::dns::{DnsName, Dnssec, InvalidDnsName};
use crate::model::access::Role;
use crate::model::id::Kid;
use crate::model::metric::Rollups;
use crate::model::rate::Rate;

use super::{Durability, Enroll};

/// A number of bytes no HMAC key should be below (PROTOCOL 3: keys under 16 bytes are ignored).
const MIN_PSK_BYTES: usize = 16;

/// Longest pre-shared key.
const MAX_PSK_BYTES: usize = 512;

/// A current key and two previous ones.
const MAX_PSKS: usize = 3;

/// An admin token shorter than this can be guessed through the door in a matter of days.
const MIN_TOKEN_CHARS: usize = 8;

/// What is kept for less than an hour could not be looked at by anybody.
const MIN_KEPT_AGE: u32 = 3600;

/// Fewer bytes than 1 MiB would not hold a few large reports.
const MIN_KEPT_BYTES: u64 = 1 << 20;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_not_a_number| {
        let hint = match text.rsplit_once(':') {
            Some(("", port)) => format!("; for every address write 0.0.0.0:{port} or [::]:{port}"),
            Some(("localhost", port)) => format!("; for this host only write 127.0.0.1:{port}"),
            _ if text.parse::<IpAddr>().is_ok() => "; the port is missing".to_owned(),
            _ => String::new(),
        };
        format!("\"{text}\" is not IP:PORT, such as 127.0.0.1:5086{hint}")
    })
}

/// The address of a DNS server; the port may be left to its protocol.
pub(super) fn dns_server(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match (bare.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
        (Ok(ip), _) => Ok((ip, None)),
        (Err(_), Ok(address)) => Ok((address.ip(), Some(address.port()))),
        (Err(_), Err(_)) => Err(format!(
            "\"{text}\" is not IP or IP:PORT, such as 192.0.2.53 or [2001:db8::53]:853"
        )),
    }
}

/// Ids of keys, separated by commas.
pub(super) fn pins(text: &str) -> Result<Vec<Kid>, String> {
    let mut kids = Vec::new();
    for word in text.split(',').map(str::trim) {
        let kid = word.to_ascii_lowercase().parse::<Kid>().map_err(|_not_a_kid| {
            format!(
                "\"{word}\" is not a key id, 16 hexadecimal digits; `kattila admin key list` and \
                 the settings page show them"
            )
        })?;
        if !kids.contains(&kid) {
            kids.push(kid);
        }
    }
    Ok(kids)
}

pub(super) fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("\"{text}\" is not a whole number from {least} to {most}")),
    }
}

/// How long rows are kept, in seconds.
pub(super) fn kept_age(text: &str) -> Result<Option<u32>, String> {
    if text == "off" {
        return Ok(None);
    }
    number(text, MIN_KEPT_AGE, u32::MAX).map(Some).map_err(|wrong| format!("{wrong}, or \"off\""))
}

/// How many agents are registered at most.
pub(super) fn agents_max(text: &str) -> Result<Option<usize>, String> {
    if text == "off" {
        return Ok(None);
    }
    let most = number(text, 1, u32::MAX).map_err(|wrong| format!("{wrong}, or \"off\""))?;
    Ok(usize::try_from(most).ok())
}

/// The address of a collector. It has no secrets in it, since it is shown.
pub(super) fn collector(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']) => {
            Ok(text.to_owned())
        }
        Some(_) | None => Err(format!(
            "\"{text}\" is not http://HOST:PORT or https://HOST:PORT without name, password and query"
        )),
    }
}

/// How many bytes of rows are kept.
pub(super) fn kept_bytes(text: &str) -> Result<Option<u64>, String> {
    if text == "off" {
        return Ok(None);
    }
    match text.parse::<u64>() {
        Ok(bytes) if bytes >= MIN_KEPT_BYTES => Ok(Some(bytes)),
        _ => Err(format!(
            "\"{text}\" is not a whole number of bytes, at least {MIN_KEPT_BYTES}, or \"off\""
        )),
    }
}

/// One of a closed list of words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let list: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("\"{text}\" is not one of: {}", list.join(", "))
    })
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    word(text, &[("on", true), ("off", false)])
}

pub(super) fn zero_or_one(text: &str) -> Result<bool, String> {
    word(text, &[("0", false), ("1", true)])
}

pub(super) fn dnssec(text: &str) -> Result<Dnssec, String> {
    text.parse().map_err(|rule| format!("\"{text}\" {rule}"))
}

pub(super) fn dns_name(text: &str) -> Result<DnsName, String> {
    text.parse().map_err(|invalid: InvalidDnsName| invalid.to_string())
}

pub(super) fn durability(text: &str) -> Result<Durability, String> {
    word(text, &[("full", Durability::Full), ("normal", Durability::Normal)])
}

pub(super) fn rollups(text: &str) -> Result<Rollups, String> {
    word(text, &[("all", Rollups::All), ("hourly", Rollups::Hourly), ("off", Rollups::Off)])
}

pub(super) fn enroll(text: &str) -> Result<Enroll, String> {
    word(text, &[("open", Enroll::Open), ("approve", Enroll::Approve), ("closed", Enroll::Closed)])
}

pub(super) fn anonymous(text: &str) -> Result<Option<Role>, String> {
    word(text, &[("none", None), ("viewer", Some(Role::Viewer))])
}

/// Roles by commas that are given pseudonyms; not admins, who must know which host is which.
pub(super) fn masked(text: &str) -> Result<Vec<Role>, String> {
    let roles = [("viewer", Role::Viewer), ("operator", Role::Operator)];
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|text| word(text, &roles)).collect()
}

pub(super) fn rate(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" {
        return Ok(None);
    }
    let parsed = text.parse::<Rate>().ok();
    parsed.map(Some).ok_or_else(|| {
        format!("\"{text}\" is not RATE/BURST in whole numbers, such as 1/60, or \"off\"")
    })
}

/// Keys separated by commas. They are decoded by `keys`; here only what cannot be one is told.
pub(super) fn psks(text: &str) -> Result<Vec<Zeroizing<String>>, String> {
    let keys: Vec<_> = text.split(',').map(|key| Zeroizing::new(key.trim().to_owned())).collect();
    if keys.len() > MAX_PSKS {
        return Err(format!("has {} keys; at most {MAX_PSKS} are used", keys.len()));
    }
    match keys.iter().position(|key| !(MIN_PSK_BYTES..=MAX_PSK_BYTES).contains(&key.len())) {
        Some(index) => Err(format!(
            "key {} has {} characters; write {MIN_PSK_BYTES} to {MAX_PSK_BYTES}, best from \
             `openssl rand -hex 32`",
            index + 1,
            keys.get(index).map_or(0, |key| key.len()),
        )),
        None => Ok(keys),
    }
}

pub(super) fn token(text: &str) -> Result<Zeroizing<String>, String> {
    let text = text.trim();
    if text.len() < MIN_TOKEN_CHARS || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!(
            "must be at least {MIN_TOKEN_CHARS} printable ASCII characters without spaces, best \
             from `openssl rand -hex 32`"
        ));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("\"{text}\" is not a filter: {error}; write info or debug")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_what_is_missing() {
        assert!(address("127.0.0.1:0").is_ok());
        assert!(address("[::]:5086").is_ok());
        assert!(address(":5086").unwrap_err().contains("0.0.0.0:5086"));
        assert!(address("localhost:1").unwrap_err().contains("127.0.0.1:1"));
        assert!(address("10.0.0.1").unwrap_err().contains("port is missing"));
    }

    #[test]
    fn dns_servers_may_leave_the_port_to_their_protocol() {
        let at = |text: &str| dns_server(text).map(|(ip, port)| (ip.to_string(), port));
        assert_eq!(at("192.0.2.53"), Ok(("192.0.2.53".to_owned(), None)));
        assert_eq!(at("192.0.2.53:5353"), Ok(("192.0.2.53".to_owned(), Some(5353))));
        for text in ["2001:db8::53", "[2001:db8::53]"] {
            assert_eq!(at(text), Ok(("2001:db8::53".to_owned(), None)), "{text}");
        }
        assert_eq!(at("[2001:db8::53]:853"), Ok(("2001:db8::53".to_owned(), Some(853))));
        for bad in ["", "dns.example", ":53", "192.0.2.53:", "192.0.2.53:x"] {
            assert!(at(bad).unwrap_err().contains("IP:PORT"), "{bad}");
        }
    }

    #[test]
    fn pins_are_key_ids() {
        let listed = pins("45819852fbdfc69a, 45819852FBDFC69A ,0011223344556677").unwrap();
        assert_eq!(listed.len(), 2);
        for bad in ["", "45819852fbdfc69a,", "45819852fbdfc69", "g5819852fbdfc69a"] {
            assert!(pins(bad).unwrap_err().contains("16 hexadecimal digits"), "{bad}");
        }
    }

    #[test]
    fn rates_are_two_whole_numbers_or_off() {
        assert_eq!(rate("50/200"), Ok(Some(Rate { per_second: 50, burst: 200 })));
        assert_eq!(rate("off"), Ok(None));
        for bad in ["", "1", "0/1", "1/0", "-1/2", "1/2/3", "none"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_collector_has_an_address_without_secrets() {
        for good in ["http://127.0.0.1:4318", "https://otel.example.net/in"] {
            assert_eq!(collector(good), Ok(good.to_owned()));
        }
        for bad in ["", "127.0.0.1:4318", "http://", "http://me:word@host", "http://host?key=1"] {
            assert!(collector(bad).unwrap_err().contains("http://HOST"), "{bad}");
        }
    }

    #[test]
    fn agents_are_counted_or_not_limited() {
        assert_eq!((agents_max("200000"), agents_max("off")), (Ok(Some(200_000)), Ok(None)));
        for bad in ["0", "-1", "many", ""] {
            assert!(agents_max(bad).unwrap_err().contains("off"), "{bad}");
        }
    }

    #[test]
    fn what_is_kept_has_an_age_and_a_size_or_no_end() {
        assert_eq!((kept_age("3600"), kept_age("off")), (Ok(Some(3600)), Ok(None)));
        assert_eq!((kept_bytes("1048576"), kept_bytes("off")), (Ok(Some(1 << 20)), Ok(None)));
        for bad in ["", "3599", "30d", "-1"] {
            assert!(kept_age(bad).unwrap_err().contains("from 3600"), "{bad}");
        }
        for bad in ["", "1048575", "1G", "-1"] {
            assert!(kept_bytes(bad).unwrap_err().contains("at least 1048576"), "{bad}");
        }
    }

    #[test]
    fn keys_are_counted_and_measured() {
        let key = "k".repeat(16);
        assert_eq!(psks(&format!("{key}, {key}")).unwrap().len(), 2);
        assert!(psks(&format!("{key},{key},{key},{key}")).is_err());
        assert!(psks(&format!("{key},short")).unwrap_err().starts_with("key 2 has 5"));
        assert!(psks(&format!("{key},")).is_err());
    }
}
