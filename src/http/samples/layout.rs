//! The samples of where things are drawn.

use serde_json::json;

use super::{JSON, NOW, Sample, value};
use crate::http::operators::layout::{LayoutView, PreviewView, StepView};
use crate::model::state::LayoutAct;

fn view() -> LayoutView {
    let (step, at, by) = (7, NOW, "olga".to_owned());
    LayoutView {
        layout_rev: 12,
        pinned: vec!["a:gw-1".to_owned()],
        steps: vec![StepView { step, at, by, act: LayoutAct::Pin, count: 1 }],
    }
}

pub(super) fn of(method: &str, path: &str) -> Option<Sample> {
    let mut answer = value(&view());
    let (summary, body) = match (method, path) {
        ("GET", "/api/v1/layout") => {
            ("What is pinned on the map, and what can be taken back", None)
        }
        ("GET", "/api/v1/layout/preview") => {
            answer = value(&PreviewView { moved: vec![("a:gw-1".to_owned(), 12.5, -3.0)] });
            ("What would move if everything were placed anew", None)
        }
        ("POST", "/api/v1/layout/pin") => (
            "Pin nodes and sites where they are put",
            Some(json!({"moves": [{"id": "a:gw-1", "x": 12.5, "y": -3.0}]})),
        ),
        ("POST", "/api/v1/layout/unpin") => {
            ("Let go of what is pinned", Some(json!({"ids": ["a:gw-1"]})))
        }
        ("POST", "/api/v1/layout/rearrange") => {
            ("Place everything anew, except what is pinned", None)
        }
        ("POST", "/api/v1/layout/undo") => ("Take the last change back", Some(json!({"step": 7}))),
        _ => return None,
    };
    Some(Sample { summary, query: &[], body, status: "200", kind: JSON, answer })
}
