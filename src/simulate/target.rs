//! Where reports are pushed to, and the rule that keeps load tests away from strangers.

use std::net::SocketAddr;

use hyper::Uri;
use hyper::header::HeaderValue;
use thiserror::Error;

use crate::model::id::FrameDictId;

/// The path of reports below the manager's address.
const REPORTS: &str = "/status/updates";

/// The path of registrations.
const REGISTER: &str = "/status/register";

/// The path of dictionaries.
const DICTIONARIES: &str = "/status/dictionaries/";

/// A manager's door, resolved once so that a run never depends on DNS.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where to connect to.
    pub address: SocketAddr,
    /// The `Host` of every request.
    pub host: HeaderValue,
    /// Where reports go.
    pub path: Uri,
    /// Where hosts make their own keys known.
    pub register: Uri,
}

/// Why nothing is sent.
#[derive(Debug, Error)]
pub enum TargetError {
    /// Not an address of a manager.
    #[error("{0:?} is not a manager's address: write it as http://HOST:PORT")]
    Unreadable(String),
    /// TLS is not spoken here.
    #[error(
        "the simulator does not speak TLS: point it at the manager's plain address, such as \
         http://127.0.0.1:5086"
    )]
    Tls,
    /// The name has no address.
    #[error("the address of {name:?} was not found ({source}): check the name and DNS")]
    Unresolved {
        /// The name as given.
        name: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// Somebody else's machine, perhaps.
    #[error(
        "{0} is not this machine: a simulated fleet must not be let loose on a stranger. If the \
         manager there is yours, say so with --this-is-my-manager"
    )]
    NotLoopback(SocketAddr),
}

impl Target {
    /// Finds the manager at `url`; anything but loopback needs `mine`.
    ///
    /// # Errors
    /// When the address cannot be read or found, asks for TLS, or may be a stranger's.
    pub async fn find(url: &str, mine: bool) -> Result<Self, TargetError> {
        let (authority, path) = read(url)?;
        let name = || authority.as_str().to_owned();
        let port = authority.port_u16().unwrap_or(80);
        // The resolver wants an IPv6 address without its brackets.
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|source| TargetError::Unresolved { name: name(), source })?
            .collect();
        let address = choose(&found, mine)?.ok_or_else(|| TargetError::Unreadable(name()))?;
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_ill| TargetError::Unreadable(name()))?;
        let register = path.path().replace(REPORTS, REGISTER);
        let register = register.parse().map_err(|_ill| TargetError::Unreadable(name()))?;
        Ok(Self { address, host, path, register })
    }

    /// Where the manager has a dictionary.
    pub fn dictionary(&self, id: &FrameDictId) -> Option<Uri> {
        format!("{}{id}", self.path.path().replace(REPORTS, DICTIONARIES)).parse().ok()
    }
}

/// Splits an address into who is asked and the path of reports there.
fn read(url: &str) -> Result<(hyper::http::uri::Authority, Uri), TargetError> {
    let unreadable = || TargetError::Unreadable(url.to_owned());
    let Ok(uri) = url.parse::<Uri>() else { return Err(unreadable()) };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(TargetError::Tls),
        _ => return Err(unreadable()),
    }
    let authority = uri.authority().cloned().ok_or_else(unreadable)?;
    if authority.host().is_empty() || authority.as_str().contains('@') || uri.query().is_some() {
        return Err(unreadable());
    }
    let path = format!("{}{REPORTS}", uri.path().trim_end_matches('/'));
    path.parse().map(|path| (authority, path)).map_err(|_ill| unreadable())
}

/// The first address; a name that also leads elsewhere is a stranger's.
fn choose(found: &[SocketAddr], mine: bool) -> Result<Option<SocketAddr>, TargetError> {
    match found.iter().find(|address| !address.ip().to_canonical().is_loopback()) {
        Some(stranger) if !mine => Err(TargetError::NotLoopback(*stranger)),
        _ => Ok(found.first().copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_oddities_refused() {
        let (authority, path) = read("http://127.0.0.1:5086").unwrap();
        assert_eq!((authority.as_str(), path.path()), ("127.0.0.1:5086", "/status/updates"));
        let (_, path) = read("http://[::1]:5086/kattila/").unwrap();
        assert_eq!(path.path(), "/kattila/status/updates");
        assert!(matches!(read("https://127.0.0.1:5086"), Err(TargetError::Tls)));
        for bad in ["", "127.0.0.1:5086", "ftp://x", "http://", "http://a@b/", "http://x/?q"] {
            assert!(matches!(read(bad), Err(TargetError::Unreadable(_))), "{bad}");
        }
    }

    #[test]
    fn only_loopback_is_taken_without_a_word() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (here, there) = (at("127.0.0.1:1"), at("192.0.2.1:1"));
        assert_eq!(choose(&[here], false).unwrap(), Some(here));
        assert_eq!(choose(&[at("[::ffff:127.0.0.1]:1")], false).unwrap().unwrap().port(), 1);
        assert!(choose(&[there], false).is_err());
        assert!(choose(&[here, there], false).is_err());
        assert_eq!(choose(&[there], true).unwrap(), Some(there));
        assert_eq!(choose(&[], false).unwrap(), None);
    }
}
