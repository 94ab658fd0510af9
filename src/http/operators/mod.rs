//! What operators and their programs ask: JSON, one file per kind of thing.

pub mod acts;
pub mod agents;
pub mod alarms;
pub mod audit;
pub mod drawing;
pub mod edges;
pub mod events;
pub mod export;
pub mod identities;
pub mod jobs;
pub mod layout;
pub mod log_csv;
pub mod maintenance;
pub mod marks;
pub mod metrics;
pub mod narrowed;
pub mod networks;
pub mod notifications;
pub mod past;
pub mod paths;
pub mod people;
pub mod quality;
pub mod reports;
pub mod rules;
pub mod search;
pub mod sessions;
pub mod shares;
pub mod tokens;
pub mod told;
pub mod topology;
pub mod what_if;

use serde::Serialize;

/// The answer to a command that has nothing else to tell.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Acknowledged {
    /// `ok`.
    pub status: &'static str,
}

/// It was done.
pub const OK: Acknowledged = Acknowledged { status: "ok" };
