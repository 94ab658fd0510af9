//! What the board tells of the service itself: channels that fail, maintenance windows.

use std::sync::Arc;

use super::Board;
use crate::model::window::Window;

impl Board {
    /// Channels that do not take messages to people.
    pub fn channels_failing(&self) -> Vec<String> {
        self.read().channels_failing.clone()
    }

    /// The maintenance windows, by number, those that are over included.
    pub fn windows(&self) -> Arc<Vec<Window>> {
        Arc::clone(&self.read().windows)
    }

    /// Takes the maintenance windows.
    pub fn set_windows(&self, windows: Vec<Window>) {
        self.write().windows = Arc::new(windows);
    }

    /// Sets which channels do not take messages to people.
    pub fn set_channels_failing(&self, names: Vec<String>) {
        self.write().channels_failing = names;
    }
}
