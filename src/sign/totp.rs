//! One-time codes from a secret and the time (RFC 6238 with HMAC-SHA-1, six digits, 30 s), as the
//! apps on telephones make them; and the texts in which such an app takes the secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// Bytes of a secret (RFC 4226 section 4, requirement 6, recommends 160 bits).
pub const SECRET_BYTES: usize = 20;

/// A secret.
pub type Secret = [u8; SECRET_BYTES];

/// Seconds for which one code is shown.
const STEP_S: i64 = 30;

/// Steps a code may be early or late, for clocks that differ and fingers that are slow (RFC 6238
/// section 5.2).
const SKEW: i64 = 1;

/// Codes have six digits.
const MODULUS: u32 = 1_000_000;
const DIGITS: usize = 6;

/// The code of a step.
fn code(secret: &Secret, step: i64) -> u32 {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104)")]
    let mut hmac = Hmac::<Sha1>::new_from_slice(secret).expect("a key of any length");
    hmac.update(&step.to_be_bytes());
    let digest: [u8; 20] = hmac.finalize().into_bytes().into();
    // Dynamic truncation (RFC 4226 section 5.3): the last four bits say where to read.
    let at = usize::from(digest[19] & 0x0f);
    let word = digest.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
    (u32::from_be_bytes(word) & 0x7fff_ffff) % MODULUS
}

/// The step whose code this is, if it is one of now or just before or after.
pub fn matching(secret: &Secret, typed: &str, now: i64) -> Option<i64> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if typed.len() != DIGITS || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let typed: u32 = typed.parse().ok()?;
    let step = now.div_euclid(STEP_S);
    (step - SKEW..=step + SKEW).find(|step| code(secret, *step) == typed)
}

/// The code that is shown at a time; what an app does.
pub fn shown(secret: &Secret, now: i64) -> String {
    format!("{:0width$}", code(secret, now.div_euclid(STEP_S)), width = DIGITS)
}

/// Bytes in the letters that people type: base 32 (RFC 4648 section 6) without padding.
pub fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(LETTERS, held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(LETTERS, held << (5 - bits)));
    }
    text
}

fn letter(letters: &[u8; 32], value: u32) -> char {
    usize::try_from(value & 31).ok().and_then(|at| letters.get(at)).map_or('A', |l| char::from(*l))
}

/// The address that a QR code carries to an app (Key Uri Format of Google Authenticator). The
/// user's name has no character that means something in an address but `@`.
pub fn uri(secret: &Secret, user: &str) -> String {
    let (secret, user) = (base32(secret), user.replace('@', "%40"));
    format!("otpauth://totp/Kattila:{user}?secret={secret}&issuer=Kattila")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B; its codes have eight digits, of which six are the last.
    const SECRET: &Secret = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (time, eight) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(shown(SECRET, time), eight[2..], "{time}");
            assert_eq!(matching(SECRET, &eight[2..], time), Some(time / 30));
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_late_and_no_longer() {
        let typed = shown(SECRET, 3_000);
        for (now, counts) in
            [(2_969, false), (2_970, true), (3_029, true), (3_059, true), (3_060, false)]
        {
            assert_eq!(matching(SECRET, &typed, now).is_some(), counts, "{now}");
        }
        let spaced = format!("{} {}", &typed[..3], &typed[3..]);
        assert_eq!(matching(SECRET, &spaced, 3_000), Some(100));
        for odd in ["", "12345", "1234567", "abcdef", "+12345", "\u{ff11}23456"] {
            assert_eq!(matching(SECRET, odd, 3_000), None, "{odd}");
        }
    }

    #[test]
    fn letters_are_those_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let uri = uri(SECRET, "olga@example.org");
        assert_eq!(
            uri,
            "otpauth://totp/Kattila:olga%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Kattila"
        );
    }
}
