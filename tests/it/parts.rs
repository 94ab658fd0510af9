//! Parts of the map: layers, one site, other shapes; and what they cost when many ask.

use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::http::{Answer, get};
use crate::support::manager::{ADMIN_TOKEN, START, TestManager};

/// `alpha` in one site; `beta` in another with a peer that is no agent.
async fn two_sites() -> TestManager {
    let kattila = TestManager::start_with(&[("KATTILA_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let alpha = Host::alpha().with_peer(BETA_KEY, 2, START.0 - 10, 1000);
    let beta = Host::beta().with_peer(ALPHA_KEY, 1, START.0 - 10, 1000);
    let beta = beta.with_peer(STRANGER_KEY, 9, START.0 - 10, 1000);
    for (id, host, site) in [(ALPHA, alpha, "hel"), (BETA, beta, "oul")] {
        let mut data = host.data();
        data["labels"]["site"] = json!(site);
        kattila.agent(id).report(&data).await;
    }
    kattila.advance(2).await;
    kattila
}

async fn ask(kattila: &TestManager, query: &str, more: &[(&str, &str)]) -> Answer {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let headers = [&[("authorization", bearer.as_str())], more].concat();
    get(kattila.addr(), &format!("/api/v1/topology?{query}"), &headers).await
}

fn ids(part: &Value) -> Vec<&str> {
    part.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

/// A measure of the manager.
async fn measure(kattila: &TestManager, name: &str) -> u64 {
    let text = get(kattila.manager().metrics_addr().unwrap(), "/metrics", &[]).await.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
    line.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_site_comes_with_the_links_that_leave_it() {
    let kattila = two_sites().await;
    let whole = ask(&kattila, "", &[]).await.json();
    assert_eq!(ids(&whole["sites"]).len(), 2, "{whole}");
    let home = |id: &str| {
        let all = whole["nodes"].as_array().unwrap();
        all.iter().find(|node| node["id"] == id).unwrap()["site"].as_str().unwrap().to_owned()
    };
    let (alpha, beta) = (format!("a:{ALPHA}"), format!("a:{BETA}"));
    let hel = ask(&kattila, &format!("site={}", home(&alpha)), &[]).await.json();
    assert_eq!((ids(&hel["nodes"]), ids(&hel["beyond"])), (vec![&*alpha], vec![&*beta]));
    assert_eq!(hel["beyond"][0]["site"], home(&beta).as_str());
    assert_eq!(hel["edges"].as_array().unwrap().len(), 1, "the other link is not of this site");
    assert_eq!(hel["nodes"][0], whole["nodes"].as_array().unwrap()[0]);
    let at = format!("site={}&at={}", home(&alpha), START.plus(2));
    let then = ask(&kattila, &at, &[]).await.json();
    assert_eq!((ids(&then["nodes"]), ids(&then["beyond"])), (vec![&*alpha], vec![&*beta]));
    assert_eq!(then["status_since"].as_object().unwrap().len(), 1);
    // Under pseudonyms, sites have others' ids, and a real one names nothing.
    let masked = ask(&kattila, &format!("anon=1&site={}", home(&alpha)), &[]).await;
    assert_eq!((masked.status, masked.code()), (404, "not_found".to_owned()));
    let sites = ask(&kattila, "anon=1&shape=sites", &[]).await.json();
    let mut found = 0;
    for site in ids(&sites["sites"]) {
        let part = ask(&kattila, &format!("anon=1&site={site}"), &[]).await.json();
        found += part["nodes"].as_array().unwrap().len();
    }
    assert_eq!(found, 3);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_with_every_report_is_only_in_the_map_that_names_every_member() {
    let kattila = two_sites().await;
    let whole = ask(&kattila, "shape=keyed", &[]).await.json();
    let auto = ask(&kattila, "shape=auto", &[]).await.json();
    assert_eq!((&auto["shape"], ids(&auto["nodes"])), (&json!("keyed"), ids(&whole["nodes"])));
    for (all, some) in
        std::iter::zip(whole["edges"].as_array().unwrap(), auto["edges"].as_array().unwrap())
    {
        for (all, some) in
            std::iter::zip(all["ends"].as_array().unwrap(), some["ends"].as_array().unwrap())
        {
            let mut all = all.as_object().unwrap().clone();
            for moving in ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"] {
                assert!(all.remove(moving).is_some(), "{moving}");
            }
            assert_eq!(&all, some.as_object().unwrap());
        }
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sites_first_tells_how_they_hang_together() {
    let kattila = two_sites().await;
    let sites = ask(&kattila, "shape=sites", &[]).await.json();
    let hel = sites["sites"][0]["id"].as_str().unwrap();
    let oul = sites["sites"][1]["id"].as_str().unwrap();
    let states = |one: &Value| one["states"].as_object().unwrap().len();
    let pairs = sites["pairs"].as_array().unwrap();
    let told: Vec<_> =
        pairs.iter().map(|p| (p["source"].as_str(), p["target"].as_str(), states(p))).collect();
    assert_eq!(told, [(Some(hel), Some(oul), 1), (Some(oul), Some(oul), 1)], "{sites}");
    assert_eq!((&sites["nodes"], &sites["edges"]), (&json!([]), &json!([])));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_not_is_refused_with_what_to_do() {
    let kattila = two_sites().await;
    for (query, status, code, word) in [
        ("layers=roads", 400, "bad_request", "wireguard"),
        ("shape=round", 400, "bad_request", "columns"),
        ("site=lab/nowhere", 404, "not_found", "shape=sites"),
        ("site=lab/hel&shape=sites", 400, "bad_request", "leave out `site`"),
        ("site=lab/nowhere&at=1795000001", 404, "not_found", "shape=sites"),
    ] {
        let query = query.replace("1795000001", &START.plus(2).0.to_string());
        let answer = ask(&kattila, &query, &[]).await;
        assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{query}");
        assert!(answer.text().contains(word), "{query}: {}", answer.text());
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_cost_one_map_and_those_who_have_it_none() {
    let kattila = two_sites().await;
    let gzip = ("accept-encoding", "gzip");
    let parts = ["", "shape=columns", "shape=sites", "layers=wireguard", "shape=auto", "anon=1"];
    let mut tags = Vec::new();
    for part in parts {
        tags.push(ask(&kattila, part, &[gzip]).await.header("etag").unwrap().to_owned());
    }
    let mut apart = tags.clone();
    apart.sort_unstable();
    apart.dedup();
    assert_eq!(apart.len(), parts.len(), "each part has its own tag: {tags:?}");
    let counted = async || {
        let written = measure(&kattila, "kattila_maps_written_total").await;
        (measure(&kattila, "kattila_maps_made").await, written)
    };
    let before = counted().await;
    assert_eq!(before.1, u64::try_from(parts.len()).unwrap());
    for _watcher in 0..20 {
        for (part, tag) in parts.iter().zip(&tags) {
            let known = ask(&kattila, part, &[gzip, ("if-none-match", tag)]).await;
            assert_eq!((known.status, known.text().len()), (304, 0), "{part}");
            assert_eq!(known.header("etag"), Some(tag.as_str()));
            assert_eq!(ask(&kattila, part, &[gzip]).await.status, 200, "{part}");
        }
    }
    assert_eq!(counted().await, before);
    // A second later only handshakes and counters are newer; who has the map is not sent it, and
    // not one is made.
    kattila.clock.set(kattila.clock.now().plus(1));
    for (part, tag) in parts.iter().zip(&tags) {
        assert_eq!(ask(&kattila, part, &[gzip, ("if-none-match", tag)]).await.status, 304);
    }
    assert_eq!(counted().await, before);
    kattila.stop().await;
}
