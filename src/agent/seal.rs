//! Signs `data` as a second-generation report, in the shape of JSON or as a frame.
//!
//! A [`Seal`] is the whole head of an envelope, and, where the data was compressed, what came of
//! it. Together with the same `data` it gives the same bytes at any time, which is what a report whose answer was lost is sent again with.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::id::{AgentId, FleetId, FrameDictId, Kid};
use crate::model::time::UnixSeconds;
use crate::pack::{Against, Packer};
use crate::sign::digest::sha256;
use crate::sign::ed25519::SecretKey;
use crate::sign::hmac;
use crate::sign::nonce;
use crate::wire::frame::{Encoding, Frame};
use crate::wire::signing::Report;

use super::shape::Packing;

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
    /// How the data of a frame is encoded; nothing in the JSON shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enc: Option<String>,
    /// What it is compressed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dict: Option<FrameDictId>,
    /// The compressed data, of which another run may make other bytes. No member of the head.
    #[serde(skip)]
    pub(super) packed: Option<Arc<[u8]>>,
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
        (data, packing): (&[u8], &Packing),
    ) -> Result<Self, getrandom::Error> {
        let (nonce, kid) = (nonce::fresh()?, signer.kid());
        let (frame, packed) = encoded(data, packing);
        let report = Report {
            alg: signer.alg(),
            kid: &kid,
            fleet_id: &sender.fleet_id,
            agent_id: &sender.agent_id,
            tick,
            timestamp,
            nonce: &nonce,
            data_sha256: sha256(packed.as_deref().unwrap_or(data)),
        };
        let text = frame.as_ref().map_or_else(|| report.text(), |frame| report.framed_text(frame));
        let sig = signer.sign(&text);
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
            enc: frame.as_ref().map(|frame| frame.encoding.as_str().to_owned()),
            dict: frame.and_then(|frame| frame.dict),
            packed,
        })
    }

    /// Whether it is that of a frame.
    pub fn is_framed(&self) -> bool {
        self.enc.is_some()
    }

    /// What the data of a frame is compressed with, if with a dictionary.
    pub fn dictionary(&self) -> Option<&FrameDictId> {
        self.dict.as_ref()
    }

    /// Whether it gives the bytes that it was made with.
    pub fn is_whole(&self) -> bool {
        self.enc.as_deref() != Some(Encoding::Zstd.as_str()) || self.packed.is_some()
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
        if self.is_framed() {
            out.push(b'\n');
            out.extend_from_slice(self.packed.as_deref().unwrap_or(data));
            return Ok(out);
        }
        out.pop();
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
        out.push(b'}');
        Ok(out)
    }
}

/// How data goes into a frame, if it does, and what is sent instead of it. What cannot be compressed
/// goes as it is.
fn encoded(data: &[u8], packing: &Packing) -> (Option<Frame>, Option<Arc<[u8]>>) {
    let known = match packing {
        Packing::Json => return (None, None),
        Packing::Identity => return (Some(Frame::identity()), None),
        Packing::Zstd(known) => known.as_deref(),
    };
    let against = known.map_or(Against::Nothing, |(_, known)| Against::Dictionary(known));
    let mut buffer = Vec::new();
    let packed = Packer::new().is_ok_and(|mut packer| packer.pack(data, against, &mut buffer));
    if !packed || buffer.len() >= data.len() {
        return (Some(Frame::identity()), None);
    }
    let dict = known.map(|(id, _)| id.clone());
    (Some(Frame { encoding: Encoding::Zstd, dict }), Some(buffer.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::psk::kid_of_psk;
    use crate::wire::frame;

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
        let mut seal = Seal::new(signer, &sender(), when, (DATA, &Packing::Json)).unwrap();
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
        let seal =
            Seal::new(&psk(), &sender(), (7, UnixSeconds(9)), (DATA, &Packing::Json)).unwrap();
        let kept: Seal = serde_json::from_slice(&serde_json::to_vec(&seal).unwrap()).unwrap();
        let bytes = seal.envelope(DATA).unwrap();
        assert_eq!(kept.envelope(DATA).unwrap(), bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.ends_with(&format!(",\"data\":{}}}", std::str::from_utf8(DATA).unwrap())));
        assert!(!format!("{seal:?} {:?}", psk()).contains(&seal.sig));
    }

    #[test]
    fn frames_are_those_of_the_protocol() {
        let when = (7, UnixSeconds(9));
        let data = [DATA; 20].concat();
        for packing in [Packing::Identity, Packing::Zstd(None)] {
            let seal = Seal::new(&psk(), &sender(), when, (&data, &packing)).unwrap();
            let body = seal.envelope(&data).unwrap();
            let head = frame::parse(&body).unwrap();
            let sent = &body[frame::split(&body).unwrap().1];
            let compressed = matches!(packing, Packing::Zstd(_));
            assert_eq!(sent.len() < data.len(), compressed);
            assert_eq!(head.frame.as_ref().unwrap().encoding == Encoding::Zstd, compressed);
            let text = crate::wire::signing::text_of(&head, sha256(sent));
            assert_eq!(psk().sign(&text), seal.sig);
            assert!(seal.is_framed() && seal.is_whole());
            // What was compressed is not to be made again.
            let kept: Seal = serde_json::from_slice(&serde_json::to_vec(&seal).unwrap()).unwrap();
            assert_eq!(kept.is_whole(), !compressed);
        }
        // What does not get smaller is not compressed.
        let seal = Seal::new(&psk(), &sender(), when, (b"{}", &Packing::Zstd(None))).unwrap();
        assert_eq!(seal.enc.as_deref(), Some("identity"));
    }
}
