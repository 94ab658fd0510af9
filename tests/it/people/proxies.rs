//! Proxies in front of the door: whose word about a client counts, and for what.

use serde_json::json;

use super::{OLGA, add, failed};
use crate::support::http::{Answer, get, post_json, send};
use crate::support::manager::TestManager;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A manager behind a proxy on this host, with the users olga and kim.
async fn behind_a_proxy() -> TestManager {
    let settings = [
        ("KATTILA_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
        ("KATTILA_PROXY_USER_HEADER", "Remote-User"),
    ];
    let kattila = TestManager::start_with(&settings).await;
    add(&kattila, "olga", "admin", OLGA).await;
    add(&kattila, "kim", "viewer", "three green bicycles").await;
    kattila
}

/// Sends a form as a browser does, with what a proxy adds.
async fn form(
    kattila: &TestManager,
    (path, fields): (&str, &str),
    added: &[(&str, &str)],
) -> Answer {
    let origin = format!("http://{}", kattila.addr());
    let mut headers = vec![("origin", origin.as_str()), FORM];
    headers.extend_from_slice(added);
    send(kattila.addr(), hyper::Method::POST, path, &headers, fields.to_owned()).await
}

fn signing_in(password: &str) -> String {
    format!("name=olga&password={}", password.replace(' ', "+"))
}

/// What the audit has, the newest first: act, who, from where.
async fn audit(kattila: &TestManager) -> Vec<(String, String, String)> {
    let all = kattila.operator().json("/api/v1/audit").await;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let entries = all["entries"].as_array().or(all.as_array()).unwrap();
    entries.iter().map(|e| (text(&e["act"]), text(&e["who"]), text(&e["from"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_and_the_waits_go_by_the_client_behind_the_proxy() {
    let kattila = behind_a_proxy().await;
    let from = |client| [("x-forwarded-for", client), ("x-forwarded-proto", "https")];
    for _ in 0..5 {
        let lying = "name=olga&password=wrong";
        let eve = form(&kattila, ("/login", lying), &from("127.0.0.1, 198.51.100.66")).await;
        assert_eq!(eve.status, 401, "{}", eve.text());
    }
    // Whatever eve writes further left, she is the one who waits; others are not.
    let eve =
        form(&kattila, ("/login", &signing_in(OLGA)), &from("192.0.2.1, 198.51.100.66")).await;
    assert_eq!((eve.status, failed(&eve).contains("try again in")), (429, true));
    let olga = form(&kattila, ("/login", &signing_in(OLGA)), &from("2001:db8::7")).await;
    assert_eq!(olga.status, 303, "{}", olga.text());
    let began = audit(&kattila).await;
    let entry = ("session.begin".to_owned(), "olga".to_owned(), "2001:db8::7".to_owned());
    assert!(began.contains(&entry), "{began:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_as_safe_as_the_way_to_the_proxy() {
    let kattila = behind_a_proxy().await;
    let cookie = |answer: &Answer| answer.header("set-cookie").unwrap_or_default().to_owned();
    let over = |scheme| [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", scheme)];
    let tls = form(&kattila, ("/login", &signing_in(OLGA)), &over("https")).await;
    assert_eq!(tls.status, 303, "{}", tls.text());
    let given = cookie(&tls);
    assert!(given.starts_with("__Host-kattila=") && given.ends_with("; Secure"), "{given}");
    assert!(tls.header("strict-transport-security").is_some());
    // The same cookie under the same headers opens the door; its weak twin does not.
    let session = given.split(';').next().unwrap();
    let with = |cookie| [("cookie", cookie), over("https")[0], over("https")[1]];
    assert_eq!(get(kattila.addr(), "/account", &with(session)).await.status, 200);
    let weak = session.replace("__Host-", "");
    assert_eq!(get(kattila.addr(), "/account", &with(&weak)).await.status, 401);
    // Plain HTTP to the proxy, or a proxy that does not say: nobody signs in.
    for headers in [&over("http")[..], &over("http")[..1]] {
        let plain = form(&kattila, ("/login", &signing_in(OLGA)), headers).await;
        assert_eq!((plain.status, plain.header("set-cookie")), (403, None), "{}", plain.text());
        assert!(plain.text().contains("X-Forwarded-Proto"), "{}", plain.text());
        assert!(plain.header("strict-transport-security").is_none());
        let page = get(kattila.addr(), "/login", headers).await;
        assert!(page.text().contains("not encrypted"), "the page warns");
    }
    // The host itself goes on as before.
    let here = form(&kattila, ("/login", &signing_in(OLGA)), &[]).await;
    assert!(cookie(&here).starts_with("kattila=") && here.status == 303);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_nobodys_headers_count() {
    let kattila = TestManager::start().await;
    add(&kattila, "olga", "admin", OLGA).await;
    let lies = [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("remote-user", "olga"),
    ];
    let olga = form(&kattila, ("/login", &signing_in(OLGA)), &lies).await;
    assert!(olga.header("set-cookie").unwrap().starts_with("kattila="), "plain HTTP it is");
    assert!(olga.header("strict-transport-security").is_none());
    let entry = ("session.begin".to_owned(), "olga".to_owned(), "127.0.0.1".to_owned());
    assert!(audit(&kattila).await.contains(&entry));
    let vouched = form(&kattila, ("/login/proxy", "next=/map"), &lies).await;
    assert_eq!((vouched.status, vouched.header("set-cookie")), (403, None), "{}", vouched.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_count_by_the_client_and_agents_are_seen_where_they_are() {
    let settings = [("KATTILA_TRUSTED_PROXIES", "127.0.0.1"), ("KATTILA_RATE_SOURCE", "1/3")];
    let kattila = TestManager::start_with(&settings).await;
    let bad = |client| [("x-forwarded-for", client)];
    for _ in 0..3 {
        let refused =
            post_json(kattila.addr(), "/status/updates", &bad("198.51.100.66"), "{}").await;
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    let spoofed = bad("198.51.100.1, 198.51.100.66");
    let unread = post_json(kattila.addr(), "/status/updates", &spoofed, "{}").await;
    assert_eq!((unread.status, unread.code().as_str()), (429, "rate_limited"));
    let other = post_json(kattila.addr(), "/status/updates", &bad("198.51.100.7"), "{}").await;
    assert_eq!(other.status, 400, "nobody pays for another behind the same proxy");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_proxy_has_let_in_gets_a_session_by_a_button() {
    let kattila = behind_a_proxy().await;
    let told = |name| {
        [("remote-user", name), ("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "https")]
    };
    let page = get(kattila.addr(), "/login?next=/alarms", &told("Kim")).await.text();
    assert!(page.contains("Continue as kim"), "{page}");
    let came = form(&kattila, ("/login/proxy", "next=/alarms"), &told("Kim")).await;
    assert_eq!((came.status, came.header("location")), (303, Some("/alarms")), "{}", came.text());
    let cookie = came.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let with = |name| {
        let [user, client, scheme] = told(name);
        [("cookie", cookie.as_str()), user, client, scheme]
    };
    let account = get(kattila.addr(), "/account", &with("kim")).await;
    assert!(account.status == 200 && account.text().contains("kim"), "{}", account.text());
    assert_eq!(get(kattila.addr(), "/users", &with("kim")).await.status, 403, "a viewer still");
    // The proxy has somebody else at the browser now.
    assert_eq!(get(kattila.addr(), "/account", &with("olga")).await.status, 401);
    // Nobody here, kept out, no name at all.
    let disabled = kattila.operator().post("/api/v1/users/kim/disable", &json!({})).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text());
    for name in ["nobody", "kim", "admin"] {
        let refused = form(&kattila, ("/login/proxy", "next=/"), &told(name)).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "{name}");
    }
    // The name comes from a page of another site: no session is opened for it.
    let [user, client, scheme] = told("olga");
    let foreign = [("origin", "https://evil.example"), FORM, user, client, scheme];
    let foreign =
        send(kattila.addr(), hyper::Method::POST, "/login/proxy", &foreign, "next=/".to_owned())
            .await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None));
    let entries = audit(&kattila).await;
    let came = ("session.begin".to_owned(), "kim".to_owned(), "198.51.100.7".to_owned());
    assert!(entries.contains(&came), "{entries:?}");
    kattila.stop().await;
}
