//! What a frame holds, once its signature holds: decompressed within bounds, then scanned like any
//! data. Nothing is taken for granted that the bytes say of themselves.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;

use crate::model::id::{AgentId, FrameDictId};
use crate::pack::dictionary::Dictionary;
use crate::pack::{Against, Unfit, Unpacker};
use crate::wire::envelope::EnvelopeError;
use crate::wire::frame::{Encoding, Frame};
use crate::wire::limits::DATA_BYTES;
use crate::wire::scan;

use super::Verified;
use super::rejection::Rejection;
use super::shelf::Shelf;

thread_local! {
    /// Each thread's tables of zstd, kept from one frame to the next.
    static UNPACKER: RefCell<Option<Unpacker>> = const { RefCell::new(None) };
}

/// Why a frame is not read.
pub(super) enum Unread {
    /// Its dictionary is not there.
    Unknown(FrameDictId),
    /// It is not what it should be.
    Unfit(Unfit),
    /// There is no memory.
    NoMemory,
}

/// The report with its data readable; one in JSON already is.
pub(super) fn read(mut verified: Verified, shelf: Option<&Shelf>) -> Result<Verified, Rejection> {
    let Some(frame) = &verified.frame else { return Ok(verified) };
    let known = |id: &FrameDictId| shelf.and_then(|shelf| shelf.find_in_use(id));
    let read = data(frame, &verified.data, known);
    let read = read.map_err(|unread| refusal(&verified.agent_id, unread)).and_then(|plain| {
        let plain = plain.unwrap_or_else(|| verified.data.clone());
        scan::data(&plain).map_err(EnvelopeError::from)?;
        Ok(plain)
    });
    verified.data = read.map_err(|why| match verified.through() {
        Some(relay) => why.through(relay),
        None => why,
    })?;
    Ok(verified)
}

fn refusal(agent: &AgentId, unread: Unread) -> Rejection {
    let agent = agent.clone();
    match unread {
        Unread::Unknown(dict) => Rejection::DictionaryUnknown { agent, dict },
        Unread::Unfit(Unfit::TooLarge(_)) => EnvelopeError::DataGrows.into(),
        Unread::Unfit(fault) => Rejection::FrameUnfit { agent, fault },
        Unread::NoMemory => Rejection::Overloaded,
    }
}

/// What data as sent holds; `None` if it is not compressed.
pub(super) fn data(
    frame: &Frame,
    sent: &[u8],
    known: impl FnOnce(&FrameDictId) -> Option<Arc<Dictionary>>,
) -> Result<Option<Bytes>, Unread> {
    if frame.encoding == Encoding::Identity {
        return Ok(None);
    }
    let dictionary = match &frame.dict {
        None => None,
        Some(id) => Some(known(id).ok_or_else(|| Unread::Unknown(id.clone()))?),
    };
    let against = dictionary.as_deref().map_or(Against::Nothing, Against::Dictionary);
    UNPACKER.with_borrow_mut(|kept| {
        let unpacker = match kept {
            Some(unpacker) => unpacker,
            None => kept.insert(Unpacker::new().map_err(|_none| Unread::NoMemory)?),
        };
        let plain = unpacker.unpack(sent, against, DATA_BYTES).map_err(Unread::Unfit)?;
        Ok(Some(Bytes::from(plain)))
    })
}
