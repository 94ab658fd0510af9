//! Copies what was committed from the log into the archive.
//!
//! Reads the log's file beside SQLite, which takes no locks on it, and only up to frames of which the
//! writer has said that they are committed: a log may hold more than that. What is written is on
//! disk when [`Scribe::take_in`] returns; after a failure nothing of it counts.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::marker::Last;
use super::names;
use super::parts::told;
use super::record::{self, Digest, Front, Head, PAGES};
use super::wal::{Cursor, FRAME_HEADER_BYTES, HEADER_BYTES, Header, Sum, told_sum};
use crate::model::time::UnixSeconds;
use crate::pack::Packer;
use crate::store::StoreError;

/// A part beyond this is closed, and another one begun.
const PART_BYTES: u64 = 32 << 20;

/// Frames read from the log at a time.
const FRAMES_AT_ONCE: u32 = 64;

/// The end of a commit in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// When it was made.
    pub(super) at: UnixSeconds,
    /// Its number.
    pub(super) commit: i64,
    /// Frames of the log up to its end.
    pub(super) frames: u32,
}

/// The part that is being written.
struct Part {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Part {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(told(&self.path))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// Where the archive is written.
pub(super) struct Scribe {
    /// The timeline's directory.
    pub(super) dir: PathBuf,
    wal: PathBuf,
    /// How far the log is archived; `None` before its first frame.
    cursor: Option<Cursor>,
    part: Option<Part>,
    /// The end of the archive.
    pub(super) last: Last,
    digest: Digest,
    packer: Packer,
}

/// The last frame of a page.
#[derive(Clone, Copy)]
struct Kept {
    page: u32,
    /// Frames before it.
    frame: u32,
    /// The checksum that it tells.
    sum: Sum,
}

/// What of a mark goes into records.
struct Pages {
    /// By page.
    frames: BTreeMap<u32, Kept>,
    db_pages: u32,
}

impl Scribe {
    /// Goes on behind the last record of a timeline.
    pub(super) fn new(
        (dir, wal): (PathBuf, PathBuf),
        (last, digest): (Last, Digest),
        cursor: Option<Cursor>,
    ) -> Result<Self, StoreError> {
        let packer = Packer::new().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { dir, wal, cursor, part: None, last, digest, packer })
    }

    /// Has the next record begin a new part.
    pub(super) fn turn_over(&mut self) {
        self.part = None;
    }

    /// Archives everything up to the last of these marks, each as a state to which the database can
    /// be brought back, and forces it to disk.
    pub(super) fn take_in(&mut self, marks: &[Mark]) -> Result<(), StoreError> {
        let before = (self.cursor, self.last, self.digest);
        let done = self.try_take_in(marks);
        if done.is_err() {
            (self.cursor, self.last, self.digest) = before;
            self.part = None;
        }
        done
    }

    fn try_take_in(&mut self, marks: &[Mark]) -> Result<(), StoreError> {
        let wal = File::open(&self.wal).map_err(told(&self.wal))?;
        let mut head = [0; HEADER_BYTES];
        wal.read_exact_at(&mut head, 0).map_err(told(&self.wal))?;
        let Some(header) = Header::read(&head) else {
            return Err(StoreError::Damaged("the write-ahead log has no head".to_owned()));
        };
        let mut cursor = match self.cursor {
            Some(cursor) if cursor.header.salts == header.salts => cursor,
            Some(_) | None => Cursor::start(header),
        };
        for mark in marks {
            // What an earlier run left may be archived already.
            if mark.frames != cursor.frames {
                self.take_one(*mark, &wal, &mut cursor)?;
            }
        }
        if let Some(part) = &self.part {
            part.file.sync_data().map_err(told(&part.path))?;
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    fn take_one(&mut self, mark: Mark, wal: &File, at: &mut Cursor) -> Result<(), StoreError> {
        let Pages { frames, db_pages } = self.pages(mark, wal, at)?;
        let kept: Vec<Kept> = frames.into_values().filter(|kept| kept.page <= db_pages).collect();
        let mut front = Front {
            // Times in the archive never go back.
            at: self.last.at.max(mark.at),
            commit: mark.commit,
            db_pages,
            salts: at.header.salts,
            frames: at.frames,
            sum: at.sum,
            number: self.last.number,
            ..Front::default()
        };
        // Without pages there is still a state to go back to.
        let records = kept.len().div_ceil(PAGES).max(1);
        for index in 0..records {
            let pages = kept.get(index * PAGES..).unwrap_or_default();
            let pages = pages.get(..PAGES).unwrap_or(pages);
            front.number += 1;
            front.is_last = index + 1 == records;
            self.write(front, pages, (wal, at))?;
        }
        self.last = Last {
            number: front.number,
            at: front.at,
            commit: mark.commit,
            salts: at.header.salts,
            frames: at.frames,
            sum: at.sum,
        };
        Ok(())
    }

    /// Follows the log to the mark, and notes the last frame of each page on the way.
    fn pages(&self, mark: Mark, wal: &File, at: &mut Cursor) -> Result<Pages, StoreError> {
        let broken = || {
            let text = format!("the write-ahead log ends at frame {} before a commit", at.frames);
            StoreError::Damaged(text)
        };
        let size = at.header.frame_bytes();
        let mut pages = Pages { frames: BTreeMap::new(), db_pages: 0 };
        let mut buffer = Vec::new();
        let mut now = *at;
        while now.frames < mark.frames {
            let count = (mark.frames - now.frames).min(FRAMES_AT_ONCE);
            buffer.resize(count as usize * size, 0);
            let from = HEADER_BYTES as u64 + u64::from(now.frames) * size as u64;
            wal.read_exact_at(&mut buffer, from).map_err(told(&self.wal))?;
            for bytes in buffer.chunks(size) {
                let before = now.frames;
                let frame = now.take(bytes).ok_or_else(broken)?;
                let kept = Kept { page: frame.page, frame: before, sum: now.sum };
                pages.frames.insert(frame.page, kept);
                pages.db_pages = frame.commit.unwrap_or(0);
            }
        }
        if pages.db_pages == 0 {
            return Err(broken());
        }
        *at = now;
        Ok(pages)
    }

    /// Reads the pages and appends them as one record.
    fn write(
        &mut self,
        front: Front,
        pages: &[Kept],
        (wal, at): (&File, &Cursor),
    ) -> Result<(), StoreError> {
        let frame = at.header.frame_bytes();
        let page = frame - FRAME_HEADER_BYTES;
        let mut images = vec![0; pages.len() * page];
        for (kept, image) in pages.iter().zip(images.chunks_mut(page)) {
            let from = HEADER_BYTES as u64 + u64::from(kept.frame) * frame as u64;
            wal.read_exact_at(image, from + FRAME_HEADER_BYTES as u64).map_err(told(&self.wal))?;
            // The page first: SQLite writes a frame's header before its page, so under the same
            // header it was still the same page.
            let mut head = [0; FRAME_HEADER_BYTES];
            wal.read_exact_at(&mut head, from).map_err(told(&self.wal))?;
            if told_sum(&head) != Some(kept.sum) {
                return Err(StoreError::Damaged("the write-ahead log has moved on".to_owned()));
            }
        }
        let numbers: Vec<u32> = pages.iter().map(|kept| kept.page).collect();
        let (bytes, digest) =
            record::write(front, &self.digest, (&numbers, &images), &mut self.packer)?;
        let begin = self.part.as_ref().is_none_or(|part| part.bytes > PART_BYTES);
        if begin {
            let head = Head {
                page_bytes: at.header.page_bytes,
                first: front.number,
                at: front.at,
                before: self.digest,
            };
            self.begin_part(head)?;
        }
        if let Some(part) = &mut self.part {
            part.append(&bytes)?;
        }
        self.digest = digest;
        Ok(())
    }

    fn begin_part(&mut self, head: Head) -> Result<(), StoreError> {
        if let Some(part) = self.part.take() {
            part.file.sync_data().map_err(told(&part.path))?;
        }
        let path = self.dir.join(names::part(head.first));
        // One that is there under this name holds nothing that counts.
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let mut part = Part { file: file.map_err(told(&path))?, path, bytes: 0 };
        part.append(&head.to_bytes())?;
        sync_directory(&self.dir)?;
        self.part = Some(part);
        Ok(())
    }
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scribe")
            .field("dir", &self.dir)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// Makes names durable in their directory.
pub(super) fn sync_directory(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(told(dir))
}
