//! What a browser is shown when something cannot be had: under the bar of whoever asked, with what
//! to do about it.

use serde_json::json;

use crate::support::browser::Tab;
use crate::support::fleet::{ALPHA, Host};
use crate::support::manager::TestManager;

const PASSWORD: &str = "four white horses at noon";

async fn with_people() -> TestManager {
    let kattila = TestManager::start().await;
    let admin = kattila.operator();
    for (name, role) in [("ada", "admin"), ("vic", "viewer")] {
        let user = json!({"name": name, "role": role, "password": PASSWORD});
        assert_eq!(admin.post("/api/v1/users", &user).await.status, 201);
    }
    assert_eq!(kattila.agent(ALPHA).report(&Host::alpha().data()).await.status, 200);
    kattila
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_can_be_searched_for_by_who_may_look() {
    let kattila = with_people().await;
    let tab = Tab::signed_in(kattila.addr(), "vic", PASSWORD).await;
    for path in ["/nowhere", "/agents/none", "/links/0000000000000000", "/alarms/99", "/reports/99"]
    {
        let answer = tab.get(path).await;
        let page = answer.text();
        assert_eq!(answer.status, 404, "{path}");
        assert!(page.contains("role=\"search\"") && page.contains("<nav"), "{path}: {page}");
        assert!(page.contains("href=\"/account\"") && page.contains("Sign out"), "{path}: {page}");
    }
    let stranger = Tab::new(kattila.addr()).get("/nowhere").await;
    let page = stranger.text();
    assert_eq!(stranger.status, 404);
    assert!(!page.contains("<nav") && !page.contains("role=\"search\""), "{page}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_names_the_role_and_what_came_too_late_leads_back() {
    let kattila = with_people().await;
    let mut viewer = Tab::signed_in(kattila.addr(), "vic", PASSWORD).await;
    let refused = viewer.post(&format!("/agents/{ALPHA}/reset"), "").await;
    assert_eq!(refused.status, 403);
    // A program's answer, since it did not ask for a page.
    assert_eq!(refused.code(), "forbidden");
    let page = viewer.get("/users").await;
    assert_eq!(page.status, 403);
    let page = page.text();
    assert!(page.contains("This needs the role admin; yours is viewer."), "{page}");
    assert!(page.contains("href=\"/login?next=%2Fusers\"") && page.contains("<nav"), "{page}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_store_a_stale_form_and_a_damaged_row_are_pages_with_what_to_do() {
    let kattila = with_people().await;
    let mut tab = Tab::signed_in(kattila.addr(), "ada", PASSWORD).await;
    // Another program holds the database: nothing can be written, and everything can be read.
    let other = rusqlite::Connection::open(kattila.db()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let relay = format!("/agents/{ALPHA}/relay");
    let busy = tab.submit(&relay, "allowed=false").await;
    let page = busy.text();
    assert_eq!(busy.status, 503, "{page}");
    assert!(busy.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert!(page.contains("storage does not answer") && page.contains("<nav"), "{page}");
    assert!(page.contains(&format!("href=\"/agents/{ALPHA}\"")), "{page}");
    assert_eq!(tab.get("/agents").await.status, 200);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(tab.submit(&relay, "allowed=false").await.status, 303, "and then it works");

    let stale = tab.submit(&format!("/agents/{ALPHA}/approve"), "").await;
    assert_eq!(stale.status, 409);
    let page = stale.text();
    assert!(page.contains("is not waiting for approval") && page.contains("<nav"), "{page}");

    other.execute_batch("UPDATE agents SET labels = 'nonsense'").unwrap();
    let broken = tab.get(&format!("/agents/{ALPHA}")).await;
    let (page, id) = (broken.text(), broken.header("x-request-id").unwrap().to_owned());
    assert_eq!(broken.status, 500, "{page}");
    assert!(page.contains(&id) && page.contains("<nav") && !page.contains("labels"), "{page}");
    kattila.stop().await;
}
