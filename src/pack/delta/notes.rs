//! Writes notes about the words of a text.

use super::nibbles::Writer;
use super::spell::{BASE64, BYTES, HEX, hex, sextet};
use super::words::{Any, Digit, count, number};

/// The first half bytes of notes that are not about a number that has grown.
pub(super) const LESS: u8 = 13;
pub(super) const WORD: u8 = 14;
pub(super) const OTHER: u8 = 15;

/// Writes notes.
pub(super) struct Notes<'o> {
    nibbles: Writer<'o>,
}

impl<'o> Notes<'o> {
    pub(super) fn new(buffer: &'o mut Vec<u8>) -> Self {
        Self { nibbles: Writer::new(buffer) }
    }

    /// Ends them.
    pub(super) fn finish(self) {
        self.nibbles.finish();
    }

    /// Another word, behind what is passed over.
    pub(super) fn word(&mut self, passed: &[u8], was: &[u8], is: &[u8]) {
        if let Some((before, now)) = number(was).zip(number(is)) {
            let change = now.abs_diff(before);
            let nibbles = (64 - change.leading_zeros()).div_ceil(4).max(1);
            let one_less = u8::try_from(nibbles - 1).unwrap_or(u8::MAX);
            if now < before {
                self.begin(LESS, count::<Digit>(passed));
                self.nibbles.put(one_less);
                return self.nibbles.number(change, nibbles);
            }
            if one_less < LESS {
                self.begin(one_less, count::<Digit>(passed));
                return self.nibbles.number(change, nibbles);
            }
        }
        self.begin(WORD, count::<Any>(passed));
        self.spell(is);
    }

    fn spell(&mut self, word: &[u8]) {
        let how = match word {
            _ if word.iter().all(|byte| hex(*byte).is_some()) => HEX,
            _ if word.iter().all(|byte| sextet(*byte).is_some()) => BASE64,
            _ => BYTES,
        };
        self.nibbles.put(how);
        self.nibbles.count(word.len());
        match how {
            HEX => word.iter().filter_map(|byte| hex(*byte)).for_each(|d| self.nibbles.put(d)),
            BASE64 => {
                for pair in word.chunks(2) {
                    let signs = pair.iter().filter_map(|byte| sextet(*byte));
                    let value = signs.fold(0, |sum, sign| sum << 6 | u64::from(sign));
                    self.nibbles.number(value, if pair.len() == 2 { 3 } else { 2 });
                }
            }
            _ => self.bytes(word),
        }
    }

    /// Other bytes in place of so many, behind what is passed over.
    pub(super) fn other(&mut self, passed: &[u8], out: usize, put: &[u8]) {
        self.begin(OTHER, count::<Any>(passed));
        self.nibbles.count(out);
        self.nibbles.count(put.len());
        self.bytes(put);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.nibbles.number(u64::from(*byte), 2));
    }

    fn begin(&mut self, kind: u8, gap: usize) {
        self.nibbles.put(kind);
        match u8::try_from(gap) {
            Ok(few @ 0..=14) => self.nibbles.put(few),
            Ok(_) | Err(_) => {
                self.nibbles.put(15);
                self.nibbles.count(gap - 15);
            }
        }
    }
}
