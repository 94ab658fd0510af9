//! A manager that starts: its door answers from the first moment on, says what it waits for, and
//! shows the manager when that is there, on connections that were open before as well.

use std::path::Path;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use kattila::clock::Clock;
use kattila::config::Config;
use kattila::config::source::Values;
use kattila::manager::StartError;
use kattila::manager::start::Start;
use rusqlite::Connection;
use tokio::net::TcpStream;

use crate::migrations::{database_of_version, steps};
use crate::support::actors::{Agent, Operator};
use crate::support::browser::Tab;
use crate::support::fleet::{ALPHA, Host};
use crate::support::http::{get, post_json, send};
use crate::support::manager::{ADMIN_TOKEN, PSK, START};

/// A manager on this database, of which only the door is there.
fn begun(db: &Path) -> Start {
    let config = Config::load(&Values::from_pairs([
        ("KATTILA_LISTEN", "127.0.0.1:0"),
        ("KATTILA_DB", db.to_str().unwrap()),
        ("KATTILA_PSK", PSK),
        ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN),
    ]));
    Start::begin(config.unwrap(), Clock::manual(START)).unwrap()
}

/// The status of a page on a connection that stays open.
async fn status(kept: &mut SendRequest<Full<Bytes>>, path: &str) -> StatusCode {
    let request = Request::builder().uri(path).header("host", "kattila").body(Full::default());
    let answer = kept.send_request(request.unwrap()).await.unwrap();
    let status = answer.status();
    answer.into_body().collect().await.unwrap();
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_answers_before_the_store_is_open_and_keeps_its_connections() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let start = begun(&db);
    let addr = start.addr();
    assert!(!db.exists(), "nobody has touched the store");

    let page = Tab::new(addr).get("/agents?q=oulu").await;
    let text = page.text();
    assert_eq!((page.status, page.header("retry-after")), (503, Some("5")), "{text}");
    assert!(page.header("content-security-policy").is_some());
    assert!(text.contains("<h1>The manager is starting</h1>"), "{text}");
    assert!(text.contains("the store is being opened") && text.contains("agents keep"), "{text}");
    assert!(text.contains("href=\"/agents?q=oulu\"") && !text.contains("<nav"), "{text}");
    assert!(text.contains(page.header("x-request-id").unwrap()), "{text}");
    let style = text.split('"').find(|part| part.ends_with("/css/app.css")).unwrap();
    assert_eq!(get(addr, style, &[]).await.status, 200, "the page has its clothes");
    assert_eq!(get(addr, "/favicon.ico", &[]).await.status, 200);

    assert_eq!(get(addr, "/livez", &[]).await.status, 200);
    let ready = get(addr, "/readyz", &[]).await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("not_ready")));
    for path in ["/api/v1/topology", "/status/healthcheck", "/status/agents"] {
        let answer = get(addr, path, &[("authorization", "Bearer none")]).await;
        assert_eq!((answer.status, &*answer.code()), (503, "starting"), "{path}");
        assert_eq!(answer.header("retry-after"), Some("5"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    assert_eq!(send(addr, Method::DELETE, "/livez", &[], Bytes::new()).await.status, 503);

    // Whoever sends much is heard out, so that the refusal arrives.
    let much = post_json(addr, "/status/updates", &[], " ".repeat(1_000_000)).await;
    assert_eq!((much.status, &*much.code()), (503, "starting"));
    let mut agent = Agent::new(ALPHA, addr, Clock::manual(START));
    let report = agent.seal_v2(&Host::alpha().data().to_string());
    let refused = agent.send(&report).await;
    assert_eq!((refused.status, &*refused.code()), (503, "starting"));

    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut kept, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    assert_eq!(status(&mut kept, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    let manager = start.finish().await.unwrap();
    assert_eq!(manager.addr(), addr);
    assert_eq!(status(&mut kept, "/readyz").await, StatusCode::OK, "the same connection");
    assert_eq!(agent.send(&report).await.status, 200, "what was refused is taken now");
    drop(kept);
    driver.await.unwrap().unwrap();
    assert!(manager.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_brought_to_a_new_version_is_told_of_until_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    database_of_version(&db, 20);
    // Somebody else is about to write, so the first step of the migration waits.
    let other = Connection::open(&db).unwrap();
    other.pragma_update(None, "journal_mode", "wal").unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = begun(&db);
    let addr = start.addr();
    let finished = tokio::spawn(start.finish());
    let wanted =
        format!("the store is being brought to a new version, from schema 20 to {}", steps().len());
    loop {
        let ready = get(addr, "/readyz", &[]).await;
        assert_eq!(ready.status, 503, "{}", ready.text());
        let check = &ready.json()["checks"][0];
        assert_eq!((check["name"].as_str(), check["ok"].as_bool()), (Some("storage"), Some(false)));
        if check["reason"] == wanted {
            break;
        }
    }
    let page = Tab::new(addr).get("/map").await;
    assert_eq!(page.status, 503);
    assert!(page.text().contains(&wanted), "{}", page.text());
    other.execute_batch("ROLLBACK").unwrap();

    let manager = finished.await.unwrap().unwrap();
    assert_eq!(get(addr, "/readyz", &[]).await.status, 200);
    assert_eq!(Operator::new(addr, ADMIN_TOKEN).agents().await.len(), 2);
    assert!(manager.shutdown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_closes_the_door_again() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    std::fs::write(&db, "this is no database, and was never meant to be one").unwrap();
    let start = begun(&db);
    let addr = start.addr();
    assert_eq!(get(addr, "/livez", &[]).await.status, 200);
    assert!(matches!(start.finish().await, Err(StartError::Store(_))));
    assert!(TcpStream::connect(addr).await.is_err());
}
