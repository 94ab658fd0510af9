//! Digests: of data, for names of keys, and short ones for comparing and remembering.

use sha2::{Digest as _, Sha256};

use crate::model::id::{AgentNo, Kid};

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The name of an agent's own key: the first 16 hexadecimal digits of the SHA-256 of its
/// public half.
pub fn kid_of_public_key(public_key: &[u8; 32]) -> Kid {
    Kid::of_digest(&sha256(public_key))
}

/// A short digest that tells two contents apart; the same in every run and release.
pub fn content_hash(content: &[u8]) -> u64 {
    short(sha256(content))
}

/// A short digest of a nonce for the replay memory.
///
/// `seed` is random and kept with the database: without knowing it, nobody can look for two
/// nonces that share a digest.
pub fn nonce_hash(seed: [u64; 2], agent: AgentNo, nonce: &str) -> u64 {
    let mut hash = Sha256::new();
    for word in seed {
        hash.update(word.to_le_bytes());
    }
    hash.update(agent.0.to_le_bytes());
    hash.update(nonce);
    short(hash.finalize().into())
}

fn short(digest: [u8; 32]) -> u64 {
    digest.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hex;

    #[test]
    fn digests_and_names() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hex::encode(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(content_hash(b"abc"), u64::from_le_bytes(*b"\xba\x78\x16\xbf\x8f\x01\xcf\xea"));
        // The public key of the seed 00..1f, and its name in the protocol's example.
        let key = hex::decode("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
        let key: [u8; 32] = key.unwrap().try_into().unwrap();
        assert_eq!(kid_of_public_key(&key).as_str(), "56475aa75463474c");
    }

    #[test]
    fn nonce_hashes_depend_on_all_parts() {
        let base = nonce_hash([1, 2], AgentNo(3), "n");
        assert_eq!(nonce_hash([1, 2], AgentNo(3), "n"), base);
        for other in [
            nonce_hash([2, 1], AgentNo(3), "n"),
            nonce_hash([1, 2], AgentNo(4), "n"),
            nonce_hash([1, 2], AgentNo(3), "m"),
        ] {
            assert_ne!(other, base);
        }
    }
}
