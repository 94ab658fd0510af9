//! The page of one alarm, the history with its filters, and the quality of alarms.

use serde_json::{Value, json};

use crate::support::network::Network;

/// Beta's end of the link is gone from its list for a while, and alpha's uplink goes down twice.
async fn with_a_past() -> Network {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(2).await;
    net.links[0].mutual = false;
    net.rounds(3).await;
    net.links[0].mutual = true;
    net.rounds(2).await;
    for _ in 0..2 {
        net.hosts[0].eth0_up = false;
        net.rounds(2).await;
        net.hosts[0].eth0_up = true;
        net.rounds(2).await;
    }
    assert!(net.alarms().await.is_empty());
    net
}

fn kinds(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|alarm| alarm["kind"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_tells_the_life_of_an_alarm_and_shows_what_proves_it() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.rounds(2).await;
    net.links[0].mutual = false;
    net.rounds(3).await;
    let alarm = net.alarm("edge.half_configured").await;
    let (id, raised) = (&alarm["id"], &alarm["raised_at"]);
    let operator = net.kattila.operator();
    let api = format!("/api/v1/alarms/{id}");
    operator.post(&format!("{api}/ack"), &json!({ "note": "beta is new" })).await;
    let shelf = json!({ "for_s": 3_600, "reason": "waits for beta" });
    operator.post(&format!("{api}/shelve"), &shelf).await;
    let page = operator.get(&format!("/alarms/{id}")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let page = page.text();
    for wanted in [
        "alpha - beta half configured: beta does not list alpha",
        "The condition began",
        "Raised as major",
        "Acknowledged: beta is new",
        "waits for beta",
        "<h3>alpha</h3>",
        "<h3>beta</h3>",
        "v2-hmac",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    // Two reports of each end before the raise; the one that raised it is among them.
    assert!(page.matches("<a href=\"/reports/").count() >= 5, "{page}");
    for path in [
        format!("/links/{}?at={raised}", alarm["subject"].as_str().unwrap()),
        format!("/agents/{}?at={raised}", alarm["agent_id"].as_str().unwrap()),
        format!("/links?at={raised}"),
        format!("/map?at={raised}"),
    ] {
        assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
        assert_eq!(operator.get(&path).await.status, 200, "{path}");
    }
    // Over, it is told as before, with its end.
    net.links[0].mutual = true;
    net.rounds(2).await;
    let operator = net.kattila.operator();
    let page = operator.get(&format!("/alarms/{id}")).await.text();
    assert!(page.contains("Over: condition over") && page.contains("Acknowledged: beta is new"));
    assert!(!page.contains("/shelve\""), "nothing can be done about it any more");
    let list = operator.get("/alarms?state=cleared").await.text();
    assert!(list.contains(&format!("href=\"/alarms/{id}\"")));
    for nothing in ["/alarms/4711", "/alarms/x"] {
        assert_eq!(operator.get(nothing).await.status, 404);
    }
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evidence_is_proved_again_and_its_age_is_told() {
    let mut net = Network::start(1, &[]).await;
    net.rounds(2).await;
    net.hosts[0].eth0_up = false;
    net.rounds(2).await;
    let alarm = net.alarm("iface.down").await;
    let (id, report) = (&alarm["id"], &alarm["report_id"]);
    assert!(alarm["stale_since"].is_null());
    let operator = net.kattila.operator();
    let page = operator.get(&format!("/alarms/{id}")).await.text();
    assert!(page.contains("Holds") && !page.contains("Does not hold"), "{page}");
    assert!(!page.contains("Old evidence"));
    let whole = operator.json(&format!("/api/v1/reports/{report}")).await;
    assert_eq!((&whole["proof"], &whole["proof_problem"]), (&json!("holds"), &Value::Null));
    // Somebody changes what is stored, behind the manager's back.
    let change =
        format!("UPDATE reports SET data_sha256 = zeroblob(32) WHERE report_id = {report}");
    rusqlite::Connection::open(net.kattila.db()).unwrap().execute_batch(&change).unwrap();
    let whole = operator.json(&format!("/api/v1/reports/{report}")).await;
    assert_eq!(whole["proof"], "fails");
    assert!(whole["proof_problem"].as_str().unwrap().contains("digest"), "{whole}");
    for path in [format!("/alarms/{id}"), format!("/reports/{report}")] {
        assert!(operator.get(&path).await.text().contains("Does not hold"), "{path}");
    }
    // Its host falls silent: the alarm stays, and says how old it is.
    let heard = net.now();
    net.kattila.advance(300).await;
    let alarm = net.alarm("iface.down").await;
    assert_eq!(alarm["stale_since"], heard);
    let operator = net.kattila.operator();
    for path in [format!("/alarms/{id}"), "/alarms".to_owned()] {
        assert!(operator.get(&path).await.text().to_lowercase().contains("old evidence"), "{path}");
    }
    let offline = net.alarm("agent.offline").await;
    assert!(offline["stale_since"].is_null(), "silence is no old evidence of silence");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_is_narrowed_paged_and_taken_away() {
    let mut net = with_a_past().await;
    net.hosts[1].eth0_up = false;
    net.rounds(2).await;
    let operator = net.kattila.operator();
    let ask = async |query: &str| operator.json(&format!("/api/v1/alarms?{query}")).await;
    let all = ask("state=all").await;
    assert_eq!(kinds(&all), ["iface.down", "iface.down", "iface.down", "edge.half_configured"]);
    assert_eq!(kinds(&ask("state=cleared").await).len(), 3);
    assert_eq!(kinds(&ask("").await), ["iface.down"], "what is open");
    assert_eq!(kinds(&ask("state=all&kind=edge.half_configured").await).len(), 1);
    assert_eq!(kinds(&ask("state=all&severity=critical").await).len(), 0);
    assert_eq!(kinds(&ask("state=all&severity=major").await).len(), 4);
    assert_eq!(kinds(&ask("state=all&q=UPLINK").await).len(), 3, "whatever the case");
    assert_eq!(kinds(&ask("state=all&q=100%25").await).len(), 0, "no pattern of ours");
    assert_eq!(kinds(&ask("state=all&fleet_id=elsewhere").await).len(), 0);
    let beta = all[0]["agent_id"].as_str().unwrap();
    assert_eq!(kinds(&ask(&format!("state=all&agent_id={beta}&kind=iface.down")).await).len(), 1);
    let (first, last) = (&all[3]["raised_at"], &all[0]["raised_at"]);
    let until = format!("state=all&from={first}&to={last}");
    assert_eq!(kinds(&ask(&until).await).len(), 3, "the end does not count");
    // Page by page.
    let page = ask("state=all&limit=3").await;
    let before = &page[2]["id"];
    let rest = ask(&format!("state=all&limit=3&before={before}")).await;
    assert_eq!(kinds(&rest), ["edge.half_configured"]);
    for wrong in ["kind=edge.gone", "severity=bad", "state=pending", "from=yesterday"] {
        let answer = operator.get(&format!("/api/v1/alarms?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    let csv = operator.get("/api/v1/export/alarms.csv?state=all&kind=iface.down").await;
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    assert_eq!(csv.text().lines().count(), 4, "{}", csv.text());
    let narrowed = operator.get("/alarms?state=cleared&kind=edge.half_configured&q=beta").await;
    assert_eq!(narrowed.status, 200);
    assert!(!narrowed.text().contains(" is down on alpha"), "{}", narrowed.text());
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quality_counts_what_came_and_whether_anybody_acted() {
    let net = with_a_past().await;
    let operator = net.kattila.operator();
    let quality = operator.json("/api/v1/alarms/quality").await;
    let of = |kind: &str| {
        let kinds = quality["kinds"].as_array().unwrap().iter();
        kinds.clone().find(|k| k["kind"] == kind).unwrap_or_else(|| panic!("{quality}")).clone()
    };
    let down = of("iface.down");
    assert_eq!((&down["raised"], &down["flapped"]), (&json!(2), &json!(1)));
    assert_eq!((&down["unattended"], &down["acknowledged"]), (&json!(2), &json!(0)));
    assert_eq!(down["open_median_s"], 60, "two reports");
    assert_eq!(of("edge.half_configured")["raised"], 1);
    assert_eq!((&quality["all"]["raised"], &quality["complete"]), (&json!(3), &json!(true)));
    assert_eq!(quality["subjects"][0]["raised"], 2);
    let page = operator.get("/alarms/quality").await;
    assert!(page.status == 200 && page.text().contains("3 alarms raised"), "{}", page.text());
    let earlier = format!("to={}&from={}", net.now() - 9_000, net.now() - 9_999);
    let none = operator.json(&format!("/api/v1/alarms/quality?{earlier}")).await;
    assert_eq!((&none["all"]["raised"], &none["kinds"]), (&json!(0), &json!([])));
    let wrong = format!("/api/v1/alarms/quality?from={0}&to={0}", net.now());
    assert_eq!(operator.get(&wrong).await.status, 400);
    net.kattila.stop().await;
}
