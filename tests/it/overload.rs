//! More than can be taken: refused at once with the right code, nothing acknowledged is lost,
//! and no restart is needed afterwards.

use std::pin::pin;

use futures_util::future::join_all;
use kattila::model::id::ReportId;
use kattila::process::handle::{Processor, QUEUE_REPORTS};
use kattila::store::row::ReportFilter;
use kattila::store::sqlite;
use kattila::verify::rejection::Rejection;

use crate::support::engine::{Engine, submission, waits};
use crate::support::fleet::{ALPHA, BETA, Host};
use crate::support::manager::{START, TestManager};

const DATA: &str = r#"{"hostname":"alpha"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_keeps_what_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let engine = Engine::start(&db);
    let mut alpha = engine.agent(ALPHA);
    engine.gate.close();
    let processor = engine.processor().clone();
    let mut first = pin!(processor.submit(submission(alpha.seal_v2(DATA), START)));
    assert!(waits(first.as_mut()).await);
    engine.gate.wait_for_writer();
    let fill = (0..QUEUE_REPORTS).map(|_| submission(alpha.seal_v2(DATA), START));
    let fill: Vec<_> = fill.collect();
    let mut queued = pin!(join_all(fill.into_iter().map(|one| processor.submit(one))));
    assert!(waits(queued.as_mut()).await);
    for _ in 0..3 {
        let refused = processor.submit(submission(alpha.seal_v2(DATA), START)).await;
        assert!(matches!(refused, Err(Rejection::Overloaded)), "{refused:?}");
    }
    assert_eq!(processor.status().queued, QUEUE_REPORTS);
    engine.gate.open();
    let mut stored = vec![first.await.unwrap().report_id];
    stored.extend(queued.await.into_iter().map(|answer| answer.unwrap().report_id));
    assert!(stored.is_sorted(), "in the order they came");
    let after = processor.submit(submission(alpha.seal_v2(DATA), START)).await.unwrap();
    engine.stop().await;
    let rows = sqlite::open_read_only(&db).unwrap();
    use kattila::store::Reader as _;
    let all = ReportFilter::onwards(ReportId(0), QUEUE_REPORTS * 2);
    let rows = rows.reports(&all).unwrap();
    stored.push(after.report_id);
    let ids: Vec<_> = rows.iter().map(|row| row.summary.id).collect();
    assert_eq!(ids, stored, "what was acknowledged is there, once, and nothing else");
}

/// Waits until the processor holds a batch and nothing waits behind it.
async fn taken(processor: &Processor) {
    while processor.status().queued > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_held_by_another_program_gives_503_and_recovers() {
    let kattila = TestManager::start_with(&[("KATTILA_RATE_AGENT", "off")]).await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    let kept = alpha.report(&Host::alpha().data()).await.json()["report_id"].clone();
    let stranger = rusqlite::Connection::open(kattila.db()).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();

    let processor = kattila.manager().processor().clone();
    let mut first = pin!(processor.submit(submission(alpha.seal_v2(DATA), START)));
    assert!(waits(first.as_mut()).await);
    taken(&processor).await;
    let fill = (0..QUEUE_REPORTS).map(|_| submission(alpha.seal_v2(DATA), START));
    let fill: Vec<_> = fill.collect();
    let mut queued = pin!(join_all(fill.into_iter().map(|one| processor.submit(one))));
    assert!(waits(queued.as_mut()).await);
    let waiting = beta.seal_v2(&Host::beta().data().to_string());
    let refused = beta.send(&waiting).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));

    // SQLite gives up waiting; everybody who waits is told at once, not batch by batch.
    assert!(matches!(first.await, Err(Rejection::StorageUnavailable)));
    let unavailable = |answer: &Result<_, _>| matches!(answer, Err(Rejection::StorageUnavailable));
    assert!(queued.await.iter().all(unavailable));
    assert_eq!(kattila.operator().get("/readyz").await.status, 503);
    let refused = beta.send(&waiting).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "storage_unavailable"));
    assert!(refused.header("retry-after").is_some());

    stranger.execute_batch("ROLLBACK").unwrap();
    let answer = beta.send(&waiting).await;
    assert_eq!(answer.status, 200, "the same bytes again: {}", answer.text());
    assert_eq!(answer.json()["status"], "ok");
    assert_eq!(kattila.operator().get("/readyz").await.status, 200);
    let reports = kattila.operator().json("/api/v1/reports?limit=10").await;
    let reports = reports.as_array().or_else(|| reports["reports"].as_array()).unwrap().clone();
    let ids: Vec<_> = reports.iter().map(|report| report["id"].clone()).collect();
    assert_eq!(ids, [answer.json()["report_id"].clone(), kept], "{reports:?}");
    kattila.stop().await;
}
