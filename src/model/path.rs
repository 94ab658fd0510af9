//! The way a report took: which agents passed it on, and whether that is proved.

use serde::Serialize;

use super::id::AgentId;
use super::state::RelayProof;

/// The relays between an agent and the manager. Either all of them signed for it, or all are the
/// origin's claim.
///
/// Serialized as two members: `relay_path`, the relays' ids, next to the origin first, and
/// `relay_proof`, `proven`, `claimed`, or `null` if there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RelayPath {
    #[serde(rename = "relay_path")]
    relays: Vec<AgentId>,
    #[serde(rename = "relay_proof")]
    proof: Option<RelayProof>,
}

impl RelayPath {
    /// Straight to the manager.
    pub fn direct() -> Self {
        Self::default()
    }

    /// Through these relays, next to the origin first; none is direct.
    pub fn through(relays: Vec<AgentId>, proof: RelayProof) -> Self {
        let proof = (!relays.is_empty()).then_some(proof);
        Self { relays, proof }
    }

    /// The relays, next to the origin first.
    pub fn relays(&self) -> &[AgentId] {
        &self.relays
    }

    /// Whether the relays signed for it; `None` if there are none.
    pub fn proof(&self) -> Option<RelayProof> {
        self.proof
    }

    /// Whether no relay is on it.
    pub fn is_direct(&self) -> bool {
        self.relays.is_empty()
    }

    /// Whether all its relays signed for it.
    pub fn is_proven(&self) -> bool {
        self.proof == Some(RelayProof::Proven)
    }
}

impl RelayProof {
    /// From whether the relays signed.
    pub const fn of(proven: bool) -> Self {
        if proven { Self::Proven } else { Self::Claimed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_relays_needs_no_proof() {
        let direct = RelayPath::through(Vec::new(), RelayProof::Proven);
        assert_eq!(direct, RelayPath::direct());
        let json = serde_json::to_string(&direct).unwrap();
        assert_eq!(json, r#"{"relay_path":[],"relay_proof":null}"#);
        let claimed = RelayPath::through(vec!["r1".parse().unwrap()], RelayProof::Claimed);
        assert!(!claimed.is_direct() && !claimed.is_proven());
        let json = serde_json::to_string(&claimed).unwrap();
        assert_eq!(json, r#"{"relay_path":["r1"],"relay_proof":"claimed"}"#);
    }
}
