//! The write-ahead log: moved into the database often, and emptied by force before it grows
//! without bound.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::desk::all;
use super::error::fault;
use super::pool::READ_LIMIT;
use super::settings::BUSY_WAIT;
use crate::store::StoreError;

const LOG: &str = "the write-ahead log";

/// A log above this means that readers have overlapped without a gap.
const TRUNCATE_ABOVE_BYTES: u64 = 64 << 20;

/// After a reader that would not end (a backup, a stranger's shell), the writer does not stand
/// still for another one at once.
const TRUNCATE_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How long one attempt waits: longer than most reads take.
const TRUNCATE_ATTEMPT: Duration = Duration::from_millis(50);

/// The log of one database, and when it is emptied by force.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// Size above which it is.
    pub(super) truncate_above_bytes: u64,
    /// How long the writer waits for readers to end.
    pub(super) wait: Duration,
    /// Not before this, because the last attempt failed.
    not_before: Option<Instant>,
}

impl Log {
    /// The log in this file.
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            truncate_above_bytes: TRUNCATE_ABOVE_BYTES,
            // A reader is stopped after its limit, so waiting a little longer is enough.
            wait: READ_LIMIT + 2 * TRUNCATE_ATTEMPT,
            not_before: None,
        }
    }

    /// Empties the log if it has grown beyond its bound; true if it tried.
    pub(super) fn bound(&mut self, conn: &Connection) -> bool {
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let now = Instant::now();
        if size <= self.truncate_above_bytes
            || self.not_before.is_some_and(|not_before| now < not_before)
        {
            return false;
        }
        self.not_before = match self.empty(conn) {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(%error, wal_bytes = size, "The write-ahead log could not be emptied");
                Some(now + TRUNCATE_AGAIN_AFTER)
            }
        };
        true
    }

    /// Moves everything into the database and empties the log, waiting for readers to end.
    pub(super) fn empty(&self, conn: &Connection) -> Result<(), StoreError> {
        let told = |error| fault(LOG, error);
        let start = Instant::now();
        conn.busy_timeout(self.wait.min(TRUNCATE_ATTEMPT)).map_err(told)?;
        // One long attempt could wait in vain: it notes at its beginning which reader's mark is
        // too old and waits for that mark to be free, while new readers keep taking it. A new
        // attempt looks again, and every attempt keeps what the one before has done.
        let mut blocked = run(conn, "PRAGMA wal_checkpoint(TRUNCATE)");
        while matches!(blocked, Ok(true)) && start.elapsed() < self.wait {
            blocked = run(conn, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        conn.busy_timeout(BUSY_WAIT).map_err(told)?;
        if blocked? {
            return Err(StoreError::Unavailable(String::from(
                "a reader holds the write-ahead log; end long-running programs on the database",
            )));
        }
        Ok(())
    }
}

/// Moves into the database what no reader needs any more, without waiting.
pub(super) fn shorten(conn: &Connection) -> Result<(), StoreError> {
    run(conn, "PRAGMA wal_checkpoint(PASSIVE)").map(|_blocked| ())
}

/// Runs one checkpoint; true if a reader kept it from its end.
fn run(conn: &Connection, sql: &str) -> Result<bool, StoreError> {
    let blocked =
        all(conn, LOG, sql, [], |row| row.get::<_, bool>(0).map_err(|error| fault(LOG, error)))?;
    Ok(blocked.contains(&true))
}
