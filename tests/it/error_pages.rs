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
