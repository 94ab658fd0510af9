//! Spans as a collector wants them.
//!
//! Pure. The JSON form of OTLP's `ExportTraceServiceRequest` (opentelemetry-proto 1.x,
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): ids in hexadecimal, 64-bit
//! numbers as strings. Names of attributes are the semantic conventions' for HTTP servers.

use serde_json::{Value, json};

use super::layer::{Closed, Facts};
use crate::model::hex;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: u8 = 1;

/// `SPAN_KIND_SERVER`.
const SERVER: u8 = 2;

/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// A request with these spans.
pub(super) fn body(spans: &[Closed]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", "kattila"),
            text("service.version", version),
        ]},
        "scopeSpans": [{
            "scope": {"name": "kattila", "version": version},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Closed) -> Value {
    let Closed { name, began_ns, took_ns, facts, .. } = span;
    let served = facts.method.as_ref().zip(facts.route.as_ref());
    let called = served.map_or_else(|| (*name).to_owned(), |(how, what)| format!("{how} {what}"));
    let mut made = json!({
        "traceId": hex::encode(&span.trace),
        "spanId": hex::encode(&span.span),
        "name": called,
        "kind": if served.is_some() { SERVER } else { INTERNAL },
        "startTimeUnixNano": began_ns.to_string(),
        "endTimeUnixNano": (began_ns + took_ns).to_string(),
        "attributes": attributes(facts),
    });
    if let (Some(parent), Value::Object(made)) = (span.parent, &mut made) {
        made.insert("parentSpanId".to_owned(), hex::encode(&parent).into());
    }
    // What clients do wrong is no error of a server (semantic conventions, HTTP spans).
    if let (Some(500..), Value::Object(made)) = (facts.status, &mut made) {
        made.insert("status".to_owned(), json!({"code": ERROR}));
    }
    made
}

fn attributes(facts: &Facts) -> Vec<Value> {
    let texts = [
        ("http.request.method", &facts.method),
        ("http.route", &facts.route),
        ("kattila.request_id", &facts.id),
        ("error.type", &facts.code),
    ];
    let texts = texts.into_iter().filter_map(|(key, value)| Some(text(key, value.as_ref()?)));
    let status = facts.status.map(|status| {
        json!({"key": "http.response.status_code", "value": {"intValue": status.to_string()}})
    });
    texts.chain(status).collect()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_what_it_waited_for() {
        let facts = Facts {
            id: Some("0a".into()),
            method: Some("POST".into()),
            route: Some("/status/updates".into()),
            status: Some(503),
            code: Some("overloaded".into()),
            sender: None,
        };
        let request = Closed {
            trace: [1; 16],
            span: [2; 8],
            parent: None,
            name: "request",
            began_ns: 1_800_000_000_000_000_000,
            took_ns: 1_500,
            facts,
        };
        let inner = Closed {
            span: [3; 8],
            parent: Some([2; 8]),
            name: "verify",
            facts: Facts::default(),
            ..request.clone()
        };
        let made = body(&[request, inner]);
        let spans = &made["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(
            spans[0],
            json!({
                "traceId": "01010101010101010101010101010101",
                "spanId": "0202020202020202",
                "name": "POST /status/updates",
                "kind": 2,
                "startTimeUnixNano": "1800000000000000000",
                "endTimeUnixNano": "1800000000000001500",
                "attributes": [
                    {"key": "http.request.method", "value": {"stringValue": "POST"}},
                    {"key": "http.route", "value": {"stringValue": "/status/updates"}},
                    {"key": "kattila.request_id", "value": {"stringValue": "0a"}},
                    {"key": "error.type", "value": {"stringValue": "overloaded"}},
                    {"key": "http.response.status_code", "value": {"intValue": "503"}},
                ],
                "status": {"code": 2},
            })
        );
        assert_eq!(
            (&spans[1]["parentSpanId"], &spans[1]["kind"]),
            (&json!("0202020202020202"), &json!(1))
        );
        assert_eq!(spans[1]["name"], "verify");
        assert_eq!(spans[1].get("status"), None);
    }
}
