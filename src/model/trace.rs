//! Of which trace a request is part, as its sender says (W3C Trace Context, level 1).
//!
//! Values only; whoever sends one is believed in nothing but this.

use std::fmt;
use std::str::FromStr;

use super::hex;

/// The header `traceparent`: `00-TRACE-PARENT-FLAGS`, in lowercase hexadecimal of 32, 16 and 2 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never all zeros.
    pub trace: [u8; 16],
    /// The sender's span; never all zeros.
    pub parent: [u8; 8],
    /// Flags; the lowest bit says that the sender keeps its spans.
    pub flags: u8,
}

/// A text that is no `traceparent`. It is then as if there were none (section 3.2.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoTraceParent;

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let is_lower = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            hex::decode(part).filter(|_| is_lower)
        };
        let version = part(2).filter(|version| version != &[0xff]).ok_or(NoTraceParent)?;
        let trace = part(32).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        let parent = part(16).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        let flags = part(2).and_then(|bytes| bytes.first().copied());
        // Later versions may add parts, this one has none.
        if version == [0] && parts.next().is_some() {
            return Err(NoTraceParent);
        }
        let (Some(trace), Some(parent), Some(flags)) = (trace, parent, flags) else {
            return Err(NoTraceParent);
        };
        if trace == [0; 16] || parent == [0; 8] {
            return Err(NoTraceParent);
        }
        Ok(Self { trace, parent, flags })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, parent, flags } = self;
        write!(f, "00-{}-{}-{flags:02x}", hex::encode(trace), hex::encode(parent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification_are_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read: TraceParent = text.parse().unwrap();
        assert_eq!((read.trace[0], read.parent[7], read.flags), (0x4b, 0xb7, 1));
        assert_eq!(read.to_string(), text);
        let later =
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be";
        assert_eq!(later.parse(), Ok(read));
    }

    #[test]
    fn what_is_not_one_is_none() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bé-01",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(NoTraceParent), "{text}");
        }
    }
}
