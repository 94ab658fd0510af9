//! Writes JSON without building a tree: a load test spends its processor on the manager.

use std::io::Write as _;

/// Bytes of a JSON text that grows.
#[derive(Debug, Default)]
pub(super) struct Json(Vec<u8>);

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Text that is JSON already.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Bytes that are JSON already.
    pub(super) fn bytes(&mut self, text: &[u8]) -> &mut Self {
        self.0.extend_from_slice(text);
        self
    }

    /// Anything that prints as JSON or as part of a JSON string.
    pub(super) fn show(&mut self, value: impl std::fmt::Display) -> &mut Self {
        // Writing into a Vec cannot fail.
        write!(self.0, "{value}").unwrap_or_default();
        self
    }

    /// A number, without the machinery of `fmt`.
    pub(super) fn number(&mut self, value: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let (mut rest, mut used) = (value, 0);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            used += 1;
            if rest == 0 {
                break;
            }
        }
        self.0.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
        self
    }

    /// A number of seconds; times before 1970 do not occur and print as 0.
    pub(super) fn seconds(&mut self, value: i64) -> &mut Self {
        self.number(u64::try_from(value).unwrap_or(0))
    }

    /// Takes back a comma that no further item follows.
    pub(super) fn end_list(&mut self) -> &mut Self {
        if self.0.last() == Some(&b',') {
            self.0.pop();
        }
        self.raw("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_whole() {
        for value in [0, 7, 10, 1_234_567_890, u64::MAX] {
            let mut json = Json::default();
            json.number(value);
            assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), value.to_string());
        }
    }

    #[test]
    fn lists_end_without_a_comma() {
        let mut json = Json::default();
        json.raw("[").number(1).raw(",").end_list().raw("[").end_list();
        assert_eq!(json.into_bytes(), b"[1][]");
    }
}
