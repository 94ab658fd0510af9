use proptest::prelude::*;

use super::*;

/// A made-up fleet: sites of a gateway and its leaves, gateways in a ring, some peers outside.
struct World {
    names: Vec<(String, Option<String>, NodeRole, Vec<String>)>,
}

impl World {
    fn new(sites: usize, leaves: usize, labelled: bool) -> Self {
        let mut names = Vec::new();
        for s in 0..sites {
            let label = labelled.then(|| format!("site{s}"));
            let gateway = format!("a:gw{s}");
            let next = format!("a:gw{}", (s + 1) % sites);
            names.push((gateway.clone(), label.clone(), NodeRole::Gateway, vec![next]));
            for l in 0..leaves {
                let id = format!("a:h{s}-{l}");
                names.push((id, label.clone(), NodeRole::Agent, vec![gateway.clone()]));
            }
            let key = format!("x:f:{s}");
            names.push((key, None, NodeRole::External, vec![gateway]));
        }
        Self { names }
    }

    fn nodes(&self) -> Vec<LayoutNode<'_>> {
        self.names
            .iter()
            .map(|(id, site, role, neighbours)| LayoutNode {
                id,
                fleet: "f",
                site: site.as_deref(),
                role: *role,
                name: id,
                neighbours: neighbours.iter().map(String::as_str).collect(),
            })
            .collect()
    }
}

/// Stored places after an answer.
fn stored(before: &[Placed], answer: &[Placed]) -> Vec<Placed> {
    let mut all: BTreeMap<String, Placed> =
        before.iter().map(|p| (p.id.clone(), p.clone())).collect();
    all.extend(answer.iter().map(|p| (p.id.clone(), p.clone())));
    all.into_values().collect()
}

fn distance(a: &Placed, b: &Placed) -> f64 {
    ((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y)).sqrt()
}

/// Everybody has a place, inside the own circle, apart from each other; circles are apart.
fn check(all: &[Placed], nodes: &[LayoutNode<'_>]) {
    let by_id: BTreeMap<&str, &Placed> = all.iter().map(|p| (p.id.as_str(), p)).collect();
    let mut members: BTreeMap<&str, Vec<&Placed>> = BTreeMap::new();
    for node in nodes {
        let p = by_id[node.id];
        let site = by_id[p.site.as_deref().unwrap()];
        assert!(p.pinned || distance(p, site) + 30.0 <= site.r, "{p:?} outside of {site:?}");
        members.entry(site.id.as_str()).or_default().push(p);
    }
    for group in members.values() {
        for (i, a) in group.iter().enumerate() {
            for b in &group[i + 1..] {
                assert!(distance(a, b) >= 0.7 * STEP, "{a:?} on {b:?}");
            }
        }
    }
    let sites: Vec<&Placed> = all.iter().filter(|p| p.site.is_none()).collect();
    for (i, a) in sites.iter().enumerate() {
        for b in &sites[i + 1..] {
            assert!(distance(a, b) >= a.r + b.r, "{a:?} overlaps {b:?}");
        }
    }
}

#[test]
fn same_nodes_same_bytes_in_any_order() {
    for labelled in [true, false] {
        let world = World::new(7, 13, labelled);
        let mut nodes = world.nodes();
        let first = place(&[], &nodes, 1);
        check(&first, &nodes);
        assert_eq!(first, place(&[], &nodes, 1));
        nodes.reverse();
        let mut turned = first.clone();
        turned.reverse();
        assert_eq!(first, place(&[], &nodes, 1));
        assert!(place(&turned, &nodes, 2).is_empty(), "a second look changes nothing");
        assert!(first.iter().all(|p| p.x == tenth(p.x) && p.y == tenth(p.y) && p.r == tenth(p.r)));
    }
}

/// Known places, so that another platform or compiler that computes otherwise is found out.
#[test]
fn known_places() {
    let world = World::new(2, 3, true);
    let answer = place(&[], &world.nodes(), 1);
    let text: Vec<String> =
        answer.iter().map(|p| format!("{} {} {} {}", p.id, p.x, p.y, p.r)).collect();
    assert_eq!(text, KNOWN);
}

const KNOWN: &[&str] = &[
    "a:gw0 0 0 0",
    "a:gw1 254.6 26.3 0",
    "a:h0-0 0 -44 0",
    "a:h0-1 38.1 -22 0",
    "a:h0-2 0 44 0",
    "a:h1-0 254.6 -17.7 0",
    "a:h1-1 292.7 4.3 0",
    "a:h1-2 254.6 70.3 0",
    "f/site0 0 0 82",
    "f/site1 254.6 26.3 82",
    "x:f:0 -38.1 22 0",
    "x:f:1 216.5 48.3 0",
];

#[test]
fn a_gateway_sits_in_the_middle_and_a_pair_around_it() {
    let world = World::new(1, 20, true);
    let all = place(&[], &world.nodes(), 1);
    let find = |id: &str| all.iter().find(|p| p.id == id).unwrap();
    assert_eq!(distance(find("a:gw0"), find("f/site0")), 0.0);
    let mut world = World::new(1, 20, true);
    let twin = ("a:gw00".to_owned(), Some("site0".to_owned()), NodeRole::Gateway, vec![]);
    world.names.push(twin);
    let nodes = world.nodes();
    let all = place(&[], &nodes, 1);
    check(&all, &nodes);
    let centre = all.iter().find(|p| p.id == "f/site0").unwrap();
    for p in all.iter().filter(|p| p.site.is_some()) {
        let central = p.id.starts_with("a:gw");
        assert_eq!(distance(p, centre) < 1.5 * STEP, central, "{p:?}");
    }
}

#[test]
fn newcomers_move_nobody_while_there_is_room() {
    let mut world = World::new(6, 8, true);
    let before = place(&[], &world.nodes(), 1);
    for n in 0..5 {
        let id = format!("a:new{n}");
        world.names.push((id, Some("site2".into()), NodeRole::Agent, vec!["a:gw2".into()]));
    }
    let nodes = world.nodes();
    let answer = place(&before, &nodes, 2);
    let ids: Vec<&str> = answer.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["a:new0", "a:new1", "a:new2", "a:new3", "a:new4"]);
    assert!(answer.iter().all(|p| p.rev == 2));
    check(&stored(&before, &answer), &nodes);
}

#[test]
fn a_site_that_outgrows_its_circle_pushes_whole_sites() {
    let mut world = World::new(9, 4, true);
    let before = place(&[], &world.nodes(), 1);
    for n in 0..400 {
        let id = format!("a:new{n:03}");
        world.names.push((id, Some("site4".into()), NodeRole::Agent, vec!["a:gw4".into()]));
    }
    let nodes = world.nodes();
    let answer = place(&before, &nodes, 2);
    let after = stored(&before, &answer);
    check(&after, &nodes);
    let find = |all: &[Placed], id: &str| all.iter().find(|p| p.id == id).unwrap().clone();
    for p in before.iter().filter(|p| p.site.is_some()) {
        let site = p.site.as_deref().unwrap();
        let (site_was, site_is) = (find(&before, site), find(&after, site));
        let now = find(&after, &p.id);
        let moved = (now.x - p.x, now.y - p.y);
        let site_moved = (site_is.x - site_was.x, site_is.y - site_was.y);
        assert!((moved.0 - site_moved.0).abs() < 0.2 && (moved.1 - site_moved.1).abs() < 0.2);
    }
    let grown = find(&after, "f/site4");
    assert_eq!((grown.x, grown.y), (find(&before, "f/site4").x, find(&before, "f/site4").y));
}

#[test]
fn the_pinned_never_move_and_hold_their_site() {
    let mut world = World::new(5, 4, true);
    let mut before = place(&[], &world.nodes(), 1);
    for p in &mut before {
        if p.id == "a:h1-0" || p.id == "a:h3-0" {
            (p.x, p.y, p.pinned) = (p.x + 9.0, p.y - 3.0, true);
        }
    }
    for n in 0..300 {
        world.names.push((format!("a:n{n}"), Some("site1".into()), NodeRole::Agent, vec![]));
    }
    let nodes = world.nodes();
    for answer in [place(&before, &nodes, 2), rearrange(&before, &nodes, 2)] {
        for p in before.iter().filter(|p| p.pinned) {
            assert!(answer.iter().all(|new| new.id != p.id || (new.x, new.y) == (p.x, p.y)));
        }
        for site in ["f/site1", "f/site3"] {
            let was = before.iter().find(|p| p.id == site).unwrap();
            assert!(answer.iter().all(|p| p.id != site || (p.x, p.y) == (was.x, was.y)));
        }
    }
}

#[test]
fn a_slot_waits_for_who_is_gone() {
    let world = World::new(1, 9, true);
    let before = place(&[], &world.nodes(), 1);
    let mut changed = World::new(1, 9, true);
    changed.names.retain(|n| n.0 != "a:h0-3");
    changed.names.push(("a:stranger".into(), Some("site0".into()), NodeRole::Agent, vec![]));
    let with_stranger = stored(&before, &place(&before, &changed.nodes(), 2));
    changed.names.push(("a:h0-3".into(), Some("site0".into()), NodeRole::Agent, vec![]));
    let nodes = changed.nodes();
    assert!(place(&with_stranger, &nodes, 3).is_empty(), "it is back where it was");
    check(&with_stranger, &nodes);
}

#[test]
fn a_new_label_moves_a_node_to_its_new_site() {
    let mut world = World::new(3, 4, true);
    let before = place(&[], &world.nodes(), 1);
    world.names[1].1 = Some("site2".into());
    let id = world.names[1].0.clone();
    let answer = place(&before, &world.nodes(), 2);
    let ids: Vec<&str> = answer.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, [id.as_str()]);
    assert_eq!(answer[0].site.as_deref(), Some("f/site2"));
    check(&stored(&before, &answer), &world.nodes());
}

#[test]
fn damaged_places_do_no_harm() {
    let world = World::new(3, 4, true);
    let mut before = place(&[], &world.nodes(), 1);
    for (p, bad) in before.iter_mut().zip([f64::NAN, f64::INFINITY, -1e300, 1e300].iter().cycle()) {
        (p.x, p.r) = (*bad, if p.site.is_none() { *bad } else { 0.0 });
    }
    let answer = place(&before, &world.nodes(), 2);
    assert!(answer.iter().all(|p| p.x.is_finite() && p.y.is_finite() && p.r.is_finite()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A fleet that grows node by node in a random order: nobody overlaps, and nobody moves but
    /// with the whole site.
    #[test]
    fn growth_keeps_order(
        order in Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle(),
        chunk in 1_usize..9,
        labelled in any::<bool>(),
    ) {
        let world = World::new(6, 8, labelled);
        let nodes = world.nodes();
        let mut present: Vec<LayoutNode<'_>> = Vec::new();
        let mut all: Vec<Placed> = Vec::new();
        for some in order.chunks(chunk) {
            present.extend(some.iter().map(|i| nodes[*i].clone()));
            let answer = place(&all, &present, 1);
            let after = stored(&all, &answer);
            check(&after, &present);
            let find = |list: &[Placed], id: &str| list.iter().find(|p| p.id == id).cloned();
            for p in all.iter().filter(|p| p.site.is_some()) {
                let now = find(&after, &p.id).unwrap();
                prop_assert_eq!(&now.site, &p.site);
                let site = p.site.as_deref().unwrap();
                let (was, is) = (find(&all, site).unwrap(), find(&after, site).unwrap());
                prop_assert!(((now.x - p.x) - (is.x - was.x)).abs() < 0.2);
                prop_assert!(((now.y - p.y) - (is.y - was.y)).abs() < 0.2);
            }
            all = after;
        }
    }
}

/// A site without a hub: its nodes in a circle, each linked to the next.
fn circle(count: usize) -> World {
    let id = |n: usize| format!("a:{:02}", n * 37 % 100);
    let names = (0..count).map(|n| {
        let next = vec![id((n + 1) % count)];
        (id(n), Some("mesh".to_owned()), NodeRole::Agent, next)
    });
    World { names: names.collect() }
}

fn links_of<'a>(world: &World, all: &'a [Placed]) -> Vec<(&'a Placed, &'a Placed)> {
    let find = |id: &str| all.iter().find(|p| p.id == id);
    let names = world.names.iter();
    let pairs = names.flat_map(|(id, .., next)| next.iter().map(move |other| (id, other)));
    pairs.filter_map(|(a, b)| Some((find(a)?, find(b)?))).collect()
}

/// Whether two links cross.
fn cross((a, b): (&Placed, &Placed), (c, d): (&Placed, &Placed)) -> bool {
    let side = |a: &Placed, b: &Placed, c: &Placed| {
        (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) > 0.0
    };
    let apart = [&a.id, &b.id].iter().all(|id| **id != c.id && **id != d.id);
    apart && side(a, b, c) != side(a, b, d) && side(c, d, a) != side(c, d, b)
}

fn crossings(world: &World, all: &[Placed]) -> usize {
    let links = links_of(world, all);
    let pairs =
        links.iter().enumerate().flat_map(|(i, a)| links[i + 1..].iter().map(move |b| (a, b)));
    pairs.filter(|(a, b)| cross(**a, **b)).count()
}

#[test]
fn without_a_hub_those_who_are_linked_are_near_each_other() {
    let world = circle(16);
    let mut nodes = world.nodes();
    let all = place(&[], &nodes, 1);
    check(&all, &nodes);
    assert_eq!(crossings(&world, &all), 0, "a circle is drawn as one: {all:?}");
    for (a, b) in links_of(&world, &all) {
        assert!(distance(a, b) < 2.0 * STEP, "{a:?} {b:?}");
    }
    nodes.reverse();
    assert_eq!(all, place(&[], &nodes, 1));
    assert!(place(&all, &nodes, 2).is_empty());
    // On the platform of whoever runs this as on any other.
    let text: Vec<String> =
        all.iter().take(4).map(|p| format!("{} {} {}", p.id, p.x, p.y)).collect();
    assert_eq!(
        text,
        ["a:00 119.1 -170.4", "a:07 -177.2 -42.2", "a:11 178.3 42", "a:18 -24.9 -203.1"]
    );
}

#[test]
fn five_newcomers_without_a_hub_sit_by_their_neighbours_and_move_nobody() {
    let mut world = circle(16);
    let before = place(&[], &world.nodes(), 1);
    let hosts: Vec<String> = (0..5).map(|n| world.names[n * 3].0.clone()).collect();
    for (n, host) in hosts.iter().enumerate() {
        let next = vec![host.clone()];
        world.names.push((format!("a:new{n}"), Some("mesh".into()), NodeRole::Agent, next));
    }
    world.names.push(("a:new5".into(), Some("mesh".into()), NodeRole::Agent, vec![]));
    let nodes = world.nodes();
    let answer = place(&before, &nodes, 2);
    let nodes_of = answer.iter().filter(|p| p.site.is_some()).map(|p| p.id.as_str());
    assert!(nodes_of.eq(["a:new0", "a:new1", "a:new2", "a:new3", "a:new4", "a:new5"]));
    let after = stored(&before, &answer);
    check(&after, &nodes);
    for (a, b) in links_of(&world, &after).iter().filter(|(a, _)| a.id.starts_with("a:new")) {
        assert!(distance(a, b) < 2.5 * STEP, "{a:?} {b:?}");
    }
}

#[test]
fn everybody_linked_to_everybody_is_drawn_in_rings() {
    let mut world = circle(12);
    let ids: Vec<String> = world.names.iter().map(|name| name.0.clone()).collect();
    for name in &mut world.names {
        name.3.clone_from(&ids);
    }
    let all = place(&[], &world.nodes(), 1);
    let centre = all.iter().find(|p| p.site.is_none()).unwrap();
    let rings = all.iter().filter(|p| p.site.is_some()).map(|p| distance(p, centre) / STEP);
    assert!(rings.into_iter().all(|ring| (ring - ring.round()).abs() < 0.01), "{all:?}");
}

#[test]
fn a_thousand_without_a_hub_are_apart_from_each_other() {
    let count = 1000_usize;
    let id = |n: usize| format!("a:{n:04}");
    let name = |n: usize| (id(n), Some("tree".to_owned()), NodeRole::Agent, vec![id(n / 3)]);
    let world = World { names: (0..count).map(name).collect() };
    let nodes = world.nodes();
    let all = place(&[], &nodes, 1);
    check(&all, &nodes);
}
