//! Proves stored reports again, from their bytes, the rows about them and the keys that are kept.
//! It decides nothing and changes nothing.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::model::id::Kid;
use crate::model::proven::Proven;
use crate::model::state::Scheme;
use crate::store::row::StoredReport;
use crate::store::{Reader, StoreError};
use crate::verify::proof::{Mismatch, Proof, ProofKey, StoredHop, claimed_relays, hops, recheck};

/// The shared keys that are kept, by their ids. Agents' own keys are read with each report.
pub struct SharedKeys(BTreeMap<Kid, Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SharedKeys").field(&self.0.len()).finish()
    }
}

impl SharedKeys {
    /// Reads them.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read(reader: &dyn Reader) -> Result<Self, StoreError> {
        let keys = reader.keys()?.into_iter();
        // A ban names a key without knowing it.
        let keys = keys.filter(|key| !key.secret.is_empty());
        Ok(Self(keys.map(|key| (key.kid, key.secret)).collect()))
    }
}

/// Proves one report, and the relays around it, again.
///
/// # Errors
/// If the keys of a relay cannot be read.
pub fn prove(
    reader: &dyn Reader,
    row: &StoredReport,
    keys: &SharedKeys,
) -> Result<Proven, StoreError> {
    match origin(row, keys) {
        Proven::Holds => way(reader, row, keys),
        other @ (Proven::Redacted | Proven::KeyNotKept | Proven::Fails(_)) => Ok(other),
    }
}

/// The report itself.
fn origin(row: &StoredReport, keys: &SharedKeys) -> Proven {
    let summary = &row.summary;
    if row.envelope.is_empty() {
        return Proven::Fails("the stored bytes are damaged".to_owned());
    }
    if summary.redacted {
        return Proven::Redacted;
    }
    let own = row.own_key.as_ref().filter(|_| summary.scheme == Scheme::V2Ed25519);
    let shared = || keys.0.get(&summary.kid).map(|secret| ProofKey::Shared(secret));
    let Some(key) = own.map(ProofKey::Own).or_else(shared) else { return Proven::KeyNotKept };
    let proof =
        Proof { scheme: summary.scheme, form: summary.form, key, data_sha256: summary.data_sha256 };
    match recheck(&row.envelope, &proof) {
        Ok(()) => Proven::Holds,
        Err(mismatch) => fails(&mismatch),
    }
}

/// The relays around it.
fn way(reader: &dyn Reader, row: &StoredReport, keys: &SharedKeys) -> Result<Proven, StoreError> {
    // What cannot be read has failed as a report.
    let Ok(hops) = hops(&row.envelope) else { return Ok(Proven::Holds) };
    if !tells_the_path(row, &hops) {
        return Ok(fails(&Mismatch::Path));
    }
    for hop in hops {
        let own = if hop.is_own() { reader.agent(&hop.relay_id)? } else { None };
        // Past keys are never removed, so a key id that none of them has is wrong.
        let own: Vec<_> = own.into_iter().flat_map(|agent| agent.identities).collect();
        let mut own = own.iter().map(|row| ProofKey::Own(&row.public_key)).peekable();
        let mut shared = keys.0.values().map(|secret| ProofKey::Shared(secret)).peekable();
        let is_kept = if hop.is_own() { own.peek().is_some() } else { shared.peek().is_some() };
        if !is_kept {
            return Ok(Proven::KeyNotKept);
        }
        if !own.chain(shared).any(|key| hop.holds(&key)) {
            return Ok(fails(&Mismatch::Relay(hop.relay_id)));
        }
    }
    Ok(Proven::Holds)
}

fn fails(mismatch: &Mismatch) -> Proven {
    Proven::Fails(mismatch.to_string())
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

#[cfg(test)]
mod tests {
    use crate::model::id::ReportId;
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

    #[test]
    fn each_report_falls_into_one_class() {
        let kept = BTreeMap::from([(kid_of_psk(PSK), Zeroizing::new(PSK.to_vec()))]);
        let (kept, none) = (SharedKeys(kept), SharedKeys(BTreeMap::new()));
        let good = row(r#"{"hostname":"gw-1"}"#);
        assert_eq!(origin(&good, &kept), Proven::Holds);
        assert_eq!(origin(&good, &none), Proven::KeyNotKept);
        let mut redacted = good.clone();
        redacted.summary.redacted = true;
        assert_eq!(origin(&redacted, &kept), Proven::Redacted);
        let mut changed = good.clone();
        let text = String::from_utf8(changed.envelope).unwrap().replace("gw-1\"}}", "gw-2\"}}");
        changed.envelope = text.into_bytes();
        assert_eq!(origin(&changed, &kept).word(), "fails");
        let mut lost = good;
        lost.envelope.clear();
        assert_eq!(origin(&lost, &kept).problem(), Some("the stored bytes are damaged"));
    }
}
