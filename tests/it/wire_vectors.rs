//! Known answers: the protocol's own vectors, RFC 4231, Wycheproof, and what Python agents sign.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;
use zeroize::Zeroizing;

use kattila::keys::ring::{KeyRing, StoredKey};
use kattila::model::hex;
use kattila::model::id::AgentId;
use kattila::model::key::IdentityKey;
use kattila::model::path::RelayPath;
use kattila::model::state::{CanonForm, Scheme};
use kattila::model::time::UnixSeconds;
use kattila::sign::digest::sha256;
use kattila::sign::ed25519::SecretKey;
use kattila::sign::hmac;
use kattila::sign::psk::kid_of_psk;
use kattila::verify::canon::V1Canon;
use kattila::verify::enrol::{Registration, verify_registration};
use kattila::verify::proof::{Mismatch, Proof, ProofKey, recheck};
use kattila::verify::{Known, Policy, verify_report};
use kattila::wire::canon::Forms;
use kattila::wire::signing;

/// The key of every vector of the protocol.
pub(crate) const PSK: &[u8] = b"kattila-test-psk-000000000000000";
/// Their data.
pub(crate) const DATA: &str = r#"{"hostname":"gw-1","tick":1,"load":1.0,"note":"<\u00e9>"}"#;
/// Their time.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_795_214_286);

const V1_MAC: &str = "7a8046f955a85973621026ab5e65dadf560683cfc144fe66659bfd09f75665ad";
const V2_MAC: &str = "5b38d9fe1c314a7a721996b701171f80a4ff41f18c315cf1443c2c7a4124dd7e";
const PUBLIC_KEY: &str = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg";
const ED25519_SIG: &str =
    "DIKiK7A63iZM9pWemMHVywesE37cUZPdg4uhPRMfe_eB_Q84udZyN7UgmJ962L8cpC8TCKv6ZuGwRubGfiLKCQ";

const REGISTER_MAC: &str = "980b035f3ab06f2dfc535831c5080897c6e2423c966457b5ec322c385a19828c";
const REGISTER_SIG: &str =
    "GMY7NwsZpO4PHK6N40R5cigxnufF-sg7GVs7UkFd1VVN9tXToigmCBhhSTm-UMck29qLb0vuhQ0YMCoDMSf0Cw";

/// The secret key of the vectors: the seed is the bytes 00 to 1f.
pub(crate) fn secret_key() -> SecretKey {
    SecretKey::from_seed(&std::array::from_fn(|n| u8::try_from(n).unwrap()))
}

pub(crate) fn fixture(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    std::fs::read(&path).unwrap()
}

/// A ring of these keys, the first one current.
pub(crate) fn ring(secrets: &[&[u8]]) -> KeyRing {
    let key = |(place, secret): (usize, &&[u8])| StoredKey {
        kid: kid_of_psk(secret),
        secret: Zeroizing::new(secret.to_vec()),
        source: "environment".to_owned(),
        first_seen: UnixSeconds(1000 - i64::try_from(place).unwrap()),
        last_seen: NOW,
        state: if place == 0 { "current" } else { "previous" }.to_owned(),
        seq: None,
        nbf: None,
        exp: None,
        left_at: None,
    };
    KeyRing::from_stored(secrets.iter().enumerate().map(key).collect())
}

/// A version 1 report with this signature over its data.
pub(crate) fn v1_body(mac: &str, data: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"agent_id":"gw-1","timestamp":{NOW},"nonce":"n-1","hmac":"{mac}","data":{data}}}"#
    ))
}

/// The protocol's example of version 2 with this algorithm, key and signature.
pub(crate) fn v2_body(alg: &str, kid: &str, sig: &str, data: &str) -> Bytes {
    Bytes::from(format!(
        concat!(
            r#"{{"v":2,"alg":"{}","kid":"{}","fleet_id":"fleet-a","#,
            r#""agent_id":"0123456789abcdef0123456789abcdef","tick":1795214286123,"#,
            r#""timestamp":1795214286,"nonce":"AAECAwQFBgcICQoLDA0ODw","sig":"{}",{}}}"#
        ),
        alg, kid, sig, data
    ))
}

pub(crate) fn v2_example() -> Bytes {
    v2_body("hmac-sha256", kid_of_psk(PSK).as_str(), V2_MAC, &format!(r#""data":{DATA}"#))
}

/// The protocol's example, signed with the agent's own key.
fn ed25519_example() -> Bytes {
    v2_body("ed25519", secret_key().kid().as_str(), ED25519_SIG, &format!(r#""data":{DATA}"#))
}

#[test]
fn protocol_vectors_sign() {
    assert_eq!(DATA.len(), 57);
    assert_eq!(hmac::v1(PSK, DATA.as_bytes()), V1_MAC);
    assert_eq!(kid_of_psk(PSK).as_str(), "45819852fbdfc69a");
    let digest = sha256(DATA.as_bytes());
    assert_eq!(
        hex::encode(&digest),
        "d629bb4bb0f027a8d0b2d1ba4bc0c86ab176c4e6939b8534b996d563752d7e1d"
    );
    let report = signing::Report {
        alg: "hmac-sha256",
        kid: &kid_of_psk(PSK),
        fleet_id: &"fleet-a".parse().unwrap(),
        agent_id: &"0123456789abcdef0123456789abcdef".parse().unwrap(),
        tick: 1_795_214_286_123,
        timestamp: NOW,
        nonce: "AAECAwQFBgcICQoLDA0ODw",
        data_sha256: digest,
    };
    assert_eq!(hmac::v2(PSK, &report.text()), V2_MAC);
    let register = signing::Register {
        fleet_id: report.fleet_id,
        agent_id: report.agent_id,
        public_key: PUBLIC_KEY,
        timestamp: NOW,
        nonce: report.nonce,
        hostname: "gw-1",
    };
    let mac = hmac::mac(hmac::register_key(PSK).as_slice(), register.text().as_bytes());
    assert_eq!(hex::encode(&mac), REGISTER_MAC);
    let (secret, base64) = (secret_key(), |bytes| URL_SAFE_NO_PAD.encode(bytes));
    assert_eq!(secret.public().to_string(), PUBLIC_KEY);
    assert_eq!(base64(secret.sign(register.text().as_bytes())), REGISTER_SIG);
    let kid = secret.kid();
    let own = signing::Report { alg: "ed25519", kid: &kid, ..report };
    assert_eq!(base64(secret.sign(own.text().as_bytes())), ED25519_SIG);
}

#[test]
fn protocol_vectors_verify() {
    let ring = ring(&[b"another key, the current one now", PSK]);
    let policy = Policy { v1_canon: V1Canon::Raw, ..Policy::default() };
    let v1 = verify_report(&v1_body(V1_MAC, DATA), &ring, &policy, |_| None, NOW).unwrap();
    assert_eq!(v1.agent_id().as_str(), "gw-1");
    assert_eq!((v1.scheme(), v1.form()), (Scheme::V1, CanonForm::Raw));
    assert_eq!(v1.kid().as_str(), "45819852fbdfc69a");
    assert_eq!((v1.timestamp(), v1.nonce(), v1.tick()), (NOW, "n-1", None));
    assert_eq!(v1.data(), DATA.as_bytes());
    assert_eq!((v1.fleet_id(), v1.relay_path()), (None, &RelayPath::direct()));

    let example = v2_example();
    let v2 = verify_report(&example, &ring, &policy, |_| None, NOW).unwrap();
    assert_eq!(v2.agent_id().as_str(), "0123456789abcdef0123456789abcdef");
    assert_eq!((v2.scheme(), v2.form()), (Scheme::V2Hmac, CanonForm::Raw));
    assert_eq!(v2.fleet_id().unwrap().as_str(), "fleet-a");
    assert_eq!(v2.tick(), Some(1_795_214_286_123));
    assert_eq!(v2.data(), DATA.as_bytes());
    assert_eq!(*v2.data_sha256(), sha256(DATA.as_bytes()));
    assert_eq!((v2.body(), v2.body_sha256()), (&example, sha256(&example)));

    // Python: base64.urlsafe_b64encode of the data, without the padding.
    let data_b64 =
        concat!("eyJob3N0bmFtZSI6Imd3LTEiLCJ0aWNrIjoxLCJsb2FkIjoxLjAsIm5vdGUi", "OiI8XHUwMGU5PiJ9");
    let kid = kid_of_psk(PSK);
    let body = v2_body("hmac-sha256", kid.as_str(), V2_MAC, &format!(r#""data_b64":"{data_b64}""#));
    let same = verify_report(&body, &ring, &policy, |_| None, NOW).unwrap();
    assert_eq!((same.data(), same.data_sha256()), (v2.data(), v2.data_sha256()));
}

#[test]
fn an_ed25519_report_holds_for_the_pinned_key_alone() {
    let body = ed25519_example();
    let policy = Policy::default();
    let under = |key: Option<IdentityKey>, ring: &KeyRing| {
        verify_report(&body, ring, &policy, |_| Known { key, ..Known::default() }, NOW)
    };
    let own = secret_key().public();
    // With and without shared keys: the identity does not depend on them.
    for ring in [ring(&[PSK]), ring(&[])] {
        let verified = under(Some(own), &ring).unwrap();
        assert_eq!((verified.scheme(), verified.own_key()), (Scheme::V2Ed25519, Some(&own)));
        assert_eq!(verified.kid().as_str(), "56475aa75463474c");
        let strangers = [None, Some(SecretKey::from_seed(&[7; 32]).public())];
        for key in strangers {
            let rejection = under(key, &ring).unwrap_err();
            assert_eq!(rejection.code().as_str(), "signature_invalid");
            assert!(!rejection.wants_new_keys(), "the record in DNS holds no agent's own key");
        }
    }
    // The shared key's signature is none of the pinned key's, nor is one in another's name.
    let known = |_: &AgentId| Known { key: Some(own), ..Known::default() };
    let forged = v2_body("ed25519", "56475aa75463474c", &"A".repeat(86), r#""data":{}"#);
    assert!(verify_report(&forged, &ring(&[PSK]), &policy, known, NOW).is_err());
    let text = String::from_utf8(body.to_vec()).unwrap();
    for (from, to) in [
        ("0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef"),
        ("fleet-a", "fleet-b"),
        ("1795214286123", "1795214286124"),
        ("AAECAwQFBgcICQoLDA0ODw", "BAECAwQFBgcICQoLDA0ODw"),
        ("56475aa75463474c", "66475aa75463474c"),
        ("gw-1", "gw-2"),
    ] {
        let other = Bytes::from(text.replace(from, to));
        assert!(verify_report(&other, &ring(&[PSK]), &policy, known, NOW).is_err(), "{to}");
    }
}

#[test]
fn the_register_vector_is_proof() {
    let body = |sig: &str, mac: &str| {
        Bytes::from(format!(
            concat!(
                r#"{{"v":2,"fleet_id":"fleet-a","agent_id":"0123456789abcdef0123456789abcdef","#,
                r#""public_key":"{}","timestamp":1795214286,"nonce":"AAECAwQFBgcICQoLDA0ODw","#,
                r#""hostname":"gw-1","psk_kid":"45819852fbdfc69a","psk_mac":"{}","sig":"{}"}}"#
            ),
            PUBLIC_KEY, mac, sig
        ))
    };
    let check = |body: &Bytes, secrets: &[&[u8]]| {
        verify_registration(body, &ring(secrets), &Policy::default(), |_| Known::default(), NOW)
    };
    let vector = body(REGISTER_SIG, REGISTER_MAC);
    let Registration::Enrolment(enrolment) =
        check(&vector, &[b"a newer key, current", PSK]).unwrap()
    else {
        panic!("an announcement")
    };
    assert_eq!(*enrolment.public_key(), secret_key().public());
    assert_eq!((enrolment.hostname(), enrolment.replaces()), (Some("gw-1"), None));
    assert_eq!(enrolment.psk_kid(), &kid_of_psk(PSK));
    assert_eq!((enrolment.timestamp(), enrolment.fleet_id().as_str()), (NOW, "fleet-a"));
    let code = |body: &Bytes, secrets: &[&[u8]]| check(body, secrets).unwrap_err().code().as_str();
    assert_eq!(code(&body(&"A".repeat(86), REGISTER_MAC), &[PSK]), "signature_invalid");
    assert_eq!(code(&body(REGISTER_SIG, &"0".repeat(64)), &[PSK]), "signature_invalid");
    assert_eq!(code(&vector, &[b"another key altogether"]), "signature_invalid");
    assert_eq!(code(&vector, &[]), "keys_unavailable");
    assert!(check(&vector, &[b"another key altogether"]).unwrap_err().wants_new_keys());
    assert!(!check(&body(&"A".repeat(86), REGISTER_MAC), &[PSK]).unwrap_err().wants_new_keys());
}

#[test]
fn stored_reports_prove_themselves_or_say_why_not() {
    let v1 = v1_body(V1_MAC, DATA);
    let proof = Proof {
        scheme: Scheme::V1,
        form: CanonForm::Raw,
        key: ProofKey::Shared(PSK),
        data_sha256: sha256(DATA.as_bytes()),
    };
    assert_eq!(recheck(&v1, &proof), Ok(()));
    let v2_proof = Proof { scheme: Scheme::V2Hmac, ..proof };
    assert_eq!(recheck(&v2_example(), &v2_proof), Ok(()));
    assert_eq!(recheck(&v2_example(), &proof), Err(Mismatch::Scheme(Scheme::V1)));
    let named = Proof { scheme: Scheme::V2Ed25519, ..proof };
    assert_eq!(recheck(&v2_example(), &named), Err(Mismatch::Scheme(Scheme::V2Ed25519)));
    let (public, other) = (secret_key().public(), SecretKey::from_seed(&[7; 32]).public());
    let own = Proof { key: ProofKey::Own(&public), ..named };
    assert_eq!(recheck(&ed25519_example(), &own), Ok(()));
    assert_eq!(recheck(&v2_example(), &own), Err(Mismatch::Signature));
    let other = Proof { key: ProofKey::Own(&other), ..own };
    assert_eq!(recheck(&ed25519_example(), &other), Err(Mismatch::Signature));
    assert_eq!(recheck(&ed25519_example(), &named), Err(Mismatch::Scheme(Scheme::V2Ed25519)));
    let digest = Proof { data_sha256: [0; 32], ..proof };
    assert_eq!(recheck(&v1, &digest), Err(Mismatch::Digest));
    let secret = Proof { key: ProofKey::Shared(b"another key"), ..proof };
    assert_eq!(recheck(&v1, &secret), Err(Mismatch::Signature));
    let form = Proof { form: CanonForm::Spaced, ..proof };
    assert_eq!(recheck(&v1, &form), Err(Mismatch::Signature));
    assert!(matches!(recheck(b"{}", &proof), Err(Mismatch::Unreadable(_))));
}

#[test]
fn rfc_4231() {
    let text = String::from_utf8(fixture("rfc4231/rfc-4231-sha256.txt")).unwrap();
    let values = |name: &'static str| {
        text.lines()
            .filter_map(move |line| line.strip_prefix(name))
            .map(|v| hex::decode(v).unwrap())
    };
    let mut cases = 0;
    for ((key, message), tag) in values("Key = ").zip(values("Msg = ")).zip(values("MD = ")) {
        assert_eq!(hmac::mac(&key, &message), *tag);
        assert!(hmac::is_mac(&key, &message, &tag));
        cases += 1;
    }
    assert_eq!(cases, 6);
}

#[test]
#[expect(non_snake_case, reason = "the file's own names")]
fn wycheproof() {
    #[derive(Deserialize)]
    struct File {
        testGroups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        tagSize: usize,
        tests: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        tcId: u32,
        key: String,
        msg: String,
        tag: String,
        result: String,
    }
    let file: File = serde_json::from_slice(&fixture("wycheproof/hmac_sha256_test.json")).unwrap();
    let mut whole = (0, 0);
    let mut cut = 0;
    for group in file.testGroups {
        for case in group.tests {
            let bytes = |text: &str| hex::decode(text).unwrap();
            let (key, message, tag) = (bytes(&case.key), bytes(&case.msg), bytes(&case.tag));
            let mac = hmac::mac(&key, &message);
            let is_valid = case.result == "valid";
            assert_eq!(mac.starts_with(&tag), is_valid, "case {}", case.tcId);
            // A tag that was cut short never holds here, however right its bytes are.
            let holds = is_valid && group.tagSize == 256;
            assert_eq!(hmac::is_mac(&key, &message, &tag), holds, "case {}", case.tcId);
            match (group.tagSize, is_valid) {
                (256, true) => whole.0 += 1,
                (256, false) => whole.1 += 1,
                _ => cut += 1,
            }
        }
    }
    assert_eq!((whole, cut), ((33, 54), 87));
}

/// What Python wrote and signed, one value per line; made by `tests/fixtures/canon/make.py`.
#[derive(Deserialize)]
struct PythonForms {
    compact: Signed,
    compact_sorted: Signed,
    spaced: Signed,
    spaced_sorted: Signed,
    indented: Text,
}

#[derive(Deserialize)]
struct Signed {
    text: String,
    hmac: String,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

fn python_forms() -> Vec<PythonForms> {
    let lines = String::from_utf8(fixture("canon/forms.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_form_of_every_text_is_what_python_writes() {
    let values = python_forms();
    assert_eq!(values.len(), 23);
    for value in values {
        let sorted = [&value.compact_sorted.text, &value.spaced_sorted.text];
        let ordered = [&value.compact.text, &value.spaced.text, &value.indented.text];
        for sent in sorted.into_iter().chain(ordered) {
            let form =
                |form| String::from_utf8(Forms::new(sent.as_bytes()).get(form).into()).unwrap();
            assert_eq!(form(CanonForm::Raw), *sent);
            assert_eq!(form(CanonForm::CompactSorted), value.compact_sorted.text);
            assert_eq!(form(CanonForm::SpacedSorted), value.spaced_sorted.text);
        }
        for sent in ordered {
            let form =
                |form| String::from_utf8(Forms::new(sent.as_bytes()).get(form).into()).unwrap();
            assert_eq!(form(CanonForm::Compact), value.compact.text);
            assert_eq!(form(CanonForm::Spaced), value.spaced.text);
        }
    }
}

#[test]
fn agents_that_sign_one_form_and_send_another_are_understood() {
    let ring = ring(&[PSK]);
    let (auto, raw) = (Policy::default(), Policy { v1_canon: V1Canon::Raw, ..Policy::default() });
    for value in python_forms() {
        let sent = &value.indented.text;
        for (signed, form) in [
            (&value.compact, CanonForm::Compact),
            (&value.compact_sorted, CanonForm::CompactSorted),
            (&value.spaced, CanonForm::Spaced),
            (&value.spaced_sorted, CanonForm::SpacedSorted),
        ] {
            let body = v1_body(&signed.hmac, sent);
            let found = verify_report(&body, &ring, &auto, |_| None, NOW).unwrap();
            let bytes = Forms::new(sent.as_bytes()).get(found.form());
            assert_eq!(bytes, signed.text.as_bytes(), "{sent}");
            // What matched last time is tried first, and found under its own name.
            let again = verify_report(&body, &ring, &auto, |_| Some(form), NOW).unwrap();
            assert_eq!(again.form(), form);
            // A wrong hint costs time, nothing else.
            for hint in CanonForm::ALL {
                assert!(verify_report(&body, &ring, &auto, |_| Some(*hint), NOW).is_ok());
            }
            let is_raw = *sent == signed.text;
            assert_eq!(verify_report(&body, &ring, &raw, |_| Some(form), NOW).is_ok(), is_raw);
        }
    }
}
