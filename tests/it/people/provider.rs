//! Signing in at an OpenID provider: at a real one, and at one that lies.

use std::process::Stdio;

use kattila::clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{OLGA, add, failed};
use crate::support::browser::Tab;
use crate::support::hostile::{Hostile, head, token};
use crate::support::http::{Answer, get};
use crate::support::manager::TestManager;
use crate::support::script::{BROWSER, Script};

const SECRET: &str = "s3cret: +/%=&?";

const ROLES: &str = "net=operator,boss=admin";

/// A browser that goes to the provider and comes back: cookies of this manager, kept by hand.
struct Trip {
    kattila: std::net::SocketAddr,
    cookie: String,
    /// Where the manager sent the browser.
    there: String,
}

fn cookie_of(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.iter().filter(|(n, _)| n == "set-cookie");
    let pair = set.filter_map(|(_, value)| value.split(';').next());
    let wanted = format!("{name}=");
    pair.filter(|pair| pair.starts_with(&wanted) && pair.len() > wanted.len())
        .map(str::to_owned)
        .next()
}

/// A value of an address's query, decoded.
fn query(address: &str, name: &str) -> String {
    let url = reqwest::Url::parse(address).unwrap();
    let found = url.query_pairs().find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("{name} in {address}")).1.into_owned()
}

impl Trip {
    async fn begin(kattila: &TestManager, next: &str) -> Self {
        let answer = get(kattila.addr(), &format!("/login/oidc?next={next}"), &[]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = cookie_of(&answer, "kattila_flow").unwrap();
        let there = answer.header("location").unwrap().to_owned();
        Self { kattila: kattila.addr(), cookie, there }
    }

    fn state(&self) -> String {
        query(&self.there, "state")
    }

    async fn back(&self, query: &str) -> Answer {
        let path = format!("/login/oidc/callback?{query}");
        get(self.kattila, &path, &[("cookie", &self.cookie), ("accept", "text/html")]).await
    }

    /// Comes back as a provider sends browsers back, with a code.
    async fn return_with(&self, state: &str) -> Answer {
        self.back(&format!("code=c0de&state={state}")).await
    }
}

/// The session that an answer gives, if it gives one.
fn session(answer: &Answer) -> Option<String> {
    cookie_of(answer, "kattila")
}

async fn account(kattila: &TestManager, session: &str) -> Answer {
    get(kattila.addr(), "/account", &[("cookie", session), ("accept", "text/html")]).await
}

fn settings(issuer: &str) -> Vec<(&str, &str)> {
    vec![
        ("KATTILA_OIDC_ISSUER", issuer),
        ("KATTILA_OIDC_CLIENT_ID", "kattila"),
        ("KATTILA_OIDC_CLIENT_SECRET", SECRET),
        ("KATTILA_OIDC_ROLES", ROLES),
        ("KATTILA_OIDC_SCOPES", "openid profile groups"),
        ("KATTILA_RATE_SOURCE", "off"),
    ]
}

/// A manager whose provider lies, and that provider.
async fn lied_to() -> (TestManager, Hostile) {
    let hostile = Hostile::start().await;
    let issuer = hostile.issuer();
    let kattila = TestManager::start_with(&settings(&issuer)).await;
    (kattila, hostile)
}

/// The claims of a good token for a trip.
fn claims(kattila: &TestManager, hostile: &Hostile, trip: &Trip) -> Value {
    let now = kattila.clock.now().0;
    json!({
        "iss": hostile.issuer(), "sub": "248289761001", "aud": "kattila",
        "nonce": query(&trip.there, "nonce"), "iat": now, "exp": now + 300,
        "preferred_username": "Ida", "groups": ["net"],
    })
}

/// Signs in with claims that were changed.
async fn try_with(
    (kattila, hostile): (&TestManager, &Hostile),
    change: impl FnOnce(&mut Value),
) -> Answer {
    let trip = Trip::begin(kattila, "/alarms").await;
    let mut claims = claims(kattila, hostile, &trip);
    change(&mut claims);
    hostile.gives(token(&head(1), &claims, 1));
    trip.return_with(&trip.state()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_with_a_good_token_is_a_user_like_any_other() {
    let (kattila, hostile) = lied_to().await;
    let login = get(kattila.addr(), "/login?next=/alarms", &[]).await.text();
    assert!(login.contains("href=\"/login/oidc?next=%2Falarms\">Sign in at 127.0.0.1"), "{login}");
    let asked = Trip::begin(&kattila, "/alarms").await.there;
    assert!(asked.starts_with(&format!("{}/auth?", hostile.issuer())), "{asked}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "kattila"),
        ("code_challenge_method", "S256"),
        ("scope", "openid profile groups"),
    ] {
        assert_eq!(query(&asked, name), value);
    }
    let came = try_with((&kattila, &hostile), |_| {}).await;
    assert_eq!(came.status, 200, "{}", came.text());
    assert_eq!(came.header("refresh"), Some("0; url=/alarms"), "a page of ours goes on");
    assert!(came.text().contains("signed in as <b>ida</b>"), "{}", came.text());
    let ida = session(&came).unwrap();
    assert!(account(&kattila, &ida).await.text().contains("ida"));
    let form = hostile.sent("/token");
    assert!(form.contains("code=c0de") && form.contains("code_verifier="), "{form}");
    assert!(!form.contains("s3cret"), "the secret goes in the header: {form}");

    // The same person under another name is the same user; another role ends the old session.
    let again = try_with((&kattila, &hostile), |claims| {
        claims["preferred_username"] = json!("renamed");
        claims["groups"] = json!(["x", "boss"]);
    })
    .await;
    let boss = session(&again).unwrap();
    assert_eq!(account(&kattila, &ida).await.status, 303, "what the old role opened is closed");
    let users = get(kattila.addr(), "/users", &[("cookie", &boss)]).await.text();
    assert!(users.contains("user-ida") && !users.contains("renamed"), "{users}");
    assert!(users.contains(&format!("by {}", hostile.issuer())), "{users}");
    let told = kattila.operator().json("/api/v1/users/ida").await;
    assert_eq!((&told["role"], &told["provider"]), (&json!("admin"), &json!(hostile.issuer())));
    let audit = kattila.operator().json("/api/v1/audit").await.to_string();
    for act in ["user.add", "user.role", "session.begin"] {
        assert!(audit.contains(act), "{act} in {audit}");
    }
    // No password leads in beside the provider, and who is kept out here stays out.
    let reset = kattila.operator().post("/api/v1/users/ida/reset", &json!({})).await;
    assert_eq!((reset.status, reset.code().as_str()), (409, "conflict"), "{}", reset.text());
    kattila.operator().post("/api/v1/users/ida/disable", &json!({})).await;
    let out = try_with((&kattila, &hostile), |_| {}).await;
    assert_eq!((out.status, session(&out)), (403, None), "{}", out.text());
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fleets_follow_the_claim_at_each_sign_in() {
    let hostile = Hostile::start().await;
    let issuer = hostile.issuer();
    let fleets = ("KATTILA_OIDC_FLEETS", "net=berlin,boss=*");
    let roles = ("KATTILA_OIDC_ROLES", "net=operator,boss=admin,*=viewer");
    let all: Vec<_> = settings(&issuer).into_iter().chain([fleets, roles]).collect();
    let kattila = TestManager::start_with(&all).await;
    let seen = async || kattila.operator().json("/api/v1/users/ida").await["fleets"].clone();

    let nobody = try_with((&kattila, &hostile), |claims| claims["groups"] = json!(["x"])).await;
    assert_eq!((nobody.status, session(&nobody)), (403, None), "{}", nobody.text());
    let none = kattila.operator().get("/api/v1/users/ida").await;
    assert_eq!(none.status, 404, "who is refused is no user: {}", none.text());

    let came = try_with((&kattila, &hostile), |_| {}).await;
    let ida = session(&came).unwrap();
    assert_eq!(seen().await, json!(["berlin"]));
    let settings = get(kattila.addr(), "/settings", &[("cookie", &ida)]).await;
    assert_eq!(settings.status, 403, "a page about the manager as a whole");

    // An admin's word holds until the provider's next; what it opened is closed then.
    let boss =
        try_with((&kattila, &hostile), |claims| claims["groups"] = json!(["net", "boss"])).await;
    assert_eq!(seen().await, json!([]), "all of them");
    assert_eq!(account(&kattila, &ida).await.status, 303);
    assert!(session(&boss).is_some());
    try_with((&kattila, &hostile), |_| {}).await;
    assert_eq!(seen().await, json!(["berlin"]));
    let audit = kattila.operator().json("/api/v1/audit").await.to_string();
    assert!(audit.contains("user.fleets"), "{audit}");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_that_does_not_hold_lets_anybody_in() {
    let (kattila, hostile) = lied_to().await;
    add(&kattila, "olga", "admin", OLGA).await;
    let now = kattila.clock.now().0;
    let wrong: Vec<(&str, Value)> = vec![
        ("nonce", json!("another")),
        ("aud", json!("another")),
        ("iss", json!("https://id.example.org")),
        ("exp", json!(now - 61)),
        ("iat", json!(now + 3600)),
        ("sub", json!("")),
        ("azp", json!("another")),
    ];
    for (n, (name, value)) in wrong.into_iter().enumerate() {
        // Five failures are free; time heals.
        kattila.clock.set(kattila.clock.now().plus(if n % 4 == 3 { 901 } else { 0 }));
        let refused = try_with((&kattila, &hostile), |claims| claims[name] = value).await;
        assert_eq!((refused.status, session(&refused)), (401, None), "{name}: {}", refused.text());
        assert!(failed(&refused).contains("cannot be accepted"));
    }
    kattila.clock.set(kattila.clock.now().plus(901));
    // Signed by nobody, by somebody else, under the name of the right key, with the public key.
    let trip = Trip::begin(&kattila, "/").await;
    let good = claims(&kattila, &hostile, &trip);
    let unsigned = token(&json!({"alg": "none"}), &good, 1);
    let unsigned = unsigned.rsplit_once('.').unwrap().0.to_owned() + ".";
    let hmac = token(&json!({"alg": "HS256", "kid": "k1"}), &good, 1);
    for bad in [unsigned, hmac, token(&head(1), &good, 2), token(&head(2), &good, 2)] {
        hostile.gives(bad);
        let refused = trip.return_with(&trip.state()).await;
        assert_eq!((refused.status, session(&refused)), (401, None), "{}", refused.text());
    }
    kattila.clock.set(kattila.clock.now().plus(901));
    // A role or a name that means nothing here, and a name that is somebody's already.
    for (name, value, status) in [
        ("groups", json!(["others"]), 403),
        ("preferred_username", json!("admin"), 403),
        ("preferred_username", json!("olga"), 409),
    ] {
        let refused = try_with((&kattila, &hostile), |claims| claims[name] = value).await;
        assert_eq!((refused.status, session(&refused)), (status, None), "{}", refused.text());
    }
    let users = kattila.operator().json("/api/v1/users").await;
    assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
    assert_eq!(users[0]["provider"], Value::Null, "olga is still her own");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_browser_that_began_a_sign_in_ends_it() {
    let (kattila, hostile) = lied_to().await;
    let (mine, yours) = (Trip::begin(&kattila, "/").await, Trip::begin(&kattila, "/").await);
    hostile.gives(token(&head(1), &claims(&kattila, &hostile, &mine), 1));
    let no_cookie =
        get(kattila.addr(), &format!("/login/oidc/callback?code=c0de&state={}", mine.state()), &[])
            .await;
    let other_browser = yours.return_with(&mine.state()).await;
    let no_state = mine.back("code=c0de").await;
    let denied = mine.back(&format!("error=access_denied%3Cb%3E&state={}", mine.state())).await;
    assert!(failed(&denied).contains("did not sign you in: access_deniedb."), "{}", denied.text());
    for refused in [no_cookie, other_browser, no_state, denied] {
        assert_eq!((refused.status, session(&refused)), (401, None), "{}", refused.text());
    }
    kattila.clock.set(kattila.clock.now().plus(599));
    let mixed = format!("code=c0de&state={}&iss=https://evil.example", mine.state());
    assert_eq!(mine.back(&mixed).await.status, 401, "an answer of another provider (RFC 9207)");
    assert_eq!(hostile.asked("/token"), 0, "no code of theirs ever went out");
    kattila.clock.set(kattila.clock.now().plus(1));
    assert_eq!(mine.return_with(&mine.state()).await.status, 429, "five failures");
    kattila.clock.set(kattila.clock.now().plus(901));
    let late = mine.return_with(&mine.state()).await;
    assert!(late.status == 401 && failed(&late).contains("took too long"), "{}", late.text());
    assert_eq!(hostile.asked("/token"), 0);
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_asked_for_once_a_minute_and_never_believed_unasked() {
    let (kattila, hostile) = lied_to().await;
    assert!(session(&try_with((&kattila, &hostile), |_| {}).await).is_some());
    assert!(session(&try_with((&kattila, &hostile), |_| {}).await).is_some());
    assert_eq!(hostile.asked("/jwks"), 1, "keys are kept");
    assert_eq!(hostile.asked("/.well-known/openid-configuration"), 1);
    hostile.has_key(2);
    let trip = Trip::begin(&kattila, "/").await;
    hostile.gives(token(&head(2), &claims(&kattila, &hostile, &trip), 2));
    assert_eq!(trip.return_with(&trip.state()).await.status, 401, "asked a moment ago");
    assert_eq!(hostile.asked("/jwks"), 1);
    kattila.clock.set(kattila.clock.now().plus(60));
    let trip = Trip::begin(&kattila, "/").await;
    hostile.gives(token(&head(2), &claims(&kattila, &hostile, &trip), 2));
    assert!(session(&trip.return_with(&trip.state()).await).is_some());
    assert_eq!(hostile.asked("/jwks"), 2);
    let old = try_with((&kattila, &hostile), |_| {}).await;
    assert_eq!((old.status, session(&old)), (401, None), "the old key is no key any more");
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_as_one_stops_nobody_else() {
    let (kattila, hostile) = lied_to().await;
    add(&kattila, "olga", "admin", OLGA).await;
    const AT: &str = "/.well-known/openid-configuration";
    let other = |name: &str, value: &str| {
        let mut description = hostile.description();
        description[name] = json!(value);
        (200, description.to_string())
    };
    for (status, body) in [
        (500, "{}".to_owned()),
        (200, "<html>".to_owned()),
        (302, "{}".to_owned()),
        (200, format!("{{\"x\":\"{}\"}}", "x".repeat(300_000))),
        other("issuer", "https://id.example.org"),
        other("token_endpoint", "http://id.example.org/token"),
        other("jwks_uri", "file:///etc/passwd"),
    ] {
        hostile.says(AT, status, body);
        let answer = get(kattila.addr(), "/login/oidc?next=/", &[("accept", "text/html")]).await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(failed(&answer).contains("does not answer as a sign-in provider"));
        // Whoever comes at the same time is told at once, without another question.
        let before = hostile.asked(AT);
        assert_eq!(get(kattila.addr(), "/login/oidc", &[]).await.status, 503);
        assert_eq!(hostile.asked(AT), before);
        kattila.clock.set(kattila.clock.now().plus(5));
    }
    assert_eq!(hostile.asked("/elsewhere"), 0, "no redirect is followed");
    Tab::signed_in(kattila.addr(), "olga", OLGA).await;
    hostile.is_honest();
    for (path, status, body) in
        [("/token", 500, "{}"), ("/token", 307, "{}"), ("/jwks", 500, "{}"), ("/jwks", 200, "[]")]
    {
        hostile.says(path, status, body);
        let answer = try_with((&kattila, &hostile), |_| {}).await;
        assert_eq!((answer.status, session(&answer)), (503, None), "{path}: {}", answer.text());
        hostile.is_honest();
        kattila.clock.set(kattila.clock.now().plus(901));
    }
    hostile.says("/token", 400, "{\"error\":\"invalid_grant\"}");
    let refused = try_with((&kattila, &hostile), |_| {}).await;
    assert_eq!((refused.status, session(&refused)), (401, None));
    hostile.is_honest();
    assert!(session(&try_with((&kattila, &hostile), |_| {}).await).is_some());
    kattila.stop().await;
}

/// A real provider under Node.
struct Real {
    _child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    issuer: String,
}

impl Real {
    async fn start() -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/provider.mjs");
        let mut command = Command::new("node");
        command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("tests/run installs Node and oidc-provider");
        let orders = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.next_line().await.unwrap();
        let told = told
            .expect("oidc-provider is missing: tests/run installs it, or npm ci --prefix tests");
        let issuer = format!("http://127.0.0.1:{}", told.strip_prefix("listening ").unwrap());
        Self { _child: child, orders, lines, issuer }
    }

    async fn obeys(&mut self, order: &str) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        // It has more to say on its standard output than what it was told to.
        while self.lines.next_line().await.unwrap().expect("the provider has ended") != "done" {}
    }

    /// Whom it signs in from now on.
    async fn signs_in(&mut self, person: &Value) {
        self.obeys(&format!("person {person}")).await;
    }
}

/// A manager with a real provider, which knows it.
async fn with_a_real_one() -> (TestManager, Real) {
    let mut real = Real::start().await;
    let issuer = real.issuer.clone();
    let kattila = TestManager::start_with(&settings(&issuer)).await;
    let callback = format!("redirect http://{}/login/oidc/callback", kattila.addr());
    real.obeys(&callback).await;
    (kattila, real)
}

/// Turns the manager's clock to the provider's, which runs by itself; never back.
fn catch_up(kattila: &TestManager) {
    kattila.clock.set(Clock::system().now().max(kattila.clock.now()));
}

/// A browser without scripts signs in there and comes back.
async fn whole_trip(kattila: &TestManager) -> Answer {
    catch_up(kattila);
    let trip = Trip::begin(kattila, "/alarms").await;
    let mut jar: Vec<String> = Vec::new();
    let mut at = trip.there.clone();
    let callback = format!("http://{}/", kattila.addr());
    while !at.starts_with(&callback) {
        let url = reqwest::Url::parse(&at).unwrap();
        let addr = format!("127.0.0.1:{}", url.port().unwrap()).parse().unwrap();
        let path = at.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap();
        let answer = get(addr, &path, &[("cookie", &jar.join("; "))]).await;
        assert_eq!(answer.status, 303, "{at}: {}", answer.text());
        let set = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
        jar.extend(set.map(|(_, value)| value.split(';').next().unwrap().to_owned()));
        let to = answer.header("location").unwrap();
        at = url.join(to).unwrap().into();
    }
    trip.back(at.split_once('?').unwrap().1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_provider_signs_people_in_with_each_kind_of_key() {
    let (kattila, mut real) = with_a_real_one().await;
    let person = |name: &str, groups: Value| json!({"sub": format!("id-of-{name}"), "preferred_username": name, "groups": groups});
    for (alg, name, role) in
        [("RS256", "olga", "operator"), ("ES256", "ida", "operator"), ("EdDSA", "eva", "admin")]
    {
        real.obeys(&format!("sign {alg}")).await;
        let group = if role == "admin" { "boss" } else { "net" };
        real.signs_in(&person(name, json!(["all", group]))).await;
        let came = whole_trip(&kattila).await;
        let cookie = session(&came).unwrap_or_else(|| panic!("{alg}: {}", came.text()));
        assert!(account(&kattila, &cookie).await.text().contains(name));
        let told = kattila.operator().json(&format!("/api/v1/users/{name}")).await;
        assert_eq!(told["role"], role, "{told}");
    }
    // Other keys, and the old ones no more: they are asked for anew, a minute after the last time.
    real.obeys("rotate").await;
    let early = whole_trip(&kattila).await;
    assert_eq!((early.status, session(&early)), (401, None), "{}", early.text());
    kattila.clock.set(Clock::system().now().plus(60));
    assert!(session(&whole_trip(&kattila).await).is_some(), "after a rotation");
    real.signs_in(&person("nina", json!(["all"]))).await;
    let nobody = whole_trip(&kattila).await;
    assert_eq!((nobody.status, session(&nobody)), (403, None), "{}", nobody.text());
    real.signs_in(&Value::Null).await;
    let denied = whole_trip(&kattila).await;
    assert_eq!((denied.status, session(&denied)), (401, None));
    assert!(failed(&denied).contains("access_denied"), "{}", denied.text());
    // A code works once.
    real.signs_in(&person("olga", json!(["net"]))).await;
    let trip = Trip::begin(&kattila, "/").await;
    let forged = trip.return_with(&trip.state()).await;
    assert_eq!((forged.status, session(&forged)), (401, None), "a code that nobody gave");
    // It is gone: everybody is told so, and whoever signs in here goes on.
    add(&kattila, "kim", "viewer", OLGA).await;
    drop(real);
    kattila.clock.set(kattila.clock.now().plus(30));
    let trip = Trip { cookie: trip.cookie, ..trip };
    let trip = trip.return_with(&trip.state()).await;
    assert_eq!((trip.status, session(&trip)), (503, None), "{}", trip.text());
    Tab::signed_in(kattila.addr(), "kim", OLGA).await;
    kattila.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_at_a_real_provider() {
    let _one = BROWSER.lock().await;
    let (kattila, mut real) = with_a_real_one().await;
    catch_up(&kattila);
    let person = json!({"sub": "7", "preferred_username": "olga", "groups": ["net"]});
    real.signs_in(&person).await;
    let url = kattila.manager().url();
    Script::start("provider.test.mjs", url, &[]).end().await;
    kattila.stop().await;
}
