//! What is measured beside the most: half of it, a flood, and those who look while reports come
//! in: watchers of the stream, a program that asks for the map each second, and one that reads
//! every stored report.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use kattila::clock::Clock;
use kattila::sign::nonce;
use kattila::simulate::envelope::{Head, Signer};
use kattila::simulate::pace::Pace;
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use rustix::process::nice;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{Drive, PSK, Row, Server};

/// The host whose name changes with each of its reports, so that every report moves the map.
const PROBE: &str = "70726f62650000000000000000000000";
const FLEET: &str = "probe";

/// Between two reports of the probe.
const EVERY: Duration = Duration::from_secs(1);

/// Jobs that come at least so seldom are waited for, in seconds.
const RARE_S: i64 = 300;

/// What those who looked saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// From the acknowledgement of a report to the patch at a watcher, in microseconds.
    pub(crate) patch_us: Histogram<u64>,
    /// Asking for the whole map, in microseconds.
    pub(crate) map_us: Histogram<u64>,
    /// Bytes of the last whole map.
    pub(crate) map_bytes: usize,
    /// Answers that said the map was as before.
    pub(crate) unchanged: u64,
    /// Stored reports that were read.
    pub(crate) exported: u64,
}

impl Default for Seen {
    fn default() -> Self {
        let histogram = || Histogram::new_with_bounds(1, 600_000_000, 3).expect("good bounds");
        Self { patch_us: histogram(), map_us: histogram(), map_bytes: 0, unchanged: 0, exported: 0 }
    }
}

/// When each report of the probe was acknowledged, and what was seen so far.
#[derive(Default)]
struct Shared {
    acknowledged: Mutex<HashMap<u64, Instant>>,
    seen: Mutex<Seen>,
}

impl Shared {
    fn seen(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A watcher saw the name of report `number`.
    fn saw(&self, number: u64) {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        // A patch may overtake the answer; then it was there at once.
        let late = acknowledged.get(&number).map(Instant::elapsed).unwrap_or_default();
        drop(acknowledged);
        self.seen(|seen| seen.patch_us.saturating_record(micros(late)));
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Those who look, until they are stopped.
pub(crate) struct Lookers {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    elsewhere: Runtime,
}

impl Lookers {
    /// `watchers` on the stream, one program on the map, one that reads all reports, and the host
    /// whose changes they are to see.
    pub(crate) fn start(url: &str, psk: &str, watchers: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let elsewhere = elsewhere();
        let place = elsewhere.handle();
        // Asked for even where nothing is encrypted; already there if this is not the first time.
        let _is_first = rustls::crypto::ring::default_provider().install_default().is_ok();
        let client = Client::builder().no_proxy().build().expect("a client");
        for _ in 0..watchers {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            // Each has its own connection, as browsers have.
            let client = Client::builder().no_proxy().build().expect("a client");
            let url = format!("{url}/api/v1/stream");
            tasks.spawn_on(async move { until(&stop, watch(client, url, &shared)).await }, place);
        }
        for which in 0..3 {
            let (shared, stop, client) = (Arc::clone(&shared), stop.clone(), client.clone());
            let (url, psk) = (url.to_owned(), Zeroizing::new(psk.as_bytes().to_vec()));
            let look = async move {
                match which {
                    0 => until(&stop, probe(client, url, Signer::new(psk), &shared)).await,
                    1 => until(&stop, ask(client, url, &shared)).await,
                    _ => until(&stop, export(client, url, &shared)).await,
                }
            };
            tasks.spawn_on(look, place);
        }
        Self { shared, tasks, stop, elsewhere }
    }

    /// Ends them; what they saw.
    pub(crate) async fn stop(mut self) -> Seen {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a task that ends in order");
        }
        self.elsewhere.shutdown_background();
        std::mem::take(&mut *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Browsers and programs that look are on other machines: here they take what processor time the
/// manager and the generator leave over.
fn elsewhere() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all();
    // On Linux the nice value is the thread's own (setpriority(2)).
    builder.on_thread_start(|| assert!(nice(19).is_ok(), "a lower rank"));
    builder.build().expect("a runtime")
}

async fn until(stop: &CancellationToken, work: impl Future<Output = ()>) {
    let _stopped = stop.run_until_cancelled(work).await;
}

/// Reads the stream and notes which names it tells.
async fn watch(client: Client, url: String, shared: &Shared) {
    let mut stream = client.get(url).send().await.expect("a stream");
    assert!(stream.status().is_success(), "the stream was refused: {}", stream.status());
    let (mut text, mut last) = (Vec::new(), 0);
    while let Ok(Some(chunk)) = stream.chunk().await {
        text.extend_from_slice(&chunk);
        // Whole lines only: a name may be cut in two.
        let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else { continue };
        let lines = String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned();
        text.drain(..=end);
        for found in lines.split("\"probe-").skip(1) {
            let number = found.split('"').next().and_then(|number| number.parse().ok());
            if let Some(number) = number.filter(|number| *number > last) {
                shared.saw(number);
                last = number;
            }
        }
    }
}

/// Reports under another host name each second.
async fn probe(client: Client, url: String, signer: Signer, shared: &Shared) {
    let mut pace = interval(EVERY);
    for number in 1_u64.. {
        pace.tick().await;
        if call(&client, &url, &signer, number).await {
            let mut acknowledged =
                shared.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            acknowledged.insert(number, Instant::now());
        }
    }
}

/// One report of the probe; whether it was acknowledged.
async fn call(client: &Client, url: &str, signer: &Signer, number: u64) -> bool {
    let clock = Clock::system();
    let now = clock.now();
    let head = Head {
        agent_id: PROBE,
        fleet_id: Some(FLEET),
        tick: &clock.now_millis().to_string(),
        timestamp: &now.to_string(),
        nonce: &nonce::fresh().expect("random bytes"),
    };
    let data = format!(r#"{{"hostname":"probe-{number}"}}"#);
    let envelope = signer.seal_v2(&head, data.as_bytes());
    let asking = client.post(format!("{url}/status/updates"));
    let asking = asking.header(CONTENT_TYPE, "application/json").body(envelope);
    asking.send().await.expect("an answer").status().is_success()
}

/// Has the probe known before all others, so that it is on the map when somebody looks: a large
/// fleet is arranged at its leisure.
pub(crate) async fn introduce(url: &str) {
    let _is_first = rustls::crypto::ring::default_provider().install_default().is_ok();
    let client = Client::builder().no_proxy().build().expect("a client");
    let signer = Signer::new(Zeroizing::new(PSK.as_bytes().to_vec()));
    let stream = client.get(format!("{url}/api/v1/stream")).send().await;
    let (mut stream, mut told) = (stream.expect("a stream"), Vec::new());
    assert!(call(&client, url, &signer, 0).await, "the probe was refused");
    while !String::from_utf8_lossy(&told).contains("\"probe-0\"") {
        told.extend(stream.chunk().await.expect("a stream").expect("a stream that goes on"));
    }
}

/// Waits until no job runs that comes every few minutes, and none is due within `span` seconds: what
/// takes out the history of a whole fleet's first reports is no part of an ordinary day.
pub(crate) async fn at_rest(url: &str, span: i64) {
    let client = Client::builder().no_proxy().build().expect("a client");
    let mut pace = interval(EVERY);
    loop {
        pace.tick().await;
        let answer = client.get(format!("{url}/api/v1/jobs")).send().await.expect("an answer");
        let text = answer.bytes().await.expect("a body");
        let jobs: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let jobs = jobs.as_array().expect("a list of jobs");
        let now = Clock::system().now().0;
        let rare = jobs.iter().filter(|job| job["every"].as_i64().is_some_and(|s| s >= RARE_S));
        let due =
            |job: &serde_json::Value| job["next_run"].as_i64().is_some_and(|at| at < now + span);
        if !rare.into_iter().any(|job| job["running"] == true || due(job)) {
            return;
        }
    }
}

/// Asks for the whole map each second, and says which one it has.
async fn ask(client: Client, url: String, shared: &Shared) {
    let (mut known, mut pace) = (None, interval(EVERY));
    loop {
        pace.tick().await;
        let begin = Instant::now();
        let mut asking = client.get(format!("{url}/api/v1/topology"));
        if let Some(tag) = &known {
            asking = asking.header(IF_NONE_MATCH, tag);
        }
        let answer = asking.send().await.expect("an answer");
        known = answer.headers().get(ETAG).cloned().or(known);
        let is_new = answer.status().is_success();
        let body = answer.bytes().await.expect("a body");
        shared.seen(|seen| {
            seen.map_us.saturating_record(micros(begin.elapsed()));
            if is_new {
                seen.map_bytes = body.len();
            } else {
                seen.unchanged += 1;
            }
        });
    }
}

/// Reads every stored report, newest first, over and over.
async fn export(client: Client, url: String, shared: &Shared) {
    let mut before: Option<u64> = None;
    loop {
        let from = before.map(|id| format!("&before={id}")).unwrap_or_default();
        let address = format!("{url}/api/v1/reports?limit=500{from}");
        let answer = client.get(address).send().await.expect("an answer");
        let page = answer.bytes().await.expect("a body");
        let page: serde_json::Value = serde_json::from_slice(&page).expect("JSON");
        let rows = page.as_array().or_else(|| page.get("reports")?.as_array());
        let rows = rows.map(Vec::as_slice).unwrap_or_default();
        shared.seen(|seen| seen.exported += rows.len() as u64);
        let last = rows.last().and_then(|row| row.get("id").or_else(|| row.get("report_id")));
        before = last.and_then(serde_json::Value::as_u64);
    }
}

impl Drive<'_> {
    /// Half of what was measured, alone and with those who look, in turn.
    pub(crate) async fn at_half(&self, server: &Server, rate: f64) {
        let args = self.args;
        let half = Drive { pace: Pace::Rate(rate / 2.0), seconds: args.half, ..*self };
        let (mut alone, mut watched) = (Row::default(), Row::default());
        let mut seen = Vec::new();
        for _ in 0..args.rounds {
            alone.add(&half.round(server, || {}).await);
            if args.watchers > 0 {
                let lookers = Lookers::start(&server.url, PSK, args.watchers);
                watched.add(&half.round(server, || {}).await);
                seen.push(lookers.stop().await);
            }
        }
        alone.print(&half, "half");
        if args.watchers == 0 {
            return;
        }
        watched.print(&half, "watched");
        let ms = |us: u64| us as f64 / 1000.0;
        for of in seen {
            if of.patch_us.is_empty() {
                println!("        no change reached a watcher in time: give --half more seconds");
            }
            println!(
                "        {} watchers: {} patches seen, p50 {:.0} ms, p99 {:.0} ms after the \
                 acknowledgement; map of {} KiB p50 {:.0} ms, p99 {:.0} ms, {} unchanged; {} \
                 stored reports read",
                args.watchers,
                of.patch_us.len(),
                ms(of.patch_us.value_at_quantile(0.5)),
                ms(of.patch_us.value_at_quantile(0.99)),
                of.map_bytes >> 10,
                ms(of.map_us.value_at_quantile(0.5)),
                ms(of.map_us.value_at_quantile(0.99)),
                of.unchanged,
                of.exported,
            );
        }
    }

    /// More at once than the manager lets wait, and how it does right after.
    pub(crate) async fn flood(&self, server: &Server) {
        let before = server.rss_kib();
        let mut most = before;
        let many = Drive { connections: self.args.flood, ..*self };
        let (summary, _cpu) = many.round(server, || most = most.max(server.rss_kib())).await;
        let answers: Vec<String> =
            summary.answers.iter().map(|(label, count)| format!("{count} {label}")).collect();
        println!(
            "        {} connections: {}; memory {} MiB before, {} MiB at most",
            self.args.flood,
            answers.join(", "),
            before >> 10,
            most >> 10,
        );
        let mut after = Row::default();
        after.add(&self.round(server, || {}).await);
        after.print(self, "after");
    }
}
