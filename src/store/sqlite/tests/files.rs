//! The file itself: the lock, foreign and damaged files, backups, the vocabularies.

use super::*;

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
fn an_orderly_stop_leaves_no_log_and_no_doubt() {
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
fn every_word_of_the_vocabularies_is_in_the_schema() {
    use crate::model::state::{AlarmKind, AlarmState, EdgeState, EndState, Severity};
    let sql = include_str!("../../../../schema.sql");
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
