//! The audit: every act is told with who, from where, before and after, in the transaction of the
//! act; refusals are counted; a file that was written to behind the manager's back is found out.

use std::path::Path;

use hyper::Method;
use kattila::model::audit::{Entry, Head, Sealed};
use kattila::model::hex;
use kattila::model::time::UnixSeconds;
use kattila::sign::chain;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, Host};
use crate::support::http::{Answer, post_json, send};
use crate::support::manager::{ADMIN_TOKEN, TestManager};
use crate::support::process::{Ended, run};

const BROKEN: &str = "audit.chain_broken manager active";

async fn verify(db: &Path, more: &[&str]) -> Ended {
    let db = db.display().to_string();
    let mut arguments = vec!["verify", "--db", &db];
    arguments.extend(more);
    run(Path::new("/"), &arguments, &[]).await
}

async fn sign_in(kattila: &TestManager, token: &str) -> Answer {
    let origin = format!("http://{}", kattila.addr());
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    let body = format!("token={token}");
    send(kattila.addr(), Method::POST, "/login", &headers, body).await
}

/// The entries that a query finds, newest first.
async fn found(kattila: &TestManager, query: &str) -> Vec<Value> {
    let page = kattila.operator().json(&format!("/api/v1/audit?limit=1000&{query}")).await;
    page["entries"].as_array().unwrap().clone()
}

/// The one entry of an act.
async fn only(kattila: &TestManager, act: &str) -> Value {
    let mut all = found(kattila, &format!("act={act}")).await;
    assert_eq!(all.len(), 1, "{act}: {all:?}");
    all.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_are_told_with_who_and_from_where_before_and_after() {
    let kattila = TestManager::start().await;
    let operator = kattila.operator();
    kattila.agent(ALPHA).report(&Host::alpha().data()).await;
    assert_eq!(sign_in(&kattila, ADMIN_TOKEN).await.status, 303);
    let made = operator.post("/api/v1/tokens", &json!({"name": "ci", "role": "operator"})).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let revoked = operator.post(&format!("/api/v1/agents/{ALPHA}/revoke"), &json!({})).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    operator.post(&format!("/api/v1/agents/{ALPHA}/approve"), &json!({})).await;
    operator.post("/api/v1/jobs/sweep/run", &json!({})).await;
    kattila.admin().reset_agent(ALPHA).await;
    let window = json!({"agent_id": ALPHA, "from": kattila.clock.now().0,
        "until": kattila.clock.now().0 + 600, "reason": "new disks"});
    let window = operator.post("/api/v1/maintenance", &window).await;
    assert!(window.status < 300, "{}", window.text());

    let entry = only(&kattila, "agent.revoke").await;
    assert_eq!((&entry["who"], &entry["from"]), (&json!("admin"), &json!("127.0.0.1")));
    assert_eq!(entry["subject"], format!("agent {ALPHA}"));
    assert_eq!(entry["before"]["status"], "online", "{entry}");
    assert_eq!(entry["after"]["status"], "retired", "{entry}");
    assert_eq!(only(&kattila, "agent.approve").await["before"]["status"], "retired");
    assert_eq!(only(&kattila, "agent.reset").await["after"]["agents"], 1);
    assert_eq!(only(&kattila, "job.run").await["subject"], "job sweep");
    assert_eq!(only(&kattila, "maintenance.make").await["after"]["reason"], "new disks");
    let session = only(&kattila, "session.begin").await;
    assert_eq!((&session["who"], &session["from"]), (&json!("admin"), &json!("127.0.0.1")));
    let told = only(&kattila, "token.make").await;
    assert_eq!((&told["who"], &told["after"]["role"]), (&json!("admin"), &json!("operator")));
    assert_eq!(only(&kattila, "manager.started").await["who"], "manager");
    assert!(!found(&kattila, "act=keys.changed").await.is_empty());
    // By text, by a group of acts, and by nobody else.
    assert_eq!(found(&kattila, "q=new%20disks").await.len(), 1);
    assert_eq!(found(&kattila, "act=agent.&who=admin").await.len(), 3);
    assert!(found(&kattila, "who=ci").await.is_empty());
    let page = operator.get("/audit?act=agent.revoke").await;
    assert!(page.text().contains("online → retired"), "{}", page.text());
    // No secret is told, and nobody but admins reads it.
    let all = operator.get("/api/v1/export/audit.ndjson").await.text();
    assert!(!all.contains(&token) && !all.contains(ADMIN_TOKEN), "{all}");
    let bearer = format!("Bearer {token}");
    for path in ["/api/v1/audit", "/audit", "/api/v1/export/audit.csv"] {
        let headers = [("authorization", bearer.as_str())];
        let refused = send(kattila.addr(), Method::GET, path, &headers, String::new()).await;
        assert_eq!(refused.status, 403, "{path}");
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_and_alarms_are_acted_on_with_their_states() {
    let kattila = TestManager::start().await;
    let operator = kattila.operator();
    kattila.agent(ALPHA).report(&Host::alpha().data()).await;
    kattila.advance(400).await;
    kattila.advance(1).await;
    let alarms = operator.json("/status/alarms").await;
    let id = alarms[0]["id"].as_i64().unwrap_or_else(|| panic!("no alarm: {alarms}"));
    operator.post(&format!("/api/v1/alarms/{id}/ack"), &json!({"note": "on it"})).await;
    let entry = only(&kattila, "alarm.acknowledge").await;
    assert_eq!(entry["subject"], format!("alarm {id}"));
    assert_eq!(entry["before"]["alarms"][id.to_string()]["state"], "active", "{entry}");
    assert_eq!(entry["after"]["alarms"][id.to_string()]["state"], "acknowledged", "{entry}");
    assert_eq!(entry["after"]["note"], "on it");
    let cookie = sign_in(&kattila, ADMIN_TOKEN).await;
    let cookie = cookie.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = send(kattila.addr(), Method::GET, "/settings", &[("cookie", &cookie)], "").await;
    let text = page.text();
    let form = text.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next();
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
    ];
    let body = format!("form_token={}", form.unwrap());
    let out = send(kattila.addr(), Method::POST, "/logout", &headers, body).await;
    assert_eq!(out.status, 303, "{}", out.text());
    assert_eq!(only(&kattila, "session.end").await["who"], "admin");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_by_source_and_kind() {
    let kattila = TestManager::start_with(&[("KATTILA_RATE_SOURCE", "off")]).await;
    for _ in 0..3 {
        assert_eq!(sign_in(&kattila, "wrong").await.status, 401);
    }
    let wrong = [("authorization", "Bearer kat_wrong")];
    for _ in 0..50 {
        post_json(kattila.addr(), "/status/admin/reset", &wrong, "{}".to_owned()).await;
    }
    // Another site's form, with a right token.
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let foreign = [("authorization", bearer.as_str()), ("sec-fetch-site", "cross-site")];
    let refused = post_json(kattila.addr(), "/api/v1/tokens", &foreign, "{}".to_owned()).await;
    assert_eq!(refused.status, 403);
    // A signature of nobody's.
    let mut stranger = kattila.agent("0123456789abcdef");
    stranger.psk = "another-psk-of-at-least-16-bytes".to_owned();
    let envelope = stranger.seal_v2("{}");
    assert_eq!(stranger.send(&envelope).await.status, 401);
    // Who is only shown the way to the sign-in page is not refused.
    let looks = [("accept", "text/html")];
    assert_eq!(send(kattila.addr(), Method::GET, "/map", &looks, "").await.status, 303);
    kattila.advance(1).await;
    let told: Vec<_> = found(&kattila, "act=refused")
        .await
        .iter()
        .map(|e| (e["subject"].as_str().unwrap().to_owned(), e["after"]["count"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("POST /status/updates".to_owned(), json!(1)),
            ("POST /status/admin/reset".to_owned(), json!(50)),
            ("POST /login".to_owned(), json!(3)),
            ("POST /api/v1/tokens".to_owned(), json!(1)),
        ]
    );
    assert_eq!(found(&kattila, "q=sign_in_refused").await[0]["from"], "127.0.0.1");
    kattila.stop().await;
}

/// What the export has, as whoever takes it away reads it.
fn lines(ndjson: &str) -> Vec<Sealed> {
    let read = |line: &str| {
        let v: Value = serde_json::from_str(line).unwrap();
        let maybe = |name: &str| v[name].as_str().map(str::to_owned);
        let text = |name: &str| maybe(name).unwrap();
        Sealed {
            entry: Entry {
                at: UnixSeconds(v["at"].as_i64().unwrap()),
                who: text("who"),
                from: maybe("from"),
                act: text("act"),
                subject: text("subject"),
                before: maybe("before"),
                after: maybe("after"),
            },
            head: Head {
                seq: v["seq"].as_i64().unwrap(),
                hash: hex::decode(v["hash"].as_str().unwrap()).unwrap().try_into().unwrap(),
            },
        }
    };
    ndjson.lines().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_proves_itself_over_pages_and_restarts() {
    let kattila = TestManager::start().await;
    for n in 0..600 {
        let name = json!({"name": format!("ci-{n}"), "role": "viewer"});
        assert_eq!(kattila.operator().post("/api/v1/tokens", &name).await.status, 201);
    }
    let kattila = kattila.restart().await;
    let operator = kattila.operator();
    let taken = operator.get("/api/v1/export/audit.ndjson").await;
    assert_eq!(taken.header("content-type"), Some("application/x-ndjson"));
    let rows = lines(&taken.text());
    assert!(rows.len() > 1_200, "{}", rows.len());
    let end = rows.iter().try_fold(Head::default(), chain::follow).unwrap();
    let page = operator.json("/api/v1/audit?limit=1").await;
    assert_eq!(page["head"], end.to_string());
    let older = page["before"].as_i64().unwrap();
    let next = operator.json(&format!("/api/v1/audit?limit=2&before={older}")).await;
    assert_eq!(next["entries"][0]["seq"], older - 1);
    let csv = operator.get("/api/v1/export/audit.csv?act=token.make").await.text();
    assert_eq!(csv.lines().count(), 601);
    assert!(csv.starts_with("seq,at,who,from,act,subject,before,after,hash\n"), "{csv}");
    let kept = format!("{}:{}", end.seq, hex::encode(&end.hash));
    let ended = verify(&kattila.db(), &["--audit-head", &kept]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.contains(&format!("audit: {} entries hang together", end.seq)), "{ended:?}");
    kattila.stop().await;
}

/// Writes to the file behind the manager's back, as whoever owns the host can.
fn tamper(db: &Path, sql: &str) {
    let conn = Connection::open(db).unwrap();
    conn.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let refused = conn.execute_batch(sql);
    assert!(refused.unwrap_err().to_string().contains("append-only"), "the trigger let it pass");
    conn.execute_batch("DROP TRIGGER audit_is_not_rewritten; DROP TRIGGER audit_is_not_removed")
        .unwrap();
    conn.execute_batch(sql).unwrap();
}

async fn is_found_out(sql: &str, named: &str) {
    let kattila = TestManager::start().await;
    for n in 0..5 {
        let name = json!({"name": format!("ci-{n}"), "role": "viewer"});
        kattila.operator().post("/api/v1/tokens", &name).await;
    }
    kattila.advance(300).await;
    assert!(kattila.operator().alarms().await.is_empty());
    let ended = verify(&kattila.db(), &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    tamper(&kattila.db(), sql);
    kattila.advance(300).await;
    assert_eq!(kattila.operator().alarms().await, [BROKEN], "{sql}");
    let alarms = kattila.operator().json("/status/alarms").await;
    let message = alarms[0]["message"].as_str().unwrap();
    assert!(message.contains(named), "{message}");
    // Latched, told once, and found by whoever looks at the file alone.
    kattila.advance(600).await;
    assert_eq!(kattila.operator().alarms().await, [BROKEN]);
    let db = kattila.db();
    let ended = verify(&db, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains(&format!("audit: broken: {named}")), "{ended:?}");
    let id = alarms[0]["id"].as_i64().unwrap();
    kattila.operator().post(&format!("/api/v1/alarms/{id}/ack"), &json!({})).await;
    assert!(kattila.operator().alarms().await.is_empty());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewritten_entry_is_found_out() {
    is_found_out("UPDATE audit SET who = 'eve' WHERE seq = 4", "entry 4 was changed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_entry_is_found_out() {
    is_found_out("DELETE FROM audit WHERE seq = 3", "entry 3 is missing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_end_is_found_out_after_a_restart() {
    let kattila = TestManager::start().await;
    let name = json!({"name": "eve", "role": "admin"});
    kattila.operator().post("/api/v1/tokens", &name).await;
    let last = found(&kattila, "act=token.make").await[0]["seq"].as_i64().unwrap();
    let cut = format!("DELETE FROM audit WHERE seq >= {last}");
    tamper(&kattila.db(), &cut);
    let ended = verify(&kattila.db(), &[]).await;
    assert!(ended.said.contains(&format!("audit: broken: entry {last} is missing")), "{ended:?}");
    let kattila = kattila.restart().await;
    kattila.advance(1).await;
    assert_eq!(kattila.operator().alarms().await, [BROKEN]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_made_anew_is_found_out_while_the_manager_runs() {
    let kattila = TestManager::start().await;
    kattila.operator().post("/api/v1/tokens", &json!({"name": "eve", "role": "admin"})).await;
    kattila.advance(300).await;
    let text = kattila.operator().get("/api/v1/export/audit.ndjson").await.text();
    let mut rows = lines(&text);
    let kept = rows.last().unwrap().head;
    let mut head = Head::default();
    for row in &mut rows {
        row.entry.who = "somebody".to_owned();
        *row = chain::seal(&mut head, row.entry.clone());
    }
    tamper(&kattila.db(), "UPDATE audit SET who = 'somebody'");
    let conn = Connection::open(kattila.db()).unwrap();
    for Sealed { head, .. } in &rows {
        let hash = head.hash.to_vec();
        conn.execute("UPDATE audit SET hash = ?1 WHERE seq = ?2", (hash, head.seq)).unwrap();
    }
    // Everything fits, but it is not what the manager has seen, nor what somebody kept.
    kattila.advance(300).await;
    assert_eq!(kattila.operator().alarms().await, [BROKEN]);
    let kept = format!("{}:{}", kept.seq, hex::encode(&kept.hash));
    let ended = verify(&kattila.db(), &["--audit-head", &kept]).await;
    assert!(ended.said.contains("is not the one that was kept"), "{ended:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_act_is_stored_without_its_entry() {
    let kattila = TestManager::start().await;
    kattila.agent(ALPHA).report(&Host::alpha().data()).await;
    kattila.spoil("audit");
    let revoke = format!("/api/v1/agents/{ALPHA}/revoke");
    assert_eq!(kattila.operator().post(&revoke, &json!({})).await.status, 503);
    kattila.repair("audit");
    let agents = kattila.operator().agents().await;
    assert_eq!(agents[0]["status"], "online", "{agents:?}");
    assert!(found(&kattila, "act=agent.revoke").await.is_empty());
    assert_eq!(kattila.operator().post(&revoke, &json!({})).await.status, 200);
    only(&kattila, "agent.revoke").await;
    kattila.stop().await;
}
