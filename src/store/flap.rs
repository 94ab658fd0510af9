//! How restless things are: how often the alarm about one came and went lately.

use crate::model::state::AlarmKind;
use crate::model::time::UnixSeconds;

/// How often the alarm about a thing came and went lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlapRecord {
    /// The alarm's kind.
    pub kind: AlarmKind,
    /// Which thing.
    pub subject: String,
    /// Thousandths of one change; halves every ten minutes.
    pub penalty: i64,
    /// When it was as much: at the last change.
    pub at: UnixSeconds,
}

/// What is written of it.
#[derive(Debug, Clone, Default)]
pub struct Flaps {
    /// To insert or replace.
    pub set: Vec<FlapRecord>,
    /// To delete: kind and subject.
    pub removed: Vec<(AlarmKind, String)>,
}

impl Flaps {
    /// Whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}
