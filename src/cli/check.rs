//! `kattila check-config`: what the settings mean, or everything that is wrong with them.

use crate::config::source::Values;
use crate::config::{Config, explain};

use super::speak::{complain, say};
use super::{DONE, USAGE};

/// Reads the settings and starts nothing.
pub fn run(values: &Values) -> u8 {
    match Config::load(values) {
        Ok(config) => {
            say(&explain::explain(&config));
            DONE
        }
        Err(error) => {
            complain(&error.to_string());
            USAGE
        }
    }
}
