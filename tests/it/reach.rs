//! Who is limited to fleets sees these and nothing of the others: every address, every act, the
//! stream.

mod visitor;

use hyper::Method;
use kattila::http::access::Need;
use kattila::http::routes::{self, Route};
use serde_json::{Value, json};

use crate::support::actors::{Agent, Operator};
use crate::support::fleet::{ALPHA, BETA};
use crate::support::http::{Answer, post_json, send};
use crate::support::manager::{ADMIN_TOKEN, START, TestManager};
use crate::support::seal::Seal;
use crate::support::stream::Stream;

pub(crate) const GAMMA: &str = "6a33a0000000000000000000000006a3";
pub(crate) const DELTA: &str = "de17a000000000000000000000000de1";
const NOBODY: &str = "00b0d1e5000000000000000000000000";

/// One's own keys, and those of the other fleet.
pub(crate) const KEYS: [&str; 4] = [
    "m4veB98FBPwBgnzi7Uej72Sw0Bk+vT+RRn8C170QUVc=",
    "A9hyj48jUGKuEZMC8uMV4TghveWTLxQVY/+7UuDwagU=",
    "Z0bYcVCQYqBQzXxGmUwsBFjqmlAvBJNdMxI8jWvHPWo=",
    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
];

/// What tells of the other fleet.
const SECRETS: [&str; 13] = [
    GAMMA,
    DELTA,
    "gamma-of-others",
    "delta-of-others",
    "the-other-fleet",
    KEYS[2],
    KEYS[3],
    "10.88.0.",
    "89.160.20.",
    "fd67:1234:5678:",
    "02:88:",
    "other-site",
    "work at the others",
];

/// A host: which it is, and its two networks.
pub(crate) struct Machine {
    agent: Agent,
    pub(crate) name: &'static str,
    number: usize,
    peers: Vec<Value>,
}

impl Machine {
    fn new(kattila: &TestManager, id: &str, number: usize) -> Self {
        let mut agent = kattila.agent(id);
        agent.fleet = if number < 2 { "fleet-a" } else { "the-other-fleet" }.to_owned();
        let name = ["alpha", "beta", "gamma-of-others", "delta-of-others"][number];
        Self { agent, name, number, peers: Vec::new() }
    }

    fn address(number: usize) -> String {
        let net = if number < 2 { "10.77.0" } else { "10.88.0" };
        format!("{net}.{}", number + 1)
    }

    fn peer(mut self, other: usize) -> Self {
        let endpoint = if other < 2 { "81.2.69" } else { "89.160.20" };
        self.peers.push(json!({
            "interface": "wg0", "public_key": KEYS[other],
            "endpoint": format!("{endpoint}.{}:51820", other + 1),
            "allowed_ips": [format!("{}/32", Self::address(other))],
            "latest_handshake": START.0 - 10, "rx_bytes": 1000, "tx_bytes": 1000,
            "persistent_keepalive": 25,
        }));
        self
    }

    fn data(&self) -> Value {
        let n = self.number;
        let (net, mac, site) =
            if n < 2 { ("81.2.69", "02:77", "lab") } else { ("89.160.20", "02:88", "other-site") };
        json!({
            "hostname": self.name, "boot_id": format!("boot-{n}"), "agent_version": "1.4.2",
            "labels": { "site": site },
            "interfaces": [
                { "name": "eth0", "mac": format!("{mac}:00:00:00:0{n}"), "state": "up",
                  "addresses": [format!("{net}.{}/24", n + 1)] },
                { "name": "wg0", "state": "unknown", "public_key": KEYS[n],
                  "addresses": [format!("{}/24", Self::address(n))] },
            ],
            "routes": [
                { "dst": format!("{}/32", Self::address(n)), "dev": "wg0" },
                { "dst": if n < 2 { "fd66:1234:5678::/48" } else { "fd67:1234:5678::/48" },
                  "gateway": "fe80::1", "dev": "eth0", "protocol": "static" },
            ],
            "wg_peers": self.peers,
        })
    }

    pub(crate) async fn report(&mut self) {
        let data = self.data();
        self.agent.report(&data).await;
    }
}

/// A manager with two fleets in trouble, and who may see the first.
pub(crate) struct Scene {
    pub(crate) kattila: TestManager,
    pub(crate) hosts: Vec<Machine>,
    /// With every right in the first fleet.
    limited: Operator,
    token: String,
    _plan: tempfile::TempDir,
}

const PLAN: &str = "[[channel]]\nname = \"chat\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n\
                    [[route]]\nchannels = \"chat\"\n";

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(&[1]).await
    }

    /// The first host has tunnels to these.
    pub(crate) async fn with(peers: &[usize]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = dir.path().join("plan.toml");
        std::fs::write(&plan, PLAN).unwrap();
        let plan = plan.display().to_string();
        let settings = [("KATTILA_NOTIFY_FILE", plan.as_str()), ("KATTILA_RATE_SOURCE", "off")];
        let kattila = TestManager::start_with(&settings).await;
        let of = |id, number| Machine::new(&kattila, id, number);
        let mut hosts = vec![
            peers.iter().fold(of(ALPHA, 0), |host, other| host.peer(*other)),
            of(BETA, 1).peer(0),
            // One of the others has a tunnel to a host of the first fleet.
            of(GAMMA, 2).peer(3).peer(0),
            of(DELTA, 3).peer(2),
        ];
        for host in &mut hosts {
            host.report().await;
        }
        kattila.advance(1).await;
        let admin = kattila.operator();
        let wanted = json!({"name": "local", "role": "admin", "fleets": ["fleet-a"]});
        let made = admin.post("/api/v1/tokens", &wanted).await;
        assert_eq!((made.status, &made.json()["fleets"]), (201, &json!(["fleet-a"])));
        let token = made.json()["token"].as_str().unwrap().to_owned();
        let limited = Operator::new(kattila.addr(), &token);
        for (fleet, reason) in [("fleet-a", "our work"), ("the-other-fleet", "work at the others")]
        {
            let window =
                json!({"fleet_id": fleet, "reason": reason, "from": START.0 + 90_000, "for_s": 60});
            assert_eq!(admin.post("/api/v1/maintenance", &window).await.status, 201);
            let link = json!({"view": "/map", "fleets": [fleet]});
            assert_eq!(admin.post("/api/v1/shares", &link).await.status, 201);
        }
        let mut this = Self { kattila, hosts, limited, token, _plan: dir };
        this.trouble().await;
        this
    }

    /// One host of each fleet falls silent, and requests in everybody's name are refused.
    async fn trouble(&mut self) {
        for _ in 0..20 {
            self.kattila.advance(20).await;
            for heard in [1, 2] {
                self.hosts[heard].report().await;
            }
        }
        self.kattila.advance(1).await;
        for id in [BETA, GAMMA] {
            let now = self.kattila.clock.now();
            let body = Seal::new(id, "refused", now).psk("another-key-entirely-000000000000").v2();
            let answer = post_json(self.kattila.addr(), "/status/updates", &[], body).await;
            assert_eq!(answer.status, 401);
        }
    }

    /// The ids of things of a fleet, by where they stand in addresses.
    pub(crate) async fn ids(&self, fleet: &str, agent: &str) -> Vec<(&'static str, String)> {
        let admin = self.kattila.operator();
        let map = admin.topology().await;
        let node = format!("a:{agent}");
        let edges = map["edges"].as_array().unwrap();
        let other = if fleet == "fleet-a" { format!("a:{BETA}") } else { format!("a:{DELTA}") };
        let ends = |edge: &&Value| {
            [&edge["source"], &edge["target"]].iter().all(|end| **end == node || **end == other)
        };
        let edge = edges.iter().find(ends).unwrap()["id"].as_str().unwrap().to_owned();
        let alarms = admin.json("/status/alarms").await;
        let of = |alarm: &&Value| alarm["fleet_id"] == fleet;
        let alarm = alarms.as_array().unwrap().iter().find(of).unwrap()["id"].to_string();
        let reports = admin.json(&format!("/api/v1/reports?agent_id={agent}")).await;
        let windows = admin.json("/api/v1/maintenance").await;
        let window = windows.as_array().unwrap().iter().find(|one| one["who"] == fleet).unwrap();
        vec![
            ("agents", agent.to_owned()),
            ("edges", edge.clone()),
            ("links", edge),
            ("alarms", alarm),
            ("reports", reports[0]["id"].to_string()),
            ("maintenance", window["id"].to_string()),
        ]
    }

    pub(crate) async fn ask(
        &self,
        token: &str,
        (method, path): (Method, &str),
        body: &str,
    ) -> Answer {
        let bearer = format!("Bearer {token}");
        let kind = if path.starts_with("/api/") || path.starts_with("/status/") {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        send(self.kattila.addr(), method, path, &headers, body.to_owned()).await
    }

    pub(crate) async fn read(&self, token: &str, path: &str) -> Answer {
        self.ask(token, (Method::GET, path), "").await
    }
}

pub(crate) fn readable() -> impl Iterator<Item = Route> {
    // What is public is the same for everybody; the stream never ends and is read by itself.
    let all = routes::all().into_iter().filter(|route| route.method == "GET");
    all.filter(|route| route.need != Need::Public && route.path != "/api/v1/stream")
}

/// A route's addresses with things in them, and questions that it takes.
pub(crate) fn paths(route: &Route, ids: &[(&'static str, String)]) -> Vec<String> {
    if route.path == "/api/v1/export/{id}" {
        let lists = ["agents.csv", "links.csv", "map.csv", "map.dot", "map.graphml", "map.json"];
        return lists.iter().map(|name| format!("/api/v1/export/{name}")).collect();
    }
    let id = ids.iter().find(|(kind, _)| route.path.contains(&format!("/{kind}/{{id}}")));
    let path = route.path.replace("{id}", id.map_or("none", |(_, id)| id));
    let agent = &ids[0].1;
    let (from, to) = (START.0, START.0 + 400);
    let asks: &[String] = &match route.path {
        "/api/v1/path" | "/paths" => {
            vec![format!("from={agent}&to={agent}&net=10.0.0.0/8&networks=1")]
        }
        "/api/v1/carriers" => vec!["net=10.0.0.0/8".to_owned(), "net=81.2.69.0/24".to_owned()],
        "/api/v1/metrics" | "/api/v1/export/metrics.csv" => vec![format!("agent={agent}")],
        "/api/v1/agents/{id}/told" => vec![format!("at={to}")],
        "/api/v1/what-if" => vec![format!("without={agent}"), format!("without={agent}&at={to}")],
        "/what-if" => vec![String::new(), format!("without={agent}")],
        "/api/v1/diff" | "/changes" => vec![format!("from={from}&to={to}")],
        "/api/v1/history" => vec![format!("from={}&at={to}", from - 10)],
        "/api/v1/topology" | "/agents" | "/agents/{id}" | "/links" | "/links/{id}" => {
            vec![String::new(), format!("at={to}")]
        }
        "/map.svg" => vec![String::new(), "layers=subnets".to_owned(), format!("at={to}")],
        "/api/v1/weak-points" => vec![String::new(), format!("at={to}")],
        "/api/v1/events" => vec!["after=0&limit=1000".to_owned(), "before=100000".to_owned()],
        "/api/v1/search" => vec![
            String::new(),
            "q=o".to_owned(),
            format!("q=a&at={to}"),
            format!("ids=a:{ALPHA},a:{BETA}"),
        ],
        "/status/agents" | "/api/v1/edges" => {
            vec![String::new(), "q=o".to_owned()]
        }
        "/status/alarms" | "/api/v1/alarms" => vec![String::new(), "state=all".to_owned()],
        _ => vec![String::new()],
    };
    asks.iter().map(|ask| format!("{path}?{ask}")).collect()
}

fn shows_nothing_of_others(place: &str, text: &str) {
    for secret in SECRETS {
        let at = text.find(secret).map(|at| {
            let (from, to) = (text.floor_char_boundary(at.saturating_sub(300)), at + secret.len());
            &text[from..to]
        });
        assert_eq!(at, None, "{place} shows {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_tells_of_another_fleet() {
    let scene = Scene::new().await;
    let ids = scene.ids("fleet-a", ALPHA).await;
    let theirs = scene.ids("the-other-fleet", GAMMA).await;
    let (mut read, mut told) = (0, String::new());
    for route in readable() {
        for path in paths(&route, &ids) {
            let answer = scene.read(&scene.token, &path).await;
            shows_nothing_of_others(&path, &answer.text());
            if let Need::Whole(_) = route.need {
                assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
                continue;
            }
            assert!(matches!(answer.status, 200 | 303 | 307 | 308), "{path}: {}", answer.text());
            read += 1;
        }
        for path in paths(&route, &theirs) {
            told.push_str(&scene.read(ADMIN_TOKEN, &path).await.text());
        }
    }
    assert!(read > 40, "{read}");
    for secret in SECRETS {
        assert!(told.contains(secret), "nobody is told of {secret}: the walk shows nothing");
    }
    // What is one's own is there.
    let agents = scene.limited.agents().await;
    assert_eq!(agents.len(), 2);
    let kinds = scene.limited.alarms().await;
    assert!(kinds.iter().any(|alarm| alarm.contains(ALPHA)), "{kinds:?}");
    assert!(!scene.limited.json("/api/v1/notifications").await.as_array().unwrap().is_empty());
    assert_eq!(scene.limited.json("/api/v1/refusals").await.as_array().unwrap().len(), 1);
    assert_eq!(scene.limited.json("/api/v1/maintenance").await.as_array().unwrap().len(), 1);
    let map = scene.limited.topology().await;
    assert_eq!(
        (map["nodes"].as_array().unwrap().len(), map["edges"].as_array().unwrap().len()),
        (2, 1)
    );
    scene.kattila.stop().await;
}

/// Everything that is told to who is limited, for things of the first fleet.
async fn told(scene: &Scene, ids: &[(&'static str, String)]) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for route in readable() {
        for path in paths(&route, ids) {
            let text = scene.read(&scene.token, &path).await.text();
            told.push((path, text));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_into_another_fleet_names_nobody_there() {
    let scene = Scene::with(&[1, 2]).await;
    let admin = scene.kattila.operator();
    let events = admin.json("/api/v1/events?after=0&limit=1000").await;
    let is_own = |event: &&Value| event["fleet_id"] == "fleet-a";
    let own: Vec<String> =
        events.as_array().unwrap().iter().filter(is_own).map(Value::to_string).collect();
    assert!(own.iter().any(|event| event.contains(GAMMA)), "the history of no own thing names it");
    let ids = scene.ids("fleet-a", ALPHA).await;
    let names = [GAMMA, DELTA, "gamma-of-others", "delta-of-others", "the-other-fleet"];
    let nobody = |told: &[(String, String)]| {
        for (path, text) in told {
            let shown = names.iter().find(|name| text.contains(**name));
            assert_eq!(shown, None, "{path}: {text}");
        }
    };
    let all = told(&scene, &ids).await;
    assert!(all.iter().any(|(_, text)| text.contains("(not shown)")));
    nobody(&all);
    assert_eq!(scene.limited.topology().await["edges"].as_array().unwrap().len(), 1);
    // Nor when they are forgotten: the history goes on telling of them.
    let forget = json!({"fleet_id": "the-other-fleet", "forget": true});
    assert_eq!(admin.post("/status/admin/reset", &forget).await.status, 200);
    nobody(&told(&scene, &ids).await);
    let kattila = scene.kattila.restart().await;
    let limited = Operator::new(kattila.addr(), &scene.token);
    let history = limited.get("/api/v1/events?after=0&limit=1000").await.text();
    nobody(&[("the history after a restart".to_owned(), history)]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_of_what_is_seen() {
    let scene = Scene::new().await;
    let admin = scene.kattila.operator();
    let open = |alarms: &Value, fleet: Option<&str>| {
        let all = alarms.as_array().unwrap().iter();
        let open = all.filter(|alarm| alarm["state"] == "active" && alarm["maintenance"].is_null());
        open.filter(|alarm| fleet.is_none_or(|fleet| alarm["fleet_id"] == fleet)).count()
    };
    let all = admin.json("/status/alarms").await;
    let own = open(&all, Some("fleet-a"));
    assert!(own > 0 && own < open(&all, None), "{all}");
    assert_eq!(scene.limited.topology().await["alarms_open"], json!(own));
    let page = scene.limited.get("/agents").await.text();
    assert!(page.contains(&format!("id=\"alarm-count\">{own}<")), "{page}");
    let count = |history: &Value| {
        let buckets = history["buckets"].as_array().unwrap().iter();
        buckets.map(|bucket| bucket["count"].as_u64().unwrap()).sum::<u64>()
    };
    let asked = format!("/api/v1/history?from={}", START.0 - 10);
    let (whole, seen) = (admin.json(&asked).await, scene.limited.json(&asked).await);
    assert!(count(&seen) > 0 && count(&seen) < count(&whole), "{seen} {whole}");
    let past = format!("/api/v1/topology?at={}", START.0 + 400);
    let (whole, seen) = (admin.json(&past).await, scene.limited.json(&past).await);
    assert!(seen["alarms_open"].as_u64() < whole["alarms_open"].as_u64(), "{seen} {whole}");
    // How many come is told of everybody, or not at all.
    assert!(admin.get("/reports").await.text().contains("id=\"rate\""));
    assert!(!scene.limited.get("/reports").await.text().contains("id=\"rate\""));
    // A page of a list is full of what is seen.
    let page = scene.limited.json("/api/v1/reports?limit=5").await;
    assert_eq!(page.as_array().unwrap().len(), 5);
    scene.kattila.stop().await;
}

/// A body without what differs between any two answers.
fn bare(answer: &Answer) -> String {
    let text = answer.text();
    let end = text.find("<footer").unwrap_or(text.len());
    match serde_json::from_str::<Value>(&text) {
        Ok(mut body) => {
            body.as_object_mut().map(|body| body.remove("request_id"));
            if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
                error.remove("request_id");
            }
            body.to_string()
        }
        Err(_) => text[..end].to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_fleet_has_is_answered_like_what_never_was() {
    let scene = Scene::new().await;
    let theirs = scene.ids("the-other-fleet", GAMMA).await;
    let never = [
        ("agents", NOBODY.to_owned()),
        ("edges", "00000000000000ff".to_owned()),
        ("links", "00000000000000ff".to_owned()),
        ("alarms", "999999".to_owned()),
        ("reports", "999999".to_owned()),
        ("maintenance", "999999".to_owned()),
    ];
    let before = scene.kattila.operator().json("/status/alarms").await;
    let mut walked = 0;
    for route in routes::all() {
        let Some(place) =
            never.iter().position(|(kind, _)| route.path.contains(&format!("/{kind}/{{id}}")))
        else {
            continue;
        };
        let body = match route.path {
            path if path.ends_with("/relay") && path.starts_with("/api") => r#"{"allowed":false}"#,
            path if path.ends_with("/shelve") && path.starts_with("/api") => {
                r#"{"for_s":60,"reason":"x"}"#
            }
            path if path.starts_with("/api") => "{}",
            path if path.ends_with("/relay") => "allowed=false",
            path if path.ends_with("/shelve") => "for_s=60&reason=x",
            _ => "x=y",
        };
        let method: Method = route.method.parse().unwrap();
        let mut answers = Vec::new();
        for id in [&theirs[place].1, &never[place].1] {
            let at = if route.path.ends_with("/told") { "?at=1795214400" } else { "" };
            let path = route.path.replace("{id}", id) + at;
            let sent = if method == Method::GET { "" } else { body };
            let answer = scene.ask(&scene.token, (method.clone(), &path), sent).await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            answers.push(bare(&answer).replace(id, "ID"));
        }
        assert_eq!(answers[0], answers[1], "{} {}", route.method, route.path);
        walked += 1;
    }
    assert!(walked > 25, "{walked}");
    assert_eq!(scene.kattila.operator().json("/status/alarms").await, before, "nothing was done");
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_end_where_sight_ends() {
    let scene = Scene::new().await;
    let (ours, theirs) =
        (scene.ids("fleet-a", ALPHA).await, scene.ids("the-other-fleet", GAMMA).await);
    let number = |ids: &[(&str, String)]| ids[3].1.parse::<i64>().unwrap();
    let named = json!({"ids": [number(&ours), number(&theirs)]});
    let acted = scene.limited.post("/api/v1/alarms/acknowledge", &named).await.json();
    assert_eq!(acted["done"], 1, "{acted}");
    let theirs =
        scene.kattila.operator().json(&format!("/api/v1/alarms/{}", number(&theirs))).await;
    assert_eq!(theirs["acknowledged_at"], Value::Null);
    let refused = [
        (json!({"fleet_id": "the-other-fleet"}), 404, "agent_not_found"),
        (json!({"fleet_id": "no-such-fleet"}), 404, "agent_not_found"),
        (json!({"agent_id": GAMMA}), 404, "agent_not_found"),
        (json!({"all": true}), 403, "forbidden"),
    ];
    for (body, status, code) in refused {
        let answer = scene.limited.post("/status/admin/reset", &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    let window = |who: &str, text: &str| json!({who: text, "reason": "x", "for_s": 60});
    for (body, status) in [
        (window("agent_id", GAMMA), 404),
        (window("fleet_id", "the-other-fleet"), 409),
        (window("label", "site=lab"), 409),
        (window("agent_id", ALPHA), 201),
        (window("fleet_id", "fleet-a"), 201),
    ] {
        let answer = scene.limited.post("/api/v1/maintenance", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let reset = scene.limited.post("/status/admin/reset", &json!({"fleet_id": "fleet-a"})).await;
    assert_eq!((reset.status, &reset.json()["agents"]), (200, &json!(2)));
    assert_eq!(scene.kattila.operator().agents().await.len(), 4);
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_of_ones_own() {
    let mut scene = Scene::new().await;
    let map = scene.limited.topology().await;
    let mut stream = Stream::after(&map, scene.kattila.addr(), &scene.token).await;
    stream.until("event: hello").await;
    // Others change, come and go; then somebody of one's own comes back, with a new name.
    scene.hosts[3].report().await;
    scene.kattila.advance(1).await;
    let forget = json!({"agent_id": DELTA, "forget": true});
    assert_eq!(scene.kattila.operator().post("/status/admin/reset", &forget).await.status, 200);
    scene.kattila.advance(1).await;
    scene.hosts[0].name = "alpha-again";
    scene.hosts[0].report().await;
    scene.kattila.advance(1).await;
    stream.until("alpha-again").await;
    assert!(!stream.text.contains("resync"), "{}", stream.text);
    assert!(stream.text.contains("\"alarms\":{\"open\":"), "{}", stream.text);
    shows_nothing_of_others("the stream", &stream.text);
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moves_to_another_fleet_leaves_the_map_of_the_first() {
    let mut scene = Scene::new().await;
    scene.hosts[1].agent.fleet = "the-other-fleet".to_owned();
    scene.hosts[1].report().await;
    scene.kattila.advance(1).await;
    let agents = scene.limited.agents().await;
    let ids: Vec<_> = agents.iter().map(|agent| agent["agent_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [ALPHA]);
    assert_eq!(scene.limited.get(&format!("/api/v1/agents/{BETA}")).await.status, 404);
    let map = scene.limited.topology().await;
    assert_eq!(map["edges"], json!([]), "its link leads into another fleet");
    let text = scene.limited.get(&format!("/api/v1/agents/{ALPHA}")).await.text();
    assert!(!text.contains(BETA) && !text.contains("\"beta\""), "{text}");
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_limited_by_admins_who_see_everything() {
    let scene = Scene::new().await;
    let admin = scene.kattila.operator();
    let kim = json!({"name": "kim", "role": "operator", "fleets": ["fleet-a"], "password": "stone bridge"});
    assert_eq!(admin.post("/api/v1/users", &kim).await.status, 201);
    assert_eq!(admin.json("/api/v1/users/kim").await["fleets"], json!(["fleet-a"]));
    let odd = admin.post("/api/v1/users/kim/fleets", &json!({"fleets": ["No Fleet"]})).await;
    assert_eq!((odd.status, odd.code().as_str()), (400, "invalid_field"));
    let sign_in = || async {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let sent = "name=kim&password=stone+bridge".to_owned();
        let answer = send(scene.kattila.addr(), Method::POST, "/login", &form, sent).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
    };
    let cookie = sign_in().await;
    let look = |cookie: String, path: &'static str| {
        let addr = scene.kattila.addr();
        async move { send(addr, Method::GET, path, &[("cookie", cookie.as_str())], String::new()).await }
    };
    let page = look(cookie.clone(), "/agents").await.text();
    shows_nothing_of_others("/agents", &page);
    assert!(page.contains("alpha") && !page.contains("href=\"/settings\""));
    assert!(look(cookie.clone(), "/account").await.text().contains("seeing fleet-a"));
    assert_eq!(look(cookie.clone(), "/settings").await.status, 403);
    let all = admin.post("/api/v1/users/kim/fleets", &json!({"fleets": []})).await;
    assert_eq!(all.status, 200, "{}", all.text());
    assert_ne!(look(cookie, "/agents").await.status, 200, "their sessions end");
    let page = look(sign_in().await, "/agents").await.text();
    assert!(page.contains("gamma-of-others"));
    let form =
        scene.ask(ADMIN_TOKEN, (Method::POST, "/users/kim/fleets"), "fleets=lab%2C+office").await;
    assert_eq!(form.status, 303);
    let kim = admin.json("/api/v1/users/kim").await;
    assert_eq!(kim["fleets"], json!(["lab", "office"]));
    let audit = admin.json("/api/v1/audit?act=user.fleets").await;
    assert!(audit.to_string().contains("office"), "{audit}");
    scene.kattila.stop().await;
}
