//! Anything at all as the body of a report: it must be refused in order or taken apart without
//! a panic, and what is accepted must keep its promises.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use kattila::keys::ring::{KeyRing, StoredKey};
use kattila::model::state::CanonForm;
use kattila::model::time::UnixSeconds;
use kattila::sign::{hmac, psk};
use kattila::simulate::envelope::{Head, Packed, Signer};
use kattila::verify::arrived::{Arrived, Shape};
use kattila::verify::{Policy, verify_register, verify_report};
use kattila::wire::envelope::{self, DataV2, Envelope};
use kattila::wire::frame::{Encoding, Frame};
use kattila::wire::scan::{self, Fault};
use kattila::wire::canon::Forms;
use kattila::wire::limits;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

/// No seed is signed with it, so nothing the fuzzer finds by itself may verify.
const SECRET: &[u8] = b"a key that the corpus has not seen";
const NOW: UnixSeconds = UnixSeconds(1_795_214_286);

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    KeyRing::from_stored(vec![StoredKey {
        kid: psk::kid_of_psk(SECRET),
        secret: zeroize::Zeroizing::new(SECRET.to_vec()),
        source: "environment".to_owned(),
        first_seen: NOW,
        last_seen: NOW,
        state: "current".to_owned(),
        seq: None,
        nbf: None,
        exp: None,
        left_at: None,
    }])
});

fuzz_target!(|input: &[u8]| {
    scan_agrees_with_serde_json(input);
    if let Ok(parsed) = envelope::parse(input) {
        match &parsed {
            Envelope::V1(head) => check_forms(&input[head.data.clone()]),
            Envelope::V2(head) if head.frame.is_some() => {}
            Envelope::V2(head) => match &head.data {
                DataV2::InBody(range) => check_forms(&input[range.clone()]),
                DataV2::Decoded(data) => check_forms(data),
            },
        }
    }
    let body = Bytes::copy_from_slice(input);
    for hint in [None, Some(CanonForm::SpacedSorted)] {
        assert!(verify_report(&body, &RING, &Policy::default(), |_| hint, NOW).is_err());
        assert!(verify_register(&body, &RING, &Policy::default(), |_| hint, NOW).is_err());
    }
    check_signed(input);
    check_framed(input);
});

/// What the first pass takes is JSON, and what it calls no JSON is none.
fn scan_agrees_with_serde_json(input: &[u8]) {
    let is_json = serde_json::from_slice::<IgnoredAny>(input).is_ok();
    match scan::data(input) {
        Ok(()) => assert!(is_json),
        Err(error) if matches!(error.fault, Fault::Syntax(_)) => {
            assert!(!is_json || std::str::from_utf8(input).is_err());
        }
        Err(_) => {}
    }
}

/// A form means the same, is itself valid, and is its own form.
fn check_forms(data: &[u8]) {
    let value = serde_json::from_slice::<serde_json::Value>(data).ok();
    let forms = Forms::new(data);
    for form in CanonForm::ALL {
        let bytes = forms.get(*form);
        assert_eq!(scan::data(&bytes), Ok(()));
        assert_eq!(Forms::new(&bytes).get(*form), bytes);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&bytes).ok(), value);
    }
}

/// Any bytes may be signed as the data of a frame: as they are, what is JSON comes out as it went in,
/// and nothing that is said to be compressed does any harm.
fn check_framed(sent: &[u8]) {
    let signer = Signer::new(zeroize::Zeroizing::new(SECRET.to_vec()));
    let head = Head {
        agent_id: "0123456789abcdef",
        fleet_id: Some("fleet-a"),
        tick: "1",
        timestamp: &NOW.to_string(),
        nonce: "AAECAwQFBgcICQoLDA0ODw",
    };
    for encoding in [Encoding::Identity, Encoding::Zstd] {
        let frame = Frame { encoding, dict: None };
        let body = Bytes::from(signer.frame(&head, &Packed { frame: &frame, sent }));
        let arrived = Arrived { body: &body, shape: Some(Shape::Framed), shelf: None };
        match verify_report(arrived, &RING, &Policy::default(), |_| None, NOW) {
            Ok(verified) => {
                assert!(verified.data().len() <= limits::DATA_BYTES);
                assert_eq!(scan::data(verified.data()), Ok(()));
                assert!(encoding == Encoding::Zstd || verified.data() == sent);
            }
            Err(why) => {
                let is_data = encoding == Encoding::Identity && sent.len() <= limits::DATA_BYTES;
                assert!(!is_data || scan::data(sent).is_err(), "{why}");
            }
        }
    }
}

/// Any value may be signed as `data`; signed, it verifies and comes out as it went in.
fn check_signed(data: &[u8]) {
    if scan::data(data).is_err() || data.len() > limits::DATA_BYTES {
        return;
    }
    let mac = hmac::v1(SECRET, data.trim_ascii());
    let head = format!(
        r#"{{"agent_id":"gw-1","timestamp":{NOW},"nonce":"n","hmac":"{mac}","data":"#
    );
    let body = Bytes::from([head.as_bytes(), data, b"}"].concat());
    let verified = verify_report(&body, &RING, &Policy::default(), |_| None, NOW);
    assert_eq!(verified.expect("a signed report").data(), data.trim_ascii());
}
