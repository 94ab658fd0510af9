//! Words that are expected to change: what is told beside two texts, as it would stand in them.

use std::io::Write as _;

use super::words::{before_word, word};
use super::{Beside, Text, behind};

/// How far into a text they are looked for: what goes before `data` and its first members.
const HEAD_BYTES: usize = 1024;

/// What is told beside a text, as it would stand in it.
struct Written<'a> {
    word: &'a str,
    /// Twenty characters hold any number.
    numbers: [([u8; 20], usize); 3],
}

impl<'a> Written<'a> {
    fn of(beside: &Beside<'a>) -> Self {
        let written = |number: Option<i64>| {
            let mut digits = [0; 20];
            let mut room = digits.as_mut_slice();
            let fits = number.is_some_and(|number| write!(room, "{number}").is_ok());
            let left = room.len();
            (digits, if fits { 20 - left } else { 0 })
        };
        Self { word: beside.word, numbers: beside.numbers.map(written) }
    }

    fn words(&self) -> [&[u8]; 4] {
        let [a, b, c] =
            self.numbers.each_ref().map(|(digits, len)| digits.get(..*len).unwrap_or_default());
        [self.word.as_bytes(), a, b, c]
    }
}

/// The earlier text as the later one probably is: each word that is told beside it is, where it stands
/// first, the one that is told beside the later one.
pub(super) fn renewed(earlier: Text<'_>, later: &Beside<'_>) -> Vec<u8> {
    let (was, is) = (Written::of(&earlier.beside), Written::of(later));
    let pairs = was.words().into_iter().zip(is.words());
    let is_told = |(was, is): &(&[u8], &[u8])| !was.is_empty() && !is.is_empty() && was != is;
    let mut pairs: Vec<_> = pairs.filter(is_told).collect();
    let mut made = Vec::with_capacity(earlier.bytes.len() + 64);
    let (mut rest, mut copied) = (earlier.bytes, earlier.bytes);
    while !pairs.is_empty() && !rest.is_empty() && earlier.bytes.len() - rest.len() < HEAD_BYTES {
        let start = behind(rest, before_word(rest));
        let (found, next) = start.split_at(word(start));
        if let Some(at) = pairs.iter().position(|(was, _)| *was == found) {
            made.extend_from_slice(copied.split_at(copied.len() - start.len()).0);
            made.extend_from_slice(pairs.remove(at).1);
            copied = next;
        }
        rest = next;
    }
    made.extend_from_slice(copied);
    made
}
