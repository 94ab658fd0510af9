//! What a message says to a person: one line as its title, one line per alarm.

use crate::model::state::{Severity, Telling};
use crate::model::time::duration_text;
use crate::store::notice::{Facts, MessageItem, MessageRecord};

/// What a test says.
const TEST: &str = "Kattila can reach you: this is a test, nothing is wrong.";

/// Characters of a title at most.
const TITLE_CHARS: usize = 160;

/// The title: the alarm, or how many of what.
pub fn title(message: &MessageRecord) -> String {
    let title = match message.items.as_slice() {
        [] => "Test message from Kattila".to_owned(),
        [one] => format!("{}: {} {}", badge(one), one.facts.kind, subject(&one.facts)),
        many => {
            let count = |wanted: &[Telling]| {
                many.iter().filter(|item| wanted.contains(&item.telling)).count()
            };
            let open = [Telling::Raised, Telling::Worse, Telling::Repeated, Telling::Escalated];
            let parts = [
                (count(&open), "open"),
                (count(&[Telling::Flapping]), "flapping"),
                (count(&[Telling::Acknowledged]), "acknowledged"),
                (count(&[Telling::Returned]), "over, to be acknowledged"),
                (count(&[Telling::Cleared]), "cleared"),
            ];
            let parts: Vec<String> = parts
                .iter()
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
            format!("{} alarms: {}", many.len(), parts.join(", "))
        }
    };
    title.chars().take(TITLE_CHARS).collect()
}

/// The text: a line per alarm, and where to look.
pub fn text(message: &MessageRecord, console: Option<&str>) -> String {
    if message.items.is_empty() {
        let by = message.test_by.as_deref().unwrap_or("somebody");
        return format!("{TEST} Asked for by {by}.");
    }
    let mut lines: Vec<String> = message.items.iter().map(line).collect();
    lines.extend(console.map(|console| format!("{console}/alarms")));
    lines.join("\n")
}

/// How bad the worst is that is still open; nothing for a test, and where all is over.
pub fn worst(message: &MessageRecord) -> Option<Severity> {
    let open = message.items.iter().filter(|item| item.telling != Telling::Cleared);
    open.map(|item| item.facts.severity).max()
}

/// `test`, `firing` while an alarm in it is open, or `resolved`.
pub fn status(message: &MessageRecord) -> &'static str {
    match (message.items.is_empty(), worst(message)) {
        (true, _) => "test",
        (false, Some(_)) => "firing",
        (false, None) => "resolved",
    }
}

fn badge(item: &MessageItem) -> String {
    match item.telling {
        Telling::Cleared => "cleared".to_owned(),
        Telling::Acknowledged => "acknowledged".to_owned(),
        Telling::Returned => "over, to be acknowledged".to_owned(),
        Telling::Raised if item.facts.flapping => format!("{}, flapping", item.facts.severity),
        Telling::Raised => item.facts.severity.to_string(),
        Telling::Flapping => format!("{}, now flapping", item.facts.severity),
        Telling::Worse => format!("now {}", item.facts.severity),
        Telling::Repeated => format!("still {}", item.facts.severity),
        Telling::Escalated => format!("{}, not acknowledged", item.facts.severity),
    }
}

/// The host's name where it is known, else the subject.
fn subject(facts: &Facts) -> &str {
    facts.hostname.as_deref().unwrap_or(&facts.subject)
}

fn line(item: &MessageItem) -> String {
    let facts = &item.facts;
    let place = facts.fleet_id.as_ref().map(|fleet| format!(" ({fleet})")).unwrap_or_default();
    let since = facts.raised_at.map(|at| format!(", since {}", at.to_rfc3339()));
    let more = match item.telling {
        Telling::Cleared => {
            let lasted = facts.cleared_at.zip(facts.raised_at);
            let lasted = lasted.map(|(end, begin)| duration_text(end.since(begin).max(0)));
            let cause = facts.clear_cause.as_deref().unwrap_or("over");
            format!(" [{cause} after {}]", lasted.unwrap_or_default())
        }
        Telling::Acknowledged => {
            let by = facts.acknowledged_by.as_deref().unwrap_or("somebody");
            let note = facts.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            format!(" [by {by}{note}]")
        }
        Telling::Flapping => {
            format!(
                "{}; comes and goes, and is told again when it is over",
                since.unwrap_or_default()
            )
        }
        Telling::Raised
        | Telling::Worse
        | Telling::Repeated
        | Telling::Escalated
        | Telling::Returned => since.unwrap_or_default(),
    };
    format!("{}: {} {}{place}: {}{more}", badge(item), facts.kind, subject(facts), facts.message)
}
