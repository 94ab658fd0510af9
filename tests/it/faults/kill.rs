//! Killed and stopped while reports arrive: what was acknowledged is stored, once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kattila::clock::Clock;
use kattila::model::id::ReportId;
use kattila::store::Reader as _;
use kattila::store::row::ReportFilter;
use kattila::store::sqlite::open_read_only;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::actors::Agent;
use crate::support::dice::Dice;
use crate::support::http::try_report;
use crate::support::process::{Serve, run};

/// Agents that report at the same time.
const AGENTS: u8 = 6;

/// Kills in a row. Each takes well under a second; a longer run is only more of the same.
const CYCLES: usize = 25;

/// What one agent has sent and been told.
pub(super) struct Journal {
    index: u8,
    agent: Agent,
    number: u64,
    speaks_v1: bool,
    /// Reports that were acknowledged: envelope by the number it was given.
    acked: BTreeMap<i64, String>,
    /// Reports whose second copy was refused as a replay, which says that the first is stored.
    delivered: BTreeSet<String>,
    /// Sent, and no answer came.
    unanswered: Option<String>,
    /// Answers other than 200.
    pub(super) refused: Vec<u16>,
}

impl Journal {
    pub(super) fn new(index: u8, addr: SocketAddr) -> Self {
        let agent = Agent::new(&format!("{index:032x}"), addr, Clock::system());
        Self {
            index,
            agent,
            number: 0,
            speaks_v1: index % 2 == 1,
            acked: BTreeMap::new(),
            delivered: BTreeSet::new(),
            unanswered: None,
            refused: Vec::new(),
        }
    }

    /// The same, of an agent of the second version whatever its index.
    pub(super) fn v2(index: u8, addr: SocketAddr) -> Self {
        Self { speaks_v1: false, ..Self::new(index, addr) }
    }

    /// Which agent it is.
    pub(super) fn index(&self) -> u8 {
        self.index
    }

    /// How many of its reports are known to be stored.
    pub(super) fn acknowledged(&self) -> usize {
        self.acked.len() + self.delivered.len()
    }

    /// The next report; `filling` makes it as large as wanted.
    pub(super) fn next(&mut self, filling: &str) -> String {
        self.number += 1;
        let host = format!("host-{}", self.number % 7);
        let data = json!({ "hostname": host, "n": self.number, "f": filling }).to_string();
        self.seal(&data)
    }

    /// A report of this data.
    pub(super) fn seal(&mut self, data: &str) -> String {
        if self.speaks_v1 { self.agent.seal_v1(data) } else { self.agent.seal_v2(data) }
    }

    /// Sends an envelope and writes down what comes back; whether it was acknowledged. `None`:
    /// no answer.
    pub(super) async fn send(&mut self, addr: SocketAddr, envelope: String) -> Option<bool> {
        let Ok(answer) = try_report(addr, &envelope).await else {
            self.unanswered = Some(envelope);
            return None;
        };
        if answer.status != 200 {
            self.refused.push(answer.status);
            return Some(false);
        }
        let id = answer.json()["report_id"].as_i64().unwrap();
        let before = self.acked.insert(id, envelope);
        assert!(before.is_none(), "report {id} was acknowledged for two different reports");
        Some(true)
    }

    /// What every agent does when it does not know: the same bytes again.
    pub(super) async fn resend(&mut self, addr: SocketAddr) {
        let Some(envelope) = self.unanswered.take() else { return };
        let taken = self.send(addr, envelope.clone()).await;
        if self.speaks_v1 && self.refused == [409] {
            self.refused.clear();
            self.delivered.insert(envelope);
        } else {
            assert_eq!(taken, Some(true), "{:?}", self.refused);
        }
    }
}

/// Everything acknowledged is stored under the number told, once; and nothing is there that
/// nobody sent. The reports that are stored without having been acknowledged.
pub(super) fn compare(db: &Path, journals: &[Journal]) -> Vec<i64> {
    let reader = open_read_only(db).unwrap();
    let mut stored = BTreeMap::new();
    let mut after = ReportId(0);
    loop {
        let page = reader.reports(&ReportFilter::onwards(after, 500)).unwrap();
        let Some(last) = page.last() else { break };
        after = last.summary.id;
        for row in page {
            stored.insert(row.summary.id.0, String::from_utf8(row.envelope).unwrap());
        }
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for envelope in stored.values() {
        *times.entry(envelope).or_default() += 1;
    }
    assert!(times.values().all(|count| *count == 1), "a report is stored twice");
    let mut unasked: BTreeMap<i64, &str> =
        stored.iter().map(|(id, envelope)| (*id, envelope.as_str())).collect();
    for journal in journals {
        for (id, envelope) in &journal.acked {
            assert_eq!(unasked.remove(id), Some(envelope.as_str()), "acknowledged report {id}");
        }
    }
    for text in journals.iter().flat_map(|journal| &journal.delivered) {
        assert_eq!(times.get(text.as_str()), Some(&1), "told to be stored");
        unasked.retain(|_, stored| stored != text);
    }
    let known = |text: &str| journals.iter().any(|j| j.unanswered.as_deref() == Some(text));
    assert!(unasked.values().all(|text| known(text)), "a report that nobody sent");
    unasked.into_keys().collect()
}

pub(super) fn check_integrity(db: &Path) {
    let conn = rusqlite::Connection::open(db).unwrap();
    let answer: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
}

/// Lets all agents report at once, each what `next` makes of it, until so many reports are
/// acknowledged; then calls `act`, while they go on until no more answers come.
pub(super) async fn under_load(
    addr: SocketAddr,
    journals: Vec<Journal>,
    (acks, next): (usize, impl Fn(&mut Journal) -> String + Clone + Send + 'static),
    act: impl FnOnce(),
) -> Vec<Journal> {
    let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let mut agents = JoinSet::new();
    for mut journal in journals {
        let (count, enough, next) = (Arc::clone(&count), Arc::clone(&enough), next.clone());
        agents.spawn(async move {
            loop {
                let envelope = next(&mut journal);
                match journal.send(addr, envelope).await {
                    Some(true) if count.fetch_add(1, Ordering::SeqCst) + 1 == acks => {
                        enough.notify_one();
                    }
                    Some(_) => {}
                    None => return journal,
                }
            }
        });
    }
    enough.notified().await;
    act();
    agents.join_all().await
}

/// Stops the manager in order and proves all of what is stored: as many reports as agents know of.
pub(super) async fn stop_and_prove(serve: Serve, home: &Path, journals: &[Journal]) -> usize {
    serve.stop().await;
    check_integrity(&home.join("k.db"));
    let verified = run(home, &["verify", "--db", "k.db"], &[]).await;
    let sent: usize = journals.iter().map(Journal::acknowledged).sum();
    let counts = format!("{sent} ok, 0 redacted, 0 signed with a key not kept, 0 failed\n");
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.said.starts_with(&counts), "{verified:?}");
    sent
}

fn small(journal: &mut Journal) -> String {
    journal.next("")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_loses_or_doubles_an_acknowledged_report() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let mut dice = Dice::new(0x6b61_7474_696c_6121);
    let mut serve = Serve::start(home.path(), &db).await;
    let mut journals: Vec<_> = (0..AGENTS).map(|index| Journal::new(index, serve.addr())).collect();
    let mut doubtful = 0;
    for _ in 0..CYCLES {
        let acks = 1 + usize::try_from(dice.below(97)).unwrap();
        let load = (acks, small);
        journals = under_load(serve.addr(), journals, load, || serve.signal(Signal::KILL)).await;
        let (status, _log) = serve.ended().await;
        assert_eq!(status.code(), None, "it was killed");
        doubtful += compare(&db, &journals).len();
        serve = Serve::start(home.path(), &db).await;
        for journal in &mut journals {
            assert!(journal.refused.is_empty(), "{:?}", journal.refused);
            journal.resend(serve.addr()).await;
        }
        assert!(compare(&db, &journals).is_empty(), "sent again, all is known");
    }
    let sent = stop_and_prove(serve, home.path(), &journals).await;
    println!("{sent} acknowledged over {CYCLES} kills, {doubtful} stored without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_answers_what_it_took() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let serve = Serve::start(home.path(), &db).await;
    let journals: Vec<_> = (0..AGENTS).map(|index| Journal::new(index, serve.addr())).collect();
    let load = (150, small);
    let journals = under_load(serve.addr(), journals, load, || serve.signal(Signal::TERM)).await;
    let (status, log) = serve.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    for journal in &journals {
        assert!(journal.refused.is_empty(), "{:?} {log}", journal.refused);
    }
    let wal = home.path().join("k.db-wal");
    assert!(wal.metadata().is_ok_and(|file| file.len() == 0) || !wal.exists(), "the log has rows");
    assert_eq!(compare(&db, &journals), Vec::<i64>::new(), "stored, and the agent not told");
    check_integrity(&db);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_like_a_termination() {
    let home = tempfile::tempdir().unwrap();
    let serve = Serve::start(home.path(), &home.path().join("k.db")).await;
    serve.signal(Signal::INT);
    let (status, log) = serve.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
}
