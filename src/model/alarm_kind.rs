//! What follows from an alarm's kind alone: whether it belongs to a link, whether it stays until seen.

use super::state::AlarmKind;

impl AlarmKind {
    /// The kinds whose subject may be an edge: they end with it, and keep it looked at.
    pub const OF_LINKS: &[Self] = &[
        Self::EdgeDown,
        Self::EdgeHalfConfigured,
        Self::EdgeOneWay,
        Self::EdgeDisagree,
        Self::AllowedIpsMismatch,
        Self::MtuMismatch,
        Self::PeerNeverUp,
    ];
    /// Whether the alarm stays until acknowledged even when its condition is over.
    pub const fn is_latching(self) -> bool {
        matches!(
            self,
            Self::IngestBadHmac
                | Self::IngestReplay
                | Self::IngestReplaySuspect
                | Self::DnsPskUnexpected
                | Self::StorageRolledBack
                | Self::AuditChainBroken
                | Self::SecretInReport
                | Self::IdentityConflict
                | Self::IdentityDowngrade
                | Self::WgKeyDuplicate
                | Self::AllowedIpsMoved
                | Self::WgPskRemoved
                | Self::RelayChainBad
        )
    }
}
