use super::*;
use crate::model::state::{AgentStatus, EdgeState, RelayProof};
use crate::topology::picture::samples;
use crate::topology::picture::{Node, NodeKind, Picture, Site};

fn guise() -> Guise {
    Guise::of([3; 32])
}

fn host(name: &str) -> Node {
    Node {
        id: format!("a:{name}"),
        agent_id: name.parse().ok(),
        label: format!("{name}.acme.example"),
        status: Some(AgentStatus::Offline),
        fleet_id: "acme".parse().unwrap(),
        site: "acme/Springfield".to_owned(),
        addresses: vec!["10.20.30.40/24".to_owned(), "acme".to_owned()],
        role: "acme-special".to_owned(),
        ..samples::node("n")
    }
}

fn world() -> Picture {
    let mut second = host("acme-db");
    let relay = vec!["acme-gw".parse().unwrap()];
    second.relay_path = RelayPath::through(relay, RelayProof::Proven);
    let peer = Node {
        id: "x:acme:m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=".to_owned(),
        kind: NodeKind::External,
        agent_id: None,
        ..host("m4veB98F")
    };
    let mut link = samples::edge("00000000000000aa", ["a:acme-gw", "a:acme-db"]);
    link.state = EdgeState::HalfConfigured;
    link.reason = "acme-db does not list 10.20.30.40 of acme-gw".to_owned();
    link.ends[0].interface = Some("wg-acme".to_owned());
    link.ends[1].interface = Some("wg0".to_owned());
    link.ends[0].endpoint = Some("81.2.69.142:51820".to_owned());
    link.ends[0].allowed_ips = vec!["10.20.30.0/24".to_owned()];
    link.ends[0].public_key = Some(WgKey([9; 32]));
    let site = Site {
        id: "acme/Springfield".to_owned(),
        label: "Springfield".to_owned(),
        fleet_id: "acme".parse().unwrap(),
        x: 0.0,
        y: 0.0,
        r: 9.0,
        counts: crate::topology::picture::SiteCounts::default(),
    };
    let nodes = vec![host("acme-gw"), second, peer];
    Picture { sites: vec![site], nodes, edges: vec![link], ..Picture::default() }
}

#[test]
fn no_name_is_left() {
    let text = serde_json::to_string(&masked(&world(), &guise()).picture).unwrap();
    let key = WgKey([9; 32]).to_string();
    for name in ["acme", "Springfield", "m4veB98F", "10.20.30", "81.2.69", "00000000000000aa", &key]
    {
        assert!(!text.contains(name), "{name} is in {text}");
    }
    assert!(text.contains("\"half configured\"") && text.contains("wg0"), "{text}");
}

#[test]
fn the_structure_stays() {
    let Masked { picture: masked, ids } = masked(&world(), &guise());
    assert_eq!((masked.nodes.len(), masked.edges.len(), masked.sites.len()), (3, 1, 1));
    let edge = &masked.edges[0];
    assert_eq!(edge.source, ids["a:acme-gw"]);
    assert_eq!(edge.target, ids["a:acme-db"]);
    assert_eq!(edge.id, ids["00000000000000aa"]);
    let node = |id: &str| masked.nodes.iter().find(|node| node.id == ids[id]).unwrap();
    let relay = node("a:acme-db").relay_path.relays()[0].clone();
    assert_eq!(Some(relay), node("a:acme-gw").agent_id);
    assert!(masked.nodes.iter().all(|node| node.site == masked.sites[0].id));
    assert_eq!(node("a:acme-gw").role, "agent");
    assert_eq!(edge.ends[0].allowed_ips.len(), 1);
}

#[test]
fn pseudonyms_follow_the_key() {
    let text = |guise: &Guise| serde_json::to_string(&masked(&world(), guise).picture).unwrap();
    assert_eq!(text(&guise()), text(&Guise::of([3; 32])));
    assert_ne!(text(&guise()), text(&Guise::of([4; 32])));
    assert_eq!(guise(), Guise::of([3; 32]));
    assert!(!format!("{:?}", guise()).contains('3'));
}

#[test]
fn a_map_that_was_painted_before_is_changed_where_the_real_one_is() {
    let mut painter = picture::Painter::new(guise());
    let mut real = world();
    painter.paint(&real);
    real.nodes.remove(0);
    real.nodes[0].label = "globex.example".to_owned();
    real.edges.clear();
    let again = serde_json::to_string(&painter.paint(&real)).unwrap();
    assert_eq!(again, serde_json::to_string(&masked(&real, &guise()).picture).unwrap());
}

#[test]
fn fleets_of_a_reach_are_told_by_their_pseudonyms() {
    let acme = "acme".parse().unwrap();
    let lens = Lens { reach: Reach::of([acme]), guise: Some(guise()) };
    let told = lens.told_reach();
    assert!(told.sees(&guise().fleet(&"acme".parse().unwrap())));
    assert!(!told.sees(&"acme".parse().unwrap()) && !lens.is_clear());
    assert_eq!(Lens::of(lens.reach.clone()).told_reach(), lens.reach);
}
