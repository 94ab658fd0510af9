//! The lists of settings: tables that give the flags, the names in the environment, the help
//! text and the defaults, so that they cannot drift apart.
//!
//! Manager and agent share one space of names. What both use stands in the manager's table and
//! is named in [`SHARED`]; no name means two things.

pub mod agent;
pub mod archive;
pub mod bounds;
pub mod sign_in;

use agent::AGENT;
use archive::ARCHIVE;
use bounds::BOUNDS;
use sign_in::SIGN_IN;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Name in the environment and in `.env`.
    pub env: &'static str,
    /// Long flag, without dashes; `None` for secrets, since every user of a host can read the
    /// command lines of all processes.
    pub flag: Option<&'static str>,
    /// What its value looks like.
    pub value: &'static str,
    /// The value that holds when it is not set; `None` if not setting it means something else.
    pub default: Option<&'static str>,
    /// What it does, in one line.
    pub help: &'static str,
}

const fn setting(
    env: &'static str,
    flag: Option<&'static str>,
    value: &'static str,
    default: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting { env, flag, value, default, help }
}

/// The settings of the manager but for those in [`BOUNDS`], [`ARCHIVE`] and [`SIGN_IN`], in the order
/// of the documentation.
pub const SETTINGS: &[Setting] = &[
    setting(
        "KATTILA_LISTEN",
        Some("listen"),
        "IP:PORT",
        Some("127.0.0.1:5086"),
        "Address of the one HTTP door; port 0 picks a free one",
    ),
    setting(
        "KATTILA_DB",
        Some("db"),
        "FILE",
        Some("kattila_manager.db"),
        "SQLite database file, created with mode 0600",
    ),
    setting(
        "KATTILA_DNS_NAME",
        Some("dns-name"),
        "NAME",
        None,
        "Name whose TXT record holds the pre-shared key",
    ),
    setting(
        "KATTILA_DNS_SERVER",
        Some("dns-server"),
        "IP[:PORT]",
        None,
        "DNS server to ask instead of the system's resolver",
    ),
    setting(
        "KATTILA_DNS_TLS_NAME",
        Some("dns-tls-name"),
        "NAME",
        None,
        "Ask the DNS server over TLS only; its certificate must carry this name",
    ),
    setting(
        "KATTILA_DNS_TLS_CA",
        Some("dns-tls-ca"),
        "FILE",
        None,
        "Authority (PEM) of the DNS server's certificate instead of the system's",
    ),
    setting(
        "KATTILA_DNS_PIN",
        Some("dns-pin"),
        "KEYID[,KEYID...]",
        None,
        "Ids of the only keys to take from DNS",
    ),
    setting(
        "KATTILA_DNSSEC",
        Some("dnssec"),
        "off|opportunistic|require",
        Some("opportunistic"),
        "How much proof the TXT record must bring",
    ),
    setting(
        "KATTILA_DNSSEC_ANCHOR",
        Some("dnssec-anchor"),
        "FILE",
        None,
        "Trust anchors to validate with instead of the root's",
    ),
    setting(
        "KATTILA_PSK",
        None,
        "KEY[,KEY[,KEY]]",
        None,
        "Pre-shared keys instead of DNS, the current one first",
    ),
    setting(
        "KATTILA_PSK_FILE",
        Some("psk-file"),
        "FILE",
        None,
        "File with pre-shared keys, one per line, the current one first",
    ),
    setting(
        "KATTILA_PSK_CACHE",
        Some("psk-cache"),
        "on|off",
        Some("on"),
        "Keep the last known keys for a start while DNS is down: in the database, or in the agent's directory until it is enrolled",
    ),
    setting(
        "KATTILA_PSK_GRACE",
        Some("psk-grace"),
        "SECONDS",
        Some("86400"),
        "How long a key is accepted after its source stopped listing it, at most a week",
    ),
    setting(
        "KATTILA_MAX_SKEW",
        Some("max-skew"),
        "SECONDS",
        Some("600"),
        "How far a report's timestamp may be from the manager's clock",
    ),
    setting(
        "KATTILA_NONCE_WINDOW",
        Some("nonce-window"),
        "COUNT",
        Some("120"),
        "Nonces remembered per agent at least",
    ),
    setting(
        "KATTILA_REPORT_INTERVAL",
        Some("report-interval"),
        "SECONDS",
        Some("30"),
        "Seconds between reports that agents are told to keep; lateness follows from it",
    ),
    setting(
        "KATTILA_ADMIN_TOKEN",
        None,
        "TOKEN",
        None,
        "Bearer token with every right; without it one is made at the first start and printed once",
    ),
    setting(
        "KATTILA_ADMIN_TOKEN_FILE",
        Some("admin-token-file"),
        "FILE",
        None,
        "File that holds the admin token",
    ),
    setting(
        "KATTILA_ANONYMOUS_ROLE",
        Some("anonymous-role"),
        "none|viewer",
        Some("none"),
        "viewer lets anyone who reaches the door look, not touch",
    ),
    setting(
        "KATTILA_ENROLL",
        Some("enroll"),
        "open|approve|closed",
        Some("open"),
        "What happens to agents not seen before",
    ),
    setting(
        "KATTILA_MIN_VERSION",
        Some("min-version"),
        "1|2",
        Some("1"),
        "Lowest signature scheme accepted",
    ),
    setting(
        "KATTILA_RELAY_PSK",
        Some("relay-psk"),
        "0|1",
        Some("0"),
        "1 lets agents without a key of their own relay, under the shared key",
    ),
    setting(
        "KATTILA_V1_CANON",
        Some("v1-canon"),
        "auto|raw",
        Some("auto"),
        "Which bytes a version 1 signature may cover: the usual serialisations, or only the bytes \
         as received",
    ),
    setting(
        "KATTILA_V1_BODY_DEDUP",
        Some("v1-body-dedup"),
        "alarm|refuse|off",
        Some("alarm"),
        "What to do about a version 1 report that looks recorded and sent again",
    ),
    setting(
        "KATTILA_RATE_AGENT",
        Some("rate-agent"),
        "RATE/BURST|off",
        Some("1/60"),
        "Verified reports per second and burst that one agent may send",
    ),
    setting(
        "KATTILA_RATE_SOURCE",
        Some("rate-source"),
        "RATE/BURST|off",
        Some("50/200"),
        "Refused requests per second and burst from one address before it gets 429 unread",
    ),
    setting(
        "KATTILA_DURABILITY",
        Some("durability"),
        "full|normal",
        Some("full"),
        "full survives a power loss, normal survives a crash of the program",
    ),
    setting(
        "KATTILA_STRICT_STORAGE",
        Some("strict-storage"),
        "0|1",
        Some("0"),
        "1 refuses to start on a database that lacks acknowledged reports, instead of an alarm",
    ),
    setting(
        "KATTILA_REPORTS_AGE",
        Some("reports-age"),
        "SECONDS|off",
        Some("2592000"),
        "How long stored reports are kept",
    ),
    setting(
        "KATTILA_REPORTS_BYTES",
        Some("reports-bytes"),
        "BYTES|off",
        Some("10737418240"),
        "Most bytes of stored reports in the database; beyond it the oldest go",
    ),
    setting(
        "KATTILA_EVENTS_AGE",
        Some("events-age"),
        "SECONDS|off",
        Some("31536000"),
        "How long the history is kept; what still holds of it stays",
    ),
    setting(
        "KATTILA_EVENTS_BYTES",
        Some("events-bytes"),
        "BYTES|off",
        Some("1073741824"),
        "Most bytes of history in the database; beyond it the oldest goes",
    ),
    setting(
        "KATTILA_ALARMS_AGE",
        Some("alarms-age"),
        "SECONDS|off",
        Some("31536000"),
        "How long cleared alarms are kept",
    ),
    setting(
        "KATTILA_ALARMS_BYTES",
        Some("alarms-bytes"),
        "BYTES|off",
        Some("268435456"),
        "Most bytes of alarms in the database; beyond it the oldest cleared ones go",
    ),
    setting(
        "KATTILA_ROLLUPS",
        Some("rollups"),
        "all|hourly|off",
        Some("all"),
        "Which rows of counters and handshakes are made of stored reports for the curves",
    ),
    setting(
        "KATTILA_SLOTS_AGE",
        Some("slots-age"),
        "SECONDS|off",
        Some("2592000"),
        "How long 5-minute rows of counters are kept",
    ),
    setting(
        "KATTILA_SLOTS_BYTES",
        Some("slots-bytes"),
        "BYTES|off",
        Some("2147483648"),
        "Most bytes of 5-minute rows in the database; beyond it the oldest go",
    ),
    setting(
        "KATTILA_HOURS_AGE",
        Some("hours-age"),
        "SECONDS|off",
        Some("34560000"),
        "How long hourly rows of counters are kept",
    ),
    setting(
        "KATTILA_HOURS_BYTES",
        Some("hours-bytes"),
        "BYTES|off",
        Some("1073741824"),
        "Most bytes of hourly rows in the database; beyond it the oldest go",
    ),
    setting(
        "KATTILA_NOTIFY_FILE",
        Some("notify-file"),
        "FILE",
        None,
        "File (TOML) that says who is told of which alarms; read again at a hangup",
    ),
    setting(
        "KATTILA_RULES_FILE",
        Some("rules-file"),
        "FILE",
        None,
        "File (TOML) that changes thresholds, delays and severities of alarms; read again at a hangup",
    ),
    setting(
        "KATTILA_LOG",
        Some("log"),
        "FILTER",
        Some("info"),
        "What is logged: error, warn, info, debug, trace or a tracing filter",
    ),
    setting(
        "KATTILA_LOG_FORMAT",
        Some("log-format"),
        "text|json",
        Some("text"),
        "How log lines look",
    ),
    setting(
        "KATTILA_METRICS_LISTEN",
        Some("metrics-listen"),
        "IP:PORT",
        None,
        "Address of a second door with Prometheus metrics",
    ),
    setting(
        "KATTILA_TLS_CERT",
        Some("tls-cert"),
        "FILE",
        None,
        "Certificate chain (PEM); the door then speaks TLS",
    ),
    setting(
        "KATTILA_TLS_KEY",
        Some("tls-key"),
        "FILE",
        None,
        "Private key of the certificate (PEM)",
    ),
    setting(
        "KATTILA_TLS_CLIENT_CA",
        Some("tls-client-ca"),
        "FILE",
        None,
        "Authorities (PEM) one of which must have signed every client's certificate",
    ),
    setting(
        "KATTILA_INSECURE_HTTP",
        Some("insecure-http"),
        "0|1",
        Some("0"),
        "1 allows signing in over plain HTTP on an address other than loopback",
    ),
];

/// Settings of the manager that mean the same to the agent.
pub const SHARED: &[&str] = &[
    "KATTILA_DNS_NAME",
    "KATTILA_DNS_SERVER",
    "KATTILA_DNS_TLS_NAME",
    "KATTILA_DNS_TLS_CA",
    "KATTILA_DNS_PIN",
    "KATTILA_DNSSEC",
    "KATTILA_DNSSEC_ANCHOR",
    "KATTILA_PSK",
    "KATTILA_PSK_FILE",
    "KATTILA_PSK_CACHE",
    "KATTILA_LOG",
    "KATTILA_LOG_FORMAT",
];

/// Every setting of either side.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    of_manager().chain(AGENT)
}

/// The settings of the manager.
pub fn of_manager() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().chain(BOUNDS).chain(ARCHIVE).chain(SIGN_IN)
}

/// The settings of the agent: its own and the shared ones.
pub fn of_agent() -> impl Iterator<Item = &'static Setting> {
    AGENT.iter().chain(SETTINGS.iter().filter(|setting| SHARED.contains(&setting.env)))
}

/// The setting of a name in the environment.
pub fn find(env: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.env == env)
}

/// The known name that is most like an unknown one.
pub fn nearest(unknown: &str) -> Option<&'static str> {
    all()
        .map(|setting| (strsim::damerau_levenshtein(setting.env, unknown), setting.env))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
