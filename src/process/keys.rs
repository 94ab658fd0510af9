//! Key records on their way to storage, and what becomes of keys as events. Which keys there are
//! is decided in `keys`.

use tracing::info;

use super::draft::{About, Draft};
use super::handle::Done;
use crate::keys::policy::KeyChangeKind;
use crate::keys::ring::StoredKey;
use crate::model::state::EventKind;
use crate::store::key::KeyRecord;

/// Stores records and notes what changed, each as `KID WHAT`.
pub(super) fn record(draft: &mut Draft, rows: Vec<StoredKey>, changes: Vec<String>) {
    draft.change.keys = rows.into_iter().map(row_of).collect();
    for subject in changes {
        let about = About { fleet: None, agent: None, subject };
        draft.event(EventKind::KeysChanged, about, None, None);
    }
}

/// Stores that a person withdrew a key, and who.
pub(super) fn revoke(draft: &mut Draft, key: StoredKey, by: String) -> Done {
    info!(kid = %key.kid, by, "Key revoked");
    let change = format!("{} {}", key.kid, KeyChangeKind::Revoked.as_str());
    draft.cause = Some(by);
    record(draft, vec![key], vec![change]);
    Done::Nothing
}

fn row_of(key: StoredKey) -> KeyRecord {
    KeyRecord {
        kid: key.kid,
        secret: key.secret,
        source: key.source,
        first_seen: key.first_seen,
        last_seen: key.last_seen,
        state: key.state,
        seq: key.seq,
        nbf: key.nbf,
        exp: key.exp,
        left_at: key.left_at,
    }
}
