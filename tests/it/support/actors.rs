//! Who uses a manager: agents that push, operators that look, admins that act. They know only
//! what is public: addresses, shapes and how to sign.

use std::net::SocketAddr;

use hyper::Method;
use kattila::clock::Clock;
use kattila::model::id::Kid;
use kattila::model::time::UnixSeconds;
use kattila::sign::digest::sha256;
use kattila::sign::hmac;
use kattila::sign::psk::kid_of_psk;
use serde_json::{Value, json};

use super::http::{Answer, NoAnswer, get, post_json, send, try_get};
use super::manager::PSK;

/// A host that reports.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) fleet: String,
    pub(crate) psk: String,
    /// Seconds that the host's clock is ahead.
    pub(crate) ahead_s: i64,
    addr: SocketAddr,
    clock: Clock,
    count: u64,
    tick: i64,
}

impl Agent {
    pub(crate) fn new(id: &str, addr: SocketAddr, clock: Clock) -> Self {
        let (id, fleet, psk) = (id.to_owned(), "fleet-a".to_owned(), PSK.to_owned());
        Self { id, fleet, psk, ahead_s: 0, addr, clock, count: 0, tick: 0 }
    }

    /// The same host after its manager moved to another address.
    pub(crate) fn moved(mut self, addr: SocketAddr) -> Self {
        self.addr = addr;
        self
    }

    fn now(&self) -> UnixSeconds {
        self.clock.now().plus(self.ahead_s)
    }

    fn nonce(&mut self) -> String {
        self.count += 1;
        format!("nonce-{}-{:016}", self.id.replace(['.', ':'], "-"), self.count)
    }

    /// A version 1 envelope around these bytes, not sent yet.
    pub(crate) fn seal_v1(&mut self, data: &str) -> String {
        let mac = hmac::v1(self.psk.as_bytes(), data.as_bytes());
        let (id, now, nonce) = (self.id.clone(), self.now(), self.nonce());
        format!(
            r#"{{"agent_id":"{id}","timestamp":{now},"nonce":"{nonce}","hmac":"{mac}","data":{data}}}"#
        )
    }

    /// A version 2 envelope around these bytes, not sent yet. The agent id must be hexadecimal.
    pub(crate) fn seal_v2(&mut self, data: &str) -> String {
        self.tick = (self.tick + 1).max(self.clock.now_millis());
        let kid: Kid = kid_of_psk(self.psk.as_bytes());
        let digest = kattila::model::hex::encode(&sha256(data.as_bytes()));
        let (now, nonce) = (self.now(), self.nonce());
        let (fleet, id, tick) = (&self.fleet, &self.id, self.tick);
        let text = format!(
            "KATTILA2-REPORT\nhmac-sha256\n{kid}\n{fleet}\n{id}\n{tick}\n{now}\n{nonce}\n{digest}\n"
        );
        let sig = hmac::v2(self.psk.as_bytes(), &text);
        format!(
            r#"{{"v":2,"alg":"hmac-sha256","kid":"{kid}","fleet_id":"{fleet}","agent_id":"{id}","tick":{tick},"timestamp":{now},"nonce":"{nonce}","sig":"{sig}","data":{data}}}"#
        )
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&self, envelope: &str) -> Answer {
        post_json(self.addr, "/status/updates", &[], envelope.to_owned()).await
    }

    /// Reports in version 2 and expects to be believed.
    pub(crate) async fn report(&mut self, data: &Value) -> Answer {
        let envelope = self.seal_v2(&data.to_string());
        let answer = self.send(&envelope).await;
        assert_eq!(answer.status, 200, "{}: {}", self.id, answer.text());
        answer
    }

    /// Reports in version 1 and expects to be believed.
    pub(crate) async fn report_v1(&mut self, data: &Value) -> Answer {
        let envelope = self.seal_v1(&data.to_string());
        let answer = self.send(&envelope).await;
        assert_eq!(answer.status, 200, "{}: {}", self.id, answer.text());
        answer
    }
}

/// Somebody who looks.
pub(crate) struct Operator {
    addr: SocketAddr,
    bearer: String,
}

impl Operator {
    pub(crate) fn new(addr: SocketAddr, token: &str) -> Self {
        Self { addr, bearer: format!("Bearer {token}") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        get(self.addr, path, &[("authorization", &self.bearer)]).await
    }

    /// The answer of a manager that may not be there.
    pub(crate) async fn try_json(&self, path: &str) -> Result<Value, NoAnswer> {
        let answer = try_get(self.addr, path, &[("authorization", &self.bearer)]).await?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        Ok(answer.json())
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        post_json(self.addr, path, &[("authorization", &self.bearer)], body.to_string()).await
    }

    /// Sends a page's form.
    pub(crate) async fn form(&self, path: &str, fields: &str) -> Answer {
        let headers = [
            ("authorization", self.bearer.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        send(self.addr, Method::POST, path, &headers, fields.to_owned()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        let headers = [("authorization", self.bearer.as_str())];
        send(self.addr, Method::DELETE, path, &headers, String::new()).await
    }

    pub(crate) async fn agents(&self) -> Vec<Value> {
        self.json("/status/agents").await.as_array().unwrap().clone()
    }

    /// The open alarms as `kind subject state`, sorted.
    pub(crate) async fn alarms(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .json("/status/alarms")
            .await
            .as_array()
            .unwrap()
            .iter()
            .map(|a| {
                let text = |name: &str| a[name].as_str().unwrap().to_owned();
                format!("{} {} {}", text("kind"), text("subject"), text("state"))
            })
            .collect();
        all.sort();
        all
    }

    pub(crate) async fn topology(&self) -> Value {
        self.json("/api/v1/topology").await
    }

    /// The events after one, as `kind subject`.
    pub(crate) async fn events(&self) -> Vec<String> {
        let events = self.json("/api/v1/events?after=0&limit=1000").await;
        let list = events.as_array().or_else(|| events["events"].as_array()).unwrap().clone();
        list.iter()
            .map(|e| format!("{} {}", e["kind"].as_str().unwrap(), e["subject"].as_str().unwrap()))
            .collect()
    }
}

/// Somebody who acts.
pub(crate) struct Admin(Operator);

impl Admin {
    pub(crate) fn new(addr: SocketAddr, token: &str) -> Self {
        Self(Operator::new(addr, token))
    }

    pub(crate) async fn reset(&self, body: &Value) -> Answer {
        self.0.post("/status/admin/reset", body).await
    }

    pub(crate) async fn reset_agent(&self, id: &str) -> Value {
        let answer = self.reset(&json!({ "agent_id": id })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}
