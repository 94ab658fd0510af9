//! A pre-shared key as it is stored.

use crate::model::id::Kid;
use crate::model::time::UnixSeconds;

/// A pre-shared key, kept so that a restart during a DNS outage does not cut off the fleet and
/// so that stored reports stay provable.
#[derive(Clone)]
pub struct KeyRecord {
    /// Its name.
    pub kid: Kid,
    /// Its bytes.
    pub secret: zeroize::Zeroizing<Vec<u8>>,
    /// `dns`, `file` or `environment`.
    pub source: String,
    /// When it was first seen.
    pub first_seen: UnixSeconds,
    /// When it was last present in its source.
    pub last_seen: UnixSeconds,
    /// `current`, `previous`, `retired` or `revoked`.
    pub state: String,
    /// `seq` of its record, if it has one.
    pub seq: Option<i64>,
    /// `nbf` of its record: not to be used before.
    pub nbf: Option<UnixSeconds>,
    /// `exp` of its record: not to be used from then on.
    pub exp: Option<UnixSeconds>,
    /// When its source stopped listing it; `None` while it is listed.
    pub left_at: Option<UnixSeconds>,
}

impl std::fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRecord({} {})", self.kid, self.state)
    }
}
