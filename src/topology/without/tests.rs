use super::*;
use crate::model::path::RelayPath;
use crate::model::state::RelayProof;
use crate::model::time::UnixSeconds;
use crate::topology::picture::samples;

fn node(name: &str, kind: NodeKind) -> Node {
    let prefix = if kind == NodeKind::Agent { "a" } else { "x" };
    Node { kind, label: name.into(), ..samples::node(&format!("{prefix}:{name}")) }
}

/// Links as `a-b`, and `a!b` for dead ones; `x` begins the names of peers without an agent.
pub(in crate::topology) fn picture(links: &str) -> Picture {
    let mut picture = Picture::default();
    let mut names = BTreeSet::new();
    for (number, link) in links.split(' ').enumerate() {
        let (a, b) = link.split_once(['-', '!']).unwrap();
        let state = if link.contains('!') { EdgeState::Down } else { EdgeState::Up };
        names.extend([a, b]);
        let id = |name: &str| {
            if name.starts_with('x') { format!("x:{name}") } else { format!("a:{name}") }
        };
        let edge = samples::edge(&format!("{number}:{link}"), [&id(a), &id(b)]);
        picture.edges.push(Edge { state, ..edge });
    }
    let kind = |name: &str| {
        if name.starts_with('x') { NodeKind::External } else { NodeKind::Agent }
    };
    picture.nodes = names.into_iter().map(|name| node(name, kind(name))).collect();
    picture
}

fn nodes(names: &[&str]) -> Taken {
    let nodes = names.iter().map(|name| format!("a:{name}")).collect();
    Taken { nodes, ..Taken::default() }
}

/// Cut off parts as `b,c<3`, then weak hosts, then weak links.
fn told(picture: &Picture, taken: &Taken) -> (Vec<String>, String, String) {
    let loss = without(picture, taken);
    let names =
        |all: &[Named]| all.iter().map(|named| named.label.clone()).collect::<Vec<_>>().join(",");
    let parts = loss.cut_off.iter().map(|part| format!("{}<{}", names(&part.nodes), part.loses));
    let links: Vec<_> = loss.weak_links.iter().map(|link| link.labels.join("-")).collect();
    (parts.collect(), names(&loss.weak_nodes), links.join(","))
}

#[test]
fn a_hub_cuts_off_its_spokes_one_by_one() {
    let hub = picture("hub-a hub-b hub-c b-c hub-x1");
    let (cut_off, weak, links) = told(&hub, &nodes(&["hub"]));
    assert_eq!(cut_off, ["a<3", "x1<3"], "b and c keep each other and are the largest part");
    assert_eq!((weak.as_str(), links.as_str()), ("", "b-c"), "one link is all they have");
}

#[test]
fn a_ring_becomes_a_chain() {
    let ring = picture("a-b b-c c-d d-a");
    let (cut_off, weak, links) = told(&ring, &nodes(&["a"]));
    assert_eq!((cut_off.len(), weak.as_str(), links.as_str()), (0, "c", "b-c,c-d"));
    let link = Taken { edges: BTreeSet::from(["0:a-b".to_owned()]), ..Taken::default() };
    let (cut_off, weak, links) = told(&ring, &link);
    assert_eq!((cut_off.len(), weak.as_str(), links.as_str()), (0, "c,d", "b-c,c-d,d-a"));
    let loss = without(&ring, &link);
    assert_eq!(loss.taken_links[0].labels, ["a", "b"]);
}

#[test]
fn what_is_broken_already_is_no_news() {
    let net = picture("a-b b!c c-d");
    assert_eq!(told(&net, &Taken::default()), (vec![], String::new(), String::new()));
    let (cut_off, ..) = told(&net, &nodes(&["b"]));
    assert_eq!(cut_off.len(), 0, "c and d were apart before, and a has nobody left to lose");
}

#[test]
fn several_taken_together_are_more_than_each() {
    let net = picture("a-b a-c b-d c-d d-e");
    assert_eq!(told(&net, &nodes(&["b"])).0.len(), 0);
    assert_eq!(told(&net, &nodes(&["c"])).0.len(), 0);
    let (cut_off, ..) = told(&net, &nodes(&["b", "c"]));
    assert_eq!(cut_off, ["a<2"]);
}

#[test]
fn reports_that_come_through_a_host_are_told_apart_from_links() {
    let mut ring = picture("a-b b-c c-a");
    ring.nodes[0].relay_path = RelayPath::through(vec!["b".parse().unwrap()], RelayProof::Claimed);
    let loss = without(&ring, &nodes(&["b"]));
    assert_eq!(loss.cut_off, []);
    assert_eq!(loss.reports_lost, [Named { id: "a:a".into(), label: "a".into() }]);
    assert_eq!(without(&ring, &nodes(&["c"])).reports_lost, []);
    assert_eq!(without(&ring, &nodes(&["a", "b"])).reports_lost, []);
}

/// A chain a-b-c in which b is silent since 100 and its link to c died at `since`.
fn dead_middle(since: i64, status: AgentStatus) -> Picture {
    let mut chain = picture("a-b b!c");
    for edge in &mut chain.edges {
        edge.since = UnixSeconds(since);
    }
    for node in chain.nodes.iter_mut().filter(|node| node.label == "b") {
        (node.status, node.seen_at) = (Some(status), Some(UnixSeconds(100)));
    }
    chain
}

#[test]
fn a_dead_host_cuts_off_what_was_lost_with_it() {
    let lost = |chain: &Picture| told(chain, &nodes(&["b"])).0;
    assert_eq!(lost(&dead_middle(400, AgentStatus::Offline)), ["c<1"]);
    let chain = dead_middle(99, AgentStatus::Offline);
    assert!(lost(&chain).is_empty(), "the link was dead before its host was");
    let chain = dead_middle(400, AgentStatus::Online);
    assert!(lost(&chain).is_empty(), "the host lives, and its link died for another reason");
    let link = Taken { edges: BTreeSet::from(["1:b!c".to_owned()]), ..Taken::default() };
    let loss = without(&chain, &link);
    assert_eq!(loss.taken_links.len(), 1, "a dead link is named, too");
    assert_eq!(told(&chain, &link).0, ["c<2"]);
    assert!(told(&dead_middle(400, AgentStatus::Offline), &nodes(&["a"])).0.is_empty());
}
