//! What is shipped beside the program: the Debian package (installed, started, upgraded, removed),
//! its unit and its metadata, completions and the manual's pages, the Dockerfile, the dashboard.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::actors::{Agent, Operator};
use crate::support::http::get;
use crate::support::manager::{ADMIN_TOKEN, PSK, TestManager};
use crate::support::process::run;
use kattila::clock::Clock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn must(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    let (said, told) = (&output.stdout, &output.stderr);
    let both = format!("{}{}", String::from_utf8_lossy(said), String::from_utf8_lossy(told));
    assert!(output.status.success(), "{command:?}: {both}");
    both
}

/// A system that has nothing but what the package manager and the package's scripts need, in a
/// directory.
struct System(tempfile::TempDir);

impl System {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["etc", "var/lib/dpkg/info", "var/lib/dpkg/updates"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("var/lib/dpkg/status"), "").unwrap();
        std::fs::write(at("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        std::fs::write(at("etc/group"), "root:x:0:\n").unwrap();
        std::fs::write(at("etc/shadow"), "root:*:19000:0:99999:7:::\n").unwrap();
        std::fs::write(at("etc/gshadow"), "root:*::\n").unwrap();
        Self(dir)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Runs dpkg on it. The scripts run outside of it and are told where it is (`DPKG_ROOT`),
    /// because there is no shell inside.
    async fn dpkg(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", self.0.path().display()));
        command.args(["--force-script-chrootless", "--force-depends"]).args(arguments);
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        must(command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null())).await
    }

    /// The settings of the installed manager, with all paths in here.
    fn settings(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.at("etc/kattila/manager.env")).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once('='));
        let inside = self.at("var/lib/kattila").display().to_string();
        pairs.map(|(n, v)| (n.to_owned(), v.replace("/var/lib/kattila", &inside))).collect()
    }

    /// Starts the installed program as its unit does, until it says that it is ready.
    async fn start(&self) -> (Child, String) {
        let socket = self.at("notify");
        let _none = std::fs::remove_file(&socket).is_ok();
        let notify = UnixDatagram::bind(&socket).unwrap();
        let mut command = Command::new(self.at("usr/bin/kattila"));
        command.arg("serve").env_clear().envs(self.settings()).env("NOTIFY_SOCKET", &socket);
        command.current_dir(self.at("var/lib/kattila")).kill_on_drop(true);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = said.next_line().await.unwrap().expect("an announcement");
        let ready = tokio::task::spawn_blocking(move || {
            let mut state = [0; 64];
            let length = notify.recv(&mut state).unwrap();
            String::from_utf8_lossy(&state[..length]).into_owned()
        });
        assert_eq!(ready.await.unwrap(), "READY=1");
        (child, line.strip_prefix("listening on http://").unwrap().to_owned())
    }
}

async fn stop(mut child: Child) {
    let pid = Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

async fn package(to: &Path, version: &str) -> String {
    let file = to.join(format!("kattila_{version}.deb"));
    let program = env!("CARGO_BIN_EXE_kattila");
    must(Command::new(root().join("docs/packaging/deb")).args([program, version]).arg(&file)).await;
    file.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_package_is_installed_started_upgraded_removed_and_purged() {
    let packages = tempfile::tempdir().unwrap();
    let system = System::new();
    system.dpkg(&["--install", &package(packages.path(), "0.1.0").await]).await;
    let passwd = std::fs::read_to_string(system.at("etc/passwd")).unwrap();
    let user = passwd.lines().find(|line| line.starts_with("kattila:")).expect("a user");
    assert!(user.ends_with("/usr/sbin/nologin"), "{user}");
    let uid: u32 = user.split(':').nth(2).unwrap().parse().unwrap();
    let of = |path: &str| {
        let meta = std::fs::metadata(system.at(path)).unwrap();
        (meta.uid(), meta.permissions().mode() & 0o7777)
    };
    assert_eq!(of("var/lib/kattila"), (uid, 0o700));
    assert_eq!(of("etc/kattila/manager.env"), (0, 0o640));
    assert_eq!(of("usr/bin/kattila"), (0, 0o755));
    for file in [
        "usr/lib/systemd/system/kattila.service",
        "usr/lib/systemd/system/kattila-agent.service",
        "etc/kattila/agent.env",
        "usr/share/man/man1/kattila-serve.1.gz",
        "usr/share/bash-completion/completions/kattila",
    ] {
        assert!(system.at(file).exists(), "{file}");
    }
    // Somebody sets it up.
    let env = system.at("etc/kattila/manager.env");
    let mine = std::fs::read_to_string(&env).unwrap().replace("127.0.0.1:5086", "127.0.0.1:0")
        + &format!("KATTILA_PSK={PSK}\nKATTILA_ADMIN_TOKEN={ADMIN_TOKEN}\n");
    std::fs::write(&env, &mine).unwrap();
    let (child, door) = system.start().await;
    let mut agent = Agent::new("0123456789abcdef", door.parse().unwrap(), Clock::system());
    agent.report(&serde_json::json!({ "hostname": "gw" })).await;
    let settings = [("KATTILA_LISTEN", door.as_str()), ("KATTILA_PSK", PSK)];
    let healthy = run(system.0.path(), &["healthcheck"], &settings).await;
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    assert!(healthy.said.contains("\"status\":\"ok\""), "{healthy:?}");

    // The upgrade happens under the running program; a restart brings the new one.
    let said = system.dpkg(&["--install", &package(packages.path(), "0.2.0").await]).await;
    assert!(!said.contains("Configuration file"), "it asked a question: {said}");
    stop(child).await;
    let unhealthy = run(system.0.path(), &["healthcheck"], &settings).await;
    assert_eq!(unhealthy.code, Some(1), "{unhealthy:?}");
    assert_eq!(std::fs::read_to_string(&env).unwrap(), mine, "what a person wrote stays");
    let (child, door) = system.start().await;
    let operator = Operator::new(door.parse().unwrap(), ADMIN_TOKEN);
    assert_eq!(operator.agents().await.len(), 1, "nothing is lost");
    stop(child).await;

    system.dpkg(&["--remove", "kattila"]).await;
    assert!(!system.at("usr/bin/kattila").exists() && env.exists());
    assert!(system.at("var/lib/kattila/kattila_manager.db").exists(), "a removal keeps the proof");
    system.dpkg(&["--purge", "kattila"]).await;
    assert!(!system.at("etc/kattila").exists() && !system.at("var/lib/kattila").exists());
    let passwd = std::fs::read_to_string(system.at("etc/passwd")).unwrap();
    assert!(!passwd.contains("kattila"), "{passwd}");
}

/// `tests/package` compares the packages themselves; this says it without a package.
#[test]
fn both_ways_to_make_the_package_take_the_same_files() {
    let manifest = text("Cargo.toml");
    let metadata = manifest.split("[package.metadata.deb]").nth(1).unwrap();
    let metadata = metadata.split("\n[[").next().unwrap();
    let script = text("docs/packaging/deb");
    let mut count = 0;
    for line in metadata.lines().filter(|line| line.trim_start().starts_with("[\"")) {
        let parts: Vec<&str> = line.split('"').collect();
        let (from, to, mode) = (parts[1], parts[3], parts[5]);
        count += 1;
        assert!(script.contains(&format!("-m 0{mode} ")), "{line}");
        assert!(script.contains(&format!("\"$root/{to}")), "{to} is not in docs/packaging/deb");
        assert!(from.starts_with("target/") || root().join(from).exists(), "{from} is not there");
    }
    assert_eq!(count, script.matches("install -D ").count());
    for script in ["postinst", "prerm", "postrm"] {
        let mode =
            std::fs::metadata(root().join("docs/packaging/debian").join(script)).unwrap().mode();
        assert_ne!(mode & 0o100, 0, "{script} cannot be run");
    }
    for kept in text("docs/packaging/debian/conffiles").lines() {
        assert!(metadata.contains(&format!("\"{kept}\"")), "{kept}");
    }
}

#[tokio::test]
async fn the_shell_scripts_are_sound() {
    let mut command = Command::new("shellcheck");
    command.current_dir(root()).args([
        "docs/packaging/deb",
        "docs/packaging/extras",
        "tests/fuzz-api",
        "tests/package",
        "tests/run",
    ]);
    let scripts =
        ["postinst", "prerm", "postrm"].map(|name| format!("docs/packaging/debian/{name}"));
    must(command.args(scripts)).await;
}

#[test]
fn the_unit_starts_what_the_package_installs() {
    let unit = text("docs/packaging/kattila.service");
    let line = |wanted: &str| unit.lines().any(|line| line == wanted);
    for wanted in [
        "Type=notify",
        "WatchdogSec=60",
        "User=kattila",
        "ExecStart=/usr/bin/kattila serve",
        "EnvironmentFile=/etc/kattila/manager.env",
        "RestartPreventExitStatus=2 3",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "StateDirectory=kattila",
    ] {
        assert!(line(wanted), "{wanted}");
    }
    assert!(text("docs/packaging/deb").contains("usr/bin/kattila"));
}

/// All Rust below a directory, as one text.
fn sources(dir: &Path, text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn the_security_page_names_tests_that_there_are() {
    let mut all = String::new();
    for dir in ["src", "tests/it"] {
        sources(&root().join(dir), &mut all);
    }
    let page = text("docs/security.md");
    let names: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.matches('_').count() > 1 && name.len() > 15)
        .filter(|name| {
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .collect();
    assert!(names.len() > 60, "{}", names.len());
    let gone: Vec<_> = names.iter().filter(|name| !all.contains(&format!("fn {name}("))).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[tokio::test]
async fn completions_and_pages_know_every_command() {
    let home = tempfile::tempdir().unwrap();
    for (shell, wanted) in [("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let told = run(home.path(), &["completions", shell], &[]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.said.contains(wanted) && told.said.contains("check-config"), "{shell}");
    }
    let written = run(home.path(), &["man", "pages"], &[]).await;
    assert_eq!(written.code, Some(0), "{written:?}");
    for page in ["kattila.1", "kattila-serve.1", "kattila-verify.1", "kattila-admin-key-revoke.1"] {
        let text = std::fs::read_to_string(home.path().join("pages").join(page));
        let text = text.unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".TH"), "{page}");
    }
    let serve = std::fs::read_to_string(home.path().join("pages/kattila-serve.1")).unwrap();
    assert!(serve.contains("KATTILA") && serve.contains("listen"), "{serve}");
}

/// The rules of hadolint that a file like ours can break, and those of issue and handbook.
#[test]
fn the_dockerfile_is_sound() {
    let file = text("docs/packaging/Dockerfile").replace("\\\n", " ");
    let lines: Vec<&str> =
        file.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let of = |word: &str| -> Vec<&str> {
        lines.iter().filter_map(|line| line.strip_prefix(word)).map(str::trim).collect()
    };
    let bases = of("FROM ");
    assert_eq!(bases.len(), 2, "one to build, one to run");
    for base in &bases {
        let (_, tag) = base.split_once(':').expect("a tag (DL3006)");
        assert!(!tag.starts_with("latest"), "{base} (DL3007)");
    }
    assert!(bases[0].contains(" AS "));
    let last = &lines[lines.iter().rposition(|line| line.starts_with("FROM ")).unwrap()..];
    let at = |word: &str| last.iter().position(|line| line.starts_with(word));
    assert_eq!(of("USER "), ["10001:10001"], "nothing of it runs as root (DL3002, DL3066)");
    assert!(lines.iter().any(|line| line.contains("useradd --system --uid 10001 --gid 10001")));
    assert!(at("USER ") < at("ENTRYPOINT ") && at("HEALTHCHECK ").is_some());
    assert!(of("ADD ").is_empty(), "COPY copies (DL3020)");
    for run in of("RUN ") {
        assert!(!run.contains("sudo") && !run.contains("apt "), "{run} (DL3004, DL3027)");
        if run.contains("apt-get install") {
            assert!(run.contains("-y --no-install-recommends"), "{run} (DL3014, DL3015)");
            assert!(run.contains("apt-get update") && run.contains("rm -rf /var/lib/apt/lists"));
        }
    }
    for exec in [of("ENTRYPOINT "), of("CMD ")].concat() {
        assert!(serde_json::from_str::<Vec<String>>(exec).is_ok(), "{exec} (DL3025)");
    }
    assert!(of("WORKDIR ").iter().all(|path| path.starts_with('/')), "DL3000");
    let ignored = text(".dockerignore");
    for kept_out in ["target", ".env", ".git"] {
        assert!(ignored.lines().any(|line| line == kept_out), "{kept_out}");
    }
}

/// What a manager at work exports: names of families.
async fn exported() -> BTreeSet<String> {
    let kattila = TestManager::start_with(&[("KATTILA_METRICS_LISTEN", "127.0.0.1:0")]).await;
    kattila.agent("0123456789abcdef").report(&serde_json::json!({})).await;
    get(kattila.addr(), "/api/v1/events", &[]).await;
    let metrics = get(kattila.manager().metrics_addr().unwrap(), "/metrics", &[]).await.text();
    kattila.stop().await;
    let name = |line: &str| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned());
    metrics.lines().filter_map(name).collect()
}

/// Of a metric's name in a query or on a page, the family that it is of.
fn family(name: &str) -> &str {
    let ends = ["_total", "_bucket", "_sum", "_count"];
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Families without a member are not exported, but are named in the code.
fn is_named(family: &str) -> bool {
    let code = ["metrics.rs", "metrics/measured.rs", "metrics/keys.rs"];
    let name = family.replace("kattila_", "\"") + "\"";
    code.iter().any(|file| text(&format!("src/http/{file}")).contains(&name))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_asks_for_metrics_that_there_are() {
    let exported = exported().await;
    let dashboard: Value = serde_json::from_str(&text("docs/grafana/kattila.json")).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            asked.extend(expr.split(word).filter(|w| w.starts_with("kattila_")).map(str::to_owned));
        }
    }
    assert!(asked.len() > 15, "{asked:?}");
    for name in asked {
        let base = family(&name);
        let is_there = exported.contains(base) || exported.contains(&name);
        assert!(is_there || is_named(base), "{name} is not exported: {exported:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_none_that_is_not_there() {
    let page = text("docs/operations.md");
    let table = page.split("\n## Metrics\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `kattila_"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let told: BTreeSet<&str> = names.map(|name| family(name.split('{').next().unwrap())).collect();
    let exported = exported().await;
    let untold: Vec<_> = exported.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(untold.is_empty(), "docs/operations.md does not tell of {untold:?}");
    for name in told {
        assert!(exported.contains(name) || is_named(name), "{name} is told of and not there");
    }
}
