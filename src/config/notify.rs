//! The plan of notifications as a file, with the files it names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::read::private_text;
use crate::form::Mistake;
use crate::notify::file::{self, Files};
use crate::notify::plan::{Plan, Secret};

/// Bytes of the plan, and of a file of certificates, at most.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Bytes of a secret's file at most.
const MAX_SECRET_BYTES: u64 = 4096;

/// How people are told of alarms.
#[derive(Debug, Clone)]
pub struct Notify {
    /// The file, to be read again.
    pub file: PathBuf,
    /// What it said.
    pub plan: Arc<Plan>,
}

/// Reads a plan, or everything that is wrong with it.
pub fn read(path: &Path) -> Result<Plan, Vec<String>> {
    let text = open(path).map_err(|problem| vec![problem])?;
    let beside = Beside(path.parent().unwrap_or(Path::new("")));
    let told = |mistake: &Mistake| format!("{}: {mistake}", path.display());
    file::parse(&text, &beside).map_err(|mistakes| mistakes.iter().map(told).collect())
}

/// Files named from the plan's own directory.
struct Beside<'a>(&'a Path);

impl Files for Beside<'_> {
    fn secret(&self, path: &str) -> Result<Secret, String> {
        let text = private_text(&self.0.join(path), MAX_SECRET_BYTES)?;
        match text.trim() {
            "" => Err(format!("{path} is empty")),
            text => Ok(Secret::new(text)),
        }
    }

    fn open(&self, path: &str) -> Result<String, String> {
        open(&self.0.join(path))
    }
}

/// The text of a file of a person's own.
pub(super) fn open(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if !meta.is_file() || meta.len() > MAX_FILE_BYTES {
        return Err(format!("{} is not a file of at most 1 MiB", path.display()));
    }
    std::fs::read_to_string(path).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn secrets_stand_beside_the_plan_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let plan = dir.path().join("notify.toml");
        let text = "[heartbeat]\nurl_file = \"url\"\n";
        std::fs::write(&plan, text).unwrap();
        assert!(read(&plan).unwrap_err()[0].contains("line 2: heartbeat.url_file"));
        let url = dir.path().join("url");
        std::fs::write(&url, "https://watch.example.org/s3cret\n").unwrap();
        std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&plan).unwrap_err()[0].contains("chmod 600"));
        std::fs::set_permissions(&url, std::fs::Permissions::from_mode(0o600)).unwrap();
        let read = read(&plan).unwrap();
        let beat = read.heartbeat.as_ref().unwrap();
        assert_eq!(beat.url.reveal(), "https://watch.example.org/s3cret");
        assert!(!format!("{read:?}").contains("s3cret"));
    }
}
