//! What is committed stays, what is not does not, and a loss is told.

use super::*;

#[test]
fn committed_reports_outlive_a_kill_and_uncommitted_ones_do_not() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent(), report(1, 1), report(2, 1)]);
    run.writer.begin().unwrap();
    run.writer.record(&report(3, 1)).unwrap();
    // Dropped in the middle of a batch, never closed.
    drop(run);
    let run = opened(&db);
    assert!(run.unclean);
    assert!(!run.check_unfinished);
    assert_eq!(run.rolled_back, None);
    assert_eq!(stored(&run), 2);
}

#[test]
fn an_unchanged_report_is_one_statement() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    run.writer.begin().unwrap();
    let before = run.writer.counters();
    run.writer.record(&report(1, 1)).unwrap();
    let after = run.writer.counters();
    assert_eq!((after.statements - before.statements, after.rows - before.rows), (1, 1));
    run.writer.commit().unwrap();
    // The number of the commit, and the commit.
    assert_eq!(run.writer.counters().statements - after.statements, 2);
    assert_eq!(run.writer.counters().commits, 2);
}

#[test]
fn a_commit_that_fails_leaves_nothing_and_the_next_one_works() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    run.writer.begin().unwrap();
    run.writer.record(&report(1, 1)).unwrap();
    run.writer.conn.commit_hook(Some(|| true)).unwrap();
    assert!(run.writer.commit().is_err());
    run.writer.conn.commit_hook(None::<fn() -> bool>).unwrap();
    assert_eq!(stored(&run), 0);
    write(&mut run, &[report(1, 1)]);
    assert_eq!(stored(&run), 1);
    drop(run);
    assert_eq!(opened(&db).rolled_back, None);
}

#[test]
fn a_full_disk_refuses_the_batch_and_storage_recovers() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    let pages: i64 = run.writer.conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let limit = |run: &Opened, pages: i64| {
        run.writer.conn.pragma_update(None, "max_page_count", pages).unwrap();
    };
    limit(&run, pages + 2);
    run.writer.begin().unwrap();
    let failed: Vec<_> = (1..50).filter_map(|id| run.writer.record(&report(id, 1)).err()).collect();
    assert!(matches!(failed.first(), Some(StoreError::Unavailable(_))), "{failed:?}");
    assert!(failed[0].to_string().contains("disk is full"), "{}", failed[0]);
    run.writer.rollback();
    assert_eq!(stored(&run), 0);
    limit(&run, 1_000_000);
    write(&mut run, &[report(1, 1)]);
    assert_eq!(stored(&run), 1);
}

#[test]
fn a_batch_is_opened_before_and_closed_after() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    assert!(run.writer.record(&first_agent()).is_err());
    assert!(run.writer.commit().is_err());
    run.writer.begin().unwrap();
    assert!(run.writer.begin().is_err());
    assert!(run.writer.checkpoint(false).is_err());
    run.writer.record(&first_agent()).unwrap();
    run.writer.commit().unwrap();
    assert_eq!(run.writer.load_fleet().unwrap().agents.len(), 1);
}

#[test]
fn lost_commits_are_told_until_something_is_committed() {
    let (dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    run.writer.close().unwrap();
    drop(run.reader);
    let old = dir.path().join("old");
    std::fs::copy(&db, &old).unwrap();
    let mut run = opened(&db);
    write(&mut run, &[report(1, 1)]);
    write(&mut run, &[report(2, 1)]);
    drop(run);
    // The disk gives back an older state.
    std::fs::rename(&old, &db).unwrap();
    for ending in ["db-wal", "db-shm"] {
        std::fs::remove_file(db.with_extension(ending)).unwrap_or_default();
    }
    for _ in 0..2 {
        assert_eq!(opened(&db).rolled_back, Some((2, 4)), "commits: agent, stop; then 1 and 2");
    }
    let mut run = opened(&db);
    write(&mut run, &[report(1, 1)]);
    drop(run);
    assert_eq!(opened(&db).rolled_back, None);
}

#[test]
fn a_database_that_vanished_is_told() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    run.writer.close().unwrap();
    drop(run.reader);
    std::fs::remove_file(&db).unwrap();
    assert_eq!(opened(&db).rolled_back, Some((0, 2)));
}

#[test]
fn a_missing_or_damaged_high_water_file_is_a_warning() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    assert_eq!(run.warnings, Vec::<String>::new());
    write(&mut run, &[first_agent()]);
    drop(run);
    std::fs::remove_file(db.with_extension("db.ack")).unwrap();
    assert!(opened(&db).warnings[0].contains("was not there"));
    std::fs::write(db.with_extension("db.ack"), "nonsense of 16 b").unwrap();
    assert!(opened(&db).warnings[0].contains("is damaged"));
}

#[test]
fn history_is_append_only_but_for_retention() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[event(), event(), event()]);
    let sql = |sql: &str| run.writer.conn.execute(sql, []);
    assert!(sql("UPDATE events SET subject = 'x'").is_err());
    assert!(sql("DELETE FROM events").is_err());
    sql("INSERT INTO meta VALUES ('store.events_pruned_below', '9')").unwrap();
    assert_eq!(sql("DELETE FROM events WHERE event_id < 3"), Ok(2));
    assert!(sql("DELETE FROM events").is_err(), "the newest stays");
    let rest = run.reader.events(&EventFilter { limit: 9, ..EventFilter::default() }).unwrap();
    assert_eq!(rest.len(), 1);
}

#[test]
fn replay_rows_survive_a_clock_that_stood_wrong() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    let at = |id: i64, received_at: UnixSeconds| {
        let mut change = report(id, 1);
        change.report.as_mut().unwrap().received_at = received_at;
        change
    };
    write(&mut run, &[first_agent(), at(1, T), at(2, UnixSeconds(1000)), at(3, T.plus(30))]);
    let ids = |run: &mut Opened, since| -> Vec<i64> {
        run.writer
            .earlier(AgentNo(1), &Earlier::Since(since))
            .unwrap()
            .reports
            .iter()
            .map(|row| row.id.0)
            .collect()
    };
    assert_eq!(ids(&mut run, T.minus(1200)), [1, 3]);
    assert_eq!(ids(&mut run, T.plus(1)), [3]);
    assert_eq!(ids(&mut run, UnixSeconds(0)), [1, 2, 3]);
}
