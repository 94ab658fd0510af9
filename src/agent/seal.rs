//! Signs `data` as a second-generation report.
//!
//! A [`Seal`] is the whole head of an envelope. Together with the same `data` it gives the same
//! bytes at any time, which is what a report whose answer was lost is sent again with.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::sign::ed25519::SecretKey;
use crate::sign::hmac;
use crate::sign::nonce;
use crate::wire::signing::Report;

/// What signs.
#[derive(Clone)]
pub enum Signer {
    /// The fleet's pre-shared key.
    Psk {
        /// Its name.
        kid: Kid,
        /// Its bytes.
        secret: Zeroizing<Vec<u8>>,
    },
    /// This agent's own key.
    Own(Arc<SecretKey>),
}

impl Signer {
    /// The name of the algorithm on the wire.
    pub fn alg(&self) -> &'static str {
        match self {
            Self::Psk { .. } => "hmac-sha256",
            Self::Own(_) => "ed25519",
        }
    }

    /// The key's name.
    pub fn kid(&self) -> Kid {
        match self {
            Self::Psk { kid, .. } => kid.clone(),
            Self::Own(key) => key.kid(),
        }
    }

    fn sign(&self, text: &str) -> String {
        match self {
            Self::Psk { secret, .. } => hmac::v2(secret, text),
            Self::Own(key) => URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes())),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} {})", self.alg(), self.kid())
    }
}

/// Who reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// This agent.
    pub agent_id: AgentId,
    /// Its fleet.
    pub fleet_id: FleetId,
}

/// The head of a signed report.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    v: u8,
    alg: String,
    kid: Kid,
    fleet_id: FleetId,
    agent_id: AgentId,
    /// The report's number.
    pub tick: i64,
    /// When it was signed.
    pub timestamp: UnixSeconds,
    nonce: String,
    sig: String,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal(tick {} at {} by {} {})", self.tick, self.timestamp, self.alg, self.kid)
    }
}

impl Seal {
    /// Signs `data` with a nonce of its own.
    pub fn new(
        signer: &Signer,
        sender: &Sender,
        (tick, timestamp): (i64, UnixSeconds),
        data: &[u8],
    ) -> Result<Self, getrandom::Error> {
        let (nonce, kid) = (nonce::fresh()?, signer.kid());
        let report = Report {
            alg: signer.alg(),
            kid: &kid,
            fleet_id: &sender.fleet_id,
            agent_id: &sender.agent_id,
            tick,
            timestamp,
            nonce: &nonce,
            data_sha256: sha256(data),
        };
        let sig = signer.sign(&report.text());
        Ok(Self {
            v: 2,
            alg: signer.alg().to_owned(),
            kid,
            fleet_id: sender.fleet_id.clone(),
            agent_id: sender.agent_id.clone(),
            tick,
            timestamp,
            nonce,
            sig,
        })
    }

    /// Whether the manager takes it where it takes what this signer makes: of this host's own
    /// keys one at a time, of the shared ones the last few.
    pub fn is_like(&self, signer: &Signer) -> bool {
        match signer {
            Signer::Psk { .. } => self.alg == signer.alg(),
            Signer::Own(key) => self.alg == signer.alg() && self.kid == key.kid(),
        }
    }

    /// The envelope: this head and `data`, byte for byte.
    pub fn envelope(&self, data: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut out = serde_json::to_vec(self)?;
        out.pop();
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
        out.push(b'}');
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::psk::kid_of_psk;

    const DATA: &[u8] = br#"{"hostname":"gw-1","tick":1,"load":1.0,"note":"<\u00e9>"}"#;

    fn sender() -> Sender {
        Sender {
            agent_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            fleet_id: "fleet-a".parse().unwrap(),
        }
    }

    fn psk() -> Signer {
        let secret = Zeroizing::new(b"kattila-test-psk-000000000000000".to_vec());
        Signer::Psk { kid: kid_of_psk(&secret), secret }
    }

    fn signed_by(signer: &Signer) -> String {
        let when = (1_795_214_286_123, UnixSeconds(1_795_214_286));
        let mut seal = Seal::new(signer, &sender(), when, DATA).unwrap();
        seal.nonce = "AAECAwQFBgcICQoLDA0ODw".to_owned();
        let report = Report {
            alg: &seal.alg,
            kid: &seal.kid,
            fleet_id: &seal.fleet_id,
            agent_id: &seal.agent_id,
            tick: seal.tick,
            timestamp: seal.timestamp,
            nonce: &seal.nonce,
            data_sha256: sha256(DATA),
        };
        signer.sign(&report.text())
    }

    #[test]
    fn the_published_vectors() {
        assert_eq!(
            signed_by(&psk()),
            "5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e"
        );
        let mut seed = [0; 32];
        for (byte, value) in seed.iter_mut().zip(0..) {
            *byte = value;
        }
        assert_eq!(
            signed_by(&Signer::Own(Arc::new(SecretKey::from_seed(&seed)))),
            "DIKiK7A63iZM9pWemMHVywesE37cUZPdg4uhPRMfe_eB_Q84udZyN7UgmJ962L8cpC8TCKv6ZuGwRubGfiLKCQ"
        );
    }

    #[test]
    fn a_seal_that_was_kept_gives_the_same_bytes() {
        let seal = Seal::new(&psk(), &sender(), (7, UnixSeconds(9)), DATA).unwrap();
        let kept: Seal = serde_json::from_slice(&serde_json::to_vec(&seal).unwrap()).unwrap();
        let bytes = seal.envelope(DATA).unwrap();
        assert_eq!(kept.envelope(DATA).unwrap(), bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with(&format!(",\"data\":{}}}", std::str::from_utf8(DATA).unwrap())));
        assert!(!format!("{seal:?} {:?}", psk()).contains(&seal.sig));
    }
}
