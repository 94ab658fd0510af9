//! Names and numbers of agents, fleets, reports, edges and alarms.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// A name that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} must be {rule}")]
pub struct InvalidName {
    what: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(Box<str>);

        impl $type {
            #[doc = concat!("The text: ", $rule, ".")]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { what: $what, rule: $rule })
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// Who sends reports. Version 2 agents are held to `[0-9a-f]{16,64}` by `wire`.
    AgentId,
    "agent_id",
    "1 to 128 characters of A-Z, a-z, 0-9, '.', '_', ':' and '-'",
    |text| (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-'))
);

name!(
    /// The set of agents that share keys and one address space.
    FleetId,
    "fleet_id",
    "1 to 63 characters of a-z, 0-9, '.' and '-', starting with a letter or digit",
    |text| (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
);

impl FleetId {
    /// The fleet of agents that name none.
    pub fn unnamed() -> Self {
        Self("default".into())
    }
}

name!(
    /// Names a key without telling it: 16 lowercase hexadecimal digits of a digest.
    Kid,
    "kid",
    "16 lowercase hexadecimal digits",
    |text| text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

impl Kid {
    /// The first 8 bytes of a digest, as 16 digits.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let mut text = crate::model::hex::encode(digest);
        text.truncate(16);
        Self(text.into())
    }
}

name!(
    /// Names a dictionary of compression by its content: 16 lowercase hexadecimal digits of a
    /// digest.
    DictId,
    "dict",
    "16 lowercase hexadecimal digits",
    |text| text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

impl DictId {
    /// The first 8 bytes of a digest, as 16 digits.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let mut text = crate::model::hex::encode(digest);
        text.truncate(16);
        Self(text.into())
    }
}

name!(
    /// Names a dictionary that agents compress their reports with: all 64 lowercase hexadecimal
    /// digits of the SHA-256 of its bytes.
    FrameDictId,
    "dict",
    "64 lowercase hexadecimal digits",
    |text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

impl FrameDictId {
    /// A digest, as 64 digits.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        Self(crate::model::hex::encode(digest).into())
    }
}

name!(
    /// Names an edge: 16 lowercase hexadecimal digits, derived from its two ends.
    EdgeId,
    "edge id",
    "16 lowercase hexadecimal digits",
    |text| text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

impl EdgeId {
    /// The first 8 bytes of the digest of the two ends' names, as 16 digits.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let mut text = crate::model::hex::encode(digest);
        text.truncate(16);
        Self(text.into())
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub i64);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// The row number of an agent; never reused, dense from 1.
    AgentNo
);
number!(
    /// The row number of a stored report; grows with every accepted report.
    ReportId
);
number!(
    /// The row number of an alarm.
    AlarmId
);
number!(
    /// The row number of an event; grows with every event.
    EventId
);

number!(
    /// The row number of a message to people.
    NotificationId
);

number!(
    /// The row number of a maintenance window.
    WindowId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        assert!("gw-1.example:5".parse::<AgentId>().is_ok());
        for bad in ["", "a b", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad}");
        }
        assert!("fleet-a".parse::<FleetId>().is_ok());
        for bad in ["", "-a", "A", "a_b"] {
            assert!(bad.parse::<FleetId>().is_err(), "{bad}");
        }
        assert!("45819852fbdfc69a".parse::<Kid>().is_ok());
        assert!("45819852FBDFC69A".parse::<Kid>().is_err());
        assert_eq!(Kid::of_digest(&[0xab; 32]).as_str().parse(), Ok(Kid::of_digest(&[0xab; 32])));
    }
}
