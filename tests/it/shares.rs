//! Shared links: made, opened, counted, taken back; what becomes of them when their maker sees less,
//! when time passes, and over a restart; and that no token is kept anywhere.

use std::net::SocketAddr;

use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::actors::Operator;
use crate::support::browser::Tab;
use crate::support::fleet::{ALPHA, BETA, names_fleet_a};
use crate::support::http::{Answer, get, post_json, send};
use crate::support::log;
use crate::support::manager::{START, TestManager};
use crate::support::rows::Rows;

const OLGA: &str = "stone bridge over";

/// A host in each of two fleets, and the operator olga.
async fn scene(settings: &[(&str, &str)]) -> TestManager {
    let kattila = TestManager::start_with(settings).await;
    for (id, fleet) in [(ALPHA, "fleet-a"), (BETA, "fleet-b")] {
        let mut agent = kattila.agent(id);
        agent.fleet = fleet.to_owned();
        agent.report(&json!({"hostname": fleet, "interfaces": []})).await;
    }
    kattila.advance(1).await;
    let olga = json!({"name": "olga", "role": "operator", "password": OLGA});
    assert_eq!(kattila.operator().post("/api/v1/users", &olga).await.status, 201);
    kattila
}

/// Somebody who came by a link.
#[derive(Clone)]
struct Visitor {
    addr: SocketAddr,
    cookie: String,
}

impl Visitor {
    async fn by(addr: SocketAddr, path: &str) -> Self {
        let answer = get(addr, path, &[]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        Self { addr, cookie }
    }

    async fn get(&self, path: &str) -> Answer {
        get(self.addr, path, &[("cookie", &self.cookie)]).await
    }

    async fn fleets(&self) -> Vec<String> {
        let agents = self.get("/status/agents").await.json();
        let fleet = |agent: &Value| agent["fleet_id"].as_str().unwrap().to_owned();
        agents.as_array().unwrap().iter().map(fleet).collect()
    }
}

/// What olga's browser sends when a script of ours asks for something.
async fn as_olga(kattila: &TestManager, tab: &Tab, wanted: &Value) -> Answer {
    let token = tab.form_token().await;
    let headers = [("cookie", tab.cookie()), ("x-kattila-form", &token)];
    post_json(kattila.addr(), "/api/v1/shares", &headers, wanted.to_string()).await
}

async fn olga(kattila: &TestManager) -> Tab {
    Tab::signed_in(kattila.addr(), "olga", OLGA).await
}

async fn shares(kattila: &TestManager) -> Vec<Value> {
    kattila.operator().json("/api/v1/shares").await.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_its_view_is_counted_and_its_token_is_kept_nowhere() {
    log::listen();
    let kattila = scene(&[]).await;
    let tab = olga(&kattila).await;
    let view = format!("/map?q=fleet&sel=node~a:{ALPHA}&at={}", START.0);
    let made = as_olga(&kattila, &tab, &json!({"view": view, "fleets": ["fleet-a"]})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let path = made["path"].as_str().unwrap().to_owned();
    let token = path.strip_prefix("/s/").unwrap();
    assert_eq!((token.len(), &made["fleets"]), (43, &json!(["fleet-a"])));
    assert_eq!(made["expires_at"], kattila.clock.now().0 + 7 * 86_400);

    let opened = get(kattila.addr(), &path, &[]).await;
    assert_eq!((opened.status, opened.header("location")), (303, Some(view.as_str())));
    let cookie = opened.header("set-cookie").unwrap();
    assert!(cookie.starts_with("kattila_share=") && cookie.contains("; HttpOnly; SameSite=Lax"));
    assert!(cookie.ends_with("Max-Age=604800"), "it ends with the link: {cookie}");
    assert_eq!(opened.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(opened.header("cache-control"), Some("no-store"));
    let visitor = Visitor::by(kattila.addr(), &path).await;
    assert_eq!(visitor.fleets().await, ["fleet-a"]);
    let page = visitor.get("/map").await.text();
    assert!(page.contains("Shared with you by olga:") && page.contains("fleet fleet-a"), "{page}");

    let all = shares(&kattila).await;
    assert_eq!((all.len(), &all[0]["opened"], &all[0]["view"]), (1, &json!(2), &json!(view)));
    assert_eq!(all[0]["last_opened_at"], kattila.clock.now().0);
    let listed = tab.get("/shares").await.text();
    assert!(listed.contains("2 times"), "{listed}");

    let acts = kattila.operator().json("/api/v1/audit?act=share.").await;
    let told = |entry: &Value| {
        format!("{} {}", entry["act"].as_str().unwrap(), entry["who"].as_str().unwrap())
    };
    let mut acts: Vec<String> = acts["entries"].as_array().unwrap().iter().map(told).collect();
    acts.sort_unstable();
    let id = all[0]["id"].as_str().unwrap();
    let open = format!("share.open share {id}");
    assert_eq!(acts, ["share.make olga".to_owned(), open.clone(), open]);

    let rows = format!("{:?}", Rows::of(&kattila.db()));
    kattila.stop().await;
    let heard = log::heard();
    assert!(heard.contains("TRACE"), "the log is not heard");
    for (place, text) in [("database", rows), ("log", heard), ("page", page), ("list", listed)] {
        let line = text.lines().find(|line| line.contains(token));
        assert_eq!(line, None, "the {place} tells the token");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_about_one_thing_shows_its_fleet_alone() {
    let kattila = scene(&[]).await;
    let operator = kattila.operator();
    let make = async |view: &str, fleets: &[&str]| {
        operator.post("/api/v1/shares", &json!({"view": view, "fleets": fleets})).await
    };
    let one = make(&format!("/agents/{BETA}"), &[]).await.json();
    assert_eq!(one["fleets"], json!(["fleet-b"]));
    assert_eq!(make("/map", &[]).await.json()["fleets"], json!(["fleet-a", "fleet-b"]));
    for (view, fleets, status, code) in [
        (format!("/agents/{BETA}"), vec!["fleet-a"], 400, "invalid_field"),
        ("/agents/nobody".to_owned(), vec![], 404, "not_found"),
        ("/links/none".to_owned(), vec![], 404, "not_found"),
        ("/alarms/77".to_owned(), vec![], 404, "not_found"),
        ("/map".to_owned(), vec!["fleet-z"], 400, "invalid_field"),
        ("/users".to_owned(), vec![], 400, "invalid_field"),
        ("//evil.example".to_owned(), vec![], 400, "invalid_field"),
    ] {
        let answer = make(&view, &fleets).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{view}");
    }
    for wanted in
        [json!({"view": "/map", "for_s": 59}), json!({"view": "/map", "for_s": 90 * 86_400 + 1})]
    {
        assert_eq!(operator.post("/api/v1/shares", &wanted).await.code(), "invalid_field");
    }
    assert_eq!(shares(&kattila).await.len(), 2, "what is refused is not made");
    // Nobody shares what they do not see themselves, or without the role.
    let limited = |role: &str| json!({"name": role, "role": role, "fleets": ["fleet-a"]});
    let token = operator.post("/api/v1/tokens", &limited("operator")).await.json();
    let local = Operator::new(kattila.addr(), token["token"].as_str().unwrap());
    let beyond = local.post("/api/v1/shares", &json!({"view": format!("/agents/{BETA}")})).await;
    assert_eq!(beyond.status, 404);
    let own = local.post("/api/v1/shares", &json!({"view": "/map"})).await.json();
    assert_eq!(own["fleets"], json!(["fleet-a"]));
    assert_eq!(local.json("/api/v1/shares").await.as_array().unwrap().len(), 1, "not the others'");
    let theirs =
        shares(&kattila).await.iter().find(|one| one["fleets"][0] == "fleet-b").unwrap()["id"]
            .clone();
    let revoke = format!("/api/v1/shares/{}", theirs.as_str().unwrap());
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let refused =
        send(kattila.addr(), Method::DELETE, &revoke, &[("authorization", &bearer)], "").await;
    assert_eq!(refused.status, 404);
    let viewer = operator.post("/api/v1/tokens", &limited("viewer")).await.json();
    let viewer = Operator::new(kattila.addr(), viewer["token"].as_str().unwrap());
    assert_eq!(viewer.post("/api/v1/shares", &json!({"view": "/map"})).await.status, 403);
    kattila.stop().await;
}

/// A visitor's stream, after its first event.
async fn stream(visitor: &Visitor) -> TcpStream {
    let mut socket = TcpStream::connect(visitor.addr).await.unwrap();
    let request =
        format!("GET /api/v1/stream HTTP/1.1\r\nHost: k\r\nCookie: {}\r\n\r\n", visitor.cookie);
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    while !text.contains("event: hello") {
        let mut some = [0; 4096];
        let count = socket.read(&mut some).await.unwrap();
        assert_ne!(count, 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&some[..count]));
    }
    socket
}

/// What a stream still says before it ends.
async fn last_words(mut socket: TcpStream) -> String {
    let mut text = String::new();
    while !text.contains("\r\n0\r\n") {
        let mut some = [0; 4096];
        let count = socket.read(&mut some).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&some[..count]));
        if count == 0 {
            break;
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_ended_or_never_was_is_answered_alike() {
    let kattila = scene(&[]).await;
    let operator = kattila.operator();
    let make = async |for_s: i64| {
        let made = operator.post("/api/v1/shares", &json!({"view": "/map", "for_s": for_s})).await;
        (
            made.json()["path"].as_str().unwrap().to_owned(),
            made.json()["id"].as_str().unwrap().to_owned(),
        )
    };
    let (short, _) = make(60).await;
    let (revoked, id) = make(3_600).await;
    let (brief, lasting) =
        (Visitor::by(kattila.addr(), &short).await, Visitor::by(kattila.addr(), &revoked).await);
    let socket = stream(&lasting).await;
    let bearer = format!("Bearer {}", crate::support::manager::ADMIN_TOKEN);
    let path = format!("/api/v1/shares/{id}");
    let revoke = async || {
        send(kattila.addr(), Method::DELETE, &path, &[("authorization", &bearer)], "").await
    };
    assert_eq!(revoke().await.status, 200);
    assert!(last_words(socket).await.contains("event: bye"), "its stream ends at once");
    assert_eq!(revoke().await.status, 404, "once");
    kattila.clock.set(kattila.clock.now().plus(60));
    let page = async |path: &str| get(kattila.addr(), path, &[("accept", "text/html")]).await;
    let dead = [page(&short).await, page(&revoked).await, page("/s/never-was").await];
    // What names the request and the second differs.
    let plain = |answer: &Answer| {
        answer.text().split("<h1>").nth(1).unwrap().split("</p>").next().unwrap().to_owned()
    };
    for answer in &dead {
        assert_eq!((answer.status, plain(answer)), (410, plain(&dead[0])));
        assert_eq!(answer.header("set-cookie"), None);
    }
    for visitor in [&brief, &lasting] {
        for path in ["/map", "/api/v1/topology", "/api/v1/stream", "/agents"] {
            let answer = visitor.get(path).await;
            assert_eq!((answer.status, answer.code().as_str()), (410, "share_over"), "{path}");
        }
    }
    assert_eq!(shares(&kattila).await.len(), 0);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_never_shows_more_than_its_maker_sees() {
    let kattila = scene(&[]).await;
    let tab = olga(&kattila).await;
    let path = async |tab: &Tab, view: &str| {
        let made = as_olga(&kattila, tab, &json!({"view": view})).await;
        made.json()["path"].as_str().unwrap().to_owned()
    };
    let both = path(&tab, "/map").await;
    let other = path(&tab, &format!("/agents/{BETA}")).await;
    let visitor = Visitor::by(kattila.addr(), &both).await;
    assert_eq!(visitor.fleets().await, ["fleet-a", "fleet-b"]);
    let socket = stream(&visitor).await;
    let limit = json!({"fleets": ["fleet-a"]});
    assert_eq!(kattila.operator().post("/api/v1/users/olga/fleets", &limit).await.status, 200);
    assert!(last_words(socket).await.contains("event: bye"), "what is shown is another map now");
    assert_eq!(visitor.fleets().await, ["fleet-a"], "at once, with the same cookie");
    assert_eq!(get(kattila.addr(), &other, &[]).await.status, 410, "nothing is left of it");
    let all = json!({"fleets": []});
    assert_eq!(kattila.operator().post("/api/v1/users/olga/fleets", &all).await.status, 200);
    assert_eq!(visitor.fleets().await, ["fleet-a"], "it shrinks and never grows");
    let kattila = kattila.restart().await;
    let visitor = Visitor { addr: kattila.addr(), ..visitor };
    assert_eq!(visitor.fleets().await, ["fleet-a"]);
    assert_eq!(kattila.operator().post("/api/v1/users/olga/disable", &json!({})).await.status, 200);
    assert_eq!(visitor.get("/map").await.status, 410);
    assert_eq!(shares(&kattila).await.len(), 0);
    // A token that is revoked takes its links along.
    let admin = kattila.operator();
    let token =
        admin.post("/api/v1/tokens", &json!({"name": "ci", "role": "operator"})).await.json();
    let ci = Operator::new(kattila.addr(), token["token"].as_str().unwrap());
    let made = ci.post("/api/v1/shares", &json!({"view": "/map", "named": false})).await.json();
    let visitor = Visitor::by(kattila.addr(), made["path"].as_str().unwrap()).await;
    let page = visitor.get("/map").await.text();
    assert!(page.contains("Shared with you:") && !page.contains("by ci"), "not told who made it");
    let bearer = format!("Bearer {}", crate::support::manager::ADMIN_TOKEN);
    let revoke = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    send(kattila.addr(), Method::DELETE, &revoke, &[("authorization", &bearer)], "").await;
    assert_eq!(visitor.get("/map").await.status, 410);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_under_pseudonyms_shows_no_real_name_and_the_same_ones_after_a_restart() {
    let kattila = scene(&[]).await;
    let tab = olga(&kattila).await;
    let view = format!("/map?sel=node~a:{ALPHA}&q=fleet-a&at=");
    let wanted = json!({"view": view, "fleets": ["fleet-a"], "masked": true, "named": false});
    let made = as_olga(&kattila, &tab, &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let path = made["path"].as_str().unwrap().to_owned();
    let opened = get(kattila.addr(), &path, &[]).await;
    let to = opened.header("location").unwrap().to_owned();
    let visitor = Visitor::by(kattila.addr(), &path).await;
    let map = visitor.get("/api/v1/topology").await.json();
    let node = map["nodes"][0]["id"].as_str().unwrap().to_owned();
    assert!(to.starts_with("/map?sel=node~a%3A") && !to.contains("&q="), "{to}");
    assert!(to.contains(&node.replace(':', "%3A")), "what was chosen is chosen: {to} {node}");
    let agent = format!("/agents/{}", node.strip_prefix("a:").unwrap());
    for page in ["/map", "/agents", "/api/v1/topology", "/status/agents", "/events", &agent] {
        let answer = visitor.get(page).await;
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
        for real in [ALPHA, "olga"] {
            assert!(!answer.text().contains(real), "{page} shows {real}");
        }
        assert!(!names_fleet_a(&answer.text()), "{page} shows fleet-a");
    }
    assert_eq!(
        visitor.get(&format!("/agents/{ALPHA}")).await.status,
        404,
        "real names find nothing"
    );
    assert!(shares(&kattila).await[0]["masked"].as_bool().unwrap());
    // Who sees real names is shown the pseudonyms of the link, too.
    assert!(tab.get(&path).await.header("set-cookie").is_some());
    let kattila = kattila.restart().await;
    let visitor = Visitor { addr: kattila.addr(), ..visitor };
    let map = visitor.get("/api/v1/topology").await.json();
    assert_eq!(map["nodes"][0]["id"], node.as_str());
    // Who is given pseudonyms from now on has shown nobody real names.
    let clear = kattila.operator().post("/api/v1/shares", &json!({"view": "/map"})).await;
    assert_eq!(clear.status, 201);
    let own = as_olga(&kattila, &olga(&kattila).await, &json!({"view": "/map"})).await.json();
    let mask = kattila.operator().post("/api/v1/users/olga/mask", &json!({"masked": true})).await;
    assert_eq!(mask.status, 200, "{}", mask.text());
    assert_eq!(get(kattila.addr(), own["path"].as_str().unwrap(), &[]).await.status, 410);
    assert_eq!(shares(&kattila).await.len(), 2, "hers under pseudonyms, and the admin's");
    let refused = as_olga(&kattila, &olga(&kattila).await, &json!({"view": "/map"})).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "masked_caller"));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_with_an_account_come_as_themselves() {
    let kattila = scene(&[]).await;
    let made = kattila.operator().post("/api/v1/shares", &json!({"view": "/agents"})).await.json();
    let path = made["path"].as_str().unwrap();
    let mut tab = olga(&kattila).await;
    let opened = tab.get(path).await;
    assert_eq!((opened.status, opened.header("location")), (303, Some("/agents")));
    assert_eq!(opened.header("set-cookie"), None, "olga stays olga");
    // Who is limited sees more by the link, until they leave it or sign in anew.
    let limit = json!({"fleets": ["fleet-a"]});
    assert_eq!(kattila.operator().post("/api/v1/users/olga/fleets", &limit).await.status, 200);
    tab.sign_in("olga", OLGA).await;
    let opened = tab.get(path).await;
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap();
    let both = format!("{}; {cookie}", tab.cookie());
    let agents = get(kattila.addr(), "/status/agents", &[("cookie", &both)]).await.json();
    assert_eq!(agents.as_array().unwrap().len(), 2);
    let origin = format!("http://{}", kattila.addr());
    let headers = [("cookie", both.as_str()), ("origin", origin.as_str())];
    let left = send(kattila.addr(), Method::POST, "/leave", &headers, "").await;
    assert_eq!(left.status, 303);
    assert!(left.header("set-cookie").unwrap().starts_with("kattila_share=; "), "{left:?}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_and_crowds_are_slowed_down_and_nobody_shares_where_it_is_switched_off() {
    let kattila = scene(&[("KATTILA_RATE_SOURCE", "1/3")]).await;
    let made = kattila.operator().post("/api/v1/shares", &json!({"view": "/map"})).await.json();
    let path = made["path"].as_str().unwrap();
    for guess in 0..3 {
        assert_eq!(get(kattila.addr(), &format!("/s/guess-{guess}"), &[]).await.status, 410);
    }
    assert_eq!(get(kattila.addr(), path, &[]).await.status, 429, "unread, right or wrong");
    kattila.advance(10).await;
    for _ in 0..60 {
        assert_eq!(get(kattila.addr(), path, &[]).await.status, 303);
    }
    assert_eq!(get(kattila.addr(), path, &[]).await.status, 429, "one link fills no audit");
    let kattila = kattila.restart_with(&[("KATTILA_SHARE_DAYS", "0")]).await;
    let refused = kattila.operator().post("/api/v1/shares", &json!({"view": "/map"})).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("KATTILA_SHARE_DAYS"));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_and_taken_back_without_a_script() {
    let kattila = scene(&[]).await;
    let mut tab = olga(&kattila).await;
    let form = tab.get("/shares?view=/agents").await.text();
    assert!(form.contains("value=\"/agents\""), "{form}");
    let wrong = tab.post("/shares", "view=/users&fleets=&days=7&named=1").await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("cannot be shared"), "{}", wrong.text());
    let page = tab.post("/shares", "view=/agents&fleets=fleet-a&days=1&named=1").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let origin = format!("http://{}", kattila.addr());
    let address =
        text.split(&format!("value=\"{origin}")).nth(1).unwrap().split('"').next().unwrap();
    let visitor = Visitor::by(kattila.addr(), address).await;
    assert_eq!(visitor.fleets().await, ["fleet-a"]);
    assert!(!tab.get("/shares").await.text().contains(address), "shown once");
    let id = shares(&kattila).await[0]["id"].as_str().unwrap().to_owned();
    let revoked = tab.post(&format!("/shares/{id}/revoke"), "").await;
    assert_eq!((revoked.status, revoked.header("location")), (303, Some("/shares")));
    assert_eq!(visitor.get("/map").await.status, 410);
    kattila.stop().await;
}
