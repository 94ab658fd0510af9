//! The host this agent runs on, as its observer.

use serde_json::{Map, Value};

use crate::model::time::UnixSeconds;

use super::collect::{Collector, Places};
use super::observe::Observer;

/// This host.
#[derive(Debug)]
pub struct Host(Collector);

impl Host {
    /// Nothing is read yet.
    pub fn new(places: Places) -> Self {
        Self(Collector::new(places))
    }
}

impl Observer for Host {
    async fn observe(&mut self, now: UnixSeconds) -> Map<String, Value> {
        match serde_json::to_value(self.0.collect(now).await) {
            Ok(Value::Object(seen)) => seen,
            // A snapshot is an object of plain values.
            Ok(_) | Err(_) => Map::new(),
        }
    }

    async fn changed(&mut self) {
        self.0.changed().await;
    }
}
