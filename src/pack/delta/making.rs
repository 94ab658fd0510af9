//! Makes a text of an earlier one and the notes about it.

use super::nibbles::Reader;
use super::notes::{LESS, OTHER, WORD};
use super::spell::{BASE64, BYTES, HEX, hex_digit, sign};
use super::words::{Any, Digit, Which, find, number, word};
use super::{Unlike, behind};

/// Makes a text of an earlier one and notes.
pub(super) struct Making<'a> {
    /// What is left of the earlier text.
    old: &'a [u8],
    made: Vec<u8>,
    room: usize,
}

impl<'a> Making<'a> {
    pub(super) fn new(old: &'a [u8], room: usize) -> Self {
        Self { old, made: Vec::with_capacity(room.min(2 * old.len())), room }
    }

    /// The text: what is left is as it was.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Unlike> {
        self.put(self.old)?;
        Ok(self.made)
    }

    /// Does what one note says.
    pub(super) fn follow(&mut self, kind: u8, notes: &mut Reader<'_>) -> Result<(), Unlike> {
        let gap = match notes.take().ok_or(Unlike)? {
            15 => 15 + notes.count().ok_or(Unlike)?,
            few => usize::from(few),
        };
        match kind {
            OTHER => {
                let last = gap.checked_sub(1).map(|others| find::<Any>(self.old, others));
                let at = last.map_or(Some(0), |at| at.map(|at| at + word(behind(self.old, at))));
                let (out, put) = notes.count().zip(notes.count()).ok_or(Unlike)?;
                self.copy(at.ok_or(Unlike)?, out)?;
                self.bytes(put, notes)
            }
            WORD => {
                self.reach::<Any>(gap)?;
                self.spelt(notes)
            }
            _ => {
                let was = number(self.reach::<Digit>(gap)?).ok_or(Unlike)?;
                let nibbles = if kind == LESS { notes.take().ok_or(Unlike)? } else { kind } + 1;
                let change = notes.number(u32::from(nibbles)).ok_or(Unlike)?;
                let is = match kind {
                    LESS => was.checked_sub(change),
                    _ => was.checked_add(change),
                };
                self.put(is.ok_or(Unlike)?.to_string().as_bytes())
            }
        }
    }

    /// Goes to the next such word behind so many others, and takes it out.
    fn reach<W: Which>(&mut self, others: usize) -> Result<&'a [u8], Unlike> {
        let at = find::<W>(self.old, others).ok_or(Unlike)?;
        let (found, _) = behind(self.old, at).split_at(word(behind(self.old, at)));
        self.copy(at, found.len())?;
        Ok(found)
    }

    /// Copies so many bytes of the earlier text, and leaves some behind them out.
    fn copy(&mut self, bytes: usize, out: usize) -> Result<(), Unlike> {
        let (same, rest) = self.old.split_at_checked(bytes).ok_or(Unlike)?;
        self.put(same)?;
        self.old = rest.get(out..).ok_or(Unlike)?;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Unlike> {
        if bytes.len() > self.room - self.made.len() {
            return Err(Unlike);
        }
        self.made.extend_from_slice(bytes);
        Ok(())
    }

    fn spelt(&mut self, notes: &mut Reader<'_>) -> Result<(), Unlike> {
        let (how, len) = notes.take().zip(notes.count()).ok_or(Unlike)?;
        match how {
            HEX => (0..len).try_for_each(|_| self.put(&[hex_digit(notes.take().ok_or(Unlike)?)])),
            BASE64 => {
                for _ in 0..len / 2 {
                    let value = notes.number(3).ok_or(Unlike)?;
                    self.put(&[sign(value >> 6), sign(value)])?;
                }
                (0..len % 2).try_for_each(|_| self.put(&[sign(notes.number(2).ok_or(Unlike)?)]))
            }
            BYTES => self.bytes(len, notes),
            _ => Err(Unlike),
        }
    }

    fn bytes(&mut self, len: usize, notes: &mut Reader<'_>) -> Result<(), Unlike> {
        (0..len).try_for_each(|_| self.put(&[(notes.number(2).ok_or(Unlike)? & 0xff) as u8]))
    }
}
