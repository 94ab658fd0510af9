//! `kattila verify`: proves every stored report again, from its bytes and the keys kept, and that
//! the audit hangs together.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use crate::model::audit::Head;
use crate::model::hex;
use crate::model::id::{Kid, ReportId};
use crate::model::state::Scheme;
use crate::sign::chain;
use crate::store::audit::AuditFilter;
use crate::store::row::{ReportFilter, StoredReport};
use crate::store::sqlite;
use crate::store::{Reader, StoreError};
use crate::verify::proof::{Mismatch, Proof, ProofKey, StoredHop, claimed_relays, hops, recheck};

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
    let keys = reader.keys()?.into_iter();
    // A ban names a key without knowing it.
    let keys = keys.filter(|key| !key.secret.is_empty());
    let keys: BTreeMap<Kid, _> = keys.map(|key| (key.kid, key.secret)).collect();
    let mut count = Count::default();
    let mut after = ReportId(0);
    loop {
        let rows = reader.reports(&ReportFilter::onwards(after, PAGE))?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.summary.id;
        for row in &rows {
            count.add(row, &keys, &way(reader, row, &keys)?);
        }
    }
}

/// How the relays around a stored report prove themselves.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// All of them do; also if there are none.
    Proved,
    /// A key is not kept.
    KeyNotKept,
    /// One does not.
    Failed(Mismatch),
}

fn way(
    reader: &dyn Reader,
    row: &StoredReport,
    keys: &BTreeMap<Kid, Zeroizing<Vec<u8>>>,
) -> Result<Way, StoreError> {
    // What cannot be read fails as a report too.
    let Ok(hops) = hops(&row.envelope) else { return Ok(Way::Proved) };
    if !tells_the_path(row, &hops) {
        return Ok(Way::Failed(Mismatch::Path));
    }
    for hop in hops {
        let own = if hop.is_own() { reader.agent(&hop.relay_id)? } else { None };
        // Past keys are never removed, so a key id that none of them has is wrong.
        let own: Vec<_> = own.into_iter().flat_map(|agent| agent.identities).collect();
        let mut own = own.iter().map(|row| ProofKey::Own(&row.public_key)).peekable();
        let mut shared = keys.values().map(|secret| ProofKey::Shared(secret)).peekable();
        let is_kept = if hop.is_own() { own.peek().is_some() } else { shared.peek().is_some() };
        if !is_kept {
            return Ok(Way::KeyNotKept);
        }
        if !own.chain(shared).any(|key| hop.holds(&key)) {
            return Ok(Way::Failed(Mismatch::Relay(hop.relay_id)));
        }
    }
    Ok(Way::Proved)
}

/// Whether the relays around a stored report are those that its row tells. A row of an older
/// program may call a claim what is proved.
fn tells_the_path(row: &StoredReport, hops: &[StoredHop]) -> bool {
    let path = &row.summary.relay_path;
    if hops.is_empty() {
        return !path.is_proven() && path.relays() == claimed_relays(&row.envelope);
    }
    hops.iter().rev().map(|hop| &hop.relay_id).eq(path.relays())
}

impl Count {
    fn add(&mut self, row: &StoredReport, keys: &BTreeMap<Kid, Zeroizing<Vec<u8>>>, way: &Way) {
        let summary = &row.summary;
        if row.envelope.is_empty() {
            self.failed.push((summary.id, "the stored bytes are damaged".to_owned()));
            return;
        }
        if summary.redacted {
            self.redacted += 1;
            return;
        }
        let own = row.own_key.as_ref().filter(|_| summary.scheme == Scheme::V2Ed25519);
        let shared = || keys.get(&summary.kid).map(|secret| ProofKey::Shared(secret));
        let Some(key) = own.map(ProofKey::Own).or_else(shared) else {
            self.key_not_kept += 1;
            return;
        };
        let proof = Proof {
            scheme: summary.scheme,
            form: summary.form,
            key,
            data_sha256: summary.data_sha256,
        };
        match recheck(&row.envelope, &proof) {
            Ok(()) => match way {
                Way::Proved => self.ok += 1,
                Way::KeyNotKept => self.key_not_kept += 1,
                Way::Failed(mismatch) => self.failed.push((summary.id, mismatch.to_string())),
            },
            Err(mismatch) => self.failed.push((summary.id, mismatch.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::path::RelayPath;
    use crate::model::state::CanonForm;
    use crate::model::time::UnixSeconds;
    use crate::sign::digest::sha256;
    use crate::sign::hmac;
    use crate::sign::psk::kid_of_psk;
    use crate::store::row::ReportSummary;

    use super::*;

    const PSK: &[u8] = b"kattila-test-psk-000000000000000";

    fn row(data: &str) -> StoredReport {
        let mac = hmac::v1(PSK, data.as_bytes());
        let envelope = format!(
            r#"{{"agent_id":"gw-1","timestamp":1,"nonce":"n","hmac":"{mac}","data":{data}}}"#
        );
        let summary = ReportSummary {
            id: ReportId(7),
            agent_id: "gw-1".parse().unwrap(),
            scheme: Scheme::V1,
            form: CanonForm::Raw,
            kid: kid_of_psk(PSK),
            timestamp: UnixSeconds(1),
            collected_at: None,
            received_at: UnixSeconds(1),
            tick: None,
            nonce: "n".into(),
            data_sha256: sha256(data.as_bytes()),
            redacted: false,
            relay_path: RelayPath::direct(),
            source: None,
            envelope_bytes: 0,
        };
        StoredReport { summary, envelope: envelope.into_bytes(), own_key: None }
    }

    fn counted(row: &StoredReport, keys: &BTreeMap<Kid, Zeroizing<Vec<u8>>>) -> Count {
        let mut count = Count::default();
        count.add(row, keys, &Way::Proved);
        count
    }

    #[test]
    fn each_report_falls_into_one_class() {
        let keys = BTreeMap::from([(kid_of_psk(PSK), Zeroizing::new(PSK.to_vec()))]);
        let good = row(r#"{"hostname":"gw-1"}"#);
        assert_eq!(counted(&good, &keys).ok, 1);
        assert_eq!(counted(&good, &BTreeMap::new()).key_not_kept, 1);
        let mut redacted = good.clone();
        redacted.summary.redacted = true;
        assert_eq!(counted(&redacted, &keys).redacted, 1);
        let mut changed = good;
        let text = String::from_utf8(changed.envelope).unwrap().replace("gw-1\"}}", "gw-2\"}}");
        changed.envelope = text.into_bytes();
        let count = counted(&changed, &keys);
        assert_eq!(count.failed.len(), 1);
        assert_eq!(tell(&count), FAILED);
    }
}
