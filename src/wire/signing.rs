//! The exact bytes that a second-generation signature covers: one value per line, every line
//! ended by a line feed, the digest of `data` last.

use crate::model::hex;
use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::time::UnixSeconds;

use super::envelope::HeadV2;
use super::frame::Frame;
use super::relay::HeadRelay;

/// First line of what a report's signature covers: keeps it from being taken for another kind.
pub const REPORT: &str = "KATTILA2-REPORT";

/// First line of what a framed report's signature covers.
pub const FRAMED: &str = "KATTILA2-FRAMED";

/// First line of what an enrolment's signature covers.
pub const REGISTER: &str = "KATTILA2-REGISTER";

/// First line of what a relay's signature covers.
pub const RELAY: &str = "KATTILA2-RELAY";

/// Purpose of the key that signs reports, derived from the shared key.
pub const REPORT_KEY: &str = "kattila/v2/report";

/// Purpose of the key that vouches for an enrolment, derived from the shared key.
pub const REGISTER_KEY: &str = "kattila/v2/register";

/// Purpose of the key that signs what relays wrap, derived from the shared key.
pub const RELAY_KEY: &str = "kattila/v2/relay";

/// What a report's signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// `hmac-sha256` or `ed25519`.
    pub alg: &'a str,
    /// The key.
    pub kid: &'a Kid,
    /// The fleet.
    pub fleet_id: &'a FleetId,
    /// The sender.
    pub agent_id: &'a AgentId,
    /// The tick.
    pub tick: i64,
    /// When it is signed.
    pub timestamp: UnixSeconds,
    /// The nonce.
    pub nonce: &'a str,
    /// SHA-256 of the bytes of `data`; in a frame, of its bytes as sent.
    pub data_sha256: [u8; 32],
}

/// What the signature of a received report covers, whichever its shape.
pub fn text_of(head: &HeadV2<'_>, data_sha256: [u8; 32]) -> String {
    let report = Report::of(head, data_sha256);
    head.frame.as_ref().map_or_else(|| report.text(), |frame| report.framed_text(frame))
}

impl<'a> Report<'a> {
    /// Of a received head and the digest of its data.
    pub fn of(head: &'a HeadV2<'_>, data_sha256: [u8; 32]) -> Self {
        Self {
            alg: head.signature.alg(),
            kid: &head.kid,
            fleet_id: &head.fleet_id,
            agent_id: &head.agent_id,
            tick: head.tick,
            timestamp: head.timestamp,
            nonce: &head.nonce,
            data_sha256,
        }
    }

    /// The signed text.
    pub fn text(&self) -> String {
        let Self { alg, kid, fleet_id, agent_id, tick, timestamp, nonce, data_sha256 } = self;
        let digest = hex::encode(data_sha256);
        format!(
            "{REPORT}\n{alg}\n{kid}\n{fleet_id}\n{agent_id}\n{tick}\n{timestamp}\n{nonce}\n{digest}\n"
        )
    }

    /// The signed text of a frame: the line of the dictionary is empty if there is none.
    pub fn framed_text(&self, frame: &Frame) -> String {
        let Self { alg, kid, fleet_id, agent_id, tick, timestamp, nonce, data_sha256 } = self;
        let (enc, digest) = (frame.encoding, hex::encode(data_sha256));
        let dict = frame.dict.as_ref().map_or("", |dict| dict.as_str());
        format!(
            "{FRAMED}\n{alg}\n{kid}\n{fleet_id}\n{agent_id}\n{tick}\n{timestamp}\n{nonce}\n\
             {enc}\n{dict}\n{digest}\n"
        )
    }
}

/// What an enrolment's signatures cover.
#[derive(Debug, Clone, Copy)]
pub struct Register<'a> {
    /// The fleet.
    pub fleet_id: &'a FleetId,
    /// The agent.
    pub agent_id: &'a AgentId,
    /// Its public key in base64url.
    pub public_key: &'a str,
    /// When it is signed.
    pub timestamp: UnixSeconds,
    /// The nonce.
    pub nonce: &'a str,
    /// The host's name; may be empty.
    pub hostname: &'a str,
}

impl Register<'_> {
    /// The signed text.
    pub fn text(&self) -> String {
        let Self { fleet_id, agent_id, public_key, timestamp, nonce, hostname } = self;
        format!(
            "{REGISTER}\n{fleet_id}\n{agent_id}\n{public_key}\n{timestamp}\n{nonce}\n{hostname}\n"
        )
    }
}

/// What a relay's signature covers.
#[derive(Debug, Clone, Copy)]
pub struct Relay<'a> {
    /// `hmac-sha256` or `ed25519`.
    pub alg: &'a str,
    /// The key.
    pub kid: &'a Kid,
    /// The fleet.
    pub fleet_id: &'a FleetId,
    /// The relay.
    pub relay_id: &'a AgentId,
    /// Its place in the path: 1 is next to the origin.
    pub hop: i64,
    /// When it is signed.
    pub timestamp: UnixSeconds,
    /// The nonce.
    pub nonce: &'a str,
    /// SHA-256 of the envelope inside.
    pub inner_sha256: [u8; 32],
}

impl<'a> Relay<'a> {
    /// Of a received head and the digest of what is inside.
    pub fn of(head: &'a HeadRelay<'_>, inner_sha256: [u8; 32]) -> Self {
        Self {
            alg: head.signature.alg(),
            kid: &head.kid,
            fleet_id: &head.fleet_id,
            relay_id: &head.relay_id,
            hop: head.hop,
            timestamp: head.timestamp,
            nonce: &head.nonce,
            inner_sha256,
        }
    }

    /// The signed text.
    pub fn text(&self) -> String {
        let Self { alg, kid, fleet_id, relay_id, hop, timestamp, nonce, inner_sha256 } = self;
        let digest = hex::encode(inner_sha256);
        format!(
            "{RELAY}\n{alg}\n{kid}\n{fleet_id}\n{relay_id}\n{hop}\n{timestamp}\n{nonce}\n{digest}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_bytes() {
        let report = Report {
            alg: "hmac-sha256",
            kid: &"45819852fbdfc69a".parse().unwrap(),
            fleet_id: &"fleet-a".parse().unwrap(),
            agent_id: &"0123456789abcdef".parse().unwrap(),
            tick: 7,
            timestamp: UnixSeconds(1_795_214_286),
            nonce: "AAECAwQFBgcICQoLDA0ODw",
            data_sha256: [0xab; 32],
        };
        let expected = format!(
            "KATTILA2-REPORT\nhmac-sha256\n45819852fbdfc69a\nfleet-a\n0123456789abcdef\n7\n\
             1795214286\nAAECAwQFBgcICQoLDA0ODw\n{}\n",
            "ab".repeat(32)
        );
        assert_eq!(report.text(), expected);
    }
}
