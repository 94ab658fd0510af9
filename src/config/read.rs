//! All raw values into one [`Config`], or the list of everything that is wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::keys::dns::tls::DnsTls;
use crate::keys::dns::{DnsConfig, DnsServer};
use crate::keys::source::SourceConfig;
use crate::model::password;

use super::host::HostSettings;
use super::mistake::Mistake;
use super::notify::{self, Notify};
use super::rules::{self, Rules};
use super::source::Values;
use super::{Access, Config, Kept, KeptBy, Keys, Log, Rates, Tls, Verify, parse, table};

/// A token file larger than this holds something else.
const MAX_TOKEN_FILE_BYTES: u64 = 4096;

/// A key that leaked must not stay accepted for longer than a week (PROTOCOL 4, A11).
const MAX_GRACE: u32 = 604_800;

pub(super) fn read(values: &Values) -> Result<Config, Vec<Mistake>> {
    let mut from = Reading::new(values);
    let config = from.config();
    match config {
        Some(config) if from.mistakes.is_empty() => Ok(config),
        _ => Err(from.mistakes),
    }
}

pub(super) fn host(values: &Values) -> Result<HostSettings, Vec<Mistake>> {
    let mut from = Reading::new(values);
    let listen = from.required("KATTILA_LISTEN", parse::address);
    let admin_token = from.admin_token();
    let tls = values.get("KATTILA_TLS_CERT").is_some();
    match listen {
        Some(listen) if from.mistakes.is_empty() => Ok(HostSettings { listen, tls, admin_token }),
        _ => Err(from.mistakes),
    }
}

/// The DNS source of a command that signs; `None` if no name is set.
pub(super) fn dns(values: &Values) -> Result<Option<DnsConfig>, Vec<Mistake>> {
    let mut from = Reading::new(values);
    let config = from.dns();
    if from.mistakes.is_empty() { Ok(config) } else { Err(from.mistakes) }
}

/// What does nothing as long as no name is asked for.
const ABOUT_DNS: [&str; 5] = [
    "KATTILA_DNS_SERVER",
    "KATTILA_DNS_TLS_NAME",
    "KATTILA_DNS_TLS_CA",
    "KATTILA_DNS_PIN",
    "KATTILA_DNSSEC_ANCHOR",
];

/// The raw values, and what was found wrong so far. A method returns `None` only after it has
/// noted a mistake, or where the setting may be absent.
pub(super) struct Reading<'a> {
    pub(super) values: &'a Values,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(values: &'a Values) -> Self {
        Self { values, mistakes: values.mistakes().to_vec() }
    }

    fn config(&mut self) -> Option<Config> {
        // Every part is read before the first `?`, so that no mistake hides another.
        let listen = self.required("KATTILA_LISTEN", parse::address);
        let db = self.required("KATTILA_DB", |text| Ok(PathBuf::from(text)));
        let keys = self.keys();
        let verify = self.verify();
        let agent = self.required("KATTILA_RATE_AGENT", parse::rate);
        let source = self.required("KATTILA_RATE_SOURCE", parse::rate);
        let new = self.required("KATTILA_RATE_NEW", parse::rate);
        let agents_max = self.required("KATTILA_AGENTS_MAX", parse::agents_max);
        let durability = self.required("KATTILA_DURABILITY", parse::durability);
        let strict_storage = self.required("KATTILA_STRICT_STORAGE", parse::zero_or_one);
        let upgrade_copy = self.required("KATTILA_UPGRADE_COPY", parse::switch);
        let kept = self.kept();
        let archive = self.archive();
        let notify = self.notify();
        let rules = self.rules();
        let log = self.log();
        let otlp = self.optional("KATTILA_OTLP_ENDPOINT", parse::collector);
        let access = self.access();
        let enroll = self.required("KATTILA_ENROLL", parse::enroll);
        let interval =
            self.required("KATTILA_REPORT_INTERVAL", |text| parse::number(text, 1, 3600));
        let proxies = self.proxies();
        let oidc = self.oidc();
        let tls = self.tls();
        let metrics = self.optional("KATTILA_METRICS_LISTEN", parse::address);
        Some(Config {
            listen: listen?,
            db: db?,
            keys: keys?,
            verify: verify?,
            rates: Rates { agent: agent?, source: source?, new: new? },
            durability: durability?,
            strict_storage: strict_storage?,
            upgrade_copy: upgrade_copy?,
            kept: kept?,
            archive,
            notify,
            rules,
            log: log?,
            otlp,
            access: access?,
            enroll: enroll?,
            agents_max: agents_max?,
            interval: interval?,
            proxies: proxies?,
            oidc,
            tls,
            metrics,
        })
    }

    fn kept(&mut self) -> Option<Kept> {
        let reports = self.kept_by("KATTILA_REPORTS_AGE", "KATTILA_REPORTS_BYTES");
        let events = self.kept_by("KATTILA_EVENTS_AGE", "KATTILA_EVENTS_BYTES");
        let alarms = self.kept_by("KATTILA_ALARMS_AGE", "KATTILA_ALARMS_BYTES");
        let rollups = self.required("KATTILA_ROLLUPS", parse::rollups);
        let slots = self.kept_by("KATTILA_SLOTS_AGE", "KATTILA_SLOTS_BYTES");
        let hours = self.kept_by("KATTILA_HOURS_AGE", "KATTILA_HOURS_BYTES");
        Some(Kept {
            reports: reports?,
            events: events?,
            alarms: alarms?,
            rollups: rollups?,
            slots: slots?,
            hours: hours?,
        })
    }

    fn notify(&mut self) -> Option<Notify> {
        let file = self.optional("KATTILA_NOTIFY_FILE", |text| Ok(PathBuf::from(text)))?;
        match notify::read(&file) {
            Ok(plan) => Some(Notify { file, plan: Arc::new(plan) }),
            Err(mistakes) => {
                for mistake in mistakes {
                    self.wrong("KATTILA_NOTIFY_FILE", mistake);
                }
                None
            }
        }
    }

    fn rules(&mut self) -> Option<Rules> {
        let file = self.optional("KATTILA_RULES_FILE", |text| Ok(PathBuf::from(text)))?;
        match rules::read(&file) {
            Ok(tuning) => Some(Rules { file, tuning: Arc::new(tuning) }),
            Err(mistakes) => {
                mistakes.into_iter().for_each(|one| self.wrong("KATTILA_RULES_FILE", one));
                None
            }
        }
    }

    fn kept_by(&mut self, age: &str, bytes: &str) -> Option<KeptBy> {
        let age = self.required(age, parse::kept_age);
        let bytes = self.required(bytes, parse::kept_bytes);
        Some(KeptBy { age: age?, bytes: bytes? })
    }

    fn keys(&mut self) -> Option<Keys> {
        let cache = self.required("KATTILA_PSK_CACHE", parse::switch);
        let grace = self.required("KATTILA_PSK_GRACE", |text| parse::number(text, 0, MAX_GRACE));
        let source = self.key_source("so no report could be checked");
        Some(Keys { source: source?, cache: cache?, grace: grace? })
    }

    /// Where pre-shared keys come from; `without` says what could not be done without any.
    pub(super) fn key_source(&mut self, without: &str) -> Option<SourceConfig> {
        let dns = self.dns();
        let given = self.optional("KATTILA_PSK", parse::psks);
        let file = self.file("KATTILA_PSK_FILE");

        let has = |name| self.values.get(name).is_some();
        let sources = ["KATTILA_DNS_NAME", "KATTILA_PSK", "KATTILA_PSK_FILE"];
        if !sources.into_iter().any(has) {
            let problem = format!(
                "no source of pre-shared keys is set, {without}; set this, KATTILA_PSK_FILE or \
                 KATTILA_PSK"
            );
            self.wrong("KATTILA_DNS_NAME", problem);
        }
        match (file, given, dns) {
            (Some(file), _, _) => Some(SourceConfig::File(file)),
            (None, Some(given), _) => Some(SourceConfig::Environment(given)),
            (None, None, dns) => dns.map(SourceConfig::Dns),
        }
    }

    pub(super) fn log(&mut self) -> Option<Log> {
        let filter = self.required("KATTILA_LOG", parse::log_filter);
        let json = self.required("KATTILA_LOG_FORMAT", |text| {
            parse::word(text, &[("text", false), ("json", true)])
        });
        Some(Log { filter: filter?, json: json? })
    }

    /// What to ask DNS for and whom; `None` without a name.
    fn dns(&mut self) -> Option<DnsConfig> {
        let dnssec = self.required("KATTILA_DNSSEC", parse::dnssec);
        let name = self.optional("KATTILA_DNS_NAME", parse::dns_name);
        let server = self.dns_server();
        let anchor = self.file("KATTILA_DNSSEC_ANCHOR");
        let pins = self.optional("KATTILA_DNS_PIN", parse::pins).unwrap_or_default();
        if self.values.get("KATTILA_DNS_NAME").is_none() {
            let values = self.values;
            for name in ABOUT_DNS.into_iter().filter(|name| values.get(name).is_some()) {
                self.wrong(
                    name,
                    "does nothing without KATTILA_DNS_NAME; set that too or remove this",
                );
            }
        }
        Some(DnsConfig { server, pins, dnssec: dnssec?, anchor, ..DnsConfig::new(name?) })
    }

    /// The server to ask. Whatever is wrong with its TLS is a mistake, so that no half of it
    /// can turn it into a server that is asked in plain.
    fn dns_server(&mut self) -> Option<DnsServer> {
        let address = self.optional("KATTILA_DNS_SERVER", parse::dns_server);
        let ca = self.file("KATTILA_DNS_TLS_CA");
        let values = self.values;
        let set = |name| values.get(name).is_some();
        if set("KATTILA_DNS_TLS_NAME") && !set("KATTILA_DNS_SERVER") {
            self.wrong(
                "KATTILA_DNS_TLS_NAME",
                "needs KATTILA_DNS_SERVER, the server that speaks TLS",
            );
        }
        if set("KATTILA_DNS_TLS_CA") && !set("KATTILA_DNS_TLS_NAME") {
            self.wrong(
                "KATTILA_DNS_TLS_CA",
                "does nothing without KATTILA_DNS_TLS_NAME, which makes the server speak TLS",
            );
        }
        let usable_ca = ca.is_some() || !set("KATTILA_DNS_TLS_CA");
        let tls = self.optional("KATTILA_DNS_TLS_NAME", |name| {
            DnsTls::new(name, ca).map_err(|invalid| invalid.to_string())
        });
        if let Some(tls) = tls.as_ref().filter(|_| usable_ca)
            && let Err(problem) = tls.check()
        {
            self.wrong("KATTILA_DNS_TLS_CA", problem.to_string());
        }
        let (ip, port) = address?;
        Some(DnsServer::at(ip, port, tls))
    }

    fn verify(&mut self) -> Option<Verify> {
        let skew = self.required("KATTILA_MAX_SKEW", |text| parse::number(text, 1, 86_400));
        let window = self.required("KATTILA_NONCE_WINDOW", |text| parse::number(text, 1, 100_000));
        let version =
            self.required("KATTILA_MIN_VERSION", |text| parse::word(text, &[("1", 1), ("2", 2)]));
        let raw_only = self.required("KATTILA_V1_CANON", |text| {
            parse::word(text, &[("auto", false), ("raw", true)])
        });
        let relay_psk = self.required("KATTILA_RELAY_PSK", parse::zero_or_one);
        let repeats = self.required("KATTILA_V1_BODY_DEDUP", |text| {
            text.parse().map_err(|wrong| format!("\"{text}\" {wrong}"))
        });
        Some(Verify {
            max_skew: skew?,
            nonce_window: usize::try_from(window?).ok()?,
            min_version: version?,
            raw_only: raw_only?,
            relay_psk: relay_psk?,
            v1_repeats: repeats?,
        })
    }

    fn access(&mut self) -> Option<Access> {
        let anonymous = self.required("KATTILA_ANONYMOUS_ROLE", parse::anonymous);
        let share_days = self.required("KATTILA_SHARE_DAYS", |text| parse::number(text, 0, 3650));
        let password_min = self.required("KATTILA_PASSWORD_MIN", password::least_of);
        let insecure_http = self.required("KATTILA_INSECURE_HTTP", parse::zero_or_one);
        let masked = match self.values.get("KATTILA_MASK_ROLES") {
            None => Some(Vec::new()),
            Some(_) => self.optional("KATTILA_MASK_ROLES", parse::masked),
        };
        let admin_token = self.admin_token();
        Some(Access {
            admin_token,
            anonymous: anonymous?,
            share_days: share_days?,
            password_min: password_min?,
            masked: masked?,
            insecure_http: insecure_http?,
        })
    }

    fn admin_token(&mut self) -> Option<Zeroizing<String>> {
        let told = self.optional("KATTILA_ADMIN_TOKEN", parse::token);
        let filed = self.optional("KATTILA_ADMIN_TOKEN_FILE", token_file);
        let values = self.values;
        if values.get("KATTILA_ADMIN_TOKEN").is_some()
            && values.get("KATTILA_ADMIN_TOKEN_FILE").is_some()
        {
            self.wrong("KATTILA_ADMIN_TOKEN", "is set beside KATTILA_ADMIN_TOKEN_FILE; keep one");
        }
        told.or(filed)
    }

    fn tls(&mut self) -> Option<Tls> {
        let cert = self.file("KATTILA_TLS_CERT");
        let key = self.file("KATTILA_TLS_KEY");
        let client_ca = self.file("KATTILA_TLS_CLIENT_CA");
        let values = self.values;
        let set = |name| values.get(name).is_some();
        let any = ["KATTILA_TLS_CERT", "KATTILA_TLS_KEY", "KATTILA_TLS_CLIENT_CA"].map(set);
        if any.contains(&true) {
            for name in ["KATTILA_TLS_CERT", "KATTILA_TLS_KEY"] {
                if !set(name) {
                    self.wrong(name, "is missing; TLS needs a certificate and its key");
                }
            }
        }
        Some(Tls { cert: cert?, key: key?, client_ca })
    }

    /// A setting that has a default in the table.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let default = table::find(name).and_then(|setting| setting.default);
        let text = self.values.get(name).or(default).unwrap_or_default().trim();
        self.note(name, parse(text))
    }

    /// A setting that may be absent.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.values.get(name)?.trim();
        self.note(name, parse(text))
    }

    pub(super) fn file(&mut self, name: &str) -> Option<PathBuf> {
        self.optional(name, |text| {
            let path = Path::new(text);
            match std::fs::metadata(path) {
                Ok(meta) if meta.is_dir() => Err(format!("{text} is a directory, not a file")),
                Ok(_) => Ok(path.to_owned()),
                Err(error) => Err(format!("{text} cannot be read: {error}")),
            }
        })
    }

    pub(super) fn note<T>(&mut self, name: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.wrong(name, problem)).ok()
    }

    pub(super) fn wrong(&mut self, name: &str, problem: impl Into<String>) {
        self.mistakes.push(Mistake::new(name, problem));
    }
}

fn token_file(text: &str) -> Result<Zeroizing<String>, String> {
    let content = private_text(Path::new(text), MAX_TOKEN_FILE_BYTES)?;
    parse::token(&content).map_err(|problem| format!("the token in {text} {problem}"))
}

/// The text of a small file that nobody else may read.
pub(super) fn private_text(path: &Path, most: u64) -> Result<Zeroizing<String>, String> {
    let text = path.display();
    let cannot = |error: std::io::Error| format!("{text} cannot be read: {error}");
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if !meta.is_file() || meta.len() > most {
        return Err(format!("{text} is not a small file that holds a secret"));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(format!("{text} can be read by other users; run: chmod 600 {text}"));
    }
    Ok(Zeroizing::new(std::fs::read_to_string(path).map_err(cannot)?))
}
