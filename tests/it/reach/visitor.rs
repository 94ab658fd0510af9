//! Who comes by a shared link sees the tables and the map of its fleets, and nothing else.

use kattila::http::access::Need;
use serde_json::json;

use super::{ALPHA, BETA, GAMMA, Scene, paths, readable, shows_nothing_of_others};
use crate::support::http::get;

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_is_shown_one_fleet_and_only_what_is_shared() {
    let scene = Scene::new().await;
    let (addr, admin) = (scene.kattila.addr(), scene.kattila.operator());
    let wanted = json!({"view": format!("/map?sel=node~a:{ALPHA}"), "fleets": ["fleet-a"]});
    let made = admin.post("/api/v1/shares", &wanted).await.json();
    let opened = get(addr, made["path"].as_str().unwrap(), &[]).await;
    assert_eq!(opened.header("location"), wanted["view"].as_str());
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let own = scene.ids("fleet-a", ALPHA).await;
    let theirs = scene.ids("the-other-fleet", GAMMA).await;
    let (mut read, mut refused) = (0, 0);
    for route in readable() {
        for path in paths(&route, &own) {
            let answer = get(addr, &path, &[("cookie", &cookie)]).await;
            shows_nothing_of_others(&path, &answer.text());
            if route.need == Need::Shared {
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                read += 1;
            } else {
                assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
                refused += 1;
            }
        }
        let about_one = route.need == Need::Shared && route.path.contains("{id}");
        for path in if about_one { paths(&route, &theirs) } else { Vec::new() } {
            let answer = get(addr, &path, &[("cookie", &cookie)]).await;
            // A link's page of the past says of everything strange that it is not known yet.
            assert!(answer.status == 404 || path.contains("?at="), "{path}: {}", answer.text());
            shows_nothing_of_others(&path, &answer.text());
        }
    }
    assert!(read > 40 && refused > 30, "{read} {refused}");
    let seen = get(addr, "/status/agents", &[("cookie", &cookie)]).await.json();
    let ids: Vec<_> = seen.as_array().unwrap().iter().map(|one| one["agent_id"].clone()).collect();
    assert_eq!(ids, [json!(ALPHA), json!(BETA)]);
    // Who is told of alarms, and where, is for people with an account.
    let alarm = own.iter().find(|(kind, _)| *kind == "alarms").unwrap().1.clone();
    let page = format!("/alarms/{alarm}");
    let shown = get(addr, &page, &[("cookie", &cookie), ("accept", "text/html")]).await.text();
    assert!(shown.contains("id=\"visit\"") && shown.contains("fleet fleet-a"), "the banner");
    assert!(!shown.contains("chat"), "a visitor is told of a channel");
    assert!(admin.get(&page).await.text().contains("chat"), "nobody is told: this shows nothing");
    scene.kattila.stop().await;
}
