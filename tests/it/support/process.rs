//! The program itself: `kattila` as a process of its own, with an environment of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::manager::{ADMIN_TOKEN, PSK};

/// The program with nothing in its environment but these, in a directory of its own.
pub(crate) fn kattila(home: &Path, args: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kattila"));
    command.args(args).env_clear().envs(settings.iter().copied());
    piped(command, home)
}

fn piped(mut command: Command, home: &Path) -> Command {
    command.current_dir(home).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) async fn run(home: &Path, args: &[&str], settings: &[(&str, &str)]) -> Ended {
    let output = kattila(home, args, settings).output().await.unwrap();
    Ended::from(output)
}

/// The same, with this on its standard input.
pub(crate) async fn run_with_input(
    home: &Path,
    args: &[&str],
    (settings, input): (&[(&str, &str)], &str),
) -> Ended {
    let mut command = kattila(home, args, settings);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that reads nothing may have ended.
    stdin.write_all(input.as_bytes()).await.unwrap_or_default();
    drop(stdin);
    Ended::from(child.wait_with_output().await.unwrap())
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
    pub(crate) complained: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            said: text(output.stdout),
            complained: text(output.stderr),
        }
    }
}

/// The settings of a manager that limits nobody.
pub(crate) fn settings(db: &str) -> [(&'static str, &str); 7] {
    [
        ("KATTILA_LISTEN", "127.0.0.1:0"),
        ("KATTILA_DB", db),
        ("KATTILA_PSK", PSK),
        ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN),
        ("KATTILA_RATE_AGENT", "off"),
        ("KATTILA_RATE_SOURCE", "off"),
        ("KATTILA_NONCE_WINDOW", "100000"),
    ]
}

/// A running `kattila serve`.
pub(crate) struct Serve {
    child: Child,
    addr: SocketAddr,
    log: JoinHandle<String>,
}

impl Serve {
    /// Starts it on a free port and waits until it announces the door.
    pub(crate) async fn start(home: &Path, db: &Path) -> Self {
        Self::announced(kattila(home, &["serve"], &settings(&db.display().to_string()))).await
    }

    /// The same with some settings changed.
    pub(crate) async fn start_with(home: &Path, db: &Path, changed: &[(&str, &str)]) -> Self {
        let db = db.display().to_string();
        let usual = settings(&db);
        let kept = usual.iter().filter(|(name, _)| changed.iter().all(|(other, _)| other != name));
        let all: Vec<_> = kept.chain(changed).copied().collect();
        Self::announced(kattila(home, &["serve"], &all)).await
    }

    /// The same, allowed to make files of so many bytes at most.
    pub(crate) async fn start_limited(home: &Path, db: &Path, file_bytes: u64) -> Self {
        let mut command = Command::new("prlimit");
        command.arg(format!("--fsize={file_bytes}")).arg(env!("CARGO_BIN_EXE_kattila"));
        command.arg("serve").env_clear().envs(settings(&db.display().to_string()));
        Self::announced(piped(command, home)).await
    }

    /// The same, with every sync of a file written to `trace` before it begins.
    pub(crate) async fn start_traced(home: &Path, db: &Path, trace: &Path) -> Self {
        let mut command = Command::new("strace");
        // -D: the program is the child, and what traces it is not; -y: paths beside descriptors.
        command.args(["-D", "-f", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none"]);
        command.arg("-o").arg(trace).arg(env!("CARGO_BIN_EXE_kattila")).arg("serve");
        command.env_clear().envs(settings(&db.display().to_string()));
        Self::announced(piped(command, home)).await
    }

    async fn announced(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).await.unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(line) = said.next_line().await.unwrap() else {
            panic!("the manager announced nothing: {}", log.await.unwrap());
        };
        let addr = line.strip_prefix("listening on http://").and_then(|addr| addr.parse().ok());
        let addr = addr.unwrap_or_else(|| panic!("not the announced line: {line}"));
        Self { child, addr, log }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end: how it ended, and its log.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().await.unwrap();
        (status, self.log.await.unwrap())
    }

    /// Asks it to stop and waits for its end; it must be content.
    pub(crate) async fn stop(self) {
        self.signal(Signal::TERM);
        let (status, log) = self.ended().await;
        assert_eq!(status.code(), Some(0), "{log}");
    }
}
