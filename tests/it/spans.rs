//! Spans of requests at a collector: which, how they belong together, and that nothing secret is in
//! them.

use kattila::clock::Clock;
use serde_json::Value;

use crate::support::actors::{Agent, Operator};
use crate::support::fleet::ALPHA;
use crate::support::http::{get, post_json};
use crate::support::manager::{ADMIN_TOKEN, PSK};
use crate::support::process::Serve;
use crate::support::receiver::{Mood, Receiver};

/// Every span in what a collector got.
fn spans(bodies: &[Value]) -> Vec<Value> {
    let of = |body: &Value| {
        let resource = &body["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "kattila");
        resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    };
    bodies.iter().flat_map(of).collect()
}

fn attribute<'s>(span: &'s Value, key: &str) -> &'s Value {
    let all = span["attributes"].as_array().unwrap();
    let found = all.iter().find(|attribute| attribute["key"] == key).unwrap();
    let value = found["value"].as_object().unwrap();
    value.values().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_exported_with_what_they_waited_for_and_without_secrets() {
    let home = tempfile::tempdir().unwrap();
    let collector = Receiver::start().await;
    // It is away at first, which nobody notices.
    collector.will([Mood::Status(503, "")]);
    let to = collector.url("");
    let settings = [("KATTILA_OTLP_ENDPOINT", to.as_str())];
    let serve = Serve::start_with(home.path(), &home.path().join("k.db"), &settings).await;
    let mut agent = Agent::new(ALPHA, serve.addr(), Clock::system());
    let envelope = agent.seal_v2(r#"{"hostname":"secret-host-name"}"#);
    assert_eq!(agent.send(&envelope).await.status, 200);
    let operator = Operator::new(serve.addr(), ADMIN_TOKEN);
    let refused =
        Operator::new(serve.addr(), "kat_a-token-that-is-none").get("/status/agents").await;
    assert_eq!(refused.status, 401);
    operator.get("/livez").await;
    serve.stop().await;
    let got = collector.take();
    assert!(got.iter().all(|got| got.path == "/v1/traces"), "{got:?}");
    assert!(got.iter().all(|got| got.header("content-type") == "application/json"));
    let signature: Value = serde_json::from_str(&envelope).unwrap();
    let told: String = got.iter().map(|got| got.body.as_str()).collect();
    for secret in [PSK, ADMIN_TOKEN, "kat_a-token", "secret-host-name", ALPHA] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    for (name, value) in signature.as_object().unwrap() {
        let value = value.as_str().filter(|value| value.len() > 8);
        assert!(value.is_none_or(|value| !told.contains(value)), "{name} in {told}");
    }
    let bodies: Vec<Value> = got.iter().map(crate::support::receiver::Got::json).collect();
    let all = spans(&bodies);
    let named = |name: &str| all.iter().find(|span| span["name"] == name).unwrap();
    let report = named("POST /status/updates");
    assert_eq!(attribute(report, "http.response.status_code"), "200");
    assert_eq!(report.get("parentSpanId"), None);
    for inner in ["verify", "store"] {
        let inner = named(inner);
        assert_eq!(inner["traceId"], report["traceId"]);
        assert_eq!(inner["parentSpanId"], report["spanId"]);
        let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
        let (began, ended) = (time(inner, "startTimeUnixNano"), time(inner, "endTimeUnixNano"));
        assert!(time(report, "startTimeUnixNano") <= began && began <= ended);
    }
    let refused = named("GET /status/agents");
    assert_eq!(attribute(refused, "http.response.status_code"), "401");
    assert_eq!(attribute(refused, "error.type"), "unauthenticated");
    assert_ne!(refused["traceId"], report["traceId"]);
    assert!(!told.contains("livez"), "health checks are no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_part_of_its_senders_trace_and_garbage_begins_one() {
    let home = tempfile::tempdir().unwrap();
    let collector = Receiver::start().await;
    let to = collector.url("");
    let settings = [("KATTILA_OTLP_ENDPOINT", to.as_str())];
    let serve = Serve::start_with(home.path(), &home.path().join("k.db"), &settings).await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let good = format!("00-{trace}-{parent}-01");
    let agent = Agent::new(ALPHA, serve.addr(), Clock::system()).seal_v2("{}");
    let traced = [("traceparent", good.as_str())];
    let sent = post_json(serve.addr(), "/status/updates", &traced, agent).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let garbage = format!("00-{}-{parent}-01", "0".repeat(32));
    get(serve.addr(), "/status/agents", &[("traceparent", garbage.as_str())]).await;
    serve.stop().await;

    let bodies: Vec<Value> =
        collector.take().iter().map(crate::support::receiver::Got::json).collect();
    let all = spans(&bodies);
    let named = |name: &str| all.iter().find(|span| span["name"] == name).unwrap();
    let report = named("POST /status/updates");
    assert_eq!((&report["traceId"], &report["parentSpanId"]), (&trace.into(), &parent.into()));
    let verify = named("verify");
    assert_eq!((&verify["traceId"], &verify["parentSpanId"]), (&trace.into(), &report["spanId"]));
    let other = named("GET /status/agents");
    assert_eq!(other.get("parentSpanId"), None);
    assert_ne!(other["traceId"], trace);
}
