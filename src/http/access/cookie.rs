//! The session cookie, by hand: two names, a handful of attributes.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::http::arrival::Channel;

/// Bound to this host and to TLS by its prefix (RFC 6265bis section 4.1.3.2).
const STRICT: &str = "__Host-kattila";

/// Over plain HTTP, where browsers refuse the prefix.
const PLAIN: &str = "kattila";

/// A sign-in that is under way at the OpenID provider.
const STRICT_FLOW: &str = "__Host-kattila_flow";

/// The same over plain HTTP.
const PLAIN_FLOW: &str = "kattila_flow";

/// The token of a shared link that was opened.
const STRICT_SHARE: &str = "__Host-kattila_share";

/// The same over plain HTTP.
const PLAIN_SHARE: &str = "kattila_share";

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

/// The sign-in that this browser has begun, under the name that is given out over this channel.
pub fn flow(headers: &HeaderMap, channel: Channel) -> Option<&str> {
    match channel {
        Channel::Tls => value(headers, STRICT_FLOW),
        Channel::Local | Channel::Plain => value(headers, PLAIN_FLOW),
    }
}

/// Gives the browser the beginning of a sign-in, for so many seconds; none take it away.
///
/// The provider sends the browser back from another site, so the cookie must be sent along from there
/// (`Lax`, RFC 6265bis section 5.6.7.1).
pub fn set_flow(text: &str, channel: Channel, seconds: i64) -> Option<HeaderValue> {
    lax([STRICT_FLOW, PLAIN_FLOW], text, (channel, seconds))
}

/// The token of the shared link that this browser has opened, under the name that is given out over
/// this channel.
pub fn share(headers: &HeaderMap, channel: Channel) -> Option<&str> {
    let strict = value(headers, STRICT_SHARE);
    match channel {
        Channel::Tls => strict,
        Channel::Local | Channel::Plain => strict.or_else(|| value(headers, PLAIN_SHARE)),
    }
}

/// Lets the browser look by a shared link for so many seconds; none take that away.
///
/// People come from a chat or a mail: after the redirect the cookie must be sent along, which a
/// `Strict` one is not. It opens nothing that changes anything.
pub fn set_share(token: &str, channel: Channel, seconds: i64) -> Option<HeaderValue> {
    lax([STRICT_SHARE, PLAIN_SHARE], token, (channel, seconds))
}

fn lax(
    [strict, plain]: [&str; 2],
    text: &str,
    (channel, seconds): (Channel, i64),
) -> Option<HeaderValue> {
    let (name, secure) = match channel {
        Channel::Tls => (strict, "; Secure"),
        Channel::Local | Channel::Plain => (plain, ""),
    };
    let text = format!("{name}={text}; Path=/; HttpOnly; SameSite=Lax{secure}; Max-Age={seconds}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
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
        let flow = set_flow("F", Channel::Tls, 600).unwrap();
        let wanted = "__Host-kattila_flow=F; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600";
        assert_eq!((flow.is_sensitive(), flow.to_str().unwrap()), (true, wanted));
        let share = set_share("S", Channel::Tls, 60).unwrap();
        let wanted = "__Host-kattila_share=S; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60";
        assert_eq!((share.is_sensitive(), share.to_str().unwrap()), (true, wanted));
        let cleared = clear(Channel::Tls).unwrap();
        assert!(cleared.to_str().unwrap().starts_with("__Host-kattila=; "));
        assert!(cleared.to_str().unwrap().ends_with("; Max-Age=0"));
    }
}
