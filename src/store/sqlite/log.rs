//! The write-ahead log: moved into the database often, and emptied by force before it grows
//! without bound.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::archive::{Archive, LOG_BYTES};
use super::desk::all;
use super::error::fault;
use super::pool::READ_LIMIT;
use super::settings::BUSY_WAIT;
use crate::store::StoreError;

const LOG: &str = "the write-ahead log";

/// New frames (4 KiB each) after which they are moved. More at once raise the 99th percentile of a
/// commit (PERFORMANCE).
const MOVED_FRAMES: u32 = 1000;

/// A log above this means that readers have overlapped without a gap.
const TRUNCATE_ABOVE_BYTES: u64 = 64 << 20;

/// After a reader that would not end (a backup, a stranger's shell), the writer does not stand
/// still for another one at once.
const TRUNCATE_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// How long one attempt waits: longer than most reads take.
const TRUNCATE_ATTEMPT: Duration = Duration::from_millis(50);

/// Frames short of the end of the log at which the writer waits for the archive: a megabyte.
const NEAR_FRAMES: u32 = 256;

/// How long it waits: one write of so much, on a disk that is slow.
const ARCHIVE_WAIT: Duration = Duration::from_millis(100);

/// The log of one database, and when it is emptied by force.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// New frames after which they are moved.
    pub(super) step_frames: u32,
    /// Size above which it is.
    pub(super) truncate_above_bytes: u64,
    /// Size above which an archive that takes nothing is given up.
    pub(super) give_up_above_bytes: u64,
    /// How long the writer waits for readers to end.
    pub(super) wait: Duration,
    /// Not before this, because the last attempt failed.
    not_before: Option<Instant>,
    /// Frames at the last commit, and at which it is next moved.
    frames: u32,
    pub(super) next_frames: u32,
}

impl Log {
    /// The log in this file.
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            step_frames: MOVED_FRAMES,
            truncate_above_bytes: TRUNCATE_ABOVE_BYTES,
            give_up_above_bytes: LOG_BYTES,
            // A reader is stopped after its limit, so waiting a little longer is enough.
            wait: READ_LIMIT + 2 * TRUNCATE_ATTEMPT,
            not_before: None,
            frames: 0,
            next_frames: MOVED_FRAMES,
        }
    }

    /// After a commit, moves the log into the database each time so much is new in it, whether
    /// readers let it start over or not. True if it tried.
    pub(super) fn follow(
        &mut self,
        conn: &Connection,
        frames: u32,
        archive: Option<&Archive>,
    ) -> bool {
        if frames < self.frames {
            // It has started over.
            self.next_frames = self.step_frames;
        }
        self.frames = frames;
        if frames < self.next_frames {
            return false;
        }
        let Some(archive) = archive else {
            self.next_frames = frames + self.step_frames;
            self.shorten(conn);
            self.bound(conn);
            return true;
        };
        self.follow_archived(conn, frames, archive)
    }

    /// The same for a log that is archived: only when the archive has all of it. Near its end a
    /// short wait for that is worth it; further away the log just grows, to a bound.
    fn follow_archived(&mut self, conn: &Connection, frames: u32, archive: &Archive) -> bool {
        let is_near = archive.behind() <= NEAR_FRAMES;
        self.next_frames = frames + if is_near { self.step_frames } else { NEAR_FRAMES };
        if archive.is_done(if is_near { ARCHIVE_WAIT } else { Duration::ZERO }) {
            self.next_frames = frames + self.step_frames;
            self.shorten(conn);
            // Whoever makes a base reads for as long as that takes.
            if !archive.is_copying() {
                self.bound(conn);
            }
            return true;
        }
        let size = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if size > self.give_up_above_bytes {
            archive.give_up("it took nothing until the write-ahead log was full");
            // Nobody needs it any more.
            self.next_frames = frames;
        }
        false
    }

    /// Moves what no reader needs; what could not be moved is tried again with what comes.
    fn shorten(&self, conn: &Connection) {
        if let Err(error) = shorten(conn) {
            let log = self.path.display();
            tracing::warn!(%error, %log, "The write-ahead log could not be moved into the database");
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

/// How many frames the log has, by the connection that wrote them.
pub(super) fn frames(conn: &Connection) -> Result<u32, StoreError> {
    conn.prepare_cached("PRAGMA wal_checkpoint(NOOP)")
        .and_then(|mut statement| statement.query_row([], |row| row.get(1)))
        .map_err(|error| fault(LOG, error))
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
