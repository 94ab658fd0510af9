//! Reads the tokens of JSON: strings, numbers, literals, space.

use std::ops::Range;

use super::{Fault, ScanError};

/// A string in the body.
pub(super) struct StringToken {
    /// Without the quotes.
    pub(super) inner: Range<usize>,
    /// Whether a backslash is in it.
    pub(super) has_escapes: bool,
}

/// A place in the body.
pub(super) struct Cursor<'a> {
    /// The whole body.
    pub(super) bytes: &'a [u8],
    /// How much of it has been read.
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// Checks the whole body at once, so that nothing after it needs to.
    pub(super) fn check_encoding(&mut self) -> Result<(), ScanError> {
        if self.bytes.starts_with(b"\xef\xbb\xbf") {
            return self.fail(Fault::Syntax("leave out the byte order mark"));
        }
        if let Err(error) = std::str::from_utf8(self.bytes) {
            self.at = error.valid_up_to();
            return self.fail(Fault::Syntax("the body must be UTF-8"));
        }
        Ok(())
    }

    /// Reads a string; the cursor is at its first quote.
    pub(super) fn string(&mut self) -> Result<StringToken, ScanError> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += plain_len(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    let inner = start..self.at;
                    self.at += 1;
                    return Ok(StringToken { inner, has_escapes });
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => {
                    return self.fail(Fault::Syntax("a control character in a string; escape it"));
                }
                None => return self.fail(Fault::Syntax("a string does not end")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        self.at += match self.bytes.get(self.at + 1..).unwrap_or_default() {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(|x| x.is_ascii_hexdigit()) => 6,
            _ => return self.fail(Fault::Syntax("an escape that JSON does not have")),
        };
        Ok(())
    }

    /// Reads a number.
    pub(super) fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { self.fail(Fault::Syntax("a digit should be here")) } else { Ok(()) }
    }

    /// Reads this word.
    pub(super) fn literal(&mut self, word: &[u8]) -> Result<(), ScanError> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return self.fail(Fault::Syntax("a value should be here"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Reads what JSON calls white space.
    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte, not read.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Refuses the body for what is at the cursor.
    pub(super) fn fail<T>(&self, fault: Fault) -> Result<T, ScanError> {
        Err(ScanError { fault, at: self.at })
    }

    /// The bytes at a range.
    pub(super) fn slice(&self, range: &Range<usize>) -> &'a [u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }
}

/// How many bytes pass before one that ends or interrupts a string: a quote, a backslash or a
/// control character. Eight at a time.
pub(super) fn plain_len(text: &[u8]) -> usize {
    let (words, tail) = text.as_chunks::<8>();
    let mut len = 0;
    for word in words {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return len + found.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    len + tail.iter().take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\')).count()
}

/// Sets the highest bit of each byte that is a quote, a backslash or below 0x20. A borrow may
/// set it in bytes after the first such byte too, never before it.
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c))
}
