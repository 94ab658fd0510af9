use super::*;
use crate::wire::codes::ErrorCode;
use crate::wire::envelope::parse as any;

const MEMBER: [(&str, &str); 11] = [
    ("v", "2"),
    ("kind", r#""relay""#),
    ("alg", r#""hmac-sha256""#),
    ("kid", r#""45819852fbdfc69a""#),
    ("fleet_id", r#""fleet-a""#),
    ("relay_id", r#""0123456789abcdef""#),
    ("hop", "1"),
    ("timestamp", "1795214286"),
    ("nonce", r#""AAECAwQFBgcICQoLDA0ODw""#),
    ("sig", r#""5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e""#),
    ("inner_b64", r#""e30""#),
];

/// An envelope whose member `name` has another value (`""`: none).
fn with(name: &str, value: &str) -> String {
    let members: Vec<_> = MEMBER
        .iter()
        .map(|(n, v)| (*n, if *n == name { value } else { *v }))
        .filter(|(_, v)| !v.is_empty())
        .map(|(n, v)| format!("\"{n}\":{v}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_whole_envelope() {
    let body = with("", "");
    let head = parse(body.as_bytes()).unwrap();
    assert_eq!((head.hop, head.inner.as_slice()), (1, b"{}".as_slice()));
    assert_eq!(head.relay_id.as_str(), "0123456789abcdef");
    assert_eq!(head.timestamp, UnixSeconds(1_795_214_286));
    assert_eq!(any(body.as_bytes()), Err(EnvelopeError::NotRelayed));
    assert!(is_relay(body.as_bytes()));
    for other in ["{}", "{", r#"{"v":2}"#, r#"{"kind":"relay"}"#, r#"{"v":1,"kind":"relay"}"#] {
        assert!(!is_relay(other.as_bytes()), "{other}");
    }
}

#[test]
fn members_out_of_syntax() {
    for (name, values) in [
        ("v", vec!["1", "\"2\""]),
        ("kind", vec!["\"report\"", "1", "null"]),
        ("alg", vec!["\"none\"", "1", "\"ed25519\""]),
        ("kid", vec!["\"45\"", "1"]),
        ("fleet_id", vec!["\"\"", "1"]),
        ("relay_id", vec!["\"gw-1\"", "\"0123456789ABCDEF\"", "null"]),
        ("hop", vec!["\"1\"", "-1", "1.0", "null", "9007199254740992"]),
        ("timestamp", vec!["\"1\"", "1.5"]),
        ("nonce", vec!["\"short\"", "1"]),
        ("sig", vec!["\"5b\"", "1"]),
        ("inner_b64", vec!["\"\"", "\"e30=\"", "\"e3\"", "\"+/+/\"", "{}", "null"]),
    ] {
        for value in values {
            let error = parse(with(name, value).as_bytes()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidField, "{name}={value}: {error}");
        }
        assert_eq!(parse(with(name, "").as_bytes()), Err(EnvelopeError::Missing(name)));
    }
    let more = with("hop", r#"1,"agent_id":"0123456789abcdef""#);
    assert_eq!(parse(more.as_bytes()), Err(EnvelopeError::UnknownMember("agent_id".to_owned())));
    assert_eq!(parse(b"{").unwrap_err().code(), ErrorCode::MalformedJson);
    let twice = with("hop", r#"1,"hop":1"#);
    assert_eq!(parse(twice.as_bytes()).unwrap_err().code(), ErrorCode::DuplicateKey);
    let large = vec![b' '; BODY_BYTES + 1];
    assert_eq!(parse(&large).unwrap_err().code(), ErrorCode::BodyTooLarge);
}

#[test]
fn the_next_hop_follows_from_what_is_inside() {
    assert_eq!(next_hop(br#"{"v":2,"agent_id":"0123456789abcdef"}"#), Some(1));
    assert_eq!(next_hop(br#"{"agent_id":"gw-1","data":{}}"#), Some(1));
    for hop in 1..4 {
        assert_eq!(next_hop(with("hop", &hop.to_string()).as_bytes()), Some(hop + 1));
    }
    assert_eq!(next_hop(b"no JSON"), None);
    assert_eq!(next_hop(with("hop", "\"x\"").as_bytes()), None);
}
