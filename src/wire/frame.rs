//! The framed shape of a second-generation report (PROTOCOL 1.10): the head as one line of JSON, a
//! line feed, and the bytes of `data` as they were encoded, to the end of the body.
//!
//! The signature covers the bytes as sent, so it is checked before anything is decompressed; that
//! is not done here. Must never look into the data.

use std::fmt;
use std::ops::Range;

use crate::model::id::FrameDictId;

use super::envelope::{DataV2, EnvelopeError, HeadV2};
use super::field::{Fields, invalid};
use super::limits::{BODY_BYTES, DATA_BYTES, FRAME_HEAD_BYTES};
use super::{scan, v2};

/// What says in `Content-Type` that a body is a frame.
pub const CONTENT_TYPE: &str = "application/vnd.kattila.report";

/// Every member the head may have.
const MEMBERS: [&str; 11] =
    ["v", "alg", "kid", "fleet_id", "agent_id", "tick", "timestamp", "nonce", "sig", "enc", "dict"];

/// How the data of a frame is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// One frame of zstd (RFC 8878).
    Zstd,
}

impl Encoding {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Zstd => "zstd",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Identity, Self::Zstd].into_iter().find(|known| known.as_str() == word)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a head says about the data behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How it is encoded.
    pub encoding: Encoding,
    /// The dictionary it takes to decompress it; only with [`Encoding::Zstd`].
    pub dict: Option<FrameDictId>,
}

impl Frame {
    /// Data as it is.
    pub const fn identity() -> Self {
        Self { encoding: Encoding::Identity, dict: None }
    }
}

/// Takes a frame apart; [`DataV2::InBody`] is the data as sent.
pub fn parse(body: &[u8]) -> Result<HeadV2<'_>, EnvelopeError> {
    if body.len() > BODY_BYTES {
        return Err(EnvelopeError::BodyTooLarge(body.len()));
    }
    let (head, data) = split(body).ok_or(EnvelopeError::NoHead)?;
    let fields = &Fields { body: head, members: scan::envelope(head)? };
    if fields.need("v")? != b"2" {
        return Err(invalid("v", "must be 2 in a framed report"));
    }
    v2::only(fields, &MEMBERS)?;
    let bare = v2::bare(fields)?;
    let frame = encoding(fields)?;
    if data.len() > DATA_BYTES {
        return Err(EnvelopeError::DataTooLarge(data.len()));
    }
    Ok(HeadV2 { data: DataV2::InBody(data), frame: Some(frame), ..bare })
}

/// Whether bytes are a frame and not JSON: their first line is a whole object that says how the
/// rest, which is there, is encoded. JSON has nothing behind a whole object.
pub fn is_frame(body: &[u8]) -> bool {
    let Some((head, data)) = split(body) else { return false };
    let rest = body.get(data).unwrap_or_default();
    if rest.trim_ascii().is_empty() || head.trim_ascii_end().last() != Some(&b'}') {
        return false;
    }
    let Ok(members) = scan::envelope(head) else { return false };
    Fields { body: head, members }.member("enc").is_some()
}

/// The frame of the same head around data that is not what was signed: what is kept of one whose
/// data held secrets. Nothing if it is no frame.
pub fn around(body: &[u8], clean: &[u8]) -> Option<Vec<u8>> {
    let (head, _) = split(body)?;
    let fields = Fields { body: head, members: scan::envelope(head).ok()? };
    let mut out = Vec::with_capacity(head.len() + clean.len() + 16);
    for member in &fields.members {
        let name = fields.name(member);
        if name == "dict" {
            continue;
        }
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.extend_from_slice(format!("\"{name}\":").as_bytes());
        let value = if name == "enc" { b"\"identity\"" } else { fields.bytes(member) };
        out.extend_from_slice(value);
    }
    out.extend_from_slice(b"}\n");
    out.extend_from_slice(clean);
    Some(out)
}

/// The head without its line feed, and where the data is.
pub fn split(body: &[u8]) -> Option<(&[u8], Range<usize>)> {
    let begin = body.get(..=FRAME_HEAD_BYTES).unwrap_or(body);
    let end = begin.iter().position(|byte| *byte == b'\n')?;
    Some((body.get(..end)?, end + 1..body.len()))
}

fn encoding(fields: &Fields<'_>) -> Result<Frame, EnvelopeError> {
    let encoding = Encoding::of(&fields.text("enc")?);
    let encoding = encoding.ok_or(invalid("enc", "must be identity or zstd"))?;
    let dict = fields.member("dict").map(|_told| fields.parse("dict")).transpose()?;
    if dict.is_some() && encoding == Encoding::Identity {
        return Err(invalid("dict", "goes with the encoding zstd only"));
    }
    Ok(Frame { encoding, dict })
}

#[cfg(test)]
mod tests;
