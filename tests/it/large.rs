//! A fleet that is too large for a browser to hold whole: a real manager, and a real browser.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kattila::clock::Clock;
use serde_json::{Value, json};

use crate::support::actors::Agent;
use crate::support::manager::TestManager;
use crate::support::script::{BROWSER, Script};

/// More than `WHOLE_NODES` together.
const SITES: u32 = 60;
const EACH: u32 = 180;

/// Connections at once.
const LANES: u32 = 16;

fn id(site: u32, host: u32) -> String {
    format!("{:032x}", site * 1000 + host)
}

fn key(site: u32, host: u32) -> String {
    let mut key = [0x5a; 32];
    key[..4].copy_from_slice(&(site * 1000 + host).to_be_bytes());
    STANDARD.encode(key)
}

/// Host 0 of a site is its hub, with whom all others have a link; hubs have one with the next.
fn report(name: &str, site: u32, host: u32) -> Value {
    let now = Clock::system().now();
    let peer = |site: u32, host: u32| {
        json!({"interface": "wg0", "public_key": key(site, host), "latest_handshake": now,
            "allowed_ips": [format!("10.{site}.{}.{}/32", host / 250, host % 250 + 1)]})
    };
    let peers: Vec<_> = match host {
        0 => (1..EACH)
            .map(|h| peer(site, h))
            .chain([1, SITES - 1].map(|step| peer((site + step) % SITES, 0)))
            .collect(),
        _ => vec![peer(site, 0)],
    };
    json!({
        "hostname": name,
        "labels": {"site": format!("Site {site:02}"), "role": if host == 0 { "gateway" } else { "agent" }},
        "interfaces": [{"name": "wg0", "state": "up", "public_key": key(site, host),
            "addresses": [format!("10.{site}.{}.{}/16", host / 250, host % 250 + 1)]}],
        "wg_peers": peers,
    })
}

async fn everybody_reports(kattila: &TestManager) {
    let lanes = (0..LANES).map(|lane| {
        let agents: Vec<(u32, u32, Agent)> = (0..SITES)
            .flat_map(|site| (0..EACH).map(move |host| (site, host)))
            .filter(|(site, host)| (site * EACH + host) % LANES == lane)
            .map(|(site, host)| (site, host, kattila.agent(&id(site, host))))
            .collect();
        tokio::spawn(async move {
            for (site, host, mut agent) in agents {
                agent.report(&report(&format!("h-{site}-{host}"), site, host)).await;
            }
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await.unwrap();
    }
}

async fn everybody_has_a_place(kattila: &TestManager) {
    let operator = kattila.operator();
    let placed = async {
        loop {
            let map = operator.json("/api/v1/topology?shape=sites").await;
            let counts = map["sites"].as_array().unwrap().iter().map(|site| &site["counts"]);
            let all: u64 = counts
                .flat_map(|counts| counts.as_object().unwrap().values())
                .map(|count| count.as_u64().unwrap())
                .sum();
            if all == u64::from(SITES * EACH) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(180), placed).await.expect("everybody has a place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_holds_what_is_open_of_a_large_fleet() {
    let _one = BROWSER.lock().await;
    let settings = [("KATTILA_ANONYMOUS_ROLE", "viewer"), ("KATTILA_REPORT_INTERVAL", "600")];
    let kattila = TestManager::start_live(&settings).await;
    everybody_reports(&kattila).await;
    everybody_has_a_place(&kattila).await;
    let (sites, each) = (SITES.to_string(), EACH.to_string());
    let numbers = [("KATTILA_TEST_SITES", sites.as_str()), ("KATTILA_TEST_EACH", each.as_str())];
    let mut script = Script::start("large.test.mjs", kattila.manager().url(), &numbers);
    let mut renamed = 0;
    while let Some(wish) = script.asks().await {
        let words: Vec<&str> = wish.split(' ').collect();
        let ["rename", site, host] = words[..] else { panic!("nobody does this here: {wish}") };
        let (site, host) = (site.parse().unwrap(), host.parse().unwrap());
        let mut agent = kattila.agent(&id(site, host));
        // Its first nonce is spent.
        drop(agent.seal_v2("{}"));
        agent.report(&report("turncoat", site, host)).await;
        renamed += 1;
    }
    assert_eq!(renamed, 1);
    kattila.stop().await;
}
