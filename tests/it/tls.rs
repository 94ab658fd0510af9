//! The door behind TLS, and the metrics' own door, with curl as the client; what curl does not do,
//! such as breaking the rules of HTTP/2, is written out frame by frame.

use std::path::Path;
use std::sync::Arc;

use kattila::store::row::EventFilter;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::certificates::{Certified, authority, issued, lasting, self_signed};
use crate::support::http::get;
use crate::support::manager::{ADMIN_TOKEN, TestManager};

async fn curl(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-i", "--cacert", "localhost.pem", "--max-time", "20"])
        .args(arguments)
        .current_dir(dir)
        .output()
        .await
        .unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {complained}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_tls_the_cookie_is_bound_to_the_host() {
    let dir = tempfile::tempdir().unwrap();
    let made = self_signed(dir.path(), "localhost").await;
    let (cert, key) = (made.cert.display().to_string(), made.key.display().to_string());
    let settings = [("KATTILA_TLS_CERT", cert.as_str()), ("KATTILA_TLS_KEY", key.as_str())];
    let kattila = TestManager::start_live(&settings).await;
    let at = format!("https://localhost:{}", kattila.addr().port());
    let health = curl(dir.path(), &[&format!("{at}/status/healthcheck")]).await;
    assert!(health.starts_with("HTTP/2 200") && health.contains("\"status\":\"ok\""), "{health}");
    let page = curl(dir.path(), &[&format!("{at}/login")]).await.to_lowercase();
    assert!(page.contains("strict-transport-security: max-age=31536000"), "{page}");
    let origin = format!("Origin: {at}");
    let token = format!("token={ADMIN_TOKEN}");
    let login = format!("{at}/login");
    let signed_in = curl(dir.path(), &["-H", &origin, "-d", &token, &login]).await;
    let cookie = signed_in.lines().find(|line| line.to_lowercase().starts_with("set-cookie:"));
    let cookie = cookie.unwrap_or_else(|| panic!("no cookie: {signed_in}"));
    for part in ["__Host-kattila=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{part} is missing in {cookie}");
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_door_of_their_own() {
    let kattila = TestManager::start_with(&[("KATTILA_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let envelope = kattila.agent("0123456789abcdef").seal_v2(r#"{"hostname":"gw"}"#);
    for _ in 0..2 {
        kattila.agent("0123456789abcdef").send(&envelope).await;
    }
    let door = kattila.manager().metrics_addr().unwrap();
    assert_ne!(door, kattila.addr());
    let metrics = get(door, "/metrics", &[]).await;
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    let value = |line: &str| text.lines().any(|l| l == line);
    assert!(value("kattila_reports_total{answer=\"ok\"} 1"), "{text}");
    assert!(value("kattila_reports_total{answer=\"duplicate\"} 1"), "{text}");
    assert_eq!(get(kattila.addr(), "/metrics", &[]).await.status, 404);
    kattila.stop().await;
}

/// A manager whose certificate is in these files, and where its door is for curl.
async fn behind_tls(made: &Certified, more: &[(&str, &str)]) -> (TestManager, String) {
    let (cert, key) = (made.cert.display().to_string(), made.key.display().to_string());
    let mut settings = vec![("KATTILA_TLS_CERT", cert.as_str()), ("KATTILA_TLS_KEY", key.as_str())];
    settings.extend(more);
    let kattila = TestManager::start_with(&settings).await;
    let at = format!("https://localhost:{}", kattila.addr().port());
    (kattila, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_http_have_the_same_routes_and_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let made = self_signed(dir.path(), "localhost").await;
    let (kattila, at) = behind_tls(&made, &[]).await;
    let health = format!("{at}/status/healthcheck");
    let bearer = format!("Authorization: Bearer {ADMIN_TOKEN}");
    let envelope = kattila.agent("0123456789abcdef").seal_v2(r#"{"hostname":"gw"}"#);
    for (flag, version) in [("--http2", "HTTP/2 200"), ("--http1.1", "HTTP/1.1 200")] {
        let answer = curl(dir.path(), &[flag, &health]).await;
        assert!(answer.starts_with(version) && answer.contains("\"status\":\"ok\""), "{answer}");
        let map = curl(dir.path(), &[flag, "-H", &bearer, &format!("{at}/api/v1/topology")]).await;
        assert!(map.starts_with(version), "{map}");
        let json = "Content-Type: application/json";
        let updates = format!("{at}/status/updates");
        let sent = curl(dir.path(), &[flag, "-H", json, "-d", &envelope, &updates]).await;
        assert!(sent.starts_with(version), "{sent}");
        // A form of another site, a header too many.
        let tokens = format!("{at}/api/v1/tokens");
        let origin = "Origin: https://elsewhere.example";
        let foreign =
            curl(dir.path(), &[flag, "-H", &bearer, "-H", origin, "-d", "{}", &tokens]).await;
        assert!(foreign.contains("403") && foreign.contains("another site"), "{foreign}");
        let heads: Vec<String> = (0..70).map(|n| format!("x-{n}: 1")).collect();
        let mut many = vec![flag];
        for head in &heads {
            many.extend(["-H", head.as_str()]);
        }
        many.push(&health);
        let refused = curl(dir.path(), &many).await;
        assert!(refused.contains("431") && refused.contains("headers_too_large"), "{refused}");
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_comes_into_force_and_a_bad_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let ca = authority(dir.path(), "ca").await;
    let made = issued(dir.path(), &ca, "localhost").await;
    let (kattila, at) = behind_tls(&made, &[]).await;
    let health = format!("{at}/status/healthcheck");
    let first = std::fs::read(&made.cert).unwrap();
    std::fs::write(dir.path().join("first.pem"), &first).unwrap();
    assert!(curl(dir.path(), &[&health]).await.contains("200"));
    // A connection that is open keeps its certificate.
    let mut open = client(&ca.cert, &kattila, "http/1.1").await;

    // The certificate is there before its key: nothing changes, and that is told once.
    let fresh = tempfile::tempdir().unwrap();
    let next = self_signed(fresh.path(), "localhost").await;
    std::fs::copy(&next.cert, &made.cert).unwrap();
    kattila.manager().reload_tls().await;
    kattila.manager().reload_tls().await;
    let events = told(&kattila);
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("kept the old certificate"), "{events:?}");
    assert!(events[0].contains("KATTILA_TLS_KEY"), "{events:?}");

    std::fs::copy(&next.key, &made.key).unwrap();
    kattila.manager().reload_tls().await;
    // `localhost.pem` is the new one by now, the old one is not shown any more.
    assert!(curl(dir.path(), &[&health]).await.contains("200"));
    let old = curl_fails(dir.path(), &["--cacert", "first.pem", &health]).await;
    assert!(old.contains("certificate"), "{old}");
    let ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    open.write_all(ask).await.unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    kattila.stop().await;
}

/// What the history says of certificates.
fn told(kattila: &TestManager) -> Vec<String> {
    let filter = EventFilter { limit: 100, ..EventFilter::default() };
    let events = kattila.manager().reader().events(&filter).unwrap();
    let of_tls = events.into_iter().filter(|event| event.kind.as_str() == "tls.changed");
    of_tls.map(|event| event.subject).collect()
}

/// Runs curl that must fail; what it complains of.
async fn curl_fails(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20"]).args(arguments).current_dir(dir);
    let output = command.output().await.unwrap();
    assert!(!output.status.success(), "curl {arguments:?} got in");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A connection that speaks this protocol under TLS.
async fn client(trusted: &Path, kattila: &TestManager, alpn: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = TcpStream::connect(kattila.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alarm_reads_the_certificate_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let made = lasting(dir.path(), "localhost", 2).await;
    let (kattila, _at) = behind_tls(&made, &[]).await;
    let alarms = || async {
        let filter = kattila::store::row::AlarmFilter { limit: 10, ..Default::default() };
        let rows = kattila.manager().reader().alarms(&filter).unwrap();
        rows.into_iter().map(|row| row.alarm.kind.as_str()).collect::<Vec<_>>()
    };
    kattila.advance(60).await;
    assert_eq!(alarms().await, ["tls.expiring"]);
    let fresh = tempfile::tempdir().unwrap();
    let next = lasting(fresh.path(), "localhost", 90).await;
    std::fs::copy(&next.cert, &made.cert).unwrap();
    std::fs::copy(&next.key, &made.key).unwrap();
    kattila.manager().reload_tls().await;
    assert!(told(&kattila)[0].starts_with("a new certificate is in force, until 20"));
    for _ in 0..3 {
        kattila.advance(60).await;
    }
    assert!(alarms().await.is_empty());
    // Files that are gone take nothing away.
    std::fs::remove_file(&made.key).unwrap();
    kattila.manager().reload_tls().await;
    assert!(told(&kattila)[1].starts_with("kept the old certificate"), "{:?}", told(&kattila));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_clients_of_the_authority_come_in() {
    let dir = tempfile::tempdir().unwrap();
    let made = self_signed(dir.path(), "localhost").await;
    let ca = authority(dir.path(), "clients").await;
    issued(dir.path(), &ca, "gw-1").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = authority(elsewhere.path(), "clients").await;
    let stranger = issued(elsewhere.path(), &other, "gw-1").await;
    let path = ca.cert.display().to_string();
    let (kattila, at) = behind_tls(&made, &[("KATTILA_TLS_CLIENT_CA", &path)]).await;
    let health = format!("{at}/status/healthcheck");
    for version in ["--http2", "--http1.1"] {
        let known = ["--cert", "gw-1.pem", "--key", "gw-1-key.pem", version, &health];
        assert!(curl(dir.path(), &known).await.contains("200"), "{version}");
        let (cert, key) = (stranger.cert.display().to_string(), stranger.key.display().to_string());
        let unknown = ["--cacert", "localhost.pem", "--cert", &cert, "--key", &key, version];
        curl_fails(dir.path(), &[&unknown[..], &[health.as_str()]].concat()).await;
        curl_fails(dir.path(), &["--cacert", "localhost.pem", version, &health]).await;
    }
    kattila.stop().await;
}

/// A frame of HTTP/2 (RFC 9113 section 4.1): length, type, flags, stream, payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /status/healthcheck` in the indexed and literal forms of HPACK (RFC 7541 section 6).
fn request() -> Vec<u8> {
    [&[0x82, 0x87, 0x41, 9][..], b"localhost", &[0x44, 19], b"/status/healthcheck"].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A frame as it was read: type, flags, payload.
type Frame = (u8, u8, Vec<u8>);

/// Begins a connection of HTTP/2, sends these bytes and reads until a frame is there that is waited
/// for, or to the end.
async fn frames(
    kattila: &TestManager,
    trusted: &Path,
    bytes: &[u8],
    until: impl Fn(&Frame) -> bool,
) -> Vec<Frame> {
    let mut stream = client(trusted, kattila, "h2").await;
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..]].concat();
    stream.write_all(&begin).await.unwrap();
    // The manager may have hung up before all of it was sent.
    let _cut = stream.write_all(bytes).await.is_err();
    let (mut answer, mut read) = (Vec::new(), Vec::new());
    while !read.last().is_some_and(&until) {
        while let Some((head, tail)) = answer.split_at_checked(9) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, _)) = tail.split_at_checked(length) else { break };
            let one = (head[3], head[4], payload.to_vec());
            answer.drain(..9 + length);
            read.push(one);
            if read.last().is_some_and(&until) {
                return read;
            }
        }
        let mut some = vec![0; 16 * 1024];
        match stream.read(&mut some).await {
            Ok(count @ 1..) => answer.extend(&some[..count]),
            Ok(0) | Err(_) => break,
        }
    }
    read
}

/// The code of the GOAWAY with which the manager ended the connection, if it did so in order.
async fn goes_away(kattila: &TestManager, trusted: &Path, bytes: &[u8]) -> Option<u32> {
    let read = frames(kattila, trusted, bytes, |frame| frame.0 == GOAWAY).await;
    let (_, _, payload) = read.iter().find(|frame| frame.0 == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_read_does_not_cancel_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let ca = authority(dir.path(), "ca").await;
    let made = issued(dir.path(), &ca, "localhost").await;
    let (kattila, _at) = behind_tls(&made, &[]).await;
    // More than the door takes is announced, and the first of it sent. Only the answer, and then
    // that no more is wanted, may come (RFC 9113 section 8.1).
    let field = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
    };
    let head = [
        &[0x83, 0x87, 0x41, 9][..],
        b"localhost",
        &[0x44, 15],
        b"/status/updates",
        &field("content-type", "application/json"),
        &field("content-length", "1048577"),
    ];
    let bytes = [frame(HEADERS, 0x4, 1, &head.concat()), frame(DATA, 0, 1, &[b' '; 1000])].concat();
    let read = frames(&kattila, &ca.cert, &bytes, |frame| frame.0 == RST_STREAM).await;
    let answer: Vec<_> =
        read.iter().filter(|frame| matches!(frame.0, HEADERS | DATA | RST_STREAM)).collect();
    assert_eq!(answer.iter().map(|frame| frame.0).collect::<Vec<_>>(), [HEADERS, DATA, RST_STREAM]);
    assert!(String::from_utf8_lossy(&answer[1].2).contains("body_too_large"));
    assert_eq!(answer[2].2, [0; 4], "NO_ERROR");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_http_2_end_the_connection_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let ca = authority(dir.path(), "ca").await;
    let made = issued(dir.path(), &ca, "localhost").await;
    let (kattila, at) = behind_tls(&made, &[]).await;
    // Requests that are taken back at once (CVE-2023-44487).
    let mut resets = Vec::new();
    for n in 0..2_000 {
        resets.extend(frame(HEADERS, 0x5, 2 * n + 1, &request()));
        resets.extend(frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes()));
    }
    assert_eq!(goes_away(&kattila, &ca.cert, &resets).await, Some(ENHANCE_YOUR_CALM));
    // Headers that never end (CVE-2024-27316).
    let mut headers = frame(HEADERS, 0x1, 1, &request());
    for n in 0..2_000 {
        let name = format!("x-{n:08}");
        let field = [&[0, 10][..], name.as_bytes(), &[1, b'v']].concat();
        headers.extend(frame(CONTINUATION, 0, 1, &field.repeat(64)));
    }
    assert_eq!(goes_away(&kattila, &ca.cert, &headers).await, Some(ENHANCE_YOUR_CALM));
    let health = curl(dir.path(), &["--http2", &format!("{at}/status/healthcheck")]).await;
    assert!(health.starts_with("HTTP/2 200"), "{health}");
    kattila.stop().await;
}
