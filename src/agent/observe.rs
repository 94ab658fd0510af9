//! Where observations of this host come from.

use serde_json::{Map, Value};

use crate::model::time::UnixSeconds;

/// Looks at a host. The real one reads the kernel; tests say what is seen.
pub trait Observer: Send {
    /// What is seen now, as the members of `data`. What cannot be read is left out and told as
    /// a problem in it.
    fn observe(&mut self, now: UnixSeconds) -> impl Future<Output = Map<String, Value>> + Send;

    /// Waits until something may have changed. May be dropped while it waits.
    fn changed(&mut self) -> impl Future<Output = ()> + Send;
}
