//! The page of the rules of alarms.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{Reader, html};
use crate::http::error::ApiError;
use crate::http::operators::rules::{EntryView, KindView, LimitView, RulesView};
use crate::http::state::AppState;
use crate::process::tune::Changed;
use crate::views::page::Nav;
use crate::views::rules::{self, ChangeItem, EntryItem, KindItem, LimitItem, RulesItem};

/// `GET /rules`.
pub async fn page(State(state): State<AppState>, reader: Reader) -> Result<Response, ApiError> {
    let context = reader.context(&state, "Alarm rules", Nav::Alarms);
    let RulesView { kinds, changes, mistakes } = RulesView::read(&state);
    let rules = RulesItem {
        kinds: kinds.into_iter().map(kind).collect(),
        changes: changes.into_iter().map(change).collect(),
        mistakes,
        has_file: state.config.rules.is_some(),
    };
    html(rules::page(&context, &rules))
}

fn kind(view: KindView) -> KindItem {
    let limit = |LimitView { name, default, about, .. }| LimitItem { name, value: default, about };
    KindItem {
        kind: view.kind.as_str(),
        meaning: view.meaning,
        severity: view.severity,
        raised: view.raised,
        ends: view.ends,
        limits: view.limits.into_iter().map(limit).collect(),
        changed: view.changed.iter().map(entry).collect(),
    }
}

fn entry(view: &EntryView) -> EntryItem {
    EntryItem { line: view.line, whom: whom(&view.says), what: what(&view.says) }
}

fn change(changed: Changed) -> ChangeItem {
    ChangeItem {
        at: changed.at,
        by: changed.by,
        kind: changed.kind.as_str(),
        before: entries(changed.before.as_ref()),
        after: entries(changed.after.as_ref()),
    }
}

/// Several entries in one text.
fn entries(value: Option<&Value>) -> String {
    let all = value.and_then(Value::as_array).filter(|all| !all.is_empty());
    let Some(all) = all else { return "the catalogue's".to_owned() };
    let told = all.iter().map(|says| {
        let (whom, what) = (whom(says), what(says).join(", "));
        if whom.is_empty() { what } else { format!("{whom}: {what}") }
    });
    told.collect::<Vec<_>>().join("; ")
}

/// For whom an entry is, in words.
fn whom(says: &Value) -> String {
    let mut parts = Vec::new();
    for fleet in says["fleets"].as_array().into_iter().flatten() {
        parts.push(format!("fleet {}", plain(fleet)));
    }
    for (name, pattern) in says["labels"].as_object().into_iter().flatten() {
        parts.push(format!("{name}={}", plain(pattern)));
    }
    parts.join(", ")
}

/// What an entry changes, in words.
fn what(says: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    for (name, value) in says.as_object().into_iter().flatten() {
        match name.as_str() {
            "fleets" | "labels" => {}
            "enabled" if value == &Value::Bool(false) => parts.push("switched off".to_owned()),
            "enabled" => parts.push("switched on".to_owned()),
            "limits" => {
                let limits = value.as_object().into_iter().flatten();
                parts.extend(limits.map(|(name, value)| format!("{name} {value}")));
            }
            name => parts.push(format!("{} {}", name.replace('_', " "), plain(value))),
        }
    }
    parts
}

/// A text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_in_words() {
        let says = json!({
            "fleets": ["lab*"], "labels": { "role": "gateway" }, "severity_at_most": "major",
            "raise_after": "3 reports", "limits": { "t2_extra_s": 120 }, "enabled": true,
        });
        assert_eq!(whom(&says), "fleet lab*, role=gateway");
        let told = ["switched on", "t2_extra_s 120", "raise after 3 reports"];
        assert_eq!(what(&says)[..3], told);
        assert_eq!(what(&says)[3], "severity at most major");
        let off = json!([{ "enabled": false }, { "fleets": ["b"], "enabled": true }]);
        assert_eq!(entries(Some(&off)), "switched off; fleet b: switched on");
        assert_eq!(
            (entries(None), entries(Some(&json!([])))),
            ("the catalogue's".to_owned(), "the catalogue's".to_owned())
        );
    }
}
