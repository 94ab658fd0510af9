use serde_json::json;

use super::*;

const A: &str = "a:gw-1";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn fact(id: i64, since: i64, kind: EventKind, subject: &str, after: Value) -> Fact {
    Fact {
        id,
        since: UnixSeconds(since),
        learnt_at: None,
        kind,
        fleet: Some(FleetId::unnamed()),
        subject: subject.to_owned(),
        after: (!after.is_null()).then_some(after),
    }
}

fn registered(subject: &str) -> Fact {
    fact(1, 10, EventKind::AgentRegistered, subject, json!({ "status": "online" }))
}

fn added() -> Fact {
    let ends = json!({ "ends": [
        { "agent_id": "gw-1", "interface": "wg0", "public_key": null },
        { "agent_id": null, "interface": null, "public_key": KEY },
    ] });
    fact(2, 20, EventKind::EdgeAdded, "e1", ends)
}

fn build(facts: &[Fact]) -> Then {
    let today = Picture { v: 1, layout_rev: 3, ..Picture::default() };
    let site = Placed {
        id: "default/hel".into(),
        site: None,
        x: 50.0,
        y: 60.0,
        r: 70.0,
        pinned: false,
        rev: 3,
    };
    let seat = Placed { id: A.into(), site: Some(site.id.clone()), x: 1.0, y: 2.0, ..site.clone() };
    let alarms = BTreeMap::from([("gw-1".parse().unwrap(), 2)]);
    let frame = Frame {
        at: UnixSeconds(100),
        today: &today,
        places: &[site, seat],
        alarms: &alarms,
        alarms_open: 1,
    };
    picture(&frame, facts)
}

#[test]
fn a_node_stands_where_it_stood_and_one_without_a_place_gets_one() {
    let name = json!({ "hostname": "hel-gw1" });
    let facts = [registered("gw-1"), fact(3, 11, EventKind::AgentChanged, "gw-1", name), added()];
    let then = build(&facts);
    let [agent, external] = then.picture.nodes.as_slice() else { panic!("{then:?}") };
    assert_eq!((agent.x, agent.y, agent.site.as_str()), (1.0, 2.0, "default/hel"));
    assert_eq!((agent.label.as_str(), agent.alarms), ("hel-gw1", 2));
    assert_eq!(external.id, format!("x:default:{KEY}"));
    assert!(!external.site.is_empty() && external.x.is_finite());
    let drawn: u32 = then.picture.sites.iter().map(|s| s.counts.online + s.counts.external).sum();
    assert_eq!((drawn, then.picture.alarms_open), (2, 1));
    assert_eq!(then.status_since[A], UnixSeconds(10));
}

#[test]
fn a_link_is_as_its_last_event_says() {
    let judged = |id, since, after| fact(id, since, EventKind::EdgeState, "e1", after);
    let up = judged(3, 30, json!({ "state": "up", "reason": "up: x", "ends": ["up", "unknown"] }));
    let cases = [
        (vec![], Some((EdgeState::Unknown, 20, [EndState::Unknown; 2]))),
        (vec![up.clone()], Some((EdgeState::Up, 30, [EndState::Up, EndState::Unknown]))),
        // What older programs wrote tells no ends.
        (
            vec![judged(4, 40, json!({ "state": "down", "reason": "down: y" }))],
            Some((EdgeState::Down, 40, [EndState::Down; 2])),
        ),
        (vec![up.clone(), fact(9, 50, EventKind::EdgeRemoved, "e1", Value::Null)], None),
        // Gone before it was found again.
        (
            vec![up, fact(0, 15, EventKind::EdgeRemoved, "e1", Value::Null)],
            Some((EdgeState::Up, 30, [EndState::Up, EndState::Unknown])),
        ),
    ];
    for (more, wanted) in cases {
        let facts: Vec<Fact> =
            [registered("gw-1"), added()].into_iter().chain(more.clone()).collect();
        let then = build(&facts);
        let found = then
            .picture
            .edges
            .first()
            .map(|edge| (edge.state, edge.since.0, edge.ends.each_ref().map(|end| end.state)));
        assert_eq!(found, wanted, "{more:?}");
        assert_eq!(then.picture.nodes.len(), if wanted.is_some() { 2 } else { 1 });
    }
}

#[test]
fn whose_agent_was_silent_that_end_shows_nothing() {
    let up = json!({ "state": "up", "reason": "up: x", "ends": ["up", "up"] });
    let facts = [
        registered("gw-1"),
        added(),
        fact(3, 30, EventKind::EdgeState, "e1", up),
        fact(4, 40, EventKind::AgentStatus, "gw-1", json!("offline")),
    ];
    let then = build(&facts);
    assert_eq!(then.picture.nodes[0].status, Some(AgentStatus::Offline));
    assert_eq!(then.picture.edges[0].ends[0].state, EndState::Unknown);
}

#[test]
fn who_was_forgotten_or_retired_is_not_on_the_map() {
    let status = |word: &str| fact(5, 50, EventKind::AgentStatus, "gw-1", json!(word));
    let reset = |id, after| fact(id, 60, EventKind::AgentReset, "gw-1", after);
    let on_map = |more: Fact| {
        let then = build(&[registered("gw-1"), more]);
        then.picture.nodes.first().and_then(|node| node.status)
    };
    assert_eq!(on_map(status("retired")), None);
    assert_eq!(on_map(reset(6, json!({ "forget": true, "identity": false }))), None);
    assert_eq!(on_map(reset(6, json!({ "forget": false }))), Some(AgentStatus::Online));
    let unpinned = json!({ "forget": false, "forgotten": true, "status": "stale" });
    assert_eq!(on_map(reset(6, unpinned)), None);
    let back = json!({ "forget": false, "forgotten": false, "status": "stale" });
    assert_eq!(on_map(reset(6, back)), Some(AgentStatus::Stale));
    // Registered again since.
    assert_eq!(
        on_map(fact(0, 5, EventKind::AgentReset, "gw-1", json!({ "forget": true }))),
        Some(AgentStatus::Online)
    );
}

#[test]
fn what_came_late_is_marked() {
    let mut late = fact(7, 30, EventKind::EdgeState, "e1", json!({ "state": "up" }));
    late.learnt_at = Some(UnixSeconds(90));
    let then = build(&[registered("gw-1"), added(), late]);
    assert_eq!(then.learnt_later, BTreeMap::from([("e1".to_owned(), UnixSeconds(90))]));
}
