//! What a report costs the store: statements, rows and commits, counted and never timed.

use std::pin::pin;

use futures_util::future::join_all;
use kattila::model::state::AgentStatus;
use kattila::process::chores::{Chore, Keep};
use kattila::process::handle::Command;
use kattila::store::prune::Limits;
use kattila::store::sqlite::desk::Counters;
use serde_json::{Value, json};

use crate::support::engine::{Engine, submission, waits};
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::manager::START;

/// `BEGIN`, the number of the commit, `COMMIT`.
const BATCH_STATEMENTS: u64 = 3;

/// The second host's view of the link, and the first one's.
fn views(bytes: u64) -> [Value; 2] {
    let age = i64::try_from(bytes % 100).unwrap();
    [
        Host::alpha().with_peer(BETA_KEY, 2, START.0 - age, bytes).data(),
        Host::beta().with_peer(ALPHA_KEY, 1, START.0 - age, bytes).data(),
    ]
}

fn spent(engine: &Engine, before: Counters) -> (u64, u64, u64) {
    let now = engine.gate.counters();
    (now.statements - before.statements, now.rows - before.rows, now.commits - before.commits)
}

async fn take(engine: &Engine, envelope: String) {
    let accepted = engine.processor().submit(submission(envelope, START)).await.unwrap();
    assert!(!accepted.duplicate);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_changes_nothing_is_one_insert() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(&dir.path().join("k.db"));
    let (mut alpha, mut beta) = (engine.agent(ALPHA), engine.agent(BETA));
    for bytes in [1000, 2000, 3000] {
        let [a, b] = views(bytes);
        take(&engine, alpha.seal_v2(&a.to_string())).await;
        take(&engine, beta.seal_v2(&b.to_string())).await;
    }
    // Handshakes and counters move, everything else stays.
    let before = engine.gate.counters();
    let [a, b] = views(4007);
    take(&engine, alpha.seal_v2(&a.to_string())).await;
    assert_eq!(spent(&engine, before), (BATCH_STATEMENTS + 1, 2, 1));
    let before = engine.gate.counters();
    take(&engine, beta.seal_v2(&b.to_string())).await;
    assert_eq!(spent(&engine, before), (BATCH_STATEMENTS + 1, 2, 1));

    // A route comes: its row, the agent's with the new hash, one event, under a savepoint.
    let before = engine.gate.counters();
    let mut changed = a.clone();
    let route = json!({ "dst": "198.51.100.0/24", "gateway": "192.0.2.254", "dev": "eth0" });
    changed["routes"].as_array_mut().unwrap().push(route);
    take(&engine, alpha.seal_v2(&changed.to_string())).await;
    let (statements, rows, commits) = spent(&engine, before);
    assert_eq!((statements, rows, commits), (BATCH_STATEMENTS + 2 + 4, 5, 1));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_wait_together_are_committed_together() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(&dir.path().join("k.db"));
    let mut alpha = engine.agent(ALPHA);
    let data = Host::alpha().data().to_string();
    take(&engine, alpha.seal_v2(&data)).await;
    let before = engine.gate.counters();
    engine.gate.close();
    let processor = engine.processor().clone();
    let mut first = pin!(processor.submit(submission(alpha.seal_v2(&data), START)));
    assert!(waits(first.as_mut()).await);
    engine.gate.wait_for_writer();
    let more = (0..100).map(|_| submission(alpha.seal_v2(&data), START)).collect::<Vec<_>>();
    let mut more = pin!(join_all(more.into_iter().map(|one| processor.submit(one))));
    assert!(waits(more.as_mut()).await);
    assert_eq!(processor.status().queued, 100);
    engine.gate.open();
    first.await.unwrap();
    assert!(more.await.into_iter().all(|answer| answer.is_ok_and(|a| !a.duplicate)));
    // One batch of one and one of a hundred.
    assert_eq!(spent(&engine, before), (2 * BATCH_STATEMENTS + 101, 2 + 101, 2));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_fleet_that_falls_silent_is_declared_so_bit_by_bit() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(&dir.path().join("k.db"));
    let processor = engine.processor().clone();
    let mut agents: Vec<_> = (0..600).map(|n| engine.agent(&format!("{n:016x}"))).collect();
    let reports = agents.iter_mut().map(|agent| submission(agent.seal_v2("{}"), START));
    let reports: Vec<_> = reports.collect();
    let answers = join_all(reports.into_iter().map(|one| processor.submit(one))).await;
    assert!(answers.iter().all(Result::is_ok));
    engine.clock.set(START.plus(3600));
    let silent = || {
        let agents = processor.agents();
        agents.iter().filter(|agent| agent.status != AgentStatus::Online).count()
    };
    for expected in [500, 600, 600] {
        processor.command(Command::Tick).await.unwrap();
        assert_eq!(silent(), expected);
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_rolled_up_a_few_agents_at_a_time() {
    const AGENTS: u64 = 20;
    const OF_ONE_CHANGE: u64 = 8;
    let dir = tempfile::tempdir().unwrap();
    let week = Limits { age: Some(7 * 86_400), bytes: None };
    let keep = Keep { slots: week, hours: week, ..Keep::default() };
    let engine = Engine::start_keeping(&dir.path().join("k.db"), keep);
    let mut agents: Vec<_> = (0..AGENTS).map(|n| engine.agent(&format!("{n:016x}"))).collect();
    for minute in 0..90 {
        let now = START.plus(minute * 60);
        engine.clock.set(now);
        for agent in &mut agents {
            let sealed = agent.seal_v2(&Host::alpha().data().to_string());
            engine.processor().submit(submission(sealed, now)).await.unwrap();
        }
    }
    let before = engine.gate.counters();
    engine.processor().run_chore(Chore::RollUp).await;
    let (statements, rows, commits) = spent(&engine, before);
    let changes = AGENTS.div_ceil(OF_ONE_CHANGE);
    // Of each change the batch, its savepoint, two counts of the hour and the mark; of each agent
    // two rows and its names of the day; and what came of the run.
    let run = BATCH_STATEMENTS + 3;
    assert_eq!(statements, changes * (BATCH_STATEMENTS + 2 + 3) + 3 * AGENTS + run);
    assert_eq!(rows, changes * 4 + 3 * AGENTS + 2);
    assert_eq!(commits, changes + 1);
    // Reports cost what they did.
    let before = engine.gate.counters();
    let now = engine.clock.now();
    let sealed = agents[0].seal_v2(&Host::alpha().data().to_string());
    engine.processor().submit(submission(sealed, now)).await.unwrap();
    assert_eq!(spent(&engine, before), (BATCH_STATEMENTS + 1, 2, 1));
    engine.stop().await;
}
