//! Where sessions and tokens are kept: read from the store, written through the processor, so
//! that every change has its place in the history.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::http::error::ApiError;
use crate::process::handle::{Command, Processor};
use crate::store::Reader;
use crate::store::change::SessionRecord;

/// Keeps sessions and tokens over a restart.
pub trait KeepSessions: Send + Sync {
    /// The session or token of this hash, ended or not.
    fn find(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<SessionRecord>, ApiError>>;

    /// Stores or replaces one.
    fn put(&self, record: SessionRecord) -> BoxFuture<'_, Result<(), ApiError>>;

    /// Forgets one.
    fn remove(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<(), ApiError>>;
}

/// In the database.
pub struct StoredSessions {
    reader: Arc<dyn Reader>,
    processor: Processor,
}

impl StoredSessions {
    /// Over the manager's store and processor.
    pub fn new(reader: Arc<dyn Reader>, processor: Processor) -> Self {
        Self { reader, processor }
    }
}

impl std::fmt::Debug for StoredSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSessions").finish_non_exhaustive()
    }
}

impl KeepSessions for StoredSessions {
    fn find(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<SessionRecord>, ApiError>> {
        let reader = Arc::clone(&self.reader);
        async move {
            let found = tokio::task::spawn_blocking(move || reader.session(&hash)).await;
            Ok(found.map_err(ApiError::internal)??)
        }
        .boxed()
    }

    fn put(&self, record: SessionRecord) -> BoxFuture<'_, Result<(), ApiError>> {
        async move {
            self.processor.command(Command::PutSession(record)).await?;
            Ok(())
        }
        .boxed()
    }

    fn remove(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<(), ApiError>> {
        async move {
            self.processor.command(Command::DropSession(hash)).await?;
            Ok(())
        }
        .boxed()
    }
}
