//! Exchanges this host's key for a new one, which the one before signs for (PROTOCOL 1.4).
//!
//! The host can sign at any moment, whatever is killed when. A person's wish is the file
//! [`WISH`]. The new key is on disk, beside the old one, before the manager hears of it. The
//! manager's answer is kept by naming the new key in the file that says what is enrolled: from
//! then on the new key is the identity, and what is left is to rename it. While nobody knows
//! whether the manager has agreed, the old key signs, then the new one, until one is taken.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Asking, Enrolment, FILE, PENDING_MS, Standing, stranger};
use crate::agent::answer::{Answer, Refusal};
use crate::agent::client::{Door, lost};
use crate::agent::files;
use crate::agent::identity::{self, Identity};
use crate::agent::pulse::{Now, spread};
use crate::model::id::Kid;
use crate::sign::ed25519::SecretKey;
use crate::wire::answer::{self, Enrolled};

/// A person wants another key. Holds [`ASKED`], or why it was given up.
pub const WISH: &str = "rotate";

/// What a wish says that nobody has looked at.
const ASKED: &[u8] = b"asked\n";

/// An attempt that brought nothing is made again after this long.
const AGAIN_MS: i64 = 60_000;

/// What only a person can put right is tried again after this long.
const REFUSED_MS: i64 = 300_000;

/// An exchange that is under way.
#[derive(Debug)]
pub(super) struct Exchange {
    next: Arc<SecretKey>,
    /// When to ask again, by the pulse.
    due: i64,
    /// Whether the manager may have heard of the new key.
    may_be_known: bool,
    /// Whether the new key signs: the old one was not taken any more.
    signs: bool,
}

impl Exchange {
    fn new(next: Arc<SecretKey>) -> Self {
        Self { next, due: i64::MIN, may_be_known: false, signs: false }
    }

    /// One of which nobody knows how far the last run came.
    pub(super) fn resumed(next: Arc<SecretKey>) -> Self {
        Self { may_be_known: true, ..Self::new(next) }
    }

    /// The new key, if it is to sign.
    pub(super) fn signs(&self) -> Option<&Arc<SecretKey>> {
        self.signs.then_some(&self.next)
    }
}

/// How far an exchange is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// None is under way, and this key signs.
    Done(Kid),
    /// It goes on later.
    Later(String),
    /// It was given up.
    GivenUp(String),
}

/// What a wish has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// There is none: it was fulfilled.
    Gone,
    /// It waits.
    Waits,
    /// It was given up.
    GivenUp(String),
}

/// Asks the agent that holds the directory for another key.
pub fn wish(dir: &Path) -> io::Result<()> {
    files::leave(dir, WISH, ASKED)
}

/// Looks what became of a wish.
pub fn wish_now(dir: &Path) -> io::Result<Wish> {
    match std::fs::read(dir.join(WISH)) {
        Ok(text) if text == ASKED => Ok(Wish::Waits),
        Ok(text) => Ok(Wish::GivenUp(String::from_utf8_lossy(&text).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Wish::Gone),
        Err(error) => Err(error),
    }
}

impl Enrolment {
    /// Makes a new key if a person wants one.
    pub fn heed_wish(&mut self) {
        let asked = self.exchange.is_none() && matches!(self.wish(), Ok(Wish::Waits));
        if asked && let Progress::GivenUp(why) = self.begin_exchange() {
            tracing::error!(why, "This host's key cannot be exchanged");
        }
    }

    fn wish(&self) -> io::Result<Wish> {
        wish_now(self.home.dir())
    }

    /// Makes the new key, unless there is one already.
    pub fn begin_exchange(&mut self) -> Progress {
        if self.exchange.is_some() {
            return Progress::Later("an exchange is under way already".to_owned());
        }
        if self.standing != Standing::Enrolled {
            let why = "this host is not enrolled under a key of its own yet, so there is none to \
                       exchange: see that its reports are taken first";
            return self.give_up(why);
        }
        match self.identity.make_next(&self.home) {
            Ok(next) => {
                tracing::info!(kid = %next.kid(), "Made a new key for this host; asking the manager");
                self.exchange = Some(Exchange::new(next));
                Progress::Later("the manager has not been asked yet".to_owned())
            }
            Err(error) => self.give_up(&error.to_string()),
        }
    }

    /// Whether the manager is to be asked now.
    pub fn exchange_is_due(&self, now: Now) -> bool {
        let due = self.exchange.as_ref().is_some_and(|exchange| exchange.due <= now.pulse);
        due && self.standing == Standing::Enrolled
    }

    /// Asks again later.
    pub fn put_off_exchange(&mut self, now: Now, millis: i64) {
        if let Some(exchange) = &mut self.exchange {
            exchange.due = now.pulse.saturating_add(spread(millis, 10));
        }
    }

    /// Asks the manager to take the new key.
    pub async fn exchange(&mut self, door: &Door, asking: &Asking<'_>) -> Progress {
        let Some(exchange) = &mut self.exchange else { return self.settled() };
        exchange.may_be_known = true;
        let next = Arc::clone(&exchange.next);
        let body = match self.request(asking, Some(&next)) {
            Ok(Some(body)) => body,
            Ok(None) => return Progress::Later("there is no pre-shared key to vouch".to_owned()),
            Err(error) => return self.later(asking.now, AGAIN_MS, error.to_string()),
        };
        let reply = match door.exchange("status/register", body.into()).await {
            Ok(reply) => reply,
            Err(error) => return self.later(asking.now, AGAIN_MS, lost(&error).in_words()),
        };
        match (reply.status, serde_json::from_slice::<Enrolled>(&reply.body)) {
            (200..=202, Ok(Enrolled { status: answer::Standing::Enrolled, .. })) => self.agreed(),
            (200..=202, Ok(_)) => {
                let why = "an admin has to approve this host first".to_owned();
                self.later(asking.now, PENDING_MS, why)
            }
            (200..=202, Err(_)) => self.later(asking.now, AGAIN_MS, stranger().in_words()),
            _ => self.declined(&reply.answer(), asking.now),
        }
    }

    fn declined(&mut self, answer: &Answer, now: Now) -> Progress {
        let words = answer.in_words();
        let Answer::Refused(Refusal { status, code, .. }) = answer else {
            return self.later(now, AGAIN_MS, words);
        };
        match (status, code.as_str()) {
            // Neither key is the one in force, or the manager does not know how: it has not
            // taken the new one, and will not.
            (409, "identity_conflict") | (400 | 404 | 405 | 415 | 422, _) => self.give_up(&words),
            // Also: signed in the second in which the key before was taken.
            (403, "timestamp_skew") => self.later(now, AGAIN_MS, words),
            (403 | 409, _) => self.later(now, REFUSED_MS, words),
            _ => self.later(now, AGAIN_MS, words),
        }
    }

    fn later(&mut self, now: Now, millis: i64, why: String) -> Progress {
        tracing::warn!(why, "This host's key is not exchanged yet; both are kept");
        self.put_off_exchange(now, millis);
        Progress::Later(why)
    }

    fn give_up(&mut self, why: &str) -> Progress {
        self.exchange = None;
        let told = self.home.remove(identity::NEXT).and_then(|()| match self.wish()? {
            Wish::Waits => self.home.write(WISH, format!("{why}\n").as_bytes()),
            Wish::Gone | Wish::GivenUp(_) => Ok(()),
        });
        if let Err(error) = told {
            tracing::warn!(%error, "The end of an exchange of keys cannot be kept on disk");
        }
        tracing::error!(why, "This host's key is not exchanged; the one before stays");
        Progress::GivenUp(why.to_owned())
    }

    /// The manager has taken the new key.
    fn agreed(&mut self) -> Progress {
        let Some(exchange) = &mut self.exchange else { return self.settled() };
        // The old one is refused from now on, whatever the disk does.
        exchange.signs = true;
        let mark = {
            let next = Arc::clone(&exchange.next);
            self.mark(&next)
        };
        match self.home.write(FILE, &mark).and_then(|()| self.finish_if_agreed()) {
            Ok(()) => self.settled(),
            Err(error) => {
                tracing::error!(%error, "The new key cannot be put in its place; trying again");
                Progress::Later(format!("the disk: {error}"))
            }
        }
    }

    /// Puts the new key in the old one's place if what is enrolled names it.
    pub(super) fn finish_if_agreed(&mut self) -> io::Result<()> {
        let Some(exchange) = &self.exchange else { return Ok(()) };
        let kid = exchange.next.kid();
        let enrolled = self.home.read(FILE)?.unwrap_or_default();
        let names_it = String::from_utf8_lossy(&enrolled).lines().nth(1) == Some(kid.as_str());
        if !names_it {
            return Ok(());
        }
        // A wish that outlived its fulfilment would be fulfilled twice.
        self.home.remove(WISH)?;
        self.home.replace(identity::FILE, identity::NEXT)?;
        let (agent_id, secret) = (self.identity.agent_id.clone(), Arc::clone(&exchange.next));
        tracing::info!(%agent_id, %kid, "This host signs with its new key");
        self.identity = Identity { agent_id, secret };
        self.exchange = None;
        Ok(())
    }

    fn settled(&self) -> Progress {
        Progress::Done(self.identity.secret.kid())
    }

    /// What an answer to a report under this key says of an exchange that is in doubt. `false`
    /// if the key was refused and there is no other to try.
    pub fn weigh(&mut self, kid: &Kid, answer: &Answer) -> bool {
        let Some(exchange) = &mut self.exchange else { return false };
        let is_next = exchange.next.kid() == *kid;
        match answer {
            Answer::Stored(_) if is_next => drop(self.agreed()),
            Answer::Refused(Refusal { status: 401, .. }) => {
                exchange.signs = exchange.may_be_known && !is_next;
                return exchange.signs;
            }
            Answer::Stored(_) | Answer::Refused(_) | Answer::Lost { .. } => {}
        }
        true
    }
}
