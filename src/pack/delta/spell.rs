//! How words are written that are not numbers.

/// How a word is written: a half byte for each digit, three for two signs, or two for each byte.
pub(super) const HEX: u8 = 0;
pub(super) const BASE64: u8 = 1;
pub(super) const BYTES: u8 = 2;

/// The value of a digit of lowercase hexadecimal.
pub(super) fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

pub(super) fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value & 0xf) - 10 }
}

/// The value of a sign of Base64 as it stands in addresses (RFC 4648, section 5).
pub(super) fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

/// The sign of the lowest six bits.
pub(super) fn sign(value: u64) -> u8 {
    match (value & 63) as u8 {
        small @ 0..26 => b'A' + small,
        small @ 26..52 => b'a' + small - 26,
        digit @ 52..62 => b'0' + digit - 52,
        62 => b'-',
        _ => b'_',
    }
}
