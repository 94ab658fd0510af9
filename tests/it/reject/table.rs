//! The table of the protocol's answers, whole: every status and code that a request can get
//! today, over a socket, and that none of them leaves a row behind.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::future::join_all;
use hyper::Method;
use kattila::process::handle::QUEUE_REPORTS;
use kattila::sign::relay::RelaySigner;
use kattila::wire::codes::ErrorCode;
use kattila::wire::frame;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::transport::{post, talk};
use super::{Case, NEW, OLD, accept, new, old, patient, problem, refuse};
use crate::support::dns::{PLAIN, TestDns};
use crate::support::engine::{submission, waits};
use crate::support::http::post_json;
use crate::support::manager::{ADMIN_TOKEN, PSK, START, TestManager};
use crate::support::own::{Layer, Own};
use crate::support::rows::Rows;
use crate::support::seal::{Seal, object};

/// Codes of what this version does not speak or never says to anybody who asks properly:
/// what only agents' doors say; faults; the moment of a stop.
const NOT_TODAY: &[&str] = &["upstream_unreachable", "internal", "starting"];

/// The codes that have been seen.
#[derive(Default)]
struct Seen(BTreeSet<&'static str>);

impl Seen {
    async fn refuse(&mut self, kattila: &TestManager, cases: &[Case]) {
        refuse(kattila, cases).await;
        self.0.extend(cases.iter().map(|case| case.code));
    }

    /// Raw bytes, for what a well-behaved client cannot send.
    async fn raw(&mut self, kattila: &TestManager, text: &str, expected: (u16, &'static str)) {
        let before = Rows::of(&kattila.db());
        let answer = talk(kattila, text.as_bytes(), true).await;
        problem(text.get(..60).unwrap_or(text), &answer, expected);
        assert!(before.changed(&Rows::of(&kattila.db())).is_empty(), "{}", expected.1);
        self.0.insert(expected.1);
    }
}

fn report(status: u16, code: &'static str, body: impl Into<Vec<u8>>) -> Case {
    Case::report(code, (status, code), body)
}

fn tick(n: i64) -> i64 {
    START.0 * 1000 + n
}

/// What an envelope can be refused for, by a manager that knows [`OLD`] and [`NEW`].
fn envelopes() -> Vec<Case> {
    let without = |name: &str| {
        let mut members = old("table").members_v1();
        members.retain(|(other, _)| *other != name);
        object(&members)
    };
    let and = |name: &'static str, value: &str| {
        let mut members = old("table").members_v1();
        members.push((name, value.to_owned()));
        object(&members)
    };
    let deep = format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17));
    let filled = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes));
    vec![
        report(400, "malformed_json", "{"),
        report(400, "duplicate_key", and("agent_id", "\"gw-1\"")),
        report(400, "missing_field", without("nonce")),
        report(400, "invalid_field", Seal::new("a b", "table", START).v1()),
        report(400, "depth_exceeded", old("table").data(deep).v1()),
        report(400, "unsupported_version", and("version", "9")),
        report(401, "signature_invalid", old("table").psk("a key of somebody else's").v1()),
        report(403, "timestamp_skew", old("table").at(START.0 - 601).v1()),
        report(403, "version_downgrade", Seal::new(NEW, "table", START).v1()),
        report(409, "nonce_replayed", old("known").v1()),
        report(409, "tick_replayed", new("table").data(r#"{"hostname":"other"}"#).v2()),
        report(413, "data_too_large", old("table").data(filled(256 * 1024)).v1()),
        report(415, "unsupported_media_type", old("table").v1())
            .header("content-type", "text/plain"),
        report(415, "content_encoding", old("table").v1()).header("content-encoding", "gzip"),
        report(422, "data_invalid", old("table").data("[]").v1()),
        report(422, "dictionary_unknown", new("table").framed(&"ab".repeat(32)))
            .header("content-type", frame::CONTENT_TYPE),
        report(422, "relay_too_deep", and("relay_path", r#"["a","b","c","d"]"#)),
        report(422, "relay_loop", and("relay_path", r#"["a","b","a"]"#)),
    ]
}

/// What operators, admins and strangers can be refused for.
fn questions(small: &str) -> Vec<Case> {
    let ask = |status, code, method, path, body: &str| {
        let case = Case::report(code, (status, code), body).to(method, path);
        case.header("authorization", format!("Bearer {ADMIN_TOKEN}"))
    };
    let reset = "/status/admin/reset";
    vec![
        ask(400, "bad_request", Method::POST, reset, "{}"),
        ask(400, "before_history", Method::GET, "/api/v1/topology?at=1", ""),
        ask(401, "unauthenticated", Method::POST, reset, "{}")
            .header("authorization", "Bearer wrong"),
        ask(403, "forbidden", Method::POST, reset, r#"{"all":true}"#)
            .header("authorization", format!("Bearer {small}")),
        ask(404, "not_found", Method::GET, "/status/nothing", ""),
        ask(404, "agent_not_found", Method::GET, "/api/v1/agents/gw-9", ""),
        ask(404, "key_not_found", Method::POST, "/api/v1/keys/0123456789abcdef/revoke", "{}"),
        ask(405, "method_not_allowed", Method::PUT, "/status/updates", ""),
        ask(409, "conflict", Method::POST, "/api/v1/agents/gw-1/approve", "{}"),
    ]
}

async fn small_token(kattila: &TestManager) -> String {
    let wanted = json!({ "name": "small", "role": "viewer" });
    let made = kattila.operator().post("/api/v1/tokens", &wanted).await;
    made.json()["token"].as_str().unwrap().to_owned()
}

/// A manager whose first two agents are known, with what a version to come may leave behind.
async fn with_ghosts() -> TestManager {
    let kattila = patient(&[]).await;
    accept(&kattila, "one", old("one").v1()).await;
    accept(&kattila, "two", new("two").v2()).await;
    let revoke = format!("/api/v1/agents/{OLD}/revoke");
    assert_eq!(kattila.operator().post(&revoke, &json!({})).await.status, 200);
    assert_eq!(Own::named(&kattila, NEW, 1).register().await.status, 201);
    kattila.restart_with(&[("KATTILA_ENROLL", "closed")]).await
}

/// What a relay's envelope can be refused for.
async fn relays(seen: &mut Seen) {
    let kattila = patient(&[]).await;
    let mut relay = Own::new(&kattila, 1);
    assert_eq!(relay.register().await.status, 201);
    let inner = new("relayed").v2();
    let other = |change: fn(&mut Layer)| {
        let mut layer = relay.layer(&inner);
        change(&mut layer);
        layer.around(&inner, "AAECAwQFBgcICQoLDA0ODw", &RelaySigner::Own(&relay.key))
    };
    let shared = relay.layer(&inner);
    let shared = Layer { id: NEW.to_owned(), ..shared };
    let signer = RelaySigner::Shared(PSK.as_bytes());
    let shared = shared.around(&inner, "AAECAwQFBgcICQoLDA0ODw", &signer);
    let cases = [
        report(403, "relay_not_allowed", shared),
        report(403, "fleet_mismatch", other(|layer| layer.fleet = "fleet-b".to_owned())),
        report(422, "relay_hop", other(|layer| layer.hop = 2)),
        report(422, "relay_too_deep", other(|layer| layer.hop = 4)),
    ];
    seen.refuse(&kattila, &cases).await;
    kattila.stop().await;
}

/// Storage and the queue in front of it: another program holds the database.
async fn held_up(seen: &mut Seen) {
    let kattila = patient(&[("KATTILA_RATE_AGENT", "off")]).await;
    let before = Rows::of(&kattila.db());
    let stranger = rusqlite::Connection::open(kattila.db()).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let processor = kattila.manager().processor().clone();
    let mut agent = kattila.agent(NEW);
    let mut next = || processor.submit(submission(agent.seal_v2("{}"), START));
    let mut first = pin!(next());
    assert!(waits(first.as_mut()).await);
    while processor.status().queued > 0 {
        tokio::task::yield_now().await;
    }
    let fill: Vec<_> = (0..QUEUE_REPORTS).map(|_| next()).collect();
    let mut queued = pin!(join_all(fill));
    assert!(waits(queued.as_mut()).await);
    let case = report(503, "overloaded", old("held").v1());
    problem("overloaded", &case.send(&kattila).await, (503, "overloaded"));
    assert!(first.await.is_err() && queued.await.iter().all(Result::is_err));
    let case = report(503, "storage_unavailable", old("held").v1());
    problem("storage", &case.send(&kattila).await, (503, "storage_unavailable"));
    stranger.execute_batch("ROLLBACK").unwrap();
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    seen.0.extend(["overloaded", "storage_unavailable"]);
    kattila.stop().await;
}

/// What strangers are told who look under pseudonyms.
async fn veiled(seen: &mut Seen) {
    let settings = [("KATTILA_ANONYMOUS_ROLE", "viewer"), ("KATTILA_MASK_ROLES", "viewer")];
    let kattila = patient(&settings).await;
    let keys = report(403, "masked_caller", "").to(Method::GET, "/api/v1/keys");
    seen.refuse(&kattila, &[keys]).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_protocol_and_no_row_of_it() {
    let mut seen = Seen::default();
    let kattila = patient(&[]).await;
    accept(&kattila, "version 1", old("known").v1()).await;
    accept(&kattila, "version 2", new("known").v2()).await;
    let small = small_token(&kattila).await;
    let cases: Vec<Case> = envelopes().into_iter().chain(questions(&small)).collect();
    seen.refuse(&kattila, &cases).await;
    // A nonce over other bytes is an alarm, which says who and when, and nothing of the bytes.
    let before = Rows::of(&kattila.db());
    let twice = new("known").tick(tick(1)).data(r#"{"x":1}"#).v2();
    let answer = report(422, "nonce_reused", twice).send(&kattila).await;
    problem("nonce_reused", &answer, (422, "nonce_reused"));
    assert_eq!(before.changed(&Rows::of(&kattila.db())), ["alarms", "events"]);
    seen.0.insert("nonce_reused");
    let large = post("Content-Length: 1048577\r\n");
    seen.raw(&kattila, &large, (413, "body_too_large")).await;
    let header = post(&format!("X-Large: {}\r\n", "x".repeat(16 * 1024)));
    seen.raw(&kattila, &header, (431, "headers_too_large")).await;
    seen.raw(&kattila, "this is no HTTP\r\n\r\n", (400, "bad_request")).await;
    let both = post("Content-Length: x\r\n");
    seen.raw(&kattila, &both, (400, "bad_request")).await;
    kattila.stop().await;
    relays(&mut seen).await;

    let kattila = with_ghosts().await;
    let cases = [
        report(403, "agent_revoked", old("three").v1()),
        report(403, "identity_required", new("four").tick(tick(1)).v2()),
        report(403, "enrollment_closed", Seal::new("gw-9", "five", START).v1()),
    ];
    seen.refuse(&kattila, &cases).await;
    // A second key is told to people.
    let answer = Own::named(&kattila, NEW, 2).register().await;
    problem("a second key", &answer, (409, "identity_conflict"));
    seen.0.insert("identity_conflict");
    kattila.stop().await;

    let kattila = patient(&[("KATTILA_ENROLL", "approve")]).await;
    let waiting = || report(403, "pending_approval", old("one").v1());
    // The first try puts its name on the list, and nothing of what it said.
    problem("first", &waiting().send(&kattila).await, (403, "pending_approval"));
    seen.refuse(&kattila, &[waiting()]).await;
    let over = report(410, "share_over", "").to(Method::GET, "/s/never-was");
    seen.refuse(&kattila, &[over]).await;
    kattila.stop().await;

    veiled(&mut seen).await;

    let kattila = TestManager::start_with(&[("KATTILA_RATE_SOURCE", "1/1")]).await;
    let wrong = report(401, "signature_invalid", old("x").psk("a key of somebody else's").v1());
    seen.refuse(&kattila, &[wrong, report(429, "rate_limited", old("one").v1())]).await;
    kattila.stop().await;

    let dns = TestDns::start().await;
    let server = dns.addr().to_string();
    let keyless =
        [("KATTILA_PSK", ""), ("KATTILA_DNS_NAME", PLAIN), ("KATTILA_DNS_SERVER", &server)];
    let kattila = patient(&keyless).await;
    seen.refuse(&kattila, &[report(503, "keys_unavailable", old("one").v1())]).await;
    kattila.stop().await;

    held_up(&mut seen).await;
    // Seen by a test of its own, which turns the runtime's clock.
    seen.0.insert("request_timeout");
    // And by one who is given pseudonyms.
    seen.0.insert("masked_caller");
    let listed: BTreeSet<&str> = seen.0.iter().copied().chain(NOT_TODAY.iter().copied()).collect();
    let all: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, all);
    assert!(NOT_TODAY.iter().all(|code| !seen.0.contains(code)));
}

/// Sends what there is of a request and reads the answer. The runtime's clock jumps to the next
/// timer as soon as nothing else is left to do, so that nobody waits.
async fn too_slow(kattila: &TestManager, text: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(kattila.addr()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    tokio::time::pause();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    tokio::time::resume();
    answer
}

#[tokio::test]
async fn what_does_not_arrive_in_time_is_a_408() {
    let kattila = patient(&[]).await;
    let before = Rows::of(&kattila.db());
    let body = old("slow").v1();
    let head = post(&format!("Content-Length: {}\r\n", body.len() + 1));
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    for (name, text) in [
        ("half a head", "POST /status/updates HTTP/1.1\r\nHost: k\r\n".to_owned()),
        ("no body", head.clone()),
        ("a byte too few", format!("{head}{body}")),
        ("no last chunk", format!("{}{chunk}", post("Transfer-Encoding: chunked\r\n"))),
    ] {
        let answer = super::transport::answer(&too_slow(&kattila, &text).await);
        problem(name, &answer, (408, "request_timeout"));
    }
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    // Nobody is told anything who has not begun to ask.
    assert!(too_slow(&kattila, "").await.is_empty());
    let answer = post_json(kattila.addr(), "/status/updates", &[], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(Rows::of(&kattila.db()).count("reports"), 1, "{OLD}");
    kattila.stop().await;
}
