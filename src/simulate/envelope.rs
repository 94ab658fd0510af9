//! Signs `data` the way an agent does and wraps it for `POST /status/updates`.

use std::fmt;

use zeroize::Zeroizing;

use crate::model::hex;
use crate::model::id::Kid;
use crate::sign::digest;
use crate::sign::hmac;
use crate::sign::psk::kid_of_psk;

/// The name of version 2's shared-key algorithm on the wire.
const ALGORITHM: &str = "hmac-sha256";

/// Which envelope is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// First generation: the signature covers `data` only.
    V1,
    /// Second generation with the shared key: it covers identity, time and order too.
    V2,
}

/// What stands beside `data`. Text, because a test may want to send what no agent would.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Who reports.
    pub agent_id: &'a str,
    /// The agent's fleet; version 2 cannot do without, version 1 leaves it out when absent.
    pub fleet_id: Option<&'a str>,
    /// Version 2's growing number.
    pub tick: &'a str,
    /// When the report is signed, Unix seconds.
    pub timestamp: &'a str,
    /// A word that is used once.
    pub nonce: &'a str,
}

/// Holds the key and makes envelopes.
pub struct Signer {
    psk: Zeroizing<Vec<u8>>,
    kid: Kid,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer(kid {})", self.kid)
    }
}

impl Signer {
    /// A signer with this pre-shared key.
    pub fn new(psk: Zeroizing<Vec<u8>>) -> Self {
        let kid = kid_of_psk(&psk);
        Self { psk, kid }
    }

    /// The signed envelope around `data`, which must be JSON and is embedded byte for byte.
    pub fn seal(&self, scheme: Scheme, head: &Head<'_>, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 512);
        match scheme {
            Scheme::V1 => {
                member(&mut out, "agent_id", &quoted(head.agent_id));
                if let Some(fleet) = head.fleet_id {
                    member(&mut out, "fleet_id", &quoted(fleet));
                }
                member(&mut out, "timestamp", &number(head.timestamp));
                member(&mut out, "nonce", &quoted(head.nonce));
                member(&mut out, "hmac", &quoted(&hmac::v1(&self.psk, data)));
            }
            Scheme::V2 => {
                let fleet = head.fleet_id.unwrap_or_default();
                let sig = hmac::v2(&self.psk, &signing_string(&self.kid, head, data));
                member(&mut out, "v", "2");
                member(&mut out, "alg", &quoted(ALGORITHM));
                member(&mut out, "kid", &quoted(self.kid.as_str()));
                member(&mut out, "fleet_id", &quoted(fleet));
                member(&mut out, "agent_id", &quoted(head.agent_id));
                member(&mut out, "tick", &number(head.tick));
                member(&mut out, "timestamp", &number(head.timestamp));
                member(&mut out, "nonce", &quoted(head.nonce));
                member(&mut out, "sig", &quoted(&sig));
            }
        }
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
        out.push(b'}');
        out
    }
}

/// What a version 2 signature covers: nine lines, each ended by LF.
fn signing_string(kid: &Kid, head: &Head<'_>, data: &[u8]) -> String {
    let digest = hex::encode(&digest::sha256(data));
    let Head { agent_id, fleet_id, tick, timestamp, nonce } = head;
    let fleet = fleet_id.unwrap_or_default();
    format!(
        "KATTILA2-REPORT\n{ALGORITHM}\n{kid}\n{fleet}\n{agent_id}\n{tick}\n{timestamp}\n{nonce}\n\
         {digest}\n"
    )
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(if out.is_empty() { b'{' } else { b',' });
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value.as_bytes());
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number as it is; anything else as a string, which the manager then judges.
fn number(text: &str) -> String {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = plain && (text == "0" || !text.starts_with('0'));
    if canonical { text.to_owned() } else { quoted(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &[u8] = br#"{"hostname":"gw-1","tick":1,"load":1.0,"note":"<\u00e9>"}"#;
    const HEAD: Head<'static> = Head {
        agent_id: "0123456789abcdef0123456789abcdef",
        fleet_id: Some("fleet-a"),
        tick: "1795214286123",
        timestamp: "1795214286",
        nonce: "AAECAwQFBgcICQoLDA0ODw",
    };

    fn signer() -> Signer {
        Signer::new(Zeroizing::new(b"kattila-test-psk-000000000000000".to_vec()))
    }

    #[test]
    fn version_1_matches_the_published_vector() {
        let head = Head { fleet_id: None, ..HEAD };
        let envelope = String::from_utf8(signer().seal(Scheme::V1, &head, DATA)).unwrap();
        assert_eq!(
            envelope,
            format!(
                r#"{{"agent_id":"{}","timestamp":1795214286,"nonce":"{}","hmac":"{}","data":{}}}"#,
                HEAD.agent_id,
                HEAD.nonce,
                "7a8046f955a85973621026ab5e65dadf560683cfc144fe66659bfd09f75665ad",
                std::str::from_utf8(DATA).unwrap(),
            )
        );
    }

    #[test]
    fn version_2_matches_the_published_vector() {
        let envelope = signer().seal(Scheme::V2, &HEAD, DATA);
        let read: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
        assert_eq!(read["sig"], "5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e");
        assert_eq!(read["kid"], "45819852fbdfc69a");
        assert_eq!(read["tick"], 1_795_214_286_123_u64);
        assert_eq!(read["v"], 2);
    }

    #[test]
    fn odd_numbers_and_names_are_sent_as_they_are() {
        let head = Head { agent_id: "a\"b", timestamp: "007", ..HEAD };
        let envelope = signer().seal(Scheme::V1, &head, b"{}");
        let read: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
        assert_eq!(read["agent_id"], "a\"b");
        assert_eq!(read["timestamp"], "007");
    }

    #[test]
    fn the_key_stays_out_of_debug() {
        assert_eq!(format!("{:?}", signer()), "Signer(kid 45819852fbdfc69a)");
    }
}
