//! Reads what stored reports say, without proving them again.

use std::borrow::Cow;

use crate::model::report::ReportData;
use crate::model::time::UnixSeconds;
use crate::wire::data;
use crate::wire::envelope::{self, DataV2, Envelope, HeadV1};
use crate::wire::frame::{self, Encoding};
use crate::wire::limits::RELAYS;
use crate::wire::relay::{self, HeadRelay};

use super::shelf::Shelf;
use super::unpack;

/// What a stored report says, inside its relays' envelopes: it was verified, so it can only be read
/// unless its bytes are damaged, or the dictionary it takes is not there.
pub fn report(stored: &[u8], shelf: &Shelf) -> Option<ReportData> {
    data::parse(&data(stored, shelf)?).ok()
}

/// When each relay signed a stored report, on the relay's clock; next to the origin first. Nothing of
/// a relay that is only claimed.
pub fn relayed_at(stored: &[u8]) -> Vec<UnixSeconds> {
    let mut found = Vec::new();
    let mut level = Cow::Borrowed(stored);
    while found.len() < RELAYS && relay::is_relay(&level) {
        let Ok(HeadRelay { timestamp, inner, .. }) =
            relay::parse(&level).map(HeadRelay::into_owned)
        else {
            break;
        };
        found.push(timestamp);
        level = Cow::Owned(inner);
    }
    found.reverse();
    found
}

/// The bytes of its `data`, decompressed.
pub fn data(stored: &[u8], shelf: &Shelf) -> Option<Vec<u8>> {
    let origin = relay::origin(stored).ok()?;
    let head = envelope::parse(&origin).ok()?;
    match head {
        Envelope::V1(HeadV1 { data, .. }) => Some(origin.get(data)?.to_vec()),
        Envelope::V2(head) => match (head.data, head.frame) {
            (DataV2::Decoded(data), _) => Some(data),
            (DataV2::InBody(range), None) => Some(origin.get(range)?.to_vec()),
            (DataV2::InBody(range), Some(frame)) => {
                let sent = origin.get(range)?;
                let plain = unpack::data(&frame, sent, |id| shelf.find(id)).ok()?;
                Some(plain.map_or_else(|| sent.to_vec(), Vec::from))
            }
        },
    }
}

/// The text of a stored report for people: as it is, and the data of a compressed frame
/// decompressed behind its head.
pub fn text(stored: &[u8], shelf: &Shelf) -> String {
    let opened = opened(stored, shelf);
    String::from_utf8_lossy(opened.as_deref().unwrap_or(stored)).into_owned()
}

fn opened(stored: &[u8], shelf: &Shelf) -> Option<Vec<u8>> {
    let (head, data) = frame::split(stored)?;
    let frame = framed(stored)?;
    let plain = unpack::data(&frame, stored.get(data)?, |id| shelf.find(id)).ok()??;
    Some([head, b"\n", &plain].concat())
}

/// How the data of a stored report is encoded, if it is a frame; what relays put around it is
/// taken off.
pub fn framed(stored: &[u8]) -> Option<frame::Frame> {
    let origin = relay::origin(stored).ok()?;
    if !frame::is_frame(&origin) {
        return None;
    }
    frame::parse(&origin).ok()?.frame
}

/// Whether the data of a stored report is compressed: such bytes have nothing in common.
pub fn is_compressed(stored: &[u8]) -> bool {
    framed(stored).is_some_and(|frame| frame.encoding == Encoding::Zstd)
}
