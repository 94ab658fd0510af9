//! WireGuard public keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
