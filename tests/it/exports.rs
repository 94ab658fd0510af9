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
async fn a_way_is_drawn_on_the_picture_of_the_past_as_on_that_of_now() {
    let kattila = two_hosts().await;
    let at = START.plus(1);
    for ends in [format!("{ALPHA},{BETA}"), format!("a:{BETA},a:{ALPHA}"), "alpha,BETA".to_owned()]
    {
        let picture = take(&kattila, &format!("/map.svg?at={at}&path={ends}")).await.text();
        assert_eq!(picture.matches("class=\"way\"").count(), 1, "{ends}: {picture}");
        assert!(picture.contains("the way from"), "{ends}: {picture}");
    }
    for ends in [format!("{ALPHA},nobody"), ALPHA.to_owned(), format!("{ALPHA},{ALPHA}")] {
        let picture = take(&kattila, &format!("/map.svg?at={at}&path={ends}")).await;
        assert_eq!(picture.status, 200, "{ends}: {}", picture.text());
        assert!(!picture.text().contains("class=\"way\""), "{ends}: {}", picture.text());
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn under_pseudonyms_no_real_name_leaves() {
    let kattila = two_hosts().await;
    let at = kattila.clock.now();
    kattila.advance(30).await;
    let bare = take(&kattila, "/api/v1/topology").await;
    let link = bare.json()["edges"][0]["id"].as_str().unwrap().to_owned();
    let names = [
        ALPHA,
        BETA,
        ALPHA_KEY,
        BETA_KEY,
        &link,
        "alpha",
        "beta",
        // A pseudonym of a fleet may begin so, too.
        "\"fleet-a\"",
        "fleet-a/",
        ">fleet-a<",
        ",fleet-a,",
        "/lab",
        "\"lab\"",
        ">lab<",
        ",lab,",
        "10.77.0",
        "192.0.2.1:",
        "192.0.2.2:",
        "fd77::",
        "wg-",
    ];
    let mut pseudonyms = std::collections::BTreeSet::new();
    for path in [
        "/map.svg?k=3&x=0&y=0&",
        "/map.svg?q=alpha&sel=node~a:a1fa000000000000000000000000a1fa&",
        "/api/v1/topology?",
        "/api/v1/export/map.json?",
        "/api/v1/export/map.graphml?q=alpha&",
        "/api/v1/export/map.dot?",
        "/api/v1/export/links.csv?",
        "/api/v1/export/agents.csv?q=beta&",
    ] {
        for time in [String::new(), format!("at={at}&")] {
            let real = take(&kattila, &format!("{path}{time}")).await;
            let answer = take(&kattila, &format!("{path}{time}anon=1")).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let (real, masked) = (real.text(), answer.text());
            assert!(names.iter().any(|name| real.contains(name)), "{path} tells nothing: {real}");
            for name in names {
                assert!(!masked.contains(name), "{path}{time} tells {name}: {masked}");
            }
            pseudonyms.extend(
                masked.split("agent-").skip(1).filter_map(|rest| rest.get(..10)).map(str::to_owned),
            );
        }
    }
    let digests = pseudonyms.iter().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit())).count();
    assert_eq!(digests, 2, "the same two everywhere: {pseudonyms:?}");
    // Whoever has the real map is not told that the other is the same.
    let tag = bare.header("etag").unwrap().to_owned();
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("if-none-match", tag.as_str())];
    let again = get(kattila.addr(), "/api/v1/topology?anon=1", &headers).await;
    assert_eq!(again.status, 200);
    kattila.stop().await;
}
