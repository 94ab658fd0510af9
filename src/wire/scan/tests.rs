//! What the first pass takes and refuses, and exactly where its limits are.

use super::cursor::plain_len;
use super::*;
use crate::wire::limits::OBJECT_MEMBERS;

fn fault(body: &str) -> Option<Fault> {
    envelope(body.as_bytes()).err().map(|error| error.fault)
}

#[test]
fn finds_the_members() {
    let body = " {\"a\" : 1 , \"data\":{\"x\":[1,{\"a\":2}]},\"b\":\"x\\\"y\"}\n";
    let members = envelope(body.as_bytes()).unwrap();
    let found: Vec<_> =
        members.iter().map(|m| (&body[m.name.clone()], &body[m.value.clone()])).collect();
    assert_eq!(found, [("a", "1"), ("data", r#"{"x":[1,{"a":2}]}"#), ("b", r#""x\"y""#)]);
}

#[test]
fn duplicates_at_every_level_and_through_escapes() {
    for body in [
        r#"{"a":1,"a":1}"#,
        r#"{"data":{"a":1,"b":2,"a":3}}"#,
        r#"{"data":[[{"x":{"abcdefgh1":1,"abcdefgh2":2,"abcdefgh1":3}}]]}"#,
        r#"{"data":{"a":1,"\u0061":2}}"#,
        r#"{"data":{"\u0061":1,"a":2}}"#,
        r#"{"data":{"\ud83d\ude00":1,"😀":2}}"#,
        r#"{"data":{"labels":{"x":"1","x":"2"}}}"#,
        r#"{"data":{"":1,"":2}}"#,
    ] {
        assert!(matches!(fault(body), Some(Fault::Duplicate(_))), "{body}");
    }
    for body in [
        r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#,
        r#"{"data":{"a":1,"A":2}}"#,
        r#"{"data":{"ab":1,"a":2,"abcdefghi":3,"abcdefghj":4}}"#,
        r#"{"data":{"\\u0061":1,"a":2}}"#,
    ] {
        assert_eq!(fault(body), None, "{body}");
    }
}

#[test]
fn a_wide_map_is_allowed_but_not_twice_the_same_name() {
    let labels = |count: usize| -> String {
        (0..count).map(|i| format!("\"k{i}\":\"v\",")).collect::<String>()
    };
    let map = |extra: &str| format!(r#"{{"data":{{"labels":{{{}{extra}}}}}}}"#, labels(500));
    assert_eq!(fault(&map(r#""z":"1""#)), None);
    assert_eq!(fault(&map(r#""k7":"1""#)), Some(Fault::Duplicate("k7".to_owned())));
    assert_eq!(fault(&map(r#""k499":"1""#)), Some(Fault::Duplicate("k499".to_owned())));
    let elsewhere = format!(r#"{{"data":{{"x":{{"labels":{{{}"z":1}}}}}}}}"#, labels(500));
    assert_eq!(fault(&elsewhere), Some(Fault::Members(OBJECT_MEMBERS)));
    let inside = format!(r#"{{"data":{{"labels":{{"a":{{{}"z":1}}}}}}}}"#, labels(500));
    assert_eq!(fault(&inside), Some(Fault::Members(OBJECT_MEMBERS)));
    let outside = format!(r#"{{"labels":{{{}"z":1}}}}"#, labels(500));
    assert_eq!(fault(&outside), Some(Fault::Members(OBJECT_MEMBERS)));
}

#[test]
fn members_are_counted_exactly() {
    let object = |count: usize| {
        let members: Vec<_> = (0..count).map(|i| format!("\"k{i}\":0")).collect();
        format!(r#"{{"data":{{"x":{{{}}}}}}}"#, members.join(","))
    };
    assert_eq!(fault(&object(OBJECT_MEMBERS)), None);
    assert_eq!(fault(&object(OBJECT_MEMBERS + 1)), Some(Fault::Members(OBJECT_MEMBERS)));
}

#[test]
fn depth_is_counted_exactly() {
    let nested = |name: &str, depth: usize| {
        format!("{{\"{name}\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
    };
    assert_eq!(fault(&nested("data", DATA_DEPTH)), None);
    assert_eq!(fault(&nested("data", DATA_DEPTH + 1)), Some(Fault::Depth(DATA_DEPTH)));
    assert_eq!(fault(&nested("other", BODY_DEPTH - 1)), None);
    assert_eq!(fault(&nested("other", BODY_DEPTH)), Some(Fault::Depth(BODY_DEPTH)));
    let alone = |depth: usize| data(&[vec![b'['; depth], vec![b']'; depth]].concat());
    assert_eq!(alone(DATA_DEPTH), Ok(()));
    assert_eq!(alone(DATA_DEPTH + 1).unwrap_err().fault, Fault::Depth(DATA_DEPTH));
    assert_eq!(alone(100_000).unwrap_err().fault, Fault::Depth(DATA_DEPTH));
}

#[test]
fn strings_are_bounded_by_where_they_are() {
    let long = "x".repeat(STRING_BYTES + 1);
    let exact = "x".repeat(STRING_BYTES);
    let too_long = Some(Fault::StringLength(STRING_BYTES));
    assert_eq!(fault(&format!(r#"{{"nonce":"{exact}"}}"#)), None);
    assert_eq!(fault(&format!(r#"{{"nonce":"{long}"}}"#)), too_long);
    assert_eq!(fault(&format!(r#"{{"other":["{long}"]}}"#)), too_long);
    assert_eq!(fault(&format!(r#"{{"data_b64":"{long}"}}"#)), None);
    assert_eq!(fault(&format!(r#"{{"data":{{"wg_dump":"{long}"}}}}"#)), None);
    assert_eq!(fault(&format!(r#"{{"data":{{"{long}":1}}}}"#)), too_long);
    assert_eq!(fault(&format!(r#"{{"data":{{}},"after":"{long}"}}"#)), too_long);
}

#[test]
fn encoding_is_checked() {
    assert!(envelope(b"\xef\xbb\xbf{}").is_err());
    let error = envelope(b"{\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(error.at, 6);
    assert!(envelope("{\"\u{10ffff}\":\"\u{feff}\"}".as_bytes()).is_ok());
    assert!(envelope(b"[]").is_err());
    assert!(envelope(b"").is_err());
}

#[test]
fn every_special_byte_at_every_place() {
    for place in 0..20 {
        for byte in 0..=255 {
            let mut text = [b'a'; 24];
            text[place] = byte;
            let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
            let expected = if is_special { place } else { 24 };
            assert_eq!(plain_len(&text), expected, "{byte:#x} at {place}");
        }
    }
}
