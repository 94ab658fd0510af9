//! A second chance for JSON that is well-formed but holds what no Rust value can.

use zeroize::Zeroizing;

use super::hunt;

/// The text with numbers beyond the range of a double replaced by `null` and lone halves of
/// surrogate pairs by the replacement character; `None` if there are none.
///
/// The copy may hold a private key, so it is wiped after use.
pub(super) fn repair(json: &str) -> Option<Zeroizing<String>> {
    let mut repaired = Zeroizing::new(String::with_capacity(json.len()));
    let (mut at, mut changed) = (0, false);
    while at < json.len() {
        let next = hunt::next_quote(json, at).unwrap_or(json.len());
        changed |= numbers(json.get(at..next).unwrap_or_default(), &mut repaired);
        let end = if next < json.len() { hunt::string_end(json, next) } else { next };
        changed |= surrogates(json.get(next..end).unwrap_or_default(), &mut repaired);
        at = end;
    }
    changed.then_some(repaired)
}

/// Copies what stands between two strings.
fn numbers(mut text: &str, into: &mut String) -> bool {
    let is_numeric = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    let mut changed = false;
    while let Some(start) = text.find(|c: char| c.is_ascii_digit() || c == '-') {
        let (before, rest) = text.split_at(start);
        let (number, rest) = rest.split_at(rest.find(|c| !is_numeric(c)).unwrap_or(rest.len()));
        into.push_str(before);
        if number.parse::<f64>().is_ok_and(f64::is_infinite) {
            into.push_str("null");
            changed = true;
        } else {
            into.push_str(number);
        }
        text = rest;
    }
    into.push_str(text);
    changed
}

/// Copies a string with its quotes.
fn surrogates(mut text: &str, into: &mut String) -> bool {
    let mut changed = false;
    while let Some(start) = text.find('\\') {
        let (before, rest) = text.split_at(start);
        into.push_str(before);
        let length = match (surrogate(rest), surrogate(rest.get(6..).unwrap_or_default())) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                into.push_str("\\ufffd");
                changed = true;
                text = rest.get(6..).unwrap_or_default();
                continue;
            }
            (None, _) => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, rest) = rest.split_at_checked(length).unwrap_or((rest, ""));
        into.push_str(kept);
        text = rest;
    }
    into.push_str(text);
    changed
}

/// The half of a surrogate pair that an escape at the beginning of the text stands for.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..=0xdfff).contains(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(json: &str) -> Option<String> {
        repair(json).map(|text| text.to_string())
    }

    #[test]
    fn only_what_must_be_is_changed() {
        assert_eq!(repaired(r#"{"a":1e10,"b":"1e999","c":"\ud83d\ude00"}"#), None);
        assert_eq!(
            repaired(r#"{"a":[1e999,-1E+999,2],"b":"x"}"#).as_deref(),
            Some(r#"{"a":[null,null,2],"b":"x"}"#)
        );
        assert_eq!(
            repaired(r#"{"a":"\\ud800 \ud800\n\udc00\ud800\udc00"}"#).as_deref(),
            Some(r#"{"a":"\\ud800 \ufffd\n\ufffd\ud800\udc00"}"#)
        );
    }

    #[test]
    fn any_text_ends() {
        for text in ["", "\"", "\"\\", "\\", "\"\\ud8", "-", "é\"é\\é", "{\"a\":1e999"] {
            let _unused = repaired(text);
        }
    }
}
