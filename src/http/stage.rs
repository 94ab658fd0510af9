//! What a door shows: one app, or a small one until the whole one is there.

use std::sync::{Arc, OnceLock};

use axum::Router;

/// The app of a door. Whoever has a connection open when it changes is answered by the new one
/// from the next request on.
#[derive(Debug, Clone)]
pub struct Stage(Arc<Shown>);

#[derive(Debug)]
struct Shown {
    first: Router,
    whole: OnceLock<Router>,
}

impl From<Router> for Stage {
    fn from(first: Router) -> Self {
        Self(Arc::new(Shown { first, whole: OnceLock::new() }))
    }
}

impl Stage {
    /// Shows another app from here on. It changes once; a second change is none.
    pub fn change(&self, app: Router) {
        self.0.whole.get_or_init(|| app);
    }

    /// What the next request is answered by.
    pub(super) fn app(&self) -> Router {
        self.0.whole.get().unwrap_or(&self.0.first).clone()
    }
}
