//! Dictionaries ready for use, made once each from their rows, for all connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::table::dictionaries;
use crate::pack::dictionary::Dictionary;
use crate::store::StoreError;

/// What has been asked for so far, by number. A number never means another dictionary later.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<BTreeMap<i64, Arc<Dictionary>>>);

impl Shelf {
    /// The dictionary of a number; `None` if it is not there, or not what its name says.
    pub(super) fn find(
        &self,
        conn: &Connection,
        number: i64,
    ) -> Result<Option<Arc<Dictionary>>, StoreError> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dictionary) = shelf.get(&number) {
            return Ok(Some(Arc::clone(dictionary)));
        }
        let Some(record) = dictionaries::find(conn, number)? else { return Ok(None) };
        let made = Dictionary::new(record.bytes)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        if *made.id() != record.id {
            return Ok(None);
        }
        let made = Arc::new(made);
        shelf.insert(number, Arc::clone(&made));
        Ok(Some(made))
    }
}
