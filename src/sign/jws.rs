//! Signatures of tokens that others sign (JWS, RFC 7515): RS256, ES256 and EdDSA with Ed25519, and
//! nothing else.
//!
//! Owns which key may verify which algorithm: the key decides, never the token (RFC 8725 section
//! 3.1). Must never know what a token says.

use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

/// Bits of an RSA modulus at least (RFC 7518 section 3.3), and at most: what is larger only costs.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// What a token says it is signed with (`alg`, RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of a word; `none`, HMAC and all others are none.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// The modulus, big endian.
        n: Vec<u8>,
        /// The exponent, big endian.
        e: Vec<u8>,
    },
    /// A point on P-256, uncompressed: `04`, x, y.
    P256(Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// An RSA key, unless its size is out of bounds. Zeros in front are not part of a number.
    pub fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let bare = |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte == 0).copied().collect();
        let (n, e): (Vec<u8>, Vec<u8>) = (bare(n), bare(e));
        (RSA_BYTES.contains(&n.len()) && !e.is_empty()).then_some(Self::Rsa { n, e })
    }

    /// A key on P-256 of its coordinates, 32 bytes each.
    pub fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        (x.len() == 32 && y.len() == 32).then(|| Self::P256([&[4], x, y].concat()))
    }

    /// A key of Ed25519, 32 bytes.
    pub fn ed25519(x: &[u8]) -> Option<Self> {
        (x.len() == 32).then(|| Self::Ed25519(x.to_vec()))
    }

    /// The one algorithm that this key verifies.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Whether this key has signed a message.
    pub fn holds(&self, message: &[u8], sig: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, sig)
                .is_ok(),
            Self::P256(point) => {
                let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                key.verify(message, sig).is_ok()
            }
            Self::Ed25519(key) => {
                UnparsedPublicKey::new(&signature::ED25519, key).verify(message, sig).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    /// What RFC 7515 appendices A.2 and A.3 sign.
    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

    const RS256: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    const ES256: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn rsa() -> PublicKey {
        PublicKey::rsa(&bytes(N), &bytes("AQAB")).unwrap()
    }

    fn p256() -> PublicKey {
        PublicKey::p256(&bytes(X), &bytes(Y)).unwrap()
    }

    #[test]
    fn the_examples_of_rfc_7515_hold_and_nothing_near_them() {
        for (key, head, sig) in
            [(rsa(), "eyJhbGciOiJSUzI1NiJ9", RS256), (p256(), "eyJhbGciOiJFUzI1NiJ9", ES256)]
        {
            let message = format!("{head}.{PAYLOAD}");
            let sig = bytes(sig);
            assert!(key.holds(message.as_bytes(), &sig));
            assert!(!key.holds(format!("{message}A").as_bytes(), &sig));
            for at in [0, sig.len() / 2, sig.len() - 1] {
                let mut other = sig.clone();
                other[at] ^= 1;
                assert!(!key.holds(message.as_bytes(), &other));
            }
            assert!(!key.holds(message.as_bytes(), &[]));
            assert!(!key.holds(message.as_bytes(), &[0; 64]));
        }
    }

    /// RFC 8032 section 7.1, test 3.
    #[test]
    fn ed25519_holds() {
        let hex = |text| crate::model::hex::decode(text).unwrap();
        let key = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
        let key = PublicKey::ed25519(&key).unwrap();
        let sig = hex(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        );
        assert!(key.holds(&[0xaf, 0x82], &sig) && !key.holds(&[0xaf], &sig));
    }

    #[test]
    fn only_keys_of_sound_size_and_the_three_words() {
        assert!(PublicKey::rsa(&[255; 255], &[3]).is_none(), "below 2048 bits");
        assert!(PublicKey::rsa(&[vec![0; 9], vec![255; 255]].concat(), &[3]).is_none());
        assert!(PublicKey::rsa(&[255; 1025], &[3]).is_none());
        assert!(PublicKey::rsa(&[255; 256], &[0]).is_none());
        assert!(PublicKey::p256(&[1; 31], &[1; 32]).is_none());
        assert!(PublicKey::ed25519(&[1; 33]).is_none());
        for bad in ["none", "HS256", "RS384", "ES256K", "rs256", ""] {
            assert_eq!(Algorithm::from_word(bad), None, "{bad}");
        }
        assert_eq!(rsa().algorithm(), Algorithm::Rs256);
    }
}
