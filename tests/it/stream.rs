//! The stream of changes as programs hear it: what is news and what is not, and what is told to
//! somebody who has not listened for a while.

use kattila::topology::picture::Node;
use serde_json::{Value, json};

use crate::support::actors::{Agent, Operator};
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host};
use crate::support::manager::{ADMIN_TOKEN, TestManager};
use crate::support::stream::Stream;

/// Two hosts with a link between them, whose handshake was so many seconds ago.
async fn report(kattila: &TestManager, agents: &mut [Agent; 2], ago: i64) {
    let then = kattila.clock.now().0 - ago;
    let bytes = u64::try_from(kattila.clock.now().0 % 100_000).unwrap();
    let hosts = [
        Host::alpha().with_peer(BETA_KEY, 2, then, bytes),
        Host::beta().with_peer(ALPHA_KEY, 1, then, bytes),
    ];
    for (agent, host) in agents.iter_mut().zip(hosts) {
        assert_eq!(agent.report(&host.data()).await.status, 200);
    }
    kattila.advance(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_alone_is_no_news_and_one_that_is_overdue_is() {
    let kattila = TestManager::start().await;
    let mut agents = [kattila.agent(ALPHA), kattila.agent(BETA)];
    for _ in 0..3 {
        report(&kattila, &mut agents, 3).await;
        kattila.advance(29).await;
    }
    let admin = kattila.operator();
    let etag = || async {
        let answer = admin.get("/api/v1/topology?shape=columns").await;
        (answer.header("etag").unwrap().to_owned(), answer.json()["seq"].clone())
    };
    let (map, before) = (admin.topology().await, etag().await);
    let mut stream = Stream::after(&map, kattila.addr(), ADMIN_TOKEN).await;
    stream.until("event: hello").await;
    for ago in [1, 9, 25, 4] {
        report(&kattila, &mut agents, ago).await;
        kattila.advance(29).await;
    }
    let after = admin.topology().await;
    let handshake = |map: &Value| map["edges"][0]["ends"][0]["latest_handshake"].as_i64().unwrap();
    assert!(handshake(&after) > handshake(&map), "the map of programs tells handshakes");
    assert_eq!(etag().await, before, "four reports, and nothing that is drawn has changed");
    let columns = admin.json("/api/v1/topology?shape=columns").await;
    assert!(!columns["columns"]["ends"].to_string().contains("handshake"), "{columns}");
    // The link stops: that is told as a state, without the times it follows from.
    for _ in 0..12 {
        let (now, since) = (kattila.clock.now().0, handshake(&after));
        report(&kattila, &mut agents, now - since).await;
        kattila.advance(29).await;
    }
    stream.until("\"state\":\"down\"").await;
    let patches: Vec<Value> = stream.patches();
    assert_eq!(patches[0]["from"], before.1, "the first patch since tells of the link");
    for word in ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"] {
        assert!(!stream.text.contains(word), "{word}: {}", stream.text);
    }
    let told = patches.iter().flat_map(|patch| patch["e"]["set"].as_array().unwrap());
    let overdue = json!("overdue");
    let halves: Vec<&Value> = told.flat_map(|edge| edge["ends"].as_array().unwrap()).collect();
    assert!(
        halves.iter().any(|end| end["state"] == overdue || end["state"] == "down"),
        "{halves:?}"
    );
    assert!(halves.iter().all(|end| end.get("endpoint").is_none()), "{halves:?}");
    kattila.stop().await;
}

/// A patch of many bytes about the one host there is.
fn shake(kattila: &TestManager, count: usize, turn: usize) {
    let board = kattila.manager().processor().board();
    let mut node = board.node(&format!("a:{ALPHA}")).unwrap();
    node.addresses = (0..count).map(|n| format!("fd77::{turn:x}:{n:x}/128")).collect();
    node.seen_at = None;
    board.set_node(node, None);
    board.publish(kattila.clock.now());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_told_once_what_many_patches_said() {
    let kattila = TestManager::start().await;
    assert_eq!(kattila.agent(ALPHA).report(&Host::alpha().data()).await.status, 200);
    kattila.advance(1).await;
    let map = kattila.operator().topology().await;
    let mut stream = Stream::narrow(&map, kattila.addr(), ADMIN_TOKEN).await;
    stream.until("event: hello").await;
    // More than fits between here and there.
    (0..256).for_each(|turn| shake(&kattila, 6000, turn));
    let board = kattila.manager().processor().board();
    board.set_alarms_open([(None, 77)].into());
    board.publish(kattila.clock.now());
    stream.until("\"open\":77}}\n\n").await;
    let patches = stream.patches();
    let numbers = |patch: &Value| (patch["from"].as_u64().unwrap(), patch["seq"].as_u64().unwrap());
    assert!(patches.len() < 200, "{} patches", patches.len());
    let widest = patches.iter().map(numbers).map(|(from, seq)| seq - from).max().unwrap();
    assert!(widest > 64, "{widest}: more than is kept waiting for somebody");
    for two in patches.windows(2) {
        assert_eq!(numbers(&two[0]).1, numbers(&two[1]).0, "each follows from the one before");
    }
    assert!(!stream.text.contains("resync"), "nothing has to be fetched");
    let last = patches.last().unwrap();
    let (seq, _) = board.position();
    assert_eq!(
        (numbers(last).1, &last["n"]["set"][0]["addresses"][1]),
        (seq, &json!("fd77::ff:1/128"))
    );
    // Far more than a map takes is not told in one piece.
    (0..30).for_each(|turn| shake(&kattila, 60_000, turn));
    stream.until("event: resync\ndata: {\"reason\":\"lag\"}").await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layout_that_moves_thousands_is_fetched() {
    let kattila = TestManager::start().await;
    assert_eq!(kattila.agent(ALPHA).report(&Host::alpha().data()).await.status, 200);
    kattila.advance(1).await;
    let map = kattila.operator().topology().await;
    let mut stream = Stream::after(&map, kattila.addr(), ADMIN_TOKEN).await;
    stream.until("event: hello").await;
    let board = kattila.manager().processor().board();
    let alpha = board.node(&format!("a:{ALPHA}")).unwrap();
    let place = |rev: i64, many: usize| {
        let id = |n: usize| format!("a:{n:032}");
        for n in 0..many {
            board.set_node(Node { id: id(n), ..alpha.clone() }, None);
        }
        let (site, x) = (&alpha.site, f64::from(u32::try_from(rev).unwrap()));
        let places: Vec<_> = (0..many).map(|n| (id(n), site.clone(), x, 0.5)).collect();
        board.place(rev, Vec::new(), &places);
    };
    place(1, 30_000);
    place(2, 10);
    stream.until("event: layout\ndata: {\"layout_rev\":2,\"moved\":[[\"a:").await;
    assert!(!stream.text.contains("resync"), "{}", stream.text);
    place(3, 30_000);
    stream.until("event: resync\ndata: {\"reason\":\"layout\"}").await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_moved_is_told_to_everybody_under_the_name_that_they_have() {
    let kattila = TestManager::start().await;
    assert_eq!(kattila.agent(ALPHA).report(&Host::alpha().data()).await.status, 200);
    kattila.advance(1).await;
    let admin = kattila.operator();
    let guest = json!({"name": "guest", "role": "viewer", "masked": true});
    let secret = admin.post("/api/v1/tokens", &guest).await.json()["token"].clone();
    let secret = secret.as_str().unwrap();
    let maps = [
        (ADMIN_TOKEN, admin.topology().await),
        (secret, Operator::new(kattila.addr(), secret).topology().await),
    ];
    let mut streams = Vec::new();
    for (token, map) in &maps {
        let mut stream = Stream::after(map, kattila.addr(), token).await;
        stream.until("event: hello").await;
        streams.push(stream);
    }
    let site = &maps[0].1["sites"][0];
    let x = site["x"].as_f64().unwrap() + 40.0;
    let moves = json!({"moves": [{"id": site["id"], "x": x, "y": site["y"]}]});
    assert_eq!(admin.post("/api/v1/layout/pin", &moves).await.status, 200);
    for (stream, (_, map)) in streams.iter_mut().zip(&maps) {
        stream.until(&format!("[{},{x:?},", map["sites"][0]["id"])).await;
        stream.until(&format!("[{},", map["nodes"][0]["id"])).await;
    }
    assert!(!streams[1].text.contains(ALPHA), "{}", streams[1].text);
    kattila.stop().await;
}
