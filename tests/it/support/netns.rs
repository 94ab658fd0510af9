//! Hosts in namespaces of their own: network, mounts, processes and name, nothing shared with
//! this machine or with each other.
//!
//! A host is one holding process. Everything started in it dies with it, and with the last
//! process the kernel takes its interfaces away; the holder ends when it is dropped and, since
//! its standard input ends then, also when the test's own process is killed. Where namespaces
//! cannot be made the test fails with what the system said.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What the holder does: its number as this machine sees it, a `/proc` of its own processes, an
/// empty directory for WireGuard's sockets, and the program where everybody can reach it.
const HOLD: &str = r#"
read -r pid _ </proc/self/stat
mount -t proc proc /proc
mkdir -p /run/wireguard
mount -t tmpfs -o mode=0755 tmpfs /run/wireguard
mount -t tmpfs -o mode=0755 tmpfs /mnt
touch /mnt/kattila
mount --bind "$1" /mnt/kattila
hostname "$2"
ip link set lo up
echo "$pid"
exec cat >/dev/null
"#;

/// A host.
pub(crate) struct Node {
    holder: Child,
    pid: String,
}

impl Node {
    /// Makes a host with nothing but loopback.
    pub(crate) fn new(name: &str) -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child"])
            .args(["--propagation", "private", "sh", "-ec", HOLD, "sh"])
            .args([env!("CARGO_BIN_EXE_kattila"), name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) is needed to make a host");
        let mut pid = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        if pid.is_empty() {
            let mut complaint = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
            let status = holder.wait().unwrap();
            panic!(
                "this test needs root and namespaces, which cannot be made: {status} {complaint}"
            );
        }
        Self { holder, pid: pid.trim().to_owned() }
    }

    /// Joins two hosts by a cable, with these names for its ends.
    pub(crate) fn cable(ends: [(&Self, &str); 2]) {
        let [(a, a_name), (b, b_name)] = ends;
        // Made inside, so that this machine never sees it.
        a.run(&["ip", "link", "add", a_name, "type", "veth", "peer", "name", "peer0"]);
        let moved = Command::new("nsenter")
            .args(["-t", &a.pid, "-n", "ip", "link", "set", "peer0", "name", b_name])
            .args(["netns", &b.pid])
            .output()
            .unwrap();
        said(&moved, "moving a cable's end");
    }

    /// A command that will run in the host.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid, "-m", "-n", "-u", "-p", "--"]).args(words);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its good end; what it said.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> String {
        let about: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        said(&self.command(words).output().unwrap(), &about.join(" "))
    }

    /// Runs the lines of a script, each of which must succeed.
    pub(crate) fn script(&self, lines: &str) -> String {
        self.run(&["sh", "-ec", lines])
    }

    /// Runs a command that reads a secret from its input, which no process list shows.
    pub(crate) fn feed(&self, words: &[&str], input: &str) -> String {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        said(&child.wait_with_output().unwrap(), &words.join(" "))
    }

    /// A new WireGuard key pair: the private key and its public one.
    pub(crate) fn key_pair(&self) -> (String, String) {
        let private = self.run(&["wg", "genkey"]).trim().to_owned();
        let public = self.feed(&["wg", "pubkey"], &private).trim().to_owned();
        (private, public)
    }

    /// Configures an interface as `wg setconf` reads it.
    pub(crate) fn configure(&self, interface: &str, text: &str) {
        let lines = format!("cat >/mnt/conf; wg setconf {interface} /mnt/conf; rm /mnt/conf");
        self.feed(&["sh", "-ec", &lines], text);
    }

    /// Starts a WireGuard daemon for a new interface; it listens when this returns.
    pub(crate) fn wireguard(&self, interface: &str) {
        self.run(&["env", "LOG_LEVEL=silent", "wireguard-go", interface]);
    }

    /// A path of the host as this machine sees it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid))
    }

    /// Does something in the host's network, on threads of its own: connections and doors made
    /// meanwhile are the host's, files and processes stay this machine's. What is spawned goes
    /// on while the work waits for a command.
    pub(crate) fn inside<F: Future<Output = ()>>(&self, work: impl FnOnce() -> F + Send) {
        let network = File::open(format!("/proc/{}/ns/net", self.pid)).unwrap();
        let ended = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let network_only = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), network_only)
                    .unwrap();
                // Threads stay in the network of the one that made them.
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).enable_all().build();
                runtime.unwrap().block_on(work());
            });
            thread.join()
        });
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its child, and so everything in the host, ends with it.
        self.holder.kill().unwrap_or_default();
        drop(self.holder.wait());
    }
}

fn said(output: &Output, about: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let complaint = text(&output.stderr);
    assert!(output.status.success(), "{about}: {} {complaint}", output.status);
    text(&output.stdout)
}
