//! A restart at any point of a scenario ends with the same alarms as none.

use crate::support::fleet::STRANGER_KEY;
use crate::support::manager::START;
use crate::support::network::Network;

use serde_json::{Value, json};

/// What the alarms were after every round, and what was told of them in between.
struct Course {
    rounds: Vec<Vec<String>>,
    told: Vec<String>,
    links: Vec<Vec<String>>,
}

/// The first round in which two courses differ, and what was told in each.
fn same(restarted: &Course, undisturbed: &Course, restart: usize) {
    for (round, (now, then)) in restarted.rounds.iter().zip(&undisturbed.rounds).enumerate() {
        assert_eq!(now, then, "alarms in round {round}, restart after round {restart}");
    }
    assert_eq!(restarted.links, undisturbed.links, "restart after round {restart}");
    assert_eq!(restarted.told, undisturbed.told, "restart after round {restart}");
}

/// The links as `end-end state`, sorted.
async fn links(net: &mut Network) -> Vec<String> {
    let map = net.kattila.operator().topology().await;
    let mut lines = Vec::new();
    for edge in map["edges"].as_array().unwrap() {
        let line = format!("{} {}", edge["id"].as_str().unwrap(), edge["state"].as_str().unwrap());
        lines.push(net.readable(&line).await);
    }
    lines.sort();
    lines
}

/// Plays a scenario: `change` acts before each round. Restarts after the given round, if any.
async fn play(
    start: (usize, &[(usize, usize)]),
    rounds: usize,
    restart_after: Option<usize>,
    change: impl Fn(usize, &mut Network),
) -> Course {
    let mut net = Network::start(start.0, start.1).await;
    let mut course = Course { rounds: Vec::new(), told: Vec::new(), links: Vec::new() };
    for round in 0..rounds {
        change(round, &mut net);
        net.round().await;
        course.rounds.push(net.alarms().await);
        course.links.push(links(&mut net).await);
        if restart_after == Some(round) {
            net = net.restarted().await;
            assert_eq!(Some(&net.alarms().await), course.rounds.last(), "after round {round}");
        }
    }
    course.told = net.told().await;
    net.kattila.stop().await;
    course
}

/// What reports prove: each of these delays is counted in reports and lives in the alarm.
fn trouble(round: usize, net: &mut Network) {
    match round {
        7 => {
            net.hosts[0].eth0_up = false;
            net.hosts[1].boot_id = "boot-beta-2";
            net.links[1].mutual = false;
            net.hosts[2] =
                net.hosts[2].clone().with_peer(crate::support::network::DELTA_KEY, 4, START.0, 10);
            net.links[0].alive = false;
            net.links[0].traffic = false;
        }
        8 => {
            net.without.insert((1, "eth0"));
            net.extra.insert(0, ("private_key", json!(STRANGER_KEY)));
        }
        10 => {
            net.hosts[0].eth0_up = true;
            net.extra.insert(0, ("private_key", Value::Null));
        }
        12 => net.without.clear(),
        13 => net.links[1].mutual = true,
        14 => net.hosts[2].peers.clear(),
        20 => net.links[0].alive = true,
        _ => {}
    }
}

/// A tunnel vanishes for a while, and for ever, while its peers list it.
#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_is_gone() {
    let fleet: (usize, &[(usize, usize)]) = (3, &[(0, 1), (1, 2), (0, 2)]);
    let change = |round: usize, net: &mut Network| match round {
        7 | 13 => _ = net.without.insert((0, "wg0")),
        10 => net.without.clear(),
        14 => _ = net.silent.insert(2),
        _ => {}
    };
    // A manager that was just started looks at the graph later: no matter here.
    let without_the_graph = |mut course: Course| {
        let of_the_graph =
            |line: &str| ["net.partition", "node.isolated"].map(|kind| line.contains(kind));
        let is_kept = |line: &String| of_the_graph(line) == [false; 2];
        course.told.retain(is_kept);
        course.rounds.iter_mut().for_each(|lines| lines.retain(is_kept));
        course
    };
    let undisturbed = without_the_graph(play(fleet, 17, None, change).await);
    assert!(undisturbed.told[0].contains("iface.gone"), "{:?}", undisturbed.told);
    let links = ["alpha-beta down", "alpha-gamma down", "beta-gamma up"];
    for round in [7, 16] {
        assert_eq!(undisturbed.links[round], links, "round {round}");
    }
    for round in 6..16 {
        let restarted = without_the_graph(play(fleet, 17, Some(round), change).await);
        same(&restarted, &undisturbed, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_counted_in_reports() {
    let fleet: (usize, &[(usize, usize)]) = (3, &[(0, 1), (1, 2), (0, 2)]);
    let undisturbed = play(fleet, 22, None, trouble).await;
    let kinds = |kind: &str| undisturbed.told.iter().filter(|line| line.contains(kind)).count();
    for kind in [
        "iface.down",
        "iface.gone",
        "agent.rebooted",
        "edge.down",
        "edge.half_configured",
        "peer.unknown",
        "report.secret",
    ] {
        assert!(kinds(kind) >= 1, "{kind} is missing in {:?}", undisturbed.told);
    }
    for round in 5..21 {
        let restarted = play(fleet, 22, Some(round), trouble).await;
        same(&restarted, &undisturbed, round);
    }
}

/// What the hosts' own tables say against each other, and a preshared key that goes.
fn tables(round: usize, net: &mut Network) {
    match round {
        0 => {
            _ = net.patches.insert(0, |data, now| {
                let is_set = now < START.0 + 300;
                data["wg_peers"][0]["has_psk"] = json!(is_set);
            });
        }
        7 => {
            _ = net.patches.insert(1, |data, _| {
                data["interfaces"][1]["mtu"] = json!(1500);
                data["wg_peers"][0]["allowed_ips"] = json!(["10.77.0.9/32"]);
            });
        }
        8 => {
            _ = net.patches.insert(2, |data, _| {
                data["interfaces"][1]["listen_port"] = json!(7);
                data["routes"].as_array_mut().unwrap().remove(0);
            });
        }
        15 => net.patches.retain(|host, _| *host == 0),
        17 => {
            _ = net.patches.insert(2, |data, _| {
                data["interfaces"][1]["addresses"] = json!(["10.77.0.1/24"]);
            });
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tables_say_against_each_other() {
    let fleet: (usize, &[(usize, usize)]) = (3, &[(0, 1), (1, 2), (0, 2)]);
    let undisturbed = play(fleet, 22, None, tables).await;
    for kind in [
        "allowedips.mismatch",
        "mtu.mismatch",
        "listen_port.changed",
        "default_route.changed",
        "overlay_ip.duplicate",
        "wg_psk.removed",
    ] {
        let told = undisturbed.told.iter().any(|line| line.contains(kind));
        assert!(told, "{kind} is missing in {:?}", undisturbed.told);
    }
    for round in 6..21 {
        let restarted = play(fleet, 22, Some(round), tables).await;
        same(&restarted, &undisturbed, round);
    }
}

/// A link that nobody keeps alive and somebody tries to use dies; then nobody tries any more.
fn traffic(round: usize, net: &mut Network) {
    net.links[0].keepalive = 0;
    match round {
        0 => net.links[0].alive = true,
        3 => net.links[0].alive = false,
        18 => net.links[0].traffic = false,
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_known_dead_by_its_traffic_stays_dead() {
    let fleet: (usize, &[(usize, usize)]) = (2, &[(0, 1)]);
    // A young manager does not judge the graph; here only the link is looked at.
    let only_links = |mut course: Course| {
        let rounds = course.rounds.iter_mut().chain([&mut course.told]);
        rounds.for_each(|lines| lines.retain(|line| line.contains("edge.")));
        course
    };
    let undisturbed = only_links(play(fleet, 21, None, traffic).await);
    assert_eq!(undisturbed.rounds[14], ["edge.down alpha-beta critical active"]);
    assert_eq!(undisturbed.links[14], ["alpha-beta down"]);
    assert!(undisturbed.rounds[20].is_empty());
    for round in 13..16 {
        let restarted = only_links(play(fleet, 21, Some(round), traffic).await);
        same(&restarted, &undisturbed, round);
    }
}

/// A chain breaks in the middle; then a whole side falls silent.
fn split(round: usize, net: &mut Network) {
    match round {
        7 => net.links[1].alive = false,
        22 => net.silent.extend([2, 3]),
        34 => {
            net.silent.clear();
            net.links[1].alive = true;
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_network_is_not_whole_because_a_side_fell_silent() {
    let chain: (usize, &[(usize, usize)]) = (4, &[(0, 1), (1, 2), (2, 3)]);
    let undisturbed = play(chain, 40, None, split).await;
    let partition = "net.partition fleet-a critical active".to_owned();
    for (round, expected) in [(17, false), (18, true), (33, true), (35, true), (39, false)] {
        let alarms = &undisturbed.rounds[round];
        assert_eq!(alarms.contains(&partition), expected, "round {round}: {alarms:?}");
    }
    let raised = |course: &Course| {
        course
            .told
            .iter()
            .filter(|line| line.contains("net.partition"))
            // Until when it follows from its silent side depends on the manager's grace, which a
            // restart begins anew.
            .filter(|line| !line.starts_with("alarm.inhibited"))
            .cloned()
            .collect::<Vec<_>>()
    };
    for round in [17, 18, 20, 23, 28, 31] {
        let restarted = play(chain, 40, Some(round), split).await;
        assert_eq!(raised(&restarted), raised(&undisturbed), "restart after round {round}");
        assert_eq!(restarted.rounds[39], undisturbed.rounds[39], "restart after round {round}");
        assert!(restarted.rounds[33].contains(&partition), "restart after round {round}");
    }
}

/// A gateway falls silent and comes back.
fn silence(round: usize, net: &mut Network) {
    net.roles.insert(1, "gateway");
    match round {
        7 => net.silent.extend([1]),
        24 => net.silent.clear(),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_missed_and_found_again() {
    let chain: (usize, &[(usize, usize)]) = (3, &[(0, 1), (1, 2)]);
    let undisturbed = play(chain, 30, None, silence).await;
    assert!(undisturbed.rounds[12].contains(&"agent.offline beta critical active".to_owned()));
    // A young manager waits before it blames anybody, so a restart may delay what is told; it
    // changes nothing of it.
    for round in [6, 8, 10, 12, 16, 24, 25] {
        let restarted = play(chain, 30, Some(round), silence).await;
        assert_eq!(restarted.told, undisturbed.told, "restart after round {round}");
        assert_eq!(restarted.rounds[29], undisturbed.rounds[29], "restart after round {round}");
    }
}

/// One end lists the other, which never had a handshake with it and does not list it.
fn in_vain(_: usize, net: &mut Network) {
    net.links[0].alive = false;
    net.links[0].mutual = false;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_worked_is_no_split_after_a_restart() {
    let fleet: (usize, &[(usize, usize)]) = (2, &[(0, 1)]);
    let undisturbed = play(fleet, 16, None, in_vain).await;
    assert_eq!(undisturbed.rounds[15], ["edge.half_configured alpha-beta major active"]);
    same(&play(fleet, 16, Some(4), in_vain).await, &undisturbed, 4);
}
