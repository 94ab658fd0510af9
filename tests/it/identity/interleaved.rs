//! Whatever order things come in, and whatever was recorded and sent again: a report counts only
//! if the key that is pinned at that moment made it.

use kattila::model::key::IdentityKey;
use kattila::process::handle::{Command, CommandError, ResetTarget, Submission};
use kattila::process::identity::Enrolled;
use kattila::sign::ed25519::{SecretKey, agent_id_of};
use kattila::verify::enrol::{Registration, verify_registration};
use kattila::verify::rejection::Rejection;
use kattila::verify::{Policy, verify_report};
use proptest::prelude::*;

use crate::support::actors::Agent;
use crate::support::engine::Engine;
use crate::support::manager::PSK;
use crate::support::own::{Own, key};
use crate::wire_vectors::ring;

/// How many keys take part; the agent's id is made of the first.
const KEYS: u8 = 3;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// A key is offered.
    Register(u8),
    /// A key is offered, and another one signs for it.
    Rotate(u8, u8),
    /// A registration that was sent before is sent again.
    Replay(usize),
    /// A report comes under the shared key.
    Shared,
    Unpin,
    Forget,
    Revoke,
    Approve,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0..KEYS).prop_map(Act::Register),
        4 => (0..KEYS, 0..KEYS).prop_map(|(new, old)| Act::Rotate(new, old)),
        6 => any::<usize>().prop_map(Act::Replay),
        1 => Just(Act::Shared),
        2 => Just(Act::Unpin),
        1 => Just(Act::Forget),
        1 => Just(Act::Revoke),
        2 => Just(Act::Approve),
    ]
}

/// A registration that was made: its bytes, when, for which key, signed by which old one.
#[derive(Clone)]
struct Made {
    body: String,
    at: i64,
    key: u8,
    old: Option<u8>,
}

/// What should be, in the plainest words.
#[derive(Debug, Default)]
struct Model {
    known: bool,
    present: bool,
    retired: bool,
    pinned: Option<u8>,
    revoked: bool,
    taken_until: i64,
}

impl Model {
    fn is_out(&self) -> bool {
        self.revoked || (self.present && self.retired)
    }

    /// What a registration is answered, and what it changes.
    fn register(&mut self, made: &Made, now: i64) -> &'static str {
        let vouched = self.pinned.is_some_and(|pinned| made.old == Some(pinned));
        let is_same = self.pinned == Some(made.key);
        let forged = self.pinned.is_some() && !is_same && made.old.is_some() && !vouched;
        let fresh = made.at > self.taken_until;
        let (answer, pins) = match self.pinned {
            _ if forged => ("signature_invalid", false),
            _ if self.is_out() => ("agent_revoked", false),
            Some(_) if is_same && self.present => ("known", false),
            Some(_) if !is_same && !vouched => ("identity_conflict", false),
            _ if !fresh => ("timestamp_skew", false),
            Some(_) if is_same => ("known", true),
            Some(_) => ("pinned", true),
            None if made.key == 0 || self.present => ("pinned", true),
            None => ("identity_conflict", false),
        };
        if pins {
            // Who was forgotten begins anew.
            self.retired &= self.present;
            (self.known, self.present) = (true, true);
            self.taken_until = if self.pinned.is_some() { now } else { made.at };
            self.pinned = Some(made.key);
        }
        answer
    }
}

struct Stage {
    engine: Engine,
    model: Model,
    made: Vec<Made>,
    host: Own,
    shared: Agent,
}

fn secret(number: u8) -> SecretKey {
    key(number + 1)
}

impl Stage {
    fn new(db: &std::path::Path) -> Self {
        let engine = Engine::start(db);
        let id = agent_id_of(&secret(0).public());
        let host = Own::alone(&id, engine.clock.clone());
        let shared = engine.agent(&id);
        Self { engine, model: Model::default(), made: Vec::new(), host, shared }
    }

    fn now(&self) -> i64 {
        self.engine.clock.now().0
    }

    async fn act(&mut self, act: Act) {
        self.engine.clock.set(self.engine.clock.now().plus(1));
        match act {
            Act::Register(key) => self.offer(key, None).await,
            Act::Rotate(key, old) => self.offer(key, Some(old)).await,
            Act::Replay(number) if !self.made.is_empty() => {
                let made = self.made[number % self.made.len()].clone();
                self.send(&made).await;
            }
            Act::Replay(_) => {}
            Act::Shared => self.shared().await,
            Act::Unpin => {
                let had = self.model.known;
                assert_eq!(self.reset(false, true).await.is_ok(), had);
                if self.model.pinned.take().is_some() {
                    self.model.taken_until = self.now();
                }
                (self.model.retired, self.model.revoked) = (false, false);
            }
            Act::Forget => {
                assert_eq!(self.reset(true, false).await.is_ok(), self.model.present);
                if std::mem::take(&mut self.model.present) && self.model.pinned.is_some() {
                    self.model.taken_until = self.now();
                }
            }
            Act::Revoke => self.set_out(true).await,
            Act::Approve => self.set_out(false).await,
        }
        self.reports().await;
    }

    async fn offer(&mut self, key: u8, old: Option<u8>) {
        self.host.key = secret(key);
        let body = self.host.registration(old.map(secret).as_ref());
        let made = Made { body, at: self.now(), key, old };
        self.made.push(made.clone());
        self.send(&made).await;
    }

    async fn send(&mut self, made: &Made) {
        let expected = self.model.register(made, self.now());
        let processor = self.engine.processor();
        let known = |agent: &_| processor.known(agent);
        let (ring, body) = (ring(&[PSK.as_bytes()]), made.body.clone().into());
        let now = self.engine.clock.now();
        let answer = match verify_registration(&body, &ring, &Policy::default(), known, now) {
            Ok(Registration::Enrolment(enrolment)) => processor.enrol(enrolment, None).await,
            Ok(Registration::Announcement(_)) => panic!("an announcement"),
            Err(rejection) => Err(rejection),
        };
        let word = match answer {
            Ok(Enrolled::Pinned) => "pinned",
            Ok(Enrolled::Known) => "known",
            Ok(Enrolled::Pending) => "pending",
            Err(rejection) => rejection.code().as_str(),
        };
        assert_eq!(word, expected, "key {} of {}, {:?}", made.key, made.at, self.model);
    }

    async fn reset(&self, forget: bool, identity: bool) -> Result<(), CommandError> {
        let target = ResetTarget::Agent(self.host.id.parse().unwrap());
        let command = Command::Reset { target, forget, identity, by: "kim".to_owned() };
        self.engine.processor().command(command).await.map(|_done| ())
    }

    async fn set_out(&mut self, out: bool) {
        let (agent, by) = (self.host.id.parse().unwrap(), "kim".to_owned());
        let command = if out {
            Command::Revoke { agent, by }
        } else {
            Command::Approve { agent, kid: None, by }
        };
        let done = self.engine.processor().command(command).await.is_ok();
        assert_eq!(done, self.model.present && self.model.retired != out);
        if done {
            self.model.retired = out;
            self.model.revoked = out && self.model.pinned.is_some();
            if self.model.pinned.is_some() {
                self.model.taken_until = self.now();
            }
        }
    }

    async fn shared(&mut self) {
        let envelope = self.shared.seal_v2("{}");
        let answer = self.submit(envelope).await;
        let expected = match (self.model.is_out(), self.model.pinned) {
            (true, _) => "agent_revoked",
            (false, Some(_)) => "identity_required",
            (false, None) => "ok",
        };
        assert_eq!(answer, expected, "{:?}", self.model);
        if answer == "ok" {
            self.model.retired &= self.model.present;
            (self.model.known, self.model.present) = (true, true);
        }
    }

    /// Every key tries to report; only the pinned one is believed.
    async fn reports(&mut self) {
        for number in 0..KEYS {
            self.host.key = secret(number);
            let envelope = self.host.seal("{}");
            let answer = self.submit(envelope).await;
            let expected = match self.model.pinned == Some(number) {
                false => "signature_invalid",
                true if self.model.is_out() => "agent_revoked",
                true => "ok",
            };
            assert_eq!(answer, expected, "key {number}, {:?}", self.model);
            self.model.present |= answer == "ok";
        }
    }

    async fn submit(&self, envelope: String) -> &'static str {
        let processor = self.engine.processor();
        let known = |agent: &_| processor.known(agent);
        let (ring, now) = (ring(&[PSK.as_bytes()]), self.engine.clock.now());
        let verified = verify_report(&envelope.into(), &ring, &Policy::default(), known, now);
        let answer = match verified {
            Ok(verified) => processor.submit(Submission::new(verified, None)).await,
            Err(rejection) => Err(rejection),
        };
        answer.map_or_else(|rejection| rejection.code().as_str(), |_accepted| "ok")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn only_the_pinned_key_is_believed(acts in prop::collection::vec(act(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut stage = Stage::new(&dir.path().join("k.db"));
            for act in acts {
                stage.act(act).await;
            }
            stage.engine.stop().await;
        });
    }
}

/// A report that was verified under the key of a moment ago is looked at again.
#[tokio::test]
async fn a_key_that_was_unpinned_on_the_way_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let mut stage = Stage::new(&dir.path().join("k.db"));
    stage.act(Act::Register(0)).await;
    stage.host.key = secret(0);
    let old: IdentityKey = stage.host.key.public();
    for unpin in [true, false] {
        let envelope = stage.host.seal("{}").into();
        let known = |_: &_| kattila::verify::Known { key: Some(old), ..Default::default() };
        let (ring, now) = (ring(&[PSK.as_bytes()]), stage.engine.clock.now());
        let verified = verify_report(&envelope, &ring, &Policy::default(), known, now).unwrap();
        stage.act(if unpin { Act::Unpin } else { Act::Shared }).await;
        let answer = stage.engine.processor().submit(Submission::new(verified, None)).await;
        assert!(matches!(answer, Err(Rejection::SignatureInvalid { .. })), "{answer:?}");
        stage.host.key = secret(0);
    }
    stage.engine.stop().await;
}
