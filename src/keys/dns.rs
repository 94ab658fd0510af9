//! Asks DNS for the TXT records of one name. The only place that touches hickory.
//!
//! Every question goes out fresh: no cache, no hosts file, no search domains. CNAMEs are
//! followed; records of other names in an answer are not taken.
//!
//! # What DNSSEC does here
//!
//! - [`Dnssec::Off`]: signatures are neither asked for nor looked at.
//! - [`Dnssec::Opportunistic`]: an answer that carries signatures over its TXT records must
//!   validate up to a trust anchor, or be proven to lie below an unsigned delegation; otherwise
//!   it is [`Outcome::Bogus`]. An answer without any signature is taken, because zones inside a
//!   company and resolvers on a host often have none. So a forged signature is refused, but
//!   signatures that someone strips on the way go unnoticed, until the name has once been
//!   proven secure by this process: from then on an unsigned answer must be *proven* unsigned.
//! - [`Dnssec::Require`]: every TXT record, and every CNAME that leads to it, must be proven
//!   secure, and so must the absence of records. Anything else is [`Outcome::Bogus`].
//!
//! Trust begins at the root's keys, or at those in the anchor file: a signed zone that the
//! public tree does not reach needs its own DNSKEY there.
//!
//! # What TLS does here
//!
//! A server that must prove itself ([`DnsTls`]) is asked over TLS only: no question to it, to
//! its port or to anybody else ever leaves in plain, whatever fails. That hides the keys from
//! the network between, and keeps it from forging them; it does not prove what the server says.

mod chase;
mod connect;
pub mod tls;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::config::{
    NameServerConfig, ProtocolConfig, ResolveHosts, ResolverOpts, ServerOrderingStrategy,
};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::DnsRequestOptions;
use hickory_resolver::proto::rr::Name;
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::model::id::Kid;

use chase::{Chain, Stop, chase};
use connect::Connector;
use tls::DnsTls;

/// How long one question may take in all, over every transport and retry. hickory's own
/// default is 5 s per attempt, which adds up to 15 s on a dead server.
pub const QUERY_BUDGET: Duration = Duration::from_secs(5);

/// What is asked of DNSSEC; see the module's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dnssec {
    /// Nothing.
    Off,
    /// Signatures, where there are any, must be good.
    #[default]
    Opportunistic,
    /// There must be good signatures.
    Require,
}

impl FromStr for Dnssec {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "off" => Ok(Self::Off),
            "opportunistic" => Ok(Self::Opportunistic),
            "require" => Ok(Self::Require),
            _ => Err("must be off, opportunistic or require"),
        }
    }
}

impl fmt::Display for Dnssec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Opportunistic => "opportunistic",
            Self::Require => "require",
        })
    }
}

/// A name that DNS cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name:?} is not a DNS name; give one like _kattila.fleet.example")]
pub struct InvalidDnsName {
    name: String,
}

/// An absolute name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsName(Name);

impl FromStr for DnsName {
    type Err = InvalidDnsName;

    /// The final dot may be there or not: names are never completed by search domains.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidDnsName { name: name.to_owned() };
        let mut parsed = Name::from_str_relaxed(name).or(Err(invalid()))?;
        parsed.set_fqdn(true);
        if parsed.is_root() { Err(invalid()) } else { Ok(Self(parsed)) }
    }
}

impl fmt::Display for DnsName {
    /// Without final dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_ascii().trim_end_matches('.'))
    }
}

/// A server to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsServer {
    /// Where it is.
    pub address: SocketAddr,
    /// What it must prove over TLS; `None` asks it in plain, over UDP and TCP.
    pub tls: Option<DnsTls>,
}

impl DnsServer {
    /// One that is asked in plain.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// One at its protocol's usual port (RFC 1035: 53, RFC 7858: 853), unless another is told.
    pub fn at(ip: IpAddr, port: Option<u16>, tls: Option<DnsTls>) -> Self {
        let usual = if tls.is_some() { 853 } else { 53 };
        Self { address: SocketAddr::new(ip, port.unwrap_or(usual)), tls }
    }
}

impl fmt::Display for DnsServer {
    /// Like `192.0.2.53:853 over TLS as dns.example.net`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tls {
            None => write!(f, "{}", self.address),
            Some(tls) => write!(f, "{} over TLS as {}", self.address, tls.name()),
        }
    }
}

/// What to ask and whom.
#[derive(Debug, Clone)]
pub struct DnsConfig {
    /// The name whose TXT records hold the keys.
    pub name: DnsName,
    /// The server to ask; `None` asks those of `/etc/resolv.conf`, in plain.
    pub server: Option<DnsServer>,
    /// The only keys to take, by their ids; empty takes any.
    pub pins: Vec<Kid>,
    /// What is asked of DNSSEC.
    pub dnssec: Dnssec,
    /// A file of DNSKEY records to trust instead of the root's.
    pub anchor: Option<PathBuf>,
    /// How long one question may take in all.
    pub budget: Duration,
}

impl DnsConfig {
    /// Asks the system's resolver.
    pub fn new(name: DnsName) -> Self {
        Self {
            name,
            server: None,
            pins: Vec::new(),
            dnssec: Dnssec::default(),
            anchor: None,
            budget: QUERY_BUDGET,
        }
    }
}

/// What came of a question.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There are TXT records.
    Answer {
        /// The text of each, its strings joined.
        texts: Vec<Zeroizing<Vec<u8>>>,
        /// How many seconds the answer is good for.
        ttl: u32,
        /// Whether DNSSEC proves every record.
        secure: bool,
    },
    /// A server says that there is no such record, or no such name.
    NoKey {
        /// Whether the name exists with records of other types.
        name_exists: bool,
    },
    /// No usable answer came.
    Failed(Failure),
    /// An answer came whose DNSSEC signatures do not hold: someone may be forging answers.
    Bogus(&'static str),
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { texts, ttl, secure } => {
                write!(f, "Answer({} records, ttl {ttl}, secure {secure})", texts.len())
            }
            Self::NoKey { name_exists } => write!(f, "NoKey(name exists: {name_exists})"),
            Self::Failed(failure) => write!(f, "Failed({failure})"),
            Self::Bogus(why) => write!(f, "Bogus({why})"),
        }
    }
}

/// Why no usable answer came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// A server answered with an error: SERVFAIL, REFUSED and the like.
    #[error("the DNS server answered: {0}")]
    Refused(String),
    /// No readable answer arrived.
    #[error("no readable answer from the DNS server: {0}")]
    Unreachable(String),
    /// This host is not set up to ask.
    #[error("cannot ask DNS: {0}")]
    Setup(String),
}

/// Asks for one name again and again.
#[derive(Debug)]
pub struct DnsSource {
    config: DnsConfig,
    /// DNSSEC has proven this name since the start: from then on, stripped signatures show.
    proven: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    /// UDP, and TCP for what does not fit.
    Usual,
    /// TCP only, for networks that lose or forge UDP.
    Tcp,
    /// TLS only.
    Tls,
}

type Pool = NameServerPool<Connector>;

impl DnsSource {
    /// Prepares to ask; no packet is sent.
    pub fn new(config: DnsConfig) -> Self {
        Self { config, proven: AtomicBool::new(false) }
    }

    /// What is asked and whom.
    pub fn config(&self) -> &DnsConfig {
        &self.config
    }

    /// Asks. Returns within the budget.
    pub async fn ask(&self) -> Outcome {
        let budget = self.config.budget;
        let asked = async {
            if self.tls().is_some() {
                self.ask_over(Transport::Tls).await
            } else {
                self.ask_in_plain().await
            }
        };
        tokio::time::timeout(budget, asked).await.unwrap_or_else(|_elapsed| {
            let seconds = budget.as_secs_f32();
            Outcome::Failed(Failure::Unreachable(format!("none within {seconds} s")))
        })
    }

    /// TCP is tried when UDP fails, and beside UDP when that takes long: hickory 0.26 has a
    /// switch for it (`try_tcp_on_error`) that it does not look at.
    async fn ask_in_plain(&self) -> Outcome {
        let patience = self.config.budget.mul_f64(0.4);
        let mut usual = Box::pin(self.ask_over(Transport::Usual));
        match tokio::time::timeout(patience, &mut usual).await {
            Ok(Outcome::Failed(Failure::Unreachable(_))) => self.ask_over(Transport::Tcp).await,
            Ok(outcome) => outcome,
            Err(_elapsed) => match select(usual, Box::pin(self.ask_over(Transport::Tcp))).await {
                Either::Left((Outcome::Failed(_), tcp)) => tcp.await,
                Either::Right((Outcome::Failed(_), usual)) => usual.await,
                Either::Left((outcome, _)) | Either::Right((outcome, _)) => outcome,
            },
        }
    }

    fn tls(&self) -> Option<&DnsTls> {
        self.config.server.as_ref()?.tls.as_ref()
    }

    async fn ask_over(&self, transport: Transport) -> Outcome {
        let connector = Connector::default();
        let pool = match self.pool(transport, connector.clone()).await {
            Ok(pool) => pool,
            Err(problem) => return Outcome::Failed(Failure::Setup(problem)),
        };
        let asked = match self.config.dnssec {
            Dnssec::Off => chase(&pool, &self.config.name.0, options(false)).await.map(plain),
            Dnssec::Opportunistic => self.opportunistic(pool).await,
            Dnssec::Require => self.required(pool).await,
        };
        match asked {
            Ok(outcome) => outcome,
            Err(Stop::NoKey { name_exists }) => Outcome::NoKey { name_exists },
            Err(Stop::Unproven) => Outcome::Bogus("the absence of the record is not proven"),
            Err(Stop::Failed(Failure::Unreachable(told))) => {
                Outcome::Failed(Failure::Unreachable(connector.failure().unwrap_or(told)))
            }
            Err(Stop::Failed(failure)) => Outcome::Failed(failure),
        }
    }

    async fn opportunistic(&self, pool: Pool) -> Result<Outcome, Stop> {
        let chain = chase(&pool, &self.config.name.0, options(true)).await?;
        if !chain.is_signed() && !self.proven.load(Ordering::SeqCst) {
            return Ok(plain(chain));
        }
        let chain = self.validate(pool).await?;
        let secure = chain.is_secure();
        if !secure && !chain.is_secure_or_proven_unsigned() {
            return Ok(Outcome::Bogus("the record's DNSSEC signatures do not validate"));
        }
        self.proven.store(secure, Ordering::SeqCst);
        Ok(answer(chain, secure))
    }

    async fn required(&self, pool: Pool) -> Result<Outcome, Stop> {
        let chain = self.validate(pool).await?;
        if chain.is_secure() {
            Ok(answer(chain, true))
        } else {
            Ok(Outcome::Bogus(
                "not every record is proven by DNSSEC, which KATTILA_DNSSEC requires",
            ))
        }
    }

    async fn validate(&self, pool: Pool) -> Result<Chain, Stop> {
        let setup = |problem: String| Stop::Failed(Failure::Setup(problem));
        let anchors = match &self.config.anchor {
            None => TrustAnchors::default(),
            Some(path) => {
                let shown = path.display();
                let text = tokio::fs::read_to_string(path)
                    .await
                    .map_err(|e| setup(format!("trust anchor file {shown}: {e}")))?;
                text.parse().map_err(|e| setup(format!("trust anchor file {shown}: {e}")))?
            }
        };
        let handle = DnssecDnsHandle::with_trust_anchor(pool, Arc::new(anchors));
        chase(&handle, &self.config.name.0, options(true)).await
    }

    /// A new pool for every question: it holds no cache and reads `/etc/resolv.conf` again.
    async fn pool(&self, transport: Transport, connector: Connector) -> Result<Pool, String> {
        let (mut servers, mut opts) = match &self.config.server {
            Some(server) => (vec![name_server(server)], ResolverOpts::default()),
            None => {
                let (config, opts) = read_system_conf()
                    .map_err(|e| format!("{e}; fix /etc/resolv.conf or set KATTILA_DNS_SERVER"))?;
                (config.name_servers().to_vec(), opts)
            }
        };
        for server in &mut servers {
            server.connections.retain(|c| transport.takes(&c.protocol));
        }
        opts.timeout = self.config.budget;
        opts.use_hosts_file = ResolveHosts::Never;
        opts.edns0 = true;
        opts.case_randomization = true;
        opts.try_tcp_on_error = true;
        opts.server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
        let mut tls = TlsConfig::new().map_err(|e| e.to_string())?;
        if let Some(wanted) = self.tls().cloned() {
            let made = tokio::task::spawn_blocking(move || wanted.client()).await;
            tls.config = made.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        }
        let context = Arc::new(PoolContext::new(opts, tls));
        Ok(NameServerPool::from_config(servers, context, connector))
    }
}

impl Transport {
    fn takes(self, protocol: &ProtocolConfig) -> bool {
        match self {
            Self::Usual => matches!(protocol, ProtocolConfig::Udp | ProtocolConfig::Tcp),
            Self::Tcp => matches!(protocol, ProtocolConfig::Tcp),
            Self::Tls => matches!(protocol, ProtocolConfig::Tls { .. }),
        }
    }
}

/// The server as hickory wants it, with the transports it may be asked over and no others.
fn name_server(server: &DnsServer) -> NameServerConfig {
    let ip = server.address.ip();
    let mut named = match &server.tls {
        None => NameServerConfig::udp_and_tcp(ip),
        Some(tls) => NameServerConfig::tls(ip, Arc::clone(tls.name())),
    };
    for connection in &mut named.connections {
        connection.port = server.address.port();
    }
    named
}

fn options(dnssec: bool) -> DnsRequestOptions {
    let mut options = DnsRequestOptions::default();
    options.use_edns = true;
    options.edns_set_dnssec_ok = dnssec;
    options.case_randomization = true;
    options
}

fn plain(chain: Chain) -> Outcome {
    answer(chain, false)
}

fn answer(chain: Chain, secure: bool) -> Outcome {
    let ttl = chain.ttl();
    Outcome::Answer { texts: chain.into_texts(), ttl, secure }
}

#[cfg(test)]
mod tests;
