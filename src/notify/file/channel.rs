//! `[[channel]]`: where messages go.

use super::fields::Fields;
use crate::model::state::Telling;
use crate::notify::plan::{Channel, Email, MailTls, Secret, Template, Way, Webhook};
use crate::sign::webhook;

/// Characters of a name at most.
const NAME_CHARS: usize = 63;

/// Receivers of one message at most.
const RECEIVERS: usize = 50;

#[derive(Clone, Copy)]
enum Kind {
    Webhook,
    Email,
}

#[derive(Clone, Copy)]
enum Form {
    Kattila,
    Slack,
    Ntfy,
    Custom,
}

/// Reads a channel; `None` after its mistakes were noted.
pub(super) fn read(mut fields: Fields<'_, '_>) -> Option<Channel> {
    let name = name(&mut fields);
    let kind = match fields.needed("type") {
        None => None,
        Some(_) => fields.one_of("type", &[("webhook", Kind::Webhook), ("email", Kind::Email)]),
    };
    let also = also(&mut fields);
    let way = match kind {
        Some(Kind::Webhook) => web(&mut fields).map(Way::Webhook),
        Some(Kind::Email) => mail(&mut fields).map(Way::Email),
        None => return None,
    };
    fields.finish();
    Some(Channel { name: name?, way: way?, also })
}

fn name(fields: &mut Fields<'_, '_>) -> Option<String> {
    let name = fields.needed("name")?;
    let fine =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.len() > NAME_CHARS || !name.bytes().all(fine) {
        let rule = "must be a-z, 0-9, '-', '_' and '.', at most 63 characters";
        fields.wrong("name", format!("\"{name}\" {rule}"));
        return None;
    }
    Some(name)
}

fn also(fields: &mut Fields<'_, '_>) -> Vec<Telling> {
    let mut also = Vec::new();
    for word in fields.texts("also") {
        match Telling::from_word(&word) {
            Some(telling @ (Telling::Acknowledged | Telling::Returned)) => also.push(telling),
            _ => fields.wrong("also", format!("\"{word}\" must be acknowledged or returned")),
        }
    }
    also
}

fn web(fields: &mut Fields<'_, '_>) -> Option<Webhook> {
    let url = fields.url("url", "url_file");
    let template = template(fields);
    let secrets = if fields.has("secret_file") { secrets(fields) } else { Some(Vec::new()) };
    let token = fields.secret("token_file");
    let ca = fields.authorities();
    Some(Webhook { url: url?, template: template?, secrets: secrets?, token, ca })
}

/// The keys that sign: one, or the old one beside the new.
fn secrets(fields: &mut Fields<'_, '_>) -> Option<Vec<Secret>> {
    let file = fields.secret("secret_file")?;
    let lines: Vec<&str> =
        file.reveal().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if !(1..=2).contains(&lines.len()) || lines.iter().any(|line| webhook::secret(line).is_none()) {
        let rule = "must hold one or two lines such as whsec_ and 24 to 64 bytes in base64; make \
                    one with: echo \"whsec_$(openssl rand -base64 32)\"";
        fields.wrong("secret_file", rule);
        return None;
    }
    Some(lines.into_iter().map(Secret::new).collect())
}

fn template(fields: &mut Fields<'_, '_>) -> Option<Template> {
    let forms = [
        ("kattila", Form::Kattila),
        ("slack", Form::Slack),
        ("ntfy", Form::Ntfy),
        ("custom", Form::Custom),
    ];
    match fields.one_of("template", &forms)? {
        Form::Kattila => Some(Template::Kattila),
        Form::Slack => Some(Template::Slack),
        Form::Ntfy => Some(Template::Ntfy { topic: fields.needed("topic")? }),
        Form::Custom => {
            let body = fields.needed("body")?;
            let read = serde_json::from_str(&body);
            let wrong = |error| fields.wrong("body", format!("must be JSON: {error}"));
            read.map_err(wrong).ok().map(Template::Custom)
        }
    }
}

fn mail(fields: &mut Fields<'_, '_>) -> Option<Email> {
    let tls = fields.one_of(
        "tls",
        &[("starttls", MailTls::StartTls), ("tls", MailTls::Tls), ("none", MailTls::None)],
    );
    let server = server(fields, tls.unwrap_or(MailTls::StartTls));
    let from = fields.needed("from").and_then(|text| mailbox(fields, "from", text));
    if !fields.has("to") {
        fields.wrong("to", "is missing");
    }
    let to = fields.texts("to");
    if to.len() > RECEIVERS {
        fields.wrong("to", format!("lists more than {RECEIVERS} receivers"));
    }
    let to: Option<Vec<String>> = to.into_iter().map(|text| mailbox(fields, "to", text)).collect();
    let user = fields.text("user");
    let password = fields.secret("password_file");
    let login = match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (Some(_), None) if !fields.has("password_file") => {
            fields.wrong("user", "needs password_file");
            None
        }
        (None, Some(_)) => {
            fields.wrong("password_file", "does nothing without user");
            None
        }
        _ => None,
    };
    if login.is_some() && tls.is_some_and(|tls| tls == MailTls::None) {
        fields.wrong("tls", "must not be none where a password is sent");
    }
    let ca = fields.authorities();
    let (host, port) = server?;
    let to = to?;
    (!to.is_empty()).then_some(())?;
    Some(Email { host, port, tls: tls?, login, from: from?, to, ca })
}

/// `host` or `host:port`.
fn server(fields: &mut Fields<'_, '_>, tls: MailTls) -> Option<(String, u16)> {
    let text = fields.needed("smtp")?;
    let usual = match tls {
        MailTls::StartTls => 587,
        MailTls::Tls => 465,
        MailTls::None => 25,
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().ok()),
        None => (text.clone(), Some(usual)),
    };
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    match port {
        Some(port) if !host.is_empty() && host.bytes().all(fine) => Some((host, port)),
        _ => {
            fields.wrong("smtp", format!("\"{text}\" must be HOST or HOST:PORT"));
            None
        }
    }
}

/// A bare address: `name@host`.
fn mailbox(fields: &Fields<'_, '_>, key: &str, text: String) -> Option<String> {
    let odd = |sign: char| sign.is_whitespace() || sign.is_control() || "<>,;\"".contains(sign);
    let parts = text.split_once('@');
    let fine = parts.is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !host.contains('@') && text.is_ascii()
    });
    if !fine || text.contains(odd) {
        fields.wrong(key, format!("\"{text}\" must be an address such as ops@example.org"));
        return None;
    }
    Some(text)
}
