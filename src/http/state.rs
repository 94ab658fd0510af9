//! What handlers share.

pub mod seen;
mod veil;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::deliverer::Deliverer;
use crate::keys::keeper::Keeper;
use crate::mask::{Guise, Lens};
use crate::model::time::UnixSeconds;
use crate::oidc::flow::RunKey;
use crate::oidc::provider::Provider;
use crate::process::handle::{Command, CommandError, Done, Processor};
use crate::process::places::Arranger;
use crate::store::narrow::Narrow;
use crate::store::{Reader, StoreError};
use crate::topology::picture::Picture;
use crate::verify::Policy;
use crate::verify::canon::V1Canon;
use crate::wire::codes::ErrorCode;

use super::access::gate::Gate;
use super::access::guesses::Guesses;
use super::access::keep::StoredSessions;
use super::access::setup::CODE_SECONDS;
use super::access::token;
use super::arrival::Ways;
use super::aside::aside;
use super::error::ApiError;
use super::flash::Flashes;
use super::metrics::Metrics;
use super::observe::RequestIds;
use super::operators::networks::LaidOut;
use super::pace::Pace;
use super::packed::Packed;
use super::sources::Sources;

use seen::{Narrows, Seen};
use veil::Veil;

/// Reads that wait for one of the few read connections at a time; the others queue as futures,
/// which cost no thread.
const PARALLEL_READS: usize = 8;

/// The live picture and committed state. Both are reached through [`AppState`] alone, which asks
/// whose reach it is for.
#[derive(Clone)]
pub struct Core {
    processor: Processor,
    reader: Arc<dyn Reader>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core(...)")
    }
}

impl Core {
    /// Of a manager.
    pub fn new(processor: Processor, reader: Arc<dyn Reader>) -> Self {
        Self { processor, reader }
    }
}

/// What the door needs from the rest of the manager.
#[derive(Clone)]
pub struct Services {
    /// The live picture and committed state.
    pub core: Core,
    /// The key ring.
    pub keeper: Arc<Keeper>,
    /// The settings.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// Carries messages to people.
    pub deliverer: Deliverer,
    /// Every place on the map.
    pub arranger: Arc<Arranger>,
    /// The door's address as bound.
    pub addr: SocketAddr,
    /// Ends streams.
    pub shutdown: CancellationToken,
    /// Whether this start found that acknowledged reports are missing from the database.
    pub lost_reports: bool,
    /// Counters, shared with the metrics' door.
    pub metrics: Arc<Metrics>,
    /// Names requests.
    pub request_ids: Arc<RequestIds>,
    /// What pseudonyms are made of: this database's own.
    pub pseudonyms: Guise,
    /// Where people sign in elsewhere, if anywhere.
    pub provider: Option<Arc<Provider>>,
    /// What sign-ins there are known again by: this run's own.
    pub run_key: RunKey,
    /// SHA-256 of the code that makes the first user, while there is none.
    pub first_code: Option<[u8; 32]>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Shared by all handlers; copies a pointer.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of [`AppState`].
#[derive(Debug)]
pub struct Parts {
    services: Services,
    /// Who may do what.
    pub gate: Arc<Gate>,
    /// Addresses that were refused lately.
    pub sources: Arc<Sources>,
    /// Failed sign-ins.
    pub guesses: Guesses,
    /// How fast accounts may reset.
    pub resets: Pace,
    /// How fast shared links may be opened.
    pub opens: Pace,
    /// What forms are about to tell on the pages they lead to.
    pub flashes: Flashes,
    /// Lists of networks that were begun.
    pub laid: LaidOut,
    /// Which proxies are believed what.
    pub ways: Ways,
    /// What a report must fulfil.
    pub policy: Policy,
    /// When this run began.
    pub started_at: UnixSeconds,
    /// The last map that was compressed.
    pub packed: Packed,
    narrows: Narrows,
    reads: Semaphore,
    first_user: AtomicBool,
}

impl AppState {
    /// Puts the parts together.
    pub fn new(services: Services) -> Self {
        let config = &services.config;
        let Core { processor, reader } = services.core.clone();
        let sessions = StoredSessions::new(reader, processor);
        Self(Arc::new(Parts {
            gate: Arc::new(Gate::new(
                config,
                Box::new(sessions),
                (services.clock.clone(), services.pseudonyms.clone()),
            )),
            sources: Arc::new(Sources::new(config.rates.source)),
            guesses: Guesses::default(),
            resets: Pace::of_resets(),
            opens: Pace::of_opens(),
            flashes: Flashes::default(),
            laid: LaidOut::default(),
            ways: Ways::new(config),
            policy: policy(config),
            started_at: services.clock.now(),
            packed: Packed::default(),
            narrows: Narrows::default(),
            reads: Semaphore::new(PARALLEL_READS),
            first_user: AtomicBool::new(services.first_code.is_none()),
            services,
        }))
    }

    /// Whether the code that makes the first user was printed at this start, not too long ago, and
    /// nobody has used it.
    pub fn awaits_first_user(&self) -> bool {
        let in_time = self.clock.now().since(self.started_at) < CODE_SECONDS;
        in_time && !self.first_user.load(Ordering::Relaxed)
    }

    /// Whether this is that code.
    pub fn is_first_code(&self, code: &str) -> bool {
        let is = |wanted: [u8; 32]| token::same(&wanted, &token::hash(code));
        self.awaits_first_user() && self.first_code.is_some_and(is)
    }

    /// There is a user, or will be no first one here: the code is of no use any more.
    pub fn forget_first_code(&self) {
        self.first_user.store(true, Ordering::Relaxed);
    }

    /// The manager as a whole: for agents, for metrics, and for routes that only callers reach
    /// who see everything.
    pub fn whole(&self) -> &Processor {
        &self.core.processor
    }

    /// The live picture as far as somebody sees it.
    pub fn seen(&self, lens: &Lens) -> Seen {
        Seen::new(self, lens)
    }

    /// The map as somebody sees it. Making it takes long for many hosts, so that is done aside.
    pub async fn map(&self, lens: &Lens) -> Result<Arc<Picture>, ApiError> {
        self.gather();
        let (seen, now) = (self.seen(lens), self.clock.now());
        aside(move || seen.picture(now)).await
    }

    /// Gathers what the map is made of, for somebody who is about to have it made aside.
    pub fn gather(&self) {
        self.core.processor.board().gather(self.clock.now());
    }

    /// Has a command carried out. What a caller may not see it must not name: the handler has
    /// looked, or the command carries the reach.
    pub async fn command(&self, command: Command) -> Result<Done, CommandError> {
        self.core.processor.command(command).await
    }

    /// Asks committed state as far as somebody sees it, away from the runtime's threads.
    pub async fn read<T, F>(&self, lens: &Lens, ask: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let closed = |_closed| ApiError::new(ErrorCode::Starting, "The manager is stopping.");
        let _permit = self.reads.acquire().await.map_err(closed)?;
        let (state, lens) = (self.clone(), lens.clone());
        let answer = aside(move || {
            let reader = &*state.core.reader;
            if lens.is_clear() {
                return ask(reader);
            }
            let seen = state.seen(&lens);
            let narrow;
            let within: &dyn Reader = if lens.reach.is_whole() {
                reader
            } else {
                narrow = Narrow::new(reader, lens.reach.clone(), seen.strangers());
                &narrow
            };
            match seen.faces() {
                Some(faces) => ask(&Veil::new(within, faces)),
                None => ask(within),
            }
        });
        answer.await?.map_err(ApiError::from)
    }
}

impl Deref for AppState {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Deref for Parts {
    type Target = Services;
    fn deref(&self) -> &Services {
        &self.services
    }
}

fn policy(config: &Config) -> Policy {
    Policy {
        max_skew: i64::from(config.verify.max_skew),
        min_version: config.verify.min_version,
        relay_psk: config.verify.relay_psk,
        v1_canon: if config.verify.raw_only { V1Canon::Raw } else { V1Canon::Auto },
    }
}
