//! The plan against the page's own (`tests/js/shared.test.mjs` reads the same files), and what a
//! picture must be besides: the same each time, well-formed, and still where nothing changed.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::slice;

use super::geometry::Curve;
use super::nets::Nets;
use super::plan::{Bundle, Layers, Line};
use super::question::{Lost, Rows};
use super::relays::Step;
use super::scene::{EndOf, Mark, half};
use super::*;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EdgeState, EndState, RelayProof};
use crate::topology::chain::Leg;
use crate::topology::picture::{Edge, Node, NodeKind, Site, SiteCounts, samples};

const STATES: [AgentStatus; 5] = [
    AgentStatus::Online,
    AgentStatus::Stale,
    AgentStatus::Offline,
    AgentStatus::Pending,
    AgentStatus::Retired,
];
const LINKS: [(EdgeState, [EndState; 2]); 8] = [
    (EdgeState::Up, [EndState::Up, EndState::Overdue]),
    (EdgeState::Idle, [EndState::Idle, EndState::Idle]),
    (EdgeState::Down, [EndState::Down, EndState::Unknown]),
    (EdgeState::OneWay, [EndState::Up, EndState::Down]),
    (EdgeState::HalfConfigured, [EndState::Up, EndState::Missing]),
    (EdgeState::Never, [EndState::Never, EndState::Never]),
    (EdgeState::Unknown, [EndState::Unknown, EndState::Unknown]),
    (EdgeState::Up, [EndState::Up, EndState::Up]),
];

/// Sites in a row, the first with many nodes, the last with none.
const SITES: [(&str, u32, f64, f64, f64); 5] = [
    ("hel", 60, 0.0, 0.0, 310.0),
    ("oul", 9, 520.3, -41.7, 120.0),
    ("tam", 4, 530.1, 290.9, 95.0),
    ("far", 3, 2900.6, 210.4, 90.0),
    ("void", 0, -400.0, 330.0, 60.0),
];

fn node_of(site: &str, i: u32, (sx, sy, r): (f64, f64, f64)) -> Node {
    let (ring, step) = (f64::from(i % 7) / 7.5, f64::from(i));
    let role = match i {
        0 => "gateway",
        1 => "relay",
        i if i % 5 == 4 => "external",
        _ => "agent",
    };
    let name = format!("{site}-{i}");
    let external = role == "external";
    Node {
        id: if external { format!("x:lab:{name}") } else { format!("a:{name}") },
        kind: if external { NodeKind::External } else { NodeKind::Agent },
        role: role.to_owned(),
        agent_id: if external { None } else { name.parse().ok() },
        label: name.clone(),
        status: (!external).then(|| STATES[if i < 2 { 0 } else { i as usize % STATES.len() }]),
        site: format!("lab/{site}"),
        x: sx + ring * r * (0.37 + step * 0.011) - r / 3.0,
        y: sy + (step / 11.3 - 2.1) * r / 4.7,
        alarms: u32::from(i == 6),
        relay_path: match i {
            2 => RelayPath::through(vec![format!("{site}-0").parse().unwrap()], RelayProof::Proven),
            3 => RelayPath::through(
                vec![format!("{site}-1").parse().unwrap(), "hel-0".parse().unwrap()],
                RelayProof::Claimed,
            ),
            _ => RelayPath::direct(),
        },
        ..samples::node("n")
    }
}

fn link(i: usize, a: &Node, b: &Node) -> Edge {
    let (state, ends) = LINKS[i % LINKS.len()];
    let mut edge = samples::edge(&format!("{i:016x}"), [&a.id, &b.id]);
    edge.state = state;
    edge.ends[0].state = ends[0];
    edge.ends[1].state = ends[1];
    if i.is_multiple_of(3) {
        edge.ends[0].allowed_ips = vec![format!("10.{}.0.0/16", i % 7), format!("10.0.0.{i}/32")];
    }
    edge
}

/// Every look, role and state, parallel links, paths of reports, a site far away, an empty one.
fn world() -> Picture {
    let mut picture = Picture { v: 1, epoch: "shared".to_owned(), ..Picture::default() };
    picture.generated_at = UnixSeconds(1_795_214_286);
    for (name, count, x, y, r) in SITES {
        let nodes: Vec<_> = (0..count).map(|i| node_of(name, i, (x, y, r))).collect();
        let mut counts = SiteCounts::default();
        nodes.iter().for_each(|node| counts.count(node));
        picture.sites.push(Site {
            id: format!("lab/{name}"),
            label: format!("Site {name}"),
            fleet_id: "lab".parse().unwrap(),
            x,
            y,
            r,
            counts,
        });
        for (i, pair) in nodes.windows(2).enumerate() {
            picture.edges.push(link(picture.edges.len() + i, &nodes[0], &pair[1]));
        }
        picture.nodes.extend(nodes);
    }
    let hubs: Vec<_> = picture.nodes.iter().filter(|n| n.role == "gateway").cloned().collect();
    for (i, a) in hubs.iter().enumerate() {
        for b in &hubs[i + 1..] {
            for _ in 0..=i + 1 {
                picture.edges.push(link(picture.edges.len() + 900, a, b));
            }
        }
    }
    for (number, edge) in picture.edges.iter_mut().enumerate() {
        edge.id = format!("{number:016x}");
    }
    picture
}

const ALL: Layers = Layers { wireguard: true, subnets: true, relays: true };
const STAGE: Size = Size { w: 1000.0, h: 700.0 };

fn sights(picture: &Picture) -> [(&'static str, View); 5] {
    [
        ("whole", whole(picture, STAGE, Layers::default())),
        ("far", View { x: 400.3, y: 100.1, k: 0.0731 }),
        ("agents", View { x: 300.7, y: 50.3, k: 0.8371 }),
        ("near", View { x: 12.9, y: -31.7, k: 3.1713 }),
        ("beside", View { x: 520.9, y: 288.3, k: 2.6617 }),
    ]
}

fn curve(Curve { a, ca, mid, b, .. }: &Curve) -> String {
    let point = |(x, y): (f64, f64)| format!("{x:.3},{y:.3}");
    [*a, *ca, *mid, *b].map(point).join(" ")
}

/// A plan as lines of text, sorted, as `shared.test.mjs` writes them.
fn told(scene: &Scene<'_>, view: View) -> Vec<String> {
    let plan = Plan::new(scene, view, STAGE, ALL);
    let mut lines = vec![format!("level {}", plan.level)];
    for (kind, circles) in [("circle", &plan.circles), ("bubble", &plan.bubbles)] {
        lines.extend(
            circles
                .iter()
                .map(|c| format!("{kind} {} {:.3},{:.3} {:.3}", c.site.id, c.at.0, c.at.1, c.r)),
        );
    }
    lines.extend(plan.nodes.iter().map(|spot| {
        let (look, (x, y)) = (spot.look.as_str(), spot.at);
        format!("node {} {look} {x:.3},{y:.3} {:.3} {}", spot.node.id, spot.r, spot.interfaces)
    }));
    lines.extend(plan.edges.iter().map(|Line { edge, curve: way }| {
        let halves = [EndOf::Source, EndOf::Target].map(|end| half(edge, end).as_str()).join(" ");
        let mark = Mark::of(edge).map_or("-", Mark::as_str);
        format!("edge {} {} {halves} {mark}", edge.id, curve(way))
    }));
    lines.extend(plan.bundles.iter().map(|((a, b), bundle)| {
        let Bundle { edges, bad, down, quiet, .. } = bundle;
        format!("bundle {a} {b} {} {bad} {down} {quiet}", edges.len())
    }));
    lines.extend(plan.relays.iter().map(|Step { from, to, proven, curve: way }| {
        format!("relay {from} {to} {proven} {}", curve(way))
    }));
    lines.extend(
        plan.subnets
            .iter()
            .map(|Nets { owner, nets, .. }| format!("subnet {owner} {}", nets.join(" "))),
    );
    lines.sort();
    lines
}

/// Compares with a file of `tests/fixtures/map`; what should be there is left in `target/map`.
fn same(name: &str, text: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let kept = std::fs::read_to_string(root.join("tests/fixtures/map").join(name));
    if kept.is_ok_and(|kept| kept == text) {
        return;
    }
    let left = root.join("target/map");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join(name), text).unwrap();
    panic!("tests/fixtures/map/{name} tells of another map; target/map/{name} is this one");
}

#[test]
fn the_page_and_the_picture_draw_the_same_things_in_the_same_places() {
    let picture = world();
    let scene = Scene::new(&picture);
    let mut text = String::new();
    for (name, View { x, y, k }) in sights(&picture) {
        writeln!(text, "view {name} {x} {y} {k}").unwrap();
        for line in told(&scene, View { x, y, k }) {
            writeln!(text, "{line}").unwrap();
        }
    }
    let only = ["a:hel-0", "a:oul-0", "0000000000000000"].map(str::to_owned).into();
    let bright = |only, problems, rows: &[&str], within: &[HashSet<String>]| {
        let rows = Rows::parse(rows).unwrap();
        let question = Question { rows, within: within.to_vec(), ..Question::default() };
        scene::bright(&scene, only, problems, &question)
    };
    let near = question::around(&picture, "a:hel-0", 2);
    let inside = question::inside(&picture, "lab/hel");
    for (name, bright) in [
        ("problems", bright(None, true, &[], &[])),
        ("found", bright(Some(&only), false, &[], &[])),
        ("both", bright(Some(&only), true, &[], &[])),
        ("links", bright(Some(&["0000000000000002".to_owned()].into()), false, &[], &[])),
        ("down", bright(None, false, &["down"], &[])),
        ("row", bright(None, false, &["none", "-up"], &[])),
        ("differ", bright(None, false, &["-one_way"], &[])),
        ("troubled", bright(None, true, &["-up", "up"], &[])),
        ("near", bright(None, false, &[], slice::from_ref(&near))),
        ("inside", bright(None, true, &["late", "-down"], slice::from_ref(&inside))),
        ("all", bright(Some(&only), true, &["-down", "down"], &[near.clone(), inside.clone()])),
    ] {
        let bright = bright.unwrap();
        writeln!(text, "bright {name} {}", bright.into_iter().collect::<Vec<_>>().join(" "))
            .unwrap();
    }
    same("plan.txt", &text);
    same("picture.json", &(serde_json::to_string(&picture).unwrap() + "\n"));
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let sight = Sight { selected: Some("a:oul-0".to_owned()), layers: ALL, ..Sight::default() };
    let svg = svg(&world(), &sight);
    assert_eq!(svg, super::svg(&world(), &sight));
    // Another process must write these very bytes, too.
    same("map.svg", &svg);
}

#[test]
fn the_manager_is_ringed_where_it_is_chosen() {
    let chosen = |selected: &str, layers| {
        let selected = Some(selected.to_owned());
        svg(&world(), &Sight { selected, layers, ..Sight::default() }).matches("chosen").count()
    };
    let relays = Layers { relays: true, ..Layers::default() };
    assert_eq!([chosen("manager", relays), chosen("manager", Layers::default())], [1, 0]);
    assert_eq!([chosen("lab/oul", relays), chosen("a:nobody", relays)], [1, 0]);
}

#[test]
fn nothing_of_another_site_moves_when_nodes_come() {
    let before = world();
    let mut after = before.clone();
    for i in 100..105 {
        after.nodes.push(node_of("tam", i, (530.1, 290.9, 95.0)));
    }
    let view = View { x: 300.7, y: 50.3, k: 0.8371 };
    let lines = |picture: &Picture| told(&Scene::new(picture), view);
    let (old, new) = (lines(&before), lines(&after));
    let known: HashSet<_> = old.iter().filter(|line| !line.contains("tam")).collect();
    let kept: HashSet<_> = new.iter().filter(|line| !line.contains("tam")).collect();
    assert!(known.len() > 50 && known == kept);
}

#[test]
fn names_cannot_break_out_of_a_picture() {
    let mut picture = world();
    picture.nodes[0].label = "</text><script>alert(1)</script>".to_owned();
    picture.sites[0].label = "\"><image href='x'/>".to_owned();
    let svg = svg(&picture, &Sight { asked: "<b>".to_owned(), ..Sight::default() });
    assert!(!svg.contains("<script") && !svg.contains("<image") && !svg.contains("<b>"));
}

#[test]
fn the_foot_tells_what_the_picture_answers() {
    let sight = Sight {
        asked: "state:down".to_owned(),
        problems: true,
        anonymised: true,
        size: Some((1, 99_999)),
        ..Sight::default()
    };
    let svg = svg(&world(), &sight);
    for words in ["asked for: state:down", "problems only", "pseudonyms", "2026-11-20T22:38:06Z"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(svg.contains("width=\"320\" height=\"8000\""), "sizes stay in bounds");
    assert!(super::svg(&Picture::default(), &Sight::default()).contains("Links: none"));
}

#[test]
fn what_is_asked_of_the_map_is_marked_and_the_rest_dim_or_left_out() {
    let picture = world();
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<HashSet<_>>();
    let leg = |from: &str, to: &str, edge: Option<&str>| Leg {
        from: from.to_owned(),
        to: to.to_owned(),
        edge: edge.map(str::to_owned),
    };
    let link = picture.edges.iter().find(|edge| edge.target == "a:hel-6").unwrap();
    let question = Question {
        rows: Rows::default(),
        within: vec![question::around(&picture, "a:hel-0", 1)],
        legs: vec![
            leg("a:hel-6", "a:hel-0", Some(&link.id)),
            leg("a:hel-0", "a:oul-0", None),
            leg("a:hel-0", "a:nobody", None),
        ],
        lost: Some(Lost { gone: set(&["a:hel-0"]), cut_off: set(&["a:hel-6"]), ..Lost::default() }),
        words: vec!["around hel-0".to_owned()],
    };
    let sight = Sight {
        view: Some(View { x: 300.7, y: 50.3, k: 0.8371 }),
        question,
        hide: true,
        ..Sight::default()
    };
    let drawn = svg(&picture, &sight);
    let count = |what: &str| drawn.matches(what).count();
    let marks = ["class=\"way\"", "class=\"taken\"", "class=\"lost\"", "9 7"].map(count);
    assert_eq!(marks, [2, 1, 1, 1]);
    assert!(drawn.contains("around hel-0") && drawn.contains(">hel-6<"));
    assert!(!drawn.contains(">tam-1<"), "no neighbour of hel-0");
    let dim = svg(&picture, &Sight { hide: false, ..sight });
    assert!(dim.len() > drawn.len() && dim.contains("opacity=\"0.15\""));
}
