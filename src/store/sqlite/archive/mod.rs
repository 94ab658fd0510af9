//! The archive: from a copy of the database and everything that was committed since, the database
//! as it was at any second can be made again.
//!
//! Owns the archive's directory and the thread that writes it. The writer notes each commit here; the
//! thread copies what is new from the write-ahead log once a second, all commits of one second as
//! one state. A log that is not archived to its end is not moved into the database, so nothing can be
//! overwritten before it is archived; that is the whole protocol. What must never happen: that a
//! report waits for a slow archive, or that one which is away stops the manager. Then the log grows,
//! to [`LOG_BYTES`] at most; beyond it the archive is given up, loudly, and begins anew with the next
//! base.

pub mod catalog;
pub mod rebuild;

mod base;
mod marker;
mod names;
mod parts;
mod record;
mod scribe;
mod timeline;
mod wal;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use self::marker::Marker;
use self::parts::told;
use self::scribe::{Mark, Scribe};
use super::log;
use super::place::Place;
use super::settings;
use super::table::meta;
use crate::clock::Clock;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;
use crate::store::row::ArchiveStats;

/// Bytes to which the log may grow while the archive takes nothing.
pub(super) const LOG_BYTES: u64 = 1 << 30;

/// How often what is new is copied.
const EVERY: Duration = Duration::from_secs(1);

/// How long the thread waits after a failure.
const AGAIN: Duration = Duration::from_secs(5);

/// Frames that wait before the thread begins early: a megabyte.
const EARLY_FRAMES: u32 = 256;

/// Where the archive is, and how much of it is kept.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The directory, best on another disk; made if it is not there.
    pub dir: PathBuf,
    /// Seconds that one can go back at least; `None` for ever.
    pub keep_s: Option<i64>,
    /// Bytes that it may take; `None` for no limit.
    pub bytes: Option<u64>,
    /// Tells when commits are made.
    pub clock: Clock,
}

#[derive(Debug, Default)]
struct Shared {
    pending: VecDeque<Mark>,
    busy: bool,
    wanted: bool,
    stop: bool,
    /// The newest commit that is archived.
    archived: Option<Mark>,
    /// Since when nothing is taken, and why.
    failing: Option<(UnixSeconds, String)>,
    /// Why there is no timeline; the log is then nobody's business.
    broken: Option<String>,
    /// A base is being made: somebody reads for long.
    copying: bool,
    /// What there was when somebody last looked.
    kept: base::Kept,
}

/// The archive of one database that is open for writing.
#[derive(Debug)]
pub(super) struct Archive {
    terms: Terms,
    place: Place,
    shared: Mutex<Shared>,
    /// `None` while there is no timeline.
    scribe: Mutex<Option<Scribe>>,
    news: Condvar,
    done: Condvar,
}

/// The archive and its thread, which ends with it.
#[derive(Debug)]
pub(super) struct Keeper {
    archive: Arc<Archive>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Goes on with the archive, or begins a timeline. Whatever is wrong with the archive's own
    /// directory keeps nobody from opening the database.
    pub(super) fn open(place: &Place, conn: &Connection, terms: Terms) -> Result<Self, StoreError> {
        let archive = Arc::new(Archive {
            terms,
            place: place.clone(),
            shared: Mutex::default(),
            scribe: Mutex::default(),
            news: Condvar::new(),
            done: Condvar::new(),
        });
        if !archive.go_on(conn)? {
            archive.begin_anew();
        }
        archive.note_what_was_left(conn)?;
        let work = Arc::clone(&archive);
        let thread = std::thread::Builder::new()
            .name("kattila-archive".into())
            .spawn(move || work.run())
            .map_err(|error| StoreError::Unavailable(format!("the archive's thread: {error}")))?;
        Ok(Self { archive, thread: Some(thread) })
    }

    /// The archive.
    pub(super) fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }
}

/// The terms of the archive that a database has, for a change while no manager runs: it goes on, and
/// nothing leaves it.
pub(super) fn of_database(place: &Place, clock: Clock) -> Option<Terms> {
    let dir = Marker::read(place)?.dir;
    Some(Terms { dir, keep_s: None, bytes: None, clock })
}

/// Takes up the archive of a database that has just been opened to write and is as it was found. Without
/// terms nothing is archived, and an archive that there was ends: the sentence says so.
pub(super) fn begin(
    place: &Place,
    conn: &Connection,
    (is_new, terms): (bool, Option<Terms>),
) -> Result<(Option<Keeper>, Option<String>), StoreError> {
    let forget = || Marker::forget(place).map_err(told(place.db()));
    let Some(terms) = terms else {
        let ended = forget()?.then(|| {
            "the archive of this database ends here, since KATTILA_ARCHIVE_DIR is not set; with it, \
             a new timeline begins"
                .to_owned()
        });
        return Ok((None, ended));
    };
    if is_new {
        forget()?;
    }
    settings::move_log_at_the_end(conn, false)?;
    Ok((Some(Keeper::open(place, conn, terms)?), None))
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.archive.lock().stop = true;
        self.archive.news.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("The archive's thread ended by a panic");
        }
    }
}

impl Archive {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scribe(&self) -> MutexGuard<'_, Option<Scribe>> {
        self.scribe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time.
    pub(super) fn now(&self) -> UnixSeconds {
        self.terms.clock.now()
    }

    /// Notes what a run before this one has committed and not archived. It was not written after the
    /// log was.
    fn note_what_was_left(&self, conn: &Connection) -> Result<(), StoreError> {
        let frames = log::frames(conn)?;
        if frames == 0 {
            return Ok(());
        }
        let commit = meta::number(conn, meta::COMMIT_SEQ)?;
        let written = self.place.wal().metadata().map_or(0, |meta| meta.mtime());
        let at = self.now().min(UnixSeconds(written));
        self.note_mark(Mark { at, commit, frames });
        Ok(())
    }

    /// Notes a commit, which is on disk.
    pub(super) fn note(&self, commit: i64, frames: u32) {
        self.note_mark(Mark { at: self.now(), commit, frames });
    }

    fn note_mark(&self, mark: Mark) {
        let mut shared = self.lock();
        if shared.broken.is_some() {
            return;
        }
        match shared.pending.back_mut() {
            Some(last) if last.at == mark.at && last.frames <= mark.frames => *last = mark,
            Some(_) | None => shared.pending.push_back(mark),
        }
        if shared.failing.is_none() && shared.behind() >= EARLY_FRAMES {
            shared.wanted = true;
            self.news.notify_all();
        }
    }

    /// Frames of the log that are not archived.
    pub(super) fn behind(&self) -> u32 {
        self.lock().behind()
    }

    /// Whether everything noted is archived, waiting for it for a while: only then may the log go
    /// into the database. Without a timeline there is nothing to wait for.
    pub(super) fn is_done(&self, patience: Duration) -> bool {
        let mut shared = self.lock();
        if shared.is_idle() || shared.broken.is_some() {
            return true;
        }
        if shared.failing.is_some() {
            return false;
        }
        shared.wanted = true;
        self.news.notify_all();
        let waits = |shared: &mut Shared| !shared.is_idle() && shared.failing.is_none();
        let (shared, _) = self
            .done
            .wait_timeout_while(shared, patience, waits)
            .unwrap_or_else(PoisonError::into_inner);
        shared.is_idle() || shared.broken.is_some()
    }

    /// The same once more, whatever failed before: for the end of a run.
    pub(super) fn is_done_at_last(&self, patience: Duration) -> bool {
        self.lock().failing = None;
        self.is_done(patience)
    }

    /// Whether a base is being made.
    pub(super) fn is_copying(&self) -> bool {
        self.lock().copying
    }

    /// Gives the timeline up, so that the log can be emptied. Waits for nobody.
    pub(super) fn give_up(&self, cause: &str) {
        let forgotten = Marker::forget(&self.place);
        let mut shared = self.lock();
        let why = shared.failing.take().map_or_else(String::new, |(_, why)| format!(": {why}"));
        tracing::error!(cause, why, kept = ?forgotten.err(), "This timeline of the archive ends here");
        shared.pending.clear();
        shared.broken = Some(format!("{cause}{why}"));
    }

    /// What is wrong, in a sentence.
    pub(super) fn trouble(&self) -> Option<String> {
        let shared = self.lock();
        let dir = self.terms.dir.display();
        let broken = shared.broken.as_ref();
        let broken = broken.map(|why| format!("there is no archive in {dir}: {why}"));
        broken.or_else(|| {
            let (since, why) = shared.failing.as_ref()?;
            let waits = self.now().since(*since);
            Some(format!("the archive in {dir} has taken nothing for {waits} s: {why}"))
        })
    }

    /// How it stands.
    pub(super) fn stats(&self) -> ArchiveStats {
        let now = self.now();
        let shared = self.lock();
        ArchiveStats {
            archived_at: shared.archived.map(|mark| mark.at),
            behind_s: shared.pending.front().map_or(0, |mark| now.since(mark.at).max(0)),
            behind_frames: shared.behind(),
            oldest_base_at: shared.kept.oldest,
            newest_base_at: shared.kept.newest,
            bytes: shared.kept.bytes,
            failing: shared.failing.is_some() || shared.broken.is_some(),
        }
    }

    fn run(&self) {
        loop {
            let mut shared = self.lock();
            let wait = if shared.failing.is_some() { AGAIN } else { EVERY };
            let idle = |shared: &mut Shared| !shared.stop && !shared.wanted;
            shared = self
                .news
                .wait_timeout_while(shared, wait, idle)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if shared.stop {
                return;
            }
            shared.wanted = false;
            if shared.pending.is_empty() {
                continue;
            }
            shared.busy = true;
            let marks = Vec::from(std::mem::take(&mut shared.pending));
            drop(shared);
            self.take_in(marks);
        }
    }

    fn take_in(&self, marks: Vec<Mark>) {
        let mut scribe = self.scribe();
        let taken = scribe.as_mut().map_or(Ok(()), |scribe| scribe.take_in(&marks));
        let mut shared = self.lock();
        shared.busy = false;
        if shared.broken.is_some() {
            // Given up meanwhile.
            *scribe = None;
            self.done.notify_all();
            return;
        }
        match taken {
            Ok(()) => {
                if shared.failing.take().is_some() {
                    tracing::info!("The archive takes what is committed again");
                }
                shared.archived = marks.last().copied();
            }
            Err(error) => {
                let since = marks.first().map_or_else(|| self.now(), |mark| mark.at);
                if shared.failing.is_none() {
                    tracing::error!(%error, "The archive does not take what is committed; the write-ahead log grows");
                }
                let since = shared.failing.take().map_or(since, |(since, _)| since);
                shared.failing = Some((since, error.to_string()));
                for mark in marks.into_iter().rev() {
                    shared.pending.push_front(mark);
                }
            }
        }
        self.done.notify_all();
    }
}

impl Shared {
    fn is_idle(&self) -> bool {
        self.pending.is_empty() && !self.busy
    }

    fn behind(&self) -> u32 {
        let Some(noted) = self.pending.back() else { return 0 };
        let archived = self.archived.map_or(0, |mark| mark.frames);
        // Fewer than archived: the log has started over.
        noted.frames.checked_sub(archived).unwrap_or(noted.frames)
    }
}
