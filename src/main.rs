//! The one binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(kattila::cli::run())
}
