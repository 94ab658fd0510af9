//! Names pre-shared keys, so that everything but the signature itself can do without them.

use sha2::{Digest, Sha256};

use crate::model::id::Kid;

/// Separates this digest from every other use of SHA-256 over a key.
const PREFIX: &[u8] = b"kattila-psk\n";

/// The name of a pre-shared key: the first 16 hexadecimal digits of
/// SHA-256(`"kattila-psk\n"` followed by the key).
pub fn kid_of_psk(secret: &[u8]) -> Kid {
    let mut hash = Sha256::new();
    hash.update(PREFIX);
    hash.update(secret);
    Kid::of_digest(&hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        assert_eq!(kid_of_psk(b"kattila-test-psk-000000000000000").as_str(), "45819852fbdfc69a");
        assert_ne!(kid_of_psk(b"kattila-test-psk-000000000000001").as_str(), "45819852fbdfc69a");
    }
}
