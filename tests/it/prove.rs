//! `kattila verify`: every stored report proves itself again, and none that was touched does.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kattila::model::id::ReportId;
use kattila::model::state::CanonForm;
use kattila::sign::hmac;
use kattila::store::Reader as _;
use kattila::store::row::ReportFilter;
use kattila::store::sqlite::open_read_only;
use kattila::wire::canon::Forms;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::support::actors::Agent;
use crate::support::fleet::{ALPHA, Host};
use crate::support::manager::{PSK, TestManager};
use crate::support::own::Own;
use crate::support::process::{Ended, run};

const NEW_PSK: &str = "kattila-next-psk-111111111111111";

async fn verify(db: &Path) -> Ended {
    let db = db.display().to_string();
    run(Path::new("/"), &["verify", "--db", &db], &[]).await
}

/// Data in none of the usual serialisations, so that each form has bytes of its own.
const ODD: &str = r#"{ "hostname":"alpha" ,"b":1.0, "a":[1 ,2], "c":"<\u00e9>"}"#;

/// A version 1 report signed in this form and sent as [`ODD`].
async fn report_in(agent: &mut Agent, form: CanonForm) {
    let signed = Forms::new(ODD.as_bytes()).get(form).into_owned();
    let raw = hmac::v1(PSK.as_bytes(), ODD.as_bytes()).to_string();
    let envelope = agent.seal_v1(ODD).replace(&raw, &hmac::v1(PSK.as_bytes(), &signed).to_string());
    let answer = agent.send(&envelope).await;
    assert_eq!(answer.status, 200, "{form}: {}", answer.text());
}

/// Six version 1 reports, a version 2 one, and one that carried a private key.
async fn some_of_each(kattila: &TestManager) {
    for (number, form) in CanonForm::ALL.iter().enumerate() {
        report_in(&mut kattila.agent(&format!("form-{number}")), *form).await;
    }
    kattila.agent("plain").report_v1(&Host::beta().data()).await;
    kattila.agent(ALPHA).report(&Host::alpha().data()).await;
    let dump = "wg0\tYKL1ZPZ+0gLwjqCK0hE6K3GGCHGpLkT/0mIzTZPzdGI=\t\
                m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=\t51820\toff\n";
    kattila.agent("leaky").report_v1(&json!({ "hostname": "leaky", "wg_dump": dump })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_proves_itself_while_the_manager_runs() {
    let kattila = TestManager::start().await;
    some_of_each(&kattila).await;
    let ended = verify(&kattila.db()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let counts = "7 ok, 1 redacted, 0 signed with a key not kept, 0 failed\n";
    assert!(ended.said.starts_with(counts), "{ended:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_rotated_away_still_proves() {
    let kattila = TestManager::start().await;
    some_of_each(&kattila).await;
    let kattila = kattila.restart_with(&[("KATTILA_PSK", NEW_PSK)]).await;
    let mut late = kattila.agent("late");
    late.psk = NEW_PSK.to_owned();
    late.report_v1(&json!({ "hostname": "late" })).await;
    let ended = verify(&kattila.db()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let counts = "8 ok, 1 redacted, 0 signed with a key not kept, 0 failed\n";
    assert!(ended.said.starts_with(counts), "{ended:?}");
    kattila.stop().await;
}

/// Rewrites the stored bytes of a report, uncompressed.
fn tamper(db: &Path, report: i64, change: impl Fn(String) -> String) {
    let envelope = {
        let found = open_read_only(db)
            .unwrap()
            .reports(&ReportFilter::whole(ReportId(report)))
            .unwrap()
            .remove(0);
        change(String::from_utf8(found.envelope).unwrap())
    };
    let size = i64::try_from(envelope.len()).unwrap();
    let changed = Connection::open(db)
        .unwrap()
        .execute(
            "UPDATE reports SET envelope = ?2, envelope_bytes = ?3, encoding = 'identity'
             WHERE report_id = ?1",
            params![report, envelope.as_bytes(), size],
        )
        .unwrap();
    assert_eq!(changed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_touched_is_found_and_named() {
    let kattila = TestManager::start().await;
    some_of_each(&kattila).await;
    let db = kattila.db();
    // Version 1 signs the data, version 2 the time as well; a foreign envelope proves nothing.
    tamper(&db, 2, |text| text.replace("alpha", "omega"));
    tamper(&db, 7, |text| text.replace("\"timestamp\":1795214286", "\"timestamp\":1795214287"));
    tamper(&db, 6, |_| "{}".to_owned());
    let ended = verify(&db).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines: Vec<&str> = ended.said.lines().collect();
    assert_eq!(lines.len(), 5, "{ended:?}");
    for (line, report) in lines.iter().zip([2, 6, 7]) {
        assert!(line.starts_with(&format!("report {report} fails: ")), "{ended:?}");
    }
    assert_eq!(lines[3], "4 ok, 1 redacted, 0 signed with a key not kept, 3 failed");
    // The table's own word for the digest does not help either.
    Connection::open(&db)
        .unwrap()
        .execute("UPDATE reports SET data_sha256 = zeroblob(32) WHERE report_id = 1", [])
        .unwrap();
    let ended = verify(&db).await;
    assert!(ended.said.starts_with("report 1 fails: "), "{ended:?}");
    kattila.stop().await;
}

/// Changes an envelope that far inside relays' envelopes, which stay as they were signed.
fn inside(body: &str, level: usize, change: &dyn Fn(&str) -> String) -> String {
    if level == 0 {
        return change(body);
    }
    let outer: Value = serde_json::from_str(body).unwrap();
    let packed = outer["inner_b64"].as_str().unwrap();
    let inner = String::from_utf8(URL_SAFE_NO_PAD.decode(packed).unwrap()).unwrap();
    body.replace(packed, &URL_SAFE_NO_PAD.encode(inside(&inner, level - 1, change)))
}

/// The same with another first character in one member, of the same kind.
fn nudged(body: &str, member: &str) -> String {
    let (before, rest) = body.split_once(&format!("\"{member}\":")).unwrap();
    let at = rest.find(|c: char| c.is_ascii_alphanumeric()).unwrap();
    let new = match &rest[at..=at] {
        "1" => "2",
        "a" => "b",
        digit if digit.as_bytes()[0].is_ascii_digit() => "1",
        _ => "a",
    };
    format!("{before}\"{member}\":{}{new}{}", &rest[..at], &rest[at + 1..])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_level_of_a_relayed_report_proves_itself() {
    let kattila = TestManager::start().await;
    let mut hosts: Vec<Own> = (1..=4).map(|seed| Own::new(&kattila, seed)).collect();
    for host in &mut hosts {
        assert_eq!(host.register().await.status, 201);
    }
    let body = hosts[0].seal(r#"{"hostname":"far"}"#);
    let body = hosts[1..].iter_mut().fold(body, |body, relay| relay.relay(&body));
    assert_eq!(hosts[0].send(&body).await.status, 200);
    let db = kattila.db();
    let sound = "1 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n";
    assert!(verify(&db).await.said.starts_with(sound));

    let relay = ["kid", "fleet_id", "relay_id", "hop", "timestamp", "nonce", "sig"].as_slice();
    let origin = ["kid", "fleet_id", "agent_id", "tick", "timestamp", "nonce", "sig", "hostname"];
    for (level, members) in [relay, relay, relay, &origin].into_iter().enumerate() {
        for member in members {
            tamper(&db, 1, |_| inside(&body, level, &|text| nudged(text, member)));
            let ended = verify(&db).await;
            assert_eq!(ended.code, Some(1), "{member} at {level}: {ended:?}");
            assert!(ended.said.starts_with("report 1 fails: "), "{member} at {level}: {ended:?}");
        }
    }
    // Levels that are taken off whole: what is left proves itself, but the row tells of more.
    for off in 1..=3 {
        let mut inner = String::new();
        for _ in 0..off {
            let outer: Value =
                serde_json::from_str(if inner.is_empty() { &body } else { &inner }).unwrap();
            let packed = outer["inner_b64"].as_str().unwrap();
            inner = String::from_utf8(URL_SAFE_NO_PAD.decode(packed).unwrap()).unwrap();
        }
        tamper(&db, 1, |_| inner.clone());
        let said = verify(&db).await.said;
        assert!(
            said.starts_with("report 1 fails: the relays in the stored bytes"),
            "{off}: {said}"
        );
    }
    tamper(&db, 1, |_| body.clone());
    assert!(verify(&db).await.said.starts_with(sound));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_is_told_not_passed_over() {
    let kattila = TestManager::start().await;
    kattila.agent(ALPHA).report(&Host::alpha().data()).await;
    kattila.agent("plain").report_v1(&Host::beta().data()).await;
    Connection::open(kattila.db())
        .unwrap()
        .execute("UPDATE reports SET envelope = x'00', encoding = 'zstd' WHERE report_id = 1", [])
        .unwrap();
    let ended = verify(&kattila.db()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.starts_with("report 1 fails: the stored bytes are damaged\n"), "{ended:?}");
    assert!(ended.said.contains("\n1 ok, "), "the other one is still proved: {ended:?}");
    kattila.stop().await;
}
