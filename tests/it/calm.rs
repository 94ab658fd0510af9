//! A made-up fleet in which nothing is wrong with tables, addresses, clocks and counters raises no
//! alarm about them, whatever else breaks and heals, and however often the manager is restarted.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use kattila::model::state::AlarmKind;
use kattila::model::time::UnixSeconds;
use kattila::simulate::world::{Mix, Options};
use serde_json::Value;

use crate::support::actors::Agent;
use crate::support::made_up::{MadeUp, ROUND_S};
use crate::support::manager::TestManager;

/// Kinds that no fault of the made-up world is a case of.
const NEVER: [AlarmKind; 11] = [
    AlarmKind::EdgeOneWay,
    AlarmKind::EdgeDisagree,
    AlarmKind::AllowedIpsMismatch,
    AlarmKind::AllowedIpsMoved,
    AlarmKind::MtuMismatch,
    AlarmKind::RouteMissing,
    AlarmKind::OverlayIpDuplicate,
    AlarmKind::EndpointFlapping,
    AlarmKind::ListenPortChanged,
    AlarmKind::WgPskRemoved,
    AlarmKind::WgKeyDuplicate,
];

/// Lives through so many rounds, hosts reporting one after the other; every kind that was raised.
async fn kinds(agents: usize, mix: Mix, faults: bool, rounds: i64) -> BTreeSet<String> {
    let mut kattila = TestManager::start().await;
    let options = Options { seed: 7, agents, mix, faults, start: kattila.clock.now() };
    let mut fleet = MadeUp::settle(&kattila, &options);
    let mut raised = BTreeSet::new();
    for second in 0..rounds * ROUND_S {
        fleet.second(&kattila, second).await;
        if second % ROUND_S == 0 {
            let open = kattila.operator().alarms().await;
            raised.extend(open.iter().map(|line| line.split(' ').next().unwrap().to_owned()));
            let wrong = NEVER.iter().find(|kind| raised.contains(kind.as_str()));
            assert_eq!(wrong, None, "after {second} s: {open:#?}");
        }
        if second % (7 * ROUND_S) == 6 * ROUND_S {
            kattila = kattila.restart().await;
            fleet.moved(kattila.addr());
        }
    }
    kattila.stop().await;
    raised
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_is_well() {
    let demo = kinds(40, Mix::Demo, false, 24).await;
    // What the world is made with: a link half configured, one cut long ago, one that never worked.
    for kind in ["edge.half_configured", "edge.down", "peer.never_up"] {
        assert!(demo.contains(kind), "{demo:?}");
    }
    kinds(60, Mix::Load, false, 24).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_in_which_things_break_and_heal() {
    let seen = kinds(40, Mix::Demo, true, 60).await;
    for kind in ["agent.offline", "edge.down", "iface.down", "agent.rebooted"] {
        assert!(seen.contains(kind), "{seen:?}");
    }
}

/// A captured file of a host of the real mesh.
fn captured(state: &str, node: usize, what: &str) -> String {
    let name = format!("tests/fixtures/mesh/{state}/node{node}.{what}");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A second of 2026-11-20, as the captures tell it.
fn second_of(time: &str) -> i64 {
    let clock = time.trim().split_once('T').unwrap().1;
    let parts: Vec<i64> = clock[..8].split(':').map(|part| part.parse().unwrap()).collect();
    1_795_132_800 + parts[0] * 3600 + parts[1] * 60 + parts[2]
}

/// Four real hosts in a mesh, one of which died, lost its cable, or had its key replaced; and one
/// whose routes a daemon makes.
#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_as_it_was_captured() {
    let courses: [(usize, &[&str]); 2] = [
        (4, &["1-healthy", "2-node4-daemon-killed", "4-node3-cable-cut", "7-node1-rekeyed"]),
        (1, &["8-babel-routes"]),
    ];
    for (nodes, states) in courses {
        let kattila = TestManager::start().await;
        let mut hosts: Vec<Agent> =
            (1..=nodes).map(|n| kattila.agent(&format!("node{n}"))).collect();
        for state in states {
            for round in 0..4 {
                let taken = second_of(&captured(state, 1, "time.txt"));
                kattila.clock.set(UnixSeconds(taken + 30 * round));
                for (node, agent) in (1..).zip(&mut hosts) {
                    let dump = Value::from(captured(state, node, "wg-dump.txt"));
                    let data = format!(
                        r#"{{"hostname":"node{node}","interfaces":{},"routes":{},"wg_dump":{dump}}}"#,
                        captured(state, node, "ip-s-addr.json"),
                        captured(state, node, "ip-route-all.json"),
                    );
                    let envelope = agent.seal_v1(&data);
                    let answer = agent.send(&envelope).await;
                    assert_eq!(answer.status, 200, "{state} {node}: {}", answer.text());
                }
                kattila.advance(0).await;
            }
            let open = kattila.operator().alarms().await;
            let kinds: BTreeSet<&str> =
                open.iter().map(|line| line.split(' ').next().unwrap()).collect();
            let wrong = NEVER.iter().find(|kind| kinds.contains(kind.as_str()));
            assert_eq!(wrong, None, "{state}: {open:#?}");
        }
        kattila.stop().await;
    }
}
