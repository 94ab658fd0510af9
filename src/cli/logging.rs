//! The log: lines on standard error, as text or as JSON.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::Log;

/// Begins to log. The filter has been checked with the other settings; if it were wrong after
/// all, `info` holds.
pub fn begin(log: &Log) -> Result<(), TryInitError> {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_checked| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if log.json {
        lines.json().flatten_event(true).finish().try_init()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).finish().try_init()
    }
}
