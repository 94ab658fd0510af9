//! `kattila admin relay`: lets an agent pass on what others report, or forbids it.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::speak::say;
use crate::config::source::Values;
use crate::model::id::AgentId;

use super::command;

/// Which agent, and whether it may.
#[derive(Debug, Clone, Args)]
pub struct RelayArgs {
    /// Whether it may from now on
    pub whether: Whether,
    /// The agent
    #[arg(long, value_name = "ID")]
    pub agent: AgentId,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Whether {
    /// It may
    Allow,
    /// It may not: what it passes on is refused
    Forbid,
}

/// Does it; the exit code.
pub(super) async fn run(RelayArgs { whether, agent }: RelayArgs, values: &Values) -> u8 {
    // An id has no character that means something in a path but the colon, which may stand there.
    let path = format!("/api/v1/agents/{agent}/relay");
    let allowed = whether == Whether::Allow;
    command(values, &path, &json!({"allowed": allowed}), |_ok| {
        let may = if allowed { "may" } else { "may not" };
        say(&format!("{agent} {may} pass on what others report."));
    })
    .await
}
