//! The links that were shared, as the board has them: who comes with one is looked up here, and
//! who watches by one hears at once that it ended.

use std::sync::Arc;

use tokio::sync::watch;

use super::Board;
use crate::process::shares::Shares;

impl Board {
    /// The shared links, those that have ended and were not swept out included.
    pub fn shares(&self) -> Arc<Shares> {
        Arc::clone(&self.shares.borrow())
    }

    /// The same, and every change of them.
    pub fn watch_shares(&self) -> watch::Receiver<Arc<Shares>> {
        self.shares.subscribe()
    }

    /// Takes the shared links.
    pub(in crate::process) fn set_shares(&self, shares: Shares) {
        self.shares.send_replace(Arc::new(shares));
    }
}
