//! Keys from DNS through the whole manager: rotated, lost, found again, and never shown.

use std::collections::BTreeSet;

use hyper::Method;
use kattila::http::routes;
use kattila::model::hex;
use kattila::sign::psk::kid_of_psk;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::dns::{Misbehaviour, PLAIN, SIGNED, TestDns};
use crate::support::fleet::{ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::http::{Answer, post_json, send};
use crate::support::log;
use crate::support::manager::{ADMIN_TOKEN, START, TestManager};
use crate::support::rows::Rows;
use crate::support::seal::Seal;

const A: &str = "rotate-key-aaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "rotate-key-bbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "rotate-key-cccccccccccccccccccccccccccc";
const STRANGE: &str = "rotate-key-of-somebody-else-entirely";
const SHORT: &str = "rotate-key-short";
const UNSEEN: &str = "rotate-key-nobody-has-ever-seen";

const AGENT: &str = "0123456789abcdef0123456789abcdef";
const DAY: i64 = 86_400;

async fn start(dns: &TestDns, more: &[(&str, &str)]) -> TestManager {
    let server = dns.addr().to_string();
    let mut settings = vec![
        ("KATTILA_PSK", ""),
        ("KATTILA_DNS_NAME", PLAIN),
        ("KATTILA_DNS_SERVER", server.as_str()),
        ("KATTILA_RATE_SOURCE", "off"),
    ];
    settings.extend_from_slice(more);
    TestManager::start_with(&settings).await
}

/// A report signed with this key now; `n` makes it one of its own.
async fn report(kattila: &TestManager, key: &str, n: i64) -> Answer {
    let now = kattila.clock.now();
    let seal = Seal::new(AGENT, &format!("n-{}-{n}", now.0), now).psk(key);
    let body = seal.tick(now.0 * 1000 + n).v2();
    post_json(kattila.addr(), "/status/updates", &[], body).await
}

async fn believed(kattila: &TestManager, key: &str, n: i64) {
    let answer = report(kattila, key, n).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let agents = kattila.operator().agents().await;
    let agent = agents.iter().find(|agent| agent["agent_id"] == AGENT).unwrap();
    assert_eq!(agent["kid"], kid_of_psk(key.as_bytes()).as_str());
}

async fn refused(kattila: &TestManager, key: &str, n: i64) {
    let answer = report(kattila, key, n).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "signature_invalid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_cuts_nobody_off() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    believed(&kattila, A, 1).await;
    assert_eq!(dns.queries(), 1, "a known key asks nobody");

    dns.set_keys(PLAIN, &[A, B]).await;
    kattila.clock.set(START.plus(300));
    kattila.manager().refresh_keys().await;
    assert_eq!(dns.queries(), 2);
    believed(&kattila, A, 2).await;
    believed(&kattila, B, 3).await;

    dns.set_keys(PLAIN, &[B]).await;
    let left = START.plus(600);
    kattila.clock.set(left);
    kattila.manager().refresh_keys().await;
    believed(&kattila, A, 4).await;
    let kattila = kattila.restart().await;
    kattila.clock.set(left.plus(DAY - 1));
    believed(&kattila, A, 5).await;
    believed(&kattila, B, 6).await;
    kattila.clock.set(left.plus(DAY));
    refused(&kattila, A, 7).await;
    believed(&kattila, B, 8).await;
    let kattila = kattila.restart().await;
    refused(&kattila, A, 9).await;
    believed(&kattila, B, 10).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_know_a_new_key_before_the_manager_does() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    believed(&kattila, A, 1).await;
    dns.set_keys(PLAIN, &[A, B]).await;
    assert_eq!(dns.queries(), 1);

    // Many of them at once: one of them asks, all of them are believed.
    let (addr, now) = (kattila.addr(), kattila.clock.now());
    let mut posts = tokio::task::JoinSet::new();
    for n in 0..16 {
        let id = format!("{n:032x}");
        let body = Seal::new(&id, "early", now).psk(B).v2();
        posts.spawn(async move { post_json(addr, "/status/updates", &[], body).await.status });
    }
    assert_eq!(posts.join_all().await, [200; 16]);
    assert_eq!(dns.queries(), 2);
    believed(&kattila, A, 2).await;

    // Keys that nobody publishes ask once more at most, and not again for half a minute.
    kattila.clock.set(now.plus(30));
    for n in 10..40 {
        refused(&kattila, STRANGE, n).await;
    }
    assert_eq!(dns.queries(), 3);
    kattila.clock.set(now.plus(59));
    refused(&kattila, STRANGE, 1).await;
    assert_eq!(dns.queries(), 3);
    kattila.clock.set(now.plus(60));
    refused(&kattila, STRANGE, 1).await;
    assert_eq!(dns.queries(), 4);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dns_does_not_answer_takes_no_key_away() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let mut kattila = start(&dns, &[]).await;
    believed(&kattila, A, 1).await;
    let trouble = [
        Misbehaviour::Servfail,
        Misbehaviour::Refused,
        Misbehaviour::Nxdomain,
        Misbehaviour::NoData,
        Misbehaviour::TruncatedThenTcpFails,
    ];
    for (n, how) in (1..).zip(trouble) {
        dns.misbehave(how);
        kattila.clock.set(START.plus(n * DAY));
        kattila.manager().refresh_keys().await;
        believed(&kattila, A, 1).await;
        kattila = kattila.restart().await;
        believed(&kattila, A, 2).await;
        let health = kattila.operator().json("/status/healthcheck").await;
        assert_eq!((&health["status"], &health["keys"]), (&json!("ok"), &json!("ok")), "{how:?}");
    }
    // Nor does a server that is gone altogether.
    drop(dns);
    kattila = kattila.restart().await;
    believed(&kattila, A, 3).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_an_alarm_until_it_can() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    let stale = format!("dns_psk.stale TXT record of {PLAIN} at {} active", dns.addr());
    dns.misbehave(Misbehaviour::Servfail);
    kattila.clock.set(START.plus(300));
    kattila.manager().refresh_keys().await;
    // Three periods of the record's 300 s are weather.
    kattila.advance(600).await;
    assert_eq!(kattila.operator().alarms().await, [""; 0]);
    kattila.advance(1).await;
    assert_eq!(kattila.operator().alarms().await, std::slice::from_ref(&stale));
    let alarm = &kattila.operator().json("/status/alarms").await[0];
    let message = alarm["message"].as_str().unwrap();
    let begin = format!("the TXT record of {PLAIN} at {} could not be read", dns.addr());
    assert!(message.starts_with(&begin), "{message}");

    // Bad signatures have this cause, most likely, and get no alarm of their own.
    believed(&kattila, A, 1).await;
    for n in 2..9 {
        refused(&kattila, STRANGE, n).await;
    }
    kattila.advance(1).await;
    assert_eq!(kattila.operator().alarms().await, std::slice::from_ref(&stale));

    let kattila = kattila.restart().await;
    assert_eq!(kattila.operator().alarms().await, [stale], "it survives a restart");
    dns.misbehave(Misbehaviour::None);
    kattila.manager().refresh_keys().await;
    assert_eq!(kattila.operator().alarms().await, [""; 0]);
    for n in 9..12 {
        refused(&kattila, STRANGE, n).await;
    }
    kattila.advance(1).await;
    let bad = format!("ingest.bad_hmac {AGENT} active");
    assert_eq!(kattila.operator().alarms().await, [bad]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_key_reports_have_to_wait_and_the_rest_works() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    dns.misbehave(Misbehaviour::Servfail);
    let kattila = start(&dns, &[("KATTILA_PSK_CACHE", "off")]).await;
    let before = Rows::of(&kattila.db());
    let answer = report(&kattila, A, 1).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "keys_unavailable"));
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    let health = kattila.operator().get("/status/healthcheck").await;
    assert_eq!((health.status, &health.json()["keys"]), (200, &json!("none")));
    assert_eq!(kattila.operator().get("/settings").await.status, 200);
    // Until a record tells its time to live, three periods are three times 30 s.
    kattila.advance(90).await;
    assert_eq!(kattila.operator().alarms().await, [""; 0]);
    kattila.advance(1).await;
    let alarms = kattila.operator().alarms().await;
    assert!(alarms[0].starts_with("dns_psk.stale ") && alarms.len() == 1, "{alarms:?}");

    dns.misbehave(Misbehaviour::None);
    believed(&kattila, A, 1).await;
    kattila.manager().refresh_keys().await;
    assert_eq!(Rows::of(&kattila.db()).count("psk_keys"), 0, "keys must not be kept");
    dns.misbehave(Misbehaviour::Servfail);
    let kattila = kattila.restart().await;
    assert_eq!(report(&kattila, A, 2).await.code(), "keys_unavailable");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_of_a_key_that_left_is_as_told() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[("KATTILA_PSK_GRACE", "120")]).await;
    believed(&kattila, A, 1).await;
    dns.set_keys(PLAIN, &[B]).await;
    let left = START.plus(300);
    kattila.clock.set(left);
    kattila.manager().refresh_keys().await;
    kattila.clock.set(left.plus(119));
    believed(&kattila, A, 2).await;
    kattila.clock.set(left.plus(120));
    refused(&kattila, A, 3).await;
    believed(&kattila, B, 4).await;
    let kattila = kattila.restart_with(&[("KATTILA_PSK_GRACE", "3600")]).await;
    let page = kattila.operator().get("/settings").await.text();
    assert!(page.contains("one that left is accepted for 1 h"), "{page}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_answer_is_a_critical_alarm_at_once() {
    let dns = TestDns::start().await;
    dns.set_keys(SIGNED, &[A]).await;
    let dir = tempfile::tempdir().unwrap();
    let anchor = dir.path().join("anchor").display().to_string();
    std::fs::write(&anchor, dns.anchor()).unwrap();
    let settings = [("KATTILA_DNS_NAME", SIGNED), ("KATTILA_DNSSEC_ANCHOR", anchor.as_str())];
    let kattila = start(&dns, &settings).await;
    assert_eq!(kattila.operator().alarms().await, [""; 0]);
    dns.set_keys(SIGNED, &[B]).await;
    dns.misbehave(Misbehaviour::SignedWithWrongKey);
    kattila.clock.set(START.plus(300));
    kattila.manager().refresh_keys().await;
    let alarm = kattila.operator().json("/status/alarms").await[0].clone();
    assert_eq!(
        (&alarm["kind"], &alarm["severity"]),
        (&json!("dns_psk.unexpected"), &json!("critical"))
    );
    assert!(alarm["message"].as_str().unwrap().contains("signatures do not validate"), "{alarm}");
    believed(&kattila, A, 1).await;
    refused(&kattila, B, 2).await;
    dns.misbehave(Misbehaviour::None);
    kattila.clock.set(START.plus(600));
    kattila.manager().refresh_keys().await;
    let alarms = kattila.operator().json("/status/alarms").await;
    assert_eq!(alarms[0]["state"], "returned", "it waits until somebody has seen it");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_gone_is_an_alarm_at_the_third_answer() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    dns.misbehave(Misbehaviour::NoData);
    for n in 1..=3 {
        assert_eq!(kattila.operator().alarms().await, [""; 0], "{n}");
        kattila.clock.set(START.plus(n * 30));
        kattila.manager().refresh_keys().await;
    }
    let alarm = kattila.operator().json("/status/alarms").await[0].clone();
    assert_eq!(alarm["kind"], "dns_psk.stale");
    assert!(alarm["message"].as_str().unwrap().contains("has listed no key for"), "{alarm}");
    believed(&kattila, A, 1).await;
    kattila.stop().await;
}

/// Every page and address that can be read, with the things in it that exist.
async fn everything_readable(kattila: &TestManager) -> Vec<(String, String)> {
    let operator = kattila.operator();
    let map = operator.topology().await;
    operator.post("/api/v1/users", &json!({"name": "olga", "role": "viewer"})).await;
    let ids = [
        ("agents", AGENT.to_owned()),
        ("edges", map["edges"][0]["id"].as_str().unwrap().to_owned()),
        ("links", map["edges"][0]["id"].as_str().unwrap().to_owned()),
        ("alarms", operator.json("/status/alarms").await[0]["id"].to_string()),
        ("reports", "1".to_owned()),
        ("export", "agents.csv".to_owned()),
        ("users", "olga".to_owned()),
    ];
    let mut read = Vec::new();
    for route in routes::all() {
        // Files are the same for everybody; the stream never ends and is read by itself.
        // There is no dictionary yet, and there never is a value of a report in one.
        let skip = route.path.contains("{hash}")
            || route.path == "/api/v1/stream"
            || route.path == "/status/dictionaries/{id}"
            // There is no provider to send anybody to, and no link was shared.
            || route.path.starts_with("/login/oidc")
            || route.path == "/s/{token}";
        if route.method != "GET" || skip {
            continue;
        }
        let id = ids.iter().find(|(kind, _)| route.path.contains(&format!("/{kind}/")));
        let asks = [
            ("/api/v1/path", format!("?from={AGENT}&to={AGENT}")),
            ("/api/v1/carriers", "?net=10.77.0.0/16".to_owned()),
            ("/api/v1/metrics", format!("?agent={AGENT}")),
            ("/api/v1/export/metrics.csv", format!("?agent={AGENT}")),
            ("/api/v1/what-if", format!("?without={AGENT}")),
            ("/api/v1/agents/{id}/told", "?at=".to_owned() + &kattila.clock.now().to_string()),
        ];
        let question = asks.iter().find(|(of, _)| *of == route.path);
        let path = route.path.replace("{id}", id.map_or("", |(_, id)| id))
            + question.map_or("", |(_, question)| question);
        let bearer = format!("Bearer {ADMIN_TOKEN}");
        let headers = [("authorization", bearer.as_str()), ("accept", "text/html")];
        let answer = send(kattila.addr(), Method::GET, &path, &headers, "").await;
        assert!(matches!(answer.status, 200 | 303 | 307 | 308), "{path}: {}", answer.text());
        read.push((path, answer.text()));
    }
    assert!(read.len() > 20, "{read:?}");
    read
}

/// The beginning of the stream, up to its first event.
async fn stream(kattila: &TestManager) -> String {
    let mut socket = TcpStream::connect(kattila.addr()).await.unwrap();
    let request = format!(
        "GET /api/v1/stream HTTP/1.1\r\nHost: k\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let mut some = [0; 4096];
        let count = socket.read(&mut some).await.unwrap();
        assert_ne!(count, 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    text
}

/// The ways in which a key could be written.
fn spellings(key: &str) -> BTreeSet<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let bytes = key.as_bytes();
    [
        key.to_owned(),
        hex::encode(bytes),
        hex::encode(bytes).to_uppercase(),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
        format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
    ]
    .into()
}

fn shows_no_key(place: &str, text: &str) {
    for spelling in [A, B, C, STRANGE, SHORT, UNSEEN, ADMIN_TOKEN].into_iter().flat_map(spellings) {
        let before =
            text.find(&spelling).map(|at| text.floor_char_boundary(at.saturating_sub(400))..at);
        assert_eq!(before.map(|before| &text[before]), None, "{place} shows a key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_log_or_event_shows_a_key() {
    log::listen();
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    let alpha = Host::alpha().with_peer(BETA_KEY, 2, START.0 - 10, 1000);
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 10, 1000);
    for (agent, key, host, n) in
        [(AGENT, A, &alpha, 1), (BETA, A, &beta, 1), (AGENT, STRANGE, &alpha, 2)]
    {
        let seal = Seal::new(agent, &format!("leak-{n}"), START).psk(key).tick(START.0 * 1000 + n);
        let body = seal.data(host.data().to_string()).v2();
        post_json(kattila.addr(), "/status/updates", &[], body).await;
    }
    // Everything that is said about keys: rotation, too many, too short, none, failures.
    dns.set_keys(PLAIN, &[A, B]).await;
    kattila.manager().refresh_keys().await;
    dns.set_keys(PLAIN, &[A, B, C, SHORT, STRANGE]).await;
    kattila.manager().refresh_keys().await;
    for how in [Misbehaviour::Servfail, Misbehaviour::Nxdomain, Misbehaviour::None] {
        dns.misbehave(how);
        kattila.advance(2000).await;
        kattila.manager().refresh_keys().await;
    }
    dns.set_txt(PLAIN, &[vec![format!("v=kattila1; k={B}; seq=no").into_bytes()]], 300).await;
    kattila.manager().refresh_keys().await;
    for n in 0..4 {
        refused(&kattila, UNSEEN, n).await;
    }
    let v1 = Seal::new("gw-1", "leak", kattila.clock.now()).psk(STRANGE).v1();
    post_json(kattila.addr(), "/status/updates", &[], v1).await;
    kattila.advance(1).await;

    let mut texts = everything_readable(&kattila).await;
    texts.push(("the stream".to_owned(), stream(&kattila).await));
    let rows = Rows::of(&kattila.db());
    texts.push(("the history".to_owned(), rows.table("events").join("\n")));
    texts.push(("the alarms".to_owned(), rows.table("alarms").join("\n")));
    texts.push(("the reports".to_owned(), rows.table("reports").join("\n")));
    texts.push(("the settings' Debug".to_owned(), format!("{:?}", kattila.manager())));
    let settings = texts.iter().find(|(path, _)| path == "/settings").unwrap().1.clone();
    let history = kattila.operator().events().await;
    for key in [A, B] {
        let kid = kid_of_psk(key.as_bytes());
        assert!(settings.contains(kid.as_str()), "{kid} is not among the settings");
        assert!(history.contains(&format!("keys.changed {kid} added")), "{history:?}");
    }
    kattila.stop().await;
    let log = log::heard();
    assert!(log.contains("Key ring changed") && log.contains("TRACE"), "the log is not heard");
    // Every refusal has its line, with the cause that the sender is not told.
    let kid = kid_of_psk(STRANGE.as_bytes());
    let cause = format!("signature of {AGENT} does not hold (scheme v2-hmac, key {kid})");
    assert!(log.contains(&cause), "no line says why the signature was refused");
    texts.push(("the log".to_owned(), log));
    texts.iter().for_each(|(place, text)| shows_no_key(place, text));
}
