//! The write side: one connection, owned by one thread.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::ack::AckFile;
use super::apply::apply;
use super::archive::Keeper;
use super::desk::{Counters, Desk};
use super::envelope::{Packer, Reading};
use super::error::fault;
use super::log::{self, Log};
use super::place::Place;
use super::prune;
use super::settings;
use super::shelf::Shelf;
use super::table::{
    agents, alarms, audit, channels, dictionaries, earlier, edges, flaps, frame_dictionaries,
    identities, interfaces, keys, layout, layout_steps, meta, notifications, peers, reports,
    routes, sessions, shares, tellings, users, windows,
};
use crate::model::id::{AgentNo, ReportId};
use crate::model::report::{Interface, Route};
use crate::model::spread::Spread;
use crate::model::time::UnixSeconds;
use crate::store::change::Change;
use crate::store::dictionary::Samples;
use crate::store::earlier::{Earlier, Known};
use crate::store::prune::{Prune, Pruned};
use crate::store::row::{FleetSnapshot, SessionRow};
use crate::store::{StoreError, Writer};

/// The SQLite write side; holds the lock on the database until it is dropped.
///
/// Dropping it without [`SqliteWriter::close`] loses nothing that was committed; the next start
/// then takes the stop for an unclean one and checks the file.
pub struct SqliteWriter {
    pub(super) conn: Connection,
    packer: Packer,
    shelf: Arc<Shelf>,
    ack: AckFile,
    batch: Batch,
    commit_seq: i64,
    /// Whether the database already says that it is in use.
    marked_in_use: bool,
    ack_failing: bool,
    /// Frames of the log at a commit after which it has not been looked at.
    unsettled: Option<u32>,
    counters: Counters,
    pub(super) log: Log,
    place: Place,
    /// Who archives the log, if anybody does.
    pub(super) keeper: Option<Keeper>,
    commit_times: Arc<Spread>,
    // Last, so that the lock outlives the connection.
    _lock: File,
}

/// How long the end of a run, or somebody who wants the log empty, waits for the archive.
const ARCHIVE_AT_LAST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Batch {
    None,
    /// Open, with this many changes recorded.
    Open(usize),
    /// SQLite gave the transaction up after an error.
    Lost,
}

/// What lies beside the database, and where.
pub(super) struct Files {
    pub(super) place: Place,
    pub(super) lock: File,
    pub(super) ack: AckFile,
    pub(super) keeper: Option<Keeper>,
    pub(super) commit_times: Arc<Spread>,
}

impl SqliteWriter {
    pub(super) fn new(
        conn: Connection,
        Files { place, lock, ack, keeper, commit_times }: Files,
        commit_seq: i64,
        shelf: Arc<Shelf>,
    ) -> Result<Self, StoreError> {
        settings::undo_in_memory(&conn)?;
        Ok(Self {
            conn,
            packer: Packer::new(Arc::clone(&shelf))?,
            shelf,
            ack,
            batch: Batch::None,
            commit_seq,
            marked_in_use: false,
            ack_failing: false,
            unsettled: None,
            counters: Counters::default(),
            log: Log::of(place.wal()),
            place,
            keeper,
            commit_times,
            _lock: lock,
        })
    }

    /// How much work has been done.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Ends an orderly run: empties the log, marks the stop as clean and gives the lock back.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.rollback();
        self.start()?;
        meta::put_number(&mut self.desk(), meta::CLEAN_STOP, 1)?;
        self.finish()?;
        self.ack.sync()?;
        if !self.is_archived()? {
            return Err(StoreError::Unavailable(String::from(
                "the archive has not taken everything, so the write-ahead log stays for the next start",
            )));
        }
        self.checkpoint(true)?;
        if let Some(keeper) = &self.keeper {
            keeper.archive().close()?;
            settings::move_log_at_the_end(&self.conn, true)?;
        }
        Ok(())
    }

    /// Waits for the archive at the end of a run.
    fn is_archived(&self) -> Result<bool, StoreError> {
        let Some(keeper) = &self.keeper else { return Ok(true) };
        keeper.archive().note(self.commit_seq, log::frames(&self.conn)?);
        Ok(keeper.archive().is_done_at_last(ARCHIVE_AT_LAST))
    }

    /// How long the log is at the last commit, which the archive is told. What is not known now, the
    /// next commit tells.
    fn note(&self) -> Option<u32> {
        let frames = log::frames(&self.conn).inspect_err(|error| {
            tracing::warn!(%error, "The write-ahead log was not looked at after a commit");
        });
        let frames = frames.ok()?;
        if let Some(keeper) = &self.keeper {
            keeper.archive().note(self.commit_seq, frames);
        }
        Some(frames)
    }

    /// Moves the write-ahead log into the database file; `truncate` also empties the log, for
    /// which it waits until running reads have ended. Between batches only.
    pub fn checkpoint(&mut self, truncate: bool) -> Result<(), StoreError> {
        self.no_batch("checkpoint")?;
        self.settle();
        if !self.keeper.as_ref().is_none_or(|keeper| keeper.archive().is_done(ARCHIVE_AT_LAST)) {
            return Err(StoreError::Unavailable(String::from(
                "the archive has not taken everything",
            )));
        }
        self.counters.checkpoints += 1;
        if truncate { self.log.empty(&self.conn) } else { log::shorten(&self.conn) }
    }

    fn desk(&mut self) -> Desk<'_> {
        Desk { conn: &self.conn, counters: &mut self.counters }
    }

    fn reading(&self) -> Reading<'_> {
        Reading { conn: &self.conn, shelf: &self.shelf }
    }

    /// Runs a statement of transaction control.
    fn control(&mut self, sql: &str) -> Result<(), StoreError> {
        self.counters.statements += 1;
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_rows| ())
            .map_err(|error| fault("the batch", error))
    }

    fn start(&mut self) -> Result<(), StoreError> {
        self.settle();
        // IMMEDIATE: a transaction that begins by reading could not be upgraded later.
        self.control("BEGIN IMMEDIATE")
    }

    /// Numbers and commits the open transaction.
    fn finish(&mut self) -> Result<(), StoreError> {
        let commit_seq = self.commit_seq + 1;
        let numbered = meta::put_number(&mut self.desk(), meta::COMMIT_SEQ, commit_seq);
        let begun = Instant::now();
        let result = numbered.and_then(|()| self.control("COMMIT"));
        if let Err(error) = result {
            self.packer.forget();
            self.abandon();
            return Err(error);
        }
        self.commit_times.add_time(begun.elapsed());
        self.commit_seq = commit_seq;
        self.counters.commits += 1;
        self.acknowledge();
        Ok(())
    }

    /// Ends the transaction, if SQLite has not done so itself.
    fn abandon(&mut self) {
        if !self.conn.is_autocommit()
            && let Err(error) = self.control("ROLLBACK")
        {
            tracing::error!(%error, "A failed batch could not be taken back");
        }
    }

    /// Notes the commit outside of the database. The commit is durable whatever comes of this.
    fn acknowledge(&mut self) {
        match self.ack.note(self.commit_seq) {
            Ok(()) => self.ack_failing = false,
            Err(_) if self.ack_failing => {}
            Err(error) => {
                self.ack_failing = true;
                tracing::warn!(%error, "A loss of reports would go unnoticed until this is repaired");
            }
        }
    }

    /// Applies a change under a savepoint.
    fn apply_apart(&mut self, change: &Change) -> Result<(), StoreError> {
        self.control("SAVEPOINT change")?;
        let desk = &mut Desk { conn: &self.conn, counters: &mut self.counters };
        let applied =
            apply(desk, &mut self.packer, change).and_then(|()| self.control("RELEASE change"));
        if applied.is_err() && !self.conn.is_autocommit() {
            self.control("ROLLBACK TO change")
                .and_then(|()| self.control("RELEASE change"))
                .inspect_err(|_| self.batch = Batch::Lost)?;
        }
        applied
    }

    fn no_batch(&self, verb: &str) -> Result<(), StoreError> {
        match self.batch {
            Batch::None => Ok(()),
            Batch::Open(_) | Batch::Lost => {
                Err(StoreError::Unavailable(format!("{verb} inside a batch; end the batch first")))
            }
        }
    }
}

impl Writer for SqliteWriter {
    fn load_fleet(&mut self) -> Result<FleetSnapshot, StoreError> {
        let conn = &self.conn;
        Ok(FleetSnapshot {
            agents: agents::list(conn)?,
            peers: peers::list(conn)?,
            edges: edges::list(conn)?,
            interfaces: interfaces::list(conn)?,
            alarms: alarms::open(conn)?,
            flaps: flaps::list(conn)?,
            tells: tellings::list(conn)?,
            waiting: notifications::waiting(conn)?,
            channels: channels::list(conn)?,
            last_notification: notifications::last(conn)?,
            windows: windows::list(conn)?,
            users: users::list(conn, None)?,
            shares: shares::list(conn)?,
            keys: keys::list(conn)?,
            identities: identities::list(conn)?,
            layout: layout::list(conn)?,
            layout_steps: layout_steps::list(conn)?,
            frame_dictionaries: frame_dictionaries::list(conn)?,
            meta: meta::list(conn)?,
            last_report: ReportId(reports::range(conn)?.1),
            last_alarm: alarms::last(conn)?,
            audit: audit::head(conn)?,
            flushed_upto: ReportId(meta::number(conn, meta::FLUSHED_UPTO)?),
        })
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.no_batch("begin")?;
        self.start()?;
        self.batch = Batch::Open(0);
        Ok(())
    }

    fn record(&mut self, change: &Change) -> Result<(), StoreError> {
        let Batch::Open(recorded) = self.batch else {
            return Err(StoreError::Unavailable(String::from("no batch is open; begin one first")));
        };
        let desk = &mut Desk { conn: &self.conn, counters: &mut self.counters };
        let result = match &change.report {
            // One statement is a savepoint of its own.
            Some(report) if change.is_only_report() => {
                reports::insert(desk, &mut self.packer, report)
            }
            // A flush touches most pages; a savepoint would copy every one of them.
            None if recorded == 0 && change.flushed.is_some() => {
                apply(desk, &mut self.packer, change).inspect_err(|_| self.batch = Batch::Lost)
            }
            _ => self.apply_apart(change),
        };
        if result.is_err() {
            // What was remembered of this change is not in the database.
            self.packer.forget();
        }
        if self.conn.is_autocommit() {
            self.batch = Batch::Lost;
        } else if result.is_ok() {
            self.batch = Batch::Open(recorded + 1);
        }
        result
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        match std::mem::replace(&mut self.batch, Batch::None) {
            Batch::None => Err(StoreError::Unavailable(String::from("no batch is open"))),
            Batch::Lost => {
                self.packer.forget();
                self.abandon();
                Err(StoreError::Unavailable(String::from("the batch was lost to an earlier error")))
            }
            Batch::Open(0) => {
                self.abandon();
                Ok(())
            }
            Batch::Open(_) => {
                if !self.marked_in_use {
                    meta::put_number(&mut self.desk(), meta::CLEAN_STOP, 0)
                        .inspect_err(|_| self.rollback())?;
                }
                self.finish()?;
                self.marked_in_use = true;
                self.unsettled = self.note();
                Ok(())
            }
        }
    }

    fn settle(&mut self) {
        let Some(frames) = self.unsettled.take() else { return };
        let archive = self.keeper.as_ref().map(|keeper| keeper.archive().as_ref());
        if self.log.follow(&self.conn, frames, archive) {
            self.counters.checkpoints += 1;
        }
    }

    fn rollback(&mut self) {
        self.batch = Batch::None;
        self.packer.forget();
        self.abandon();
    }

    fn sections(&mut self, agent: AgentNo) -> Result<(Vec<Interface>, Vec<Route>), StoreError> {
        Ok((interfaces::of(&self.conn, agent)?, routes::of(&self.conn, agent)?))
    }

    fn earlier(&mut self, agent: AgentNo, what: &Earlier) -> Result<Known, StoreError> {
        earlier::find(&self.reading(), agent, what)
    }

    fn samples(&mut self, before: ReportId, limit: usize) -> Result<Samples, StoreError> {
        let (envelopes, next) = reports::samples(&self.reading(), before, limit)?;
        let newest = dictionaries::newest(&self.conn)?;
        let newest_frame = frame_dictionaries::newest(&self.conn)?;
        Ok(Samples { envelopes, next, newest, newest_frame })
    }

    fn ended_sessions(
        &mut self,
        now: UnixSeconds,
        idle: UnixSeconds,
        limit: usize,
    ) -> Result<Vec<SessionRow>, StoreError> {
        sessions::ended(&self.conn, now, idle, limit)
    }

    fn prune(&mut self, chunk: &Prune) -> Result<Pruned, StoreError> {
        self.begin()?;
        let before = self.counters.rows;
        let pruned = prune::chunk(&mut self.desk(), chunk).inspect_err(|_| self.rollback())?;
        // Without a row or page written, the transaction only ends.
        let wrote = pruned.removed > 0 || self.counters.rows > before;
        self.batch = Batch::Open(usize::from(wrote));
        self.commit()?;
        Ok(pruned)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Self::close(*self)
    }
}

impl fmt::Debug for SqliteWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteWriter")
            .field("db", &self.place.db())
            .field("batch", &self.batch)
            .field("commit_seq", &self.commit_seq)
            .finish_non_exhaustive()
    }
}
