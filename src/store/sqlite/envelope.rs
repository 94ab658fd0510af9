//! How envelopes are kept: compressed where that helps, and never grown beyond a bound on the
//! way back.

use std::borrow::Cow;

use zstd::bulk::{Compressor, Decompressor};

use crate::store::StoreError;

/// Level 1, the cheapest that compresses well: the writer thread runs it, where time is
/// everyone's, and still every byte it saves costs more to write, to sync and to checkpoint.
const LEVEL: i32 = 1;

/// Largest envelope that is read back: the largest request body the manager takes, 1 MiB, and
/// room for what a relay wraps around it.
const LARGEST_ENVELOPE_BYTES: usize = (1 << 20) + (64 << 10);

/// Below this size compression gains nothing.
const WORTH_COMPRESSING_BYTES: usize = 128;

/// Packs envelopes; keeps its tables and its buffer from one to the next.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    buffer: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> Result<Self, StoreError> {
        let compressor = Compressor::new(LEVEL)
            .map_err(|error| StoreError::Unavailable(format!("compression: {error}")))?;
        Ok(Self { compressor, buffer: Vec::new() })
    }

    /// The name of the encoding and the encoded bytes.
    pub(super) fn pack<'a>(&'a mut self, envelope: &'a [u8]) -> (&'static str, &'a [u8]) {
        if envelope.len() < WORTH_COMPRESSING_BYTES {
            return ("identity", envelope);
        }
        self.buffer.clear();
        self.buffer.reserve(zstd::zstd_safe::compress_bound(envelope.len()));
        let packed = self.compressor.compress_to_buffer(envelope, &mut self.buffer);
        if packed.is_ok() && self.buffer.len() < envelope.len() {
            ("zstd", &self.buffer)
        } else {
            ("identity", envelope)
        }
    }
}

/// Names the column, for [`StoreError::Damaged`].
pub(super) const ENVELOPE: &str = "reports.envelope";

/// The envelope that was packed; its size must be the one that was noted with it.
pub(super) fn unpack(encoding: &str, bytes: &[u8], size: usize) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged(ENVELOPE.to_owned());
    if size > LARGEST_ENVELOPE_BYTES {
        return Err(damaged());
    }
    let envelope = match encoding {
        "identity" => Cow::Borrowed(bytes),
        "zstd" => Decompressor::new()
            .and_then(|mut decompressor| decompressor.decompress(bytes, size))
            .map(Cow::Owned)
            .map_err(|_unfit| damaged())?,
        _ => return Err(damaged()),
    };
    if envelope.len() == size { Ok(envelope.into_owned()) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(envelope: &[u8]) -> &'static str {
        let mut packer = Packer::new().unwrap();
        let (encoding, packed) = packer.pack(envelope);
        assert_eq!(unpack(encoding, packed, envelope.len()).unwrap(), envelope);
        encoding
    }

    #[test]
    fn what_goes_in_comes_out() {
        assert_eq!(round_trip(b""), "identity");
        assert_eq!(round_trip(b"short"), "identity");
        assert_eq!(round_trip(&[b'a'; 5000]), "zstd");
        // Every byte value once: nothing to gain.
        let noise: Vec<u8> = (0..=255).collect();
        assert_eq!(round_trip(&noise), "identity");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::bulk::compress(&vec![0; 50 << 20], LEVEL).unwrap();
        assert!(matches!(unpack("zstd", &bomb, 5000), Err(StoreError::Damaged(_))));
        assert!(matches!(unpack("zstd", &bomb, 50 << 20), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn damage_is_told() {
        let mut packer = Packer::new().unwrap();
        let (_, packed) = packer.pack(&[b'a'; 5000]);
        assert!(unpack("zstd", &packed[..packed.len() - 1], 5000).is_err());
        assert!(unpack("zstd", packed, 4999).is_err());
        assert!(unpack("zstd", packed, 5001).is_err());
        assert!(unpack("lzma", packed, 5000).is_err());
    }
}
