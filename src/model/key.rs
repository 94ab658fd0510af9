//! Public keys: those of WireGuard interfaces, and those that agents sign with.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A Curve25519 public key as WireGuard writes it: 32 bytes, base64 with padding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WgKey(pub [u8; 32]);

/// The text is not 32 bytes of base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a WireGuard key is 32 bytes in base64, 44 characters")]
pub struct InvalidWgKey;

impl FromStr for WgKey {
    type Err = InvalidWgKey;
    fn from_str(text: &str) -> Result<Self, InvalidWgKey> {
        let Ok(bytes) = STANDARD.decode(text) else { return Err(InvalidWgKey) };
        bytes.try_into().map(Self).or(Err(InvalidWgKey))
    }
}

impl WgKey {
    /// The first eight characters: enough to recognise a key on a screen.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for WgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for WgKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WgKey({self})")
    }
}

impl Serialize for WgKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WgKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The Ed25519 public key (RFC 8032) that is an agent's identity.
///
/// The protocol writes its 32 bytes in base64url without padding, 43 characters. Whether it is a
/// point that may sign anything is for `sign` to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityKey(pub [u8; 32]);

/// The text is not 32 bytes of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a public key is 32 bytes in base64url without padding, 43 characters")]
pub struct InvalidIdentityKey;

impl FromStr for IdentityKey {
    type Err = InvalidIdentityKey;
    fn from_str(text: &str) -> Result<Self, InvalidIdentityKey> {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return Err(InvalidIdentityKey) };
        bytes.try_into().map(Self).or(Err(InvalidIdentityKey))
    }
}

impl fmt::Display for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({self})")
    }
}

impl Serialize for IdentityKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdentityKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_has_one_spelling() {
        let text = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";
        let key: IdentityKey = text.parse().unwrap();
        assert_eq!((key.to_string().as_str(), key.0[0]), (text, 0x03));
        // Padding, the other alphabet, bits after the end, and other lengths.
        for bad in [
            "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=",
            "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
            "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbh",
            "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMb",
            "",
        ] {
            assert_eq!(bad.parse::<IdentityKey>(), Err(InvalidIdentityKey), "{bad}");
        }
    }
}
