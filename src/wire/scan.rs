//! One pass over a body before anything else looks at it: is it JSON (RFC 8259), is it UTF-8,
//! how deep, how wide, does any object name a member twice.
//!
//! What passes here can be read by anything later without surprises: recursion is bounded,
//! every reader sees the same members, and the place of each top-level member is known, so
//! that the head of an envelope is never parsed twice. Never recurses; allocates a few small
//! buffers per body, and per member name only for names written with escapes.

mod cursor;
mod names;

use std::ops::Range;

use thiserror::Error;

use super::limits::{BODY_DEPTH, DATA_DEPTH, STRING_BYTES};

use cursor::{Cursor, StringToken};
use names::Names;

/// Members whose value is other bytes in base64.
const LONG_MEMBERS: [&[u8]; 2] = [b"data_b64", b"inner_b64"];

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
    scanner.cursor.check_encoding()?;
    scanner.cursor.skip_space();
    if scanner.cursor.peek() != Some(b'{') {
        return scanner.cursor.fail(Fault::Syntax("the body must be an object"));
    }
    scanner.members.reserve(12);
    scanner.run()?;
    Ok(scanner.members)
}

/// Scans a `data` that travelled outside an envelope (`data_b64`).
pub fn data(data: &[u8]) -> Result<(), ScanError> {
    let mut scanner = Scanner::new(data, Place::Data { depth: 0 });
    scanner.cursor.check_encoding()?;
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
    /// Where its names begin among all.
    names_from: usize,
}

struct Scanner<'a> {
    cursor: Cursor<'a>,
    place: Place,
    frames: Vec<Frame>,
    names: Names<'a>,
    members: Vec<Member>,
    /// The member name just read was `labels` directly in `data`.
    is_map_next: bool,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8], place: Place) -> Self {
        Self {
            cursor: Cursor { bytes, at: 0 },
            place,
            frames: Vec::with_capacity(BODY_DEPTH),
            names: Names::new(bytes),
            members: Vec::new(),
            is_map_next: false,
        }
    }

    fn run(&mut self) -> Result<(), ScanError> {
        let mut next = Next::Value;
        loop {
            self.cursor.skip_space();
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
            member.value.start = self.cursor.at;
        }
        let Some(first) = self.cursor.peek() else {
            return self.cursor.fail(Fault::Syntax("the body ends where a value should be"));
        };
        match first {
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'"' => {
                let token = self.cursor.string()?;
                self.check_value_length(&token, is_member)?;
            }
            b'-' | b'0'..=b'9' => self.cursor.number()?,
            b't' => self.cursor.literal(b"true")?,
            b'f' => self.cursor.literal(b"false")?,
            b'n' => self.cursor.literal(b"null")?,
            _ => return self.cursor.fail(Fault::Syntax("a value should be here")),
        }
        self.end_value();
        Ok(Next::CommaOrEnd)
    }

    /// Strings outside `data` are short, except what travels in base64, whose own limit comes
    /// later.
    fn check_value_length(&self, token: &StringToken, is_member: bool) -> Result<(), ScanError> {
        if self.place != Place::Envelope || token.inner.len() <= STRING_BYTES {
            return Ok(());
        }
        let is_long = is_member
            && self
                .members
                .last()
                .is_some_and(|member| LONG_MEMBERS.contains(&self.cursor.slice(&member.name)));
        if is_long { Ok(()) } else { self.cursor.fail(Fault::StringLength(STRING_BYTES)) }
    }

    fn open(&mut self, is_object: bool) -> Result<Next, ScanError> {
        let depth = self.frames.len() + 1;
        if let Place::Data { depth: outside } = self.place
            && depth - outside > DATA_DEPTH
        {
            return self.cursor.fail(Fault::Depth(DATA_DEPTH));
        }
        if depth > BODY_DEPTH {
            return self.cursor.fail(Fault::Depth(BODY_DEPTH));
        }
        let is_map = std::mem::take(&mut self.is_map_next);
        self.frames.push(Frame { is_object, is_map, names_from: self.names.open() });
        self.cursor.at += 1;
        self.cursor.skip_space();
        let (end, next) = if is_object { (b'}', Next::Name) } else { (b']', Next::Value) };
        if self.cursor.peek() == Some(end) {
            self.close()?;
            return Ok(Next::CommaOrEnd);
        }
        Ok(next)
    }

    fn close(&mut self) -> Result<(), ScanError> {
        if let Some(frame) = self.frames.pop() {
            self.names.close(frame.names_from).or_else(|fault| self.cursor.fail(fault))?;
        }
        self.cursor.at += 1;
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
            member.value.end = self.cursor.at;
        }
    }

    fn comma_or_end(&mut self) -> Result<Option<Next>, ScanError> {
        let Some(frame) = self.frames.last() else {
            if self.cursor.at == self.cursor.bytes.len() {
                return Ok(None);
            }
            return self.cursor.fail(Fault::Syntax("there is something after the end"));
        };
        match (self.cursor.peek(), frame.is_object) {
            (Some(b','), true) => {
                self.cursor.at += 1;
                Ok(Some(Next::Name))
            }
            (Some(b','), false) => {
                self.cursor.at += 1;
                Ok(Some(Next::Value))
            }
            (Some(b'}'), true) | (Some(b']'), false) => {
                self.close()?;
                Ok(Some(Next::CommaOrEnd))
            }
            (_, true) => self.cursor.fail(Fault::Syntax("a comma or } should be here")),
            (_, false) => self.cursor.fail(Fault::Syntax("a comma or ] should be here")),
        }
    }

    fn name(&mut self) -> Result<Next, ScanError> {
        if self.cursor.peek() != Some(b'"') {
            return self
                .cursor
                .fail(Fault::Syntax("a member name in double quotes should be here"));
        }
        let token = self.cursor.string()?;
        if token.inner.len() > STRING_BYTES {
            return self.cursor.fail(Fault::StringLength(STRING_BYTES));
        }
        self.cursor.skip_space();
        if self.cursor.peek() != Some(b':') {
            return self.cursor.fail(Fault::Syntax("a colon should be here"));
        }
        self.cursor.at += 1;
        if let Some(frame) = self.frames.last() {
            let added = self.names.add(&token, frame.names_from, frame.is_map);
            added.or_else(|fault| self.cursor.fail(fault))?;
        }
        let is_top = self.is_in_envelope_object();
        let depth = self.frames.len();
        match self.place {
            Place::Envelope if is_top => {
                if self.names.is_last(b"data") {
                    self.place = Place::Data { depth };
                }
                self.members.push(Member { name: token.inner, value: 0..0 });
            }
            Place::Envelope => {}
            Place::Data { depth: outside } => {
                self.is_map_next = depth == outside + 1 && self.names.is_last(b"labels");
            }
        }
        Ok(Next::Value)
    }

    fn is_in_envelope_object(&self) -> bool {
        self.frames.len() == 1 && self.place != Place::Data { depth: 0 }
    }
}

#[cfg(test)]
mod tests;
