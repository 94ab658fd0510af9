//! Ed25519 (RFC 8032) as an agent's identity: signs, verifies, and says which keys may.
//!
//! Verification is strict: no small-order key or `R`, no `S` beyond the group order, one
//! encoding per point. So a signature has one spelling, and nobody can make a key under which
//! one signature holds for many messages (PROTOCOL 4, A23).

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::model::hex;
use crate::model::id::{AgentId, Kid};
use crate::model::key::IdentityKey;

use super::digest::{kid_of_public_key, sha256};

/// The hexadecimal digits of a key's digest that are its agent's id.
const ID_DIGITS: usize = 32;

/// The secret half of an identity; wiped when dropped, and shown by the name of its public half.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key of a seed (RFC 8032 section 5.1.5), which must be random and told to nobody.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> IdentityKey {
        IdentityKey(self.0.verifying_key().to_bytes())
    }

    /// The name of the public half.
    pub fn kid(&self) -> Kid {
        kid_of_public_key(&self.public().0)
    }

    /// Signs.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.kid())
    }
}

/// Whether a key may be anybody's identity: a point, in its one encoding, of large order.
pub fn is_sound(key: &IdentityKey) -> bool {
    point(key).is_some()
}

/// Whether a signature holds; a key that is not sound signs nothing.
pub fn holds(key: &IdentityKey, message: &[u8], signature: &[u8; 64]) -> bool {
    point(key).is_some_and(|point| {
        point.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    })
}

/// The id of an agent that begins its life with this key: the first 32 hexadecimal digits of the
/// SHA-256 of the key. Nobody else can take such an id first (PROTOCOL 4, A20).
pub fn agent_id_of(key: &IdentityKey) -> String {
    let mut id = fingerprint(key);
    id.truncate(ID_DIGITS);
    id
}

/// Whether an agent's id is the one that belongs to this key.
pub fn certifies(key: &IdentityKey, agent: &AgentId) -> bool {
    agent.as_str() == agent_id_of(key)
}

/// What people compare: the SHA-256 of the key, 64 hexadecimal digits.
pub fn fingerprint(key: &IdentityKey) -> String {
    hex::encode(&sha256(&key.0))
}

fn point(key: &IdentityKey) -> Option<VerifyingKey> {
    let point = VerifyingKey::from_bytes(&key.0).ok()?;
    let is_canonical = point.to_edwards().compress().to_bytes() == key.0;
    (is_canonical && !point.is_weak()).then_some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of the protocol's vectors: bytes 00 to 1f.
    fn secret() -> SecretKey {
        let mut seed = [0; 32];
        for (byte, value) in seed.iter_mut().zip(0..) {
            *byte = value;
        }
        SecretKey::from_seed(&seed)
    }

    fn key(hex: &str) -> IdentityKey {
        IdentityKey(hex::decode(hex).unwrap().try_into().unwrap())
    }

    #[test]
    fn rfc_8032_test_3() {
        let seed = hex::decode("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
        let secret = SecretKey::from_seed(&seed.unwrap().try_into().unwrap());
        let public = key("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
        assert_eq!(secret.public(), public);
        let signature = secret.sign(&[0xaf, 0x82]);
        assert_eq!(
            hex::encode(&signature),
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        );
        assert!(holds(&public, &[0xaf, 0x82], &signature));
        assert!(!holds(&public, &[0xaf, 0x83], &signature));
    }

    #[test]
    fn names_follow_from_the_key_and_the_secret_is_not_shown() {
        let secret = secret();
        let public = secret.public();
        assert_eq!(public.to_string(), "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
        assert_eq!(secret.kid().as_str(), "56475aa75463474c");
        assert_eq!(format!("{secret:?}"), "SecretKey(56475aa75463474c)");
        let id = agent_id_of(&public);
        assert_eq!(id.len(), 32);
        assert!(id.starts_with("56475aa75463474c") && fingerprint(&public).starts_with(&id));
        assert!(certifies(&public, &id.parse().unwrap()));
        for other in ["0123456789abcdef0123456789abcdef", &id[..31], &fingerprint(&public)] {
            assert!(!certifies(&public, &other.parse().unwrap()), "{other}");
        }
    }

    /// Adds the group order to `S`: the sum verifies just as well where nobody looks.
    fn malleated(mut signature: [u8; 64]) -> [u8; 64] {
        let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0;
        for (byte, add) in signature[32..].iter_mut().zip(order.unwrap()) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        signature
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let secret = secret();
        let signature = secret.sign(b"report");
        assert!(holds(&secret.public(), b"report", &signature));
        assert!(!holds(&secret.public(), b"report", &malleated(signature)));
        for bit in 0..512 {
            let mut other = signature;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&secret.public(), b"report", &other), "bit {bit}");
        }
        assert!(!holds(&secret.public(), b"", &[0; 64]));
    }

    /// The eight points of small order in all encodings that decode (Wycheproof and the survey
    /// "Taming the many `EdDSAs`", table 6), and what is no point at all.
    #[test]
    fn keys_under_which_anything_holds_are_refused() {
        let mut identity = [0; 64];
        identity[0] = 1;
        for weak in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            // Zero, one and minus one spelt with the prime added.
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            // y = 2 is on no point.
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            let weak = key(weak);
            assert!(!is_sound(&weak), "{weak}");
            assert!(!holds(&weak, b"any message", &identity), "{weak}");
        }
        assert!(is_sound(&secret().public()));
    }

    #[test]
    fn a_small_order_r_is_refused_under_a_sound_key() {
        // R = identity and S = 0 hold for no sound key; S = 0 with the key's own negation as R
        // would hold where cofactors are cleared.
        let public = secret().public();
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!holds(&public, b"m", &signature));
        let mut negated = public.0;
        negated[31] ^= 0x80;
        signature[..32].copy_from_slice(&negated);
        assert!(!holds(&public, b"m", &signature));
    }
}
