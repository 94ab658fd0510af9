//! What somebody who has never seen the console does with it when a host dies: finds which one, what
//! it cut off, since when and what changed just before, and sends a colleague what they see. The
//! network is that of `kattila demo --faults`, on a clock turned by hand.

use kattila::simulate::demo::AGENTS;
use kattila::simulate::world::{Mix, Options};
use serde_json::Value;

use crate::support::made_up::{MadeUp, ROUND_S};
use crate::support::manager::{ADMIN_TOKEN, TestManager};
use crate::support::script::{BROWSER, Script};

/// The seed of the demo.
const SEED: u64 = 1;

/// In so many rounds somebody dies on whom others hang, and somebody comes back.
const ROUNDS: i64 = 600;

/// Lives on until something holds of the map, looked at once a round.
async fn until(
    fleet: &mut MadeUp,
    kattila: &TestManager,
    second: &mut i64,
    holds: impl AsyncFn(&Value) -> bool,
) {
    for _ in 0..ROUNDS * ROUND_S {
        fleet.second(kattila, *second).await;
        *second += 1;
        if *second % ROUND_S == 1 && holds(&kattila.operator().topology().await).await {
            return;
        }
    }
    panic!("it never came to that");
}

/// The status of an agent on a map.
fn status<'a>(map: &'a Value, agent: &str) -> &'a str {
    let nodes = map["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["agent_id"] == agent).unwrap();
    node["status"].as_str().unwrap()
}

/// The agents of a map that are down.
fn down(map: &Value) -> impl Iterator<Item = &str> {
    let nodes = map["nodes"].as_array().unwrap().iter();
    let down = nodes.filter(|node| node["status"] == "offline");
    down.map(|node| node["agent_id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_finds_out_what_died_and_tells_a_colleague() {
    let _one = BROWSER.lock().await;
    let kattila = TestManager::start_with(&[("KATTILA_ANONYMOUS_ROLE", "viewer")]).await;
    let start = kattila.clock.now();
    let options = Options { seed: SEED, agents: AGENTS, mix: Mix::Demo, faults: true, start };
    let mut fleet = MadeUp::settle(&kattila, &options);
    let (mut second, operator) = (0, kattila.operator());
    let cuts = async |map: &Value| {
        for agent in down(map) {
            let lost = operator.json(&format!("/api/v1/what-if?without={agent}")).await;
            if lost["cut_off"].as_array().is_some_and(|parts| !parts.is_empty()) {
                return true;
            }
        }
        false
    };
    until(&mut fleet, &kattila, &mut second, cuts).await;
    let secrets = [("KATTILA_TEST_TOKEN", ADMIN_TOKEN)];
    let mut script = Script::start("incident.test.mjs", kattila.manager().url(), &secrets);
    while let Some(wish) = script.asks().await {
        let Some(agent) = wish.strip_prefix("bring back ") else {
            panic!("nobody does this here: {wish}")
        };
        let back = async |map: &Value| status(map, agent) == "online";
        until(&mut fleet, &kattila, &mut second, back).await;
    }
    kattila.stop().await;
}
