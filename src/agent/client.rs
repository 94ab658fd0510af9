//! The way to the manager: one HTTP client with TLS, a proxy where one is set, time-outs, and
//! connections that are kept. [`super::neighbour`] is the way to other agents.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Response, Url, redirect};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::model::time::UnixSeconds;
use crate::wire::frame;

use super::answer::Answer;

/// A connection that is not there after this many seconds will not come.
const CONNECT_SECONDS: u64 = 5;

/// Seconds for one exchange, above the 15 s that the manager gives itself.
const TOTAL_SECONDS: u64 = 20;

/// The manager closes idle connections after 75 s; ours go before, so that a report is not
/// written into one that is being closed.
const IDLE_SECONDS: u64 = 65;

/// Bytes of an answer that are read; the manager's are a few hundred.
const ANSWER_BYTES: usize = 64 * 1024;

/// How the manager is reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// Its address without a slash at its end.
    pub manager: String,
    /// Authorities for its certificate; `None` for the system's.
    pub ca: Option<PathBuf>,
    /// Certificate and key to show to it.
    pub client: Option<(PathBuf, PathBuf)>,
    /// A proxy, if there is one between.
    pub proxy: Option<ProxyWay>,
}

/// A proxy.
#[derive(Clone)]
pub struct ProxyWay {
    /// Its address, perhaps with a password.
    pub url: Zeroizing<String>,
    /// Hosts reached without it, as `NO_PROXY` lists them.
    pub except: Option<String>,
}

impl std::fmt::Debug for ProxyWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProxyWay(..)")
    }
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum WayError {
    /// A file holds no certificate or key that can be read.
    #[error("{path} cannot be used: {problem}; it must be PEM")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The system has no authorities.
    #[error(
        "the system has no certificates of authorities ({0}): install them (Debian: \
         ca-certificates), or set KATTILA_CA"
    )]
    NoRoots(String),
    /// The client's certificate and key do not fit.
    #[error("TLS cannot be set up: {0}; check KATTILA_CLIENT_CERT and KATTILA_CLIENT_KEY")]
    Tls(#[from] rustls::Error),
    /// The client cannot be made.
    #[error("the HTTP client cannot be made: {0}; check KATTILA_MANAGER and the proxy")]
    Client(String),
}

/// What a check of the manager's health gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The HTTP status.
    pub status: u16,
    /// The manager's clock by its `Date`.
    pub date: Option<UnixSeconds>,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Those of its headers that mean something to an agent.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body as far as it is read.
    pub body: Vec<u8>,
    /// Whether that is all of it.
    pub whole: bool,
}

impl Reply {
    /// Reads an answer.
    pub(super) async fn of(response: Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let told = response.headers();
        let headers = [CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE]
            .into_iter()
            .filter_map(|name| Some((name.clone(), told.get(name)?.clone())))
            .collect();
        let body = bounded(response, ANSWER_BYTES).await?;
        let whole = body.len() <= ANSWER_BYTES;
        Ok(Self { status, headers, body, whole })
    }

    /// What it means for a report.
    pub fn answer(&self) -> Answer {
        let told = self.headers.iter().find(|(name, _)| *name == RETRY_AFTER);
        let retry_after = told.and_then(|(_, value)| value.to_str().ok()?.trim().parse().ok());
        Answer::read(self.status, retry_after, &self.body)
    }
}

/// Nothing that counts as an answer: a connection that never was took nothing along.
pub(super) fn lost(error: &reqwest::Error) -> Answer {
    Answer::Lost { sent: !error.is_connect(), why: in_words(error) }
}

/// An HTTP client for one manager.
#[derive(Debug, Clone)]
pub struct Door {
    client: Client,
    manager: Url,
}

impl Door {
    /// Sets everything up; nothing is sent yet.
    pub fn new(way: &Way) -> Result<Self, WayError> {
        let manager = Url::parse(&format!("{}/", way.manager))
            .map_err(|error| WayError::Client(error.to_string()))?;
        let mut builder = builder(tls(way)?)
            .https_only(manager.scheme() == "https")
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
            .timeout(Duration::from_secs(TOTAL_SECONDS))
            .pool_idle_timeout(Duration::from_secs(IDLE_SECONDS))
            .pool_max_idle_per_host(1);
        if let Some(ProxyWay { url, except }) = &way.proxy {
            let proxy = Proxy::all(url.as_str())
                .map_err(|error| WayError::Client(error.without_url().to_string()))?;
            let except = except.as_deref().and_then(NoProxy::from_string);
            builder = builder.proxy(proxy.no_proxy(except));
        }
        let client = builder.build().map_err(|error| WayError::Client(in_words(&error)))?;
        Ok(Self { client, manager })
    }

    /// Posts an envelope.
    pub async fn post(&self, path: &str, envelope: Bytes) -> Answer {
        match self.exchange(path, envelope).await {
            Ok(reply) => reply.answer(),
            Err(error) => lost(&error),
        }
    }

    /// Posts and reads the bare answer.
    pub async fn exchange(&self, path: &str, body: Bytes) -> Result<Reply, reqwest::Error> {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, kind_of(&body));
        Reply::of(request.body(body).send().await?).await
    }

    /// Fetches a file of at most so many bytes; `None` if it is not to be had.
    pub async fn fetch(&self, path: &str, most: usize) -> Option<Vec<u8>> {
        let response = self.client.get(self.url(path)).send().await.ok()?;
        if response.status().as_u16() != 200 {
            return None;
        }
        bounded(response, most).await.ok().filter(|body| body.len() <= most)
    }

    /// Asks whether the manager is well.
    pub async fn health(&self) -> Result<Health, String> {
        let request = self.client.get(self.url("status/healthcheck"));
        let response = request.send().await.map_err(|error| in_words(&error))?;
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| httpdate::parse_http_date(text).ok());
        let date = date.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let date = date.and_then(|since| i64::try_from(since.as_secs()).ok()).map(UnixSeconds);
        Ok(Health { status: response.status().as_u16(), date })
    }

    fn url(&self, path: &str) -> Url {
        // Paths are our own words, so joining cannot fail; if it did, the manager would say so.
        self.manager.join(path).unwrap_or_else(|_| self.manager.clone())
    }
}

/// The type of a body, which is a frame or JSON.
pub(super) fn kind_of(body: &[u8]) -> &'static str {
    if frame::is_frame(body) { frame::CONTENT_TYPE } else { "application/json" }
}

/// The body as far as it is read.
async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            break;
        }
    }
    Ok(body)
}

/// An error with its causes. Without addresses, which may hold a proxy's password.
pub(super) fn in_words(error: &reqwest::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let mut text = if error.is_timeout() {
        "it took too long".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the exchange broke off".to_owned()
    };
    if let Some(root) = causes.last() {
        text = format!("{text} ({root})");
    }
    text
}

/// What every client of the agent's has in common.
pub(super) fn builder(tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .redirect(redirect::Policy::none())
        .user_agent(concat!("kattila-agent/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
}

/// TLS that trusts nobody: for connections without it.
pub(super) fn no_tls() -> Result<ClientConfig, WayError> {
    Ok(versions()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn versions() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, WayError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?)
}

fn tls(way: &Way) -> Result<ClientConfig, WayError> {
    let builder = versions()?;
    // The system's are many, and a plain connection needs none.
    let roots = match &way.ca {
        Some(path) => roots_of(path)?,
        None if way.manager.starts_with("https://") => system_roots()?,
        None => RootCertStore::empty(),
    };
    let builder = builder.with_root_certificates(roots);
    match &way.client {
        None => Ok(builder.with_no_client_auth()),
        Some((cert, key)) => {
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|problem| unusable(key, &problem))?;
            Ok(builder.with_client_auth_cert(certificates(cert)?, key)?)
        }
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, WayError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|problem| unusable(path, &problem))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, WayError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or("none found".to_owned(), ToString::to_string);
        return Err(WayError::NoRoots(why));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, WayError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(unusable(path, &"it holds no certificate")),
        Ok(all) => Ok(all),
        Err(problem) => Err(unusable(path, &problem)),
    }
}

fn unusable(path: &Path, problem: &dyn std::fmt::Display) -> WayError {
    WayError::File { path: path.to_owned(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(manager: &str) -> Way {
        Way { manager: manager.to_owned(), ca: None, client: None, proxy: None }
    }

    #[test]
    fn addresses_below_a_path_are_kept() {
        let door = Door::new(&way("http://127.0.0.1:1/kattila")).unwrap();
        assert_eq!(
            door.url("status/updates").as_str(),
            "http://127.0.0.1:1/kattila/status/updates"
        );
    }

    #[test]
    fn files_that_hold_no_certificate_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let ca = Some(file.path().to_owned());
        let error = Door::new(&Way { ca, ..way("https://127.0.0.1:1") }).unwrap_err();
        assert!(error.to_string().contains("holds no certificate"), "{error}");
    }

    #[tokio::test]
    async fn a_closed_door_took_nothing() {
        // Bound and dropped: nobody listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let door = Door::new(&way(&format!("http://{free}"))).unwrap();
        let answer = door.post("status/updates", Bytes::new()).await;
        assert!(matches!(answer, Answer::Lost { sent: false, .. }), "{answer:?}");
    }
}
