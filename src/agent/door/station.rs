//! What the agent's door knows of its agent, and what it tells it: shared between the two, and
//! locked only to look and to write down.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::agent::client::Door;
use crate::agent::neighbour::{Neighbours, PeerStatus, Reach};
use crate::agent::seal::Sender;
use crate::clock::Clock;
use crate::model::id::AgentId;
use crate::model::time::UnixSeconds;
use crate::sign::digest::sha256;
use crate::sign::ed25519::SecretKey;

use super::rates::Rates;

/// A way to the manager through others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where the nearest of them listens.
    pub at: SocketAddr,
    /// All of them, the nearest first; never empty.
    pub relays: Vec<AgentId>,
}

/// How this agent reaches the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// Not at all, or it has not tried yet.
    Not,
    /// By itself.
    Direct,
    /// Through others.
    Through(Path),
}

/// What a relay signs as, and the way on.
#[derive(Debug)]
pub struct Duty {
    /// Who relays.
    pub sender: Sender,
    /// Its own key, if the manager knows it.
    pub key: Option<Arc<SecretKey>>,
    /// The manager.
    pub manager: Door,
    /// How it is reached.
    pub reached: Reached,
}

struct State {
    sender: Sender,
    key: Option<Arc<SecretKey>>,
    manager: Door,
    reached: Reached,
    since: UnixSeconds,
    /// Digest of the token that may reset.
    token: Option<[u8; 32]>,
    reset: bool,
}

/// What both know.
pub struct Station {
    /// The time.
    pub clock: Clock,
    /// The way to neighbours.
    pub neighbours: Neighbours,
    /// What comes in.
    pub rates: Rates,
    state: Mutex<State>,
    woken: Notify,
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Station({:?})", self.lock().reached)
    }
}

/// Whether a token was given that is the right one, or none is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// No token is set, so nobody may.
    Unset,
    /// Not this one.
    Wrong,
    /// The one.
    Right,
}

impl Station {
    /// The manager has not been reached yet.
    pub fn new(clock: Clock, sender: Sender, manager: Door, neighbours: Neighbours) -> Self {
        let now = clock.now();
        let state = State {
            sender,
            key: None,
            manager,
            reached: Reached::Not,
            since: now,
            token: None,
            reset: false,
        };
        let (state, woken) = (Mutex::new(state), Notify::new());
        Self { clock, neighbours, rates: Rates::new(now), state, woken }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes other settings.
    pub fn reload(&self, sender: Sender, manager: Door) {
        let mut state = self.lock();
        (state.sender, state.manager) = (sender, manager);
    }

    /// Who may reset.
    pub fn set_token(&self, token: Option<&Zeroizing<String>>) {
        self.lock().token = token.map(|token| sha256(token.as_bytes()));
    }

    /// The key that signs for others: the own one, once the manager knows it.
    pub fn set_key(&self, key: Option<Arc<SecretKey>>) {
        self.lock().key = key;
    }

    /// Notes how the manager was reached; whether that is news.
    pub fn set_reached(&self, reached: Reached) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let news = state.reached != reached;
        if news {
            (state.reached, state.since) = (reached, now);
        }
        news
    }

    /// How the manager was reached last.
    pub fn reached(&self) -> Reached {
        self.lock().reached.clone()
    }

    /// What relaying takes.
    pub fn duty(&self) -> Duty {
        let State { sender, key, manager, reached, .. } = &*self.lock();
        Duty {
            sender: sender.clone(),
            key: key.clone(),
            manager: manager.clone(),
            reached: reached.clone(),
        }
    }

    /// What neighbours may know.
    pub fn status(&self) -> PeerStatus {
        let now = self.clock.now();
        let state = self.lock();
        let (reach, path) = match &state.reached {
            Reached::Not => (Reach::None, Vec::new()),
            Reached::Direct => (Reach::Direct, Vec::new()),
            Reached::Through(path) => (Reach::Relay, path.relays.clone()),
        };
        PeerStatus {
            agent_id: state.sender.agent_id.clone(),
            fleet_id: state.sender.fleet_id.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            relays: state.key.is_some(),
            reach,
            hops: path.len(),
            path,
            for_seconds: now.since(state.since).max(0),
        }
    }

    /// Whether this token may reset. Digests are compared, so that the time it takes tells
    /// nothing of the token.
    pub fn judge(&self, given: Option<&str>) -> Token {
        match (self.lock().token, given.map(|given| sha256(given.as_bytes()))) {
            (None, _) => Token::Unset,
            (Some(token), Some(given)) if token == given => Token::Right,
            (Some(_), _) => Token::Wrong,
        }
    }

    /// Has the agent forget its paths and report at once.
    pub fn reset(&self) {
        self.lock().reset = true;
        self.woken.notify_one();
    }

    /// Whether that was asked since the last call.
    pub fn take_reset(&self) -> bool {
        std::mem::take(&mut self.lock().reset)
    }

    /// Waits until a reset is asked for.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}
