//! A report that is about to be sent, or may have been.

use crate::model::time::UnixSeconds;

use super::losses::Losses;
use super::seal::Seal;
use super::spool::SpoolNo;

/// A report in the courier's hand.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) data: Vec<u8>,
    /// Which second it tells of.
    pub(super) collected_at: UnixSeconds,
    /// Its place on disk, if it has one.
    pub(super) number: Option<SpoolNo>,
    /// Kept from the first attempt on, for as long as the manager may have seen it.
    pub(super) tick: Option<i64>,
    /// What it was or will be sent with.
    pub(super) seal: Option<Seal>,
    /// Whether the manager may have it already.
    pub(super) sent: bool,
    /// Since when the manager fails at it, by the pulse.
    pub(super) failing_since: Option<i64>,
    /// Losses that it tells of.
    pub(super) told: Losses,
}

impl Parcel {
    /// A report that is nowhere but here.
    pub(super) fn new(data: Vec<u8>, collected_at: UnixSeconds) -> Self {
        Self {
            data,
            collected_at,
            number: None,
            tick: None,
            seal: None,
            sent: false,
            failing_since: None,
            told: Losses::default(),
        }
    }

    /// A report from the spool that was never sent.
    pub(super) fn spooled(number: SpoolNo, data: Vec<u8>, collected_at: UnixSeconds) -> Self {
        Self { number: Some(number), ..Self::new(data, collected_at) }
    }
}
