//! What is refused before a body is looked at: addresses, methods, types, sizes, rates.

use hyper::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Case, OLD, accept, new, old, patient, problem, refuse};
use crate::support::http::{Answer, get};
use crate::support::manager::{START, TestManager};
use crate::support::rows::Rows;
use crate::support::seal::Seal;

/// Sends bytes as they are, hangs up if told to, and reads the answer to its end.
pub(super) async fn talk(kattila: &TestManager, text: &[u8], hang_up: bool) -> Answer {
    let mut stream = TcpStream::connect(kattila.addr()).await.unwrap();
    stream.write_all(text).await.unwrap();
    if hang_up {
        stream.shutdown().await.unwrap();
    }
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    answer(&bytes)
}

/// Reads an answer out of the bytes of a connection.
pub(super) fn answer(bytes: &[u8]) -> Answer {
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    Answer { status, headers, body: bytes[split + 4..].to_vec().into() }
}

pub(super) fn post(headers: &str) -> String {
    format!(
        "POST /status/updates HTTP/1.1\r\nHost: k\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_methods_that_do_not_exist() {
    let kattila = patient(&[]).await;
    let nowhere =
        |path| Case::report(path, (404, "not_found"), old("nowhere").v1()).to(Method::POST, path);
    let wrong = |method: Method, path| {
        let name = format!("{method} {path}");
        Case::report(&name, (405, "method_not_allowed"), "").to(method, path)
    };
    refuse(
        &kattila,
        &[
            nowhere("/status"),
            nowhere("/status/updates/"),
            nowhere("/status/UPDATES"),
            nowhere("/status//updates"),
            nowhere("/api/v1/nothing"),
            nowhere("/api/v2/topology"),
            nowhere("/.env"),
            wrong(Method::GET, "/status/updates"),
            wrong(Method::PUT, "/status/updates"),
            wrong(Method::DELETE, "/status/updates"),
            wrong(Method::GET, "/status/register"),
            wrong(Method::POST, "/status/healthcheck"),
            wrong(Method::GET, "/status/admin/reset"),
            wrong(Method::POST, "/api/v1/topology"),
            wrong(Method::PATCH, "/api/v1/events"),
        ],
    )
    .await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_encodings() {
    let kattila = patient(&[]).await;
    let unsupported = |name: &str, value: &str| {
        let case = Case::report(name, (415, "unsupported_media_type"), old("type").v1());
        case.header("content-type", value)
    };
    let mut none = unsupported("no type", "");
    none.headers.clear();
    let encoded = |value: &str| {
        let case = Case::report(value, (415, "content_encoding"), old("type").v1());
        case.header("content-encoding", value)
    };
    refuse(
        &kattila,
        &[
            none,
            unsupported("an empty type", ""),
            unsupported("text", "text/plain"),
            unsupported("JSON of another kind", "application/problem+json"),
            unsupported("nearly", "application/jsonp"),
            unsupported("a form", "application/x-www-form-urlencoded"),
            unsupported("nearly a frame", "application/vnd.kattila.report+json"),
            encoded("gzip"),
            encoded("br"),
            encoded("zstd"),
            encoded("identity, gzip"),
            Case::report("an announcement", (415, "unsupported_media_type"), old("type").v1())
                .to(Method::POST, "/status/register")
                .header("content-type", "text/plain"),
        ],
    )
    .await;
    for (n, value) in
        ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"]
            .into_iter()
            .enumerate()
    {
        let case = Case::report(value, (200, ""), old(&format!("type-{n}")).v1());
        let answer = case.header("content-type", value).send(&kattila).await;
        assert_eq!(answer.status, 200, "{value}: {}", answer.text());
    }
    let plain = Case::report("identity", (200, ""), old("type-plain").v1());
    let answer = plain.header("content-encoding", "identity").send(&kattila).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_too_large_for_the_door() {
    let kattila = patient(&[]).await;
    let before = Rows::of(&kattila.db());
    let told = post("Content-Length: 1048577\r\n");
    let answer = talk(&kattila, told.as_bytes(), false).await;
    problem("told beforehand", &answer, (413, "body_too_large"));

    // Not told: the honest report comes first, then spaces until it is too much.
    let mut body = old("large").v1();
    body.push_str(&" ".repeat(1_048_577 - body.len()));
    let chunked = format!("{}100001\r\n{body}\r\n", post("Transfer-Encoding: chunked\r\n"));
    let answer = talk(&kattila, chunked.as_bytes(), false).await;
    problem("in chunks", &answer, (413, "body_too_large"));
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());

    body.pop();
    accept(&kattila, "exactly 1 MiB", body).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_is_no_report() {
    let kattila = patient(&[]).await;
    let before = Rows::of(&kattila.db());
    let body = old("half").v1();
    // The honest report itself has arrived in each case: what was announced has not.
    let head = post(&format!("Content-Length: {}\r\n", body.len() + 1));
    let short = format!("{head}{body}");
    let head = post("Transfer-Encoding: chunked\r\n");
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    for (name, text, hang_up) in [
        ("shorter than its length", short, true),
        ("without its last chunk", format!("{head}{chunk}"), true),
        ("with a chunk of no length", format!("{head}{chunk}zz\r\n"), false),
        ("with a chunk too short", format!("{head}1{body}\r\n0\r\n\r\n"), true),
    ] {
        let answer = talk(&kattila, text.as_bytes(), hang_up).await;
        problem(name, &answer, (400, "malformed_json"));
    }
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let kattila = patient(&[]).await;
    let before = Rows::of(&kattila.db());
    let body = old("hosts").v1();
    let request = |hosts: &str| {
        let head =
            post(&format!("Content-Length: {}\r\n", body.len())).replace("Host: k\r\n", hosts);
        format!("{head}{body}").into_bytes()
    };
    for (name, hosts) in [("none", ""), ("two", "Host: k\r\nHost: evil.example\r\n")] {
        let answer = talk(&kattila, &request(hosts), false).await;
        problem(name, &answer, (400, "bad_request"));
    }
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    assert_eq!(talk(&kattila, &request("Host: k\r\n"), false).await.status, 200);
    let body = old("without").v1();
    let text = format!("{}{body}", post(&format!("Content-Length: {}\r\n", body.len())));
    let text = text.replace("Host: k\r\n", "").replace("HTTP/1.1", "HTTP/1.0");
    let answer = talk(&kattila, text.as_bytes(), false).await;
    assert_eq!(answer.status, 200, "HTTP/1.0 knows no hosts: {answer:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_have_limits() {
    let kattila = patient(&[]).await;
    let before = Rows::of(&kattila.db());
    let body = old("headers").v1();
    let request = |more: &str| {
        let head = post(&format!("{more}Content-Length: {}\r\n", body.len()));
        format!("{head}{body}").into_bytes()
    };
    let many: String = (0..64).map(|n| format!("X-{n}: 1\r\n")).collect();
    let large = format!("X-Large: {}\r\n", "x".repeat(16 * 1024));
    for (name, headers) in [("too many", many), ("too large", large)] {
        let answer = talk(&kattila, &request(&headers), false).await;
        problem(name, &answer, (431, "headers_too_large"));
    }
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    let some: String = (0..60).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer = talk(&kattila, &request(&some), false).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_refused_too_often_is_not_read() {
    let kattila = TestManager::start_with(&[("KATTILA_RATE_SOURCE", "1/3")]).await;
    for n in 0..20 {
        accept(&kattila, "honest ones never count", old(&format!("many-{n}")).v1()).await;
    }
    let wrong = Case::report("wrong", (401, "signature_invalid"), old("x").psk("another key").v1());
    for _ in 0..3 {
        problem("wrong", &wrong.send(&kattila).await, (401, "signature_invalid"));
    }
    let before = Rows::of(&kattila.db());
    let honest = old("unread").v1();
    for path in ["/status/updates", "/status/register"] {
        let case = Case::report("unread", (429, "rate_limited"), honest.clone());
        let answer = case.to(Method::POST, path).send(&kattila).await;
        problem("an honest one is not read either", &answer, (429, "rate_limited"));
    }
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    kattila.clock.set(START.plus(1));
    accept(&kattila, "a second later", honest).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_registers_so_many_agents_and_the_manager_has_room_for_so_many() {
    let kattila = patient(&[
        ("KATTILA_RATE_NEW", "1/2"),
        ("KATTILA_AGENTS_MAX", "3"),
        ("KATTILA_METRICS_LISTEN", "127.0.0.1:0"),
    ])
    .await;
    let report = |agent: u8, nonce: &str| {
        let at = kattila.clock.now();
        let tick = at.0 * 1000 + i64::from(nonce.as_bytes()[2]);
        Seal::new(&format!("{agent:032x}"), nonce, at).tick(tick).v2()
    };
    accept(&kattila, "the first", report(1, "1-a")).await;
    accept(&kattila, "the second", report(2, "2-a")).await;
    let case = |body: String| Case::report("one more", (429, "rate_limited"), body);
    let answer = case(report(3, "3-a")).send(&kattila).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert!(answer.text().contains("too many new agents"), "{}", answer.text());
    accept(&kattila, "one that is known", report(1, "1-b")).await;
    kattila.clock.set(START.plus(1));
    accept(&kattila, "a second later", report(3, "3-b")).await;
    kattila.clock.set(START.plus(60));
    let answer = case(report(4, "4-a")).send(&kattila).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("3600")));
    accept(&kattila, "all that are known go on", report(2, "2-b")).await;
    assert_eq!(kattila.operator().agents().await.len(), 3, "nothing of those is kept");
    let door = kattila.manager().metrics_addr().unwrap();
    let metrics = get(door, "/metrics", &[]).await.text();
    assert!(metrics.contains("kattila_registrations_refused 2"), "{metrics}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_reports_too_often_has_to_wait() {
    let kattila = patient(&[("KATTILA_RATE_AGENT", "1/2")]).await;
    let report = |n: i64, at: i64| new(&format!("rate-{n}")).at(at).tick(START.0 * 1000 + n).v2();
    // The first one makes the agent known and is free.
    for n in 0..3 {
        accept(&kattila, "within its burst", report(n, START.0)).await;
    }
    let case = |body: String| Case::report("too much", (429, "rate_limited"), body);
    refuse(&kattila, &[case(report(3, START.0)), case(report(4, START.0))]).await;
    let answer = case(report(3, START.0)).send(&kattila).await;
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Sending a stored one again is no report.
    let again = case(report(2, START.0)).send(&kattila).await;
    assert_eq!((again.status, again.json()["status"].as_str()), (200, Some("duplicate")));
    // Others are not concerned, whatever this one does.
    accept(&kattila, "another agent", Seal::new(OLD, "rate", START).v1()).await;
    kattila.clock.set(START.plus(1));
    accept(&kattila, "a second later", report(3, START.0)).await;
    refuse(&kattila, &[case(report(4, START.0))]).await;
    kattila.stop().await;
}
