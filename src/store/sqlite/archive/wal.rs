//! SQLite's write-ahead log as bytes: its header, its frames, and the checksums that chain them.
//!
//! Pure. The format is section 4 of <https://sqlite.org/fileformat2.html>: a header of 32 bytes, then
//! frames of 24 bytes and a page each; numbers are big-endian. A frame is part of the log if it
//! carries the header's salts and if the checksum over everything before and in it is right.

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 32;

/// Bytes in front of each page.
pub(super) const FRAME_HEADER_BYTES: usize = 24;

/// The header's first number if checksums take the bytes as little-endian words; one more if as
/// big-endian ones.
const MAGIC: u32 = 0x377f_0682;

/// The one version of the format.
const VERSION: u32 = 3_007_000;

/// Two numbers that change whenever the log starts over; the first grows by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Salts(pub(super) u32, pub(super) u32);

/// A checksum over the log from its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u32, pub(super) u32);

/// The header of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    big_endian: bool,
    /// Bytes of a page.
    pub(super) page_bytes: u32,
    /// Which log this is of those that the file has held.
    pub(super) salts: Salts,
    sum: Sum,
}

impl Header {
    /// Reads a header; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let big_endian = match word(bytes, 0)?.checked_sub(MAGIC)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let page_bytes = word(bytes, 8)?;
        let fits = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
        let told = Sum(word(bytes, 24)?, word(bytes, 28)?);
        let sum = add(big_endian, Sum::default(), bytes.get(..24)?);
        let good = fits && word(bytes, 4)? == VERSION && sum == told;
        let salts = Salts(word(bytes, 16)?, word(bytes, 20)?);
        good.then_some(Self { big_endian, page_bytes, salts, sum })
    }

    /// Bytes of a frame with its page.
    pub(super) fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + usize::try_from(self.page_bytes).unwrap_or(0)
    }
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Which page, from 1.
    pub(super) page: u32,
    /// Pages of the database after the commit that this frame ends; `None` within one.
    pub(super) commit: Option<u32>,
    /// The page.
    pub(super) image: &'a [u8],
}

/// A place in a log: behind so many frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The log.
    pub(super) header: Header,
    /// Frames before here.
    pub(super) frames: u32,
    /// The checksum up to here.
    pub(super) sum: Sum,
}

impl Cursor {
    /// Before the first frame.
    pub(super) fn start(header: Header) -> Self {
        Self { header, frames: 0, sum: header.sum }
    }

    /// Takes the next frame; `None`, and nothing has moved, if these bytes are not it.
    pub(super) fn take<'a>(&mut self, bytes: &'a [u8]) -> Option<Frame<'a>> {
        let image = bytes.get(FRAME_HEADER_BYTES..self.header.frame_bytes())?;
        let (page, pages) = (word(bytes, 0)?, word(bytes, 4)?);
        let salts = Salts(word(bytes, 8)?, word(bytes, 12)?);
        let sum = add(self.header.big_endian, self.sum, bytes.get(..8)?);
        let sum = add(self.header.big_endian, sum, image);
        let good = page > 0 && salts == self.header.salts && told_sum(bytes)? == sum;
        if !good {
            return None;
        }
        (self.frames, self.sum) = (self.frames.checked_add(1)?, sum);
        Some(Frame { page, commit: (pages > 0).then_some(pages), image })
    }
}

/// The checksum that a frame's own header tells.
pub(super) fn told_sum(frame: &[u8]) -> Option<Sum> {
    Some(Sum(word(frame, 16)?, word(frame, 20)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

/// Goes on with a checksum over whole pairs of words.
fn add(big_endian: bool, Sum(mut a, mut b): Sum, bytes: &[u8]) -> Sum {
    let read = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
    let (words, _rest) = bytes.as_chunks::<4>();
    let (pairs, _odd) = words.as_chunks::<2>();
    for [first, second] in pairs {
        a = a.wrapping_add(read(*first)).wrapping_add(b);
        b = b.wrapping_add(read(*second)).wrapping_add(a);
    }
    Sum(a, b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    /// The log that SQLite itself writes for a few commits, and how many frames it has.
    fn written(commits: u32) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("k.db");
        let conn = Connection::open(&db).unwrap();
        conn.execute_batch(
            "PRAGMA page_size = 512; PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT)",
        )
        .unwrap();
        for number in 0..commits {
            conn.execute("INSERT INTO t VALUES (?1)", [format!("{number:0400}")]).unwrap();
        }
        std::fs::read(dir.path().join("k.db-wal")).unwrap()
    }

    fn frames(log: &[u8]) -> Vec<(u32, Option<u32>)> {
        let Some(header) = Header::read(log) else { return Vec::new() };
        let mut cursor = Cursor::start(header);
        log[HEADER_BYTES..]
            .chunks(header.frame_bytes())
            .map_while(|bytes| cursor.take(bytes).map(|frame| (frame.page, frame.commit)))
            .collect()
    }

    #[test]
    fn what_sqlite_writes_is_read() {
        let log = written(9);
        let found = frames(&log);
        let commits = found.iter().filter(|(_, commit)| commit.is_some()).count();
        assert_eq!(commits, 10, "the table and nine rows");
        let whole = (log.len() - HEADER_BYTES) / (512 + FRAME_HEADER_BYTES);
        assert_eq!(found.len(), whole);
        assert!(Header::read(&log[..31]).is_none());
    }

    #[test]
    fn a_log_that_started_over_ends_where_the_new_frames_end() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Connection::open(dir.path().join("k.db")).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a TEXT)").unwrap();
        for _ in 0..20 {
            conn.execute("INSERT INTO t VALUES (hex(randomblob(900)))", []).unwrap();
        }
        let before = Header::read(&std::fs::read(dir.path().join("k.db-wal")).unwrap()).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        conn.execute("INSERT INTO t VALUES ('new')", []).unwrap();
        let log = std::fs::read(dir.path().join("k.db-wal")).unwrap();
        let after = Header::read(&log).unwrap();
        assert_eq!(after.salts.0, before.salts.0.wrapping_add(1));
        let found = frames(&log);
        assert!(found.len() < 5 && found.last().unwrap().1.is_some(), "{found:?}");
    }

    proptest! {
        #[test]
        fn a_flipped_bit_ends_the_log_before_it(byte in 0_usize..6_000, bit in 0_u8..8) {
            let mut log = written(9);
            let all = frames(&log);
            let byte = byte % log.len();
            log[byte] ^= 1 << bit;
            let found = frames(&log);
            let frame = byte.checked_sub(HEADER_BYTES).map(|at| at / (512 + FRAME_HEADER_BYTES));
            prop_assert_eq!(found.as_slice(), &all[..frame.unwrap_or(0)]);
        }

        #[test]
        fn a_torn_end_costs_the_last_frame_only(cut in 0_usize..6_000) {
            let log = written(9);
            let all = frames(&log);
            let cut = cut % log.len();
            let whole = cut.saturating_sub(HEADER_BYTES) / (512 + FRAME_HEADER_BYTES);
            let found = frames(&log[..cut]);
            prop_assert_eq!(found.as_slice(), &all[..whole]);
        }

        #[test]
        fn bytes_of_any_kind_are_no_log(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert!(frames(&bytes).is_empty());
        }
    }
}
