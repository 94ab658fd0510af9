//! A directory of a command's own that goes with it.

use std::path::PathBuf;

use super::speak::complain;
use crate::http::access::token;

/// A directory that nobody else can read, removed when it is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one; its name begins with `prefix`.
    pub fn new(prefix: &str) -> Result<Self, String> {
        use std::os::unix::fs::DirBuilderExt as _;
        let name = token::make(prefix).map_err(|error| error.to_string())?;
        let dir = std::env::temp_dir().join(name.as_str());
        let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
        made.map_err(|error| format!("{} cannot be made: {error}", dir.display()))?;
        Ok(Self(dir))
    }

    /// Where a database may be made.
    pub fn database(&self) -> PathBuf {
        self.0.join("scratch.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            complain(&format!("{} could not be removed: {error}", self.0.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scratch_directory_goes() {
        let scratch = Scratch::new("kattila-test-").unwrap();
        let dir = scratch.0.clone();
        std::fs::write(scratch.database(), "x").unwrap();
        drop(scratch);
        assert!(!dir.exists());
    }
}
