//! Whole copies of the database: a backup of a running one, a restore into an empty place, and
//! the checks of a file.
//!
//! Copies are made by SQLite from inside one read of the database, never by copying its files:
//! a file without its log is not the database.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::ack::AckFile;
use super::desk::all;
use super::error::{fault, file_fault};
use super::migrate::{Identity, identify};
use super::place::{Place, create_private};
use super::settings::{open_reader, open_writer};
use super::table::meta;
use crate::store::StoreError;

const TABLE: &str = "the copy";

/// Copies what the connection sees into a new file that only its owner can read.
pub(super) fn backup(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let place = Place::find(to)?;
    copy(from, &place)?;
    place.sync_directory()
}

/// Puts a backup where a database is wanted and none is. The copy is checked before it gets its
/// name; nothing that is there is overwritten, and a refused backup leaves nothing behind.
pub fn restore(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = Place::find(from)?;
    if !source.db().is_file() {
        return Err(source.refused("is not there", "name a file that `kattila backup` wrote"));
    }
    put_in_place(to, |draft| {
        let conn = open_reader(&source)?;
        identify(&conn, &source)?;
        copy(&conn, draft)?;
        // After the rename there is nothing under these names to tidy.
        let tidy = Tidy(draft.db().to_owned());
        let commit_seq = check_copy(draft, &source)?;
        std::mem::forget(tidy);
        Ok(commit_seq)
    })
}

/// Has a database made under another name beside an empty place, with its last commit told, and
/// gives it its name.
pub(super) fn put_in_place(
    to: &Path,
    make: impl FnOnce(&Place) -> Result<i64, StoreError>,
) -> Result<(), StoreError> {
    let place = Place::find(to)?;
    place.check_file_system()?;
    let lock = place.lock()?;
    for taken in [place.db().to_owned(), place.wal(), place.beside("-journal")] {
        if taken.exists() {
            return Err(Place::find(&taken)?.refused(
                "is in the way of the restored database",
                "move it away first, or restore into another file",
            ));
        }
    }
    let draft = Place::find(&place.beside(".restoring"))?;
    // Under the lock, a draft that is there is what an interrupted restore left.
    drop(Tidy(draft.db().to_owned()));
    let commit_seq = make(&draft)?;
    let tidy = Tidy(draft.db().to_owned());
    renameat_with(CWD, draft.db(), CWD, place.db(), RenameFlags::NOREPLACE)
        .map_err(|error| file_fault("the restored database", &error.into()))?;
    drop(tidy);
    // What was acknowledged after the backup is given up knowingly: the count begins here.
    let (mut ack, _said) = AckFile::open(&place.ack())?;
    ack.note(commit_seq)?;
    ack.sync()?;
    place.sync_directory()?;
    drop(lock);
    Ok(())
}

/// Checks the file for damage; false if the time was over before the end.
pub(super) fn quick_check(
    conn: &mut Connection,
    place: &Place,
    limit: Option<Duration>,
) -> Result<bool, StoreError> {
    let told = |error| fault("the check", error);
    let start = Instant::now();
    if let Some(limit) = limit {
        conn.progress_handler(1000, Some(move || start.elapsed() >= limit)).map_err(told)?;
    }
    let found = check(conn, "PRAGMA quick_check(1)");
    conn.progress_handler(0, None::<fn() -> bool>).map_err(told)?;
    match found {
        Ok(None) => Ok(true),
        Ok(Some(damage)) => Err(damaged(place, &damage)),
        Err(StoreError::Damaged(damage)) => Err(damaged(place, &damage)),
        Err(StoreError::Unavailable(_)) if limit.is_some_and(|limit| start.elapsed() >= limit) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The first damage that SQLite finds, in its words.
fn check(conn: &Connection, sql: &str) -> Result<Option<String>, StoreError> {
    let lines = all(conn, "the check", sql, [], |row| {
        row.get::<_, String>(0).map_err(|error| fault("the check", error))
    })?;
    Ok(lines.into_iter().find(|line| line != "ok"))
}

/// The refusal of a damaged file.
pub(super) fn damaged(place: &Place, damage: &str) -> StoreError {
    place.refused(
        &format!("is damaged ({damage})"),
        "keep the file, move it away, and put back a backup with `kattila restore`",
    )
}

/// Removes an unfinished copy when it is dropped.
pub(super) struct Tidy(pub(super) PathBuf);

impl Drop for Tidy {
    fn drop(&mut self) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(ending);
            // What cannot be removed is left; the error that led here is the one to tell.
            std::fs::remove_file(path).unwrap_or_default();
        }
    }
}

/// Copies what the connection sees into a new file; a copy that fails leaves nothing.
pub(super) fn copy(from: &Connection, to: &Place) -> Result<(), StoreError> {
    let told = |error| fault(TABLE, error);
    create_private(to.db()).map_err(|error| {
        to.refused(&format!("cannot be created ({error})"), "name a file that is not there yet")
    })?;
    let tidy = Tidy(to.db().to_owned());
    let mut copy = open_writer(to)?;
    {
        let run = Backup::new(from, &mut copy).map_err(told)?;
        // All pages in one step: between steps, every commit would start the copy over.
        if run.step(-1).map_err(told)? != StepResult::Done {
            return Err(StoreError::Unavailable(String::from(
                "the database is busy; run the backup again",
            )));
        }
    }
    // A copy that is one file, whatever reads it.
    let mode: String = copy
        .pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))
        .map_err(told)?;
    if mode != "delete" {
        return Err(StoreError::Unavailable(format!("the copy keeps its journal as {mode}")));
    }
    copy.close().map_err(|(_, error)| fault(TABLE, error))?;
    File::open(to.db())
        .and_then(|file| file.sync_all())
        .map_err(|error| file_fault(TABLE, &error))?;
    std::mem::forget(tidy);
    Ok(())
}

/// Checks a copy thoroughly and tells its last commit.
pub(super) fn check_copy(copy: &Place, source: &Place) -> Result<i64, StoreError> {
    let conn = open_reader(copy)?;
    if identify(&conn, source)? == Identity::New {
        return Err(source.refused("is empty", "name a file that `kattila backup` wrote"));
    }
    for sql in ["PRAGMA integrity_check(1)", "SELECT \"table\" FROM pragma_foreign_key_check"] {
        match check(&conn, sql) {
            Ok(None) => {}
            Ok(Some(damage)) | Err(StoreError::Damaged(damage)) => {
                return Err(damaged(source, &damage));
            }
            Err(error) => return Err(error),
        }
    }
    meta::number(&conn, meta::COMMIT_SEQ)
}
