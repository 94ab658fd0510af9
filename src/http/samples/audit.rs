//! Samples of the audit.

use serde_json::json;

use super::{AUDIT_QUERY, JSON, NOW, Sample, value};
use crate::http::operators::audit::{AuditPage, AuditView};
use crate::model::audit::{Entry, Head, Sealed};

fn sealed() -> Sealed {
    let (before, after) = (json!({"status": "online"}), json!({"status": "retired"}));
    let entry = Entry::new(NOW, "ann", "agent.revoke", "agent gw-1")
        .told(Some(before.to_string()), Some(after.to_string()))
        .from("192.0.2.7".parse().ok());
    Sealed { entry, head: Head { seq: 41, hash: [0xab; 32] } }
}

pub(super) fn of(path: &str) -> Option<Sample> {
    Some(match path {
        "/api/v1/audit" => Sample {
            summary: "Who did what, newest first",
            query: AUDIT_QUERY,
            body: None,
            status: "200",
            kind: JSON,
            answer: value(&page()),
        },
        "/api/v1/export/audit.csv" => export("text/csv", "seq,at,who,from,act,...,hash\n"),
        "/api/v1/export/audit.ndjson" => {
            export("application/x-ndjson", "{\"seq\":41,\"at\":1795214286,\"who\":\"ann\"}\n")
        }
        _ => return None,
    })
}

fn page() -> AuditPage {
    AuditPage { entries: vec![AuditView::from(sealed())], before: Some(41), head: "41 abab".into() }
}

fn export(kind: &'static str, answer: &str) -> Sample {
    Sample {
        summary: "The audit, oldest first, as a file",
        query: AUDIT_QUERY,
        body: None,
        status: "200",
        kind,
        answer: json!(answer),
    }
}
