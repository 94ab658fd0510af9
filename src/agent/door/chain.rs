//! What a neighbour wants passed on: a report, perhaps in the envelopes of relays before.
//!
//! Read only as far as a relay must know: whose fleet, who is on the path, how many hops. Keys
//! and signatures are the manager's to check.

use std::borrow::Cow;

use crate::model::id::{AgentId, FleetId};
use crate::wire::codes::ErrorCode;
use crate::wire::envelope::{self, Envelope, EnvelopeError};
use crate::wire::limits::RELAYS;
use crate::wire::relay;

use super::refusal::Refusal;

/// Who is on the path of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The fleet of all of them.
    pub fleet_id: FleetId,
    /// Who reports.
    pub origin: AgentId,
    /// Relays so far, the last one first.
    pub relays: Vec<AgentId>,
}

/// One relay's envelope: its fleet, itself, its number.
type Layer = (FleetId, AgentId, i64);

impl Chain {
    /// Reads an envelope, outermost first.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let (mut layers, mut bytes) = (Vec::new(), Cow::Borrowed(body));
        while relay::is_relay(&bytes) {
            if layers.len() == RELAYS {
                return Err(too_deep());
            }
            let head = relay::parse(&bytes).map_err(|error| unreadable(&error))?;
            layers.push((head.fleet_id, head.relay_id, head.hop));
            bytes = Cow::Owned(head.inner);
        }
        match envelope::parse(&bytes).map_err(|error| unreadable(&error))? {
            Envelope::V2(head) => Self::of(head.fleet_id, head.agent_id, layers),
            Envelope::V1(_) => {
                let detail = "Agents pass on reports of version 2 only.";
                Err(Refusal::new(ErrorCode::UnsupportedVersion, detail))
            }
        }
    }

    fn of(fleet_id: FleetId, origin: AgentId, layers: Vec<Layer>) -> Result<Self, Refusal> {
        let mut relays = Vec::new();
        let hops = (1_i64..).take(layers.len()).collect::<Vec<_>>().into_iter().rev();
        for ((fleet, relay, told), hop) in layers.into_iter().zip(hops) {
            if fleet != fleet_id {
                let detail = "A relay on the path belongs to another fleet than the report.";
                return Err(Refusal::new(ErrorCode::FleetMismatch, detail));
            }
            if told != hop {
                let detail = "Relays count from 1, each one more than the one before.";
                return Err(Refusal::new(ErrorCode::RelayHop, detail));
            }
            if relay == origin || relays.contains(&relay) {
                return Err(is_loop(&relay));
            }
            relays.push(relay);
        }
        Ok(Self { fleet_id, origin, relays })
    }

    /// Whether this agent is on the path already.
    pub fn names(&self, agent: &AgentId) -> bool {
        self.origin == *agent || self.relays.contains(agent)
    }
}

fn unreadable(error: &EnvelopeError) -> Refusal {
    Refusal::new(error.code(), format!("{error}."))
}

/// More relays than may be.
pub fn too_deep() -> Refusal {
    let detail = format!("A report passes {RELAYS} relays at most; find a shorter path.");
    Refusal::new(ErrorCode::RelayTooDeep, detail)
}

/// The path meets an agent twice.
pub fn is_loop(agent: &AgentId) -> Refusal {
    let detail = format!("{agent} is on this path already; find another one.");
    Refusal::new(ErrorCode::RelayLoop, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixSeconds;
    use crate::sign::ed25519::SecretKey;
    use crate::sign::relay::{RelaySigner, wrap};
    use crate::wire::relay::Stamp;

    const REPORT: &str = concat!(
        r#"{"v":2,"alg":"hmac-sha256","kid":"45819852fbdfc69a","fleet_id":"fleet-a","#,
        r#""agent_id":"aaaaaaaaaaaaaaaa","tick":1,"timestamp":1,"nonce":"AAECAwQFBgcICQoLDA0ODw","#,
        r#""sig":"5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e","data":{}}"#
    );

    fn wrapped(inner: &[u8], relay: &str, hop: i64, fleet: &str) -> Vec<u8> {
        let (fleet_id, relay_id) = (fleet.parse().unwrap(), relay.parse().unwrap());
        let nonce = "AAECAwQFBgcICQoLDA0ODw";
        let timestamp = UnixSeconds(1);
        let stamp = Stamp { fleet_id: &fleet_id, relay_id: &relay_id, hop, timestamp, nonce };
        wrap(inner, &stamp, &RelaySigner::Own(&SecretKey::from_seed(&[7; 32]))).unwrap()
    }

    fn path(relays: &[(&str, i64, &str)]) -> Vec<u8> {
        let mut body = REPORT.as_bytes().to_vec();
        for (relay, hop, fleet) in relays {
            body = wrapped(&body, relay, *hop, fleet);
        }
        body
    }

    const B: &str = "bbbbbbbbbbbbbbbb";
    const C: &str = "cccccccccccccccc";
    const D: &str = "dddddddddddddddd";
    const E: &str = "eeeeeeeeeeeeeeee";
    const F: &str = "fleet-a";

    #[test]
    fn a_path_is_read_from_the_last_relay_to_the_origin() {
        let bare = Chain::read(REPORT.as_bytes()).unwrap();
        assert!(bare.relays.is_empty() && bare.names(&"aaaaaaaaaaaaaaaa".parse().unwrap()));
        let chain = Chain::read(&path(&[(B, 1, F), (C, 2, F), (D, 3, F)])).unwrap();
        let relays: Vec<_> = chain.relays.iter().map(AgentId::as_str).collect();
        assert_eq!(relays, [D, C, B]);
    }

    #[test]
    fn paths_that_break_a_rule_are_refused_by_name() {
        let code = |relays: &[_]| Chain::read(&path(relays)).unwrap_err().code;
        let a = "aaaaaaaaaaaaaaaa";
        assert_eq!(code(&[(B, 1, F), (C, 2, F), (D, 3, F), (E, 4, F)]), ErrorCode::RelayTooDeep);
        assert_eq!(code(&[(B, 1, F), (B, 2, F)]), ErrorCode::RelayLoop);
        assert_eq!(code(&[(B, 1, F), (C, 2, F), (B, 3, F)]), ErrorCode::RelayLoop);
        assert_eq!(code(&[(a, 1, F)]), ErrorCode::RelayLoop);
        assert_eq!(code(&[(B, 2, F)]), ErrorCode::RelayHop);
        assert_eq!(code(&[(B, 1, F), (C, 1, F)]), ErrorCode::RelayHop);
        assert_eq!(code(&[(B, 1, "fleet-b")]), ErrorCode::FleetMismatch);
        assert_eq!(Chain::read(b"{").unwrap_err().code, ErrorCode::MalformedJson);
        let inner = Chain::read(&wrapped(b"{", B, 1, F)).unwrap_err();
        assert_eq!(inner.code, ErrorCode::MalformedJson);
        let v1 = format!(
            r#"{{"agent_id":"gw","timestamp":1,"nonce":"n","hmac":"{}","data":{{}}}}"#,
            "0".repeat(64)
        );
        assert_eq!(Chain::read(v1.as_bytes()).unwrap_err().code, ErrorCode::UnsupportedVersion);
    }
}
