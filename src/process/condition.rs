//! What the manager finds about itself, on its way to the processor. Judges nothing.

use crate::alarms::rules::service::DiskFacts;
use crate::model::time::UnixSeconds;

/// A condition of the manager itself.
#[derive(Debug, Clone)]
pub enum ManagerCondition {
    /// The database is older than what was acknowledged.
    RolledBack {
        /// Commits the database knows.
        database: i64,
        /// Commits that were acknowledged.
        acknowledged: i64,
    },
    /// The door's certificate ends then; `None` if it has none, or it cannot be read.
    Certificate(Option<UnixSeconds>),
    /// When the last backups were made, oldest first.
    Backups(Vec<UnixSeconds>),
    /// The audit does not hang together; says where.
    AuditBroken(String),
    /// How the disk of the database is.
    Disk(DiskFacts),
}
