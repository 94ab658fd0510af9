//! Runs against a tiny server of its own, to see that the counts are what was answered.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::model::time::UnixSeconds;
use crate::simulate::demo;
use crate::simulate::world::{Mix, Options};

use super::*;

/// The bytes of one report as a server saw them.
type Seen = mpsc::UnboundedReceiver<Bytes>;

/// A door that answers report number `n` with `answer(n)`: status and body.
async fn door(answer: fn(usize) -> (u16, &'static str)) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, seen) = mpsc::unbounded_channel();
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tell, count) = (tell.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                let mut stream = BufStream::new(stream);
                while let Some(body) = take_request(&mut stream).await {
                    // The run may be over and nobody interested any more.
                    tell.send(body).unwrap_or_default();
                    let (status, body) = answer(count.fetch_add(1, Ordering::SeqCst));
                    let head = format!(
                        "HTTP/1.1 {status} -\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.write_all(head.as_bytes()).await.unwrap();
                    stream.write_all(body.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    (url, seen)
}

/// The body of the next request on a connection; `None` at its end.
async fn take_request(stream: &mut BufStream<TcpStream>) -> Option<Bytes> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /status/updates http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    let (_, length) = head.split_once("content-length: ")?;
    let mut body = vec![0; length.lines().next()?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(body.into())
}

async fn load(url: &str, agents: usize, pace: Pace) -> Load {
    let clock = Clock::system();
    Load {
        target: Target::find(url, false).await.unwrap(),
        world: World::new(&Options {
            seed: 1,
            agents,
            mix: Mix::Load,
            faults: false,
            start: clock.now(),
        }),
        signer: Signer::new(Zeroizing::new(b"0123456789abcdef0123456789abcdef".to_vec())),
        signing: Signing::All(Scheme::V2),
        shape: Shape::Json,
        introduced: false,
        pace,
        connections: NonZeroUsize::new(4).unwrap(),
        duration: None,
        clock,
    }
}

const OK: &str = r#"{"status":"ok","report_id":1}"#;

/// Runs until the door has seen `reports`, then stops.
async fn run_until(load: Load, seen: &mut Seen, reports: usize) -> (Summary, Vec<Bytes>) {
    let stop = CancellationToken::new();
    let running = run(load, &stop, |_| {});
    let watching = async {
        let mut bodies = Vec::new();
        while bodies.len() < reports {
            bodies.push(seen.recv().await.expect("the door is open"));
        }
        stop.cancel();
        bodies
    };
    let (summary, bodies) = tokio::join!(running, watching);
    (summary.unwrap(), bodies)
}

#[tokio::test]
async fn a_closed_loop_counts_every_answer_and_every_host_has_its_turn() {
    let (url, mut seen) =
        door(|n| if n % 10 == 9 { (503, r#"{"code":"overloaded"}"#) } else { (200, OK) }).await;
    let load = load(&url, 12, Pace::Closed).await;
    let (summary, bodies) = run_until(load, &mut seen, 100).await;
    assert!(summary.sent >= 100 && summary.stored >= 90, "{summary}");
    assert_eq!(summary.stored + summary.answers["503 overloaded"], summary.sent);
    let ids: std::collections::HashSet<String> = bodies.iter().map(id).collect();
    assert_eq!(ids.len(), 12);
}

fn id(body: &Bytes) -> String {
    let envelope: serde_json::Value = serde_json::from_slice(body).unwrap();
    envelope["agent_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ticks_grow_and_nonces_differ_for_one_host() {
    let (url, mut seen) = door(|_| (200, OK)).await;
    let load = load(&url, 1, Pace::Closed).await;
    let (_, bodies) = run_until(load, &mut seen, 50).await;
    let read: Vec<serde_json::Value> =
        bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect();
    let ticks: Vec<i64> = read.iter().map(|e| e["tick"].as_i64().unwrap()).collect();
    assert!(ticks.is_sorted_by(|a, b| a < b), "{ticks:?}");
    let nonces: std::collections::HashSet<&str> =
        read.iter().map(|e| e["nonce"].as_str().unwrap()).collect();
    assert_eq!(nonces.len(), 50);
}

#[tokio::test]
async fn a_constant_rate_sends_through_all_connections() {
    let (url, mut seen) = door(|_| (200, OK)).await;
    let load = load(&url, 40, Pace::Rate(5000.0)).await;
    let (summary, _) = run_until(load, &mut seen, 200).await;
    assert!(summary.stored >= 200, "{summary}");
    assert_eq!(summary.sent, summary.stored);
}

#[tokio::test]
async fn a_paced_fleet_sends_the_same_bytes_again_after_an_overload() {
    let (url, mut seen) =
        door(|n| if n == 0 { (503, r#"{"code":"overloaded"}"#) } else { (200, OK) }).await;
    let pace = Pace::Fleet { interval: Duration::from_secs(30), spread: Duration::ZERO };
    let load = load(&url, 1, pace).await;
    let (summary, bodies) = run_until(load, &mut seen, 2).await;
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(summary.answers["503 overloaded"], 1);
}

#[tokio::test]
async fn nothing_to_do_and_impossible_rates_are_refused() {
    let (url, _seen) = door(|_| (200, OK)).await;
    let stop = CancellationToken::new();
    let nobody = load(&url, 0, Pace::Closed).await;
    assert!(matches!(run(nobody, &stop, |_| {}).await, Err(LoadError::NoHosts)));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let load = load(&url, 1, Pace::Rate(rate)).await;
        assert!(matches!(run(load, &stop, |_| {}).await, Err(LoadError::Rate(_))), "{rate}");
    }
}

#[tokio::test]
async fn a_door_that_is_shut_is_counted_not_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut load = load(&url, 2, Pace::Closed).await;
    load.duration = Some(Duration::from_millis(50));
    load.clock = Clock::manual(UnixSeconds(1_795_000_000));
    let summary = run(load, &CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!(summary.stored, 0);
    assert_eq!(summary.answers["no answer: unreachable"], summary.sent);
}

#[tokio::test]
async fn the_demo_fleet_reports_whole_and_in_both_schemes_until_it_is_stopped() {
    let (url, mut seen) = door(|_| (200, OK)).await;
    let stop = CancellationToken::new();
    let options = demo::FleetOptions {
        url,
        psk: Zeroizing::new(b"0123456789abcdef0123456789abcdef".to_vec()),
        agents: demo::AGENTS,
        faults: false,
        interval: Duration::from_secs(demo::INTERVAL_SECONDS.into()),
        seed: 1,
    };
    let fleet = demo::Fleet::start(options, Clock::system(), stop.clone()).await.unwrap();
    let (mut ids, mut first_generation) = (std::collections::HashSet::new(), 0);
    while ids.len() < demo::AGENTS {
        let body = seen.recv().await.expect("the door is open");
        let envelope: serde_json::Value = serde_json::from_slice(&body).unwrap();
        if ids.insert(id(&body)) && envelope.get("hmac").is_some() {
            first_generation += 1;
        }
    }
    stop.cancel();
    let summary = fleet.join().await.unwrap();
    assert_eq!(first_generation, demo::AGENTS / 8);
    assert!(summary.stored <= summary.sent && summary.answers.len() <= 1, "{summary}");
}
