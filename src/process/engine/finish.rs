//! The end of a run: what waits in memory is written, the log is emptied.

use tracing::warn;

use super::Engine;
use crate::process::load;
use crate::store::StoreError;
use crate::store::change::Change;
use crate::store::flush::Flushed;

impl Engine {
    /// Writes what waits in memory and empties the log.
    pub(super) fn finish(mut self) {
        if let Err(failure) = self.flush() {
            warn!(%failure, "Last-seen times were not written; the stored reports have them");
        }
        if let Err(failure) = self.writer.close() {
            warn!(%failure, "The write-ahead log was not emptied; the next start will do it");
        }
    }

    /// Writes the moving values and the mark that they are written.
    fn flush(&mut self) -> Result<(), StoreError> {
        let state = load::dynamic(&self.fleet);
        let flushed = Some(Flushed { state, upto: self.fleet.last_report });
        self.writer.begin()?;
        self.writer.record(&Change { flushed, ..Change::default() })?;
        self.writer.commit()
    }
}
