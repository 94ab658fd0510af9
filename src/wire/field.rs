//! Members of an envelope's head, one syntax each.

use std::borrow::Cow;

use super::envelope::EnvelopeError;
use super::limits::INTEGER_MAX;
use super::scan::Member;
use super::text;

/// The body and where its top-level members are.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    /// The whole envelope.
    pub body: &'a [u8],
    /// Its members.
    pub members: Vec<Member>,
}

impl<'a> Fields<'a> {
    /// The bytes at a range of the body.
    pub fn bytes(&self, member: &Member) -> &'a [u8] {
        self.body.get(member.value.clone()).unwrap_or_default()
    }

    /// What a member is called.
    pub fn name(&self, member: &Member) -> Cow<'a, str> {
        let quoted = member.name.start.saturating_sub(1)..member.name.end + 1;
        text::of_token(self.body.get(quoted).unwrap_or_default()).unwrap_or_default()
    }

    /// The member of this name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| self.name(member) == name)
    }

    /// The bytes of the value of this name.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.member(name).map(|member| self.bytes(member))
    }

    /// The bytes of the value of this name, which must be there.
    pub fn need(&self, name: &'static str) -> Result<&'a [u8], EnvelopeError> {
        self.get(name).ok_or(EnvelopeError::Missing(name))
    }

    /// The text of this name, which must be there and be a string.
    pub fn text(&self, name: &'static str) -> Result<Cow<'a, str>, EnvelopeError> {
        text::of_token(self.need(name)?).ok_or(invalid(name, "must be a string"))
    }

    /// The value of a name made of a checked text.
    pub fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<T, EnvelopeError> {
        self.text(name)?.parse().map_err(|error: T::Err| EnvelopeError::Invalid {
            field: name,
            problem: error.to_string(),
        })
    }
}

/// A member that does not follow its rule.
pub fn invalid(field: &'static str, problem: &str) -> EnvelopeError {
    EnvelopeError::Invalid { field, problem: problem.to_owned() }
}

/// An integer without sign, fraction, exponent or leading zero, up to 2^53 - 1.
pub fn plain_integer(token: &[u8]) -> Option<i64> {
    if token.len() > 1 && token.starts_with(b"0") {
        return None;
    }
    digits(token).filter(|value| *value <= INTEGER_MAX)
}

/// A number made of decimal digits only.
pub fn digits(token: &[u8]) -> Option<i64> {
    if !token.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// 32 bytes in hexadecimal of either case.
pub fn hex32(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != 32 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|v| u8::try_from(v).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_without_frills() {
        for (token, value) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("9007199254740991", Some(INTEGER_MAX)),
            ("9007199254740992", None),
            ("99999999999999999999999999", None),
            ("07", None),
            ("00", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1e3", None),
            ("", None),
            ("\"7\"", None),
        ] {
            assert_eq!(plain_integer(token.as_bytes()), value, "{token}");
        }
    }

    #[test]
    fn hexadecimal_of_32_bytes() {
        let text = "00ff".repeat(16);
        let bytes = hex32(&text).unwrap();
        assert_eq!((bytes[0], bytes[1], bytes[31]), (0, 255, 255));
        assert_eq!(hex32(&text.to_uppercase()), Some(bytes));
        assert_eq!(hex32(&text[..62]), None);
        assert_eq!(hex32(&text[..63]), None);
        assert_eq!(hex32(&format!("{text}00")), None);
        assert_eq!(hex32(&format!("+{}", &text[1..])), None);
    }
}
