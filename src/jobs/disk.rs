//! Looks at the disk that the database is on, and for the backups that were made of it, and hands
//! over what it finds.

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use tracing::warn;

use super::Context;
use crate::alarms::rules::service::DiskFacts;
use crate::process::condition::ManagerCondition;
use crate::process::handle::Command;
use crate::store::backups::made;

/// Looks once.
pub async fn look(context: Context) {
    let database = context.database.clone();
    let measured = tokio::task::spawn_blocking(move || (measure(&database), made(&database))).await;
    let Ok((disk, backups)) = measured else { return };
    let backups = ManagerCondition::Backups(backups);
    for found in disk.map(ManagerCondition::Disk).into_iter().chain([backups]) {
        if let Err(failure) = context.processor.command(Command::Condition(found)).await {
            warn!(%failure, "What was found beside the database was not recorded");
        }
    }
}

/// Reads the room on the disk, and the size of the write-ahead log, of a database; `None` if the
/// system does not say.
fn measure(database: &Path) -> Option<DiskFacts> {
    let parent = database.parent().filter(|parent| *parent != Path::new(""));
    let room = statvfs(parent.unwrap_or(Path::new("."))).ok()?;
    let mut wal = database.as_os_str().to_owned();
    wal.push("-wal");
    let wal = std::fs::metadata(PathBuf::from(wal)).map_or(0, |meta| meta.len());
    // What is kept for root is not for the manager.
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let kept = room.f_bfree.saturating_sub(room.f_bavail);
    let total = room.f_blocks.saturating_sub(kept).saturating_mul(room.f_frsize);
    Some(DiskFacts { free, total, wal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_and_the_log_are_measured() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("k.db");
        let disk = measure(&database).unwrap();
        assert!(disk.free <= disk.total && disk.total > 1 << 20, "{disk:?}");
        assert_eq!(disk.wal, 0);
        std::fs::write(dir.path().join("k.db-wal"), [0; 4_096]).unwrap();
        assert_eq!(measure(&database).unwrap().wal, 4_096);
        assert_eq!(measure(&dir.path().join("away").join("k.db")), None);
        assert!(measure(Path::new("k.db")).is_some());
    }
}
