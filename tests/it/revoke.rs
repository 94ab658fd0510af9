//! Withdrawing a key: at once, for good, by whom, and still proof of what was stored.

use std::path::Path;

use hyper::Method;
use kattila::sign::psk::kid_of_psk;
use serde_json::{Value, json};

use crate::support::dns::{Misbehaviour, PLAIN, TestDns};
use crate::support::http::{Answer, get, post_json, send};
use crate::support::manager::{ADMIN_TOKEN, PSK, START, TestManager};
use crate::support::process::{Serve, run};
use crate::support::rows::Rows;
use crate::support::seal::Seal;

const A: &str = "revoke-key-aaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "revoke-key-bbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const AGENT: &str = "0123456789abcdef0123456789abcdef";

async fn start(dns: &TestDns, more: &[(&str, &str)]) -> TestManager {
    let server = dns.addr().to_string();
    let mut settings = vec![
        ("KATTILA_PSK", ""),
        ("KATTILA_DNS_NAME", PLAIN),
        ("KATTILA_DNS_SERVER", server.as_str()),
        ("KATTILA_RATE_SOURCE", "off"),
    ];
    settings.extend_from_slice(more);
    TestManager::start_with(&settings).await
}

/// A report signed with this key now; `n` makes it one of its own. Its answer.
async fn report(kattila: &TestManager, key: &str, n: i64) -> (u16, String) {
    let now = kattila.clock.now();
    let seal = Seal::new(AGENT, &format!("n-{}-{n}", now.0), now).psk(key);
    let body = seal.tick(now.0 * 1000 + n).v2();
    let answer = post_json(kattila.addr(), "/status/updates", &[], body).await;
    let code = if answer.status == 200 { String::new() } else { answer.code() };
    (answer.status, code)
}

fn ok() -> (u16, String) {
    (200, String::new())
}

fn unsigned() -> (u16, String) {
    (401, "signature_invalid".to_owned())
}

fn kid(key: &str) -> String {
    kid_of_psk(key.as_bytes()).to_string()
}

async fn revoke(kattila: &TestManager, key: &str) -> Answer {
    let path = format!("/api/v1/keys/{}/revoke", kid(key));
    kattila.operator().post(&path, &json!({})).await
}

async fn states(kattila: &TestManager) -> Vec<(String, String)> {
    let listed = kattila.operator().json("/api/v1/keys").await;
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let keys = listed["keys"].as_array().unwrap().iter();
    keys.map(|key| (text(key, "kid"), text(key, "state"))).collect()
}

async fn verify(db: &Path) -> (Option<i32>, String) {
    let db = db.display().to_string();
    let ended = run(Path::new("/"), &["verify", "--db", &db], &[]).await;
    (ended.code, ended.said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_out_at_once_and_for_good() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    dns.set_keys(PLAIN, &[A, B]).await;
    kattila.clock.set(START.plus(300));
    kattila.manager().refresh_keys().await;
    assert_eq!(report(&kattila, B, 1).await, ok());

    let answer = revoke(&kattila, B).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!((&told["kid"], &told["keys_left"]), (&json!(kid(B)), &json!([kid(A)])));
    let stored = Rows::of(&kattila.db()).table("psk_keys").join("\n");
    assert!(stored.contains("revoked"), "stored before it is answered: {stored}");
    assert_eq!(report(&kattila, B, 2).await, unsigned());
    assert_eq!(report(&kattila, A, 3).await, ok());
    assert_eq!(states(&kattila).await[0], (kid(A), "current".to_owned()));

    // The source lists it still: that is told and changes nothing, now and after a restart.
    kattila.clock.set(START.plus(600));
    kattila.manager().refresh_keys().await;
    let alarms = kattila.operator().json("/status/alarms").await;
    assert_eq!(
        (&alarms[0]["kind"], &alarms[0]["severity"]),
        (&json!("dns_psk.unexpected"), &json!("warning"))
    );
    let message = format!("key {} is revoked but still listed", kid(B));
    assert!(alarms[0]["message"].as_str().unwrap().contains(&message), "{alarms}");
    let page = kattila.operator().get("/settings").await.text();
    assert!(page.contains(&message), "{page}");
    assert_eq!(report(&kattila, B, 4).await, unsigned());
    let kattila = kattila.restart().await;
    assert_eq!(report(&kattila, B, 5).await, unsigned());
    assert!(states(&kattila).await.contains(&(kid(B), "revoked".to_owned())));

    dns.set_keys(PLAIN, &[A]).await;
    kattila.clock.set(START.plus(900));
    kattila.manager().refresh_keys().await;
    let alarms = kattila.operator().json("/status/alarms").await;
    assert_eq!(alarms[0]["state"], "returned", "the record is right, a person must have seen it");
    assert_eq!(report(&kattila, B, 6).await, unsigned());

    let db = kattila.db();
    let (code, said) = verify(&db).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("2 ok, 0 redacted, 0 signed with a key not kept, 0 failed\n"));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_says_who_revoked_which_key_and_what_followed() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A, B]).await;
    let kattila = start(&dns, &[]).await;
    let current = states(&kattila).await[0].0.clone();
    let (gone, next) = if current == kid(A) { (A, B) } else { (B, A) };
    let made =
        kattila.operator().post("/api/v1/tokens", &json!({"name": "anna", "role": "admin"})).await;
    let bearer = format!("Bearer {}", made.json()["token"].as_str().unwrap());
    let path = format!("/api/v1/keys/{}/revoke", kid(gone));
    for _ in 0..2 {
        let answer = post_json(kattila.addr(), &path, &[("authorization", &bearer)], "{}").await;
        assert_eq!(answer.status, 200, "twice is as good as once: {}", answer.text());
    }
    kattila.manager().refresh_keys().await;
    let events = kattila.operator().json("/api/v1/events?after=0&limit=1000").await;
    let of = |subject: String| -> Vec<Value> {
        let all = events.as_array().unwrap().iter();
        all.filter(|event| event["subject"] == subject.as_str()).cloned().collect()
    };
    let revoked = of(format!("{} revoked", kid(gone)));
    assert_eq!(revoked.len(), 1, "{events}");
    assert_eq!(
        (&revoked[0]["kind"], &revoked[0]["cause"]),
        (&json!("keys.changed"), &json!("anna"))
    );
    assert_eq!(of(format!("{} became current", kid(next))).len(), 1, "{events}");
    assert!(of(format!("{} retired", kid(gone))).is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_last_key_reports_have_to_wait() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A]).await;
    let kattila = start(&dns, &[]).await;
    let told = revoke(&kattila, A).await.json();
    assert_eq!(told["keys_left"], json!([]));
    assert!(told["detail"].as_str().unwrap().contains("No key is left"), "{told}");
    let wait = (503, "keys_unavailable".to_owned());
    assert_eq!(report(&kattila, A, 1).await, wait);
    let health = kattila.operator().json("/status/healthcheck").await;
    assert_eq!(health["keys"], "none");
    let kattila = kattila.restart().await;
    assert_eq!(report(&kattila, A, 2).await, wait);
    dns.set_keys(PLAIN, &[B]).await;
    kattila.clock.set(START.plus(60));
    assert_eq!(report(&kattila, B, 3).await, ok(), "the next key is looked for at once");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_keeps_no_keys_remembers_revoked_ones_by_name() {
    let dns = TestDns::start().await;
    dns.set_keys(PLAIN, &[A, B]).await;
    let kattila = start(&dns, &[("KATTILA_PSK_CACHE", "off")]).await;
    assert_eq!(report(&kattila, A, 1).await, ok());
    assert_eq!(revoke(&kattila, A).await.status, 200);
    kattila.manager().refresh_keys().await;
    let rows = Rows::of(&kattila.db());
    assert_eq!(rows.count("psk_keys"), 1);
    let kept = rows.table("psk_keys").join("");
    assert!(kept.contains("revoked") && kept.contains("Blob([])"), "only its name is kept: {kept}");
    let kattila = kattila.restart().await;
    assert_eq!(report(&kattila, A, 2).await, unsigned());
    assert_eq!(report(&kattila, B, 3).await, ok());
    let (code, said) = verify(&kattila.db()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("0 ok, 0 redacted, 2 signed with a key not kept, 0 failed\n"));
    dns.misbehave(Misbehaviour::Servfail);
    let kattila = kattila.restart().await;
    assert_eq!(report(&kattila, B, 4).await.1, "keys_unavailable", "nor is the other one kept");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_revoke_and_only_keys_that_there_are() {
    let kattila = TestManager::start().await;
    kattila.agent(AGENT).report(&json!({"hostname": "gw-1"})).await;
    let path = |kid: &str| format!("/api/v1/keys/{kid}/revoke");
    let before = Rows::of(&kattila.db());
    let unknown = kattila.operator().post(&path("ffffffffffffffff"), &json!({})).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "key_not_found"));
    let nonsense = kattila.operator().post(&path("nonsense"), &json!({})).await;
    assert_eq!((nonsense.status, nonsense.code().as_str()), (404, "not_found"));
    let stranger = post_json(kattila.addr(), &path(&kid(PSK)), &[], "{}").await;
    assert_eq!(stranger.status, 401);
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty(), "nothing refused is stored");

    for role in ["viewer", "operator"] {
        let made =
            kattila.operator().post("/api/v1/tokens", &json!({"name": role, "role": role})).await;
        let bearer = format!("Bearer {}", made.json()["token"].as_str().unwrap());
        let headers = [("authorization", bearer.as_str())];
        let refused = post_json(kattila.addr(), &path(&kid(PSK)), &headers, "{}").await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"), "{role}");
        let listed = get(kattila.addr(), "/api/v1/keys", &headers).await.json();
        let key = &listed["keys"][0];
        assert_eq!((&key["kid"], &key["agents"]), (&json!(kid(PSK)), &json!(1)), "{role}");
        assert_eq!((&key["agent_ids"], &key["source"]), (&json!([AGENT]), &json!("environment")));
        assert!(!listed.to_string().contains(PSK), "{listed}");
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_page_has_a_button_that_needs_the_forms_token() {
    let kattila = TestManager::start().await;
    kattila.agent(AGENT).report(&json!({"hostname": "gw-1"})).await;
    let origin = format!("http://{}", kattila.addr());
    let form = ("content-type", "application/x-www-form-urlencoded");
    let from_here = [("origin", origin.as_str()), form];
    let body = format!("token={ADMIN_TOKEN}");
    let signed_in = send(kattila.addr(), Method::POST, "/login", &from_here, body).await;
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = get(kattila.addr(), "/settings", &[("cookie", &cookie)]).await.text();
    let path = format!("/settings/keys/{}/revoke", kid(PSK));
    assert!(page.contains(&format!("action=\"{path}\"")), "{page}");
    assert!(
        page.contains(&format!("last report with it: {AGENT}."))
            && page.contains("No other key verifies"),
        "{page}"
    );
    let token = page.split("name=\"form_token\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();

    let headers = [("origin", origin.as_str()), form, ("cookie", cookie.as_str())];
    let post = async |headers: &[(&str, &str)], body: String| {
        send(kattila.addr(), Method::POST, &path, headers, body).await.status
    };
    let evil = [("origin", "http://evil.example"), form, ("cookie", cookie.as_str())];
    assert_eq!(post(&headers, "form_token=wrong".to_owned()).await, 403);
    assert_eq!(post(&evil, format!("form_token={token}")).await, 403);
    assert_eq!(states(&kattila).await[0].1, "current");
    assert_eq!(post(&headers, format!("form_token={token}")).await, 303);
    assert_eq!(states(&kattila).await[0].1, "revoked");
    let page = get(kattila.addr(), "/settings", &[("cookie", &cookie)]).await.text();
    assert!(!page.contains(&path), "a revoked key has no button");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_managers_host_it_is_asked_and_told_whom_it_locks_out() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let serve = Serve::start(home.path(), &db).await;
    let now = kattila::clock::Clock::system().now();
    let body = Seal::new(AGENT, "from-a-host", now).tick(now.0 * 1000).v2();
    assert_eq!(post_json(serve.addr(), "/status/updates", &[], body).await.status, 200);

    let at = serve.addr().to_string();
    let settings = [("KATTILA_LISTEN", at.as_str()), ("KATTILA_ADMIN_TOKEN", ADMIN_TOKEN)];
    let key = kid(PSK);
    let list = async || run(home.path(), &["admin", "key", "list"], &settings).await.said;
    assert!(
        list().await.contains(&format!("{key}  current   listed  1 agent\n")),
        "{}",
        list().await
    );
    let unasked = run(home.path(), &["admin", "key", "revoke", &key], &settings).await;
    assert_eq!(unasked.code, Some(1));
    assert!(unasked.complained.contains(&format!("last report with it: {AGENT}.")), "{unasked:?}");
    assert!(unasked.complained.contains("Nothing was done"), "no answer is a no: {unasked:?}");
    assert!(list().await.contains("current"));
    let unknown = ["admin", "key", "revoke", "ffffffffffffffff", "--yes"];
    let unknown = run(home.path(), &unknown, &settings).await;
    assert!(unknown.code == Some(1) && unknown.complained.contains("404"), "{unknown:?}");
    let done = run(home.path(), &["admin", "key", "revoke", &key, "--yes"], &settings).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.said.starts_with(&format!("Revoked {key}. No key is left")), "{done:?}");
    assert!(list().await.contains(&format!("{key}  revoked")));
    serve.stop().await;
}
