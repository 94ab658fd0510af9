//! What commands say: results on standard output, everything else on standard error.
//!
//! A pipe that was closed is no reason to fail: who closed it has read enough.

use std::io::{self, Write as _};

/// A result.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()).unwrap_or_default();
}

/// Something a person should know.
pub fn complain(text: &str) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}
