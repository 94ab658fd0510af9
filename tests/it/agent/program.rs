//! `kattila agent` as an operator starts it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::UnixDatagram;
use tokio::process::{Child, ChildStderr};

use crate::support::certificates::{authority, issued};
use crate::support::manager::{PSK, TestManager};
use crate::support::process::{kattila, run};

/// A running `kattila agent`, whose log is read line by line.
pub(super) struct Program {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Program {
    pub(super) fn start(home: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = kattila(home, &["agent"], settings).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, log }
    }

    /// The next line of its log.
    pub(super) async fn line(&mut self) -> String {
        self.log.next_line().await.unwrap().unwrap_or_else(|| panic!("the agent has ended"))
    }

    /// Reads its log until a line has these words.
    pub(super) async fn until(&mut self, words: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; the exit code.
    pub(super) async fn ended(mut self) -> Option<i32> {
        while let Ok(Some(_)) = self.log.next_line().await {}
        self.child.wait().await.unwrap().code()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_settings_are_enough() {
    let manager = TestManager::start_live(&[]).await;
    let home = tempfile::tempdir().unwrap();
    let (url, state) = (format!("http://{}", manager.addr()), home.path().join("state"));
    // systemd names the directory; the operator says two things.
    let systemd = ("STATE_DIRECTORY", state.to_str().unwrap());
    let ready = home.path().join("notify");
    let socket = UnixDatagram::bind(&ready).unwrap();
    let notify = ("NOTIFY_SOCKET", ready.to_str().unwrap());
    let settings = [("KATTILA_MANAGER", url.as_str()), ("KATTILA_PSK", PSK), systemd, notify];
    let mut agent = Program::start(home.path(), &settings);
    agent.until("The manager takes reports").await;
    let agents = manager.operator().agents().await;
    assert_eq!((agents.len(), &agents[0]["status"]), (1, &Value::from("online")));
    assert!(!agents[0]["hostname"].as_str().unwrap().is_empty());
    assert!(!agents[0]["interfaces"].as_array().unwrap().is_empty());

    // A second one on the same directory would be taken for a replay of the first.
    let second = run(home.path(), &["agent", "--once"], &settings).await;
    assert_eq!(second.code, Some(3), "{}", second.complained);
    assert!(second.complained.contains("another agent runs"), "{}", second.complained);

    agent.signal(Signal::HUP);
    agent.until("were read again").await;
    agent.signal(Signal::TERM);
    assert_eq!(agent.ended().await, Some(0));
    for state in ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"] {
        let mut told = [0; 64];
        let length = socket.recv(&mut told).await.unwrap();
        assert_eq!(&told[..length], state.as_bytes());
    }
    manager.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_report_and_its_exit_code() {
    let manager = TestManager::start_live(&[]).await;
    let home = tempfile::tempdir().unwrap();
    let url = format!("http://{}", manager.addr());
    let with =
        |url| [("KATTILA_MANAGER", url), ("KATTILA_PSK", PSK), ("KATTILA_AGENT_DIR", "state")];
    let away = run(home.path(), &["agent", "--once"], &with("http://127.0.0.1:1")).await;
    assert_eq!(away.code, Some(1), "{}", away.complained);
    assert!(away.complained.contains("kept for the next run"), "{}", away.complained);
    let there = run(home.path(), &["agent", "--once"], &with(&url)).await;
    assert_eq!(there.code, Some(0), "{}", there.complained);
    assert!(there.said.contains("stored as report"), "{}", there.said);

    let identity = home.path().join("state/identity");
    fs::set_permissions(&identity, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = run(home.path(), &["agent", "--once"], &with(&url)).await;
    assert_eq!(exposed.code, Some(3));
    assert!(exposed.complained.contains("chmod 600"), "{}", exposed.complained);
    let wrong = run(home.path(), &["agent", "--once"], &[("KATTILA_MANAGER", "nobody")]).await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.complained.contains("2 settings are wrong"), "{}", wrong.complained);
    manager.stop().await;
}

#[tokio::test]
async fn what_would_be_sent_is_shown_and_nothing_is_made() {
    let home = tempfile::tempdir().unwrap();
    let labels = [("KATTILA_LABELS", "site=vienna")];
    let shown = run(home.path(), &["agent", "--once", "--print"], &labels).await;
    assert_eq!(shown.code, Some(0), "{}", shown.complained);
    let data: Value = serde_json::from_str(&shown.said).unwrap();
    assert_eq!(data["labels"]["site"], "vienna");
    assert!(data["interfaces"].as_array().unwrap().iter().any(|i| i["name"] == "lo"));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_looks_at_everything_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let authority = authority(dir.path(), "ca").await;
    let made = issued(dir.path(), &authority, "localhost").await;
    let shown = |path: &Path| path.display().to_string();
    let (ca, cert, key) = (shown(&authority.cert), shown(&made.cert), shown(&made.key));
    let tls = [
        ("KATTILA_TLS_CERT", cert.as_str()),
        ("KATTILA_TLS_KEY", key.as_str()),
        ("KATTILA_TLS_CLIENT_CA", ca.as_str()),
    ];
    let manager = TestManager::start_live(&tls).await;
    let url = format!("https://localhost:{}", manager.addr().port());
    let settings = |more| {
        let mut all = vec![("KATTILA_MANAGER", url.as_str()), ("KATTILA_PSK", PSK)];
        all.push(("KATTILA_AGENT_DIR", "state"));
        all.push(("KATTILA_CLIENT_CERT", cert.as_str()));
        all.push(("KATTILA_CLIENT_KEY", key.as_str()));
        all.extend(more);
        all
    };
    let trusted = settings(Some(("KATTILA_CA", ca.as_str())));
    let sent = run(dir.path(), &["agent", "--once"], &trusted).await;
    assert_eq!(sent.code, Some(0), "{}", sent.complained);
    let well = run(dir.path(), &["agent", "--check"], &trusted).await;
    for about in ["settings", "directory", "key", "manager", "clock", "relay"] {
        let line = well.said.lines().find(|line| line.contains(&format!(" {about}")));
        assert!(line.is_some_and(|line| line.starts_with("ok ")), "{about}: {}", well.said);
    }
    let stranger = run(dir.path(), &["agent", "--check"], &settings(None)).await;
    assert_eq!(stranger.code, Some(1));
    let line = stranger.said.lines().find(|line| line.contains(" manager ")).unwrap();
    assert!(line.starts_with("WRONG") && line.contains("certificate"), "{line}");
    manager.stop().await;
}
