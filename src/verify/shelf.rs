//! The dictionaries that agents compress their reports with, ready for use on every connection.
//!
//! The newest one is told to agents; older ones stay as long as a stored report needs them. They
//! hold no values of any report (`wire::scrub`), so whoever knows a name may have the bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use crate::model::id::FrameDictId;
use crate::pack::NoMemory;
use crate::pack::dictionary::Dictionary;
use crate::sign::digest::sha256;

/// So many of the newest ones are taken from agents. The store keeps one more in any case, so that
/// none goes while a report that needs it is on its way there.
pub const IN_USE: usize = 3;

/// What is known, by name.
#[derive(Debug)]
pub struct Shelf {
    known: RwLock<Known>,
    /// How many of the newest ones are in use.
    in_use: usize,
}

#[derive(Debug, Default)]
struct Known {
    by_id: BTreeMap<FrameDictId, Arc<Dictionary>>,
    /// The newest last.
    order: Vec<FrameDictId>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { known: RwLock::default(), in_use: IN_USE }
    }
}

impl Shelf {
    /// One whose dictionaries are all in use: what was taken once is to be taken again.
    pub fn archive<B: Into<Bytes>>(
        dictionaries: impl IntoIterator<Item = B>,
    ) -> Result<Self, NoMemory> {
        let shelf = Self { in_use: usize::MAX, ..Self::default() };
        for bytes in dictionaries {
            shelf.put(bytes)?;
        }
        Ok(shelf)
    }

    /// Adds one, which is the newest from now on.
    pub fn put(&self, bytes: impl Into<Bytes>) -> Result<FrameDictId, NoMemory> {
        let made = Dictionary::new(bytes)?;
        let id = FrameDictId::of_digest(&sha256(made.bytes()));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.order.retain(|other| *other != id);
        known.order.push(id.clone());
        known.by_id.insert(id.clone(), Arc::new(made));
        Ok(id)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one of a name.
    pub fn find(&self, id: &FrameDictId) -> Option<Arc<Dictionary>> {
        self.read().by_id.get(id).map(Arc::clone)
    }

    /// The one of a name, if agents may use it.
    pub fn find_in_use(&self, id: &FrameDictId) -> Option<Arc<Dictionary>> {
        let known = self.read();
        let is_in_use = known.order.iter().rev().take(self.in_use).any(|other| other == id);
        known.by_id.get(id).filter(|_| is_in_use).map(Arc::clone)
    }

    /// The name of the one that agents should use.
    pub fn newest(&self) -> Option<FrameDictId> {
        self.read().order.last().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_in_use_and_all_are_found() {
        let (shelf, texts) = (Shelf::default(), [b"1", b"2", b"3", b"4"]);
        let ids = texts.map(|text| shelf.put(&text[..]).unwrap());
        assert_eq!(shelf.newest().as_ref(), ids.last());
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(shelf.find(id).unwrap().bytes().as_ref(), texts[place]);
            assert_eq!(shelf.find_in_use(id).is_some(), place > 0, "{place}");
        }
        // The first one again is the newest.
        assert_eq!(shelf.put(&b"1"[..]).unwrap(), ids[0]);
        assert!(shelf.find_in_use(&ids[0]).is_some() && shelf.find_in_use(&ids[1]).is_none());
        let all = Shelf::archive(texts.map(|text| &text[..])).unwrap();
        assert!(ids.iter().all(|id| all.find_in_use(id).is_some()));
    }
}
