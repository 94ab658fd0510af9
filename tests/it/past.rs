//! The map at any second since recording began is the map that was shown then; what late reports
//! tell of a second corrects it, in whatever order they come.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::actors::Agent;
use crate::support::fleet::{ALPHA, ALPHA_KEY, BETA, BETA_KEY, Host, STRANGER_KEY};
use crate::support::manager::{START, TestManager};
use crate::support::network::{GAMMA, Network};

const AGENTS: [(&str, &str); 3] = [(ALPHA, ALPHA_KEY), (BETA, BETA_KEY), (GAMMA, STRANGER_KEY)];

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// An agent reports under a name, and lists those of the others whose bit is set, with a
    /// handshake so long ago; 0 for never. Its values were read so many seconds before.
    Report {
        agent: usize,
        peers: u8,
        handshake: i64,
        name: &'static str,
        ago: i64,
    },
    /// An admin clears an agent, forgets it, or takes it out of service or back.
    Reset {
        agent: usize,
        forget: bool,
    },
    Revoke(usize),
    Approve(usize),
    /// Time passes.
    Silence(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let agent = 0..AGENTS.len();
    let report = (0..AGENTS.len(), 0..8_u8, select(vec![0, 10, 10, 250, 400]), any::<bool>());
    prop_oneof![
        8 => report.prop_map(|(agent, peers, handshake, renamed)| {
            let name = if renamed { "renamed" } else { "host" };
            Step::Report { agent, peers, handshake, name, ago: 0 }
        }),
        1 => (agent.clone(), any::<bool>()).prop_map(|(agent, forget)| Step::Reset { agent, forget }),
        1 => agent.clone().prop_map(Step::Revoke),
        1 => agent.prop_map(Step::Approve),
        4 => (1..250_i64).prop_map(Step::Silence),
    ]
}

/// A manager, and what it showed at every second at which something happened.
struct Bench {
    kattila: TestManager,
    agents: Vec<Agent>,
    shown: BTreeMap<i64, Value>,
}

/// What of a map the history tells.
fn told(map: &Value) -> Value {
    let pick = |thing: &Value, names: &[&str]| -> Value {
        names.iter().map(|name| ((*name).to_owned(), thing[*name].clone())).collect()
    };
    let mut nodes: Vec<Value> = map["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| pick(node, &["id", "kind", "label", "status", "fleet_id", "x", "y", "site"]))
        .collect();
    nodes.sort_by_key(|node| node["id"].to_string());
    let mut edges: Vec<Value> = map["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            let mut told = pick(edge, &["id", "source", "target", "edge_type", "state", "since"]);
            for end in edge["ends"].as_array().unwrap() {
                let end = pick(end, &["agent_id", "interface"]);
                told["ends"] = json!([told["ends"], end]);
            }
            told
        })
        .collect();
    edges.sort_by_key(|edge| edge["id"].to_string());
    // Circles are drawn as they are today, and grow as nodes come.
    let sites: Vec<Value> = map["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|site| pick(site, &["id", "label", "fleet_id", "x", "y", "counts"]))
        .collect();
    json!([nodes, edges, sites])
}

impl Bench {
    async fn start() -> Self {
        let settings = [
            ("KATTILA_DURABILITY", "normal"),
            ("KATTILA_RATE_AGENT", "off"),
            ("KATTILA_RATE_SOURCE", "off"),
        ];
        let kattila = TestManager::start_with(&settings).await;
        let agents = AGENTS.iter().map(|(id, _)| kattila.agent(id)).collect();
        Self { kattila, agents, shown: BTreeMap::new() }
    }

    async fn take(&mut self, step: &Step) {
        let admin = |act: &str, agent: usize| format!("/api/v1/agents/{}/{act}", AGENTS[agent].0);
        let operator = self.kattila.operator();
        match step {
            Step::Report { agent, peers, handshake, name, ago } => {
                let now = self.kattila.clock.now().0;
                let (_, key) = AGENTS[*agent];
                let number = u8::try_from(agent + 1).unwrap();
                let mut host =
                    Host { name, key: Some(key), number, peers: Vec::new(), ..Host::alpha() };
                for peer in (0..AGENTS.len()).filter(|p| p != agent && peers >> p & 1 == 1) {
                    let at = if *handshake == 0 { 0 } else { now - ago - handshake };
                    let number = u8::try_from(peer + 1).unwrap();
                    host = host.with_peer(AGENTS[peer].1, number, at, 1000);
                }
                let mut data = host.data();
                data["collected_at"] = json!(now - ago);
                let envelope = self.agents[*agent].seal_v2(&data.to_string());
                let answer = self.agents[*agent].send(&envelope).await;
                assert!([200, 403].contains(&answer.status), "{}", answer.text());
            }
            Step::Reset { agent, forget } => {
                let body = json!({ "agent_id": AGENTS[*agent].0, "forget": forget });
                self.kattila.admin().reset(&body).await;
            }
            Step::Revoke(agent) => {
                operator.post(&admin("revoke", *agent), &json!({})).await;
            }
            Step::Approve(agent) => {
                operator.post(&admin("approve", *agent), &json!({})).await;
            }
            Step::Silence(seconds) => self.kattila.advance(*seconds).await,
        }
        self.kattila.advance(0).await;
    }

    async fn at(&self, at: i64) -> Value {
        self.kattila.operator().json(&format!("/api/v1/topology?at={at}")).await
    }

    async fn live(&mut self, steps: &[Step]) {
        for step in steps {
            self.take(step).await;
            let map = self.kattila.operator().topology().await;
            self.shown.insert(self.kattila.clock.now().0, told(&map));
            self.kattila.advance(1).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_second_is_told_as_it_was_shown(steps in proptest::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::start().await;
            bench.live(&steps).await;
            for (at, shown) in &bench.shown {
                assert_eq!(&told(&bench.at(*at).await), shown, "{} s", at - START.0);
            }
            bench.kattila.stop().await;
        });
    }

    #[test]
    fn what_comes_late_is_told_as_if_it_had_come_in_time(
        ages in proptest::collection::vec(select(vec![10, 10, 1000]), 3..6),
        order in Just((1..5_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(corrected(&ages, &order));
    }
}

/// Alpha measures every ten minutes. Once all its reports come at once; once all but the first
/// come hours later, the newest first and the others in any order.
async fn corrected(ages: &[i64], order: &[usize]) {
    const EVERY_S: i64 = 600;
    let report = |n: usize, ago: i64| {
        let handshake = ages[n];
        Step::Report { agent: 0, peers: 2, handshake, name: "host", ago }
    };
    let last = ages.len() - 1;
    let mut prompt = Bench::start().await;
    let mut late = Bench::start().await;
    for n in 0..=last {
        prompt.take(&report(n, 0)).await;
        if n == 0 {
            late.take(&report(n, 0)).await;
        }
        for bench in [&prompt, &late] {
            bench.kattila.advance(EVERY_S).await;
        }
    }
    let measured_at = |n: usize| START.0 + EVERY_S * i64::try_from(n).unwrap();
    late.take(&report(last, 0)).await;
    for n in order.iter().filter(|n| **n < last) {
        let ago = late.kattila.clock.now().0 - measured_at(*n);
        late.take(&report(*n, ago)).await;
        late.kattila.advance(1).await;
    }
    let (mut right, mut corrected) = (Vec::new(), Vec::new());
    for n in 1..last {
        let at = measured_at(n);
        right.push(prompt.at(at).await["edges"][0]["state"].clone());
        let map = late.at(at).await;
        let edge = &map["edges"][0];
        corrected.push(edge["state"].clone());
        let learnt = &map["learnt_later"][edge["id"].as_str().unwrap()];
        assert!(learnt.as_i64() > Some(at), "{map}");
    }
    assert_eq!(corrected, right, "{ages:?} {order:?}");
    prompt.kattila.stop().await;
    late.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learnt_later_is_marked_with_its_time_on_every_page_that_tells_it() {
    let mut bench = Bench::start().await;
    let report = |handshake, ago| Step::Report { agent: 0, peers: 2, handshake, name: "host", ago };
    bench.take(&report(10, 0)).await;
    // So long that nobody can say how the link is.
    bench.kattila.advance(500).await;
    bench.kattila.advance(700).await;
    bench.take(&report(10, 0)).await;
    bench.kattila.advance(60).await;
    // What the host saw ten minutes after the first report, out of its spool.
    let learnt = bench.kattila.clock.now();
    bench.take(&report(400, 660)).await;
    let at = START.0 + 601;
    let link = bench.at(at).await["edges"][0]["id"].as_str().unwrap().to_owned();
    let (agent, time) = (AGENTS[0].0, format!("datetime=\"{}\"", learnt.to_rfc3339()));
    let marked = |page: &str| {
        let has = |row: &str| row.contains("◷ Learnt later</span>") && row.contains(&time);
        page.split("<tr>").filter(|row| has(row)).count()
    };
    let operator = bench.kattila.operator();
    for path in [
        "/events".to_owned(),
        format!("/events?agent={agent}"),
        format!("/links/{link}"),
        format!("/links/{link}?at={at}"),
        format!("/agents/{agent}?at={at}"),
    ] {
        let page = operator.get(&path).await.text();
        assert!(marked(&page) > 0, "{path}: {page}");
    }
    let told = |page: &str| page.split_once(", learnt later, at ").map(|(_, rest)| rest.to_owned());
    let page = operator.get(&format!("/links/{link}?at={at}")).await.text();
    let verdict = told(&page).unwrap_or_else(|| panic!("{page}"));
    assert!(verdict.split_once("</time>").unwrap().0.contains(&time), "{verdict}");
    let before = operator.get(&format!("/links/{link}?at={}", START.0 + 5)).await.text();
    assert!(told(&before).is_none() && marked(&before) == 0, "{before}");
    bench.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_before_and_after_the_history_are_refused_and_the_past_keeps_its_tag() {
    let mut net = Network::start(2, &[(0, 1)]).await;
    net.kattila.advance(5).await;
    let begun = net.now();
    net.rounds(2).await;
    let operator = net.kattila.operator();
    for (at, code) in [(START.0 - 1, "before_history"), (net.now() + 1, "bad_request")] {
        let answer = operator.get(&format!("/api/v1/topology?at={at}")).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some(code)));
    }
    let refused = operator.get(&format!("/api/v1/topology?at={}", START.0 - 1)).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("2026-11-20T22:38:06Z"));
    assert_eq!(operator.get("/api/v1/topology?at=yesterday").await.status, 400);
    let empty = operator.json(&format!("/api/v1/topology?at={begun}")).await;
    assert_eq!((empty["nodes"].as_array().unwrap().len(), &empty["since"]), (0, &json!(START.0)));
    // The past is the same while time goes on.
    let path = format!("/api/v1/topology?at={}", net.now());
    let tag = operator.get(&path).await.header("etag").unwrap().to_owned();
    net.rounds(1).await;
    assert_eq!(operator.get(&path).await.header("etag"), Some(tag.as_str()));
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_link_is_in_the_count_and_in_the_difference() {
    let mut net = Network::start(3, &[(0, 1), (1, 2)]).await;
    net.rounds(3).await;
    let well = net.now();
    net.links[0].alive = false;
    net.rounds(14).await;
    let operator = net.kattila.operator();
    let diff = operator.json(&format!("/api/v1/diff?from={well}")).await;
    assert_eq!(diff["summary"], "1 link lost", "{diff}");
    assert_eq!(diff["links"][0]["after"], "down");
    let at = diff["links"][0]["at"].as_array().unwrap().last().unwrap().as_i64().unwrap();
    assert!(diff["alarms_raised"].to_string().contains("edge.down"), "{diff}");
    let history =
        operator.json(&format!("/api/v1/history?from={}&buckets=10&at={at}", START.0)).await;
    let buckets = history["buckets"].as_array().unwrap();
    assert!(
        buckets.iter().any(|b| b["worst"] != "info" && b["kinds"]["edge.state"] == 1),
        "{history}"
    );
    assert!(history["previous"].as_i64() < Some(at));
    let before = operator.json(&format!("/api/v1/topology?at={}", at - 1)).await;
    let after = operator.json(&format!("/api/v1/topology?at={at}")).await;
    let states = |map: &Value| {
        let edges = map["edges"].as_array().unwrap();
        edges.iter().filter(|edge| edge["state"] == "down").count()
    };
    assert_eq!((states(&before), states(&after)), (0, 1));
    // And back.
    net.links[0].alive = true;
    net.rounds(3).await;
    let diff = net.kattila.operator().json(&format!("/api/v1/diff?from={at}")).await;
    assert_eq!(diff["summary"], "1 link restored", "{diff}");
    let same = net.kattila.operator().json(&format!("/api/v1/diff?from={well}")).await;
    assert_eq!(same["summary"], "nothing");
    net.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_a_second_of_the_past_and_what_became_of_a_link_that_is_gone() {
    let mut net = Network::start(3, &[(0, 1), (1, 2)]).await;
    net.rounds(3).await;
    let well = net.now();
    let link = net.edge("alpha-beta").await["id"].as_str().unwrap().to_owned();
    // Both forget each other, and the third falls silent.
    net.links.remove(0);
    net.silent.insert(2);
    net.rounds(8).await;
    let operator = net.kattila.operator();
    let page = async |path: String| {
        let answer = operator.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    };
    let live = page("/links".to_owned()).await;
    assert!(!live.contains(&link) && !live.contains("Viewing"));
    let then = page(format!("/links?at={well}")).await;
    assert!(then.contains(&format!("/links/{link}?at={well}")) && then.contains("back to live"));
    let filtered = page(format!("/links?at={well}&q=state%3Adown")).await;
    assert!(!filtered.contains(&link) && filtered.contains("href=\"/links?q=state%3Adown\""));
    let agents = page(format!("/agents?at={well}")).await;
    assert!(agents.contains("3 agents: 3 reporting, 0 late, 0 down."), "{agents}");
    let one = page(format!("/links/{link}?at={well}")).await;
    assert!(one.contains("alpha ⇄ beta") && one.contains("edge.state"));
    let agent = page(format!("/agents/{ALPHA}?at={well}")).await;
    assert!(agent.contains(&format!("/links/{link}?at={well}")) && agent.contains("Links (1)"));
    // It is gone, which is a page and no dead end; what never was is none.
    let gone = page(format!("/links/{link}")).await;
    assert!(gone.contains("This link is gone since") && gone.contains("alpha ⇄ beta"));
    let absent = page(format!("/links/{link}?at={}", net.now())).await;
    assert!(absent.contains("was not there then"));
    assert_eq!(operator.get("/links/00000000000000ff").await.status, 404);
    assert_eq!(operator.get(&format!("/links?at={}", START.0 - 5)).await.status, 400);
    let changes = page(format!("/changes?from={well}")).await;
    assert!(changes.contains("1 link gone") && changes.contains("1 agent lost"), "{changes}");
    assert!(changes.contains(&format!("/links/{link}?at={well}")));
    let early = page(format!("/changes?from={}", START.0 - 5)).await;
    assert!(early.contains("The history begins at"));
    net.kattila.stop().await;
}
