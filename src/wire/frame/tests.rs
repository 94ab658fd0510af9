use proptest::prelude::*;

use super::*;
use crate::wire::codes::ErrorCode;
use crate::wire::envelope::{Envelope, parse as either, parse_json};
use crate::wire::signing;

const MEMBER: [(&str, &str); 11] = [
    ("v", "2"),
    ("alg", r#""hmac-sha256""#),
    ("kid", r#""45819852fbdfc69a""#),
    ("fleet_id", r#""fleet-a""#),
    ("agent_id", r#""0123456789abcdef""#),
    ("tick", "1795214286123"),
    ("timestamp", "1795214286"),
    ("nonce", r#""AAECAwQFBgcICQoLDA0ODw""#),
    ("sig", r#""5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e""#),
    ("enc", r#""identity""#),
    ("dict", ""),
];

/// A frame of these members (`""`: none) around `{}`.
fn with(changed: &[(&str, &str)]) -> String {
    let value = |name: &str, usual: &'static str| {
        changed.iter().find(|(n, _)| *n == name).map_or(usual, |(_, value)| value).to_owned()
    };
    let members: Vec<_> = MEMBER
        .iter()
        .map(|(name, usual)| (name, value(name, usual)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}\n{{}}", members.join(","))
}

fn code(body: impl AsRef<[u8]>) -> ErrorCode {
    parse(body.as_ref()).unwrap_err().code()
}

#[test]
fn a_whole_frame() {
    let dict = "ab".repeat(32);
    let body = with(&[("enc", r#""zstd""#), ("dict", &format!("\"{dict}\""))]);
    let head = parse(body.as_bytes()).unwrap();
    let DataV2::InBody(data) = head.data.clone() else { panic!() };
    assert_eq!((&body[data], head.tick), ("{}", 1_795_214_286_123));
    let frame = head.frame.clone().unwrap();
    assert_eq!((frame.encoding, frame.dict.as_ref().unwrap().as_str()), (Encoding::Zstd, &*dict));
    assert!(signing::text_of(&head, [0xab; 32]).ends_with(&format!("\nzstd\n{dict}\n{dict}\n")));
    assert_eq!(either(body.as_bytes()), Ok(Envelope::V2(head)));
    assert!(is_frame(body.as_bytes()));
    let plain = with(&[]);
    let head = parse(plain.as_bytes()).unwrap();
    assert_eq!(head.frame, Some(Frame::identity()));
    assert_eq!(
        signing::text_of(&head, [0xab; 32]),
        format!(
            "KATTILA2-FRAMED\nhmac-sha256\n45819852fbdfc69a\nfleet-a\n0123456789abcdef\n\
             1795214286123\n1795214286\nAAECAwQFBgcICQoLDA0ODw\nidentity\n\n{dict}\n"
        )
    );
}

#[test]
fn every_form_out_of_syntax_has_its_code() {
    let hex = format!("\"{}\"", "ab".repeat(32));
    for (members, expected) in [
        (vec![("v", "")], ErrorCode::MissingField),
        (vec![("v", "1")], ErrorCode::InvalidField),
        (vec![("v", "3")], ErrorCode::InvalidField),
        (vec![("enc", "")], ErrorCode::MissingField),
        (vec![("enc", r#""gzip""#)], ErrorCode::InvalidField),
        (vec![("enc", r#""ZSTD""#)], ErrorCode::InvalidField),
        (vec![("enc", "1")], ErrorCode::InvalidField),
        (vec![("dict", &*hex)], ErrorCode::InvalidField),
        (vec![("enc", r#""zstd""#), ("dict", r#""""#)], ErrorCode::InvalidField),
        (vec![("enc", r#""zstd""#), ("dict", "null")], ErrorCode::InvalidField),
        (vec![("enc", r#""zstd""#), ("dict", &hex.to_uppercase())], ErrorCode::InvalidField),
        (vec![("tick", "0")], ErrorCode::InvalidField),
        (vec![("sig", "")], ErrorCode::MissingField),
        (vec![("alg", r#""ed25519""#)], ErrorCode::InvalidField),
        (vec![("tick", "01")], ErrorCode::MalformedJson),
        (vec![("tick", "1,\"tick\":2")], ErrorCode::DuplicateKey),
        (vec![("tick", "1,\"data\":{}")], ErrorCode::InvalidField),
        (vec![("tick", "1,\"kind\":\"relay\"")], ErrorCode::InvalidField),
        (vec![("tick", &"[".repeat(40))], ErrorCode::DepthExceeded),
    ] {
        assert_eq!(code(with(&members)), expected, "{members:?}");
    }
    let good = with(&[]);
    let head = good.strip_suffix("\n{}").unwrap();
    for (body, expected) in [
        (head.to_owned(), ErrorCode::MalformedJson),
        (String::new(), ErrorCode::MalformedJson),
        ("\n{}".to_owned(), ErrorCode::MalformedJson),
        (format!(" {}\n{{}}", head.replace(',', "\n,")), ErrorCode::MalformedJson),
        (format!("{head}{}\n{{}}", " ".repeat(FRAME_HEAD_BYTES)), ErrorCode::MalformedJson),
        (format!("{head}\n{}", "x".repeat(DATA_BYTES + 1)), ErrorCode::DataTooLarge),
        (format!("{head}\n{}", "x".repeat(BODY_BYTES)), ErrorCode::BodyTooLarge),
    ] {
        assert_eq!(code(&body), expected, "{}", &body[..body.len().min(80)]);
    }
    assert!(parse(format!("{head}\n{}", "x".repeat(DATA_BYTES)).as_bytes()).is_ok());
    assert!(parse(format!("{head}\n").as_bytes()).is_ok(), "empty data is the reader's to refuse");
}

#[test]
fn neither_shape_is_taken_for_the_other() {
    let json = with(&[("enc", "")]).replace("}\n", ",\"data\":") + "}";
    assert!(parse_json(json.as_bytes()).is_ok());
    let v1 = format!(
        r#"{{"agent_id":"a","enc":"x","timestamp":1,"nonce":"n","hmac":"{}","data":{{}}}}"#,
        "0".repeat(64)
    );
    assert!(parse_json(v1.as_bytes()).is_ok());
    for json in [json, v1] {
        for body in [json.clone(), format!("{json}\n"), json.replace(',', "\n,") + "\n \n"] {
            assert!(!is_frame(body.as_bytes()), "{body}");
            assert_eq!(either(body.as_bytes()), parse_json(body.as_bytes()));
        }
    }
    assert_eq!(parse_json(with(&[]).as_bytes()).unwrap_err().code(), ErrorCode::MalformedJson);
}

#[test]
fn a_frame_is_told_by_its_first_line() {
    for (body, expected) in [
        ("{\"enc\":1}\n{}", true),
        ("{\"enc\":1} \nx", true),
        ("{\"enc\":1}\n \n", false),
        ("{\"enc\":1}", false),
        ("{\"a\":{\"enc\":1}}\n{}", false),
        ("{\"a\":{}\n,\"enc\":1}", false),
        ("{\n\"enc\":1}\n{}", false),
    ] {
        assert_eq!(is_frame(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn a_head_is_kept_around_other_data() {
    let dict = format!("\"{}\"", "ab".repeat(32));
    let packed = with(&[("enc", r#""zstd""#), ("dict", &dict)]);
    let clean = around(packed.as_bytes(), b"{\"a\":1}").unwrap();
    let head = parse(&clean).unwrap();
    assert_eq!(head.frame, Some(Frame::identity()));
    assert_eq!((head.tick, head.nonce.as_ref()), (1_795_214_286_123, "AAECAwQFBgcICQoLDA0ODw"));
    assert!(clean.ends_with(b"}\n{\"a\":1}"));
    assert_eq!(around(b"{}", b"{}"), None);
}

proptest! {
    #[test]
    fn what_is_json_is_no_frame(pieces in proptest::collection::vec(proptest::sample::select(vec![
        "{\"enc\":1}", "{", "}", "\n", "\n", " ", "\"enc\":\"x\"", "\"a\":{}", ",", "[]", "\"", "x",
    ]), 1..7)) {
        let body = pieces.concat();
        prop_assert!(
            !is_frame(body.as_bytes()) || scan::envelope(body.as_bytes()).is_err(), "{}", body
        );
    }
}
