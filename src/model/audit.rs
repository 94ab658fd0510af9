//! One line of the audit: who did what, from where, to what, and how it was before and after.
//!
//! Owns the shapes only; `sign::chain` ties the lines together. No secret ever comes here.

use std::fmt;
use std::str::FromStr;

use super::hex;
use super::time::UnixSeconds;

/// The manager itself, where nobody asked.
pub const MANAGER: &str = "manager";

/// Who is not known by name.
pub const UNKNOWN: &str = "unknown";

/// Characters of a subject that are kept; what names a thing is shorter.
const SUBJECT_CHARS: usize = 300;

/// Bytes of a value before or after that are kept. Whatever is larger is told by its size alone,
/// because half of a JSON text is none.
const VALUE_BYTES: usize = 16 * 1024;

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, on the manager's clock.
    pub at: UnixSeconds,
    /// A user's or token's name, `agent ID`, [`MANAGER`] or [`UNKNOWN`].
    pub who: String,
    /// The address it came from; `None` if it came from no other host.
    pub from: Option<String>,
    /// What was done: dotted, such as `agent.revoke`.
    pub act: String,
    /// To what, in words that name the thing: `agent gw-1`.
    pub subject: String,
    /// How the thing was, as JSON text; `None` where it was not there or nothing is told.
    pub before: Option<String>,
    /// How it is now, likewise.
    pub after: Option<String>,
}

impl Entry {
    /// A line without an address and values.
    pub fn new(
        at: UnixSeconds,
        who: impl Into<String>,
        act: impl Into<String>,
        subject: &str,
    ) -> Self {
        let subject = subject.chars().take(SUBJECT_CHARS).collect();
        let (who, act) = (who.into(), act.into());
        Self { at, who, from: None, act, subject, before: None, after: None }
    }

    /// Adds how the thing was and is.
    #[must_use]
    pub fn told(mut self, before: Option<String>, after: Option<String>) -> Self {
        (self.before, self.after) = (before.map(bounded), after.map(bounded));
        self
    }

    /// Adds where it came from.
    #[must_use]
    pub fn from(mut self, source: Option<std::net::IpAddr>) -> Self {
        self.from = source.map(|source| source.to_string());
        self
    }
}

fn bounded(text: String) -> String {
    if text.len() <= VALUE_BYTES { text } else { format!("{{\"left_out_bytes\":{}}}", text.len()) }
}

/// The end of a chain: the number and the hash of its last entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of the last entry; 0 before the first.
    pub seq: i64,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

/// As `SEQ HASH`, the hash in hexadecimal digits.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, hex::encode(&self.hash))
    }
}

/// The text is no end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be a number, a blank and 64 hexadecimal digits")]
pub struct NotAHead;

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seq, hash) = text.trim().split_once([' ', ':']).ok_or(NotAHead)?;
        let hash = hex::decode(hash).and_then(|bytes| bytes.try_into().ok()).ok_or(NotAHead)?;
        Ok(Self { seq: seq.parse().map_err(|_not_a_number| NotAHead)?, hash })
    }
}

/// An entry with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The entry.
    pub entry: Entry,
    /// Its number and hash.
    pub head: Head,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_chain_can_be_written_down() {
        let head = Head { seq: 17, hash: [0xab; 32] };
        assert_eq!(head.to_string().parse(), Ok(head));
        for bad in ["", "17", "x ab", "17 abab", "17 zz"] {
            assert_eq!(bad.parse::<Head>(), Err(NotAHead), "{bad}");
        }
    }

    #[test]
    fn what_is_too_long_is_told_by_its_size() {
        let value = format!("\"{}\"", "x".repeat(VALUE_BYTES));
        let entry = Entry::new(UnixSeconds(1), "ann", "a.b", &"s".repeat(400))
            .told(None, Some(value))
            .from("192.0.2.1".parse().ok());
        assert_eq!(entry.subject.len(), SUBJECT_CHARS);
        assert_eq!(entry.after.as_deref(), Some("{\"left_out_bytes\":16386}"));
        assert_eq!(entry.from.as_deref(), Some("192.0.2.1"));
    }
}
