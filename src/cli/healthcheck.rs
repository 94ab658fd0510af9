//! `kattila healthcheck`: for supervisors of containers, which ask by running a command.
//!
//! Asks the door of this host as the settings have it. A door that speaks TLS is only asked whether
//! it takes a connection: its certificate is for the name by which others know it.

use std::time::Duration;

use hyper::{Method, StatusCode};
use tokio::net::TcpStream;

use crate::config::Config;
use crate::config::source::Values;

use super::door::{self, Caller};
use super::speak::{complain, say};
use super::{DONE, FAILED, USAGE};

/// A door that takes longer than this to take a connection takes none.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks; the exit code.
pub async fn run(values: Values) -> u8 {
    let config = match Config::load(&values) {
        Ok(config) => config,
        Err(error) => {
            complain(&error.to_string());
            return USAGE;
        }
    };
    let answer = if config.tls.is_some() { connects(&config).await } else { asks(&config).await };
    match answer {
        Ok(well) => {
            say(&well);
            DONE
        }
        Err(problem) => {
            complain(&problem);
            FAILED
        }
    }
}

async fn asks(config: &Config) -> Result<String, String> {
    let caller = Caller { door: config.listen, token: "" };
    let (status, answer) = door::send(caller, (Method::GET, "/status/healthcheck"), None).await?;
    if status == StatusCode::OK { Ok(answer.to_string()) } else { Err(answer.to_string()) }
}

async fn connects(config: &Config) -> Result<String, String> {
    let door = door::reachable(config.listen);
    match tokio::time::timeout(PATIENCE, TcpStream::connect(door)).await {
        Ok(Ok(_open)) => Ok(format!("{door} takes connections")),
        Ok(Err(error)) => Err(format!("{door} takes no connection: {error}")),
        Err(_elapsed) => Err(format!("{door} takes no connection in time")),
    }
}
