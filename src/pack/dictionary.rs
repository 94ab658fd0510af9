//! Dictionaries: what reports have in common, so that it need not be in each of them. One is
//! trained from samples, the same from the same samples, and named by its content.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;
use zstd::zstd_safe::{CDict, DDict};

use super::{Against, LEVEL, NoMemory, Packer};
use crate::model::id::DictId;
use crate::sign::digest::sha256;

/// Bytes of a trained dictionary. Twice as many gain a tenth at most, and cost as much cache.
pub const DICTIONARY_BYTES: usize = 64 * 1024;

/// Bytes of one that is handed to agents: it holds the form of reports and no values, for which
/// this is plenty, and every agent that compresses fetches it.
pub const FRAME_DICTIONARY_BYTES: usize = 16 * 1024;

/// Samples needed for a dictionary that is worth it.
pub const SAMPLES_MIN: usize = 256;

/// Samples looked at.
pub const SAMPLES_MAX: usize = 1024;

/// Bytes of samples looked at: a hundred times the dictionary, as zstd advises.
pub const SAMPLE_BYTES: usize = 6 << 20;

/// A dictionary, ready for use in both directions.
pub struct Dictionary {
    id: DictId,
    bytes: Bytes,
    encoder: CDict<'static>,
    decoder: DDict<'static>,
}

/// Why there is no dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Untrained {
    /// Too few samples, or too much the same.
    #[error("the samples do not make a dictionary: {0}")]
    Samples(String),
    /// No memory for it.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
}

impl Dictionary {
    /// The dictionary of these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, NoMemory> {
        let bytes = bytes.into();
        let encoder = CDict::try_create(&bytes, LEVEL).ok_or(NoMemory)?;
        let decoder = DDict::try_create(&bytes).ok_or(NoMemory)?;
        Ok(Self { id: DictId::of_digest(&sha256(&bytes)), bytes, encoder, decoder })
    }

    /// Learns from samples; `size` is the most bytes it may have.
    pub fn train(samples: &[Vec<u8>], size: usize) -> Result<Self, Untrained> {
        let sizes: Vec<usize> = samples.iter().map(Vec::len).collect();
        let trained = zstd::dict::from_continuous(&samples.concat(), &sizes, size);
        let bytes = trained.map_err(|error| Untrained::Samples(error.to_string()))?;
        Ok(Self::new(bytes)?)
    }

    /// Its name: the first 8 bytes of the SHA-256 of its bytes.
    pub fn id(&self) -> &DictId {
        &self.id
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn encoder(&self) -> &CDict<'static> {
        &self.encoder
    }

    pub(super) fn decoder(&self) -> &DDict<'static> {
        &self.decoder
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dictionary({})", self.id)
    }
}

/// How many bytes samples take, as they are and packed.
pub fn measure(
    samples: &[Vec<u8>],
    dictionary: Option<&Dictionary>,
) -> Result<(usize, usize), NoMemory> {
    let mut packer = Packer::new()?;
    let against = dictionary.map_or(Against::Nothing, Against::Dictionary);
    let (mut plain, mut packed, mut buffer) = (0, 0, Vec::new());
    for sample in samples {
        plain += sample.len();
        let fits = packer.pack(sample, against, &mut buffer);
        packed += if fits { buffer.len().min(sample.len()) } else { sample.len() };
    }
    Ok((plain, packed))
}
