//! `kattila agent`: reports about this host until somebody stops it.

mod check;
mod rotate;

use clap::Args;

use crate::agent::client::{ProxyWay, Way};
use crate::agent::collect::Places;
use crate::agent::door::listen::{DoorSettings, Serving};
use crate::agent::files::HomeError;
use crate::agent::host::Host;
use crate::agent::losses::Losses;
use crate::agent::notify::notify;
use crate::agent::observe::Observer as _;
use crate::agent::report::{About, assemble};
use crate::agent::run::{Agent, OpenError, Settings};
use crate::agent::shape::Preference;
use crate::agent::spool::Bounds;
use crate::clock::Clock;
use crate::config::agent::{AgentConfig, Preview, ProxyConfig, RelayConfig, ReportShape};
use crate::config::flags::AgentFlags;
use crate::config::source::Values;
use crate::keys::forbid_memory_dumps;

use super::serve::{Heard, Stop};
use super::speak::{complain, say};
use super::{DONE, FAILED, STORAGE, USAGE, logging};

/// Flags of `kattila agent`.
#[derive(Debug, Clone, Args)]
pub struct AgentArgs {
    /// Report once and end; exit code 0 if the manager has stored it
    #[arg(long)]
    pub once: bool,
    /// With --once: print what would be sent, and send nothing
    #[arg(long, requires = "once")]
    pub print: bool,
    /// Check settings, key, manager, clock and what can be read on this host
    #[arg(long, conflicts_with = "once")]
    pub check: bool,
    /// Exchange this host's own key for a new one; works while the agent runs too
    #[arg(long, conflicts_with_all = ["once", "check"])]
    pub rotate: bool,
    #[expect(missing_docs, reason = "a doc comment here would replace the help of the command")]
    #[command(flatten)]
    pub flags: AgentFlags,
}

/// Where settings come from, to be read again at a hangup.
pub trait Reread {
    /// The settings as they are now.
    fn values(&self) -> Values;
}

impl<F: Fn() -> Values> Reread for F {
    fn values(&self) -> Values {
        self()
    }
}

/// Runs the agent; the exit code.
pub async fn run(args: &AgentArgs, source: impl Reread, clock: Clock) -> u8 {
    let values = source.values();
    if args.print {
        return print(&values, &clock).await;
    }
    if args.check {
        return check::run(&values, &clock).await;
    }
    let config = match AgentConfig::load(&values) {
        Ok(config) => config,
        Err(error) => {
            complain(&error.to_string());
            return USAGE;
        }
    };
    if let Err(error) = logging::begin(&config.log, None) {
        complain(&format!("The log cannot begin: {error}"));
        return FAILED;
    }
    if let Err(error) = forbid_memory_dumps() {
        tracing::warn!(%error, "Memory dumps cannot be forbidden; a crash may write keys to disk");
    }
    let stop = match Stop::new() {
        Ok(stop) => stop,
        Err(error) => {
            complain(&format!("Signals cannot be received: {error}"));
            return FAILED;
        }
    };
    let host = Host::new(Places::default());
    let agent = match Agent::open(settings(&config), host, clock) {
        Ok(agent) => agent,
        Err(OpenError::Home(HomeError::Held(dir))) if args.rotate => {
            return rotate::ask(&dir).await;
        }
        Err(error) => return refused(&error),
    };
    if args.rotate {
        return rotate::instead(agent).await;
    }
    if args.once { once(agent).await } else { until_stopped(agent, stop, &config, &source).await }
}

fn refused(error: &OpenError) -> u8 {
    complain(&error.to_string());
    match error {
        OpenError::Home(_) | OpenError::Identity(_) | OpenError::Files(..) => STORAGE,
        OpenError::Way(_) => FAILED,
    }
}

/// Shows what a report would say now.
async fn print(values: &Values, clock: &Clock) -> u8 {
    let preview = match Preview::load(values) {
        Ok(preview) => preview,
        Err(error) => {
            complain(&error.to_string());
            return USAGE;
        }
    };
    let now = clock.now();
    let seen = Host::new(Places::default()).observe(now).await;
    let data = assemble(seen, &about(&preview), now, Losses::default());
    let pretty = serde_json::from_slice::<serde_json::Value>(&data)
        .and_then(|data| serde_json::to_string_pretty(&data));
    match pretty {
        Ok(text) => {
            say(&text);
            DONE
        }
        Err(error) => {
            complain(&format!("The report cannot be written: {error}"));
            FAILED
        }
    }
}

async fn once(mut agent: Agent<Host>) -> u8 {
    let agent_id = agent.agent_id().clone();
    let code = match agent.once().await {
        Ok(answer) => {
            say(&format!("{agent_id}: {answer}"));
            DONE
        }
        Err(why) => {
            complain(&format!("{agent_id}: not delivered, kept for the next run: {why}"));
            FAILED
        }
    };
    ended(agent, code)
}

async fn until_stopped(
    mut agent: Agent<Host>,
    mut stop: Stop,
    config: &AgentConfig,
    source: &impl Reread,
) -> u8 {
    tracing::info!(agent_id = %agent.agent_id(), manager = config.manager, "Reporting about this host");
    tell_systemd(config, "READY=1");
    loop {
        match agent.until(stop.heard()).await {
            Heard::Hangup => {
                tell_systemd(config, "RELOADING=1");
                reload(&mut agent, &source.values());
                tell_systemd(config, "READY=1");
            }
            Heard::Stop => {
                tracing::info!("Stopping: what is not delivered is kept");
                tell_systemd(config, "STOPPING=1");
                return ended(agent, DONE);
            }
        }
    }
}

fn reload(agent: &mut Agent<Host>, values: &Values) {
    let config = match AgentConfig::load(values) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "The new settings cannot be used; the old ones stay");
            return;
        }
    };
    match agent.reload(settings(&config)) {
        Ok(()) => tracing::info!("Settings and keys were read again"),
        Err(error) => tracing::error!(%error, "The new settings cannot be used; the old ones stay"),
    }
}

fn ended(agent: Agent<Host>, code: u8) -> u8 {
    match agent.close() {
        Ok(()) => code,
        Err(error) => {
            complain(&format!("Not everything could be kept on disk: {error}"));
            FAILED
        }
    }
}

fn tell_systemd(config: &AgentConfig, state: &str) {
    if let Some(socket) = &config.notify_socket
        && let Err(error) = notify(socket, state)
    {
        tracing::warn!(%error, "systemd cannot be told of {state}");
    }
}

/// The agent's settings in its own terms.
fn settings(config: &AgentConfig) -> Settings {
    Settings {
        way: way(config),
        keys: config.keys.clone(),
        keep_keys: config.keep_keys,
        about: about(&config.preview),
        dir: config.dir.clone(),
        spool: Bounds { bytes: config.spool_bytes, age: config.spool_age },
        door: DoorSettings {
            serving: match &config.relay {
                RelayConfig::Off => Serving::Off,
                RelayConfig::WireGuard => Serving::WireGuard,
                RelayConfig::At(addresses) => Serving::At(addresses.clone()),
            },
            token: config.token.as_ref().map(|token| token.0.clone()),
        },
        shape: match config.shape {
            ReportShape::Auto => Preference::Auto,
            ReportShape::Json => Preference::Json,
            ReportShape::Framed => Preference::Framed,
        },
    }
}

fn way(config: &AgentConfig) -> Way {
    Way {
        manager: config.manager.clone(),
        ca: config.ca.clone(),
        client: config.client.clone(),
        proxy: match &config.proxy {
            ProxyConfig::Direct => None,
            ProxyConfig::Through { url, except } => {
                Some(ProxyWay { url: url.clone(), except: except.clone() })
            }
        },
    }
}

fn about(preview: &Preview) -> About {
    About { fleet_id: preview.fleet_id.clone(), labels: preview.labels.clone() }
}
