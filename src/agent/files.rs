//! The agent's directory: private, held by one agent at a time, and every file in it whole.
//!
//! A file is written beside its place, synced, renamed over it, and the directory synced. So
//! after a crash or a power loss there is the old file or the new one, never a part of one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use thiserror::Error;

/// The ending of a file that is not whole yet.
pub(super) const UNFINISHED: &str = ".tmp";

/// Held for as long as an agent runs.
const LOCK: &str = "lock";

/// Why the directory cannot be used.
#[derive(Debug, Error)]
pub enum HomeError {
    /// It is not there and cannot be made, or cannot be written.
    #[error(
        "the agent's directory {path} cannot be used ({source}): let the agent's user write to \
         it, or set KATTILA_AGENT_DIR"
    )]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another agent holds it.
    #[error(
        "another agent runs on {0}: two with one identity would take each other for replays; \
         stop it first, or set KATTILA_AGENT_DIR"
    )]
    Held(PathBuf),
}

/// The directory, locked.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    lock: File,
}

impl Drop for Home {
    /// Gives the lock up by name: a program that was being started meanwhile has a copy of the
    /// file until it runs, and would hold the lock that long (flock(2)).
    fn drop(&mut self) {
        if let Err(error) = flock(&self.lock, FlockOperation::Unlock) {
            tracing::debug!(%error, "The agent's directory stays locked until this process ends");
        }
    }
}

impl Home {
    /// Makes the directory if need be and takes it for this process.
    pub fn open(dir: &Path) -> Result<Self, HomeError> {
        let unusable = |source| HomeError::Unusable { path: dir.to_owned(), source };
        make_private(dir).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join(LOCK))
            .map_err(unusable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { dir: dir.to_owned(), lock }),
            Err(Errno::WOULDBLOCK) => Err(HomeError::Held(dir.to_owned())),
            Err(error) => Err(unusable(error.into())),
        }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A file's content; `None` if it is not there.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file, whole and durable.
    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        write(&self.dir, name, content)
    }

    /// Gives a file another's name, durably; the other one is gone then.
    pub fn replace(&self, name: &str, by: &str) -> io::Result<()> {
        fs::rename(self.path(by), self.path(name))?;
        sync(&self.dir)
    }

    /// Removes a file, durably; one that is not there is removed already.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => sync(&self.dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Leaves a word for the agent that holds a directory.
pub fn leave(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    write(dir, name, content)
}

/// Makes a directory that only its owner can enter, with those above it.
pub(super) fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Writes a file of a directory with mode 0600, whole and durable.
pub(super) fn write(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = dir.join(format!("{name}{UNFINISHED}"));
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let written = options.open(&unfinished).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&unfinished, dir.join(name)));
    if renamed.is_err() {
        // The disk may be full: what was half written must not fill it further.
        fs::remove_file(&unfinished).unwrap_or_default();
    }
    renamed.and_then(|()| sync(dir))
}

/// Makes the names in a directory durable.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_written_is_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(&dir.path().join("a/b")).unwrap();
        assert_eq!(home.read("x").unwrap(), None);
        home.write("x", b"one").unwrap();
        home.write("x", b"two").unwrap();
        assert_eq!(home.read("x").unwrap().as_deref(), Some(b"two".as_slice()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(home.dir()), mode(&home.path("x"))), (0o700, 0o600));
        home.remove("x").unwrap();
        home.remove("x").unwrap();
        let left: Vec<_> = fs::read_dir(home.dir()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the lock");
    }

    #[test]
    fn one_agent_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = Home::open(dir.path()).unwrap();
        assert!(matches!(Home::open(dir.path()), Err(HomeError::Held(_))));
        drop(first);
        assert!(Home::open(dir.path()).is_ok());
    }

    #[test]
    fn an_impossible_place_says_what_to_set() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let error = Home::open(&dir.path().join("file/below")).unwrap_err();
        assert!(error.to_string().contains("KATTILA_AGENT_DIR"), "{error}");
    }
}
