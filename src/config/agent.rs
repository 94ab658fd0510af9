//! The agent's settings, checked like the manager's: every mistake at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::keys::source::SourceConfig;
use crate::model::id::FleetId;

use super::Log;
use super::mistake::ConfigError;
use super::read::Reading;
use super::source::Values;

/// A spool smaller than this would not hold one large report (`data` may have 256 KiB).
const MIN_SPOOL_BYTES: u64 = 1024 * 1024;

/// A spool larger than this is a slip of the hand: 64 GiB.
const MAX_SPOOL_BYTES: u64 = 64 << 30;

/// Longest name or value of a label, in bytes.
const MAX_LABEL_BYTES: usize = 256;

/// Everything the agent is told from outside.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The manager's address without a slash at its end, such as `https://kattila.example.org`.
    pub manager: String,
    /// Where the bootstrap key comes from.
    pub keys: SourceConfig,
    /// Whether the last keys from DNS are kept on disk until this host is enrolled.
    pub keep_keys: bool,
    /// What this host says of itself.
    pub preview: Preview,
    /// Where identity and spool are.
    pub dir: PathBuf,
    /// Authorities for the manager's certificate; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// Certificate and key to show to the manager.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The way out.
    pub proxy: ProxyConfig,
    /// Most bytes in the spool.
    pub spool_bytes: u64,
    /// Most seconds a spooled report may be old.
    pub spool_age: i64,
    /// What is logged, and how.
    pub log: Log,
    /// Where its own door is.
    pub relay: RelayConfig,
    /// The token that may reset it.
    pub token: Option<AgentToken>,
    /// In which shape reports are sent.
    pub shape: ReportShape,
    /// Where systemd wants to be told that the agent is ready.
    pub notify_socket: Option<String>,
}

/// In which shape reports are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportShape {
    /// What costs the manager least.
    Auto,
    /// JSON.
    Json,
    /// Compressed frames.
    Framed,
}

/// Where the agent's own door is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayConfig {
    /// Nowhere: it relays for nobody.
    Off,
    /// At the addresses of the host's WireGuard interfaces.
    WireGuard,
    /// At these.
    At(Vec<SocketAddr>),
}

/// The token that may reset the agent.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentToken(pub Zeroizing<String>);

impl fmt::Debug for AgentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentToken(..)")
    }
}

/// What this host says of itself in every report: all that `--print` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The fleet.
    pub fleet_id: FleetId,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

/// The way to the manager.
#[derive(Clone, PartialEq, Eq)]
pub enum ProxyConfig {
    /// Directly.
    Direct,
    /// Through a proxy, whose address may hold a password.
    Through {
        /// The proxy.
        url: Zeroizing<String>,
        /// Hosts that are reached directly, as `NO_PROXY` lists them.
        except: Option<String>,
    },
}

impl fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("Direct"),
            Self::Through { .. } => f.write_str("Through(..)"),
        }
    }
}

impl AgentConfig {
    /// Checks all values. A wrong value never hides another one.
    pub fn load(values: &Values) -> Result<Self, ConfigError> {
        if values.is_empty() {
            return Err(ConfigError::AgentNothingSet);
        }
        let mut from = Reading::new(values);
        match from.agent() {
            Some(config) if from.mistakes.is_empty() => Ok(config),
            _ => Err(ConfigError::Mistakes(from.mistakes)),
        }
    }
}

impl Preview {
    /// Checks what `--print` needs, which is neither manager nor key.
    pub fn load(values: &Values) -> Result<Self, ConfigError> {
        let mut from = Reading::new(values);
        match from.preview() {
            Some(preview) if from.mistakes.is_empty() => Ok(preview),
            _ => Err(ConfigError::Mistakes(from.mistakes)),
        }
    }
}

impl Reading<'_> {
    fn agent(&mut self) -> Option<AgentConfig> {
        // Every part is read before the first `?`, so that no mistake hides another.
        let manager = self.manager();
        let keys = self.key_source("so no report could be signed");
        let keep_keys = self.required("KATTILA_PSK_CACHE", super::parse::switch);
        let preview = self.preview();
        let dir = self.state_directory();
        let ca = self.file("KATTILA_CA");
        let client = self.client_certificate();
        let proxy = self.proxy(manager.as_deref().unwrap_or_default());
        let spool_bytes = self.required("KATTILA_SPOOL_BYTES", spool_bytes);
        let spool_age = self.required("KATTILA_SPOOL_AGE", |text| {
            super::parse::number(text, 60, 366 * 86_400).map(i64::from)
        });
        let relay = self.required("KATTILA_RELAY", relay);
        let token = self.optional("KATTILA_AGENT_TOKEN", super::parse::token).map(AgentToken);
        let shape = self.required("KATTILA_AGENT_SHAPE", shape);
        let log = self.log();
        Some(AgentConfig {
            manager: manager?,
            keys: keys?,
            keep_keys: keep_keys?,
            preview: preview?,
            dir: dir?,
            ca,
            client,
            proxy: proxy?,
            spool_bytes: spool_bytes?,
            spool_age: spool_age?,
            log: log?,
            relay: relay?,
            token,
            shape: shape?,
            notify_socket: self.values.foreign("NOTIFY_SOCKET").map(str::to_owned),
        })
    }

    fn preview(&mut self) -> Option<Preview> {
        let fleet_id = self.required("KATTILA_FLEET_ID", |text| {
            text.parse().map_err(|wrong| format!("\"{text}\": {wrong}"))
        });
        let labels = self.optional("KATTILA_LABELS", labels);
        Some(Preview { fleet_id: fleet_id?, labels: labels.unwrap_or_default() })
    }

    fn manager(&mut self) -> Option<String> {
        if self.values.get("KATTILA_MANAGER").is_none() {
            self.wrong(
                "KATTILA_MANAGER",
                "is not set, so there is nobody to report to; write the manager's address, such \
                 as https://kattila.example.org",
            );
        }
        self.optional("KATTILA_MANAGER", |text| url(text, "https://kattila.example.org"))
    }

    /// systemd's state directory goes before the default, and the setting before both.
    fn state_directory(&mut self) -> Option<PathBuf> {
        let told = self.values.foreign("STATE_DIRECTORY");
        let told = told.and_then(|list| list.split(':').next()).map(PathBuf::from);
        match (self.values.get("KATTILA_AGENT_DIR"), told) {
            (None, Some(dir)) => Some(dir),
            _ => self.required("KATTILA_AGENT_DIR", |text| Ok(PathBuf::from(text))),
        }
    }

    fn client_certificate(&mut self) -> Option<(PathBuf, PathBuf)> {
        let pair = ["KATTILA_CLIENT_CERT", "KATTILA_CLIENT_KEY"];
        let [cert, key] = pair.map(|name| self.file(name));
        let set = pair.map(|name| self.values.get(name).is_some());
        if let [true, false] | [false, true] = set {
            let [cert, key] = pair;
            let missing = if set == [true, false] { key } else { cert };
            self.wrong(missing, "is missing; a certificate and its key go together");
        }
        cert.zip(key)
    }

    fn proxy(&mut self, manager: &str) -> Option<ProxyConfig> {
        let example = "http://proxy.example.org:3128";
        let through = |url, except| ProxyConfig::Through { url: Zeroizing::new(url), except };
        match self.values.get("KATTILA_PROXY").map(str::trim) {
            Some("off") => return Some(ProxyConfig::Direct),
            Some(_) => {
                return self
                    .optional("KATTILA_PROXY", |text| proxy_url(text, example))
                    .map(|url| through(url, None));
            }
            None => {}
        }
        let secure = manager.starts_with("https://");
        let names: &[&str] = if secure { &["HTTPS_PROXY", "https_proxy"] } else { &["http_proxy"] };
        let named = names.iter().chain(&["ALL_PROXY", "all_proxy"]);
        let values = self.values;
        let found = named.copied().find_map(|name| Some((name, values.foreign(name)?)));
        let Some((name, text)) = found else { return Some(ProxyConfig::Direct) };
        let except = values.foreign("NO_PROXY").or(values.foreign("no_proxy"));
        let url = self.note(name, proxy_url(text, example))?;
        Some(through(url, except.map(str::to_owned)))
    }
}

fn spool_bytes(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(bytes) if (MIN_SPOOL_BYTES..=MAX_SPOOL_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err(format!(
            "\"{text}\" is not a whole number of bytes from {MIN_SPOOL_BYTES} to {MAX_SPOOL_BYTES}"
        )),
    }
}

fn shape(text: &str) -> Result<ReportShape, String> {
    match text {
        "auto" => Ok(ReportShape::Auto),
        "json" => Ok(ReportShape::Json),
        "framed" => Ok(ReportShape::Framed),
        _ => Err("must be auto, json or framed".to_owned()),
    }
}

fn relay(text: &str) -> Result<RelayConfig, String> {
    match text {
        "off" => return Ok(RelayConfig::Off),
        "wireguard" => return Ok(RelayConfig::WireGuard),
        _ => {}
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let all: Result<Vec<SocketAddr>, String> = parts.map(super::parse::address).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(RelayConfig::At(all)),
        Ok(_) => Err("must be wireguard, off, or IP:PORT,...".to_owned()),
        Err(wrong) => Err(format!("{wrong}; or write wireguard or off")),
    }
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!("\"{pair}\" is not NAME=VALUE, such as site=vienna"));
        };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.len().max(value.len()) > MAX_LABEL_BYTES {
            return Err(format!(
                "\"{pair}\" needs a name, and {MAX_LABEL_BYTES} bytes at most for each side"
            ));
        }
        if labels.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("has the label {name} twice"));
        }
    }
    Ok(labels)
}

/// An `http` or `https` address without user, query and fragment; the slash at its end is cut.
fn url(text: &str, example: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("\"{text}\" {why}; write it like {example}"));
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return wrong("does not begin with https:// or http://");
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path_ok = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&b));
    if authority.contains('@') || !path_ok {
        return wrong("holds a user, a query or characters that no address has");
    }
    if !is_authority(authority) {
        return wrong("names no host, or a port that is none");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn is_authority(text: &str) -> bool {
    let (host_ok, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((ip, after)) => (ip.parse::<std::net::Ipv6Addr>().is_ok(), after.strip_prefix(':')),
        None => {
            let (host, port) =
                text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            (!host.is_empty() && host.bytes().all(plain), port)
        }
    };
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    host_ok && port_ok
}

/// The address of a proxy; it may hold a user and a password, so refusals do not repeat it.
fn proxy_url(text: &str, example: &str) -> Result<String, String> {
    let bare = match text.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.rsplit_once('@').map_or(rest, |(_user, host)| host);
            format!("{scheme}://{rest}")
        }
        None => return proxy_url(&format!("http://{text}"), example),
    };
    match url(&bare, example) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("is not the address of an HTTP proxy; write it like {example}")),
    }
}

#[cfg(test)]
mod tests;
