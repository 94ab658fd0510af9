//! When a certificate ends: the one value of it that the manager reads itself.
//!
//! A certificate is DER (ITU-T X.690) of `SEQUENCE { tbsCertificate SEQUENCE { version [0] OPTIONAL,
//! serialNumber, signature, issuer, validity SEQUENCE { notBefore, notAfter }, ... } ... }`
//! (RFC 5280 section 4.1). Only what leads to `notAfter` is looked at; nothing is trusted for it.

use crate::model::time::UnixSeconds;
use crate::wire::time::rfc3339;

/// Tags of X.690 that lead there.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Takes the first value off; its tag, its content, and what comes after it.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short if short < 0x80 => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn sequence(der: &[u8]) -> Option<&[u8]> {
    value(der).filter(|(tag, ..)| *tag == SEQUENCE).map(|(_, content, _)| content)
}

fn after(der: &[u8]) -> Option<&[u8]> {
    value(der).map(|(.., rest)| rest)
}

/// `notAfter` of a certificate in DER; `None` if it is none.
pub(super) fn not_after(der: &[u8]) -> Option<UnixSeconds> {
    let mut at = sequence(sequence(der)?)?;
    if value(at)?.0 == VERSION {
        at = after(at)?;
    }
    // The serial number, the algorithm and the issuer.
    let validity = sequence(after(after(after(at)?)?)?)?;
    let (tag, text, _) = value(after(validity)?)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` from then on (RFC 5280 section 4.1.2.5).
fn time(tag: u8, text: &str) -> Option<UnixSeconds> {
    let text = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, rest) = (part(8, 10)?, part(10, 12)?, text.get(12..)?);
    rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut all = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short) if short < 0x80 => all.push(short),
            Ok(long) => all.extend([0x81, long]),
            Err(_) => {
                let length = u16::try_from(content.len()).unwrap().to_be_bytes();
                all.extend([&[0x82], length.as_slice()].concat());
            }
        }
        all.extend(content);
        all
    }

    /// A certificate as far as it is looked at, with an issuer of that many bytes.
    fn certificate(version: bool, issuer: usize, end: &[u8]) -> Vec<u8> {
        let validity = der(SEQUENCE, &[&der(UTC_TIME, &[b"200101000000Z"]), end]);
        let version = if version { der(VERSION, &[&der(2, &[&[2]])]) } else { Vec::new() };
        let (serial, algorithm) = (der(2, &[&[7; 20]]), der(SEQUENCE, &[]));
        let issuer = der(SEQUENCE, &[&vec![0; issuer]]);
        let rest = der(SEQUENCE, &[]);
        der(
            SEQUENCE,
            &[&der(SEQUENCE, &[&version, &serial, &algorithm, &issuer, &validity, &rest])],
        )
    }

    #[test]
    fn the_end_is_found_behind_everything_else() {
        let end = der(UTC_TIME, &[b"261231235959Z"]);
        let wanted = rfc3339("2026-12-31T23:59:59Z");
        for issuer in [0, 100, 200, 4_000] {
            assert_eq!(not_after(&certificate(true, issuer, &end)), wanted, "{issuer}");
        }
        assert_eq!(not_after(&certificate(false, 9, &end)), wanted, "version 1");
        let far = der(GENERALIZED_TIME, &[b"20510102030405Z"]);
        assert_eq!(not_after(&certificate(true, 9, &far)), rfc3339("2051-01-02T03:04:05Z"));
        let old = der(UTC_TIME, &[b"991231235959Z"]);
        assert_eq!(not_after(&certificate(true, 9, &old)), rfc3339("1999-12-31T23:59:59Z"));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let whole = certificate(true, 200, &der(UTC_TIME, &[b"261231235959Z"]));
        for cut in 0..whole.len() {
            assert_eq!(not_after(&whole[..cut]), None, "{cut} bytes");
        }
        assert_eq!(not_after(&certificate(true, 9, &der(UTC_TIME, &[b"26123123595"]))), None);
        assert_eq!(not_after(&certificate(true, 9, &der(4, &[b"261231235959Z"]))), None);
        assert_eq!(not_after(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(not_after(&[SEQUENCE, 0x80, 0, 0]), None, "no length is not DER");
    }
}
