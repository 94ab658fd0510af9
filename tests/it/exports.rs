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
        ("map.csv", "text/csv; charset=utf-8; header=present"),
    ] {
        let all = take(&kattila, &format!("/api/v1/export/{name}")).await;
        assert_eq!((all.status, all.header("content-type")), (200, Some(kind)), "{}", all.text());
        let text = all.text();
        assert!(text.contains("alpha") && text.contains("beta"), "{text}");
        let one = take(&kattila, &format!("/api/v1/export/{name}?q=alpha")).await.text();
        assert!(one.contains("alpha") || name == "map.csv", "{one}");
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

/// What gives the map away, in every form.
const EVERY_FORM: [&str; 9] = [
    "/map.svg?k=3&x=0&y=0&",
    "/map.svg?q=alpha&sel=node~a:a1fa000000000000000000000000a1fa&",
    "/api/v1/topology?",
    "/api/v1/export/map.json?",
    "/api/v1/export/map.graphml?q=alpha&",
    "/api/v1/export/map.dot?",
    "/api/v1/export/links.csv?",
    "/api/v1/export/map.csv?",
    "/api/v1/export/agents.csv?q=beta&",
];

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
    for path in EVERY_FORM {
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

/// The labels of nodes and the ids of links of a graph.
fn held(map: &serde_json::Value) -> (Vec<String>, Vec<String>) {
    let of = |part: &str, member: &str| {
        let mut all: Vec<String> = map[part]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one[member].as_str().unwrap().to_owned())
            .collect();
        all.sort();
        all
    };
    (of("nodes", "label"), of("edges", "id"))
}

/// Two hosts with a link between them that is up, and one host of another site by itself that is
/// down by now.
async fn two_sites() -> TestManager {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    let mut lone = kattila.agent("10e0000000000000000000000000010e");
    let away =
        serde_json::json!({"hostname": "lone", "interfaces": [], "labels": {"site": "oulu"}});
    lone.report(&away).await;
    kattila.advance(400).await;
    let now = kattila.clock.now().0 - 10;
    alpha.report(&Host::alpha().with_peer(BETA_KEY, 2, now, 1000).data()).await;
    beta.report(&Host::beta().with_peer(ALPHA_KEY, 1, now, 1000).data()).await;
    kattila.advance(1).await;
    kattila
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_hold_what_every_filter_of_the_map_keeps() {
    let kattila = two_sites().await;
    let at = kattila.clock.now();
    kattila.advance(20).await;
    let whole = take(&kattila, "/api/v1/export/map.json").await.json();
    let link = whole["edges"][0]["id"].as_str().unwrap().to_owned();
    let site = whole["nodes"].as_array().unwrap().iter().find(|node| node["label"] == "lone");
    let site = site.unwrap()["site"].as_str().unwrap().to_owned();
    let pair = ["alpha", "beta"].as_slice();
    let cases: [(String, &[&str], usize); 9] = [
        ("p=1".to_owned(), &["lone"], 0),
        ("p=0".to_owned(), &["alpha", "beta", "lone"], 1),
        ("only=down".to_owned(), &["lone"], 0),
        ("only=-up".to_owned(), pair, 1),
        ("only=down,-up".to_owned(), &["alpha", "beta", "lone"], 1),
        (format!("focus=a:{ALPHA}&hops=2"), pair, 1),
        (format!("site={site}"), &["lone"], 0),
        (format!("site={site}&focus=a:{ALPHA}"), &[], 0),
        (format!("path={ALPHA},{BETA}&q=kind:agent"), pair, 1),
    ];
    for (query, nodes, edges) in &cases {
        let get = async |name: &str, more: &str| {
            let answer = take(&kattila, &format!("/api/v1/export/{name}?{query}{more}")).await;
            assert_eq!(answer.status, 200, "{name}?{query}{more}: {}", answer.text());
            answer
        };
        let known: Vec<String> = nodes.iter().map(|name| (*name).to_owned()).collect();
        let now = held(&get("map.json", "").await.json());
        assert_eq!((&now.0[..], now.1.len()), (&known[..], *edges), "{query}");
        assert_eq!(held(&get("map.json", &format!("&at={at}")).await.json()), now, "{query}");
        let masked = get("map.json", "&anon=1").await;
        let (labels, links) = held(&masked.json());
        assert_eq!((labels.len(), links.len()), (now.0.len(), *edges), "{query}");
        for name in ["alpha", "beta", "lone", &link] {
            assert!(!masked.text().contains(name), "{query} tells {name}");
        }
        for (name, of_node, of_edge) in
            [("map.dot", " shape=", " -- "), ("map.graphml", "<node ", "<edge ")]
        {
            let text = get(name, "").await.text();
            let counts = [of_node, of_edge].map(|part| text.matches(part).count());
            assert_eq!(counts, [nodes.len(), *edges], "{query}: {text}");
        }
        for name in ["map.csv", "links.csv"] {
            let text = get(name, "").await.text();
            assert_eq!(text.lines().count() - 1, *edges, "{name}?{query}: {text}");
        }
        let agents = get("agents.csv", "").await.text();
        assert_eq!(agents.lines().count() - 1, nodes.len(), "{query}: {agents}");
        let picture = take(&kattila, &format!("/map.svg?{query}&hide=1&k=3&x=0&y=0")).await;
        assert_eq!(picture.status, 200, "{query}: {}", picture.text());
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_meant_is_named() {
    let kattila = two_hosts().await;
    for (query, status, said) in [
        ("p=yes", 400, "`p` takes 1 or 0"),
        ("anon=true", 400, "`anon` takes 1 or 0"),
        ("hide=2", 400, "`hide` takes 1 or 0"),
        ("only=down,broken", 400, "\"broken\""),
        ("hops=4", 400, "`hops` takes 1 to 3"),
        ("hops=many", 400, "`hops` takes 1 to 3"),
        ("layers=roads", 400, "\"roads\""),
        ("focus=a:nobody", 404, "\"a:nobody\""),
        ("site=nowhere", 404, "\"nowhere\""),
    ] {
        for path in ["/map.svg", "/api/v1/export/map.json", "/api/v1/export/map.csv"] {
            let answer = take(&kattila, &format!("{path}?{query}")).await;
            assert_eq!(answer.status, status, "{path}?{query}: {}", answer.text());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(said), "{query}: {detail}");
        }
    }
    kattila.stop().await;
}
