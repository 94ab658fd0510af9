//! `kattila agent`: what this host would report, and what it lacks for a full report.

use clap::Args;

use crate::agent::collect::check::Finding;
use crate::agent::collect::{self, Collector, Places};
use crate::clock::Clock;

use super::speak::{complain, say};
use super::{DONE, FAILED, USAGE};

/// Flags of `kattila agent`.
#[derive(Debug, Clone, Args)]
pub struct AgentArgs {
    /// Look at this host once
    #[arg(long, requires = "print")]
    pub once: bool,
    /// Print what was read as the `data` of a report, and send nothing
    #[arg(long, requires = "once")]
    pub print: bool,
    /// Tell what this host lacks for a full report, and what to do
    #[arg(long, conflicts_with = "once")]
    pub check: bool,
}

/// Does what the flags say.
pub async fn run(args: AgentArgs, clock: Clock) -> u8 {
    if args.check {
        return tell(&collect::check(Places::default()).await);
    }
    if args.once {
        return print(&clock).await;
    }
    complain(
        "This version's agent sends nothing by itself: --once --print shows a report, --check \
         what is missing; docs/shell-agent.sh is an agent for hosts with ip, wg, openssl and curl.",
    );
    USAGE
}

async fn print(clock: &Clock) -> u8 {
    let snapshot = Collector::new(Places::default()).collect(clock.now()).await;
    match serde_json::to_string(&snapshot) {
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

fn tell(findings: &[Finding]) -> u8 {
    for Finding { about, verdict } in findings {
        match verdict {
            Ok(well) => say(&format!("ok    {about:<12}{well}")),
            Err(ill) => {
                say(&format!("WRONG {about:<12}{}", ill.replace('\n', "\n                  ")))
            }
        }
    }
    if findings.iter().all(|finding| finding.verdict.is_ok()) { DONE } else { FAILED }
}
