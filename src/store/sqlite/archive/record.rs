//! What one part of the archive holds: a head, then records, each some pages of one commit.
//!
//! Pure. All numbers are little-endian. A part is one file:
//!
//! | bytes | head |
//! |---|---|
//! | 8 | `KATTARC1` |
//! | 4 | bytes of a page |
//! | 8 | number of its first record |
//! | 8 | when that was committed, Unix seconds |
//! | 32 | digest of the record before that |
//!
//! A record is a fixed front of 64 bytes, a digest of 32 and a body. The digest is SHA-256 over the
//! digest of the record before it, the front and the body, so that none can be missing, changed or
//! from elsewhere. The body is one frame of zstd: page numbers of 4 bytes, then the pages. The pages
//! of a commit, or of all commits of one second together, may take several records; only the last
//! one says so, and only behind it the database is one that was.

use crate::model::time::UnixSeconds;
use crate::pack::{Against, Packer, Unpacker};
use crate::sign::digest::sha256;
use crate::store::StoreError;

use super::wal::{Salts, Sum};

const MAGIC: &[u8; 8] = b"KATTARC1";

/// Bytes of a part's head.
pub(super) const HEAD_BYTES: usize = 60;

/// Bytes of a record's front.
const FRONT_BYTES: usize = 64;

/// Bytes of a record before its body.
pub(super) const BEFORE_BODY: usize = FRONT_BYTES + 32;

/// Pages in one record at most: 4 MiB of pages of 4 KiB.
pub(super) const PAGES: usize = 1024;

/// A digest in the chain.
pub(super) type Digest = [u8; 32];

/// The head of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes of a page.
    pub(super) page_bytes: u32,
    /// Number of its first record.
    pub(super) first: u64,
    /// When that was committed: what is wanted of an earlier time is not in this part.
    pub(super) at: UnixSeconds,
    /// Digest of the record before.
    pub(super) before: Digest,
}

impl Head {
    /// As it stands in the file.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.page_bytes.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.at.0.to_le_bytes());
        bytes.extend(self.before);
        bytes
    }

    /// Reads it; `None` if it is none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let page_bytes = u32::from_le_bytes(take(&mut rest)?);
        let first = u64::from_le_bytes(take(&mut rest)?);
        let at = UnixSeconds(i64::from_le_bytes(take(&mut rest)?));
        let fits = page_bytes.is_power_of_two() && (512..=65_536).contains(&page_bytes);
        Some(Self { page_bytes, first, at, before: take(&mut rest)? }).filter(|_| fits)
    }
}

/// The front of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Front {
    /// Bytes of the body.
    pub(super) body_bytes: u32,
    /// Pages in it.
    pub(super) pages: u32,
    /// Its number; the first is 1.
    pub(super) number: u64,
    /// When the commit was made.
    pub(super) at: UnixSeconds,
    /// The number of the commit.
    pub(super) commit: i64,
    /// Pages of the database after it.
    pub(super) db_pages: u32,
    /// Whether the commit ends here.
    pub(super) is_last: bool,
    /// The log that it was read from.
    pub(super) salts: Salts,
    /// Frames of that log up to here.
    pub(super) frames: u32,
    /// The log's checksum up to here.
    pub(super) sum: Sum,
}

impl Front {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FRONT_BYTES);
        bytes.extend(self.body_bytes.to_le_bytes());
        bytes.extend(self.pages.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.at.0.to_le_bytes());
        bytes.extend(self.commit.to_le_bytes());
        let words = [
            self.db_pages,
            u32::from(self.is_last),
            self.salts.0,
            self.salts.1,
            self.frames,
            self.sum.0,
            self.sum.1,
            0,
        ];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes
    }

    /// Reads it; `None` if it is none.
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let word = |rest: &mut &[u8]| take(rest).map(u32::from_le_bytes);
        let rest = &mut bytes;
        Some(Self {
            body_bytes: word(rest)?,
            pages: word(rest)?,
            number: u64::from_le_bytes(take(rest)?),
            at: UnixSeconds(i64::from_le_bytes(take(rest)?)),
            commit: i64::from_le_bytes(take(rest)?),
            db_pages: word(rest)?,
            is_last: match word(rest)? {
                0 => false,
                1 => true,
                _ => return None,
            },
            salts: Salts(word(rest)?, word(rest)?),
            frames: word(rest)?,
            sum: Sum(word(rest)?, word(rest)?),
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

/// A record as it stands in a part, its digest found right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// Its front.
    pub(super) front: Front,
    /// Its digest.
    pub(super) digest: Digest,
    body: &'a [u8],
}

/// Takes a page: its number and its bytes.
pub(super) type EachPage<'a> = &'a mut dyn FnMut(u32, &[u8]) -> Result<(), StoreError>;

/// Makes a record of pages: their numbers, and the bytes of all of them one after the other.
pub(super) fn write(
    mut front: Front,
    before: &Digest,
    (numbers, images): (&[u32], &[u8]),
    packer: &mut Packer,
) -> Result<(Vec<u8>, Digest), StoreError> {
    let mut plain = Vec::with_capacity(images.len() + numbers.len() * 4);
    plain.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    plain.extend_from_slice(images);
    let mut body = Vec::new();
    let (Ok(pages), true) =
        (u32::try_from(numbers.len()), packer.pack(&plain, Against::Nothing, &mut body))
    else {
        return Err(StoreError::Unavailable("pages could not be compressed".to_owned()));
    };
    front.pages = pages;
    front.body_bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let front = front.to_bytes();
    let digest = link(before, &front, &body);
    let mut record = front;
    record.extend(digest);
    record.extend(body);
    Ok((record, digest))
}

fn link(before: &Digest, front: &[u8], body: &[u8]) -> Digest {
    let mut covered = Vec::with_capacity(32 + front.len() + body.len());
    covered.extend_from_slice(before);
    covered.extend_from_slice(front);
    covered.extend_from_slice(body);
    sha256(&covered)
}

/// The record at the beginning of these bytes, and what is behind it; `None` if there is none that
/// follows from the digest before.
pub(super) fn read<'a>(bytes: &'a [u8], before: &Digest) -> Option<(Record<'a>, &'a [u8])> {
    let (front_bytes, rest) = bytes.split_at_checked(FRONT_BYTES)?;
    let front = Front::read(front_bytes)?;
    let (told, rest) = rest.split_first_chunk::<32>()?;
    let (body, rest) = rest.split_at_checked(usize::try_from(front.body_bytes).ok()?)?;
    let digest = link(before, front_bytes, body);
    (digest == *told).then_some((Record { front, digest, body }, rest))
}

impl Record<'_> {
    /// Bytes of all of it.
    pub(super) fn bytes(&self) -> u64 {
        (BEFORE_BODY + self.body.len()) as u64
    }

    /// Hands out its pages; `None` if the body does not hold what the front says.
    pub(super) fn pages(
        &self,
        page_bytes: u32,
        unpacker: &mut Unpacker,
        each: EachPage<'_>,
    ) -> Result<Option<()>, StoreError> {
        let (pages, size) = (self.front.pages as usize, page_bytes as usize);
        if pages > PAGES {
            return Ok(None);
        }
        let room = pages * (size + 4);
        let Ok(plain) = unpacker.unpack(self.body, Against::Nothing, room) else { return Ok(None) };
        if plain.len() != room {
            return Ok(None);
        }
        let (numbers, images) = plain.split_at(pages * 4);
        let (numbers, _rest) = numbers.as_chunks::<4>();
        for (number, image) in numbers.iter().zip(images.chunks(size)) {
            each(u32::from_le_bytes(*number), image)?;
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn front(number: u64, is_last: bool) -> Front {
        Front {
            number,
            at: UnixSeconds(1_800_000_000),
            commit: 7,
            db_pages: 9,
            is_last,
            salts: Salts(1, 2),
            frames: 3,
            sum: Sum(4, 5),
            ..Front::default()
        }
    }

    fn two() -> (Vec<u8>, Digest) {
        let mut packer = Packer::new().unwrap();
        let start = [9; 32];
        let (mut bytes, first) =
            write(front(1, false), &start, (&[2, 5], &[1; 1024]), &mut packer).unwrap();
        let (second, _) = write(front(2, true), &first, (&[2], &[3; 512]), &mut packer).unwrap();
        bytes.extend(second);
        (bytes, start)
    }

    #[test]
    fn records_come_back_one_after_the_other() {
        let (bytes, start) = two();
        let (first, rest) = read(&bytes, &start).unwrap();
        assert_eq!((first.front.number, first.front.pages, first.front.is_last), (1, 2, false));
        let mut unpacker = Unpacker::new().unwrap();
        let mut pages = Vec::new();
        let mut each = |number, image: &[u8]| {
            pages.push((number, image.to_vec()));
            Ok(())
        };
        first.pages(512, &mut unpacker, &mut each).unwrap().unwrap();
        assert!(first.pages(1024, &mut unpacker, &mut |_, _| Ok(())).unwrap().is_none());
        assert_eq!(pages, [(2, vec![1; 512]), (5, vec![1; 512])]);
        assert!(read(rest, &start).is_none(), "it does not follow from the beginning");
        let (second, rest) = read(rest, &first.digest).unwrap();
        let said = Front { body_bytes: second.front.body_bytes, pages: 1, ..front(2, true) };
        assert_eq!((second.front, rest.len()), (said, 0));
    }

    #[test]
    fn heads_come_back() {
        let head = Head { page_bytes: 4096, first: 77, at: UnixSeconds(-3), before: [5; 32] };
        let bytes = head.to_bytes();
        assert_eq!((bytes.len(), Head::read(&bytes)), (HEAD_BYTES, Some(head)));
        for cut in 0..HEAD_BYTES {
            assert_eq!(Head::read(&bytes[..cut]), None);
        }
        assert_eq!(Head::read(&Head { page_bytes: 1000, ..head }.to_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_flipped_bit_goes_unnoticed(byte in 0_usize..4_000, bit in 0_u8..8) {
            let (mut bytes, start) = two();
            let first = read(&bytes, &start).unwrap().0;
            let (end, digest) = (BEFORE_BODY + first.body.len(), first.digest);
            let byte = byte % bytes.len();
            bytes[byte] ^= 1 << bit;
            if byte < end {
                prop_assert!(read(&bytes, &start).is_none());
            } else {
                prop_assert!(read(&bytes[end..], &digest).is_none());
            }
        }

        #[test]
        fn a_torn_end_is_no_record(cut in 0_usize..4_000) {
            let (bytes, start) = two();
            let first = BEFORE_BODY + read(&bytes, &start).unwrap().0.body.len();
            let cut = cut % bytes.len();
            prop_assert_eq!(read(&bytes[..cut], &start).is_some(), cut >= first);
        }
    }
}
