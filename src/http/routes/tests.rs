//! Every route against every kind of caller.

mod expected;

use axum::http::{Request, StatusCode, header};
use tower::ServiceExt as _;

use crate::http::access::gate::tests::{ADMIN_TOKEN, SHARE_TOKEN, Shelf, gate, here};
use crate::http::access::token;
use crate::model::reach::Reach;
use crate::model::time::UnixSeconds;

use super::*;
use expected::EXPECTED;

fn word(need: Need) -> &'static str {
    match need {
        Need::Public => "public",
        Need::Signature => "signature",
        Need::Shared => "viewer or share",
        Need::Role(role) => role.as_str(),
        Need::Whole(Role::Viewer) => "viewer of all",
        Need::Whole(Role::Operator) => "operator of all",
        Need::Whole(Role::Admin) => "admin of all",
    }
}

#[test]
fn every_route_needs_what_is_expected() {
    let mut expected: Vec<_> = EXPECTED
        .iter()
        .flat_map(|(need, routes)| routes.iter().map(|(method, path)| (*method, *path, *need)))
        .collect();
    let mut found: Vec<_> =
        all().iter().map(|route| (route.method, route.path, word(route.need))).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
}

/// The real table and the real guards in front of handlers that say they were reached.
fn app(pairs: &[(&str, &str)], shelf: &Shelf) -> Router {
    let clock = Clock::manual(UnixSeconds(1_800_000_000));
    let reached = |route: Route| {
        let answer = || async { "reached" };
        let handler = match route.method {
            "GET" => get(answer),
            "DELETE" => delete(answer),
            _ => post(answer),
        };
        let Route { method, path, need, masked, list, .. } = route;
        Route { method, path, need, masked, list, handler }
    };
    let guards = Guards {
        gate: Arc::new(gate(pairs, shelf, &clock)),
        sources: Arc::new(Sources::new(None)),
        clock,
    };
    guarded::<()>(all().into_iter().map(reached).collect(), &guards)
}

async fn status(app: &Router, route: &Route, headers: &[(&str, &str)]) -> StatusCode {
    let path =
        route.path.replace("{id}", "7").replace("{token}", "t").replace("{hash}/{*path}", "h/p");
    let mut request = Request::builder().method(route.method).uri(path).header("host", "k");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn strangers_reach_nothing_but_the_open_routes() {
    let app = app(&[], &Shelf::default());
    for route in all() {
        let expected = match route.need {
            Need::Public | Need::Signature => StatusCode::OK,
            Need::Shared | Need::Role(_) | Need::Whole(_) => StatusCode::UNAUTHORIZED,
        };
        assert_eq!(status(&app, &route, &[]).await, expected, "{} {}", route.method, route.path);
        if route.need != PUBLIC && route.need != SIGNED {
            let wrong = [("authorization", "Bearer wrong")];
            assert_eq!(status(&app, &route, &wrong).await, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test]
async fn anonymous_viewers_look_and_touch_nothing() {
    let app = app(&[("KATTILA_ANONYMOUS_ROLE", "viewer")], &Shelf::default());
    for route in all() {
        let expected = match route.need {
            Need::Role(role) | Need::Whole(role) if role > Role::Viewer => StatusCode::UNAUTHORIZED,
            Need::Public | Need::Signature | Need::Shared | Need::Role(_) | Need::Whole(_) => {
                StatusCode::OK
            }
        };
        assert_eq!(status(&app, &route, &[]).await, expected, "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn roles_reach_what_they_may() {
    let shelf = Shelf::default();
    let app = app(&[], &shelf);
    let now = UnixSeconds(1_800_000_000);
    for have in [Role::Viewer, Role::Operator, Role::Admin] {
        let (secret, record) = token::api_token("t", have, now).unwrap();
        use crate::http::access::keep::KeepSessions as _;
        shelf.put(record).await.unwrap();
        let bearer = format!("Bearer {}", secret.as_str());
        for route in all() {
            let expected = match route.need {
                Need::Role(role) | Need::Whole(role) if role > have => StatusCode::FORBIDDEN,
                Need::Public | Need::Signature | Need::Shared | Need::Role(_) | Need::Whole(_) => {
                    StatusCode::OK
                }
            };
            let got = status(&app, &route, &[("authorization", &bearer)]).await;
            assert_eq!(got, expected, "{have}: {} {}", route.method, route.path);
        }
    }
}

#[tokio::test]
async fn a_shared_link_reaches_what_is_shared_and_nothing_else() {
    let app = app(&[], &Shelf::default());
    let cookie = format!("kattila_share={SHARE_TOKEN}");
    for route in all() {
        let expected = match route.need {
            Need::Public | Need::Signature | Need::Shared => StatusCode::OK,
            Need::Role(_) | Need::Whole(_) => StatusCode::FORBIDDEN,
        };
        let came = [("cookie", cookie.as_str())];
        let got = status(&app, &route, &came).await;
        assert_eq!(got, expected, "{} {}", route.method, route.path);
        assert!(route.need != Need::Shared || route.method == "GET", "visitors change nothing");
        if route.need.role().is_some() {
            let over = [("cookie", "kattila_share=another")];
            assert_eq!(status(&app, &route, &over).await, StatusCode::GONE, "{}", route.path);
        }
    }
}

#[tokio::test]
async fn who_is_limited_to_fleets_reaches_nothing_that_is_about_the_whole() {
    use crate::http::access::keep::KeepSessions as _;
    let shelf = Shelf::default();
    let app = app(&[], &shelf);
    let (secret, mut record) =
        token::api_token("t", Role::Admin, UnixSeconds(1_800_000_000)).unwrap();
    record.reach = Reach::read(["lab"]).unwrap();
    shelf.put(record).await.unwrap();
    let bearer = format!("Bearer {}", secret.as_str());
    for route in all() {
        let expected = match route.need {
            Need::Whole(_) => StatusCode::FORBIDDEN,
            Need::Public | Need::Signature | Need::Shared | Need::Role(_) => StatusCode::OK,
        };
        let got = status(&app, &route, &[("authorization", &bearer)]).await;
        assert_eq!(got, expected, "{} {}", route.method, route.path);
    }
}

/// What a viewer may ask for that is not told under pseudonyms: bytes as they were signed.
const UNMASKABLE: [&str; 3] = ["/api/v1/agents/{id}/told", "/api/v1/reports/{id}", "/reports/{id}"];

#[tokio::test]
async fn who_is_given_pseudonyms_reaches_what_can_be_told_under_them() {
    use crate::http::access::keep::KeepSessions as _;
    let shelf = Shelf::default();
    let app = app(&[], &shelf);
    let (secret, mut record) =
        token::api_token("t", Role::Operator, UnixSeconds(1_800_000_000)).unwrap();
    record.masked = true;
    shelf.put(record).await.unwrap();
    let bearer = format!("Bearer {}", secret.as_str());
    for route in all() {
        let own = route.path.starts_with("/account")
            || matches!(route.path, "/logout" | "/api/v1/sessions/{id}");
        let told = route.method == "GET" && !UNMASKABLE.contains(&route.path);
        let expected = match route.need {
            Need::Public | Need::Signature => StatusCode::OK,
            Need::Shared | Need::Role(Role::Viewer) if own || told => StatusCode::OK,
            Need::Shared | Need::Role(_) | Need::Whole(_) => StatusCode::FORBIDDEN,
        };
        let got = status(&app, &route, &[("authorization", &bearer)]).await;
        assert_eq!(got, expected, "{} {}", route.method, route.path);
        assert!(route.masked == (expected == StatusCode::OK) || expected == StatusCode::OK);
    }
}

#[tokio::test]
async fn changes_from_other_sites_and_without_the_form_token_are_refused() {
    let (shelf, clock) = (Shelf::default(), Clock::manual(UnixSeconds(1_800_000_000)));
    let session = gate(&[], &shelf, &clock).sign_in(ADMIN_TOKEN, &here()).await.unwrap().unwrap();
    let app = app(&[], &shelf);
    let cookie = format!("kattila={}", session.as_str());
    let form = token::form_token(&session);
    let changing: Vec<_> = all().into_iter().filter(|route| route.method == "POST").collect();
    for route in &changing {
        let foreign = [
            ("cookie", cookie.as_str()),
            ("x-kattila-form", form.as_str()),
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ];
        let ours = [
            ("cookie", cookie.as_str()),
            ("x-kattila-form", form.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        if route.need != SIGNED {
            assert_eq!(status(&app, route, &foreign).await, StatusCode::FORBIDDEN);
        }
        assert_eq!(status(&app, route, &ours).await, StatusCode::OK, "{}", route.path);
        if route.need.role().is_some() {
            let bare = [("cookie", cookie.as_str())];
            assert_eq!(status(&app, route, &bare).await, StatusCode::FORBIDDEN);
            let wrong = [("cookie", cookie.as_str()), ("x-kattila-form", "00")];
            assert_eq!(status(&app, route, &wrong).await, StatusCode::FORBIDDEN);
        }
    }
}

#[tokio::test]
async fn a_form_brings_its_token_in_its_body_and_the_body_arrives() {
    let (shelf, clock) = (Shelf::default(), Clock::manual(UnixSeconds(1_800_000_000)));
    let gate = Arc::new(gate(&[], &shelf, &clock));
    let session = gate.sign_in(ADMIN_TOKEN, &here()).await.unwrap().unwrap();
    let echo = Route {
        method: "POST",
        path: "/echo",
        need: OPERATOR,
        masked: false,
        list: None,
        handler: post(|body: String| async { body }),
    };
    let guards = Guards { gate, sources: Arc::new(Sources::new(None)), clock };
    let app = guarded::<()>(vec![echo], &guards);
    let send = |body: String| {
        let request = Request::post("/echo")
            .header(header::COOKIE, format!("kattila={}", session.as_str()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body));
        app.clone().oneshot(request.unwrap())
    };
    let body = format!("note=x&form_token={}", token::form_token(&session));
    let response = send(body.clone()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let echoed = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
    assert_eq!(echoed, body);
    let refused = send("note=x&form_token=wrong".into()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn unknown_addresses_and_methods_have_their_codes() {
    let app = app(&[], &Shelf::default());
    let ask = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty());
        app.clone().oneshot(request.unwrap())
    };
    let code = |response: &Response| response.extensions().get::<ApiError>().map(|e| e.code());
    let nowhere = ask("GET", "/nowhere").await.unwrap();
    assert_eq!(code(&nowhere), Some(ErrorCode::NotFound));
    let wrong = ask("DELETE", "/status/updates").await.unwrap();
    assert_eq!(code(&wrong), Some(ErrorCode::MethodNotAllowed));
    let wrong = ask("PUT", "/api/v1/topology").await.unwrap();
    assert_eq!(code(&wrong), Some(ErrorCode::MethodNotAllowed));
}

/// Answers that hold rows and are no lists: one thing with its parts, or a map.
const NO_LISTS: [&str; 18] = [
    "/api/v1/topology",
    "/api/v1/history",
    "/api/v1/diff",
    "/api/v1/metrics",
    "/api/v1/agents/{id}",
    "/api/v1/agents/{id}/told",
    "/api/v1/edges/{id}",
    "/api/v1/reports/{id}",
    "/api/v1/alarms/{id}",
    "/api/v1/users/{id}",
    "/api/v1/search",
    "/api/v1/path",
    "/api/v1/what-if",
    "/api/v1/weak-points",
    "/api/v1/keys/usage",
    "/api/v1/layout",
    "/api/v1/layout/preview",
    "/api/v1/openapi.json",
];

#[test]
fn lists_are_described_with_their_format_and_nothing_else_is() {
    let told = serde_json::to_value(crate::http::openapi::describe()).unwrap();
    for route in crate::http::openapi::described().filter(|route| route.method == "GET") {
        let parameters = &told["paths"][route.path]["get"]["parameters"];
        let formats = parameters.as_array().into_iter().flatten();
        let formats = formats.filter(|parameter| parameter["name"] == "format").count();
        assert_eq!(formats, usize::from(route.list.is_some()), "{}: {parameters}", route.path);
    }
}

#[test]
fn every_list_of_the_api_is_told_as_csv_too() {
    use serde_json::Value;
    let has_rows = |value: &Value| {
        value.as_array().is_some_and(|rows| rows.first().is_none_or(Value::is_object))
    };
    for route in all().iter().filter(|route| route.method == "GET") {
        let is_of_supervisors = ["/readyz", "/livez", "/status/healthcheck"].contains(&route.path);
        let sample = crate::http::samples::of("GET", route.path).filter(|_| !is_of_supervisors);
        let Some(sample) = sample else { continue };
        let body = sample.answer;
        match route.list {
            Some("") => assert!(has_rows(&body), "{} is no list", route.path),
            Some(member) => assert!(has_rows(&body[member]), "{}: {member}", route.path),
            None => {
                let members = body.as_object().into_iter().flat_map(|members| members.values());
                let any = has_rows(&body) || members.into_iter().any(has_rows);
                assert!(!any || NO_LISTS.contains(&route.path), "{} lacks CSV", route.path);
            }
        }
    }
}

#[test]
fn what_pages_lead_to_in_the_api_is_there() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let paths: Vec<&str> = all().iter().map(|route| route.path).collect();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        for href in text.split("href=\"/api/").skip(1) {
            let path = href.split(['"', '?', '{']).next().unwrap();
            let is_export =
                path.starts_with("v1/export/") && paths.contains(&"/api/v1/export/{id}");
            let known = is_export || paths.contains(&format!("/api/{path}").as_str());
            assert!(known, "{}: {path}", file.display());
        }
    }
}
