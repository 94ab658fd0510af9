//! Every refusal of the protocol, over HTTP: its status, its code, its shape, and that nothing
//! of it is stored.

mod access;
mod envelope;
mod table;
mod transport;

use hyper::Method;
use kattila::wire::codes::ErrorCode;

use crate::support::http::{Answer, send};
use crate::support::manager::{START, TestManager};
use crate::support::rows::Rows;
use crate::support::seal::Seal;

/// An agent of version 1, and one of version 2.
const OLD: &str = "gw-1";
const NEW: &str = "0123456789abcdef0123456789abcdef";

/// One request that must be refused.
struct Case {
    /// What is wrong with it.
    name: String,
    status: u16,
    code: &'static str,
    method: Method,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Case {
    /// A body for `POST /status/updates`, of the right type.
    fn report(name: &str, (status, code): (u16, &'static str), body: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            status,
            code,
            method: Method::POST,
            path: "/status/updates",
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
        }
    }

    fn to(mut self, method: Method, path: &'static str) -> Self {
        (self.method, self.path) = (method, path);
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }

    async fn send(&self, kattila: &TestManager) -> Answer {
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        send(kattila.addr(), self.method.clone(), self.path, &headers, self.body.clone()).await
    }
}

/// Sends each case and looks at the answer and at the database.
async fn refuse(kattila: &TestManager, cases: &[Case]) {
    let before = Rows::of(&kattila.db());
    for case in cases {
        let answer = case.send(kattila).await;
        problem(&case.name, &answer, (case.status, case.code));
        let changed = before.clone();
        let after = Rows::of(&kattila.db());
        assert!(changed.changed(&after).is_empty(), "{}: {:?}", case.name, changed.changed(&after));
    }
}

/// Asserts that an answer is this refusal, in the shape that every refusal has.
fn problem(name: &str, answer: &Answer, (status, code): (u16, &str)) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}: {answer:?}");
    let body = answer.json();
    let known = ErrorCode::ALL.iter().find(|known| known.as_str() == code).unwrap();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{name}");
    assert_eq!(body["type"], format!("urn:kattila:error:{code}"), "{name}");
    assert_eq!(body["title"], known.title(), "{name}");
    assert_eq!(body["status"], status, "{name}");
    assert!(body["detail"].as_str().is_some_and(|text| text.len() > 10), "{name}: {body}");
    assert!(body["request_id"].as_str().is_some_and(|id| id.len() == 16), "{name}: {body}");
    assert_eq!(answer.header("x-request-id"), body["request_id"].as_str(), "{name}");
    let challenge = match code {
        "signature_invalid" => Some("Kattila"),
        "unauthenticated" => Some("Bearer"),
        _ => None,
    };
    assert_eq!(answer.header("www-authenticate"), challenge, "{name}");
    let waits = answer.header("retry-after").map(|seconds| seconds.parse::<u32>().unwrap());
    assert_eq!(waits.is_some(), matches!(status, 429 | 503), "{name}: {answer:?}");
    assert_eq!(body["retry_after"].as_u64(), waits.map(u64::from), "{name}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
}

/// An honest report, to be spoiled: each with a nonce of its own.
fn old(nonce: &str) -> Seal {
    Seal::new(OLD, nonce, START).data(r#"{"hostname":"gw-1"}"#)
}

fn new(nonce: &str) -> Seal {
    Seal::new(NEW, nonce, START).data(r#"{"hostname":"gw-2"}"#)
}

/// A manager that does not lose patience with an address that is refused all the time.
async fn patient(more: &[(&str, &str)]) -> TestManager {
    let mut settings = vec![("KATTILA_RATE_SOURCE", "off")];
    settings.extend_from_slice(more);
    TestManager::start_with(&settings).await
}

/// Asserts that the same path takes an honest report, so that the refusals mean something.
async fn accept(kattila: &TestManager, name: &str, body: impl Into<Vec<u8>>) {
    let answer = Case::report(name, (200, ""), body).send(kattila).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
}
