//! How every connection is set, and the proof that SQLite took each setting.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::Durability;
use super::error::fault;
use super::place::Place;
use crate::store::StoreError;

/// How long a connection waits for another program's lock. The manager has one writer, so this
/// is only for strangers, such as a sqlite3 shell; it bounds how late a 503 comes.
pub(super) const BUSY_WAIT: Duration = Duration::from_secs(5);

/// The oldest SQLite that is trusted: 3.51.3 repaired a race between a checkpoint and a writer
/// that restarts the log.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Bytes to which the log is cut when it starts over.
const JOURNAL_SIZE_LIMIT_BYTES: i64 = 64 << 20;

/// Page cache of the writer in KiB, negative as SQLite wants it.
const WRITER_CACHE: i64 = -65_536;

/// Page cache of each reader.
const READER_CACHE: i64 = -16_384;

/// Distinct statements that stay prepared: every verb's, with room.
const PREPARED_STATEMENTS: usize = 96;

/// Refuses a SQLite that is too old.
pub(super) fn check_version(place: &Place, number: i32) -> Result<(), StoreError> {
    if number >= OLDEST_SQLITE {
        return Ok(());
    }
    Err(place.refused(
        &format!("cannot be trusted to SQLite {number}, which is older than {OLDEST_SQLITE}"),
        "build kattila with the SQLite that comes with it",
    ))
}

/// Opens the file for writing; it must be there.
pub(super) fn open_writer(place: &Place) -> Result<Connection, StoreError> {
    open(place, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Opens the file for reading.
pub(super) fn open_reader(place: &Place) -> Result<Connection, StoreError> {
    open(place, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(place: &Place, mode: OpenFlags) -> Result<Connection, StoreError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(place.db(), flags)
        .map_err(|error| unusable(place, &fault("the database", error)))?;
    conn.busy_timeout(BUSY_WAIT).map_err(|error| fault("busy_timeout", error))?;
    conn.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    Ok(conn)
}

/// The refusal of a file that SQLite cannot open.
pub(super) fn unusable(place: &Place, error: &StoreError) -> StoreError {
    place.refused(
        &format!("cannot be opened ({error})"),
        "check its permissions and its disk, or give KATTILA_DB another file",
    )
}

/// Settings that only take effect before the first table is made.
pub(super) fn prepare_new(conn: &Connection) -> Result<(), StoreError> {
    set(conn, "page_size", 4096)?;
    // INCREMENTAL: retention can give pages back without a rebuild of the file.
    set(conn, "auto_vacuum", 2)
}

/// Settings of the write connection.
pub(super) fn set_writer(conn: &Connection, durability: Durability) -> Result<(), StoreError> {
    let mode: String = conn
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(|error| fault("journal_mode", error))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "SQLite keeps its journal as {mode} and not as wal; put the database on a local disk"
        )));
    }
    set_common(conn, WRITER_CACHE)?;
    let synchronous = match durability {
        Durability::Normal => 1,
        Durability::Full => 2,
    };
    set(conn, "synchronous", synchronous)?;
    set(conn, "foreign_keys", 1)?;
    set(conn, "journal_size_limit", JOURNAL_SIZE_LIMIT_BYTES)?;
    // SQLite would move the log inside of a commit, which its reports wait for; and where readers
    // keep the log from starting over, in every one. `log` does it.
    set(conn, "wal_autocheckpoint", 0)
}

/// Has SQLite keep in memory what it needs to take a part of a transaction back. It is as much as that
/// part changes; in a file it took a tenth of the time for new agents, and such a file is elsewhere,
/// on a disk that may be full. Not before migrations, whose indices would be sorted there, too.
pub(super) fn undo_in_memory(conn: &Connection) -> Result<(), StoreError> {
    set(conn, "temp_store", 2)
}

/// Whether the last connection that is closed moves the log into the database and removes it.
pub(super) fn move_log_at_the_end(conn: &Connection, moves: bool) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !moves)
        .map(|_taken| ())
        .map_err(|error| fault("settings", error))
}

/// Settings of a read connection.
pub(super) fn set_reader(conn: &Connection) -> Result<(), StoreError> {
    set_common(conn, READER_CACHE)?;
    set(conn, "query_only", 1)
}

fn set_common(conn: &Connection, cache: i64) -> Result<(), StoreError> {
    set(conn, "cache_size", cache)?;
    // A file cut short under a mapping would end the process by a signal.
    set(conn, "mmap_size", 0)?;
    set(conn, "trusted_schema", 0)?;
    set(conn, "cell_size_check", 1)?;
    // No statement may write the schema's own table, and a misspelt column is not a string.
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        conn.set_db_config(setting, on).map_err(|error| fault("settings", error))?;
    }
    Ok(())
}

/// Sets a pragma and reads it back: SQLite ignores what it does not know.
fn set(conn: &Connection, name: &'static str, value: i64) -> Result<(), StoreError> {
    conn.pragma_update(None, name, value).map_err(|error| fault(name, error))?;
    let taken: i64 = conn
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(|error| fault(name, error))?;
    if taken == value {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!("SQLite keeps {name} at {taken} instead of {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sqlite_is_refused() {
        let place = Place::find(&std::env::temp_dir().join("k.db")).unwrap();
        assert!(check_version(&place, 3_051_002).is_err());
        assert!(check_version(&place, OLDEST_SQLITE).is_ok());
        assert!(check_version(&place, rusqlite::version_number()).is_ok());
    }

    #[test]
    fn a_setting_that_is_not_taken_is_an_error() {
        let conn = Connection::open_in_memory().unwrap();
        assert!(set(&conn, "cache_size", -100).is_ok());
        assert!(set(&conn, "synchronous", 77).is_err());
    }
}
