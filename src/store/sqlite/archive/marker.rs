//! Whether the archive goes on where it ended: a small file beside the database, `NAME.archive`.
//!
//! It names the archive, and the timeline in it that the database is at the end of. Whoever opens the database to write and
//! knows nothing of an archive takes the file away, and then a new timeline begins. It is replaced
//! as a whole, and forced to disk before anything is written to the database.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::wal::{Cursor, HEADER_BYTES, Header, Salts, Sum};
use crate::model::time::UnixSeconds;
use crate::store::sqlite::place::{Place, create_private};

/// Where the database stood when nobody wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Somebody writes, or ended without order; the log was empty when this record was the last.
    Open(u64),
    /// An orderly stop: the last record, and the file's size in bytes and time of change in
    /// nanoseconds.
    Closed(u64, u64, i128),
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marker {
    /// The archive's directory.
    pub(super) dir: PathBuf,
    /// The timeline.
    pub(super) timeline: String,
    /// The database.
    pub(super) state: State,
}

impl Marker {
    /// Reads it; `None` if there is none that can be read.
    pub(super) fn read(place: &Place) -> Option<Self> {
        let text = std::fs::read_to_string(place.beside(".archive")).ok()?;
        let (line, dir) = text.trim_end_matches('\n').split_once('\n')?;
        let dir = PathBuf::from(dir);
        let mut words = line.split_whitespace();
        let timeline = words.next()?.to_owned();
        let state = match (words.next()?, words.next()?.parse().ok()?) {
            ("open", last) => State::Open(last),
            ("closed", last) => {
                State::Closed(last, words.next()?.parse().ok()?, words.next()?.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { dir, timeline, state })
    }

    /// Writes it.
    pub(super) fn write(&self, place: &Place) -> io::Result<()> {
        let text = match self.state {
            State::Open(last) => format!("{} open {last}\n", self.timeline),
            State::Closed(last, size, changed) => {
                format!("{} closed {last} {size} {changed}\n", self.timeline)
            }
        };
        let mut text = text.into_bytes();
        text.extend_from_slice(self.dir.as_os_str().as_encoded_bytes());
        text.push(b'\n');
        let new = place.beside(".archive.new");
        // One that is there was left by a crash.
        std::fs::remove_file(&new).unwrap_or_default();
        let mut file = create_private(&new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(new, place.beside(".archive"))?;
        let parent = place.db().parent().unwrap_or(std::path::Path::new("/"));
        File::open(parent)?.sync_all()
    }

    /// Takes it away; true if there was one.
    pub(super) fn forget(place: &Place) -> io::Result<bool> {
        match std::fs::remove_file(place.beside(".archive")) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The file's size and time of change.
pub(super) fn fingerprint(place: &Place) -> io::Result<(u64, i128)> {
    let meta = place.db().metadata()?;
    let changed = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    Ok((meta.len(), changed))
}

/// The last record of a timeline: its number, commit, and where in which log it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Last {
    /// Its number; 0 before the first.
    pub(super) number: u64,
    /// When its commit was made.
    pub(super) at: UnixSeconds,
    /// The last commit in it.
    pub(super) commit: i64,
    /// The log.
    pub(super) salts: Salts,
    /// Frames of it.
    pub(super) frames: u32,
    /// The checksum up to there.
    pub(super) sum: Sum,
}

/// What is found of the database before anything is written to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The header of the log, if there is a log.
    pub(super) log: Option<Header>,
    /// What the log says of its checksum behind the last record's frames, if it reaches there.
    pub(super) sum_there: Option<Sum>,
    /// The last commit in the database.
    pub(super) commit: i64,
    /// The file's size and time of change.
    pub(super) file: (u64, i128),
}

/// Where the archive goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Behind the last record's frames.
    Behind(Cursor),
    /// At the beginning of the log, whichever it is.
    Beginning,
}

/// Decides whether the records up to the last one, and the log as found, are everything that
/// happened; `None` if that is not certain.
///
/// What it stands on: a log starts over only when everything in it is archived, so at most once
/// without a record from it; and whoever writes without archiving takes the marker away.
pub(super) fn goes_on(state: State, last: &Last, found: &Found) -> Option<Next> {
    match (state, found.log) {
        (State::Closed(number, size, changed), None) => {
            let same = number == last.number && found.file == (size, changed);
            (same && found.commit == last.commit).then_some(Next::Beginning)
        }
        (State::Closed(..), Some(_)) => None,
        (State::Open(_), Some(header)) if last.number > 0 && header.salts == last.salts => {
            let cursor = Cursor { header, frames: last.frames, sum: last.sum };
            (found.sum_there == Some(last.sum)).then_some(Next::Behind(cursor))
        }
        (State::Open(_), None) => (found.commit == last.commit).then_some(Next::Beginning),
        (State::Open(number), Some(header)) => {
            let once = header.salts.0 == last.salts.0.wrapping_add(1);
            let is_next = number == last.number || (number < last.number && once);
            (is_next && found.commit >= last.commit).then_some(Next::Beginning)
        }
    }
}

/// Where in the file the frame ends that is the last of so many.
pub(super) fn last_frame_at(header: &Header, frames: u32) -> Option<u64> {
    let before = u64::from(frames.checked_sub(1)?).checked_mul(header.frame_bytes() as u64)?;
    before.checked_add(HEADER_BYTES as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(salt: u32) -> Header {
        // As SQLite writes it: little-endian sums, version, 4096, sequence, two salts.
        let mut bytes = Vec::new();
        for word in [0x377f_0682_u32, 3_007_000, 4096, 1, salt, 77] {
            bytes.extend(word.to_be_bytes());
        }
        let (mut a, mut b) = (0_u32, 0_u32);
        for pair in bytes.chunks(8) {
            a = a.wrapping_add(u32::from_le_bytes(pair[..4].try_into().unwrap())).wrapping_add(b);
            b = b.wrapping_add(u32::from_le_bytes(pair[4..].try_into().unwrap())).wrapping_add(a);
        }
        bytes.extend(a.to_be_bytes());
        bytes.extend(b.to_be_bytes());
        Header::read(&bytes).unwrap()
    }

    #[test]
    fn it_goes_on_only_where_nothing_can_be_missing() {
        let log = header(5);
        let last = Last {
            number: 9,
            commit: 40,
            salts: log.salts,
            frames: 12,
            sum: Sum(1, 2),
            ..Last::default()
        };
        let found =
            Found { log: Some(log), sum_there: Some(Sum(1, 2)), commit: 44, file: (8192, 3) };
        let none = Found { log: None, sum_there: None, commit: 40, ..found };
        let behind = Some(Next::Behind(Cursor { header: log, frames: 12, sum: Sum(1, 2) }));
        let begin = Some(Next::Beginning);
        let over = Found { log: Some(header(6)), sum_there: None, ..found };
        let strange = Found { log: Some(header(7)), ..over };
        let cases = [
            (State::Open(3), found, behind),
            (State::Open(9), found, behind),
            (State::Open(3), Found { sum_there: Some(Sum(9, 9)), ..found }, None),
            (State::Open(3), Found { sum_there: None, ..found }, None),
            (State::Open(3), over, begin),
            (State::Open(3), strange, None),
            (State::Open(9), strange, begin),
            (State::Open(10), over, None),
            (State::Open(3), Found { commit: 39, ..over }, None),
            (State::Open(3), none, begin),
            (State::Open(3), Found { commit: 41, ..none }, None),
            (State::Closed(9, 8192, 3), none, begin),
            (State::Closed(8, 8192, 3), none, None),
            (State::Closed(9, 8192, 4), none, None),
            (State::Closed(9, 4096, 3), none, None),
            (State::Closed(9, 8192, 3), Found { commit: 41, ..none }, None),
            (State::Closed(9, 8192, 3), found, None),
        ];
        for (index, (state, found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(goes_on(state, &last, &found), expected, "case {index}");
        }
        let first = Last::default();
        assert_eq!(goes_on(State::Open(0), &first, &strange), begin, "no record yet");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::find(&dir.path().join("k.db")).unwrap();
        assert_eq!(Marker::read(&place), None);
        for state in [State::Open(0), State::Closed(7, 8192, -5)] {
            let (dir, timeline) =
                (PathBuf::from("/backup/of kattila"), "20261127T190000Z-000".into());
            let marker = Marker { dir, timeline, state };
            marker.write(&place).unwrap();
            assert_eq!(Marker::read(&place), Some(marker));
        }
        std::fs::write(dir.path().join("k.db.archive"), "t shut 5\n/backup\n").unwrap();
        assert_eq!(Marker::read(&place), None);
        assert!(Marker::forget(&place).unwrap() && !Marker::forget(&place).unwrap());
    }
}
