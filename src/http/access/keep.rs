//! Where users, sessions and tokens are kept: read from the store, written through the processor, so
//! that every change has its place in the history.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::http::error::ApiError;
use crate::model::time::UnixSeconds;
use crate::process::handle::{Command, CommandError, Done, Processor};
use crate::process::people::{Order, PeopleWish, SignIn};
use crate::store::people::{SessionFilter, SessionRecord, UserRecord};
use crate::store::share::ShareRecord;
use crate::store::{Reader, StoreError};

/// Keeps users, sessions and tokens over a restart.
pub trait KeepSessions: Send + Sync {
    /// The shared link of this hash, as committed, ended or not.
    fn share(&self, hash: &[u8; 32]) -> Option<ShareRecord>;

    /// The session or token of this hash, ended or not.
    fn find(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<SessionRecord>, ApiError>>;

    /// Sessions and tokens, the newest first.
    fn list(&self, filter: SessionFilter) -> BoxFuture<'_, Result<Vec<SessionRecord>, ApiError>>;

    /// Notes that one was used, if it is still stored.
    fn used(&self, hash: [u8; 32], at: UnixSeconds) -> BoxFuture<'_, Result<(), ApiError>>;

    /// The users: all of them, or the one of this name.
    fn users(&self, name: Option<String>) -> BoxFuture<'_, Result<Vec<UserRecord>, ApiError>>;

    /// Changes something about a user; the least generation of sessions that go on.
    fn order(&self, order: Order) -> BoxFuture<'_, Result<i64, CommandError>>;

    /// Stores a user's session, if the user is still as they were.
    fn sign_in(&self, sign_in: SignIn) -> BoxFuture<'_, Result<(), CommandError>>;

    /// Stores or replaces one.
    fn put(&self, record: SessionRecord) -> BoxFuture<'_, Result<(), ApiError>>;

    /// Forgets one; `of` says which, where somebody ended it.
    fn remove(
        &self,
        hash: [u8; 32],
        of: Option<&SessionRecord>,
    ) -> BoxFuture<'_, Result<(), ApiError>>;
}

/// In the database.
pub struct StoredSessions {
    reader: Arc<dyn Reader>,
    processor: Processor,
}

impl StoredSessions {
    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let reader = Arc::clone(&self.reader);
        let found = tokio::task::spawn_blocking(move || ask(&*reader)).await;
        Ok(found.map_err(ApiError::internal)??)
    }

    async fn wish(&self, wish: PeopleWish) -> Result<Done, CommandError> {
        self.processor.command(Command::People(Box::new(wish))).await
    }

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
    fn share(&self, hash: &[u8; 32]) -> Option<ShareRecord> {
        self.processor.board().shares().get(hash).cloned()
    }

    fn find(&self, hash: [u8; 32]) -> BoxFuture<'_, Result<Option<SessionRecord>, ApiError>> {
        self.read(move |store| store.session(&hash)).boxed()
    }

    fn list(&self, filter: SessionFilter) -> BoxFuture<'_, Result<Vec<SessionRecord>, ApiError>> {
        self.read(move |store| store.sessions(&filter)).boxed()
    }

    fn used(&self, hash: [u8; 32], at: UnixSeconds) -> BoxFuture<'_, Result<(), ApiError>> {
        async move {
            self.wish(PeopleWish::Used(hash, at)).await?;
            Ok(())
        }
        .boxed()
    }

    fn users(&self, name: Option<String>) -> BoxFuture<'_, Result<Vec<UserRecord>, ApiError>> {
        self.read(move |store| store.users(name.as_deref())).boxed()
    }

    fn order(&self, order: Order) -> BoxFuture<'_, Result<i64, CommandError>> {
        async move {
            match self.wish(PeopleWish::Order(order)).await? {
                Done::User { least } => Ok(least),
                // Cannot be; none of their sessions goes on.
                Done::Reset { .. }
                | Done::Acted(_)
                | Done::Window { .. }
                | Done::Swept { .. }
                | Done::Queued(_)
                | Done::Nothing => Ok(i64::MAX),
            }
        }
        .boxed()
    }

    fn sign_in(&self, sign_in: SignIn) -> BoxFuture<'_, Result<(), CommandError>> {
        async move { self.wish(PeopleWish::SignIn(sign_in)).await.map(|_done| ()) }.boxed()
    }

    fn put(&self, record: SessionRecord) -> BoxFuture<'_, Result<(), ApiError>> {
        async move {
            self.processor.command(Command::PutSession(record)).await?;
            Ok(())
        }
        .boxed()
    }

    fn remove(
        &self,
        hash: [u8; 32],
        of: Option<&SessionRecord>,
    ) -> BoxFuture<'_, Result<(), ApiError>> {
        let of = of.cloned().map(Box::new);
        async move {
            self.processor.command(Command::DropSession { hash, of }).await?;
            Ok(())
        }
        .boxed()
    }
}
