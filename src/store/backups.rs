//! When the database was last backed up: a small file beside it, `NAME.backups`.
//!
//! Whoever makes a backup notes it there, so that a running manager knows. It holds times alone,
//! one a line in Unix seconds, and is replaced as a whole. It must never keep a backup from
//! being made: one that cannot be noted is still one.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::model::time::UnixSeconds;

/// Times that are kept.
const KEPT: usize = 5;

fn file(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// When the last backups were made, oldest first; none if none was noted.
pub fn made(database: &Path) -> Vec<UnixSeconds> {
    let text = std::fs::read_to_string(file(database, ".backups")).unwrap_or_default();
    let times = text.lines().filter_map(|line| line.trim().parse().ok()).map(UnixSeconds);
    let mut times: Vec<UnixSeconds> = times.collect();
    times.sort_unstable();
    times
}

/// Notes that a backup was made.
pub fn note(database: &Path, at: UnixSeconds) -> io::Result<()> {
    let mut times = made(database);
    times.push(at);
    let skipped = times.len().saturating_sub(KEPT);
    let text: String = times.iter().skip(skipped).map(|at| format!("{}\n", at.0)).collect();
    let new = file(database, ".backups.new");
    let mut written = std::fs::File::create(&new)?;
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(new, file(database, ".backups"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_five_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("k.db");
        assert_eq!(made(&database), []);
        for at in 1..=7 {
            note(&database, UnixSeconds(at)).unwrap();
        }
        assert_eq!(made(&database), [3, 4, 5, 6, 7].map(UnixSeconds));
        std::fs::write(dir.path().join("k.db.backups"), "garbage\n9\n").unwrap();
        assert_eq!(made(&database), [UnixSeconds(9)]);
        assert!(note(&dir.path().join("away").join("k.db"), UnixSeconds(1)).is_err());
    }
}
