//! The console in a real browser: a whole manager with a made-up fleet behind it, looked at by
//! the scripts of `tests/browser` through headless Chromium.
//!
//! The scripts do the looking and the judging; what happens in the network meanwhile is done
//! here, when a script asks for it by a line on its standard output.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kattila::clock::Clock;
use kattila::http::access::token;
use kattila::http::routes;
use kattila::model::access::Role;
use kattila::process::handle::Command as Order;
use kattila::simulate::demo::{AGENTS, Fleet, FleetOptions};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::support::actors::Agent;
use crate::support::manager::{ADMIN_TOKEN, PSK, TestManager};
use crate::support::own::Own;
use crate::support::script::{BROWSER, Script};

/// Short, so that what a script waits for comes soon.
const INTERVAL: Duration = Duration::from_secs(2);

/// A demo fleet that reports to a manager until it is called back.
struct Crowd {
    fleet: Fleet,
    end: CancellationToken,
}

impl Crowd {
    async fn gather(kattila: &TestManager) -> Self {
        let options = FleetOptions {
            url: kattila.manager().url().to_owned(),
            psk: Zeroizing::new(PSK.as_bytes().to_vec()),
            agents: AGENTS,
            faults: true,
            interval: INTERVAL,
            seed: 1,
        };
        let end = CancellationToken::new();
        let fleet = Fleet::start(options, Clock::system(), end.clone()).await.unwrap();
        Self { fleet, end }
    }

    async fn go_home(self) {
        self.end.cancel();
        self.fleet.join().await.unwrap();
    }
}

/// A host whose name changes with every report, so that the map changes when it is told to.
async fn rename(agent: &mut Agent, turn: u32) {
    agent.report(&json!({ "hostname": format!("turncoat-{turn}"), "interfaces": [] })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_and_the_tables() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_live(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let crowd = Crowd::gather(&kattila).await;
    let mut turncoat = kattila.agent("7c0a7000000000000000000000000000");
    rename(&mut turncoat, 0).await;
    let mut script = Script::start("map.test.mjs", kattila.manager().url(), &[]);
    let mut turn = 0;
    while let Some(wish) = script.asks().await {
        assert_eq!(wish, "change the map");
        turn += 1;
        rename(&mut turncoat, turn).await;
    }
    assert!(turn > 0, "the script never asked for a change");
    Script::start("picture.test.mjs", kattila.manager().url(), &[]).end().await;
    crowd.go_home().await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_put_to_the_map() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_live(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let crowd = Crowd::gather(&kattila).await;
    // Two networks lie behind a host, which has an address in one of them.
    let border = json!({
        "hostname": "border",
        "interfaces": [{ "name": "eth1", "state": "up", "addresses": ["10.202.0.1/16"] }],
        "routes": [
            { "dst": "10.201.0.0/16", "gateway": "10.202.0.9", "dev": "eth1", "protocol": "static" },
            { "dst": "10.202.0.0/15", "gateway": "10.202.0.9", "dev": "eth1", "protocol": "static" },
        ],
    });
    kattila.agent("b07de700000000000000000000000000").report(&border).await;
    Script::start("questions.test.mjs", kattila.manager().url(), &[]).end().await;
    Script::start("stage.test.mjs", kattila.manager().url(), &[]).end().await;
    crowd.go_home().await;
    kattila.stop().await;
}

/// What a host on the map of relays reports: a hub with whom everybody has a link.
fn relayed_host(name: &str, site: &str, seed: u8) -> String {
    let key = |seed: u8| STANDARD.encode([seed; 32]);
    let now = Clock::system().now();
    let peer = |seed: u8| json!({"interface": "wg0", "public_key": key(seed), "allowed_ips": [format!("10.9.0.{seed}/32")], "latest_handshake": now});
    let peers: Vec<_> = if seed == 1 { (2..=4).map(peer).collect() } else { vec![peer(1)] };
    json!({
        "hostname": name,
        "labels": {"site": site, "role": if seed == 1 { "gateway" } else { "agent" }},
        "interfaces": [{"name": "wg0", "state": "up", "public_key": key(seed), "addresses": [format!("10.9.0.{seed}/24")]}],
        "wg_peers": peers,
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_paths_of_reports_are_a_layer_of_the_map() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_live(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let names =
        [("hel-gw1", "Helsinki"), ("oul-gw1", "Oulu"), ("oul-db1", "Oulu"), ("oul-web1", "Oulu")];
    let mut hosts = Vec::new();
    for (seed, (name, site)) in (1..).zip(names) {
        let mut host = Own::new(&kattila, seed);
        assert_eq!(host.register().await.status, 201);
        hosts.push((host, relayed_host(name, site, seed)));
    }
    // The first two straight, the third through both, the fourth through the second.
    for (which, relays) in [(0, [].as_slice()), (1, &[0]), (2, &[1, 0]), (3, &[0])] {
        let (host, data) = &mut hosts[which];
        let data = data.clone();
        let body = host.seal(&data);
        let body = relays.iter().fold(body, |body, relay| hosts[*relay].0.relay(&body));
        assert_eq!(hosts[0].0.send(&body).await.status, 200);
    }
    // A host of version 1 only says so.
    let mut old = kattila.agent("oul-old1");
    let data = json!({"hostname": "oul-old1", "fleet_id": "fleet-a", "labels": {"site": "Oulu"}});
    let data = data.to_string();
    // Of a relay that nobody else knows, too.
    let ghost = "91057000000000000000000000000000";
    let via = format!("\"relay_path\":[\"{}\",\"{ghost}\"],\"data\":", hosts[1].0.id);
    let body = old.seal_v1(&data).replace("\"data\":", &via);
    assert_eq!(old.send(&body).await.status, 200);
    // The first look is at a map that has its places.
    let placed = async {
        while kattila.operator().topology().await["nodes"].as_array().unwrap().len() < 5 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), placed).await.expect("everybody has a place");
    let mut script = Script::start("relays.test.mjs", kattila.manager().url(), &[]);
    while let Some(wish) = script.asks().await {
        assert_eq!(wish, "let oul-web1 report straight");
        let (host, data) = &mut hosts[3];
        let body = host.seal(data);
        assert_eq!(host.send(&body).await.status, 200);
    }
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_acting() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_live(&[]).await;
    let (operator, record) = token::api_token("olga", Role::Operator, kattila.clock.now()).unwrap();
    kattila.manager().processor().command(Order::PutSession(record)).await.unwrap();
    let mut forger = kattila.agent("f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0");
    forger.psk = "a-key-that-nobody-has-published-0".to_owned();
    let forged = forger.seal_v2(r#"{"hostname":"forger"}"#);
    assert_eq!(forger.send(&forged).await.status, 401);
    let crowd = Crowd::gather(&kattila).await;
    let secrets = [
        ("KATTILA_TEST_TOKEN", ADMIN_TOKEN),
        ("KATTILA_TEST_OPERATOR", operator.as_str()),
        ("KATTILA_TEST_SECRET", PSK),
    ];
    Script::start("acts.test.mjs", kattila.manager().url(), &secrets).end().await;
    Script::start("arrange.test.mjs", kattila.manager().url(), &secrets).end().await;
    Script::start("alarms.test.mjs", kattila.manager().url(), &secrets).end().await;
    Script::start("shares.test.mjs", kattila.manager().url(), &secrets).end().await;
    crowd.go_home().await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_in_and_see_what_they_may() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_live(&[]).await;
    let mut host = kattila.agent("7c0a7000000000000000000000000000");
    rename(&mut host, 0).await;
    let code = kattila.manager().setup_code().unwrap().to_owned();
    let more = [("KATTILA_TEST_CODE", code.as_str())];
    Script::start("people.test.mjs", kattila.manager().url(), &more).end().await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_outlives_its_manager() {
    let _one = BROWSER.lock().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = free.to_string();
    let settings = [("KATTILA_LISTEN", listen.as_str()), ("KATTILA_ANONYMOUS_ROLE", "viewer")];
    let mut kattila = TestManager::start_live(&settings).await;
    let mut turncoat = kattila.agent("7c0a7000000000000000000000000000");
    rename(&mut turncoat, 0).await;
    let mut script = Script::start("restart.test.mjs", kattila.manager().url(), &[]);
    let mut turn = 0;
    while let Some(wish) = script.asks().await {
        match wish.as_str() {
            "restart the manager" => kattila = kattila.restart().await,
            "change the map" => {
                turn += 1;
                rename(&mut turncoat, turn).await;
            }
            other => panic!("nobody does this here: {other}"),
        }
    }
    assert!(turn > 0, "the script never asked for a change");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_manager_says_how_to_begin() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_live(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let mut script = Script::start("empty.test.mjs", kattila.manager().url(), &[]);
    let mut first = kattila.agent("7c0a7000000000000000000000000000");
    while let Some(wish) = script.asks().await {
        match wish.as_str() {
            "send a forged report" => {
                let mut forger = kattila.agent("f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0");
                forger.psk = "a-key-that-nobody-has-published-0".to_owned();
                let forged = forger.seal_v2(r#"{"hostname":"forger"}"#);
                assert_eq!(forger.send(&forged).await.status, 401);
            }
            "report" => rename(&mut first, 1).await,
            other => panic!("nobody does this here: {other}"),
        }
    }
    kattila.stop().await;
}

/// The paths of all pages for people, from the route table, separated by blanks.
fn pages() -> String {
    let programs = ["/api/", "/status/", "/static/", "/livez", "/readyz", "/login/", "/s/"];
    let page = |path: &str| !path.contains('.') && !programs.iter().any(|p| path.starts_with(p));
    let all: Vec<_> = routes::all()
        .into_iter()
        .filter(|route| route.method == "GET" && page(route.path))
        .map(|route| route.path)
        .collect();
    all.join(" ")
}

/// A host in maintenance, so that the page about that has a row.
async fn maintain(kattila: &TestManager) {
    let mut host = kattila.agent("7c0a7000000000000000000000000000");
    rename(&mut host, 0).await;
    let body = json!({"agent_id": host.id, "for_s": 86_400, "reason": "Moving the racks"});
    let answer = kattila.operator().post("/api/v1/maintenance", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_with_any_page() {
    let _one = BROWSER.lock().await;
    let empty = TestManager::start_live(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let kattila = TestManager::start_live(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let mut forger = kattila.agent("f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0");
    forger.psk = "a-key-that-nobody-has-published-0".to_owned();
    let forged = forger.seal_v2(r#"{"hostname":"forger"}"#);
    assert_eq!(forger.send(&forged).await.status, 401);
    let crowd = Crowd::gather(&kattila).await;
    maintain(&kattila).await;
    let pages = pages();
    let masked = json!({"name": "mia", "role": "viewer", "masked": true, "for_s": 86_400});
    let masked = kattila.operator().post("/api/v1/tokens", &masked).await.json();
    let told = [
        ("KATTILA_TEST_TOKEN", ADMIN_TOKEN),
        ("KATTILA_TEST_MASKED", masked["token"].as_str().unwrap()),
        ("KATTILA_TEST_EMPTY", empty.manager().url()),
        ("KATTILA_TEST_ROUTES", pages.as_str()),
    ];
    let mut script = Script::start("walk.test.mjs", kattila.manager().url(), &told);
    assert_eq!(script.asks().await.as_deref(), Some("end the stream"));
    crowd.go_home().await;
    kattila.stop().await;
    assert_eq!(script.asks().await, None);
    empty.stop().await;
}
