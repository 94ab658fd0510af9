//! The bodies of webhooks.

use serde_json::{Value, json};

use super::plan::Template;
use super::words;
use crate::model::state::Severity;
use crate::store::notice::{MessageItem, MessageRecord};

/// Bytes of a body at most; text beyond is cut.
const TEXT_CHARS: usize = 12_000;

/// What ntfy takes as a message without turning it into a file.
const NTFY_CHARS: usize = 3_500;

/// The body of a message, as JSON. The same for every attempt.
pub fn body(message: &MessageRecord, template: &Template, console: Option<&str>) -> Value {
    match template {
        Template::Kattila => whole(message, console),
        Template::Slack => json!({ "text": titled(message, console, TEXT_CHARS) }),
        Template::Ntfy { topic } => ntfy(message, topic, console),
        Template::Custom(value) => filled(value, message, console),
    }
}

fn whole(message: &MessageRecord, console: Option<&str>) -> Value {
    let alarms: Vec<Value> = message.items.iter().map(alarm).collect();
    json!({
        "type": if message.items.is_empty() { "kattila.test" } else { "kattila.alarms" },
        "timestamp": message.created_at.to_rfc3339(),
        "data": {
            "status": words::status(message),
            "title": words::title(message),
            "text": words::text(message, console),
            "severity": words::worst(message),
            "alarms": alarms,
        },
    })
}

/// The alarm as the API tells it, with what is told of it.
fn alarm(item: &MessageItem) -> Value {
    let mut value = serde_json::to_value(&item.facts).unwrap_or_default();
    if let Value::Object(members) = &mut value {
        members.insert("id".to_owned(), json!(item.alarm));
        members.insert("telling".to_owned(), json!(item.telling));
    }
    value
}

fn titled(message: &MessageRecord, console: Option<&str>, most: usize) -> String {
    let text = words::text(message, console);
    match message.items.len() {
        0 | 1 => cut(&text, most),
        _ => cut(&format!("{}\n{text}", words::title(message)), most),
    }
}

fn ntfy(message: &MessageRecord, topic: &str, console: Option<&str>) -> Value {
    let worst = words::worst(message);
    let (priority, tag) = match worst {
        Some(Severity::Critical) => (5, "rotating_light"),
        Some(Severity::Major) => (4, "warning"),
        Some(Severity::Minor | Severity::Warning) => (3, "warning"),
        Some(Severity::Info) => (2, "information_source"),
        None if message.items.is_empty() => (3, "test_tube"),
        None => (3, "white_check_mark"),
    };
    let mut body = json!({
        "topic": topic,
        "title": words::title(message),
        "message": cut(&words::text(message, None), NTFY_CHARS),
        "priority": priority,
        "tags": [tag],
    });
    if let (Value::Object(members), Some(console)) = (&mut body, console) {
        members.insert("click".to_owned(), json!(format!("{console}/alarms")));
    }
    body
}

/// A person's own template with its words filled in, wherever a string of it asks for them.
fn filled(value: &Value, message: &MessageRecord, console: Option<&str>) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, message, console)),
        Value::Array(items) => items.iter().map(|item| filled(item, message, console)).collect(),
        Value::Object(members) => {
            let filled = members.iter().map(|(k, v)| (k.clone(), filled(v, message, console)));
            Value::Object(filled.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn fill(text: &str, message: &MessageRecord, console: Option<&str>) -> String {
    // One pass: what is filled in is never looked at again.
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            return filled + "{" + after;
        };
        match word(name, message, console) {
            Some(value) => filled.push_str(&value),
            None => filled.push_str(&format!("{{{name}}}")),
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn word(name: &str, message: &MessageRecord, console: Option<&str>) -> Option<String> {
    Some(match name {
        "title" => words::title(message),
        "text" => cut(&words::text(message, console), TEXT_CHARS),
        "severity" => words::worst(message).map_or("none", Severity::as_str).to_owned(),
        "status" => words::status(message).to_owned(),
        "count" => message.items.len().to_string(),
        _ => return None,
    })
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(4)).collect();
    format!("{kept} ...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::NotificationId;
    use crate::model::state::MessageState;
    use crate::model::time::UnixSeconds;

    fn test_message() -> MessageRecord {
        MessageRecord {
            id: NotificationId(7),
            uid: "msg_7".into(),
            channel: "chat".into(),
            state: MessageState::Waiting,
            created_at: UnixSeconds(1_795_214_286),
            due_at: UnixSeconds(1_795_214_286),
            attempts: 0,
            tried_at: None,
            ended_at: None,
            error: None,
            test_by: Some("{title}\"".into()),
            items: Vec::new(),
        }
    }

    #[test]
    fn a_template_of_ones_own_is_filled_once_and_stays_json() {
        let template = json!({"a": ["{status}: {text}", 1, "{other} {"], "{title}": "{count}"});
        let value = body(&test_message(), &Template::Custom(template), None);
        let told = "test: Kattila can reach you: this is a test, nothing is wrong. \
                    Asked for by {title}\".";
        assert_eq!(value, json!({"a": [told, 1, "{other} {"], "{title}": "0"}));
    }

    #[test]
    fn services_get_what_they_take() {
        let message = test_message();
        let slack = body(&message, &Template::Slack, None);
        assert!(slack["text"].as_str().unwrap().contains("this is a test"));
        let topic = "net".to_owned();
        let ntfy = body(&message, &Template::Ntfy { topic }, Some("https://k.example"));
        assert_eq!(ntfy["topic"], "net");
        assert_eq!(ntfy["click"], "https://k.example/alarms");
        let own = body(&message, &Template::Kattila, None);
        assert_eq!(
            (own["type"].as_str(), own["data"]["status"].as_str()),
            (Some("kattila.test"), Some("test"))
        );
    }
}
