//! The forms in which a first-generation agent may have signed its `data`.
//!
//! Agents that sign one serialisation and send another differ in white space and in the order
//! of members only. A form therefore moves tokens and the space between them, and never
//! rewrites a number or a string: `1.0` stays `1.0`, an escape stays an escape.
//! Works on bytes that [`super::scan`] has accepted; memory grows with the number of tokens,
//! and nothing recurses.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::model::state::CanonForm;

use super::text::unescape;

/// The forms of one `data`. What they share is computed once, when first needed.
#[derive(Debug)]
pub struct Forms<'a> {
    data: &'a [u8],
    tokens: OnceCell<Vec<Token>>,
    links: OnceCell<Vec<usize>>,
}

impl<'a> Forms<'a> {
    /// Of these bytes. Costs nothing until a form other than [`CanonForm::Raw`] is asked for.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, tokens: OnceCell::new(), links: OnceCell::new() }
    }

    /// The bytes of `data` in a form; no copy for [`CanonForm::Raw`].
    pub fn get(&self, form: CanonForm) -> Cow<'a, [u8]> {
        match form {
            CanonForm::Raw => Cow::Borrowed(self.data),
            CanonForm::Compact => Cow::Owned(self.write(COMPACT, &[])),
            CanonForm::CompactSorted => Cow::Owned(self.write(COMPACT, self.links())),
            CanonForm::Spaced => Cow::Owned(self.write(SPACED, &[])),
            CanonForm::SpacedSorted => Cow::Owned(self.write(SPACED, self.links())),
        }
    }

    fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| tokens(self.data))
    }

    fn links(&self) -> &[usize] {
        self.links.get_or_init(|| links(self.data, self.tokens()))
    }

    fn write(&self, separators: Separators, links: &[usize]) -> Vec<u8> {
        let mut writer = Writer {
            data: self.data,
            tokens: self.tokens(),
            separators,
            links,
            out: Vec::with_capacity(self.data.len() + self.data.len() / 8),
            frames: Vec::new(),
        };
        writer.value(0);
        while writer.step() {}
        writer.out
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A string, number or literal.
    Scalar,
    /// `{` or `[`.
    Open { is_object: bool },
    /// `}` or `]`.
    Close,
}

#[derive(Debug, Clone, Copy)]
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

impl Token {
    fn bytes(self, data: &[u8]) -> &[u8] {
        data.get(self.start..self.end).unwrap_or_default()
    }
}

/// Marks the end of a chain of members.
const NONE: usize = usize::MAX;

/// The members of every object in the order of their names' code points: an object's first
/// name at the place of its opening token, the name after each name at the place of that one.
fn links(data: &[u8], tokens: &[Token]) -> Vec<usize> {
    let mut links = vec![NONE; tokens.len()];
    let mut names = Vec::new();
    for (object, token) in tokens.iter().enumerate() {
        if token.kind != (Kind::Open { is_object: true }) {
            continue;
        }
        let mut name = object + 1;
        while name + 1 < token.next {
            let text = tokens.get(name).map(|token| text(data, *token)).unwrap_or_default();
            names.push((first_bytes(&text), text, name));
            name = tokens.get(name + 1).map_or(NONE, |value| value.next);
        }
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        let mut before = object;
        for (_, _, name) in names.drain(..) {
            if let Some(link) = links.get_mut(before) {
                *link = name;
            }
            before = name;
        }
    }
    links
}

/// What a string token means, as bytes whose order is the order of code points.
fn text(data: &[u8], token: Token) -> Cow<'_, [u8]> {
    let inner = data.get(token.start + 1..token.end - 1).unwrap_or_default();
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    unescape(inner, &mut text);
    Cow::Owned(text)
}

/// The first bytes of a text as a number of the same order; most names differ in it.
fn first_bytes(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut padded = [0; 8];
            padded.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(padded)
        }
    }
}

/// A container being written.
struct Frame {
    is_object: bool,
    is_first: bool,
    /// The next item: a value of an array, a name of an object.
    next: usize,
}

struct Writer<'a> {
    data: &'a [u8],
    tokens: &'a [Token],
    separators: Separators,
    /// What [`links`] returns; empty to keep the members as they are.
    links: &'a [usize],
    out: Vec<u8>,
    frames: Vec<Frame>,
}

impl Writer<'_> {
    /// Writes a scalar, or opens a container and leaves its content to [`Self::step`].
    fn value(&mut self, index: usize) {
        let Some(token) = self.tokens.get(index).copied() else { return };
        self.out.extend_from_slice(token.bytes(self.data));
        if let Kind::Open { is_object } = token.kind {
            let next = match self.links.get(index) {
                Some(first) if is_object => *first,
                _ => index + 1,
            };
            self.frames.push(Frame { is_object, is_first: true, next });
        }
    }

    /// Writes the next item of the innermost container, or closes it; false at the end.
    fn step(&mut self) -> bool {
        let Some(frame) = self.frames.last_mut() else { return false };
        let (is_object, item) = (frame.is_object, frame.next);
        let Some(token) = self.tokens.get(item).filter(|token| token.kind != Kind::Close) else {
            self.out.push(if is_object { b'}' } else { b']' });
            self.frames.pop();
            return true;
        };
        frame.next = match self.links.get(item) {
            Some(link) if is_object => *link,
            _ if is_object => self.tokens.get(item + 1).map_or(NONE, |value| value.next),
            _ => token.next,
        };
        if !std::mem::take(&mut frame.is_first) {
            self.out.extend_from_slice(self.separators.comma);
        }
        if is_object {
            self.out.extend_from_slice(token.bytes(self.data));
            self.out.extend_from_slice(self.separators.colon);
            self.value(item + 1);
        } else {
            self.value(item);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(data: &str) -> [String; 5] {
        let forms = Forms::new(data.as_bytes());
        let text = |form| String::from_utf8(forms.get(form).into_owned()).unwrap();
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
