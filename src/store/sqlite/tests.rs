//! What only a SQLite file can do wrong: the lock, a kill, a full disk, a lost log, a reader
//! that holds the log, foreign files.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;

use super::backup::restore;
use super::{Durability, Opened, open, open_read_only};
use crate::model::hex;
use crate::model::id::{AgentNo, FleetId, ReportId};
use crate::model::state::{AgentStatus, CanonForm, EventKind, Scheme};
use crate::model::time::UnixSeconds;
use crate::store::change::{AgentRecord, Change, DynamicState, NewEvent, NewReport};
use crate::store::row::EventFilter;
use crate::store::{Reader as _, StoreError, Writer as _};

const T: UnixSeconds = UnixSeconds(1_795_000_000);

fn agent(no: i64) -> AgentRecord {
    AgentRecord {
        no: AgentNo(no),
        id: format!("agent-{no}").parse().unwrap(),
        fleet: FleetId::unnamed(),
        hostname: None,
        agent_version: None,
        registered_at: T,
        last_seen_at: None,
        last_tick: None,
        status: AgentStatus::Online,
        status_since: T,
        scheme: None,
        canon_form: None,
        kid: None,
        boot_id: None,
        uptime_seconds: None,
        load: None,
        labels: std::collections::BTreeMap::new(),
        problems: Vec::new(),
        clock_offset: 0,
        relay_path: Vec::new(),
        source: None,
        interfaces_hash: 0,
        routes_hash: u64::MAX,
        peers_hash: 0,
        forgotten: false,
    }
}

fn report(id: i64, agent: i64) -> Change {
    let seed = id.to_le_bytes();
    Change {
        report: Some(NewReport {
            id: ReportId(id),
            agent: AgentNo(agent),
            scheme: Scheme::V1,
            form: CanonForm::Raw,
            kid: "45819852fbdfc69a".parse().unwrap(),
            timestamp: T.plus(id),
            collected_at: None,
            received_at: T.plus(id),
            tick: None,
            nonce: format!("nonce-{id}"),
            data_sha256: [7; 32],
            // Incompressible enough that a report takes room.
            envelope: Bytes::from(hex::encode(&seed.repeat(200)) + &noise(id)),
            redacted: false,
            relay_path: Vec::new(),
            source: None,
        }),
        ..Change::default()
    }
}

/// Text that differs from report to report and does not compress well.
fn noise(id: i64) -> String {
    let mut state = id.cast_unsigned().wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut bytes = Vec::new();
    for _ in 0..200 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    hex::encode(&bytes)
}

fn first_agent() -> Change {
    Change { agents: vec![agent(1)], ..Change::default() }
}

fn event() -> Change {
    let event = NewEvent {
        at: T,
        recorded_at: T,
        kind: EventKind::ManagerStarted,
        fleet: None,
        agent: None,
        subject: String::from("manager"),
        before: None,
        after: None,
        report: None,
        cause: None,
    };
    Change { events: vec![event], ..Change::default() }
}

fn write(opened: &mut Opened, changes: &[Change]) {
    opened.writer.begin().unwrap();
    for change in changes {
        opened.writer.record(change).unwrap();
    }
    opened.writer.commit().unwrap();
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    (dir, db)
}

fn opened(db: &Path) -> Opened {
    open(db, Durability::Full).unwrap()
}

fn stored(opened: &Opened) -> u64 {
    opened.reader.stats().unwrap().reports
}

fn refused(result: Result<Opened, StoreError>) -> String {
    let Err(error @ StoreError::Refused { .. }) = result else { panic!("{result:?}") };
    error.to_string()
}

fn wal_bytes(db: &Path) -> u64 {
    std::fs::metadata(db.with_extension("db-wal")).map_or(0, |file| file.len())
}

#[test]
fn a_second_manager_is_locked_out_until_the_first_is_gone() {
    let (_dir, db) = place();
    let first = opened(&db);
    let Err(StoreError::Locked { path }) = open(&db, Durability::Full) else {
        panic!("not locked")
    };
    assert!(path.ends_with("k.db"));
    drop(first);
    opened(&db);
}

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
fn an_orderly_stop_leaves_one_file_and_no_doubt() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent(), report(1, 1)]);
    run.writer.close().unwrap();
    assert_eq!(wal_bytes(&db), 0);
    drop(run.reader);
    assert!(!opened(&db).unclean);
    // Nothing was written by that start, so it is still clean.
    let mut run = opened(&db);
    assert!(!run.unclean);
    write(&mut run, &[report(2, 1)]);
    drop(run);
    assert!(opened(&db).unclean);
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
    assert!(run.writer.flush(&DynamicState::default(), ReportId(0)).is_err());
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
fn a_database_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, db) = place();
    drop(opened(&db));
    std::fs::set_permissions(&db, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(opened(&db).warnings[0].contains("chmod 600"));
}

#[test]
fn foreign_and_newer_files_are_refused_and_left_alone() {
    let (_dir, db) = place();
    std::fs::write(&db, "shopping list: bread, butter, milk. ".repeat(100)).unwrap();
    let before = std::fs::read(&db).unwrap();
    assert!(refused(open(&db, Durability::Full)).contains("is not a kattila database"));
    assert_eq!(std::fs::read(&db).unwrap(), before);

    std::fs::remove_file(&db).unwrap();
    let other = Connection::open(&db).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(other);
    let before = std::fs::read(&db).unwrap();
    assert!(refused(open(&db, Durability::Full)).contains("is not a kattila database"));
    assert_eq!(std::fs::read(&db).unwrap(), before);

    std::fs::remove_file(&db).unwrap();
    opened(&db).writer.close().unwrap();
    Connection::open(&db).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let before = std::fs::read(&db).unwrap();
    assert!(refused(open(&db, Durability::Full)).contains("newer kattila (schema 999"));
    assert_eq!(std::fs::read(&db).unwrap(), before);
    assert!(open_read_only(&db).is_err());
}

#[test]
fn a_damaged_file_is_refused_after_an_unclean_stop() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    let reports: Vec<_> = (1..40).map(|id| report(id, 1)).collect();
    write(&mut run, &[first_agent()]);
    write(&mut run, &reports);
    run.writer.checkpoint(true).unwrap();
    drop(run);
    let mut bytes = std::fs::read(&db).unwrap();
    let pages = bytes.len() / 4096;
    // The last pages hold reports, the first ones the schema.
    for page in pages - 8..pages {
        bytes[page * 4096..page * 4096 + 64].fill(0xFF);
    }
    std::fs::write(&db, bytes).unwrap();
    let text = refused(open(&db, Durability::Full));
    assert!(text.contains("is damaged"), "{text}");
    let reader = open_read_only(&db).unwrap();
    assert!(matches!(reader.quick_check(), Err(StoreError::Refused { .. })));
}

#[test]
fn a_reader_cannot_write() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    write(&mut run, &[first_agent()]);
    let place = super::place::Place::find(&db).unwrap();
    let conn = super::settings::open_reader(&place).unwrap();
    super::settings::set_reader(&conn).unwrap();
    assert!(conn.execute("DELETE FROM agents", []).is_err());
    // Not even where the file is opened for writing.
    let conn = super::settings::open_writer(&place).unwrap();
    super::settings::set_reader(&conn).unwrap();
    assert!(conn.execute("DELETE FROM agents", []).is_err());
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
fn a_backup_of_a_running_database_restores_into_an_empty_place_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, db) = place();
    let copy = dir.path().join("copy");
    let mut run = opened(&db);
    write(&mut run, &[first_agent(), report(1, 1)]);
    run.writer.begin().unwrap();
    run.writer.record(&report(2, 1)).unwrap();
    run.reader.backup(&copy).unwrap();
    run.writer.commit().unwrap();
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        matches!(run.reader.backup(&copy), Err(StoreError::Refused { .. })),
        "never over a file"
    );

    assert!(matches!(restore(&copy, &db), Err(StoreError::Locked { .. })));
    drop(run);
    assert!(matches!(restore(&copy, &db), Err(StoreError::Refused { .. })), "not over a database");
    let new = dir.path().join("new.db");
    restore(&copy, &new).unwrap();
    let run = opened(&new);
    assert_eq!((stored(&run), run.rolled_back), (1, None));
    assert_eq!(run.warnings, Vec::<String>::new());
}

#[test]
fn garbage_is_not_restored_and_leaves_nothing() {
    let (dir, db) = place();
    let mut run = opened(&db);
    let reports: Vec<_> = (1..40).map(|id| report(id, 1)).collect();
    write(&mut run, &[first_agent()]);
    write(&mut run, &reports);
    run.writer.close().unwrap();
    drop(run.reader);
    let good = std::fs::read(&db).unwrap();
    let to = dir.path().join("new.db");
    let mut flipped = good.clone();
    let middle = flipped.len() / 2 / 4096 * 4096;
    flipped[middle..middle + 64].fill(0xFF);
    for bytes in [&b"garbage"[..], &[], &good[..good.len() / 2], &flipped] {
        let from = dir.path().join("from");
        std::fs::write(&from, bytes).unwrap();
        let result = restore(&from, &to);
        assert!(matches!(result, Err(StoreError::Refused { .. })), "{result:?}");
        assert!(!to.exists());
        assert!(!dir.path().join("new.db.restoring").exists());
        for ending in ["", "-wal", "-shm"] {
            std::fs::remove_file(dir.path().join(format!("from{ending}"))).unwrap_or_default();
        }
    }
    restore(&db, &to).unwrap();
}

#[test]
fn the_log_stays_bounded_while_readers_overlap() {
    let (_dir, db) = place();
    let mut run = opened(&db);
    run.writer.log.truncate_above_bytes = 256 << 10;
    write(&mut run, &[first_agent()]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let reader = std::sync::Arc::clone(&run.reader);
    let mut largest = 0;
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    reader.audit(ReportId(0), 50).unwrap();
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
fn a_database_is_read_while_a_manager_holds_it_and_after() {
    let (_dir, db) = place();
    assert!(matches!(open_read_only(&db), Err(StoreError::Refused { .. })));
    let mut run = opened(&db);
    write(&mut run, &[first_agent(), report(1, 1)]);
    assert_eq!(open_read_only(&db).unwrap().audit(ReportId(0), 9).unwrap().len(), 1);
    run.writer.close().unwrap();
    assert_eq!(open_read_only(&db).unwrap().audit(ReportId(0), 9).unwrap().len(), 1);
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
        run.writer.replay_rows(AgentNo(1), since).unwrap().iter().map(|row| row.id.0).collect()
    };
    assert_eq!(ids(&mut run, T.minus(1200)), [1, 3]);
    assert_eq!(ids(&mut run, T.plus(1)), [3]);
    assert_eq!(ids(&mut run, UnixSeconds(0)), [1, 2, 3]);
}

#[test]
fn every_word_of_the_vocabularies_is_in_the_schema() {
    use crate::model::state::{AlarmKind, AlarmState, EdgeState, EndState, Severity};
    let sql = include_str!("../../../schema.sql");
    let lists: [Vec<&str>; 7] = [
        AgentStatus::ALL.iter().map(|word| word.as_str()).collect(),
        Scheme::ALL.iter().map(|word| word.as_str()).collect(),
        CanonForm::ALL.iter().map(|word| word.as_str()).collect(),
        EdgeState::ALL.iter().map(|word| word.as_str()).collect(),
        EndState::ALL.iter().map(|word| word.as_str()).collect(),
        Severity::ALL.iter().map(|word| word.as_str()).collect(),
        AlarmState::ALL.iter().map(|word| word.as_str()).collect(),
    ];
    for words in lists {
        let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        assert!(sql.contains(&format!("({})", quoted.join(", "))), "{quoted:?}");
    }
    let dotted = |word: &str| word.split('.').all(|part| part.starts_with(char::is_lowercase));
    assert!(AlarmKind::ALL.iter().all(|kind| dotted(kind.as_str())));
    assert!(EventKind::ALL.iter().all(|kind| dotted(kind.as_str())));
}
