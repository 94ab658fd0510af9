//! Sessions of users: how many, how long, who sees and ends them.

use serde_json::json;

use super::{KIM, OLGA, failed, with_two};
use crate::support::actors::Operator;
use crate::support::browser::Tab;
use crate::support::http::{get, send};
use crate::support::manager::TestManager;

/// The ids of a browser's own sessions, newest first.
async fn own(kattila: &TestManager, tab: &Tab) -> Vec<String> {
    let answer = get(kattila.addr(), "/api/v1/sessions", &[("cookie", tab.cookie())]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = answer.json();
    all.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_idleness_by_age_and_by_the_sixth() {
    let kattila = with_two().await;
    let start = kattila.clock.now();
    let used = Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    let idle = Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    for minutes in (20..12 * 60).step_by(20) {
        kattila.clock.set(start.plus(minutes * 60));
        assert_eq!(used.get("/account").await.status, 200, "after {minutes} minutes");
    }
    assert_eq!(idle.get("/account").await.status, 303, "thirty idle minutes end it");
    kattila.clock.set(start.plus(12 * 3600));
    assert_eq!(used.get("/account").await.status, 303, "twelve hours end it");
    let mut tabs = Vec::new();
    for n in 0..5 {
        kattila.clock.set(start.plus(12 * 3600 + n));
        tabs.push(Tab::signed_in(kattila.addr(), "olga", OLGA).await);
    }
    // After a restart this run has seen none of them, and they count all the same.
    let kattila = kattila.restart().await;
    let mut tabs: Vec<_> = tabs.into_iter().map(|tab| tab.moved(kattila.addr())).collect();
    tabs.push(Tab::signed_in(kattila.addr(), "olga", OLGA).await);
    let mut statuses = Vec::new();
    for tab in &tabs {
        statuses.push(tab.get("/account").await.status);
    }
    assert_eq!(statuses, [303, 200, 200, 200, 200, 200], "the one used longest ago ended");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_end_their_own_sessions_and_admins_anybodys() {
    let kattila = with_two().await;
    let mut here = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let there = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let olga = Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    let mine = own(&kattila, &here).await;
    assert_eq!(mine.len(), 2);
    let page = here.get("/account").await.text();
    assert!(mine.iter().all(|id| page.contains(id)) && page.contains("127.0.0.1"), "{page}");
    let all = kattila.operator().json("/api/v1/sessions").await;
    assert_eq!(all.as_array().map(Vec::len), Some(3));
    let theirs = own(&kattila, &olga).await;
    assert_eq!(theirs.len(), 3, "an admin sees all");
    let olgas = theirs.iter().find(|id| !mine.contains(id)).unwrap();
    let denied = here.post(&format!("/account/sessions/{olgas}/end"), "").await;
    assert_eq!(denied.status, 404, "another's session is not there");
    let stays = |tab: &Tab| {
        let tab = tab.clone();
        async move { tab.get("/account").await.status == 200 }
    };
    assert!(stays(&olga).await && stays(&there).await);
    let token = here.form_token().await;
    let other = {
        let listed =
            get(kattila.addr(), "/api/v1/sessions", &[("cookie", here.cookie())]).await.json();
        let other = listed.as_array().unwrap().iter().find(|one| one["current"] == false).unwrap();
        other["id"].as_str().unwrap().to_owned()
    };
    let headers = [("cookie", here.cookie()), ("x-kattila-form", token.as_str())];
    let path = format!("/api/v1/sessions/{other}");
    let ended = send(kattila.addr(), hyper::Method::DELETE, &path, &headers, "").await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert!(!stays(&there).await && stays(&here).await);
    let last = own(&kattila, &here).await.remove(0);
    let admin = kattila.operator().delete(&format!("/api/v1/sessions/{last}")).await;
    assert_eq!(admin.status, 200, "{}", admin.text());
    assert!(!stays(&here).await);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_every_session_but_a_new_one() {
    let kattila = with_two().await;
    let mut here = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let there = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let old = here.clone();
    let fields = |old: &str, new: &str| format!("old={old}&password={new}&again={new}");
    let wrong = here.post("/account/password", &fields("guess", "copper+kettle")).await;
    assert_eq!((wrong.status, failed(&wrong).contains("another one")), (403, true));
    let weak = here.post("/account/password", &fields("x", "kimkimkimkim")).await;
    assert_eq!((weak.status, failed(&weak).contains("own name")), (400, true));
    let typed = KIM.replace(' ', "+");
    let changed = here.post("/account/password", &fields(&typed, "copper+kettle")).await;
    assert_eq!((changed.status, changed.header("location")), (303, Some("/account")));
    assert_ne!(here.cookie(), old.cookie());
    let told = "Your password is changed, and your other sessions have ended.";
    assert!(here.get("/account").await.text().contains(told));
    assert!(!here.get("/account?changed=true").await.text().contains(told), "told once");
    for ended in [&there, &old] {
        assert_eq!(ended.get("/account").await.status, 303);
    }
    assert_eq!(Tab::new(kattila.addr()).sign_in("kim", KIM).await.status, 401);
    assert_eq!(Tab::new(kattila.addr()).sign_in("kim", "copper kettle").await.status, 303);
    // It stays so over a restart.
    let kattila = kattila.restart().await;
    assert_eq!(there.moved(kattila.addr()).get("/account").await.status, 303);
    assert_eq!(here.moved(kattila.addr()).get("/account").await.status, 200);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_admin_changes_ends_the_sessions() {
    let kattila = with_two().await;
    let root: Operator = kattila.operator();
    let acts = [
        ("role", json!({"role": "operator"})),
        ("end-sessions", json!({})),
        ("password", json!({"password": KIM})),
        ("disable", json!({})),
    ];
    for (act, body) in acts {
        let tab = Tab::signed_in(kattila.addr(), "kim", KIM).await;
        let answer = root.post(&format!("/api/v1/users/kim/{act}"), &body).await;
        assert_eq!(answer.status, 200, "{act}: {}", answer.text());
        assert_eq!(tab.get("/account").await.status, 303, "{act}");
    }
    assert_eq!(Tab::new(kattila.addr()).sign_in("kim", KIM).await.status, 401);
    root.post("/api/v1/users/kim/enable", &json!({})).await;
    let tab = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    assert!(tab.get("/account").await.text().contains("role operator"));
    assert_eq!(root.delete("/api/v1/users/kim").await.status, 200);
    assert_eq!(tab.get("/account").await.status, 303);
    // Somebody new of the same name is not who they were.
    super::add(&kattila, "kim", "admin", KIM).await;
    assert_eq!(tab.get("/account").await.status, 303);
    kattila.stop().await;
}
