//! Whose word about a client is taken: the proxies in front of the door.

use std::net::IpAddr;

use ipnet::IpNet;

use super::read::Reading;

/// The proxies, and what they may say beside a client's address and scheme.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Their addresses. A network of IPv4 stands for its disguise in IPv6 as well.
    pub trusted: Vec<IpNet>,
    /// The header in which they name a user whom they have let in, in lower case.
    pub user_header: Option<String>,
}

/// Headers that mean something else, so that a proxy passes on what a client sends in them.
const TAKEN: [&str; 9] = [
    "authorization",
    "cookie",
    "host",
    "origin",
    "content-type",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-kattila-form",
    "x-request-id",
];

impl Reading<'_> {
    /// The settings about proxies.
    pub(super) fn proxies(&mut self) -> Option<Proxies> {
        let told = self.values.get("KATTILA_TRUSTED_PROXIES").is_some();
        let trusted = self.optional("KATTILA_TRUSTED_PROXIES", networks);
        let user_header = self.optional("KATTILA_PROXY_USER_HEADER", header);
        if user_header.is_some() && !told {
            self.wrong(
                "KATTILA_PROXY_USER_HEADER",
                "needs KATTILA_TRUSTED_PROXIES: the name is taken from those proxies only",
            );
        }
        Some(Proxies { trusted: trusted.unwrap_or_default(), user_header })
    }
}

/// Networks and single addresses, separated by commas.
fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',').map(str::trim).map(network).collect()
}

fn network(word: &str) -> Result<IpNet, String> {
    let net = word.parse::<IpNet>().ok().or_else(|| Some(word.parse::<IpAddr>().ok()?.into()));
    let net = net.ok_or_else(|| {
        format!("\"{word}\" is not a network or address, such as 10.0.0.0/8 or 2001:db8::1")
    })?;
    match net.prefix_len() {
        0 => Err(format!("\"{word}\" would believe everybody; name the proxies' own addresses")),
        _ => Ok(net.trunc()),
    }
}

/// The name of a header (RFC 9110 section 5.1).
fn header(text: &str) -> Result<String, String> {
    let name = text.to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(format!("\"{text}\" is not the name of a header, such as Remote-User"));
    }
    if TAKEN.contains(&name.as_str()) {
        return Err(format!("\"{text}\" means something else already; choose another header"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_but_never_everybody() {
        let listed = networks("10.1.2.3/8, 192.0.2.1 ,2001:db8::/32,::1").unwrap();
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::1/128"]);
        for bad in ["", "10.0.0.0/33", "proxy.example", "10.0.0.1,", "10.0.0.1:80"] {
            assert!(networks(bad).unwrap_err().contains("not a network"), "{bad}");
        }
        for bad in ["0.0.0.0/0", "::/0"] {
            assert!(networks(bad).unwrap_err().contains("everybody"), "{bad}");
        }
    }

    #[test]
    fn a_header_of_its_own() {
        assert_eq!(header("Remote-User").unwrap(), "remote-user");
        for bad in ["", "Remote User", "Cookie", "remote_user", "authorization"] {
            assert!(header(bad).is_err(), "{bad}");
        }
    }
}
