//! `kattila verify`: proves every stored report again, from its bytes and the keys kept, and that
//! the audit hangs together.

use std::path::Path;

use crate::model::audit::Head;
use crate::model::hex;
use crate::model::id::ReportId;
use crate::model::proven::Proven;
use crate::process::prove::{SharedKeys, prove};
use crate::sign::chain;
use crate::store::audit::AuditFilter;
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

/// Checks the whole database; `kept` is an end of the audit that was written down elsewhere.
pub fn run(database: &Path, kept: Option<Head>) -> u8 {
    let checked = sqlite::open_read_only(database)
        .and_then(|reader| Ok((count(&*reader)?, audit(&*reader, kept)?)));
    match checked {
        Ok((count, audit)) => tell(&count).max(tell_audit(&audit)),
        Err(error) => {
            complain(&error.to_string());
            storage_code(&error)
        }
    }
}

/// Checks the audit of a database that has just been made. One of an earlier schema cannot be asked
/// before a manager has been started on it.
pub(super) fn audit_of(database: &Path) -> u8 {
    let opened = sqlite::open_read_only(database);
    match opened {
        Ok(reader) => match audit(&*reader, None) {
            Ok(audit) => tell_audit(&audit),
            Err(error) => {
                complain(&error.to_string());
                storage_code(&error)
            }
        },
        Err(error) => {
            say(&format!("The audit was not looked at: {error}; then run `kattila verify`."));
            DONE
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

/// How the audit stands: its end, or its first fault.
type Audit = Result<Head, String>;

fn tell_audit(audit: &Audit) -> u8 {
    match audit {
        Ok(Head { seq, hash }) => {
            say(&format!("audit: {seq} entries hang together, to {seq}:{}", hex::encode(hash)));
            DONE
        }
        Err(fault) => {
            say(&format!("audit: broken: {fault}"));
            FAILED
        }
    }
}

/// Follows the chain from its beginning to the end that was noted.
fn audit(reader: &dyn Reader, kept: Option<Head>) -> Result<Audit, StoreError> {
    // What is written after this is not looked at: the manager may be at work.
    let noted = reader.stats()?.audit;
    let (mut head, mut kept) = (Head::default(), kept);
    loop {
        let rows = reader.audit(&AuditFilter::onwards(head.seq, PAGE))?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            head = match chain::follow(head, row) {
                Ok(head) => head,
                Err(broken) => return Ok(Err(broken.to_string())),
            };
            if let Some(known) = kept.filter(|known| known.seq == head.seq) {
                if known != head {
                    return Ok(Err(format!("entry {} is not the one that was kept", head.seq)));
                }
                kept = None;
            }
        }
    }
    if head.seq < noted.seq {
        return Ok(Err(format!("entry {} is missing", head.seq.saturating_add(1))));
    }
    Ok(match kept {
        Some(known) if known.seq > 0 => {
            Err(format!("entry {}, which was kept, is missing", known.seq))
        }
        Some(_) | None => Ok(head),
    })
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
