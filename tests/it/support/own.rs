//! A host with a key of its own: enrols, rotates, reports. Members are chosen by the test.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kattila::clock::Clock;
use kattila::model::hex;
use kattila::model::time::UnixSeconds;
use kattila::sign::digest::sha256;
use kattila::sign::ed25519::{SecretKey, agent_id_of};
use kattila::sign::hmac;
use kattila::sign::psk::kid_of_psk;
use kattila::sign::relay::{RelaySigner, wrap};
use kattila::wire::relay::{Stamp, next_hop};

use super::http::{Answer, post_json};
use super::manager::{PSK, TestManager};

/// A host with a key of its own.
pub(crate) struct Own {
    pub(crate) id: String,
    pub(crate) key: SecretKey,
    pub(crate) psk: String,
    addr: SocketAddr,
    clock: Clock,
    tick: i64,
    count: u64,
}

/// The key of a seed.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

impl Own {
    /// Named by its key.
    pub(crate) fn new(kattila: &TestManager, seed: u8) -> Self {
        let id = agent_id_of(&key(seed).public());
        Self::named(kattila, &id, seed)
    }

    /// Of any name.
    pub(crate) fn named(kattila: &TestManager, id: &str, seed: u8) -> Self {
        let mut host = Self::alone(id, kattila.clock.clone()).at(kattila);
        (host.key, host.count) = (key(seed), u64::from(seed) << 32);
        host
    }

    /// Without a manager to send to.
    pub(crate) fn alone(id: &str, clock: Clock) -> Self {
        let (id, psk, key) = (id.to_owned(), PSK.to_owned(), key(0));
        let addr = "127.0.0.1:1".parse().unwrap();
        Self { id, key, psk, addr, clock, tick: 0, count: 0 }
    }

    /// The same host after its manager moved to another address.
    pub(crate) fn at(mut self, kattila: &TestManager) -> Self {
        self.addr = kattila.addr();
        self
    }

    fn nonce(&mut self) -> String {
        self.count += 1;
        format!("nonce-{:016}", self.count)
    }

    /// A registration, not sent yet; `old` signs too.
    pub(crate) fn registration(&mut self, old: Option<&SecretKey>) -> String {
        let public = self.key.public();
        let (now, nonce) = (self.clock.now(), self.nonce());
        let id = &self.id;
        let text = format!("KATTILA2-REGISTER\nfleet-a\n{id}\n{public}\n{now}\n{nonce}\nhost-1\n");
        let psk = self.psk.as_bytes();
        let (kid, derived) = (kid_of_psk(psk), hmac::register_key(psk));
        let mac = hex::encode(&hmac::mac(derived.as_slice(), text.as_bytes()));
        let sign = |key: &SecretKey| URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()));
        let sig = sign(&self.key);
        let prev = old.map(|old| format!(r#","prev_sig":"{}""#, sign(old))).unwrap_or_default();
        format!(
            r#"{{"v":2,"fleet_id":"fleet-a","agent_id":"{id}","public_key":"{public}","timestamp":{now},"nonce":"{nonce}","hostname":"host-1","psk_kid":"{kid}","psk_mac":"{mac}","sig":"{sig}"{prev}}}"#
        )
    }

    /// Sends a registration as it is.
    pub(crate) async fn send_registration(&self, body: &str) -> Answer {
        post_json(self.addr, "/status/register", &[], body.to_owned()).await
    }

    /// Asks to be known by its key.
    pub(crate) async fn register(&mut self) -> Answer {
        let body = self.registration(None);
        self.send_registration(&body).await
    }

    /// Asks to be known by another key from now on, and uses it.
    pub(crate) async fn rotate(&mut self, seed: u8) -> Answer {
        let old = std::mem::replace(&mut self.key, key(seed));
        let body = self.registration(Some(&old));
        self.send_registration(&body).await
    }

    /// A report, not sent yet.
    pub(crate) fn seal(&mut self, data: &str) -> String {
        self.tick = (self.tick + 1).max(self.clock.now_millis());
        let digest = hex::encode(&sha256(data.as_bytes()));
        let (now, nonce, kid) = (self.clock.now(), self.nonce(), self.key.kid());
        let (id, tick) = (&self.id, self.tick);
        let text = format!(
            "KATTILA2-REPORT\ned25519\n{kid}\nfleet-a\n{id}\n{tick}\n{now}\n{nonce}\n{digest}\n"
        );
        let sig = URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()));
        format!(
            r#"{{"v":2,"alg":"ed25519","kid":"{kid}","fleet_id":"fleet-a","agent_id":"{id}","tick":{tick},"timestamp":{now},"nonce":"{nonce}","sig":"{sig}","data":{data}}}"#
        )
    }

    /// What it says of itself when it relays these bytes, for a test to change.
    pub(crate) fn layer(&self, inner: &str) -> Layer {
        let hop = next_hop(inner.as_bytes()).unwrap_or(1);
        Layer { fleet: "fleet-a".to_owned(), id: self.id.clone(), hop, at: self.clock.now().0 }
    }

    /// Wraps what another agent gave it.
    pub(crate) fn wrap(&mut self, layer: &Layer, inner: &str) -> String {
        let nonce = self.nonce();
        layer.around(inner, &nonce, &RelaySigner::Own(&self.key))
    }

    /// Wraps as it should.
    pub(crate) fn relay(&mut self, inner: &str) -> String {
        let layer = self.layer(inner);
        self.wrap(&layer, inner)
    }

    /// Sends a report as it is.
    pub(crate) async fn send(&self, envelope: &str) -> Answer {
        post_json(self.addr, "/status/updates", &[], envelope.to_owned()).await
    }

    /// Reports.
    pub(crate) async fn report(&mut self) -> Answer {
        let envelope = self.seal(r#"{"hostname":"host-1"}"#);
        self.send(&envelope).await
    }
}

/// What a relay says of itself.
pub(crate) struct Layer {
    pub(crate) fleet: String,
    pub(crate) id: String,
    pub(crate) hop: i64,
    pub(crate) at: i64,
}

impl Layer {
    pub(crate) fn around(&self, inner: &str, nonce: &str, signer: &RelaySigner<'_>) -> String {
        let (fleet_id, relay_id) = (self.fleet.parse().unwrap(), self.id.parse().unwrap());
        let timestamp = UnixSeconds(self.at);
        let stamp =
            Stamp { fleet_id: &fleet_id, relay_id: &relay_id, hop: self.hop, timestamp, nonce };
        String::from_utf8(wrap(inner.as_bytes(), &stamp, signer).unwrap()).unwrap()
    }
}

/// The status and the problem's code, or the status word of an answer.
pub(crate) fn outcome(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let word = body["code"].as_str().or_else(|| body["status"].as_str()).unwrap_or_default();
    (answer.status, word.to_owned())
}
