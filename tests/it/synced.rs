//! What is acknowledged was synced to the disk before: the system calls of the real program, counted.

use std::fs;
use std::path::Path;

use kattila::clock::Clock;
use rusqlite::{Connection, OpenFlags};
use tokio::task::JoinSet;

use crate::support::actors::Agent;
use crate::support::http::try_report;
use crate::support::process::Serve;

/// Syncs of the write-ahead log that the program has begun so far.
fn syncs(trace: &Path) -> usize {
    let text = fs::read_to_string(trace).unwrap();
    // What another thread's call interrupts is told again as resumed.
    let begun = text.lines().filter(|line| line.contains("sync(") && !line.contains("resumed>"));
    begun.filter(|line| line.contains("k.db-wal>")).count()
}

/// Commits of this database, as it counts them itself.
fn commits(db: &Path) -> usize {
    let conn = Connection::open_with_flags(db, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = "SELECT value FROM meta WHERE name = 'store.commit_seq'";
    let count: String = conn.query_row(count, [], |row| row.get(0)).unwrap();
    count.parse().unwrap()
}

async fn report(serve: &Serve, agent: &mut Agent) {
    let envelope = agent.seal_v2(r#"{"hostname":"node1"}"#);
    let answer = try_report(serve.addr(), &envelope).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_commit_is_synced_once_and_before_its_reports_are_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let (db, trace) = (home.path().join("k.db"), home.path().join("trace"));
    let serve = Serve::start_traced(home.path(), &db, &trace).await;
    let mut agent = Agent::new(&format!("{:032x}", 1), serve.addr(), Clock::system());
    // The first sync after the log began anew is of its header as well.
    report(&serve, &mut agent).await;
    for _ in 0..20 {
        let before = syncs(&trace);
        report(&serve, &mut agent).await;
        assert!(syncs(&trace) > before, "acknowledged and not synced");
    }

    let (before, committed) = (syncs(&trace), commits(&db));
    let mut agents = JoinSet::new();
    for index in 2..10 {
        let (addr, clock) = (serve.addr(), Clock::system());
        agents.spawn(async move {
            let mut agent = Agent::new(&format!("{index:032x}"), addr, clock);
            for _ in 0..20 {
                let envelope = agent.seal_v2(r#"{"hostname":"node1"}"#);
                assert_eq!(try_report(addr, &envelope).await.unwrap().status, 200);
            }
        });
    }
    agents.join_all().await;
    let (after, more) = (syncs(&trace), commits(&db));
    // What commits beside reports may come between the two looks, at either end.
    let (synced, committed) = (after - before, more - committed);
    assert!(synced.abs_diff(committed) <= 2, "{synced} syncs for {committed} commits");
    assert!(committed <= 160 + 20, "{committed} commits for 160 reports");
    serve.stop().await;
}
