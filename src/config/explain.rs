//! What the settings mean, for `kattila check-config` and for the settings page.

use crate::alarms::tuning::Tuning;
use crate::keys::dns::Dnssec;
use crate::keys::source::SourceConfig;
use crate::model::access::Role;
use crate::model::id::{FleetId, Kid};
use crate::model::metric::Rollups;
use crate::model::rate::Rate;
use crate::model::state::AlarmKind;
use crate::model::time::duration_text;
use crate::notify::plan::{Channel, Plan, origin};
use crate::verify::bodies::Suspicion;

use super::{Access, Config, Durability, Enroll, Kept, KeptBy, Keys};

/// A token shorter than this is worth a warning: 32 hexadecimal digits are 128 bits.
const ADVISED_TOKEN_CHARS: usize = 32;

/// One line per matter, in sentences a person can check. Tells no secret.
pub fn lines(config: &Config) -> Vec<(&'static str, String)> {
    vec![
        ("Door", door(config)),
        ("Database", format!("{}, {}", config.db.display(), durability(config.durability))),
        ("Lost reports", lost(config.strict_storage).to_owned()),
        ("Reports kept", kept(config.kept.reports)),
        ("History kept", kept(config.kept.events)),
        ("Alarms kept", kept(config.kept.alarms)),
        ("Curves kept", curves(&config.kept)),
        ("Archive", archive(config)),
        ("Before an upgrade", upgrade(config.upgrade_copy).to_owned()),
        (NOTIFIED, config.notify.as_ref().map_or_else(nobody, |notify| notified(&notify.plan))),
        (RULES, config.rules.as_ref().map_or_else(catalogue, |rules| tuned(&rules.tuning))),
        ("Keys", keys(&config.keys)),
        ("Signatures", signatures(config)),
        ("New agents", enroll(config.enroll).to_owned()),
        ("Rate of new agents", rate(config.rates.new, "new agents of an address")),
        (
            "Agents at most",
            config.agents_max.map_or("no limit".to_owned(), |most| most.to_string()),
        ),
        ("Interval", format!("agents are told to report every {} s", config.interval)),
        ("Rate of an agent", rate(config.rates.agent, "reports")),
        ("Rate of an address", rate(config.rates.source, "refused requests")),
        ("Admin", admin(&config.access)),
        ("Strangers", strangers(config)),
        ("Pseudonyms", pseudonyms(&config.access.masked)),
        ("Proxies", proxies(config)),
        ("Sign-in elsewhere", elsewhere(config)),
        (
            "Log",
            format!("{} as {}", config.log.filter, if config.log.json { "JSON" } else { "text" }),
        ),
        ("Spans", config.otlp.clone().unwrap_or_else(|| "not exported".to_owned())),
        (
            "Metrics",
            config
                .metrics
                .map_or("no door for metrics".to_owned(), |at| format!("http://{at}/metrics")),
        ),
    ]
}

fn archive(config: &Config) -> String {
    config.archive.as_ref().map_or_else(
        || "none, so the database can be put back as a backup has it only".to_owned(),
        |archive| format!("{}, {}", archive.dir.display(), kept(archive.kept)),
    )
}

/// The name of the line about notifications.
pub const NOTIFIED: &str = "Notifications";

/// The name of the line about the rules of alarms.
pub const RULES: &str = "Alarm rules";

fn catalogue() -> String {
    "those of the catalogue: set KATTILA_RULES_FILE to change some".to_owned()
}

/// Of which kinds of alarms something is changed.
pub fn tuned(tuning: &Tuning) -> String {
    let kinds: Vec<&str> = tuning.described().into_keys().map(AlarmKind::as_str).collect();
    match kinds.len() {
        0 => "those of the catalogue: the rules file changes nothing".to_owned(),
        1..=5 => format!("the catalogue's, but for {}", kinds.join(", ")),
        count => format!("the catalogue's, but for {count} kinds"),
    }
}

fn nobody() -> String {
    "nobody is told of alarms: set KATTILA_NOTIFY_FILE".to_owned()
}

/// Who is told of alarms by a plan.
pub fn notified(plan: &Plan) -> String {
    let channel =
        |channel: &Channel| format!("{} ({} to {})", channel.name, channel.kind(), channel.place());
    let channels: Vec<String> = plan.channels.iter().map(channel).collect();
    let routes = match plan.routes.len() {
        1 => "1 route".to_owned(),
        count => format!("{count} routes"),
    };
    let heartbeat = plan.heartbeat.as_ref().map(|beat| {
        format!("; a heartbeat to {} every {} s", origin(beat.url.reveal()), beat.every_s)
    });
    let channels = if channels.is_empty() { "no channel".to_owned() } else { channels.join(", ") };
    format!("{channels}; {routes}{}", heartbeat.unwrap_or_default())
}

/// The lines as one text.
pub fn explain(config: &Config) -> String {
    let mut text = String::new();
    for (name, meaning) in lines(config) {
        text.push_str(&format!("{name:<20}{meaning}\n"));
    }
    text
}

fn door(config: &Config) -> String {
    match &config.tls {
        None => format!("http://{}", config.listen),
        Some(tls) => {
            let clients =
                if tls.client_ca.is_some() { ", client certificates asked for" } else { "" };
            format!("https://{} with {}{clients}", config.listen, tls.cert.display())
        }
    }
}

const fn lost(strict: bool) -> &'static str {
    if strict { "a database that lacks acknowledged ones is refused" } else { "raise an alarm" }
}

fn curves(of: &Kept) -> String {
    let (slots, hours) = (kept(of.slots), kept(of.hours));
    match of.rollups {
        Rollups::All => format!("in slots of five minutes {slots}; by the hour {hours}"),
        Rollups::Hourly => format!("by the hour {hours}"),
        Rollups::Off => "none but what the stored reports themselves tell".to_owned(),
    }
}

fn kept(limits: KeptBy) -> String {
    let age = limits.age.map(|age| format!("for {}", duration_text(i64::from(age))));
    let bytes = limits.bytes.map(|bytes| format!("at most {} MiB", bytes >> 20));
    match (age, bytes) {
        (None, None) => "for ever: the database grows until the disk is full".to_owned(),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(age), Some(bytes)) => format!("{age}, {bytes}"),
    }
}

const fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "every acknowledged report survives a power loss",
        Durability::Normal => "acknowledged reports survive a crash, not every power loss",
    }
}

const fn upgrade(copied: bool) -> &'static str {
    if copied { "the database is copied beside itself" } else { "no copy of the database is made" }
}

fn keys(Keys { source, cache, grace }: &Keys) -> String {
    let kept = if *cache { "last known keys are kept" } else { "keys are not kept over a restart" };
    let proof = match source {
        SourceConfig::File(_) | SourceConfig::Environment(_) => "",
        SourceConfig::Dns(dns) => match dns.dnssec {
            Dnssec::Off => ", without DNSSEC",
            Dnssec::Opportunistic => ", bogus answers are refused",
            Dnssec::Require => ", only answers proved by DNSSEC",
        },
    };
    let grace = duration_text(i64::from(*grace));
    format!(
        "{source}{}{proof}{}; {kept}; one that left is accepted for {grace}",
        trust(source),
        pins(source)
    )
}

/// Whom a DNS server's certificate must come from.
fn trust(source: &SourceConfig) -> String {
    let SourceConfig::Dns(dns) = source else { return String::new() };
    match dns.server.as_ref().and_then(|server| server.tls.as_ref()) {
        None => String::new(),
        Some(tls) => match tls.ca() {
            Some(file) => format!(", signed by {}", file.display()),
            None => ", signed by an authority of this host".to_owned(),
        },
    }
}

fn pins(source: &SourceConfig) -> String {
    let SourceConfig::Dns(dns) = source else { return String::new() };
    let kids: Vec<_> = dns.pins.iter().map(Kid::as_str).collect();
    if kids.is_empty() { String::new() } else { format!(", only the keys {}", kids.join(", ")) }
}

fn signatures(config: &Config) -> String {
    let verify = &config.verify;
    let versions = match (verify.min_version, verify.raw_only) {
        (1, false) => "versions 1 (usual serialisations) and 2",
        (1, true) => "versions 1 (bytes as received only) and 2",
        _ => "version 2 only",
    };
    let recorded = match (verify.min_version, verify.v1_repeats) {
        (1, Suspicion::Alarm) => "; version 1 reports that look recorded raise an alarm",
        (1, Suspicion::Refuse) => "; version 1 reports that look recorded are refused",
        _ => "",
    };
    format!(
        "{versions}, timestamps within {} s, at least {} nonces per agent{recorded}",
        verify.max_skew, verify.nonce_window
    )
}

const fn enroll(enroll: Enroll) -> &'static str {
    match enroll {
        Enroll::Open => "registered by their first valid report",
        Enroll::Approve => "wait until an admin approves them",
        Enroll::Closed => "refused",
    }
}

fn rate(rate: Option<Rate>, what: &str) -> String {
    rate.map_or("no limit".to_owned(), |Rate { per_second, burst }| {
        format!("{what} at {per_second} per second, {burst} at once")
    })
}

fn admin(access: &Access) -> String {
    match &access.admin_token {
        None => "a token is made at the first start and printed once".to_owned(),
        Some(token) if token.len() < ADVISED_TOKEN_CHARS => format!(
            "a token is set, but shorter than {ADVISED_TOKEN_CHARS} characters: better from \
             `openssl rand -hex 32`"
        ),
        Some(_) => "a token is set".to_owned(),
    }
}

fn elsewhere(config: &Config) -> String {
    let Some(oidc) = &config.oidc else { return "nowhere: set KATTILA_OIDC_ISSUER".to_owned() };
    let roles: Vec<_> =
        oidc.roles.iter().map(|(value, role)| format!("{value} is {role}")).collect();
    let fleets: Vec<_> = oidc
        .fleets
        .iter()
        .map(|(value, fleet)| {
            format!("{value} sees {}", fleet.as_ref().map_or("all fleets", FleetId::as_str))
        })
        .collect();
    format!(
        "at {} as {}; of {}: {}; nobody else; {}",
        oidc.issuer,
        oidc.client_id,
        oidc.role_claim,
        roles.join(", "),
        if fleets.is_empty() { "all fleets".to_owned() } else { fleets.join(", ") }
    )
}

fn proxies(config: &Config) -> String {
    let trusted: Vec<_> = config.proxies.trusted.iter().map(ToString::to_string).collect();
    if trusted.is_empty() {
        return "none is believed: clients are whoever connects".to_owned();
    }
    let users = match &config.proxies.user_header {
        None => String::new(),
        Some(header) => format!("; they let users in by the header {header}"),
    };
    format!("believed at {}{users}", trusted.join(", "))
}

fn pseudonyms(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "for users and tokens of which that is said".to_owned();
    }
    let roles: Vec<String> = roles.iter().map(|role| format!("every {role}")).collect();
    format!("for {}, and users and tokens of which that is said", roles.join(" and "))
}

fn strangers(config: &Config) -> String {
    let may = match config.access.anonymous {
        None => "see nothing",
        Some(_) => "may look at everything and change nothing",
    };
    let sign_in = if config.sign_in_allowed() {
        "signing in is possible"
    } else {
        "nobody can sign in: the door is plain HTTP beyond loopback, so set KATTILA_TLS_CERT and \
         KATTILA_TLS_KEY, or accept the risk with KATTILA_INSECURE_HTTP=1"
    };
    let shared = match config.access.share_days {
        0 => "no links can be shared".to_owned(),
        days => {
            format!("a shared link shows one view to whoever holds it, for {days} days at most")
        }
    };
    format!("{may}; {shared}; {sign_in}")
}
