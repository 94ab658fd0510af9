//! The settings of the archive from which the database can be made again as it was at any time.

use std::path::PathBuf;

use super::mistake::ConfigError;
use super::read::Reading;
use super::source::Values;
use super::{KeptBy, parse};

/// Where the archive is, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The directory, as an absolute path.
    pub dir: PathBuf,
    /// How far back one can go at least, and how large it may become.
    pub kept: KeptBy,
}

/// The archive, if there is one. Checks these settings only.
///
/// # Errors
/// Every mistake in them.
pub fn load(values: &Values) -> Result<Option<Archive>, ConfigError> {
    let mut from = Reading::new(values);
    let archive = from.archive();
    if from.mistakes.is_empty() { Ok(archive) } else { Err(ConfigError::Mistakes(from.mistakes)) }
}

impl Reading<'_> {
    pub(super) fn archive(&mut self) -> Option<Archive> {
        let dir = self.optional("KATTILA_ARCHIVE_DIR", |text| {
            let dir = std::path::absolute(text).map_err(|error| format!("{text}: {error}"))?;
            match dir.metadata() {
                Ok(meta) if !meta.is_dir() => Err(format!("{text} is a file, not a directory")),
                // One that is not there yet, or not now, is made, or waited for.
                Ok(_) | Err(_) => Ok(dir),
            }
        });
        let age = self.required("KATTILA_ARCHIVE_AGE", parse::kept_age);
        let bytes = self.required("KATTILA_ARCHIVE_BYTES", parse::kept_bytes);
        Some(Archive { dir: dir?, kept: KeptBy { age: age?, bytes: bytes? } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_enough_and_none_is_no_archive() {
        let set = |pairs: &[(&str, &str)]| load(&Values::from_pairs(pairs.iter().copied()));
        assert_eq!(set(&[("KATTILA_ARCHIVE_AGE", "off")]).unwrap(), None);
        let archive = set(&[("KATTILA_ARCHIVE_DIR", "/backup/kattila")]).unwrap().unwrap();
        let kept = KeptBy { age: Some(14 * 86_400), bytes: None };
        assert_eq!(archive, Archive { dir: "/backup/kattila".into(), kept });
        assert!(set(&[("KATTILA_ARCHIVE_DIR", "/dev/null")]).is_err());
        assert!(set(&[("KATTILA_ARCHIVE_AGE", "soon")]).is_err());
        let relative = set(&[("KATTILA_ARCHIVE_DIR", "archive")]).unwrap().unwrap();
        assert!(relative.dir.is_absolute());
    }
}
