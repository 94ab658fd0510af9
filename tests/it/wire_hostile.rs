//! Bodies that are not what they should be: every file of `JSONTestSuite`, and signed reports
//! with something changed on the way.

use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use kattila::model::state::CanonForm;
use kattila::model::time::UnixSeconds;
use kattila::sign::hmac;
use kattila::verify::canon::V1Canon;
use kattila::verify::rejection::Rejection;
use kattila::verify::{Policy, Verified, verify_report};
use kattila::wire::scan;

use crate::wire_vectors::{DATA, NOW, PSK, fixture, ring, v1_body, v2_example};

/// Each file of `JSONTestSuite` by name, with what it holds.
fn suite() -> Vec<(String, Vec<u8>)> {
    let folder = "tests/fixtures/json-test-suite/test_parsing";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 318);
    let read = |name: String| {
        let bytes = fixture(&format!("json-test-suite/test_parsing/{name}"));
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

/// The file as `data` of a report that is signed over it.
fn report_around(data: &[u8]) -> Bytes {
    let mac = hmac::v1(PSK, data.trim_ascii());
    let head =
        format!(r#"{{"agent_id":"gw-1","timestamp":{NOW},"nonce":"n-1","hmac":"{mac}","data":"#);
    Bytes::from([head.as_bytes(), data, b"}"].concat())
}

fn verify(body: &Bytes) -> Result<Verified, Rejection> {
    verify_report(body, &ring(&[PSK]), &Policy::default(), |_| None, NOW)
}

#[test]
fn json_test_suite_as_body_and_as_data() {
    for (name, bytes) in suite() {
        let as_body = verify(&Bytes::from(bytes.clone()));
        assert!(as_body.is_err(), "{name} is no envelope");
        let as_data = verify(&report_around(&bytes)).map_err(|rejection| rejection.code());
        let alone = scan::data(&bytes);
        let as_data = as_data.map_err(|code| code.as_str());
        match (name.as_bytes(), &as_data) {
            // Two members of one name: readers disagree on them, so they are refused.
            (
                b"y_object_duplicated_key.json" | b"y_object_duplicated_key_and_value.json",
                found,
            ) => {
                assert_eq!(found.as_ref().err(), Some(&"duplicate_key"), "{name}");
            }
            ([b'y', ..], found) => {
                assert_eq!(found.as_ref().unwrap().data(), bytes.trim_ascii(), "{name}");
                assert_eq!(alone, Ok(()), "{name}");
            }
            ([b'n', ..], found) => {
                let code = found.as_ref().err().copied();
                let deep = name.contains("open_array_object") || name.contains("100000");
                let expected = if deep { "depth_exceeded" } else { "malformed_json" };
                assert_eq!(code, Some(expected), "{name}");
                assert!(alone.is_err(), "{name}");
            }
            (_, Ok(report)) => assert_eq!(report.data(), bytes.trim_ascii(), "{name}"),
            (_, Err(code)) => {
                assert!(["malformed_json", "depth_exceeded"].contains(code), "{name}: {code}");
            }
        }
    }
}

/// Where in the text the value of a member is, quotes and brackets included.
fn value_of(body: &str, name: &str, value: &str) -> std::ops::Range<usize> {
    let member = format!("\"{name}\":{value}");
    let start = body.find(&member).unwrap() + member.len() - value.len();
    start..start + value.len()
}

fn changed(body: &Bytes, at: usize, mask: u8) -> Bytes {
    let mut bytes = body.to_vec();
    *bytes.get_mut(at).unwrap() ^= mask;
    Bytes::from(bytes)
}

#[test]
fn one_bit_of_a_version_2_report_changed_is_never_accepted() {
    let body = v2_example();
    assert!(verify(&body).is_ok());
    for at in 0..body.len() {
        for bit in 0..8 {
            assert!(verify(&changed(&body, at, 1 << bit)).is_err(), "bit {bit} of byte {at}");
        }
    }
}

/// A version 1 report with all that it does not sign.
fn v1_report() -> (Bytes, String) {
    let mac = hmac::v1(PSK, DATA.as_bytes());
    let text = String::from_utf8(v1_body(&mac, DATA).to_vec()).unwrap();
    let text = text.replace("\"data\":", "\"relay_path\":[\"r1\"],\"data\":");
    (Bytes::from(text), mac)
}

/// Checks what version 1 promises about a changed report: if it is accepted at all, the change
/// is in something that version 1 does not sign, and the data is untouched.
fn check_changed_v1(body: &Bytes, mac: &str, at: usize, mask: u8) -> bool {
    let Ok(accepted) = verify(&changed(body, at, mask)) else { return false };
    assert_eq!(accepted.data(), DATA.as_bytes());
    let text = std::str::from_utf8(body).unwrap();
    let unsigned = [
        value_of(text, "agent_id", "\"gw-1\""),
        value_of(text, "timestamp", &NOW.to_string()),
        value_of(text, "nonce", "\"n-1\""),
        // Renamed, it is an unknown member; its value is a claim.
        value_of(text, "nonce", "\"n-1\"").end..text.find("\"data\"").unwrap(),
    ];
    let is_unsigned = unsigned.iter().any(|range| range.contains(&at));
    let in_mac = value_of(text, "hmac", &format!("\"{mac}\"")).contains(&at);
    let is_letter_case = in_mac && mask == 0x20;
    assert!(
        is_unsigned && !in_mac || is_letter_case,
        "accepted with byte {at} changed by {mask:#x}: {accepted:?}"
    );
    true
}

#[test]
fn one_bit_of_a_version_1_report_changed_leaves_the_data_alone() {
    let (body, mac) = v1_report();
    assert!(verify(&body).is_ok());
    let mut accepted = Vec::new();
    for at in 0..body.len() {
        for bit in 0..8 {
            if check_changed_v1(&body, &mac, at, 1 << bit) {
                accepted.push(at);
            }
        }
    }
    // The documented gap is there: anyone on the way can send the data under another name.
    let text = std::str::from_utf8(&body).unwrap();
    for name in ["agent_id\":\"", "timestamp\":17952142", "nonce\":\"", "relay_path\":[\""] {
        let at = text.find(name).unwrap() + name.len();
        assert!(accepted.contains(&at), "{name} is not signed in version 1");
    }
}

#[test]
fn white_space_may_change_only_where_forms_are_tried() {
    let data = r#"{"a": 1, "b": [2, 3]}"#;
    let mac = hmac::v1(PSK, data.as_bytes());
    let body = v1_body(&mac, data);
    let raw = Policy { v1_canon: V1Canon::Raw, ..Policy::default() };
    let range = value_of(std::str::from_utf8(&body).unwrap(), "data", data);
    let mut respaced = 0;
    for at in range {
        for mask in 1..=255 {
            let sent = changed(&body, at, mask);
            assert!(verify_report(&sent, &ring(&[PSK]), &raw, |_| None, NOW).is_err());
            if let Ok(accepted) = verify(&sent) {
                assert_eq!(accepted.form(), CanonForm::Spaced);
                let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes);
                assert_eq!(value(accepted.data()).unwrap(), value(data.as_bytes()).unwrap());
                respaced += 1;
            }
        }
    }
    assert_eq!(respaced, 4 * 3, "four spaces, each as a tab, a line feed or a return");
}

proptest! {
    #[test]
    fn any_change_of_a_version_2_report_is_refused(
        changes in prop::collection::vec((0_usize..1000, 1_u8..), 1..4)
    ) {
        let body = v2_example();
        let mut bytes = body.to_vec();
        for (at, mask) in changes {
            let at = at % bytes.len();
            bytes[at] ^= mask;
        }
        prop_assume!(bytes != body);
        prop_assert!(verify(&Bytes::from(bytes)).is_err());
    }

    #[test]
    fn any_byte_of_a_version_1_report_may_change_only_what_is_unsigned(
        at in 0_usize..1000,
        mask in 1_u8..
    ) {
        let (body, mac) = v1_report();
        check_changed_v1(&body, &mac, at % body.len(), mask);
    }

    #[test]
    fn a_signature_holds_for_one_key_and_one_data(
        secret in prop::collection::vec(any::<u8>(), 16..64),
        other in prop::collection::vec(any::<u8>(), 16..64),
        text in "\\PC{0,40}",
    ) {
        prop_assume!(secret != other);
        let data = serde_json::to_string(&text).unwrap();
        let body = v1_body(&hmac::v1(&secret, data.as_bytes()), &data);
        let check = |keys: &[&[u8]]| {
            verify_report(&body, &ring(keys), &Policy::default(), |_| None, NOW).is_ok()
        };
        prop_assert!(check(&[&secret]) && check(&[&other, &secret]));
        prop_assert!(!check(&[&other]));
        prop_assert!(!check(&[]));
    }

    #[test]
    fn skew_is_the_only_judge_of_time(offset in -2000_i64..2000) {
        let (body, _) = v1_report();
        let now = UnixSeconds(NOW.0 + offset);
        let result = verify_report(&body, &ring(&[PSK]), &Policy::default(), |_| None, now);
        prop_assert_eq!(result.is_ok(), offset.abs() <= 600);
    }
}
