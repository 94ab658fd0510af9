//! Everything that the most talkative settings log while a test listens.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock};

use kattila::cli::logging;
use kattila::config::Log;
use tracing_subscriber::fmt::MakeWriter;

/// What was logged; nothing is kept while nobody listens.
static LINES: Mutex<Option<Vec<u8>>> = Mutex::new(None);

static INSTALLED: OnceLock<()> = OnceLock::new();

/// Listens from now on. Other tests of the process are heard as well.
pub(crate) fn listen() {
    lines().get_or_insert_default();
    INSTALLED.get_or_init(|| {
        let log = Log { filter: "trace".to_owned(), json: false };
        tracing::subscriber::set_global_default(logging::lines(&log, Ear, false)).unwrap();
    });
}

/// What was heard; listens no longer.
pub(crate) fn heard() -> String {
    String::from_utf8_lossy(&lines().take().unwrap()).into_owned()
}

fn lines() -> MutexGuard<'static, Option<Vec<u8>>> {
    LINES.lock().unwrap()
}

struct Ear;

impl MakeWriter<'_> for Ear {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        Self
    }
}

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(lines) = lines().as_mut() {
            lines.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
