//! How a manager starts: the door is open from the first moment on, and says that nothing can be had
//! yet until everything behind it is there.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Manager, StartError, settings};
use super::{deliverer_of, first_token, keeper, look_back, parts, random, refuse_loss, tell};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::notify::Notify;
use crate::http;
use crate::http::metrics::Metrics;
use crate::http::observe::RequestIds;
use crate::http::server::{Door, Limits};
use crate::http::stage::Stage;
use crate::http::starting::{self, Starting};
use crate::http::state::{AppState, Core, Services};
use crate::http::tls::Identity;
use crate::jobs;
use crate::keys::keeper::Keeper;
use crate::mask::Guise;
use crate::oidc::provider::Provider;
use crate::process::engine;
use crate::process::handle::Processor;
use crate::process::places::Arranger;
use crate::store::phase::{Phase, Watch};
use crate::store::sqlite::Opened;
use crate::store::{Reader, StoreError};

/// A manager whose door answers, and of which nothing else is there yet.
#[derive(Debug)]
pub struct Start {
    porch: Porch,
    doors: JoinSet<()>,
}

/// What stands before the store is open.
#[derive(Debug)]
struct Porch {
    config: Arc<Config>,
    clock: Clock,
    tls: Option<Identity>,
    addr: SocketAddr,
    url: String,
    request_ids: Arc<RequestIds>,
    /// What the door shows.
    stage: Stage,
    /// What it says meanwhile.
    starting: Starting,
    stop: CancellationToken,
}

impl Start {
    /// Opens the door. Nobody looked at the store yet, and it is not touched before
    /// [`Start::finish`].
    ///
    /// # Errors
    /// If the address or the certificate cannot be had.
    pub fn begin(config: Config, clock: Clock) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let tls = config.tls.as_ref().map(Identity::read).transpose()?;
        // Random, so that the ids of two runs differ.
        let run = u32::try_from(random::number()? >> 32).unwrap_or_default();
        let request_ids = Arc::new(RequestIds::new(run));
        let door = door(config.listen, tls.clone(), &request_ids)?;
        let (addr, url, stop) = (door.addr(), door.url(), CancellationToken::new());
        let starting = Starting::new(&config, Arc::clone(&request_ids), clock.clone());
        let stage = Stage::from(starting::router(starting.clone()));
        let mut doors = JoinSet::new();
        doors.spawn(door.serve(stage.clone(), stop.clone()));
        let porch = Porch { config, clock, tls, addr, url, request_ids, stage, starting, stop };
        Ok(Self { porch, doors })
    }

    /// The door's address as bound.
    pub fn addr(&self) -> SocketAddr {
        self.porch.addr
    }

    /// Starts everything else in order, and then has the door show it. A start that fails closes the
    /// door again.
    ///
    /// # Errors
    /// If a part does not start.
    pub async fn finish(self) -> Result<Manager, StartError> {
        let Self { porch, mut doors } = self;
        let stop = porch.stop.clone();
        match porch.finish(&mut doors).await {
            Ok(manager) => Ok(Manager { doors, ..manager }),
            Err(error) => {
                stop.cancel();
                while doors.join_next().await.is_some() {}
                Err(error)
            }
        }
    }
}

fn door(
    addr: SocketAddr,
    tls: Option<Identity>,
    ids: &Arc<RequestIds>,
) -> Result<Door, StartError> {
    Door::bind(addr, tls, Limits::default(), Arc::clone(ids))
        .map_err(|cause| StartError::Bind { addr, cause })
}

impl Porch {
    async fn finish(self, doors: &mut JoinSet<()>) -> Result<Manager, StartError> {
        let (config, clock) = (Arc::clone(&self.config), self.clock.clone());
        let opened = self.open().await?;
        for warning in &opened.warnings {
            warn!("{warning}");
        }
        look_back(&opened);
        let (rolled_back, reader) = (opened.rolled_back, opened.reader);
        refuse_loss(&config, rolled_back)?;
        self.starting.reached(Phase::Loading);
        let reader: Arc<dyn Reader> = reader;
        let keeper = Arc::new(keeper(&config, reader.as_ref())?);
        let began = clock.now();
        let started = engine::start(parts((opened.writer, Arc::clone(&reader)), &config, &clock)?)?;
        let arranger = Arc::new(Arranger::new(started.layout));
        let context = self.context((started.processor, Arc::clone(&reader)), keeper, arranger);
        tell(&context, rolled_back, self.tls.as_ref()).await;
        super::reload::first(&context, &config).await?;
        let first_token = first_token(&config, &context, started.has_admin_token).await?;
        // Restores the places of known nodes before anybody looks, and asks for keys before
        // anybody reports.
        jobs::arrange::run(context.clone()).await;
        jobs::keys::refresh(&context, began).await;
        let mut tasks = JoinSet::new();
        if context.clock.is_system() {
            jobs::start(&context, &self.stop, &mut tasks);
            super::reload::follow(&context, self.tls.as_ref(), &self.stop, &mut tasks);
        }
        let mut manager = Manager {
            addr: self.addr,
            url: self.url.clone(),
            metrics: None,
            first_token,
            setup_code: None,
            context,
            reader,
            notify_file: config.notify.as_ref().map(|Notify { file, .. }| file.clone()),
            rules_file: config.rules.as_ref().map(|rules| rules.file.clone()),
            tls: self.tls.clone(),
            began,
            pseudonyms: Guise::of(started.pseudonyms),
            stop: self.stop.clone(),
            tasks,
            doors: JoinSet::new(),
            thread: started.thread,
        };
        self.show(&mut manager, rolled_back.is_some(), doors)?;
        Ok(manager)
    }

    /// What timers work with.
    fn context(
        &self,
        (processor, reader): (Processor, Arc<dyn Reader>),
        keeper: Arc<Keeper>,
        arranger: Arc<Arranger>,
    ) -> jobs::Context {
        let deliverer = deliverer_of(&processor, &reader, &keeper, &self.clock);
        jobs::Context {
            processor,
            keeper,
            clock: self.clock.clone(),
            arranger,
            deliverer,
            keep_keys: self.config.keys.cache,
            database: self.config.db.clone(),
            reader,
            audit: Arc::default(),
        }
    }

    /// Opens the store on a thread that may be kept long.
    async fn open(&self) -> Result<Opened, StoreError> {
        let (config, clock) = (Arc::clone(&self.config), self.clock.clone());
        let watch = Arc::new(Told(self.starting.clone()));
        let opened = spawn_blocking(move || settings::open(&config, &clock, watch)).await;
        opened.unwrap_or_else(|ended| Err(StoreError::Unavailable(ended.to_string())))
    }

    /// Has the door show the manager, and opens that of metrics.
    fn show(
        &self,
        manager: &mut Manager,
        lost_reports: bool,
        doors: &mut JoinSet<()>,
    ) -> Result<(), StartError> {
        let config = &self.config;
        let state = AppState::new(Services {
            addr: self.addr,
            core: Core::new(manager.context.processor.clone(), Arc::clone(&manager.reader)),
            keeper: Arc::clone(&manager.context.keeper),
            config: Arc::clone(config),
            clock: self.clock.clone(),
            deliverer: manager.context.deliverer.clone(),
            arranger: Arc::clone(&manager.context.arranger),
            shutdown: self.stop.clone(),
            lost_reports,
            metrics: Arc::new(Metrics::new()),
            request_ids: Arc::clone(&self.request_ids),
            pseudonyms: manager.pseudonyms.clone(),
            provider: self.provider()?,
            run_key: random::run_key()?,
            first_code: manager.make_setup_code(config)?,
        });
        if let Some(addr) = config.metrics {
            let door = door(addr, None, &self.request_ids)?;
            manager.metrics = Some(door.addr());
            doors.spawn(door.serve(http::metrics::router(state.clone()), self.stop.clone()));
        }
        self.stage.change(http::router(state));
        Ok(())
    }

    /// Where people sign in elsewhere.
    fn provider(&self) -> Result<Option<Arc<Provider>>, StartError> {
        let Some(settings) = self.config.oidc.clone() else { return Ok(None) };
        let provider = Provider::new(settings, self.clock.clone());
        provider.map(|provider| Some(Arc::new(provider))).map_err(StartError::Provider)
    }
}

/// Tells the log what takes long, and the door everything.
#[derive(Debug)]
struct Told(Starting);

impl Watch for Told {
    fn reached(&self, phase: Phase) {
        if matches!(phase, Phase::Copying { .. } | Phase::Migrating { .. }) {
            info!(%phase, "The store is of an earlier version");
        }
        self.0.reached(phase);
    }
}
