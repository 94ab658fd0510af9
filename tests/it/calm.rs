//! A made-up fleet in which nothing is wrong with tables, addresses, clocks and counters raises no
//! alarm about them, whatever else breaks and heals, and however often the manager is restarted.

use std::collections::BTreeSet;

use kattila::model::state::AlarmKind;
use kattila::model::time::UnixSeconds;
use kattila::simulate::world::{Mix, Options, World};

use crate::support::actors::Agent;
use crate::support::manager::TestManager;

/// Seconds between two reports of a host.
const ROUND_S: i64 = 30;

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
    let start = kattila.clock.now();
    let mut world = World::new(&Options { seed: 7, agents, mix, faults, start });
    let mut hosts: Vec<Agent> = (0..world.agents())
        .map(|host| {
            let face = world.face(host).unwrap();
            let mut agent = kattila.agent(face.agent_id);
            face.fleet_id.clone_into(&mut agent.fleet);
            agent
        })
        .collect();
    let mut raised = BTreeSet::new();
    for second in 0..rounds * ROUND_S {
        let now = UnixSeconds(start.0 + second);
        kattila.clock.set(now);
        world.step(now);
        let turn = usize::try_from(second % ROUND_S).unwrap();
        let due = hosts.iter_mut().enumerate().skip(turn).step_by(ROUND_S as usize);
        for (host, agent) in due {
            let Some(data) = world.report(host, now) else { continue };
            let envelope = agent.seal_v2(&String::from_utf8(data).unwrap());
            let answer = agent.send(&envelope).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        if second % 10 == 0 {
            kattila.advance(0).await;
        }
        if second % ROUND_S == 0 {
            let open = kattila.operator().alarms().await;
            raised.extend(open.iter().map(|line| line.split(' ').next().unwrap().to_owned()));
            let wrong = NEVER.iter().find(|kind| raised.contains(kind.as_str()));
            assert_eq!(wrong, None, "after {second} s: {open:#?}");
        }
        if second % (7 * ROUND_S) == 6 * ROUND_S {
            kattila = kattila.restart().await;
            let addr = kattila.addr();
            hosts.iter_mut().for_each(|agent| *agent = agent.clone().moved(addr));
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
