//! Ways through the network as operators ask for them: over HTTP, from what hosts have reported.

use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::http::{self, Answer};
use crate::support::manager::{START, TestManager};

async fn pair() -> TestManager {
    let kattila = TestManager::start().await;
    let alpha = Host::alpha().with_peer(BETA_KEY, 2, START.0 - 20, 1000);
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 20, 1000);
    for (id, host) in [(ALPHA, alpha), (BETA, beta)] {
        kattila.agent(id).report(&host.data()).await;
    }
    kattila
}

async fn ask(kattila: &TestManager, query: &str) -> Answer {
    kattila.operator().get(&format!("/api/v1/{query}")).await
}

async fn way(kattila: &TestManager, query: &str) -> Value {
    let answer = ask(kattila, &format!("path?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn told(journey: &Value) -> (Vec<&str>, &str, &str) {
    let hops = journey["hops"].as_array().unwrap();
    (
        hops.iter().map(|hop| hop["label"].as_str().unwrap()).collect(),
        journey["outcome"].as_str().unwrap(),
        journey["reason"].as_str().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_is_explained_there_and_back() {
    let kattila = pair().await;
    let expected = (vec!["alpha", "beta"], "delivered", "beta has 10.77.0.2 on wg0");
    for (from, to) in
        [("alpha", "10.77.0.2"), (ALPHA, "beta"), ("10.77.0.1", BETA), ("192.0.2.1", "10.77.0.2")]
    {
        let found = way(&kattila, &format!("from={from}&to={to}")).await;
        assert_eq!(told(&found["there"]), expected, "{from} to {to}");
        let back = (vec!["beta", "alpha"], "delivered", "alpha has 10.77.0.1 on wg0");
        assert_eq!(told(&found["back"]), back);
        let first = &found["there"]["hops"][0];
        assert_eq!((&first["peer"], &first["edge_state"]), (&json!(BETA_KEY), &json!("up")));
        assert_eq!(first["route"]["dst"], "10.77.0.0/24");
    }
    let found = way(&kattila, "from=alpha&to=203.0.113.9").await;
    let reason = "it leaves alpha over eth0 to the gateway 192.0.2.254, which has no agent; what \
                  follows is not known";
    assert_eq!(told(&found["there"]), (vec!["alpha"], "left", reason));
    assert_eq!(found["back"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_the_other_end_does_not_allow_is_told() {
    let kattila = pair().await;
    let found = way(&kattila, "from=alpha&to=10.77.0.2&source=10.99.0.1").await;
    let reason = "beta drops it: the source 10.99.0.1 is not in the allowed IPs that it has for \
                  alpha";
    assert_eq!(told(&found["there"]), (vec!["alpha", "beta"], "stopped", reason));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_said() {
    let kattila = pair().await;
    for (query, status, code) in [
        ("path?to=10.77.0.2", 400, "bad_request"),
        ("path?from=alpha", 400, "bad_request"),
        ("path?from=alpha&to=beta&source=here", 400, "bad_request"),
        ("path?from=gamma&to=beta", 404, "agent_not_found"),
        ("path?from=alpha&to=gamma", 404, "agent_not_found"),
        ("carriers", 400, "bad_request"),
        ("carriers?net=10.0.0.0%2F33", 400, "bad_request"),
    ] {
        let answer = ask(&kattila, query).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (status, Some(code)),
            "{query}"
        );
    }
    let stranger = http::get(kattila.addr(), "/api/v1/path?from=alpha&to=beta", &[]).await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn carriers_of_a_prefix_are_listed() {
    let kattila = pair().await;
    let answer = ask(&kattila, "carriers?net=10.77.0.2").await.json();
    let lines: Vec<_> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            format!("{} {} {}", text("hostname"), text("kind"), text("prefix"))
        })
        .collect();
    let expected = [
        "beta address 10.77.0.2/24",
        "alpha allowed_ip 10.77.0.2/32",
        "alpha route 10.77.0.0/24",
        "beta route 10.77.0.0/24",
    ];
    assert_eq!(lines, expected);
    let elsewhere = ask(&kattila, "carriers?net=10.77.0.2&fleet_id=fleet-b").await;
    assert_eq!(elsewhere.json(), json!([]));
}

/// Alpha lets beta use 10.0.0.0/8 and routes a part of it there, another network to a gateway
/// without an agent, and one into the tunnel that no peer may use.
async fn led() -> TestManager {
    let kattila = TestManager::start().await;
    let mut alpha = Host::alpha().with_peer(BETA_KEY, 2, START.0 - 20, 1000);
    alpha.peers[0]["allowed_ips"] = json!(["10.77.0.2/32", "10.0.0.0/8"]);
    let mut data = alpha.data();
    data["routes"].as_array_mut().unwrap().extend([
        json!({"dst": "10.1.0.0/16", "dev": "wg0", "protocol": "static"}),
        json!({"dst": "10.2.0.0/16", "dev": "eth0", "gateway": "192.0.2.254", "protocol": "static"}),
        json!({"dst": "fd99::/48", "dev": "wg0", "protocol": "static"}),
    ]);
    kattila.agent(ALPHA).report(&data).await;
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 20, 1000);
    kattila.agent(BETA).report(&beta.data()).await;
    // Who is new is on the map by now.
    kattila.advance(3).await;
    kattila
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_come_in_each_order_page_by_page_as_at_once() {
    let kattila = led().await;
    for sort in ["known", "prefix", "fleet"] {
        let prefixes = async |query: &str| {
            let view = ask(&kattila, &format!("networks?{query}")).await.json();
            let rows = view["networks"].as_array().unwrap();
            let rows: Vec<Value> = rows.iter().map(|row| row["prefix"].clone()).collect();
            (rows, view["next"].as_str().map(str::to_owned))
        };
        let (whole, _) = prefixes(&format!("sort={sort}")).await;
        let (mut down, _) = prefixes(&format!("sort=-{sort}")).await;
        down.reverse();
        assert_eq!(whole, down, "{sort}");
        if sort == "prefix" {
            assert_eq!(whole, ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "fd99::/48"]);
        }
        let (mut paged, mut next) = prefixes(&format!("sort={sort}&limit=1")).await;
        while let Some(after) = next {
            let page = prefixes(&format!("sort={sort}&limit=1&after={after}")).await;
            paged.extend(page.0);
            next = page.1;
        }
        assert_eq!(paged, whole, "{sort}");
    }
    assert_eq!(ask(&kattila, "networks?sort=colour").await.code(), "bad_request");
    let sorted = kattila.operator().get("/paths?networks=1&sort=-prefix").await.text();
    assert!(sorted.find(">fd99::/48<") < sorted.find(">10.2.0.0/16<"), "{sorted}");
    assert!(sorted.contains("href=\"/paths?networks=1&#38;sort=prefix#networks\""), "{sorted}");
    assert_eq!(ask(&kattila, "networks?after=10.1.0.0/16").await.code(), "bad_request");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_only_routes_lead_to_are_told_from_those_that_hosts_are_in() {
    let kattila = led().await;
    let told = ask(&kattila, "networks").await.json();
    let lines: Vec<_> = told["networks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["prefix"], row["inside"], row["by_routes"], row["by_allowed_ips"]]))
        .collect();
    let [alpha, beta] = [ALPHA, BETA].map(|id| format!("a:{id}"));
    let expected = [
        json!(["10.1.0.0/16", false, [beta], []]),
        json!(["10.2.0.0/16", false, [alpha], []]),
        json!(["fd99::/48", false, [], []]),
        json!(["10.0.0.0/8", true, [], [beta]]),
    ];
    assert_eq!((lines, &told["left_out"]), (expected.to_vec(), &json!(0)));
    let first = ask(&kattila, "networks?limit=1").await.json();
    assert_eq!(first["networks"][0], told["networks"][0]);
    assert_eq!((first["networks"].as_array().unwrap().len(), &first["left_out"]), (1, &json!(3)));
    // Page by page, each once; what is no page's end is refused.
    let (mut paged, mut page) = (Vec::new(), first);
    loop {
        paged.extend(page["networks"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        page = ask(&kattila, &format!("networks?limit=1&after={next}")).await.json();
    }
    assert_eq!(&Value::Array(paged), &told["networks"]);
    let picture =
        async |query: &str| kattila.operator().get(&format!("/map.svg?{query}")).await.text();
    let drawn = |svg: &str| {
        (svg.matches("class=\"net\"").count(), svg.matches("class=\"net beyond\"").count())
    };
    let svg = picture("layers=subnets").await;
    assert_eq!(drawn(&svg), (1, 2), "{svg}");
    assert!(
        svg.contains(">10.1.0.0/16<") && svg.contains("pointed: known by routes only"),
        "{svg}"
    );
    let masked = picture("layers=subnets&anon=1").await;
    assert_eq!(drawn(&masked), (1, 2));
    assert!(!masked.contains("alpha"), "{masked}");
    let now = kattila.clock.now();
    assert_eq!(drawn(&picture("layers=wireguard").await), (0, 0));
    assert_eq!(
        drawn(&picture(&format!("layers=subnets&at={now}")).await),
        (0, 0),
        "none of the past"
    );
    let page = kattila.operator().get("/paths?networks=1").await.text();
    assert!(page.contains("Nobody: no peer may use it") && page.contains(">alpha</a>"), "{page}");
    let page = kattila.operator().get("/paths").await.text();
    assert!(page.contains("List the networks"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_without_a_script_and_says_what_is_wrong() {
    let kattila = pair().await;
    let page = kattila.operator().get("/paths?from=alpha&to=10.77.0.2&source=").await.text();
    assert!(page.contains("From alpha to 10.77.0.2"), "{page}");
    assert!(page.contains("The answer, from beta to 10.77.0.1"), "{page}");
    let page = kattila.operator().get("/paths?from=nobody&to=10.77.0.2").await.text();
    assert!(page.contains("No agent is called nobody"), "{page}");
    let page = kattila.operator().get("/paths?net=10.77.0.0/24").await.text();
    assert!(page.contains("lets a peer use it"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_lost_is_told() {
    let kattila = TestManager::start().await;
    let alpha = Host::alpha().with_peer(BETA_KEY, 2, START.0 - 20, 1000).with_peer(
        STRANGER_KEY,
        3,
        START.0 - 20,
        1000,
    );
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 20, 1000);
    for (id, host) in [(ALPHA, alpha), (BETA, beta)] {
        kattila.agent(id).report(&host.data()).await;
    }
    kattila.advance(0).await;
    let loss = ask(&kattila, &format!("what-if?without={ALPHA}")).await.json();
    let labels = |parts: &Value| -> Vec<Vec<String>> {
        let names = |part: &Value| {
            let nodes = part["nodes"].as_array().unwrap().iter();
            nodes.map(|node| node["label"].as_str().unwrap().to_owned()).collect()
        };
        parts.as_array().unwrap().iter().map(names).collect()
    };
    assert_eq!(loss["taken"][0]["label"], "alpha");
    assert_eq!(labels(&loss["cut_off"]).len(), 1, "beta and the stranger part: {loss:#}");
    let link = kattila.operator().topology().await["edges"]
        .as_array()
        .unwrap()
        .iter()
        .find(|edge| edge["ends"].as_array().unwrap().iter().all(|end| !end["agent_id"].is_null()))
        .map(|edge| edge["id"].as_str().unwrap().to_owned())
        .unwrap();
    let loss = ask(&kattila, &format!("what-if?without={link}")).await.json();
    assert_eq!(labels(&loss["cut_off"]), [["beta"]]);
    assert_eq!(loss["cut_off"][0]["loses"], 2);
    // Of two peers of alpha one has an agent: that one hangs on a link, and on no host.
    let weak = ask(&kattila, "weak-points?limit=5").await.json();
    assert_eq!((&weak["hosts"], &weak["links_total"]), (&json!([]), &json!(1)), "{weak:#}");
    assert_eq!((&weak["links"][0]["id"], &weak["links"][0]["cut_off"]), (&json!(link), &json!(1)));
    let page = kattila.operator().get("/what-if").await.text();
    assert!(page.contains("Agents cut off without it"), "{page}");
    for (query, status) in [("what-if", 400), ("what-if?without=nobody", 404)] {
        assert_eq!(ask(&kattila, query).await.status, status, "{query}");
    }
    let page = kattila.operator().get(&format!("/what-if?without={link},{ALPHA}")).await.text();
    assert!(page.contains("Put it back") && page.contains("Nobody"), "{page}");
    let page = kattila.operator().get("/what-if?without=nobody").await.text();
    assert!(page.contains("no such agent, peer or link as nobody"), "{page}");
}
