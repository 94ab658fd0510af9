//! Makes the agent's own key known to the manager (PROTOCOL 1.4), and chooses what signs.
//!
//! Enrolled, the agent signs with its own key and needs no pre-shared one any more, also not
//! after a restart. Until then it asks to be enrolled under the pre-shared key; a manager that
//! enrols nobody gets reports signed with that key, and is asked again every hour.

use std::sync::Arc;

use serde::Serialize;

use crate::model::hex;
use crate::sign::ed25519::SecretKey;
use crate::sign::hmac::{mac, register_key};
use crate::sign::nonce;
use crate::wire::answer::{self, Enrolled};
use crate::wire::signing::Register;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::{Answer, Refusal};
use super::client::{Door, lost};
use super::files::Home;
use super::identity::Identity;
use super::pulse::{Now, spread};
use super::seal::{Sender, Signer};
use exchange::Exchange;

pub mod exchange;

/// Says with which manager this identity is enrolled.
const FILE: &str = "enrolled";

/// A manager that enrols nobody is asked again after this long.
const CLOSED_MS: i64 = 3_600_000;

/// An agent that waits for approval asks again after this long.
const PENDING_MS: i64 = 60_000;

/// What only a person can put right is tried again after this long.
const FORBIDDEN_MS: i64 = 300_000;

/// How this agent stands with its manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not known, or no longer.
    Unknown,
    /// Its own key is pinned.
    Enrolled,
    /// An admin has to approve it.
    Pending,
    /// The manager takes no new identities, or does not know how.
    Closed,
}

/// What an attempt to enrol brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The standing is settled: report, with the own key if it is enrolled.
    Settled(Standing),
    /// Nothing is to be sent for so many milliseconds.
    Wait(i64),
    /// The manager was not reached, or asks for patience.
    Failed(Answer),
    /// The pre-shared key is wrong.
    BadKey,
}

/// The body of `POST /status/register`.
#[derive(Serialize)]
struct Request<'a> {
    v: u8,
    fleet_id: &'a str,
    agent_id: &'a str,
    public_key: &'a str,
    timestamp: i64,
    nonce: &'a str,
    hostname: &'a str,
    psk_kid: &'a str,
    psk_mac: &'a str,
    sig: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_sig: Option<String>,
}

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The pre-shared key that vouches.
    pub psk: &'a Signer,
    /// The agent.
    pub sender: &'a Sender,
    /// Its host's name.
    pub hostname: &'a str,
    /// Now.
    pub now: Now,
}

/// The agent's standing and its key.
#[derive(Debug)]
pub struct Enrolment {
    home: Arc<Home>,
    identity: Identity,
    /// The manager's address.
    manager: String,
    standing: Standing,
    /// When to ask again, by the pulse.
    ask_again: i64,
    /// The exchange of the key, if one is under way.
    exchange: Option<Exchange>,
}

impl Enrolment {
    /// Knows what the last run knew, if it spoke to the same manager. An exchange of the key
    /// that was under way goes on; one that the manager has agreed to is finished.
    pub fn load(
        home: Arc<Home>,
        identity: Identity,
        next: Option<Arc<SecretKey>>,
        manager: &str,
    ) -> std::io::Result<Self> {
        let mut this = Self {
            home,
            identity,
            manager: manager.to_owned(),
            standing: Standing::Unknown,
            ask_again: i64::MIN,
            exchange: next.map(Exchange::resumed),
        };
        this.finish_if_agreed()?;
        if this.home.read(FILE)?.unwrap_or_default() == this.mark(&this.identity.secret) {
            this.standing = Standing::Enrolled;
        }
        Ok(this)
    }

    /// What is kept once a key is enrolled with this manager.
    fn mark(&self, key: &SecretKey) -> Vec<u8> {
        format!("{}\n{}\n", self.manager, key.kid()).into_bytes()
    }

    /// This agent.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The own key, if it is to sign.
    pub fn own(&self) -> Option<Signer> {
        let enrolled = self.standing == Standing::Enrolled;
        let next = self.exchange.as_ref().and_then(Exchange::signs);
        enrolled.then(|| Signer::Own(Arc::clone(next.unwrap_or(&self.identity.secret))))
    }

    /// How long nothing is sent because an admin has to approve this host first.
    pub fn patience(&self, now: Now) -> Option<i64> {
        let waits = self.standing == Standing::Pending && self.ask_again > now.pulse;
        waits.then(|| self.ask_again.saturating_sub(now.pulse))
    }

    /// Whether it is time to ask.
    pub fn is_due(&self, now: Now) -> bool {
        self.standing != Standing::Enrolled && self.ask_again <= now.pulse
    }

    /// The manager does not know this key, or knows it and was not shown it: ask again.
    pub fn doubt(&mut self) {
        self.standing = Standing::Unknown;
        self.ask_again = i64::MIN;
    }

    /// Speaks to another manager from now on.
    pub fn move_to(&mut self, manager: &str) {
        if self.manager != manager {
            manager.clone_into(&mut self.manager);
            self.doubt();
        }
    }

    /// Asks to be enrolled.
    pub async fn ask(&mut self, door: &Door, asking: &Asking<'_>) -> Outcome {
        let now = asking.now;
        let body = match self.request(asking, None) {
            Ok(Some(body)) => body,
            Ok(None) => return Outcome::Settled(self.standing),
            Err(error) => {
                tracing::warn!(%error, "The operating system gave no random bytes");
                return Outcome::Wait(PENDING_MS);
            }
        };
        let reply = match door.exchange("status/register", body.into()).await {
            Ok(reply) => reply,
            Err(error) => return Outcome::Failed(lost(&error)),
        };
        match (reply.status, serde_json::from_slice::<Enrolled>(&reply.body)) {
            (200..=202, Ok(enrolled)) => self.taken(enrolled.status, now),
            (200..=202, Err(_)) => Outcome::Failed(stranger()),
            _ => self.refused(&reply.answer(), now),
        }
    }

    /// The body that asks for this host's key, or for the next one, which the one in force
    /// signs for; `None` if it is not the shared key that is to vouch.
    fn request(
        &self,
        asking: &Asking<'_>,
        next: Option<&SecretKey>,
    ) -> Result<Option<Vec<u8>>, getrandom::Error> {
        let Asking { psk, sender, hostname, now } = *asking;
        let Signer::Psk { kid, secret } = psk else { return Ok(None) };
        let own = &*self.identity.secret;
        let asked = next.unwrap_or(own);
        let (key, nonce) = (asked.public().to_string(), nonce::fresh()?);
        let text = Register {
            fleet_id: &sender.fleet_id,
            agent_id: &sender.agent_id,
            public_key: &key,
            timestamp: now.second(),
            nonce: &nonce,
            hostname,
        }
        .text();
        let request = Request {
            v: 2,
            fleet_id: sender.fleet_id.as_str(),
            agent_id: sender.agent_id.as_str(),
            public_key: &key,
            timestamp: now.second().0,
            nonce: &nonce,
            hostname,
            psk_kid: kid.as_str(),
            psk_mac: &hex::encode(&mac(register_key(secret).as_slice(), text.as_bytes())),
            sig: &URL_SAFE_NO_PAD.encode(asked.sign(text.as_bytes())),
            prev_sig: next.map(|_| URL_SAFE_NO_PAD.encode(own.sign(text.as_bytes()))),
        };
        Ok(serde_json::to_vec(&request).ok())
    }

    /// The manager knows the key, or will once an admin has said so.
    fn taken(&mut self, standing: answer::Standing, now: Now) -> Outcome {
        let agent_id = &self.identity.agent_id;
        match standing {
            answer::Standing::Enrolled => {
                tracing::info!(%agent_id, "Enrolled: this host's own key signs from now on");
                if let Err(error) = self.home.write(FILE, &self.mark(&self.identity.secret)) {
                    // Then the next run asks again, and is told that it is known.
                    tracing::warn!(%error, "That this host is enrolled cannot be kept on disk");
                }
                self.standing = Standing::Enrolled;
                Outcome::Settled(self.standing)
            }
            answer::Standing::PendingApproval => {
                if self.standing != Standing::Pending {
                    tracing::warn!(%agent_id, "An admin has to approve this host; asking again");
                }
                self.standing = Standing::Pending;
                self.ask_again = now.pulse.saturating_add(spread(PENDING_MS, 10));
                Outcome::Wait(self.ask_again.saturating_sub(now.pulse))
            }
        }
    }

    fn refused(&mut self, answer: &Answer, now: Now) -> Outcome {
        let Answer::Refused(Refusal { status, code, .. }) = answer else {
            return Outcome::Failed(answer.clone());
        };
        let words = answer.in_words();
        match (status, code.as_str()) {
            (401, _) => Outcome::BadKey,
            (403, "enrollment_closed") | (400 | 404 | 405 | 415 | 422, _) => {
                if self.standing != Standing::Closed {
                    tracing::info!(answer = words, "Not enrolled: the pre-shared key signs");
                }
                self.standing = Standing::Closed;
                self.ask_again = now.pulse.saturating_add(spread(CLOSED_MS, 10));
                Outcome::Settled(self.standing)
            }
            (403 | 409 | 300..=399, _) => {
                tracing::error!(answer = words, "The manager refuses to enrol this host");
                Outcome::Wait(spread(FORBIDDEN_MS, 10))
            }
            _ => Outcome::Failed(answer.clone()),
        }
    }
}

/// Somebody answered in the manager's place.
fn stranger() -> Answer {
    Answer::Lost { sent: true, why: "who answered is no kattila manager".to_owned() }
}

/// A host's name as the protocol takes it: at most 253 of `A-Z a-z 0-9 . _ -`.
pub fn plain_hostname(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.chars().filter(plain).take(253).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UnixSeconds;
    use crate::sign::psk::kid_of_psk;
    use zeroize::Zeroizing;

    fn enrolment(home: &Arc<Home>, manager: &str) -> Enrolment {
        let mut seed = [0; 32];
        for (byte, value) in seed.iter_mut().zip(0..) {
            *byte = value;
        }
        let identity = Identity {
            agent_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            secret: Arc::new(SecretKey::from_seed(&seed)),
        };
        Enrolment::load(Arc::clone(home), identity, None, manager).unwrap()
    }

    fn now() -> Now {
        Now { wall: 1_795_214_286_123, pulse: 0 }
    }

    #[test]
    fn the_request_is_signed_as_published() {
        let dir = tempfile::tempdir().unwrap();
        let home = Arc::new(Home::open(dir.path()).unwrap());
        let secret = Zeroizing::new(b"kattila-test-psk-000000000000000".to_vec());
        let psk = Signer::Psk { kid: kid_of_psk(&secret), secret: secret.clone() };
        let sender = Sender {
            agent_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            fleet_id: "fleet-a".parse().unwrap(),
        };
        let enrolment = enrolment(&home, "http://m");
        let asking = Asking { psk: &psk, sender: &sender, hostname: "gw-1", now: now() };
        let body = enrolment.request(&asking, None).unwrap().unwrap();
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let text = Register {
            fleet_id: &sender.fleet_id,
            agent_id: &sender.agent_id,
            public_key: "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg",
            timestamp: UnixSeconds(1_795_214_286),
            nonce: read["nonce"].as_str().unwrap(),
            hostname: "gw-1",
        }
        .text();
        let expected = hex::encode(&mac(register_key(&secret).as_slice(), text.as_bytes()));
        assert_eq!(read["psk_mac"], expected);
        let sig = enrolment.identity.secret.sign(text.as_bytes());
        assert_eq!(read["sig"], URL_SAFE_NO_PAD.encode(sig));
        assert_eq!(read["public_key"], "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
        assert!(read.get("prev_sig").is_none());
        let next = SecretKey::from_seed(&[9; 32]);
        let body = enrolment.request(&asking, Some(&next)).unwrap().unwrap();
        let asked = crate::wire::register::parse(&body).unwrap();
        let [sig, prev] = [asked.sig, asked.prev_sig.unwrap()];
        assert_eq!(asked.public_key, next.public());
        assert_eq!(sig, next.sign(asked.text().as_bytes()));
        assert_eq!(prev, enrolment.identity.secret.sign(asked.text().as_bytes()));
        assert_eq!((&read["v"], &read["psk_kid"]), (&2.into(), &"45819852fbdfc69a".into()));
    }

    #[test]
    fn enrolled_once_enrolled_for_good_with_that_manager() {
        let dir = tempfile::tempdir().unwrap();
        let home = Arc::new(Home::open(dir.path()).unwrap());
        let mut first = enrolment(&home, "http://m");
        assert!(first.is_due(now()) && first.own().is_none());
        let outcome = first.taken(answer::Standing::Enrolled, now());
        assert_eq!(outcome, Outcome::Settled(Standing::Enrolled));
        assert_eq!(enrolment(&home, "http://m").standing(), Standing::Enrolled);
        assert_eq!(enrolment(&home, "http://other").standing(), Standing::Unknown);
        let mut moved = enrolment(&home, "http://m");
        moved.move_to("http://other");
        assert!(moved.own().is_none());
    }

    #[test]
    fn every_answer_has_its_outcome() {
        let dir = tempfile::tempdir().unwrap();
        let home = Arc::new(Home::open(dir.path()).unwrap());
        let outcome = |status: u16, code: &str| {
            let body = format!("{{\"code\":\"{code}\"}}");
            let mut enrolment = enrolment(&home, "http://m");
            let answer = Answer::read(status, None, body.as_bytes());
            let outcome = enrolment.refused(&answer, now());
            (outcome, enrolment.is_due(now()))
        };
        let closed = (Outcome::Settled(Standing::Closed), false);
        assert_eq!(outcome(403, "enrollment_closed"), closed);
        assert_eq!(outcome(404, "not_found"), closed);
        assert_eq!(outcome(401, "signature_invalid"), (Outcome::BadKey, true));
        let mut waits = enrolment(&home, "http://m");
        let outcome_of_waiting = waits.taken(answer::Standing::PendingApproval, now());
        assert!(matches!(outcome_of_waiting, Outcome::Wait(54_000..=66_000)));
        assert!(!waits.is_due(now()) && waits.patience(now()).is_some());
        assert!(matches!(outcome(403, "agent_revoked"), (Outcome::Wait(_), true)));
        assert!(matches!(outcome(409, "identity_conflict"), (Outcome::Wait(_), true)));
        assert!(matches!(outcome(503, "overloaded"), (Outcome::Failed(_), true)));
    }

    #[test]
    fn odd_host_names_become_plain() {
        assert_eq!(plain_hostname("gw-1.example"), "gw-1.example");
        assert_eq!(plain_hostname("h\u{f6}st name"), "hstname");
        assert_eq!(plain_hostname(&"x".repeat(300)).len(), 253);
    }
}
