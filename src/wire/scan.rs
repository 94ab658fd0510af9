//! One pass over a body before anything else looks at it: is it JSON (RFC 8259), is it UTF-8,
//! how deep, how wide, does any object name a member twice.
//!
//! What passes here can be read by anything later without surprises: recursion is bounded,
//! every reader sees the same members, and the place of each top-level member is known, so
//! that the head of an envelope is never parsed twice. Never recurses; allocates a few small
//! buffers per body, and per member name only for names written with escapes.

use std::ops::Range;

use thiserror::Error;

use super::limits::{BODY_DEPTH, DATA_DEPTH, OBJECT_MEMBERS, STRING_BYTES};
use super::text::unescape;

/// Up to this many members, a name is compared with each earlier one; a map with more is
/// sorted once at its end, so that a hostile one costs `n log n`.
const COMPARE_EACH: usize = OBJECT_MEMBERS;

/// A top-level member of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where its name is, without the quotes.
    pub name: Range<usize>,
    /// Where its value is.
    pub value: Range<usize>,
}

/// What is wrong with a body, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{fault} (at byte {at})")]
pub struct ScanError {
    /// What.
    pub fault: Fault,
    /// Bytes before the place where it was noticed.
    pub at: usize,
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Not the grammar of JSON; says what was expected.
    #[error("not JSON: {0}")]
    Syntax(&'static str),
    /// An object names a member twice.
    #[error("the member {0:?} is given twice; send each member once")]
    Duplicate(String),
    /// Nested too deeply.
    #[error("nested more than {0} levels deep; send a flatter body")]
    Depth(usize),
    /// An object with too many members.
    #[error("an object has more than {0} members; send fewer")]
    Members(usize),
    /// A string too long for its place.
    #[error("a string is longer than {0} bytes; send a shorter one")]
    StringLength(usize),
}

/// Scans an envelope: an object whose member `data` may hold anything. Returns its members in
/// the order of the body.
pub fn envelope(body: &[u8]) -> Result<Vec<Member>, ScanError> {
    let mut scanner = Scanner::new(body, Place::Envelope);
    scanner.check_encoding()?;
    scanner.skip_space();
    if scanner.peek() != Some(b'{') {
        return scanner.fail(Fault::Syntax("the body must be an object"));
    }
    scanner.members.reserve(12);
    scanner.run()?;
    Ok(scanner.members)
}

/// Scans a `data` that travelled outside an envelope (`data_b64`).
pub fn data(data: &[u8]) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(data, Place::Data { depth: 0 });
    scanner.check_encoding()?;
    scanner.run()
}

/// Where the scanner is: it decides which limits hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the envelope's own members.
    Envelope,
    /// In the value of `data`, which began with this many containers open.
    Data { depth: usize },
}

/// What may come next.
enum Next {
    Value,
    Name,
    CommaOrEnd,
}

/// A container that is not closed yet.
struct Frame {
    is_object: bool,
    /// A map: its names are values of their own, so their number is not limited.
    is_map: bool,
    /// Where its names begin in `Scanner::names`.
    names_from: usize,
}

/// A member name seen in an object that is not closed yet.
#[derive(Clone, Copy)]
struct Name {
    /// Length and first bytes: tells most names apart without looking at them.
    tag: u64,
    start: usize,
    end: usize,
    /// Whether the range is of `Scanner::unescaped` instead of the body.
    is_unescaped: bool,
}

struct StringToken {
    /// Without the quotes.
    inner: Range<usize>,
    has_escapes: bool,
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    place: Place,
    frames: Vec<Frame>,
    names: Vec<Name>,
    unescaped: Vec<u8>,
    members: Vec<Member>,
    /// The member name just read was `labels` directly in `data`.
    is_map_next: bool,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8], place: Place) -> Self {
        Self {
            bytes,
            at: 0,
            place,
            frames: Vec::with_capacity(BODY_DEPTH),
            names: Vec::with_capacity(2 * OBJECT_MEMBERS),
            unescaped: Vec::new(),
            members: Vec::new(),
            is_map_next: false,
        }
    }

    fn check_encoding(&mut self) -> Result<(), ScanError> {
        if self.bytes.starts_with(b"\xef\xbb\xbf") {
            return self.fail(Fault::Syntax("leave out the byte order mark"));
        }
        if let Err(error) = std::str::from_utf8(self.bytes) {
            self.at = error.valid_up_to();
            return self.fail(Fault::Syntax("the body must be UTF-8"));
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), ScanError> {
        let mut next = Next::Value;
        loop {
            self.skip_space();
            next = match next {
                Next::Value => self.value()?,
                Next::Name => self.name()?,
                Next::CommaOrEnd => match self.comma_or_end()? {
                    Some(next) => next,
                    None => return Ok(()),
                },
            }
        }
    }

    fn value(&mut self) -> Result<Next, ScanError> {
        let is_member = self.is_in_envelope_object();
        if is_member && let Some(member) = self.members.last_mut() {
            member.value.start = self.at;
        }
        let Some(first) = self.peek() else {
            return self.fail(Fault::Syntax("the body ends where a value should be"));
        };
        match first {
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'"' => {
                let token = self.string()?;
                self.check_value_length(&token, is_member)?;
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return self.fail(Fault::Syntax("a value should be here")),
        }
        self.end_value();
        Ok(Next::CommaOrEnd)
    }

    /// Strings outside `data` are short, except `data` in base64, whose own limit comes later.
    fn check_value_length(&self, token: &StringToken, is_member: bool) -> Result<(), ScanError> {
        if self.place != Place::Envelope || token.inner.len() <= STRING_BYTES {
            return Ok(());
        }
        let is_data = is_member
            && self.members.last().is_some_and(|member| self.body(&member.name) == b"data_b64");
        if is_data { Ok(()) } else { self.fail(Fault::StringLength(STRING_BYTES)) }
    }

    fn open(&mut self, is_object: bool) -> Result<Next, ScanError> {
        let depth = self.frames.len() + 1;
        if let Place::Data { depth: outside } = self.place
            && depth - outside > DATA_DEPTH
        {
            return self.fail(Fault::Depth(DATA_DEPTH));
        }
        if depth > BODY_DEPTH {
            return self.fail(Fault::Depth(BODY_DEPTH));
        }
        let is_map = std::mem::take(&mut self.is_map_next);
        self.frames.push(Frame { is_object, is_map, names_from: self.names.len() });
        self.at += 1;
        self.skip_space();
        let (end, next) = if is_object { (b'}', Next::Name) } else { (b']', Next::Value) };
        if self.peek() == Some(end) {
            self.close()?;
            return Ok(Next::CommaOrEnd);
        }
        Ok(next)
    }

    fn close(&mut self) -> Result<(), ScanError> {
        if let Some(frame) = self.frames.pop() {
            if self.names.len() - frame.names_from > COMPARE_EACH {
                self.check_sorted(frame.names_from)?;
            }
            self.names.truncate(frame.names_from);
        }
        self.at += 1;
        self.end_value();
        Ok(())
    }

    /// A value has ended just before the cursor.
    fn end_value(&mut self) {
        self.is_map_next = false;
        if self.frames.len() != 1 || self.members.is_empty() {
            return;
        }
        self.place = Place::Envelope;
        if let Some(member) = self.members.last_mut() {
            member.value.end = self.at;
        }
    }

    fn comma_or_end(&mut self) -> Result<Option<Next>, ScanError> {
        let Some(frame) = self.frames.last() else {
            if self.at == self.bytes.len() {
                return Ok(None);
            }
            return self.fail(Fault::Syntax("there is something after the end"));
        };
        match (self.peek(), frame.is_object) {
            (Some(b','), true) => {
                self.at += 1;
                Ok(Some(Next::Name))
            }
            (Some(b','), false) => {
                self.at += 1;
                Ok(Some(Next::Value))
            }
            (Some(b'}'), true) | (Some(b']'), false) => {
                self.close()?;
                Ok(Some(Next::CommaOrEnd))
            }
            (_, true) => self.fail(Fault::Syntax("a comma or } should be here")),
            (_, false) => self.fail(Fault::Syntax("a comma or ] should be here")),
        }
    }

    fn name(&mut self) -> Result<Next, ScanError> {
        if self.peek() != Some(b'"') {
            return self.fail(Fault::Syntax("a member name in double quotes should be here"));
        }
        let token = self.string()?;
        if token.inner.len() > STRING_BYTES {
            return self.fail(Fault::StringLength(STRING_BYTES));
        }
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.fail(Fault::Syntax("a colon should be here"));
        }
        self.at += 1;
        self.remember(&token)?;
        let is_top = self.is_in_envelope_object();
        let depth = self.frames.len();
        match self.place {
            Place::Envelope if is_top => {
                if self.is_named(b"data") {
                    self.place = Place::Data { depth };
                }
                self.members.push(Member { name: token.inner, value: 0..0 });
            }
            Place::Envelope => {}
            Place::Data { depth: outside } => {
                self.is_map_next = depth == outside + 1 && self.is_named(b"labels");
            }
        }
        Ok(Next::Value)
    }

    /// Notes a name of the innermost object, which must be new there.
    fn remember(&mut self, token: &StringToken) -> Result<(), ScanError> {
        let name = if token.has_escapes {
            let inner = self.bytes.get(token.inner.clone()).unwrap_or_default();
            let start = self.unescaped.len();
            unescape(inner, &mut self.unescaped);
            let end = self.unescaped.len();
            let tag = tag(self.unescaped.get(start..).unwrap_or_default(), end - start);
            Name { tag, start, end, is_unescaped: true }
        } else {
            let Range { start, end } = token.inner;
            let tag = tag(self.bytes.get(start..).unwrap_or_default(), end - start);
            Name { tag, start, end, is_unescaped: false }
        };
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let known = self.names.get(frame.names_from..).unwrap_or_default();
        if known.len() >= OBJECT_MEMBERS && !frame.is_map {
            return self.fail(Fault::Members(OBJECT_MEMBERS));
        }
        if known.len() < COMPARE_EACH
            && known.iter().any(|k| k.tag == name.tag && self.text(k) == self.text(&name))
        {
            return self.fail(self.duplicate(&name));
        }
        self.names.push(name);
        Ok(())
    }

    fn check_sorted(&self, from: usize) -> Result<(), ScanError> {
        // Any order that brings equal names together will do; the tags mostly decide.
        let mut names = self.names.get(from..).unwrap_or_default().to_vec();
        names.sort_unstable_by(|a, b| {
            a.tag.cmp(&b.tag).then_with(|| self.text(a).cmp(self.text(b)))
        });
        for pair in names.windows(2) {
            if let [a, b] = pair
                && a.tag == b.tag
                && self.text(a) == self.text(b)
            {
                return self.fail(self.duplicate(a));
            }
        }
        Ok(())
    }

    fn duplicate(&self, name: &Name) -> Fault {
        Fault::Duplicate(String::from_utf8_lossy(self.text(name)).chars().take(64).collect())
    }

    fn text(&self, name: &Name) -> &[u8] {
        let from = if name.is_unescaped { self.unescaped.as_slice() } else { self.bytes };
        from.get(name.start..name.end).unwrap_or_default()
    }

    fn is_named(&self, word: &[u8]) -> bool {
        self.names.last().is_some_and(|name| self.text(name) == word)
    }

    fn is_in_envelope_object(&self) -> bool {
        self.frames.len() == 1 && self.place != Place::Data { depth: 0 }
    }

    fn string(&mut self) -> Result<StringToken, ScanError> {
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

    fn number(&mut self) -> Result<(), ScanError> {
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

    fn literal(&mut self, word: &[u8]) -> Result<(), ScanError> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return self.fail(Fault::Syntax("a value should be here"));
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn body(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn fail<T>(&self, fault: Fault) -> Result<T, ScanError> {
        Err(ScanError { fault, at: self.at })
    }
}

/// Length and first bytes of a name that starts at the start of `text`.
fn tag(text: &[u8], len: usize) -> u64 {
    let first = match text.first_chunk::<8>() {
        Some(chunk) if len >= 8 => u64::from_le_bytes(*chunk),
        Some(chunk) => u64::from_le_bytes(*chunk) & !(u64::MAX << (8 * len)),
        None => text.iter().take(len).rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    first ^ (u64::try_from(len).unwrap_or(u64::MAX) << 56)
}

/// How many bytes pass before one that ends or interrupts a string: a quote, a backslash or a
/// control character. Eight at a time.
fn plain_len(text: &[u8]) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &str) -> Option<Fault> {
        envelope(body.as_bytes()).err().map(|error| error.fault)
    }

    #[test]
    fn finds_the_members() {
        let body = " {\"a\" : 1 , \"data\":{\"x\":[1,{\"a\":2}]},\"b\":\"x\\\"y\"}\n";
        let members = envelope(body.as_bytes()).unwrap();
        let found: Vec<_> =
            members.iter().map(|m| (&body[m.name.clone()], &body[m.value.clone()])).collect();
        assert_eq!(found, [("a", "1"), ("data", r#"{"x":[1,{"a":2}]}"#), ("b", r#""x\"y""#)]);
    }

    #[test]
    fn duplicates_at_every_level_and_through_escapes() {
        for body in [
            r#"{"a":1,"a":1}"#,
            r#"{"data":{"a":1,"b":2,"a":3}}"#,
            r#"{"data":[[{"x":{"abcdefgh1":1,"abcdefgh2":2,"abcdefgh1":3}}]]}"#,
            r#"{"data":{"a":1,"\u0061":2}}"#,
            r#"{"data":{"\u0061":1,"a":2}}"#,
            r#"{"data":{"\ud83d\ude00":1,"😀":2}}"#,
            r#"{"data":{"labels":{"x":"1","x":"2"}}}"#,
            r#"{"data":{"":1,"":2}}"#,
        ] {
            assert!(matches!(fault(body), Some(Fault::Duplicate(_))), "{body}");
        }
        for body in [
            r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#,
            r#"{"data":{"a":1,"A":2}}"#,
            r#"{"data":{"ab":1,"a":2,"abcdefghi":3,"abcdefghj":4}}"#,
            r#"{"data":{"\\u0061":1,"a":2}}"#,
        ] {
            assert_eq!(fault(body), None, "{body}");
        }
    }

    #[test]
    fn a_wide_map_is_allowed_but_not_twice_the_same_name() {
        let labels = |count: usize| -> String {
            (0..count).map(|i| format!("\"k{i}\":\"v\",")).collect::<String>()
        };
        let map = |extra: &str| format!(r#"{{"data":{{"labels":{{{}{extra}}}}}}}"#, labels(500));
        assert_eq!(fault(&map(r#""z":"1""#)), None);
        assert_eq!(fault(&map(r#""k7":"1""#)), Some(Fault::Duplicate("k7".to_owned())));
        assert_eq!(fault(&map(r#""k499":"1""#)), Some(Fault::Duplicate("k499".to_owned())));
        let elsewhere = format!(r#"{{"data":{{"x":{{"labels":{{{}"z":1}}}}}}}}"#, labels(500));
        assert_eq!(fault(&elsewhere), Some(Fault::Members(OBJECT_MEMBERS)));
        let inside = format!(r#"{{"data":{{"labels":{{"a":{{{}"z":1}}}}}}}}"#, labels(500));
        assert_eq!(fault(&inside), Some(Fault::Members(OBJECT_MEMBERS)));
        let outside = format!(r#"{{"labels":{{{}"z":1}}}}"#, labels(500));
        assert_eq!(fault(&outside), Some(Fault::Members(OBJECT_MEMBERS)));
    }

    #[test]
    fn members_are_counted_exactly() {
        let object = |count: usize| {
            let members: Vec<_> = (0..count).map(|i| format!("\"k{i}\":0")).collect();
            format!(r#"{{"data":{{"x":{{{}}}}}}}"#, members.join(","))
        };
        assert_eq!(fault(&object(OBJECT_MEMBERS)), None);
        assert_eq!(fault(&object(OBJECT_MEMBERS + 1)), Some(Fault::Members(OBJECT_MEMBERS)));
    }

    #[test]
    fn depth_is_counted_exactly() {
        let nested = |name: &str, depth: usize| {
            format!("{{\"{name}\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
        };
        assert_eq!(fault(&nested("data", DATA_DEPTH)), None);
        assert_eq!(fault(&nested("data", DATA_DEPTH + 1)), Some(Fault::Depth(DATA_DEPTH)));
        assert_eq!(fault(&nested("other", BODY_DEPTH - 1)), None);
        assert_eq!(fault(&nested("other", BODY_DEPTH)), Some(Fault::Depth(BODY_DEPTH)));
        let alone = |depth: usize| data(&[vec![b'['; depth], vec![b']'; depth]].concat());
        assert_eq!(alone(DATA_DEPTH), Ok(()));
        assert_eq!(alone(DATA_DEPTH + 1).unwrap_err().fault, Fault::Depth(DATA_DEPTH));
        assert_eq!(alone(100_000).unwrap_err().fault, Fault::Depth(DATA_DEPTH));
    }

    #[test]
    fn strings_are_bounded_by_where_they_are() {
        let long = "x".repeat(STRING_BYTES + 1);
        let exact = "x".repeat(STRING_BYTES);
        let too_long = Some(Fault::StringLength(STRING_BYTES));
        assert_eq!(fault(&format!(r#"{{"nonce":"{exact}"}}"#)), None);
        assert_eq!(fault(&format!(r#"{{"nonce":"{long}"}}"#)), too_long);
        assert_eq!(fault(&format!(r#"{{"other":["{long}"]}}"#)), too_long);
        assert_eq!(fault(&format!(r#"{{"data_b64":"{long}"}}"#)), None);
        assert_eq!(fault(&format!(r#"{{"data":{{"wg_dump":"{long}"}}}}"#)), None);
        assert_eq!(fault(&format!(r#"{{"data":{{"{long}":1}}}}"#)), too_long);
        assert_eq!(fault(&format!(r#"{{"data":{{}},"after":"{long}"}}"#)), too_long);
    }

    #[test]
    fn encoding_is_checked() {
        assert!(envelope(b"\xef\xbb\xbf{}").is_err());
        let error = envelope(b"{\"a\":\"\xff\"}").unwrap_err();
        assert_eq!(error.at, 6);
        assert!(envelope("{\"\u{10ffff}\":\"\u{feff}\"}".as_bytes()).is_ok());
        assert!(envelope(b"[]").is_err());
        assert!(envelope(b"").is_err());
    }

    #[test]
    fn every_special_byte_at_every_place() {
        for place in 0..20 {
            for byte in 0..=255 {
                let mut text = [b'a'; 24];
                text[place] = byte;
                let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
                let expected = if is_special { place } else { 24 };
                assert_eq!(plain_len(&text), expected, "{byte:#x} at {place}");
            }
        }
    }
}
