//! Whoever keeps a map by what the stream tells ends with the map that a new snapshot shows,
//! whatever happens, however much of the stream is lost, late, twice or in one piece.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::link::{Behind, Link};
use super::{Board, EndLive};
use crate::model::id::{AgentId, EdgeId, FleetId};
use crate::model::key::WgKey;
use crate::model::path::RelayPath;
use crate::model::reach::Reach;
use crate::model::report::Peer;
use crate::model::state::{AgentStatus, EdgeState, EndState, RelayProof};
use crate::model::time::UnixSeconds;
use crate::process::edges::external_node;
use crate::store::change::{EdgeEnd, EdgeRecord};
use crate::topology::patch::Patch;
use crate::topology::picture::{Node, NodeKind, Picture, Site, SiteCounts, samples};
use crate::topology::within::{self, Sieve};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const STRANGER: WgKey = WgKey([9; 32]);
const MOVING: [&str; 4] = ["latest_handshake", "rx_bytes", "tx_bytes", "measured_at"];

/// What happens, with what it takes to make it up.
#[derive(Debug, Clone, Copy)]
enum Step {
    Node(u8, u32),
    NodeGone(u8),
    Placed(u8, u8, u8),
    SiteMoved(u8, u8),
    Link(u8, u32),
    LinkGone(u8),
    Alarms(u8),
    Published,
    /// A client fetches the map.
    Fetched(u8),
    /// A client is told what it missed: in order, as one, the last one only, or backwards.
    Told(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..6u8, any::<u32>()).prop_map(|(n, how)| Step::Node(n, how)),
        1 => (0..6u8).prop_map(Step::NodeGone),
        4 => (0..6u8, 0..3u8, 0..4u8).prop_map(|(n, site, x)| Step::Placed(n, site, x)),
        1 => (0..3u8, 0..4u8).prop_map(|(site, x)| Step::SiteMoved(site, x)),
        5 => (0..6u8, any::<u32>()).prop_map(|(n, how)| Step::Link(n, how)),
        1 => (0..6u8).prop_map(Step::LinkGone),
        1 => (0..3u8).prop_map(Step::Alarms),
        4 => Just(Step::Published),
        2 => (0..4u8).prop_map(Step::Fetched),
        3 => (0..4u8, 0..4u8).prop_map(|(client, how)| Step::Told(client, how)),
    ];
    proptest::collection::vec(step, 1..60)
}

fn fleet(odd: bool) -> FleetId {
    if odd { "other" } else { "lab" }.parse().unwrap()
}

fn node_id(n: u8) -> String {
    if n == 5 { external_node(&fleet(false), &STRANGER) } else { format!("a:{n}") }
}

/// One of a few values by some bits of a number.
fn pick<T: Copy, const N: usize>(of: [T; N], how: u32, from: u32) -> T {
    of[usize::try_from(how >> from & 3).unwrap() % N]
}

fn node(n: u8, how: u32) -> Node {
    let status = pick([AgentStatus::Online, AgentStatus::Stale, AgentStatus::Offline], how, 0);
    let via = |id: &str| RelayPath::through(vec![id.parse().unwrap()], RelayProof::Proven);
    Node {
        kind: if n == 5 { NodeKind::External } else { NodeKind::Agent },
        status: (n != 5).then_some(status),
        label: pick(["one", "other"], how, 4).to_owned(),
        fleet_id: fleet(n != 5 && how >> 6 & 3 == 0),
        alarms: how >> 8 & 1,
        addresses: vec![format!("10.0.0.{}", how >> 10 & 1)],
        relay_path: if how >> 12 & 1 == 0 { RelayPath::direct() } else { via("r1") },
        maintenance_until: (how >> 14 & 1 == 0).then_some(NOW),
        ..samples::node(&node_id(n))
    }
}

fn edge_id(n: u8) -> EdgeId {
    EdgeId::of_digest(&[n; 32])
}

fn link(n: u8, how: u32) -> Link {
    let state = |from| pick([EndState::Up, EndState::Overdue, EndState::Idle], how, from);
    let far = pick([1, 2, 5], how, 4);
    let key = (far == 5).then_some(STRANGER);
    let end = |state, public_key| EdgeEnd { agent: None, interface: None, public_key, state };
    let record = EdgeRecord {
        id: edge_id(n),
        fleet: fleet(false),
        ends: [end(state(8), None), end(state(10), key)],
        state: pick([EdgeState::Up, EdgeState::Down], how, 12),
        reason: pick(["one", "another"], how, 14).to_owned(),
        judged_at: NOW.plus(i64::from(how >> 16 & 1)),
        since: NOW,
        first_seen: NOW,
    };
    let peer = Peer {
        interface: "wg0".to_owned(),
        public_key: STRANGER,
        endpoint: (how >> 18 & 1 == 0).then(|| "192.0.2.1:51820".to_owned()),
        allowed_ips: Vec::new(),
        latest_handshake: NOW,
        rx_bytes: 0,
        tx_bytes: 0,
        persistent_keepalive: u16::from(how >> 20 & 1 == 0),
        has_psk: false,
    };
    let live = EndLive::default();
    live.rx_bytes.store(u64::from(how), std::sync::atomic::Ordering::Relaxed);
    let listing = (how >> 22 & 3 != 0).then(|| (Arc::new(peer), Arc::new(live)));
    let agent = |n: u8| -> AgentId { n.to_string().parse().unwrap() };
    let near = Behind { agent: Some(agent(n % 2 * 3)), listing };
    let far = Behind { agent: key.is_none().then(|| agent(far)), listing: None };
    Link { record: Arc::new(record), behind: [near, far] }
}

fn site(n: u8, x: u8) -> Site {
    let fleet_id = fleet(n == 2);
    Site {
        id: format!("{fleet_id}/{n}"),
        label: n.to_string(),
        fleet_id,
        x: f64::from(x) * 100.0,
        y: 0.0,
        r: 50.0,
        counts: SiteCounts::default(),
    }
}

/// Things by id, member by member.
type Things = BTreeMap<String, Map<String, Value>>;

/// What a client keeps of the map, from the JSON that it is sent.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    seq: u64,
    parts: [Things; 3],
    alarms: Value,
}

fn things(all: &Value) -> Things {
    let all = all.as_array().unwrap().iter().map(|thing| thing.as_object().unwrap().clone());
    all.map(|thing| (thing["id"].as_str().unwrap().to_owned(), thing)).collect()
}

impl Kept {
    fn of(picture: &Picture) -> Self {
        let mut told = serde_json::to_value(picture).unwrap();
        for edge in told["edges"].as_array_mut().unwrap() {
            for end in edge["ends"].as_array_mut().unwrap() {
                end.as_object_mut().unwrap().retain(|name, _| !MOVING.contains(&name.as_str()));
            }
        }
        let parts = ["nodes", "edges", "sites"].map(|name| things(&told[name]));
        Self { seq: picture.seq, parts, alarms: told["alarms_open"].clone() }
    }

    /// Whether the patch could be applied or was known.
    fn hear(&mut self, patch: &Patch) -> bool {
        let told: Value = serde_json::from_str(patch.json()).unwrap();
        if told["seq"].as_u64().unwrap() <= self.seq {
            return true;
        }
        if told["from"].as_u64().unwrap() > self.seq {
            return false;
        }
        self.seq = told["seq"].as_u64().unwrap();
        self.alarms = told["alarms"]["open"].clone();
        for (known, part) in self.parts.iter_mut().zip(["n", "e", "s"]) {
            for (id, news) in things(&told[part]["set"]) {
                merge(known.entry(id).or_default(), news);
            }
            for gone in told[part]["del"].as_array().unwrap() {
                known.remove(gone.as_str().unwrap());
            }
        }
        true
    }
}

/// The ends of a link are told member by member as well.
fn merge(known: &mut Map<String, Value>, mut news: Map<String, Value>) {
    if let (Some(Value::Array(before)), Some(Value::Array(ends))) =
        (known.get("ends"), news.get_mut("ends"))
    {
        for (end, before) in ends.iter_mut().zip(before) {
            let mut all = before.as_object().unwrap().clone();
            all.extend(end.as_object().unwrap().clone());
            *end = Value::Object(all);
        }
    }
    known.extend(news);
}

/// A board, and clients of all of it (0, 1) and of one fleet (2, 3).
struct World {
    board: Board,
    now: UnixSeconds,
    sieve: Sieve,
    sieved: u64,
    passed: Vec<Arc<Patch>>,
    all: Vec<Arc<Patch>>,
    kept: [Kept; 4],
}

fn reach() -> Reach {
    Reach::of([fleet(false)])
}

impl World {
    fn new() -> Self {
        let board = Board::new("epoch".to_owned());
        let sieve = Sieve::new(reach(), &Picture::default());
        let (passed, all, kept) = (Vec::new(), Vec::new(), Default::default());
        let mut world = Self { board, now: NOW, sieve, sieved: 0, passed, all, kept };
        (0..4).for_each(|client| world.fetch(client));
        world
    }

    fn picture(&mut self, client: u8) -> Arc<Picture> {
        self.now = self.now.plus(i64::from(client % 2));
        let whole = self.board.picture(self.now);
        if client < 2 {
            return whole;
        }
        let seen = within::picture(&whole, &reach(), whole.alarms_open);
        self.sieve.show(&seen);
        Arc::new(seen)
    }

    fn fetch(&mut self, client: u8) {
        self.kept[usize::from(client)] = Kept::of(&self.picture(client));
    }

    fn publish(&mut self) {
        self.now = self.now.plus(1);
        self.board.publish(self.now);
        for patch in self.board.since(self.sieved).unwrap() {
            self.sieved = patch.seq;
            let whole = || self.board.picture(self.now);
            let passed = self.sieve.pass(&patch, &whole, patch.alarms.open);
            self.passed.push(Arc::new(passed));
            self.all.push(patch);
        }
    }

    fn tell(&mut self, client: u8, how: u8) {
        let kept = &mut self.kept[usize::from(client)];
        let all = if client < 2 { &self.all } else { &self.passed };
        let missed = all.iter().filter(|patch| patch.seq > kept.seq).cloned();
        let mut missed: Vec<Arc<Patch>> = missed.collect();
        match how {
            0 => {}
            1 => missed = Patch::merged(&missed).map(Arc::new).into_iter().collect(),
            2 => missed = missed.pop().into_iter().collect(),
            _ => missed.reverse(),
        }
        if !missed.iter().all(|patch| kept.hear(patch)) {
            self.fetch(client);
        }
    }

    fn step(&mut self, step: Step) {
        let board = &self.board;
        match step {
            Step::Node(n, how) => board.set_node(node(n, how), None),
            Step::NodeGone(n) => board.remove_node(&node_id(n)),
            Step::Placed(n, to, x) => {
                let at = (node_id(n), site(to, 0).id, f64::from(x), 0.5);
                let known = board.read().sites.contains_key(&at.1);
                let sites = if known { Vec::new() } else { vec![site(to, 0)] };
                board.place(1, sites, &[at]);
            }
            Step::SiteMoved(n, x) => board.place(1, vec![site(n, x)], &[]),
            Step::Link(n, how) => board.set_edge(link(n, how)),
            Step::LinkGone(n) => board.remove_edge(&edge_id(n)),
            Step::Alarms(n) => board.set_alarms_open(BTreeMap::from([(None, n.into())])),
            Step::Published => self.publish(),
            Step::Fetched(client) => self.fetch(client),
            Step::Told(client, how) => self.tell(client, how),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_by_patches_is_what_a_snapshot_shows(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(*step);
        }
        world.publish();
        for client in 0..4 {
            world.tell(client, client % 2);
            let fresh = Kept::of(&world.picture(client));
            prop_assert_eq!(&world.kept[usize::from(client)], &fresh, "client {}", client);
        }
    }
}

#[test]
fn a_patch_tells_the_id_and_what_changed_and_nothing_that_moves() {
    let mut world = World::new();
    for step in [Step::Node(0, 0), Step::Node(2, 0), Step::Placed(0, 0, 1), Step::Placed(2, 0, 2)] {
        world.step(step);
    }
    let up = 0b1_0000_u32;
    world.step(Step::Link(0, up | 1 << 22));
    world.publish();
    let told = |world: &mut World, step: Step| -> Value {
        let before = world.all.len();
        world.step(step);
        world.publish();
        let patch = world.all.get(before);
        patch.map_or(Value::Null, |patch| serde_json::from_str(patch.json()).unwrap())
    };
    let down = told(&mut world, Step::Link(0, up | 1 << 22 | 1 << 12 | 1 << 8));
    let only = serde_json::json!([
        {"id": edge_id(0), "state": "down", "ends": [{"state": "overdue"}, {}]}
    ]);
    assert_eq!((&down["e"]["set"], &down["n"]["set"]), (&only, &Value::Array(Vec::new())));
    // The counters are others, and nothing else is.
    assert_eq!(
        told(&mut world, Step::Link(0, up | 1 << 22 | 1 << 12 | 1 << 8 | 1 << 30)),
        Value::Null
    );
    // What is not there any more is told as null.
    let quiet = told(&mut world, Step::Node(0, 1 << 14));
    let only = serde_json::json!([{"id": "a:0", "seen_at": null, "maintenance_until": null}]);
    assert_eq!((&quiet["n"]["set"], &quiet["s"]["set"]), (&only, &Value::Array(Vec::new())));
    let late = told(&mut world, Step::Node(0, 1 << 14 | 1));
    let counts =
        serde_json::json!({"online": 1, "stale": 1, "offline": 0, "pending": 0, "external": 0});
    assert_eq!(late["s"]["set"], serde_json::json!([{"id": "lab/0", "counts": counts}]));
    assert_eq!(
        late["n"]["set"],
        serde_json::json!([{"id": "a:0", "status": "stale", "seen_at": null}])
    );
}
