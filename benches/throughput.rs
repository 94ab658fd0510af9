//! Acknowledged reports per second through the whole manager, side by side with the bare door.
//!
//! Both run as processes of their own, started from this program, and are driven in turn by the
//! generator of `kattila simulate`: the same connections, the same reports. The floor is the
//! manager's own door that reads the body and gives a canned answer, and does nothing else.
//!
//! `cargo bench --bench throughput -- --help` lists what can be varied.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod beside;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use kattila::clock::Clock;
use kattila::config::Config;
use kattila::config::source::Values;
use kattila::http::observe::RequestIds;
use kattila::http::server::{Door, Limits};
use kattila::manager::Manager;
use kattila::simulate::envelope::{Scheme, Shape, Signer};
use kattila::simulate::load::{self, Load, Signing};
use kattila::simulate::pace::Pace;
use kattila::simulate::summary::Summary;
use kattila::simulate::target::Target;
use kattila::simulate::world::{Mix, Options, World};
use kattila::wire::frame::Encoding;
use tikv_jemallocator::Jemalloc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const PSK: &str = "bench-psk-000000000000000000000000";

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What the floor answers: as long as a receipt.
const CANNED: &str =
    r#"{"status":"ok","report_id":123456,"server_time":1795000000,"interval":30,"framed":true}"#;

/// Reports of each agent before the clock starts: the first makes it known, the second tells how
/// its counters grow, the third may still judge a link whose other end was slower.
const SETTLED_AFTER: usize = 4;

/// Jobs come every five minutes, so no longer measurement than this is free of them.
const MEASURED_AT_REST_S: i64 = 150;

#[derive(Debug, Parser)]
struct Args {
    /// Numbers of simulated agents, one measurement each
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000,100000")]
    agents: Vec<usize>,
    /// Schemes, one measurement each
    #[arg(long, value_delimiter = ',', default_value = "v1,v2")]
    schemes: Vec<Version>,
    /// Rounds of each measurement; medians are told
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each round
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Keep-alive connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Reports per second instead of as many as are answered
    #[arg(long)]
    rate: Option<f64>,
    /// Forty peers per agent instead of ten
    #[arg(long)]
    dense: bool,
    /// Afterwards so many seconds at half of what was measured, by intended start times
    #[arg(long, default_value_t = 0)]
    half: u64,
    /// Watchers of the stream at that rate, with one who asks for the map each second and one who
    /// reads all reports; measured in turn with none
    #[arg(long, default_value_t = 0)]
    watchers: usize,
    /// Afterwards so many connections at once, beyond what the manager lets wait
    #[arg(long, default_value_t = 0)]
    flood: usize,
    /// `full` or `normal`
    #[arg(long, default_value = "full")]
    durability: String,
    /// The manager also archives everything that it commits, beside its database
    #[arg(long)]
    archive: bool,
    /// Where databases are made; the disk that is measured
    #[arg(long, default_value = "target")]
    on: PathBuf,
    /// Runs as a server on this database until its input ends; `-` is the floor
    #[arg(long, hide = true)]
    serve: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Version {
    V1,
    V2,
    V2Framed,
    V2Zstd,
    Ed25519,
    Ed25519Framed,
}

impl Version {
    /// How hosts sign, and the shape they send.
    const fn speech(self) -> (Scheme, Shape) {
        let framed = Shape::Framed(Encoding::Identity);
        match self {
            Self::V1 => (Scheme::V1, Shape::Json),
            Self::V2 => (Scheme::V2, Shape::Json),
            Self::V2Framed => (Scheme::V2, framed),
            Self::V2Zstd => (Scheme::V2, Shape::Framed(Encoding::Zstd)),
            Self::Ed25519 => (Scheme::Ed25519, Shape::Json),
            Self::Ed25519Framed => (Scheme::Ed25519, framed),
        }
    }

    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    match &args.serve {
        Some(place) if place.as_os_str() == "-" => serve_floor().await,
        Some(place) => serve_manager(place, &args).await,
        None => {
            println!("{}", Row::HEAD);
            for version in &args.schemes {
                for agents in &args.agents {
                    compare(&args, *version, *agents).await;
                }
            }
        }
    }
}

/// Waits until the program that started this one closes the pipe.
async fn input_ends() {
    let wait = || std::io::stdin().read_to_end(&mut Vec::new());
    tokio::task::spawn_blocking(wait).await.expect("a thread").expect("a pipe");
}

async fn serve_floor() {
    let app = Router::new().route(
        "/status/updates",
        post(|_body: Bytes| async { ([(CONTENT_TYPE, "application/json")], CANNED) }),
    );
    let addr: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let door = Door::bind(addr, None, Limits::default(), Arc::new(RequestIds::new(0)))
        .expect("a free port");
    println!("{}", door.url());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(door.serve(app, stop.clone()));
    input_ends().await;
    stop.cancel();
    serving.await.expect("an orderly end");
}

async fn serve_manager(db: &Path, args: &Args) {
    let archive = db.with_extension("archive");
    let mut settings = vec![
        ("KATTILA_LISTEN", "127.0.0.1:0"),
        ("KATTILA_DB", db.to_str().expect("a path in UTF-8")),
        ("KATTILA_PSK", PSK),
        ("KATTILA_DURABILITY", args.durability.as_str()),
        ("KATTILA_RATE_AGENT", "off"),
        ("KATTILA_ANONYMOUS_ROLE", "viewer"),
        // Nobody falls silent while all are being made known.
        ("KATTILA_REPORT_INTERVAL", "600"),
        // Version 1 agents report far more often here than any real one.
        ("KATTILA_NONCE_WINDOW", "100000"),
    ];
    if args.archive {
        settings.push(("KATTILA_ARCHIVE_DIR", archive.to_str().expect("a path in UTF-8")));
    }
    let config = Config::load(&Values::from_pairs(settings)).expect("good settings");
    let manager = Manager::bind(config, Clock::system()).await.expect("a manager");
    println!("{}", manager.url());
    input_ends().await;
    assert!(manager.shutdown().await, "a part did not stop in order");
}

/// A server in a process of its own.
struct Server {
    child: Child,
    url: String,
    /// From the start of the process until its door was open.
    ready_after: Duration,
}

impl Server {
    fn start(place: &Path, args: &Args) -> Self {
        let begin = Instant::now();
        let mut child = Command::new(std::env::current_exe().expect("a path"))
            .arg("--serve")
            .arg(place)
            .args(["--durability", &args.durability])
            .args(args.archive.then_some("--archive"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut url = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut url).expect("a line");
        Self { child, url: url.trim().to_owned(), ready_after: begin.elapsed() }
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("a process")
    }

    /// Processor time so far, user and system, in microseconds.
    fn cpu_us(&self) -> u64 {
        let stat = self.proc("stat");
        let after_name = stat.rsplit(") ").next().unwrap_or_default();
        // utime and stime are fields 14 and 15, in hundredths of a second (proc(5)).
        let ticks = after_name.split(' ').skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<u64>().expect("a number")).sum::<u64>() * 10_000
    }

    /// Memory in use, in KiB.
    fn rss_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("a number")
    }

    fn stop(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("a process").success(), "the server failed");
    }

    fn kill(mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("a process");
    }
}

/// What one measurement drives its servers with.
#[derive(Clone, Copy)]
struct Drive<'a> {
    args: &'a Args,
    version: Version,
    agents: usize,
    pace: Pace,
    connections: usize,
    seconds: u64,
}

impl Drive<'_> {
    async fn load(&self, url: &str, duration: Option<Duration>) -> Load {
        let clock = Clock::system();
        let (scheme, shape) = self.version.speech();
        let options = Options {
            seed: 7,
            agents: self.agents,
            mix: if self.args.dense { Mix::Dense } else { Mix::Load },
            faults: false,
            start: clock.now(),
        };
        Load {
            target: Target::find(url, false).await.expect("a loopback address"),
            world: World::new(&options),
            signer: Signer::new(Zeroizing::new(PSK.as_bytes().to_vec())),
            signing: Signing::All(scheme),
            shape,
            // Enrolled while it is warmed up; the floor asks for nothing.
            introduced: duration.is_some(),
            pace: self.pace,
            connections: NonZeroUsize::new(self.connections).expect("at least 1"),
            duration,
            clock,
        }
    }

    /// Lets every agent report so often that none is new any more and every link that works has
    /// been judged at rest from both ends: what follows is a fleet's ordinary day.
    async fn warm_up(&self, url: &str) {
        let mut load = self.load(url, None).await;
        load.pace = Pace::Closed;
        let enough = u64::try_from(self.agents * SETTLED_AFTER).unwrap_or(u64::MAX);
        let stop = CancellationToken::new();
        let summary = load::run(load, &stop, |progress| {
            if progress.stored >= enough {
                stop.cancel();
            }
        });
        summary.await.expect("a run");
    }

    async fn round(&self, server: &Server, mut watch: impl FnMut()) -> (Summary, u64) {
        let load = self.load(&server.url, Some(Duration::from_secs(self.seconds))).await;
        let before = server.cpu_us();
        let stop = CancellationToken::new();
        let summary = load::run(load, &stop, |_progress| watch()).await.expect("a run");
        let cpu_us = server.cpu_us() - before;
        (summary, cpu_us)
    }
}

/// The median of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// One line of the table.
#[derive(Default)]
struct Row {
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    p99_9: Vec<f64>,
    refused: u64,
}

impl Row {
    const HEAD: &'static str =
        "scheme          agents  server   reports/s  cpu us  p50 ms  p99 ms  p99.9  refused";

    fn add(&mut self, (summary, cpu_us): &(Summary, u64)) {
        self.per_second.push(summary.stored_per_second);
        self.cpu_us.push(*cpu_us as f64 / summary.sent.max(1) as f64);
        self.p50.push(summary.latency_ms.p50);
        self.p99.push(summary.latency_ms.p99);
        self.p99_9.push(summary.latency_ms.p99_9);
        self.refused += summary.sent - summary.stored;
    }

    fn print(self, drive: &Drive<'_>, server: &str) -> f64 {
        let version = drive.version;
        let rate = median(self.per_second);
        println!(
            "{:14}  {:6}  {server:7}  {rate:9.0}  {:6.1}  {:6.2}  {:6.2}  {:5.1}  {:7}",
            version.word(),
            drive.agents,
            median(self.cpu_us),
            median(self.p50),
            median(self.p99),
            median(self.p99_9),
            self.refused,
        );
        rate
    }
}

async fn compare(args: &Args, version: Version, agents: usize) {
    let on = args.on.canonicalize().expect("a directory that is there");
    let dir = tempfile::tempdir_in(on).expect("a directory");
    let db = dir.path().join("k.db");
    let pace = args.rate.map_or(Pace::Closed, Pace::Rate);
    let (connections, seconds) = (args.connections, args.seconds);
    let drive = Drive { args, version, agents, pace, connections, seconds };
    let floor = Server::start(Path::new("-"), args);
    let manager = Server::start(&db, args);
    let empty_kib = manager.rss_kib();
    beside::introduce(&manager.url).await;
    let begun = Instant::now();
    drive.warm_up(&manager.url).await;
    let known_after = begun.elapsed();
    let span = i64::try_from(args.rounds as u64 * seconds * 2 + 5).unwrap_or(i64::MAX);
    beside::at_rest(&manager.url, span.min(MEASURED_AT_REST_S)).await;
    let wal = db.with_extension("db-wal");
    let (mut below, mut above) = (Row::default(), Row::default());
    let mut wal_bytes = 0;
    for _ in 0..args.rounds {
        below.add(&drive.round(&floor, || {}).await);
        let watch = || wal_bytes = wal_bytes.max(fs::metadata(&wal).map_or(0, |f| f.len()));
        above.add(&drive.round(&manager, watch).await);
    }
    let full_kib = manager.rss_kib();
    let floor_rate = below.print(&drive, "floor");
    let rate = above.print(&drive, "manager");
    floor.stop();
    if args.half > 0 {
        drive.at_half(&manager, rate).await;
    }
    if args.flood > 0 {
        drive.flood(&manager).await;
    }
    manager.stop();
    let again = Server::start(&db, args);
    let after_stop = again.ready_after;
    again.kill();
    let again = Server::start(&db, args);
    let after_kill = again.ready_after;
    again.stop();
    println!(
        "        ratio {:.1} %; known after {:.0} s; memory {} MiB empty, {} MiB full, {:.2} KiB per agent; log at most \
         {} MiB; database {} MiB; ready {:.2} s after a stop, {:.2} s after a kill",
        100.0 * rate / floor_rate,
        known_after.as_secs_f64(),
        empty_kib / 1024,
        full_kib / 1024,
        full_kib.saturating_sub(empty_kib) as f64 / agents as f64,
        wal_bytes >> 20,
        fs::metadata(&db).map_or(0, |file| file.len()) >> 20,
        after_stop.as_secs_f64(),
        after_kill.as_secs_f64(),
    );
}
