//! How values are written into cells and read back, column after column.
//!
//! A cell that does not hold what its column promises is an error that names the column, never
//! a silent default.

use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::FromSql;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::hex;
use crate::model::id::{FleetId, Kid};
use crate::model::key::WgKey;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;
use crate::store::StoreError;

/// Reads the cells of one row from left to right, in the order of the table's column list.
pub(super) struct Cells<'r, 's> {
    table: &'static str,
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Cells<'r, 's> {
    /// Starts at the first cell.
    pub(super) fn new(table: &'static str, row: &'r Row<'s>) -> Self {
        Self { table, row, next: 0 }
    }

    /// The next cell, as SQLite's own types convert.
    pub(super) fn take<T: FromSql>(&mut self) -> Result<T, StoreError> {
        let value = self.row.get(self.next).map_err(|_unfit| self.damaged());
        self.next += 1;
        value
    }

    /// The next cell through a conversion of its text; `None` from it means damage.
    pub(super) fn text<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
        self.maybe_text(read)?.ok_or_else(|| self.damaged_before())
    }

    /// Like [`Cells::text`], with NULL as `None`.
    pub(super) fn maybe_text<T>(
        &mut self,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        let cell = self.row.get_ref(self.next).ok();
        let value = match cell.map(|cell| cell.as_str_or_null()) {
            Some(Ok(None)) => Ok(None),
            Some(Ok(Some(text))) => read(text).map(Some).ok_or_else(|| self.damaged()),
            Some(Err(_)) | None => Err(self.damaged()),
        };
        self.next += 1;
        value
    }

    /// A value with a textual form.
    pub(super) fn parse<T: FromStr>(&mut self) -> Result<T, StoreError> {
        self.text(|text| text.parse().ok())
    }

    /// A value with a textual form, or NULL.
    pub(super) fn maybe_parse<T: FromStr>(&mut self) -> Result<Option<T>, StoreError> {
        self.maybe_text(|text| text.parse().ok())
    }

    /// A value kept as JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, StoreError> {
        self.text(|text| serde_json::from_str(text).ok())
    }

    /// A value kept as JSON, or NULL.
    pub(super) fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        self.maybe_text(|text| serde_json::from_str(text).ok())
    }

    /// A reach: a list of fleets, or NULL for everything.
    pub(super) fn reach(&mut self) -> Result<Reach, StoreError> {
        let fleets: Option<Vec<FleetId>> = self.maybe_json()?;
        Ok(fleets.map_or(Reach::Whole, Reach::only))
    }

    /// A time.
    pub(super) fn time(&mut self) -> Result<UnixSeconds, StoreError> {
        self.take().map(UnixSeconds)
    }

    /// A time, or NULL.
    pub(super) fn maybe_time(&mut self) -> Result<Option<UnixSeconds>, StoreError> {
        Ok(self.take::<Option<i64>>()?.map(UnixSeconds))
    }

    /// A count, never negative.
    pub(super) fn unsigned(&mut self) -> Result<u64, StoreError> {
        self.maybe_unsigned()?.ok_or_else(|| self.damaged_before())
    }

    /// A count, or NULL.
    pub(super) fn maybe_unsigned(&mut self) -> Result<Option<u64>, StoreError> {
        let Some(value) = self.take::<Option<i64>>()? else { return Ok(None) };
        match u64::try_from(value) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(self.damaged_before()),
        }
    }

    /// A WireGuard key.
    pub(super) fn wg_key(&mut self) -> Result<WgKey, StoreError> {
        self.take().map(WgKey)
    }

    /// A WireGuard key, or NULL.
    pub(super) fn maybe_wg_key(&mut self) -> Result<Option<WgKey>, StoreError> {
        Ok(self.take::<Option<[u8; 32]>>()?.map(WgKey))
    }

    /// The name of a pre-shared key.
    pub(super) fn kid(&mut self) -> Result<Kid, StoreError> {
        self.maybe_kid()?.ok_or_else(|| self.damaged_before())
    }

    /// The name of a pre-shared key, or NULL.
    pub(super) fn maybe_kid(&mut self) -> Result<Option<Kid>, StoreError> {
        let Some(bytes) = self.take::<Option<[u8; 8]>>()? else { return Ok(None) };
        hex::encode(&bytes).parse().map(Some).map_err(|_unfit| self.damaged_before())
    }

    /// The error for the cell that is next.
    pub(super) fn damaged(&self) -> StoreError {
        self.damaged_at(self.next)
    }

    /// The error for the cell that was read last.
    fn damaged_before(&self) -> StoreError {
        self.damaged_at(self.next.saturating_sub(1))
    }

    fn damaged_at(&self, column: usize) -> StoreError {
        let name = self.row.as_ref().column_name(column).unwrap_or("a column it lacks");
        StoreError::Damaged(format!("{}.{name}", self.table))
    }
}

/// A count as SQLite keeps it: SQLite's integers end at 2^63 - 1, and so do stored counters.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Constraint(format!("{table}: no JSON form: {error}")))
}

/// The eight bytes of a key's name.
pub(super) fn kid_bytes(kid: &Kid) -> Vec<u8> {
    // A Kid is 16 hexadecimal digits by construction; anything else would fail the column's check.
    hex::decode(kid.as_str()).unwrap_or_default()
}

/// A reach as [`Cells::reach`] reads it.
pub(super) fn fleets_json(reach: &Reach) -> Option<String> {
    let names: Vec<String> = reach.fleets().iter().map(|fleet| format!("\"{fleet}\"")).collect();
    (!reach.is_whole()).then(|| format!("[{}]", names.join(",")))
}
