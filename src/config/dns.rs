//! The DNS settings of commands that need the fleet's key without being the manager.

use crate::keys::dns::DnsConfig;

use super::mistake::ConfigError;
use super::read;
use super::source::Values;

/// What to ask DNS for and whom, as the manager would; `None` if no name is set. Checks these
/// settings only.
///
/// # Errors
/// Every mistake in them.
pub fn load(values: &Values) -> Result<Option<DnsConfig>, ConfigError> {
    read::dns(values).map_err(ConfigError::Mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(pairs: &[(&str, &str)]) -> Result<Option<DnsConfig>, ConfigError> {
        load(&Values::from_pairs(pairs.iter().copied()))
    }

    const NAME: (&str, &str) = ("KATTILA_DNS_NAME", "_kattila.example.net");
    const SERVER: (&str, &str) = ("KATTILA_DNS_SERVER", "192.0.2.53");

    fn mistakes(pairs: &[(&str, &str)]) -> Vec<String> {
        match loaded(pairs) {
            Err(ConfigError::Mistakes(all)) => all.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_name_is_no_source() {
        assert!(loaded(&[]).unwrap().is_none());
        let config = loaded(&[NAME]).unwrap().unwrap();
        assert!(config.server.is_none() && config.pins.is_empty());
    }

    #[test]
    fn the_port_follows_from_the_protocol_unless_it_is_told() {
        let server =
            |pairs: &[(&str, &str)]| loaded(pairs).unwrap().unwrap().server.unwrap().to_string();
        assert_eq!(server(&[NAME, SERVER]), "192.0.2.53:53");
        let tls = ("KATTILA_DNS_TLS_NAME", "dns.example.net");
        assert_eq!(server(&[NAME, SERVER, tls]), "192.0.2.53:853 over TLS as dns.example.net");
        let told = ("KATTILA_DNS_SERVER", "192.0.2.53:5353");
        assert_eq!(server(&[NAME, told, tls]), "192.0.2.53:5353 over TLS as dns.example.net");
    }

    #[test]
    fn half_of_tls_is_a_mistake_and_never_plain_dns() {
        let tls = ("KATTILA_DNS_TLS_NAME", "dns.example.net");
        let ca = |file| ("KATTILA_DNS_TLS_CA", file);
        for (pairs, begin) in [
            (vec![NAME, tls], "KATTILA_DNS_TLS_NAME: needs KATTILA_DNS_SERVER"),
            (vec![NAME, SERVER, ca("/dev/null")], "KATTILA_DNS_TLS_CA: does nothing without"),
            (vec![NAME, SERVER, tls, ca("/nowhere/ca.pem")], "KATTILA_DNS_TLS_CA: /nowhere"),
            (vec![NAME, SERVER, tls, ca("/dev/null")], "KATTILA_DNS_TLS_CA: /dev/null cannot"),
            (vec![NAME, SERVER, ("KATTILA_DNS_TLS_NAME", "a b")], "KATTILA_DNS_TLS_NAME: \"a b\""),
        ] {
            let told = mistakes(&pairs);
            assert!(told.len() == 1 && told[0].starts_with(begin), "{told:?}");
        }
    }

    #[test]
    fn what_needs_a_name_says_so() {
        let told = mistakes(&[
            SERVER,
            ("KATTILA_DNS_TLS_NAME", "dns.example.net"),
            ("KATTILA_DNS_PIN", "45819852fbdfc69a"),
        ]);
        for name in ["KATTILA_DNS_SERVER", "KATTILA_DNS_TLS_NAME", "KATTILA_DNS_PIN"] {
            let begin = format!("{name}: does nothing without KATTILA_DNS_NAME");
            assert!(told.iter().any(|mistake| mistake.starts_with(&begin)), "{name}: {told:?}");
        }
    }
}
