//! The session cookie, by hand: two names, a handful of attributes.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::http::arrival::Channel;

/// Bound to this host and to TLS by its prefix (RFC 6265bis section 4.1.3.2).
const STRICT: &str = "__Host-kattila";

/// Over plain HTTP, where browsers refuse the prefix.
const PLAIN: &str = "kattila";

/// The colours a browser asked for.
const THEME: &str = "kattila_theme";

/// The session's token, under the name that is given out over this channel.
pub fn session(headers: &HeaderMap, channel: Channel) -> Option<&str> {
    let strict = value(headers, STRICT);
    match channel {
        Channel::Tls => strict,
        Channel::Local | Channel::Plain => strict.or_else(|| value(headers, PLAIN)),
    }
}

/// The theme, as the browser told it.
pub fn theme(headers: &HeaderMap) -> &str {
    value(headers, THEME).unwrap_or_default()
}

/// Gives the browser a session. It ends with the browser or on the manager's side, whichever
/// comes first.
pub fn set(token: &str, channel: Channel) -> Option<HeaderValue> {
    write(token, channel, "")
}

/// Takes it away.
pub fn clear(channel: Channel) -> Option<HeaderValue> {
    write("", channel, "; Max-Age=0")
}

fn write(token: &str, channel: Channel, more: &str) -> Option<HeaderValue> {
    let (name, secure) = match channel {
        Channel::Tls => (STRICT, "; Secure"),
        Channel::Local | Channel::Plain => (PLAIN, ""),
    };
    let text = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, value)| *found == name && !value.is_empty())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(text))])
    }

    #[test]
    fn over_tls_only_the_strict_name_counts() {
        let both = sent("a=1; kattila=weak; __Host-kattila=strong");
        assert_eq!(session(&both, Channel::Tls), Some("strong"));
        assert_eq!(session(&both, Channel::Plain), Some("strong"));
        let weak = sent("kattila=weak");
        assert_eq!(session(&weak, Channel::Tls), None);
        assert_eq!(session(&weak, Channel::Plain), Some("weak"));
        assert_eq!(session(&sent("__Host-kattila="), Channel::Tls), None);
        assert_eq!(session(&sent("x__Host-kattila=1"), Channel::Tls), None);
    }

    #[test]
    fn cookies_have_every_attribute() {
        let strict = set("T", Channel::Tls).unwrap();
        assert_eq!(strict, "__Host-kattila=T; Path=/; HttpOnly; SameSite=Strict; Secure");
        assert!(strict.is_sensitive());
        assert_eq!(
            set("T", Channel::Local).unwrap(),
            "kattila=T; Path=/; HttpOnly; SameSite=Strict"
        );
        let cleared = clear(Channel::Tls).unwrap();
        assert!(cleared.to_str().unwrap().starts_with("__Host-kattila=; "));
        assert!(cleared.to_str().unwrap().ends_with("; Max-Age=0"));
    }
}
