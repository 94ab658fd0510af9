//! Samples of the rules of alarms.

use serde_json::json;

use super::NOW;
use crate::http::operators::rules::{EntryView, KindView, LimitView, RulesView};
use crate::model::state::{AlarmKind, Severity};
use crate::process::tune::Changed;

pub(super) fn rules() -> RulesView {
    let limit = LimitView {
        name: "t2_extra_s",
        unit: "seconds",
        default: 90,
        least: 0,
        most: 86_400,
        about: "seconds from the warning until the link counts as down",
    };
    let says =
        json!({ "fleets": ["lab"], "severity": "critical", "limits": { "t2_extra_s": 120 } });
    let kind = KindView {
        kind: AlarmKind::EdgeDown,
        meaning: "A link that should be alive has had no handshake.",
        severity: Severity::Warning,
        raised: "after 2 reports".into(),
        ends: "after 1 report".into(),
        latching: false,
        limits: vec![limit],
        changed: vec![EntryView { line: 1, says: says.clone() }],
    };
    let change = Changed {
        at: NOW,
        by: "hangup (rules.toml of alice)".into(),
        kind: AlarmKind::EdgeDown,
        before: Some(json!([])),
        after: Some(json!([says])),
    };
    let mistakes = vec!["rules.toml: line 3: rule.kinds is missing".into()];
    RulesView { kinds: vec![kind], changes: vec![change], mistakes }
}
