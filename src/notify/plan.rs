//! The plan: channels, routes and the heartbeat, as checked by [`super::file`]. Secrets in it
//! are wiped when it goes and show in no text.

use std::fmt;

use zeroize::Zeroizing;

use super::route::Route;
use crate::model::state::{Severity, Telling};

/// Seconds that news waits for more where no route says otherwise.
pub const GROUP_WAIT_S: i64 = 30;

/// What must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one who sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// How people are told of alarms. The empty plan tells nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Where messages go.
    pub channels: Vec<Channel>,
    /// Which alarms go where; the first that takes an alarm decides, unless it says `continue`.
    pub routes: Vec<Route>,
    /// Who is told that the manager lives.
    pub heartbeat: Option<Heartbeat>,
    /// The console's address for people, without a slash at its end.
    pub console: Option<String>,
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// Whether it also wants to know of acknowledgements, and of latching alarms that returned.
    pub also: Vec<Telling>,
}

/// How a channel is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// An HTTP address that takes JSON.
    Webhook(Webhook),
    /// People's mailboxes.
    Email(Email),
}

/// An HTTP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The address; many services put a secret into its path.
    pub url: Secret,
    /// What the body looks like.
    pub template: Template,
    /// Keys that sign as Standard Webhooks, the newest first: two while one is replaced.
    pub secrets: Vec<Secret>,
    /// A token for `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// Authorities for its certificate (PEM); `None` for the system's.
    pub ca: Option<String>,
}

/// What the body of a webhook looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// Everything, in the manager's own words.
    Kattila,
    /// `{"text": ...}`, which Slack, Mattermost and Rocket.Chat take.
    Slack,
    /// What ntfy takes at its root address.
    Ntfy {
        /// The topic.
        topic: String,
    },
    /// A JSON value whose strings hold `{title}`, `{text}`, `{severity}`, `{status}` and
    /// `{count}`.
    Custom(serde_json::Value),
}

/// Mailboxes and the server that takes mail for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// Who signs in, with what.
    pub login: Option<(String, Secret)>,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
    /// Authorities for the server's certificate (PEM); `None` for the system's.
    pub ca: Option<String>,
}

/// How a mail server's connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// Begun in plain, encrypted before anything is said (RFC 3207); refused without.
    StartTls,
    /// From the first byte (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

/// Who is told, again and again, that the manager lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The address; many services put a secret into its path.
    pub url: Secret,
    /// The address while something is wrong with the manager; `None` for the same.
    pub error_url: Option<Secret>,
    /// Seconds from one to the next.
    pub every_s: i64,
    /// Authorities for its certificate (PEM); `None` for the system's.
    pub ca: Option<String>,
}

impl Plan {
    /// A channel by its name.
    pub fn channel(&self, name: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.name == name)
    }

    /// Seconds that news about an alarm which a channel knows waits for more: the least that a
    /// route to it says.
    pub fn news_wait(&self, channel: &str) -> i64 {
        let to_it = self.routes.iter().filter(|route| route.channels.iter().any(|c| c == channel));
        to_it.map(|route| route.group_wait_s).min().unwrap_or(GROUP_WAIT_S)
    }
}

impl Channel {
    /// Where it leads, without anything secret.
    pub fn place(&self) -> String {
        match &self.way {
            Way::Webhook(webhook) => origin(webhook.url.reveal()),
            Way::Email(email) => {
                format!("{} by {}:{}", email.to.join(", "), email.host, email.port)
            }
        }
    }

    /// `webhook` or `email`, with the template where it is not the usual one.
    pub const fn kind(&self) -> &'static str {
        match &self.way {
            Way::Email(_) => "email",
            Way::Webhook(Webhook { template, .. }) => match template {
                Template::Kattila => "webhook",
                Template::Slack => "webhook (slack)",
                Template::Ntfy { .. } => "webhook (ntfy)",
                Template::Custom(_) => "webhook (custom)",
            },
        }
    }
}

/// Scheme, host and port of an address: what follows may be secret.
pub fn origin(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    format!("{scheme}://{host}")
}

/// What a route, or everybody, means by a severity that is worth a message.
pub const TOLD_FROM: Severity = Severity::Warning;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_of_an_address_is_not_shown() {
        assert_eq!(origin("https://hooks.slack.com/services/T0/B0/xyz"), "https://hooks.slack.com");
        assert_eq!(origin("http://127.0.0.1:80?token=x"), "http://127.0.0.1:80");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "(hidden)");
    }
}
