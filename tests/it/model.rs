//! Whatever happens in whatever order, the manager shows what a much simpler manager would.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::http::{Answer, post_json};
use crate::support::manager::{START, TestManager};
use crate::support::rows::Rows;
use crate::support::seal::Seal;

/// The agents: two of version 2, one of version 1.
const AGENTS: [(&str, &str); 3] = [(ALPHA, ALPHA_KEY), (BETA, BETA_KEY), ("gamma", STRANGER_KEY)];

/// What their hosts are called.
const HOSTS: [&str; 3] = ["alpha", "beta", "gamma"];

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// An agent reports, and lists those of the others whose bit is set as its peers, with a
    /// handshake so long ago; 0 for never. Its uplink works or does not; without a tunnel it
    /// lists nobody.
    Report { agent: usize, peers: u8, handshake: i64, uplink: bool, tunnel: bool },
    /// The bytes of an earlier report come again.
    Replay(Index),
    /// An earlier nonce (and tick) comes again over other data, correctly signed.
    Forge(Index),
    /// An admin clears an agent, and perhaps forgets it.
    Reset { agent: usize, forget: bool },
    /// Time passes, and nobody says anything.
    Silence(i64),
    /// The manager stops in order and starts again.
    Restart,
}

fn report() -> impl Strategy<Value = Step> {
    let handshake = select(vec![0, 10, 10, 250, 400]);
    let tunnel = proptest::bool::weighted(0.75);
    (0..AGENTS.len(), 0..8_u8, handshake, any::<bool>(), tunnel).prop_map(
        |(agent, peers, handshake, uplink, tunnel)| {
            let peers = if tunnel { peers } else { 0 };
            Step::Report { agent, peers, handshake, uplink, tunnel }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let agent = 0..AGENTS.len();
    prop_oneof![
        8 => report(),
        3 => any::<Index>().prop_map(Step::Replay),
        1 => any::<Index>().prop_map(Step::Forge),
        2 => (agent, any::<bool>()).prop_map(|(agent, forget)| Step::Reset { agent, forget }),
        3 => (1..250_i64).prop_map(Step::Silence),
        1 => Just(Step::Restart),
    ]
}

/// What the simpler manager knows of an agent.
#[derive(Debug, Clone)]
struct Known {
    registered_at: i64,
    last_seen_at: i64,
    status: &'static str,
    /// Whether a report came since the last reset.
    told: bool,
    /// Whether its tunnel is there.
    tunnel: bool,
    /// Whether its key is known: told, or told before and listed ever since.
    named: bool,
    peers: BTreeSet<usize>,
    /// Whether those had a handshake.
    worked: bool,
}

/// A report that was stored.
#[derive(Debug, Clone)]
struct Sent {
    agent: usize,
    seal: Seal,
    id: i64,
    at: i64,
}

/// The simpler manager: no keys, no database, no threads.
#[derive(Debug, Default)]
struct Model {
    now: i64,
    started_at: i64,
    agents: BTreeMap<usize, Known>,
    sent: Vec<Sent>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.nonce)
    }
}

impl Model {
    fn reported(&mut self, agent: usize, peers: BTreeSet<usize>, tunnel: bool, worked: bool) {
        let now = self.now;
        let before = self.agents.get(&agent);
        let known = Known {
            registered_at: before.map_or(now, |known| known.registered_at),
            last_seen_at: now,
            status: "online",
            told: true,
            tunnel,
            named: tunnel || before.is_some_and(|known| known.named),
            peers,
            worked,
        };
        self.agents.insert(agent, known);
        self.forget();
    }

    /// A key that nobody tells or lists is not known any more.
    fn forget(&mut self) {
        let listed: BTreeSet<usize> =
            self.agents.values().flat_map(|known| known.peers.iter().copied()).collect();
        for (agent, known) in &mut self.agents {
            known.named &= known.tunnel || listed.contains(agent);
        }
    }

    fn silence(&mut self, seconds: i64) {
        self.now += seconds;
        // While the manager is young, it was itself the reason for the silence.
        if self.now - self.started_at < 180 {
            return;
        }
        for known in self.agents.values_mut() {
            match self.now - known.last_seen_at {
                180.. => known.status = "offline",
                101.. => known.status = "stale",
                _ => {}
            }
        }
    }

    /// `/status/agents`, as far as it is modelled, by name.
    fn agents(&self) -> BTreeMap<String, Value> {
        let shown = |(agent, known): (&usize, &Known)| {
            let interfaces: &[&str] = match (known.told, known.tunnel) {
                (false, _) => &[],
                (true, false) => &["eth0"],
                (true, true) => &["eth0", "wg0"],
            };
            let value = json!({
                "registered_at": known.registered_at,
                "last_seen_at": known.last_seen_at,
                "status": known.status,
                "interfaces": interfaces,
                "peers": known.peers.len(),
            });
            (AGENTS[*agent].0.to_owned(), value)
        };
        self.agents.iter().map(shown).collect()
    }

    /// Pairs of which at least one lists the other.
    fn edges(&self) -> usize {
        let pairs = self.agents.iter().flat_map(|(agent, known)| {
            known.peers.iter().map(|peer| (*agent.min(peer), *agent.max(peer)))
        });
        pairs.collect::<BTreeSet<_>>().len()
    }

    /// Keys that somebody lists and nobody owns.
    fn externals(&self) -> usize {
        let listed: BTreeSet<usize> =
            self.agents.values().flat_map(|known| known.peers.iter().copied()).collect();
        let owned = |agent: &&usize| self.agents.get(agent).is_some_and(|known| known.named);
        listed.iter().filter(|agent| !owned(agent)).count()
    }

    /// By whose names links are down because an interface is gone: of hosts that report, are
    /// known by their key, and are listed by one that has had a handshake.
    fn gone(&self) -> BTreeSet<&'static str> {
        let listed = |agent: usize| {
            self.agents.values().any(|known| known.worked && known.peers.contains(&agent))
        };
        let lost = |(agent, known): &(&usize, &Known)| {
            known.status == "online" && known.named && !known.tunnel && listed(**agent)
        };
        self.agents.iter().filter(lost).map(|(agent, _)| HOSTS[*agent]).collect()
    }
}

/// The manager and what it should be like.
struct Bench {
    kattila: Option<TestManager>,
    model: Model,
}

impl Bench {
    async fn start() -> Self {
        let settings = [
            ("KATTILA_DURABILITY", "normal"),
            ("KATTILA_RATE_AGENT", "off"),
            ("KATTILA_RATE_SOURCE", "off"),
        ];
        let kattila = TestManager::start_with(&settings).await;
        let model = Model { now: START.0, started_at: START.0, ..Model::default() };
        Self { kattila: Some(kattila), model }
    }

    fn kattila(&self) -> &TestManager {
        self.kattila.as_ref().unwrap()
    }

    async fn post(&self, agent: usize, seal: &Seal) -> Answer {
        let body = if AGENTS[agent].0 == "gamma" { seal.v1() } else { seal.v2() };
        post_json(self.kattila().addr(), "/status/updates", &[], body).await
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Report { agent, peers, handshake, uplink, tunnel } => {
                let handshake = if *handshake == 0 { 0 } else { self.model.now - handshake };
                self.report((*agent, *tunnel), *peers, handshake, *uplink).await;
            }
            Step::Replay(which) => self.again(which, false).await,
            Step::Forge(which) => self.again(which, true).await,
            Step::Reset { agent, forget } => self.reset(*agent, *forget).await,
            Step::Silence(seconds) => {
                self.model.silence(*seconds);
                self.kattila().advance(*seconds).await;
            }
            Step::Restart => {
                // The map may be a second old, but not older.
                self.model.silence(1);
                self.kattila().advance(1).await;
                let before = self.shown().await;
                self.model.started_at = self.model.now;
                self.kattila = Some(self.kattila.take().unwrap().restart().await);
                assert_eq!(self.shown().await, before, "a restart changes nothing that is shown");
            }
        }
    }

    async fn report(
        &mut self,
        (agent, tunnel): (usize, bool),
        peers: u8,
        handshake: i64,
        uplink: bool,
    ) {
        let now = self.model.now;
        let listed: BTreeSet<usize> =
            (0..AGENTS.len()).filter(|peer| *peer != agent && peers >> peer & 1 == 1).collect();
        let mut host = match agent {
            0 => Host::alpha(),
            1 => Host::beta(),
            _ => Host { name: "gamma", key: Some(STRANGER_KEY), number: 3, ..Host::beta() },
        };
        for peer in &listed {
            let number = u8::try_from(peer + 1).unwrap();
            host = host.with_peer(AGENTS[*peer].1, number, handshake, 1000);
        }
        host.eth0_up = uplink;
        let mut data = host.data();
        if !tunnel {
            data["interfaces"].as_array_mut().unwrap().remove(1);
        }
        // Version 1 does not sign the fleet.
        data["fleet_id"] = json!("fleet-a");
        let count = i64::try_from(self.model.sent.len()).unwrap();
        let seal =
            Seal::new(AGENTS[agent].0, &format!("nonce-{count}"), self.kattila().clock.now());
        let seal = seal.tick(START.0 * 1000 + count).data(data.to_string());
        let answer = self.post(agent, &seal).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["status"], "ok");
        let id = answer.json()["report_id"].as_i64().unwrap();
        self.model.reported(agent, listed, tunnel, handshake != 0);
        self.model.sent.push(Sent { agent, seal, id, at: now });
    }

    async fn again(&self, which: &Index, forged: bool) {
        if self.model.sent.is_empty() {
            return;
        }
        let Sent { agent, seal, id, at } = which.get(&self.model.sent);
        let seal = if forged { seal.clone().data("{}") } else { seal.clone() };
        let answer = self.post(*agent, &seal).await;
        let body = answer.json();
        let expected = match (self.model.now - at, AGENTS[*agent].0, forged) {
            (601.., _, _) => (403, json!("timestamp_skew")),
            (_, "gamma", _) => (409, json!("nonce_replayed")),
            (_, _, true) => (409, json!("tick_replayed")),
            (_, _, false) => (200, json!(id)),
        };
        let told = if answer.status == 200 { &body["report_id"] } else { &body["code"] };
        assert_eq!((answer.status, told.clone()), expected, "{body}");
        if answer.status == 200 {
            assert_eq!(body["status"], "duplicate");
        }
        if expected.1 == "nonce_replayed" {
            assert_eq!(body["accepted_at"], *at);
        }
    }

    async fn reset(&mut self, agent: usize, forget: bool) {
        let body = json!({ "agent_id": AGENTS[agent].0, "forget": forget });
        let answer = self.kattila().admin().reset(&body).await;
        let known = self.model.agents.get_mut(&agent);
        assert_eq!(answer.status, if known.is_some() { 200 } else { 404 }, "{}", answer.text());
        let Some(known) = known else { return };
        (known.told, known.tunnel, known.named) = (false, false, false);
        known.peers = BTreeSet::new();
        if forget {
            self.model.agents.remove(&agent);
        }
        self.model.forget();
    }

    /// Everything that people see, apart from where it is drawn.
    async fn shown(&self) -> Value {
        self.kattila().advance(0).await;
        let operator = self.kattila().operator();
        let map = operator.topology().await;
        let mut edges = map["edges"].clone();
        edges.as_array_mut().unwrap().sort_by_key(|edge| edge["id"].to_string());
        let mut nodes = map["nodes"].clone();
        nodes.as_array_mut().unwrap().sort_by_key(|node| node["id"].to_string());
        json!({
            "agents": operator.agents().await,
            "alarms": operator.json("/status/alarms").await,
            "edges": edges,
            "nodes": nodes,
        })
    }

    async fn compare(&self) {
        // The map is sent at most twice a second; here, now.
        self.kattila().advance(0).await;
        let operator = self.kattila().operator();
        let shown = operator.agents().await.into_iter().map(|agent| {
            let names = ["registered_at", "last_seen_at", "status", "interfaces", "peers"];
            let kept = names.map(|name| (name.to_owned(), agent[name].clone()));
            (
                agent["agent_id"].as_str().unwrap().to_owned(),
                Value::Object(kept.into_iter().collect()),
            )
        });
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), self.model.agents());
        let map = operator.topology().await;
        let nodes = map["nodes"].as_array().unwrap();
        let count = |kind: &str| nodes.iter().filter(|node| node["kind"] == kind).count();
        let found = (map["edges"].as_array().unwrap().len(), count("agent"), count("external"));
        let expected = (self.model.edges(), self.model.agents.len(), self.model.externals());
        assert_eq!(found, expected, "edges, agents and others on the map: {map}");
        let reasons = map["edges"].as_array().unwrap().iter().filter_map(|edge| {
            let gone = edge["reason"].as_str()?.strip_prefix("down: wg0 is gone on ")?;
            assert_eq!(edge["state"], "down", "{edge}");
            Some(gone.to_owned())
        });
        let reasons: BTreeSet<String> = reasons.collect();
        assert_eq!(reasons, self.model.gone().into_iter().map(String::from).collect(), "{map}");
    }

    /// In the end every report is there once, and the tables are as many as the picture says.
    async fn finish(mut self) {
        let kattila = self.kattila.take().unwrap();
        let rows = Rows::of(&kattila.db());
        assert_eq!(rows.count("reports"), self.model.sent.len());
        let ids: BTreeSet<i64> = self.model.sent.iter().map(|sent| sent.id).collect();
        assert_eq!(ids.len(), self.model.sent.len(), "an id was given twice");
        assert_eq!(rows.count("topology_edges"), self.model.edges());
        let told = self.model.agents.values().filter(|known| known.told);
        let interfaces: usize = told.map(|known| 1 + usize::from(known.tunnel)).sum();
        assert_eq!(rows.count("agent_interfaces"), interfaces);
        let peers: usize = self.model.agents.values().map(|known| known.peers.len()).sum();
        assert_eq!(rows.count("wg_peers"), peers);
        kattila.stop().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_manager_shows_what_a_simpler_one_would(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::start().await;
            for step in &steps {
                bench.take(step).await;
                bench.compare().await;
            }
            bench.finish().await;
        });
    }
}
