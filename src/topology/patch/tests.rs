use serde_json::{Map, Value, json};

use super::*;
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::state::{AgentStatus, EdgeState, EndState, RelayProof};
use crate::topology::picture::{NodeKind, SiteCounts, samples};

/// Two of one thing that differ in every member there is.
fn nodes() -> [Node; 2] {
    let one = samples::node("a:1");
    let other = Node {
        kind: NodeKind::External,
        role: "gateway".to_owned(),
        agent_id: Some("1".parse().unwrap()),
        label: "other".to_owned(),
        status: Some(AgentStatus::Stale),
        fleet_id: "other".parse().unwrap(),
        site: "other/1".to_owned(),
        x: 1.0,
        y: 2.0,
        seen_at: Some(UnixSeconds(7)),
        alarms: 3,
        addresses: vec!["10.0.0.1/32".to_owned()],
        relay_path: RelayPath::through(vec!["r1".parse().unwrap()], RelayProof::Claimed),
        maintenance_until: Some(UnixSeconds(9)),
        ..one.clone()
    };
    [one, other]
}

fn edges() -> [Edge; 2] {
    let one = samples::edge("e", ["a:1", "a:2"]);
    let end = End {
        agent_id: Some("1".parse().unwrap()),
        interface: Some("wg0".to_owned()),
        public_key: Some(WgKey([1; 32])),
        state: EndState::Overdue,
        latest_handshake: Some(UnixSeconds(3)),
        rx_bytes: Some(4),
        tx_bytes: Some(5),
        endpoint: Some("192.0.2.1:1".to_owned()),
        allowed_ips: vec!["10.0.0.0/8".to_owned()],
        persistent_keepalive: Some(25),
        measured_at: Some(UnixSeconds(6)),
    };
    let other = Edge {
        source: "a:3".to_owned(),
        target: "a:4".to_owned(),
        edge_type: "other",
        state: EdgeState::Down,
        reason: "other".to_owned(),
        judged_at: UnixSeconds(1),
        since: UnixSeconds(2),
        ends: [end.clone(), end],
        ..one.clone()
    };
    [one, other]
}

fn sites() -> [Site; 2] {
    let one = Site {
        id: "f/s".to_owned(),
        label: "s".to_owned(),
        fleet_id: "f".parse().unwrap(),
        x: 0.0,
        y: 0.0,
        r: 1.0,
        counts: SiteCounts::default(),
    };
    let counts = SiteCounts { online: 1, ..SiteCounts::default() };
    let (label, fleet_id) = ("t".to_owned(), "g".parse().unwrap());
    [one.clone(), Site { label, fleet_id, x: 1.0, y: 2.0, r: 3.0, counts, ..one }]
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    serde_json::to_value(value).unwrap().as_object().unwrap().clone()
}

/// A thing without what moves.
fn still(mut thing: Map<String, Value>) -> Map<String, Value> {
    for end in thing.get_mut("ends").and_then(Value::as_array_mut).into_iter().flatten() {
        for name in ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"] {
            end.as_object_mut().unwrap().remove(name).unwrap();
        }
    }
    thing
}

fn change<T: Thing>([before, now]: &[T; 2]) -> Change<T> {
    Change { now: now.clone(), told: now.since(before) }
}

#[test]
fn every_member_there_is_can_be_told_and_what_is_new_is_told_whole() {
    let (node, edge, site) = (change(&nodes()), change(&edges()), change(&sites()));
    assert_eq!(object(&node), object(&node.now));
    assert_eq!(object(&edge), still(object(&edge.now)));
    assert_eq!(object(&site), object(&site.now));
    let whole = Change::whole(edge.now.clone());
    assert_eq!(object(&whole), still(object(&edge.now)));
    assert_eq!(object(&Change::whole(node.now.clone())), object(&node.now));
}

/// Each member alone: the names stand where the comparison is.
#[test]
fn a_member_that_differs_is_told_under_its_own_name() {
    let [one, other] = nodes();
    let role = Node { role: other.role.clone(), ..one.clone() };
    let y = Node { y: other.y, ..one.clone() };
    let path = Node { relay_path: other.relay_path.clone(), ..one.clone() };
    let told = |now: &Node| object(&Change { told: now.since(&one), now: now.clone() });
    let names = |now: &Node| told(now).keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&role), ["id", "role", "seen_at"]);
    assert_eq!(names(&y), ["id", "seen_at", "y"]);
    assert_eq!(names(&path), ["id", "relay_path", "relay_proof", "seen_at"]);
    assert_eq!(one.since(&one), Told::NOTHING);
    let [one, other] = edges();
    let mut second = one.clone();
    second.ends[1].allowed_ips = other.ends[1].allowed_ips.clone();
    let told = object(&Change { told: second.since(&one), now: second });
    let only = json!({"id": "e", "ends": [{}, {"allowed_ips": ["10.0.0.0/8"]}]});
    assert_eq!(Value::Object(told), only);
    let mut moved = one.clone();
    moved.ends[0].latest_handshake = Some(UnixSeconds(7));
    moved.ends[1].rx_bytes = Some(7);
    assert_eq!(moved.since(&one), Told::NOTHING);
}

fn patch(from: u64, set: Vec<Change<Node>>, del: &[&str]) -> Arc<Patch> {
    let del = del.iter().map(|id| (*id).to_owned()).collect();
    Arc::new(Patch { from, seq: from + 1, n: Part { set, del }, ..Patch::default() })
}

#[test]
fn merged_later_values_win_and_what_went_in_between_is_told_anew() {
    let [one, _] = nodes();
    let late = Node { status: Some(AgentStatus::Stale), ..one.clone() };
    let named = Node { label: "name".to_owned(), ..late.clone() };
    let (becomes_late, is_named) =
        (change(&[one.clone(), late.clone()]), change(&[late, named.clone()]));
    let [a, b] = [patch(4, vec![becomes_late], &[]), patch(5, vec![is_named.clone()], &[])];
    let both = Patch::merged(&[Arc::clone(&a), Arc::clone(&b)]).unwrap();
    assert_eq!((both.from, both.seq), (4, 6));
    let only = json!({"id": "a:1", "status": "stale", "label": "name", "seen_at": null});
    assert_eq!(Value::Object(object(&both.n.set[0])), only);
    let gone = patch(6, vec![], &["a:1"]);
    let all = [a, Arc::clone(&b), Arc::clone(&gone)];
    let merged = Patch::merged(&all).unwrap();
    assert_eq!((merged.n.set.len(), &*merged.n.del), (0, &["a:1".to_owned()][..]));
    let back = patch(7, vec![is_named], &[]);
    let merged = Patch::merged(&[gone, back]).unwrap();
    assert_eq!((&merged.n.set, &*merged.n.del), (&vec![Change::whole(named)], &[][..]));
    assert_eq!(Patch::merged(&[b, patch(9, vec![], &[])]), None, "something is missing");
    assert_eq!(Patch::merged(&[]), None);
}

/// Of a network of 2,000 hosts 40 fall silent, and with each of them four links: 200 changes. The
/// page on performance has the numbers that it prints.
#[test]
fn two_hundred_changes_take_a_small_part_of_what_whole_things_take() {
    let agent = |n: u32| format!("{:032x}", u128::from(n) * 0x9e37_79b9_7f4a_7c15);
    let mut patch = Patch { from: 41, seq: 42, t: UnixSeconds(1_795_229_640), ..Patch::default() };
    for n in 0..40 {
        let (id, now) = (agent(n), UnixSeconds(1_795_229_640));
        let before = Node {
            agent_id: Some(id.parse().unwrap()),
            label: format!("oul-app{n}"),
            status: Some(AgentStatus::Online),
            site: "default/oulu".to_owned(),
            addresses: vec![format!("10.11.{n}.4/16"), format!("fd00:11::{n:x}/64")],
            ..samples::node(&format!("a:{id}"))
        };
        let status = Some(AgentStatus::Stale);
        patch.n.set.push(change(&[before.clone(), Node { status, ..before.clone() }]));
        for peer in 0..4 {
            let far = agent(2000 - n - peer * 400);
            let nodes = [&*before.id, &*format!("a:{far}")];
            let mut before = samples::edge(&format!("{:016x}", n * 4 + peer), nodes);
            for (end, id) in before.ends.iter_mut().zip([&id, &far]) {
                end.agent_id = Some(id.parse().unwrap());
                end.interface = Some("wg0".to_owned());
                end.public_key = Some(WgKey([7; 32]));
                end.endpoint = Some(format!("192.0.2.{peer}:51820"));
                end.allowed_ips = vec![format!("10.11.{n}.4/32"), "10.11.0.0/16".to_owned()];
                end.persistent_keepalive = Some(25);
            }
            let mut down = before.clone();
            (down.state, down.judged_at, down.since) = (EdgeState::Down, now, now);
            down.reason = "down: last handshake 4 min ago on hel-gw1".to_owned();
            down.ends.iter_mut().for_each(|end| end.state = EndState::Overdue);
            patch.e.set.push(change(&[before, down]));
        }
    }
    let mut whole = patch.clone();
    whole.n.set = whole.n.set.into_iter().map(|one| Change::whole(one.now)).collect();
    whole.e.set = whole.e.set.into_iter().map(|one| Change::whole(one.now)).collect();
    let moving: usize = patch
        .e
        .set
        .iter()
        .map(|one| object(&one.now))
        .map(|one| {
            let still = still(one.clone());
            serde_json::to_string(&one).unwrap().len()
                - serde_json::to_string(&still).unwrap().len()
        })
        .sum();
    let (before, now) = (whole.json().len() + moving, patch.json().len());
    println!("200 changes: {before} bytes as whole things, {now} bytes as what differs");
    assert!(now * 3 < before, "{before} {now}");
}
