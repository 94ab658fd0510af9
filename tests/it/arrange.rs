//! People arrange the map: what they pin stays where they put it, for everybody, over restarts, and
//! can be taken back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::manager::TestManager;
use crate::support::rows::Rows;

async fn pair() -> TestManager {
    let kattila = TestManager::start_live(&[]).await;
    let now = kattila.clock.now().0;
    let alpha = Host::alpha().with_peer(BETA_KEY, 2, now - 20, 1000);
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, now - 20, 1000);
    for (id, host) in [(ALPHA, alpha), (BETA, beta)] {
        kattila.agent(id).report(&host.data()).await;
    }
    let placed = async {
        // A circle is told once its nodes are counted.
        loop {
            let map = kattila.operator().topology().await;
            if map["nodes"].as_array().unwrap().len() == 2 && map["sites"][0]["id"].is_string() {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), placed).await.expect("both have a place");
    kattila
}

/// Where a node or site is.
async fn place(kattila: &TestManager, id: &str) -> (f64, f64) {
    let map = kattila.operator().topology().await;
    let all = ["nodes", "sites"].map(|part| map[part].as_array().unwrap().clone()).concat();
    let found = all.iter().find(|thing| thing["id"] == id).unwrap();
    (found["x"].as_f64().unwrap(), found["y"].as_f64().unwrap())
}

async fn act(kattila: &TestManager, what: &str, body: &Value) -> Value {
    let answer = kattila.operator().post(&format!("/api/v1/layout/{what}"), body).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    answer.json()
}

fn alpha() -> String {
    format!("a:{ALPHA}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pinned_stays_over_a_restart_until_it_is_taken_back() {
    let kattila = pair().await;
    let before = place(&kattila, &alpha()).await;
    let site = kattila.operator().topology().await["nodes"][0]["site"].as_str().unwrap().to_owned();
    let middle = place(&kattila, &site).await;
    let beta = place(&kattila, &format!("a:{BETA}")).await;
    let there = (middle.0 + 10.5, middle.1 - 20.3);
    let moves = json!({"moves": [{"id": alpha(), "x": there.0, "y": there.1}]});
    let told = act(&kattila, "pin", &moves).await;
    assert_eq!(told["pinned"], json!([alpha()]));
    assert_eq!((&told["steps"][0]["act"], &told["steps"][0]["count"]), (&json!("pin"), &json!(1)));
    let near = |(ax, ay): (f64, f64), (bx, by): (f64, f64)| {
        (ax - bx).abs() < 0.06 && (ay - by).abs() < 0.06
    };
    assert!(near(place(&kattila, &alpha()).await, there));
    assert_eq!(place(&kattila, &format!("a:{BETA}")).await, beta, "nobody else moves");
    // Everything anew is everything but that.
    act(&kattila, "rearrange", &json!({})).await;
    assert!(near(place(&kattila, &alpha()).await, there));

    let kattila = kattila.restart().await;
    assert!(near(place(&kattila, &alpha()).await, there));
    let told = kattila.operator().json("/api/v1/layout").await;
    assert_eq!(told["pinned"], json!([alpha()]));
    let steps: Vec<i64> =
        told["steps"].as_array().unwrap().iter().map(|s| s["step"].as_i64().unwrap()).collect();
    for step in &steps {
        act(&kattila, "undo", &json!({ "step": step })).await;
    }
    assert_eq!(place(&kattila, &alpha()).await, before);
    let told = kattila.operator().json("/api/v1/layout").await;
    assert_eq!((&told["pinned"], &told["steps"]), (&json!([]), &json!([])));
    let late = kattila.operator().post("/api/v1/layout/undo", &json!({"step": steps[0]})).await;
    assert_eq!((late.status, late.json()["code"].clone()), (409, json!("conflict")));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_takes_its_nodes_along_and_everybody_sees_it() {
    let kattila = pair().await;
    let map = kattila.operator().topology().await;
    let site = map["nodes"][0]["site"].as_str().unwrap().to_owned();
    let (before, node) = (place(&kattila, &site).await, place(&kattila, &alpha()).await);
    let moves = json!({"moves": [{"id": site, "x": before.0 + 900.0, "y": before.1}]});
    let told = act(&kattila, "pin", &moves).await;
    assert_eq!(told["layout_rev"].as_i64().unwrap(), map["layout_rev"].as_i64().unwrap() + 1);
    let after = place(&kattila, &site).await;
    let carried = place(&kattila, &alpha()).await;
    assert!((carried.0 - node.0 - (after.0 - before.0)).abs() < 0.11);
    act(&kattila, "unpin", &json!({"ids": [site]})).await;
    assert_eq!(place(&kattila, &site).await, after, "letting go moves nothing");
    let moved = kattila.operator().json("/api/v1/layout/preview").await;
    assert!(!moved["moved"].as_array().unwrap().is_empty());
    assert_eq!(place(&kattila, &site).await, after, "a look moves nothing");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_are_told_and_what_cannot_be_is_refused_whole() {
    let kattila = pair().await;
    let before = place(&kattila, &alpha()).await;
    let operator = kattila.operator();
    for (what, body, status) in [
        (
            "pin",
            json!({"moves": [{"id": alpha(), "x": 1, "y": 2}, {"id": "a:no", "x": 1, "y": 2}]}),
            404,
        ),
        ("pin", json!({"moves": []}), 400),
        ("pin", json!({"moves": [{"id": alpha(), "x": "left", "y": 2}]}), 400),
        ("unpin", json!({"ids": ["nobody"]}), 404),
        ("undo", json!({"step": 1}), 409),
    ] {
        let answer = operator.post(&format!("/api/v1/layout/{what}"), &body).await;
        assert_eq!(answer.status, status, "{what} {body}: {}", answer.text());
    }
    assert_eq!(place(&kattila, &alpha()).await, before);
    act(&kattila, "pin", &json!({"moves": [{"id": alpha(), "x": 1e300, "y": 0}]})).await;
    let audit = operator.json("/api/v1/audit?act=layout.").await;
    let entry = &audit["entries"][0];
    assert_eq!(entry["act"], "layout.pin");
    assert!(entry["after"].to_string().contains(&alpha()));
    let events = operator.events().await;
    assert!(events.iter().any(|event| event.contains("pinned 1 thing on the map")), "{events:?}");
    assert_eq!(Rows::of(&kattila.db()).count("layout_steps"), 1);
    kattila.stop().await;
}
