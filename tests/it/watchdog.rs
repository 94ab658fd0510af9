//! The watchdog of a supervisor is told that the manager lives as long as it does its work.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use kattila::jobs::pulse::beats;
use kattila::store::Reader;
use kattila::store::sqlite;

use crate::support::engine::Engine;
use crate::support::process::{kattila, settings};

/// What a supervisor hears next.
async fn hears(socket: &Arc<UnixDatagram>) -> String {
    let socket = Arc::clone(socket);
    let heard = tokio::task::spawn_blocking(move || {
        let mut state = [0; 64];
        let length = socket.recv(&mut state).unwrap();
        String::from_utf8_lossy(&state[..length]).into_owned()
    });
    heard.await.unwrap()
}

/// What a program says to its supervisor that set these.
async fn said(more: &[(&str, &str)]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("notify");
    let heard = Arc::new(UnixDatagram::bind(&socket).unwrap());
    let db = home.path().join("k.db").display().to_string();
    let mut all = settings(&db).to_vec();
    let socket = socket.display().to_string();
    all.push(("NOTIFY_SOCKET", &socket));
    all.extend_from_slice(more);
    let mut child = kattila(home.path(), &["serve"], &all).spawn().unwrap();
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(hears(&heard).await);
        if more.is_empty() {
            break;
        }
    }
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    while states.last().is_none_or(|last| last != "STOPPING=1") {
        states.push(hears(&heard).await);
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_works_says_so_again_and_again() {
    let states = said(&[("WATCHDOG_USEC", "600000")]).await;
    assert_eq!(states[..3], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    // Another process is meant, or nobody asks.
    let other = [("WATCHDOG_USEC", "600000"), ("WATCHDOG_PID", "1")];
    for more in [&other[..0], &[("WATCHDOG_USEC", "0")][..0]] {
        assert_eq!(said(more).await, ["READY=1", "STOPPING=1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_hangs_is_not_alive_and_one_that_goes_on_is() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let engine = Engine::start(&db);
    let reader: Arc<dyn Reader> = sqlite::open_read_only(&db).unwrap();
    let long = Duration::from_secs(60);
    assert!(beats(engine.processor(), &reader, long).await);
    engine.gate.close();
    assert!(!beats(engine.processor(), &reader, Duration::from_millis(50)).await, "it hangs");
    engine.gate.open();
    assert!(beats(engine.processor(), &reader, long).await, "it goes on");
    let processor = engine.processor().clone();
    engine.stop().await;
    assert!(!beats(&processor, &reader, long).await, "it has ended");
}
