//! Killed in the middle of as many reports as the manager takes, of the size that hosts send.

use std::sync::{Arc, Mutex};

use kattila::clock::Clock;
use kattila::simulate::world::{Mix, Options, World};
use rustix::process::Signal;

use super::kill::{Journal, compare, stop_and_prove, under_load};
use crate::support::dice::Dice;
use crate::support::process::Serve;

/// Agents that report at the same time, each as soon as its last report was answered: more than
/// enough for the manager never to wait for a report.
const AGENTS: u8 = 64;

/// Kills in a row.
const CYCLES: usize = 20;

/// The next report of the host with this place in the world, of some 5 KB.
fn real(world: &Mutex<World>, journal: &mut Journal) -> String {
    let data = world.lock().unwrap().report(journal.index().into(), Clock::system().now());
    journal.seal(&String::from_utf8(data.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_at_full_rate_loses_or_doubles_an_acknowledged_report() {
    let home = tempfile::tempdir().unwrap();
    let db = home.path().join("k.db");
    let mut dice = Dice::new(0x6b61_7474_696c_6122);
    let start = Clock::system().now();
    let options = Options { seed: 7, agents: AGENTS.into(), mix: Mix::Load, faults: false, start };
    let world = Arc::new(Mutex::new(World::new(&options)));
    let mut serve = Serve::start(home.path(), &db).await;
    let journal = |index| Journal::v2(index, serve.addr());
    let mut journals: Vec<_> = (0..AGENTS).map(journal).collect();
    for _ in 0..CYCLES {
        let acks = 200 + usize::try_from(dice.below(800)).unwrap();
        let world = Arc::clone(&world);
        let load = (acks, move |journal: &mut Journal| real(&world, journal));
        journals = under_load(serve.addr(), journals, load, || serve.signal(Signal::KILL)).await;
        let (status, _log) = serve.ended().await;
        assert_eq!(status.code(), None, "it was killed");
        serve = Serve::start(home.path(), &db).await;
        for journal in &mut journals {
            assert!(journal.refused.is_empty(), "{:?}", journal.refused);
            journal.resend(serve.addr()).await;
        }
    }
    assert!(compare(&db, &journals).is_empty(), "sent again, all is known");
    let sent = stop_and_prove(serve, home.path(), &journals).await;
    println!("{sent} acknowledged over {CYCLES} kills at full rate");
}
