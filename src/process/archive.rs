//! The chore that looks after the archive of the database, beside the processor's thread.

use std::sync::Arc;

use super::handle::{CommandError, Processor};

impl Processor {
    /// Makes a base if it is time and takes out what is old; adds to `rows` how many files that were.
    /// What keeps the archive from taking what is committed is an error, so that it is told.
    pub(super) async fn tend_archive(&self, rows: &mut u64) -> Result<(), CommandError> {
        let reader = Arc::clone(self.rollup().reader());
        let tended = tokio::task::spawn_blocking(move || reader.tend_archive()).await;
        let broken = |_panicked| CommandError::Unavailable("the work broke off".into());
        let tended = tended.map_err(broken)?;
        *rows = tended.map_err(|failure| CommandError::Unavailable(failure.to_string()))?;
        Ok(())
    }
}
