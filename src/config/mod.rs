//! The settings of manager and agent: the only reader of flags, environment and `.env`.
//!
//! [`Config::load`], and [`agent::AgentConfig::load`] for the agent, take raw values, checks every one, and either returns settings that cannot
//! be wrong any more or the whole list of mistakes. Secrets are redacted in `Debug`, in the
//! explanation and in every message.

pub mod agent;
pub mod archive;
pub mod dns;
pub mod explain;
pub mod flags;
pub mod host;
pub mod mistake;
pub mod notify;
mod oidc;
mod parse;
pub mod proxies;
mod read;
pub mod rules;
pub mod source;
pub mod table;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::keys::source::SourceConfig;
use crate::model::access::Role;
use crate::model::metric::Rollups;
use crate::model::rate::Rate;
use crate::oidc::settings::Settings;
use crate::verify::bodies::Suspicion;

use archive::Archive;
use mistake::ConfigError;
use notify::Notify;
use proxies::Proxies;
use rules::Rules;
use source::Values;

/// Everything the manager is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the door listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The database file.
    pub db: PathBuf,
    /// Where the pre-shared keys come from.
    pub keys: Keys,
    /// What a report must fulfil.
    pub verify: Verify,
    /// How fast agents may report and strangers may fail.
    pub rates: Rates,
    /// What a commit survives.
    pub durability: Durability,
    /// Whether a database that lacks acknowledged reports is refused.
    pub strict_storage: bool,
    /// Whether the database is copied before it is brought to another schema.
    pub upgrade_copy: bool,
    /// How long what grows is kept.
    pub kept: Kept,
    /// Where what is committed is archived; `None` if it is not.
    pub archive: Option<Archive>,
    /// How people are told of alarms; `None` if nobody is.
    pub notify: Option<Notify>,
    /// What of the catalogue of alarms is changed; `None` if nothing is.
    pub rules: Option<Rules>,
    /// What is logged, and how.
    pub log: Log,
    /// Where spans of requests are sent; `None` if nowhere.
    pub otlp: Option<String>,
    /// Who may look and touch.
    pub access: Access,
    /// What happens to agents not seen before.
    pub enroll: Enroll,
    /// Agents that are registered at most; `None` for no limit.
    pub agents_max: Option<usize>,
    /// Seconds between reports that agents are told to keep.
    pub interval: u32,
    /// Whose word about a client is taken.
    pub proxies: Proxies,
    /// Where people can sign in elsewhere.
    pub oidc: Option<Settings>,
    /// TLS for the door; `None` for plain HTTP.
    pub tls: Option<Tls>,
    /// The metrics' own door, if there is one.
    pub metrics: Option<SocketAddr>,
}

/// Where the pre-shared keys come from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The source. When several are set, a file wins over the environment and the environment
    /// over DNS.
    pub source: SourceConfig,
    /// Whether the last known keys are kept in the database.
    pub cache: bool,
    /// Seconds a key is accepted after its source stopped listing it.
    pub grace: u32,
}

/// What a report must fulfil.
#[derive(Debug, Clone, Copy)]
pub struct Verify {
    /// Seconds a timestamp may differ from the manager's clock.
    pub max_skew: u32,
    /// Nonces remembered per agent at least.
    pub nonce_window: usize,
    /// Lowest signature scheme accepted, 1 or 2.
    pub min_version: u8,
    /// Whether version 1 signatures over the bytes as received are the only ones taken.
    pub raw_only: bool,
    /// Whether agents without a key of their own may relay.
    pub relay_psk: bool,
    /// What to do about version 1 reports that look recorded.
    pub v1_repeats: Suspicion,
}

/// The limits by agent and by address; `None` for no limit.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Verified reports of one agent.
    pub agent: Option<Rate>,
    /// Refused requests of one address.
    pub source: Option<Rate>,
    /// New agents from one address.
    pub new: Option<Rate>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power loss, if the disk is honest.
    Full,
    /// A crash of the program or the kernel losing nothing that reached the disk.
    Normal,
}

/// How long what grows is kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// Stored reports.
    pub reports: KeptBy,
    /// The history.
    pub events: KeptBy,
    /// Cleared alarms.
    pub alarms: KeptBy,
    /// Which rows of counters are made.
    pub rollups: Rollups,
    /// Those of five minutes.
    pub slots: KeptBy,
    /// Those by the hour.
    pub hours: KeptBy,
}

/// The limits of one kind of rows; whichever is reached first holds, `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptBy {
    /// Seconds.
    pub age: Option<u32>,
    /// Bytes in the database.
    pub bytes: Option<u64>,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// A tracing filter.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// Who may look and touch.
#[derive(Clone)]
pub struct Access {
    /// The token with every right; `None` if the manager makes one at its first start.
    pub admin_token: Option<Zeroizing<String>>,
    /// What callers without a token may do.
    pub anonymous: Option<Role>,
    /// For how many days a link may be shared at most; none: not at all.
    pub share_days: u32,
    /// Fewest characters of a password that is chosen from now on.
    pub password_min: usize,
    /// Who is given pseudonyms instead of names and addresses, whoever they are.
    pub masked: Vec<Role>,
    /// Whether signing in over plain HTTP is allowed beyond loopback.
    pub insecure_http: bool,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("admin_token", &self.admin_token.as_ref().map(|_| "(hidden)"))
            .field("anonymous", &self.anonymous)
            .field("share_days", &self.share_days)
            .field("password_min", &self.password_min)
            .field("masked", &self.masked)
            .field("insecure_http", &self.insecure_http)
            .finish()
    }
}

/// What happens to agents not seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enroll {
    /// Their first valid report registers them.
    Open,
    /// They wait for an admin.
    Approve,
    /// They are refused.
    Closed,
}

/// TLS for the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain (PEM).
    pub cert: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Authorities for client certificates (PEM); `None` if clients need none.
    pub client_ca: Option<PathBuf>,
}

impl Config {
    /// Checks all values. A wrong value never hides another one.
    pub fn load(values: &Values) -> Result<Self, ConfigError> {
        if values.is_empty() {
            return Err(ConfigError::NothingSet);
        }
        read::read(values).map_err(ConfigError::Mistakes)
    }

    /// Whether anybody can sign in at this door as it is: over TLS, through a proxy that speaks
    /// it, on loopback, or because an admin accepted plain HTTP. Each request is looked at by
    /// itself then.
    pub fn sign_in_allowed(&self) -> bool {
        let sealed = self.tls.is_some() || !self.proxies.trusted.is_empty();
        sealed || self.listen.ip().is_loopback() || self.access.insecure_http
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "kattila-test-psk-000000000000000";

    fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::load(&Values::from_pairs(pairs.iter().copied()))
    }

    fn mistakes(pairs: &[(&str, &str)]) -> Vec<String> {
        match load(pairs) {
            Err(ConfigError::Mistakes(all)) => all.iter().map(ToString::to_string).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_enough_and_the_rest_has_defaults() {
        let config = load(&[("KATTILA_PSK", KEY)]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:5086");
        assert_eq!(config.db, PathBuf::from("kattila_manager.db"));
        assert_eq!(config.verify.max_skew, 600);
        assert_eq!(config.interval, 30);
        assert_eq!(config.rates.agent, Some(Rate { per_second: 1, burst: 60 }));
        assert_eq!(config.rates.source, Some(Rate { per_second: 50, burst: 200 }));
        assert_eq!(config.durability, Durability::Full);
        let reports = KeptBy { age: Some(30 * 86_400), bytes: Some(10 << 30) };
        assert_eq!(config.kept.reports, reports);
        assert_eq!(config.kept.rollups, Rollups::All);
        assert_eq!(config.kept.slots.age, Some(30 * 86_400));
        assert_eq!(config.kept.hours.age, Some(400 * 86_400));
        assert_eq!(config.enroll, Enroll::Open);
        assert!(config.tls.is_none() && config.metrics.is_none());
        assert!(config.access.anonymous.is_none() && config.access.admin_token.is_none());
    }

    #[test]
    fn nothing_at_all_tells_how_to_get_going() {
        let Err(error) = load(&[]) else { panic!("accepted nothing") };
        assert_eq!(error, ConfigError::NothingSet);
        assert!(error.to_string().contains("kattila demo"));
    }

    #[test]
    fn roles_are_given_pseudonyms_and_admins_never() {
        let masked = |roles| load(&[("KATTILA_PSK", KEY), ("KATTILA_MASK_ROLES", roles)]);
        let roles = masked("viewer, operator").unwrap().access.masked;
        assert_eq!(roles, [Role::Viewer, Role::Operator]);
        assert!(load(&[("KATTILA_PSK", KEY)]).unwrap().access.masked.is_empty());
        for bad in ["admin", "viewer,guest"] {
            let all = mistakes(&[("KATTILA_PSK", KEY), ("KATTILA_MASK_ROLES", bad)]);
            assert!(all.iter().any(|one| one.starts_with("KATTILA_MASK_ROLES")), "{all:?}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let all = mistakes(&[
            ("KATTILA_LISTEN", "localhost"),
            ("KATTILA_MAX_SKEW", "ten"),
            ("KATTILA_REPORT_INTERVAL", "0"),
            ("KATTILA_DURABILITY", "most"),
            ("KATTILA_RATE_AGENT", "1"),
            ("KATTILA_REPORTS_AGE", "30d"),
            ("KATTILA_EVENTS_BYTES", "0"),
            ("KATTILA_ROLLUPS", "daily"),
            ("KATTILA_LISTNE", "x"),
            ("KATTILA_TLS_CERT", "/nowhere/cert.pem"),
            ("KATTILA_DNS_SERVER", "127.0.0.1:53"),
        ]);
        for name in [
            "KATTILA_LISTEN:",
            "KATTILA_MAX_SKEW:",
            "KATTILA_REPORT_INTERVAL:",
            "KATTILA_DURABILITY:",
            "KATTILA_RATE_AGENT:",
            "KATTILA_REPORTS_AGE:",
            "KATTILA_EVENTS_BYTES:",
            "KATTILA_ROLLUPS:",
            "KATTILA_LISTNE:",
            "KATTILA_TLS_CERT:",
            "KATTILA_TLS_KEY:",
            "KATTILA_DNS_SERVER:",
        ] {
            assert!(all.iter().any(|mistake| mistake.starts_with(name)), "{name} in {all:#?}");
        }
    }

    #[test]
    fn settings_that_say_nothing_about_keys_are_a_mistake() {
        let all = mistakes(&[("KATTILA_DB", "x.db")]);
        assert_eq!(all.len(), 1);
        assert!(all[0].starts_with("KATTILA_DNS_NAME: "), "{all:?}");
    }

    #[test]
    fn half_set_groups_are_refused() {
        let with = |name, value| mistakes(&[("KATTILA_PSK", KEY), (name, value)]);
        assert!(with("KATTILA_TLS_KEY", "/dev/null")[0].starts_with("KATTILA_TLS_CERT:"));
        assert!(with("KATTILA_TLS_CLIENT_CA", "/dev/null")[0].starts_with("KATTILA_TLS_CERT:"));
        assert!(with("KATTILA_DNSSEC_ANCHOR", "/dev/null")[0].starts_with("KATTILA_DNSSEC_ANCHOR"));
    }

    #[test]
    fn a_file_wins_over_the_environment_and_that_over_dns() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("psk");
        std::fs::write(&file, KEY).unwrap();
        let mut pairs = vec![("KATTILA_DNS_NAME", "_kattila.example.org"), ("KATTILA_PSK", KEY)];
        assert!(matches!(load(&pairs).unwrap().keys.source, SourceConfig::Environment(_)));
        let file = file.to_str().unwrap().to_owned();
        pairs.push(("KATTILA_PSK_FILE", &file));
        assert!(matches!(load(&pairs).unwrap().keys.source, SourceConfig::File(_)));
        let dns = load(&pairs[..1]).unwrap();
        assert!(matches!(dns.keys.source, SourceConfig::Dns(_)));
    }

    #[test]
    fn no_secret_shows_in_any_text() {
        let secret = "s3cret-admin-token-value";
        let config = load(&[("KATTILA_PSK", KEY), ("KATTILA_ADMIN_TOKEN", secret)]).unwrap();
        let shown = format!("{config:?} {}", explain::explain(&config));
        assert!(!shown.contains(KEY) && !shown.contains(secret), "{shown}");

        let short = mistakes(&[("KATTILA_PSK", "hunter2"), ("KATTILA_ADMIN_TOKEN", "pass wd")]);
        assert_eq!(short.len(), 2);
        let shown = short.join("\n");
        assert!(!shown.contains("hunter2") && !shown.contains("pass wd"), "{shown}");
    }

    #[test]
    fn an_admin_token_file_must_be_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "token-from-a-file\n").unwrap();
        let name = file.to_str().unwrap().to_owned();
        let pairs = [("KATTILA_PSK", KEY), ("KATTILA_ADMIN_TOKEN_FILE", name.as_str())];
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(mistakes(&pairs)[0].contains("chmod 600"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let token = load(&pairs).unwrap().access.admin_token;
        assert_eq!(token.as_deref().map(String::as_str), Some("token-from-a-file"));
    }

    #[test]
    fn signing_in_needs_tls_loopback_or_consent() {
        let allowed = |listen, insecure| {
            load(&[
                ("KATTILA_PSK", KEY),
                ("KATTILA_LISTEN", listen),
                ("KATTILA_INSECURE_HTTP", insecure),
            ])
            .unwrap()
            .sign_in_allowed()
        };
        assert!(allowed("127.0.0.1:0", "0"));
        assert!(allowed("[::1]:0", "0"));
        assert!(!allowed("0.0.0.0:5086", "0"));
        assert!(allowed("0.0.0.0:5086", "1"));
    }
}
