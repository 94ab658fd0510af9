//! Whether a stored report still proves itself.

use serde::{Serialize, Serializer};

/// What came of proving a stored report again, from its bytes and the keys that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// Its signature holds, and so do those of the relays around it.
    Holds,
    /// Secrets were removed from it, so its signature cannot hold.
    Redacted,
    /// The key that signed it, or one that a relay signed with, is not kept.
    KeyNotKept,
    /// It does not, for this reason.
    Fails(String),
}

impl Proven {
    /// Its word in the API.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Redacted => "redacted",
            Self::KeyNotKept => "key_not_kept",
            Self::Fails(_) => "fails",
        }
    }

    /// Why it fails, if it does.
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Fails(why) => Some(why),
            Self::Holds | Self::Redacted | Self::KeyNotKept => None,
        }
    }
}

impl Serialize for Proven {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.word())
    }
}
