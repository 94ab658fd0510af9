//! People: how the first of them comes in, what each may do, and when it ends.

mod factor;
mod provider;
mod proxies;
mod roles;
mod sessions;

use serde_json::{Value, json};

use crate::support::actors::Operator;
use crate::support::browser::Tab;
use crate::support::http::Answer;
use crate::support::manager::TestManager;
use crate::support::process;
use crate::support::rows::Rows;

const OLGA: &str = "stone bridge over water";
const KIM: &str = "three green bicycles";

/// Adds a user with a password by the API.
async fn add(kattila: &TestManager, name: &str, role: &str, password: &str) {
    let wanted = json!({"name": name, "role": role, "password": password});
    let made = kattila.operator().post("/api/v1/users", &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
}

/// A manager with the admin olga and the viewer kim.
async fn with_two() -> TestManager {
    let kattila = TestManager::start().await;
    add(&kattila, "olga", "admin", OLGA).await;
    add(&kattila, "kim", "viewer", KIM).await;
    kattila
}

/// What a page says went wrong.
fn failed(answer: &Answer) -> String {
    let text = answer.text();
    let after = text.split("id=\"failed\">").nth(1).unwrap_or_else(|| panic!("{text}"));
    after.split('<').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_admin_comes_in_with_the_printed_code_and_nobody_else_does() {
    let kattila = TestManager::start().await;
    let code = kattila.manager().setup_code().unwrap().to_owned();
    let mut tab = Tab::new(kattila.addr());
    assert!(tab.get("/login").await.text().contains("href=\"/setup\""));
    assert!(tab.get("/setup").await.text().contains("no users yet"));
    let fields = |code: &str, password: &str, again: &str| {
        format!("name=Olga&code={code}&password={password}&again={again}")
    };
    let differ = tab.open_form("/setup", &fields(&code, "stone+bridge+1", "stone+bridge+2")).await;
    assert_eq!((differ.status, failed(&differ).contains("differ")), (400, true));
    let common = tab.open_form("/setup", &fields(&code, "123qweasdzxc", "123qweasdzxc")).await;
    assert_eq!((common.status, failed(&common).contains("commonest")), (400, true));
    let wrong = tab.open_form("/setup", &fields("setup_x", "stone+bridge", "stone+bridge")).await;
    assert_eq!(wrong.status, 401);
    assert!(!wrong.text().contains("stone"), "no password comes back");
    let made = tab.open_form("/setup", &fields(&code, "stone+bridge", "stone+bridge")).await;
    assert_eq!((made.status, made.header("location")), (303, Some("/map")), "{}", made.text());
    assert!(tab.get("/users").await.text().contains("user-olga"), "an admin, in lower case");

    let mut eve = Tab::new(kattila.addr());
    let again = eve.open_form("/setup", &fields(&code, "iron+bridges", "iron+bridges")).await;
    assert_eq!(again.status, 401, "the code was used");
    let kattila = kattila.restart().await;
    assert_eq!(kattila.manager().setup_code(), None, "there are users");
    let tab = tab.moved(kattila.addr());
    assert_eq!(tab.get("/users").await.status, 200, "a session outlives a restart");
    let rows = Rows::of(&kattila.db()).table("users").join("\n");
    assert!(rows.contains("$argon2id$v=19$m=47104,t=1,p=1$") && !rows.contains("stone"), "{rows}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_code_ends_after_a_day() {
    let kattila = TestManager::start().await;
    let code = kattila.manager().setup_code().unwrap().to_owned();
    kattila.clock.set(kattila.clock.now().plus(86_400));
    let mut tab = Tab::new(kattila.addr());
    let fields = format!("name=olga&code={code}&password=stone+bridge&again=stone+bridge");
    assert_eq!(tab.open_form("/setup", &fields).await.status, 401);
    let kattila = kattila.restart().await;
    assert!(kattila.manager().setup_code().is_some_and(|another| another != code));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_adds_somebody_who_chooses_their_own_password() {
    let kattila = with_two().await;
    let mut olga = Tab::signed_in(kattila.addr(), "Olga", OLGA).await;
    let page = olga.post("/users", "name=Per&role=operator").await;
    assert_eq!(page.status, 200);
    let text = page.text();
    let code = text.split("id=\"setup-code\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(!olga.get("/users").await.text().contains(code), "shown once");
    let mut per = Tab::new(kattila.addr());
    assert_eq!(per.sign_in("per", "").await.status, 401, "no password is none");
    let taken = olga.post("/users", "name=per&role=viewer").await;
    assert_eq!((taken.status, failed(&taken).as_str()), (400, "there is a user per already"));
    let fields =
        |name: &str| format!("name={name}&code={code}&password=copper+kettle&again=copper+kettle");
    assert_eq!(per.open_form("/setup", &fields("kim")).await.status, 401, "somebody else's code");
    assert_eq!(per.open_form("/setup", &fields("per")).await.status, 303);
    assert!(per.get("/account").await.text().contains("role operator"));
    assert_eq!(per.open_form("/setup", &fields("per")).await.status, 401, "used");
    assert_eq!(per.get("/users").await.status, 403);

    // A reset takes the password and the session away at once.
    let page = olga.post("/users/per/reset", "").await;
    assert!(page.text().contains("setup-code"), "{}", page.text());
    assert_eq!(per.get("/account").await.status, 303);
    let mut again = Tab::new(kattila.addr());
    assert_eq!(again.sign_in("per", "copper kettle").await.status, 401);
    let events = kattila.operator().json("/api/v1/events?limit=1000").await;
    let told = events.as_array().unwrap().iter().map(|event| event["subject"].as_str().unwrap());
    let told: Vec<_> = told.filter(|subject| subject.contains("user per")).collect();
    let expected = [
        "added the user per with the role operator",
        "the user per has a new password",
        "reset the password of the user per",
    ];
    assert_eq!(told, expected);
    assert!(!events.to_string().contains(code));
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_as_long_as_the_settings_ask() {
    let kattila = with_two().await;
    let given = |password: &str| json!({"password": password});
    let refused =
        kattila.operator().post("/api/v1/users/kim/password", &given("stone bridg")).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_field"));
    assert!(refused.text().contains("at least 12 characters"), "{}", refused.text());
    let mut kim = Tab::signed_in(kattila.addr(), "kim", KIM).await;
    let page = kim.get("/account").await.text();
    assert!(page.contains("minlength=\"12\"") && page.contains("At least 12 characters"), "{page}");
    let fields = format!("old={}&password=vjwqzkpx&again=vjwqzkpx", KIM.replace(' ', "+"));
    let refused = kim.post("/account/password", &fields).await;
    assert_eq!(refused.status, 400);
    assert!(failed(&refused).contains("at least 12 characters"));

    // Eight where somebody wants it so; and what was chosen then goes on when more is asked for.
    let kattila = kattila.restart_with(&[("KATTILA_PASSWORD_MIN", "8")]).await;
    add(&kattila, "per", "viewer", "vjwqzkpx").await;
    let kattila = kattila.restart_with(&[("KATTILA_PASSWORD_MIN", "64")]).await;
    let mut per = Tab::new(kattila.addr());
    assert_eq!(per.sign_in("per", "vjwqzkpx").await.status, 303);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    let kattila = with_two().await;
    kattila.operator().post("/api/v1/users/kim/disable", &json!({})).await;
    let mut said = Vec::new();
    for (name, password) in [("olga", "wrong"), ("nobody", OLGA), ("kim", KIM), ("ad min", "x")] {
        let answer = Tab::new(kattila.addr()).sign_in(name, password).await;
        said.push((answer.status, failed(&answer)));
    }
    let one = (401, "This name and password, or the code, are not accepted.".to_owned());
    assert_eq!(said, vec![one; 4]);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_wait_longer_and_longer_and_nobody_is_locked_out() {
    let kattila = with_two().await;
    let mut tab = Tab::new(kattila.addr());
    for _ in 0..5 {
        assert_eq!(tab.sign_in("olga", "wrong").await.status, 401);
    }
    let waits = tab.sign_in("olga", OLGA).await;
    assert_eq!((waits.status, waits.header("retry-after")), (429, Some("2")), "unread");
    assert_eq!(tab.sign_in("kim", KIM).await.status, 303, "another name is not held up");
    kattila.clock.set(kattila.clock.now().plus(2));
    assert_eq!(tab.sign_in("olga", OLGA).await.status, 303);
    // Whoever tries many names is slowed by their address.
    kattila.clock.set(kattila.clock.now().plus(60));
    for n in 0..20 {
        let status = Tab::new(kattila.addr()).sign_in(&format!("user-{n}"), "wrong").await.status;
        assert_eq!(status, 401, "{n}");
    }
    assert_eq!(Tab::new(kattila.addr()).sign_in("user-20", "wrong").await.status, 429);
    kattila.clock.set(kattila.clock.now().plus(60));
    assert_eq!(Tab::new(kattila.addr()).sign_in("user-20", "wrong").await.status, 401);
    kattila.stop().await;
}

/// Runs `kattila admin user ...` for a manager with this database and door.
async fn cli(kattila: &TestManager, args: &[&str], typed: &str) -> (Option<i32>, String, String) {
    let (db, listen) = (kattila.db().display().to_string(), kattila.addr().to_string());
    let token = crate::support::manager::ADMIN_TOKEN;
    let settings = [
        ("KATTILA_DB", db.as_str()),
        ("KATTILA_LISTEN", listen.as_str()),
        ("KATTILA_ADMIN_TOKEN", token),
    ];
    let all = [&["admin", "user"], args].concat();
    let ended =
        process::run_with_input(kattila.db().parent().unwrap(), &all, (&settings, typed)).await;
    (ended.code, ended.said, ended.complained)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_works_through_a_running_manager() {
    let kattila = TestManager::start().await;
    let (code, _, told) = cli(&kattila, &["add", "olga", "--role", "admin"], "short\n").await;
    assert_eq!((code, told.contains("at least 12 characters")), (Some(2), true), "{told}");
    let typed = format!("{OLGA}\n");
    let (code, _, told) = cli(&kattila, &["add", "olga", "--role", "admin"], &typed).await;
    assert_eq!(code, Some(0), "{told}");
    let mut tab = Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    let (code, listed, _) = cli(&kattila, &["list"], "").await;
    assert_eq!(code, Some(0));
    assert!(
        listed.starts_with("olga\tadmin\tall fleets\tactive\tlast signed in 2026-"),
        "{listed}"
    );
    let (code, _, told) = cli(&kattila, &["disable", "olga"], "").await;
    assert_eq!((code, told.contains("the only admin")), (Some(1), true), "{told}");
    let (code, _, told) = cli(&kattila, &["password", "olga"], "another stone bridge\n").await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(tab.get("/account").await.status, 303, "the session has ended");
    assert_eq!(tab.sign_in("olga", "another stone bridge").await.status, 303);
    let (code, _, told) = cli(&kattila, &["remove", "kim"], "").await;
    assert_eq!((code, told.contains("no such user")), (Some(1), true), "{told}");
    let all = kattila.operator().json("/api/v1/users").await;
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    assert_eq!((&all[0]["name"], &all[0]["sessions"]), (&json!("olga"), &json!(1)));
    assert_eq!(all[0]["setup_until"], Value::Null);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_and_a_token_have_two_names() {
    let kattila = with_two().await;
    let root = kattila.operator();
    let token = root.post("/api/v1/tokens", &json!({"name": "olga", "role": "viewer"})).await;
    assert_eq!((token.status, token.code().as_str()), (409, "conflict"));
    root.post("/api/v1/tokens", &json!({"name": "ci", "role": "viewer"})).await;
    let user = root.post("/api/v1/users", &json!({"name": "CI", "role": "viewer"})).await;
    assert_eq!((user.status, user.code().as_str()), (409, "conflict"));
    for name in ["admin", "anonymous", "", "o/g"] {
        let odd = root.post("/api/v1/users", &json!({"name": name, "role": "viewer"})).await;
        assert_eq!((odd.status, odd.code().as_str()), (400, "invalid_field"), "{name}");
    }
    kattila.stop().await;
}

/// The lines of a page's table that name a token.
async fn tokens(kattila: &TestManager) -> Vec<Value> {
    kattila.operator().json("/api/v1/tokens").await.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_listed_ends_and_is_revoked() {
    let kattila = with_two().await;
    let root = kattila.operator();
    for odd in [json!(59), json!(-1), json!("soon"), json!(99_999_999_999_i64)] {
        let wanted = json!({"name": "ci", "role": "viewer", "for_s": odd});
        assert_eq!(root.post("/api/v1/tokens", &wanted).await.code(), "invalid_field", "{odd}");
    }
    let wanted = json!({"name": "brief", "role": "operator", "for_s": 3600});
    let brief = root.post("/api/v1/tokens", &wanted).await.json();
    let made = root.post("/api/v1/tokens", &json!({"name": "ci", "role": "viewer"})).await.json();
    let secret = made["token"].as_str().unwrap();
    let start = kattila.clock.now();
    let listed = tokens(&kattila).await;
    let names: Vec<_> = listed.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"ci") && names.contains(&"brief"), "{names:?}");
    let ci = |listed: &[Value]| listed.iter().find(|one| one["name"] == "ci").unwrap().clone();
    let known = ci(&listed);
    assert_eq!((&known["id"], &known["made_by"]), (&made["id"], &json!("admin")));
    assert_eq!((&known["last_used_at"], &known["expires_at"]), (&Value::Null, &Value::Null));
    assert!(!json!(listed).to_string().contains(&secret[4..]), "what opens the door is not told");

    let user = Operator::new(kattila.addr(), secret);
    kattila.clock.set(start.plus(59));
    assert_eq!(user.get("/status/agents").await.status, 200);
    kattila.clock.set(start.plus(61));
    for _ in 0..3 {
        assert_eq!(user.get("/status/agents").await.status, 200);
    }
    assert_eq!(ci(&tokens(&kattila).await)["last_used_at"], start.plus(61).0);
    kattila.clock.set(start.plus(90));
    assert_eq!(user.get("/status/agents").await.status, 200);
    let used = &ci(&tokens(&kattila).await)["last_used_at"];
    assert_eq!(*used, start.plus(61).0, "written at most once a minute");

    // Only admins see and revoke them, on the page as well.
    assert_eq!(user.get("/api/v1/tokens").await.status, 403);
    let mut olga = Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    let id = made["id"].as_str().unwrap();
    assert!(olga.get("/users").await.text().contains(&format!("token-{id}")));
    assert_eq!(olga.post(&format!("/tokens/{id}/revoke"), "").await.status, 303);
    assert_eq!(user.get("/status/agents").await.status, 401);
    assert_eq!(root.delete(&format!("/api/v1/tokens/{id}")).await.code(), "not_found");
    let page = olga.post("/tokens", "name=new&role=viewer&for_s=2592000").await.text();
    let shown = page.split("id=\"token\">").nth(1).unwrap().split('<').next().unwrap();
    let new = Operator::new(kattila.addr(), shown);
    assert_eq!(new.get("/status/agents").await.status, 200);

    let brief = Operator::new(kattila.addr(), brief["token"].as_str().unwrap());
    assert_eq!(brief.get("/status/agents").await.status, 200);
    kattila.clock.set(start.plus(3600));
    assert_eq!(brief.get("/status/agents").await.status, 401);
    let kattila = kattila.restart().await;
    assert_eq!(Operator::new(kattila.addr(), secret).get("/status/agents").await.status, 401);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_that_opened_it() {
    let kattila = TestManager::start().await;
    let root = kattila.operator();
    let made = root.post("/api/v1/tokens", &json!({"name": "wall", "role": "viewer"})).await.json();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    let addr = kattila.addr();
    let stream = tokio::spawn(async move {
        crate::support::http::get(addr, "/api/v1/stream", &[("authorization", &bearer)]).await
    });
    // It is open once the manager counts a watcher.
    let watched = async {
        while !stream.is_finished() && kattila.manager().processor().board().watchers() == 0 {
            tokio::task::yield_now().await;
        }
    };
    watched.await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(root.delete(&format!("/api/v1/tokens/{id}")).await.status, 200);
    kattila.agent("7c0a7000000000000000000000000000").report(&json!({"hostname": "new"})).await;
    let ended = stream.await.unwrap().text();
    assert!(ended.contains("event: bye"), "{ended}");
    kattila.stop().await;
}
