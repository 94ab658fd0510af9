//! What retention costs where nothing is to go: it does not grow with what is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::store::prune::{Limits, Prunable, Prune};

/// Steps of SQLite's machine that a chunk takes which finds nothing that is old.
fn steps(run: &mut Opened, what: Prunable) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    let step = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        false
    };
    let limits = Limits { age: Some(1 << 30), bytes: Some(1 << 40) };
    let now = T.plus(100_000);
    let prune = Prune { what, limits, now, replay_s: 1 << 30, replay_v1_s: 1 << 30, after: 0 };
    run.writer.conn.progress_handler(1, Some(step)).unwrap();
    let pruned = run.writer.prune(&prune).unwrap();
    run.writer.conn.progress_handler(0, None::<fn() -> bool>).unwrap();
    assert_eq!((pruned.removed, pruned.next), (0, None));
    count.load(Ordering::Relaxed)
}

#[test]
fn what_is_kept_makes_looking_for_what_is_not_no_dearer() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    let mut costs = Vec::new();
    for ids in [1..=200, 201..=3000] {
        let more: Vec<_> =
            ids.clone().map(|id| report(id, 1)).chain(ids.map(|_| event())).collect();
        write(&mut run, &more);
        costs.push([Prunable::Reports, Prunable::Events].map(|what| steps(&mut run, what)));
    }
    // Places are found by halving: four times more for fifteen times as many rows, some ten steps each.
    for (few, many) in costs[0].iter().zip(&costs[1]) {
        assert!(*many <= few + few / 4 + 200, "{costs:?}");
    }
}
