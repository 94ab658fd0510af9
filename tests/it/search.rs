//! Agents and links as operators ask for them: one language for pages, the map and programs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::manager::TestManager;

/// Two hosts and a peer without an agent, all with their places.
async fn trio() -> TestManager {
    let kattila = TestManager::start_live(&[]).await;
    let now = kattila.clock.now().0;
    let alpha = Host::alpha().with_peer(BETA_KEY, 2, now - 20, 1000);
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, now - 20, 1000);
    let beta = beta.with_peer(STRANGER_KEY, 9, now - 20, 1000);
    for (id, host) in [(ALPHA, alpha), (BETA, beta)] {
        kattila.agent(id).report(&host.data()).await;
    }
    let placed = async {
        loop {
            let map = kattila.operator().topology().await;
            let count = |part: &str| map[part].as_array().unwrap().len();
            // A circle is told once its nodes are counted.
            if (count("nodes"), count("edges")) == (3, 2) && count("sites") > 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), placed).await.expect("everybody has a place");
    kattila
}

async fn counts(kattila: &TestManager, query: &str) -> [usize; 4] {
    let operator = kattila.operator();
    let found = operator.json(&format!("/api/v1/search?q={query}")).await;
    let agents = operator.json(&format!("/status/agents?q={query}")).await;
    let edges = operator.json(&format!("/api/v1/edges?q={query}")).await;
    let length = |value: &Value| value.as_array().unwrap().len();
    [length(&found["nodes"]), length(&found["edges"]), length(&agents), length(&edges)]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_question_has_one_answer_everywhere() {
    let kattila = trio().await;
    for (query, wanted) in [
        ("", [3, 2, 2, 2]),
        ("host:alpha", [1, 1, 1, 1]),
        ("kind:external", [1, 1, 0, 1]),
        ("ip:10.77.0.0/24%20-host:alpha", [2, 1, 1, 1]),
        ("state:up%20kind:agent", [2, 2, 2, 2]),
        ("alarm:open", [0, 0, 0, 0]),
        ("seen:%3E5m", [0, 0, 0, 0]),
    ] {
        assert_eq!(counts(&kattila, query).await, wanted, "{query}");
    }
    let operator = kattila.operator();
    let first = operator.json("/api/v1/edges?limit=1").await;
    let last = first[0]["id"].as_str().unwrap();
    let second = operator.json(&format!("/api/v1/edges?limit=1&after={last}")).await;
    assert!(second[0]["id"].as_str().unwrap() > last);
    let csv = operator.get("/api/v1/export/agents.csv?q=host:alpha").await;
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    let lines: Vec<String> = csv.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with(&format!("{ALPHA},alpha,")), "{}", lines[1]);
    let csv = operator.get("/api/v1/export/links.csv?q=kind:external").await.text();
    assert_eq!(csv.lines().count(), 2);
    let missing = operator.get("/api/v1/export/hosts.csv").await;
    assert_eq!((missing.status, &missing.json()["code"]), (404, &json!("not_found")));
    let page = operator.get("/agents?q=host:alpha").await.text();
    assert!(page.contains("/agents/agent-alpha") || page.contains(&format!("/agents/{ALPHA}")));
    assert!(!page.contains(&format!("/agents/{BETA}")));
    let page = operator.get("/links?q=kind:external").await.text();
    assert_eq!(page.matches("aria-label=\"Link ").count(), 1);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_hold_the_map_is_told_where_things_are() {
    let kattila = trio().await;
    let operator = kattila.operator();
    let found = operator.json("/api/v1/search?q=host:alpha").await;
    let map = operator.topology().await;
    let alpha = format!("a:{ALPHA}");
    let node = map["nodes"].as_array().unwrap().iter().find(|node| node["id"] == alpha).unwrap();
    let hit = &found["hits"][0];
    for name in ["id", "kind", "label", "status", "site", "addresses", "alarms", "seen_at"] {
        assert_eq!(hit[name], node[name], "{name}");
    }
    assert_eq!(found["sites"], json!([node["site"]]));
    let edge = map["edges"][0]["id"].as_str().unwrap();
    let at = kattila.clock.now().0;
    for then in [String::new(), format!("&at={at}")] {
        let link = operator.json(&format!("/api/v1/search?ids={edge},a:nobody{then}")).await;
        assert_eq!(link["edges"], json!([edge]));
        assert_eq!(link["nodes"].as_array().unwrap().len(), 2, "its ends: {link}");
        assert_eq!(link["hits"].as_array().unwrap().len(), 2);
    }
    let both = operator.get(&format!("/api/v1/search?ids={alpha}&q=alpha")).await;
    assert_eq!((both.status, &both.json()["code"]), (400, &json!("bad_request")));
    let many = ["a:x"; 3].join(",");
    assert_eq!(operator.json(&format!("/api/v1/search?ids={many}")).await["nodes"], json!([]));
    let many: Vec<String> = (0..201).map(|i| format!("a:{i}")).collect();
    let refused = operator.get(&format!("/api/v1/search?ids={}", many.join(","))).await;
    assert!(refused.status == 400 && refused.text().contains("at most 200"), "{}", refused.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_meant_is_refused_with_its_reason() {
    let kattila = TestManager::start().await;
    for path in ["/api/v1/search", "/status/agents", "/api/v1/edges"] {
        let refused = kattila.operator().get(&format!("{path}?q=state:dwon")).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["code"], json!("bad_request"));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("There is no state `dwon`; there are up, "), "{detail}");
    }
    let page = kattila.operator().get("/agents?q=state:dwon").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("There is no state `dwon`"));
}

/// Two hosts and a link at their places, and a second at which the history knew them.
#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_asked_in_the_same_language() {
    let kattila = trio().await;
    let operator = kattila.operator();
    let at = kattila.clock.now().0;
    let found = async |query: &str| operator.json(&format!("/api/v1/{query}&at={at}")).await;
    let search = found("search?q=host:alpha").await;
    assert_eq!(search["nodes"], json!([format!("a:{ALPHA}")]));
    assert_eq!(search["edges"].as_array().unwrap().len(), 1);
    let long = found("search?q=kind:agent%20since:%3E1h").await;
    assert_eq!(long["nodes"], json!([]), "both came just now");
    let weak = found("weak-points?limit=5").await;
    assert_eq!((&weak["hosts_total"], &weak["links_total"]), (&json!(0), &json!(1)));
    let loss = found(&format!("what-if?without={BETA}")).await;
    assert_eq!(loss["taken"][0]["label"], "beta");
    let refused = operator.get(&format!("/api/v1/search?q=version:1.4&at={at}")).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("`version:` cannot be asked of the past"),
        "{}",
        refused.text()
    );
    let gone = operator.get(&format!("/api/v1/what-if?without=nobody&at={at}")).await;
    assert_eq!(gone.status, 404);
    let page = operator.get(&format!("/links?q=ip:10.0.0.0/8&at={at}")).await;
    assert!(page.text().contains("cannot be asked of the past"));
    kattila.stop().await;
}

/// A picture of the map as a colleague was sent it: questions are part of its address.
#[tokio::test(flavor = "multi_thread")]
async fn the_picture_answers_what_the_address_asks() {
    let kattila = trio().await;
    let operator = kattila.operator();
    let svg = async |query: &str| {
        let answer = operator.get(&format!("/map.svg?{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    let count = |text: &str, what: &str| text.matches(what).count();
    let bare = svg("").await;
    assert_eq!((count(&bare, "class=\"way\""), count(&bare, "class=\"taken\"")), (0, 0));
    let way = svg(&format!("path=a:{ALPHA},10.77.0.2&layers=wireguard,subnets&hide=1")).await;
    assert_eq!(count(&way, "class=\"way\""), 1);
    assert!(way.contains("the way from alpha to beta"));
    let loss = svg(&format!("without={BETA},nobody&sel=node~a:{ALPHA},node~a:{BETA}")).await;
    assert_eq!((count(&loss, "class=\"taken\""), count(&loss, "class=\"chosen\"")), (1, 1));
    let masked = svg(&format!("path=a:{ALPHA},a:{BETA}&focus=a:{ALPHA}&only=up&anon=1")).await;
    assert_eq!(count(&masked, "class=\"way\""), 1);
    assert!(!masked.contains("alpha") && !masked.contains("beta"), "no name of theirs");
    svg("path=nobody&without=nobody&layers=").await;
    let table = operator.get("/map?view=table&q=kind:gateway&hide=1").await;
    assert_eq!(
        (table.status, table.header("location")),
        (303, Some("/agents?q=kind%3Agateway")),
        "the same as a table"
    );
    assert_eq!(operator.get("/map?view=map&at=").await.status, 200);
    kattila.stop().await;
}

/// What agents said at a time is read back from their reports.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_then_is_read_back_and_taken_away() {
    let kattila = trio().await;
    let operator = kattila.operator();
    let now = kattila.clock.now().0;
    let told = operator.json(&format!("/api/v1/agents/{ALPHA}/told?at={now}")).await;
    assert_eq!(told["peers"][0]["public_key"], BETA_KEY);
    assert_eq!(told["peers"][0]["rx_bytes"], 1000);
    let text = told["interfaces"].to_string();
    assert!(text.contains("10.77.0.1/24"), "{text}");
    for (path, status) in [
        (format!("/api/v1/agents/{ALPHA}/told?at=1000"), 404),
        (format!("/api/v1/agents/nobody/told?at={now}"), 404),
        (format!("/api/v1/agents/{ALPHA}/told"), 400),
    ] {
        assert_eq!(operator.get(&path).await.status, status, "{path}");
    }
    let page = operator.get(&format!("/agents/{ALPHA}?at={now}")).await.text();
    assert!(page.contains("What it said") && page.contains("10.77.0.1/24"), "{page}");
    let map = operator.topology().await;
    let between = |edge: &&Value| {
        [&edge["source"], &edge["target"]].iter().all(|end| end.as_str().unwrap().starts_with("a:"))
    };
    let link = map["edges"].as_array().unwrap().iter().find(between).unwrap();
    let link = link["id"].as_str().unwrap();
    let page = operator.get(&format!("/links/{link}?at={now}")).await.text();
    assert!(page.contains("20 s before"), "{page}");

    let csv = async |query: &str| {
        let answer = operator.get(&format!("/api/v1/export/{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.text()
    };
    let reports = csv("reports.csv").await;
    assert_eq!(reports.lines().count(), 3, "{reports}");
    assert_eq!(csv(&format!("reports.csv?agent_id={ALPHA}")).await.lines().count(), 2);
    assert_eq!(csv("reports.csv?at=1000").await.lines().count(), 1);
    let events = csv("events.csv").await;
    assert!(events.contains("agent.registered") && events.contains(ALPHA), "{events}");
    assert_eq!(csv("events.csv?at=1000").await.lines().count(), 1);
    for table in ["events.csv?anon=1", "reports.csv?anon=1"] {
        let text = csv(table).await;
        assert!(text.lines().count() > 2, "{text}");
        assert!(
            ![ALPHA, BETA, ALPHA_KEY, "10.77."].iter().any(|name| text.contains(name)),
            "{text}"
        );
    }
    assert_eq!(csv(&format!("links.csv?at={now}")).await.lines().count(), 3);
    kattila.stop().await;
}

/// The numbers in a list of the API.
async fn numbers(kattila: &TestManager, path: &str) -> Vec<i64> {
    let list = kattila.operator().json(path).await;
    list.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// `alpha` reports, `beta` and a peer of it have gone silent.
async fn half_silent() -> TestManager {
    let kattila = TestManager::start().await;
    let views = |bytes: u64| {
        let seen = kattila.clock.now().0 - 20;
        let alpha = Host::alpha().with_peer(BETA_KEY, 2, seen, bytes);
        let beta = Host::beta().with_peer(ALPHA_KEY, 1, seen, bytes);
        [alpha.data(), beta.with_peer(STRANGER_KEY, 9, seen, bytes).data()]
    };
    let mut alpha = kattila.agent(ALPHA);
    let [first, second] = views(1000);
    alpha.report(&first).await;
    kattila.agent(BETA).report(&second).await;
    for round in 0..40_u64 {
        // In steps: a manager that was away blames nobody.
        kattila.advance(30).await;
        if !(5..=35).contains(&round) {
            alpha.report(&views(2000)[0]).await;
        }
    }
    kattila
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_and_events_are_asked_for_like_agents_and_links() {
    let kattila = half_silent().await;
    let operator = kattila.operator();
    let of = async |path: &str, q: &str| numbers(&kattila, &format!("{path}q={q}")).await;
    for path in ["/api/v1/reports?", "/api/v1/events?before=999&limit=1000&"] {
        let all = of(path, "").await;
        let (first, second) =
            (of(path, "host:alpha").await, of(path, "state:down%20kind:agent").await);
        assert!(!first.is_empty() && first.len() < all.len(), "{path}: {first:?} of {all:?}");
        assert!(!second.is_empty() && second.len() < all.len(), "{path}: {second:?} of {all:?}");
        let by_id = operator.json(&format!("{path}agent_id={BETA}")).await;
        let has = |row: &Value| second.contains(&row["id"].as_i64().unwrap());
        assert!(by_id.as_array().unwrap().iter().all(has), "{path}: {by_id}");
        assert_eq!(of(path, "host:nobody").await, [0_i64; 0]);
        let refused = operator.get(&format!("{path}q=state:dwon")).await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("bad_request")));
    }
    let page = operator.get("/reports?q=state:down").await.text();
    assert_eq!(page.matches("<td><a href=\"/reports/").count(), 1, "{page}");
    // What a link is told of, without its ends.
    let link = operator.json("/api/v1/edges?q=kind:external").await[0]["id"].clone();
    let of_link = operator.json(&format!("/api/v1/events?q=id:{}", link.as_str().unwrap())).await;
    let of_link = of_link.as_array().unwrap();
    let subject = |row: &Value| row["subject"].as_str().unwrap().to_owned();
    let its_own = |row: &Value| subject(row).ends_with(link.as_str().unwrap());
    assert!(!of_link.is_empty() && of_link.iter().all(its_own), "{of_link:?}");
    let page = operator.get("/events?q=host:alpha&sort=time").await.text();
    assert!(page.contains("value=\"host:alpha\"") && !page.contains("rel=\"next\""), "{page}");
    for (name, q, api) in [
        ("reports", "host:alpha", "/api/v1/reports?"),
        ("alarms", "host:beta", "/api/v1/alarms?"),
        ("events", "host:nobody", "/api/v1/events?"),
    ] {
        let csv = operator.get(&format!("/api/v1/export/{name}.csv?q={q}")).await;
        assert_eq!(csv.text().lines().count() - 1, of(api, q).await.len(), "{}", csv.text());
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_about_what_is_found_or_told_in_its_words() {
    let kattila = half_silent().await;
    let operator = kattila.operator();
    let of = async |q: &str| numbers(&kattila, &format!("/api/v1/alarms?q={q}")).await;
    let offline = operator.json("/api/v1/alarms?q=host:beta%20kind:agent").await;
    assert!(offline.as_array().unwrap().iter().any(|a| a["kind"] == "agent.offline"), "{offline}");
    let (all, in_words) = (of("").await, of("silent,beta").await);
    assert!(!in_words.is_empty() && in_words.iter().all(|id| all.contains(id)));
    assert_eq!(of("beta%20site:nowhere").await, [0_i64; 0]);
    assert_eq!(of("nothing-like-this").await, [0_i64; 0]);
    // A page that cannot answer says so, and which terms can be asked.
    for (path, q, says) in [
        ("/reports", "state:one_way", "no agent is what this `state:` asks for"),
        ("/events", "colour:red", "There is no field `colour`"),
        ("/alarms", "links:many", "is no number"),
    ] {
        let page = operator.get(&format!("{path}?q={q}")).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text().contains(says) && page.text().contains("All rows are shown"), "{path}");
    }
    kattila.stop().await;
}
