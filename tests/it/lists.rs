//! Lists that the store pages by numbers: from either end, and narrowed by what people call a host.

use crate::support::fleet::{ALPHA, BETA, Host};
use crate::support::manager::TestManager;

/// The numbers of the reports on a page, from top to bottom.
fn listed(page: &str) -> Vec<u32> {
    let links = page.split("<tr><td><a href=\"/reports/").skip(1);
    links.map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_events_are_read_from_either_end_and_by_a_host_name() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    for _ in 0..60 {
        assert_eq!(alpha.report(&Host::alpha().data()).await.status, 200);
        assert_eq!(beta.report(&Host::beta().data()).await.status, 200);
        kattila.advance(1).await;
    }
    let operator = kattila.operator();
    let newest = operator.get("/reports").await.text();
    assert_eq!(listed(&newest), (21..=120).rev().collect::<Vec<_>>());
    assert!(newest.contains("aria-sort=\"descending\"><a href=\"/reports?sort=time\""), "{newest}");
    let oldest = operator.get("/reports?sort=time").await.text();
    assert_eq!(listed(&oldest), (1..=100).collect::<Vec<_>>());
    assert!(oldest.contains("rel=\"next\" href=\"/reports?sort=time&#38;after=100\""), "{oldest}");
    let rest = operator.get("/reports?sort=time&after=100").await.text();
    assert_eq!(listed(&rest), (101..=120).collect::<Vec<_>>());

    let by_name = operator.get("/reports?agent=beta").await.text();
    let by_id = operator.get(&format!("/reports?agent={BETA}")).await.text();
    assert_eq!(listed(&by_name), listed(&by_id));
    assert_eq!(listed(&by_name).len(), 60);
    let nobody = operator.get("/reports?agent=nobody").await.text();
    assert!(nobody.contains("No report has been accepted from nobody yet."), "{nobody}");
    assert_eq!(operator.get("/events?agent=no%20id").await.status, 400);

    let events = operator.get("/events?agent=beta&sort=time").await.text();
    assert!(events.contains("aria-sort=\"ascending\""), "{events}");
    let events = events.split_once("<tbody>").unwrap().1;
    assert!(events.find("agent.registered") < events.find("interface.added"), "{events}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_several_hosts_have_is_asked_about() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    assert_eq!(alpha.report(&Host::alpha().data()).await.status, 200);
    assert_eq!(beta.report(&Host::alpha().data()).await.status, 200);
    let operator = kattila.operator();
    let asked = operator.get("/events?agent=alpha").await;
    assert_eq!(asked.status, 400);
    assert!(asked.text().contains("Several agents are called"), "{}", asked.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_in_memory_are_sorted_by_their_heads_and_taken_away_as_csv() {
    let kattila = TestManager::start().await;
    let operator = kattila.operator();
    for name in ["bert", "ann", "carl"] {
        let body = serde_json::json!({"name": name, "role": "viewer"});
        assert_eq!(operator.post("/api/v1/users", &body).await.status, 201, "{name}");
    }
    let order = |page: &str| {
        let mut names = ["ann", "bert", "carl"];
        names.sort_by_key(|name| page.find(&format!("id=\"user-{name}\"")));
        names
    };
    let page = operator.get("/users?sort=-name&tokens_sort=used").await.text();
    assert_eq!(order(&page), ["carl", "bert", "ann"]);
    assert!(page.contains("aria-sort=\"descending\"><a href=\"/users?sort=name\">Name"), "{page}");
    assert_eq!(
        order(&operator.get("/users?sort=name&after=ann").await.text())[..2],
        ["ann", "bert"]
    );
    assert!(!operator.get("/users?sort=name&after=bert").await.text().contains("id=\"user-ann\""));
    let csv = operator.get("/api/v1/users?format=csv").await;
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert!(csv.header("content-disposition").unwrap().contains("users.csv"));
    let text = csv.text();
    assert!(text.starts_with("name,") && text.contains("\nbert,viewer,"), "{text}");
    assert_eq!(text.lines().count(), 4, "{text}");
    for path in ["/api/v1/jobs", "/api/v1/rules", "/api/v1/alarms/quality", "/api/v1/networks"] {
        let csv = operator.get(&format!("{path}?format=csv")).await;
        assert_eq!(csv.status, 200, "{path}");
        assert!(csv.header("content-type").unwrap().starts_with("text/csv"), "{path}");
    }
    // What is refused stays a refusal.
    let refused = operator.get("/api/v1/reports?format=csv&q=state:dwon").await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &serde_json::json!("bad_request")));
    let sorted = operator.get("/settings?jobs_sort=-job").await.text();
    assert!(sorted.find("<code>vacuum</code>") < sorted.find("<code>prune-reports</code>"));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_networks_come_page_by_page_and_only_the_first_page_reads_the_tables() {
    let kattila = TestManager::start().await;
    let routes = |from: u32, count: u32| {
        let one = |i: u32| {
            let net = format!("10.{}.{}.0/24", 100 + i / 256, i % 256);
            serde_json::json!({"dst": net, "gateway": "192.0.2.1", "dev": "eth0"})
        };
        (from..from + count).map(one).collect::<Vec<_>>()
    };
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    let mut data = Host::alpha().data();
    data["routes"] = routes(0, 2500).into();
    alpha.report(&data).await;
    let operator = kattila.operator();
    let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = operator.json(&format!("/api/v1/networks?limit=1000{after}")).await;
        let rows = page["networks"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["prefix"].as_str().unwrap().to_owned()));
        pages += 1;
        if pages == 1 {
            // What is reported meanwhile is not read by who goes on: the tables are read once.
            let mut data = Host::beta().data();
            data["routes"] = routes(2500, 5).into();
            beta.report(&data).await;
        }
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace('/', "%2F"));
    }
    let of_routes = |seen: &[String]| seen.iter().filter(|net| net.starts_with("10.1")).count();
    assert_eq!((pages, of_routes(&seen)), (3, 2500));
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "each once");
    let first = operator.json("/api/v1/networks?limit=1").await;
    assert_eq!(first["left_out"].as_u64().unwrap() + 1, count as u64 + 5, "{first}");
    // The page of people leads through all of them, too.
    let (mut href, mut rows, mut walked) = ("/paths?networks=1".to_owned(), 0, 0);
    loop {
        let page = operator.get(&href).await.text();
        let table = page.split_once("aria-label=\"Networks\"").unwrap().1;
        rows += table.matches("<tr><td class=\"mono\">").count();
        walked += 1;
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"") else { break };
        let next = next.split('"').next().unwrap().replace("&#38;", "&");
        href = next.split('#').next().unwrap().to_owned();
    }
    assert_eq!((rows, walked), (count + 5, (count + 5).div_ceil(100)));
    kattila.stop().await;
}
