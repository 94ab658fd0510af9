//! Puts hosts' data into the shape that a run asks for.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::model::id::FrameDictId;
use crate::pack::dictionary::Dictionary;
use crate::pack::{Against, Packer};
use crate::sign::digest::sha256;
use crate::simulate::envelope::Shape;
use crate::wire::frame::{Encoding, Frame};

use super::LoadError;

/// Data as it is sent, and how that is encoded; `None` for the JSON shape.
pub(super) type Pressed<'a> = Option<(Frame, &'a [u8])>;

/// One connection's tables and buffer.
#[derive(Debug, Default)]
pub(super) struct Press {
    packer: Option<Packer>,
    buffer: Vec<u8>,
}

impl Press {
    /// Puts data into a shape; what does not compress goes as it is.
    pub(super) fn press<'a>(
        &'a mut self,
        shape: Shape,
        data: &'a [u8],
        known: Option<&(FrameDictId, Dictionary)>,
    ) -> Result<Pressed<'a>, LoadError> {
        match shape {
            Shape::Json => return Ok(None),
            Shape::Framed(Encoding::Identity) => return Ok(Some((Frame::identity(), data))),
            Shape::Framed(Encoding::Zstd) => {}
        }
        let packer = match &mut self.packer {
            Some(packer) => packer,
            None => self.packer.insert(Packer::new().map_err(LoadError::Memory)?),
        };
        let against = known.map_or(Against::Nothing, |(_, known)| Against::Dictionary(known));
        if !packer.pack(data, against, &mut self.buffer) {
            return Ok(Some((Frame::identity(), data)));
        }
        let dict = known.map(|(id, _)| id.clone());
        Ok(Some((Frame { encoding: Encoding::Zstd, dict }, &self.buffer)))
    }
}

/// The dictionary that the manager names, fetched once for all hosts.
#[derive(Debug, Default)]
pub(super) struct Lent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    asked: Option<FrameDictId>,
    known: Option<Arc<(FrameDictId, Dictionary)>>,
}

impl Lent {
    pub(super) fn known(&self) -> Option<Arc<(FrameDictId, Dictionary)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.clone()
    }

    /// Whether it falls to the caller to fetch this one.
    pub(super) fn is_to_fetch(&self, id: &FrameDictId) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = kept.asked.as_ref() != Some(id);
        if is_new {
            kept.asked = Some(id.clone());
        }
        is_new
    }

    /// What was fetched under a name, if it is that.
    pub(super) fn put(&self, id: FrameDictId, bytes: Bytes) -> Result<(), LoadError> {
        if FrameDictId::of_digest(&sha256(&bytes)) == id {
            let made = Dictionary::new(bytes).map_err(LoadError::Memory)?;
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.known = Some(Arc::new((id, made)));
        }
        Ok(())
    }

    /// The manager does not know it any more.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }
}
