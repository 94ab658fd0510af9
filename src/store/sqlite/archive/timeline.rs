//! Timelines: where the archive goes on after a start, and what is left behind at an orderly end.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};

use rusqlite::Connection;

use super::Archive;
use super::marker::{Found, Last, Marker, Next, State, fingerprint, goes_on, last_frame_at};
use super::parts::{self, told};
use super::scribe::{Scribe, sync_directory};
use super::wal::{self, FRAME_HEADER_BYTES, HEADER_BYTES, Header};
use crate::store::StoreError;
use crate::store::sqlite::table::meta;

impl Archive {
    /// Takes up the timeline that the database is at the end of; false if there is none, or it
    /// cannot be told.
    pub(super) fn go_on(&self, conn: &Connection) -> Result<bool, StoreError> {
        let Some(marker) = Marker::read(&self.place) else { return Ok(false) };
        if marker.dir != self.terms.dir {
            return Ok(false);
        }
        let timeline = parts::timeline(&self.terms.dir, &marker.timeline);
        let Ok((last, digest)) =
            timeline.and_then(|timeline| parts::end(&self.terms.dir, &timeline))
        else {
            return Ok(false);
        };
        let log = self.log();
        let sum_there = log.and_then(|header| self.sum_behind(&header, last.frames));
        let file = fingerprint(&self.place).map_err(told(self.place.db()))?;
        let commit = meta::number(conn, meta::COMMIT_SEQ)?;
        let found = Found { log, sum_there, commit, file };
        let Some(next) = goes_on(marker.state, &last, &found) else { return Ok(false) };
        let cursor = match next {
            Next::Behind(cursor) => Some(cursor),
            Next::Beginning => None,
        };
        if log.is_none() {
            let state = State::Open(last.number);
            let marker = Marker { state, ..marker.clone() };
            marker.write(&self.place).map_err(told(self.place.db()))?;
        }
        let places = (self.terms.dir.join(&marker.timeline), self.place.wal());
        *self.scribe() = Some(Scribe::new(places, (last, digest), cursor)?);
        Ok(true)
    }

    /// The log's header, if there is a log.
    fn log(&self) -> Option<Header> {
        let mut head = [0; HEADER_BYTES];
        File::open(self.place.wal()).and_then(|log| log.read_exact_at(&mut head, 0)).ok()?;
        Header::read(&head)
    }

    /// The checksum that the log tells behind so many frames.
    fn sum_behind(&self, header: &Header, frames: u32) -> Option<wal::Sum> {
        let mut head = [0; FRAME_HEADER_BYTES];
        let at = last_frame_at(header, frames)?;
        File::open(self.place.wal()).and_then(|log| log.read_exact_at(&mut head, at)).ok()?;
        wal::told_sum(&head)
    }

    /// Begins a timeline; what keeps it from that is remembered and told by [`Archive::trouble`].
    pub(super) fn begin_anew(&self) {
        let mut scribe = self.scribe();
        let begun = self.new_timeline();
        let mut shared = self.lock();
        shared.pending.clear();
        shared.failing = None;
        match begun {
            Ok(begun) => {
                tracing::info!(timeline = %begun.dir.display(), "A timeline of the archive begins");
                shared.broken = None;
                *scribe = Some(begun);
            }
            Err(error) => {
                // Nobody may take the database for the end of a timeline that it has left.
                let forgotten = Marker::forget(&self.place);
                tracing::error!(%error, kept = ?forgotten.err(), "There is no archive");
                shared.broken = Some(error.to_string());
                *scribe = None;
            }
        }
    }

    fn new_timeline(&self) -> Result<Scribe, StoreError> {
        let dir = &self.terms.dir;
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder.recursive(true).create(dir).map_err(told(dir))?;
        let began: String =
            self.now().to_rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
        // Of one second, the next free number.
        let mut made = Err(std::io::ErrorKind::AlreadyExists.into());
        let mut name = String::new();
        for count in 0..1_000 {
            name = format!("{began}-{count:03}");
            made = builder.recursive(false).create(dir.join(&name));
            if !matches!(&made, Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists) {
                break;
            }
        }
        made.map_err(told(dir))?;
        sync_directory(dir)?;
        let (dir, timeline) = (dir.clone(), name.clone());
        let marker = Marker { dir, timeline, state: State::Open(0) };
        marker.write(&self.place).map_err(told(self.place.db()))?;
        let start = (Last::default(), parts::beginning(&name));
        Scribe::new((self.terms.dir.join(name), self.place.wal()), start, None)
    }

    /// Notes that the database is at rest, with everything in its file and archived.
    pub(in crate::store::sqlite) fn close(&self) -> Result<(), StoreError> {
        let scribe = self.scribe();
        // One that was given up is no place to go on from.
        let Some(scribe) = scribe.as_ref().filter(|_| self.lock().broken.is_none()) else {
            return Ok(());
        };
        let (size, changed) = fingerprint(&self.place).map_err(told(self.place.db()))?;
        let name = scribe.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let state = State::Closed(scribe.last.number, size, changed);
        let (dir, timeline) = (self.terms.dir.clone(), name.to_owned());
        let marker = Marker { dir, timeline, state };
        marker.write(&self.place).map_err(told(self.place.db()))
    }
}
