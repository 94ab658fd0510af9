//! A made-up world keeps its own laws: same for the same seed, two ends that agree, counters
//! that grow, faults that look like faults.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::*;

const START: i64 = 1_795_000_000;

fn world(agents: usize, mix: Mix, faults: bool) -> World {
    World::new(&Options { seed: 11, agents, mix, faults, start: UnixSeconds(START) })
}

fn read(world: &mut World, host: usize, now: i64) -> Option<Value> {
    let data = world.report(host, UnixSeconds(now))?;
    Some(serde_json::from_slice(&data).expect("a report is JSON"))
}

/// (own key, peer's key) -> what the end says.
fn ends(world: &mut World, now: i64) -> BTreeMap<(String, String), Value> {
    let mut ends = BTreeMap::new();
    for host in 0..world.agents() {
        let Some(report) = read(world, host, now) else { continue };
        let offset = report["collected_at"].as_i64().unwrap() - now;
        let own: HashMap<&str, &str> = report["interfaces"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|i| Some((i["name"].as_str()?, i["public_key"].as_str()?)))
            .collect();
        for peer in report["wg_peers"].as_array().unwrap() {
            let mut said = peer.clone();
            if let Some(at) = peer["latest_handshake"].as_i64().filter(|at| *at != 0) {
                said["latest_handshake"] = (at - offset).into();
            }
            let own = own[peer["interface"].as_str().unwrap()];
            let key = (own.to_owned(), peer["public_key"].as_str().unwrap().to_owned());
            assert!(ends.insert(key, said).is_none(), "a peer is listed once");
        }
    }
    ends
}

#[test]
fn the_same_seed_gives_the_same_bytes_however_often_time_is_stepped() {
    let (mut one, mut other) = (world(60, Mix::Demo, true), world(60, Mix::Demo, true));
    for second in 1..=700 {
        one.step(UnixSeconds(START + second));
    }
    other.step(UnixSeconds(START + 700));
    let now = UnixSeconds(START + 700);
    for host in 0..60 {
        assert_eq!(one.report(host, now), other.report(host, now), "host {host}");
    }
    let mut third = World::new(&Options {
        seed: 12,
        agents: 60,
        mix: Mix::Demo,
        faults: true,
        start: UnixSeconds(START),
    });
    third.step(now);
    assert!((0..60).any(|host| one.report(host, now) != third.report(host, now)));
}

#[test]
fn both_ends_of_every_link_tell_the_same_story() {
    for mix in [Mix::Demo, Mix::Load] {
        let mut world = world(120, mix, false);
        let ends = ends(&mut world, START + 3600);
        let mut pairs = 0;
        for ((own, peer), said) in &ends {
            let Some(back) = ends.get(&(peer.clone(), own.clone())) else { continue };
            pairs += 1;
            assert_eq!(said["latest_handshake"], back["latest_handshake"]);
            if said["latest_handshake"].as_i64().unwrap() > START {
                assert_eq!(said["tx_bytes"], back["rx_bytes"]);
                assert_eq!(said["rx_bytes"], back["tx_bytes"]);
            }
        }
        // Devices without an agent and half-configured ties have one end only.
        assert!(pairs > ends.len() * 9 / 10, "{pairs} of {}", ends.len());
    }
}

#[test]
fn a_living_link_shakes_hands_every_two_minutes_and_an_idle_one_ages() {
    let mut world = world(40, Mix::Demo, false);
    for passed in [0, 119, 120, 5000] {
        let ages: Vec<i64> = ends(&mut world, START + passed)
            .values()
            .filter_map(|said| said["latest_handshake"].as_i64().filter(|at| *at != 0))
            .map(|at| START + passed - at)
            .collect();
        assert!(ages.iter().all(|age| *age >= 0));
        assert!(ages.iter().filter(|age| **age <= 125).count() > 80);
        assert!(ages.iter().any(|age| *age > 3600), "the idle link is old");
    }
}

#[test]
fn counters_grow_from_report_to_report_even_within_one_second() {
    let mut world = world(40, Mix::Load, false);
    let sent = |report: &Value| {
        let interfaces = report["interfaces"].as_array().unwrap();
        let management = interfaces.iter().find(|i| i["name"] == "mgmt0").unwrap();
        management["tx_bytes"].as_u64().unwrap()
    };
    let first = read(&mut world, 3, START).unwrap();
    let second = read(&mut world, 3, START).unwrap();
    assert!(sent(&second) > sent(&first));
}

#[test]
fn load_reports_are_about_five_kilobytes_and_seldom_change_shape() {
    let mut world = world(570, Mix::Load, false);
    let (mut bytes, mut changes, mut before) = (0, 0, BTreeMap::new());
    let rounds = 20;
    for round in 0..rounds {
        for host in 0..570 {
            let data = world.report(host, UnixSeconds(START + round)).unwrap();
            bytes += data.len();
            let report: Value = serde_json::from_slice(&data).unwrap();
            assert_eq!(report["interfaces"].as_array().unwrap().len(), 8);
            let routes = report["routes"].clone();
            if before.insert(host, routes.clone()).is_some_and(|old| old != routes) {
                changes += 1;
            }
        }
    }
    let reports = 570 * usize::try_from(rounds).unwrap();
    let average = bytes / reports;
    assert!((4500..5700).contains(&average), "{average} bytes");
    let share = f64::from(changes) / reports as f64;
    assert!((0.015..0.045).contains(&share), "{share}");
}

#[test]
fn islands_are_cut_off_and_the_half_configured_tie_has_one_end() {
    let mut world = world(40, Mix::Demo, false);
    let ends = ends(&mut world, START);
    let cut = ends.values().filter(|said| {
        let at = said["latest_handshake"].as_i64().unwrap();
        said["persistent_keepalive"] == 25 && at != 0 && START - at > 600
    });
    assert_eq!(cut.count(), 6);
    let own: Vec<&String> = ends.keys().map(|(own, _)| own).collect();
    let one_sided = ends
        .keys()
        .filter(|(a, b)| own.contains(&b) && !ends.contains_key(&(b.clone(), a.clone())));
    assert_eq!(one_sided.count(), 1);
}

#[test]
fn faults_break_and_heal_in_every_way() {
    let mut world = world(40, Mix::Demo, true);
    let healthy = ends(&mut self::world(40, Mix::Demo, false), START).len();
    let (mut away, mut cable, mut rebooted, mut rekeyed, mut dead) = (0, 0, 0, 0, 0);
    for step in 0..720 {
        let now = START + step * 10;
        world.step(UnixSeconds(now));
        away += world.hosts.iter().filter(|host| host.away).count();
        cable += world.hosts.iter().filter(|host| host.cable_cut_at.is_some()).count();
        rebooted = world.hosts.iter().filter(|host| host.boots > 0).count();
        rekeyed = world.hosts.iter().filter(|host| host.key_changes[0] > 0).count();
        dead += world.links.iter().filter(|link| link.cuts > 0).count();
    }
    assert!(away > 0 && cable > 0 && rebooted > 0 && rekeyed > 0 && dead > 3 * 720);
    world.schedule.as_mut().expect("it has faults").stop_breaking();
    let later = START + 7200 + 1200;
    world.step(UnixSeconds(later));
    assert!(world.hosts.iter().all(|host| !host.away && !host.faulted));
    assert_eq!(world.links.iter().filter(|link| link.cuts > 0).count(), 3, "the islands stay");
    let said = ends(&mut world, later);
    assert_eq!(said.len(), healthy);
    let fresh =
        said.values().filter(|said| later - said["latest_handshake"].as_i64().unwrap() <= 125);
    assert!(fresh.count() > 80);
}

#[test]
fn a_pulled_cable_shows_at_eth0_and_its_routes_and_nowhere_else() {
    let mut world = world(40, Mix::Demo, false);
    world.change_host(4, START, |host| host.cable_cut_at = Some(START));
    let report = read(&mut world, 4, START + 400).unwrap();
    for interface in report["interfaces"].as_array().unwrap() {
        let down = interface["state"] == "down";
        assert_eq!(down, interface["name"] == "eth0", "{interface}");
    }
    let linkdown =
        report["routes"].as_array().unwrap().iter().filter(|r| r["flags"][0] == "linkdown");
    assert_eq!(linkdown.count(), 3);
    for peer in report["wg_peers"].as_array().unwrap() {
        let age = START + 400 - peer["latest_handshake"].as_i64().unwrap();
        assert!(age >= 398, "{peer}");
    }
}
