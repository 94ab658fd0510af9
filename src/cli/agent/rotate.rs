//! `kattila agent --rotate`: this host gets a new key of its own.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::agent::enroll::exchange::{Wish, wish, wish_now};
use crate::agent::host::Host;
use crate::agent::run::Agent;
use crate::cli::speak::{complain, say};
use crate::cli::{DONE, FAILED, STORAGE};

/// A running agent looks for wishes whenever it has something to do, every report interval at
/// the latest; this is two of the longest usual ones and the manager's answer.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often it is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Does it with nobody else on the directory.
pub(super) async fn instead(mut agent: Agent<Host>) -> u8 {
    let agent_id = agent.agent_id().clone();
    let code = match agent.rotate().await {
        Ok(kid) => {
            say(&format!("{agent_id}: signs with its new key {kid}"));
            DONE
        }
        Err(why) => {
            complain(&format!("{agent_id}: the key is not exchanged: {why}"));
            FAILED
        }
    };
    super::ended(agent, code)
}

/// Has it done by the agent that runs on the directory, and waits for that.
pub(super) async fn ask(dir: &Path) -> u8 {
    if let Err(error) = wish(dir) {
        complain(&format!("{} cannot be written: {error}", dir.display()));
        return STORAGE;
    }
    match tokio::time::timeout(PATIENCE, heeded(dir)).await {
        Ok(Ok(Wish::GivenUp(why))) => {
            complain(&format!("The running agent did not exchange its key: {why}"));
            FAILED
        }
        Ok(Ok(Wish::Gone | Wish::Waits)) => {
            say("The running agent signs with its new key");
            DONE
        }
        Ok(Err(error)) => {
            complain(&format!("{} cannot be read: {error}", dir.display()));
            STORAGE
        }
        Err(_) => {
            complain(
                "The running agent has not exchanged its key yet and goes on trying; its log \
                 says why",
            );
            FAILED
        }
    }
}

/// Waits until a wish waits no more.
async fn heeded(dir: &Path) -> io::Result<Wish> {
    loop {
        match wish_now(dir)? {
            Wish::Waits => tokio::time::sleep(LOOK_EVERY).await,
            over @ (Wish::Gone | Wish::GivenUp(_)) => return Ok(over),
        }
    }
}
