//! How envelopes are kept: as what differs from an earlier one of the same agent, or else packed
//! with a dictionary, where that helps, and never grown beyond a bound on the way back.
//!
//! Owns what the columns `encoding`, `envelope`, `dict` and `base` mean. A base has no base
//! itself, so that no report needs more than one other to be read.

use std::sync::Arc;

use rusqlite::Connection;

use super::bases::{Base, Bases, Told, beside};
use super::shelf::Shelf;
use super::table::dictionaries;
use crate::model::id::ReportId;
use crate::pack::delta::{self, Text};
use crate::pack::dictionary::Dictionary;
use crate::pack::{self, Against, NoMemory, Unpacker};
use crate::store::StoreError;
use crate::store::change::NewReport;

/// Largest envelope that is read back: the largest request body the manager takes, 1 MiB, and
/// room for what a relay wraps around it.
const LARGEST_ENVELOPE_BYTES: usize = (1 << 20) + (64 << 10);

/// Below this size compression gains nothing.
const WORTH_COMPRESSING_BYTES: usize = 128;

/// Names the column, for [`StoreError::Damaged`].
pub(super) const ENVELOPE: &str = "reports.envelope";

/// The words of the column `encoding`.
const IDENTITY: &str = "identity";
const ZSTD: &str = "zstd";
/// No word: most reports are kept this way.
const DELTA: Option<&str> = None;

/// How an envelope is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed<'a> {
    pub(super) encoding: Option<&'static str>,
    pub(super) bytes: &'a [u8],
    /// The number of the dictionary.
    pub(super) dict: Option<i64>,
    /// The report it is packed against.
    pub(super) base: Option<ReportId>,
    /// Whether it is signed as that one: in the same way with the same key.
    pub(super) signed_like_base: bool,
}

/// Packs envelopes; keeps its tables and its buffer from one to the next.
#[derive(Debug)]
pub(super) struct Packer {
    packer: pack::Packer,
    unpacker: Unpacker,
    buffer: Vec<u8>,
    /// For another way to pack the same.
    other: Vec<u8>,
    bases: Bases,
    shelf: Arc<Shelf>,
    /// The newest dictionary, once it has been looked for.
    newest: Option<Option<(i64, Arc<Dictionary>)>>,
}

impl Packer {
    pub(super) fn new(shelf: Arc<Shelf>) -> Result<Self, StoreError> {
        Ok(Self {
            packer: pack::Packer::new().map_err(no_memory)?,
            unpacker: Unpacker::new().map_err(no_memory)?,
            buffer: Vec::new(),
            other: Vec::new(),
            bases: Bases::default(),
            shelf,
            newest: None,
        })
    }

    /// Forgets what it knows of the database: a batch that was given up may have been part of it.
    pub(super) fn forget(&mut self) {
        self.bases = Bases::default();
        self.newest = None;
    }

    /// Looks for the newest dictionary again.
    pub(super) fn look_again(&mut self) {
        self.newest = None;
    }

    /// Packs the envelope of a report that is about to be stored.
    pub(super) fn pack<'a>(
        &'a mut self,
        conn: &Connection,
        report: &'a NewReport,
    ) -> Result<Packed<'a>, StoreError> {
        let envelope = report.envelope.as_ref();
        if envelope.len() < WORTH_COMPRESSING_BYTES {
            self.bases.drop(report.agent);
            return Ok(plain(envelope));
        }
        if let Some((encoding, base, signed_like_base)) = self.pack_against_base(report) {
            let (bytes, base) = (self.buffer.as_slice(), Some(base));
            return Ok(Packed { encoding, bytes, dict: None, base, signed_like_base });
        }
        let known = self.newest(conn)?;
        let against =
            known.as_ref().map_or(Against::Nothing, |(_, known)| Against::Dictionary(known));
        if !self.packer.pack(envelope, against, &mut self.buffer)
            || self.buffer.len() >= envelope.len()
        {
            self.bases.drop(report.agent);
            return Ok(plain(envelope));
        }
        let (dict, known) = known.unzip();
        self.bases.put(report.agent, Base::new(report, &self.buffer, known));
        let bytes = self.buffer.as_slice();
        Ok(Packed { encoding: Some(ZSTD), bytes, dict, base: None, signed_like_base: false })
    }

    /// Packs a report against the agent's base into the buffer, if that is worth it. Tells how, the base,
    /// and whether the report is signed like it.
    fn pack_against_base(
        &mut self,
        report: &NewReport,
    ) -> Option<(Option<&'static str>, ReportId, bool)> {
        let base = self.bases.get(report.agent)?;
        let against = base.dictionary.as_deref().map_or(Against::Nothing, Against::Dictionary);
        let before = self.unpacker.unpack(&base.packed, against, base.size).ok()?;
        let text = Text { bytes: &report.envelope, beside: beside(report) };
        let against = Text { bytes: &before, beside: base.told.beside() };
        delta::pack(text, against, &mut self.buffer);
        let mut encoding = DELTA;
        // Where much else differs than numbers and words, what comes again in another place may
        // make a frame the smaller way.
        if self.buffer.len() > base.packed.len() / 2
            && self.packer.pack(&report.envelope, Against::Text(&before), &mut self.other)
            && self.other.len() < self.buffer.len()
        {
            std::mem::swap(&mut self.buffer, &mut self.other);
            encoding = Some(ZSTD);
        }
        let serves = base.serves(report.envelope.len(), self.buffer.len());
        serves.then(|| (encoding, base.report, base.is_signed_like(report)))
    }

    fn newest(&mut self, conn: &Connection) -> Result<Option<(i64, Arc<Dictionary>)>, StoreError> {
        if self.newest.is_none() {
            let found = match dictionaries::last(conn)? {
                Some(number) => self.shelf.find(conn, number)?.map(|known| (number, known)),
                None => None,
            };
            self.newest = Some(found);
        }
        Ok(self.newest.clone().flatten())
    }
}

fn plain(envelope: &[u8]) -> Packed<'_> {
    let encoding = Some(IDENTITY);
    Packed { encoding, bytes: envelope, dict: None, base: None, signed_like_base: false }
}

fn no_memory(error: NoMemory) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// A stored envelope, or the one that it is packed against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) encoding: Option<String>,
    pub(super) bytes: Vec<u8>,
    /// The size that was noted with it.
    pub(super) size: usize,
    /// The number of the dictionary.
    pub(super) dict: Option<i64>,
    /// What other columns of the row tell.
    pub(super) told: Told,
}

/// What makes envelopes of what is kept.
pub(super) struct Reading<'a> {
    pub(super) conn: &'a Connection,
    pub(super) shelf: &'a Shelf,
}

impl Reading<'_> {
    /// The envelope that was packed, of the size that was noted with it, or
    /// [`StoreError::Damaged`] if it, its base or its dictionary is not as it was.
    pub(super) fn unpack(&self, kept: Kept, base: Option<Kept>) -> Result<Vec<u8>, StoreError> {
        let Some(base) = base else { return self.alone(kept) };
        let told = base.told.clone();
        let before = self.alone(base)?;
        match kept.encoding.as_deref() {
            Some(ZSTD) if kept.dict.is_none() => open(&kept, Against::Text(&before)),
            DELTA if kept.dict.is_none() => {
                grow(&kept, Text { bytes: &before, beside: told.beside() })
            }
            _ => Err(damaged()),
        }
    }

    /// An envelope without a base.
    fn alone(&self, kept: Kept) -> Result<Vec<u8>, StoreError> {
        match (kept.encoding.as_deref(), kept.dict) {
            (Some(IDENTITY), None) if kept.bytes.len() == kept.size => Ok(kept.bytes),
            (Some(ZSTD), None) => open(&kept, Against::Nothing),
            (Some(ZSTD), Some(number)) => {
                let known = self.shelf.find(self.conn, number)?.ok_or_else(damaged)?;
                open(&kept, Against::Dictionary(&known))
            }
            _ => Err(damaged()),
        }
    }
}

fn open(kept: &Kept, against: Against<'_>) -> Result<Vec<u8>, StoreError> {
    if kept.size > LARGEST_ENVELOPE_BYTES {
        return Err(damaged());
    }
    let mut unpacker = Unpacker::new().map_err(no_memory)?;
    match unpacker.unpack(&kept.bytes, against, kept.size) {
        Ok(envelope) if envelope.len() == kept.size => Ok(envelope),
        Ok(_) | Err(_) => Err(damaged()),
    }
}

/// What differs from an earlier text, put into it.
fn grow(kept: &Kept, against: Text<'_>) -> Result<Vec<u8>, StoreError> {
    if kept.size > LARGEST_ENVELOPE_BYTES {
        return Err(damaged());
    }
    match delta::unpack(&kept.bytes, against, (kept.told.beside(), kept.size)) {
        Ok(envelope) if envelope.len() == kept.size => Ok(envelope),
        Ok(_) | Err(_) => Err(damaged()),
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged(ENVELOPE.to_owned())
}
