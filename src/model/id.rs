//! Names and numbers of agents, fleets, reports, edges and alarms.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A name that does not follow its rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} must be {rule}")]
pub struct InvalidName {
    what: &'static str,
    rule: &'static str,
}

/// Text in and out of a name that is checked when it is read.
macro_rules! spelled {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($type), self.as_str())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
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

/// A name that its owner has chosen. Copies share the text: a fleet's name stands once in memory
/// for all who hold a copy of it.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

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

        spelled!($type);
    };
}

/// Digits of a name that is made of a digest.
const DIGITS: usize = 16;

/// A name made of a digest: 16 lowercase hexadecimal digits, held where it is used, without
/// memory of its own.
macro_rules! digest_name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type([u8; DIGITS]);

        impl $type {
            /// The first 8 bytes of a digest, as 16 digits.
            pub fn of_digest(digest: &[u8; 32]) -> Self {
                let mut digits = [b'0'; DIGITS];
                let text = crate::model::hex::encode(digest);
                digits.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
                Self(digits)
            }

            /// The text: 16 lowercase hexadecimal digits.
            pub fn as_str(&self) -> &str {
                // They are digits, or this could not have been made.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let invalid =
                    InvalidName { what: $what, rule: "16 lowercase hexadecimal digits" };
                let digits = text.as_bytes().try_into().ok();
                let digits = digits.filter(|digits: &[u8; DIGITS]| {
                    digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                });
                digits.map(Self).ok_or(invalid)
            }
        }

        spelled!($type);
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

impl AgentId {
    /// Stands where an agent cannot be named.
    pub fn nobody() -> Self {
        Self("nobody".into())
    }
}

impl FleetId {
    /// The fleet of agents that name none.
    pub fn unnamed() -> Self {
        Self("default".into())
    }
}

digest_name!(
    /// Names a key without telling it: 16 lowercase hexadecimal digits of a digest.
    Kid,
    "kid"
);

digest_name!(
    /// Names a dictionary of compression by its content: 16 lowercase hexadecimal digits of a
    /// digest.
    DictId,
    "dict"
);

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

digest_name!(
    /// Names an edge: 16 lowercase hexadecimal digits, derived from its two ends.
    EdgeId,
    "edge id"
);

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
