//! The fleet beside `kattila demo`: a small world that reports for as long as the manager runs.

use std::num::NonZeroUsize;
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::clock::Clock;

use super::envelope::{Shape, Signer};
use super::load::{self, Load, LoadError, Signing};
use super::pace::Pace;
use super::summary::Summary;
use super::target::{Target, TargetError};
use super::world::{Mix, Options, World};

/// How many hosts the demo shows unless told otherwise: one whole cell of every structure.
pub const AGENTS: usize = 40;
/// Seconds between two reports of a demo host: short, so that the map moves while one looks.
pub const INTERVAL_SECONDS: u32 = 5;
/// The demo's hosts report for the first time within this time.
const FIRST_REPORTS: Duration = Duration::from_secs(1);
/// A few connections stand for the whole fleet.
const CONNECTIONS: usize = 16;

/// What the demo's fleet is made from.
pub struct FleetOptions {
    /// The manager's address, `http://HOST:PORT`, on loopback.
    pub url: String,
    /// The pre-shared key of the demo.
    pub psk: Zeroizing<Vec<u8>>,
    /// How many hosts report.
    pub agents: usize,
    /// Whether things break and heal.
    pub faults: bool,
    /// Time between two reports of a host.
    pub interval: Duration,
    /// Same seed, same network.
    pub seed: u64,
}

impl std::fmt::Debug for FleetOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, agents, faults, interval, seed, psk: _ } = self;
        write!(f, "FleetOptions({agents} agents to {url} each {interval:?}, ")?;
        write!(f, "faults {faults}, seed {seed})")
    }
}

/// Why the fleet did not start or did not end well.
#[derive(Debug, Error)]
pub enum FleetError {
    /// The manager's address will not do.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The fleet failed while it ran.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The fleet's task broke down.
    #[error("the demo's fleet failed")]
    Task(#[from] tokio::task::JoinError),
}

/// A fleet that is reporting.
#[derive(Debug)]
pub struct Fleet(JoinHandle<Result<Summary, LoadError>>);

impl Fleet {
    /// Sends the fleet on its way; it reports until `stop` is cancelled.
    ///
    /// # Errors
    /// When the manager's address cannot be used.
    pub async fn start(
        options: FleetOptions,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Self, FleetError> {
        let target = Target::find(&options.url, false).await?;
        let world = World::new(&Options {
            seed: options.seed,
            agents: options.agents,
            mix: Mix::Demo,
            faults: options.faults,
            start: clock.now(),
        });
        let load = Load {
            target,
            world,
            signer: Signer::new(options.psk),
            signing: Signing::Mixed,
            shape: Shape::Json,
            introduced: false,
            pace: Pace::Fleet { interval: options.interval, spread: FIRST_REPORTS },
            connections: NonZeroUsize::new(CONNECTIONS).unwrap_or(NonZeroUsize::MIN),
            duration: None,
            clock,
        };
        Ok(Self(tokio::spawn(async move { load::run(load, &stop, |_progress| {}).await })))
    }

    /// Waits until the fleet has stopped and gives the account of what it was answered.
    ///
    /// # Errors
    /// When the fleet failed.
    pub async fn join(self) -> Result<Summary, FleetError> {
        Ok(self.0.await??)
    }
}
