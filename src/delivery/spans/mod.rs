//! Spans for a collector of OpenTelemetry: OTLP over HTTP, as JSON.
//!
//! Own code, since the crates for it bring some two hundred others. Requests and what they wait for
//! are handed over when they are answered; nobody waits for the collector, and what it does not take
//! is counted and dropped. Only the fields that [`layer`] names leave the process, so that no secret
//! can.

mod body;
pub mod layer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::web;
use crate::clock::Clock;
use layer::{Closed, SpanLayer};

/// Spans that wait for the collector; beyond it new ones are dropped. About 2 MB.
const WAITING: usize = 4_096;

/// Spans in one request.
const BATCH: usize = 512;

/// How long a batch is collected.
const COLLECT: Duration = Duration::from_secs(2);

/// Tries that a batch has.
const TRIES: u32 = 2;

/// How long the end of the program waits for the last batch.
const AT_LAST: Duration = Duration::from_secs(3);

/// Sends what the layer hands over.
#[derive(Debug)]
pub struct Exporter {
    task: JoinHandle<()>,
    stop: mpsc::Sender<()>,
}

/// Begins to export to this collector, such as `http://127.0.0.1:4318`.
pub fn begin(endpoint: &str, clock: Clock) -> Result<(SpanLayer, Exporter), String> {
    let client = web::client(None)?;
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let (to, spans) = mpsc::channel(WAITING);
    let (stop, stopped) = mpsc::channel(1);
    let dropped = Arc::<AtomicU64>::default();
    let work = Work { client, url, dropped: Arc::clone(&dropped), failing: false };
    let task = tokio::spawn(work.run(spans, stopped));
    Ok((SpanLayer::new(to, dropped, clock), Exporter { task, stop }))
}

impl Exporter {
    /// Sends what is there, and ends.
    pub async fn end(self) {
        drop(self.stop);
        if tokio::time::timeout(AT_LAST, self.task).await.is_err() {
            warn!("The last spans were not sent");
        }
    }
}

struct Work {
    client: Client,
    url: String,
    dropped: Arc<AtomicU64>,
    failing: bool,
}

impl Work {
    async fn run(mut self, mut spans: mpsc::Receiver<Closed>, mut stopped: mpsc::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut goes_on = true;
        while goes_on {
            goes_on = collect(&mut spans, &mut stopped, &mut batch).await;
            if !goes_on {
                while let Ok(span) = spans.try_recv() {
                    batch.push(span);
                }
            }
            for part in batch.chunks(BATCH) {
                self.send(part).await;
            }
            batch.clear();
        }
    }

    async fn send(&mut self, spans: &[Closed]) {
        let body = body::body(spans).to_string();
        let mut problem = String::new();
        for _ in 0..TRIES {
            let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
            match request.body(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => return self.works_again(),
                Ok(answer) => problem = format!("answered {}", answer.status().as_u16()),
                Err(error) => problem = error.without_url().to_string(),
            }
        }
        let lost = self.dropped.fetch_add(spans.len() as u64, Ordering::Relaxed);
        if !self.failing {
            self.failing = true;
            warn!(
                problem,
                spans = lost + spans.len() as u64,
                "Spans are dropped: the collector does not take them; see KATTILA_OTLP_ENDPOINT"
            );
        }
    }

    fn works_again(&mut self) {
        if std::mem::take(&mut self.failing) {
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            info!(dropped, "The collector takes spans again");
        }
    }
}

/// Waits for spans, and for more of them for a while; false if it is time to end.
async fn collect(
    spans: &mut mpsc::Receiver<Closed>,
    stopped: &mut mpsc::Receiver<()>,
    batch: &mut Vec<Closed>,
) -> bool {
    tokio::select! {
        count = spans.recv_many(batch, BATCH) => if count == 0 { return false },
        _ = stopped.recv() => return false,
    }
    // What has been collected when the time is over stays in the batch.
    tokio::time::timeout(COLLECT, fill(spans, stopped, batch)).await.unwrap_or(true)
}

/// Waits until the batch is full; false if it is time to end.
async fn fill(
    spans: &mut mpsc::Receiver<Closed>,
    stopped: &mut mpsc::Receiver<()>,
    batch: &mut Vec<Closed>,
) -> bool {
    while batch.len() < BATCH {
        tokio::select! {
            count = spans.recv_many(batch, BATCH) => if count == 0 { return false },
            _ = stopped.recv() => return false,
        }
    }
    true
}
