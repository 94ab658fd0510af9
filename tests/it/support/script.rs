//! The scripts of `tests/browser`, which look at a manager through headless Chromium. They do the
//! looking and the judging; what they ask for on their standard output is for the test to do.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

/// One browser at a time: two would only slow each other down.
pub(crate) static BROWSER: Mutex<()> = Mutex::const_new(());

/// What the line of a script begins with that asks for something to happen.
const ASKS: &str = "please ";

/// A script of `tests/browser` under Node.
pub(crate) struct Script {
    name: &'static str,
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    said: String,
}

impl Script {
    /// Starts it for the manager at this address.
    pub(crate) fn start(name: &'static str, url: &str, more: &[(&str, &str)]) -> Self {
        let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
            .into_iter()
            .map(PathBuf::from)
            .chain(std::env::var_os("CHROMIUM").map(PathBuf::from))
            .any(|path| path.exists());
        assert!(
            chromium,
            "Chromium is missing, and the console cannot be tested without it: tests/run \
             installs it, or apt-get install chromium, or name it in CHROMIUM"
        );
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(name);
        let mut command = Command::new("node");
        command.arg(path).env("KATTILA_TEST_URL", url).envs(more.to_vec());
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!(
                "Node does not start ({error}), and the console cannot be tested without it: \
                 tests/run installs it, or apt-get install nodejs"
            )
        });
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { name, child, lines, said: String::new() }
    }

    /// The next thing the script asks for; `None` once it has ended well.
    pub(crate) async fn asks(&mut self) -> Option<String> {
        while let Some(line) = self.lines.next_line().await.unwrap() {
            if let Some(wish) = line.strip_prefix(ASKS) {
                return Some(wish.to_owned());
            }
            self.said.push_str(&line);
            self.said.push('\n');
        }
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{} failed ({status}):\n{}", self.name, self.said);
        None
    }

    /// Waits for the good end of one that asks for nothing.
    pub(crate) async fn end(mut self) {
        if let Some(wish) = self.asks().await {
            panic!("{} asks for something nobody does here: {wish}", self.name);
        }
    }
}
