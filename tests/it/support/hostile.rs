//! An OpenID provider on loopback that says whatever it is told to: signed by it, by somebody else,
//! or not at all.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What it answers: by path, a status and a body. Paths that are not there are answered honestly.
#[derive(Default)]
struct Script {
    answers: HashMap<String, (u16, String)>,
    token: String,
    seed: u8,
    asked: Vec<(String, String)>,
}

/// The provider.
#[derive(Clone)]
pub(crate) struct Hostile {
    addr: SocketAddr,
    script: Arc<Mutex<Script>>,
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// A token of these parts, signed by the key of a seed.
pub(crate) fn token(head: &Value, claims: &Value, seed: u8) -> String {
    let parts = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = parts.join(".");
    let signature = URL_SAFE_NO_PAD.encode(pair(seed).sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// The head of a token under the key of a seed.
pub(crate) fn head(seed: u8) -> Value {
    json!({"alg": "EdDSA", "kid": format!("k{seed}"), "typ": "JWT"})
}

impl Hostile {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script { seed: 1, ..Script::default() }));
        let this = Self { addr, script };
        let door = this.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let door = door.clone();
                let service = service_fn(move |request| door.clone().answer(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        this
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on it says this at a path.
    pub(crate) fn says(&self, path: &str, status: u16, body: impl Into<String>) {
        self.script.lock().unwrap().answers.insert(path.to_owned(), (status, body.into()));
    }

    /// It is honest at all paths again.
    pub(crate) fn is_honest(&self) {
        self.script.lock().unwrap().answers.clear();
    }

    /// It has the key of this seed, and no other.
    pub(crate) fn has_key(&self, seed: u8) {
        self.script.lock().unwrap().seed = seed;
    }

    /// The token that it gives for any code.
    pub(crate) fn gives(&self, token: String) {
        self.script.lock().unwrap().token = token;
    }

    /// How often it was asked at a path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.script.lock().unwrap().asked.iter().filter(|(asked, _)| asked == path).count()
    }

    /// What it was last sent at a path.
    pub(crate) fn sent(&self, path: &str) -> String {
        let script = self.script.lock().unwrap();
        let found = script.asked.iter().rev().find(|(asked, _)| asked == path);
        found.map(|(_, body)| body.clone()).unwrap_or_default()
    }

    /// The description as it should be.
    pub(crate) fn description(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer());
        json!({
            "issuer": self.issuer(),
            "authorization_endpoint": at("/auth"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"),
        })
    }

    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        let sent = String::from_utf8_lossy(&body).into_owned();
        let (status, body) = {
            let mut script = self.script.lock().unwrap();
            script.asked.push((path.clone(), sent));
            script.answers.get(&path).cloned().unwrap_or_else(|| self.honest(&path, &script))
        };
        let location = format!("{}/elsewhere", self.issuer());
        let response = Response::builder().status(status).header("location", location);
        Ok(response.header("content-type", "application/json").body(Full::from(body)).unwrap())
    }

    fn honest(&self, path: &str, script: &Script) -> (u16, String) {
        let body = match path {
            "/.well-known/openid-configuration" => self.description(),
            "/jwks" => {
                let x = URL_SAFE_NO_PAD.encode(pair(script.seed).public_key());
                let kid = format!("k{}", script.seed);
                json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x}]})
            }
            "/token" => {
                json!({"id_token": script.token, "access_token": "a", "token_type": "Bearer"})
            }
            _ => return (404, "{}".to_owned()),
        };
        (200, body.to_string())
    }
}
