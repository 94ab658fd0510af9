//! The composition root: puts the parts together, starts them in order, stops them in reverse.

mod random;
mod reload;
mod settings;
pub mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::deliverer::{self, Deliverer};
use crate::http::access::token;
use crate::http::tls::{Identity, TlsError};
use crate::jobs;
use crate::keys::keeper::Keeper;
use crate::keys::ring::StoredKey;
use crate::mask::Guise;
use crate::model::access::Role;
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::notify::plan::Plan;
use crate::process::condition::ManagerCondition;
use crate::process::engine::Parts;
use crate::process::handle::{Command, Processor};
use crate::process::wish::Wish;
use crate::store::sqlite::Opened;
use crate::store::sqlite::reader::SqliteReader;
use crate::store::{Reader, StoreError, Writer};

use settings::settings;
use start::Start;

/// Why the manager did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// Storage refused.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The door's address cannot be bound.
    #[error("{addr} cannot be listened on: {cause}; give KATTILA_LISTEN another address")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The certificate cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The OpenID provider cannot be spoken to as the settings say.
    #[error("{0}; look at KATTILA_OIDC_CA")]
    Provider(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// A running manager.
#[derive(Debug)]
pub struct Manager {
    addr: SocketAddr,
    url: String,
    metrics: Option<SocketAddr>,
    first_token: Option<Zeroizing<String>>,
    setup_code: Option<Zeroizing<String>>,
    context: jobs::Context,
    reader: Arc<dyn Reader>,
    /// Where the plan of notifications is, if there is one.
    notify_file: Option<PathBuf>,
    /// What the door shows of itself, if it speaks TLS.
    tls: Option<Identity>,
    /// Where the rules of alarms are, if there are any.
    rules_file: Option<PathBuf>,
    began: UnixSeconds,
    /// What pseudonyms are made of.
    pseudonyms: Guise,
    /// Ends the timers and the streams, then the doors.
    stop: CancellationToken,
    tasks: JoinSet<()>,
    doors: JoinSet<()>,
    thread: JoinHandle<()>,
}

impl Manager {
    /// Starts everything in order: door, database and migrations, keys, processor, timers.
    /// When it returns, reports are taken.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, StartError> {
        Start::begin(config, clock)?.finish().await
    }

    /// The code that makes the first user: where there is none, and one could sign in.
    fn make_setup_code(&mut self, config: &Config) -> Result<Option<[u8; 32]>, StartError> {
        if !config.sign_in_allowed() || !self.reader.users(None)?.is_empty() {
            return Ok(None);
        }
        let (code, hash) = token::setup_code()?;
        self.setup_code = Some(code);
        Ok(Some(hash))
    }

    /// The setup code that was made at this start, to be shown once.
    pub fn setup_code(&self) -> Option<&str> {
        self.setup_code.as_ref().map(|code| code.as_str())
    }

    /// The door's address as bound.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The door's address as a browser wants it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the metrics' own door, if there is one.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The admin token that was made at this start, to be shown once.
    pub fn first_token(&self) -> Option<&str> {
        self.first_token.as_ref().map(|token| token.as_str())
    }

    /// The processor.
    pub fn processor(&self) -> &Processor {
        &self.context.processor
    }

    /// The read side of the store.
    pub fn reader(&self) -> &Arc<dyn Reader> {
        &self.reader
    }

    /// Takes every timer's step once: for a manager whose clock is turned by hand.
    pub async fn step(&self) {
        jobs::step(&self.context).await;
    }

    /// Asks for keys now.
    pub async fn refresh_keys(&self) {
        jobs::keys::refresh(&self.context, self.began).await;
    }

    /// Whether processor and store answer, each in so much time.
    pub async fn beats(&self, patience: Duration) -> bool {
        jobs::pulse::beats(&self.context.processor, &self.reader, patience).await
    }

    /// Resolves when a part that should run for ever has ended.
    pub async fn failed(&mut self) {
        tokio::select! {
            Some(_) = self.tasks.join_next() => {}
            Some(_) = self.doors.join_next() => {}
        }
    }

    /// Stops in reverse order: door, timers, processor. What is queued is finished, the log is
    /// emptied. Answers whether every part ended as it should.
    pub async fn shutdown(mut self) -> bool {
        self.stop.cancel();
        let mut orderly = true;
        while let Some(ended) = self.doors.join_next().await {
            orderly &= ended.is_ok();
        }
        while let Some(ended) = self.tasks.join_next().await {
            orderly &= ended.is_ok();
        }
        let subject = env!("CARGO_PKG_VERSION").to_owned();
        let stopped = Command::Record { kind: EventKind::ManagerStopped, subject };
        if let Err(failure) = self.context.processor.command(stopped).await {
            warn!(%failure, "The stop was not recorded");
        }
        self.context.processor.stop().await;
        let thread = self.thread;
        let ended = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
        orderly && ended.unwrap_or(false)
    }
}

/// Under strict storage, refuses a database that lacks what was acknowledged.
fn refuse_loss(config: &Config, rolled_back: Option<(i64, i64)>) -> Result<(), StoreError> {
    match rolled_back.filter(|_| config.strict_storage) {
        None => Ok(()),
        Some((database, acknowledged)) => Err(StoreError::Refused {
            path: config.db.display().to_string(),
            problem: format!(
                "lacks {} commits that were acknowledged",
                acknowledged.saturating_sub(database)
            ),
            remedy:
                "put the right file back, or set KATTILA_STRICT_STORAGE=0 to go on without them"
                    .to_owned(),
        }),
    }
}

/// What the processor is made of.
fn parts<W: Writer + Send + 'static>(
    (writer, reader): (W, Arc<dyn Reader>),
    config: &Config,
    clock: &Clock,
) -> Result<Parts<W>, StartError> {
    let (epoch, seed, settings) =
        (random::hex()?, [random::number()?, random::number()?], settings(config));
    let pseudonyms = random::pseudonyms()?;
    Ok(Parts { writer, reader, epoch, seed, pseudonyms, settings, clock: clock.clone() })
}

/// Tells of an upgrade, of a stop that was not in order, and of what it asks for.
fn look_back(opened: &Opened) {
    if opened.unclean {
        info!("The last run did not end in order; what was committed is all there");
    }
    if let Some(earlier) = &opened.earlier {
        let copy = earlier.display();
        info!(%copy, "The database was brought to a newer schema; a copy is as it was before");
    }
    if opened.check_unfinished {
        check_in_background(Arc::clone(&opened.reader));
    }
}

/// Goes on with the check of a database that was too large to be checked before the start.
fn check_in_background(reader: Arc<SqliteReader>) {
    // Nobody waits for it: what it finds is for the log.
    drop(tokio::task::spawn_blocking(move || match reader.quick_check() {
        Ok(()) => info!("The database was checked after the last, disorderly stop: it is sound"),
        Err(damage) => error!(%damage, "The database is damaged; stop, and restore a backup"),
    }));
}

fn deliverer_of(
    processor: &Processor,
    reader: &Arc<dyn Reader>,
    keeper: &Arc<Keeper>,
    clock: &Clock,
) -> Deliverer {
    Deliverer::new(deliverer::Parts {
        processor: processor.clone(),
        reader: Arc::clone(reader),
        keeper: Arc::clone(keeper),
        clock: clock.clone(),
    })
}

/// Puts a plan of notifications into force, first at the desk, then for the deliverer.
async fn adopt(context: &jobs::Context, plan: Option<Arc<Plan>>) -> Result<(), StoreError> {
    let plan = plan.unwrap_or_default();
    let wish = Command::Tell(Wish::Adopt(Arc::clone(&plan)));
    let adopted = context.processor.command(wish).await;
    adopted.map_err(|failure| StoreError::Unavailable(failure.to_string()))?;
    context.deliverer.adopt(plan);
    Ok(())
}

/// Records the start, and what it found.
async fn tell(context: &jobs::Context, rolled_back: Option<(i64, i64)>, tls: Option<&Identity>) {
    let subject = env!("CARGO_PKG_VERSION").to_owned();
    let mut commands = vec![Command::Record { kind: EventKind::ManagerStarted, subject }];
    if let Some((database, acknowledged)) = rolled_back {
        warn!(database, acknowledged, "The database lost commits that were acknowledged");
        let condition = ManagerCondition::RolledBack { database, acknowledged };
        commands.push(Command::Condition(condition));
    }
    let ends = tls.and_then(Identity::expires_at);
    commands.push(Command::Condition(ManagerCondition::Certificate(ends)));
    for command in commands {
        if let Err(failure) = context.processor.command(command).await {
            warn!(%failure, "The start was not recorded");
        }
    }
}

/// Makes the admin token at the first start, unless one is given.
async fn first_token(
    config: &Config,
    context: &jobs::Context,
    made_before: bool,
) -> Result<Option<Zeroizing<String>>, StartError> {
    if made_before || config.access.admin_token.is_some() {
        return Ok(None);
    }
    let (token, record) = token::api_token("admin", Role::Admin, context.clock.now())?;
    let stored = context.processor.command(Command::FirstToken(record)).await;
    stored.map_err(|failure| StoreError::Unavailable(failure.to_string()))?;
    Ok(Some(token))
}

fn keeper(config: &Config, reader: &dyn Reader) -> Result<Keeper, StartError> {
    let source = config.keys.source.clone();
    let known = reader.keys()?.into_iter().map(jobs::keys::stored_of);
    let known = if config.keys.cache {
        known.collect()
    } else {
        // Revoked keys stay away, but none of those kept before is used.
        known.filter(StoredKey::is_revoked).map(StoredKey::without_bytes).collect()
    };
    Ok(Keeper::with_grace(source, known, i64::from(config.keys.grace)))
}
