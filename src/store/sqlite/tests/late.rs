//! What a late report costs does not grow with how many were late before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::model::id::EdgeId;
use crate::store::change::LEARNT_LATER;

fn edge() -> EdgeId {
    "00000000000000aa".parse().unwrap()
}

/// A late report measured so long after the start, and an event it proves.
fn late(id: i64, at: i64) -> Change {
    let mut change = report(id, 1);
    let told = change.report.as_mut().unwrap();
    (told.late, told.timestamp) = (true, T.plus(at));
    let mut fact = event();
    let fact = &mut fact.events[0];
    (fact.at, fact.kind, fact.agent) = (T.plus(at), EventKind::EdgeState, Some(AgentNo(1)));
    fact.subject = edge().to_string();
    fact.after = Some(serde_json::json!({ "state": "up" }));
    fact.cause = Some(LEARNT_LATER.to_owned());
    change.events.push(fact.clone());
    change
}

/// Steps of SQLite's machine that a question takes.
fn steps(run: &mut Opened, what: &Earlier) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let step = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    run.writer.conn.progress_handler(1, Some(step)).unwrap();
    let known = run.writer.earlier(AgentNo(1), what).unwrap();
    run.writer.conn.progress_handler(0, None::<fn() -> bool>).unwrap();
    assert!(!known.reports.is_empty() || !known.edges.is_empty());
    count.load(Ordering::Relaxed)
}

#[test]
fn thousands_of_late_reports_make_none_dearer() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    let turn = (1..=100).map(|id| report(id, 1));
    let turn: Vec<_> = std::iter::once(first_agent()).chain(turn).collect();
    write(&mut run, &turn);
    let questions = |at| {
        let edges = Earlier::Edges { at: T.plus(at), ids: vec![edge()] };
        [Earlier::Around(T.plus(at)), Earlier::Around(T.plus(50)), Earlier::End, edges]
    };
    let mut costs = Vec::new();
    let mut id = 100;
    for many in [20, 3000] {
        let more: Vec<_> = (0..many).map(|n| late(id + 1 + n, 1000 + id + n)).collect();
        id += many;
        write(&mut run, &more);
        costs.push(questions(1000 + id - 10).map(|what| steps(&mut run, &what)));
        // Another of the present, so that runs of late ones lie between.
        id += 1;
        let mut next = report(id, 1);
        next.report.as_mut().unwrap().timestamp = T.plus(10 + id);
        write(&mut run, &[next]);
    }
    for (few, many) in costs[0].iter().zip(costs[1]) {
        assert!(many <= 2 * few + 50, "{costs:?}");
    }
    let before = run.writer.counters();
    write(&mut run, &[late(id + 1, 1000)]);
    let after = run.writer.counters();
    // Its row, its place in time, its event and the number of the commit.
    assert_eq!(after.rows - before.rows, 4);
}
