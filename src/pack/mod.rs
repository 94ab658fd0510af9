//! Compression: one frame of zstd (RFC 8878) at a time, with or without something that both
//! sides have, and never grown beyond a bound on the way back.
//!
//! Owns the crate zstd, and another way for texts of which only numbers and some words change
//! ([`delta`]). Must never take memory by what a frame says of itself, and knows nothing
//! of what the bytes mean.

pub mod delta;
pub mod dictionary;

use std::fmt;

use thiserror::Error;
use zstd::zstd_safe::{self, CCtx, DCtx};

use dictionary::Dictionary;

/// Level 1, the cheapest that compresses well: the thread that writes runs it, where time is
/// everyone's. Against a dictionary or an earlier text, higher ones gain next to nothing.
pub const LEVEL: i32 = 1;

/// First bytes of a frame (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Largest window a frame may ask for: what RFC 8878 (3.1.1.1.2) wants every decoder to support.
const WINDOW_BYTES: u64 = 8 << 20;

/// What both sides have, so that it need not be in the frame.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// Nothing.
    Nothing,
    /// A trained dictionary.
    Dictionary(&'a Dictionary),
    /// An earlier text of the same kind.
    Text(&'a [u8]),
}

/// There is no memory for a context of zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no memory for compression")]
pub struct NoMemory;

/// Makes frames; keeps its tables from one to the next.
pub struct Packer(CCtx<'static>);

impl Packer {
    /// Takes memory for the tables.
    pub fn new() -> Result<Self, NoMemory> {
        CCtx::try_create().map(Self).ok_or(NoMemory)
    }

    /// Puts one frame into the buffer, in place of what is there; false if that did not do.
    pub fn pack(&mut self, plain: &[u8], against: Against<'_>, buffer: &mut Vec<u8>) -> bool {
        buffer.clear();
        buffer.reserve(zstd_safe::compress_bound(plain.len()));
        let packed = match against {
            Against::Nothing => self.0.compress(buffer, plain, LEVEL),
            Against::Dictionary(known) => {
                self.0.compress_using_cdict(buffer, plain, known.encoder())
            }
            Against::Text(text) => self.0.compress_using_dict(buffer, plain, text, LEVEL),
        };
        packed.is_ok()
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

/// Why bytes are not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Not a frame, cut short, damaged, or made against something else.
    #[error("not one whole zstd frame, or made with another dictionary")]
    Malformed,
    /// Something stands behind the first frame.
    #[error("more than one zstd frame")]
    NotOne,
    /// Its window is larger than any content may be.
    #[error("a zstd window of more than 8 MiB")]
    Window,
    /// It holds more than there is room for.
    #[error("more than {0} bytes when decompressed")]
    TooLarge(usize),
}

/// Takes frames apart; keeps its tables from one to the next.
pub struct Unpacker(DCtx<'static>);

impl Unpacker {
    /// Takes memory for the tables.
    pub fn new() -> Result<Self, NoMemory> {
        DCtx::try_create().map(Self).ok_or(NoMemory)
    }

    /// What the one frame holds, at most `room` bytes.
    pub fn unpack(
        &mut self,
        frame: &[u8],
        against: Against<'_>,
        room: usize,
    ) -> Result<Vec<u8>, Unfit> {
        let told = told_size(frame)?;
        if told.is_some_and(|told| told > room as u64) {
            return Err(Unfit::TooLarge(room));
        }
        let capacity = told.and_then(|told| usize::try_from(told).ok()).unwrap_or(room);
        let mut plain = Vec::with_capacity(capacity);
        let done = match against {
            Against::Nothing => self.0.decompress(&mut plain, frame),
            Against::Dictionary(known) => {
                self.0.decompress_using_ddict(&mut plain, frame, known.decoder())
            }
            Against::Text(text) => self.0.decompress_using_dict(&mut plain, frame, text),
        };
        match done {
            Ok(_) => Ok(plain),
            Err(code)
                if zstd_safe::get_error_name(code).contains("too small") && told.is_none() =>
            {
                Err(Unfit::TooLarge(room))
            }
            Err(_) => Err(Unfit::Malformed),
        }
    }
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacker")
    }
}

/// Looks at a frame from outside: that it is one, whole, alone, and asks for no more than it may.
/// Answers how much it says it holds, if it says so.
fn told_size(frame: &[u8]) -> Result<Option<u64>, Unfit> {
    if !frame.starts_with(&MAGIC) {
        return Err(Unfit::Malformed);
    }
    if window(frame).ok_or(Unfit::Malformed)? > WINDOW_BYTES {
        return Err(Unfit::Window);
    }
    let told = zstd_safe::get_frame_content_size(frame).map_err(|_unreadable| Unfit::Malformed)?;
    match zstd_safe::find_frame_compressed_size(frame) {
        Ok(length) if length == frame.len() => Ok(told),
        Ok(_) => Err(Unfit::NotOne),
        Err(_) => Err(Unfit::Malformed),
    }
}

/// The window that a frame asks for (RFC 8878, 3.1.1.1): one of a single segment asks for none.
fn window(frame: &[u8]) -> Option<u64> {
    let descriptor = *frame.get(4)?;
    if descriptor & 0b0010_0000 != 0 {
        return Some(0);
    }
    let window = *frame.get(5)?;
    let base = 1_u64 << (10 + (window >> 3));
    Some(base + base / 8 * u64::from(window & 7))
}

#[cfg(test)]
mod tests;
