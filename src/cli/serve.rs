//! `kattila serve`: the manager until somebody stops it.

use std::fmt;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Interval;

use crate::agent::notify::notify;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::source::Values;
use crate::delivery::spans;
use crate::manager::{Manager, StartError};

use super::speak::{complain, say};
use super::{DONE, FAILED, USAGE, logging, storage_code};

/// Runs the manager; the exit code.
pub async fn run(values: Values, clock: Clock) -> u8 {
    let config = match Config::load(&values) {
        Ok(config) => config,
        Err(error) => {
            complain(&error.to_string());
            return USAGE;
        }
    };
    let exported = config.otlp.as_deref().map(|to| spans::begin(to, clock.clone())).transpose();
    let (layer, exporter) = match exported {
        Ok(exported) => exported.unzip(),
        Err(problem) => {
            complain(&format!("Spans cannot be exported: {problem}"));
            return FAILED;
        }
    };
    if let Err(error) = logging::begin(&config.log, layer) {
        complain(&format!("The log cannot begin: {error}"));
        return FAILED;
    }
    raise_file_limit();
    let stop = match Stop::new() {
        Ok(stop) => stop,
        Err(error) => {
            complain(&format!("Signals cannot be received: {error}"));
            return FAILED;
        }
    };
    let supervisor = Supervisor::of(&values);
    match Manager::bind(config, clock).await {
        Ok(mut manager) => {
            announce(&manager);
            invite(&manager);
            supervisor.tell("READY=1");
            let whole = until_stopped(&mut manager, stop, &supervisor).await;
            supervisor.tell("STOPPING=1");
            let code = end(manager, whole).await;
            if let Some(exporter) = exporter {
                exporter.end().await;
            }
            code
        }
        Err(error) => refused(&error),
    }
}

/// Who started the program and wants to know how far it is: systemd with `Type=notify`.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<String>,
    /// Without a word for so long it starts the program anew (`WatchdogSec=`).
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names, if it does (`sd_notify(3)`, `sd_watchdog_enabled(3)`).
    pub fn of(values: &Values) -> Self {
        let own = std::process::id().to_string();
        let meant = values.foreign("WATCHDOG_PID").is_none_or(|pid| pid == own);
        let usec = values.foreign("WATCHDOG_USEC").filter(|_| meant);
        let usec = usec.and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0);
        Self {
            socket: values.foreign("NOTIFY_SOCKET").map(str::to_owned),
            watchdog: usec.map(Duration::from_micros),
        }
    }

    /// How long an answer is waited for, and how often one is asked for: thrice in the time after
    /// which silence counts.
    fn patience(&self) -> Option<Duration> {
        Some(self.watchdog? / 3)
    }

    /// Says that the manager is alive, if it does its work.
    async fn pulse(&self, manager: &Manager) {
        let Some(patience) = self.patience() else { return };
        if manager.beats(patience).await {
            self.tell("WATCHDOG=1");
        } else {
            tracing::error!("processor or store do not answer; the watchdog is not told otherwise");
        }
    }

    /// Tells it. That it cannot be told is no reason to stop.
    pub fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = notify(socket, state) {
            tracing::warn!(%error, state, "systemd could not be told");
        }
    }
}

/// Lets the process open as many files as the system allows it: each connection is one, and
/// the usual limit of 1,024 is far below what the door takes.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, open_files = limit.current, "the limit of open files stays");
    }
}

/// Tells where the door is, and the admin token if it was made now.
pub fn announce(manager: &Manager) {
    if let Some(token) = manager.first_token() {
        complain(&format!(
            "The admin token, shown this once; sign in with it at {}/login\n  {token}",
            manager.url()
        ));
    }
    say(&format!("listening on {}", manager.url()));
}

/// Tells how the first user is made, while there is none.
fn invite(manager: &Manager) {
    if let Some(code) = manager.setup_code() {
        say(&format!(
            "There are no users yet. The setup code, for a day or until it is used; make the first \
             admin with it at {}/setup\n  {code}",
            manager.url()
        ));
    }
}

/// Waits until it is told to stop; false if a part of the manager ended before, which none should.
///
/// SIGHUP asks for the keys and reads the certificate, the plan of notifications and the rules of
/// alarms at once.
pub async fn until_stopped(manager: &mut Manager, mut stop: Stop, supervisor: &Supervisor) -> bool {
    let mut beat = supervisor.patience().map(tokio::time::interval);
    loop {
        let heard = tokio::select! {
            heard = stop.heard() => Some(heard),
            () = manager.failed() => None,
            () = due(&mut beat) => {
                supervisor.pulse(manager).await;
                continue;
            }
        };
        match heard {
            Some(Heard::Hangup) => {
                supervisor.tell("RELOADING=1");
                manager.reload_tls().await;
                manager.reload_notify().await;
                manager.reload_rules().await;
                manager.refresh_keys().await;
                supervisor.tell("READY=1");
            }
            Some(Heard::Stop) => {
                tracing::info!("stopping: no new connections, what is queued is stored");
                return true;
            }
            None => {
                tracing::error!("a part of the manager has ended; stopping, restart it");
                return false;
            }
        }
    }
}

/// The next time to look at the manager's pulse; never, if nobody wants to know.
async fn due(beat: &mut Option<Interval>) {
    match beat {
        Some(beat) => {
            beat.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Stops the manager; the exit code.
pub async fn end(manager: Manager, whole: bool) -> u8 {
    if manager.shutdown().await && whole { DONE } else { FAILED }
}

/// Why the manager did not start; the exit code.
pub fn refused(error: &StartError) -> u8 {
    complain(&error.to_string());
    match error {
        StartError::Store(error) => storage_code(error),
        StartError::Bind { .. }
        | StartError::Tls(_)
        | StartError::Provider(_)
        | StartError::Random(_) => FAILED,
    }
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// SIGTERM or SIGINT: end in order.
    Stop,
    /// SIGHUP: look at the certificate, the keys, the plan of notifications and the rules of alarms again.
    Hangup,
}

/// SIGTERM, SIGINT and SIGHUP, caught from the beginning, so that one that comes early still
/// stops in order.
pub struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    /// A file that may not grow further is to be an error of the write that tried, as a full
    /// disk is; uncaught, the signal would end the process.
    _file_limit: tokio::signal::unix::Signal,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").finish_non_exhaustive()
    }
}

impl Stop {
    /// Begins to catch.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            _file_limit: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    /// Waits for the next of them.
    pub async fn heard(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::Stop,
            _ = self.interrupt.recv() => Heard::Stop,
            _ = self.hangup.recv() => Heard::Hangup,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_ends_where_the_system_allows() {
        raise_file_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
