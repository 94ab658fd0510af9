//! The commands: flags in, exit code out. One file per command; what they do is done by the
//! modules below.
//!
//! Exit codes: 0 done, 1 failed or something found, 2 bad usage, 3 storage refused.

pub mod admin;
pub mod agent;
pub mod backup;
pub mod check;
pub mod demo;
pub mod doctor;
pub mod door;
pub mod findings;
pub mod healthcheck;
pub mod identity;
pub mod logging;
pub mod manual;
pub mod psk;
pub mod replay;
pub mod restore;
pub mod scratch;
pub mod secret;
pub mod serve;
pub mod sign;
pub mod simulate;
pub mod speak;
pub mod verify;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::source::Values;
use crate::http::openapi;
use crate::keys::forbid_memory_dumps;
use crate::model::audit::Head;
use crate::store::StoreError;

use psk::PskSettings;
use speak::{complain, say};

/// Done.
pub const DONE: u8 = 0;

/// Failed, or something was found.
pub const FAILED: u8 = 1;

/// The command was not used as it must be.
pub const USAGE: u8 = 2;

/// The database cannot be used; a person must decide.
pub const STORAGE: u8 = 3;

/// Shows a WireGuard network as it really is: signed reports in, a live topology map out
#[derive(Debug, Parser)]
#[command(name = "kattila", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the manager
    Serve(Flags),
    /// Run a manager with a simulated fleet on a scratch database; needs no settings
    Demo(demo::DemoArgs),
    /// Push reports of made-up hosts to a manager
    Simulate(simulate::SimulateArgs),
    /// Sign the JSON on standard input as a report
    Sign(sign::SignArgs),
    /// Check the signature and digest of every stored report again
    Verify {
        /// An end of the audit that was kept elsewhere, as SEQ:HASH: it must still be in it
        #[arg(long, value_name = "SEQ:HASH")]
        audit_head: Option<Head>,
        #[command(flatten)]
        database: Database,
    },
    /// Run stored reports through the engine with other rules, and compare the alarms
    Replay(replay::ReplayArgs),
    /// Check settings, keys, clock, database, permissions and disk
    Doctor(Flags),
    /// Copy the database of a running or stopped manager into a new file
    Backup {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        database: Database,
    },
    /// Put a backup where a database is wanted and none is, or make it again as it was at a time
    Restore(restore::RestoreArgs),
    /// Tell what the settings mean, or every mistake in them
    CheckConfig(Flags),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Ask the manager on this host whether it takes reports: exit code 0 if so
    Healthcheck(Flags),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual's pages of all commands into a directory
    Man {
        /// Made if it is not there
        directory: PathBuf,
    },
    /// Manage tokens and agents from the manager's own host
    Admin {
        #[command(subcommand)]
        act: admin::Act,
    },
    /// Report about this host to a manager
    Agent(agent::AgentArgs),
}

/// Which database a command works on.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// SQLite database file; without it `KATTILA_DB`, then `kattila_manager.db`
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

impl Database {
    /// The file: the flag, else the setting.
    fn file(&self, values: &Values) -> PathBuf {
        let told = self.db.clone();
        told.unwrap_or_else(|| values.get_or_default("KATTILA_DB").into())
    }
}

/// Runs the command of this process; its exit code.
pub fn run() -> u8 {
    // Usage errors end here with exit code 2, --help and --version with 0.
    let cli = Cli::parse();
    // Most commands hold keys or tokens at some time.
    if let Err(error) = forbid_memory_dumps() {
        complain(&format!(
            "Memory dumps cannot be forbidden ({error}); a crash may write keys to disk"
        ));
    }
    let mut values = Values::of_process(Path::new("."));
    let clock = Clock::system();
    match cli.command {
        Command::Serve(flags) => {
            values.add(flags.into_pairs());
            with_runtime(serve::run(values, clock))
        }
        Command::Demo(args) => with_runtime(demo::run(args, clock)),
        Command::Simulate(args) => {
            let settings = PskSettings::of(&values);
            with_runtime(async move { simulate::run(args, &settings, clock).await })
        }
        Command::Sign(args) => {
            let settings = PskSettings::of(&values);
            let given = sign::Given { args: &args, settings: &settings, clock: &clock };
            with_runtime(sign::run(given, io::stdin().lock(), io::stdout(), io::stderr()))
        }
        Command::Verify { audit_head, database } => {
            verify::run(&database.file(&values), audit_head)
        }
        Command::Replay(args) => with_runtime(replay::run(args, values)),
        Command::Doctor(flags) => {
            values.add(flags.into_pairs());
            with_runtime(doctor::run(values, clock))
        }
        Command::Backup { file, database } => backup::backup(&database.file(&values), &file),
        Command::Restore(args) => restore::run(&args, &values),
        Command::CheckConfig(flags) => {
            values.add(flags.into_pairs());
            check::run(&values)
        }
        Command::Openapi => print_openapi(),
        Command::Healthcheck(flags) => {
            values.add(flags.into_pairs());
            with_small_runtime(healthcheck::run(values))
        }
        Command::Completions { shell } => manual::completions(Cli::command(), shell),
        Command::Man { directory } => manual::pages(Cli::command(), &directory),
        Command::Admin { act } => with_runtime(admin::run(act, values, clock)),
        Command::Agent(args) => {
            let given = args.flags.clone().into_pairs();
            let source = move || {
                let mut values = Values::of_process(Path::new("."));
                values.add(given.clone());
                values
            };
            with_small_runtime(async move { agent::run(&args, source, clock).await })
        }
    }
}

fn print_openapi() -> u8 {
    match openapi::describe().to_pretty_json() {
        Ok(text) => {
            say(&text);
            DONE
        }
        Err(error) => {
            complain(&format!("The description cannot be written: {error}"));
            FAILED
        }
    }
}

fn with_runtime(work: impl Future<Output = u8>) -> u8 {
    block_on(tokio::runtime::Builder::new_multi_thread().enable_all().build(), work)
}

/// One thread is enough for an agent, and more would cost memory on every host.
fn with_small_runtime(work: impl Future<Output = u8>) -> u8 {
    block_on(tokio::runtime::Builder::new_current_thread().enable_all().build(), work)
}

fn block_on(runtime: io::Result<tokio::runtime::Runtime>, work: impl Future<Output = u8>) -> u8 {
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            complain(&format!("The runtime cannot start: {error}"));
            FAILED
        }
    }
}

/// The exit code of a storage error: 3 where a person must decide.
pub fn storage_code(error: &StoreError) -> u8 {
    match error {
        StoreError::Locked { .. } | StoreError::Refused { .. } => STORAGE,
        StoreError::Unavailable(_) | StoreError::Constraint(_) | StoreError::Damaged(_) => FAILED,
    }
}

/// Tells how something that was done to a database went; its exit code.
fn report(result: Result<String, StoreError>) -> u8 {
    match result {
        Ok(done) => {
            say(&done);
            DONE
        }
        Err(error) => {
            complain(&error.to_string());
            storage_code(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_all_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_is_there() {
        let command = Cli::command();
        let found: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        for name in [
            "serve",
            "demo",
            "agent",
            "simulate",
            "sign",
            "verify",
            "replay",
            "doctor",
            "backup",
            "restore",
            "admin",
            "check-config",
            "openapi",
            "healthcheck",
            "completions",
            "man",
        ] {
            assert!(found.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_flag_wins_over_the_setting_of_the_database() {
        let values = Values::from_pairs([("KATTILA_DB", "set.db")]);
        assert_eq!(Database { db: None }.file(&values), PathBuf::from("set.db"));
        assert_eq!(Database { db: Some("flag.db".into()) }.file(&values), PathBuf::from("flag.db"));
        assert_eq!(
            Database { db: None }.file(&Values::default()),
            PathBuf::from("kattila_manager.db")
        );
    }
}
