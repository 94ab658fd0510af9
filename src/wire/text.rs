//! JSON strings: from the bytes between the quotes to the text they mean.
//!
//! Works only on strings that [`super::scan`] has accepted.

use std::borrow::Cow;

/// The text of a JSON string token, quotes included; `None` if the token is not a string or
/// means no valid text (half a surrogate pair).
pub fn of_token(token: &[u8]) -> Option<Cow<'_, str>> {
    let inner = token.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.contains(&b'\\') {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    let mut text = Vec::with_capacity(inner.len());
    unescape(inner, &mut text);
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// Appends what the bytes between the quotes mean.
///
/// Half a surrogate pair is written as if it were a character, so that bytewise order of the
/// results is the order of code points for every input, which is how Python sorts.
pub fn unescape(inner: &[u8], out: &mut Vec<u8>) {
    let mut rest = inner;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(slash);
        out.extend_from_slice(plain);
        let (code, len) = match escape {
            [_, b'u', tail @ ..] => unicode(tail),
            [_, b'b', ..] => (8, 2),
            [_, b't', ..] => (9, 2),
            [_, b'n', ..] => (10, 2),
            [_, b'f', ..] => (12, 2),
            [_, b'r', ..] => (13, 2),
            [_, other, ..] => (u32::from(*other), 2),
            _ => (u32::from(b'\\'), 1),
        };
        push_code(code, out);
        rest = escape.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// The code point after `\u`, and the length of the whole escape.
fn unicode(tail: &[u8]) -> (u32, usize) {
    let high = hex4(tail);
    if (0xd800..0xdc00).contains(&high)
        && let Some([b'\\', b'u', low @ ..]) = tail.get(4..)
    {
        let low = hex4(low);
        if (0xdc00..0xe000).contains(&low) {
            return (0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12);
        }
    }
    (high, 6)
}

fn hex4(digits: &[u8]) -> u32 {
    digits
        .iter()
        .take(4)
        .fold(0, |value, digit| value << 4 | char::from(*digit).to_digit(16).unwrap_or(0))
}

fn push_code(code: u32, out: &mut Vec<u8>) {
    if let Some(character) = char::from_u32(code) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    // A lone surrogate: the three bytes UTF-8 would have given it.
    for byte in [0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f] {
        out.extend(u8::try_from(byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_tokens() {
        for (token, text) in [
            (r#""plain""#, Some("plain")),
            (r#""""#, Some("")),
            (r#""a\n\t\"\\\/\b\f\rz""#, Some("a\n\t\"\\/\u{8}\u{c}\rz")),
            (r#""\u00e9\ud83d\ude00""#, Some("é😀")),
            (r#""é😀""#, Some("é😀")),
            (r#""\ud83d""#, None),
            (r#""\ud83dx""#, None),
            (r#""\ude00\ud83d""#, None),
            ("12", None),
            ("null", None),
            ("\"", None),
        ] {
            assert_eq!(of_token(token.as_bytes()).as_deref(), text, "{token}");
        }
    }

    #[test]
    fn order_of_bytes_is_order_of_code_points() {
        let mut words = [r"\ud83d\ude00", r"\ud83d", r"\uffff", r"\u00e9", "z", r"\ud83d\ud83d"]
            .map(|inner| {
                let mut text = Vec::new();
                unescape(inner.as_bytes(), &mut text);
                (text, inner)
            });
        words.sort();
        assert_eq!(
            words.map(|(_, inner)| inner),
            ["z", r"\u00e9", r"\ud83d", r"\ud83d\ud83d", r"\uffff", r"\ud83d\ude00"]
        );
    }
}
