//! `kattila backup`.

use std::path::Path;

use crate::clock::Clock;
use crate::store::Reader as _;
use crate::store::backups;
use crate::store::sqlite;

use super::report;
use super::speak::complain;

/// Copies the database, whether a manager has it open or not.
pub fn backup(database: &Path, to: &Path) -> u8 {
    let copied = sqlite::open_read_only(database).and_then(|reader| reader.backup(to));
    if copied.is_ok()
        && let Err(error) = backups::note(database, Clock::system().now())
    {
        complain(&format!("The copy is made, but the manager will not know of it: {error}"));
    }
    report(copied.map(|()| format!("{} is a copy of {}.", to.display(), database.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{DONE, STORAGE};
    use crate::store::sqlite::{self, Durability};

    #[test]
    fn a_copy_is_noted_beside_the_database() {
        let dir = tempfile::tempdir().unwrap();
        let (database, copy) = (dir.path().join("k.db"), dir.path().join("copy.db"));
        sqlite::open(&database, Durability::Full).unwrap().writer.close().unwrap();
        assert_eq!(backup(&database, &copy), DONE);
        assert_eq!(backups::made(&database).len(), 1);
        assert_ne!(backup(&database, &copy), DONE, "nothing is overwritten");
        assert_eq!(backups::made(&database).len(), 1);
    }

    #[test]
    fn what_is_not_there_is_refused_and_nothing_appears() {
        let dir = tempfile::tempdir().unwrap();
        let (database, copy) = (dir.path().join("k.db"), dir.path().join("copy.db"));
        assert_eq!(backup(&database, &copy), STORAGE);
        assert!(!database.exists() && !copy.exists());
    }
}
