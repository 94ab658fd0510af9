//! The body of a second-generation `POST /status/register`: exact syntax, no unknown members.
//! Everything in it is a claim until `verify` has checked its signatures.

use std::borrow::Cow;

use crate::model::id::{AgentId, FleetId, Kid};
use crate::model::key::IdentityKey;
use crate::model::time::UnixSeconds;

use super::envelope::EnvelopeError;
use super::field::{Fields, invalid};
use super::limits::BODY_BYTES;
use super::{scan, signing, v2};

/// Longest name of a host (RFC 1035 section 2.3.4).
const HOSTNAME_CHARS: usize = 253;

/// Every member an enrolment may have.
const MEMBERS: [&str; 11] = [
    "v",
    "fleet_id",
    "agent_id",
    "public_key",
    "timestamp",
    "nonce",
    "hostname",
    "psk_kid",
    "psk_mac",
    "sig",
    "prev_sig",
];

/// An agent's wish to be known by a key of its own, unverified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment<'a> {
    /// The fleet.
    pub fleet_id: FleetId,
    /// Who claims to ask.
    pub agent_id: AgentId,
    /// The key.
    pub public_key: IdentityKey,
    /// When it was signed.
    pub timestamp: UnixSeconds,
    /// 22 to 64 characters of base64url.
    pub nonce: Cow<'a, str>,
    /// The host's name; may be empty.
    pub hostname: Cow<'a, str>,
    /// Which shared key vouches for it: a hint.
    pub psk_kid: Kid,
    /// The shared key's vouching.
    pub psk_mac: [u8; 32],
    /// The new key's signature.
    pub sig: [u8; 64],
    /// The signature of the key it replaces.
    pub prev_sig: Option<[u8; 64]>,
}

impl Enrolment<'_> {
    /// What its signatures cover.
    pub fn text(&self) -> String {
        let public_key = self.public_key.to_string();
        let signed = signing::Register {
            fleet_id: &self.fleet_id,
            agent_id: &self.agent_id,
            public_key: &public_key,
            timestamp: self.timestamp,
            nonce: &self.nonce,
            hostname: &self.hostname,
        };
        signed.text()
    }
}

/// Whether a body says that it is of version 2. One that cannot be read does not.
pub fn is_enrolment(body: &[u8]) -> bool {
    let Ok(members) = scan::envelope(body) else { return false };
    Fields { body, members }.get("v") == Some(b"2")
}

/// Takes a body apart.
pub fn parse(body: &[u8]) -> Result<Enrolment<'_>, EnvelopeError> {
    if body.len() > BODY_BYTES {
        return Err(EnvelopeError::BodyTooLarge(body.len()));
    }
    let fields = Fields { body, members: scan::envelope(body)? };
    v2::only(&fields, &MEMBERS)?;
    Ok(Enrolment {
        fleet_id: fields.parse("fleet_id")?,
        agent_id: v2::agent_id(&fields, "agent_id")?,
        public_key: fields.parse("public_key")?,
        timestamp: v2::timestamp(&fields)?,
        nonce: v2::nonce(&fields)?,
        hostname: hostname(&fields)?,
        psk_kid: fields.parse("psk_kid")?,
        psk_mac: v2::mac(&fields, "psk_mac")?,
        sig: v2::signature_bytes(&fields, "sig")?,
        prev_sig: match fields.get("prev_sig") {
            Some(_) => Some(v2::signature_bytes(&fields, "prev_sig")?),
            None => None,
        },
    })
}

fn hostname<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, EnvelopeError> {
    let name = fields.text("hostname")?;
    let fits =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if name.len() > HOSTNAME_CHARS || !fits {
        return Err(invalid(
            "hostname",
            "must be at most 253 characters of A-Z, a-z, 0-9, '.', '_' and '-', or empty",
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codes::ErrorCode;

    const KEY: &str = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";

    fn members() -> Vec<(&'static str, String)> {
        let text = |text: &str| format!("\"{text}\"");
        vec![
            ("v", "2".to_owned()),
            ("fleet_id", text("fleet-a")),
            ("agent_id", text("0123456789abcdef0123456789abcdef")),
            ("public_key", text(KEY)),
            ("timestamp", "1795214286".to_owned()),
            ("nonce", text("AAECAwQFBgcICQoLDA0ODw")),
            ("hostname", text("gw-1")),
            ("psk_kid", text("45819852fbdfc69a")),
            ("psk_mac", text(&"0a".repeat(32))),
            ("sig", text(&"A".repeat(86))),
        ]
    }

    fn body(change: impl FnOnce(&mut Vec<(&'static str, String)>)) -> String {
        let mut members = members();
        change(&mut members);
        let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
        format!("{{{}}}", members.join(","))
    }

    #[test]
    fn a_whole_enrolment_and_what_it_signs() {
        let body = body(|_| {});
        let read = parse(body.as_bytes()).unwrap();
        assert_eq!((read.hostname.as_ref(), read.prev_sig), ("gw-1", None));
        assert_eq!((read.psk_mac, read.sig), ([0x0a; 32], [0; 64]));
        assert_eq!(
            read.text(),
            format!(
                "KATTILA2-REGISTER\nfleet-a\n0123456789abcdef0123456789abcdef\n{KEY}\n1795214286\n\
                 AAECAwQFBgcICQoLDA0ODw\ngw-1\n"
            )
        );
        assert!(is_enrolment(body.as_bytes()));
        assert!(!is_enrolment(b"{\"v\":1}") && !is_enrolment(b"{\"v\":2") && !is_enrolment(b"{}"));
    }

    #[test]
    fn a_rotation_carries_the_old_keys_signature() {
        let body = body(|m| m.push(("prev_sig", format!("\"{}\"", "A".repeat(86)))));
        assert_eq!(parse(body.as_bytes()).unwrap().prev_sig, Some([0; 64]));
    }

    #[test]
    fn members_out_of_syntax() {
        let long = format!("\"{}\"", "a".repeat(254));
        for (name, values) in [
            ("fleet_id", vec!["\"\"", "1"]),
            ("agent_id", vec!["\"gw-1\"", "\"0123456789abcde\""]),
            (
                "public_key",
                vec!["\"\"", "\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"", "null"],
            ),
            ("timestamp", vec!["\"1\"", "1.5", "-1"]),
            ("nonce", vec!["\"short\"", "1"]),
            ("hostname", vec!["\"a b\"", "\"a\\nb\"", "null", &long]),
            ("psk_kid", vec!["\"45\"", "1"]),
            ("psk_mac", vec!["\"0a\"", "1"]),
            ("sig", vec!["\"AA\"", "1"]),
            ("prev_sig", vec!["\"AA\"", "null"]),
        ] {
            for value in values {
                let sent = body(|m| {
                    m.retain(|(other, _)| *other != name);
                    m.push((name, value.to_owned()));
                });
                let error = parse(sent.as_bytes()).unwrap_err();
                assert_eq!(error.code(), ErrorCode::InvalidField, "{name}={value}: {error}");
            }
            if name != "prev_sig" {
                let sent = body(|m| m.retain(|(other, _)| *other != name));
                assert_eq!(parse(sent.as_bytes()), Err(EnvelopeError::Missing(name)));
            }
        }
        let upper = body(|m| m[8].1 = m[8].1.to_uppercase());
        assert_eq!(parse(upper.as_bytes()).unwrap_err().code(), ErrorCode::InvalidField);
        let more = body(|m| m.push(("data", "{}".to_owned())));
        assert!(matches!(parse(more.as_bytes()), Err(EnvelopeError::UnknownMember(_))));
        let empty = body(|m| m[6].1 = "\"\"".to_owned());
        assert_eq!(parse(empty.as_bytes()).unwrap().hostname, "");
        assert_eq!(parse(b"{").unwrap_err().code(), ErrorCode::MalformedJson);
        let large = vec![b' '; BODY_BYTES + 1];
        assert_eq!(parse(&large).unwrap_err().code(), ErrorCode::BodyTooLarge);
    }
}
