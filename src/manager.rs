//! The composition root: puts the parts together, starts them in order, stops them in reverse.

mod random;
mod reload;
mod settings;

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
use crate::config::notify::Notify;
use crate::delivery::deliverer::{self, Deliverer};
use crate::http;
use crate::http::access::token;
use crate::http::metrics::Metrics;
use crate::http::observe::RequestIds;
use crate::http::server::{Door, Limits};
use crate::http::state::{AppState, Core, Services};
use crate::http::tls::{Identity, TlsError};
use crate::jobs;
use crate::keys::keeper::Keeper;
use crate::keys::ring::StoredKey;
use crate::mask::Guise;
use crate::model::access::Role;
use crate::model::state::EventKind;
use crate::model::time::UnixSeconds;
use crate::notify::plan::Plan;
use crate::oidc::provider::Provider;
use crate::process::condition::ManagerCondition;
use crate::process::engine::{self, Parts};
use crate::process::handle::{Command, Processor};
use crate::process::places::Arranger;
use crate::process::wish::Wish;
use crate::store::sqlite::Opened;
use crate::store::sqlite::reader::SqliteReader;
use crate::store::{Reader, StoreError, Writer};

use settings::{open, settings};

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
    /// Starts everything in order: database and migrations, keys, processor, timers, door.
    /// When it returns, the door is open.
    pub async fn bind(config: Config, clock: Clock) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let tls = config.tls.as_ref().map(Identity::read).transpose()?;
        let opened = open(&config, &clock)?;
        for warning in &opened.warnings {
            warn!("{warning}");
        }
        look_back(&opened);
        let (rolled_back, reader) = (opened.rolled_back, opened.reader);
        refuse_loss(&config, rolled_back)?;
        let reader: Arc<dyn Reader> = reader;
        let keeper = Arc::new(keeper(&config, reader.as_ref())?);
        let began = clock.now();
        let started = engine::start(parts((opened.writer, Arc::clone(&reader)), &config, &clock)?)?;
        let processor = started.processor;
        let arranger = Arc::new(Arranger::new(started.layout));
        let (keep_keys, database) = (config.keys.cache, config.db.clone());
        let deliverer = deliverer_of(&processor, &reader, &keeper, &clock);
        let context = jobs::Context {
            processor,
            keeper,
            clock,
            arranger,
            deliverer,
            keep_keys,
            database,
            reader: Arc::clone(&reader),
            audit: Arc::default(),
        };
        tell(&context, rolled_back, tls.as_ref()).await;
        reload::first(&context, &config).await?;
        let first_token = first_token(&config, &context, started.has_admin_token).await?;
        // Restores the places of known nodes before anybody looks, and asks for keys before
        // anybody reports.
        jobs::arrange::run(context.clone()).await;
        jobs::keys::refresh(&context, began).await;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        if context.clock.is_system() {
            jobs::start(&context, &stop, &mut tasks);
            reload::follow(&context, tls.as_ref(), &stop, &mut tasks);
        }
        let mut manager = Self {
            addr: config.listen,
            url: String::new(),
            metrics: None,
            first_token,
            setup_code: None,
            context,
            reader,
            notify_file: config.notify.as_ref().map(|Notify { file, .. }| file.clone()),
            rules_file: config.rules.as_ref().map(|rules| rules.file.clone()),
            tls: tls.clone(),
            began,
            pseudonyms: Guise::of(started.pseudonyms),
            stop,
            tasks,
            doors: JoinSet::new(),
            thread: started.thread,
        };
        manager.open_doors(&config, tls, rolled_back.is_some())?;
        Ok(manager)
    }

    fn open_doors(
        &mut self,
        config: &Arc<Config>,
        tls: Option<Identity>,
        lost_reports: bool,
    ) -> Result<(), StartError> {
        // Random, so that the ids of two runs differ.
        let run = u32::try_from(random::number()? >> 32).unwrap_or_default();
        let request_ids = Arc::new(RequestIds::new(run));
        let bind = |addr: SocketAddr, tls| {
            Door::bind(addr, tls, Limits::default(), Arc::clone(&request_ids))
                .map_err(|cause| StartError::Bind { addr, cause })
        };
        let door = bind(config.listen, tls)?;
        let state = AppState::new(Services {
            addr: door.addr(),
            core: Core::new(self.context.processor.clone(), Arc::clone(&self.reader)),
            keeper: Arc::clone(&self.context.keeper),
            config: Arc::clone(config),
            clock: self.context.clock.clone(),
            deliverer: self.context.deliverer.clone(),
            arranger: Arc::clone(&self.context.arranger),
            shutdown: self.stop.clone(),
            lost_reports,
            metrics: Arc::new(Metrics::new()),
            request_ids: Arc::clone(&request_ids),
            pseudonyms: self.pseudonyms.clone(),
            provider: self.provider(config)?,
            run_key: random::run_key()?,
            first_code: self.make_setup_code(config)?,
        });
        if let Some(addr) = config.metrics {
            let door = bind(addr, None)?;
            self.metrics = Some(door.addr());
            self.doors.spawn(door.serve(http::metrics::router(state.clone()), self.stop.clone()));
        }
        (self.addr, self.url) = (door.addr(), door.url());
        self.doors.spawn(door.serve(http::router(state), self.stop.clone()));
        Ok(())
    }

    /// Where people sign in elsewhere.
    fn provider(&self, config: &Config) -> Result<Option<Arc<Provider>>, StartError> {
        let Some(settings) = config.oidc.clone() else { return Ok(None) };
        let provider = Provider::new(settings, self.context.clock.clone());
        provider.map(|provider| Some(Arc::new(provider))).map_err(StartError::Provider)
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
