//! What an agent costs a manager that starts: bytes and pieces of memory, counted and never timed.

use std::path::Path;

use allocation_counter::AllocationInfo;
use futures_util::future::join_all;
use kattila::simulate::world::{Mix, Options, World};

use crate::support::engine::{Engine, submission};
use crate::support::manager::START;

/// Bytes that each agent of the load takes from the start on: 8 interfaces, 10 peers, 5 links.
const MOST_KEPT: i64 = 16_000;
/// The same while the database is read.
const MOST_AT_ONCE: u64 = 17_000;
/// Pieces of memory that are asked for with each of them at a start, kept or not.
const MOST_PIECES: u64 = 400;

/// Stores a report of each of so many hosts.
async fn settle(db: &Path, agents: usize) {
    let engine = Engine::start(db);
    let options = Options { seed: 7, agents, mix: Mix::Load, faults: false, start: START };
    let mut world = World::new(&options);
    let reports = (0..agents).map(|host| {
        let data = String::from_utf8(world.report(host, START).unwrap()).unwrap();
        let face = world.face(host).unwrap();
        let mut agent = engine.agent(face.agent_id);
        face.fleet_id.clone_into(&mut agent.fleet);
        submission(agent.seal_v2(&data), START)
    });
    let reports: Vec<_> = reports.collect();
    let answers = join_all(reports.into_iter().map(|one| engine.processor().submit(one))).await;
    assert!(answers.iter().all(Result::is_ok));
    engine.stop().await;
}

/// What this thread, on which the fleet is loaded, takes for a start on a database.
async fn start(db: &Path) -> AllocationInfo {
    let mut engine = None;
    let info = allocation_counter::measure(|| engine = Some(Engine::start(db)));
    engine.unwrap().stop().await;
    info
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_takes_so_much_memory_and_no_more_among_many() {
    let dir = tempfile::tempdir().unwrap();
    let mut pieces = Vec::new();
    for agents in [250, 1_000] {
        let db = dir.path().join(format!("{agents}.db"));
        settle(&db, agents).await;
        let info = start(&db).await;
        let each = u64::try_from(agents).unwrap();
        let kept = info.bytes_current / i64::try_from(agents).unwrap();
        assert!(kept <= MOST_KEPT, "{agents} agents: {kept} bytes each, {info:?}");
        assert!(info.bytes_max / each <= MOST_AT_ONCE, "{agents} agents: {info:?}");
        pieces.push(info.count_total / each);
    }
    assert!(pieces.iter().all(|pieces| *pieces <= MOST_PIECES), "{pieces:?}");
    assert!(pieces[1] <= pieces[0] + pieces[0] / 5, "{pieces:?}");
}
