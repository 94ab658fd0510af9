//! Words of a text, counted and found many bytes at a time: in most reports few words change, and
//! everything between them is only passed over.

/// Bytes that are counted at a time; not more than a byte counts to.
const BLOCK: usize = 64;

/// Digits of the largest number that is told apart from other words.
const DIGITS: usize = 18;

/// Letters, digits and the two signs that nonces have besides. Everything else parts words. Worked out
/// from the byte where many are looked at at once.
const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'_') | (byte == b'-')
}

/// The same of every byte, for where one is looked at after the other.
static OF_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest = table.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((first, behind)) = rest.split_first_mut() {
        *first = is_of_word(byte);
        byte = byte.wrapping_add(1);
        rest = behind;
    }
    table
};

fn in_word(byte: &u8) -> bool {
    OF_WORD.get(usize::from(*byte)).is_some_and(|of_word| *of_word)
}

/// Which words are counted, by their first byte.
pub(super) trait Which {
    fn begins(byte: u8) -> bool;
}

/// All words.
pub(super) struct Any;

/// Those that begin with a digit, as numbers do.
pub(super) struct Digit;

impl Which for Any {
    fn begins(byte: u8) -> bool {
        is_of_word(byte)
    }
}

impl Which for Digit {
    fn begins(byte: u8) -> bool {
        byte.is_ascii_digit()
    }
}

/// Each block of a text, beside the bytes that stand one further on.
fn blocks(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.chunks(BLOCK).zip(text.get(1..).unwrap_or_default().chunks(BLOCK))
}

fn begins<W: Which>((before, byte): (&u8, &u8)) -> bool {
    !is_of_word(*before) & W::begins(*byte)
}

fn in_block<W: Which>((before, now): (&[u8], &[u8])) -> usize {
    usize::from(before.iter().zip(now).map(|pair| u8::from(begins::<W>(pair))).sum::<u8>())
}

/// How many such words begin in a text; nothing of a word stands before it.
pub(super) fn count<W: Which>(text: &[u8]) -> usize {
    let first = text.first().is_some_and(|byte| W::begins(*byte));
    usize::from(first) + blocks(text).map(in_block::<W>).sum::<usize>()
}

/// Where such a word begins, behind so many others.
pub(super) fn find<W: Which>(text: &[u8], others: usize) -> Option<usize> {
    let mut left = others;
    if text.first().is_some_and(|byte| W::begins(*byte)) {
        if left == 0 {
            return Some(0);
        }
        left -= 1;
    }
    for (number, (before, now)) in blocks(text).enumerate() {
        let here = in_block::<W>((before, now));
        if left < here {
            let mut pairs = before.iter().zip(now).enumerate();
            let found = pairs.by_ref().filter(|(_, pair)| begins::<W>(*pair)).nth(left);
            return found.map(|(at, _)| number * BLOCK + at + 1);
        }
        left -= here;
    }
    None
}

/// Bytes of the word that a text begins with.
pub(super) fn word(text: &[u8]) -> usize {
    text.iter().position(|byte| !in_word(byte)).unwrap_or(text.len())
}

/// Bytes before the first word of a text.
pub(super) fn before_word(text: &[u8]) -> usize {
    text.iter().position(in_word).unwrap_or(text.len())
}

/// Bytes before the word that a text ends with.
pub(super) fn before_last(text: &[u8]) -> usize {
    text.iter().rposition(|byte| !in_word(byte)).map_or(0, |at| at + 1)
}

/// Bytes up to the end of the last word of a text, which may end with more.
pub(super) fn behind_last(text: &[u8]) -> usize {
    text.iter().rposition(in_word).map_or(0, |at| at + 1)
}

/// Bytes that two texts begin with alike.
pub(super) fn alike(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.chunks_exact(BLOCK).zip(other.chunks_exact(BLOCK));
    let whole = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let rest = one.iter().zip(other).skip(whole);
    whole + rest.take_while(|(a, b)| a == b).count()
}

/// What two texts have before the ends at which only words differ. Both are behind a word, or at the
/// begin of everything.
pub(super) fn before_alike<'t>(mut one: &'t [u8], mut other: &'t [u8]) -> (&'t [u8], &'t [u8]) {
    while !one.is_empty() && !other.is_empty() {
        let [(a, end_a), (b, end_b)] = [one, other].map(|text| text.split_at(before_last(text)));
        let [(a, fence_a), (b, fence_b)] = [a, b].map(|text| text.split_at(behind_last(text)));
        if fence_a != fence_b || end_a.is_empty() != end_b.is_empty() {
            break;
        }
        (one, other) = (a, b);
    }
    (one, other)
}

/// The number that a word is, if it is one and is written as numbers are.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    let (first, rest) = word.split_first()?;
    if word.len() > DIGITS || (*first == b'0' && !rest.is_empty()) {
        return None;
    }
    word.iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}
