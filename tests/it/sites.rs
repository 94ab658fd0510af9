//! Sites that operators give to agents, in place of what their hosts say.

use serde_json::{Value, json};

use crate::support::browser::Tab;
use crate::support::fleet::{ALPHA, BETA, Host};
use crate::support::manager::TestManager;

const PASSWORD: &str = "four white horses at noon";

fn data(host: &Host, site: Option<&str>) -> Value {
    let mut data = host.data();
    data["labels"] =
        site.map_or_else(|| json!({}), |site| json!({"site": site, "role": "gateway"}));
    data
}

async fn sites(kattila: &TestManager) -> Vec<Value> {
    let all = kattila.operator().json("/status/agents").await;
    all.as_array().unwrap().iter().map(|agent| agent["site"].clone()).collect()
}

async fn set(kattila: &TestManager, agents: &[&str], site: Value) -> u16 {
    let body = json!({"agents": agents, "site": site});
    kattila.operator().post("/api/v1/sites", &body).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_given_wins_until_it_is_taken_back() {
    let kattila = TestManager::start().await;
    let (mut alpha, mut beta) = (kattila.agent(ALPHA), kattila.agent(BETA));
    alpha.report(&data(&Host::alpha(), Some("berlin"))).await;
    beta.report(&data(&Host::beta(), None)).await;
    kattila.advance(2).await;
    assert_eq!(set(&kattila, &[ALPHA, BETA, ALPHA], json!(" hel ")).await, 200);
    assert_eq!(sites(&kattila).await, ["hel", "hel"]);

    // They move on the map, where others stay.
    kattila.advance(2).await;
    let found = kattila.operator().json("/api/v1/search?q=site:hel").await;
    assert_eq!(found["nodes"].as_array().unwrap().len(), 2, "{found}");
    let map = kattila.operator().topology().await;
    let circles: Vec<_> = map["nodes"].as_array().unwrap().iter().map(|n| &n["site"]).collect();
    assert!(circles[0] == circles[1] && circles[0].as_str().unwrap().ends_with("/hel"), "{map}");

    // Whatever the hosts say from now on, also after a restart.
    alpha.report(&data(&Host::alpha(), Some("oulu"))).await;
    beta.report(&data(&Host::beta(), None)).await;
    assert_eq!(sites(&kattila).await, ["hel", "hel"]);
    let kattila = kattila.restart().await;
    assert_eq!(sites(&kattila).await, ["hel", "hel"]);
    let operator = kattila.operator();
    let one = operator.json(&format!("/api/v1/agents/{ALPHA}")).await;
    assert_eq!(
        (&one["labels"]["site"], &one["labels"]["role"]),
        (&json!("hel"), &json!("gateway"))
    );
    assert_eq!(
        (&one["site_set"]["site"], &one["site_set"]["told"]),
        (&json!("hel"), &json!("oulu"))
    );
    let page = operator.get(&format!("/agents/{ALPHA}")).await.text();
    assert!(page.contains("and wins over its host, which says &#34;oulu&#34;"), "{page}");
    for query in ["site:hel", "host:alpha%20site:hel", "site:oulu"] {
        let found = operator.json(&format!("/status/agents?q={query}")).await;
        let wanted = ["site:hel", "host:alpha%20site:hel", "site:oulu"];
        let count = wanted.iter().position(|one| *one == query).map_or(0, |i| 2 - i);
        assert_eq!(found.as_array().unwrap().len(), count, "{query}");
    }
    let csv = operator.get("/api/v1/export/agents.csv").await.text();
    assert_eq!(csv.matches("/hel,").count(), 2, "{csv}");

    // It is told with who did it, and reports of what was before are no change.
    let events = operator.json("/api/v1/events?limit=1000&after=0").await;
    let changed = |event: &&Value| event["kind"] == "agent.changed" && !event["cause"].is_null();
    let by_people: Vec<&Value> = events.as_array().unwrap().iter().filter(changed).collect();
    assert_eq!(by_people.len(), 2, "{events}");
    assert_eq!(by_people[0]["before"]["labels"]["site"], "berlin");
    assert_eq!(by_people[0]["after"]["labels"]["site"], "hel");
    let audit = operator.json("/api/v1/audit?act=agent.site").await;
    assert_eq!(audit["entries"].as_array().unwrap().len(), 1, "{audit}");

    assert_eq!(set(&kattila, &[ALPHA, BETA], Value::Null).await, 200);
    assert_eq!(sites(&kattila).await, [json!("oulu"), Value::Null]);
    for (agents, site) in [(&[][..], json!("x")), (&[ALPHA][..], json!("a\nb"))] {
        assert_eq!(set(&kattila, agents, site.clone()).await, 400, "{agents:?} {site}");
    }
    assert_eq!(set(&kattila, &[ALPHA, "nobody"], json!("x")).await, 404, "all of them or none");
    assert_eq!(sites(&kattila).await[0], "oulu");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_says_whom_it_means_before_anything_is_changed() {
    let kattila = TestManager::start().await;
    for (id, host) in [(ALPHA, Host::alpha()), (BETA, Host::beta())] {
        kattila.agent(id).report(&data(&host, None)).await;
    }
    kattila.advance(2).await;
    for (name, role) in [("per", "operator"), ("vic", "viewer")] {
        let user = json!({"name": name, "role": role, "password": PASSWORD});
        assert_eq!(kattila.operator().post("/api/v1/users", &user).await.status, 201);
    }
    let mut tab = Tab::signed_in(kattila.addr(), "per", PASSWORD).await;
    let page = tab.get("/agents").await.text();
    assert_eq!(page.matches("form=\"bulk\" name=\"agent\"").count(), 2);
    let fields = format!("agent={ALPHA}&agent={BETA}&site=hel&q=&sort=");
    let asked = tab.post("/agents/site", &fields).await;
    assert_eq!(asked.status, 200);
    assert!(asked.text().contains("Give 2 agents the site hel"), "{}", asked.text());
    assert_eq!(sites(&kattila).await, [Value::Null, Value::Null], "nothing yet");
    let done = tab.post("/agents/site", &format!("{fields}&sure=1")).await;
    assert_eq!((done.status, done.header("location")), (303, Some("/agents?q=&sort=")));
    assert_eq!(sites(&kattila).await, ["hel", "hel"]);
    let page = tab.get("/agents?q=&sort=").await.text();
    assert!(page.contains("2 agents of site hel from now on."), "{page}");
    assert_eq!(tab.post("/agents/site", "site=hel").await.status, 400);
    let mut viewer = Tab::signed_in(kattila.addr(), "vic", PASSWORD).await;
    assert_eq!(viewer.post("/agents/site", &fields).await.status, 403);
    assert!(!viewer.get("/agents").await.text().contains("id=\"bulk\""));
    kattila.stop().await;
}
