//! Whether the manager still does its work, for a supervisor that restarts it if not.
//!
//! Must never count a failure that is told as silence: a full disk is no reason to start anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::process::handle::{Command, Processor};
use crate::store::Reader;

/// Whether the processor's thread gets through what it is asked and the store can be read, each in
/// so much time.
pub async fn beats(processor: &Processor, reader: &Arc<dyn Reader>, patience: Duration) -> bool {
    let answered = timeout(patience, processor.command(Command::Ping)).await.is_ok();
    let reader = Arc::clone(reader);
    let look = spawn_blocking(move || reader.keys().is_ok());
    answered && processor.status().running && timeout(patience, look).await.is_ok()
}
