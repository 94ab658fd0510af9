//! `kattila simulate`: a fleet of made-up hosts pushing to a manager.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::psk::{self, PskArgs, PskError, PskSettings};
use crate::clock::Clock;
use crate::simulate::envelope::{Scheme, Shape, Signer};
use crate::simulate::load::{self, Load, LoadError, MOST_CONNECTIONS, Signing};
use crate::simulate::pace::Pace;
use crate::simulate::summary::{Progress, Summary};
use crate::simulate::target::{Target, TargetError};
use crate::simulate::world::{Mix, Options, World};
use crate::wire::frame::Encoding;

/// Files that are open besides the connections.
const OTHER_FILES: u64 = 64;

/// Flags of `kattila simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// The manager's plain address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5086")]
    pub target: String,
    /// How many hosts report
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub agents: u32,
    /// Seconds between two reports of a host; used when no --rate is given
    #[arg(long, value_name = "S", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub interval: u32,
    /// Reports per second of the whole fleet, started on time whatever the answers do; `max`
    /// sends the next report when the last is answered
    #[arg(long, value_name = "R|max")]
    pub rate: Option<Rate>,
    /// Seconds to run; without it until Ctrl-C
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    pub duration: Option<u32>,
    /// How hosts sign
    #[arg(long, value_enum, default_value_t = SimulatedScheme::V2)]
    pub scheme: SimulatedScheme,
    /// Send reports of version 2 as frames
    #[arg(long)]
    pub framed: bool,
    /// How the data of frames is encoded; zstd with the manager's dictionary, once it names one
    #[arg(long, value_enum, default_value_t = FrameEncoding::Identity, requires = "framed")]
    pub enc: FrameEncoding,
    /// Let things break and heal
    #[arg(long)]
    pub faults: bool,
    /// Keep-alive connections at once
    #[arg(long, value_name = "C", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=MOST_CONNECTIONS as i64))]
    pub connections: u16,
    /// Same seed, same fleet
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// The target is not this machine, and it is mine to load
    #[arg(long)]
    pub this_is_my_manager: bool,
    #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
    #[command(flatten)]
    pub psk: PskArgs,
}

/// How hosts of a simulated fleet sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimulatedScheme {
    /// First generation
    V1,
    /// Second generation with the shared key
    V2,
    /// Second generation with a key of each host's own, made from the seed and enrolled before
    /// the first report
    Ed25519,
}

/// How the data of frames is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FrameEncoding {
    /// As it is
    Identity,
    /// Compressed
    Zstd,
}

impl From<FrameEncoding> for Encoding {
    fn from(given: FrameEncoding) -> Self {
        match given {
            FrameEncoding::Identity => Self::Identity,
            FrameEncoding::Zstd => Self::Zstd,
        }
    }
}

/// A constant rate, or as fast as the manager answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As fast as the manager answers.
    Max,
    /// Reports per second.
    PerSecond(f64),
}

impl std::str::FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(Self::PerSecond(rate)),
            Ok(_) | Err(_) => Err("give a number of reports per second above 0, or max"),
        }
    }
}

/// Why the fleet did not run.
#[derive(Debug, Error)]
enum SimulateError {
    #[error(transparent)]
    Psk(#[from] PskError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(
        "{wanted} connections need more open files than this process may have ({limit}): raise \
         `ulimit -n` or lower --connections"
    )]
    OpenFiles { wanted: u64, limit: u64 },
    #[error("version 1 has no frames: leave --framed out, or choose --scheme v2 or ed25519")]
    FramedV1,
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the summary could not be written: {0}")]
    Output(#[from] io::Error),
}

impl SimulateError {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Psk(_) | Self::Target(_) | Self::OpenFiles { .. } | Self::FramedV1 => 2,
            Self::Load(_) | Self::Output(_) => 1,
        }
    }
}

/// Runs the fleet until its time is over or Ctrl-C; the exit code of the command: 0 if at least
/// one report was acknowledged, 1 if none was, 2 if nothing could be sent.
pub async fn run(args: SimulateArgs, settings: &PskSettings, clock: Clock) -> u8 {
    match simulate(args, settings, clock).await {
        Ok(summary) => u8::from(summary.stored == 0),
        Err(error) => {
            say(&error.to_string());
            error.exit_code()
        }
    }
}

async fn simulate(
    args: SimulateArgs,
    settings: &PskSettings,
    clock: Clock,
) -> Result<Summary, SimulateError> {
    let load = prepare(&args, settings, clock).await?;
    say(&format!("{} hosts report to {}, Ctrl-C ends", args.agents, args.target));
    let stop = CancellationToken::new();
    let mut before = None;
    let running = load::run(load, &stop, |progress| {
        say(&progress_line(before.replace(progress), progress));
    });
    tokio::pin!(running);
    let summary = tokio::select! {
        summary = &mut running => summary?,
        Ok(()) = tokio::signal::ctrl_c() => {
            stop.cancel();
            running.await?
        }
    };
    let mut stdout = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut stdout, &summary).map_err(io::Error::from)?;
        writeln!(stdout)?;
    } else {
        writeln!(stdout, "{summary}")?;
    }
    Ok(summary)
}

/// Checks everything that can be wrong before the first report, then draws the world.
async fn prepare(
    args: &SimulateArgs,
    settings: &PskSettings,
    clock: Clock,
) -> Result<Load, SimulateError> {
    let scheme = match args.scheme {
        SimulatedScheme::V1 => Scheme::V1,
        SimulatedScheme::V2 => Scheme::V2,
        SimulatedScheme::Ed25519 => Scheme::Ed25519,
    };
    let shape = match (args.framed, scheme) {
        (false, _) => Shape::Json,
        (true, Scheme::V1) => return Err(SimulateError::FramedV1),
        (true, Scheme::V2 | Scheme::Ed25519) => Shape::Framed(args.enc.into()),
    };
    let signer = Signer::new(psk::current(&args.psk, settings, clock.now()).await?);
    let target = Target::find(&args.target, args.this_is_my_manager).await?;
    allow_files(u64::from(args.connections))?;
    let interval = Duration::from_secs(args.interval.into());
    let world = World::new(&Options {
        seed: args.seed,
        agents: usize::try_from(args.agents).unwrap_or(usize::MAX),
        mix: Mix::Load,
        faults: args.faults,
        start: clock.now(),
    });
    Ok(Load {
        target,
        world,
        signer,
        signing: Signing::All(scheme),
        shape,
        introduced: false,
        pace: match args.rate {
            None => Pace::Fleet { interval, spread: interval },
            Some(Rate::Max) => Pace::Closed,
            Some(Rate::PerSecond(rate)) => Pace::Rate(rate),
        },
        connections: NonZeroUsize::new(args.connections.into()).unwrap_or(NonZeroUsize::MIN),
        duration: args.duration.map(|seconds| Duration::from_secs(seconds.into())),
        clock,
    })
}

/// Asks for as many open files as the connections need.
fn allow_files(connections: u64) -> Result<(), SimulateError> {
    let wanted = connections + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|limit| limit >= wanted) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).map_err(|_errno| {
        SimulateError::OpenFiles { wanted: connections, limit: maximum.unwrap_or(u64::MAX) }
    })
}

fn progress_line(before: Option<Progress>, now: Progress) -> String {
    let (then, sent) = before.map_or((Duration::ZERO, 0), |before| (before.elapsed, before.stored));
    let seconds = now.elapsed.saturating_sub(then).as_secs_f64().max(0.001);
    let rate = now.stored.saturating_sub(sent) as f64 / seconds;
    format!(
        "{:>6.0} s  {:>10} sent  {:>10} acknowledged  {rate:>8.0}/s",
        now.elapsed.as_secs_f64(),
        now.sent,
        now.stored,
    )
}

/// Tells a person; without a place to tell it, the run goes on.
fn say(line: &str) {
    writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use zeroize::Zeroizing;

    use super::*;
    use crate::model::time::UnixSeconds;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        simulate: SimulateArgs,
    }

    fn args(flags: &[&str]) -> Result<SimulateArgs, clap::Error> {
        Cli::try_parse_from([&["simulate"], flags].concat()).map(|cli| cli.simulate)
    }

    async fn prepared(flags: &[&str]) -> Result<Load, SimulateError> {
        let psk = Some(Zeroizing::new("kattila-test-psk-000000000000000".to_owned()));
        let settings = PskSettings { psk, ..PskSettings::default() };
        let clock = Clock::manual(UnixSeconds(1_795_000_000));
        prepare(&args(flags).unwrap(), &settings, clock).await
    }

    #[tokio::test]
    async fn the_pace_follows_from_rate_and_interval() {
        let paced = prepared(&["--interval=5"]).await.unwrap().pace;
        let interval = Duration::from_secs(5);
        assert_eq!(paced, Pace::Fleet { interval, spread: interval });
        assert_eq!(prepared(&["--rate=max"]).await.unwrap().pace, Pace::Closed);
        assert_eq!(prepared(&["--rate=2.5"]).await.unwrap().pace, Pace::Rate(2.5));
        assert_eq!(prepared(&["--agents=7"]).await.unwrap().world.agents(), 7);
    }

    #[tokio::test]
    async fn strangers_and_tls_are_refused_with_exit_code_2() {
        for flags in [["--target=http://192.0.2.1:80"], ["--target=https://127.0.0.1:5086"]] {
            let error = prepared(&flags).await.unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
        }
        let mine = ["--target=http://192.0.2.1:80", "--this-is-my-manager"];
        assert!(prepared(&mine).await.is_ok());
        let own = prepared(&["--scheme=ed25519"]).await.unwrap();
        assert_eq!(own.signing, Signing::All(Scheme::Ed25519));
    }

    #[tokio::test]
    async fn frames_are_for_version_2() {
        let shape = async |flags: &[&str]| prepared(flags).await.unwrap().shape;
        assert_eq!(shape(&[]).await, Shape::Json);
        assert_eq!(shape(&["--framed"]).await, Shape::Framed(Encoding::Identity));
        let flags = ["--framed", "--enc=zstd", "--scheme=ed25519"];
        assert_eq!(shape(&flags).await, Shape::Framed(Encoding::Zstd));
        let error = prepared(&["--framed", "--scheme=v1"]).await.unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(args(&["--enc=zstd"]).is_err(), "only with --framed");
    }

    #[test]
    fn flags_keep_their_bounds() {
        for bad in [
            "--agents=0",
            "--agents=100001",
            "--connections=0",
            "--connections=10001",
            "--rate=0",
            "--rate=fast",
            "--interval=0",
            "--duration=0",
            "--scheme=v3",
        ] {
            assert!(args(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn progress_tells_the_last_second_not_the_average() {
        let at = |seconds, stored| Progress {
            elapsed: Duration::from_secs(seconds),
            sent: stored,
            stored,
            bytes: 0,
        };
        let line = progress_line(Some(at(10, 1000)), at(11, 1500));
        assert!(line.ends_with("     500/s"), "{line}");
    }
}
