//! Samples of what people do about alarms, and of maintenance windows.

use serde_json::{Value, json};

use crate::http::operators::OK;
use crate::http::operators::acts::{Acted, ActedOn};
use crate::http::operators::maintenance::{Made, Weekly, WindowView};
use crate::http::operators::quality::QualityView;
use crate::model::id::{AlarmId, WindowId};
use crate::model::life::AlarmLife;
use crate::model::state::{AlarmKind, Severity};
use crate::process::acts::Outcome;

use super::{JSON, NOW, Sample, value};

/// The sample of a route that does something about alarms or maintenance.
pub(super) fn of(method: &str, path: &str) -> Option<Sample> {
    let (summary, body, answer) = match (method, path) {
        ("POST", "/api/v1/alarms/{id}/ack") => {
            ("Acknowledge an alarm", Some(json!({"note": "cable ordered"})), value(&OK))
        }
        ("POST", "/api/v1/alarms/{id}/shelve") => (
            "Shelve an alarm until a time (until, or for_s), with a reason",
            Some(json!({"for_s": 3600, "reason": "cable ordered"})),
            value(&OK),
        ),
        ("POST", "/api/v1/alarms/{id}/unshelve") => {
            ("Take an alarm from the shelf", None, value(&OK))
        }
        ("POST", "/api/v1/alarms/{id}/clear") => ("Clear an alarm by hand", None, value(&OK)),
        ("POST", "/api/v1/alarms/acknowledge") => (
            "Acknowledge many alarms; incidents are causes with all that follows from them",
            Some(json!({"ids": [7, 8], "incidents": [9], "note": "cable ordered"})),
            value(&acted()),
        ),
        ("POST", "/api/v1/alarms/shelve") => (
            "Shelve many alarms until a time (until, or for_s), with a reason",
            Some(
                json!({"ids": [7, 8], "incidents": [9], "for_s": 3600, "reason": "cable ordered"}),
            ),
            value(&acted()),
        ),
        ("POST", "/api/v1/alarms/unshelve") => {
            ("Take many alarms from the shelf", Some(many()), value(&acted()))
        }
        ("POST", "/api/v1/alarms/clear") => {
            ("Clear many alarms by hand", Some(many()), value(&acted()))
        }
        ("POST", "/api/v1/maintenance") => return Some(make()),
        ("DELETE", "/api/v1/maintenance/{id}") => {
            ("End a maintenance window for good", None, value(&made()))
        }
        _ => return None,
    };
    Some(Sample { summary, query: &[], body, status: "200", kind: JSON, answer })
}

fn many() -> Value {
    json!({"ids": [7, 8], "incidents": [9]})
}

fn acted() -> Acted {
    let results = vec![
        ActedOn { id: AlarmId(7), outcome: Outcome::Done },
        ActedOn { id: AlarmId(8), outcome: Outcome::NotOpen },
    ];
    Acted { status: "ok", done: 1, results }
}

fn made() -> Made {
    Made { status: "ok", id: WindowId(3), agents: 12 }
}

fn make() -> Sample {
    Sample {
        summary: "Make a maintenance window: of an agent, a fleet or a label; once or weekly",
        query: &[],
        body: Some(json!({
            "label": "site=hel",
            "weekly": {"days": ["sat"], "start": "22:00", "lasts_s": 7200, "utc_offset": "+02:00"},
            "reason": "updates"
        })),
        status: "201",
        kind: JSON,
        answer: value(&made()),
    }
}

pub(super) fn window() -> WindowView {
    let weekly = Weekly {
        days: vec!["sat".into()],
        start: "22:00".into(),
        lasts_s: 7200,
        utc_offset: "+02:00".into(),
    };
    WindowView {
        id: WindowId(3),
        state: "now",
        scope: "label",
        who: "site=hel".into(),
        from: Some(NOW),
        until: Some(NOW.plus(7200)),
        weekly: Some(weekly),
        reason: "updates".into(),
        made_by: "admin".into(),
        made_at: NOW,
        ended_at: Some(NOW),
        ended_by: Some("admin".into()),
    }
}

pub(super) fn quality() -> QualityView {
    let life = |raised: i64, acknowledged: bool| AlarmLife {
        kind: AlarmKind::EdgeDown,
        subject: "0f1e2d3c4b5a6978".into(),
        severity: Severity::Major,
        raised_at: NOW.minus(raised),
        acknowledged_at: acknowledged.then(|| NOW.minus(raised - 60)),
        cleared_at: Some(NOW.minus(raised - 300)),
        clear_cause: Some("condition over".into()),
        follows: false,
    };
    QualityView::new(&[life(7_000, true), life(6_000, false)], (NOW.minus(86_400), NOW), NOW)
}
