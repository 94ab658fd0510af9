//! Versions of programs, as far as their numbers go.

/// The numbers of a version: of `kattila 1.4.2-rc1`, they are 1, 4 and 2.
pub fn version(text: &str) -> Option<Vec<u64>> {
    let begin = text.find(|c: char| c.is_ascii_digit())?;
    let end = |rest: &str| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let mut parts = Vec::new();
    for part in text.get(begin..)?.split('.') {
        let digits = part.get(..end(part))?;
        let Ok(number) = digits.parse() else { break };
        parts.push(number);
        if digits.len() < part.len() {
            break;
        }
    }
    (!parts.is_empty()).then_some(parts)
}

/// Two versions with as many numbers each: 1.4 is 1.4.0.
pub fn padded(one: &[u64], other: &[u64]) -> [Vec<u64>; 2] {
    let longest = one.len().max(other.len());
    [one, other].map(|parts| {
        let mut parts = parts.to_vec();
        parts.resize(longest, 0);
        parts
    })
}

/// Whether a version is older than another one; `None` if either has no number.
pub fn is_older(text: &str, than: &str) -> Option<bool> {
    let [own, least] = padded(&version(text)?, &version(than)?);
    Some(own < least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_decide() {
        for (own, least, older) in [
            ("kattila 1.4.2-rc1", "1.5", Some(true)),
            ("1.10.0", "1.9", Some(false)),
            ("1.4", "1.4.0", Some(false)),
            ("v2", "1.99.99", Some(false)),
            ("0.9.9", "1", Some(true)),
            ("unknown", "1.0", None),
        ] {
            assert_eq!(is_older(own, least), older, "{own} {least}");
        }
    }
}
