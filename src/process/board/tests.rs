//! A client that holds a picture and applies patches sees what a fresh picture shows.

use std::collections::{BTreeMap, BTreeSet};

use super::link::Behind;
use super::*;
use crate::model::id::FleetId;
use crate::model::state::{AgentStatus, EdgeState, EndState};
use crate::store::change::{EdgeEnd, EdgeRecord};
use crate::topology::picture::{Picture, Site, SiteCounts, samples};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn fleet() -> FleetId {
    "lab".parse().unwrap()
}

fn node(id: &str, status: AgentStatus) -> Node {
    Node { status: Some(status), fleet_id: fleet(), ..samples::node(id) }
}

fn edge_id() -> EdgeId {
    EdgeId::of_digest(&[7; 32])
}

/// A link between `a:1` and `a:2`.
fn link(state: EdgeState) -> Link {
    let end = EdgeEnd { agent: None, interface: None, public_key: None, state: EndState::Up };
    let record = EdgeRecord {
        id: edge_id(),
        fleet: fleet(),
        ends: [end.clone(), end],
        state,
        reason: "a test".to_owned(),
        judged_at: NOW,
        since: NOW,
        first_seen: NOW,
    };
    let behind = ["1", "2"].map(|id| Behind { agent: Some(id.parse().unwrap()), listing: None });
    Link { record: Arc::new(record), behind }
}

fn place_all(board: &Board) {
    let site = Site {
        id: "lab/one".to_owned(),
        label: "one".to_owned(),
        fleet_id: fleet(),
        x: 0.0,
        y: 0.0,
        r: 100.0,
        counts: SiteCounts::default(),
    };
    let at = |id: &str, x| (id.to_owned(), "lab/one".to_owned(), x, 0.0);
    board.place(1, vec![site], &[at("a:1", 1.0), at("a:2", 2.0), at("a:3", 3.0)]);
}

/// What a client keeps.
#[derive(Default, Debug, PartialEq)]
struct Held {
    seq: u64,
    nodes: BTreeMap<String, Node>,
    edges: BTreeMap<String, Edge>,
    sites: BTreeMap<String, Site>,
}

impl Held {
    fn of(picture: &Picture) -> Self {
        Self {
            seq: picture.seq,
            nodes: picture.nodes.iter().map(|n| (n.id.clone(), n.clone())).collect(),
            edges: picture.edges.iter().map(|e| (e.id.clone(), e.clone())).collect(),
            sites: picture.sites.iter().map(|s| (s.id.clone(), s.clone())).collect(),
        }
    }

    fn apply(&mut self, patch: &Patch) {
        assert_eq!(patch.from, self.seq, "a patch was missed");
        self.seq = patch.seq;
        for id in &patch.n.del {
            self.nodes.remove(id);
        }
        for id in &patch.e.del {
            self.edges.remove(id);
        }
        for id in &patch.s.del {
            self.sites.remove(id);
        }
        self.nodes.extend(patch.n.set.iter().map(|n| (n.now.id.clone(), n.now.clone())));
        self.edges.extend(patch.e.set.iter().map(|e| (e.now.id.clone(), e.now.clone())));
        self.sites.extend(patch.s.set.iter().map(|s| (s.now.id.clone(), s.now.clone())));
    }
}

#[test]
fn patches_lead_where_a_fresh_picture_is() {
    let board = Board::new("epoch".to_owned());
    let mut held = Held::of(&board.picture(NOW));
    let steps: [&dyn Fn(); 7] = [
        &|| board.set_node(node("a:1", AgentStatus::Online), None),
        &|| {
            board.set_node(node("a:2", AgentStatus::Online), None);
            board.set_edge(link(EdgeState::Up));
        },
        &|| place_all(&board),
        &|| board.set_edge(link(EdgeState::Down)),
        &|| board.set_node(node("a:2", AgentStatus::Offline), None),
        &|| board.remove_edge(&edge_id()),
        &|| board.remove_node("a:2"),
    ];
    for (number, step) in steps.iter().enumerate() {
        step();
        board.publish(NOW);
        let (seq, _) = board.position();
        for patch in board.since(held.seq).unwrap() {
            held.apply(&patch);
        }
        assert_eq!(held.seq, seq);
        let fresh = Held::of(&board.picture(NOW.plus(i64::try_from(number).unwrap() * 2)));
        assert_eq!(held, fresh, "after step {number}");
    }
    assert_eq!(held.nodes.len(), 1);
    assert_eq!(held.sites["lab/one"].counts.online, 1);
}

#[test]
fn nothing_is_shown_before_it_has_a_place_and_nothing_moves_by_itself() {
    let board = Board::new("epoch".to_owned());
    board.set_node(node("a:1", AgentStatus::Online), None);
    board.set_node(node("a:2", AgentStatus::Online), None);
    board.set_edge(link(EdgeState::Up));
    board.publish(NOW);
    assert!(board.picture(NOW).nodes.is_empty() && board.picture(NOW).edges.is_empty());
    assert_eq!(board.unplaced().unwrap().nodes().len(), 2);
    place_all(&board);
    assert!(board.unplaced().is_none());
    board.set_node(node("a:1", AgentStatus::Stale), None);
    board.publish(NOW);
    let picture = board.picture(NOW.plus(5));
    let first = &picture.nodes[0];
    assert_eq!(
        (first.x, first.site.as_str(), first.status),
        (1.0, "lab/one", Some(AgentStatus::Stale))
    );
    assert_eq!(picture.edges.len(), 1);
}

#[test]
fn who_left_before_having_a_place_is_not_waited_for() {
    let board = Board::new("epoch".to_owned());
    let come = || {
        board.set_node(node("a:1", AgentStatus::Online), None);
        board.set_node(node("a:2", AgentStatus::Online), None);
    };
    come();
    board.remove_node("a:1");
    assert!(board.unplaced().is_some());
    board.remove_node("a:2");
    assert!(board.unplaced().is_none());
    come();
    board.retain(&BTreeSet::new(), &BTreeSet::new());
    assert!(board.unplaced().is_none());
    // Who comes back after having had a place waits for it like anybody else.
    come();
    place_all(&board);
    board.remove_node("a:1");
    come();
    assert!(board.unplaced().is_some());
}

#[test]
fn what_did_not_change_makes_no_patch() {
    let board = Board::new("epoch".to_owned());
    board.set_node(node("a:1", AgentStatus::Online), None);
    place_all(&board);
    board.publish(NOW);
    let (seq, _) = board.position();
    board.set_node(node("a:1", AgentStatus::Online), None);
    board.set_alarms_open(BTreeMap::new());
    board.publish(NOW);
    assert_eq!(board.position().0, seq);
    board.set_alarms_open(BTreeMap::from([(None, 2)]));
    board.publish(NOW);
    assert_eq!(board.position().0, seq + 1);
    assert!(board.since(seq + 7).is_none(), "a client from another time starts anew");
}

#[test]
fn what_is_too_much_to_keep_is_told_only_to_those_who_watch() {
    let board = Board::new("epoch".to_owned());
    let ids: Vec<String> = (0..=state::RING_ITEMS).map(|n| format!("a:{n}")).collect();
    let shown_as = |status| ids.iter().for_each(|id| board.set_node(node(id, status), None));
    shown_as(AgentStatus::Online);
    place_all(&board);
    let places: Vec<_> =
        ids.iter().map(|id| (id.clone(), "lab/one".to_owned(), 1.0, 0.0)).collect();
    board.place(1, Vec::new(), &places);
    let info = allocation_counter::measure(|| board.publish(NOW));
    assert!(info.bytes_total < 20_000, "a patch was made for nobody: {info:?}");
    assert_eq!((board.position().0, board.since(0)), (1, None), "the whole picture is due");
    let picture = board.picture(NOW);
    assert_eq!((picture.seq, picture.nodes.len()), (1, ids.len()));
    assert_eq!(picture.sites[0].counts.online as usize, ids.len());
    // With a watcher all of it is sent.
    let mut held = Held::of(&picture);
    let (_, _, mut signals) = board.subscribe();
    shown_as(AgentStatus::Stale);
    board.publish(NOW);
    let Signal::Patch(patch) = &*signals.try_recv().unwrap() else { panic!("no patch") };
    held.apply(patch);
    assert_eq!(held, Held::of(&board.picture(NOW.plus(1))));
}

#[test]
fn a_picture_that_nobody_asks_for_again_is_let_go() {
    let board = Board::new("epoch".to_owned());
    board.set_node(node("a:1", AgentStatus::Online), None);
    place_all(&board);
    let picture = Arc::downgrade(&board.picture(NOW));
    board.publish(NOW.plus(9));
    assert!(picture.upgrade().is_some());
    board.publish(NOW.plus(10));
    assert!(picture.upgrade().is_none());
}

#[test]
fn a_patch_is_written_once_however_many_watch() {
    let board = Board::new("epoch".to_owned());
    let (_, _, mut first) = board.subscribe();
    let (_, _, mut second) = board.subscribe();
    place_all(&board);
    board.set_node(node("a:1", AgentStatus::Online), None);
    place_all(&board);
    board.publish(NOW);
    let patch = |watcher: &mut broadcast::Receiver<Arc<Signal>>| loop {
        if let Signal::Patch(patch) = &*watcher.try_recv().unwrap() {
            break Arc::clone(patch);
        }
    };
    let (one, other) = (patch(&mut first), patch(&mut second));
    assert!(one.json().contains("\"a:1\""));
    assert!(std::ptr::eq(one.json(), other.json()), "two copies of one text");
}

#[test]
fn a_picture_is_made_while_the_processor_goes_on() {
    let board = Board::new("epoch".to_owned());
    board.set_node(node("a:1", AgentStatus::Online), None);
    place_all(&board);
    let held = board.hold();
    // The lock is free again: this would wait for ever otherwise.
    board.set_node(node("a:1", AgentStatus::Stale), None);
    assert_eq!(held.picture("epoch", NOW).nodes[0].status, Some(AgentStatus::Online));
    assert_eq!(board.picture(NOW).nodes[0].status, Some(AgentStatus::Stale));
}
