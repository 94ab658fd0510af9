//! Signs `data` the way an agent does and wraps it for `POST /status/updates`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::model::hex;
use crate::model::id::Kid;
use crate::sign::digest;
use crate::sign::ed25519::SecretKey;
use crate::sign::hmac;
use crate::sign::psk::kid_of_psk;
use crate::wire::frame::{Encoding, Frame};
use crate::wire::signing::{FRAMED, REGISTER, REPORT};

/// The name of version 2's shared-key algorithm on the wire.
const HMAC: &str = "hmac-sha256";

/// The name of the algorithm of hosts' own keys.
const ED25519: &str = "ed25519";

/// Which envelope is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// First generation: the signature covers `data` only.
    V1,
    /// Second generation with the shared key: it covers identity, time and order too.
    V2,
    /// Second generation with a key of the host's own.
    Ed25519,
}

/// The shape that reports of version 2 have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// JSON.
    #[default]
    Json,
    /// Frames whose data is encoded so.
    Framed(Encoding),
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

/// Data as it goes into a frame.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// How it is encoded.
    pub frame: &'a Frame,
    /// The encoded bytes.
    pub sent: &'a [u8],
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

    /// The version 1 envelope around `data`, which must be JSON and is embedded byte for byte.
    pub fn seal_v1(&self, head: &Head<'_>, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 512);
        member(&mut out, "agent_id", &quoted(head.agent_id));
        if let Some(fleet) = head.fleet_id {
            member(&mut out, "fleet_id", &quoted(fleet));
        }
        member(&mut out, "timestamp", &number(head.timestamp));
        member(&mut out, "nonce", &quoted(head.nonce));
        member(&mut out, "hmac", &quoted(&hmac::v1(&self.psk, data)));
        close(out, data)
    }

    /// The version 2 envelope under the shared key.
    pub fn seal_v2(&self, head: &Head<'_>, data: &[u8]) -> Vec<u8> {
        let text = signing_string(HMAC, &self.kid, head, data);
        seal_with(HMAC, &self.kid, head, (&hmac::v2(&self.psk, &text), data))
    }

    /// The version 2 frame under the shared key.
    pub fn frame(&self, head: &Head<'_>, packed: &Packed<'_>) -> Vec<u8> {
        let text = framed_string(HMAC, &self.kid, head, packed);
        frame_with((HMAC, &self.kid), head, &hmac::v2(&self.psk, &text), packed)
    }

    /// The registration of a host's own key, vouched for by the shared one. Of the head, the
    /// tick is not used.
    pub fn enrol(&self, key: &SecretKey, head: &Head<'_>) -> Vec<u8> {
        let Head { agent_id, fleet_id, timestamp, nonce, .. } = head;
        let (public, fleet) = (key.public().to_string(), fleet_id.unwrap_or_default());
        // The host's name comes with its reports.
        let text = format!("{REGISTER}\n{fleet}\n{agent_id}\n{public}\n{timestamp}\n{nonce}\n\n");
        let derived = hmac::register_key(&self.psk);
        let mac = hex::encode(&hmac::mac(derived.as_slice(), text.as_bytes()));
        let mut out = Vec::with_capacity(512);
        member(&mut out, "v", "2");
        member(&mut out, "fleet_id", &quoted(fleet));
        member(&mut out, "agent_id", &quoted(agent_id));
        member(&mut out, "public_key", &quoted(&public));
        member(&mut out, "timestamp", &number(timestamp));
        member(&mut out, "nonce", &quoted(nonce));
        member(&mut out, "hostname", "\"\"");
        member(&mut out, "psk_kid", &quoted(self.kid.as_str()));
        member(&mut out, "psk_mac", &quoted(&mac));
        member(&mut out, "sig", &quoted(&signature(key, &text)));
        out.push(b'}');
        out
    }
}

/// The version 2 envelope under a host's own key.
pub fn seal_own(key: &SecretKey, head: &Head<'_>, data: &[u8]) -> Vec<u8> {
    let kid = key.kid();
    let text = signing_string(ED25519, &kid, head, data);
    seal_with(ED25519, &kid, head, (&signature(key, &text), data))
}

/// The version 2 frame under a host's own key.
pub fn frame_own(key: &SecretKey, head: &Head<'_>, packed: &Packed<'_>) -> Vec<u8> {
    let kid = key.kid();
    let text = framed_string(ED25519, &kid, head, packed);
    frame_with((ED25519, &kid), head, &signature(key, &text), packed)
}

fn signature(key: &SecretKey, text: &str) -> String {
    URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()))
}

fn seal_with(alg: &str, kid: &Kid, head: &Head<'_>, (sig, data): (&str, &[u8])) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 512);
    head_with(&mut out, (alg, kid), head, sig);
    close(out, data)
}

fn frame_with(signed: (&str, &Kid), head: &Head<'_>, sig: &str, packed: &Packed<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(packed.sent.len() + 640);
    head_with(&mut out, signed, head, sig);
    member(&mut out, "enc", &quoted(packed.frame.encoding.as_str()));
    if let Some(dict) = &packed.frame.dict {
        member(&mut out, "dict", &quoted(dict.as_str()));
    }
    out.extend_from_slice(b"}\n");
    out.extend_from_slice(packed.sent);
    out
}

/// The members that both shapes have.
fn head_with(out: &mut Vec<u8>, (alg, kid): (&str, &Kid), head: &Head<'_>, sig: &str) {
    member(out, "v", "2");
    member(out, "alg", &quoted(alg));
    member(out, "kid", &quoted(kid.as_str()));
    member(out, "fleet_id", &quoted(head.fleet_id.unwrap_or_default()));
    member(out, "agent_id", &quoted(head.agent_id));
    member(out, "tick", &number(head.tick));
    member(out, "timestamp", &number(head.timestamp));
    member(out, "nonce", &quoted(head.nonce));
    member(out, "sig", &quoted(sig));
}

fn close(mut out: Vec<u8>, data: &[u8]) -> Vec<u8> {
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(data);
    out.push(b'}');
    out
}

/// What a version 2 signature covers: nine lines, each ended by LF.
fn signing_string(alg: &str, kid: &Kid, head: &Head<'_>, data: &[u8]) -> String {
    let digest = hex::encode(&digest::sha256(data));
    let Head { agent_id, fleet_id, tick, timestamp, nonce } = head;
    let fleet = fleet_id.unwrap_or_default();
    format!(
        "{REPORT}\n{alg}\n{kid}\n{fleet}\n{agent_id}\n{tick}\n{timestamp}\n{nonce}\n\
         {digest}\n"
    )
}

/// What the signature of a frame covers: eleven lines.
fn framed_string(alg: &str, kid: &Kid, head: &Head<'_>, packed: &Packed<'_>) -> String {
    let digest = hex::encode(&digest::sha256(packed.sent));
    let Head { agent_id, fleet_id, tick, timestamp, nonce } = head;
    let (fleet, enc) = (fleet_id.unwrap_or_default(), packed.frame.encoding);
    let dict = packed.frame.dict.as_ref().map_or("", |dict| dict.as_str());
    format!(
        "{FRAMED}\n{alg}\n{kid}\n{fleet}\n{agent_id}\n{tick}\n{timestamp}\n{nonce}\n{enc}\n\
         {dict}\n{digest}\n"
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
        let envelope = String::from_utf8(signer().seal_v1(&head, DATA)).unwrap();
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
        let envelope = signer().seal_v2(&HEAD, DATA);
        let read: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
        assert_eq!(read["sig"], "5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e");
        assert_eq!(read["kid"], "45819852fbdfc69a");
        assert_eq!(read["tick"], 1_795_214_286_123_u64);
        assert_eq!(read["v"], 2);
    }

    #[test]
    fn own_keys_match_the_published_vectors() {
        let key = SecretKey::from_seed(&std::array::from_fn(|n| u8::try_from(n).unwrap()));
        let read = |body: Vec<u8>| serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        let envelope = read(seal_own(&key, &HEAD, DATA));
        assert_eq!(
            envelope["sig"],
            "DIKiK7A63iZM9pWemMHVywesE37cUZPdg4uhPRMfe_eB_Q84udZyN7UgmJ962L8cpC8TCKv6ZuGwRubGfiLKCQ"
        );
        assert_eq!(
            (&envelope["alg"], &envelope["kid"]),
            (&ED25519.into(), &"56475aa75463474c".into())
        );
        let asked = read(signer().enrol(&key, &HEAD));
        assert_eq!(asked["public_key"], "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
        let text = crate::wire::register::parse(&signer().enrol(&key, &HEAD)).unwrap().text();
        assert!(text.ends_with("\nAAECAwQFBgcICQoLDA0ODw\n\n"), "{text}");
        assert_eq!(asked["sig"], signature(&key, &text));
    }

    #[test]
    fn odd_numbers_and_names_are_sent_as_they_are() {
        let head = Head { agent_id: "a\"b", timestamp: "007", ..HEAD };
        let envelope = signer().seal_v1(&head, b"{}");
        let read: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
        assert_eq!(read["agent_id"], "a\"b");
        assert_eq!(read["timestamp"], "007");
    }

    #[test]
    fn the_key_stays_out_of_debug() {
        assert_eq!(format!("{:?}", signer()), "Signer(kid 45819852fbdfc69a)");
    }
}
