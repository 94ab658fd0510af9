//! The map taken away: pictures and graphs, of now and of before.

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::http::{Answer, get};
use crate::support::manager::{ADMIN_TOKEN, START, TestManager};

async fn two_hosts() -> TestManager {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    alpha.report(&Host::alpha().with_peer(BETA_KEY, 2, START.0 - 10, 1000).data()).await;
    beta.report(&Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 10, 1000).data()).await;
    kattila.advance(1).await;
    kattila
}

async fn take(kattila: &TestManager, path: &str) -> Answer {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    get(kattila.addr(), path, &[("authorization", bearer.as_str())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_the_same_in_another_process_run() {
    let kattila = two_hosts().await;
    let at = START.plus(1);
    kattila.advance(30).await;
    let path = format!("/map.svg?at={at}&w=900&h=700&r=1");
    let first = take(&kattila, &path).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.header("content-type"), Some("image/svg+xml"));
    assert!(first.text().contains("<title>alpha: Reporting</title>"), "{}", first.text());
    let kattila = kattila.restart().await;
    assert_eq!(take(&kattila, &path).await.text(), first.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_hold_what_was_asked_for() {
    let kattila = two_hosts().await;
    for (name, kind) in [
        ("map.dot", "text/vnd.graphviz"),
        ("map.graphml", "application/graphml+xml"),
        ("map.json", "application/json"),
    ] {
        let all = take(&kattila, &format!("/api/v1/export/{name}")).await;
        assert_eq!((all.status, all.header("content-type")), (200, Some(kind)), "{}", all.text());
        let text = all.text();
        assert!(text.contains("alpha") && text.contains("beta"), "{text}");
        let one = take(&kattila, &format!("/api/v1/export/{name}?q=alpha")).await.text();
        assert!(one.contains("alpha"), "{one}");
        assert!(!one.contains("\"beta\"") && !one.contains(">beta<"), "{one}");
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_drawn_is_refused() {
    let kattila = two_hosts().await;
    for path in ["/map.svg?w=1", "/map.svg?q=nofield:x", "/map.svg?at=nonsense", "/map.svg?x=left"]
    {
        let answer = take(&kattila, path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
    }
    assert_eq!(take(&kattila, "/api/v1/export/map.png").await.status, 404);
    kattila.stop().await;
}
