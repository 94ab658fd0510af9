//! What the history says of any time is what the host saw then, whatever order its reports came
//! in: with the present first or last, and with a restart in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kattila::model::state::EventKind;
use kattila::model::time::UnixSeconds;
use kattila::process::handle::Command;
use kattila::store::change::LEARNT_LATER;
use kattila::store::prune::{Limits, Prunable, Prune};
use kattila::store::row::{EventFilter, EventRow, ReportFilter};
use kattila::store::{Reader as _, Writer as _, sqlite};
use kattila::wire::data;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::engine::{Engine, submission};
use crate::support::fleet::{ALPHA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::manager::START;
use crate::support::seal::Seal;

/// Seconds after the start when silence has made the link unknown.
const SILENT_S: i64 = 400;

/// Seconds after the start when the host is heard again.
const BACK_S: i64 = 4000;

/// Seconds between two measurements.
const EVERY_S: i64 = 60;

/// What a host sees at one time.
#[derive(Debug, Clone)]
struct Sight {
    eth0_up: bool,
    second_wg: bool,
    /// Bits: which addresses and routes there are.
    addresses: u8,
    routes: u8,
    /// The port the first peer is found at; `None`: it is not listed.
    port: Option<u8>,
    second_peer: bool,
    /// How long ago the first peer's handshake was; negative: the host's clock went back.
    age: i64,
}

impl Sight {
    /// As the host tells it.
    fn data(&self, at: i64) -> Value {
        let mut host = Host { eth0_up: self.eth0_up, ..Host::alpha() };
        if self.port.is_some() {
            host = host.with_peer(BETA_KEY, 2, at - self.age, 7);
        }
        if self.second_peer {
            host = host.with_peer(STRANGER_KEY, 3, 0, 0);
        }
        let mut data = host.data();
        data["collected_at"] = json!(at);
        if let Some(port) = self.port {
            data["wg_peers"][0]["endpoint"] = json!(format!("192.0.2.2:{port}"));
        }
        let bits = |bits: u8| (1..=3).filter(move |n| bits & (1 << n) != 0);
        data["interfaces"][1]["addresses"] =
            bits(self.addresses).map(|n| json!(format!("10.77.0.{n}/24"))).collect();
        data["routes"] = bits(self.routes)
            .map(|n| json!({ "dst": format!("10.{n}.0.0/16"), "dev": "wg0" }))
            .collect();
        if self.second_wg {
            let second = json!({ "name": "wg1", "addresses": ["10.88.0.1/24"] });
            data["interfaces"].as_array_mut().unwrap().push(second);
        }
        data
    }
}

impl Sight {
    /// What the host alone can say of the link to the first peer.
    fn link(&self) -> &'static str {
        match (self.port, self.age) {
            (Some(_), 10) => "up",
            (Some(_), 1000) => "down",
            _ => "unknown",
        }
    }
}

fn sight() -> impl Strategy<Value = Sight> {
    let port = prop_oneof![1 => Just(None), 3 => (1_u8..4).prop_map(Some)];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let age = select(vec![10, 10, 1000, 1000, -1000]);
    (flags, 0_u8..16, 0_u8..16, port, age).prop_map(|(flags, addresses, routes, port, age)| {
        let (eth0_up, second_wg, second_peer) = flags;
        Sight { eth0_up, second_wg, addresses, routes, port, second_peer, age }
    })
}

/// The state of a host as the history is read: names to values.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    interfaces: BTreeMap<String, (Value, BTreeSet<String>)>,
    routes: BTreeSet<String>,
    peers: BTreeMap<String, Value>,
    link: Option<String>,
}

const FACTS: [&str; 6] = ["state", "flags", "mtu", "mac", "public_key", "listen_port"];

fn interface(value: &Value) -> (Value, BTreeSet<String>) {
    let facts = FACTS.iter().map(|name| ((*name).to_owned(), value[*name].clone()));
    let addresses = value["addresses"].as_array().into_iter().flatten().map(Value::to_string);
    (Value::Object(facts.collect()), addresses.collect())
}

impl State {
    /// What a report tells.
    fn told(report: &Value) -> Self {
        let data = data::parse(report.to_string().as_bytes()).unwrap();
        let mut state = Self::default();
        for row in data.interfaces.unwrap() {
            state.interfaces.insert(row.name.clone(), interface(&json!(row)));
        }
        state.routes = data.routes.unwrap().iter().map(|row| json!(row).to_string()).collect();
        for row in data.peers.unwrap() {
            let facts = json!({
                "endpoint": row.endpoint,
                "allowed_ips": row.allowed_ips,
                "persistent_keepalive": row.persistent_keepalive,
                "has_psk": row.has_psk,
            });
            state.peers.insert(format!("{}/{}", row.interface, row.public_key), facts);
        }
        state
    }

    /// What the last events up to a time leave.
    fn read(events: &[EventRow], link: &str, at: UnixSeconds) -> Self {
        let mut past: Vec<_> = events.iter().filter(|event| event.at <= at).collect();
        past.sort_by_key(|event| (event.at, event.id));
        let mut state = Self::default();
        for event in past {
            state.take(event, link);
        }
        state
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other kinds are about other things")]
    fn take(&mut self, event: &EventRow, link: &str) {
        let name = event.subject.clone();
        let [before, after] = [&event.before, &event.after].map(|v| v.clone().unwrap_or_default());
        match event.kind {
            EventKind::InterfaceAdded => {
                self.interfaces.insert(name, interface(&after));
            }
            EventKind::InterfaceRemoved => {
                self.interfaces.remove(&name);
            }
            EventKind::InterfaceChanged => {
                if let Some((facts, _)) = self.interfaces.get_mut(&name) {
                    *facts = after;
                }
            }
            EventKind::AddressAdded | EventKind::AddressRemoved => {
                if let Some((_, addresses)) = self.interfaces.get_mut(&name) {
                    addresses.remove(&before.to_string());
                    addresses.extend(event.after.as_ref().map(Value::to_string));
                }
            }
            EventKind::RouteAdded => {
                self.routes.insert(after.to_string());
            }
            EventKind::RouteRemoved => {
                self.routes.remove(&before.to_string());
            }
            EventKind::PeerAdded | EventKind::PeerChanged => {
                self.peers.insert(name, after);
            }
            EventKind::PeerRemoved => {
                self.peers.remove(&name);
            }
            EventKind::EdgeState if name == link => {
                self.link = after["state"].as_str().map(ToOwned::to_owned);
            }
            EventKind::EdgeRemoved if name == link => self.link = None,
            _ => {}
        }
    }
}

/// One history told in one order.
#[derive(Debug, Clone)]
struct Story {
    first: Sight,
    /// What was measured while nobody listened, minute by minute.
    spooled: Vec<Sight>,
    back: Sight,
    /// In which order the reports come: numbers into `spooled`, and one more for `back`.
    order: Vec<usize>,
    /// Before which of them the manager starts anew.
    restart: usize,
}

fn story() -> impl Strategy<Value = Story> {
    (sight(), sight(), proptest::collection::vec(sight(), 1..12)).prop_flat_map(
        |(first, back, spooled)| {
            let order = Just((0..=spooled.len()).collect::<Vec<_>>()).prop_shuffle();
            let first = Sight { second_peer: false, port: Some(1), age: 10, ..first };
            (order, 0..=spooled.len()).prop_map(move |(order, restart)| Story {
                first: first.clone(),
                spooled: spooled.clone(),
                back: Sight { port: Some(1), ..back.clone() },
                order,
                restart,
            })
        },
    )
}

/// When a spooled report was measured.
fn minute(n: usize) -> i64 {
    START.0 + EVERY_S * (i64::try_from(n).unwrap() + 1)
}

impl Story {
    /// Tells it to a manager; the events, and when the host was back.
    async fn tell(&self, db: &Path) -> (Vec<EventRow>, i64) {
        let mut engine = Engine::start(db);
        let mut host = engine.agent(ALPHA);
        let first = self.first.data(START.0).to_string();
        engine.processor().submit(submission(host.seal_v2(&first), START)).await.unwrap();
        engine.clock.set(START.plus(SILENT_S));
        engine.processor().command(Command::Tick).await.unwrap();
        let (mut now, mut back) = (START.plus(BACK_S), 0);
        for (place, report) in self.order.iter().enumerate() {
            now = now.plus(1);
            if place == self.restart {
                engine = engine.restarted(db).await;
            }
            engine.clock.set(now);
            let told = match self.spooled.get(*report) {
                Some(sight) => sight.data(minute(*report)),
                None => {
                    back = now.0;
                    self.back.data(back)
                }
            };
            let sealed = host.seal_v2(&told.to_string());
            engine.processor().submit(submission(sealed, now)).await.unwrap();
        }
        engine.stop().await;
        let all = EventFilter { limit: 10_000, ..EventFilter::default() };
        (sqlite::open_read_only(db).unwrap().events(&all).unwrap(), back)
    }

    /// What was true at a time.
    fn truth(&self, at: i64, back: i64) -> State {
        let last = (0..self.spooled.len()).rev().find(|n| minute(*n) <= at);
        let told = match last {
            _ if at >= back => self.back.data(back),
            Some(n) => self.spooled[n].data(minute(n)),
            None => self.first.data(START.0),
        };
        let silent = START.0 + SILENT_S;
        let link = match last.filter(|n| minute(*n) >= silent).map(|n| &self.spooled[n]) {
            _ if at >= back => self.back.link(),
            _ if at < silent => self.first.link(),
            Some(sight) => sight.link(),
            None => "unknown",
        };
        State { link: Some(link.to_owned()), ..State::told(&told) }
    }
}

/// What a host sees minute by minute, told at once.
async fn in_turn(db: &Path, sights: &[Sight]) {
    let engine = Engine::start(db);
    let mut host = engine.agent(ALPHA);
    for (n, sight) in sights.iter().enumerate() {
        let now = UnixSeconds(minute(n));
        engine.clock.set(now);
        let sealed = host.seal_v2(&sight.data(now.0).to_string());
        engine.processor().submit(submission(sealed, now)).await.unwrap();
    }
    engine.stop().await;
}

fn events(db: &Path) -> Vec<EventRow> {
    let all = EventFilter { limit: 10_000, ..EventFilter::default() };
    sqlite::open_read_only(db).unwrap().events(&all).unwrap()
}

/// Keeps the history from a time on; `last` is when the last report came.
fn prune(db: &Path, from: UnixSeconds, last: i64) {
    let mut opened = sqlite::open(db, sqlite::Durability::Normal).unwrap();
    let limits = Limits { age: Some(last - from.0), bytes: None };
    let now = UnixSeconds(last);
    let (what, after) = (Prunable::Events, 0);
    let chunk = Prune { what, limits, now, replay_s: 0, replay_v1_s: 0, after };
    while opened.writer.prune(&chunk).unwrap().next.is_some() {}
    opened.writer.close().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_pruned_takes_nothing_from_the_kept_time(
        sights in proptest::collection::vec(sight(), 4..16),
        cuts in (0_i64..900, 0_i64..300),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("k.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(in_turn(&db, &sights));
        let (all, end) = (events(&db), minute(sights.len() - 1));
        let link = all.iter().find(|event| event.kind == EventKind::EdgeAdded);
        let link = link.map_or("", |event| event.subject.as_str());
        // Once, and from there on once more.
        for cut in [cuts.0, cuts.0 + cuts.1].map(|cut| (START.0 + cut).min(end)) {
            prune(&db, UnixSeconds(cut), end);
            let kept = events(&db);
            let times = (0..sights.len()).map(minute).filter(|at| *at >= cut);
            for at in times.chain([cut]).map(UnixSeconds) {
                let (is, was) = (State::read(&kept, link, at), State::read(&all, link, at));
                prop_assert_eq!(is, was, "{} s, cut at {} s", at.since(START), cut - START.0);
            }
            let facts = kept.iter().filter(|event| event.at < UnixSeconds(cut)).count();
            prop_assert!(facts < 45, "{} lines of what is over", facts);
        }
    }

    #[test]
    fn any_order_of_arrival_leaves_the_same_history(story in story(), cut in 0_i64..14) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (events, back) = runtime.block_on(story.tell(&dir.path().join("k.db")));
        let link = events.iter().find(|event| event.kind == EventKind::EdgeAdded).unwrap();
        let minutes = (0..story.spooled.len()).map(minute);
        let times = minutes.chain([START.0, START.0 + SILENT_S, back]);
        for at in times.flat_map(|at| [at, at + EVERY_S / 2]) {
            let read = State::read(&events, &link.subject, UnixSeconds(at));
            prop_assert_eq!(read, story.truth(at, back), "{} s", at - START.0);
        }
        // Late ones are pruned by when they were learnt, and told in the order of their times.
        let cut = UnixSeconds(START.0 + BACK_S + cut);
        let last = START.0 + BACK_S + i64::try_from(story.order.len()).unwrap();
        prune(&dir.path().join("k.db"), cut, last);
        let kept = self::events(&dir.path().join("k.db"));
        for at in [cut.0, cut.0 + 1, back, back + 60].map(UnixSeconds) {
            let [is, was] = [&kept, &events].map(|all| State::read(all, &link.subject, at));
            prop_assert!(at < cut || is == was, "{:?} instead of {:?}", is, was);
        }
        for event in &events {
            let later = event.cause.as_deref() == Some(LEARNT_LATER);
            prop_assert_eq!(later, event.at < event.recorded_at, "{:?}", event);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_are_read_back_in_every_form_and_without_their_secrets() {
    for form in [Seal::v1, Seal::v2, Seal::v2_base64] {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("k.db");
        let engine = Engine::start(&db);
        let route = json!([{ "dst": "10.1.0.0/16", "dev": "wg0" }]);
        let told = [(0, json!([])), (-600, route.clone()), (-500, route), (-550, json!([]))];
        for (now, (at, routes)) in (0..).zip(told) {
            let now = START.plus(now);
            engine.clock.set(now);
            let data = json!({
                "collected_at": START.0 + at,
                "routes": routes,
                "private_key": STRANGER_KEY,
            });
            let seal = Seal::new(ALPHA, &format!("nonce{at}"), now).data(data.to_string());
            engine.processor().submit(submission(form(&seal), now)).await.unwrap();
        }
        engine.stop().await;
        let all = EventFilter { limit: 100, ..EventFilter::default() };
        let reader = sqlite::open_read_only(&db).unwrap();
        let events = reader.events(&all).unwrap().into_iter();
        let routes = events.filter(|event| event.subject == "10.1.0.0/16");
        let lines: Vec<_> = routes.map(|e| (e.kind.as_str(), e.at.since(START))).collect();
        // The gap closes at the next report each time, known again or not.
        let expected = [
            ("route.added", -600),
            ("route.removed", 0),
            ("route.removed", 0),
            ("route.removed", -550),
            ("route.added", -500),
        ];
        assert_eq!(lines, expected);
        let reports =
            reader.reports(&ReportFilter { limit: 9, ..ReportFilter::default() }).unwrap();
        assert!(reports.len() == 4 && reports.iter().all(|row| row.summary.redacted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_first_heard_by_its_spool_has_a_history_from_its_first_measurement() {
    let dir = tempfile::tempdir().unwrap();
    let db = dir.path().join("k.db");
    let engine = Engine::start(&db);
    let mut host = engine.agent(ALPHA);
    let sight = |bits: u8| Sight {
        eth0_up: bits == 2,
        second_wg: bits == 4,
        addresses: bits,
        routes: bits,
        port: (bits != 4).then_some(bits),
        second_peer: bits == 8,
        age: 10,
    };
    let told = [(-600, sight(2)), (-500, sight(4)), (3, sight(2)), (-550, sight(8))];
    for (now, (at, sight)) in (0..).zip(&told) {
        let now = START.plus(now + 1);
        engine.clock.set(now);
        let sealed = host.seal_v2(&sight.data(START.0 + at).to_string());
        engine.processor().submit(submission(sealed, now)).await.unwrap();
    }
    engine.stop().await;
    let all = EventFilter { limit: 1000, ..EventFilter::default() };
    let events = sqlite::open_read_only(&db).unwrap().events(&all).unwrap();
    assert_eq!(State::read(&events, "", START.plus(-601)), State::default());
    for (at, sight) in &told {
        let read = State::read(&events, "", START.plus(*at));
        assert_eq!(read, State::told(&sight.data(START.0 + at)), "{at}");
    }
}
