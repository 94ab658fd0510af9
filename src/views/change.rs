//! What an event changed, in words for a list; the API has every value whole.

use serde_json::{Map, Value};

use super::names::Names;
use super::text::bare_reason;
use crate::model::time::UnixSeconds;

/// Longest text of one change in a list.
const CHARS: usize = 220;

/// A smaller number is no time of this program's.
const EARLIEST: i64 = 1_000_000_000;

/// Before and after of an event in one line.
pub(super) fn words(names: &Names, before: Option<&Value>, after: Option<&Value>) -> String {
    let text = match (before, after) {
        (None, None) => String::new(),
        (None, Some(value)) => one(names, value),
        (Some(value), None) => format!("was {}", one(names, value)),
        (Some(Value::Object(old)), Some(Value::Object(new))) if new.contains_key("relay_path") => {
            format!("{} → {}", way(names, old), way(names, new))
        }
        (Some(Value::Object(old)), Some(Value::Object(new))) => both(old, new),
        (Some(old), Some(new)) => format!("{} → {}", plain(old), plain(new)),
    };
    short(text)
}

fn one(names: &Names, value: &Value) -> String {
    let Value::Object(members) = value else { return plain(value) };
    if let Some(Value::String(message)) = members.get("message") {
        return match members.get("cause") {
            Some(Value::String(cause)) => format!("{message} ({cause})"),
            _ => message.clone(),
        };
    }
    if let Some(Value::Array(ends)) = members.get("ends") {
        let ends: Vec<String> = ends.iter().map(|end| end_of_link(names, end)).collect();
        return ends.join(" ⇄ ");
    }
    if let (Some(runs), Some(Value::Object(jobs))) = (members.get("runs"), members.get("jobs")) {
        return runs_of_jobs(runs, jobs);
    }
    // Counters are a reading, not a setting; the report has them.
    let members = members.iter().filter(|(name, value)| *name != "counters" && !is_nothing(value));
    let told: Vec<String> =
        members.map(|(name, value)| format!("{name} {}", named(name, value))).collect();
    told.join(", ")
}

/// A member's value; a time is told as one.
fn named(name: &str, value: &Value) -> String {
    let is_time = name.ends_with("_at") || name.ends_with("until") || name == "from";
    match value.as_i64().filter(|at| is_time && *at >= EARLIEST) {
        Some(at) => UnixSeconds(at).to_rfc3339(),
        None => plain(value),
    }
}

/// A day's runs of jobs: how many, which failed, and which took longest.
fn runs_of_jobs(runs: &Value, jobs: &Map<String, Value>) -> String {
    let number = |sum: &Value, name: &str| sum.get(name).and_then(Value::as_u64).unwrap_or(0);
    let failed: Vec<String> = jobs
        .iter()
        .filter(|(_, sum)| number(sum, "failed") > 0)
        .map(|(job, sum)| format!("{job} {}", number(sum, "failed")))
        .collect();
    let longest = jobs.iter().max_by_key(|(_, sum)| number(sum, "longest_ms"));
    let longest = longest.map(|(job, sum)| format!("{job} {} ms", number(sum, "longest_ms")));
    let told = if failed.is_empty() {
        format!("{runs} runs, none failed")
    } else {
        let all: u64 = jobs.values().map(|sum| number(sum, "failed")).sum();
        format!("{runs} runs, {all} of them failed: {}", failed.join(", "))
    };
    longest.map_or(told.clone(), |longest| format!("{told}; longest: {longest}"))
}

/// The members that differ; for verdicts the new reason beside them.
fn both(old: &Map<String, Value>, new: &Map<String, Value>) -> String {
    let none = Value::Null;
    let mut told: Vec<String> = Vec::new();
    for (name, value) in new {
        let was = old.get(name).unwrap_or(&none);
        // What each end showed stands on the link's page.
        if was == value || name == "reason" || name == "ends" {
            continue;
        }
        let change = if is_nothing(was) {
            named(name, value)
        } else {
            format!("{} → {}", named(name, was), named(name, value))
        };
        told.push(if name == "state" { change } else { format!("{name} {change}") });
    }
    let gone = old.iter().filter(|(name, was)| !new.contains_key(*name) && !is_nothing(was));
    told.extend(gone.map(|(name, was)| format!("{name} was {}", named(name, was))));
    let mut text = told.join(", ");
    if let Some(Value::String(reason)) = new.get("reason") {
        let reason = bare_reason(reason);
        text = if text.is_empty() { reason.to_owned() } else { format!("{text}: {reason}") };
    }
    text
}

/// A report's path.
fn way(names: &Names, path: &Map<String, Value>) -> String {
    let relays = path.get("relay_path").and_then(Value::as_array).into_iter().flatten();
    let relays: Vec<&str> = relays.filter_map(Value::as_str).map(|id| names.name(id)).collect();
    match path.get("relay_proof").and_then(Value::as_str) {
        Some(proof) if !relays.is_empty() => format!("via {} ({proof})", relays.join(", ")),
        _ => "direct".to_owned(),
    }
}

fn end_of_link(names: &Names, end: &Value) -> String {
    let text = |name: &str| end.get(name).and_then(Value::as_str);
    match (text("agent_id"), text("interface"), text("public_key")) {
        (Some(agent), Some(interface), _) => format!("{} {interface}", names.name(agent)),
        (Some(agent), None, _) => names.name(agent).to_owned(),
        (None, _, Some(key)) => format!("key {}…", key.chars().take(8).collect::<String>()),
        (None, _, None) => "no agent".to_owned(),
    }
}

/// Whether a value says nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "nothing".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            let told = members.iter().map(|(name, value)| format!("{name}={}", plain(value)));
            told.collect::<Vec<_>>().join(" ")
        }
    }
}

fn short(text: String) -> String {
    if text.chars().count() <= CHARS {
        return text;
    }
    let cut: String = text.chars().take(CHARS).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Value, after: &Value) -> String {
        let some = |value: &Value| (!value.is_null()).then(|| value.clone());
        words(&Names::default(), some(before).as_ref(), some(after).as_ref())
    }

    #[test]
    fn times_are_told_as_times_and_other_numbers_as_they_are() {
        let after = json!({"role": "admin", "expires_at": 1_795_876_451});
        let text = "expires_at 2026-11-28T14:34:11Z, role admin";
        assert_eq!(told(&Value::Null, &after), text);
        let text = "from 2026-11-28T14:34:11Z → 2026-11-28T14:34:12Z, layout_at 7";
        let (before, after) =
            (json!({"from": 1_795_876_451}), json!({"from": 1_795_876_452, "layout_at": 7}));
        assert_eq!(told(&before, &after), text);
        assert_eq!(told(&Value::Null, &json!({"count": 1_795_876_451})), "count 1795876451");
    }

    #[test]
    fn a_day_of_jobs_is_told_by_its_failures_and_its_longest_run() {
        let sum =
            |failed: u64, longest: u64| json!({"runs": 9, "failed": failed, "longest_ms": longest});
        let mut day = json!({"from": 1, "until": 2, "runs": 18, "failed": 0,
            "jobs": {"sweep": sum(0, 4), "roll-up": sum(0, 812)}});
        assert_eq!(told(&Value::Null, &day), "18 runs, none failed; longest: roll-up 812 ms");
        day["jobs"]["sweep"] = sum(3, 4);
        let text = "18 runs, 3 of them failed: sweep 3; longest: roll-up 812 ms";
        assert_eq!(told(&Value::Null, &day), text);
    }

    #[test]
    fn a_verdict_is_told_with_its_reason() {
        let before = json!({"state": "unknown", "reason": "no report has been judged yet"});
        let after = json!({"state": "up", "reason": "up: last handshake 9 s ago"});
        assert_eq!(told(&before, &after), "unknown → up: last handshake 9 s ago");
        assert_eq!(told(&after, &after), "last handshake 9 s ago");
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({"hostname": null, "mtu": 1420, "labels": {"site": "oulu"}, "gone": 1});
        let after = json!({"hostname": "hel-gw1", "mtu": 1420, "labels": {"site": "turku"}});
        assert_eq!(
            told(&before, &after),
            "hostname hel-gw1, labels site=oulu → site=turku, gone was 1"
        );
    }

    #[test]
    fn an_alarm_is_told_by_its_message_and_a_link_by_its_ends() {
        let alarm = json!({"id": 3, "cause": "the peer is gone", "message": "x lists a stranger"});
        assert_eq!(told(&Value::Null, &alarm), "x lists a stranger (the peer is gone)");
        let link = json!({"ends": [
            {"agent_id": "a1", "interface": "wg0", "public_key": "k"},
            {"agent_id": null, "interface": null, "public_key": "abcdefghijk="},
        ]});
        assert_eq!(told(&link, &Value::Null), "was a1 wg0 ⇄ key abcdefgh…");
    }

    #[test]
    fn a_path_is_told_by_its_relays() {
        let direct = json!({"relay_path": [], "relay_proof": null});
        let relayed = json!({"relay_path": ["r1", "r2"], "relay_proof": "proven"});
        assert_eq!(told(&direct, &relayed), "direct → via r1, r2 (proven)");
        assert_eq!(told(&relayed, &direct), "via r1, r2 (proven) → direct");
    }

    #[test]
    fn long_values_are_cut_and_empty_ones_left_out() {
        let long = Value::String("ä".repeat(500));
        assert_eq!(told(&Value::Null, &long).chars().count(), CHARS + 1);
        let route = json!({"dst": "10.0.0.0/8", "gateway": null, "metric": 0, "type": "unicast"});
        assert_eq!(told(&Value::Null, &route), "dst 10.0.0.0/8, metric 0, type unicast");
    }
}
