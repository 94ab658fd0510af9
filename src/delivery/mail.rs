//! E-mail by SMTP: one message, one connection.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::web::system_time;
use crate::model::time::UnixSeconds;
use crate::notify::attempt::Outcome;
use crate::notify::plan::{Email, MailTls};
use crate::notify::words;
use crate::store::notice::MessageRecord;

/// Seconds that the server may take for each of its answers (RFC 5321 section 4.5.3.2 allows
/// minutes; a message that waits is tried again).
const ANSWER_SECONDS: u64 = 15;

/// Mailboxes that can be used.
#[derive(Debug)]
pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    email: Email,
    console: Option<String>,
}

impl Mail {
    pub(super) fn new(email: Email, console: Option<String>) -> Result<Self, String> {
        let tls = match email.tls {
            MailTls::None => Tls::None,
            MailTls::StartTls => Tls::Required(parameters(&email)?),
            MailTls::Tls => Tls::Wrapper(parameters(&email)?),
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.as_str())
                .port(email.port)
                .tls(tls)
                .timeout(Some(Duration::from_secs(ANSWER_SECONDS)));
        if let Some((user, password)) = &email.login {
            let password = password.reveal().trim_end_matches(['\r', '\n']).to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), email, console })
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: &MessageRecord, now: UnixSeconds) -> Outcome {
        let mail = match self.mail(message, now) {
            Ok(mail) => mail,
            Err(why) => return Outcome::Refused { why },
        };
        match self.transport.send(mail).await {
            Ok(_taken) => Outcome::Taken,
            Err(error) if error.is_permanent() => Outcome::Refused { why: error.to_string() },
            Err(error) => Outcome::Failed { why: in_words(&error), retry_after_s: None },
        }
    }

    fn mail(&self, message: &MessageRecord, now: UnixSeconds) -> Result<Message, String> {
        let odd = |error: &dyn std::fmt::Display| format!("the mail cannot be written: {error}");
        let mailbox = |text: &str| {
            text.parse::<Address>().map(|address| Mailbox::new(None, address)).map_err(|e| odd(&e))
        };
        let host = self.email.from.rsplit('@').next().unwrap_or_default();
        let mut builder = Message::builder()
            .from(mailbox(&self.email.from)?)
            .subject(format!("[kattila] {}", words::title(message)))
            .date(system_time(now))
            .message_id(Some(format!("<{}@{host}>", message.uid)))
            // RFC 3834: nobody's out-of-office note shall answer it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.email.to {
            builder = builder.to(mailbox(to)?);
        }
        let text = words::text(message, self.console.as_deref());
        builder.body(text + "\n").map_err(|error| odd(&error))
    }
}

fn parameters(email: &Email) -> Result<TlsParameters, String> {
    let odd = |error: lettre::transport::smtp::Error| format!("TLS cannot be set up: {error}");
    let mut builder = TlsParameters::builder(email.host.clone());
    if let Some(pem) = &email.ca {
        builder = builder.certificate_store(CertificateStore::None);
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(odd)?);
    }
    builder.build_rustls().map_err(odd)
}

/// An error with its innermost cause.
fn in_words(error: &lettre::transport::smtp::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    match causes.last() {
        Some(cause) if !error.to_string().contains(&cause.to_string()) => {
            format!("{error} ({cause})")
        }
        _ => error.to_string(),
    }
}
