//! The order of the checks and what each refusal gives away.

use super::*;
use crate::keys::ring::StoredKey;
use crate::sign::hmac;
use crate::sign::psk::kid_of_psk;
use crate::wire::codes::ErrorCode;
use crate::wire::signing::Report;

const NOW: UnixSeconds = UnixSeconds(1_795_214_286);
const OLD: &[u8] = b"the key before the last rotation";
const NEW: &[u8] = b"the key that is current nowadays";

fn ring(secrets: &[&[u8]]) -> KeyRing {
    let stored = |secret: &&[u8]| StoredKey {
        kid: kid_of_psk(secret),
        secret: zeroize::Zeroizing::new(secret.to_vec()),
        source: "dns".to_owned(),
        first_seen: NOW,
        last_seen: NOW,
        state: if *secret == NEW { "current" } else { "previous" }.to_owned(),
        seq: None,
        nbf: None,
        exp: None,
        left_at: None,
    };
    KeyRing::from_stored(secrets.iter().map(stored).collect())
}

fn v1(secret: &[u8], timestamp: i64, data: &str) -> Bytes {
    let mac = hmac::v1(secret, data.as_bytes());
    Bytes::from(format!(
        r#"{{"agent_id":"gw-1","timestamp":{timestamp},"nonce":"n","hmac":"{mac}","data":{data}}}"#
    ))
}

fn v2(secret: &[u8], kid: &Kid, timestamp: UnixSeconds) -> Bytes {
    let report = Report {
        alg: "hmac-sha256",
        kid,
        fleet_id: &"fleet-a".parse().unwrap(),
        agent_id: &"0123456789abcdef".parse().unwrap(),
        tick: 9,
        timestamp,
        nonce: "AAECAwQFBgcICQoLDA0ODw",
        data_sha256: sha256(b"{}"),
    };
    let sig = hmac::v2(secret, &report.text());
    Bytes::from(format!(
        concat!(
            r#"{{"v":2,"alg":"hmac-sha256","kid":"{}","fleet_id":"fleet-a","#,
            r#""agent_id":"0123456789abcdef","tick":9,"timestamp":{},"#,
            r#""nonce":"AAECAwQFBgcICQoLDA0ODw","sig":"{}","data":{{}}}}"#
        ),
        kid, timestamp, sig
    ))
}

fn verify(body: &Bytes, ring: &KeyRing) -> Result<Verified, Rejection> {
    verify_report(body, ring, &Policy::default(), |_| None, NOW)
}

fn code(body: &Bytes, ring: &KeyRing, policy: Policy) -> Option<ErrorCode> {
    verify_report(body, ring, &policy, |_| None, NOW).err().map(|rejection| rejection.code())
}

#[test]
fn any_usable_key_verifies_and_is_named() {
    let both = ring(&[NEW, OLD]);
    for secret in [NEW, OLD] {
        let kid = kid_of_psk(secret);
        assert_eq!(verify(&v1(secret, NOW.0, "{}"), &both).unwrap().kid(), &kid);
        // The key id is a hint: a wrong one is signed too, but does not decide.
        for named in [kid.clone(), kid_of_psk(b"a key nobody knows")] {
            assert_eq!(verify(&v2(secret, &named, NOW), &both).unwrap().kid(), &kid);
        }
    }
    let revoked = both.revoke(&kid_of_psk(OLD)).unwrap();
    assert!(verify(&v1(OLD, NOW.0, "{}"), &revoked).is_err());
    assert!(verify(&v2(OLD, &kid_of_psk(OLD), NOW), &revoked).is_err());
}

#[test]
fn a_key_that_may_be_new_asks_for_one_refresh() {
    let known = ring(&[NEW]);
    let wants = |body: &Bytes| verify(body, &known).unwrap_err().wants_new_keys();
    assert!(wants(&v1(OLD, NOW.0, "{}")), "version 1 names no key");
    assert!(wants(&v2(OLD, &kid_of_psk(OLD), NOW)));
    assert!(!wants(&v2(OLD, &kid_of_psk(NEW), NOW)), "the key it names is known and is not it");
    assert!(!wants(&v1(NEW, NOW.0 - 601, "{}")));
    assert!(!wants(&Bytes::from_static(b"{")));
    let none = verify(&v1(OLD, NOW.0, "{}"), &ring(&[])).unwrap_err();
    assert_eq!((none.code(), none.wants_new_keys()), (ErrorCode::KeysUnavailable, true));
}

#[test]
fn checks_run_from_cheap_to_dear_and_tell_strangers_nothing() {
    let (none, one) = (ring(&[]), ring(&[NEW]));
    let strict = Policy { min_version: 2, ..Policy::default() };
    // Shape before keys.
    assert_eq!(code(&Bytes::from_static(b"[]"), &none, strict), Some(ErrorCode::MalformedJson));
    // Keys before the signature, the signature before everything that only members are told.
    let stale = v1(OLD, 0, "{}");
    assert_eq!(code(&stale, &none, strict), Some(ErrorCode::KeysUnavailable));
    assert_eq!(code(&stale, &one, strict), Some(ErrorCode::SignatureInvalid));
    let stale = v1(NEW, 0, "{}");
    assert_eq!(code(&stale, &one, strict), Some(ErrorCode::VersionDowngrade));
    assert_eq!(code(&stale, &one, Policy::default()), Some(ErrorCode::TimestampSkew));
    let v2 = |timestamp| v2(NEW, &kid_of_psk(NEW), timestamp);
    assert_eq!(code(&v2(NOW), &one, strict), None);
    assert_eq!(code(&v2(NOW.plus(601)), &one, strict), Some(ErrorCode::TimestampSkew));
    assert_eq!(code(&v2(NOW.plus(600)), &one, strict), None);
    let wide = Policy { max_skew: 5, ..Policy::default() };
    assert_eq!(code(&v2(NOW.minus(6)), &one, wide), Some(ErrorCode::TimestampSkew));
    assert_eq!(code(&v1(NEW, i64::MIN, "{}"), &one, wide), Some(ErrorCode::TimestampSkew));
}

#[test]
fn forms_are_tried_hint_first_and_once_each() {
    let all: Vec<_> = V1Canon::Auto.forms(None).collect();
    assert_eq!(all, CanonForm::ALL);
    let hinted: Vec<_> = V1Canon::Auto.forms(Some(CanonForm::Spaced)).collect();
    assert_eq!(hinted.first(), Some(&CanonForm::Spaced));
    assert_eq!(hinted.len(), CanonForm::ALL.len());
    let raw: Vec<_> = V1Canon::Raw.forms(Some(CanonForm::Spaced)).collect();
    assert_eq!(raw, [CanonForm::Raw]);
    assert_eq!(("auto".parse(), "raw".parse()), (Ok(V1Canon::Auto), Ok(V1Canon::Raw)));
    assert!("py_sorted".parse::<V1Canon>().is_err());
}

#[test]
fn announcements_are_of_version_1() {
    let one = ring(&[NEW]);
    let register = |body: &Bytes| verify_register(body, &one, &Policy::default(), |_| None, NOW);
    let announcement = register(&v1(NEW, NOW.0, "{}")).unwrap();
    assert_eq!(announcement.envelope().agent_id().as_str(), "gw-1");
    assert_eq!(register(&v1(OLD, NOW.0, "{}")).unwrap_err().code(), ErrorCode::SignatureInvalid);
    assert_eq!(register(&v1(NEW, 0, "{}")).unwrap_err().code(), ErrorCode::TimestampSkew);
    let enrolment = Bytes::from_static(br#"{"v":2,"fleet_id":"f","public_key":"k"}"#);
    for body in [enrolment, v2(NEW, &kid_of_psk(NEW), NOW)] {
        assert_eq!(register(&body).unwrap_err().code(), ErrorCode::UnsupportedVersion);
    }
    let code = register(&Bytes::from_static(b"{\"v\":1}")).unwrap_err().code();
    assert_eq!(code, ErrorCode::MissingField);
}
