//! The few settings of commands that speak to a manager on the same host.

use std::net::SocketAddr;

use zeroize::Zeroizing;

use super::mistake::ConfigError;
use super::read;
use super::source::Values;

/// Where the manager's door is, and what opens it.
pub struct HostSettings {
    /// The door's address.
    pub listen: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The admin token, if it is set.
    pub admin_token: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for HostSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostSettings").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl HostSettings {
    /// Checks these settings only: the others are the manager's business.
    pub fn load(values: &Values) -> Result<Self, ConfigError> {
        read::host(values).map_err(ConfigError::Mistakes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_source_is_needed_to_speak_to_a_manager() {
        let token = ("KATTILA_ADMIN_TOKEN", "a-token-for-the-test");
        let settings = HostSettings::load(&Values::from_pairs([token])).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:5086");
        assert!(!settings.tls && settings.admin_token.is_some());
        assert!(!format!("{settings:?}").contains(token.1));
        let wrong = Values::from_pairs([("KATTILA_LISTEN", "x"), ("KATTILA_ADMIN_TOKEN", "short")]);
        let Err(ConfigError::Mistakes(all)) = HostSettings::load(&wrong) else {
            panic!("accepted")
        };
        assert_eq!(all.len(), 2);
    }
}
