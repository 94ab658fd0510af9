//! Agents with keys of their own: every answer to a registration, what a pinned key keeps out,
//! and what an admin can do about it.

mod interleaved;

use std::num::NonZeroUsize;

use kattila::simulate::envelope::{Scheme, Shape, Signer};
use kattila::simulate::load::{Load, Signing, run};
use kattila::simulate::pace::Pace;
use kattila::simulate::target::Target;
use kattila::simulate::world::{Mix, Options, World};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::support::http::Answer;
use crate::support::manager::{PSK, TestManager};
use crate::support::own::{Own, key, outcome};

/// An id that is nobody's key.
const NAME: &str = "0123456789abcdef0123456789abcdef";

fn is(answer: &Answer, status: u16, word: &str) {
    assert_eq!(outcome(answer), (status, word.to_owned()), "{}", answer.text());
}

async fn act(kattila: &TestManager, path: &str) -> Answer {
    kattila.operator().post(path, &json!({})).await
}

async fn waiting(kattila: &TestManager) -> Vec<Value> {
    kattila.operator().json("/api/v1/enrollments").await.as_array().unwrap().clone()
}

async fn summary(kattila: &TestManager, id: &str) -> Value {
    let agents = kattila.operator().agents().await;
    agents.into_iter().find(|agent| agent["agent_id"] == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_is_pinned_and_reports_under_its_key() {
    let kattila = TestManager::start().await;
    let mut host = Own::new(&kattila, 1);
    is(&host.report().await, 401, "signature_invalid");
    let body = host.registration(None);
    let answer = host.send_registration(&body).await;
    is(&answer, 201, "enrolled");
    let told = answer.json();
    assert_eq!((&told["agent_id"], &told["interval"]), (&json!(host.id), &json!(30)));
    assert_eq!(told["server_time"], json!(kattila.clock.now()));
    assert_eq!(told["kid"], json!(host.key.kid()));
    is(&host.report().await, 200, "ok");
    // The same bytes, and the same key signed anew, change nothing.
    is(&host.send_registration(&body).await, 200, "enrolled");
    is(&host.register().await, 200, "enrolled");
    let agent = summary(&kattila, &host.id).await;
    assert_eq!((&agent["scheme"], &agent["status"]), (&json!("v2-ed25519"), &json!("online")));
    assert_eq!(agent["identity"]["state"], "pinned");
    assert_eq!(agent["identity"]["how"], "tofu");
    let fingerprint = agent["identity"]["fingerprint"].as_str().unwrap();
    assert!(fingerprint.starts_with(&host.id));
    let alarms = kattila.operator().json("/status/alarms").await;
    let pinned = alarms.as_array().unwrap().iter().find(|a| a["kind"] == "identity.pinned");
    let pinned = pinned.expect("the fingerprint is told");
    assert_eq!(pinned["severity"], "info");
    assert!(pinned["message"].as_str().unwrap().contains(fingerprint));
    // It outlives the manager.
    let kattila = kattila.restart().await;
    let mut host = host.at(&kattila);
    is(&host.report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_proves_the_shared_key_the_new_one_and_the_time() {
    let kattila = TestManager::start().await;
    let mut host = Own::new(&kattila, 1);
    let body = host.registration(None);
    for (from, to) in [
        ("host-1", "host-2"),
        ("fleet-a", "fleet-b"),
        (host.id.as_str(), NAME),
        ("\"psk_mac\":\"", "\"psk_mac\":\"0"),
    ] {
        let mut forged = body.replace(from, to);
        if to.ends_with('0') {
            let end = forged.find("\",\"sig\"").unwrap();
            forged.remove(end - 1);
        }
        is(&host.send_registration(&forged).await, 401, "signature_invalid");
    }
    host.psk = "some other key of some other fleet".to_owned();
    is(&host.register().await, 401, "signature_invalid");
    let mut host = Own::new(&kattila, 1);
    let old = host.registration(None);
    kattila.advance(601).await;
    let late = host.send_registration(&old).await;
    is(&late, 403, "timestamp_skew");
    assert_eq!(late.json()["max_skew"], 600);
    let weak = host
        .registration(None)
        .replace(&host.key.public().to_string(), "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    is(&host.send_registration(&weak).await, 401, "signature_invalid");
    is(&host.send_registration(r#"{"v":2}"#).await, 400, "missing_field");
    assert!(kattila.operator().agents().await.is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_its_keys_own_and_a_known_one_may_be_kept() {
    let kattila = TestManager::start().await;
    let mut squatter = Own::named(&kattila, NAME, 1);
    let answer = squatter.register().await;
    is(&answer, 409, "identity_conflict");
    let own = kattila::sign::ed25519::agent_id_of(&squatter.key.public());
    assert!(answer.json()["detail"].as_str().unwrap().contains(&own), "{}", answer.text());
    // An agent that has reported under the shared key goes on under its name.
    let mut before = kattila.agent(NAME);
    before.report(&json!({"hostname": "gw-1"})).await;
    is(&squatter.register().await, 201, "enrolled");
    kattila.advance(1).await;
    is(&squatter.report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_pinned_nothing_else_speaks_for_the_agent() {
    let kattila = TestManager::start().await;
    let mut shared = kattila.agent(NAME);
    shared.report(&json!({})).await;
    let on_its_way = shared.seal_v2("{}");
    let mut host = Own::named(&kattila, NAME, 1);
    is(&host.register().await, 201, "enrolled");
    let open = |alarms: Vec<String>| alarms.iter().any(|a| a.starts_with("identity.downgrade"));
    is(&shared.send(&on_its_way).await, 403, "identity_required");
    assert!(!open(kattila.operator().alarms().await), "it was signed before");
    kattila.advance(1).await;
    let announced = host.send_registration(&shared.seal_v1("{}")).await;
    is(&announced, 403, "identity_required");
    for envelope in [shared.seal_v2("{}"), shared.seal_v1("{}")] {
        is(&shared.send(&envelope).await, 403, "identity_required");
    }
    assert!(open(kattila.operator().alarms().await));
    // Who does not hold the shared key is told nothing.
    shared.psk = "a key that is not the fleet's at all".to_owned();
    let stranger = shared.seal_v2("{}");
    is(&shared.send(&stranger).await, 401, "signature_invalid");
    let mut thief = Own::named(&kattila, NAME, 2);
    is(&thief.report().await, 401, "signature_invalid");
    is(&thief.register().await, 409, "identity_conflict");
    let alarms = kattila.operator().alarms().await;
    assert!(alarms.contains(&format!("identity.conflict {NAME} active")), "{alarms:?}");
    is(&thief.report().await, 401, "signature_invalid");
    is(&host.report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_needs_the_old_key_and_is_not_rolled_back() {
    let kattila = TestManager::start().await;
    let mut host = Own::new(&kattila, 1);
    let first = host.registration(None);
    is(&host.send_registration(&first).await, 201, "enrolled");
    let before = host.seal("{}");
    kattila.advance(1).await;
    host.key = key(2);
    let forged = host.registration(Some(&key(3)));
    is(&host.send_registration(&forged).await, 401, "signature_invalid");
    let rotation = host.registration(Some(&key(1)));
    is(&host.send_registration(&rotation).await, 201, "enrolled");
    // The answer was lost: the same bytes again.
    is(&host.send_registration(&rotation).await, 200, "enrolled");
    is(&host.send(&before).await, 401, "signature_invalid");
    is(&host.report().await, 200, "ok");
    is(&host.send_registration(&first).await, 409, "identity_conflict");
    // Back to the first key, properly; then the recorded rotation leads nowhere.
    kattila.advance(1).await;
    is(&host.rotate(1).await, 201, "enrolled");
    let stale = host.send_registration(&rotation).await;
    is(&stale, 403, "timestamp_skew");
    assert_eq!(stale.json()["server_time"], json!(kattila.clock.now()));
    is(&host.report().await, 200, "ok");
    let detail = kattila.operator().json(&format!("/api/v1/agents/{}", host.id)).await;
    let states: Vec<_> = detail["identities"].as_array().unwrap().iter().collect();
    assert_eq!(states.len(), 3);
    assert_eq!((&states[0]["state"], &states[2]["state"]), (&json!("retired"), &json!("pinned")));
    assert_eq!(states[2]["how"], "rotated");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpinned_key_does_not_come_back_by_a_recording() {
    let kattila = TestManager::start().await;
    let mut host = Own::new(&kattila, 1);
    let recorded = host.registration(None);
    is(&host.send_registration(&recorded).await, 201, "enrolled");
    // A topology reset does not unpin.
    kattila.admin().reset_agent(&host.id).await;
    is(&host.report().await, 200, "ok");
    kattila.advance(5).await;
    let unpin = json!({"agent_id": host.id, "identity": true});
    assert_eq!(kattila.admin().reset(&unpin).await.status, 200);
    assert!(kattila.operator().events().await.contains(&format!("agent.identity {}", host.id)));
    is(&host.report().await, 401, "signature_invalid");
    is(&host.send_registration(&recorded).await, 403, "timestamp_skew");
    is(&host.report().await, 401, "signature_invalid");
    // The shared key is good enough again, and the host itself can come back.
    let mut shared = kattila.agent(&host.id);
    shared.report(&json!({})).await;
    kattila.advance(1).await;
    is(&host.register().await, 201, "enrolled");
    is(&host.report().await, 200, "ok");
    // What was forgotten does not come back by the same recording either.
    kattila.advance(5).await;
    let recorded = host.registration(None);
    is(&host.send_registration(&recorded).await, 200, "enrolled");
    let forget = json!({"agent_id": host.id, "forget": true});
    assert_eq!(kattila.admin().reset(&forget).await.status, 200);
    is(&host.send_registration(&recorded).await, 403, "timestamp_skew");
    assert!(kattila.operator().agents().await.is_empty());
    kattila.advance(1).await;
    is(&host.register().await, 200, "enrolled");
    is(&host.report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agent_is_out_until_an_admin_says_otherwise() {
    let kattila = TestManager::start().await;
    let mut host = Own::new(&kattila, 1);
    is(&host.register().await, 201, "enrolled");
    is(&host.report().await, 200, "ok");
    let path = format!("/api/v1/agents/{}", host.id);
    is(&act(&kattila, &format!("{path}/revoke")).await, 200, "ok");
    is(&act(&kattila, &format!("{path}/revoke")).await, 409, "conflict");
    let kattila = kattila.restart().await;
    let mut host = host.at(&kattila);
    kattila.advance(1).await;
    is(&host.report().await, 403, "agent_revoked");
    is(&host.register().await, 403, "agent_revoked");
    is(&host.rotate(2).await, 403, "agent_revoked");
    host.key = key(1);
    let mut shared = kattila.agent(&host.id);
    let envelope = shared.seal_v2("{}");
    is(&host.send(&envelope).await, 403, "agent_revoked");
    assert_eq!(summary(&kattila, &host.id).await["status"], "retired");
    // Forgetting is no pardon.
    let forget = json!({"agent_id": host.id, "forget": true});
    assert_eq!(kattila.admin().reset(&forget).await.status, 200);
    is(&host.report().await, 403, "agent_revoked");
    // Unpinning is.
    let unpin = json!({"agent_id": host.id, "identity": true});
    assert_eq!(kattila.admin().reset(&unpin).await.status, 200);
    is(&host.report().await, 401, "signature_invalid");
    kattila.advance(1).await;
    is(&host.register().await, 201, "enrolled");
    // And so is an approval, with the same key.
    is(&act(&kattila, &format!("{path}/revoke")).await, 200, "ok");
    is(&host.report().await, 403, "agent_revoked");
    is(&act(&kattila, &format!("{path}/approve")).await, 200, "ok");
    is(&host.report().await, 200, "ok");
    is(&act(&kattila, "/api/v1/agents/nobody/revoke").await, 404, "agent_not_found");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_approve_mode_keys_wait_with_their_fingerprint() {
    let kattila = TestManager::start_with(&[("KATTILA_ENROLL", "approve")]).await;
    let mut host = Own::new(&kattila, 1);
    is(&host.register().await, 202, "pending_approval");
    is(&host.register().await, 202, "pending_approval");
    is(&host.report().await, 401, "signature_invalid");
    let list = waiting(&kattila).await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["hostname"], "host-1");
    assert_eq!((&list[0]["certified"], &list[0]["reports"]), (&json!(true), &json!(false)));
    assert_eq!(list[0]["source"], "127.0.0.1");
    assert_eq!(list[0]["requested_at"], json!(kattila.clock.now()));
    let fingerprint = list[0]["fingerprint"].as_str().unwrap();
    assert!(fingerprint.starts_with(&host.id));
    let page = kattila.operator().get("/agents").await.text();
    assert!(page.contains(fingerprint), "{page}");
    // Another key does not slip in between the look and the click.
    let mut thief = Own::named(&kattila, &host.id, 2);
    is(&thief.register().await, 409, "identity_conflict");
    let path = format!("/api/v1/agents/{}", host.id);
    let other = format!("{path}/approve?kid={}", key(2).kid());
    is(&act(&kattila, &other).await, 409, "conflict");
    let kattila = kattila.restart().await;
    let mut host = host.at(&kattila);
    is(&act(&kattila, &format!("{path}/approve?kid={}", host.key.kid())).await, 200, "ok");
    is(&host.report().await, 200, "ok");
    assert!(waiting(&kattila).await.is_empty());
    assert_eq!(summary(&kattila, &host.id).await["identity"]["how"], "approved");
    is(&act(&kattila, &format!("{path}/approve")).await, 409, "conflict");
    // A rotation is vouched for by the old key and waits for nobody.
    kattila.advance(1).await;
    is(&host.rotate(3).await, 201, "enrolled");
    is(&host.report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_stays_refused() {
    let kattila = TestManager::start().await;
    let mut shared = kattila.agent(NAME);
    shared.report(&json!({})).await;
    let kattila = kattila.restart_with(&[("KATTILA_ENROLL", "approve")]).await;
    // A new agent is refused as a whole.
    let mut host = Own::new(&kattila, 1);
    is(&host.register().await, 202, "pending_approval");
    let path = format!("/api/v1/agents/{}", host.id);
    is(&act(&kattila, &format!("{path}/refuse")).await, 200, "ok");
    is(&act(&kattila, &format!("{path}/refuse")).await, 409, "conflict");
    kattila.advance(1).await;
    is(&host.register().await, 403, "agent_revoked");
    is(&act(&kattila, &format!("{path}/approve")).await, 200, "ok");
    is(&host.report().await, 200, "ok");
    // Of an agent that reports, only the key is.
    let mut known = Own::named(&kattila, NAME, 2);
    is(&known.register().await, 202, "pending_approval");
    let list = waiting(&kattila).await;
    assert_eq!((&list[0]["reports"], &list[0]["certified"]), (&json!(true), &json!(false)));
    let mut shared = shared.moved(kattila.addr());
    shared.report(&json!({})).await;
    is(&act(&kattila, &format!("/api/v1/agents/{NAME}/refuse")).await, 200, "ok");
    kattila.advance(1).await;
    is(&known.register().await, 403, "enrollment_closed");
    shared.report(&json!({})).await;
    assert!(waiting(&kattila).await.is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_means_no_new_key_but_rotations() {
    let kattila = TestManager::start().await;
    let mut host = Own::new(&kattila, 1);
    is(&host.register().await, 201, "enrolled");
    let mut shared = kattila.agent(NAME);
    shared.report(&json!({})).await;
    let kattila = kattila.restart_with(&[("KATTILA_ENROLL", "closed")]).await;
    let (mut host, mut shared) = (host.at(&kattila), shared.moved(kattila.addr()));
    is(&Own::new(&kattila, 2).register().await, 403, "enrollment_closed");
    is(&Own::named(&kattila, NAME, 3).register().await, 403, "enrollment_closed");
    shared.report(&json!({})).await;
    kattila.advance(1).await;
    is(&host.register().await, 200, "enrolled");
    is(&host.rotate(4).await, 201, "enrolled");
    is(&host.report().await, 200, "ok");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_hosts_enrol_and_report_under_keys_of_their_own() {
    let kattila = TestManager::start_live(&[]).await;
    let clock = kattila.clock.clone();
    let (start, psk) = (clock.now(), Zeroizing::new(PSK.as_bytes().to_vec()));
    let load = Load {
        target: Target::find(&format!("http://{}", kattila.addr()), false).await.unwrap(),
        world: World::new(&Options { seed: 7, agents: 5, mix: Mix::Load, faults: false, start }),
        signer: Signer::new(psk),
        signing: Signing::All(Scheme::Ed25519),
        shape: Shape::Json,
        introduced: false,
        pace: Pace::Closed,
        connections: NonZeroUsize::new(2).unwrap(),
        duration: None,
        clock,
    };
    let stop = CancellationToken::new();
    let seen = async {
        let operator = kattila.operator();
        loop {
            let agents = operator.agents().await;
            let own = agents.iter().filter(|agent| agent["scheme"] == "v2-ed25519").count();
            if own == 5 {
                break stop.cancel();
            }
        }
    };
    let (summary, ()) = tokio::join!(run(load, &stop, |_| {}), seen);
    let summary = summary.unwrap();
    assert!(summary.stored >= 5 && summary.answers.len() == 1, "{summary}");
    let agents = kattila.operator().agents().await;
    assert!(agents.iter().all(|agent| agent["identity"]["certified"] == true));
    let usage = kattila.operator().json("/api/v1/keys/usage").await;
    assert_eq!(
        usage["generations"][0],
        json!({"generation": "identity", "kid": null, "agents": 5})
    );
    assert_eq!(usage["locked_out_by_rotation"], 0);
    kattila.stop().await;
}
