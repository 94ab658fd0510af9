//! What an archive can give back, for people.

use std::path::Path;

use super::parts;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;

/// One timeline: an unbroken stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its name.
    pub name: String,
    /// The first time that one can go back to; `None` as long as it has no base.
    pub from: Option<UnixSeconds>,
    /// The last commit in it.
    pub to: Option<UnixSeconds>,
    /// Copies of the whole database in it.
    pub bases: usize,
    /// Bytes of all its files.
    pub bytes: u64,
}

/// Every timeline, the oldest first.
pub fn list(dir: &Path) -> Result<Vec<Stretch>, StoreError> {
    let all = parts::timelines(dir)?;
    let told = |timeline| {
        let (last, _digest) = parts::end(dir, timeline)?;
        let archived = (last.number > 0).then_some(last.at);
        Ok(Stretch {
            name: timeline.name.clone(),
            from: timeline.bases.first().map(|base| base.at),
            to: archived.max(timeline.bases.last().map(|base| base.at)),
            bases: timeline.bases.len(),
            bytes: parts::bytes(dir, timeline),
        })
    };
    all.iter().map(told).collect()
}
