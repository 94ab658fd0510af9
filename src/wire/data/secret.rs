//! What counts as a private or preshared key, wherever in `data` it stands.

/// What stands in place of a secret; the word `wg show` itself uses.
pub(in crate::wire) const HIDDEN: &str = "(hidden)";

/// The member that holds the text of `wg show all dump`.
pub(in crate::wire) const DUMP_MEMBER: &str = "wg_dump";

/// An all-zero key: how the kernel says that no preshared key is set.
const ZERO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Whether a member of this name holds a private or preshared key. Case, `_` and `-` do not
/// matter: the tools around WireGuard spell it in every way.
pub(in crate::wire) fn is_secret_name(name: &str) -> bool {
    is_spelled(name, b"privatekey") || is_preshared_name(name)
}

/// Whether a member of this name holds a preshared key.
pub(in crate::wire) fn is_preshared_name(name: &str) -> bool {
    is_spelled(name, b"presharedkey") || is_spelled(name, b"psk")
}

/// Whether `name` is `word` (lowercase letters), spelled in any of the usual ways.
fn is_spelled(name: &str, word: &[u8]) -> bool {
    // Nearly every name fails at its first letter.
    if !name.bytes().next().is_some_and(|first| first.eq_ignore_ascii_case(&b'p')) {
        return false;
    }
    name.bytes()
        .filter(|b| !matches!(b, b'_' | b'-'))
        .map(|b| b.to_ascii_lowercase())
        .eq(word.iter().copied())
}

/// Whether the text tells that there is no key.
pub(in crate::wire) fn says_none(text: &str) -> bool {
    matches!(text, "" | "(none)" | "none" | "off" | "-" | "null") || text == ZERO_KEY
}

/// Whether the text stands where a key would but is none: says that none is set, or was already
/// blotted out on the host. Everything else is taken for a secret.
pub(in crate::wire) fn is_placeholder(text: &str) -> bool {
    says_none(text)
        || matches!(text, HIDDEN | "hidden" | "(redacted)" | "redacted")
        || text.bytes().all(|b| matches!(b, b'*' | b'x' | b'-' | b'.'))
}

/// Whether a JSON value, as it stands in the text, is a secret when its member's name promises
/// one. Strings are judged with their escapes, since unescaping one would copy a key.
pub(in crate::wire) fn is_secret_value(json: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'"') => !is_placeholder(unquoted(json)),
        Some(b'[' | b'{') => {
            !json.get(1..json.len().saturating_sub(1)).unwrap_or_default().trim().is_empty()
        }
        _ => false,
    }
}

/// Whether such a value tells that a key is set, blotted out or not.
pub(in crate::wire) fn tells_of_key(json: &str) -> bool {
    match json.as_bytes().first() {
        Some(b'"') => !says_none(unquoted(json)),
        _ => json == "true" || is_secret_value(json),
    }
}

fn unquoted(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

/// Whether the text may be a 32-byte key, in base64 or hexadecimal. For places where a key is
/// only suspected; cut keys count as well, and so does `\/`, since some JSON encoders write it.
pub(in crate::wire) fn resembles_key(text: &str) -> bool {
    let may_occur =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\');
    text.len() >= 40 && text.bytes().all(may_occur)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_spelling() {
        for name in
            ["private_key", "privateKey", "PrivateKey", "privatekey", "preshared-key", "psk", "PSK"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["public_key", "has_psk", "private", "prefsrc", "key", "p", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn placeholders_are_not_secrets() {
        for text in ["", "(none)", "(hidden)", "off", "****", "-", "xxxx", ZERO_KEY] {
            assert!(is_placeholder(text), "{text}");
        }
        assert!(!is_placeholder("CJ1hWgWvSljdeuJ4DriuwQGRXFHMI+q3S/UyxvldWk4="));
        assert!(!is_placeholder("CJ1hWgWv"));
    }
}
