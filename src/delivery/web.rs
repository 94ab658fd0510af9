//! Webhooks: one POST of JSON, signed as Standard Webhooks where the channel has a key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, redirect};

use super::tls;
use crate::model::time::UnixSeconds;
use crate::notify::attempt::Outcome;
use crate::notify::body;
use crate::notify::plan::Webhook;
use crate::sign::webhook as standard;
use crate::store::notice::MessageRecord;

/// A connection that is not there after this many seconds will not come.
const CONNECT_SECONDS: u64 = 5;

/// Seconds for one exchange (Standard Webhooks asks senders for 15 to 30).
const TOTAL_SECONDS: u64 = 15;

/// A webhook that can be used.
#[derive(Debug)]
pub(super) struct Web {
    client: Client,
    hook: Webhook,
    console: Option<String>,
}

/// A client that follows no redirect: a signed body goes where the plan says and nowhere else.
pub fn client(ca: Option<&str>) -> Result<Client, String> {
    Client::builder()
        .tls_backend_preconfigured(tls::client(ca)?)
        .http1_only()
        .redirect(redirect::Policy::none())
        .user_agent(concat!("kattila/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS))
        .timeout(Duration::from_secs(TOTAL_SECONDS))
        .build()
        .map_err(|error| format!("the HTTP client cannot be made: {}", in_words(&error)))
}

impl Web {
    pub(super) fn new(hook: Webhook, console: Option<String>) -> Result<Self, String> {
        Ok(Self { client: client(hook.ca.as_deref())?, hook, console })
    }

    /// Posts a message.
    pub(super) async fn send(&self, message: &MessageRecord, now: UnixSeconds) -> Outcome {
        let body = body::body(message, &self.hook.template, self.console.as_deref()).to_string();
        let headers = match self.headers(message, now, body.as_bytes()) {
            Ok(headers) => headers,
            Err(why) => return Outcome::Refused { why },
        };
        let request = self.client.post(self.hook.url.reveal()).headers(headers).body(body);
        match request.send().await {
            Ok(response) => judge(response.status().as_u16(), wish(response.headers(), now)),
            Err(error) => Outcome::Failed { why: in_words(&error), retry_after_s: None },
        }
    }

    fn headers(
        &self,
        message: &MessageRecord,
        now: UnixSeconds,
        body: &[u8],
    ) -> Result<HeaderMap, String> {
        let value = |text: String| {
            HeaderValue::try_from(text).map_err(|_odd| "the token cannot be sent".to_owned())
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("webhook-id", value(message.uid.clone())?);
        headers.insert("webhook-timestamp", value(now.to_string())?);
        let keys = self.hook.secrets.iter().filter_map(|key| standard::secret(key.reveal()));
        let signed: Vec<String> =
            keys.map(|key| standard::signature(&key, &message.uid, now, body)).collect();
        if !signed.is_empty() {
            headers.insert("webhook-signature", value(signed.join(" "))?);
        }
        if let Some(token) = &self.hook.token {
            let mut bearer = value(format!("Bearer {}", token.reveal()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(headers)
    }
}

/// What a status means for the message.
fn judge(status: u16, retry_after_s: Option<i64>) -> Outcome {
    match status {
        200..=299 => Outcome::Taken,
        300..=399 => Outcome::Refused {
            why: format!("answered {status}: redirects are not followed, give the last address"),
        },
        408 | 425 | 429 | 500..=599 => {
            Outcome::Failed { why: format!("answered {status}"), retry_after_s }
        }
        _ => Outcome::Refused { why: format!("answered {status}") },
    }
}

/// Seconds after which the receiver wants to be asked again (RFC 9110 section 10.2.3).
fn wish(headers: &HeaderMap, now: UnixSeconds) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(i64::try_from(at.as_secs()).ok()? - now.0)
}

/// The same time for libraries that want the system's type.
pub(super) fn system_time(at: UnixSeconds) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(at.0).unwrap_or(0))
}

/// An error by its kind and its innermost cause. Without addresses, which may hold a secret.
pub fn in_words(error: &reqwest::Error) -> String {
    let kind = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "it took too long",
        (false, true) => "no connection",
        (false, false) => "the exchange broke off",
    };
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    match causes.last() {
        Some(cause) => format!("{kind} ({cause})"),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_means() {
        for (status, taken, again) in [
            (200, true, false),
            (204, true, false),
            (302, false, false),
            (400, false, false),
            (408, false, true),
            (410, false, false),
            (425, false, true),
            (429, false, true),
            (500, false, true),
            (599, false, true),
        ] {
            let outcome = judge(status, Some(7));
            assert_eq!(outcome == Outcome::Taken, taken, "{status}");
            let waits = matches!(outcome, Outcome::Failed { retry_after_s: Some(7), .. });
            assert_eq!(waits, again, "{status}");
        }
    }

    #[test]
    fn a_wish_is_seconds_or_a_date() {
        let now = UnixSeconds(784_111_770);
        let told = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            wish(&headers, now)
        };
        assert_eq!(told("120"), Some(120));
        assert_eq!(told("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(told("soon"), None);
    }
}
