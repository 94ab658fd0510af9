//! Who is not believed, who is not let in, and who may not ask.

use hyper::Method;
use serde_json::{Value, json};

use super::{Case, NEW, OLD, accept, new, old, patient, problem, refuse};
use crate::support::manager::{ADMIN_TOKEN, START, TestManager};
use crate::support::rows::Rows;
use crate::support::seal::{Seal, object};

const SIGNATURE: (u16, &str) = (401, "signature_invalid");

#[tokio::test(flavor = "multi_thread")]
async fn every_failed_signature_is_the_same_401() {
    let kattila = patient(&[]).await;
    accept(&kattila, "a known agent", new("known").v2()).await;
    let honest = |n: &str| new(n).tick(START.0 * 1000 + 1);
    let spoil = |name: &'static str, value: &str| {
        let mut members = honest("wrong").members_v2();
        for member in &mut members {
            if member.0 == name {
                value.clone_into(&mut member.1);
            }
        }
        object(&members)
    };
    let zeros = format!("\"{}\"", "0".repeat(64));
    let stranger = "\"ffffffffffffffffffffffffffffffff\"";
    let ed25519 = {
        let mut members = honest("wrong").members_v2();
        members.retain(|(name, _)| *name != "alg" && *name != "sig");
        members.push(("alg", "\"ed25519\"".to_owned()));
        members.push(("sig", format!("\"{}\"", "A".repeat(86))));
        object(&members)
    };
    let old_zeros = |seal: Seal| {
        let mut members = seal.members_v1();
        members[3].1.clone_from(&zeros);
        object(&members)
    };
    let wrong = |name: &str, body: String| Case::report(name, SIGNATURE, body);
    let cases = [
        wrong("a wrong mac", spoil("sig", &zeros)),
        wrong("an unknown agent", spoil("agent_id", stranger)),
        wrong("an unknown agent and a wrong mac", {
            spoil("agent_id", stranger).replace("fleet-a", "fleet-b")
        }),
        wrong("a wrong kid", spoil("kid", "\"00112233aabbccdd\"")),
        wrong("another key and its kid", honest("wrong").psk("a key of somebody else's").v2()),
        wrong("another fleet", spoil("fleet_id", "\"fleet-b\"")),
        wrong("another tick", spoil("tick", "1795214286999")),
        wrong("another time", spoil("timestamp", "1795214287")),
        wrong("another nonce", spoil("nonce", "\"AAECAwQFBgcICQoLDA0ODw\"")),
        wrong("other data", spoil("data", "{\"hostname\": \"gw-2\"}")),
        wrong("an agent's own key, which nobody pinned", ed25519),
        wrong("version 1 of a known agent", old_zeros(Seal::new(NEW, "wrong", START))),
        wrong("version 1 of an unknown agent", old_zeros(old("wrong"))),
        wrong("version 1 under another key", old("wrong").psk("a key of somebody else's").v1()),
        wrong("a wrong one, much too late", old("wrong").psk("another key").at(1).v1()),
        wrong("an announcement", old_zeros(old("wrong"))).to(Method::POST, "/status/register"),
    ];
    refuse(&kattila, &cases).await;
    let mut answers = Vec::new();
    for case in &cases {
        let mut answer = case.send(&kattila).await;
        let mut body = answer.json();
        body["request_id"] = Value::Null;
        answer.headers.retain(|(name, _)| !matches!(name.as_str(), "x-request-id" | "date"));
        answers.push((body.to_string(), answer.headers));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    accept(&kattila, "the honest one", honest("wrong").v2()).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_may_differ_by_ten_minutes() {
    let kattila = patient(&[]).await;
    let tick = |n: i64| START.0 * 1000 + n;
    for (n, offset) in (0..).zip([-601, 601, -1_000_000, 1_000_000]) {
        let at = START.0 + offset;
        for body in [old("skew").at(at).v1(), new("skew").at(at).tick(tick(n)).v2()] {
            let case = Case::report(&format!("{offset} s"), (403, "timestamp_skew"), body);
            refuse(&kattila, std::slice::from_ref(&case)).await;
            let told = case.send(&kattila).await.json();
            assert_eq!((&told["server_time"], &told["max_skew"]), (&json!(START.0), &json!(600)));
        }
    }
    // Announcements have a clock, too.
    let late = Case::report("late", (403, "timestamp_skew"), old("skew").at(START.0 - 601).v1());
    refuse(&kattila, &[late.to(Method::POST, "/status/register")]).await;
    for (n, offset) in (10..).zip([-600, 600]) {
        let (nonce, at) = (format!("skew-{n}"), START.0 + offset);
        accept(&kattila, "version 1", old(&nonce).at(at).v1()).await;
        accept(&kattila, "version 2", new(&nonce).at(at).tick(tick(n)).v2()).await;
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_skew_follows_the_settings() {
    let kattila = patient(&[("KATTILA_MAX_SKEW", "30")]).await;
    let at = |offset: i64| old(&format!("skew{offset}")).at(START.0 + offset).v1();
    let case = Case::report("31 s", (403, "timestamp_skew"), at(-31));
    refuse(&kattila, &[case]).await;
    accept(&kattila, "30 s", at(-30)).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_back_to_an_older_scheme() {
    let kattila = patient(&[]).await;
    let first = Seal::new(NEW, "one", START);
    accept(&kattila, "version 1", first.v1()).await;
    accept(&kattila, "version 2", new("two").v2()).await;
    let back = || Seal::new(NEW, "three", START).v1();
    refuse(&kattila, &[Case::report("back", (403, "version_downgrade"), back())]).await;
    let kattila = kattila.restart().await;
    refuse(&kattila, &[Case::report("after a restart", (403, "version_downgrade"), back())]).await;
    kattila.admin().reset_agent(NEW).await;
    refuse(&kattila, &[Case::report("after a reset", (403, "version_downgrade"), back())]).await;
    let unpin = json!({ "agent_id": NEW, "identity": true });
    assert_eq!(kattila.admin().reset(&unpin).await.status, 200);
    accept(&kattila, "after an admin unpinned it", back()).await;

    // A host that was forgotten can be set up anew with an older program, if an admin says so.
    accept(&kattila, "version 2 again", new("four").tick(START.0 * 1000 + 1).v2()).await;
    let forget = json!({ "agent_id": NEW, "forget": true });
    assert_eq!(kattila.admin().reset(&forget).await.status, 200);
    let again = || Seal::new(NEW, "five", START).v1();
    refuse(&kattila, &[Case::report("forgotten", (403, "version_downgrade"), again())]).await;
    let unpinned = kattila.admin().reset(&unpin).await;
    assert_eq!((unpinned.status, &unpinned.json()["agents"]), (200, &json!(1)));
    assert_eq!(kattila.operator().agents().await.len(), 0, "it stays forgotten");
    accept(&kattila, "forgotten and unpinned", again()).await;
    assert_eq!(kattila.operator().agents().await.len(), 1);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowest_version_holds_for_everyone() {
    let kattila = patient(&[("KATTILA_MIN_VERSION", "2")]).await;
    let case = Case::report("version 1", (403, "version_downgrade"), old("v1").v1());
    let register = Case::report("announcement", (403, "version_downgrade"), old("v1").v1());
    refuse(&kattila, &[case, register.to(Method::POST, "/status/register")]).await;
    accept(&kattila, "version 2", new("v2").v2()).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_means_that_only_known_agents_come_in() {
    let kattila = patient(&[]).await;
    accept(&kattila, "while it was open", old("open").v1()).await;
    let kattila = kattila.restart_with(&[("KATTILA_ENROLL", "closed")]).await;
    let closed = |name: &str, body: String| Case::report(name, (403, "enrollment_closed"), body);
    refuse(
        &kattila,
        &[
            closed("a report", new("closed").v2()),
            closed("an announcement", Seal::new("gw-9", "closed", START).v1())
                .to(Method::POST, "/status/register"),
        ],
    )
    .await;
    accept(&kattila, "a known agent", old("known").v1()).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_agents_wait_until_an_admin_lets_them_in() {
    let kattila = patient(&[("KATTILA_ENROLL", "approve")]).await;
    let pending = |body: String| Case::report("waiting", (403, "pending_approval"), body);
    let before = Rows::of(&kattila.db());
    let first = pending(new("one").v2());
    problem("unknown", &first.send(&kattila).await, (403, "pending_approval"));
    let after = Rows::of(&kattila.db());
    // Its name, and that it came; nothing of what it said.
    assert_eq!(before.changed(&after), ["agents", "events"]);
    assert_eq!((after.count("agents"), after.count("reports")), (1, 0));
    refuse(&kattila, &[pending(new("one").v2()), pending(new("two").v2())]).await;
    let kattila = kattila.restart().await;
    refuse(&kattila, &[pending(new("one").v2())]).await;

    let agents = kattila.operator().agents().await;
    assert_eq!((&agents[0]["status"], &agents[0]["hostname"]), (&json!("pending"), &Value::Null));
    let approve = format!("/api/v1/agents/{NEW}/approve");
    let done = kattila.operator().post(&approve, &json!({})).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let again = kattila.operator().post(&approve, &json!({})).await;
    problem("approved twice", &again, (409, "conflict"));
    accept(&kattila, "its first report was not spent by waiting", new("one").v2()).await;
    assert_eq!(kattila.operator().agents().await[0]["status"], "online");

    // An announcement puts on the list, too.
    let announce = Case::report("announcement", (403, "pending_approval"), old("announce").v1());
    let answer = announce.to(Method::POST, "/status/register").send(&kattila).await;
    problem("announcement", &answer, (403, "pending_approval"));
    assert_eq!(kattila.operator().agents().await.len(), 2);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_registers_once_and_shows_nothing_yet() {
    let kattila = patient(&[]).await;
    let announce = Case::report("announcement", (200, ""), old("hello").v1());
    let announce = announce.to(Method::POST, "/status/register");
    for _ in 0..2 {
        let answer = announce.send(&kattila).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ok" })));
    }
    let rows = Rows::of(&kattila.db());
    assert_eq!((rows.count("agents"), rows.count("reports")), (1, 0));
    let agents = kattila.operator().agents().await;
    assert_eq!((&agents[0]["agent_id"], &agents[0]["last_seen_at"]), (&json!(OLD), &Value::Null));
    kattila.stop().await;
}

fn announce(body: String) -> Case {
    Case::report("announcement", (200, ""), body).to(Method::POST, "/status/register")
}

/// What was recorded before an admin forgot the agent does not undo that: neither as it was nor
/// under a new time and nonce, which version 1 does not sign.
#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_does_not_bring_back_who_was_forgotten() {
    let kattila = patient(&[]).await;
    let recorded = [old("hello").v1(), old("later").at(START.0 + 300).v1()];
    assert_eq!(announce(recorded[0].clone()).send(&kattila).await.status, 200);
    let report = old("report").v1();
    accept(&kattila, "a report", report.clone()).await;
    let forget = json!({ "agent_id": OLD, "forget": true });
    assert_eq!(kattila.admin().reset(&forget).await.status, 200);
    let before = Rows::of(&kattila.db());
    for body in &recorded {
        let answer = announce(body.clone()).send(&kattila).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ok" })));
    }
    refuse(&kattila, &[Case::report("recorded", (409, "nonce_replayed"), report.clone())]).await;
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    assert_eq!(kattila.operator().agents().await.len(), 0);
    // Where an admin must approve, a recorded report does not put it on the list either.
    let kattila = kattila.restart_with(&[("KATTILA_ENROLL", "approve")]).await;
    let before = Rows::of(&kattila.db());
    assert_eq!(announce(recorded[1].clone()).send(&kattila).await.status, 200);
    refuse(&kattila, &[Case::report("recorded", (409, "nonce_replayed"), report)]).await;
    assert!(before.changed(&Rows::of(&kattila.db())).is_empty());
    let fresh = Case::report("fresh", (403, "pending_approval"), old("fresh").v1());
    problem("fresh", &fresh.send(&kattila).await, (403, "pending_approval"));
    assert_eq!(kattila.operator().agents().await[0]["status"], "pending");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_brings_back_who_was_forgotten() {
    let kattila = patient(&[]).await;
    accept(&kattila, "one", old("one").v1()).await;
    let forget = json!({ "agent_id": OLD, "forget": true });
    assert_eq!(kattila.admin().reset(&forget).await.status, 200);
    let kattila = kattila.restart().await;
    assert_eq!(announce(old("hello").v1()).send(&kattila).await.status, 200);
    assert_eq!(kattila.operator().agents().await.len(), 0);
    accept(&kattila, "two", old("two").v1()).await;
    assert_eq!(kattila.operator().agents().await.len(), 1);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_out_of_service() {
    let kattila = patient(&[]).await;
    accept(&kattila, "one", old("one").v1()).await;
    let revoke = format!("/api/v1/agents/{OLD}/revoke");
    assert_eq!(kattila.operator().post(&revoke, &json!({})).await.status, 200);
    let kattila = kattila.restart().await;
    refuse(&kattila, &[Case::report("retired", (403, "agent_revoked"), old("three").v1())]).await;
    let approve = format!("/api/v1/agents/{OLD}/approve");
    assert_eq!(kattila.operator().post(&approve, &json!({})).await.status, 200);
    accept(&kattila, "back in service", old("three").v1()).await;
    kattila.stop().await;
}

/// What operators and admins are refused.
fn asked(name: &str, expected: (u16, &'static str), path: &'static str, body: &str) -> Case {
    let case = Case::report(name, expected, body).to(Method::POST, path);
    case.header("authorization", format!("Bearer {ADMIN_TOKEN}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_that_cannot_be_carried_out() {
    let kattila = patient(&[]).await;
    accept(&kattila, "a known agent", old("known").v1()).await;
    let reset =
        |name: &str, expected, body: &str| asked(name, expected, "/status/admin/reset", body);
    let bad = (400, "bad_request");
    let invalid = (400, "invalid_field");
    let mut cases = vec![
        reset("unknown agent", (404, "agent_not_found"), r#"{"agent_id":"gw-9"}"#),
        reset("unknown fleet", (404, "agent_not_found"), r#"{"fleet_id":"fleet-z"}"#),
        reset("nothing", bad, ""),
        reset("nobody", bad, "{}"),
        reset("not all", bad, r#"{"all":false}"#),
        reset("two at once", bad, r#"{"agent_id":"gw-1","all":true}"#),
        reset("agent and fleet", bad, r#"{"agent_id":"gw-1","fleet_id":"x"}"#),
        reset("a wrong type", invalid, r#"{"agent_id":7}"#),
        reset("a name that cannot be", invalid, r#"{"agent_id":"a b"}"#),
        reset("an unknown member", invalid, r#"{"agent":"gw-1"}"#),
        reset("no JSON", (400, "malformed_json"), "{"),
        reset("no JSON type", (415, "unsupported_media_type"), r#"{"all":true}"#)
            .header("content-type", "text/plain"),
        reset("a wrong token", (401, "unauthenticated"), r#"{"all":true}"#)
            .header("authorization", "Bearer wrong"),
        reset("a wrong scheme", (401, "unauthenticated"), r#"{"all":true}"#)
            .header("authorization", format!("Basic {ADMIN_TOKEN}")),
        asked("approving nobody", (404, "agent_not_found"), "/api/v1/agents/gw-9/approve", "{}"),
        asked("approving at random", (409, "conflict"), "/api/v1/agents/gw-1/approve", "{}"),
        asked("no such alarm", (404, "not_found"), "/api/v1/alarms/77/ack", "{}"),
    ];
    let mut stranger = reset("a stranger", (401, "unauthenticated"), r#"{"all":true}"#);
    stranger.headers.pop();
    cases.push(stranger);
    for (path, code) in [
        ("/api/v1/agents/gw-9", "agent_not_found"),
        ("/api/v1/edges/0000000000000000", "not_found"),
        ("/api/v1/alarms/77", "not_found"),
        ("/api/v1/reports/77", "not_found"),
    ] {
        cases.push(asked(path, (404, code), path, "").to(Method::GET, path));
    }
    refuse(&kattila, &cases).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_too_small() {
    let kattila = TestManager::start().await;
    accept(&kattila, "a known agent", old("known").v1()).await;
    for role in ["viewer", "operator"] {
        let wanted = json!({ "name": role, "role": role });
        let made = kattila.operator().post("/api/v1/tokens", &wanted).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let bearer = format!("Bearer {}", made.json()["token"].as_str().unwrap());
        let before = Rows::of(&kattila.db());
        for path in ["/status/admin/reset", "/api/v1/tokens", "/api/v1/agents/gw-1/approve"] {
            let case = asked(path, (403, "forbidden"), path, r#"{"all":true}"#);
            let answer = case.header("authorization", &bearer).send(&kattila).await;
            problem(&format!("{role} {path}"), &answer, (403, "forbidden"));
        }
        let after = Rows::of(&kattila.db());
        // That a token was used is noted with the token.
        let changed = before.changed(&after);
        assert!(changed.iter().all(|table| *table == "sessions"), "{changed:?}");
    }
    kattila.stop().await;
}
