//! What has had its time leaves the tables: sessions nobody presents again, tokens that expired,
//! and slots on the map that nobody came back to.

use kattila::model::reach::Reach;
use kattila::model::time::UnixSeconds;
use kattila::process::handle::Command;
use kattila::store::people::SessionRecord;
use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, BETA};
use crate::support::manager::{START, TestManager};
use crate::support::network::Network;
use crate::support::rows::Rows;

const DAY: i64 = 86_400;

fn record(number: u8, kind: &str, used: UnixSeconds, end: Option<i64>) -> SessionRecord {
    SessionRecord {
        token_hash: [number; 32],
        name: format!("name-{number}"),
        role: "viewer".to_owned(),
        kind: kind.to_owned(),
        form_token: None,
        created_at: START,
        last_used_at: used,
        expires_at: end.map(|seconds| START.plus(seconds)),
        generation: None,
        source: None,
        made_by: None,
        reach: Reach::Whole,
        masked: false,
    }
}

async fn put(kattila: &TestManager, record: SessionRecord) {
    kattila.manager().processor().command(Command::PutSession(record)).await.unwrap();
}

/// Which of the records are in the table, by their names.
fn kept(kattila: &TestManager) -> Vec<u8> {
    let rows = Rows::of(&kattila.db());
    let is_there =
        |n: &u8| rows.table("sessions").iter().any(|r| r.contains(&format!("name-{n}\"")));
    (1..10).filter(is_there).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_tokens_leave_when_they_are_over() {
    let kattila = TestManager::start().await;
    put(&kattila, record(1, "session", START, Some(12 * 3600))).await;
    put(&kattila, record(2, "session", START.minus(2400), Some(9 * 3600))).await;
    put(&kattila, record(3, "session", START, Some(60))).await;
    put(&kattila, record(4, "token", START, Some(60))).await;
    put(&kattila, record(5, "token", START.minus(DAY), None)).await;
    put(&kattila, record(6, "session", START.minus(2399), Some(9 * 3600))).await;
    // The second was idle for 30 minutes, and for 10 more in case its last use was not stored.
    kattila.advance(0).await;
    assert_eq!(kept(&kattila), [1, 3, 4, 5, 6]);
    kattila.advance(59).await;
    assert_eq!(kept(&kattila), [1, 3, 4, 5]);
    kattila.advance(1).await;
    assert_eq!(kept(&kattila), [1, 5]);
    let told = kattila.operator().events().await;
    let told: Vec<_> = told.iter().filter(|line| line.contains("expired")).collect();
    let expected = "admin.action the token name-4 with the role viewer expired";
    assert_eq!(told, [expected], "people's tokens leave a line, sessions do not");
    // What a restart finds over is taken out all the same.
    let kattila = kattila.restart().await;
    kattila.advance(12 * 3600).await;
    assert_eq!(kept(&kattila), [5]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_great_many_leave_in_several_goes() {
    let kattila = TestManager::start().await;
    for n in 0..450_u32 {
        let mut over = record(1, "session", START, Some(0));
        over.token_hash[..4].copy_from_slice(&n.to_be_bytes());
        put(&kattila, over).await;
    }
    let mut left = Vec::new();
    for _ in 0..3 {
        kattila.advance(0).await;
        left.push(Rows::of(&kattila.db()).count("sessions"));
    }
    assert_eq!(left, [250, 50, 0]);
    kattila.stop().await;
}

async fn forget(net: &Network, id: &str) {
    let answer = net.kattila.admin().reset(&json!({ "agent_id": id, "forget": true })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The names in the table of places.
fn places(net: &Network) -> Vec<String> {
    let rows = Rows::of(&net.kattila.db());
    let name = |row: &String| row.split('"').nth(1).unwrap().to_owned();
    rows.table("layout").iter().map(name).collect()
}

/// Where an agent is drawn.
async fn place(net: &Network, id: &str) -> Option<(Value, Value)> {
    let map = net.kattila.operator().topology().await;
    let nodes = map["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["agent_id"] == id)?;
    Some((node["x"].clone(), node["y"].clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_kept_for_a_week_and_then_given_up() {
    let mut net = Network::start(2, &[]).await;
    net.round().await;
    let (alpha, beta) = (place(&net, ALPHA).await, place(&net, BETA).await);
    assert!(alpha.is_some() && beta.is_some() && alpha != beta);
    let all = places(&net);
    assert_eq!(all.len(), 3, "two hosts and their site: {all:?}");

    // Who is back within the week is where it was, whatever restarts there were.
    forget(&net, BETA).await;
    net.kattila.advance(60).await;
    let mut net = net.restarted().await;
    net.kattila.advance(7 * DAY).await;
    assert_eq!(places(&net), all, "a week is not over before its last second is");
    net.round().await;
    assert_eq!((place(&net, ALPHA).await, place(&net, BETA).await), (alpha.clone(), beta));

    forget(&net, BETA).await;
    net.kattila.advance(60).await;
    net.kattila.advance(7 * DAY + 1).await;
    let left = places(&net);
    assert!(left.len() == 2 && !left.iter().any(|name| name.contains(BETA)), "{left:?}");
    assert_eq!(place(&net, ALPHA).await, alpha, "nothing that is there moves");
    let net = net.restarted().await;
    assert_eq!(place(&net, ALPHA).await, alpha);

    // With the last one its site goes, too; also when the week ends while the manager is away.
    forget(&net, ALPHA).await;
    net.kattila.advance(60).await;
    net.kattila.clock.set(net.kattila.clock.now().plus(8 * DAY));
    let net = net.restarted().await;
    assert_eq!(places(&net), [""; 0]);
    net.kattila.stop().await;
}
