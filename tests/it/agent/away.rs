//! A real manager that is away, loses answers and comes back: everything that was kept arrives,
//! once, the newest first.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::dice::Dice;
use crate::support::host::TestHost;
use crate::support::manager::TestManager;
use crate::support::scripted::{Reply, Scripted};
use crate::support::stored::reports;

/// Nobody listens there: connections are refused.
const NOWHERE: &str = "http://127.0.0.1:1";

fn url(kattila: &TestManager) -> String {
    format!("http://{}", kattila.addr())
}

/// The looks that the manager has stored, in the order they came.
fn looks(kattila: &TestManager) -> Vec<u64> {
    let all = reports(&kattila.db());
    all.iter().map(|(_, envelope)| envelope["data"]["n"].as_u64().unwrap()).collect()
}

fn sorted(mut looks: Vec<u64>) -> Vec<u64> {
    looks.sort_unstable();
    looks
}

#[tokio::test]
async fn an_agent_appears_with_its_first_report() {
    let kattila = TestManager::start().await;
    let mut host = TestHost::new(&url(&kattila), kattila.clock.clone());
    host.step().await;
    let agents = kattila.operator().agents().await;
    assert_eq!(agents.len(), 1);
    assert_eq!(agents[0]["agent_id"], host.agent().agent_id().as_str());
    assert_eq!(agents[0]["hostname"], "gw-1");
    assert_eq!(agents[0]["status"], "online");
    kattila.stop().await;
}

#[tokio::test]
async fn what_was_kept_arrives_once_and_the_newest_first() {
    let kattila = TestManager::start().await;
    let mut host = TestHost::new(NOWHERE, kattila.clock.clone());
    let began = host.clock.now();
    host.live(300).await;
    host.kill();
    host.live(300).await;
    host.restart();
    let waiting = host.waiting();
    assert!(waiting >= 19, "{waiting}");
    let kept: Vec<i64> =
        host.spooled().iter().map(|data| data["collected_at"].as_i64().unwrap()).collect();
    assert!(kept.is_sorted() && kept[0] == began.0, "as they were read: {kept:?}");

    host.move_to(&url(&kattila));
    let back = host.clock.now();
    host.step().await;
    host.live(30).await;
    assert!(host.waiting() > 0, "history is not poured out at once");
    host.live(600).await;
    assert_eq!(host.waiting(), 0);
    let looks = looks(&kattila);
    let all: Vec<u64> = (1..=u64::try_from(looks.len()).unwrap()).collect();
    assert_eq!(sorted(looks.clone()), all, "each look once");

    let stored = reports(&kattila.db());
    let told = |envelope: &Value, name: &str| envelope["data"][name].as_i64().unwrap();
    let history: Vec<_> =
        stored.iter().filter(|(_, envelope)| told(envelope, "collected_at") < back.0).collect();
    assert_eq!(history.len(), waiting);
    let order: Vec<i64> = history.iter().map(|(_, e)| told(e, "collected_at")).collect();
    assert!(order.is_sorted_by(|a, b| a >= b), "newest first: {order:?}");
    let times: Vec<i64> = history.iter().map(|(at, _)| *at).collect();
    let apart = (times[times.len() - 1] - times[0]) / (i64::try_from(times.len()).unwrap() - 1);
    assert!(apart >= 2, "a tenth of the interval between two: {times:?}");
    for (at, envelope) in &history {
        let age = at - envelope["timestamp"].as_i64().unwrap();
        assert!((0..=1).contains(&age), "signed when sent");
    }
    kattila.stop().await;
}

#[tokio::test]
async fn a_lost_answer_doubles_nothing() {
    let kattila = TestManager::start().await;
    let door = Scripted::start().await;
    let mut host = TestHost::new(&door.url(), kattila.clock.clone());
    door.then(Reply::PassAndHangUp(kattila.addr()));
    host.live(200).await;
    door.then(Reply::Pass(kattila.addr()));
    host.live(300).await;
    assert_eq!(host.waiting(), 0);
    let looks = looks(&kattila);
    assert_eq!(
        sorted(looks.clone()),
        (1..=u64::try_from(looks.len()).unwrap()).collect::<Vec<_>>()
    );
    kattila.stop().await;
}

/// The first copy is stored, its answer lost, and the manager then away for longer than the
/// copy may be sent again.
#[tokio::test]
async fn an_answer_lost_for_long_doubles_nothing() {
    let kattila = TestManager::start().await;
    let door = Scripted::start().await;
    let mut host = TestHost::new(&door.url(), kattila.clock.clone());
    door.script([Reply::PassAndHangUp(kattila.addr())]);
    door.then(Reply::HangUp);
    host.live(1900).await;
    host.kill();
    door.then(Reply::Pass(kattila.addr()));
    host.live(900).await;
    assert_eq!(host.waiting(), 0);
    let looks = looks(&kattila);
    assert_eq!(
        sorted(looks.clone()),
        (1..=u64::try_from(looks.len()).unwrap()).collect::<Vec<_>>()
    );
    kattila.stop().await;
}

#[tokio::test]
async fn killed_between_sending_and_removing_doubles_nothing() {
    let kattila = TestManager::start().await;
    let door = Scripted::start().await;
    let mut host = TestHost::new(NOWHERE, kattila.clock.clone());
    host.live(300).await;
    let waiting = host.waiting();
    host.move_to(&door.url());
    for _ in 0..waiting {
        // One more arrives, and nobody tells the agent before it is killed.
        door.script([Reply::PassAndHangUp(kattila.addr())]);
        let before = door.reports().len();
        while door.reports().len() == before {
            host.step().await;
        }
        host.kill();
        door.script([Reply::Pass(kattila.addr())]);
        host.step().await;
    }
    door.then(Reply::Pass(kattila.addr()));
    host.live(600).await;
    assert_eq!(host.waiting(), 0);
    let looks = sorted(looks(&kattila));
    assert!(looks.is_sorted_by(|a, b| a < b), "twice: {looks:?}");
    // Killed on its way out, a look that was never accepted into the spool may be lost.
    assert!(looks.len() > waiting && looks[..waiting].is_sorted(), "{looks:?}");
    kattila.stop().await;
}

#[tokio::test]
async fn a_full_spool_drops_the_oldest_and_the_next_report_tells() {
    let kattila = TestManager::start().await;
    let mut host = TestHost::new(NOWHERE, kattila.clock.clone());
    host.fill(100_000);
    host.live(600).await;
    let waiting = host.waiting();
    assert!(waiting <= 10, "1 MiB holds ten reports: {waiting}");
    host.move_to(&url(&kattila));
    host.live(300).await;
    let all = looks(&kattila);
    let lost = all.iter().max().unwrap() - u64::try_from(all.len()).unwrap();
    assert!(lost >= 9, "{lost}");
    let newest = all.iter().max();
    assert_eq!(sorted(all.clone()).last(), newest);
    let told: u64 = reports(&kattila.db())
        .iter()
        .flat_map(|(_, envelope)| {
            envelope["data"]["problems"].as_array().cloned().unwrap_or_default()
        })
        .map(|problem| {
            let text = problem["detail"].as_str().unwrap().to_owned();
            assert!(text.contains("because the spool was full"), "{text}");
            text.split(' ').next().unwrap().parse::<u64>().unwrap()
        })
        .sum();
    assert!(told >= 1 && told <= 2 * lost, "{told} told of {lost}");
    kattila.stop().await;
}

#[tokio::test]
async fn a_directory_without_state_goes_on_as_a_new_agent() {
    let kattila = TestManager::start().await;
    let mut host = TestHost::new(&url(&kattila), kattila.clock.clone());
    host.live(60).await;
    let first = host.agent().agent_id().clone();
    // Only the tick is lost: the time goes on above it.
    std::fs::remove_file(host.settings.dir.join("tick")).unwrap();
    host.kill();
    host.live(60).await;
    assert_eq!(*host.agent().agent_id(), first);
    let stored = looks(&kattila);
    assert_eq!(sorted(stored.clone()).len(), stored.len());
    assert!(stored.len() >= 4 && host.waiting() == 0);
    kattila.stop().await;
}

/// A door that passes on, refuses, loses answers and hangs up as it likes, and an agent that is
/// killed and stopped in between.
#[tokio::test]
async fn whatever_happens_nothing_kept_is_lost_and_nothing_doubled() {
    for seed in 1..=3_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kattila = TestManager::start().await;
        let door = Scripted::start().await;
        let mut host = TestHost::new(&door.url(), kattila.clock.clone());
        let to = kattila.addr();
        let mut kept = BTreeSet::new();
        for _ in 0..120 {
            door.then(match dice.below(8) {
                0 | 1 => Reply::HangUp,
                2 => Reply::PassAndHangUp(to),
                3 => Reply::refusal(503, "overloaded"),
                4 => Reply::refusal(403, "timestamp_skew"),
                5 => Reply::refusal(500, "internal"),
                _ => Reply::Pass(to),
            });
            if dice.below(12) == 0 {
                host.move_to(NOWHERE);
            } else if dice.below(4) == 0 {
                host.move_to(&door.url());
            }
            host.live(1 + i64::try_from(dice.below(90)).unwrap()).await;
            kept.extend(host.spooled().iter().map(|data| data["n"].as_u64().unwrap()));
            match dice.below(10) {
                0 => host.kill(),
                1 => host.restart(),
                _ => {}
            }
        }
        door.then(Reply::Pass(to));
        host.move_to(&door.url());
        host.live(4000).await;
        assert_eq!(host.waiting(), 0, "seed {seed}");
        let stored = sorted(looks(&kattila));
        assert!(stored.is_sorted_by(|a, b| a < b), "seed {seed}, twice: {stored:?}");
        let lost: Vec<_> = kept.iter().filter(|n| !stored.contains(n)).collect();
        assert!(lost.is_empty() && kept.len() > 20, "seed {seed}, lost: {lost:?} of {kept:?}");
        kattila.stop().await;
    }
}
