//! Agents that pass on what others cannot deliver: several agents with doors of their own on
//! loopback addresses, and managers that are out of reach for some of them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

use kattila::agent::door::PORT;
use kattila::agent::door::listen::Serving;
use kattila::clock::Clock;
use kattila::model::key::IdentityKey;
use kattila::sign::digest::sha256;
use kattila::sign::ed25519;
use kattila::wire::envelope::SignatureV2;
use kattila::wire::limits::BODY_BYTES;
use kattila::wire::relay;
use kattila::wire::signing::Relay;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::host::TestHost;
use crate::support::http::{get, post_json};
use crate::support::manager::{START, TestManager};
use crate::support::own::Own;
use crate::support::scripted::{Reply, Scripted};
use crate::support::stored::reports;

/// Nobody listens there: connections are refused.
const NOWHERE: &str = "http://127.0.0.1:1";

const TOKEN: &str = "agent-token-of-the-tests-0000000";

/// An address that no other test has, also not one of another run on this machine.
fn address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let host = NEXT.fetch_add(1, Ordering::SeqCst);
    Ipv4Addr::new(127, 64 | (high & 63), low, host).into()
}

/// A host with a door at an address of its own, and a manager that only it can reach.
struct Node {
    host: TestHost,
    ip: IpAddr,
    gate: Scripted,
}

impl Node {
    async fn new(clock: &Clock) -> Self {
        Self::at(clock, address()).await
    }

    async fn at(clock: &Clock, ip: IpAddr) -> Self {
        let gate = Scripted::start().await;
        gate.enrol(Reply::enrolled(201));
        let host = TestHost::with(&gate.url(), clock.clone(), |settings| {
            settings.door.serving = Serving::WireGuard;
            settings.door.token = Some(Zeroizing::new(TOKEN.to_owned()));
        });
        host.made_up().wire(ip, &[]);
        Self { host, ip, gate }
    }

    /// Knows these neighbours from its next look on.
    fn knows(&self, others: &[&Self]) {
        let peers: Vec<IpAddr> = others.iter().map(|other| other.ip).collect();
        self.host.made_up().wire(self.ip, &peers);
    }

    /// Cuts it off from its manager, once it is enrolled.
    async fn cut_off(&mut self) {
        self.host.step().await;
        assert_eq!(self.peer().await["reach"], "direct");
        self.gate.then(Reply::HangUp);
    }

    fn id(&mut self) -> String {
        self.host.agent().agent_id().to_string()
    }

    fn door(&self) -> SocketAddr {
        SocketAddr::new(self.ip, PORT)
    }

    async fn peer(&self) -> Value {
        get(self.door(), "/status/peer", &[]).await.json()
    }

    /// How its last report came, the last relay first, and of whom it was.
    fn last(&self) -> (Vec<String>, String) {
        let (relays, report) = self.gate.reports().last().unwrap().report();
        let report: Value = serde_json::from_slice(&report).unwrap();
        (relays, report["agent_id"].as_str().unwrap().to_owned())
    }
}

/// A report by somebody, not sent yet.
fn report(clock: &Clock) -> String {
    Own::alone("0123456789abcdef0123456789abcdef", clock.clone()).seal(r#"{"hostname":"far"}"#)
}

/// A host that never reaches the manager is known all the same, and once.
#[tokio::test]
async fn a_host_that_can_only_relay_appears_on_the_map() {
    let kattila = TestManager::start().await;
    let clock = &kattila.clock;
    let mut near = Node::new(clock).await;
    near.host.step().await;
    near.gate.then(Reply::Unwrap(kattila.addr()));
    let mut far = TestHost::new(NOWHERE, clock.clone());
    far.made_up().wire(address(), &[near.ip]);
    far.live(90).await;
    assert_eq!(far.waiting(), 0);
    let agents = kattila.operator().agents().await;
    assert_eq!(agents.len(), 1);
    assert_eq!(agents[0]["agent_id"], far.agent().agent_id().as_str());
    let stored = reports(&kattila.db());
    assert!(stored.len() >= 3, "{}", stored.len());
    kattila.stop().await;
}

/// The same against a manager that takes the envelopes off itself.
#[tokio::test]
async fn a_real_manager_takes_what_a_relay_passes_on() {
    let kattila = TestManager::start().await;
    let (ip, url) = (address(), format!("http://{}", kattila.addr()));
    let mut near = TestHost::with(&url, kattila.clock.clone(), |settings| {
        settings.door.serving = Serving::WireGuard;
    });
    near.made_up().wire(ip, &[]);
    near.step().await;
    let mut far = TestHost::new(NOWHERE, kattila.clock.clone());
    far.made_up().wire(address(), &[ip]);
    far.live(90).await;
    assert_eq!(far.waiting(), 0);
    let id = far.agent().agent_id().to_string();
    let agents = kattila.operator().agents().await;
    assert!(agents.len() == 2 && agents.iter().any(|agent| agent["agent_id"] == *id));
    let path = format!("/api/v1/reports?agent_id={id}");
    let stored = kattila.operator().get(&path).await.json();
    let stored = stored["reports"].as_array().or(stored.as_array()).unwrap().clone();
    assert!(stored.len() >= 3);
    let relay = near.agent().agent_id().as_str();
    assert!(stored.iter().all(|report| report["relay_path"] == json!([relay])), "{stored:?}");
    kattila.stop().await;
}

#[tokio::test]
async fn the_next_hop_signs_what_it_passes_on() {
    let clock = Clock::manual(START);
    let (mut near, mut far) = (Node::new(&clock).await, Node::new(&clock).await);
    near.host.step().await;
    far.cut_off().await;
    far.knows(&[&near]);
    far.host.live(40).await;

    let came = near.gate.reports().pop().unwrap();
    let head = relay::parse(came.body.as_bytes()).unwrap();
    assert_eq!((head.relay_id.as_str(), head.hop), (near.id().as_str(), 1));
    assert_eq!(head.fleet_id.as_str(), "fleet-a");
    let inner: Value = serde_json::from_slice(&head.inner).unwrap();
    assert_eq!(inner["agent_id"], far.id());
    assert_eq!(inner["alg"], "ed25519");
    let key = near.gate.enrolments()[0].json()["public_key"].as_str().unwrap().to_owned();
    let key: IdentityKey = key.parse().unwrap();
    let text = Relay::of(&head, sha256(&head.inner)).text();
    let SignatureV2::Ed25519(signature) = &head.signature else { panic!("{head:?}") };
    assert!(ed25519::holds(&key, text.as_bytes(), signature));
    // The very bytes that went the straight way first.
    let straight = far.gate.reports().pop().unwrap();
    assert_eq!(straight.body.as_bytes(), head.inner);

    let peer = far.peer().await;
    assert_eq!((&peer["reach"], &peer["hops"]), (&json!("relay"), &json!(1)));
    assert_eq!(peer["path"], json!([near.id()]));

    // The straight way is tried with each report, and taken as soon as it works.
    far.gate.then(Reply::receipt(30));
    let through = near.gate.reports().len();
    far.host.live(40).await;
    assert_eq!(far.last().0, [""; 0]);
    assert_eq!(far.peer().await["reach"], "direct");
    let passed = near.gate.reports();
    assert!(passed[through..].iter().all(|came| came.report().0.is_empty()), "no more of others");
}

#[tokio::test]
async fn three_relays_and_no_fourth() {
    let clock = Clock::manual(START);
    let mut chain = Vec::new();
    for _ in 0..5 {
        chain.push(Node::new(&clock).await);
    }
    chain[0].host.step().await;
    let mut ids = vec![chain[0].id()];
    for n in 1..5 {
        chain[n].cut_off().await;
        let (nearer, further) = chain.split_at_mut(n);
        further[0].knows(&[&nearer[n - 1]]);
        clock.set(clock.now().plus(40));
        further[0].host.step().await;
        let arrived = chain[0].last();
        ids.push(chain[n].id());
        if n <= 3 {
            assert_eq!(arrived, (ids[..n].to_vec(), ids[n].clone()), "{n} relays");
            let peer = chain[n].peer().await;
            let path: Vec<_> = ids[..n].iter().rev().cloned().collect();
            assert_eq!((&peer["hops"], &peer["path"]), (&json!(n), &json!(path)));
        } else {
            assert_ne!(arrived.1, ids[n], "a fourth relay");
            assert_eq!(chain[n].host.waiting(), 1, "it is kept");
            assert_eq!(chain[n].peer().await["reach"], "none");
        }
    }
}

#[tokio::test]
async fn two_that_are_cut_off_do_not_send_in_circles() {
    let clock = Clock::manual(START);
    let (mut one, mut other) = (Node::new(&clock).await, Node::new(&clock).await);
    one.cut_off().await;
    other.cut_off().await;
    one.knows(&[&other]);
    other.knows(&[&one]);
    for _ in 0..10 {
        one.host.live(20).await;
        other.host.live(20).await;
    }
    for node in [&mut one, &mut other] {
        assert!(node.host.waiting() > 3);
        assert_eq!(node.peer().await["reach"], "none");
    }
    other.gate.then(Reply::receipt(30));
    other.host.live(900).await;
    one.host.live(900).await;
    assert_eq!((one.host.waiting(), other.host.waiting()), (0, 0));
    let id = other.id();
    assert_eq!(other.last().0, [id]);
}

#[tokio::test]
async fn the_shortest_path_first_and_then_the_one_that_worked() {
    let clock = Clock::manual(START);
    let mut direct = Node::new(&clock).await;
    let (mut longer, mut far) = (Node::new(&clock).await, Node::new(&clock).await);
    direct.host.step().await;
    longer.cut_off().await;
    longer.knows(&[&direct]);
    longer.host.live(40).await;
    assert_eq!(longer.peer().await["hops"], 1);
    far.cut_off().await;
    far.knows(&[&longer, &direct]);
    far.host.live(40).await;
    assert_eq!(far.peer().await["path"], json!([direct.id()]));

    // It goes, and the other one finds its manager again.
    let gone = direct.ip;
    drop(direct);
    longer.gate.then(Reply::receipt(30));
    longer.host.live(40).await;
    far.host.live(400).await;
    assert_eq!(far.peer().await["path"], json!([longer.id()]));
    assert_eq!(far.host.waiting(), 0);

    // Back again it is as short, but the other one works.
    let mut back = Node::at(&clock, gone).await;
    back.host.step().await;
    far.host.live(400).await;
    assert_eq!(far.peer().await["path"], json!([longer.id()]));
    // Until somebody has it forget that.
    let bearer = format!("Bearer {TOKEN}");
    let reset = [("authorization", bearer.as_str())];
    let before = far.gate.reports().len();
    assert_eq!(post_json(far.door(), "/status/reset", &reset, "").await.status, 200);
    far.host.step().await;
    assert!(far.gate.reports().len() > before, "it reports at once, the straight way first");
}

#[tokio::test]
async fn answers_come_back_as_they_are() {
    let clock = Clock::manual(START);
    let mut node = Node::new(&clock).await;
    node.host.step().await;
    let body = "{\"status\":503,\"code\":\"overloaded\",\n \"detail\":\"wait\"}";
    let busy = Reply::Answer(503, String::new(), body.to_owned())
        .with("Retry-After: 17")
        .with("Content-Type: application/problem+json");
    let odd = Reply::Answer(207, String::new(), "\u{0}odd".to_owned());
    node.gate.script([busy, odd]);
    let answer = post_json(node.door(), "/status/relay", &[], report(&clock)).await;
    assert_eq!((answer.status, answer.text().as_str()), (503, body));
    assert_eq!(answer.header("retry-after"), Some("17"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let answer = post_json(node.door(), "/status/relay", &[], report(&clock)).await;
    assert_eq!((answer.status, answer.text().as_str()), (207, "\u{0}odd"));
    assert_eq!(answer.header("content-type"), None);

    node.gate.then(Reply::HangUp);
    let answer = post_json(node.door(), "/status/relay", &[], report(&clock)).await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_unreachable"));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

#[tokio::test]
async fn what_the_door_refuses_goes_nowhere() {
    let clock = Clock::manual(START);
    let mut node = Node::new(&clock).await;
    node.host.step().await;
    let door = node.door();
    let own = node.gate.reports().pop().unwrap().body;
    let other_fleet = report(&clock).replace("fleet-a", "fleet-b");
    let large = "x".repeat(BODY_BYTES + 1);
    let v1 = json!({ "agent_id": "gw", "timestamp": 1, "nonce": "n", "hmac": "0".repeat(64), "data": {} });
    for (body, status, code) in [
        (own, 422, "relay_loop"),
        (other_fleet, 403, "fleet_mismatch"),
        (large, 413, "body_too_large"),
        ("{".to_owned(), 400, "malformed_json"),
        (v1.to_string(), 400, "unsupported_version"),
        (r#"{"v":2,"kind":"relay"}"#.to_owned(), 400, "missing_field"),
    ] {
        let answer = post_json(door, "/status/relay", &[], body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
    for (path, status, code) in [
        ("/status/updates", 404, "not_found"),
        ("/status/relay", 405, "method_not_allowed"),
        ("/status/reset", 405, "method_not_allowed"),
    ] {
        let answer = get(door, path, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
    }
    let answer = post_json(door, "/status/reset", &[("authorization", "Bearer no")], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"));
    assert_eq!(node.gate.reports().len(), 1, "only its own came through");
}

#[tokio::test]
async fn who_is_not_enrolled_relays_nothing_and_who_is_not_asked_does_not_listen() {
    let clock = Clock::manual(START);
    let mut node = Node::new(&clock).await;
    node.gate.enrol(Reply::refusal(403, "enrollment_closed"));
    node.host.step().await;
    assert_eq!(get(node.door(), "/status/healthcheck", &[]).await.json()["status"], "ok");
    assert_eq!(node.peer().await["relays"], false);
    let answer = post_json(node.door(), "/status/relay", &[], report(&clock)).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "relay_not_allowed"));

    // The door follows the host's WireGuard addresses.
    let (old, new) = (node.door(), address());
    node.ip = new;
    node.knows(&[]);
    node.host.live(40).await;
    assert_eq!(node.peer().await["reach"], "direct");
    assert!(tokio::net::TcpStream::connect(old).await.is_err());
    let mut off = node.host.settings.clone();
    off.door.serving = Serving::Off;
    node.host.agent().reload(off).unwrap();
    node.host.step().await;
    assert!(tokio::net::TcpStream::connect(node.door()).await.is_err());
}

#[tokio::test]
async fn a_neighbour_that_asks_too_much_is_told_to_wait() {
    let clock = Clock::manual(START);
    let mut node = Node::new(&clock).await;
    node.host.step().await;
    let mut refused = None;
    for _ in 0..60 {
        let answer = get(node.door(), "/status/peer", &[]).await;
        if answer.status != 200 {
            refused = Some(answer);
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    clock.set(clock.now().plus(1));
    assert_eq!(node.peer().await["reach"], "direct");
}

/// The manager has the report, the relay does not know, and the sender neither.
#[tokio::test]
async fn an_answer_lost_behind_a_relay_doubles_nothing() {
    let kattila = TestManager::start().await;
    let clock = &kattila.clock;
    let mut near = Node::new(clock).await;
    near.host.step().await;
    let mut host = TestHost::new(NOWHERE, clock.clone());
    host.made_up().wire(address(), &[near.ip]);
    let before = near.gate.reports().len();
    near.gate.then(Reply::UnwrapAndHangUp(kattila.addr()));
    host.live(60).await;
    near.gate.then(Reply::Unwrap(kattila.addr()));
    host.live(900).await;
    assert_eq!(host.waiting(), 0);
    let sent: Vec<_> = near.gate.reports()[before..].iter().map(|came| came.report().1).collect();
    assert!(sent.len() > 2 && sent[0] == sent[1], "the same bytes again");
    let mut looks: Vec<u64> = reports(&kattila.db())
        .iter()
        .map(|(_, envelope)| envelope["data"]["n"].as_u64().unwrap())
        .collect();
    looks.sort_unstable();
    assert_eq!(looks, (1..=looks.len() as u64).collect::<Vec<_>>(), "each look once");
    kattila.stop().await;
}
