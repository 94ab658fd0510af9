//! Speaks to the provider: its description and keys, which are kept for a while, and the exchange of
//! a code for a token.
//!
//! Must never follow a redirect, take an answer without end, or ask a provider that does not answer
//! again for every browser that wants in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::delivery::web;
use crate::model::time::UnixSeconds;

use super::Failure;
use super::flow::Flow;
use super::keys::KeySet;
use super::settings::{Person, Settings};
use super::token::{Expected, Unverified};

/// Seconds for which the provider's description and keys are not asked for again.
const KEEP_S: i64 = 3600;

/// A token with an unknown key makes us ask for the keys again, this many seconds apart at least.
const KEYS_AGAIN_S: i64 = 60;

/// Seconds for which a provider that did not answer is not asked again.
const PAUSE_S: i64 = 5;

/// Bytes of an answer at most.
const MOST_BYTES: usize = 256 * 1024;

/// Where the description is, below the issuer (OpenID Connect Discovery section 4).
const DESCRIPTION: &str = "/.well-known/openid-configuration";

/// The provider.
pub struct Provider {
    settings: Settings,
    client: Client,
    clock: Clock,
    known: Mutex<Known>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What was learnt of it.
#[derive(Default)]
struct Known {
    site: Option<(Arc<Site>, UnixSeconds)>,
    keys: Option<(Arc<KeySet>, UnixSeconds)>,
    failed: Option<(String, UnixSeconds)>,
}

/// What of its description matters here.
#[derive(Debug, Deserialize)]
struct Site {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The answer to a code (RFC 6749 section 5.1).
#[derive(Deserialize)]
struct Granted {
    id_token: String,
    access_token: Option<String>,
}

/// Its refusal (section 5.2).
#[derive(Deserialize)]
struct Denied {
    error: String,
}

impl Provider {
    /// A provider that is not asked anything yet.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, String> {
        let client = web::client(settings.ca.as_deref())?;
        Ok(Self { settings, client, clock, known: Mutex::default() })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The provider as people are told of it: its host.
    pub fn host(&self) -> String {
        let url = Url::parse(&self.settings.issuer).ok();
        let host = url.and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_else(|| self.settings.issuer.clone())
    }

    /// Where the browser goes to sign in (OpenID Connect Core section 3.1.2.1).
    pub async fn address_for(&self, flow: &Flow, redirect: &str) -> Result<String, Failure> {
        let site = self.site().await?;
        let mut url = Url::parse(&site.authorization_endpoint).map_err(odd("its address"))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &flow.state())
            .append_pair("nonce", &flow.nonce())
            .append_pair("code_challenge", &flow.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Who came back with a code.
    pub async fn person(
        &self,
        flow: &Flow,
        (code, redirect): (&str, &str),
    ) -> Result<Person, Failure> {
        let site = self.site().await?;
        let granted = self.exchange(&site, flow, (code, redirect)).await?;
        let token = Unverified::parse(&granted.id_token)?;
        let mut keys = self.keys(&site, KEEP_S).await?;
        if !token.has_key_in(&keys) {
            keys = self.keys(&site, KEYS_AGAIN_S).await?;
        }
        let (nonce, now) = (flow.nonce(), self.clock.now());
        let Settings { issuer, client_id, .. } = &self.settings;
        let claims = token.claims(&keys, &Expected { issuer, client_id, nonce: &nonce, now })?;
        let all = match (&site.userinfo_endpoint, &granted.access_token) {
            (Some(at), Some(token)) if !self.settings.are_enough(&claims) => {
                self.with_more(claims, at, token).await?
            }
            _ => claims,
        };
        self.settings.person(&all)
    }

    /// Exchanges the code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
    async fn exchange(
        &self,
        site: &Site,
        flow: &Flow,
        (code, redirect): (&str, &str),
    ) -> Result<Granted, Failure> {
        let verifier = flow.verifier();
        let client_id = self.settings.client_id.as_str();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier.as_str()),
        ];
        let mut request = self.client.post(&site.token_endpoint).header(ACCEPT, "application/json");
        match &self.settings.secret {
            Some(secret) if site.takes_basic() => {
                let (id, secret) = (plus(client_id)?, plus(secret)?);
                let pair = Zeroizing::new(format!("{}:{}", id.as_str(), secret.as_str()));
                let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                request = request.header(AUTHORIZATION, basic.as_str());
            }
            Some(secret) => fields.extend([("client_id", client_id), ("client_secret", secret)]),
            None => fields.push(("client_id", client_id)),
        }
        let body = form(&fields)?;
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let (status, answer) = self.ask(request, "its exchange of codes").await?;
        match status {
            200 => serde_json::from_slice(&answer)
                .map_err(|_odd| Failure::refused("the provider gave no ID token for the code")),
            400 | 401 => {
                let denied = serde_json::from_slice::<Denied>(&answer);
                let why =
                    denied.map_or_else(|_odd| "no reason".to_owned(), |one| named(&one.error));
                Err(Failure::refused(format!("the provider did not take the code: {why}")))
            }
            _ => Err(Failure::Provider(format!("its exchange of codes answered {status}"))),
        }
    }

    /// The claims with those that only the provider's own door tells (section 5.3).
    async fn with_more(
        &self,
        claims: Map<String, Value>,
        at: &str,
        token: &str,
    ) -> Result<Map<String, Value>, Failure> {
        let bearer = Zeroizing::new(format!("Bearer {token}"));
        let request = self.client.get(at).header(AUTHORIZATION, bearer.as_str());
        let mut all: Map<String, Value> = self.document(request, "its word on people").await?;
        if all.get("sub") != claims.get("sub") {
            return Err(Failure::refused("the provider told of somebody else"));
        }
        // What is signed counts more.
        all.extend(claims);
        Ok(all)
    }

    /// The description, asked for if that was long ago.
    async fn site(&self) -> Result<Arc<Site>, Failure> {
        // Held over the question: whoever comes meanwhile waits for its answer.
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if let Some((site, at)) = &known.site
            && (0..KEEP_S).contains(&now.since(*at))
        {
            return Ok(Arc::clone(site));
        }
        if let Some((why, at)) = &known.failed
            && (0..PAUSE_S).contains(&now.since(*at))
        {
            return Err(Failure::Provider(why.clone()));
        }
        match self.describe().await {
            Ok(site) => {
                let site = Arc::new(site);
                *known = Known { site: Some((Arc::clone(&site), now)), ..Known::default() };
                Ok(site)
            }
            Err(failure) => {
                known.failed = Some((in_words(&failure), now));
                Err(failure)
            }
        }
    }

    async fn describe(&self) -> Result<Site, Failure> {
        let at = format!("{}{DESCRIPTION}", self.settings.issuer);
        let site: Site = self.document(self.client.get(at), "its description").await?;
        if site.issuer != self.settings.issuer {
            return Err(Failure::Provider("its description is of another issuer".to_owned()));
        }
        let userinfo = site.userinfo_endpoint.as_deref();
        let all = [&site.authorization_endpoint, &site.token_endpoint, &site.jwks_uri];
        for address in all.into_iter().map(String::as_str).chain(userinfo) {
            if !is_safe(address) {
                return Err(Failure::Provider(format!("{address} is not an https address")));
            }
        }
        Ok(site)
    }

    /// The keys, asked for again if that was longer ago than so many seconds.
    async fn keys(&self, site: &Site, keep_s: i64) -> Result<Arc<KeySet>, Failure> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if let Some((keys, at)) = &known.keys
            && (0..keep_s).contains(&now.since(*at))
        {
            return Ok(Arc::clone(keys));
        }
        let (status, text) = self.ask(self.client.get(&site.jwks_uri), "its keys").await?;
        if status != 200 {
            return Err(Failure::Provider(format!("its keys answered {status}")));
        }
        let keys = Arc::new(KeySet::parse(&text).map_err(Failure::Provider)?);
        known.keys = Some((Arc::clone(&keys), now));
        Ok(keys)
    }

    async fn document<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        what: &str,
    ) -> Result<T, Failure> {
        let (status, text) = self.ask(request, what).await?;
        if status != 200 {
            return Err(Failure::Provider(format!("{what} answered {status}")));
        }
        serde_json::from_slice(&text)
            .map_err(|error| Failure::Provider(format!("{what} cannot be read: {error}")))
    }

    /// One question: the status and the whole answer, if it is not too large.
    async fn ask(&self, request: RequestBuilder, what: &str) -> Result<(u16, Vec<u8>), Failure> {
        let failed =
            |error: reqwest::Error| Failure::Provider(format!("{what}: {}", web::in_words(&error)));
        let mut answer = request.send().await.map_err(failed)?;
        let mut text = Vec::new();
        while let Some(more) = answer.chunk().await.map_err(failed)? {
            if text.len().saturating_add(more.len()) > MOST_BYTES {
                return Err(Failure::Provider(format!("{what} is larger than {MOST_BYTES} bytes")));
            }
            text.extend_from_slice(&more);
        }
        Ok((answer.status().as_u16(), text))
    }
}

impl Site {
    /// Whether the secret goes in a header, which is what holds where nothing is told
    /// (OpenID Connect Discovery section 3).
    fn takes_basic(&self) -> bool {
        let told = self.token_endpoint_auth_methods_supported.as_ref();
        told.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic"))
    }
}

/// Whether nobody on the way can read or change what goes to an address: TLS, or this host.
pub fn is_safe(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let here = || matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    url.scheme() == "https" || (url.scheme() == "http" && here())
}

fn in_words(failure: &Failure) -> String {
    match failure {
        Failure::Provider(why) => why.clone(),
        other @ (Failure::Refused(_)
        | Failure::NoRole(_)
        | Failure::NoFleet(_)
        | Failure::NoName(_)) => other.to_string(),
    }
}

/// An error's name as the provider writes it, if it can be one (RFC 6749 section 5.2).
pub fn named(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = text.chars().filter(|c| plain(*c)).take(64).collect();
    if name.is_empty() { "no reason".to_owned() } else { name }
}

/// Fields as a form.
fn form(fields: &[(&str, &str)]) -> Result<String, Failure> {
    let mut url = Url::parse("http://form/").map_err(odd("a form"))?;
    url.query_pairs_mut().extend_pairs(fields);
    Ok(url.query().unwrap_or_default().to_owned())
}

/// One value as in a form (RFC 6749 section 2.3.1).
fn plus(text: &str) -> Result<Zeroizing<String>, Failure> {
    let field = Zeroizing::new(form(&[("", text)])?);
    Ok(Zeroizing::new(field.trim_start_matches('=').to_owned()))
}

fn odd<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> Failure {
    move |error| Failure::Provider(format!("{what} cannot be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_and_this_host_are_safe() {
        for good in [
            "https://id.example.org/x",
            "http://127.0.0.1:9/x",
            "http://[::1]:9/",
            "http://localhost/",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "http://id.example.org/",
            "ftp://127.0.0.1/",
            "id.example.org",
            "",
            "http://127.0.0.1.example.org/",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }

    #[test]
    fn values_are_written_as_in_forms() {
        assert_eq!(plus("a b:c/%+=").unwrap().as_str(), "a+b%3Ac%2F%25%2B%3D");
        assert_eq!(form(&[("a", "1&2"), ("b", "")]).unwrap(), "a=1%262&b=");
    }

    #[test]
    fn an_errors_name_is_a_name() {
        assert_eq!(named("invalid_grant"), "invalid_grant");
        assert_eq!(named("<script>alert(1)</script>\n"), "scriptalert1script");
        assert_eq!(named("\u{202e}"), "no reason");
    }
}
