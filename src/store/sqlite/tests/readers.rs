//! Readers cannot write and cannot keep the log from being emptied.

use super::*;
use crate::store::sqlite::log;
use crate::store::sqlite::place::Place;
use crate::store::sqlite::settings;

#[test]
fn a_reader_cannot_write() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    let place = Place::find(&db).unwrap();
    let conn = settings::open_reader(&place).unwrap();
    settings::set_reader(&conn).unwrap();
    assert!(conn.execute("DELETE FROM agents", []).is_err());
    // Not even where the file is opened for writing.
    let conn = settings::open_writer(&place).unwrap();
    settings::set_reader(&conn).unwrap();
    assert!(conn.execute("DELETE FROM agents", []).is_err());
}

#[test]
fn the_log_stays_bounded_while_readers_overlap() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    run.writer.log.truncate_above_bytes = 256 << 10;
    (run.writer.log.step_frames, run.writer.log.next_frames) = (32, 32);
    write(&mut run, &[first_agent()]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let reader = std::sync::Arc::clone(&run.reader);
    let mut largest = 0;
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    reader.reports(&ReportFilter::onwards(ReportId(0), 50)).unwrap();
                }
            });
        }
        for batch in 0..100 {
            let reports: Vec<_> = (1..=10).map(|i| report(batch * 10 + i, 1)).collect();
            write(&mut run, &reports);
            largest = largest.max(wal_bytes(&db));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(stored(&run), 1000);
    // The bound and one batch on top of it; what was written is several times as much.
    assert!(largest < 512 << 10, "{largest}");
    assert!(run.reader.stats().unwrap().db_bytes > 3 * largest);
}

#[test]
fn a_reader_that_does_not_end_costs_room_and_no_report() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    run.writer.log.truncate_above_bytes = 64 << 10;
    run.writer.log.wait = std::time::Duration::ZERO;
    write(&mut run, &[first_agent(), report(1, 1)]);
    let shell = Connection::open(&db).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM reports").unwrap();
    for id in 2..100 {
        write(&mut run, &[report(id, 1)]);
    }
    assert!(run.writer.checkpoint(true).is_err());
    run.writer.checkpoint(false).unwrap();
    assert!(wal_bytes(&db) > 64 << 10);
    shell.execute_batch("COMMIT").unwrap();
    run.writer.checkpoint(true).unwrap();
    assert_eq!(wal_bytes(&db), 0);
    assert_eq!(stored(&run), 99);
}

#[test]
fn a_reader_that_does_not_end_makes_no_commit_a_checkpoint() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    let shell = Connection::open(&db).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM agents").unwrap();
    let (before, mut id) = (run.writer.counters(), 0);
    while log::frames(&run.writer.conn).unwrap() < 4100 {
        let reports: Vec<_> = (1..=10).map(|i| report(id + i, 1)).collect();
        id += 10;
        write(&mut run, &reports);
    }
    run.writer.settle();
    let spent = run.writer.counters();
    // Every thousand frames once; SQLite by itself would do it at each commit after the first
    // thousand.
    assert_eq!(spent.checkpoints - before.checkpoints, 4);
    assert!(spent.commits - before.commits > 100);
    shell.execute_batch("COMMIT").unwrap();
}

#[test]
fn a_database_is_read_while_a_manager_holds_it_and_after() {
    let (_dir, db) = place();
    assert!(matches!(open_read_only(&db), Err(StoreError::Refused { .. })));
    let mut run = opened(&db);
    write(&mut run, &[first_agent(), report(1, 1)]);
    assert_eq!(
        open_read_only(&db).unwrap().reports(&ReportFilter::onwards(ReportId(0), 9)).unwrap().len(),
        1
    );
    run.writer.close().unwrap();
    assert_eq!(
        open_read_only(&db).unwrap().reports(&ReportFilter::onwards(ReportId(0), 9)).unwrap().len(),
        1
    );
}
