//! The high-water file: the number of the last acknowledged commit, kept apart from the
//! database.
//!
//! SQLite drops a damaged end of its log, or a log that was deleted, without a word: the
//! database is then sound and older. Only a number outside of it can tell.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::file_fault;
use crate::store::StoreError;

/// Eight bytes of commit number, four of name, four of checksum; all numbers little-endian.
const SIZE: usize = 16;

/// Names the file, so that a stray file is not taken for it.
const NAME: [u8; 4] = *b"KTAK";

/// How often the file is forced to disk. Between, a power loss can only take it back, never
/// forward: it may miss a loss of the last second, and never invents one.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What the file said when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// This commit was the last.
    Upto(i64),
    /// There was no such file.
    Nothing,
    /// There was something else in its place.
    Unreadable,
}

/// The open file.
#[derive(Debug)]
pub(super) struct AckFile {
    file: File,
    synced_at: Instant,
}

impl AckFile {
    /// Opens or creates the file and tells what it says.
    pub(super) fn open(path: &Path) -> Result<(Self, Acknowledged), StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| file_fault("the .ack file beside the database", &error))?;
        let mut found = [0; SIZE];
        let said = match file.read_exact_at(&mut found, 0) {
            Ok(()) => decode(&found).map_or(Acknowledged::Unreadable, Acknowledged::Upto),
            Err(_) if file.metadata().is_ok_and(|file| file.len() == 0) => Acknowledged::Nothing,
            Err(_) => Acknowledged::Unreadable,
        };
        Ok((Self { file, synced_at: Instant::now() }, said))
    }

    /// Notes a commit. Called after the commit is durable, so the file never runs ahead.
    pub(super) fn note(&mut self, commit_seq: i64) -> Result<(), StoreError> {
        self.file
            .write_all_at(&encode(commit_seq), 0)
            .map_err(|error| file_fault("the .ack file beside the database", &error))?;
        if self.synced_at.elapsed() >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    /// Forces the file to disk.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.synced_at = Instant::now();
        self.file
            .sync_data()
            .map_err(|error| file_fault("the .ack file beside the database", &error))
    }
}

fn encode(commit_seq: i64) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let (seq, rest) = bytes.split_at_mut(8);
    let (name, check) = rest.split_at_mut(4);
    seq.copy_from_slice(&commit_seq.to_le_bytes());
    name.copy_from_slice(&NAME);
    check.copy_from_slice(&checksum(seq, name).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; SIZE]) -> Option<i64> {
    let (seq, _) = bytes.split_first_chunk::<8>()?;
    let commit_seq = i64::from_le_bytes(*seq);
    (encode(commit_seq) == *bytes).then_some(commit_seq)
}

/// CRC-32 (IEEE 802.3, reflected), bit by bit: twelve bytes need no table.
fn checksum(seq: &[u8], name: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in seq.iter().chain(name) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_known_one() {
        // The check value of CRC-32: the digits 1 to 9.
        assert_eq!(checksum(b"12345", b"6789"), 0xCBF4_3926);
    }

    #[test]
    fn says_what_was_noted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.db.ack");
        let (mut ack, said) = AckFile::open(&path).unwrap();
        assert_eq!(said, Acknowledged::Nothing);
        ack.note(7).unwrap();
        ack.note(1 << 40).unwrap();
        assert_eq!(AckFile::open(&path).unwrap().1, Acknowledged::Upto(1 << 40));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let good = encode(123_456_789);
        for bit in 0..SIZE * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bad), None, "bit {bit}");
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.db.ack");
        std::fs::write(&path, b"short").unwrap();
        assert_eq!(AckFile::open(&path).unwrap().1, Acknowledged::Unreadable);
    }
}
