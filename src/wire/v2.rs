//! The second-generation envelope: exact syntax, no unknown members.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;

use super::envelope::{DataV2, EnvelopeError, HeadV2, SignatureV2};
use super::field::{Fields, hex32, invalid, plain_integer};
use super::limits::{DATA_BYTES, NONCE_V2_MAX_CHARS, NONCE_V2_MIN_CHARS};
use super::scan;

/// Every member a report may have.
const MEMBERS: [&str; 11] = [
    "v",
    "alg",
    "kid",
    "fleet_id",
    "agent_id",
    "tick",
    "timestamp",
    "nonce",
    "sig",
    "data",
    "data_b64",
];

/// Takes a report in the shape of JSON apart.
pub(super) fn head<'a>(fields: &Fields<'a>) -> Result<HeadV2<'a>, EnvelopeError> {
    only(fields, &MEMBERS)?;
    let bare = bare(fields)?;
    Ok(HeadV2 { data: data(fields)?, ..bare })
}

/// The head that both shapes have, without its data.
pub(super) fn bare<'a>(fields: &Fields<'a>) -> Result<HeadV2<'a>, EnvelopeError> {
    let tick = plain_integer(fields.need("tick")?).filter(|tick| *tick > 0);
    Ok(HeadV2 {
        signature: signature(fields)?,
        kid: fields.parse("kid")?,
        fleet_id: fields.parse("fleet_id")?,
        agent_id: agent_id(fields, "agent_id")?,
        tick: tick.ok_or(invalid("tick", "must be an integer from 1 to 2^53 - 1"))?,
        timestamp: timestamp(fields)?,
        nonce: nonce(fields)?,
        data: DataV2::InBody(0..0),
        frame: None,
    })
}

/// The signature with its algorithm.
pub(super) fn signature(fields: &Fields<'_>) -> Result<SignatureV2, EnvelopeError> {
    // A member that is missing is told before one that is wrong.
    fields.need("sig")?;
    match fields.text("alg")?.as_ref() {
        "hmac-sha256" => mac(fields, "sig").map(SignatureV2::Hmac),
        "ed25519" => signature_bytes(fields, "sig").map(SignatureV2::Ed25519),
        _ => Err(invalid("alg", "must be hmac-sha256 or ed25519")),
    }
}

/// Refuses members of other names.
pub(super) fn only(fields: &Fields<'_>, names: &[&str]) -> Result<(), EnvelopeError> {
    for member in &fields.members {
        let name = fields.name(member);
        if !names.contains(&name.as_ref()) {
            return Err(EnvelopeError::UnknownMember(name.chars().take(64).collect()));
        }
    }
    Ok(())
}

/// When it was signed.
pub(super) fn timestamp(fields: &Fields<'_>) -> Result<UnixSeconds, EnvelopeError> {
    plain_integer(fields.need("timestamp")?)
        .map(UnixSeconds)
        .ok_or(invalid("timestamp", "must be Unix seconds, an integer"))
}

/// An HMAC-SHA256.
pub(super) fn mac(fields: &Fields<'_>, name: &'static str) -> Result<[u8; 32], EnvelopeError> {
    let text = fields.text(name)?;
    hex32(&text)
        .filter(|_| !text.bytes().any(|byte| byte.is_ascii_uppercase()))
        .ok_or(invalid(name, "must be 64 lowercase hexadecimal digits"))
}

/// An Ed25519 signature.
pub(super) fn signature_bytes(
    fields: &Fields<'_>,
    name: &'static str,
) -> Result<[u8; 64], EnvelopeError> {
    let decoded = URL_SAFE_NO_PAD.decode(fields.text(name)?.as_bytes()).ok();
    decoded
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(invalid(name, "must be 64 bytes in base64url, 86 characters"))
}

/// Who sends it.
pub(super) fn agent_id(fields: &Fields<'_>, name: &'static str) -> Result<AgentId, EnvelopeError> {
    let text = fields.text(name)?;
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !(16..=64).contains(&text.len()) || !is_hex {
        return Err(invalid(name, "must be 16 to 64 lowercase hexadecimal digits"));
    }
    fields.parse(name)
}

/// A word used once.
pub(super) fn nonce<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, EnvelopeError> {
    let nonce = fields.text("nonce")?;
    let is_base64url =
        nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !(NONCE_V2_MIN_CHARS..=NONCE_V2_MAX_CHARS).contains(&nonce.len()) || !is_base64url {
        return Err(invalid("nonce", "must be 22 to 64 characters of A-Z, a-z, 0-9, - and _"));
    }
    Ok(nonce)
}

fn data(fields: &Fields<'_>) -> Result<DataV2, EnvelopeError> {
    let (len, data) = match (fields.member("data"), fields.member("data_b64")) {
        (Some(member), None) => (member.value.len(), DataV2::InBody(member.value.clone())),
        (None, Some(_)) => {
            let decoded = decoded(fields)?;
            (decoded.len(), DataV2::Decoded(decoded))
        }
        (Some(_), Some(_)) => return Err(invalid("data", "must not be there with data_b64")),
        (None, None) => return Err(EnvelopeError::Missing("data")),
    };
    if len > DATA_BYTES { Err(EnvelopeError::DataTooLarge(len)) } else { Ok(data) }
}

fn decoded(fields: &Fields<'_>) -> Result<Vec<u8>, EnvelopeError> {
    let text = fields.text("data_b64")?;
    // Three bytes are four characters; a text that cannot fit is not decoded.
    let at_least = text.len() / 4 * 3;
    if at_least > DATA_BYTES {
        return Err(EnvelopeError::DataTooLarge(at_least));
    }
    let Ok(decoded) = URL_SAFE_NO_PAD.decode(text.as_bytes()) else {
        return Err(invalid("data_b64", "must be base64url without padding"));
    };
    scan::data(&decoded)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codes::ErrorCode;
    use crate::wire::envelope::{Envelope, parse};

    const HEAD: [(&str, &str); 8] = [
        ("v", "2"),
        ("alg", r#""hmac-sha256""#),
        ("kid", r#""45819852fbdfc69a""#),
        ("fleet_id", r#""fleet-a""#),
        ("agent_id", r#""0123456789abcdef""#),
        ("tick", "1795214286123"),
        ("timestamp", "1795214286"),
        ("nonce", r#""AAECAwQFBgcICQoLDA0ODw""#),
    ];
    const SIG: &str = r#""sig":"5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e""#;

    /// A report whose member `name` has another value (`""`: none), and more members.
    fn body(name: &str, value: &str, more: &str) -> String {
        let members: Vec<_> = HEAD
            .iter()
            .map(|(n, v)| (*n, if *n == name { value } else { *v }))
            .filter(|(_, v)| !v.is_empty())
            .map(|(n, v)| format!("\"{n}\":{v}"))
            .collect();
        format!("{{{},{more}}}", members.join(","))
    }

    fn check(name: &str, value: &str, more: &str) -> Result<(), EnvelopeError> {
        parse(body(name, value, more).as_bytes()).map(|_| ())
    }

    #[test]
    fn a_whole_head() {
        let body = body("", "", &format!(r#"{SIG},"data":{{"a":1}}"#));
        let Ok(Envelope::V2(head)) = parse(body.as_bytes()) else { panic!("{body}") };
        assert_eq!(head.tick, 1_795_214_286_123);
        assert_eq!(head.timestamp, UnixSeconds(1_795_214_286));
        assert_eq!(head.nonce, "AAECAwQFBgcICQoLDA0ODw");
        assert!(matches!(head.nonce, Cow::Borrowed(_)));
        let DataV2::InBody(range) = head.data else { panic!() };
        assert_eq!(&body[range], r#"{"a":1}"#);
    }

    #[test]
    fn members_out_of_syntax() {
        let rest = format!(r#"{SIG},"data":{{}}"#);
        for (name, values) in [
            ("alg", vec![r#""none""#, r#""HMAC-SHA256""#, "1", r#""ed25519""#]),
            ("kid", vec![r#""45819852FBDFC69A""#, r#""45""#, "1"]),
            ("fleet_id", vec![r#""""#, r#""Fleet""#, r#""-a""#, "null"]),
            (
                "agent_id",
                vec![r#""0123456789abcde""#, r#""0123456789ABCDEF""#, r#""gw-1gw-1gw-1gw-1""#],
            ),
            ("tick", vec!["0", "-1", "1.0", "1e3", "01", "9007199254740992", r#""1""#]),
            ("timestamp", vec!["-1", "1.5", "1e9", r#""1795214286""#, "9007199254740992"]),
            ("nonce", vec![r#""AAECAwQFBgcICQoLDA0OD""#, r#""AAECAwQFBgcICQoLDA0O.w""#, "1"]),
        ] {
            for value in values {
                let result = check(name, value, &rest);
                let code = result.map_err(|error| error.code());
                // A number that JSON itself refuses is reported as such.
                let expected =
                    if value == "01" { ErrorCode::MalformedJson } else { ErrorCode::InvalidField };
                assert_eq!(code, Err(expected), "{name}={value}");
            }
            assert_eq!(check(name, "", &rest), Err(EnvelopeError::Missing(name)), "{name}");
        }
    }

    #[test]
    fn members_that_do_not_belong() {
        for more in [r#""x":1"#, r#""hmac":"00""#, r#""kind":"report""#, r#""version":2"#] {
            let result = check("", "", &format!(r#"{SIG},"data":{{}},{more}"#));
            assert!(matches!(result, Err(EnvelopeError::UnknownMember(_))), "{more}");
        }
        let upper = SIG.replace("5b38", "5B38");
        assert!(check("", "", &format!(r#"{upper},"data":{{}}"#)).is_err());
        assert_eq!(check("", "", r#""data":{}"#), Err(EnvelopeError::Missing("sig")));
    }

    #[test]
    fn data_comes_once_in_either_form() {
        let with = |more: &str| check("", "", &format!("{SIG}{more}"));
        assert_eq!(with(""), Err(EnvelopeError::Missing("data")));
        assert_eq!(
            with(r#","data":{},"data_b64":"e30""#).unwrap_err().code(),
            ErrorCode::InvalidField
        );
        assert_eq!(with(r#","data_b64":"e30""#), Ok(()));
        for (text, code) in [
            ("e30=", ErrorCode::InvalidField),
            ("e3", ErrorCode::InvalidField),
            ("e+0", ErrorCode::InvalidField),
            ("e31", ErrorCode::InvalidField),
            ("ew", ErrorCode::MalformedJson),
        ] {
            let result = with(&format!(r#","data_b64":"{text}""#));
            assert_eq!(result.unwrap_err().code(), code, "{text}");
        }
        for (data, code) in [
            (r#"{"a":1,"a":1}"#.to_owned(), ErrorCode::DuplicateKey),
            ("[".repeat(17), ErrorCode::DepthExceeded),
            (format!("\"{}\"", "x".repeat(DATA_BYTES)), ErrorCode::DataTooLarge),
            (format!("\"{}\"", "x".repeat(DATA_BYTES - 1)), ErrorCode::DataTooLarge),
        ] {
            let text = URL_SAFE_NO_PAD.encode(data);
            let result = with(&format!(r#","data_b64":"{text}""#));
            assert_eq!(result.unwrap_err().code(), code);
        }
    }
}
