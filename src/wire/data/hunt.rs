//! Finds private and preshared keys in JSON text by walking over its tokens, without building
//! values and without recursion.

use std::borrow::Cow;
use std::ops::Range;

use super::{dump, secret};

/// A part of the JSON text that must not be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire) struct Secret {
    /// Where it stands.
    pub(in crate::wire) range: Range<usize>,
    /// Whether it is a whole JSON value, so that its replacement needs quotes.
    pub(in crate::wire) whole_value: bool,
}

/// Every secret in the text, in order. Text that is not JSON gives some answer and no panic.
pub(in crate::wire) fn find(json: &str) -> Vec<Secret> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = next_quote(json, at) {
        let close = string_end(json, open);
        at = close;
        let Some(value) = member_value(json, close) else { continue };
        let name = name_text(json, open..close);
        if secret::is_secret_name(&name) {
            at = secret_member(json, value, &mut found);
        } else if name == secret::DUMP_MEMBER && json.as_bytes().get(value) == Some(&b'"') {
            at = string_end(json, value);
            let inside = (value + 1).min(at)..at.saturating_sub(1).max(value + 1);
            dump::secrets(json.get(inside).unwrap_or_default(), |range| {
                found.push(Secret {
                    range: value + 1 + range.start..value + 1 + range.end,
                    whole_value: false,
                });
            });
        } else {
            at = value;
        }
    }
    found
}

/// Judges the value of a member named like a key; returns where to go on.
fn secret_member(json: &str, value: usize, found: &mut Vec<Secret>) -> usize {
    let end = match json.as_bytes().get(value) {
        Some(b'"') => string_end(json, value),
        Some(b'[' | b'{') => container_end(json, value),
        _ => return value,
    };
    if secret::is_secret_value(json.get(value..end).unwrap_or_default()) {
        found.push(Secret { range: value..end, whole_value: true });
    }
    end
}

/// The next quote at or after `from`; outside strings it opens one.
pub(super) fn next_quote(json: &str, from: usize) -> Option<usize> {
    let rest = json.as_bytes().get(from..)?;
    rest.iter().position(|byte| *byte == b'"').map(|offset| from + offset)
}

/// The place after the string that opens at `open`.
pub(super) fn string_end(json: &str, open: usize) -> usize {
    let bytes = json.as_bytes();
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where the value of a member begins, if the string that ends at `close` is a member's name.
fn member_value(json: &str, close: usize) -> Option<usize> {
    let colon = skip_space(json, close);
    (json.as_bytes().get(colon) == Some(&b':')).then(|| skip_space(json, colon + 1))
}

fn skip_space(json: &str, from: usize) -> usize {
    let rest = json.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The place after the list or object that opens at `open`.
fn container_end(json: &str, open: usize) -> usize {
    let bytes = json.as_bytes();
    let (mut depth, mut at) = (0_usize, open);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(json, at);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// What a member's name, given with its quotes, says.
fn name_text(json: &str, quoted: Range<usize>) -> Cow<'_, str> {
    let quoted = json.get(quoted).unwrap_or_default();
    if quoted.contains('\\') {
        serde_json::from_str::<String>(quoted).unwrap_or_default().into()
    } else {
        quoted.trim_matches('"').into()
    }
}
