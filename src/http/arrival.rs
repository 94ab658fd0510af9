//! How a request came here: from which address, and who could read it on the way.
//!
//! Owns what `X-Forwarded-For`, `X-Forwarded-Proto` and the header with a user's name mean. They are
//! believed of the proxies that the settings name and of nobody else; from elsewhere they are as if
//! they were not there. Must never let what a client writes stand for what a proxy says.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::config::Config;
use crate::model::access::user_name;

use super::server::Source;

/// The addresses that a request came through, the client's first (no standard; RFC 7239 section 1
/// describes it as the practice).
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// `https` or `http`: what the client spoke to the proxy.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who could read a request on its way from the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Nobody: TLS, to this door or to a trusted proxy.
    Tls,
    /// Nobody beyond this host: the door is on loopback, and no proxy passed it on.
    Local,
    /// Everybody on the way.
    Plain,
}

/// How a request came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The client's address, if it is known.
    pub source: Option<IpAddr>,
    /// Who could read it.
    pub channel: Channel,
    /// Whom a trusted proxy has let in; empty for a name that can be nobody's here.
    pub vouched: Option<String>,
}

impl Arrival {
    /// What was noted of a request; of one that nothing was noted of, the worst.
    pub fn of(extensions: &Extensions) -> Self {
        let noted = extensions.get::<Self>().cloned();
        noted.unwrap_or(Self { source: None, channel: Channel::Plain, vouched: None })
    }
}

impl<S: Sync> FromRequestParts<S> for Arrival {
    type Rejection = Infallible;

    fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> impl Future<Output = Result<Self, Infallible>> {
        std::future::ready(Ok(Self::of(&parts.extensions)))
    }
}

/// Whom to believe what.
#[derive(Debug)]
pub struct Ways {
    trusted: Vec<IpNet>,
    user_header: Option<HeaderName>,
    /// What the door itself is.
    door: Channel,
}

impl Ways {
    /// As the settings say.
    pub fn new(config: &Config) -> Self {
        let door = match (&config.tls, config.listen.ip().is_loopback()) {
            (Some(_), _) => Channel::Tls,
            (None, true) => Channel::Local,
            (None, false) => Channel::Plain,
        };
        let header = config.proxies.user_header.as_deref();
        let user_header = header.and_then(|name| HeaderName::try_from(name).ok());
        Self { trusted: config.proxies.trusted.clone(), user_header, door }
    }

    /// Notes on a request how it came: [`Arrival`], and the client's address as its [`Source`].
    pub fn note(&self, request: &mut Request) {
        let peer = Source::of(request.extensions()).0;
        let arrival = self.arrival(peer, request.headers());
        request.extensions_mut().insert(Source(arrival.source));
        request.extensions_mut().insert(arrival);
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    fn arrival(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Arrival {
        let Some(proxy) = peer.filter(|peer| self.trusts(*peer)) else {
            return Arrival { source: peer, channel: self.door, vouched: None };
        };
        let hops = self.hops(proxy, headers);
        let source = hops.last().copied().unwrap_or(proxy);
        let channel = match (scheme(headers, hops.len()), hops.is_empty(), self.door) {
            (Some(true), ..) => Channel::Tls,
            // What only the proxy's own host sent, such as its health check, was not passed on.
            (None, true, door) => door,
            (None, false, Channel::Tls) => Channel::Tls,
            (Some(false), ..) | (None, false, Channel::Local | Channel::Plain) => Channel::Plain,
        };
        Arrival { source: Some(source), channel, vouched: self.vouched(headers) }
    }

    /// The addresses from the proxy on towards the client, as far as they can be believed: each was
    /// written by the one before it, so the first that is not trusted is the client.
    fn hops(&self, proxy: IpAddr, headers: &HeaderMap) -> Vec<IpAddr> {
        let mut hops = Vec::new();
        let mut speaker = proxy;
        for told in listed(headers, &FORWARDED_FOR).rev() {
            let (true, Some(address)) = (self.trusts(speaker), address(told)) else { break };
            hops.push(address);
            speaker = address;
        }
        hops
    }

    /// The user that a proxy names. Two names are nobody's: the proxy has added its own to one that
    /// the client sent.
    fn vouched(&self, headers: &HeaderMap) -> Option<String> {
        let mut told = headers.get_all(self.user_header.as_ref()?).iter();
        let (first, second) = (told.next()?, told.next());
        let name = first.to_str().ok().filter(|name| second.is_none() && !name.is_empty());
        Some(name.and_then(|name| user_name(name).ok()).unwrap_or_default())
    }
}

/// Whether the client spoke TLS to the proxy that it spoke to, `hops` away from here.
fn scheme(headers: &HeaderMap, hops: usize) -> Option<bool> {
    let told: Vec<&str> = listed(headers, &FORWARDED_PROTO).collect();
    // Each proxy adds its own at the end, or one stands for all.
    let at = told.len().checked_sub(hops.max(1)).unwrap_or_default();
    Some(told.get(at)?.eq_ignore_ascii_case("https"))
}

/// The members of a list that may be spread over several lines (RFC 9110 section 5.3). What is not
/// text is a member as well, one that means nothing.
fn listed<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or_default());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    ip.map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests;
