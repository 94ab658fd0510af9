//! The first-generation envelope: lenient where agents in the field differ, unknown members
//! ignored.

use std::borrow::Cow;

use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;

use super::envelope::{EnvelopeError, HeadV1};
use super::field::{Fields, digits, hex32, invalid};
use super::limits::{DATA_BYTES, INTEGER_MAX, NONCE_V1_CHARS, RELAYS};
use super::{text, time};

/// What the signature may be called.
const MAC_NAMES: [&str; 3] = ["hmac", "signature", "sig"];

/// Takes the head apart.
pub(super) fn head<'a>(fields: &Fields<'a>) -> Result<HeadV1<'a>, EnvelopeError> {
    let agent_id: AgentId = fields.parse("agent_id")?;
    let timestamp = timestamp(fields.need("timestamp")?)
        .ok_or(invalid("timestamp", "must be Unix seconds or an RFC 3339 text"))?;
    let nonce = nonce(fields)?;
    let mac = mac(fields)?;
    let relay_path = relay_path(fields, &agent_id)?;
    let data = fields.member("data").ok_or(EnvelopeError::Missing("data"))?.value.clone();
    if data.len() > DATA_BYTES {
        return Err(EnvelopeError::DataTooLarge(data.len()));
    }
    Ok(HeadV1 { agent_id, timestamp, nonce, mac, relay_path, data })
}

/// An integer, a float (rounded down), an RFC 3339 text, or digits in quotes.
fn timestamp(token: &[u8]) -> Option<UnixSeconds> {
    let Some(quoted) = text::of_token(token) else {
        return number(token);
    };
    digits(quoted.as_bytes()).map(UnixSeconds).or_else(|| time::rfc3339(&quoted))
}

fn number(token: &[u8]) -> Option<UnixSeconds> {
    let text = std::str::from_utf8(token).ok()?;
    if let Ok(whole) = text.parse() {
        return Some(UnixSeconds(whole));
    }
    let seconds = text.parse::<f64>().ok()?.floor();
    #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact")]
    let limit = INTEGER_MAX as f64;
    if seconds.abs() > limit {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    let whole = seconds as i64;
    Some(UnixSeconds(whole))
}

fn nonce<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, EnvelopeError> {
    let nonce = fields.text("nonce")?;
    let is_printable = nonce.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !(1..=NONCE_V1_CHARS).contains(&nonce.len()) || !is_printable {
        return Err(invalid("nonce", "must be 1 to 128 printable ASCII characters"));
    }
    Ok(nonce)
}

fn mac(fields: &Fields<'_>) -> Result<[u8; 32], EnvelopeError> {
    let mut found = MAC_NAMES.into_iter().filter(|name| fields.get(name).is_some());
    let name = found.next().ok_or(EnvelopeError::Missing("hmac"))?;
    if found.next().is_some() {
        return Err(invalid(name, "must be the only one of hmac, signature and sig"));
    }
    hex32(&fields.text(name)?).ok_or(invalid(name, "must be 64 hexadecimal digits"))
}

fn relay_path(fields: &Fields<'_>, agent: &AgentId) -> Result<Vec<AgentId>, EnvelopeError> {
    let Some(value) = fields.get("relay_path") else { return Ok(Vec::new()) };
    let Ok(path) = serde_json::from_slice::<Option<Vec<AgentId>>>(value) else {
        return Err(invalid("relay_path", "must be a list of agent ids"));
    };
    let path = path.unwrap_or_default();
    if path.len() > RELAYS {
        return Err(EnvelopeError::RelayTooDeep(path.len()));
    }
    let mut seen = vec![agent];
    for relay in &path {
        if seen.contains(&relay) {
            return Err(EnvelopeError::RelayLoop(relay.clone()));
        }
        seen.push(relay);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codes::ErrorCode;
    use crate::wire::envelope::{Envelope, parse};

    fn with(members: &str) -> Result<HeadV1<'static>, EnvelopeError> {
        let body: &'static str = String::leak(format!("{{{members}}}"));
        parse(body.as_bytes()).map(|envelope| match envelope {
            Envelope::V1(head) => head,
            Envelope::V2(head) => panic!("{head:?}"),
        })
    }

    const MAC: &str = "7A8046f955a85973621026ab5e65dadf560683cfc144fe66659bfd09f75665ad";

    fn report(timestamp: &str, nonce: &str, rest: &str) -> Result<HeadV1<'static>, EnvelopeError> {
        with(&format!(
            r#""agent_id":"gw-1","timestamp":{timestamp},"nonce":{nonce},"sig":"{MAC}","data":{{"a" : 1.0}}{rest}"#
        ))
    }

    #[test]
    fn a_whole_head() {
        let head = report("1795214286", r#""n-1""#, r#","relay_path":["r1","r2"],"x":[1]"#);
        let head = head.unwrap();
        assert_eq!(head.agent_id.as_str(), "gw-1");
        assert_eq!(head.timestamp, UnixSeconds(1_795_214_286));
        assert_eq!(head.nonce, "n-1");
        assert_eq!((head.mac[0], head.mac[31]), (0x7a, 0xad));
        assert_eq!(head.relay_path.len(), 2);
        assert_eq!(head.data.len(), 11);
    }

    #[test]
    fn timestamps_of_every_kind() {
        for (token, seconds) in [
            ("1795214286", Some(1_795_214_286)),
            ("1795214286.999", Some(1_795_214_286)),
            ("-0.5", Some(-1)),
            ("1.795214286e9", Some(1_795_214_286)),
            (r#""1795214286""#, Some(1_795_214_286)),
            (r#""2026-11-20T11:18:06Z""#, Some(1_795_173_486)),
            (r#""1795214286.5""#, None),
            (r#""now""#, None),
            (r#""""#, None),
            ("1e99", None),
            ("1e999", None),
            ("-1e16", None),
            ("null", None),
            ("[1]", None),
            ("true", None),
        ] {
            let found = report(token, r#""n""#, "");
            match seconds {
                Some(seconds) => {
                    assert_eq!(found.unwrap().timestamp, UnixSeconds(seconds), "{token}");
                }
                None => assert_eq!(found.unwrap_err().code(), ErrorCode::InvalidField, "{token}"),
            }
        }
    }

    #[test]
    fn nonces_are_bounded_and_printable() {
        assert!(report("1", &format!("\"{}\"", "~".repeat(NONCE_V1_CHARS)), "").is_ok());
        for bad in
            [&format!("\"{}\"", "~".repeat(NONCE_V1_CHARS + 1)), r#""""#, r#""é""#, r#""\n""#, "7"]
        {
            let code = report("1", bad, "").unwrap_err().code();
            assert_eq!(code, ErrorCode::InvalidField, "{bad}");
        }
    }

    #[test]
    fn one_signature_under_one_name() {
        let head = r#""agent_id":"gw-1","timestamp":1,"nonce":"n","data":1"#;
        assert_eq!(with(head).unwrap_err(), EnvelopeError::Missing("hmac"));
        for name in MAC_NAMES {
            assert!(with(&format!(r#"{head},"{name}":"{MAC}""#)).is_ok());
        }
        for bad in [
            format!(r#"{head},"hmac":"{MAC}","sig":"{MAC}""#),
            format!(r#"{head},"hmac":"{}""#, &MAC[1..]),
            format!(r#"{head},"hmac":null"#),
        ] {
            assert_eq!(with(&bad).unwrap_err().code(), ErrorCode::InvalidField, "{bad}");
        }
    }

    #[test]
    fn relay_paths() {
        let path = |list: &str| report("1", r#""n""#, &format!(r#","relay_path":{list}"#));
        assert_eq!(path("null").unwrap().relay_path, []);
        assert_eq!(path("[]").unwrap().relay_path, []);
        assert!(path(r#"["a","b","c"]"#).is_ok());
        for (list, code) in [
            (r#"["a","b","c","d"]"#, ErrorCode::RelayTooDeep),
            (r#"["a","b","a"]"#, ErrorCode::RelayLoop),
            (r#"["gw-1"]"#, ErrorCode::RelayLoop),
            (r#"["a b"]"#, ErrorCode::InvalidField),
            (r#""a""#, ErrorCode::InvalidField),
            ("[1]", ErrorCode::InvalidField),
        ] {
            assert_eq!(path(list).unwrap_err().code(), code, "{list}");
        }
    }

    #[test]
    fn data_has_a_size() {
        let of = |len: usize| {
            let data = "x".repeat(len - 2);
            with(&format!(
                r#""agent_id":"a","timestamp":1,"nonce":"n","hmac":"{MAC}","data":"{data}""#
            ))
        };
        assert!(of(DATA_BYTES).is_ok());
        assert_eq!(of(DATA_BYTES + 1).unwrap_err(), EnvelopeError::DataTooLarge(DATA_BYTES + 1));
    }
}
