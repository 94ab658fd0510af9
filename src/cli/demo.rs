//! `kattila demo`: a manager on a scratch database, and a made-up fleet that signs and pushes
//! through the same door as everybody else.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::source::Values;
use crate::http::access::token;
use crate::manager::Manager;
use crate::simulate::demo::{AGENTS, Fleet, FleetOptions, INTERVAL_SECONDS};

use super::scratch::Scratch;
use super::speak::{complain, say};
use super::{FAILED, logging, serve};

/// Same seed, same network, every time.
const SEED: u64 = 1;

/// Flags of `kattila demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// How many hosts report
    #[arg(long, value_name = "N", default_value_t = u32::try_from(AGENTS).unwrap_or(u32::MAX),
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub agents: u32,
    /// Let links die, hosts vanish and interfaces drop, and heal again
    #[arg(long)]
    pub faults: bool,
    /// Address of the door; port 0 picks a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5086")]
    pub listen: SocketAddr,
}

/// Runs manager and fleet until somebody stops them; the exit code.
pub async fn run(args: DemoArgs, clock: Clock) -> u8 {
    match demo(args, clock).await {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            FAILED
        }
    }
}

async fn demo(args: DemoArgs, clock: Clock) -> Result<u8, String> {
    let scratch = Scratch::new("kattila-demo-")?;
    let psk = token::make("").map_err(|error| format!("No random numbers: {error}"))?;
    let config = settings(&args, &scratch.database(), &psk)?;
    logging::begin(&config.log, None).map_err(|error| format!("The log cannot begin: {error}"))?;
    serve::raise_file_limit();
    let stop = serve::Stop::new().map_err(|error| format!("No signals: {error}"))?;
    let mut manager = match Manager::bind(config, clock.clone()).await {
        Ok(manager) => manager,
        Err(error) => return Ok(serve::refused(&error)),
    };
    let (url, end) = (manager.url().to_owned(), CancellationToken::new());
    let options = FleetOptions {
        url: url.clone(),
        psk: Zeroizing::new(psk.as_bytes().to_vec()),
        agents: usize::try_from(args.agents).map_err(|error| error.to_string())?,
        faults: args.faults,
        interval: Duration::from_secs(u64::from(INTERVAL_SECONDS)),
        seed: SEED,
    };
    let fleet = Fleet::start(options, clock, end.clone()).await;
    let fleet = fleet.map_err(|error| format!("The fleet cannot start: {error}"))?;
    serve::announce(&manager);
    say(&format!("{} made-up hosts report; open {url}/ in a browser, Ctrl-C ends it", args.agents));
    let whole = serve::until_stopped(&mut manager, stop, &serve::Supervisor::default()).await;
    end.cancel();
    if let Err(error) = fleet.join().await {
        complain(&format!("The fleet ended badly: {error}"));
    }
    Ok(serve::end(manager, whole).await)
}

/// The settings of the demo: everything by default but what makes it a demo. Only loopback is
/// allowed, since everybody may look.
fn settings(args: &DemoArgs, database: &Path, psk: &str) -> Result<Config, String> {
    if !args.listen.ip().is_loopback() {
        return Err(format!(
            "{} is not on loopback; the demo lets everybody look and keeps nothing, so it stays \
             on 127.0.0.1 or [::1]",
            args.listen
        ));
    }
    let interval = INTERVAL_SECONDS.to_string();
    let listen = args.listen.to_string();
    let values = Values::from_pairs([
        ("KATTILA_LISTEN", listen.as_str()),
        ("KATTILA_DB", &database.to_string_lossy()),
        ("KATTILA_PSK", psk),
        ("KATTILA_ANONYMOUS_ROLE", "viewer"),
        ("KATTILA_REPORT_INTERVAL", &interval),
        ("KATTILA_DURABILITY", "normal"),
        ("KATTILA_LOG", "warn"),
    ]);
    Config::load(&values).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: &str) -> DemoArgs {
        DemoArgs { agents: 40, faults: false, listen: listen.parse().unwrap() }
    }

    #[test]
    fn the_demo_shows_itself_to_this_host_only() {
        let psk = "k".repeat(43);
        let config = settings(&args("127.0.0.1:0"), Path::new("/tmp/x.db"), &psk).unwrap();
        assert!(config.access.anonymous.is_some());
        assert_eq!(config.interval, INTERVAL_SECONDS);
        assert!(settings(&args("0.0.0.0:5086"), Path::new("/tmp/x.db"), &psk).is_err());
    }
}
