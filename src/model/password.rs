//! What a person may choose as a password.
//!
//! It is long enough, none of the commonest, and not made of their own name (OWASP ASVS 5.0
//! sections 6.1.2, 6.2.1 to 6.2.12). There are no rules about which characters it must have, and
//! it never expires.
//!
//! Never says a password in an error or a debug line.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// Fewest characters that a password can be asked for (ASVS 6.2.1).
pub const LEAST_CHARS: usize = 8;

/// The highest number of characters that may be asked for: what a person can still type.
pub const MOST_ASKED_CHARS: usize = 64;

/// Most bytes of a password: ASVS 6.2.9 asks for 64 characters at least, and without a limit one
/// could be made to hash for long.
pub const MOST_BYTES: usize = 128;

/// How many characters passwords are to have, as a setting says it: 8 to 64.
pub fn least_of(text: &str) -> Result<usize, String> {
    let range = LEAST_CHARS..=MOST_ASKED_CHARS;
    let least = text.parse::<usize>().ok().filter(|least| range.contains(least));
    least.ok_or_else(|| {
        format!("\"{text}\" is not a whole number from {LEAST_CHARS} to {MOST_ASKED_CHARS}")
    })
}

/// Letters that a password with a word of its context must have beside that word.
const OTHER_LETTERS: usize = 4;

/// Words that anybody who guesses a password of this program tries first.
const CONTEXT: &[&str] = &["kattila", "wireguard"];

/// One a line; lines that begin with `# ` say where the list is from.
const COMMONEST: &str = include_str!("commonest_passwords.txt");

/// A password that its user may have. Wiped from memory after use.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Weak {
    /// Too few characters.
    #[error("The password must have at least {0} characters; fifteen or more are better.")]
    Short(usize),
    /// Too many bytes.
    #[error("The password may have at most {MOST_BYTES} bytes.")]
    Long,
    /// On the list.
    #[error("This password is one of the 3,000 commonest, which are tried first; choose another.")]
    Common,
    /// Made of words that anybody would try.
    #[error(
        "The password must not be made of the user's own name or of this program's; choose another."
    )]
    Context,
}

impl Password {
    /// A password as chosen by, or for, the user of this name, where this many characters are asked
    /// for; never fewer than [`LEAST_CHARS`].
    pub fn chosen(text: Zeroizing<String>, user: &str, least: usize) -> Result<Self, Weak> {
        let least = least.max(LEAST_CHARS);
        if text.chars().count() < least {
            return Err(Weak::Short(least));
        }
        if text.len() > MOST_BYTES {
            return Err(Weak::Long);
        }
        let lower = Zeroizing::new(text.to_lowercase());
        if COMMONEST.lines().any(|line| line == *lower && !line.starts_with("# ")) {
            return Err(Weak::Common);
        }
        if is_made_of_context(&lower, user) {
            return Err(Weak::Context);
        }
        Ok(Self(text))
    }

    /// Its bytes, for hashing.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(...)")
    }
}

/// Whether little is left of a password without the words around it.
fn is_made_of_context(lower: &str, user: &str) -> bool {
    let user = user.to_lowercase();
    let mut left = Zeroizing::new(lower.to_owned());
    let words = CONTEXT.iter().copied().chain([user.as_str()]).filter(|word| word.len() >= 3);
    let mut found = false;
    for word in words {
        found |= left.contains(word);
        left = Zeroizing::new(left.replace(word, ""));
    }
    found && left.chars().filter(|letter| letter.is_alphabetic()).count() < OTHER_LETTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<(), Weak> {
        Password::chosen(Zeroizing::new(text.to_owned()), "olga", LEAST_CHARS).map(|_| ())
    }

    #[test]
    fn more_characters_may_be_asked_for_and_never_fewer_than_eight() {
        let of = |text: &str, least| {
            Password::chosen(Zeroizing::new(text.to_owned()), "olga", least).map(|_| ())
        };
        assert_eq!(of("stone bridg", 12), Err(Weak::Short(12)));
        assert_eq!(of("stone bridge", 12), Ok(()));
        assert_eq!(of("vjwqzkp", 0), Err(Weak::Short(8)));
        assert!(Weak::Short(12).to_string().contains("at least 12 characters"));
    }

    #[test]
    fn length_counts_and_nothing_else_does() {
        assert_eq!(chosen("tenloc"), Err(Weak::Short(8)));
        assert_eq!(chosen("żółwżół"), Err(Weak::Short(8)), "seven characters in fourteen bytes");
        assert_eq!(chosen("vjwqzkpx"), Ok(()), "no digit, no capital");
        assert_eq!(chosen("        "), Ok(()), "blanks are characters");
        assert_eq!(chosen(&"ab".repeat(64)), Ok(()));
        assert_eq!(chosen(&format!("{}x", "ab".repeat(64))), Err(Weak::Long));
    }

    #[test]
    fn the_commonest_are_refused_in_any_case() {
        for common in ["password", "PassWord1", "qwertyuiop", "1234567890", "trustno1"] {
            assert_eq!(chosen(common), Err(Weak::Common), "{common}");
        }
        let listed = COMMONEST.lines().filter(|line| !line.starts_with('#'));
        let listed: std::collections::BTreeSet<_> = listed.collect();
        assert_eq!(listed.len(), 3000);
        assert!(
            listed.iter().all(|line| line.len() >= LEAST_CHARS && *line == line.to_lowercase())
        );
    }

    #[test]
    fn a_name_with_a_number_is_no_password() {
        for made in ["kattila2026", "Olga-Kattila-1", "wireguard!!", "olgaolga99"] {
            assert_eq!(chosen(made), Err(Weak::Context), "{made}");
        }
        assert_eq!(chosen("kattila boils over"), Ok(()));
        assert_eq!(chosen("tolgarden-1971"), Ok(()));
    }

    #[test]
    fn a_password_is_not_told() {
        let password =
            Password::chosen(Zeroizing::new("stone bridge".to_owned()), "kim", 12).unwrap();
        assert_eq!(format!("{password:?}"), "Password(...)");
    }
}
