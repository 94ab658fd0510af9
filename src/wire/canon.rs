//! The forms in which a first-generation agent may have signed its `data`.
//!
//! Agents that sign one serialisation and send another differ in white space and in the order
//! of members only. A form therefore moves tokens and the space between them, and never
//! rewrites a number or a string: `1.0` stays `1.0`, an escape stays an escape.
//! Works on bytes that [`super::scan`] has accepted; memory grows with the number of tokens,
//! and nothing recurses.

use std::borrow::Cow;

use crate::model::state::CanonForm;

use super::text::unescape;

/// The bytes of `data` in a form; no copy for [`CanonForm::Raw`].
pub fn form(data: &[u8], form: CanonForm) -> Cow<'_, [u8]> {
    match form {
        CanonForm::Raw => Cow::Borrowed(data),
        CanonForm::Compact => Cow::Owned(write(data, COMPACT, false)),
        CanonForm::CompactSorted => Cow::Owned(write(data, COMPACT, true)),
        CanonForm::Spaced => Cow::Owned(write(data, SPACED, false)),
        CanonForm::SpacedSorted => Cow::Owned(write(data, SPACED, true)),
    }
}

/// What stands between values, and between a name and its value.
#[derive(Clone, Copy)]
struct Separators {
    comma: &'static [u8],
    colon: &'static [u8],
}

const COMPACT: Separators = Separators { comma: b",", colon: b":" };

/// What Python's `json.dumps` writes by default.
const SPACED: Separators = Separators { comma: b", ", colon: b": " };

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A string, number or literal.
    Scalar,
    /// `{` or `[`.
    Open { is_object: bool },
    /// `}` or `]`.
    Close,
}

#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
    /// The token after this value: past the matching end of a container.
    next: usize,
}

/// The tokens of `data` without commas, colons and space; a member is a scalar (its name)
/// followed by its value.
fn tokens(data: &[u8]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(data.len() / 8);
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(byte) = data.get(at) {
        let start = at;
        let index = tokens.len();
        let (kind, len) = match byte {
            b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' => {
                at += 1;
                continue;
            }
            b'{' | b'[' => {
                open.push(index);
                (Kind::Open { is_object: *byte == b'{' }, 1)
            }
            b'}' | b']' => {
                if let Some(token) = open.pop().and_then(|opened: usize| tokens.get_mut(opened)) {
                    token.next = index + 1;
                }
                (Kind::Close, 1)
            }
            b'"' => (Kind::Scalar, string_len(data.get(at..).unwrap_or_default())),
            _ => (Kind::Scalar, bare_len(data.get(at..).unwrap_or_default())),
        };
        at += len;
        tokens.push(Token { kind, start, end: at, next: index + 1 });
    }
    tokens
}

/// Length of the string that starts here, quotes included.
fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(stop) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
            return text.len();
        };
        if rest.get(stop) == Some(&b'"') {
            return at + stop + 1;
        }
        at += stop + 2;
    }
}

/// Length of the number or literal that starts here.
fn bare_len(text: &[u8]) -> usize {
    let is_end =
        |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t');
    text.iter().position(is_end).unwrap_or(text.len()).max(1)
}

/// A container being written.
struct Frame {
    is_object: bool,
    is_first: bool,
    /// Sorted objects: the position in `Writer::order` of the next member. Else: the next token.
    next: usize,
    /// One past the last such position.
    end: usize,
    /// Where this object's members begin in `Writer::order`.
    order_from: usize,
}

struct Writer<'a> {
    data: &'a [u8],
    tokens: Vec<Token>,
    separators: Separators,
    is_sorted: bool,
    out: Vec<u8>,
    frames: Vec<Frame>,
    /// Names of the members of open objects, each object's sorted: indexes of tokens.
    order: Vec<usize>,
}

fn write(data: &[u8], separators: Separators, is_sorted: bool) -> Vec<u8> {
    let tokens = tokens(data);
    let out = Vec::with_capacity(data.len() + data.len() / 8);
    let mut writer =
        Writer { data, tokens, separators, is_sorted, out, frames: Vec::new(), order: Vec::new() };
    writer.value(0);
    while writer.step() {}
    writer.out
}

impl<'a> Writer<'a> {
    fn token(&self, index: usize) -> Option<Token> {
        self.tokens.get(index).copied()
    }

    fn bytes(&self, token: Token) -> &'a [u8] {
        self.data.get(token.start..token.end).unwrap_or_default()
    }

    fn put(&mut self, index: usize) {
        if let Some(token) = self.token(index) {
            self.out.extend_from_slice(self.bytes(token));
        }
    }

    /// Writes a scalar, or opens a container and leaves its content to [`Self::step`].
    fn value(&mut self, index: usize) {
        self.put(index);
        let Some(Token { kind: Kind::Open { is_object }, next, .. }) = self.token(index) else {
            return;
        };
        let order_from = self.order.len();
        let (next, end) = if is_object && self.is_sorted {
            self.collect_sorted(index + 1, next - 1);
            (order_from, self.order.len())
        } else {
            (index + 1, next - 1)
        };
        self.frames.push(Frame { is_object, is_first: true, next, end, order_from });
    }

    /// Writes the next item of the innermost container, or closes it; false at the end.
    fn step(&mut self) -> bool {
        let is_sorted = self.is_sorted;
        let Some(frame) = self.frames.last_mut() else { return false };
        let is_object = frame.is_object;
        if frame.next >= frame.end {
            self.out.push(if is_object { b'}' } else { b']' });
            let order_from = frame.order_from;
            self.order.truncate(order_from);
            self.frames.pop();
            return true;
        }
        let is_first = std::mem::take(&mut frame.is_first);
        let item = if is_object && is_sorted {
            let position = frame.next;
            frame.next += 1;
            self.order.get(position).copied().unwrap_or(usize::MAX)
        } else {
            let value = frame.next + usize::from(is_object);
            let item = frame.next;
            frame.next = self.tokens.get(value).map_or(usize::MAX, |token| token.next);
            item
        };
        if !is_first {
            self.out.extend_from_slice(self.separators.comma);
        }
        if is_object {
            self.put(item);
            self.out.extend_from_slice(self.separators.colon);
            self.value(item.saturating_add(1));
        } else {
            self.value(item);
        }
        true
    }

    /// Appends the names of an object's members to `order`, sorted by code points.
    fn collect_sorted(&mut self, mut name: usize, end: usize) {
        let from = self.order.len();
        let mut has_escapes = false;
        while name < end {
            self.order.push(name);
            has_escapes |= self.token(name).is_some_and(|token| self.bytes(token).contains(&b'\\'));
            name = self.token(name + 1).map_or(usize::MAX, |value| value.next);
        }
        let (data, tokens) = (self.data, &self.tokens);
        let inner = |name: &usize| {
            let token = tokens.get(*name);
            token.and_then(|t| data.get(t.start + 1..t.end - 1)).unwrap_or_default()
        };
        let Some(names) = self.order.get_mut(from..) else { return };
        if has_escapes {
            names.sort_by_cached_key(|name| {
                let mut text = Vec::new();
                unescape(inner(name), &mut text);
                text
            });
        } else {
            names.sort_unstable_by(|a, b| inner(a).cmp(inner(b)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(data: &str) -> [String; 5] {
        let text = |f| String::from_utf8(form(data.as_bytes(), f).into_owned()).unwrap();
        [
            text(CanonForm::Raw),
            text(CanonForm::Compact),
            text(CanonForm::CompactSorted),
            text(CanonForm::Spaced),
            text(CanonForm::SpacedSorted),
        ]
    }

    #[test]
    fn tokens_move_and_never_change() {
        let data = "{ \"b\" : [1.0,\t1e-07 , {\"z\":\"a , : b\",\"a\":{ } } ],\n\"a\":\"\\u00e9\\\"\",\"\\u0041\":-0}";
        let [raw, compact, compact_sorted, spaced, spaced_sorted] = forms(data);
        assert_eq!(raw, data);
        assert_eq!(
            compact,
            r#"{"b":[1.0,1e-07,{"z":"a , : b","a":{}}],"a":"\u00e9\"","\u0041":-0}"#
        );
        assert_eq!(
            compact_sorted,
            r#"{"\u0041":-0,"a":"\u00e9\"","b":[1.0,1e-07,{"a":{},"z":"a , : b"}]}"#
        );
        assert_eq!(
            spaced,
            r#"{"b": [1.0, 1e-07, {"z": "a , : b", "a": {}}], "a": "\u00e9\"", "\u0041": -0}"#
        );
        assert_eq!(
            spaced_sorted,
            r#"{"\u0041": -0, "a": "\u00e9\"", "b": [1.0, 1e-07, {"a": {}, "z": "a , : b"}]}"#
        );
    }

    #[test]
    fn values_that_are_no_objects() {
        for (data, compact) in
            [(" 1 ", "1"), ("[ ]", "[]"), ("\"x y\"", "\"x y\""), ("[[1 ,2],{}]", "[[1,2],{}]")]
        {
            let [_, found, sorted, ..] = forms(data);
            assert_eq!((found.as_str(), sorted.as_str()), (compact, compact));
        }
    }

    #[test]
    fn bytes_that_never_passed_the_scan_do_no_harm() {
        for data in ["", "{", "[", "}", "\"", "{\"a\"", "{\"a\":", "\"\\", "]]", "{1:{", ":,"] {
            forms(data);
        }
    }
}
