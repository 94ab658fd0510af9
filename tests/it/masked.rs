//! Who is given pseudonyms gets no real name, address or key, wherever they look, and finds their
//! way about under the pseudonyms.

use std::net::SocketAddr;

use hyper::Method;
use kattila::http::access::Need;
use kattila::http::routes;
use kattila::model::access::Role;
use serde_json::{Value, json};

use crate::reach::{DELTA, GAMMA, KEYS, Scene, paths, readable};
use crate::support::actors::Operator;
use crate::support::fleet::{ALPHA, BETA, names_fleet_a};
use crate::support::http::{Answer, get, send};
use crate::support::manager::{ADMIN_TOKEN, START};
use crate::support::stream::Stream;

/// What tells who and where the hosts are.
const SECRETS: [&str; 23] = [
    ALPHA,
    BETA,
    GAMMA,
    DELTA,
    "\"alpha\"",
    ">alpha<",
    "alpha",
    "gamma-of-others",
    "delta-of-others",
    "the-other-fleet",
    KEYS[0],
    KEYS[1],
    KEYS[2],
    KEYS[3],
    "10.77.0.",
    "10.88.0.",
    "81.2.69.",
    "89.160.20.",
    "fd66:1234:5678:",
    "fd67:1234:5678:",
    "other-site",
    "our work",
    "work at the others",
];

/// The beginnings of hardware addresses, of sites and of host names that are short.
const SHORT: [&str; 6] = ["02:77:00", "02:88:00", ">lab<", "\"lab\"", "/lab\"", "beta"];

async fn token(scene: &Scene, wanted: &Value) -> String {
    let made = scene.kattila.operator().post("/api/v1/tokens", wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["masked"], true);
    made.json()["token"].as_str().unwrap().to_owned()
}

fn is_hidden(place: &str, answer: &str) {
    for secret in SECRETS.iter().chain(&SHORT) {
        let at = answer.find(secret).map(|at| {
            let from = answer.floor_char_boundary(at.saturating_sub(300));
            &answer[from..at + secret.len()]
        });
        assert_eq!(at, None, "{place} shows {secret}");
    }
    assert!(!names_fleet_a(answer), "{place} shows fleet-a: {answer}");
}

/// Everything of an answer.
fn whole(answer: &Answer) -> String {
    format!("{:?}\n{}", answer.headers, answer.text())
}

/// Things as a masked caller knows them: an agent with a link and an alarm, and its report.
async fn things(masked: &Operator) -> Vec<(&'static str, String)> {
    let alarms = masked.json("/status/alarms").await;
    let map = masked.topology().await;
    let edges = map["edges"].as_array().unwrap();
    let of_agent = |alarm: &&Value| {
        let agent = alarm["agent_id"].as_str();
        agent.is_some_and(|id| edges.iter().any(|edge| edge["source"] == format!("a:{id}")))
    };
    let alarm = alarms.as_array().unwrap().iter().find(of_agent).unwrap();
    let agent = alarm["agent_id"].as_str().unwrap().to_owned();
    let edge = edges.iter().find(|edge| edge["source"] == format!("a:{agent}")).unwrap();
    let edge = edge["id"].as_str().unwrap().to_owned();
    let reports = masked.json(&format!("/api/v1/reports?agent_id={agent}")).await;
    let windows = masked.json("/api/v1/maintenance").await;
    vec![
        ("agents", agent),
        ("edges", edge.clone()),
        ("links", edge),
        ("alarms", alarm["id"].to_string()),
        ("reports", reports[0]["id"].to_string()),
        ("maintenance", windows[0]["id"].to_string()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_tells_a_real_name() {
    let scene = Scene::with(&[1, 2]).await;
    let everything = json!({"name": "guest", "role": "viewer", "masked": true});
    let some =
        json!({"name": "local guest", "role": "viewer", "masked": true, "fleets": ["fleet-a"]});
    let (mut read, mut refused, mut told) = (0, 0, String::new());
    for wanted in [everything, some] {
        let secret = token(&scene, &wanted).await;
        let ids = things(&Operator::new(scene.kattila.addr(), &secret)).await;
        for route in readable() {
            for path in paths(&route, &ids) {
                let answer = scene.read(&secret, &path).await;
                // How the API is used is the same for everybody, with made-up names.
                if !matches!(route.path, "/api" | "/api/v1/openapi.json") {
                    is_hidden(&path, &whole(&answer));
                }
                if route.masked {
                    assert!(
                        matches!(answer.status, 200 | 303 | 307 | 308),
                        "{path}: {}",
                        answer.text()
                    );
                    read += 1;
                } else {
                    assert_eq!(answer.status, 403, "{path}");
                    let small = matches!(route.need, Need::Role(role) | Need::Whole(role) if role > Role::Viewer);
                    let code = if small { "forbidden" } else { "masked_caller" };
                    assert_eq!(answer.code(), code, "{path}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 100 && refused > 20, "{read} {refused}");
    for (id, number) in [(ALPHA, 0), (GAMMA, 2)] {
        let ids = scene.ids(if number == 0 { "fleet-a" } else { "the-other-fleet" }, id).await;
        for route in readable() {
            for path in paths(&route, &ids) {
                told.push_str(&scene.read(ADMIN_TOKEN, &path).await.text());
            }
        }
    }
    for secret in SECRETS.iter().chain(&SHORT) {
        assert!(told.contains(secret), "nobody is told of {secret}: the walk shows nothing");
    }
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pseudonyms_lead_where_the_names_behind_them_lead() {
    let scene = Scene::new().await;
    let secret = token(&scene, &json!({"name": "guest", "role": "viewer", "masked": true})).await;
    let masked = Operator::new(scene.kattila.addr(), &secret);
    let admin = scene.kattila.operator();
    // As many of everything as there are, in the same states.
    let (real, seen) = (admin.topology().await, masked.topology().await);
    for part in ["nodes", "edges", "sites"] {
        let count = |map: &Value| map[part].as_array().unwrap().len();
        assert_eq!(count(&real), count(&seen), "{part}");
    }
    assert_eq!(real["alarms_open"], seen["alarms_open"]);
    let ids = things(&masked).await;
    let (agent, edge) = (&ids[0].1, &ids[1].1);
    let page = masked.json(&format!("/api/v1/agents/{agent}")).await;
    let label = page["hostname"].as_str().unwrap();
    assert!(agent.starts_with("agent-") && label.starts_with("host-"), "{page}");
    assert_eq!(page["interfaces"].as_array().unwrap().len(), 2);
    assert!(page["peers"][0]["edge_id"].as_str().is_some_and(|id| id.len() == 16), "{page}");
    assert!(page["peers"][0]["other"]["label"].as_str().unwrap().starts_with("host-"), "{page}");
    let link = masked.json(&format!("/api/v1/edges/{edge}")).await;
    assert!(link["labels"].as_array().unwrap().contains(&json!(label)), "{link}");
    let found = masked.json(&format!("/api/v1/search?q={label}")).await;
    assert_eq!(found["nodes"], json!([format!("a:{agent}")]));
    let some = |value: &Value| !value.as_array().unwrap().is_empty();
    for path in [
        format!("/status/alarms?agent_id={agent}"),
        format!("/status/alarms?q={label}"),
        format!("/api/v1/events?after=0&agent_id={agent}"),
        format!("/api/v1/events?after=0&subject={edge}"),
        format!("/api/v1/reports?agent_id={agent}"),
        format!("/api/v1/events?after=0&q=id:{edge}"),
        format!("/api/v1/reports?q={label}"),
    ] {
        assert!(some(&masked.json(&path).await), "{path}");
    }
    // The address that its peer uses: who has it, and the way there.
    let address = page["interfaces"][1]["addresses"][0].as_str().unwrap();
    let address = address.split('/').next().unwrap();
    let carriers = masked.json(&format!("/api/v1/carriers?net={address}")).await;
    assert_eq!(carriers[0]["agent_id"], json!(agent), "{carriers}");
    // What routes lead to is drawn at the node whose host has them.
    let networks = masked.json("/api/v1/networks").await;
    let nodes =
        |row: &Value| row["by_routes"].as_array().unwrap().contains(&json!(format!("a:{agent}")));
    assert!(networks["networks"].as_array().unwrap().iter().any(nodes), "{networks}");
    let other = page["peers"][0]["other"]["agent_id"].as_str().unwrap();
    let way = masked.json(&format!("/api/v1/path?from={other}&to={address}")).await;
    assert_eq!(way["there"]["verdict"], admin_way(&admin).await, "{way}");
    let curves = masked.json(&format!("/api/v1/metrics?link={edge}&from={}", START.0)).await;
    assert!(some(&curves["series"][0]["points"]), "{curves}");
    let (from, to) = (START.0 + 60, START.0 + 390);
    let then = masked.json(&format!("/api/v1/topology?at={to}")).await;
    let has = |id: &str| then["nodes"].as_array().unwrap().iter().any(|node| node["id"] == id);
    assert!(has(&format!("a:{agent}")), "{then}");
    let site = |map: &Value| {
        let all = map["nodes"].as_array().unwrap();
        all.iter().find(|node| node["id"] == format!("a:{agent}")).unwrap()["site"].clone()
    };
    assert_eq!(site(&then), site(&seen));
    assert!(
        masked.json(&format!("/api/v1/diff?from={from}&to={to}")).await["complete"].is_boolean()
    );
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pseudonyms_stay_the_same_after_a_restart() {
    let scene = Scene::new().await;
    let secret = token(&scene, &json!({"name": "guest", "role": "viewer", "masked": true})).await;
    let names = |map: &Value| {
        map["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect::<Vec<_>>()
    };
    let before = Operator::new(scene.kattila.addr(), &secret).topology().await;
    let kattila = scene.kattila.restart().await;
    let after = Operator::new(kattila.addr(), &secret).topology().await;
    assert_eq!(names(&before), names(&after));
    assert!(names(&before).iter().all(|id| id.as_str().unwrap().starts_with("a:agent-")));
    kattila.stop().await;
}

/// What an admin is told of the way between the same two hosts.
async fn admin_way(admin: &Operator) -> Value {
    let way = admin.json(&format!("/api/v1/path?from={BETA}&to=10.77.0.1")).await;
    way["there"]["verdict"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_name_finds_nothing() {
    let scene = Scene::new().await;
    let secret = token(&scene, &json!({"name": "guest", "role": "viewer", "masked": true})).await;
    let masked = Operator::new(scene.kattila.addr(), &secret);
    let ids = scene.ids("fleet-a", ALPHA).await;
    let edge = &ids[1].1;
    for path in [
        format!("/api/v1/agents/{ALPHA}"),
        format!("/agents/{ALPHA}"),
        format!("/agents/{ALPHA}?at={}", START.0 + 390),
        format!("/api/v1/edges/{edge}"),
        format!("/links/{edge}"),
        format!("/api/v1/metrics?agent={ALPHA}"),
        format!("/api/v1/metrics?link={edge}"),
        format!("/api/v1/what-if?without={ALPHA}"),
        format!("/api/v1/path?from={ALPHA}&to={BETA}"),
        "/api/v1/path?from=alpha&to=beta".to_owned(),
    ] {
        let answer = masked.get(&path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    for path in [
        format!("/status/alarms?agent_id={ALPHA}"),
        "/status/alarms?fleet_id=fleet-a".to_owned(),
        "/status/alarms?state=all&q=alpha".to_owned(),
        format!("/api/v1/events?after=0&agent_id={ALPHA}"),
        format!("/api/v1/events?after=0&subject={edge}"),
        format!("/api/v1/reports?agent_id={ALPHA}"),
        "/api/v1/events?after=0&q=alpha".to_owned(),
        "/api/v1/reports?q=alpha".to_owned(),
        "/api/v1/carriers?net=10.77.0.1".to_owned(),
        "/api/v1/carriers?net=81.2.69.0/24".to_owned(),
        "/status/agents?q=alpha".to_owned(),
        "/status/agents?q=site:lab".to_owned(),
        "/status/agents?q=ip:10.77.0.0/24".to_owned(),
        format!("/status/agents?q=key:{}", &KEYS[0][..8]),
        "/api/v1/edges?q=beta".to_owned(),
    ] {
        assert_eq!(masked.json(&path).await, json!([]), "{path}");
    }
    let found = masked.json("/api/v1/search?q=alpha").await;
    assert_eq!((&found["nodes"], &found["edges"]), (&json!([]), &json!([])));
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_tells_pseudonyms_that_the_map_has() {
    let mut scene = Scene::new().await;
    let secret = token(&scene, &json!({"name": "guest", "role": "viewer", "masked": true})).await;
    let map = Operator::new(scene.kattila.addr(), &secret).topology().await;
    let mut stream = Stream::after(&map, scene.kattila.addr(), &secret).await;
    stream.until("event: hello").await;
    scene.hosts[0].name = "alpha-again";
    scene.hosts[0].report().await;
    let forget = json!({"agent_id": DELTA, "forget": true});
    assert_eq!(scene.kattila.operator().post("/status/admin/reset", &forget).await.status, 200);
    scene.kattila.advance(1).await;
    stream.until("\"del\":[\"a:agent-").await;
    assert!(!stream.text.contains("resync"), "{}", stream.text);
    is_hidden("the stream", &stream.text);
    let told = |id: &Value| stream.text.contains(&format!("\"id\":{id}"));
    assert!(
        map["nodes"].as_array().unwrap().iter().any(|node| told(&node["id"])),
        "{}",
        stream.text
    );
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_masked_changes_nothing_but_their_own_account() {
    let scene = Scene::new().await;
    let wanted = json!({"name": "watch", "role": "operator", "masked": true});
    let secret = token(&scene, &wanted).await;
    let mut walked = 0;
    for route in routes::all() {
        let guarded = matches!(route.need, Need::Role(_) | Need::Whole(_));
        if route.method == "GET" || !guarded || route.masked {
            continue;
        }
        let method: Method = route.method.parse().unwrap();
        let path = route.path.replace("{id}", "1");
        let answer = scene.ask(&secret, (method, &path), "{}").await;
        let code = answer.code();
        assert!(
            answer.status == 403 && matches!(code.as_str(), "masked_caller" | "forbidden"),
            "{path}: {}",
            answer.text()
        );
        walked += 1;
    }
    assert!(walked > 50, "{walked}");
    let masked = Operator::new(scene.kattila.addr(), &secret);
    let page = masked.get("/alarms").await.text();
    assert!(page.contains("id=\"masked\"") && !page.contains("action=\"/alarms/acts\""), "{page}");
    scene.kattila.stop().await;
}

/// What a user reads at these addresses, in a new session of theirs.
async fn read_by(addr: SocketAddr, name: &str, paths: &[&str]) -> String {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let sent = format!("name={name}&password=stone+bridge");
    let answer = send(addr, Method::POST, "/login", &form, sent).await;
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let mut told = String::new();
    for path in paths {
        let answer = get(addr, path, &[("cookie", cookie.as_str())]).await;
        assert_eq!(answer.status, 200, "{path}");
        told.push_str(&whole(&answer));
    }
    told
}

fn person(name: &str, role: &str, masked: bool) -> Value {
    json!({"name": name, "role": role, "masked": masked, "password": "stone bridge"})
}

#[tokio::test(flavor = "multi_thread")]
async fn pseudonyms_follow_the_user() {
    let scene = Scene::new().await;
    let (admin, addr) = (scene.kattila.operator(), scene.kattila.addr());
    for (body, status) in [
        (person("kim", "viewer", false), 201),
        (person("olga", "operator", true), 201),
        (person("eve", "admin", true), 409),
    ] {
        let answer = admin.post("/api/v1/users", &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let root = json!({"name": "root", "role": "admin", "masked": true});
    assert_eq!(admin.post("/api/v1/tokens", &root).await.code(), "invalid_field");
    let promoted = admin.post("/api/v1/users/olga/role", &json!({"role": "admin"})).await;
    assert_eq!((promoted.status, promoted.code().as_str()), (409, "conflict"));
    assert!(read_by(addr, "kim", &["/agents"]).await.contains("alpha"));
    is_hidden("olga's page", &read_by(addr, "olga", &["/agents"]).await);
    assert_eq!(admin.post("/api/v1/users/olga/mask", &json!({"masked": false})).await.status, 200);
    assert!(read_by(addr, "olga", &["/agents"]).await.contains("alpha"));
    // One who sees a fleet only, under its pseudonym.
    let fleets = json!({"fleets": ["fleet-a"]});
    assert_eq!(admin.post("/api/v1/users/kim/fleets", &fleets).await.status, 200);
    let form = scene.ask(ADMIN_TOKEN, (Method::POST, "/users/kim/mask"), "masked=1").await;
    assert_eq!(form.status, 303);
    assert_eq!(admin.json("/api/v1/users/kim").await["masked"], true);
    let own = read_by(addr, "kim", &["/agents", "/account", "/api/v1/sessions"]).await;
    is_hidden("kim's account", &own);
    assert!(own.contains("under pseudonyms") && own.contains("\"fleets\":[\"fleet-"), "{own}");
    let users = admin.get("/users").await.text();
    assert!(users.contains(">pseudonyms<"), "{users}");
    scene.kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pseudonyms_follow_the_role() {
    let scene = Scene::new().await;
    let admin = scene.kattila.operator();
    for body in [person("kim", "viewer", false), person("olga", "operator", false)] {
        assert_eq!(admin.post("/api/v1/users", &body).await.status, 201);
    }
    let settings = [("KATTILA_MASK_ROLES", "viewer"), ("KATTILA_ANONYMOUS_ROLE", "viewer")];
    let kattila = scene.kattila.restart_with(&settings).await;
    is_hidden("kim's page", &read_by(kattila.addr(), "kim", &["/agents"]).await);
    is_hidden("a stranger's map", &get(kattila.addr(), "/api/v1/topology", &[]).await.text());
    let named = read_by(kattila.addr(), "olga", &["/agents"]).await;
    assert!(named.contains("alpha"), "an operator sees names");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_link_shows_masked_visitors_its_page_under_pseudonyms() {
    let scene = Scene::new().await;
    let edge = scene.ids("fleet-a", ALPHA).await[1].1.clone();
    let kattila = scene.kattila.restart_with(&[("KATTILA_MASK_ROLES", "viewer")]).await;
    let views = [
        (format!("/map?q=alpha&sel=node~a:{ALPHA}"), "/map"),
        (format!("/agents/{ALPHA}?at={}", START.0 + 390), "/agents"),
        (format!("/links/{edge}"), "/links"),
    ];
    for (view, page) in views {
        let wanted = json!({"view": view, "fleets": ["fleet-a"]});
        let made = kattila.operator().post("/api/v1/shares", &wanted).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let path = made.json()["path"].as_str().unwrap().to_owned();
        let opened = get(kattila.addr(), &path, &[]).await;
        let there = opened.header("location").unwrap().to_owned();
        assert_eq!((opened.status, there.starts_with(page)), (303, true), "{there}");
        let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let looked = get(kattila.addr(), &there, &[("cookie", cookie.as_str())]).await;
        assert_eq!(looked.status, 200, "{there}");
        is_hidden(&view, &format!("{}{}", whole(&opened), whole(&looked)));
    }
    kattila.stop().await;
}
