//! `kattila verify`: proves every stored report again, from its bytes and the keys kept.

use std::path::Path;

use crate::model::id::ReportId;
use crate::model::proven::Proven;
use crate::process::prove::{SharedKeys, prove};
use crate::store::row::ReportFilter;
use crate::store::sqlite;
use crate::store::{Reader, StoreError};

use super::speak::{complain, say};
use super::{DONE, FAILED, storage_code};

/// Reports read at a time; about 3 MB.
const PAGE: usize = 500;

/// How many reports proved themselves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    ok: u64,
    /// Secrets were removed from them, so their signature cannot hold.
    redacted: u64,
    /// The key that signed them is not kept.
    key_not_kept: u64,
    /// They do not prove themselves, with the reason.
    failed: Vec<(ReportId, String)>,
}

/// Checks the whole database.
pub fn run(database: &Path) -> u8 {
    let counted = sqlite::open_read_only(database).and_then(|reader| count(&*reader));
    match counted {
        Ok(count) => tell(&count),
        Err(error) => {
            complain(&error.to_string());
            storage_code(&error)
        }
    }
}

fn tell(count: &Count) -> u8 {
    for (id, why) in &count.failed {
        say(&format!("report {id} fails: {why}"));
    }
    let Count { ok, redacted, key_not_kept, failed } = count;
    say(&format!(
        "{ok} ok, {redacted} redacted, {key_not_kept} signed with a key not kept, {} failed",
        failed.len()
    ));
    if failed.is_empty() { DONE } else { FAILED }
}

fn count(reader: &dyn Reader) -> Result<Count, StoreError> {
    let keys = SharedKeys::read(reader)?;
    let mut count = Count::default();
    let mut after = ReportId(0);
    loop {
        let rows = reader.reports(&ReportFilter::onwards(after, PAGE))?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.summary.id;
        for row in &rows {
            count.add(row.summary.id, prove(reader, row, &keys)?);
        }
    }
}

impl Count {
    fn add(&mut self, id: ReportId, proven: Proven) {
        match proven {
            Proven::Holds => self.ok += 1,
            Proven::Redacted => self.redacted += 1,
            Proven::KeyNotKept => self.key_not_kept += 1,
            Proven::Fails(why) => self.failed.push((id, why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_fails_the_whole() {
        let mut count = Count::default();
        count.add(ReportId(1), Proven::Holds);
        count.add(ReportId(2), Proven::KeyNotKept);
        assert_eq!(tell(&count), DONE);
        count.add(ReportId(3), Proven::Fails("the signature does not hold".to_owned()));
        assert_eq!(tell(&count), FAILED);
        assert_eq!(count.failed.len(), 1);
    }
}
