//! A text as what differs from an earlier one of the same kind: numbers by how much they have
//! grown, words by their digits, and nothing of what stayed.
//!
//! Much smaller and cheaper than a frame for what hosts report, where counters move and the rest
//! stays. Any text comes back byte for byte against any other. Must never write beyond the room
//! there is, nor look at the earlier text twice.
//!
//! Notes in half bytes ([`nibbles`]), each about a word of the earlier text ([`words`]):
//!
//! | first half byte | then | means |
//! |---|---|---|
//! | 0 to 12 | gap, one half byte more than this: `d` | a number that has grown by `d` |
//! | 13 | gap, how many less one, so many: `d` | a number that has become less by `d` |
//! | 14 | gap, how it is written, how long it is, the word | another word |
//! | 15 | gap, bytes left out, bytes put in, these | other bytes behind a word |
//!
//! The gap says how many words since the last note are passed over, for 0 to 13 only those that begin
//! with a digit: up to 14 in one half byte, or 15 and a count of those beyond. What is passed over is
//! as it was. A lone 15 at the end is none.
//!
//! Before that, what is known beside the texts ([`Beside`]) is put into the earlier one, in place of
//! its own.

mod beside;
mod making;
mod nibbles;
mod notes;
mod spell;
mod words;

use thiserror::Error;

use beside::renewed;
use making::Making;
use nibbles::{END, Reader};
use notes::Notes;
use words::{alike, before_alike, before_last, behind_last, word};

/// A text, and what is told of it beside it.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The text.
    pub bytes: &'a [u8],
    /// What whoever unpacks it knows, too.
    pub beside: Beside<'a>,
}

/// What is known of a text without it, and probably in it.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// A word.
    pub word: &'a str,
    /// Numbers, in an order that is always the same.
    pub numbers: [Option<i64>; 3],
}

/// What is packed does not fit the earlier text, or makes more than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not what differs from that text, or more than there is room for")]
pub struct Unlike;

/// Packs a text against an earlier one into the buffer, in place of what is there.
pub fn pack(text: Text<'_>, against: Text<'_>, buffer: &mut Vec<u8>) {
    buffer.clear();
    let earlier = renewed(against, &text.beside);
    let mut notes = Notes::new(buffer);
    let (mut old, mut new) = (earlier.as_slice(), text.bytes);
    loop {
        let same = alike(old, new);
        if same == old.len() && same == new.len() {
            break;
        }
        let (passed, _) = old.split_at(same);
        let at = before_last(passed);
        let [was, is] = [old, new].map(|text| {
            let rest = behind(text, at);
            rest.split_at(word(rest)).0
        });
        if was.is_empty() || is.is_empty() {
            // Not only words differ.
            let at = behind_last(passed.split_at(at).0);
            let (out, put) = before_alike(behind(old, at), behind(new, at));
            notes.other(old.split_at(at).0, out.len(), put);
            (old, new) = (behind(old, at + out.len()), behind(new, at + put.len()));
        } else {
            notes.word(old.split_at(at).0, was, is);
            (old, new) = (behind(old, at + was.len()), behind(new, at + is.len()));
        }
    }
    notes.finish();
}

/// The text that was packed, at most `room` bytes, of which the rest is told.
pub fn unpack(
    packed: &[u8],
    against: Text<'_>,
    (beside, room): (Beside<'_>, usize),
) -> Result<Vec<u8>, Unlike> {
    let earlier = renewed(against, &beside);
    let mut making = Making::new(&earlier, room);
    let mut notes = Reader::new(packed);
    while let Some(kind) = notes.take() {
        if kind == END && notes.is_done() {
            break;
        }
        making.follow(kind, &mut notes)?;
    }
    making.finish()
}

/// What stands behind so many bytes.
fn behind(text: &[u8], bytes: usize) -> &[u8] {
    text.get(bytes..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
