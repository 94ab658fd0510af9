//! Where the database lies: the files beside it, the file system under it, and the lock that
//! keeps a second manager out.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statfs};
use rustix::io::Errno;

use super::error::file_fault;
use crate::store::StoreError;

/// The database file under the one name that all programs agree on: absolute, links resolved.
#[derive(Debug, Clone)]
pub(super) struct Place {
    db: PathBuf,
}

impl Place {
    /// Finds the place of a database that need not be there yet; its directory must be.
    pub(super) fn find(path: &Path) -> Result<Self, StoreError> {
        if let Ok(db) = path.canonicalize() {
            let place = Self { db };
            if place.db.is_dir() {
                return Err(
                    place.refused("is a directory", "give KATTILA_DB the name of a file in it")
                );
            }
            return Ok(place);
        }
        let shown = Self { db: path.to_owned() };
        let Some(name) = path.file_name() else {
            return Err(shown.refused("is not the name of a file", "give KATTILA_DB a file name"));
        };
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        match parent.canonicalize() {
            Ok(parent) => Ok(Self { db: parent.join(name) }),
            Err(error) => Err(shown.refused(
                &format!("cannot be placed, its directory cannot be used ({error})"),
                "create the directory, or give KATTILA_DB another file",
            )),
        }
    }

    /// The database file.
    pub(super) fn db(&self) -> &Path {
        &self.db
    }

    /// Its write-ahead log.
    pub(super) fn wal(&self) -> PathBuf {
        self.beside("-wal")
    }

    /// The number of its last acknowledged commit, kept apart from it.
    pub(super) fn ack(&self) -> PathBuf {
        self.beside(".ack")
    }

    /// A file beside the database, named after it.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.db.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    }

    /// The refusal of this place.
    pub(super) fn refused(&self, problem: &str, remedy: &str) -> StoreError {
        StoreError::Refused {
            path: self.db.display().to_string(),
            problem: problem.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    /// Takes the lock; it is held until the file is dropped.
    pub(super) fn lock(&self) -> Result<File, StoreError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.beside(".lock"))
            .map_err(|error| {
                self.refused(
                    &format!("cannot be locked, the lock file beside it cannot be made ({error})"),
                    "let the manager's user write to the directory, or give KATTILA_DB another file",
                )
            })?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(Errno::WOULDBLOCK) => {
                Err(StoreError::Locked { path: self.db.display().to_string() })
            }
            Err(error) => Err(self.refused(
                &format!("cannot be locked ({error})"),
                "put the database on a local disk",
            )),
        }
    }

    /// Refuses file systems on which SQLite's shared memory and locks do not work.
    pub(super) fn check_file_system(&self) -> Result<(), StoreError> {
        let parent = self.db.parent().unwrap_or(Path::new("/"));
        let found = statfs(parent).map_err(|error| file_fault("the file system", &error.into()))?;
        #[expect(clippy::useless_conversion, reason = "the field's width differs by platform")]
        let magic = i64::from(found.f_type);
        match network_file_system(magic) {
            Some(name) => Err(self.refused(
                &format!("lies on a network file system ({name}), where SQLite loses data"),
                "give KATTILA_DB a file on a local disk",
            )),
            None => Ok(()),
        }
    }

    /// Creates the database file, readable by its owner only, unless it is there.
    pub(super) fn create_if_missing(&self) -> Result<(), StoreError> {
        match create_private(&self.db) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(self.refused(
                &format!("cannot be created ({error})"),
                "let the manager's user write to the directory, or give KATTILA_DB another file",
            )),
        }
    }

    /// A sentence if others than the owner may read the keys in the database.
    pub(super) fn permission_warning(&self) -> Option<String> {
        let mode = self.db.metadata().ok()?.mode() & 0o777;
        (mode & 0o077 != 0).then(|| {
            format!(
                "{} can be read by other users (mode {mode:03o}) and holds keys; run chmod 600 on it",
                self.db.display()
            )
        })
    }

    /// Makes a file's name durable in its directory.
    pub(super) fn sync_directory(&self) -> Result<(), StoreError> {
        let parent = self.db.parent().unwrap_or(Path::new("/"));
        File::open(parent)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| file_fault("the database's directory", &error))
    }
}

/// Creates a file with mode 0600; one that is there is an error and stays untouched.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The name of a network file system by its number in `statfs` (linux/magic.h).
fn network_file_system(magic: i64) -> Option<&'static str> {
    // 32-bit platforms sign-extend the number.
    match magic & 0xFFFF_FFFF {
        0x6969 => Some("NFS"),
        0x517B | 0xFF53_4D42 => Some("CIFS"),
        0xFE53_4D42 => Some("SMB2"),
        0x0102_1997 => Some("9p"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0xFF53_4D42), Some("CIFS"));
        assert_eq!(network_file_system(i64::from(0xFF53_4D42_u32.cast_signed())), Some("CIFS"));
        assert_eq!(network_file_system(0x0102_1997), Some("9p"));
        assert_eq!(network_file_system(0xEF53), None, "ext4");
    }

    #[test]
    fn one_file_has_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("k.db");
        let before = Place::find(&dir.path().join(".").join("k.db")).unwrap();
        before.create_if_missing().unwrap();
        std::os::unix::fs::symlink(&db, dir.path().join("link")).unwrap();
        let by_link = Place::find(&dir.path().join("link")).unwrap();
        assert_eq!(before.db(), by_link.db());
        assert_eq!(db.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn impossible_places_are_refused_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/such/k.db")] {
            let error = Place::find(&path).unwrap_err().to_string();
            assert!(error.contains("give KATTILA_DB"), "{error}");
        }
    }
}
